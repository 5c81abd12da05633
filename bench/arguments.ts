import { parseArgs } from 'node:util';

export const USAGE = `npm run bench -- [options]

Measures the core and the hosts, each beside its peer in the same run. Benches with TUN devices need root.
  --only NAME,...   run some: a bench (core), a case (core/mptcp-2sf-1460) or how its name begins (micro/checksum)
  --json            one object on one line: {"bench/case": {value, unit, ratio, peers}}
  --report          also write out/bench.html and docs/performance.md, and the table of docs/middleboxes.md
  --against REF     build the commit REF elsewhere, and measure it and this tree alternately
  --rounds N        with --against: pairs of runs, 2 to 20 (default 3)
  --list            say what there is to measure`;

/** What the command line asks for. */
export interface BenchArguments {
  readonly only: readonly string[] | undefined;
  readonly json: boolean;
  readonly report: boolean;
  readonly list: boolean;
  readonly help: boolean;
  readonly against: string | undefined;
  readonly rounds: number;
}

/** A command line that cannot be obeyed; the message says how to mend it. */
export class BenchUsageError extends Error {
  override readonly name = 'BenchUsageError';
}

/** Reads the command line. @throws BenchUsageError. */
export function parseArguments(args: readonly string[]): BenchArguments {
  const values = parsed(args);
  const only = values.only?.flatMap((list) => list.split(',')).map((name) => name.trim());
  if (only?.some((name) => name === '')) {
    throw new BenchUsageError('--only has an empty name; write --only core,micro/checksum');
  }
  const rounds = Number(values.rounds ?? 3);
  if (!Number.isInteger(rounds) || rounds < 2 || rounds > 20) {
    throw new BenchUsageError(`--rounds ${values.rounds}: write a whole number from 2 to 20`);
  }
  if (values.rounds !== undefined && values.against === undefined) {
    throw new BenchUsageError('--rounds counts the pairs of runs of --against; without that it has no meaning');
  }
  if (values.against !== undefined && values.report) {
    throw new BenchUsageError('--report describes this tree alone; give it without --against');
  }
  if (values.against?.startsWith('-') || values.against === '') {
    throw new BenchUsageError(`--against ${values.against}: name a commit, such as HEAD~1 or a tag`);
  }
  const { json, report, list, help, against } = values;
  return { only, json, report, list, help, against, rounds };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        only: { type: 'string', multiple: true },
        json: { type: 'boolean', default: false },
        report: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
        against: { type: 'string' },
        rounds: { type: 'string' },
      },
    }).values;
  } catch (error) {
    throw new BenchUsageError(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
  }
}

/**
 * The cases that `only` names: a name is a bench, a case, or how names of cases begin, whole names first.
 * @throws BenchUsageError for a name that fits nothing.
 */
export function chooseCases(cases: readonly string[], only: readonly string[] | undefined): ReadonlySet<string> {
  if (only === undefined) return new Set(cases);
  const chosen = new Set<string>();
  for (const name of only) {
    const wanted = cases.includes(name)
      ? [name]
      : cases.filter((each) => (name.includes('/') ? each.startsWith(name) : each.startsWith(`${name}/`)));
    if (wanted.length === 0) {
      const benches = [...new Set(cases.map((each) => each.split('/')[0]))].join(', ');
      throw new BenchUsageError(
        `--only ${name}: nothing has this name; the benches are ${benches}, and --list shows every case`,
      );
    }
    for (const each of wanted) chosen.add(each);
  }
  return chosen;
}
