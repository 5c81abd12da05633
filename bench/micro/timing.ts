import Benchmark from 'benchmark';

/** Time of one operation. */
export interface Timing {
  /** Mean, ns. */
  readonly ns: number;
  /** Relative margin of error of the mean at 95 %, as a part of it. */
  readonly error: number;
}

/** Longest time spent on one function, s, and least for one sample. */
const MAX_TIME = 0.06;
const SAMPLE_TIME = 0.003;

/** Times `run`, a call of which does `operations` operations. @throws what `run` throws. */
export function timed(name: string, operations: number, run: () => void): Timing {
  let failure: unknown;
  const bench = new Benchmark(name, run, {
    async: false,
    initCount: 1,
    minSamples: 5,
    minTime: SAMPLE_TIME,
    maxTime: MAX_TIME,
    onError: (event: { target: { error: unknown } }) => {
      failure = event.target.error;
    },
  });
  bench.run();
  if (failure !== undefined) throw failure;
  return { ns: (bench.stats.mean * 1e9) / operations, error: bench.stats.rme / 100 };
}
