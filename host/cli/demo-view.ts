import {
  CUT_TIME,
  type DemoListener,
  type DemoResult,
  PATHS,
  type PathProgress,
  type Progress,
} from './demo-download.js';

const MIB = 1024 * 1024;
const BAR_WIDTH = 30;
/** Redraws of a terminal, at most one in so many ms; a line elsewhere, one in so many s of the network's time. */
const REDRAW_TIME = 60;
const LINE_TIME = 0.5;

/** Where the demo shows itself. */
export interface Screen {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

/** Shows progress: redrawn in place on a terminal, plain lines elsewhere. */
export class DemoView implements DemoListener {
  readonly #screen: Screen;
  readonly #terminal: boolean;
  #drawnRows = 0;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #nextLine = 0;
  #last: Progress | undefined;

  constructor(screen: Screen) {
    this.#screen = screen;
    this.#terminal = screen.isTTY === true;
  }

  progress(progress: Progress): void {
    this.#last = progress;
    if (this.#terminal) {
      const now = performance.now();
      if (now - this.#drawnAt < REDRAW_TIME && progress.received < progress.size) return;
      this.#drawnAt = now;
      this.#draw(progress);
    } else if (progress.time >= this.#nextLine) {
      this.#nextLine = progress.time + LINE_TIME;
      this.#screen.write(`${plainLine(progress)}\n`);
    }
  }

  happened(time: number, text: string): void {
    this.#erase();
    this.#screen.write(`${clock(time)}  ${text}\n`);
    if (this.#terminal && this.#last !== undefined) this.#draw(this.#last);
  }

  #draw(progress: Progress): void {
    this.#erase();
    const rows = [...progress.paths.map((path) => pathRow(path, progress)), totalRow(progress)];
    this.#screen.write(`${rows.join('\n')}\n`);
    this.#drawnRows = rows.length;
  }

  #erase(): void {
    // Cursor up so many rows, then clear to the end of the screen.
    if (this.#drawnRows > 0) this.#screen.write(`\x1b[${this.#drawnRows}A\x1b[0J`);
    this.#drawnRows = 0;
  }
}

/** What the demo is about to do. */
export function introduction(size: number): string {
  const paths = PATHS.map(({ name, rate, delay }) => `${name} (${rate} Mbit/s, ${delay} ms)`).join(' and ');
  return [
    `A phone with ${paths} downloads ${mebibytes(size)} by HTTP from a server, over one Multipath TCP connection.`,
    `A third of the way wifi is cut for ${CUT_TIME / 1000} s. Two hosts, simulated; times are the network's.`,
    '',
  ].join('\n');
}

/** The table at the end. */
export function summary(result: DemoResult, capture: string, realSeconds: number): string {
  const rows = [
    ['subflow', 'bytes', 'goodput Mbit/s', 'retransmissions', 'RTT ms'],
    ...result.subflows.map((each) => [
      each.path,
      String(each.bytes),
      each.goodputMbps.toFixed(2),
      `${each.retransmits} (${mebibytes(each.bytesRetransmitted)})`,
      each.rttMs.toFixed(1),
    ]),
    ['together', String(result.bytes), result.goodputMbps.toFixed(2), '', ''],
  ];
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const table = rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
  const verdict = result.ok
    ? 'The hashes agree and the connection never broke.'
    : `FAILED: ${result.sha256Sent === result.sha256Received ? 'the connection was not one multipath connection' : 'the hashes differ'}.`;
  return [
    '',
    ...table,
    '',
    `total time       ${result.seconds.toFixed(3)} s (simulated in ${realSeconds.toFixed(1)} s)`,
    `longest stall    ${result.longestStallMs.toFixed(1)} ms`,
    `sent again on the other subflow  ${mebibytes(result.bytesReinjected)}`,
    `sha256 sent      ${result.sha256Sent}`,
    `sha256 arrived   ${result.sha256Received}`,
    `capture          ${capture}`,
    `seed             ${result.seed} (--seed ${result.seed} repeats this run exactly)`,
    '',
    verdict,
    '',
  ].join('\n');
}

function plainLine(progress: Progress): string {
  const paths = progress.paths.map(
    ({ path, rate, bytes, cut }) =>
      `${path.name} ${mbps(rate).padStart(5)} Mbit/s ${mebibytes(bytes).padStart(9)}${cut ? ' (cut)' : ''}`,
  );
  return `${clock(progress.time)}  ${percent(progress)}  ${paths.join('   ')}`;
}

function pathRow({ path, bytes, rate, cut }: PathProgress, progress: Progress): string {
  const state = cut ? '  cut' : '';
  const figures = `${mebibytes(bytes).padStart(9)}  ${mbps(rate).padStart(5)} of ${path.rate} Mbit/s${state}`;
  return `  ${path.name.padEnd(5)} ${bar(rate / ((path.rate * 1e6) / 8))} ${figures}  ${share(bytes, progress)}`;
}

function totalRow(progress: Progress): string {
  const figures = `${mebibytes(progress.received).padStart(9)}  ${percent(progress)}  ${clock(progress.time)}`;
  return `  total ${bar(progress.received / progress.size)} ${figures}`;
}

function bar(fraction: number): string {
  const filled = Math.round(Math.min(Math.max(fraction, 0), 1) * BAR_WIDTH);
  return '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled);
}

function share(bytes: number, progress: Progress): string {
  const all = progress.paths.reduce((sum, path) => sum + path.bytes, 0);
  return all === 0 ? '' : `${Math.round((100 * bytes) / all)} % of all`;
}

const mebibytes = (bytes: number): string => `${(bytes / MIB).toFixed(bytes < MIB ? 2 : 1)} MiB`;
const mbps = (rate: number): string => ((rate * 8) / 1e6).toFixed(1);
const clock = (time: number): string => `${time.toFixed(2).padStart(6)} s`;
const percent = ({ received, size }: Progress): string =>
  `${(size === 0 ? 100 : (100 * received) / size).toFixed(1).padStart(5)} %`;
