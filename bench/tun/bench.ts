import { once } from 'node:events';
import { Iperf3Service } from '../../host/cli/iperf3-session.js';
import { obstacles } from '../../test/lab/requirements.js';
import { type Bench, type Context, measurement, significant } from '../record.js';
import { median } from '../statistics.js';
import { type Bed, TunBed, VethBed } from './beds.js';

type Direction = 'download' | 'upload';

interface Shape {
  readonly name: string;
  readonly direction: Direction;
  readonly subflows: number;
  readonly offload: boolean;
}

const PORT = 5201;
const ROUNDS = 3;
const SECONDS = 1;
const INTERVAL = 0.25;
const DIRECTIONS: readonly Direction[] = ['download', 'upload'];

const SHAPES: readonly Shape[] = [1, 2].flatMap((subflows) =>
  [false, true].flatMap((offload) =>
    DIRECTIONS.map((direction) => ({
      name: `tun/${direction}-${subflows}sf-${offload ? 'offload' : 'plain'}`,
      direction,
      subflows,
      offload,
    })),
  ),
);

/** One test by iperf3: rates of its intervals but the first, and what the server's end cost. */
interface Goodput {
  readonly gigabits: readonly number[];
  readonly cpuSecondsPerGB: number;
}

interface Iperf3Report {
  readonly error?: string;
  readonly intervals: readonly { readonly sum: { readonly bits_per_second: number } }[];
  readonly end: {
    readonly sum_received: { readonly bytes: number; readonly seconds: number };
    readonly cpu_utilization_percent: { readonly remote_total: number };
  };
}

export const tun: Bench = {
  name: 'tun',
  description: 'iperf3 in a kernel to and from a stack over TUN devices, beside kernel to kernel over veth',
  cases: SHAPES.map(({ name }) => name),
  obstacles,

  async run(context) {
    for (const subflows of [1, 2]) {
      const wanted = SHAPES.filter((shape) => shape.subflows === subflows && context.wants(shape.name));
      if (wanted.length > 0) await measure(subflows, wanted, context);
    }
  },
};

/** All combinations with one number of subflows, in rounds, so that what slows the machine for a while slows all. */
async function measure(subflows: number, shapes: readonly Shape[], context: Context): Promise<void> {
  const directions = DIRECTIONS.filter((direction) => shapes.some((shape) => shape.direction === direction));
  const kernel = new Map<Direction, Goodput[]>(directions.map((direction) => [direction, []]));
  const kernelTcp = new Map<Direction, Goodput[]>(directions.map((direction) => [direction, []]));
  const ours = new Map<string, Goodput[]>(shapes.map(({ name }) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const direction of directions) {
      kernel.get(direction)?.push(await kernelGoodput(subflows, direction, true));
      if (subflows === 1) kernelTcp.get(direction)?.push(await kernelGoodput(subflows, direction, false));
    }
    for (const { name, direction, offload } of shapes) {
      ours.get(name)?.push(await ourGoodput(subflows, direction, offload));
    }
  }
  for (const { name, direction } of shapes) {
    const own = ours.get(name) ?? [];
    // Over one path the kernel's Multipath TCP can stay at a thirtieth of what its TCP does: that is the better peer.
    const multipath = best(kernel.get(direction) ?? []);
    const peer = subflows === 1 ? best(kernelTcp.get(direction) ?? []) : multipath;
    context.report(
      measurement({
        name,
        unit: 'Gbit/s',
        better: 'larger',
        ours: own.flatMap(({ gigabits }) => gigabits),
        peers: {
          [subflows === 1 ? 'kernel TCP over veth' : 'kernel over veth']: own.flatMap(() => peer.gigabits),
          ...(subflows === 1 ? { 'kernel MPTCP over veth': own.flatMap(() => multipath.gigabits) } : {}),
        },
        details: {
          cpuSecondsPerGB: significant(median(own.map(({ cpuSecondsPerGB }) => cpuSecondsPerGB))),
          kernelCpuSecondsPerGB: significant(peer.cpuSecondsPerGB),
        },
      }),
    );
  }
}

/** What makes a program of the kernel's host use Multipath TCP. */
function wrapper(multipath: boolean): string[] {
  return multipath ? ['mptcpize', 'run'] : [];
}

function best(rounds: readonly Goodput[]): Goodput {
  return rounds.reduce((most, each) => (median(each.gigabits) > median(most.gigabits) ? each : most));
}

async function kernelGoodput(subflows: number, direction: Direction, multipath: boolean): Promise<Goodput> {
  const bed = await VethBed.create(subflows);
  try {
    const server = [...wrapper(multipath), 'iperf3', '--server', '--port', String(PORT), '--forceflush'];
    await bed.startServer(...server).says('listening');
    const report = await client(bed, direction, subflows, multipath);
    const { bytes, seconds } = report.end.sum_received;
    const cpu = (report.end.cpu_utilization_percent.remote_total / 100) * seconds;
    return { gigabits: rates(report), cpuSecondsPerGB: cpu / (bytes / 1e9) };
  } finally {
    await bed.close();
  }
}

async function ourGoodput(subflows: number, direction: Direction, offload: boolean): Promise<Goodput> {
  const bed = await TunBed.create(subflows, offload);
  try {
    const server = bed.stack.createServer({ noDelay: true });
    const errors: Error[] = [];
    new Iperf3Service(server, (error) => errors.push(error));
    server.listen({ port: PORT });
    await once(server, 'listening');
    const before = process.cpuUsage();
    const report = await client(bed, direction, subflows, true);
    const { user, system } = process.cpuUsage(before);
    if (errors[0] !== undefined) throw errors[0];
    return {
      gigabits: rates(report),
      cpuSecondsPerGB: (user + system) / 1e6 / (report.end.sum_received.bytes / 1e9),
    };
  } finally {
    await bed.close();
  }
}

async function client(bed: Bed, direction: Direction, subflows: number, multipath: boolean): Promise<Iperf3Report> {
  const program = bed.startClient(
    ...[...wrapper(multipath), 'iperf3', '--client', bed.host, '--port', String(PORT), '--json'],
    ...['--time', String(SECONDS), '--interval', String(INTERVAL)],
    ...(direction === 'download' ? ['--reverse'] : []),
  );
  const report = JSON.parse(await program.finish()) as Iperf3Report;
  if (report.error !== undefined) throw new Error(`iperf3 ended with: ${report.error}`);
  const joins = await bed.joins();
  if (subflows > 1 && joins === 0)
    throw new Error('no second subflow was joined: the figure would be one of a single path');
  return report;
}

function rates(report: Iperf3Report): number[] {
  // The first interval has the slow start.
  const values = report.intervals.slice(1).map(({ sum }) => sum.bits_per_second / 1e9);
  if (values.length === 0 || median(values) === 0) throw new Error('iperf3 reported no goodput');
  return values;
}
