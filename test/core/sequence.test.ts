import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openMemory } from './memory-module.js';

const { seqLt, seqLe, seqMax, seqMin, dsnLt, dsnLe, dsnExtend } = openMemory(1 << 20);
const M32 = 0xffff_ffff;
const M64 = (1n << 64n) - 1n;

describe('sequence numbers', () => {
  it.each([
    [0, 1],
    [M32, 0],
    [M32, 5],
    [0x7fff_ffff, 0x8000_0000],
    [0x8000_0000, M32],
    [0, 0x7fff_ffff],
    [0x8000_0001, 0],
    [0xffff_fff0, 0x7fff_ffef],
  ])('%i comes before %i (RFC 9293 section 3.4)', (a, b) => {
    expect(seqLt(a, b)).toBe(1);
    expect(seqLe(a, b)).toBe(1);
    expect(seqLt(b, a)).toBe(0);
    expect(seqLe(b, a)).toBe(0);
    expect(seqMax(a, b) >>> 0).toBe(b);
    expect(seqMin(a, b) >>> 0).toBe(a);
  });

  it('compare as distances below 2^31 do, wherever they begin', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: M32 }), fc.integer({ min: 1, max: 0x7fff_ffff }), (a, distance) => {
        const b = (a + distance) >>> 0;
        expect([seqLt(a, b), seqLe(a, b), seqLt(b, a), seqLe(b, a), seqLe(a, a), seqLt(a, a)]).toEqual([
          1, 1, 0, 0, 1, 0,
        ]);
      }),
    );
  });

  it('of data compare modulo 2^64 (RFC 8684 section 3.3.1)', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: M64 }), fc.bigInt({ min: 1n, max: (1n << 63n) - 1n }), (a, distance) => {
        const b = (a + distance) & M64;
        expect([dsnLt(a, b), dsnLe(a, b), dsnLt(b, a), dsnLe(b, a), dsnLe(a, a), dsnLt(a, a)]).toEqual([
          1, 1, 0, 0, 1, 0,
        ]);
      }),
    );
    expect(dsnLt(M64, 0n)).toBe(1);
  });

  it.each([
    [0xffff_fffe, 0x1_0000_0005n, 0xffff_fffen],
    [3, 0x1_ffff_fffdn, 0x2_0000_0003n],
    [0x8000_0000, 0x5_0000_0001n, 0x5_8000_0000n],
    [2, M64, 2n],
    [0xffff_ffff, 0n, M64],
  ])('extend %i near %i to %i', (low, near, wanted) => {
    expect(BigInt.asUintN(64, dsnExtend(low, near))).toBe(wanted);
  });

  it('extend to the nearest number with that lower half', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: M64 }),
        fc.bigInt({ min: -0x8000_0000n, max: 0x7fff_ffffn }),
        (near, distance) => {
          const wanted = BigInt.asUintN(64, near + distance);
          const found = BigInt.asUintN(64, dsnExtend(Number(wanted & 0xffff_ffffn), near));
          expect(found).toBe(wanted);
        },
      ),
    );
  });
});
