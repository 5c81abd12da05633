import type { CongestionName } from '../../host/abi.js';
import { milliseconds, seconds } from '../../host/sim/network.js';
import { type Bench, type Context, measurement, significant } from '../record.js';
import { jainIndex } from '../statistics.js';
import { CELLS, type Cell, CONTROLLERS } from './cells.js';
import { Bottleneck, type Flow, megabits } from './flows.js';
import { linkGoodput, mathisGoodput, type PathShape, payloadOf, theory } from './theory.js';

/** Every figure follows from it. */
const SEED = 1;
/** Segments that a flow delivers while it is measured: without loss … */
const SEGMENTS = 150_000;
/** … and at least so many losses, so that one more or less does not decide; … */
const LOSSES = 300;
/** … but no more than these. */
const SEGMENTS_MOST = 600_000;
/** Simulated time that slow start may take, and that a cell is measured at most, µs. */
const SLOW_START_MOST = seconds(30);
const MEASURED_MOST = seconds(400);
/** Round trips that the recovery from the end of slow start may take before the measurement begins. */
const RECOVERY_ROUNDS = 6;

const FAIR_PATH: PathShape = { rate: 100, rtt: 20, mtu: 1500, loss: 0 };
const FAIR_LEAD = seconds(5);
const FAIR_SETTLE = seconds(20);
const FAIR_TIME = seconds(60);
const BLACKOUT_PATH: PathShape = { rate: 50, rtt: 40, mtu: 1500, loss: 0 };
const BLACKOUT = seconds(2);
/** How finely the end of a stall is looked for, µs. */
const STALL_STEP = milliseconds(1);

const fairness = (controller: string): string => `tcp/${controller}-100mbit-20ms-fairness`;
const blackout = (controller: string): string => `tcp/${controller}-50mbit-40ms-blackout2s`;

/**
 * One plain TCP flow between two stacks over a simulated bottleneck, on a virtual clock: the figures depend on the
 * code and the seed alone, not on the machine. Goodput is what the receiving application reads, Mbit/s; it is counted
 * from the end of slow start, of which `slowStart` says when it was, in s. The ratio is to what theory allows.
 */
export const tcp: Bench = {
  name: 'tcp',
  description: 'goodput of one plain TCP flow over a simulated bottleneck, beside what theory allows',
  cases: [...CELLS.map(({ name }) => name), ...CONTROLLERS.map(fairness), ...CONTROLLERS.map(blackout)],

  async run(context) {
    for (const cell of CELLS) {
      if (context.wants(cell.name)) measureCell(cell, context);
    }
    for (const controller of CONTROLLERS) {
      if (context.wants(fairness(controller))) measureFairness(controller, context);
      if (context.wants(blackout(controller))) measureBlackout(controller, context);
    }
  },
};

function measureCell(cell: Cell, context: Context): void {
  const figures = goodput(cell);
  const { path, controller, name } = cell;
  const bound: Record<string, number[]> =
    cell.reorder > 0
      ? { 'without reordering': [goodput({ ...cell, reorder: 0 }).rate] }
      : { [path.loss > 0 ? 'theory' : 'link']: [theory(controller, path)] };
  const mathis = path.loss > 0 ? { mathis: significant(Math.min(mathisGoodput(path), linkGoodput(path))) } : {};
  const { rate, ...details } = figures;
  context.report(
    measurement({
      name,
      unit: 'Mbit/s',
      better: 'larger',
      ours: [rate],
      peers: bound,
      details: { ...mathis, ...details },
    }),
  );
}

/** Goodput of a cell after slow start, Mbit/s, and how it came about. */
function goodput(cell: Cell): { rate: number } & Record<string, number> {
  const { path, queue, controller, reorder, reorderDelay } = cell;
  const wire = reorder > 0 ? { reorder, reorderDelay: milliseconds(path.rtt) * reorderDelay } : {};
  const bed = new Bottleneck({ seed: SEED, path, queue, config: { congestion: controller }, wire });
  try {
    const flow = bed.open();
    const slowStart = passSlowStart(bed, flow, path);
    const start = bed.network.now;
    const before = flow.received;
    const { retransmits, timeouts } = flow.control();
    const wanted = Math.min(SEGMENTS_MOST, path.loss > 0 ? Math.max(LOSSES / path.loss, 10_000) : SEGMENTS);
    const step = milliseconds(path.rtt);
    while (flow.received - before < wanted * payloadOf(path.mtu) && bed.network.now - start < MEASURED_MOST) {
      bed.advance(step);
    }
    const time = bed.network.now - start;
    const after = flow.control();
    return {
      rate: megabits(flow.received - before, time),
      slowStart: significant(slowStart / 1e6),
      measured: significant(time / 1e6),
      retransmits: after.retransmits - retransmits,
      timeouts: after.timeouts - timeouts,
      ...bed.faults,
    };
  } finally {
    bed.close();
  }
}

/**
 * Runs until slow start is over (RFC 5681 section 3.1: the window has passed its threshold) or the link is full, and
 * what it lost on its way was sent again. Returns how long slow start took, µs.
 */
function passSlowStart(bed: Bottleneck, flow: Flow, path: PathShape): number {
  const start = bed.network.now;
  const round = milliseconds(path.rtt);
  let last = flow.received;
  for (;;) {
    bed.advance(round);
    const full = megabits(flow.received - last, round) >= 0.98 * linkGoodput(path);
    last = flow.received;
    const { cwnd, ssthresh } = flow.control();
    const left = last > 0 && cwnd >= ssthresh;
    if (full || left || bed.network.now - start > SLOW_START_MOST) break;
  }
  const time = bed.network.now - start;
  bed.advance(RECOVERY_ROUNDS * round);
  return time;
}

/** Two flows with the same controller, the second a while after the first. */
function measureFairness(controller: CongestionName, context: Context): void {
  const bed = new Bottleneck({ seed: SEED, path: FAIR_PATH, queue: 1, config: { congestion: controller } });
  try {
    const flows = [bed.open()];
    bed.advance(FAIR_LEAD);
    flows.push(bed.open());
    bed.advance(FAIR_SETTLE);
    const before = flows.map(({ received }) => received);
    bed.advance(FAIR_TIME);
    const rates = flows.map(({ received }, index) => megabits(received - (before[index] ?? 0), FAIR_TIME));
    const [first = 0, second = 0] = rates;
    context.report(
      measurement({
        name: fairness(controller),
        unit: 'Jain index',
        better: 'larger',
        ours: [jainIndex(rates)],
        details: {
          first: significant(first),
          second: significant(second),
          utilization: significant((first + second) / linkGoodput(FAIR_PATH)),
        },
      }),
    );
  } finally {
    bed.close();
  }
}

/** The path loses everything for a while: how long after its end new bytes reach the application. */
function measureBlackout(controller: CongestionName, context: Context): void {
  const bed = new Bottleneck({ seed: SEED, path: BLACKOUT_PATH, queue: 1, config: { congestion: controller } });
  try {
    const flow = bed.open();
    bed.advance(seconds(10));
    bed.cut = true;
    bed.advance(BLACKOUT);
    bed.cut = false;
    const mended = bed.network.now;
    const at = flow.received;
    while (flow.received === at) bed.advance(STALL_STEP);
    const stalled = (bed.network.now - mended) / 1e6;
    const window = milliseconds(100);
    let last = flow.received;
    do {
      last = flow.received;
      bed.advance(window);
    } while (megabits(flow.received - last, window) < 0.9 * linkGoodput(BLACKOUT_PATH));
    context.report(
      measurement({
        name: blackout(controller),
        unit: 's',
        better: 'smaller',
        ours: [stalled],
        details: { fullAgain: significant((bed.network.now - mended) / 1e6), timeouts: flow.control().timeouts },
      }),
    );
  } finally {
    bed.close();
  }
}
