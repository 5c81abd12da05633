import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { obstacles } from '../../test/lab/requirements.js';
import { ROOT } from '../peers/programs.js';
import { type Bench, type Context, measurement } from '../record.js';
import { quantile } from '../statistics.js';
import { type Bed, TunBed, VethBed } from '../tun/beds.js';
import { answer, LARGE_BYTES, SMALL_BYTES } from './answers.js';

interface Shape {
  readonly name: string;
  readonly request: 's' | 'l';
  readonly bytes: number;
  readonly bulk: boolean;
  readonly count: number;
}

const PORT = 8080;
const ROUNDS = 2;
const QUANTILES = [0.5, 0.99, 0.999];

const SHAPES: readonly Shape[] = [false, true].flatMap((bulk) => [
  { name: `latency/1B-${bulk ? 'bulk' : 'idle'}`, request: 's', bytes: SMALL_BYTES, bulk, count: bulk ? 1000 : 3000 },
  { name: `latency/16KB-${bulk ? 'bulk' : 'idle'}`, request: 'l', bytes: LARGE_BYTES, bulk, count: bulk ? 1000 : 3000 },
]);

const caseName = (shape: Shape, q: number): string => `${shape.name}-p${q * 100}`;

export const latency: Bench = {
  name: 'latency',
  description:
    'a request of one byte and its answer, over a TUN device with offload, beside kernel to kernel over veth',
  cases: SHAPES.flatMap((shape) => QUANTILES.map((q) => caseName(shape, q))),
  obstacles,

  async run(context) {
    for (const shape of SHAPES) {
      if (QUANTILES.some((q) => context.wants(caseName(shape, q)))) await measure(shape, context);
    }
  },
};

async function measure(shape: Shape, context: Context): Promise<void> {
  const ours: number[][] = [];
  const kernel: number[][] = [];
  for (let round = 0; round < ROUNDS; round++) {
    ours.push(await ourTimes(shape));
    kernel.push(await kernelTimes(shape));
  }
  for (const q of QUANTILES) {
    const name = caseName(shape, q);
    if (!context.wants(name)) continue;
    const at = (rounds: readonly number[][]): number[] => rounds.map((times) => quantile(times, q) * 1e6);
    context.report(
      measurement({
        name,
        unit: 'µs',
        better: 'smaller',
        ours: at(ours),
        peers: { 'kernel over veth': at(kernel) },
        details: { requests: shape.count * ROUNDS },
      }),
    );
  }
}

async function ourTimes(shape: Shape): Promise<number[]> {
  const bed = await TunBed.create(1, true);
  try {
    const server = bed.stack.createServer({ noDelay: true }, answer);
    server.listen({ port: PORT });
    await once(server, 'listening');
    return await times(bed, shape);
  } finally {
    await bed.close();
  }
}

async function kernelTimes(shape: Shape): Promise<number[]> {
  const bed = await VethBed.create(1);
  try {
    const program = join(dirname(fileURLToPath(import.meta.url)), 'kernel-server.js');
    await bed.startServer('mptcpize', 'run', process.execPath, program, String(PORT)).says('listening');
    return await times(bed, shape);
  } finally {
    await bed.close();
  }
}

async function times(bed: Bed, { request, bytes, bulk, count }: Shape): Promise<number[]> {
  const client = ['python3', join(ROOT, 'bench', 'latency', 'client.py'), bed.host, String(PORT)];
  if (bulk) await bed.startClient(...client, 'bulk').says('reading');
  const output = await bed.startClient(...client, 'ping', request, String(bytes), String(count)).finish();
  return JSON.parse(output) as number[];
}
