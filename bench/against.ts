import { execFile, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BenchUsageError } from './arguments.js';
import { ROOT } from './peers/programs.js';
import { type JsonFigure, type Measurement, measurement } from './record.js';
import { isTogether, measureTogether } from './together.js';

const run = promisify(execFile);

/** Figures of a tree by case. */
type Figures = Readonly<Record<string, JsonFigure>>;

/**
 * Builds the commit `ref` in a worktree of its own and measures it and this tree alternately: the core bench in one
 * process, the rest each by its own bench.
 * Returns a measurement for every case both have: ours is this tree, the peer is `ref`.
 * @throws BenchUsageError for a commit that is not there or has no bench of the wanted cases.
 */
export async function measureAgainst(
  ref: string,
  cases: ReadonlySet<string>,
  rounds: number,
  say: (line: string) => void,
): Promise<Measurement[]> {
  const commit = await resolveCommit(ref);
  const worktree = new Worktree();
  try {
    await worktree.checkOut(commit);
    say(`building ${ref} (${commit.slice(0, 12)})`);
    const known = await listCases(worktree.path);
    const wanted = [...cases].filter((name) => known.has(name));
    if (wanted.length === 0) throw new BenchUsageError(`--against ${ref}: that commit measures none of these cases`);
    const together = wanted.filter(isTogether);
    const measured = await measureTogether(ref, worktree.path, together, rounds, say);
    const apart = wanted.filter((name) => !isTogether(name));
    if (apart.length === 0) return measured;
    const ours: Figures[] = [];
    const theirs: Figures[] = [];
    for (let round = 1; round <= rounds; round++) {
      say(`round ${round} of ${rounds}: ${ref}`);
      theirs.push(await figures(worktree.path, apart));
      say(`round ${round} of ${rounds}: this tree`);
      ours.push(await figures(ROOT, apart));
    }
    return [...measured, ...apart.flatMap((name) => compared(name, ref, ours, theirs))];
  } finally {
    worktree.remove();
  }
}

/** One case in both trees; nothing when a tree left it out, for want of a privilege for instance. */
export function compared(
  name: string,
  ref: string,
  ours: readonly Figures[],
  theirs: readonly Figures[],
): Measurement[] {
  const own = ours.flatMap((each) => each[name] ?? []);
  const other = theirs.flatMap((each) => each[name] ?? []);
  const [first] = own;
  if (first === undefined || own.length !== ours.length || other.length !== theirs.length) return [];
  const value = ({ value: figure }: JsonFigure): number => figure;
  const { unit, better } = first;
  return [measurement({ name, unit, better, ours: own.map(value), peers: { [ref]: other.map(value) } })];
}

async function resolveCommit(ref: string): Promise<string> {
  try {
    return (await run('git', ['-C', ROOT, 'rev-parse', '--verify', '--quiet', `${ref}^{commit}`])).stdout.trim();
  } catch (error) {
    const { code } = error as { code?: string | number };
    if (code === 'ENOENT') throw new BenchUsageError('--against needs git, and it is not installed');
    throw new BenchUsageError(`--against ${ref}: there is no such commit; "git log --oneline" shows those there are`);
  }
}

/** A second tree of the repository, in a folder for temporary files; gone when the process ends, however it does. */
class Worktree {
  readonly path = join(mkdtempSync(join(tmpdir(), 'mptcp-bench-')), 'tree');
  #there = true;

  constructor() {
    process.on('exit', () => this.remove());
  }

  async checkOut(commit: string): Promise<void> {
    await run('git', ['-C', ROOT, 'worktree', 'add', '--detach', this.path, commit]);
    const lock = (root: string): string => readFileSync(join(root, 'package-lock.json'), 'utf8');
    if (lock(ROOT) === lock(this.path)) symlinkSync(join(ROOT, 'node_modules'), join(this.path, 'node_modules'), 'dir');
    else await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: this.path });
  }

  remove(): void {
    if (!this.#there) return;
    this.#there = false;
    rmSync(join(this.path, '..'), { recursive: true, force: true });
    // What git remembers of a worktree that is gone.
    spawnSync('git', ['-C', ROOT, 'worktree', 'prune']);
  }
}

async function listCases(root: string): Promise<ReadonlySet<string>> {
  const lines = (await bench(root, ['--list'])).split('\n');
  return new Set(lines.flatMap((line) => (line.startsWith('  ') ? [line.trim()] : [])));
}

async function figures(root: string, cases: readonly string[]): Promise<Figures> {
  return JSON.parse(await bench(root, ['--json', '--only', cases.join(',')])) as Figures;
}

/** Runs the bench of a tree, which builds itself first. Returns its standard output. */
function bench(root: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('npm', ['run', '--silent', 'bench', '--', ...args], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const printed: Buffer[] = [];
    const complaints: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => printed.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => complaints.push(chunk));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve(Buffer.concat(printed).toString('utf8'));
      else reject(new Error(`the bench of ${root} ended with ${signal ?? code}: ${Buffer.concat(complaints)}`));
    });
  });
}
