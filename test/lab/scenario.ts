/** One experiment of the laboratory. */
export interface Scenario {
  readonly name: string;
  /** What is done and what must hold, in one line. */
  readonly description: string;
  /** Takes no longer, ms; default 120 s. */
  readonly deadline?: number;
  /** @param full measure all there is, not a sample. */
  run(checks: Checks, full: boolean, choice: Choice): Promise<Figures>;
}

/** Which cells of a scenario run, and between whom; for those that have cells. */
export interface Choice {
  /** Only cells whose names have this text. */
  readonly cell?: string | undefined;
  /** Between two kernels instead of with our stack: shows that what is expected is what a kernel does. */
  readonly kernels?: boolean | undefined;
}

/** What a scenario measured; more figures than these may come with it. */
export interface Figures {
  seconds: number;
  goodputMbps: number;
  /** Counters of the kernel that are not 0. */
  counters?: Record<string, number>;
  [figure: string]: unknown;
}

/** Collects what did not hold; a scenario goes on to measure the rest. */
export class Checks {
  readonly problems: string[] = [];

  that(holds: boolean, problem: string): void {
    if (!holds) this.problems.push(problem);
  }

  equal(actual: unknown, expected: unknown, what: string): void {
    this.that(actual === expected, `${what} is ${String(actual)} and not ${String(expected)}`);
  }

  /** A counter of the kernel that must be at least `least`. */
  counted(counters: Readonly<Record<string, number>>, name: string, least = 1): void {
    const value = counters[name] ?? 0;
    this.that(value >= least, `the kernel's ${name} is ${value} and not ${least} or more`);
  }

  /** Counters of the kernel that must not be there. */
  none(counters: Readonly<Record<string, number>>, ...names: string[]): void {
    for (const name of names) this.equal(counters[name] ?? 0, 0, `the kernel's ${name}`);
  }

  /** Each path carried at least `least` of all bytes. */
  shares(shares: readonly number[], least: number): void {
    for (const [index, share] of shares.entries()) {
      this.that(share >= least, `path ${index} carried ${(share * 100).toFixed(1)} % and not ${least * 100} % or more`);
    }
  }
}
