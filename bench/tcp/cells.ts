import { CONGESTION_NAMES, type CongestionName } from '../../host/abi.js';
import type { PathShape } from './theory.js';

/** Controllers that have no use for a second subflow: those of plain TCP. LIA is Reno on one subflow (RFC 6356). */
export const CONTROLLERS: readonly CongestionName[] = Object.values(CONGESTION_NAMES).filter((name) => name !== 'lia');

/** One flow over one path. */
export interface Cell {
  readonly name: string;
  readonly controller: CongestionName;
  readonly path: PathShape;
  /** Queue as a multiple of the product of rate and round-trip time. */
  readonly queue: number;
  /** Probability that a packet is held back, and how long, as a part of the round-trip time. */
  readonly reorder: number;
  readonly reorderDelay: number;
}

/** Rate in Mbit/s and round-trip time in ms. */
type Shape = readonly [rate: number, rtt: number];

/**
 * Without loss every rate meets every round-trip time whose window the virtual clock fills within seconds; 10 Gbit/s
 * is measured with the packets of such networks, 9,000 bytes.
 */
const LOSSLESS: readonly Shape[] = [
  ...([10, 100, 300] as const).map((rtt): Shape => [10, rtt]),
  ...([1, 10, 100, 300] as const).map((rtt): Shape => [100, rtt]),
  ...([1, 10, 100] as const).map((rtt): Shape => [1000, rtt]),
  ...([1, 10] as const).map((rtt): Shape => [10_000, rtt]),
];
const LOSSY: readonly Shape[] = [
  [10, 100],
  [100, 10],
  [100, 100],
];
/** Percent. */
const LOSSES = [0.01, 0.1, 1, 3] as const;
const QUEUES = [0.5, 2] as const;
const REORDERED: readonly Shape[] = [
  [100, 10],
  [100, 100],
];
const REORDERINGS = [1, 10] as const;
/** Packets held back fall behind by part of a round trip: RACK waits a quarter of one at first (RFC 8985 section 6.2). */
const HELD_BACK = 1 / 8;

/** The path whose goodput under 1 % of loss must reach the bound. */
const BOUND: Shape = [50, 40];

export const CELLS: readonly Cell[] = CONTROLLERS.flatMap((controller) => [
  ...LOSSLESS.map((shape) => cell(controller, shape, {})),
  ...QUEUES.map((queue) => cell(controller, [100, 100], { queue })),
  ...LOSSY.flatMap((shape) => LOSSES.map((loss) => cell(controller, shape, { loss }))),
  cell(controller, BOUND, { loss: 1 }),
  ...REORDERED.flatMap((shape) => REORDERINGS.map((reorder) => cell(controller, shape, { reorder }))),
]);

function cell(
  controller: CongestionName,
  [rate, rtt]: Shape,
  { loss = 0, queue = 1, reorder = 0 }: { loss?: number; queue?: number; reorder?: number },
): Cell {
  const speed = rate >= 1000 ? `${rate / 1000}gbit` : `${rate}mbit`;
  const faults = reorder > 0 ? `reorder${reorder}` : `loss${loss}${queue === 1 ? '' : `-queue${queue}`}`;
  return {
    name: `tcp/${controller}-${speed}-${rtt}ms-${faults}`,
    controller,
    path: { rate, rtt, mtu: rate >= 10_000 ? 9000 : 1500, loss: loss / 100 },
    queue,
    reorder: reorder / 100,
    reorderDelay: HELD_BACK,
  };
}
