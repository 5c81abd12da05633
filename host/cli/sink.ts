import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { parsePort } from './arguments.js';
import type { Command } from './command.js';
import { untilTerminated } from './termination.js';
import { megabits, reportLines, subflowReports, type TransferReport } from './transfer-report.js';
import { openTunStack, TUN_OPTIONS, TUN_USAGE } from './tun-options.js';

export const sink: Command = {
  name: 'sink',
  summary: 'read and count what comes by TCP over TUN devices',
  usage: `mptcp sink --tun NAME=ADDR/PREFIX ... [options]

Listens, reads each connection to its end, and reports bytes and goodput.

${TUN_USAGE}
  --port PORT        port to listen on (default 5001)
  --once             end after the first connection
  --json             one JSON object a line for every connection`,

  async run(args) {
    const { values } = parseArgs({
      args,
      options: {
        ...TUN_OPTIONS,
        port: { type: 'string', default: '5001' },
        once: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    });
    const port = parsePort('--port', values.port);
    const tun = await openTunStack('sink', 'signal', values);
    try {
      const server = tun.stack.createServer((socket) => {
        const start = performance.now();
        socket.readInPlace(() => true);
        socket.once('error', (error) => console.error(`${socket.remoteAddress}: ${error.message}`));
        socket.once('end', () => {
          const seconds = (performance.now() - start) / 1000;
          const info = socket.info();
          const report: TransferReport = {
            bytes: socket.bytesRead,
            seconds,
            goodputMbps: megabits(socket.bytesRead, seconds),
            multipath: info?.multipath ?? false,
            checksum: info?.checksum ?? false,
            subflows: subflowReports(info?.subflows ?? []),
          };
          console.log(values.json ? JSON.stringify(report) : reportLines(report).join('\n  '));
          if (values.once) server.close();
        });
      });
      server.listen({ port });
      await once(server, 'listening');
      return await untilTerminated(once(server, 'close').then(() => 0));
    } finally {
      await tun.close();
    }
  },
};
