import { describe, expect, it } from 'vitest';
import { MARKS, passes } from '../../bench/marks.js';
import { measurement } from '../../bench/record.js';
import { CELLS } from '../../bench/tcp/cells.js';
import { Bottleneck, megabits } from '../../bench/tcp/flows.js';
import { cubicGoodput, linkGoodput, mathisGoodput, theory } from '../../bench/tcp/theory.js';
import { milliseconds, seconds } from '../../host/sim/network.js';

const PATH = { rate: 50, rtt: 40, mtu: 1500, loss: 0.01 };

describe('what theory allows a flow', () => {
  it('is the payload of the link without loss', () => {
    expect(linkGoodput(PATH)).toBeCloseTo((50 * 1448) / 1500);
    expect(theory('reno', { ...PATH, loss: 0 })).toBe(linkGoodput(PATH));
  });

  it('is a window of √1.5/√p segments for Reno', () => {
    expect(mathisGoodput(PATH)).toBeCloseTo((12.247 * 1448 * 8) / 40_000, 3);
    expect(theory('reno', PATH)).toBe(mathisGoodput(PATH));
    expect(theory('reno', { ...PATH, rate: 1 })).toBe(linkGoodput({ ...PATH, rate: 1 }));
  });

  // RFC 9438 section 5.1, tables 1 and 2: average windows at a round trip of 0.1 s and of 0.01 s.
  it.each([
    [100, 1e-2, 12],
    [100, 1e-4, 187],
    [100, 1e-6, 5926],
  ])('is what the response function of CUBIC says: %d ms, loss %d', (rtt, loss, window) => {
    const path = { rate: 1e6, rtt, mtu: 1500, loss };
    const least = 1.2 / Math.sqrt(loss);
    const segments = (cubicGoodput(path) * rtt * 1000) / (1448 * 8);
    expect(Math.max(least, segments) / window).toBeCloseTo(1, 1);
  });

  it('lets CUBIC have no less than Reno', () => {
    expect(theory('cubic', PATH)).toBe(mathisGoodput(PATH));
  });
});

describe('the cells of the bench', () => {
  it('have names of their own, and every rule has cells', () => {
    const names = CELLS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const mark of MARKS.filter(({ text }) => text.startsWith('tcp:') && !text.includes('share'))) {
      expect(names.some((name) => mark.cases.test(name))).toBe(true);
    }
  });

  it('pass when they reach the rule, and not when they miss it', () => {
    const figure = (name: string, ours: number) =>
      measurement({ name, unit: 'Mbit/s', better: 'larger', ours: [ours], peers: { link: [100] } });
    expect(passes(figure('tcp/reno-100mbit-10ms-loss0', 96))).toBe(true);
    expect(passes(figure('tcp/reno-100mbit-10ms-loss0', 94))).toBe(false);
    expect(passes(figure('tcp/reno-100mbit-100ms-loss0-queue0.5', 94))).toBe(false);
    expect(passes(figure('tcp/reno-100mbit-10ms-loss0.1', 40))).toBeUndefined();
  });
});

describe('a simulated bottleneck', () => {
  it('carries a flow at the rate of its link, and the same again with the same seed', () => {
    const run = (seed: number): number => {
      const bed = new Bottleneck({
        seed,
        path: { rate: 10, rtt: 20, mtu: 1500, loss: 0.001 },
        queue: 1,
        config: { congestion: 'reno' },
      });
      try {
        const flow = bed.open();
        bed.advance(seconds(3));
        expect(flow.control().cwnd).toBeGreaterThan(0);
        return flow.received;
      } finally {
        bed.close();
      }
    };
    const first = run(1);
    expect(megabits(first, seconds(3))).toBeGreaterThan(5);
    expect(run(1)).toBe(first);
    expect(run(2)).not.toBe(first);
  });

  it('stands still while it is cut', () => {
    const path = { rate: 10, rtt: 20, mtu: 1500, loss: 0 };
    const bed = new Bottleneck({ seed: 1, path, queue: 1, config: { congestion: 'reno' } });
    try {
      const flow = bed.open();
      bed.advance(seconds(1));
      bed.cut = true;
      const before = flow.received;
      bed.advance(milliseconds(500));
      expect(flow.received).toBe(before);
      bed.cut = false;
      bed.advance(seconds(3));
      expect(flow.received).toBeGreaterThan(before);
    } finally {
      bed.close();
    }
  });
});
