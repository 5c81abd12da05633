import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { megabits, milliseconds, Network, seconds } from '../../host/sim/network.js';

describe('a simulated network', () => {
  it('runs application code on its own time, far faster than real time', async () => {
    const network = new Network();
    const seen: [string, number][] = [];
    const started = performance.now();
    const result = await network.run(async () => {
      await network.sleep(seconds(3600));
      seen.push(['slept', network.now]);
      network.at(network.now + 5, () => seen.push(['at', network.now]));
      const forget = network.at(network.now + 6, () => seen.push(['forgotten', network.now]));
      forget();
      await network.sleep(10);
      return 'done';
    });
    expect(result).toBe('done');
    expect(seen).toEqual([
      ['slept', 3_600_000_000],
      ['at', 3_600_000_005],
    ]);
    expect(network.now).toBe(3_600_000_010);
    expect(performance.now() - started).toBeLessThan(1000);
  });

  it('lets the application finish what it can do before time goes on', async () => {
    const network = new Network({ start: 1000 });
    const times: number[] = [];
    network.at(2000, () => undefined);
    await network.run(async () => {
      await network.sleep(500);
      // Streams, promises and immediates take turns of the event loop, and no time.
      for await (const _ of Readable.from(['a', 'b', 'c'])) times.push(network.now);
      await new Promise((resolve) => setImmediate(() => process.nextTick(resolve)));
      times.push(network.now);
      await network.sleep(1);
      times.push(network.now);
    });
    expect(times).toEqual([1500, 1500, 1500, 1500, 1501]);
  });

  it('stands still for work outside of it', async () => {
    const network = new Network();
    let other = 0;
    network.at(50, () => {
      other = network.now;
    });
    await network.run(async () => {
      await network.sleep(10);
      await network.outside(readFile(new URL(import.meta.url)));
      await network.outside(new Promise((resolve) => setTimeout(resolve, 30)));
      expect([network.now, other]).toEqual([10, 0]);
      await network.sleep(100);
      expect(other).toBe(50);
      await expect(network.outside(Promise.reject(new Error('outside')))).rejects.toThrow('outside');
    });
  });

  it('says so when the application waits for ever, or too long', async () => {
    const network = new Network();
    await expect(network.run(new Promise(() => undefined))).rejects.toThrow(/EDEADLK.*still waits/);
    await expect(network.run(() => network.sleep(1000), 500)).rejects.toThrow(/ETIME.*after 500 µs/);
    await expect(network.run(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    const running = network.run(() => network.sleep(10));
    await expect(network.run(() => network.sleep(10))).rejects.toThrow(/EALREADY/);
    await running;
  });

  it('notices when time stands still', async () => {
    const network = new Network();
    const again = (): void => {
      network.clock.schedule(network.now, again);
    };
    again();
    await expect(network.advance(1)).rejects.toThrow(/ELOOP.*at 0 µs/);
  });

  it('moves to a time', async () => {
    const network = new Network();
    let count = 0;
    const tick = (): void => {
      count++;
      network.at(network.now + 100, tick);
    };
    tick();
    await network.runUntil(1050);
    expect([network.now, count]).toEqual([1050, 11]);
    await network.advance(50);
    expect([network.now, count]).toEqual([1100, 12]);
  });

  it('can keep to real time', async () => {
    const network = new Network({ realtime: true });
    const started = performance.now();
    const times: number[] = [];
    await network.run(async () => {
      for (let index = 0; index < 5; index++) {
        await network.sleep(milliseconds(20));
        times.push(network.now);
      }
    });
    expect(times).toEqual([20, 40, 60, 80, 100].map(milliseconds));
    expect(performance.now() - started).toBeGreaterThanOrEqual(95);
    await network.advance(milliseconds(30));
    expect(performance.now() - started).toBeGreaterThanOrEqual(125);
  });

  it('has rates in bytes per second and seeds that are integers', () => {
    expect(megabits(8)).toBe(1_000_000);
    expect(() => new Network({ seed: 1.5 })).toThrow(/seed is 1.5/);
    const first = new Network({ seed: 4 }).random('x').uint32();
    expect(new Network({ seed: 4 }).random('x').uint32()).toBe(first);
    expect(new Network({ seed: 5 }).random('x').uint32()).not.toBe(first);
  });
});
