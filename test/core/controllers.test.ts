import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  CONGESTION_BALIA,
  CONGESTION_CUBIC,
  CONGESTION_LIA,
  CONGESTION_OLIA,
  CONGESTION_RENO,
  CONGESTION_WVEGAS,
} from '../../host/abi.js';
import { VARIANTS } from './script.js';

/** The exports of assembly/testing/congestion.ts; subflows by number from 0, µs, bytes. A segment has 1,000. */
interface CongestionExports {
  open(controller: number): number;
  add(cwnd: number, srtt: number): number;
  acked(index: number, bytes: number, rtt: number): void;
  sent(index: number): void;
  congested(index: number, flight: number): void;
  penalise(index: number): number;
  choose(index: number, controller: number): void;
  rejoin(index: number): void;
  follow(controller: number): void;
  controllerOf(index: number): number;
  isOwn(index: number): number;
  cwndOf(index: number): number;
  setWindow(index: number, cwnd: number, ssthresh: number): void;
  ssthreshOf(index: number): number;
  setWeight(index: number, weight: number): void;
  turn(): number;
}

const FILES = { simd: 'testing-congestion.wasm', scalar: 'testing-congestion-scalar.wasm' } as const;
const RTT = 100_000;
const ENDLESS = 1 << 29;

describe.each(VARIANTS)('congestion controllers, each by its formula (%s)', (variant) => {
  const module = new WebAssembly.Module(readFileSync(new URL(`../../build/${FILES[variant]}`, import.meta.url)));

  const open = (controller: number, ...windows: number[]): CongestionExports => {
    const exports: unknown = new WebAssembly.Instance(module).exports;
    const bed = exports as CongestionExports;
    expect(bed.open(controller)).toBe(0);
    for (const cwnd of windows) expect(bed.add(cwnd, RTT)).toBeGreaterThanOrEqual(0);
    return bed;
  };
  /** By how much the window grows with `count` ACKs of a segment, while it is set back after each. */
  const growth = (bed: CongestionExports, index: number, count = 64): number => {
    const cwnd = bed.cwndOf(index);
    let sum = 0;
    for (let turn = 0; turn < count; turn++) {
      bed.acked(index, 1000, 0);
      sum += bed.cwndOf(index) - cwnd;
      bed.setWindow(index, cwnd, 1000);
    }
    return sum / count;
  };

  it('LIA: min(alpha × acked × mss / total, acked × mss / cwnd) (RFC 6356 section 3)', () => {
    // alpha is 1/2 for two alike: together they grow by half a segment in a round trip.
    expect(growth(open(CONGESTION_LIA, 10_000, 10_000), 0)).toBeCloseTo(25, 0);
    // One that has nearly all counts as if it were alone.
    const uneven = open(CONGESTION_LIA, 40_000, 1_000);
    expect(growth(uneven, 0)).toBeCloseTo((1e6 / 40_000) * (40 / 41) ** 2, 0);
    // Never faster than Reno, also on the smaller.
    expect(growth(uneven, 1)).toBeLessThan(1000);
  });

  it.each([CONGESTION_LIA, CONGESTION_OLIA, CONGESTION_BALIA])(
    '%i: as Reno with one subflow (RFC 6356 section 3)',
    (controller) => {
      const bed = open(controller, 10_000);
      for (let turn = 0; turn < 10; turn++) bed.acked(0, 1000, 0);
      expect(bed.cwndOf(0)).toBe(11_000);
      bed.congested(0, 10_000);
      expect(bed.ssthreshOf(0)).toBe(5_000);
      bed.congested(0, 1_000);
      expect(bed.ssthreshOf(0)).toBe(2_000);
    },
  );

  it.each([CONGESTION_LIA, CONGESTION_OLIA, CONGESTION_BALIA])('%i: slow start as ever', (controller) => {
    const bed = open(controller, 10_000, 10_000);
    bed.setWindow(0, 10_000, 100_000);
    for (let turn = 0; turn < 10; turn++) bed.acked(0, 1000, 0);
    expect(bed.cwndOf(0)).toBe(20_000);
  });

  it('OLIA: alpha moves the window from the largest path to a better one (draft-khalili, section 3)', () => {
    expect(growth(open(CONGESTION_OLIA, 10_000, 10_000), 0)).toBeCloseTo(25, 0);
    const bed = open(CONGESTION_OLIA, 20_000, 5_000);
    bed.acked(1, 1000, 0);
    // 1,000 × 1,000 × (5,000 / rtt² / (Σ)² + 1/2 / 5,000).
    expect(bed.cwndOf(1)).toBe(5_108);
    bed.acked(0, 500, 0);
    // Without alpha it would have been 15 more, with it 3.
    expect(bed.cwndOf(0) - 20_000).toBeLessThan(5);
  });

  it('OLIA: the bytes between losses tell which path is better', () => {
    const bed = open(CONGESTION_OLIA, 20_000, 5_000);
    // Both lost after 10,000 bytes, then the smaller delivers less.
    for (const index of [0, 1]) {
      for (let turn = 0; turn < 10; turn++) bed.acked(index, 1000, 0);
      bed.congested(index, 10_000);
    }
    for (let turn = 0; turn < 30; turn++) bed.acked(0, 1000, 0);
    bed.setWindow(0, 20_000, 1000);
    bed.setWindow(1, 5_000, 1000);
    // The best path has the largest window already: nothing moves.
    expect(growth(bed, 1, 4)).toBeCloseTo(8, 0);
  });

  it('BALIA: x_r / rtt / (Σx)² × (1 + alpha) / 2 × (4 + alpha) / 5, and less after a loss by alpha (draft-walid, section 3)', () => {
    expect(growth(open(CONGESTION_BALIA, 10_000, 10_000), 0)).toBeCloseTo(25, 0);
    const bed = open(CONGESTION_BALIA, 20_000, 5_000);
    expect(growth(bed, 1)).toBeCloseTo(32, 0);
    bed.congested(0, 20_000);
    expect(bed.ssthreshOf(0)).toBe(10_000);
    bed.setWindow(0, 20_000, 1000);
    bed.congested(1, 4_000);
    expect(bed.ssthreshOf(1)).toBe(1_000);
  });

  it.each([
    [CONGESTION_LIA, 2_000],
    [CONGESTION_OLIA, 1_000],
    [CONGESTION_BALIA, 1_000],
    [CONGESTION_RENO, 2_000],
  ])('%i: the least ssthresh with several subflows is %i', (controller, least) => {
    const bed = open(controller, 10_000, 10_000);
    bed.congested(0, 1_000);
    expect(bed.ssthreshOf(0)).toBe(least);
  });

  it('wVegas: a segment a round trip, until alpha of them stand in the queue (draft-xu, section 3)', () => {
    const bed = open(CONGESTION_WVEGAS, 20_000);
    const round = (rtt: number): void => {
      bed.sent(0);
      for (let count = Math.floor(bed.cwndOf(0) / 1000) + 1; count > 0; count--) bed.acked(0, 1000, rtt);
    };
    round(RTT);
    const begin = bed.cwndOf(0);
    for (let turn = 0; turn < 5; turn++) round(RTT);
    expect(bed.cwndOf(0) - begin).toBeGreaterThanOrEqual(4_000);
    expect(bed.cwndOf(0) - begin).toBeLessThanOrEqual(6_000);
    // Six segments queued are fewer than ten.
    const before = bed.cwndOf(0);
    round(RTT * 1.3);
    round(RTT * 1.3);
    expect(bed.cwndOf(0)).toBeGreaterThan(before);
    // Eighteen are more.
    const long = bed.cwndOf(0);
    for (let turn = 0; turn < 3; turn++) round(RTT * 3);
    expect(bed.cwndOf(0)).toBeLessThan(long);
    expect(bed.cwndOf(0)).toBeGreaterThanOrEqual(2_000);
  });

  it('wVegas: slow start ends by the queue', () => {
    const bed = open(CONGESTION_WVEGAS, 20_000);
    bed.setWindow(0, 20_000, ENDLESS);
    bed.acked(0, 1000, RTT);
    bed.sent(0);
    for (let turn = 0; turn < 30; turn++) bed.acked(0, 1000, RTT * 1.5);
    expect(bed.ssthreshOf(0)).toBeLessThan(ENDLESS);
    expect(bed.cwndOf(0)).toBeLessThan(50_000);
  });

  it('a subflow follows its connection until it has a controller of its own', () => {
    const bed = open(CONGESTION_LIA, 10_000, 10_000, 10_000);
    bed.choose(1, CONGESTION_CUBIC);
    expect([0, 1, 2].map((index) => bed.controllerOf(index))).toEqual([
      CONGESTION_LIA,
      CONGESTION_CUBIC,
      CONGESTION_LIA,
    ]);
    expect(bed.isOwn(1)).toBe(1);
    // It is a flow of its own now: the others couple two, not three.
    expect(growth(bed, 0)).toBeCloseTo(25, 0);
    bed.follow(CONGESTION_OLIA);
    expect([0, 1, 2].map((index) => bed.controllerOf(index))).toEqual([
      CONGESTION_OLIA,
      CONGESTION_CUBIC,
      CONGESTION_OLIA,
    ]);
    bed.rejoin(1);
    expect(bed.controllerOf(1)).toBe(CONGESTION_OLIA);
    expect(bed.isOwn(1)).toBe(0);
    // Windows stay through it all.
    expect(bed.cwndOf(1)).toBe(10_000);
  });

  it('a penalty halves the window, and the threshold where slow start is over (NSDI 2012)', () => {
    const bed = open(CONGESTION_LIA, 20_000);
    bed.setWindow(0, 20_000, ENDLESS);
    expect(bed.penalise(0)).toBe(1);
    expect([bed.cwndOf(0), bed.ssthreshOf(0)]).toEqual([10_000, ENDLESS]);
    bed.setWindow(0, 20_000, 15_000);
    bed.penalise(0);
    expect([bed.cwndOf(0), bed.ssthreshOf(0)]).toEqual([10_000, 7_500]);
    bed.setWindow(0, 1_000, 1_000);
    bed.penalise(0);
    expect([bed.cwndOf(0), bed.ssthreshOf(0)]).toEqual([1_000, 2_000]);
  });

  it('round-robin gives a subflow as many quanta as it weighs', () => {
    const bed = open(CONGESTION_LIA, 100_000, 100_000);
    bed.setWeight(0, 3);
    expect(Array.from({ length: 8 }, () => bed.turn())).toEqual([0, 0, 0, 1, 0, 0, 0, 1]);
  });
});
