import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { Socket } from '../../host/net/socket.js';
import { OptionStripper } from '../../host/sim/middlebox/option-stripper.js';
import { milliseconds, seconds } from '../../host/sim/network.js';
import { Random } from '../../host/sim/random.js';
import { payload, readAll, SERVER, withPair } from './pair.js';

const SEEDS = 80;
const SIZES = [0, 1, 700, 1_400, 20_000, 200_000];

/** Both sides send and end, while a box takes options away behind the first few packets, in one direction or both. */
async function exchange(seed: number): Promise<void> {
  const random = new Random(seed, 'stripped-later');
  const wire = { delay: milliseconds(random.between(1, 60)), loss: random.chance(0.3) ? 0.02 : 0 };
  const config = { checksumEnabled: random.chance(0.3) };
  const from = random.between(2, 14);
  const only = random.chance(0.4) ? {} : { only: random.chance(0.5) ? ('out' as const) : ('in' as const) };
  const pick = (): number => SIZES[random.between(0, SIZES.length - 1)] ?? 0;
  const [up, down] = [payload(pick(), seed), payload(pick(), seed + 1)];
  const pause = random.chance(0.5) ? milliseconds(random.between(1, 3_000)) : 0;
  await withPair(
    { seed, wire, config },
    async ({ client, server, network, wires }) => {
      wires[0]?.insert(new OptionStripper({ options: 'mptcp', from }), only);
      const listening = server.createServer({ allowHalfOpen: true });
      listening.listen(80);
      await once(listening, 'listening');
      const accepted = once(listening, 'connection');
      const socket = client.connect({ port: 80, host: SERVER, allowHalfOpen: true });
      const finish = async (end: Socket, bytes: Uint8Array): Promise<Buffer> => {
        const got = readAll(end);
        if (pause > 0) await network.sleep(pause);
        end.end(bytes);
        return await got;
      };
      const there = accepted.then(([peer]) => finish(peer as Socket, down));
      const [atClient, atServer] = await Promise.all([finish(socket, up), there]);
      expect(atClient.equals(Buffer.from(down))).toBe(true);
      expect(atServer.equals(Buffer.from(up))).toBe(true);
      if (!socket.closed) await once(socket, 'close');
      listening.close();
    },
    seconds(600),
  );
}

describe('options taken away from some packet on', () => {
  const step = 20;
  for (let first = 1; first <= SEEDS; first += step) {
    it(`leave both streams whole and ended: seeds ${first} to ${first + step - 1}`, { timeout: 60_000 }, async () => {
      const failures: string[] = [];
      for (let seed = first; seed < first + step; seed++) {
        await exchange(seed).catch((error: unknown) => failures.push(`${seed}: ${String(error).slice(0, 200)}`));
      }
      expect(failures).toEqual([]);
    });
  }
});
