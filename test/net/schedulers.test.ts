import { describe, expect, it } from 'vitest';
import { type LinkShape, PathsBed } from '../../bench/schedulers/beds.js';
import { CONFIG_CONGESTION, CONFIG_SCHEDULER, SCHEDULER_NAMES, type SchedulerName } from '../../host/abi.js';
import { Random } from '../../host/sim/random.js';
import { listen, payload, SERVER, withPair } from './pair.js';

const SIZE = 16 << 20;
/** Before it writes, Linux's test program waits so long for the join, µs. */
const JOIN = 200_000;
const pair = (rate1: number, rate2: number, delay1 = 0, delay2 = 0): LinkShape[] => [
  { rate: rate1, delay: delay1 },
  { rate: rate2, delay: delay2 },
];
/** The link pairs of simult_flows.sh, Linux's test of aggregation: Mbit/s and ms. */
const PAIRS: Record<string, LinkShape[]> = {
  '10/10': pair(10, 10),
  '10/10 with 1/25 ms': pair(10, 10, 1, 25),
  '10/3': pair(10, 3),
  '10/3 with 1/25 ms': pair(10, 3, 1, 25),
  '10/3 with 25/1 ms': pair(10, 3, 25, 1),
};
/** Its formula: 90 % of both links, and 450 ms for the handshakes. ms. */
const gate = (links: readonly LinkShape[]): number =>
  (SIZE * 8 * 10 * 1000) / (links.reduce((sum, { rate }) => sum + rate, 0) * 1e6 * 9) + 450;

/** Paths on which a window of 128 KiB is soon held up by the slower one. */
const SMALL: readonly LinkShape[] = [
  { rate: 20, delay: 1, queue: 50 },
  { rate: 20, delay: 200, queue: 50 },
];

/** How long a transfer takes, ms, with the bytes compared and the pools empty afterwards. */
function transfer(bed: PathsBed, direction: 'up' | 'down', bytes = SIZE): number {
  try {
    const flow = bed.open({ bytes, direction });
    bed.advance(JOIN);
    flow.start();
    const time = JOIN + bed.finish(flow, 120e6);
    expect(flow.problem).toBeUndefined();
    expect(flow.received).toBe(bytes);
    expect(bed.leftovers()).toEqual({});
    return time / 1000;
  } finally {
    bed.close();
  }
}

describe.each(['minRtt', 'blest', 'ecf', 'roundRobin'] as const)('the links are added up by %s', (scheduler) => {
  for (const [name, links] of Object.entries(PAIRS)) {
    for (const direction of ['up', 'down'] as const) {
      it(`${name}, ${direction}`, () => {
        const failed: string[] = [];
        for (const seed of [1, 2, 3]) {
          // Round-robin fills both queues alike. With a thousand packets the slow link has seconds of them at the end.
          const queue = scheduler === 'roundRobin' ? 100 : 1000;
          // By chance the first bytes find the queues as they are: a packet of the seed's size more or less.
          const shaped = links.map((link, index) => ({ ...link, queue: queue + ((seed * 7 + index * 3) % 11) }));
          const time = transfer(new PathsBed(seed, shaped, { scheduler }), direction);
          if (time > gate(links)) failed.push(`seed ${seed}: ${time} ms of ${gate(links)}`);
        }
        expect(failed).toEqual([]);
      }, 60_000);
    }
  }
});

describe('schedulers', () => {
  it('redundant: a path that is cut costs no stall, and new bytes do not wait for it', () => {
    for (const seed of [1, 2, 3, 4]) {
      const random = new Random(seed, 'cut');
      const bed = new PathsBed(seed, pair(10, 10, 5, 15), { scheduler: 'redundant' });
      const flow = bed.open({ bytes: 6 << 20 });
      bed.advance(JOIN);
      flow.start();
      bed.advance(1_000_000 + random.between(0, 500_000));
      bed.wires[seed % 2]?.cut();
      let longest = 0;
      let since = bed.network.now;
      let last = flow.received;
      for (let step = 0; step < 2_000; step++) {
        bed.advance(1_000);
        if (flow.received !== last || flow.doneAt !== undefined) {
          last = flow.received;
          since = bed.network.now;
        }
        longest = Math.max(longest, bed.network.now - since);
      }
      // The path that is left is a second behind at most by its queue, never by a timeout of the other.
      expect({ seed, stall: longest < 100_000 }).toEqual({ seed, stall: true });
      expect(bed.finish(flow, 60e6)).toBeLessThan(60e6);
      expect(flow.info().subflows.reduce((sum, each) => sum + each.bytesRedundant, 0)).toBeGreaterThan(1e6);
      bed.wires[seed % 2]?.mend();
      expect(flow.problem).toBeUndefined();
      expect(bed.leftovers()).toEqual({});
      bed.close();
    }
  });

  it('minimum RTT, for comparison, stalls until the timeout', () => {
    const bed = new PathsBed(1, pair(10, 10, 5, 15), { scheduler: 'minRtt' });
    const flow = bed.open({ bytes: 6 << 20 });
    bed.advance(JOIN);
    flow.start();
    bed.advance(1_200_000);
    bed.wires[1]?.cut();
    const at = bed.network.now;
    let last = flow.received;
    let longest = 0;
    let since = at;
    while (bed.network.now - at < 2_000_000) {
      bed.advance(1_000);
      if (flow.received !== last) since = bed.network.now;
      last = flow.received;
      longest = Math.max(longest, bed.network.now - since);
    }
    expect(longest).toBeGreaterThan(100_000);
    bed.close();
  });

  it('round-robin shares evenly, and by weight of the windows when it does not wait', () => {
    for (const seed of [1, 2, 3]) {
      const bed = new PathsBed(seed, pair(10, 10, 5, 30), { scheduler: 'roundRobin', roundRobinCwndLimited: false });
      const flow = bed.open({ bytes: 4 << 20 });
      bed.advance(JOIN);
      flow.start();
      expect(bed.finish(flow, 60e6)).toBeLessThan(60e6);
      const [first = 0, second = 0] = flow.info().subflows.map(({ bytesSent }) => bytesSent);
      expect(Math.abs(first - second) / (first + second)).toBeLessThan(0.02);
      expect(bed.leftovers()).toEqual({});
      bed.close();
    }
  });

  it.each(['blest', 'ecf'] as const)(
    '%s: less blocking than minimum RTT with a small window over 1 and 200 ms',
    (scheduler) => {
      /** Without what hides the blocking: neither repeats nor penalties. */
      const run = (name: SchedulerName, seed: number): { time: number; blocked: number } => {
        const config = { scheduler: name, opportunistic: false, penalisation: false };
        const receiver = { receiveBuffer: 128 << 10, receiveBufferMax: 128 << 10 };
        const bed = new PathsBed(seed, SMALL, config, receiver);
        const flow = bed.open({ bytes: 8 << 20 });
        bed.advance(500_000);
        flow.start();
        const time = bed.finish(flow, 120e6);
        const blocked = flow.info().subflows.reduce((sum, each) => sum + each.timesBlocked, 0);
        expect(flow.problem).toBeUndefined();
        expect(bed.leftovers()).toEqual({});
        bed.close();
        return { time, blocked };
      };
      for (const seed of [1, 2, 3]) {
        const ours = run(scheduler, seed);
        const other = run('minRtt', seed);
        expect({ seed, blocked: ours.blocked < other.blocked / 4 }).toEqual({ seed, blocked: true });
        expect({ seed, faster: ours.time < other.time * 0.8 }).toEqual({ seed, faster: true });
      }
    },
  );

  it('opportunistic retransmission and penalisation: faster than without, with a small window over 1 and 200 ms', () => {
    const run = (on: boolean): number => {
      const config = { opportunistic: on, penalisation: on };
      const receiver = { receiveBuffer: 128 << 10, receiveBufferMax: 128 << 10 };
      const bed = new PathsBed(1, SMALL, config, receiver);
      const flow = bed.open({ bytes: 8 << 20 });
      bed.advance(500_000);
      flow.start();
      const time = bed.finish(flow, 120e6);
      expect(flow.info().bytesReinjected > 0).toBe(on);
      expect(flow.problem).toBeUndefined();
      expect(bed.leftovers()).toEqual({});
      bed.close();
      return time;
    };
    expect(run(true)).toBeLessThan(run(false) * 0.6);
  });

  it('are switched while data flows, and controllers too, with all bytes right', () => {
    const controllers = 6;
    for (let seed = 1; seed <= 12; seed++) {
      const random = new Random(seed, 'switching');
      const links = [1, 2, 3].map(() => ({
        rate: random.between(3, 30),
        delay: random.between(1, 40),
        queue: random.between(20, 200),
        loss: random.chance(0.5) ? 0.01 : 0,
      }));
      const bed = new PathsBed(seed, links, { checksumEnabled: seed % 3 === 0 });
      const flow = bed.open({
        bytes: 4 << 20,
        direction: seed % 2 === 0 ? 'up' : 'down',
        readEvery: seed % 4 === 0 ? 5_000 : 0,
        readMost: 60_000,
      });
      bed.advance(JOIN);
      flow.start();
      for (let turn = 0; turn < 4_000 && flow.doneAt === undefined; turn++) {
        flow.set(CONFIG_SCHEDULER, random.between(0, Object.keys(SCHEDULER_NAMES).length - 1));
        flow.set(CONFIG_CONGESTION, random.between(0, controllers - 1));
        const wire = bed.wires[random.between(0, 2)];
        if (random.chance(0.1)) wire?.cut();
        for (const each of bed.wires) if (random.chance(0.5)) each.mend();
        bed.advance(random.between(1_000, 50_000));
      }
      for (const each of bed.wires) each.mend();
      const time = bed.finish(flow, 120e6);
      expect({ seed, time: time < 120e6, problem: flow.problem, received: flow.received }).toEqual({
        seed,
        time: true,
        problem: undefined,
        received: 4 << 20,
      });
      expect({ seed, left: bed.leftovers() }).toEqual({ seed, left: {} });
      bed.close();
    }
  }, 60_000);

  it.each(['minRtt', 'roundRobin', 'redundant', 'blest', 'ecf'] as const)(
    '%s does the same with the same seed',
    (scheduler) => {
      const run = (): string => {
        const links = [
          { rate: 8, delay: 3, loss: 0.01 },
          { rate: 5, delay: 30, loss: 0.02, queue: 40 },
        ];
        const bed = new PathsBed(9, links, { scheduler });
        const flow = bed.open({ bytes: 2 << 20 });
        bed.advance(JOIN);
        flow.start();
        const time = bed.finish(flow, 60e6);
        const told = JSON.stringify([time, flow.info().subflows], (_, value) =>
          typeof value === 'bigint' ? `${value}` : value,
        );
        bed.close();
        return told;
      };
      expect(run()).toBe(run());
    },
  );
});

describe('a subflow on the socket', () => {
  it('has a controller and a weight of its own, by name, and follows its connection again', async () => {
    await withPair({ paths: 2, config: { congestion: 'lia' } }, async ({ client, server, network }) => {
      const listening = await listen(server, (peer) => {
        peer.resume();
        peer.on('end', () => peer.end());
      });
      const socket = client.connect(80, SERVER);
      socket.resume();
      await network.sleep(500_000);
      const id = socket.subflowIds()[1] ?? 0;
      socket.setSubflowOption(id, 'congestion', 'olia');
      socket.setSubflowOption(id, 'weight', 4);
      expect(socket.getSubflowOption(id, 'congestion')).toBe('olia');
      const [first, second] = socket.subflows();
      expect(first).toMatchObject({ congestion: 'lia', congestionOwn: false, weight: 1 });
      expect(second).toMatchObject({ congestion: 'olia', congestionOwn: true, weight: 4 });
      socket.setSubflowOption(id, 'congestion', 'connection');
      expect(socket.getSubflowOption(id, 'congestion')).toBe('lia');
      expect(() => socket.setSubflowOption(id, 'congestion', 'vegas' as 'reno')).toThrow(/congestion is vegas/);
      expect(() => socket.setSubflowOption(id, 'weight', 0)).toThrow(/weight/);
      socket.end(payload(100_000));
      await network.sleep(2_000_000);
      listening.close();
    });
  });
});
