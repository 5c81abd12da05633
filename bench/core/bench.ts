import { loadModule } from '../../host/module.js';
import { microModule } from '../micro/module.js';
import { buildSmoltcp, type NativePeer, runPeer } from '../peers/programs.js';
import { type Bench, type Context, measurement, significant } from '../record.js';
import { median } from '../statistics.js';
import { Joined, type JoinedOptions, type Transfer } from './joined.js';

interface Shape {
  readonly name: string;
  readonly multipath: boolean;
  readonly paths: number;
  /** Payload of a segment without options, bytes. */
  readonly segment: number;
  readonly checksum: boolean;
}

const SEGMENTS = [1460, 8960, 65000];
const HEADERS = 40;
const ROUNDS = 3;
const WARM_MS = 60;
const ROUND_MS = 150;
/** Every path of n carries this part of 1/n at least; else the figure is not one of n subflows. */
const FAIR = 0.8;

const SHAPES: readonly Shape[] = SEGMENTS.flatMap((segment) =>
  [false, true].flatMap((checksum) =>
    [0, 1, 2, 4, 8].map((subflows) => ({
      name: `core/${subflows === 0 ? 'tcp' : `mptcp-${subflows}sf`}-${segment}${checksum ? '-checksum' : ''}`,
      multipath: subflows > 0,
      paths: Math.max(subflows, 1),
      segment,
      checksum,
    })),
  ),
);

/** Buffers of our stacks, bytes: small enough for the cache, large enough for two segments in each subflow. */
function windowFor({ paths, segment }: Shape): number {
  return Math.max(1 << 18, paths * segment * 3);
}

/** The buffers with which smoltcp is at its fastest at every segment size, bytes: it allocates every packet. */
const SMOLTCP_WINDOW = 131072;

interface SmoltcpRun {
  readonly bytes: number;
  readonly seconds: number;
}

export const core: Bench = {
  name: 'core',
  description: 'two stacks in one process and thread, joined by a copy from memory to memory',
  cases: SHAPES.map(({ name }) => name),

  async run(context) {
    const smoltcp = await buildSmoltcp();
    if ('missing' in smoltcp) context.note(smoltcp.missing);
    for (const shape of SHAPES) {
      if (context.wants(shape.name)) await measure(shape, smoltcp, context);
    }
  },
};

/** The two stacks of a case. @throws Error for a name that is none. */
export function coreOptions(name: string): Omit<JoinedOptions, 'module'> {
  const shape = SHAPES.find((each) => each.name === name);
  if (shape === undefined) throw new Error(`${name} is no case of the core bench`);
  const { multipath, paths, segment, checksum } = shape;
  return { multipath, paths, mtu: segment + HEADERS, checksum, window: windowFor(shape) };
}

/** What a transfer reached, Gbit/s. */
export function coreRate({ bytes, seconds }: Transfer): number {
  return gigabits(bytes, seconds);
}

async function measure(shape: Shape, smoltcp: NativePeer, context: Context): Promise<void> {
  const { name, segment } = shape;
  const options = coreOptions(name);
  const { paths, mtu, checksum, window } = options;
  const joined = new Joined({ module: loadModule(), ...options });
  joined.transfer(WARM_MS / 4);
  joined.verifying = false;
  joined.transfer(WARM_MS);
  const ours: Transfer[] = [];
  const peers: number[] = [];
  const copies: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    ours.push(joined.transfer(ROUND_MS));
    copies.push(copyRate(segment, window));
    if ('path' in smoltcp) {
      const args = [String(mtu), checksum ? 'on' : 'off', String(SMOLTCP_WINDOW), String(ROUND_MS)];
      const { bytes, seconds } = await runPeer<SmoltcpRun>(smoltcp.path, ...args);
      peers.push(gigabits(bytes, seconds));
    }
  }
  const shares = ours.flatMap((transfer) => transfer.shares);
  const least = Math.min(...shares);
  if (shares.length !== paths * ROUNDS || least < FAIR / paths) {
    throw new Error(
      `${name}: a subflow carried ${significant(least * 100)} % only; the figure would not be one of ${paths}`,
    );
  }
  const rates = ours.map(coreRate);
  context.report(
    measurement({
      name,
      unit: 'Gbit/s',
      better: 'larger',
      ours: rates,
      ...(peers.length > 0 ? { peers: { smoltcp: peers } } : {}),
      details: {
        nsPerSegment: significant(median(ours.map(({ seconds, segments }) => (seconds * 1e9) / segments))),
        payloadBytes: Math.round(median(ours.map(({ bytes, segments }) => bytes / segments))),
        shareOfCopy: significant(median(rates.map((rate, index) => rate / (copies[index] as number)))),
        leastShare: significant(least),
        retransmits: ours.reduce((sum, { retransmits }) => sum + retransmits, 0),
      },
    }),
  );
}

function gigabits(bytes: number, seconds: number): number {
  return (bytes * 8) / seconds / 1e9;
}

/** What memory.copy alone reaches with pieces of `segment` bytes in a buffer of `window` bytes, Gbit/s. */
function copyRate(segment: number, window: number): number {
  const { copyLoop } = microModule();
  const times = Math.ceil(2e8 / segment);
  const start = performance.now();
  const bytes = copyLoop(segment, window, times);
  return gigabits(bytes, (performance.now() - start) / 1000);
}
