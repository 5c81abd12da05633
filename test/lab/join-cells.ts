import { megabits } from '../../host/cli/transfer-report.js';
import { CaptureCheck } from './capture-check.js';
import { type BedOptions, JoinBed, type Pairing } from './join-bed.js';
import type { Checks, Choice, Figures, Scenario } from './scenario.js';

/** One test of a scenario: a connection, what is done to it, and what must come of it. */
export interface JoinCell {
  readonly name: string;
  readonly options?: BedOptions;
  /** Our stack in both roles unless said otherwise. */
  readonly pairings?: readonly Exclude<Pairing, 'kernels'>[];
  /** The test changes packets, or loses some on purpose: tshark is not asked, and kernels cannot show it. */
  readonly tampers?: boolean;
  /** False where two kernels do not show it. */
  readonly kernels?: false;
  run(bed: JoinBed): Promise<void>;
}

/** Cells at the same time: most of their time is waiting. */
const AT_ONCE = 3;

/** What a cell came to. */
interface CellFigure {
  readonly pass: boolean;
  readonly seconds: number;
}

/** A scenario of cells, each run in both roles of our stack. */
export function joinScenario(name: string, description: string, cells: readonly JoinCell[]): Scenario {
  return { name, description, run: (checks, _full, choice) => runCells(checks, cells, choice) };
}

async function runCells(
  checks: Checks,
  cells: readonly JoinCell[],
  { kernels = false, cell: wanted }: Choice = {},
): Promise<Figures> {
  const begin = performance.now();
  const figures: Record<string, CellFigure> = {};
  const counters: Record<string, number> = {};
  const capture = new CaptureCheck();
  let bytes = 0;
  const orders = cells
    .filter((cell) => wanted === undefined || cell.name.includes(wanted))
    .flatMap((cell) => {
      if (kernels)
        return cell.tampers === true || cell.kernels === false ? [] : [{ cell, pairing: 'kernels' as Pairing }];
      return (cell.pairings ?? (['weServe', 'weConnect'] as const)).map((pairing: Pairing) => ({ cell, pairing }));
    })
    .values();
  const worker = async (): Promise<void> => {
    for (const { cell, pairing } of orders) {
      const start = performance.now();
      const problems: string[] = [];
      const name = `${cell.name}, ${pairing}`;
      try {
        const bed = await JoinBed.create(
          pairing,
          cell.options ?? {},
          cell.tampers === true ? undefined : capture.writer,
        );
        try {
          await cell.run(bed);
          bytes += bed.bytes;
          for (const [counter, value] of Object.entries(bed.kernel.counters())) {
            if (value !== 0) counters[counter] = (counters[counter] ?? 0) + value;
          }
        } finally {
          problems.push(...bed.problems);
          await bed.close();
        }
      } catch (error) {
        problems.push(error instanceof Error ? error.message : String(error));
      }
      for (const problem of problems) checks.that(false, `${name}: ${problem}`);
      figures[name] = { pass: problems.length === 0, seconds: rounded((performance.now() - start) / 1000) };
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  const seconds = (performance.now() - begin) / 1000;
  for (const objection of await capture.objections()) checks.that(false, `tshark: ${objection}`);
  return {
    seconds,
    goodputMbps: megabits(bytes, seconds),
    counters: Object.fromEntries(Object.entries(counters).map(([key, value]) => [`MPTcpExt${key}`, value])),
    cells: figures,
  };
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
