import { type MultipathFlow, type PathControl, runMultipath } from '../../test/lab/multipath-bed.js';
import type { PathShape } from '../../test/lab/relay-path.js';
import { obstacles } from '../../test/lab/requirements.js';
import { type Bench, type Context, measurement, significant } from '../record.js';
import { median } from '../statistics.js';

/** How a path ends: it loses everything, answers everything with a reset, or the client loses its address. */
type Cause = 'silent' | 'rst' | 'address';
type Direction = MultipathFlow['direction'];
/** Whose sender it is: with ours a kernel receives, with the kernel's another kernel, or our stack. */
type Sender = 'ours' | 'kernel' | 'kernelToUs';

const CAUSES: readonly Cause[] = ['silent', 'rst', 'address'];
const DIRECTIONS: readonly Direction[] = ['download', 'upload'];
const SENDERS: readonly Sender[] = ['ours', 'kernel', 'kernelToUs'];

/** Both paths of every flow: all flows at once are less than the relay can do. */
const PATH: PathShape = { rate: 4, rtt: 30, queue: 30_000, loss: 0, seed: 1 };
/** The path that ends: that of the first subflow. */
const ENDING = 0;
/** When it ends, s from the beginning, in each of the runs. */
const MOMENTS = [3, 3.06, 3.11, 3.17, 3.22, 3.28, 3.33] as const;
/** How long it is watched, s. */
const WATCHED = 5;

const caseName = (cause: Cause, direction: Direction): string => `handover/${cause}-${direction}`;

interface Kind {
  readonly cause: Cause;
  readonly direction: Direction;
  readonly sender: Sender;
}

export const handover: Bench = {
  name: 'handover',
  description:
    'how long nothing arrives after the first of two paths of the client ended: our stack or a kernel sends, to a kernel, through one relay',
  cases: CAUSES.flatMap((cause) => DIRECTIONS.map((direction) => caseName(cause, direction))),
  obstacles,

  async run(context) {
    const wanted = CAUSES.flatMap((cause) => DIRECTIONS.map((direction) => ({ cause, direction }))).filter(
      ({ cause, direction }) => context.wants(caseName(cause, direction)),
    );
    const stalls = new Map<string, Record<Sender, number[]>>(
      wanted.map(({ cause, direction }) => [caseName(cause, direction), { ours: [], kernel: [], kernelToUs: [] }]),
    );
    let late = 0;
    const kinds = wanted.flatMap((each) => SENDERS.map((sender): Kind => ({ ...each, sender })));
    for (const moment of MOMENTS) late = Math.max(late, await measureOnce(kinds, moment, stalls));
    for (const [name, each] of stalls) report(context, name, each);
    context.note(`the relay of handover delivered ${Math.round(late)} ms late at most`);
  },
};

/** One run, every kind at once. Returns how late the relay was, ms. */
async function measureOnce(
  kinds: readonly Kind[],
  moment: number,
  stalls: ReadonlyMap<string, Record<Sender, number[]>>,
): Promise<number> {
  const { flows, relay } = await runMultipath({
    flows: kinds.map((kind) => ({ ours: ownEnd(kind), direction: kind.direction, paths: [PATH, PATH] })),
    seconds: moment + WATCHED,
    async meanwhile(paths, wait) {
      await wait(moment);
      await Promise.all(kinds.map(({ cause }, flow) => endPath(paths, flow, cause)));
    },
  });
  for (const [index, { cause, direction, sender }] of kinds.entries()) {
    const result = flows[index];
    const from = moment * 1000;
    stalls
      .get(caseName(cause, direction))
      ?.[sender].push(result?.progress.longestGap(from, from + WATCHED * 1000) ?? Number.NaN);
  }
  return Math.max(...relay.paths.map(({ latest }) => latest)) / 1000;
}

/** Which end is our stack: what is downloaded the server sends, what is uploaded the client. */
function ownEnd({ sender, direction }: Kind): MultipathFlow['ours'] {
  if (sender === 'kernel') return 'none';
  return (direction === 'download') === (sender === 'ours') ? 'server' : 'client';
}

async function endPath(paths: PathControl, flow: number, cause: Cause): Promise<void> {
  if (cause === 'address') await paths.loseAddress(flow, ENDING);
  else paths.set(flow, ENDING, cause === 'rst' ? 'reset' : 'cut');
}

function report(context: Context, name: string, stalls: Readonly<Record<Sender, readonly number[]>>): void {
  const { ours, kernel, kernelToUs } = stalls;
  const sorted = (values: readonly number[]): string =>
    [...values]
      .sort((a, b) => a - b)
      .map(Math.round)
      .join(' ');
  const rounds = measurement({
    name,
    unit: 'ms',
    better: 'smaller',
    ours,
    peers: { kernel, 'kernel to our stack': kernelToUs },
    details: { cuts: ours.length, all: sorted(ours), allKernel: sorted(kernel) },
  });
  // The cuts of both are not pairs: what one flow had in flight says nothing of the other.
  context.report({ ...rounds, ratio: significant(median(kernel) / median(ours)) });
}
