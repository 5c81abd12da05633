import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { Server } from '../../host/net/server.js';
import type { Socket } from '../../host/net/socket.js';
import type { Stack } from '../../host/net/stack.js';
import { OptionStripper } from '../../host/sim/middlebox/option-stripper.js';
import { megabits, milliseconds, seconds } from '../../host/sim/network.js';
import { Random } from '../../host/sim/random.js';
import { type Pair, payload, readAll, SERVER, withPair } from './pair.js';

const SEEDS = 60;
const DELAY = milliseconds(50);

/** A server that takes Fast Open and sends back all it gets. */
async function echo(stack: Stack, seen: (peer: Socket) => void = () => undefined): Promise<Server> {
  const server = stack.createServer({ fastOpen: true, allowHalfOpen: true }, (peer) => {
    seen(peer);
    peer.pipe(peer);
    peer.on('error', () => undefined);
  });
  server.listen(80);
  await once(server, 'listening');
  return server;
}

/** Sends bytes and reads them back. Returns when the first came, µs since the beginning. */
async function exchange({ client, network }: Pair, bytes: Uint8Array, mptcp: boolean) {
  const began = network.now;
  let first = 0;
  let synData = false;
  let version: number | undefined;
  const socket = client.connect({ port: 80, host: SERVER, mptcp, fastOpen: true });
  socket.once('data', () => {
    first = network.now - began;
    // Of those with Multipath TCP only the first subflow has it.
    synData = socket.subflows().some((subflow) => subflow.synData);
    version = socket.info()?.version;
  });
  socket.end(bytes);
  const got = await readAll(socket);
  if (!socket.closed) await once(socket, 'close');
  expect(got.equals(Buffer.from(bytes))).toBe(true);
  return { first, synData, version };
}

describe.each([true, false])('Fast Open (RFC 7413, SIMD %s)', (simd) => {
  it('brings the answer one round trip sooner (section 2)', async () => {
    await withPair({ simd, wire: { delay: DELAY }, config: { fastopen: 3 } }, async (pair) => {
      const accepted: boolean[] = [];
      const server = await echo(pair.server, (peer) => accepted.push(peer.subflows()[0]?.synData === true));
      const plain = await exchange(pair, payload(1_000), false);
      const early = await exchange(pair, payload(1_000), false);
      const large = await exchange(pair, payload(300_000), false);
      server.close();
      expect(plain.first).toBeGreaterThanOrEqual(4 * DELAY);
      expect(early.first).toBeGreaterThanOrEqual(2 * DELAY);
      expect(early.first).toBeLessThan(2 * DELAY + milliseconds(1));
      expect(large.first).toBeLessThan(2 * DELAY + milliseconds(1));
      expect([plain.synData, early.synData, large.synData]).toEqual([false, true, true]);
      expect(accepted).toEqual([false, true, true]);
      expect(pair.client.counters()).toMatchObject({ fastopenActive: 2, fastopenActiveFail: 0 });
      expect(pair.server.counters()).toMatchObject({ fastopenPassive: 2, fastopenPassiveFail: 0 });
    });
  });

  it('hands the bytes of a SYN to a server of Multipath TCP one round trip sooner (RFC 8684 appendix B)', async () => {
    await withPair({ simd, paths: 2, wire: { delay: DELAY }, config: { fastopen: 3 } }, async (pair) => {
      const { client, network } = pair;
      const at: number[] = [];
      const server = await echo(pair.server, (peer) => peer.once('data', () => at.push(network.now)));
      const began: number[] = [];
      for (const size of [1_000, 1_000, 300_000]) {
        began.push(network.now);
        const { version, synData } = await exchange(pair, payload(size), true);
        expect(version).toBe(1);
        expect(synData).toBe(began.length > 1);
      }
      server.close();
      const took = at.map((time, index) => time - (began[index] ?? 0));
      expect(took[0]).toBeGreaterThanOrEqual(3 * DELAY);
      for (const early of took.slice(1)) expect(early).toBeLessThan(DELAY + milliseconds(1));
      expect(client.counters()).toMatchObject({ fastopenActive: 2, fastopenActiveFail: 0 });
      expect(pair.server.counters()).toMatchObject({ fastopenPassive: 2, fastopenPassiveFail: 0 });
      // The 300,000 bytes took both paths.
      expect(pair.server.counters().MPTcpExtMPJoinAckRx).toBeGreaterThanOrEqual(1);
    });
  });
});

function pick(random: Random, values: readonly number[]): number {
  return values[random.between(0, values.length - 1)] ?? 0;
}

/** A box that takes options of Multipath TCP away, or all it does not know: Fast Open, too. */
function stripper(random: Random): OptionStripper {
  return new OptionStripper({
    options: random.chance(0.7) ? 'mptcp' : 'unknown',
    segments: random.chance(0.5) ? 'syn' : random.chance(0.5) ? 'data' : 'all',
  });
}

/**
 * Exchanges over a path with faults; the server does without Fast Open, and changes its key, now and then. `multipath`:
 * over one or two paths, either side does without Multipath TCP now and then, and a box may take its options away.
 */
async function faulty(seed: number, multipath: boolean): Promise<{ active: number; failed: number; kept: number }> {
  const random = new Random(seed, multipath ? 'fast-open multipath' : 'fast-open');
  let counts = { active: 0, failed: 0, kept: 0 };
  let kept = 0;
  const wire = {
    rate: megabits(random.between(2, 100)),
    delay: milliseconds(random.between(1, 60)),
    queue: 60_000,
    loss: pick(random, [0, 0.02, 0.1, 0.25]),
    reorder: pick(random, [0, 0.1]),
    reorderDelay: milliseconds(random.between(1, 80)),
    jitter: random.between(0, 5_000),
    ...(multipath ? { duplicate: pick(random, [0, 0.1]) } : {}),
  };
  const config = {
    fastopen: 3,
    fastopenPending: random.between(0, 3),
    timestamps: random.chance(0.8),
    sack: random.chance(0.8),
    synRetries: 12,
    retries: 30,
    // A quarter of all packets lost takes its time.
    rtoMax: seconds(5),
    closeTimeout: seconds(300),
    ...(multipath ? { checksumEnabled: random.chance(0.5) } : {}),
  };
  const paths = multipath && random.chance(0.5) ? 2 : 1;
  await withPair(
    { seed, wire, config, paths },
    async (pair) => {
      const { client, server, network } = pair;
      const listening = await echo(server);
      if (multipath && random.chance(0.4)) pair.wires[0]?.insert(stripper(random));
      for (let round = 0; round < 6; round++) {
        const sizes = Array.from({ length: random.between(1, 3) }, () => pick(random, [1, 500, 1_400, 1_500, 40_000]));
        const all = sizes.map((size, index) => {
          const mptcp = multipath && random.chance(0.8);
          return exchange(pair, payload(size, seed * 16 + index + 1), mptcp);
        });
        for (const { synData, version } of await Promise.all(all)) if (synData && version === 1) kept++;
        // Long enough for a failure to be forgotten, and now and then for a key.
        await network.sleep(random.chance(0.3) ? seconds(7 * 3_600) : seconds(random.between(0, 200)));
        server.set('fastopen', random.chance(0.8) ? 3 : 1);
        if (multipath) server.set('mptcpEnabled', random.chance(0.8));
      }
      listening.close();
      const { fastopenActive, fastopenActiveFail } = client.counters();
      counts = { active: fastopenActive, failed: fastopenActiveFail, kept };
    },
    seconds(400_000),
  );
  return counts;
}

describe.each([
  ['TCP', false],
  ['Multipath TCP', true],
] as const)('Fast Open of %s over a faulty path', (_, multipath) => {
  const step = 15;
  for (let first = 1; first <= SEEDS; first += step) {
    it(`brings all bytes once and in order: seeds ${first} to ${first + step - 1}`, { timeout: 120_000 }, async () => {
      const failures: string[] = [];
      let active = 0;
      let failed = 0;
      let kept = 0;
      for (let seed = first; seed < first + step; seed++) {
        await faulty(seed, multipath).then(
          (counts) => {
            active += counts.active;
            failed += counts.failed;
            kept += counts.kept;
          },
          (error: unknown) => failures.push(`${seed}: ${String(error)}`),
        );
      }
      expect(failures).toEqual([]);
      expect(active).toBeGreaterThan(10);
      expect(failed).toBeGreaterThan(2);
      if (multipath) expect(kept).toBeGreaterThan(5);
    });
  }
});
