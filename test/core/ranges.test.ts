import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openMemory } from './memory-module.js';

const SPACE = 200;

/** Byte by byte, what a set of ranges must be. */
class NaiveSet {
  readonly #bytes = new Set<number>();

  add(start: number, end: number): void {
    for (let at = start; at < end; at++) this.#bytes.add(at);
  }

  ranges(): [number, number][] {
    const found: [number, number][] = [];
    for (let at = 0; at <= 2 * SPACE; at++) {
      if (!this.#bytes.has(at)) continue;
      const last = found.at(-1);
      if (last !== undefined && last[1] === at) last[1] = at + 1;
      else found.push([at, at + 1]);
    }
    return found;
  }

  gapStart(from: number): number {
    let at = from;
    while (this.#bytes.has(at)) at++;
    return at;
  }

  /** Only asked from inside a gap. */
  gapEnd(from: number, limit: number): number {
    let at = from + 1;
    while (at < limit && !this.#bytes.has(at)) at++;
    return Math.min(at, limit);
  }

  takeFront(upTo: number): number {
    let reached = upTo;
    while (this.#bytes.has(reached)) reached++;
    for (const at of [...this.#bytes]) if (at < reached) this.#bytes.delete(at);
    return reached;
  }
}

const memory = openMemory(1 << 20);

function ranges(): [number, number][] {
  const found: [number, number][] = [];
  for (let at = memory.setHead(); at !== 0; at = memory.rangeNext(at)) {
    found.push([Number(memory.rangeStart(at)), Number(memory.rangeEnd(at))]);
  }
  return found;
}

function compare(naive: NaiveSet): void {
  expect(ranges()).toEqual(naive.ranges());
  expect(memory.setCount()).toBe(naive.ranges().length);
  expect(memory.rangesLive()).toBe(naive.ranges().length);
}

function add(naive: NaiveSet, start: number, end: number): void {
  naive.add(start, end);
  expect(memory.setAdd(BigInt(start), BigInt(end))).toBe(1);
  // RFC 2018 section 4: the block that holds the segment received last comes first.
  const holding = naive.ranges().find(([first, behind]) => first <= start && start < behind);
  expect(memory.setRecentStart()).toBe(BigInt(holding?.[0] ?? -1));
}

const piece = fc.tuple(fc.nat(SPACE - 20), fc.integer({ min: 1, max: 20 }));

describe('RangeSet', () => {
  it.each([
    ['in order', (a: number, b: number) => a - b],
    ['reversed', (a: number, b: number) => b - a],
  ])('joins pieces that come %s', (_, order) => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        memory.setClear();
        const naive = new NaiveSet();
        for (const [start, length] of [...pieces].sort((a, b) => order(a[0], b[0]))) add(naive, start, start + length);
        compare(naive);
      }),
      { numRuns: 100 },
    );
  });

  it('agrees with a set of bytes after any adding, asking and taking', () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ add: piece }) },
      { weight: 1, arbitrary: fc.record({ take: fc.nat(SPACE) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.array(fc.nat(SPACE), { maxLength: 10 }), (steps, questions) => {
        memory.setClear();
        const naive = new NaiveSet();
        let floor = 0;
        for (const each of steps) {
          if ('add' in each) {
            // What was taken never comes again: owners only add beyond what they passed on.
            const start = Math.max(each.add[0], floor + 1);
            add(naive, start, start + each.add[1]);
          } else {
            floor = Math.max(floor, each.take);
            const reached = naive.takeFront(floor);
            expect(memory.setTakeFront(BigInt(floor))).toBe(BigInt(reached));
            floor = reached;
          }
          compare(naive);
        }
        for (const question of questions) {
          const gap = naive.gapStart(question);
          expect(memory.setGapStart(BigInt(question))).toBe(BigInt(gap));
          for (const limit of [gap + 1, gap + 7, SPACE + 50]) {
            expect(memory.setGapEnd(BigInt(gap), BigInt(limit))).toBe(BigInt(naive.gapEnd(gap, limit)));
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('holds 64-bit offsets', () => {
    memory.setClear();
    const base = 1n << 40n;
    expect(memory.setAdd(base, base + 5n)).toBe(1);
    expect(memory.setAdd(base + 10n, base + 15n)).toBe(1);
    expect(memory.setGapStart(base)).toBe(base + 5n);
    expect(memory.setGapEnd(base + 5n, base + 100n)).toBe(base + 10n);
    expect(memory.setTakeFront(base)).toBe(base + 5n);
    expect(memory.setCount()).toBe(1);
  });

  it('stays as it was when no memory is left, and gives all back', () => {
    const small = openMemory(64 * 1024);
    let added = 0n;
    while (small.setAdd(added * 3n, added * 3n + 1n) === 1) added++;
    expect(added).toBeGreaterThan(500n);
    expect(small.setCount()).toBe(Number(added));
    // A piece that touches one known already needs no memory.
    expect(small.setAdd(1n, 2n)).toBe(1);
    expect(small.setCount()).toBe(Number(added));
    small.setClear();
    expect(small.rangesLive()).toBe(0);
    expect(small.setAdd(7n, 8n)).toBe(1);
  });
});
