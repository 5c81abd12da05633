import { describe, expect, it } from 'vitest';
import { Progress } from './multipath-bed.js';
import { timeAllowed } from './simult-flows.js';

describe('the figures of multipath flows', () => {
  it('allows what nine tenths of both rates need, and 450 ms', () => {
    expect(Math.round(timeAllowed(9e6, [10, 10]))).toBe(4450);
    expect(Math.round(timeAllowed(16_777_216, [10, 3]))).toBe(11922);
  });

  it('finds the longest time without bytes, that around the beginning and one without an end too', () => {
    const progress = new Progress([10, 0, 90, 100, 130]);
    expect(progress.longestGap(50, 200)).toBe(80);
    expect(progress.longestGap(95, 125)).toBe(25);
    expect(progress.longestGap(100, 500)).toBe(370);
    expect(new Progress([]).longestGap(100, 500)).toBe(500);
  });
});
