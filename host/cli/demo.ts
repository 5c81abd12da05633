import { parseArgs } from 'node:util';
import { PcapngWriter } from '../link/pcapng.js';
import { parseBytes, UsageError } from './arguments.js';
import type { Command } from './command.js';
import { type DemoListener, runDemo } from './demo-download.js';
import { DemoView, introduction, summary } from './demo-view.js';

const SILENT: DemoListener = { progress: () => undefined, happened: () => undefined };

/** A download over two simulated paths, one of which is cut on the way. */
export const demo: Command = {
  name: 'demo',
  summary: 'a download over two simulated paths, one of which is cut on the way; needs no privileges',
  usage: `mptcp demo [options]

A simulated phone with wifi (50 Mbit/s, 10 ms) and lte (30 Mbit/s, 40 ms) downloads from a server by HTTP over one
Multipath TCP connection. A third of the way wifi is cut; after 2 s it is back. Exits with 0 only when the bytes that
arrived are those that were sent and the connection never broke.

  --size BYTES       how much to download (default 64M)
  --seed N           repeat the run of this seed exactly, packet by packet (default 1)
  --realtime         let the simulated network take its real time
  --out FILE         where to write what the phone saw of both paths (default out/demo.pcapng)
  --json             one JSON object on one line, no progress`,

  async run(args) {
    const { values } = parseArgs({
      args,
      options: {
        size: { type: 'string', default: '64M' },
        seed: { type: 'string', default: '1' },
        realtime: { type: 'boolean', default: false },
        out: { type: 'string', default: 'out/demo.pcapng' },
        json: { type: 'boolean', default: false },
      },
    });
    const size = parseBytes('--size', values.size);
    if (size === 0) throw new UsageError('--size 0: there is nothing to show without bytes');
    const seed = parseSeed(values.seed);
    const capture = openCapture(values.out);
    const view = values.json ? SILENT : new DemoView(process.stdout);
    if (!values.json) console.log(introduction(size));
    const start = performance.now();
    try {
      const result = await runDemo({ seed, size, realtime: values.realtime, capture }, view);
      capture.close();
      if (values.json) console.log(JSON.stringify({ ...result, capture: values.out }));
      else console.log(summary(result, values.out, (performance.now() - start) / 1000));
      return result.ok ? 0 : 1;
    } finally {
      capture.close();
    }
  },
};

function parseSeed(text: string): number {
  const seed = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(seed)) return seed;
  throw new UsageError(`--seed ${text}: not an integer from 0 to ${Number.MAX_SAFE_INTEGER}`);
}

function openCapture(path: string): PcapngWriter {
  try {
    return new PcapngWriter(path);
  } catch (error) {
    throw new UsageError(`--out ${path}: ${(error as Error).message}`, { cause: error });
  }
}
