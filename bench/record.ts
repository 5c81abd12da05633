import { median, ratios, spread } from './statistics.js';

/** One figure of a bench, with what it is held against. */
export interface Measurement {
  /** `bench/case`. */
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** Whether a larger or a smaller value is the better one. */
  readonly better: 'larger' | 'smaller';
  /** Half the distance between the quartiles of the rounds, as a part of the median. */
  readonly spread: number;
  /** Ours over the first peer, larger always better; undefined without a peer. */
  readonly ratio: number | undefined;
  /** Spread of the ratio over the rounds. */
  readonly ratioSpread: number | undefined;
  /** Values of the peers in the same unit, the first one deciding. */
  readonly peers: Readonly<Record<string, number>>;
  /** Further figures for the reader, with their units in the names. */
  readonly details: Readonly<Record<string, number | string>>;
  /** What became of it, where that is more than a figure. */
  readonly outcome?: string;
  /** Whether that is as it must be. */
  readonly pass?: boolean;
}

/** Rounds of one case, ours and the peers' taken alternately. */
export interface Rounds {
  readonly name: string;
  readonly unit: string;
  readonly better: 'larger' | 'smaller';
  readonly ours: readonly number[];
  readonly peers?: Readonly<Record<string, readonly number[]>>;
  readonly details?: Readonly<Record<string, number | string>>;
}

/** Sums rounds up: medians, spreads, and the ratio to the first peer. */
export function measurement(rounds: Rounds): Measurement {
  const { name, unit, better, ours, peers = {}, details = {} } = rounds;
  const [first] = Object.values(peers);
  const quotients = first === undefined ? undefined : better === 'larger' ? ratios(ours, first) : ratios(first, ours);
  return {
    name,
    value: significant(median(ours)),
    unit,
    better,
    spread: significant(spread(ours)),
    ratio: quotients === undefined ? undefined : significant(median(quotients)),
    ratioSpread: quotients === undefined ? undefined : significant(spread(quotients)),
    peers: Object.fromEntries(Object.entries(peers).map(([peer, values]) => [peer, significant(median(values))])),
    details,
  };
}

/** Four significant digits: more would be noise. */
export function significant(value: number): number {
  return Number(value.toPrecision(4));
}

/** What every bench is given. */
export interface Context {
  /** Says whether a case, `bench/case`, was asked for. */
  wants(name: string): boolean;
  /** Takes a finished case. */
  report(measurement: Measurement): void;
  /** Tells the reader something: a peer that is left out, and why. */
  note(text: string): void;
}

/** One bench: a set of cases measured in the same way. */
export interface Bench {
  readonly name: string;
  readonly description: string;
  /** All cases, as `bench/case`. */
  readonly cases: readonly string[];
  /** Why it cannot run on this machine, in words; nothing when it can. */
  obstacles?(): readonly string[];
  run(context: Context): Promise<void>;
}

/** The object of one measurement in the output of `--json`. */
export interface JsonFigure {
  readonly value: number;
  readonly unit: string;
  readonly ratio: number | null;
  readonly peers: Readonly<Record<string, number>>;
  readonly better: 'larger' | 'smaller';
  readonly spread: number;
  readonly ratioSpread: number | null;
  readonly details: Readonly<Record<string, number | string>>;
  readonly outcome?: string;
}

export function toJson(measurements: readonly Measurement[]): Record<string, JsonFigure> {
  return Object.fromEntries(
    measurements.map(({ name, value, unit, ratio, peers, better, spread, ratioSpread, details, outcome }) => [
      name,
      {
        value,
        unit,
        ratio: ratio ?? null,
        peers,
        better,
        spread,
        ratioSpread: ratioSpread ?? null,
        details,
        ...(outcome === undefined ? {} : { outcome }),
      },
    ]),
  );
}
