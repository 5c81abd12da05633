import { describe, expect, it } from 'vitest';
import { megabits, milliseconds, seconds } from '../../host/sim/network.js';
import { Random } from '../../host/sim/random.js';
import { listen, payload, readAll, SERVER, withPair } from './pair.js';

const SCHEDULERS = ['minRtt', 'roundRobin', 'redundant', 'blest', 'ecf', 'minRtt', 'redundant'] as const;
const FIRST = Number(process.env.OUTAGES_FIRST ?? 1);
const COUNT = Number(process.env.OUTAGES_COUNT ?? 40);

/** Paths that die and come back at random; from second 20 on all work. Whatever happened before, the bytes arrive. */
async function survive(seed: number): Promise<void> {
  const random = new Random(seed);
  const paths = 2 + (seed % 3);
  const size = 1_500_000;
  const sent = payload(size, seed & 255);
  await withPair(
    {
      seed,
      paths,
      wire: { rate: megabits(5), delay: milliseconds(15), queue: 100_000, loss: seed % 2 === 0 ? 0.01 : 0 },
      config: {
        checksumEnabled: seed % 5 === 0,
        retries: 30,
        closeTimeout: seconds(300),
        scheduler: SCHEDULERS[seed % SCHEDULERS.length] ?? 'minRtt',
      },
    },
    async ({ client, server, network, wires }) => {
      const listening = await listen(server, (peer) => {
        peer.end(sent);
        peer.resume();
      });
      for (const wire of wires) {
        let time = random.fraction() * 2;
        while (time < 20) {
          network.at(seconds(time), () => wire.cut());
          time += random.fraction() * 4;
          network.at(seconds(Math.min(time, 20)), () => wire.mend());
          time += random.fraction() * 2;
        }
      }
      network.at(seconds(20), () => {
        for (const wire of wires) wire.mend();
      });
      const socket = client.connect(80, SERVER);
      const up = payload(100_000, (seed + 1) & 255);
      socket.write(up);
      const received = await readAll(socket);
      expect(received.equals(sent)).toBe(true);
      socket.end();
      listening.close();
    },
    seconds(1200),
  );
}

describe('paths that die and come back', () => {
  for (let first = FIRST; first < FIRST + COUNT; first += 20) {
    it(`lose no byte and never stall: seeds ${first} to ${first + 19}`, async () => {
      const failed: string[] = [];
      for (let seed = first; seed < first + 20; seed++) {
        try {
          await survive(seed);
        } catch (error) {
          failed.push(`${seed}: ${error}`);
        }
      }
      expect(failed).toEqual([]);
    }, 60_000);
  }
});
