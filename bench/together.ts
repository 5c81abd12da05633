import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { coreOptions, coreRate } from './core/bench.js';
import { Joined } from './core/joined.js';
import { MICRO_CASES, type MicroCase } from './micro/cases.js';
import { ROOT } from './peers/programs.js';
import { type Measurement, measurement } from './record.js';

/**
 * Measures the modules of two trees in one process, by turns of some milliseconds. One process differs from the next by
 * up to 10 % in how fast it runs the same code: more than most changes cost.
 */

/** Turns that each tree gets in a round. */
const TURNS = 8;
const CORE_WARM_MS = 80;
const CORE_TURN_MS = 30;
const MICRO_TURN_MS = 2;

/** True for a case that measureTogether() knows how to measure. */
export function isTogether(name: string): boolean {
  return name.startsWith('core/') || name.startsWith('micro/');
}

/** Compares this tree with the built one at `root`, called `ref`. @throws Error when that has no such classes and loops. */
export async function measureTogether(
  ref: string,
  root: string,
  names: readonly string[],
  rounds: number,
  say: (line: string) => void,
): Promise<Measurement[]> {
  const theirs = new OtherTree(root);
  const measured: Measurement[] = [];
  for (const name of names) {
    say(`both by turns: ${name}`);
    const isCore = name.startsWith('core/');
    const turns = isCore ? await coreTurns(name, theirs) : await microTurns(name, theirs);
    const [ours, peer] = alternate(turns, rounds * TURNS);
    measured.push(
      measurement({
        name,
        unit: isCore ? 'Gbit/s' : 'ns',
        better: isCore ? 'larger' : 'smaller',
        ours,
        peers: { [ref]: peer },
      }),
    );
  }
  return measured;
}

/** One turn of one tree, which returns its figure. */
type Turn = () => number;

/** Lets both have their turns, each first in every other pair. */
function alternate([ours, theirs]: readonly [Turn, Turn], times: number): [number[], number[]] {
  const own: number[] = [];
  const other: number[] = [];
  for (let time = 0; time < times; time++) {
    if (time % 2 === 0) own.push(ours());
    other.push(theirs());
    if (time % 2 === 1) own.push(ours());
  }
  return [own, other];
}

/** What a built tree has for these benches, by the names that it has here. */
class OtherTree {
  constructor(readonly root: string) {}

  async joined(): Promise<typeof Joined> {
    return (await this.#load<{ Joined: typeof Joined }>('core/joined.js')).Joined;
  }

  async microCases(): Promise<readonly MicroCase[]> {
    return (await this.#load<{ MICRO_CASES: readonly MicroCase[] }>('micro/cases.js')).MICRO_CASES;
  }

  async #load<Exports>(path: string): Promise<Exports> {
    return (await import(pathToFileURL(join(this.root, 'build', 'bench', path)).href)) as Exports;
  }
}

async function coreTurns(name: string, theirs: OtherTree): Promise<[Turn, Turn]> {
  const turn = (Kind: typeof Joined, root: string): Turn => {
    const module = new WebAssembly.Module(readFileSync(join(root, 'build', 'mptcp.wasm')));
    const joined = new Kind({ module, ...coreOptions(name) });
    joined.transfer(CORE_WARM_MS / 4);
    joined.verifying = false;
    joined.transfer(CORE_WARM_MS);
    return () => coreRate(joined.transfer(CORE_TURN_MS));
  };
  return [turn(Joined, ROOT), turn(await theirs.joined(), theirs.root)];
}

async function microTurns(name: string, theirs: OtherTree): Promise<[Turn, Turn]> {
  const turn = (cases: readonly MicroCase[]): Turn => {
    const { ours: loop } = cases.find((each) => `micro/${each.name}` === name)?.prepare() ?? {};
    if (loop === undefined) throw new Error(`${name}: the tree has no loop of this name`);
    let times = 1;
    const run = (): number => {
      const start = performance.now();
      for (let time = 0; time < times; time++) loop.run();
      return (performance.now() - start) / times;
    };
    // The compilers of the runtime have their turn first.
    for (let time = 0; time < 20; time++) run();
    times = Math.max(1, Math.round(MICRO_TURN_MS / run()));
    return () => (run() * 1e6) / loop.operations;
  };
  return [turn(MICRO_CASES), turn(await theirs.microCases())];
}
