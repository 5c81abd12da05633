/** Tokens, initial data sequence numbers, HMACs and DSS checksums of the captures, computed again from their keys. */
import { createHash, createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { halves } from './addresses.js';
import { captureNames, readCapture } from './capture-files.js';
import { SUBTYPE, VARIANTS, Wire } from './module.js';

/** Ports of the server in the captures. */
const SERVER_PORTS = [8000, 8001];
const FLAG_SYN = 2;
const DSS_M = 4;
const DSS_m = 8;
const DSS_F = 16;

const unsigned = (value: bigint): bigint => BigInt.asUintN(64, value);

/** What has been computed and compared, by name. */
class Tally {
  readonly counts: Record<string, number> = {};

  add(name: string): void {
    this.counts[name] = (this.counts[name] ?? 0) + 1;
  }
}

/** A data-sequence map whose bytes arrive one segment after the other. */
interface Mapped {
  have: number;
  sum: bigint;
}

/** Follows one connection and compares everything that depends on its keys. */
function follow(wire: Wire, name: string): Record<string, number> {
  const { x } = wire;
  const out = wire.base + 4096;
  const tally = new Tally();
  const keys = { client: 0n, server: 0n };
  /** Nonces of the two sides of a join, by its ports. */
  const nonces = new Map<string, { client: number; server: number }>();
  /** Initial sequence numbers and unfinished maps, by ports and direction. */
  const isns = new Map<string, number>();
  const maps = new Map<string, Mapped>();
  /** Adds the segment's payload to its map; compares the checksum when the map is complete. */
  const addMapped = (from: string, dsn: bigint, ssn: number, length: number, fin: number, checksum: number): void => {
    const segment = wire.segment();
    const isn = isns.get(from);
    if (isn === undefined) {
      throw new Error(`${name}: data of ${from} without its SYN`);
    }
    const key = `${from} ${dsn}`;
    const map = maps.get(key) ?? { have: 0, sum: 0n };
    // The captures leave out parts of long transfers; a map with a hole in it cannot be summed.
    if ((segment.seq - isn - ssn) >>> 0 !== map.have) return;
    map.sum = x.sumOddPiece(segment.payload, segment.payloadLength, map.sum, map.have % 2 === 1);
    map.have += segment.payloadLength;
    maps.set(key, map);
    if (map.have + fin === length) {
      // RFC 8684 section 3.3.1: the pseudo-header is data sequence number, subflow sequence number and length.
      const sum = x.sumWord16(length, x.sumWord32(ssn, x.sumWord64(dsn, map.sum)));
      expect(x.checksumFold(sum)).toBe(checksum);
      tally.add('data checksum');
    }
  };
  /** The next number of each side's first mapping. */
  const first: { client?: bigint; server?: bigint } = {};

  for (const captured of readCapture(name)) {
    expect(x.parsePacket(wire.put(captured.packet), captured.packet.length)).toBe(0);
    expect(x.parseSegment(false)).toBe(0);
    const segment = wire.segment();
    expect(x.parseOptions(segment.options, segment.optionsLength)).toBe(1);
    const o = wire.options();
    const has = (subtype: number): boolean => (o.mptcp & (1 << subtype)) !== 0;
    const sender = SERVER_PORTS.includes(segment.srcPort) ? 'server' : 'client';
    const receiver = sender === 'server' ? 'client' : 'server';
    const flow = [segment.srcPort, segment.dstPort].sort().join();

    if ((segment.flags & FLAG_SYN) !== 0) isns.set(`${flow} ${sender}`, segment.seq);
    if (has(SUBTYPE.capable) && o.capableLength >= 12) {
      keys[sender] = o.capableSenderKey;
      expect(x.keyToken(1, o.capableSenderKey) >>> 0).toBe(Number(captured.field('mptcp.expected_token')));
      expect(unsigned(x.keyIdsn(1, o.capableSenderKey))).toBe(BigInt(captured.field('mptcp.expected_idsn')));
      tally.add('token');
      if (o.capableLength >= 20) {
        expect(o.capableReceiverKey).toBe(keys.server);
      }
      first[sender] ??= unsigned(x.keyIdsn(1, o.capableSenderKey) + 1n);
    }
    if (has(SUBTYPE.capable) && o.capableLength >= 22) {
      const dsn = unsigned(x.keyIdsn(1, keys.client) + 1n);
      first.client = dsn + BigInt(o.capableDataLength);
      if (o.capableHasChecksum === 1) {
        addMapped(`${flow} ${sender}`, dsn, 1, o.capableDataLength, 0, o.capableChecksum);
      }
    }
    if (has(SUBTYPE.dss) && (o.dssFlags & DSS_M) !== 0) {
      expect(o.dssFlags & DSS_m, 'the captures hold 8-byte data sequence numbers only').toBe(DSS_m);
      const expected = first[sender];
      if (expected !== undefined && o.dssLength > 1) {
        expect(o.dssDsn).toBe(expected);
        tally.add('first dsn');
        delete first[sender];
      }
      const fin = (o.dssFlags & DSS_F) !== 0 ? 1 : 0;
      if (o.dssHasChecksum === 1 && o.dssLength === fin) {
        // A DATA_FIN alone maps no byte of the subflow: its subflow sequence number is 0, and the sum has no payload.
        const sum = x.sumWord16(o.dssLength, x.sumWord32(o.dssSsn, x.sumWord64(o.dssDsn, 0n)));
        expect(o.dssSsn).toBe(0);
        expect(x.checksumFold(sum)).toBe(o.dssChecksum);
        tally.add('data fin checksum');
      } else if (o.dssHasChecksum === 1) {
        addMapped(`${flow} ${sender}`, o.dssDsn, o.dssSsn, o.dssLength, fin, o.dssChecksum);
      }
    }
    if (has(SUBTYPE.join)) {
      const known = nonces.get(flow) ?? { client: 0, server: 0 };
      if (o.joinLength === 12) {
        expect(x.keyToken(1, keys[receiver]) >>> 0).toBe(o.joinToken);
        tally.add('join token');
      }
      if (o.joinLength !== 24) {
        known[sender] = o.joinNonce;
        nonces.set(flow, known);
      }
      if (o.joinLength !== 12) {
        x.joinHmac(1, keys[sender], keys[receiver], known[sender], known[receiver], out);
        const hmac = Buffer.from(wire.get(out, 32));
        if (o.joinLength === 16) {
          expect(hmac.readBigUInt64BE(0)).toBe(o.joinHmac64);
        } else {
          expect(hmac.subarray(0, 20)).toEqual(Buffer.from(wire.get(o.joinHmac, 20)));
        }
        tally.add('join hmac');
      }
    }
    if (has(SUBTYPE.addAddr) && o.addHasHmac === 1) {
      const hmac = x.addAddressHmac(keys[sender], keys[receiver], o.addId, o.addHi, o.addLo, o.addPort);
      expect(unsigned(hmac)).toBe(o.addHmac);
      tally.add('address hmac');
    }
    if (has(SUBTYPE.fastclose)) {
      expect(o.fastcloseKey).toBe(keys[receiver]);
      tally.add('fastclose key');
    }
  }
  return tally.counts;
}

describe.each(VARIANTS)('keys (%s)', (variant) => {
  const wire = new Wire(variant);

  it('the captures agree with what is computed from their keys', () => {
    const all = Object.fromEntries(captureNames().map((name) => [name, follow(wire, name)]));
    // No key crosses to a server without Multipath TCP; all others show both.
    expect(all['v1-fallback-plain-server']).toEqual({});
    expect(all['v1-join-client']).toMatchObject({ token: 3, 'first dsn': 2, 'join token': 1, 'join hmac': 2 });
    expect(all['v1-remove-addr']).toMatchObject({ 'join token': 2, 'join hmac': 4 });
    expect(all['v1-add-addr']).toMatchObject({ 'address hmac': 1 });
    expect(all['v1-ipv6']).toMatchObject({ 'address hmac': 2, 'join token': 2, 'join hmac': 4 });
    expect(all['v1-fastclose']).toMatchObject({ 'fastclose key': 2 });
    expect(all['v1-checksum']).toMatchObject({ 'data checksum': 20, 'data fin checksum': 2 });
    expect(all['v1-join-client-checksum']).toMatchObject({ 'data checksum': 44, 'data fin checksum': 5 });
    // Maps of three segments each.
    expect(all['v1-ipv6']).toMatchObject({ 'data checksum': 10, 'data fin checksum': 2 });
  });

  it('tokens, numbers and HMACs follow their definitions', () => {
    const local = 0x0123456789abcdefn;
    const remote = 0xfedcba9876543210n;
    const bytes = (value: bigint, length: number): Buffer =>
      Buffer.from(value.toString(16).padStart(2 * length, '0'), 'hex');
    const digest = createHash('sha256').update(bytes(remote, 8)).digest();
    expect(wire.x.keyToken(1, remote) >>> 0).toBe(digest.readUInt32BE(0));
    expect(unsigned(wire.x.keyIdsn(1, remote))).toBe(digest.readBigUInt64BE(24));

    const key = Buffer.concat([bytes(local, 8), bytes(remote, 8)]);
    wire.x.joinHmac(1, local, remote, 0xdeadbeef, 5, wire.base);
    const join = createHmac('sha256', key).update(bytes(0xdeadbeef00000005n, 8)).digest();
    expect(Buffer.from(wire.get(wire.base, 32))).toEqual(join);

    for (const [text, length] of [
      ['192.0.2.9', 4],
      ['2001:db8::9', 16],
    ] as const) {
      const { hi, lo } = halves(text);
      const address = Buffer.concat([bytes(hi, 8), bytes(lo, 8)]).subarray(16 - length);
      const message = Buffer.concat([bytes(7n, 1), address, bytes(443n, 2)]);
      const hmac = createHmac('sha256', key).update(message).digest();
      expect(unsigned(wire.x.addAddressHmac(local, remote, 7, hi, lo, 443))).toBe(hmac.readBigUInt64BE(24));
    }
  });

  it('version 0 derives the same from SHA-1 (RFC 6824 sections 3.1 and 3.2)', () => {
    const be64 = (value: bigint): Buffer => {
      const buffer = Buffer.alloc(8);
      buffer.writeBigUInt64BE(value);
      return buffer;
    };
    for (const [local, remote] of [
      [0x0123456789abcdefn, 0xfedcba9876543210n],
      [1n, 2n ** 64n - 1n],
      [0x8000000000000000n, 0x00000000ffffffffn],
    ] as const) {
      const digest = createHash('sha1').update(be64(remote)).digest();
      expect(wire.x.keyToken(0, remote) >>> 0).toBe(digest.readUInt32BE(0));
      expect(unsigned(wire.x.keyIdsn(0, remote))).toBe(digest.readBigUInt64BE(12));
      wire.x.joinHmac(0, local, remote, 0xdeadbeef, 5, wire.base);
      const key = Buffer.concat([be64(local), be64(remote)]);
      const hmac = createHmac('sha1', key).update(be64(0xdeadbeef00000005n)).digest();
      expect(Buffer.from(wire.get(wire.base, 20))).toEqual(hmac);
    }
  });
});
