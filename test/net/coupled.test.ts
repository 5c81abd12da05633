import { describe, expect, it } from 'vitest';
import { PathsBed, SharedBed } from '../../bench/schedulers/beds.js';
import type { CongestionName } from '../../host/abi.js';

const SEEDS = [1, 2, 3];
/** Its queue holds the product of rate and round-trip time. */
const BOTTLENECK = { rate: 10, delay: 15, queue: 25 };
const SETTLE = 10e6;
const MEASURED = 40e6;

/** Goodput of a connection with two subflows at a bottleneck, as a multiple of that of one plain TCP flow beside it. */
function share(seed: number, congestion: CongestionName): number {
  const bed = new SharedBed(seed, BOTTLENECK, { congestion }, { congestion: 'reno' });
  try {
    const plain = bed.plain();
    const multipath = bed.multipath();
    bed.advance(200_000);
    plain.start();
    multipath.start();
    bed.advance(SETTLE);
    const before = [multipath.received, plain.received];
    bed.advance(MEASURED);
    expect(multipath.info().subflows.length).toBe(2);
    const [ours = 0, theirs = 0] = before;
    expect(multipath.problem ?? plain.problem).toBeUndefined();
    return (multipath.received - ours) / (plain.received - theirs);
  } finally {
    bed.close();
  }
}

const mean = (values: readonly number[]): number => values.reduce((sum, each) => sum + each, 0) / values.length;

describe('two subflows at the bottleneck of one plain TCP flow (RFC 6356 section 2, goal 2)', () => {
  it.each(['lia', 'olia', 'balia', 'wvegas'] as const)('%s takes no more than 1.3 times as much', (congestion) => {
    const shares = SEEDS.map((seed) => share(seed, congestion));
    expect({ shares, fair: mean(shares) < 1.3 }).toEqual({ shares, fair: true });
  });

  it('reno, which is not coupled, takes about twice as much', () => {
    const shares = SEEDS.map((seed) => share(seed, 'reno'));
    expect({ shares, twice: mean(shares) > 1.6 && mean(shares) < 2.4 }).toEqual({ shares, twice: true });
  });
});

/** Bytes each of two subflows delivered, of paths of which the second loses more packets. */
function spread(seed: number, congestion: CongestionName): { better: number; worse: number } {
  const links = [
    { rate: 50, delay: 20, loss: 0.001 },
    { rate: 50, delay: 20, loss: 0.01 },
  ];
  const bed = new PathsBed(seed, links, { congestion });
  try {
    const flow = bed.open({ bytes: Number.POSITIVE_INFINITY });
    bed.advance(200_000);
    flow.start();
    bed.advance(40e6);
    const [better = 0, worse = 0] = flow.info().subflows.map(({ bytesAcked }) => bytesAcked);
    expect(flow.problem).toBeUndefined();
    return { better, worse };
  } finally {
    bed.close();
  }
}

describe('of two paths of which one loses more (RFC 6356 section 2, goals 1 and 3)', () => {
  it.each(['lia', 'olia', 'balia'] as const)('%s prefers the better, more than uncoupled flows do', (congestion) => {
    for (const seed of SEEDS) {
      const coupled = spread(seed, congestion);
      const apart = spread(seed, 'reno');
      const part = ({ better, worse }: { better: number; worse: number }): number => worse / (better + worse);
      expect({ seed, less: part(coupled) < 0.8 * part(apart) }).toEqual({ seed, less: true });
    }
  });

  it.each(['lia', 'olia', 'balia'] as const)('%s is as fast as one flow on the better path', (congestion) => {
    for (const seed of SEEDS) {
      const { better, worse } = spread(seed, congestion);
      const bed = new PathsBed(seed, [{ rate: 50, delay: 20, loss: 0.001 }], { congestion: 'reno' });
      const flow = bed.open({ bytes: Number.POSITIVE_INFINITY });
      bed.advance(200_000);
      flow.start();
      bed.advance(40e6);
      expect({ seed, enough: better + worse > 0.85 * flow.received }).toEqual({ seed, enough: true });
      bed.close();
    }
  });

  it('wVegas keeps to the path whose queue is short', () => {
    for (const seed of SEEDS) {
      const shared = new SharedBed(seed, { rate: 20, delay: 15, queue: 60 }, { congestion: 'wvegas' }, {});
      const flow = shared.multipath();
      shared.advance(200_000);
      flow.start();
      shared.advance(20e6);
      const before = flow.received;
      shared.advance(20e6);
      // Alone it fills the link, and keeps the queue by far shorter than losses would.
      const rate = ((flow.received - before) * 8) / 20e6;
      const { srtt, minRtt } = flow.info().subflows[0] ?? { srtt: 0, minRtt: 0 };
      expect({ seed, full: rate > 17, short: srtt < minRtt + 15_000 }).toEqual({ seed, full: true, short: true });
      shared.close();
    }
  });
});
