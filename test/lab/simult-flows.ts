import { megabits } from '../../host/cli/transfer-report.js';
import { type MultipathFlow, type MultipathResult, runMultipath } from './multipath-bed.js';
import type { PathShape } from './relay-path.js';
import type { Scenario } from './scenario.js';

/** Two links: rates in Mbit/s, and delays in ms in each direction. */
interface LinkPair {
  readonly rates: readonly [number, number];
  readonly delays: readonly [number, number];
}

/** The pairs of links of the kernel's own test of aggregation. */
const PAIRS: readonly LinkPair[] = [
  { rates: [10, 10], delays: [0, 0] },
  { rates: [10, 10], delays: [1, 25] },
  { rates: [10, 3], delays: [0, 0] },
  { rates: [10, 3], delays: [1, 25] },
  { rates: [10, 3], delays: [25, 1] },
];
const BYTES = 2 * 2048 * 4096;
/** Packets that its links hold, of 1,500 bytes. */
const QUEUE = 1000 * 1500;
/** Beside the time that the links need at nine tenths of their rates, ms. */
const ALLOWANCE_MS = 450;
const SECONDS = 25;
/** A busy machine is asked again so often; what passed once is known to pass. */
const ATTEMPTS = 3;
const DIRECTIONS = ['download', 'upload'] as const;

/** The longest that a transfer over a pair of links may take, ms. */
export function timeAllowed(bytes: number, [first, second]: readonly [number, number]): number {
  return ((bytes * 8 * 10) / ((first + second) * 1e6 * 9)) * 1000 + ALLOWANCE_MS;
}

interface Order {
  readonly name: string;
  readonly pair: LinkPair;
  readonly flow: MultipathFlow;
}

function orders(ours: MultipathFlow['ours']): Order[] {
  return PAIRS.flatMap((pair) =>
    DIRECTIONS.map((direction) => {
      const paths = pair.rates.map(
        (rate, index): PathShape => ({ rate, rtt: 2 * (pair.delays[index] ?? 0), queue: QUEUE, loss: 0, seed: 1 }),
      );
      const name = `simult/${pair.rates.join('-')}mbit-${pair.delays.join('-')}ms-${direction}`;
      return { name, pair, flow: { ours, direction, paths, bytes: BYTES } };
    }),
  );
}

/** One figure as `--json` has it. */
interface SimultFigure {
  readonly value: number;
  readonly unit: 'ms';
  readonly allowed: number;
  readonly kernel: number;
  readonly pass: boolean;
}

export const simultFlows: Scenario = {
  name: 'simult-flows',
  description:
    "aggregation by the kernel's own formula: 16 MiB over five pairs of links, each way, as fast as both links together at nine tenths of their rates and 450 ms; two kernels beside it",
  async run(checks) {
    const begin = performance.now();
    const own = orders('client');
    const best = new Map<string, number>();
    const kernels = new Map<string, number[]>();
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const missing = own.filter(({ name, pair }) => (best.get(name) ?? Infinity) > timeAllowed(BYTES, pair.rates));
      if (missing.length === 0) break;
      const beside = orders('none').filter(({ name }) => missing.some((each) => each.name === name));
      const all = [...missing, ...beside];
      const { flows } = await runMultipath({ flows: all.map(({ flow }) => flow), seconds: SECONDS });
      for (const [index, result] of flows.entries()) {
        const { name, flow } = all[index] as Order;
        if (flow.ours === 'none') kernels.set(name, [...(kernels.get(name) ?? []), milliseconds(result)]);
        else best.set(name, Math.min(best.get(name) ?? Infinity, milliseconds(result)));
        if (flow.ours !== 'none' && result.received.finished !== undefined) {
          checks.equal(result.received.bytes, BYTES, `${name}: number of bytes`);
          checks.equal(result.received.sha256, result.sent.sha256, `${name}: SHA-256`);
        }
      }
    }
    const cells: Record<string, SimultFigure> = {};
    for (const { name, pair, flow } of own) {
      const value = best.get(name) ?? Infinity;
      const allowed = timeAllowed(BYTES, pair.rates);
      const beside = kernels.get(name) ?? [];
      // What a kernel sends us, it sends another no faster: its slowest is no fault of the receiver. Where we send, only
      // a kernel that needs longer too shows a machine too busy for the formula.
      const kernel = flow.direction === 'download' ? Math.max(...beside) : Math.min(...beside);
      const pass = value <= Math.max(allowed, kernel);
      cells[name] = {
        value: Math.round(value),
        unit: 'ms',
        allowed: Math.round(allowed),
        kernel: Math.round(kernel),
        pass,
      };
      checks.that(pass, `${name}: ${Math.round(value)} ms and not ${Math.round(allowed)} or less`);
    }
    const seconds = (performance.now() - begin) / 1000;
    const slowest = Math.max(...best.values()) / 1000;
    return { seconds, goodputMbps: megabits(BYTES, slowest), cells };
  },
};

/** How long a flow took, ms; Infinity when it did not finish. */
function milliseconds({ received }: MultipathResult): number {
  return received.finished === undefined ? Infinity : received.finished * 1000;
}
