import { describe, expect, it } from 'vitest';
import type { Socket } from '../../host/net/socket.js';
import { megabits, seconds } from '../../host/sim/network.js';
import { Random } from '../../host/sim/random.js';
import { addressIn, badWire, listen, payload, readAll, SERVER, withPair } from './pair.js';

const FIRST = Number(process.env.CLOSED_FIRST ?? 1);
const SEEDS = 20;

/** Both sides close subflows at random, by FIN or with a reason, while data flows both ways; the client opens others. */
async function survive(seed: number): Promise<void> {
  const random = new Random(seed);
  const paths = 2 + (seed % 2);
  const wire = { ...badWire(random), rate: megabits(4) };
  const options = { seed, paths, wire, config: { pathManager: 'userspace', retries: 30 } } as const;
  await withPair(
    options,
    async ({ client, server, network }) => {
      const down = payload(400_000, seed & 255);
      const up = payload(300_000, (seed + 1) & 255);
      let accepted: Socket | undefined;
      let uploaded: Promise<Buffer> | undefined;
      const listening = await listen(server, (peer) => {
        accepted = peer;
        uploaded = readAll(peer);
        peer.end(down);
      });
      const socket = client.connect(80, SERVER);
      const locals = Array.from({ length: paths }, (_, path) => addressIn(options, path + 1, 2));
      let turns = 0;
      let closed = 0;
      const meddle = (): void => {
        if (socket.destroyed || turns++ > 40 || socket.info()?.confirmed !== true) return;
        const ids = socket.subflowIds();
        if (ids.length < 4) socket.openSubflow({ local: locals[random.between(0, paths - 1)] });
        const end = random.chance(0.5) ? socket : accepted;
        if (end?.destroyed !== false) return;
        const open = end?.subflows().filter(({ state }) => state === 'established') ?? [];
        const chosen = open[random.between(0, Math.max(open.length - 1, 0))];
        if (open.length > 1 && chosen !== undefined) {
          closed++;
          end?.closeSubflow(chosen.id, random.chance(0.75) ? 'unspecified' : 'performance');
        }
      };
      for (let at = 0.2; at < 20; at += 0.05 + random.fraction() * 0.2) network.at(seconds(at), meddle);
      const received = readAll(socket);
      socket.end(up);
      expect((await received).equals(down)).toBe(true);
      expect((await uploaded)?.equals(up)).toBe(true);
      expect(closed).toBeGreaterThan(0);
      listening.close();
    },
    seconds(1200),
  );
}

describe('subflows that are closed while data flows', () => {
  it(`lose no byte: seeds ${FIRST} to ${FIRST + SEEDS - 1}`, async () => {
    const failed: string[] = [];
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      try {
        await survive(seed);
      } catch (error) {
        failed.push(`${seed}: ${error}`);
      }
    }
    expect(failed).toEqual([]);
  }, 120_000);
});
