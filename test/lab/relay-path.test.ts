import { describe, expect, it } from 'vitest';
import { RelayPath, tcpPayload, tcpPorts } from './relay-path.js';

const SHAPE = { rate: 12, rtt: 20, queue: 6000, loss: 0, seed: 1 };
/** Time of one packet of 1,500 bytes at 12 Mbit/s, and half the round trip, µs. */
const ONE = 1000;
const DELAY = 10_000;

/** An IPv4 packet of `length` bytes with a TCP header of 20. */
function packet(length: number, number = 0): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes[0] = 0x45;
  bytes[9] = 6;
  bytes.set([0x13, 0x88, 0x00, 0x50], 20);
  bytes[32] = 0x50;
  bytes[length - 1] = number;
  return bytes;
}

/** What arrives by `now`: the last byte of each packet. */
function arrived(path: RelayPath, now: number): { numbers: number[]; next: number } {
  const numbers: number[] = [];
  const next = path.deliver('right', now, (bytes) => numbers.push(bytes[bytes.length - 1] ?? 0));
  return { numbers, next };
}

describe('a path of the relay', () => {
  it('gives every packet its time on the line and the delay, however late it is asked', () => {
    const path = new RelayPath(SHAPE);
    for (const number of [1, 2, 3]) path.take('right', packet(1500, number), 0);
    expect(arrived(path, ONE + DELAY - 1)).toEqual({ numbers: [], next: ONE + DELAY });
    expect(arrived(path, ONE + DELAY)).toEqual({ numbers: [1], next: 2 * ONE + DELAY });
    expect(arrived(path, 5 * DELAY)).toEqual({ numbers: [2, 3], next: Number.POSITIVE_INFINITY });
    expect(path.statistics).toMatchObject({ forwarded: 3, latest: 5 * DELAY - (2 * ONE + DELAY) });
    // An idle line owes nothing: the next packet has the whole rate.
    path.take('right', packet(1500, 4), 6 * DELAY);
    expect(arrived(path, 6 * DELAY).next).toBe(7 * DELAY + ONE);
  });

  it('drops what finds the queue full, and has room again when packets have left', () => {
    const path = new RelayPath(SHAPE);
    for (let number = 1; number <= 6; number++) path.take('right', packet(1500, number), 0);
    expect(path.statistics.droppedByQueue).toBe(2);
    path.take('right', packet(1500, 7), 2 * ONE);
    path.take('right', packet(1500, 8), 2 * ONE);
    path.take('right', packet(1500, 9), 2 * ONE);
    expect(path.statistics.droppedByQueue).toBe(3);
    expect(arrived(path, 10 * DELAY).numbers).toEqual([1, 2, 3, 4, 7, 8]);
    // What was delivered before anybody looked at the queue is not counted in it.
    for (let number = 1; number <= 4; number++) path.take('right', packet(1500, number), 20 * DELAY);
    expect(path.statistics.droppedByQueue).toBe(3);
  });

  it('keeps the directions apart', () => {
    const path = new RelayPath(SHAPE);
    path.take('left', packet(1500), 0);
    expect(arrived(path, 10 * DELAY).numbers).toEqual([]);
    expect(path.deliver('left', 0, () => undefined)).toBe(ONE + DELAY);
  });

  it('loses the same data packets for the same seed, and never one without data', () => {
    const pattern = (seed: number, acks: number): number[] => {
      const path = new RelayPath({ ...SHAPE, queue: 1e6, loss: 0.2, seed });
      for (let number = 0; number < 100; number++) {
        path.take('right', packet(100, number), number);
        for (let ack = 0; ack < acks; ack++) path.take('left', packet(40), number);
      }
      const { numbers } = arrived(path, 1e9);
      expect(path.statistics.lost).toBe(100 - numbers.length);
      return numbers;
    };
    const first = pattern(1, 0);
    expect(first.length).toBeGreaterThan(60);
    expect(first.length).toBeLessThan(95);
    expect(pattern(1, 3)).toEqual(first);
    expect(pattern(2, 0)).not.toEqual(first);
  });

  it('lets later packets overtake those it holds back, and holds the same ones for the same seed', () => {
    const order = (seed: number): number[] => {
      const path = new RelayPath({ ...SHAPE, queue: 1e6, reorder: { chance: 0.3, hold: 2.5 }, seed });
      for (let number = 0; number < 50; number++) path.take('right', packet(1500, number), 0);
      const { numbers } = arrived(path, 1e9);
      expect([...numbers].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, number) => number));
      expect(path.statistics.held).toBeGreaterThan(5);
      // A millisecond each: whoever is held back for 2.5 ms is overtaken by two.
      for (const [place, number] of numbers.entries()) expect(Math.abs(place - number)).toBeLessThanOrEqual(3);
      return numbers;
    };
    const first = order(1);
    expect(first).not.toEqual([...first].sort((a, b) => a - b));
    expect(order(1)).toEqual(first);
    expect(order(2)).not.toEqual(first);
    const path = new RelayPath({ ...SHAPE, reorder: { chance: 1, hold: 5 } });
    path.take('right', packet(1500, 1), 0);
    // An acknowledgment is not held back.
    path.take('right', packet(40, 2), 0);
    const ack = ONE + (40 / 1500) * ONE + DELAY;
    expect(arrived(path, ack).numbers).toEqual([2]);
    expect(arrived(path, ack).next).toBe(ONE + DELAY + 5000);
    expect(arrived(path, ONE + DELAY + 5000).numbers).toEqual([1]);
  });

  it('loses everything while it is cut, what is under way too', () => {
    const path = new RelayPath(SHAPE);
    path.take('right', packet(1500, 1), 0);
    path.mode = 'cut';
    path.take('right', packet(1500, 2), 0);
    expect(arrived(path, 2 * DELAY).numbers).toEqual([]);
    path.mode = 'open';
    path.take('right', packet(1500, 3), 2 * DELAY);
    expect(arrived(path, 9 * DELAY).numbers).toEqual([3]);
    expect(path.statistics.cut).toBe(2);
  });
});

describe('what the relay reads of a packet', () => {
  it('finds ports and payload of TCP over IPv4 and nothing in anything else', () => {
    expect(tcpPorts(packet(140))).toEqual({ source: 5000, destination: 80 });
    expect(tcpPayload(packet(140))).toBe(100);
    const short = packet(140).subarray(0, 30);
    const ipv6 = packet(140);
    ipv6[0] = 0x65;
    for (const bytes of [short, ipv6, new Uint8Array(0)]) {
      expect(tcpPorts(bytes)).toBeUndefined();
      expect(tcpPayload(bytes)).toBe(0);
    }
  });
});
