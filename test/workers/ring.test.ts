import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { createRing, RingConsumer, RingProducer } from '../../host/workers/ring.js';

const LEAST = 1 << 18;

/** A packet whose bytes tell its number. */
function packet(length: number, number: number): Uint8Array {
  return new Uint8Array(length).fill(number & 255);
}

describe('a ring of packets', () => {
  it('keeps packets whole and in order over its end', () => {
    const buffer = createRing(LEAST);
    const producer = new RingProducer(buffer, () => undefined);
    const consumer = new RingConsumer(buffer);
    let put = 0;
    let taken = 0;
    const lengths = [1, 7, 8, 9, 1500, 65600, 40, 64999];
    for (let round = 0; round < 500; round++) {
      for (let burst = round % 3; burst >= 0; burst--) {
        const length = lengths[put % lengths.length] ?? 1;
        expect(producer.put(put % 5, packet(length, put))).toBe(true);
        put++;
      }
      consumer.take(3, (link, bytes) => {
        expect([link, bytes.length]).toEqual([taken % 5, lengths[taken % lengths.length]]);
        expect(bytes.every((byte) => byte === (taken & 255))).toBe(true);
        taken++;
      });
    }
    expect(taken).toBe(put);
  });

  it('takes a packet of any length when it is empty, wherever it begins', () => {
    const buffer = createRing(LEAST);
    const producer = new RingProducer(buffer, () => undefined);
    const consumer = new RingConsumer(buffer);
    for (let round = 0; round < 400; round++) {
      expect(producer.put(0, packet(8 * round + 1, round))).toBe(true);
      expect(producer.put(0, packet(65600, round))).toBe(true);
      expect(consumer.take(8, () => undefined)).toBe(2);
    }
  });

  it('refuses what it has no room for, and goes on when there is some', () => {
    const buffer = createRing(LEAST);
    const producer = new RingProducer(buffer, () => undefined);
    const consumer = new RingConsumer(buffer);
    let count = 0;
    while (producer.put(1, packet(1000, count))) count++;
    expect(count).toBe(Math.floor(LEAST / 1008));
    expect(consumer.take(2, () => undefined)).toBe(2);
    expect([producer.put(1, packet(1000, 0)), producer.put(1, packet(65601, 0))]).toEqual([true, false]);
    expect(producer.put(1, new Uint8Array(0))).toBe(false);
  });

  it('goes on when its positions wrap around', () => {
    const buffer = createRing(LEAST);
    new Int32Array(buffer, 0, 1).fill(-LEAST);
    new Int32Array(buffer, 64, 1).fill(-LEAST);
    const producer = new RingProducer(buffer, () => undefined);
    const consumer = new RingConsumer(buffer);
    let taken = 0;
    for (let number = 0; number < 1000; number++) {
      expect(producer.put(number, packet(1000, number))).toBe(true);
      consumer.take(1, (link, bytes) => {
        expect([link, bytes[0]]).toEqual([number, number & 255]);
        taken++;
      });
    }
    expect(taken).toBe(1000);
  });

  it('wakes a consumer that found it empty, once', () => {
    const buffer = createRing(LEAST);
    let wakes = 0;
    const producer = new RingProducer(buffer, () => wakes++);
    const consumer = new RingConsumer(buffer);
    producer.put(0, packet(10, 0));
    expect([consumer.take(1, () => undefined), wakes]).toEqual([1, 0]);
    producer.put(0, packet(10, 1));
    expect([consumer.take(8, () => undefined), wakes]).toEqual([1, 0]);
    producer.put(0, packet(10, 2));
    producer.put(0, packet(10, 3));
    expect(wakes).toBe(1);
    expect(consumer.take(8, () => undefined)).toBe(2);
  });

  it('gives a packet up when its taker fails', () => {
    const buffer = createRing(LEAST);
    const producer = new RingProducer(buffer, () => undefined);
    const consumer = new RingConsumer(buffer);
    producer.put(0, packet(10, 1));
    producer.put(0, packet(10, 2));
    expect(() =>
      consumer.take(8, () => {
        throw new Error('taker');
      }),
    ).toThrow('taker');
    const seen: unknown[] = [];
    consumer.take(8, (_link, bytes) => seen.push(bytes[0]));
    expect(seen).toEqual([2]);
  });

  it('has a capacity that is a power of two', () => {
    for (const capacity of [0, -1, LEAST - 8, LEAST + 8, LEAST / 2, Number.NaN, 2 ** 31]) {
      expect(() => createRing(capacity)).toThrow(/power of two of 262144 to 1073741824/);
    }
  });

  it('carries packets between threads, and none is lost or left asleep', async () => {
    const program = `
      import { parentPort, workerData } from 'node:worker_threads';
      const { RingProducer } = await import(workerData.ring);
      const producer = new RingProducer(workerData.buffer, () => parentPort.postMessage('wake'));
      for (let number = 0; number < workerData.count; ) {
        if (producer.put(number % 3, new Uint8Array((number % 1500) + 1).fill(number & 255))) number++;
        else await new Promise((resolve) => setTimeout(resolve, 1));
        if (number % 997 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    `;
    const buffer = createRing(LEAST);
    const consumer = new RingConsumer(buffer);
    const count = 20_000;
    let taken = 0;
    let wrong = 0;
    const drain = (): void => {
      consumer.take(Number.MAX_SAFE_INTEGER, (link, bytes) => {
        const right = link === taken % 3 && bytes.length === (taken % 1500) + 1 && bytes.at(-1) === (taken & 255);
        if (!right) wrong++;
        taken++;
      });
    };
    drain();
    const ring = new URL('../../build/host/workers/ring.js', import.meta.url).href;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`), {
      workerData: { buffer, ring, count },
    });
    worker.on('message', drain);
    await once(worker, 'exit');
    expect([taken, wrong]).toEqual([count, 0]);
  });
});
