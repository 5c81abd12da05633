import { buildLoops, type NativePeer, runPeer } from '../peers/programs.js';
import { type Bench, significant } from '../record.js';
import { median } from '../statistics.js';
import { MICRO_CASES } from './cases.js';
import { timed } from './timing.js';

export const micro: Bench = {
  name: 'micro',
  description: 'inner functions of the core in a loop, beside the same in TypeScript, node:crypto and C',
  cases: MICRO_CASES.map(({ name }) => `micro/${name}`),

  async run(context) {
    const wanted = MICRO_CASES.filter(({ name }) => context.wants(`micro/${name}`));
    const loops = wanted.some((each) => each.c !== undefined) ? await buildLoops() : undefined;
    if (loops !== undefined && 'missing' in loops) context.note(loops.missing);
    for (const each of wanted) {
      // C before and after, so that what slows the machine slows both.
      const native = [await cTime(loops, each.c)];
      const timings = Object.entries(each.prepare()).map(([name, loop]) => {
        // Twice: the first time the compilers of the runtime have their turn.
        timed(name, loop.operations, loop.run);
        return { name, ...timed(name, loop.operations, loop.run) };
      });
      const [ours, first] = timings;
      if (ours === undefined) throw new Error(`micro/${each.name} measures nothing`);
      const peers = Object.fromEntries(timings.slice(1).map(({ name, ns }) => [name, significant(ns)]));
      native.push(await cTime(loops, each.c));
      const c = native.flatMap((ns) => ns ?? []);
      if (c.length > 0) peers.c = significant(median(c));
      context.report({
        name: `micro/${each.name}`,
        value: significant(ours.ns),
        unit: 'ns',
        better: 'smaller',
        spread: significant(ours.error),
        ratio: first === undefined ? undefined : significant(first.ns / ours.ns),
        ratioSpread: first === undefined ? undefined : significant(first.error + ours.error),
        peers,
        details: c.length > 0 ? { ratioToC: significant(median(c) / ours.ns) } : {},
      });
    }
  },
};

/** ns of one operation in C; undefined without a compiler, or without such a loop. */
async function cTime(loops: NativePeer | undefined, args: readonly string[] | undefined): Promise<number | undefined> {
  if (loops === undefined || 'missing' in loops || args === undefined) return undefined;
  return (await runPeer<{ ns: number }>(loops.path, ...args)).ns;
}
