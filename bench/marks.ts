import type { Measurement } from './record.js';

/** A figure that the project wants to reach, for one case or several; all of them must reach it. */
export interface Mark {
  readonly kind: 'must' | 'goal';
  readonly text: string;
  readonly least: number;
  /** Whether a case counts. */
  readonly cases: RegExp;
  /** What of the case counts; undefined when it was not measured. */
  readonly figure: (measurement: Measurement) => number | undefined;
}

/** How a mark stands. */
export interface Verdict {
  readonly mark: Mark;
  readonly state: 'met' | 'not met' | 'not measured';
  /** The case furthest from the mark, and its figure. */
  readonly worst: { readonly name: string; readonly figure: number } | undefined;
  /** Cases that reach it, of how many. */
  readonly reached: number;
  readonly cases: number;
}

const value = (measurement: Measurement): number => measurement.value;
const ratio = (measurement: Measurement): number | undefined => measurement.ratio;

function ratioToC({ details }: Measurement): number | undefined {
  const figure = details.ratioToC;
  return typeof figure === 'number' ? figure : undefined;
}

export const MARKS: readonly Mark[] = [
  {
    kind: 'must',
    text: 'core: 10 Gbit/s with 1,460-byte segments over two subflows',
    least: 10,
    cases: /^core\/mptcp-2sf-1460$/,
    figure: value,
  },
  {
    kind: 'must',
    text: 'core: 51.8 Gbit/s with 65,000-byte segments over two subflows',
    least: 51.8,
    cases: /^core\/mptcp-2sf-65000$/,
    figure: value,
  },
  {
    kind: 'must',
    text: 'tun with offload: half of kernel to kernel over veth, in both directions',
    least: 0.5,
    cases: /^tun\/.*-offload$/,
    figure: ratio,
  },
  {
    kind: 'must',
    text: 'tun without offload, MTU 1,500: more than 1.5 Gbit/s',
    least: 1.5,
    cases: /^tun\/.*-plain$/,
    figure: value,
  },
  {
    kind: 'must',
    text: 'micro: three times the TypeScript peer, every item',
    least: 3,
    cases: /^micro\//,
    figure: ratio,
  },
  {
    kind: 'must',
    text: 'micro: within 1.5 times of C, where there is a loop in C',
    least: 1 / 1.5,
    cases: /^micro\/(checksum|copy)-/,
    figure: ratioToC,
  },
  {
    kind: 'must',
    text: 'scale: 100,000 connections change the cost of a packet by less than 15 %',
    least: 1 / 1.15,
    cases: /^scale\/packet-cost-100000$/,
    figure: ratio,
  },
  {
    kind: 'must',
    text: 'tcp: 95 % of the link without loss, after slow start',
    least: 0.95,
    cases: /^tcp\/.*-loss0(-queue.*)?$/,
    figure: ratio,
  },
  {
    kind: 'must',
    text: 'tcp: 1 % of loss at 50 Mbit/s and 40 ms: not below the bound',
    least: 1,
    cases: /^tcp\/.*-50mbit-40ms-loss1$/,
    figure: ratio,
  },
  {
    kind: 'must',
    text: 'tcp: reordering of 10 % of the packets costs less than 10 %',
    least: 0.9,
    cases: /^tcp\/.*-reorder10$/,
    figure: ratio,
  },
  {
    kind: 'must',
    text: 'tcp: two flows share a bottleneck with a Jain index of 0.95',
    least: 0.95,
    cases: /^tcp\/.*-fairness$/,
    figure: value,
  },
  {
    kind: 'must',
    text: 'handover: after a path ended nothing stands still longer than with the kernel',
    least: 1,
    cases: /^handover\//,
    figure: ratio,
  },
  {
    kind: 'goal',
    text: 'handover: half as long as with the kernel',
    least: 2,
    cases: /^handover\//,
    figure: ratio,
  },
  {
    kind: 'must',
    text: 'middleboxes: every cell passes',
    least: 1,
    cases: /^middleboxes\//,
    figure: ({ pass }) => (pass === undefined ? undefined : Number(pass)),
  },
  {
    kind: 'goal',
    text: 'core: faster than native smoltcp at every segment size',
    least: 1,
    cases: /^core\//,
    figure: ratio,
  },
  {
    kind: 'goal',
    text: 'tun with offload: as fast as kernel to kernel over veth',
    least: 1,
    cases: /^tun\/.*-offload$/,
    figure: ratio,
  },
];

/** Holds measurements against a mark. */
export function judge(mark: Mark, measurements: readonly Measurement[]): Verdict {
  const figures = measurements.flatMap((measurement) => {
    const figure = mark.cases.test(measurement.name) ? mark.figure(measurement) : undefined;
    return figure === undefined ? [] : [{ name: measurement.name, figure }];
  });
  const reached = figures.filter(({ figure }) => figure >= mark.least).length;
  const worst = figures.reduce<Verdict['worst']>(
    (least, each) => (least === undefined || each.figure < least.figure ? each : least),
    undefined,
  );
  const state = worst === undefined ? 'not measured' : reached === figures.length ? 'met' : 'not met';
  return { mark, state, worst, reached, cases: figures.length };
}

/** Whether a measurement reaches what the project must; undefined where nothing is demanded of it. */
export function passes(measurement: Measurement): boolean | undefined {
  const states = MARKS.filter(({ kind }) => kind === 'must').map((mark) => judge(mark, [measurement]).state);
  return states.includes('not met') ? false : states.includes('met') ? true : undefined;
}
