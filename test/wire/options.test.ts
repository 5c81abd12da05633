import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { halves } from './addresses.js';
import { OPTION, SUBTYPE, VARIANTS, Wire } from './module.js';
import { walkOptions } from './option-area.js';

/** Lengths the Multipath TCP subtypes have; those of DSS and ADD_ADDR depend on their flags. */
const CAPABLE_LENGTHS = [4, 12, 20, 22, 24];
const JOIN_LENGTHS = [12, 16, 24];
const ECHO_LENGTHS = [8, 10, 20, 22];
const ANNOUNCE_LENGTHS = [16, 18, 28, 30];
/** Of version 0, by the address family in the third byte. */
const ANNOUNCE_V0_LENGTHS: Record<number, number[]> = { 4: [8, 10], 6: [20, 22] };

/** Whether an option of this subtype, this length and these third and fourth bytes is one of RFC 8684 or RFC 6824 section 3. */
function allowed(length: number, third: number, fourth: number): boolean {
  switch (third >> 4) {
    case SUBTYPE.capable:
      return CAPABLE_LENGTHS.includes(length);
    case SUBTYPE.join:
      return JOIN_LENGTHS.includes(length);
    case SUBTYPE.dss: {
      const ack = (fourth & 1) === 0 ? 0 : (fourth & 2) === 0 ? 4 : 8;
      if ((fourth & 4) === 0) return length === 4 + ack;
      const fields = 4 + ack + ((fourth & 8) === 0 ? 4 : 8) + 6;
      return length === fields || length === fields + 2;
    }
    case SUBTYPE.addAddr:
      if ((third & 1) === 1) return ECHO_LENGTHS.includes(length);
      return ANNOUNCE_LENGTHS.includes(length) || (ANNOUNCE_V0_LENGTHS[third & 15]?.includes(length) ?? false);
    case SUBTYPE.removeAddr:
      return length >= 4;
    case SUBTYPE.prio:
      return length === 3 || length === 4;
    case SUBTYPE.fail:
    case SUBTYPE.fastclose:
      return length === 12;
    case SUBTYPE.rst:
      return length === 4;
    default:
      return false;
  }
}

describe.each(VARIANTS)('TCP options (%s)', (variant) => {
  const wire = new Wire(variant);
  /** The result with the area at the end of memory, where a read behind it traps. */
  const parse = (...area: number[]): boolean =>
    wire.x.parseOptions(wire.putAtEnd(Uint8Array.from(area)), area.length) === 1;

  it('reads options up to the end mark', () => {
    expect(parse()).toBe(true);
    expect(wire.options()).toMatchObject({ present: 0, mptcp: 0, sackCount: 0, mss: 0 });
    expect(parse(1, 1, 1, 2, 4, 5, 0xb4, 0, 3, 3, 7)).toBe(true);
    expect(wire.options()).toMatchObject({ present: OPTION.mss, mss: 1460 });
  });

  it('reads a window scale above 14 as 14', () => {
    for (const [shift, scale] of [
      [0, 0],
      [14, 14],
      [15, 14],
      [255, 14],
    ] as const) {
      expect(parse(3, 3, shift)).toBe(true);
      expect(wire.options()).toMatchObject({ present: OPTION.windowScale, windowScale: scale });
    }
  });

  it('reads one to four SACK blocks', () => {
    for (let blocks = 1; blocks <= 4; blocks++) {
      const edges = Array.from({ length: 8 * blocks }, (_, index) => index + 1);
      expect(parse(5, 2 + 8 * blocks, ...edges)).toBe(true);
      expect(wire.options()).toMatchObject({ present: OPTION.sack, sackCount: blocks, sack0Left: 0x01020304 });
      expect(wire.x.sackRight(blocks - 1) >>> 0).toBe(Buffer.from(edges).readUInt32BE(8 * blocks - 4));
    }
  });

  it('takes the first of two options of a kind', () => {
    expect(parse(2, 4, 0, 1, 2, 4, 0, 2, 3, 3, 1, 3, 3, 2)).toBe(true);
    expect(wire.options()).toMatchObject({ mss: 1, windowScale: 1 });
    expect(parse(30, 4, 0x01, 1, 30, 4, 0x01, 2, 30, 4, 0x81, 5, 30, 4, 0x82, 6)).toBe(true);
    expect(wire.options()).toMatchObject({ mptcp: 0x101, capableFlags: 1, rstFlags: 1, rstReason: 5 });
  });

  it('forgets the segment before', () => {
    expect(parse(2, 4, 5, 180, 3, 3, 9, 30, 4, 0x01, 0x81)).toBe(true);
    expect(parse(5, 10, 1, 2, 3, 4, 5, 6, 7, 8, 30, 8, 0x20, 1, 0, 0, 0, 9)).toBe(true);
    expect(parse(1, 1)).toBe(true);
    const { present, mptcp, mss, windowScale, sackCount, capableLength, joinLength, dssFlags } = wire.options();
    expect([present, mptcp, mss, windowScale, sackCount, capableLength, joinLength, dssFlags]).toEqual(
      new Array(8).fill(0),
    );
  });

  it('stops at a malformed option and keeps what came before', () => {
    const timestamps = [8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
    const lengths: Record<number, number[]> = { 2: [4], 3: [3], 4: [2], 5: [10, 18, 26, 34], 8: [10] };
    for (const kind of [2, 3, 4, 5, 8, 30, 99]) {
      for (let length = 0; length <= 40; length++) {
        const good = length >= 2 && (lengths[kind]?.includes(length) ?? true);
        const value = new Array<number>(Math.max(length - 2, 0)).fill(0);
        expect(parse(...timestamps, kind, length, ...value), `kind ${kind} length ${length}`).toBe(good);
        expect(wire.options()).toMatchObject({ tsVal: 1, tsEcr: 2 });
        expect(wire.options().present & OPTION.timestamps).toBe(OPTION.timestamps);
        // The same option with its last byte cut off, and with nothing behind its kind.
        if (length > 2) expect(parse(...timestamps, kind, length, ...value.slice(1))).toBe(false);
        expect(parse(...timestamps, kind)).toBe(false);
      }
    }
  });

  it('takes a Multipath TCP option of the right length only, and skips any other', () => {
    let taken = 0;
    for (let third = 0; third < 256; third++) {
      for (const fourth of [0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x07, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x15, 0x1f, 0xff]) {
        for (let length = 3; length <= 37; length++) {
          const option = [30, length, third, fourth, ...new Array<number>(33).fill(0)].slice(0, length);
          expect(parse(...option, 3, 3, 5)).toBe(true);
          const good = allowed(length, third, length > 3 ? fourth : 0);
          const { mptcp, windowScale } = wire.options();
          if (mptcp !== (good ? 1 << (third >> 4) : 0) || windowScale !== 5) {
            expect.fail(`subtype byte ${third}, flags ${fourth}, length ${length}: mptcp ${mptcp}`);
          }
          taken += good ? 1 : 0;
        }
      }
    }
    expect(taken).toBeGreaterThan(10_000);
    expect(parse(30, 2, 3, 3, 5)).toBe(true);
    expect(wire.options()).toMatchObject({ mptcp: 0, windowScale: 5 });
  });

  const u16 = fc.nat(0xffff);
  const u32 = fc.nat(0xffffffff);
  const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  const byte = fc.nat(255);
  /** Parses what a writer wrote, checks its padding, and gives the decoded fields. */
  const readBack = (bytes: number): ReturnType<Wire['options']> => {
    expect(bytes % 4).toBe(0);
    const area = wire.get(wire.base, bytes);
    expect(walkOptions(area)).toHaveLength(1);
    expect(parse(...area)).toBe(true);
    return wire.options();
  };

  it('reads back what it wrote: DSS of all forms', () => {
    fc.assert(
      fc.property(fc.nat(31), u64, u64, u32, u16, u16, fc.boolean(), (flags, ack, dsn, ssn, length, sum, with_) => {
        const bytes = wire.x.writeDss(wire.base, flags, ack, dsn, ssn, length, sum, with_);
        expect(wire.x.dssLength(flags, with_)).toBe(bytes);
        const map = (flags & 4) !== 0;
        expect(readBack(bytes)).toMatchObject({
          mptcp: 1 << SUBTYPE.dss,
          dssFlags: flags,
          dssAck: (flags & 1) === 0 ? 0n : (flags & 2) === 0 ? ack & 0xffffffffn : ack,
          dssDsn: map ? ((flags & 8) === 0 ? dsn & 0xffffffffn : dsn) : 0n,
          dssSsn: map ? ssn : 0,
          dssLength: map ? length : 0,
          dssHasChecksum: map && with_ ? 1 : 0,
          dssChecksum: map && with_ ? sum : 0,
        });
      }),
    );
  });

  const address = fc.oneof(
    u32.map((low) => ({ hi: 0n, lo: 0xffff_0000_0000n | BigInt(low) })),
    fc.record({ hi: u64.map((hi) => hi | 1n), lo: u64 }),
  );

  it('reads back what it wrote: ADD_ADDR of version 0 (RFC 6824 section 3.4.1)', () => {
    fc.assert(
      fc.property(byte, address, u16, (id, { hi, lo }, port) => {
        const bytes = wire.x.writeAddAddrV0(wire.base, id, hi, lo, port);
        expect(readBack(bytes)).toMatchObject({
          mptcp: 1 << SUBTYPE.addAddr,
          addVersion: 0,
          addEcho: 0,
          addId: id,
          addHi: hi,
          addLo: lo,
          addPort: port,
          addHasHmac: 0,
          addHmac: 0n,
        });
      }),
    );
    expect(wire.x.writeAddAddrV0(wire.base, 7, 0n, 0xffff_0a01_0203n, 0x1f90)).toBe(12);
    expect([...wire.get(wire.base, 12)]).toEqual([30, 10, 0x34, 7, 10, 1, 2, 3, 0x1f, 0x90, 1, 1]);
    expect(wire.x.writeAddAddrV0(wire.base, 8, 0xfd00n << 48n, 1n, 0)).toBe(20);
    expect([...wire.get(wire.base, 6)]).toEqual([30, 20, 0x36, 8, 0xfd, 0]);
  });

  it('writes MP_CAPABLE of version 0 as RFC 6824 figure 4 draws it', () => {
    const { x, base } = wire;
    const key = [1, 2, 3, 4, 5, 6, 7, 8];
    const other = [9, 10, 11, 12, 13, 14, 15, 16];
    expect(x.writeCapableSyn(base, 0, 0x81, 0x0102030405060708n)).toBe(12);
    expect([...wire.get(base, 12)]).toEqual([30, 12, 0x00, 0x81, ...key]);
    expect(x.writeCapableSynAck(base, 0, 0x01, 0x0102030405060708n)).toBe(12);
    expect([...wire.get(base, 12)]).toEqual([30, 12, 0x00, 0x01, ...key]);
    expect(x.writeCapableAck(base, 0, 0x01, 0x0102030405060708n, 0x090a0b0c0d0e0f10n)).toBe(20);
    expect([...wire.get(base, 20)]).toEqual([30, 20, 0x00, 0x01, ...key, ...other]);
  });

  it('reads back what it wrote: ADD_ADDR of all forms', () => {
    fc.assert(
      fc.property(fc.boolean(), byte, address, u16, u64, (echo, id, { hi, lo }, port, hmac) => {
        const bytes = wire.x.writeAddAddr(wire.base, echo, id, hi, lo, port, hmac);
        expect(readBack(bytes)).toMatchObject({
          mptcp: 1 << SUBTYPE.addAddr,
          addVersion: 1,
          addEcho: echo ? 1 : 0,
          addId: id,
          addHi: hi,
          addLo: lo,
          addPort: port,
          addHasHmac: echo ? 0 : 1,
          addHmac: echo ? 0n : hmac,
        });
      }),
    );
  });

  it('reads Fast Open cookies of 4 to 16 bytes, and what asks for one (RFC 7413 section 4.1.1)', () => {
    for (let length = 0; length <= 38; length++) {
      const cookie = Array.from({ length }, (_, index) => index + 1);
      const known = length === 0 || (length >= 4 && length <= 16 && length % 2 === 0);
      expect(parse(34, 2 + length, ...cookie)).toBe(true);
      const { present, fastOpenLength, fastOpenCookie } = wire.options();
      expect(present).toBe(known ? OPTION.fastOpen : 0);
      if (!known) continue;
      expect([...wire.get(fastOpenCookie, fastOpenLength)]).toEqual(cookie);
      const { x, base } = wire;
      const whole = x.writeFastOpen(base, wire.put(Uint8Array.from(cookie), base + 64), length);
      expect([...wire.get(base, whole)]).toEqual([34, 2 + length, ...cookie, ...[1, 1].slice(0, whole - 2 - length)]);
      expect(whole % 4).toBe(0);
    }
  });

  it('writes SACK-permitted and timestamps in 12 bytes (RFC 2018, RFC 7323)', () => {
    const { x, base } = wire;
    expect(x.writeSackTimestamps(base, 1, 2)).toBe(12);
    expect(x.parseOptions(base, 12)).toBe(1);
    expect(wire.options()).toMatchObject({ present: OPTION.sackPermitted | OPTION.timestamps, tsVal: 1, tsEcr: 2 });
  });

  it('reads back what it wrote: the other subtypes', () => {
    const { x, base } = wire;
    fc.assert(
      fc.property(byte, u64, u64, u32, fc.boolean(), fc.uint8Array({ minLength: 1, maxLength: 37 }), (...drawn) => {
        const [id, key, other, nonce, flag, ids] = drawn;
        const bit = flag ? 1 : 0;
        expect(readBack(x.writeFail(base, key))).toMatchObject({ mptcp: 1 << SUBTYPE.fail, failDsn: key });
        expect(readBack(x.writeFastclose(base, key))).toMatchObject({ mptcp: 128, fastcloseKey: key });
        expect(readBack(x.writeReset(base, id & 15, 6))).toMatchObject({ rstFlags: id & 15, rstReason: 6 });
        expect(readBack(x.writePrio(base, flag, id, false))).toMatchObject({ prioBackup: bit, prioHasId: 0 });
        expect(readBack(x.writePrio(base, flag, id, true))).toMatchObject({ prioHasId: 1, prioId: id });
        expect(readBack(x.writeJoinSyn(base, flag, id, nonce, 7))).toMatchObject({
          ...{ joinLength: 12, joinBackup: bit, joinAddressId: id, joinToken: nonce, joinNonce: 7 },
        });
        expect(readBack(x.writeJoinSynAck(base, flag, id, other, nonce))).toMatchObject({
          ...{ joinLength: 16, joinBackup: bit, joinAddressId: id, joinHmac64: other, joinNonce: nonce },
        });
        expect(readBack(x.writeCapableSyn(base, 1, id, 0n))).toMatchObject({ capableLength: 4, capableVersion: 1 });
        expect(readBack(x.writeCapableSynAck(base, 1, id, key))).toMatchObject({ capableSenderKey: key });
        expect(readBack(x.writeCapableAck(base, 1, id, key, other))).toMatchObject({ capableReceiverKey: other });
        expect(readBack(x.writeCapableData(base, id, key, other, 1424, 99, flag))).toMatchObject({
          ...{ capableLength: flag ? 24 : 22, capableFlags: id, capableSenderKey: key, capableReceiverKey: other },
          ...{ capableDataLength: 1424, capableHasChecksum: bit, capableChecksum: flag ? 99 : 0 },
        });
        const from = wire.put(ids, base + 512);
        const removed = readBack(x.writeRemoveAddr(base, from, ids.length));
        expect(wire.get(removed.removeIds, removed.removeCount)).toEqual(ids);
      }),
    );
  });

  it('writes MP_FAIL as RFC 8684 figure 16 draws it', () => {
    expect(wire.x.writeFail(wire.base, 0x0102030405060708n)).toBe(12);
    expect([...wire.get(wire.base, 12)]).toEqual([30, 12, 0x60, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('takes a v4-mapped IPv6 address for the IPv4 address it is', () => {
    const { hi, lo } = halves('::ffff:a00:1');
    const text = ((hi << 64n) | lo).toString(16).padStart(32, '0');
    expect(parse(30, 20, 0x31, 4, ...Buffer.from(text, 'hex'))).toBe(true);
    expect(wire.options()).toMatchObject({ addId: 4, addHi: 0n, addLo: lo });
  });
});
