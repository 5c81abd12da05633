import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { parseAddress } from '../address.js';
import type { Socket } from '../net/socket.js';
import { parseBytes, parsePort, parseSeconds, UsageError } from './arguments.js';
import type { Command } from './command.js';
import { contentChunks } from './content.js';
import { untilTerminated } from './termination.js';
import { megabits, reportLines, subflowReports, type TransferReport } from './transfer-report.js';
import { bare, openTunStack, TUN_OPTIONS, TUN_USAGE } from './tun-options.js';

const BULK_BYTES = 1 << 18;

export const source: Command = {
  name: 'source',
  summary: 'write as fast as it goes by TCP over TUN devices',
  usage: `mptcp source HOST:PORT --tun NAME=ADDR/PREFIX ... [options]

Connects to HOST:PORT ([HOST]:PORT for IPv6), writes for a time or a number of bytes, and reports the goodput.

${TUN_USAGE}
  --seconds N        how long to write (default 5)
  --bytes BYTES      how much to write, in place of a time
  --json             one JSON object`,

  async run(args) {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        ...TUN_OPTIONS,
        seconds: { type: 'string' },
        bytes: { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    });
    if (values.seconds !== undefined && values.bytes !== undefined) {
      throw new UsageError('--seconds and --bytes: give one of them');
    }
    const { host, port } = parseTarget(positionals);
    const seconds = parseSeconds('--seconds', values.seconds ?? '5');
    const bytes = values.bytes === undefined ? Number.POSITIVE_INFINITY : parseBytes('--bytes', values.bytes);
    const tun = await openTunStack('source', 'subflow', values);
    try {
      const localAddress = tun.paths[0]?.addresses.map(bare).find((own) => own.includes(':') === host.includes(':'));
      const socket = tun.stack.connect({ host, port, localAddress });
      await once(socket, 'connect');
      const limit = bytes === Number.POSITIVE_INFINITY ? seconds * 1000 : Number.POSITIVE_INFINITY;
      return await untilTerminated(
        writeBulk(socket, limit, bytes).then((report) => {
          console.log(values.json ? JSON.stringify(report) : reportLines(report).join('\n  '));
          return 0;
        }),
      );
    } finally {
      await tun.close();
    }
  },
};

function parseTarget(positionals: string[]): { host: string; port: number } {
  const [text = '', ...rest] = positionals;
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || rest.length > 0) throw new UsageError('give one target, such as 10.0.1.1:5001');
  if (parseAddress(host) === undefined) throw new UsageError(`"${host}" is no IP address; names are not resolved here`);
  return { host, port: parsePort('PORT', match?.[3] ?? '') };
}

/** Writes until the time (ms) or the bytes are used up, then waits until all is acknowledged. */
async function writeBulk(socket: Socket, milliseconds: number, bytes: number): Promise<TransferReport> {
  const [bulk = Buffer.alloc(BULK_BYTES)] = contentChunks(BULK_BYTES);
  const start = performance.now();
  let left = bytes;
  while (left > 0 && performance.now() - start < milliseconds) {
    const piece = left < bulk.length ? bulk.subarray(0, left) : bulk;
    left -= piece.length;
    if (!socket.write(piece)) await once(socket, 'drain');
  }
  const info = socket.info();
  socket.end();
  socket.resume();
  await once(socket, 'close');
  const seconds = (performance.now() - start) / 1000;
  return {
    bytes: socket.bytesWritten,
    seconds,
    goodputMbps: megabits(socket.bytesWritten, seconds),
    multipath: info?.multipath ?? false,
    checksum: info?.checksum ?? false,
    subflows: subflowReports(info?.subflows ?? []),
  };
}
