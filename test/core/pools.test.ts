import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openMemory } from './memory-module.js';

const PAGE = 16_384;

describe('pages', () => {
  it('hands out every page once, and again when it is free', () => {
    const memory = openMemory(20 * PAGE);
    const taken: number[] = [];
    for (let page = memory.pageTake(); page !== 0; page = memory.pageTake()) taken.push(page);
    expect(taken).toHaveLength(memory.pagesTotal());
    expect(new Set(taken).size).toBe(taken.length);
    expect(memory.pagesFree()).toBe(0);
    const last = Math.max(...taken) + PAGE;
    expect(last).toBeLessThanOrEqual(memory.memory.buffer.byteLength);
    for (const page of taken) memory.pageRelease(page);
    expect(memory.pagesFree()).toBe(memory.pagesTotal());
    expect(taken).toContain(memory.pageTake());
  });

  it('keeps a page until the last reference is released', () => {
    const memory = openMemory(20 * PAGE);
    const free = memory.pagesFree();
    const page = memory.pageTake();
    memory.pageRetain(page);
    memory.pageRelease(page);
    expect(memory.pagesFree()).toBe(free - 1);
    memory.pageRelease(page);
    expect(memory.pagesFree()).toBe(free);
  });
});

describe('pools', () => {
  it('find a live object by its handle only', () => {
    const memory = openMemory(20 * PAGE);
    const object = memory.take(0);
    const handle = memory.handleOf(object);
    expect(handle).toBeGreaterThan(0);
    expect(memory.poolFind(memory.pool(0), handle)).toBe(object);
    memory.free(0, object);
    expect(memory.poolFind(memory.pool(0), handle)).toBe(0);
    // The same place again has another generation.
    expect(memory.take(0)).toBe(object);
    expect(memory.handleOf(object)).not.toBe(handle);
    expect(memory.poolFind(memory.pool(0), handle)).toBe(0);
    expect(memory.poolFind(memory.pool(0), memory.handleOf(object))).toBe(object);
  });

  it('refuse handles of the other kind, of nothing and of what was never given out', () => {
    const memory = openMemory(20 * PAGE);
    const handles = [memory.handleOf(memory.take(0)), memory.handleOf(memory.take(1))];
    expect(memory.poolFind(memory.pool(1), handles[0] ?? 0)).toBe(0);
    expect(memory.poolFind(memory.pool(0), handles[1] ?? 0)).toBe(0);
    fc.assert(
      fc.property(fc.integer(), fc.nat(1), (handle, kind) => {
        if (!handles.includes(handle)) expect(memory.poolFind(memory.pool(kind), handle)).toBe(0);
      }),
      { numRuns: 2_000 },
    );
  });

  it('end at their limit and live on in what is given back', () => {
    const memory = openMemory(40 * PAGE);
    const taken: number[] = [];
    for (let object = memory.take(1); object !== 0; object = memory.take(1)) taken.push(object);
    // Two pages of five objects each, which is no power of two.
    expect(taken).toHaveLength(10);
    taken.forEach((object, index) => {
      expect(memory.poolAt(memory.pool(1), memory.handleOf(object) & 0xfffff)).toBe(object);
      expect(memory.handleOf(object) & 0xfffff).toBe(index);
    });
    const middle = taken[3] ?? 0;
    memory.free(1, middle);
    expect(memory.take(1)).toBe(middle);
    expect(memory.take(1)).toBe(0);
    expect(memory.poolAt(memory.pool(1), 10)).toBe(0);
  });

  it('never give a stale handle another object in many rounds of use', () => {
    const memory = openMemory(20 * PAGE);
    const seen = new Set<number>();
    for (let round = 0; round < 1_023; round++) {
      const object = memory.take(0);
      const handle = memory.handleOf(object);
      expect(seen.has(handle)).toBe(false);
      seen.add(handle);
      memory.free(0, object);
    }
    for (const handle of seen) expect(memory.poolFind(memory.pool(0), handle)).toBe(0);
  });

  it('say no when the budget has no page left', () => {
    const memory = openMemory(20 * PAGE);
    while (memory.pageTake() !== 0);
    expect(memory.take(0)).toBe(0);
    expect(memory.setAdd(1n, 2n)).toBe(0);
    expect(memory.mapOpen(0n, 1, 0, 0)).toBe(0);
  });
});

describe('DataMap', () => {
  it('holds its pages by reference and gives all of them back', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 65_535 }),
        fc.nat(PAGE),
        fc.array(fc.integer({ min: 1, max: 30_000 }), { maxLength: 4 }),
        fc.boolean(),
        (length, offset, trims, ownerFirst) => {
          const memory = openMemory(32 * PAGE);
          // The pool of maps takes a page of its own.
          expect(memory.mapOpen(0n, 1, memory.chain(1), 0)).toBe(1);
          memory.mapClose();
          const free = memory.pagesFree();
          const first = memory.chain(6);
          expect(memory.mapOpen(1_000n, length, first, offset)).toBe(1);
          if (ownerFirst) memory.chainRelease(first, 6);
          let left = length;
          let dropped = 0;
          for (const trim of trims) {
            if (trim > left) break;
            memory.mapTrim(trim);
            left -= trim;
            dropped += trim;
            expect(memory.mapDsn()).toBe(1_000n + BigInt(dropped));
            if (left > 0) {
              expect(memory.mapOffset()).toBe((offset + dropped) % PAGE);
              if (!ownerFirst) expect(memory.mapPage()).toBe(memory.positionPage(first, offset + dropped));
            }
          }
          memory.mapClose();
          if (!ownerFirst) memory.chainRelease(first, 6);
          expect(memory.pagesFree()).toBe(free);
          expect(memory.mapsLive()).toBe(0);
        },
      ),
      { numRuns: 300 },
    );
  });
});
