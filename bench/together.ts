import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { coreOptions, coreRate } from './core/bench.js';
import { Joined } from './core/joined.js';
import { ROOT } from './peers/programs.js';
import { type Measurement, measurement } from './record.js';

/**
 * Measures the core of two trees in one process, by turns of some milliseconds. One process differs from the next by up
 * to 10 % in how fast it runs the same code: more than most changes cost. The inner functions are not measured so: those
 * that live by the caches would find them full of the other tree's.
 */

/** Turns that each tree gets in a round. */
const TURNS = 8;
const WARM_MS = 80;
const TURN_MS = 30;

/** True for a case that measureTogether() knows how to measure. */
export function isTogether(name: string): boolean {
  return name.startsWith('core/');
}

/** Compares this tree with the built one at `root`, called `ref`. @throws Error when that has no such class. */
export async function measureTogether(
  ref: string,
  root: string,
  names: readonly string[],
  rounds: number,
  say: (line: string) => void,
): Promise<Measurement[]> {
  const other = await import(pathToFileURL(join(root, 'build', 'bench', 'core', 'joined.js')).href);
  const { Joined: Theirs } = other as { Joined: typeof Joined };
  return names.map((name) => {
    say(`both by turns: ${name}`);
    const [ours, peer] = alternate([turnOf(Joined, ROOT, name), turnOf(Theirs, root, name)], rounds * TURNS);
    return measurement({ name, unit: 'Gbit/s', better: 'larger', ours, peers: { [ref]: peer } });
  });
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

/** Makes the two stacks of a case from the module of a tree, warm. */
function turnOf(Kind: typeof Joined, root: string, name: string): Turn {
  const module = new WebAssembly.Module(readFileSync(join(root, 'build', 'mptcp.wasm')));
  const joined = new Kind({ module, ...coreOptions(name) });
  joined.transfer(WARM_MS / 4);
  joined.verifying = false;
  joined.transfer(WARM_MS);
  return () => coreRate(joined.transfer(TURN_MS));
}
