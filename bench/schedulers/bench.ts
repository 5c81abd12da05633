import { CONGESTION_NAMES, SCHEDULER_NAMES } from '../../host/abi.js';
import type { Config } from '../../host/config.js';
import { type Bench, type Context, measurement, significant } from '../record.js';
import { type LinkShape, PathsBed } from './beds.js';

const SEED = 1;
const BYTES = 16 << 20;
/** Time for the join before the sender begins, µs, as in Linux's test. */
const JOIN = 200_000;
/** A transfer that takes longer, µs, has failed. */
const MOST = 120e6;
/** What headers leave of a packet of 1,500 bytes with timestamps and a DSS. */
const PAYLOAD = 1420 / 1500;

/** The link pairs of simult_flows.sh: Mbit/s and ms. */
const PAIRS: Record<string, readonly LinkShape[]> = {
  '10-10': pair(10, 10, 0, 0),
  '10-10-1ms-25ms': pair(10, 10, 1, 25),
  '10-3': pair(10, 3, 0, 0),
  '10-3-1ms-25ms': pair(10, 3, 1, 25),
  '10-3-25ms-1ms': pair(10, 3, 25, 1),
};

function pair(rate1: number, rate2: number, delay1: number, delay2: number): readonly LinkShape[] {
  return [
    { rate: rate1, delay: delay1 },
    { rate: rate2, delay: delay2 },
  ];
}

interface Case {
  readonly name: string;
  readonly links: readonly LinkShape[];
  readonly config: Config;
}

const CASES: readonly Case[] = Object.entries(PAIRS).flatMap(([name, links]) =>
  Object.values(SCHEDULER_NAMES).flatMap((scheduler) =>
    Object.values(CONGESTION_NAMES).map((congestion) => ({
      name: `schedulers/${name}-${scheduler}-${congestion}`,
      links,
      config: { scheduler, congestion },
    })),
  ),
);

/**
 * 16 MiB over two links on a virtual clock: the figures depend on the code and the seed alone. Goodput counts from the
 * moment the sender begins; the ratio is to what both links carry. The redundant scheduler cannot have more than one.
 */
export const schedulers: Bench = {
  name: 'schedulers',
  description: 'goodput of every scheduler and controller over the link pairs of simult_flows.sh, simulated',
  cases: CASES.map(({ name }) => name),

  async run(context) {
    for (const each of CASES) if (context.wants(each.name)) measure(each, context);
  },
};

function measure({ name, links, config }: Case, context: Context): void {
  const bed = new PathsBed(SEED, links, config);
  try {
    const flow = bed.open({ bytes: BYTES });
    bed.advance(JOIN);
    flow.start();
    const time = bed.finish(flow, MOST);
    if (time === Number.POSITIVE_INFINITY) throw new Error(`${name} is not done after ${MOST / 1e6} s`);
    const { subflows, bytesReinjected } = flow.info();
    const sum = (figure: (subflow: (typeof subflows)[number]) => number): number =>
      subflows.reduce((total, each) => total + figure(each), 0);
    const total = links.reduce((rates, { rate }) => rates + rate, 0);
    context.report(
      measurement({
        name,
        unit: 'Mbit/s',
        better: 'larger',
        ours: [(BYTES * 8) / time],
        peers: { 'both links': [total * PAYLOAD] },
        details: {
          reinjectedKB: significant(bytesReinjected / 1e3),
          copiedKB: significant(sum((each) => each.bytesRedundant) / 1e3),
          retransmits: sum((each) => each.retransmits),
          heldBack: sum((each) => each.timesHeldBack),
          penalised: sum((each) => each.timesPenalised),
        },
      }),
    );
  } finally {
    bed.close();
  }
}
