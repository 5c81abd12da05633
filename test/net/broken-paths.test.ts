import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { Socket } from '../../host/net/socket.js';
import { megabits, milliseconds, seconds } from '../../host/sim/network.js';
import { Random } from '../../host/sim/random.js';
import { expectReleased, listen, makePair, payload, SERVER } from './pair.js';

const SEEDS = 60;
/** Retransmission timeouts that end a subflow in these tests. */
const RETRIES = 6;
/** The last of them comes after (2^7 - 1) times the least timeout, and somewhat more on a long path. */
const WITHIN = seconds(120);

interface End {
  readonly bytes: Buffer;
  readonly error: string | undefined;
}

/** Reads until the end or the error. */
async function follow(socket: Socket): Promise<End> {
  const pieces: Buffer[] = [];
  let error: string | undefined;
  try {
    // The end of what comes must not end what is still being written.
    for await (const piece of socket.iterator({ destroyOnReturn: false })) pieces.push(piece);
  } catch (reason) {
    error = (reason as NodeJS.ErrnoException).code ?? String(reason);
  }
  return { bytes: Buffer.concat(pieces), error };
}

/**
 * A transfer both ways over a path that is cut at a random moment, for ever or for a while. Returns what was wrong, or
 * nothing: the bytes are a beginning of what was sent, and all of it unless the end learned of an error in time.
 */
async function broken(seed: number): Promise<string | undefined> {
  const random = new Random(seed, 'broken');
  const pair = makePair({
    seed,
    paths: 1 + (seed % 2),
    wire: { rate: megabits(random.between(2, 50)), delay: milliseconds(random.between(1, 40)), queue: 60_000 },
    config: {
      congestion: (['reno', 'cubic', 'lia'] as const)[random.between(0, 2)] ?? 'reno',
      mptcpEnabled: seed % 3 !== 0,
      sack: random.chance(0.8),
      timestamps: random.chance(0.8),
      retries: RETRIES,
      rtoMax: seconds(10),
      synRetries: 3,
      closeTimeout: seconds(20),
      keepaliveInterval: seconds(5),
      keepaliveCount: 5,
    },
  });
  const { network, client, server, wires } = pair;
  const forEver = random.chance(0.7);
  const cutAt = random.fraction() * 3;
  const sent = payload(random.between(1, 3_000_000), seed & 255);
  network.at(seconds(cutAt), () => {
    for (const wire of wires) wire.cut();
  });
  if (!forEver) {
    network.at(seconds(cutAt + random.fraction() * 4), () => {
      for (const wire of wires) wire.mend();
    });
  }
  try {
    const ends = await network.run(async () => {
      const listening = await listen(server, () => undefined);
      const accepted = once(listening, 'connection').then(([peer]: Socket[]) => {
        if (peer === undefined) throw new Error('no connection');
        // Its error is seen by the reader; so that writing has a listener, too.
        peer.on('error', () => undefined);
        peer.setKeepAlive(true, 1_000);
        peer.end(sent);
        return follow(peer);
      });
      const socket = client.connect(80, SERVER);
      socket.on('error', () => undefined);
      socket.setKeepAlive(true, 1_000);
      socket.end(sent);
      const ours = await follow(socket);
      const never: End = { bytes: Buffer.alloc(0), error: 'not accepted' };
      const theirs = await Promise.race([accepted, network.sleep(WITHIN).then(() => never)]);
      listening.close();
      return [ours, theirs];
    }, WITHIN * 4);
    for (const { bytes, error } of ends) {
      if (!sent.subarray(0, bytes.length).equals(bytes)) return 'the bytes are others';
      if (error === undefined && bytes.length !== sent.length)
        return `it ended early and without an error: ${bytes.length} of ${sent.length}, forEver ${forEver}, cut at ${cutAt}, ${JSON.stringify(ends.map((e) => [e.bytes.length, e.error]))}`;
    }
    for (const wire of wires) wire.mend();
    await expectReleased(pair);
    return undefined;
  } finally {
    network.close();
  }
}

describe('a path that is cut', () => {
  const step = 20;
  for (let first = 1; first <= SEEDS; first += step) {
    it(`ends in all bytes or an error at both ends: seeds ${first} to ${first + step - 1}`, {
      timeout: 120_000,
    }, async () => {
      const failures: string[] = [];
      for (let seed = first; seed < first + step; seed++) {
        const problem = await broken(seed).catch((error: unknown) => String(error));
        if (problem !== undefined) failures.push(`${seed}: ${problem}`);
      }
      expect(failures).toEqual([]);
    });
  }
});
