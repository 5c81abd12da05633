import type { CongestionName } from '../../host/abi.js';
import type { FlowPlan, Pairing } from './bottleneck-bed.js';
import type { PathShape } from './relay-path.js';

/**
 * Rate in Mbit/s, round-trip time in ms, loss and segments overtaken in percent, measured with several seeds where there
 * is chance.
 */
export interface Cell {
  readonly rate: number;
  readonly rtt: number;
  readonly loss: number;
  readonly reorder?: number;
  readonly seeds: number;
}

export const PAIRINGS: readonly Pairing[] = ['weSend', 'weReceive', 'kernel'];

const RATES = [10, 100] as const;
const TIMES = [10, 100] as const;
/** Loss in percent, and with how many seeds: the fewer packets a flow sends, the more chance decides. */
const LOSSES = [
  [0, 1],
  [0.1, 4],
  [1, 8],
] as const;

export const GRID: readonly Cell[] = RATES.flatMap((rate) =>
  TIMES.flatMap((rtt) => LOSSES.map(([loss, seeds]) => ({ rate, rtt, loss, seeds }))),
);

/** What stands for the grid where time is short: a full link, one that loss empties, and a long one. */
export const SAMPLE: readonly Cell[] = [
  { rate: 100, rtt: 10, loss: 0, seeds: 1 },
  { rate: 100, rtt: 10, loss: 1, seeds: 2 },
  { rate: 10, rtt: 100, loss: 0.1, seeds: 4 },
];

/** Segments that are overtaken and none lost: a kernel holds its rate there, by RACK (RFC 8985). */
export const REORDERED: readonly Cell[] = [
  { rate: 20, rtt: 20, loss: 0, reorder: 1, seeds: 1 },
  { rate: 20, rtt: 20, loss: 0, reorder: 10, seeds: 1 },
];
/** For how long a segment is held back, as a part of the round-trip time. */
const HOLD = 0.2;

export function cellName(controller: CongestionName, { rate, rtt, loss, reorder }: Cell): string {
  const order = reorder === undefined ? '' : `-reorder${reorder}`;
  return `tcp/${controller}-${rate}mbit-${rtt}ms-loss${loss}${order}`;
}

/** A queue of one product of rate and round-trip time, but of 20 packets at least: a burst of ten is not yet a queue. */
export function queueBytes(rate: number, rtt: number): number {
  return Math.max(rate * rtt * 125, 20 * 1500);
}

/** Flows of all pairings over paths of their own, equal but for who uses them. */
export interface Batch {
  readonly paths: readonly PathShape[];
  readonly flows: readonly FlowPlan[];
  /** The cell of every flow. */
  readonly cells: readonly Cell[];
}

/** What all paths of a batch may carry together, Mbit/s: more would measure the processor. */
const LOAD_MOST = 350;

/** Spreads cells and their seeds over as few batches as the load allows. */
export function batches(controller: CongestionName, cells: readonly Cell[]): Batch[] {
  const made: { paths: PathShape[]; flows: FlowPlan[]; cells: Cell[]; load: number }[] = [];
  for (const cell of cells) {
    const load = peak(cell) * PAIRINGS.length;
    for (let seed = 1; seed <= cell.seeds; seed++) {
      let batch = made.find((each) => each.load + load <= LOAD_MOST);
      if (batch === undefined) {
        batch = { paths: [], flows: [], cells: [], load: 0 };
        made.push(batch);
      }
      batch.load += load;
      for (const pairing of PAIRINGS) {
        const { rate, rtt, loss, reorder } = cell;
        const shape: PathShape = { rate, rtt, queue: queueBytes(rate, rtt), loss: loss / 100, seed };
        batch.flows.push({ pairing, controller, path: batch.paths.length });
        batch.paths.push(
          reorder === undefined ? shape : { ...shape, reorder: { chance: reorder / 100, hold: rtt * HOLD } },
        );
        batch.cells.push(cell);
      }
    }
  }
  return made;
}

/**
 * What a flow reaches at most, Mbit/s: the link, or the window at which slow start meets its first loss. All flows of a
 * batch are in slow start at the same time.
 */
function peak({ rate, rtt, loss }: Cell): number {
  if (loss === 0) return rate;
  const window = 0.5 / (loss / 100);
  return Math.min(rate, (window * 1448 * 8) / (rtt * 1000));
}
