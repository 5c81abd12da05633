import { describe, expect, it } from 'vitest';
import { measurement, toJson } from '../../bench/record.js';
import { geometricMean, jainIndex, median, quantile, ratios, spread } from '../../bench/statistics.js';

describe('statistics', () => {
  it('finds the middle whatever the order', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(median([7])).toBe(7);
  });

  it('interpolates quantiles', () => {
    expect(quantile([10, 20, 30, 40, 50], 0.25)).toBe(20);
    expect(quantile([0, 10], 0.99)).toBeCloseTo(9.9);
    expect(quantile([5, 1], 0)).toBe(1);
    expect(quantile([5, 1], 1)).toBe(5);
  });

  it('measures spread by the quartiles, so that one stray value does not decide', () => {
    expect(spread([10, 10, 10, 10, 1000])).toBe(0);
    expect(spread([8, 9, 10, 11, 12])).toBeCloseTo(0.1);
    expect(spread([0, 0])).toBe(0);
  });

  it('compares round by round', () => {
    expect(ratios([10, 20, 30], [5, 5, 10])).toEqual([2, 4, 3]);
    expect(ratios([10, 20, 30], [5])).toEqual([2]);
  });

  it('averages ratios so that a gain and its inverse cancel out', () => {
    expect(geometricMean([2, 0.5])).toBeCloseTo(1);
  });

  it("knows Jain's index: 1 for equal shares, one over their number when one has all", () => {
    expect(jainIndex([5, 5, 5])).toBe(1);
    expect(jainIndex([9, 0, 0])).toBeCloseTo(1 / 3);
    expect(jainIndex([3, 1])).toBeCloseTo(16 / 20);
    expect(jainIndex([0, 0])).toBe(1);
    expect(() => jainIndex([])).toThrow(RangeError);
  });

  it('refuses what has no answer', () => {
    expect(() => median([])).toThrow(RangeError);
    expect(() => quantile([1], 1.5)).toThrow('from 0 to 1');
    expect(() => geometricMean([1, 0])).toThrow(RangeError);
    expect(() => geometricMean([])).toThrow(RangeError);
  });
});

describe('a measurement', () => {
  it('has the ratio of the rounds to the first peer', () => {
    const made = measurement({
      name: 'core/x',
      unit: 'Gbit/s',
      better: 'larger',
      ours: [10, 20, 30],
      peers: { first: [5, 20, 10], second: [1, 1, 1] },
    });
    expect(made).toMatchObject({ value: 20, ratio: 2, peers: { first: 10, second: 1 } });
  });

  it('turns the ratio round where less is better', () => {
    const made = measurement({ name: 'x/y', unit: 'ns', better: 'smaller', ours: [10, 10], peers: { them: [30, 30] } });
    expect(made.ratio).toBe(3);
  });

  it('has no ratio without a peer, in JSON null', () => {
    const made = measurement({ name: 'x/y', unit: 'ns', better: 'smaller', ours: [1] });
    expect(made.ratio).toBeUndefined();
    expect(toJson([made])).toEqual({
      'x/y': {
        value: 1,
        unit: 'ns',
        ratio: null,
        peers: {},
        better: 'smaller',
        spread: 0,
        ratioSpread: null,
        details: {},
      },
    });
  });
});
