/** Data sequence numbers that go past 2^32 and 2^64, in each phase of a connection (RFC 8684 section 3.3.1). */
import { describe, expect, it } from 'vitest';
import {
  CONFIG_DSN64,
  CONFIG_NO_DELAY,
  FALLBACK_CHECKSUM,
  FALLBACK_INFINITE_MAPPING,
  FALLBACK_PEER_MP_FAIL,
} from '../../host/abi.js';
import { joinPassive, MptcpPeer, mptcpPassive } from './handshakes.js';
import { dssChecksum, idsn } from './keys.js';
import { Random } from './random.js';
import { pattern, Script, VARIANTS } from './script.js';

/** A key whose initial data sequence number lies 69 below a multiple of 2^32. */
const KEY_BELOW = 2_371_058n;
const BOUNDARIES = [
  ['2^32', 0x0123_4567_0000_0000n],
  ['2^64', 0n],
] as const;
const WIDTHS = [
  ['8', false],
  ['4', true],
] as const;

/** Adds to every number in the memory of a stack that lies near `from`: no other ones do. */
function moveNumbers(script: Script, from: bigint, by: bigint): number {
  const words = new Uint32Array(script.x.memory.buffer);
  const longs = new BigUint64Array(script.x.memory.buffer);
  const high = Number(from >> 32n);
  let moved = 0;
  for (let at = 1; at < words.length; at += 2) {
    if (Math.abs((words[at] ?? 0) - high) > 1) continue;
    const value = longs[(at - 1) / 2] ?? 0n;
    if (BigInt.asIntN(64, value - from) > 1n << 24n || BigInt.asIntN(64, from - value) > 1n << 24n) continue;
    longs[(at - 1) / 2] = BigInt.asUintN(64, value + by);
    moved++;
  }
  return moved;
}

/** An open connection, both directions of which are `before` bytes away from a boundary. */
function openBefore(script: Script, boundary: bigint, before: number, checksum = false) {
  const opened = mptcpPassive(script, { checksum });
  const { peer } = opened;
  const start = BigInt.asUintN(64, boundary - BigInt(before));
  const [own, remote] = [peer.dsn(0), peer.remoteDsn(0)];
  expect(moveNumbers(script, own, start - own)).toBeGreaterThan(2);
  expect(moveNumbers(script, remote, start - remote)).toBeGreaterThan(2);
  place(peer, start);
  return { ...opened, start };
}

/** Both directions of what the peer says begin at `start`. */
function place(peer: MptcpPeer, start: bigint): MptcpPeer {
  const number = (offset: number) => BigInt.asUintN(64, start + BigInt(offset));
  peer.dsn = number;
  peer.remoteDsn = number;
  return peer;
}

describe.each(VARIANTS)('a peer whose key begins just below a multiple of 2^32 (%s)', (variant) => {
  it.each(WIDTHS)('sends its first data, in order and not, and DATA_FIN, by numbers of %s bytes', (_, dsn4) => {
    const script = new Script({ variant });
    const listener = script.listen(80);
    const peer = new MptcpPeer(script);
    peer.key = KEY_BELOW;
    expect(0x1_0000_0000n - (idsn(KEY_BELOW) & 0xffff_ffffn)).toBe(69n);
    peer.send('S', { mss: 1460, mptcp: [{ capable: 'syn', flags: 1 }] });
    const answer = peer.expect('SA').options.mptcp?.[0];
    if (answer === undefined || !('capable' in answer) || answer.capable !== 'synack') throw new Error('no key');
    peer.remoteKey = answer.key;
    const all = pattern(300);
    const keys = { capable: 'ack' as const, key: peer.key, peerKey: peer.remoteKey, flags: 1, length: 100 };
    peer.send('A', { seq: 1, ack: 1, data: all.subarray(0, 100), mptcp: [keys] });
    const handle = script.accept(listener);
    peer.expect('A', { ack: 101, mptcp: [{ dss: true, ack: peer.dsn(100) }] });
    for (const from of [200, 100]) {
      const mptcp = [peer.map(from, from + 1, 100, { dsn4 })];
      peer.send('A', { seq: from + 1, ack: 1, data: all.subarray(from, from + 100), mptcp });
    }
    script.skip();
    peer.send('A', { seq: 301, ack: 1, mptcp: [peer.map(300, 0, 1, { fin: true, dsn4 })] });
    peer.expect('A', { ack: 301, mptcp: [{ dss: true, ack: peer.dsn(301) }] });
    const { data, error } = script.read(handle);
    expect([Buffer.compare(data, all), error]).toEqual([0, '']);
  });
});

describe.each(VARIANTS)('data sequence numbers (%s)', (variant) => {
  describe.each(BOUNDARIES)('past %s', (_, boundary) => {
    const open = (wide = true) =>
      new Script({
        variant,
        config: [
          [CONFIG_NO_DELAY, 1],
          [CONFIG_DSN64, wide ? 1 : 0],
        ],
      });
    const short = (number: bigint, is4: boolean) => (is4 ? number & 0xffff_ffffn : number);

    it.each(WIDTHS)('in one segment, with %s bytes', (_, dsn4) => {
      for (const before of [1, 50, 99, 100]) {
        const script = open();
        const { peer, handle } = openBefore(script, boundary, before);
        const all = pattern(200);
        peer.send('A', { seq: 1, ack: 1, data: all.subarray(0, 100), mptcp: [peer.map(0, 1, 100, { dsn4 })] });
        peer.send('A', { seq: 101, ack: 1, data: all.subarray(100), mptcp: [peer.map(100, 101, 100, { dsn4 })] });
        expect(Buffer.compare(script.read(handle).data, all)).toBe(0);
        peer.expect('A', { ack: 201, mptcp: [{ dss: true, ack: peer.dsn(200) }] });
      }
    });

    it.each([1, 2, 3])('in bulk over two subflows, out of order and twice: seed %i', (seed) => {
      const random = new Random(seed);
      const script = open();
      const { peer, handle, start } = openBefore(script, boundary, 10_000);
      const second = place(joinPassive(peer), start);
      const all = pattern(20_000);
      const pieces: { by: MptcpPeer; from: number; ssn: number }[] = [];
      const next = new Map([
        [peer, 1],
        [second, 1],
      ]);
      for (let from = 0; from < all.length; from += 500) {
        const by = random.chance(1, 2) ? peer : second;
        pieces.push({ by, from, ssn: next.get(by) ?? 0 });
        next.set(by, (next.get(by) ?? 0) + 500);
      }
      // Neighbours change places, across the boundary, too.
      for (let at = 0; at + 8 < pieces.length; at++) {
        const other = at + random.below(8);
        [pieces[at], pieces[other]] = [pieces[other] as never, pieces[at] as never];
      }
      for (const { by, from, ssn } of pieces) {
        const dsn4 = random.chance(1, 2);
        for (let time = random.chance(1, 5) ? 2 : 1; time > 0; time--) {
          const data = all.subarray(from, from + 500);
          by.send('A', { seq: ssn, ack: 1, data, mptcp: [by.map(from, ssn, 500, { dsn4, ack4: dsn4 })] });
        }
      }
      expect(Buffer.compare(script.read(handle).data, all)).toBe(0);
      expect(script.info(handle).rcvNxt).toBe(peer.dsn(20_000));
    });

    it.each(WIDTHS)('by a DATA_FIN before, at and behind it, with %s bytes', (_, dsn4) => {
      for (const length of [99, 100, 101]) {
        const script = open(!dsn4);
        const { peer, handle } = openBefore(script, boundary, 100);
        const all = pattern(length);
        const whole = { fin: true, dsn4 };
        peer.send('A', { seq: 1, ack: 1, data: all, mptcp: [peer.map(0, 1, length + 1, whole)] });
        peer.expect('A', { ack: length + 1, mptcp: [{ dss: true, ack: short(peer.dsn(length + 1), dsn4) }] });
        const { data, error } = script.read(handle);
        expect([Buffer.compare(data, all), error]).toEqual([0, '']);
        // And ours, by itself.
        script.write(handle, all);
        peer.expect('A', { data: all, mptcp: [{ dss: true, dsn: short(peer.remoteDsn(0), dsn4) }] });
        peer.send('A', { seq: length + 1, ack: length + 1, mptcp: [peer.dss(length, { ack4: dsn4 })] });
        script.x.mptcp_shutdown(handle);
        const dsn = short(peer.remoteDsn(length), dsn4);
        peer.expect('A', { mptcp: [{ dss: true, fin: true, dsn, length: 1 }] });
        peer.send('A', { seq: length + 1, ack: length + 1, mptcp: [peer.dss(length + 1, { ack4: dsn4 })] });
        peer.expect('FA', { seq: length + 1 });
      }
    });

    it.each(WIDTHS)('by DATA_ACKs, each of which frees what it says, with %s bytes', (_, ack4) => {
      const script = open(!ack4);
      const { peer, handle } = openBefore(script, boundary, 2_500);
      const all = pattern(5_000);
      script.write(handle, all);
      const sent: Uint8Array[] = [];
      for (let at = 0; at < 5_000; ) {
        const packet = script.take(peer);
        if (packet === undefined) throw new Error(`${at} bytes were sent`);
        const dss = packet.options.mptcp?.[0];
        if (dss === undefined || !('dss' in dss) || dss.dsn === undefined) throw new Error('there is no mapping');
        const into = (packet.seq - peer.irs - (dss.ssn ?? 0)) >>> 0;
        expect(BigInt.asUintN(ack4 ? 32 : 64, dss.dsn + BigInt(into))).toBe(short(peer.remoteDsn(at), ack4));
        sent.push(packet.data);
        at += packet.data.length;
      }
      expect(Buffer.compare(Buffer.concat(sent), all)).toBe(0);
      for (const acked of [2_499, 2_500, 2_501, 5_000]) {
        peer.send('A', { seq: 1, ack: 5_001, mptcp: [peer.dss(acked, { ack4 })] });
        expect(script.info(handle).sndUna).toBe(peer.remoteDsn(acked));
      }
      // One from before says nothing new.
      peer.send('A', { seq: 1, ack: 5_001, mptcp: [peer.dss(2_000, { ack4 })] });
      expect(script.info(handle).sndUna).toBe(peer.remoteDsn(5_000));
      expect(script.events()).toContain('drained');
    });

    it('by data sent again over another subflow', () => {
      const script = open();
      const { peer, handle, start } = openBefore(script, boundary, 1_500);
      const second = place(joinPassive(peer), start);
      const all = pattern(3_000);
      script.write(handle, all);
      const first = script.flush()[0]?.link === peer.link ? peer : second;
      const other = first === peer ? second : peer;
      script.skip();
      first.send('A', { seq: 1, ack: 3_001, mptcp: [peer.dss(1_000)] });
      first.send('R', { seq: 1 });
      const got = new Map<bigint, number>();
      for (let packet = script.take(other); packet !== undefined; packet = script.take(other)) {
        const dss = packet.options.mptcp?.[0];
        if (packet.data.length === 0 || dss === undefined || !('dss' in dss)) continue;
        const into = (packet.seq - other.irs - (dss.ssn ?? 0)) >>> 0;
        const from = (dss.dsn ?? 0n) + BigInt(into);
        for (const [index, byte] of packet.data.entries()) got.set(BigInt.asUintN(64, from + BigInt(index)), byte);
      }
      expect(got.size).toBe(2_000);
      for (let at = 1_000; at < 3_000; at++) expect(got.get(peer.remoteDsn(at)), `byte ${at}`).toBe(all[at]);
    });

    it.each(WIDTHS)('by an infinite mapping before, at and behind it, with %s bytes', (_, dsn4) => {
      for (const mapped of [50, 100, 150]) {
        const script = open();
        const { peer, handle } = openBefore(script, boundary, 100);
        const all = pattern(300);
        peer.send('A', { seq: 1, ack: 1, data: all.subarray(0, mapped), mptcp: [peer.map(0, 1, mapped, { dsn4 })] });
        const mptcp = [peer.map(mapped, mapped + 1, 0, { dsn4 })];
        peer.send('A', { seq: mapped + 1, ack: 1, data: all.subarray(mapped, 200), mptcp });
        peer.send('A', { seq: 201, ack: 1, data: all.subarray(200) });
        expect(Buffer.compare(script.read(handle).data, all)).toBe(0);
        expect(script.info(handle).fallback).toBe(FALLBACK_INFINITE_MAPPING);
        script.skip();
        script.write(handle, 'reply');
        peer.expect('A', { seq: 1, data: 'reply', mptcp: [{ dss: true, dsn: peer.remoteDsn(0), ssn: 1, length: 0 }] });
        peer.send('A', { seq: 301, ack: 6 });
        script.write(handle, pattern(200));
        peer.expect('A', { seq: 6, data: pattern(200), mptcp: [] });
        peer.send('A', { seq: 301, ack: 206 });
        expect(script.info(handle).sndUna).toBe(peer.remoteDsn(205));
      }
    });

    it('by changed data and MP_FAIL of this side', () => {
      const script = open();
      const { peer, handle } = openBefore(script, boundary, 100, true);
      const summed = (from: number, data: Uint8Array) =>
        peer.map(from, from + 1, data.length, { checksum: dssChecksum(peer.dsn(from), from + 1, data) });
      const all = pattern(200);
      peer.send('A', { seq: 1, ack: 1, data: all.subarray(0, 80), mptcp: [summed(0, all.subarray(0, 80))] });
      script.skip();
      const changed = Uint8Array.from(all.subarray(80), (byte, index) => (index === 60 ? byte ^ 1 : byte));
      peer.send('A', { seq: 81, ack: 1, data: changed, mptcp: [summed(80, all.subarray(80))] });
      peer.expect('A', { mptcp: [{ fail: peer.dsn(80) }, { dss: true, ack: peer.dsn(80) }] });
      peer.send('A', { seq: 201, ack: 1, mptcp: [peer.dss(0), { fail: 0n }] });
      peer.send('A', { seq: 201, ack: 1, data: '.', mptcp: [peer.map(80, 81, 0, { checksum: 0 })] });
      const { data } = script.read(handle);
      expect(Buffer.compare(data, Buffer.concat([all.subarray(0, 80), changed, Buffer.from('.')]))).toBe(0);
      expect(script.info(handle).fallback).toBe(FALLBACK_CHECKSUM);
    });

    it('by MP_FAIL of the peer', () => {
      for (const failed of [50, 100, 150]) {
        const script = open();
        const { peer, handle } = openBefore(script, boundary, 100);
        script.write(handle, pattern(failed));
        script.write(handle, pattern(200 - failed, failed));
        script.skip();
        const fail = peer.remoteDsn(failed);
        peer.send('A', { seq: 1, ack: 201, mptcp: [peer.dss(failed)] });
        peer.send('A', { seq: 1, ack: 201, mptcp: [peer.dss(failed), { fail }] });
        peer.expect('A', { seq: 201, mptcp: [{ fail: peer.dsn(0) }, { dss: true, ack: peer.dsn(0) }] });
        expect(script.info(handle).fallback).toBe(FALLBACK_PEER_MP_FAIL);
        script.write(handle, 'more');
        const mptcp = [{ dss: true as const, length: 0, dsn: fail, ssn: failed + 1 }];
        peer.expect('A', { seq: 201, data: 'more', mptcp });
        peer.send('A', { seq: 1, ack: 205 });
        expect(script.info(handle).sndUna).toBe(peer.remoteDsn(204));
      }
    });
  });
});
