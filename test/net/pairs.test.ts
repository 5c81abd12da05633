import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { Config } from '../../host/config.js';
import type { Socket } from '../../host/net/socket.js';
import { milliseconds, type Network, seconds } from '../../host/sim/network.js';
import { Random } from '../../host/sim/random.js';
import type { WireCharacteristics } from '../../host/sim/wire.js';
import { badWire, expectReleased, listen, makePair, payload, readAll, SERVER } from './pair.js';

const SEEDS = 200;
const SCHEDULERS = ['minRtt', 'roundRobin', 'redundant', 'blest', 'ecf', 'redundant', 'minRtt'] as const;
const COUPLED = ['olia', 'balia', 'wvegas'] as const;

interface Scenario {
  readonly seed: number;
  readonly paths: number;
  readonly plain: boolean;
  readonly checksum: boolean;
  readonly congestion: 'lia' | 'reno' | 'cubic';
  /** Knobs of TCP that are not as usual. */
  readonly tcp: Config;
  /** Longest pause of a reader between two pieces, µs; 0 for none. */
  readonly slow: number;
  readonly wires: Partial<WireCharacteristics>[];
  readonly up: number;
  readonly down: number;
  /** When both sides write their second halves and end, µs: a connection that is closing joins no more subflows. */
  readonly pause: number;
}

function draw(seed: number): Scenario {
  const random = new Random(seed, 'scenario');
  const paths = 1 + (seed % 2);
  return {
    seed,
    paths,
    plain: paths === 1 && random.chance(0.5),
    checksum: random.chance(0.3),
    congestion: (['lia', 'reno', 'cubic'] as const)[random.between(0, 2)] ?? 'reno',
    tcp: drawTcp(random),
    slow: random.chance(0.3) ? milliseconds(random.between(1, 30)) : 0,
    wires: Array.from({ length: paths }, () => badWire(random)),
    up: random.between(0, 120_000),
    down: random.between(1, 200_000),
    pause: milliseconds(random.between(0, 600)),
  };
}

/** Each knob in its unusual position now and then. */
function drawTcp(random: Random): Config {
  const off = (): boolean => !random.chance(0.2);
  return {
    sack: off(),
    timestamps: off(),
    hystart: off(),
    tailLossProbe: off(),
    frto: off(),
    idleRestart: off(),
    pacing: !off(),
    noDelay: !off(),
    delayedAck: random.chance(0.2) ? 0 : milliseconds(40),
    ...(random.chance(0.2) ? { receiveBuffer: random.between(4_096, 40_000) } : {}),
  };
}

/** All that comes, with pauses of up to so many µs between two pieces. */
async function readSlowly(socket: Socket, network: Network, random: Random, pause: number): Promise<Buffer> {
  if (pause === 0) return readAll(socket);
  const pieces: Buffer[] = [];
  for await (const piece of socket.iterator({ destroyOnReturn: false })) {
    pieces.push(piece);
    await network.sleep(random.between(0, pause));
  }
  return Buffer.concat(pieces);
}

/** Sends both ways at once; the bytes must arrive once, in order and completely. Returns how many subflows there were. */
async function transfer(scenario: Scenario): Promise<number> {
  const { seed, paths, plain, checksum, congestion, tcp, slow } = scenario;
  const random = new Random(seed, 'readers');
  // By the seed itself: what is drawn stays as it was.
  const scheduler = SCHEDULERS[seed % SCHEDULERS.length] ?? 'minRtt';
  const controller = seed % 4 === 0 ? (COUPLED[(seed / 4) % COUPLED.length] ?? 'olia') : congestion;
  const config = { checksumEnabled: checksum, congestion: controller, scheduler, ...tcp };
  const pair = makePair({ seed, paths, memory: 8 << 20, config });
  const { network, client, server, wires } = pair;
  try {
    for (const [index, wire] of wires.entries()) wire.set(scenario.wires[index] ?? {});
    const up = payload(scenario.up, seed + 1);
    const down = payload(scenario.down, seed + 2);
    const subflows = await network.run(async () => {
      const listening = await listen(server, () => undefined);
      const socket = client.connect({ port: 80, host: SERVER, mptcp: !plain });
      const [peer] = (await once(listening, 'connection')) as [Socket];
      const arrived = Promise.all([readSlowly(peer, network, random, slow), readSlowly(socket, network, random, slow)]);
      peer.write(down.subarray(0, down.length / 2));
      socket.write(up.subarray(0, up.length / 2));
      await network.sleep(scenario.pause);
      const total = socket.info()?.subflowsTotal ?? 0;
      peer.end(down.subarray(down.length / 2));
      socket.end(up.subarray(up.length / 2));
      const [atServer, atClient] = await arrived;
      expect(atServer.equals(up)).toBe(true);
      expect(atClient.equals(down)).toBe(true);
      listening.close();
      return total;
    }, seconds(900));
    await expectReleased(pair);
    return subflows;
  } finally {
    network.close();
  }
}

describe('pairs of stacks under loss, reordering and duplication', () => {
  const step = 20;
  for (let first = 1; first <= SEEDS; first += step) {
    it(`lose, repeat and exchange no byte: seeds ${first} to ${first + step - 1}`, { timeout: 120_000 }, async () => {
      const failures: unknown[] = [];
      let joined = 0;
      for (let seed = first; seed < first + step; seed++) {
        const scenario = draw(seed);
        await transfer(scenario).then(
          (subflows) => {
            if (subflows > 1) joined++;
          },
          (error: unknown) => failures.push(`${JSON.stringify(scenario)}: ${error}`),
        );
      }
      expect(failures).toEqual([]);
      // Every second seed has two paths; those that end too soon join none.
      expect(joined).toBeGreaterThanOrEqual(step / 4);
    });
  }
});
