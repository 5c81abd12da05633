import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { serveHttp } from '../net/http.js';
import { parseBytes, parsePort, UsageError } from './arguments.js';
import type { Command } from './command.js';
import { createHttpService } from './http-service.js';
import { terminated } from './termination.js';
import { reportLines } from './transfer-report.js';
import { bare, openTunStack, TUN_OPTIONS, TUN_USAGE } from './tun-options.js';

export const serve: Command = {
  name: 'serve',
  summary: 'HTTP server over TUN devices, for clients in the kernel',
  usage: `mptcp serve --tun NAME=ADDR/PREFIX ... [options]

Serves HTTP on every address of the stack and announces them all (ADD_ADDR).
GET /bytes/N gives N bytes of known content, PUT answers with the SHA-256 of what came.

${TUN_USAGE}
  --port PORT        port to listen on (default 8080)
  --dir DIRECTORY    serve its files
  --size BYTES       what GET / gives
  --json             one JSON object a line for every transfer`,

  async run(args) {
    const { values } = parseArgs({
      args,
      options: {
        ...TUN_OPTIONS,
        port: { type: 'string', default: '8080' },
        dir: { type: 'string' },
        size: { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    });
    const port = parsePort('--port', values.port);
    const size = values.size === undefined ? undefined : parseBytes('--size', values.size);
    if (values.dir !== undefined && size !== undefined) throw new UsageError('--dir and --size: give one of them');
    const tun = await openTunStack('serve', 'signal', values);
    try {
      const service = createHttpService({
        directory: values.dir,
        size,
        onTransfer(transfer) {
          if (values.json) console.log(JSON.stringify(transfer));
          else console.log([`${transfer.method} ${transfer.url}`, ...reportLines(transfer)].join('\n  '));
        },
        onError: (error) => console.error(`a transfer broke off: ${error.message}`),
      });
      const server = serveHttp(tun.stack, service, { port });
      await once(server, 'listening');
      if (!values.json) {
        for (const path of tun.paths) {
          const inside = tun.namespace === undefined ? '' : `ip netns exec ${tun.namespace.name} `;
          const first = path.addresses.map(bare)[0] ?? '';
          const host = first.includes(':') ? `[${first}]` : first;
          console.log(`${path.name}: ${inside}mptcpize run curl -o /dev/null http://${host}:${port}/bytes/256M`);
        }
      }
      await terminated();
      return 0;
    } finally {
      await tun.close();
    }
  },
};
