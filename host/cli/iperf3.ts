import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { parsePort } from './arguments.js';
import type { Command } from './command.js';
import { Iperf3Service } from './iperf3-session.js';
import { terminated } from './termination.js';
import { megabits } from './transfer-report.js';
import { openTunStack, TUN_OPTIONS, TUN_USAGE } from './tun-options.js';

export const iperf3: Command = {
  name: 'iperf3',
  summary: 'sink and source for an unmodified iperf3 client in the kernel',
  usage: `mptcp iperf3 --tun NAME=ADDR/PREFIX ... [options]

Does what "iperf3 --server" does, for TCP tests in one direction at a time (-R for the other, -P for several streams).

${TUN_USAGE}
  --port PORT        port to listen on (default 5201)
  --json             one JSON object a line for every test`,

  async run(args) {
    const { values } = parseArgs({
      args,
      options: { ...TUN_OPTIONS, port: { type: 'string', default: '5201' }, json: { type: 'boolean', default: false } },
    });
    const port = parsePort('--port', values.port);
    const tun = await openTunStack('iperf3', 'signal', values);
    try {
      const server = tun.stack.createServer({ noDelay: true });
      new Iperf3Service(
        server,
        (error) => console.error(`a test broke off: ${error.message}`),
        (result) => {
          const goodputMbps = megabits(result.bytes, result.seconds);
          if (values.json) console.log(JSON.stringify({ ...result, goodputMbps }));
          else console.log(`${result.reverse ? 'sent' : 'received'} ${result.bytes} bytes, ${goodputMbps} Mbit/s`);
        },
      );
      server.listen({ port });
      await once(server, 'listening');
      await terminated();
      return 0;
    } finally {
      await tun.close();
    }
  },
};
