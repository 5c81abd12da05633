import { type Bench, measurement, significant } from '../record.js';
import { CELLS, passed, plainScenario } from './cells.js';
import { type Result, runScenario } from './transfer.js';

/**
 * What becomes of a connection through each middlebox of the simulator. The value is the simulated time that three
 * exchanges take, the peer plain TCP through the same box; `outcome` says what became of them.
 */
export const middleboxes: Bench = {
  name: 'middleboxes',
  description: 'three exchanges of 100 KB each way through a middlebox of the simulator, beside plain TCP through it',
  cases: CELLS.map(({ name }) => name),

  async run(context) {
    const known = new Map<string, Result>();
    for (const cell of CELLS) {
      if (!context.wants(cell.name)) continue;
      const scenario = plainScenario(cell);
      const key = `${scenario.variant.name} ${scenario.ipv6}`;
      const plain = known.get(key) ?? (await runScenario(scenario));
      known.set(key, plain);
      const result = await runScenario(cell);
      const { outcome, bytes, wrong, reason, subflows, interventions, leaks } = result;
      const through = plain.outcome !== 'reset';
      context.report({
        ...measurement({
          name: cell.name,
          unit: 's',
          better: 'smaller',
          ours: [result.time / 1e6],
          ...(through ? { peers: { tcp: [plain.time / 1e6] } } : {}),
          details: {
            plain: `${through ? 'complete' : plain.outcome}${plain.bytes === 'right' ? '' : ', bytes altered'}`,
            bytes,
            ...(wrong === '' ? {} : { wrong }),
            subflows,
            interventions: significant(interventions),
            ...(reason === '' ? {} : { reason }),
            ...(leaks.length > 0 ? { leaks: leaks.join(', ') } : {}),
          },
        }),
        outcome,
        pass: passed(cell, result, plain),
      });
    }
  },
};
