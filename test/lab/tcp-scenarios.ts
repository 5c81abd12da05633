import { jainIndex } from '../../bench/statistics.js';
import type { CongestionName } from '../../host/abi.js';
import { type FlowPlan, type Pairing, type RunPlan, type RunResult, runFlows } from './bottleneck-bed.js';
import type { PathShape } from './relay-path.js';
import type { Checks, Figures, Scenario } from './scenario.js';
import { batches, type Cell, cellName, GRID, PAIRINGS, queueBytes, REORDERED, SAMPLE } from './tcp-cells.js';

/** How long the flows of a cell send, s. */
const SECONDS = 15;
/** The least part of the kernel's goodput that ours may be. */
const ENOUGH = 0.95;
/** The least in the sample, which is there to notice what breaks: one run of few seeds is not so exact. */
const ENOUGH_OF_SAMPLE = 0.9;
/** A relay that delivers later than this has measured a busy machine, ms … */
const LATE_MOST = 40;
/** … and is asked again so often. */
const ATTEMPTS = 3;
/** All cells of one controller take no longer, ms. */
const FULL_DEADLINE = 900_000;

/**
 * Round-trip times, ms. The next try after a blackout comes when timeouts doubled several times say so. With shorter
 * round trips one of them falls on the blackout's very end, and the smallest difference of the first timeout decides
 * whether it comes at once or two seconds later; so does chance with longer ones.
 */
const BLACKOUT_TIMES = Array.from({ length: 16 }, (_, index) => 72 + 8 * index);
const BLACKOUT_RATE = 3;
const BLACKOUT_QUEUE = 20 * 1500;
const BLACKOUT_FROM = 5;
const BLACKOUT_SECONDS = 2;
const BLACKOUT_END = 15;
/** How much longer than the kernel's our recovery may take. */
const SLOWER_MOST = 1.2;

/** Bottlenecks that two flows share: rate in Mbit/s and round-trip time in ms. */
const SHARED = [
  [10, 20],
  [10, 40],
  [20, 20],
] as const;
/** When shares are counted, s: before that the flows find each other. */
const FAIR_FROM = 10;
const FAIR_END = 40;
const FAIR = 0.95;

const CONTROLLERS: readonly CongestionName[] = ['reno', 'cubic'];

/** One figure as `--json` has it. */
interface CellFigure {
  readonly value: number;
  readonly unit: string;
  /** To the kernel's. */
  readonly ratio: number;
  readonly pass: boolean;
  readonly [detail: string]: unknown;
}

export const tcpReno = lossScenario('reno');
export const tcpCubic = lossScenario('cubic');

function lossScenario(controller: CongestionName): Scenario {
  return {
    name: `tcp-${controller}`,
    description: `plain TCP with ${controller} through a relay with rate, delay and loss: ours has ${ENOUGH} of the kernel's goodput in each direction, in the sample ${ENOUGH_OF_SAMPLE}`,
    deadline: FULL_DEADLINE,
    run: (checks, full) => measureGoodput(checks, [controller], full ? GRID : SAMPLE, full ? ENOUGH : ENOUGH_OF_SAMPLE),
  };
}

export const tcpReorder: Scenario = {
  name: 'tcp-reorder',
  description: `plain TCP through a relay that lets segments overtake others: ours has ${ENOUGH} of the kernel's goodput in each direction, without --full ${ENOUGH_OF_SAMPLE}`,
  deadline: FULL_DEADLINE,
  run: (checks, full) => measureGoodput(checks, CONTROLLERS, REORDERED, full ? ENOUGH : ENOUGH_OF_SAMPLE),
};

async function measureGoodput(
  checks: Checks,
  controllers: readonly CongestionName[],
  wanted: readonly Cell[],
  enough: number,
): Promise<Figures> {
  const start = performance.now();
  const cells: Record<string, CellFigure> = {};
  let late = 0;
  for (const controller of controllers) {
    const rates = new Map<Cell, Record<Pairing, number[]>>();
    for (const batch of batches(controller, wanted)) {
      const result = await runQuietly({ ...batch, seconds: SECONDS });
      late = Math.max(late, latest(result));
      for (const [index, { flow, received }] of result.flows.entries()) {
        const cell = batch.cells[index] as Cell;
        const known = rates.get(cell) ?? { weSend: [], weReceive: [], kernel: [] };
        known[flow.pairing].push(received.rate(0, SECONDS));
        rates.set(cell, known);
      }
    }
    for (const [cell, each] of rates) {
      const name = cellName(controller, cell);
      const figure = goodputFigure(each);
      cells[name] = figure;
      checks.that(figure.ratio >= enough, `${name}: ${figure.value} Mbit/s are ${figure.ratio} of the kernel's`);
    }
  }
  const most = Math.max(...Object.values(cells).map(({ value }) => value));
  return { ...figuresOf(start, most), relayLateMs: rounded(late), cells };
}

/** The smaller of our two goodputs beside the kernel's, the seeds of a cell together. */
function goodputFigure(rates: Readonly<Record<Pairing, readonly number[]>>): CellFigure {
  const [weSend = 0, weReceive = 0, kernel = 0] = PAIRINGS.map((pairing) => mean(rates[pairing]));
  const value = Math.min(weSend, weReceive);
  const ratio = value / kernel;
  const details = { weSend: rounded(weSend), weReceive: rounded(weReceive), kernel: rounded(kernel) };
  return { value: rounded(value), unit: 'Mbit/s', ratio: rounded(ratio), pass: ratio >= ENOUGH, ...details };
}

export const tcpBlackout: Scenario = {
  name: 'tcp-blackout',
  description: `paths lose everything for ${BLACKOUT_SECONDS} s: ours goes on no later than ${SLOWER_MOST} times the kernel's time`,
  deadline: ATTEMPTS * ATTEMPTS * (BLACKOUT_END + 10) * 1000,
  async run(checks) {
    const start = performance.now();
    const stalls = CONTROLLERS.map((controller) => ({
      controller,
      weSend: [] as number[],
      weReceive: [] as number[],
      kernel: [] as number[],
    }));
    let late = 0;
    let goodput = 0;
    // Chance has its part in every single stall: before the stack is blamed there are more of them.
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const result = await runQuietly(blackoutPlan());
      late = Math.max(late, latest(result));
      goodput = goodputOfOurs(result);
      for (const { flow, received } of result.flows) {
        const own = stalls.find(({ controller }) => controller === flow.controller);
        const back = BLACKOUT_FROM + BLACKOUT_SECONDS;
        own?.[flow.pairing].push(Math.min(received.silence(back), BLACKOUT_END - back));
      }
      if (stalls.every((each) => blackoutFigure(each).pass)) break;
    }
    const cells: Record<string, CellFigure> = {};
    for (const each of stalls) {
      const figure = blackoutFigure(each);
      const name = `tcp/${each.controller}-blackout${BLACKOUT_SECONDS}s`;
      cells[name] = figure;
      checks.that(figure.pass, `${name}: ${figure.value} s are ${figure.slower} of the kernel's time`);
    }
    return { ...figuresOf(start, goodput), relayLateMs: rounded(late), cells };
  },
};

function blackoutPlan(): RunPlan {
  const paths: PathShape[] = [];
  const flows: FlowPlan[] = [];
  for (const controller of CONTROLLERS) {
    for (const rtt of BLACKOUT_TIMES) {
      for (const pairing of PAIRINGS) {
        flows.push({ pairing, controller, path: paths.length });
        paths.push({ rate: BLACKOUT_RATE, rtt, queue: BLACKOUT_QUEUE, loss: 0, seed: 1 });
      }
    }
  }
  return {
    paths,
    flows,
    seconds: BLACKOUT_END,
    async meanwhile(relay, wait) {
      await wait(BLACKOUT_FROM);
      for (const index of paths.keys()) relay.cut(index, true);
      await wait(BLACKOUT_FROM + BLACKOUT_SECONDS);
      for (const index of paths.keys()) relay.cut(index, false);
    },
  };
}

/** The longer of our two mean times until bytes come again, beside the kernel's. */
function blackoutFigure(stalls: Readonly<Record<Pairing, readonly number[]>>): CellFigure & { slower: number } {
  const value = Math.max(mean(stalls.weSend), mean(stalls.weReceive));
  const kernel = mean(stalls.kernel);
  return {
    value: rounded(value),
    unit: 's',
    ratio: rounded(kernel / value),
    slower: rounded(value / kernel),
    pass: value <= kernel * SLOWER_MOST,
    weSend: stalls.weSend.map(rounded),
    weReceive: stalls.weReceive.map(rounded),
    kernel: stalls.kernel.map(rounded),
  };
}

/** Who shares a bottleneck; the kernel beside itself is what can be expected. */
const SHARING = {
  'we-kernel': ['weSend', 'kernel'],
  'we-we': ['weSend', 'weSend'],
  'kernel-kernel': ['kernel', 'kernel'],
} as const satisfies Record<string, readonly Pairing[]>;

export const tcpFairness: Scenario = {
  name: 'tcp-fairness',
  description: `two flows with the same controller share a bottleneck, ours with the kernel's and with ours: Jain index ${FAIR}`,
  deadline: ATTEMPTS * (FAIR_END + 10) * 1000,
  async run(checks) {
    const start = performance.now();
    const cells: Record<string, CellFigure> = {};
    const paths: PathShape[] = [];
    const flows: FlowPlan[] = [];
    const groups: { name: string; controller: CongestionName; path: number }[] = [];
    for (const controller of CONTROLLERS) {
      for (const [name, pairings] of Object.entries(SHARING)) {
        for (const [rate, rtt] of SHARED) {
          for (const pairing of pairings) flows.push({ pairing, controller, path: paths.length });
          groups.push({ name, controller, path: paths.length });
          paths.push({ rate, rtt, queue: queueBytes(rate, rtt), loss: 0, seed: 1 });
        }
      }
    }
    const result = await runQuietly({ paths, flows, seconds: FAIR_END });
    for (const controller of CONTROLLERS) {
      for (const name of Object.keys(SHARING)) {
        const own = groups.filter((group) => group.name === name && group.controller === controller);
        const rates = own.map(({ path }) =>
          result.flows.filter(({ flow }) => flow.path === path).map((each) => each.received.rate(FAIR_FROM, FAIR_END)),
        );
        const value = mean(rates.map(jainIndex));
        const full = `tcp/${controller}-fairness-${name}`;
        const pass = name === 'kernel-kernel' || value >= FAIR;
        cells[full] = {
          value: rounded(value),
          unit: 'Jain index',
          ratio: rounded(value),
          pass,
          rates: rates.map((pair) => pair.map(rounded).join(' : ')),
        };
        checks.that(pass, `${full}: the index is ${rounded(value)} and not ${FAIR} or more`);
      }
    }
    return { ...figuresOf(start, goodputOfOurs(result)), relayLateMs: rounded(latest(result)), cells };
  },
};

/**
 * Runs flows again when the relay could not keep its times: the figures would be those of another path. Returns the
 * run in which it was late the least.
 */
async function runQuietly(plan: RunPlan): Promise<RunResult> {
  let best = await runFlows(plan);
  for (let attempt = 1; attempt < ATTEMPTS && latest(best) > LATE_MOST; attempt++) {
    const result = await runFlows(plan);
    if (latest(result) < latest(best)) best = result;
  }
  return best;
}

/** The longest that the relay was late, ms. */
function latest({ relay }: RunResult): number {
  return Math.max(...relay.paths.map((path) => path.latest)) / 1000;
}

/** What our flows carried on the average, outage included, Mbit/s. */
function goodputOfOurs({ flows }: RunResult): number {
  return mean(
    flows.flatMap(({ flow, received, seconds }) => (flow.pairing === 'kernel' ? [] : [received.rate(0, seconds)])),
  );
}

function figuresOf(start: number, goodput: number): Figures {
  return { seconds: (performance.now() - start) / 1000, goodputMbps: rounded(goodput) };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
