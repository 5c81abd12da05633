import { loadModule } from '../../host/module.js';
import { type Bench, measurement } from '../record.js';
import { Population } from '../scale/population.js';

const CONNECTIONS = 4000;
const ROUNDS = 5;
const MEMORY = 64 << 20;
const KINDS = ['tcp', 'mptcp'] as const;

export const handshake: Bench = {
  name: 'handshake',
  description: 'connections established in a second, both ends in one thread, Multipath TCP beside plain TCP',
  cases: KINDS.map((kind) => `handshake/${kind}`),

  async run(context) {
    const rates: Record<string, number[]> = { tcp: [], mptcp: [] };
    establish(false);
    establish(true);
    for (let round = 0; round < ROUNDS; round++) {
      for (const kind of KINDS) rates[kind]?.push(establish(kind === 'mptcp'));
    }
    for (const kind of KINDS) {
      const name = `handshake/${kind}`;
      if (!context.wants(name)) continue;
      const peers = kind === 'mptcp' ? { peers: { 'plain TCP': rates.tcp ?? [] } } : {};
      context.report(measurement({ name, unit: '1/s', better: 'larger', ours: rates[kind] ?? [], ...peers }));
    }
  },
};

/** Handshakes in a second. */
function establish(multipath: boolean): number {
  const population = new Population({ module: loadModule(), memory: MEMORY, multipath });
  const start = performance.now();
  population.grow(CONNECTIONS);
  return CONNECTIONS / ((performance.now() - start) / 1000);
}
