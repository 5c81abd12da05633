import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type MemoryExports, openMemory } from './memory-module.js';

const TIMERS = 12;

/** Runs the wheel to `now` and returns the timers that fired. */
function turn(wheel: MemoryExports, now: bigint): number[] {
  const fired: number[] = [];
  for (let timer = wheel.wheelPop(now); timer !== 0; timer = wheel.wheelPop(now)) fired.push(wheel.timerIndex(timer));
  return fired;
}

/** Goes from deadline to deadline, as a host does, and tells when each timer fired. */
function runTo(wheel: MemoryExports, until: bigint): Map<number, bigint> {
  const fired = new Map<number, bigint>();
  for (let steps = 0; steps < 10_000; steps++) {
    const next = wheel.wheelNext();
    if (next < 0n || next > until) {
      expect(turn(wheel, until)).toEqual([]);
      return fired;
    }
    for (const timer of turn(wheel, next)) fired.set(timer, next);
  }
  throw new Error('the wheel turns without getting on');
}

describe('timer wheel', () => {
  it('fires at the exact microsecond', () => {
    const wheel = openMemory(1 << 20, 1);
    for (const delay of [1n, 2n, 63n, 64n, 65n, 4_095n, 4_096n, 200_000n, 1_000_000n, 60_000_000n, 86_400_000_000n]) {
      const start = 1_234_567n * delay;
      turn(wheel, start);
      wheel.arm(0, start + delay);
      expect(turn(wheel, start + delay - 1n)).toEqual([]);
      expect(wheel.wheelNext()).toBeLessThanOrEqual(start + delay);
      expect(turn(wheel, start + delay)).toEqual([0]);
      expect(wheel.wheelNext()).toBe(-1n);
    }
  });

  it('fires a deadline in the past with the next microsecond', () => {
    const wheel = openMemory(1 << 20, 2);
    turn(wheel, 5_000n);
    wheel.arm(0, 3n);
    wheel.arm(1, 5_000n);
    expect(wheel.wheelNext()).toBeLessThanOrEqual(5_001n);
    expect(turn(wheel, 5_001n).sort()).toEqual([0, 1]);
  });

  it('holds deadlines of many years, and clocks that begin far from zero', () => {
    const year = 31_557_600_000_000n;
    for (const start of [0n, 1_700_000_000_000_000n, (1n << 48n) - 5n, (1n << 50n) - 1n]) {
      const wheel = openMemory(1 << 20, 3);
      turn(wheel, start);
      wheel.arm(0, start + 10n);
      wheel.arm(1, start + year);
      wheel.arm(2, start + 8n * year);
      expect(runTo(wheel, start + 8n * year)).toEqual(
        new Map([
          [0, start + 10n],
          [1, start + year],
          [2, start + 8n * year],
        ]),
      );
    }
  });

  it('agrees with a list of deadlines after any arming, moving, cancelling and turning', () => {
    const delay = fc.oneof(
      fc.integer({ min: -10, max: 200 }),
      fc.integer({ min: 0, max: 300_000 }),
      fc.integer({ min: 0, max: 2_000_000_000 }),
      fc.constantFrom(63, 64, 4_095, 4_096, 262_143, 262_144, 16_777_216),
    );
    const timer = fc.nat(TIMERS - 1);
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ arm: timer, delay }) },
      { weight: 1, arbitrary: fc.record({ cancel: timer }) },
      { weight: 2, arbitrary: fc.record({ turn: delay }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.bigInt({ min: 0n, max: 1n << 50n }), (steps, start) => {
        const wheel = openMemory(1 << 18, TIMERS);
        const naive = new Map<number, bigint>();
        let now = start;
        turn(wheel, now);
        for (const each of steps) {
          if ('arm' in each) {
            const deadline = now + BigInt(each.delay);
            wheel.arm(each.arm, deadline);
            naive.set(each.arm, deadline > now ? deadline : now + 1n);
          } else if ('cancel' in each) {
            wheel.cancel(each.cancel);
            naive.delete(each.cancel);
          } else if (each.turn > 0) {
            now += BigInt(each.turn);
            const due = [...naive].filter(([, deadline]) => deadline <= now);
            expect(runTo(wheel, now)).toEqual(new Map(due));
            for (const [fired] of due) naive.delete(fired);
          }
          expect(wheel.wheelArmed()).toBe(naive.size);
          const first = [...naive.values()].reduce((a, b) => (a < b ? a : b), 1n << 62n);
          const next = wheel.wheelNext();
          if (naive.size === 0) expect(next).toBe(-1n);
          else expect(next >= 0n && next <= first, `next ${next}, first deadline ${first}`).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('lets what fires cancel what is due at the same time', () => {
    const wheel = openMemory(1 << 20, 3);
    for (const timer of [0, 1, 2]) wheel.arm(timer, 100n);
    const first = wheel.timerIndex(wheel.wheelPop(100n));
    const other = (first + 1) % 3;
    wheel.cancel(other);
    expect(turn(wheel, 100n)).toEqual([3 - first - other]);
    expect(wheel.wheelArmed()).toBe(0);
  });
});
