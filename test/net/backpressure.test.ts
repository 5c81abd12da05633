import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, expect, it } from 'vitest';
import type { Socket } from '../../host/net/socket.js';
import { megabits, milliseconds, seconds } from '../../host/sim/network.js';
import { listen, payload, readAll, SERVER, withPair } from './pair.js';

const BUFFER = 256 * 1024;
const CONFIG = { sendBuffer: BUFFER, receiveBuffer: BUFFER, sendBufferMax: BUFFER, receiveBufferMax: BUFFER };
/** Bytes that may be on their way besides the core's two buffers: the streams' own, and a chunk on top of each. */
const STREAMS = 4 * 65536 + 2 * 65536;

describe.each([1, 2])('back-pressure over %i path(s)', (paths) => {
  it('stops a fast writer at a slow reader, in bounded memory', async () => {
    await withPair({ paths, config: CONFIG, wire: { rate: megabits(100) } }, async ({ client, server, network }) => {
      const size = 4_000_000;
      const data = payload(size);
      let produced = 0;
      const source = new Readable({
        read() {
          const chunk = data.subarray(produced, produced + 16384);
          produced += chunk.length;
          this.push(chunk.length > 0 ? chunk : null);
        },
      });
      const listening = await listen(server, (peer) => {
        pipeline(source, peer).catch((error: unknown) => peer.emit('failed', error));
      });
      const socket = client.connect(80, SERVER);
      await once(socket, 'connect');
      const empty = [client, server].map((stack) => stack.pools().pagesFree);
      const received: Buffer[] = [];
      let consumed = 0;
      let most = 0;
      // Nobody reads for a while: the writer comes to a halt.
      await network.sleep(seconds(3));
      const halted = produced;
      await network.sleep(seconds(3));
      expect(produced).toBe(halted);
      expect(halted).toBeLessThanOrEqual(2 * BUFFER + STREAMS);
      while (consumed < size) {
        const chunk = socket.read() as Buffer | null;
        if (chunk !== null) {
          received.push(chunk);
          consumed += chunk.length;
        }
        most = Math.max(most, produced - consumed);
        await network.sleep(milliseconds(20));
      }
      expect(most).toBeLessThanOrEqual(2 * BUFFER + STREAMS);
      expect(Buffer.concat(received).equals(data)).toBe(true);
      socket.resume();
      if (!socket.closed) await once(socket, 'close');
      for (const [index, stack] of [client, server].entries()) {
        expect((empty[index] ?? 0) - stack.pools().pagesFree).toBeLessThan(64);
      }
      listening.close();
    });
  });

  it('lets a fast reader wait for a slow writer', async () => {
    await withPair({ paths, config: CONFIG }, async ({ client, server, network }) => {
      const data = payload(200_000);
      const listening = await listen(server, async (peer) => {
        for (let at = 0; at < data.length; at += 5000) {
          peer.write(data.subarray(at, at + 5000));
          await network.sleep(milliseconds(50));
        }
        peer.end();
      });
      const socket = client.connect(80, SERVER);
      const gaps: number[] = [];
      let last = network.now;
      socket.on('data', () => {
        gaps.push(network.now - last);
        last = network.now;
      });
      expect((await readAll(socket)).equals(data)).toBe(true);
      expect(gaps.length).toBeGreaterThan(30);
      listening.close();
    });
  });

  it('tells a writer when to go on', async () => {
    await withPair({ paths, config: CONFIG, wire: { rate: megabits(20) } }, async ({ client, server }) => {
      const data = payload(3_000_000);
      const listening = await listen(server, (peer) => {
        readAll(peer).then((bytes) => peer.emit('all', bytes));
      });
      const socket = client.connect(80, SERVER);
      const [peer] = (await once(listening, 'connection')) as [Socket];
      const all = once(peer, 'all');
      let waits = 0;
      for (let at = 0; at < data.length; at += 50_000) {
        if (!socket.write(data.subarray(at, at + 50_000))) {
          waits++;
          await once(socket, 'drain');
          expect(socket.writableLength).toBe(0);
        }
      }
      socket.end();
      socket.resume();
      expect(((await all)[0] as Buffer).equals(data)).toBe(true);
      expect(waits).toBeGreaterThan(10);
      listening.close();
    });
  });

  it('holds more data than any buffer in one write', async () => {
    await withPair({ paths, config: CONFIG, wire: { rate: megabits(200) } }, async ({ client, server }) => {
      const data = payload(5_000_000);
      const listening = await listen(server, (peer) => peer.end(data));
      const socket = client.connect(80, SERVER);
      expect((await readAll(socket)).equals(data)).toBe(true);
      listening.close();
    });
  });
});
