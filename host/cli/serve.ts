import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { serveHttp } from '../net/http.js';
import type { NetworkNamespace } from '../netns.js';
import type { WorkerReport } from '../workers/protocol.js';
import { parseBytes, parsePort, UsageError } from './arguments.js';
import type { Command } from './command.js';
import { createHttpService, type ServedTransfer } from './http-service.js';
import type { ServeData, ServeMessage } from './serve-worker.js';
import { terminated } from './termination.js';
import { columns, reportLines } from './transfer-report.js';
import { bare, openTunStack, TUN_OPTIONS, TUN_USAGE, type TunPath, type TunValues } from './tun-options.js';
import { openTunWorkers, parseWorkers } from './tun-workers.js';

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
  --workers N        serve on N processors: N threads, each with a stack, a queue of every device and the
                     memory budget of its own; when one of them fails, the command ends
  --json             one JSON object a line for every transfer, and for all workers at the end`,

  async run(args) {
    const { values } = parseArgs({
      args,
      options: {
        ...TUN_OPTIONS,
        port: { type: 'string', default: '8080' },
        dir: { type: 'string' },
        size: { type: 'string' },
        workers: { type: 'string', default: '1' },
        json: { type: 'boolean', default: false },
      },
    });
    const port = parsePort('--port', values.port);
    const size = values.size === undefined ? undefined : parseBytes('--size', values.size);
    const workers = parseWorkers(values.workers);
    if (values.dir !== undefined && size !== undefined) throw new UsageError('--dir and --size: give one of them');
    const data = { port, directory: values.dir, size };
    if (workers === 1) await serveAlone(values, data);
    else await serveByWorkers(values, data, workers);
    return 0;
  },
};

type ServeValues = TunValues & { readonly json: boolean };

async function serveAlone(values: ServeValues, { port, directory, size }: ServeData): Promise<void> {
  const tun = await openTunStack('serve', 'signal', values);
  try {
    const service = createHttpService({
      directory,
      size,
      onTransfer: (transfer) => showTransfer(values.json, transfer),
      onError: (error) => showError(error.message),
    });
    const server = serveHttp(tun.stack, service, { port });
    await once(server, 'listening');
    if (!values.json) showPaths(tun.paths, tun.namespace, port);
    await terminated();
  } finally {
    await tun.close();
  }
}

async function serveByWorkers(values: ServeValues, data: ServeData, count: number): Promise<void> {
  const transfers = new Array<number>(count).fill(0);
  const tun = await openTunWorkers('serve', 'signal', values, count, {
    module: new URL('./serve-worker.js', import.meta.url),
    data,
    onMessage(worker, value) {
      const message = value as ServeMessage;
      if ('error' in message) return showError(message.error);
      transfers[worker] = (transfers[worker] ?? 0) + 1;
      showTransfer(values.json, { worker, ...message.transfer });
    },
  });
  try {
    if (!values.json) showPaths(tun.paths, tun.namespace, data.port);
    // The second rejects when a worker fails.
    await Promise.race([terminated(), once(tun.group, 'close')]);
    const reports = await tun.group.workers();
    showWorkers(
      values.json,
      reports.map((report) => ({ ...report, transfers: transfers[report.worker] ?? 0 })),
    );
  } finally {
    await tun.close();
  }
}

function showTransfer(json: boolean, transfer: ServedTransfer & { worker?: number }): void {
  if (json) {
    console.log(JSON.stringify(transfer));
    return;
  }
  const by = transfer.worker === undefined ? '' : ` by worker ${transfer.worker}`;
  console.log([`${transfer.method} ${transfer.url}${by}`, ...reportLines(transfer)].join('\n  '));
}

function showError(message: string): void {
  console.error(`a transfer broke off: ${message}`);
}

function showPaths(paths: readonly TunPath[], namespace: NetworkNamespace | undefined, port: number): void {
  for (const path of paths) {
    const inside = namespace === undefined ? '' : `ip netns exec ${namespace.name} `;
    const first = path.addresses.map(bare)[0] ?? '';
    const host = first.includes(':') ? `[${first}]` : first;
    console.log(`${path.name}: ${inside}mptcpize run curl -o /dev/null http://${host}:${port}/bytes/256M`);
  }
}

/** Who served how much, and how many packets came to the queue of another worker. */
function showWorkers(json: boolean, workers: readonly (WorkerReport & { transfers: number })[]): void {
  if (json) {
    console.log(JSON.stringify({ workers }));
    return;
  }
  const rows = workers.map(({ worker, transfers, counters, exchange }) =>
    [worker, transfers, counters.packetsIn, exchange.handedOver, exchange.takenOver, exchange.ringFull].map(String),
  );
  const head = ['worker', 'transfers', 'packets in', 'handed over', 'taken over', 'ring full'];
  console.log(columns([head, ...rows]).join('\n'));
}
