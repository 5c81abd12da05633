import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { halves } from './addresses.js';
import { VARIANTS, Wire } from './module.js';

/** The checksum of RFC 1071 in the plainest way: 16-bit big-endian words, carries added back, complemented. */
function naive(data: Uint8Array): number {
  let sum = 0;
  for (let index = 0; index < data.length; index += 2) {
    sum += ((data[index] ?? 0) << 8) | (data[index + 1] ?? 0);
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return sum ^ 0xffff;
}

function bigEndian(value: bigint, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, index) => Number((value >> BigInt(8 * (bytes - 1 - index))) & 255n));
}

describe.each(VARIANTS)('checksum (%s)', (variant) => {
  const wire = new Wire(variant);

  it('agrees with a plain sum for random bytes of any length and alignment', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.nat(17), (data, shift) => {
        const address = wire.put(data, wire.base + shift);
        expect(wire.x.checksumFold(wire.x.sumBytes(address, data.length, 0n))).toBe(naive(data));
      }),
      { numRuns: 2000 },
    );
  });

  it('agrees for every length up to 200 and reads no byte behind the data', () => {
    for (let length = 0; length <= 200; length++) {
      const data = Uint8Array.from({ length }, (_, index) => (index * 37 + length) & 255);
      const address = wire.putAtEnd(data);
      expect(wire.x.checksumFold(wire.x.sumBytes(address, length, 0n)), `${length} bytes`).toBe(naive(data));
    }
  });

  it.each([0x00, 0x01, 0x80, 0xff])('carries nothing away over 65,535 bytes of %i', (value) => {
    const data = new Uint8Array(65_535).fill(value);
    const address = wire.put(data);
    const sum = wire.x.sumBytes(address, data.length, 0n);
    expect(wire.x.checksumFold(sum)).toBe(naive(data));
    // As if a second packet as large had been summed before.
    expect(wire.x.checksumFold(wire.x.sumOddPiece(address, data.length, sum, true))).toBe(
      naive(Uint8Array.from([...data, ...data])),
    );
  });

  it('sums a gathered payload cut anywhere', () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 90 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(pieces, (parts) => {
        let sum = 0n;
        let offset = 0;
        for (const part of parts) {
          const address = wire.put(part, wire.base + 1000 + (offset & 3));
          sum = wire.x.sumOddPiece(address, part.length, sum, (offset & 1) !== 0);
          offset += part.length;
        }
        expect(wire.x.checksumFold(sum)).toBe(naive(Uint8Array.from(parts.flatMap((part) => [...part]))));
      }),
      { numRuns: 2000 },
    );
  });

  it('adds numbers as their bytes stand in a packet', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        fc.nat(0xffffffff),
        fc.nat(0xffff),
        (word64, word32, word16) => {
          const bytes = [...bigEndian(word64, 8), ...bigEndian(BigInt(word32), 4), ...bigEndian(BigInt(word16), 2)];
          const sum = wire.x.sumWord16(word16, wire.x.sumWord32(word32, wire.x.sumWord64(word64, 0n)));
          expect(wire.x.checksumFold(sum)).toBe(naive(Uint8Array.from(bytes)));
          expect(wire.x.checksumFoldPartial(sum)).toBe(naive(Uint8Array.from(bytes)) ^ 0xffff);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('adds the pseudo-header of either family', () => {
    const v4 = [halves('10.1.2.3'), halves('192.168.77.254')] as const;
    const v4Bytes = Uint8Array.from([10, 1, 2, 3, 192, 168, 77, 254, 0, 6, 0x12, 0x34]);
    const v4Sum = wire.x.sumPseudoHeader(v4[0].hi, v4[0].lo, v4[1].hi, v4[1].lo, 6, 0x1234, 0n);
    expect(wire.x.checksumFold(v4Sum)).toBe(naive(v4Bytes));

    const v6 = [halves('fd00:1::2'), halves('2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff')] as const;
    const v6Bytes = Uint8Array.from([
      ...v6.flatMap(({ hi, lo }) => [...bigEndian(hi, 8), ...bigEndian(lo, 8)]),
      ...[0, 0, 0xab, 0xcd, 0, 0, 0, 58],
    ]);
    const v6Sum = wire.x.sumPseudoHeader(v6[0].hi, v6[0].lo, v6[1].hi, v6[1].lo, 58, 0xabcd, 0n);
    expect(wire.x.checksumFold(v6Sum)).toBe(naive(v6Bytes));
  });
});
