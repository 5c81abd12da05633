import { removeLeftoversAtExit } from '../test/lab/leftovers.js';
import { measureAgainst } from './against.js';
import { BenchUsageError, chooseCases, parseArguments, USAGE } from './arguments.js';
import { core } from './core/bench.js';
import { handover } from './handover/bench.js';
import { handshake } from './handshake/bench.js';
import { latency } from './latency/bench.js';
import { provenance } from './machine.js';
import { judge, MARKS, passes } from './marks.js';
import { micro } from './micro/bench.js';
import { middleboxes } from './middleboxes/bench.js';
import { type Bench, type Context, type JsonFigure, type Measurement, significant, toJson } from './record.js';
import { profileCore } from './report/profile.js';
import { writeReport } from './report/write.js';
import { scale } from './scale/bench.js';
import { schedulers } from './schedulers/bench.js';
import { geometricMean } from './statistics.js';
import { tcp } from './tcp/bench.js';
import { tun } from './tun/bench.js';

/** In the order of the run: what the others leave behind on the heap would slow those that go through sockets. */
const BENCHES: readonly Bench[] = [tun, latency, handover, core, scale, handshake, tcp, schedulers, middleboxes, micro];

async function main(): Promise<number> {
  const args = parseArguments(process.argv.slice(2));
  if (args.help) {
    console.log(USAGE);
    return 0;
  }
  const cases = chooseCases(
    BENCHES.flatMap((bench) => bench.cases),
    args.only,
  );
  if (args.list) {
    for (const { name, description, cases: all } of BENCHES) {
      console.log(`${name}: ${description}`);
      for (const each of all) if (cases.has(each)) console.log(`  ${each}`);
    }
    return 0;
  }
  removeLeftoversAtExit();
  const say = (text: string): void => (args.json ? console.error(text) : console.log(text));
  if (args.against !== undefined) {
    const compared = await measureAgainst(args.against, cases, args.rounds, say);
    for (const each of compared) say(line(each));
    say(summary(compared, args.against));
    if (args.json) console.log(JSON.stringify(toJson(compared)));
    return 0;
  }
  const start = performance.now();
  const { measurements, notes } = await measureAll(cases, say);
  for (const verdict of MARKS.map((mark) => judge(mark, measurements))) {
    const { mark, state, worst, reached, cases: count } = verdict;
    if (worst === undefined) continue;
    say(`${mark.kind}: ${mark.text}: ${state} (${reached} of ${count}; least ${worst.name} ${worst.figure})`);
  }
  if (args.report) {
    const about = await provenance(process.argv.slice(2), (performance.now() - start) / 1000);
    const profiles = measurements.some(({ name }) => name.startsWith('core/')) ? await profileCore() : [];
    const input = { measurements, notes, provenance: about, profiles, benches: BENCHES };
    for (const path of writeReport(input)) say(`wrote ${path}`);
  }
  if (args.json) console.log(JSON.stringify(judged(measurements)));
  return 0;
}

/** The figures with whether they pass, where a mark says what is enough. */
function judged(measurements: readonly Measurement[]): Record<string, JsonFigure & { pass?: boolean }> {
  const figures = toJson(measurements);
  return Object.fromEntries(
    measurements.map((each) => {
      const pass = passes(each);
      return [each.name, { ...(figures[each.name] as JsonFigure), ...(pass === undefined ? {} : { pass }) }];
    }),
  );
}

/** Runs every bench that has a case wanted, and says every figure as it comes. */
async function measureAll(
  cases: ReadonlySet<string>,
  say: (text: string) => void,
): Promise<{ measurements: Measurement[]; notes: string[] }> {
  const measurements: Measurement[] = [];
  const notes: string[] = [];
  const context: Context = {
    wants: (name) => cases.has(name),
    report: (measurement) => {
      measurements.push(measurement);
      say(line(measurement));
    },
    note: (text) => {
      notes.push(text);
      say(`note: ${text}`);
    },
  };
  for (const bench of BENCHES) {
    if (!bench.cases.some((each) => cases.has(each))) continue;
    const obstacles = bench.obstacles?.() ?? [];
    if (obstacles.length > 0) context.note(`${bench.name} is left out: ${obstacles.join('; ')}`);
    else await bench.run(context);
  }
  return { measurements, notes };
}

function line({ name, value, unit, spread, ratio, ratioSpread, peers, details, outcome, pass }: Measurement): string {
  const against = Object.entries(peers).map(([peer, figure]) => `${peer} ${figure}`);
  const more = Object.entries(details).map(([key, figure]) => `${key} ${figure}`);
  const compared =
    ratio === undefined ? [] : [`ratio ${ratio} ±${Math.round((ratioSpread ?? 0) * 100)} %`, against.join(', ')];
  const became = outcome === undefined ? '' : `${outcome}${pass === false ? ' (NOT PASSED)' : ''}`;
  const parts = [became, `${value} ${unit} ±${Math.round(spread * 100)} %`, ...compared, more.join(', ')];
  return `${name.padEnd(32)} ${parts.filter((part) => part !== '').join(' · ')}`;
}

/** Ratios of all cases in one number for each bench. */
function summary(compared: readonly Measurement[], ref: string): string {
  const benches = [...new Set(compared.map(({ name }) => name.split('/')[0]))];
  return benches
    .map((bench) => {
      const ratios = compared.flatMap(({ name, ratio }) => (name.startsWith(`${bench}/`) && ratio ? [ratio] : []));
      return `${bench}: ${significant(geometricMean(ratios))} times ${ref} (geometric mean of ${ratios.length} cases)`;
    })
    .join('\n');
}

main().then(
  // What a failed bench left running must not keep the process alive.
  (code) => process.exit(code),
  (error: unknown) => {
    const known = error instanceof BenchUsageError || (error instanceof Error && error.name === 'Error');
    console.error(known && error instanceof Error ? `bench: ${error.message}` : error);
    process.exit(error instanceof BenchUsageError ? 2 : 1);
  },
);
