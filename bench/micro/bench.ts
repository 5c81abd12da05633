import { buildLoops, runPeer } from '../peers/programs.js';
import { type Bench, significant } from '../record.js';
import { MICRO_CASES } from './cases.js';
import { timed } from './timing.js';

export const micro: Bench = {
  name: 'micro',
  description: 'inner functions of the core in a loop, beside the same in TypeScript, node:crypto and C',
  cases: MICRO_CASES.map(({ name }) => `micro/${name}`),

  async run(context) {
    const wanted = MICRO_CASES.filter(({ name }) => context.wants(`micro/${name}`));
    const c = wanted.some((each) => each.c !== undefined) ? await cTimes((text) => context.note(text)) : {};
    for (const each of wanted) {
      const timings = Object.entries(each.prepare()).map(([name, loop]) => {
        // Twice: the first time the compilers of the runtime have their turn.
        timed(name, loop.operations, loop.run);
        return { name, ...timed(name, loop.operations, loop.run) };
      });
      const [ours, first] = timings;
      if (ours === undefined) throw new Error(`micro/${each.name} measures nothing`);
      const peers = Object.fromEntries(timings.slice(1).map(({ name, ns }) => [name, significant(ns)]));
      const native = each.c === undefined ? undefined : c[each.c];
      if (native !== undefined) peers.c = significant(native);
      context.report({
        name: `micro/${each.name}`,
        value: significant(ours.ns),
        unit: 'ns',
        better: 'smaller',
        spread: significant(ours.error),
        ratio: first === undefined ? undefined : significant(first.ns / ours.ns),
        ratioSpread: first === undefined ? undefined : significant(first.error + ours.error),
        peers,
        details: native === undefined ? {} : { ratioToC: significant(native / ours.ns) },
      });
    }
  },
};

async function cTimes(note: (text: string) => void): Promise<Record<string, number>> {
  const loops = await buildLoops();
  if ('missing' in loops) {
    note(loops.missing);
    return {};
  }
  return runPeer<Record<string, number>>(loops.path);
}
