import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { Server } from '../../host/net/server.js';
import type { Socket } from '../../host/net/socket.js';
import type { Stack } from '../../host/net/stack.js';
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
async function exchange({ client, network }: Pair, bytes: Uint8Array) {
  const began = network.now;
  let first = 0;
  let synData = false;
  const socket = client.connect({ port: 80, host: SERVER, mptcp: false, fastOpen: true });
  socket.once('data', () => {
    first = network.now - began;
    synData = socket.subflows()[0]?.synData === true;
  });
  socket.end(bytes);
  const got = await readAll(socket);
  if (!socket.closed) await once(socket, 'close');
  expect(got.equals(Buffer.from(bytes))).toBe(true);
  return { first, synData };
}

describe.each([true, false])('Fast Open (RFC 7413, SIMD %s)', (simd) => {
  it('brings the answer one round trip sooner (section 2)', async () => {
    await withPair({ simd, wire: { delay: DELAY }, config: { fastopen: 3 } }, async (pair) => {
      const accepted: boolean[] = [];
      const server = await echo(pair.server, (peer) => accepted.push(peer.subflows()[0]?.synData === true));
      const plain = await exchange(pair, payload(1_000));
      const early = await exchange(pair, payload(1_000));
      const large = await exchange(pair, payload(300_000));
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
});

it('Fast Open over Multipath TCP is refused with a word on what to do', async () => {
  await withPair({}, async ({ client }) => {
    expect(() => client.connect({ port: 80, host: SERVER, fastOpen: true })).toThrow('give mptcp: false');
    await Promise.resolve();
  });
});

function pick(random: Random, values: readonly number[]): number {
  return values[random.between(0, values.length - 1)] ?? 0;
}

/** Exchanges over a path with faults; the server does without Fast Open, and changes its key, now and then. */
async function faulty(seed: number): Promise<{ active: number; failed: number }> {
  const random = new Random(seed, 'fast-open');
  let counts = { active: 0, failed: 0 };
  const wire = {
    rate: megabits(random.between(2, 100)),
    delay: milliseconds(random.between(1, 60)),
    queue: 60_000,
    loss: pick(random, [0, 0.02, 0.1, 0.25]),
    reorder: pick(random, [0, 0.1]),
    reorderDelay: milliseconds(random.between(1, 80)),
    jitter: random.between(0, 5_000),
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
  };
  await withPair(
    { seed, wire, config },
    async (pair) => {
      const { client, server, network } = pair;
      const listening = await echo(server);
      for (let round = 0; round < 6; round++) {
        const sizes = Array.from({ length: random.between(1, 3) }, () => pick(random, [1, 500, 1_400, 1_500, 40_000]));
        await Promise.all(sizes.map((size, index) => exchange(pair, payload(size, seed * 16 + index + 1))));
        // Long enough for a failure to be forgotten, and now and then for a key.
        await network.sleep(random.chance(0.3) ? seconds(7 * 3_600) : seconds(random.between(0, 200)));
        server.set('fastopen', random.chance(0.8) ? 3 : 1);
      }
      listening.close();
      const { fastopenActive, fastopenActiveFail } = client.counters();
      counts = { active: fastopenActive, failed: fastopenActiveFail };
    },
    seconds(400_000),
  );
  return counts;
}

describe('Fast Open over a faulty path', () => {
  const step = 15;
  for (let first = 1; first <= SEEDS; first += step) {
    it(`brings all bytes once and in order: seeds ${first} to ${first + step - 1}`, { timeout: 120_000 }, async () => {
      const failures: string[] = [];
      let active = 0;
      let failed = 0;
      for (let seed = first; seed < first + step; seed++) {
        await faulty(seed).then(
          (counts) => {
            active += counts.active;
            failed += counts.failed;
          },
          (error: unknown) => failures.push(`${seed}: ${String(error)}`),
        );
      }
      expect(failures).toEqual([]);
      expect(active).toBeGreaterThan(10);
      expect(failed).toBeGreaterThan(2);
    });
  }
});
