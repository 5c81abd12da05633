import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CONFIG_CHECKSUM_ENABLED, CONFIG_RECEIVE_BUFFER, CONFIG_TIME_WAIT, FALLBACK_NONE } from '../../host/abi.js';
import { joinPassive, type MptcpPeer, mptcpPassive } from './handshakes.js';
import { dssChecksum } from './keys.js';
import { pattern, Script, type ScriptOptions, toBytes, VARIANTS } from './script.js';

/** Bytes that come before their mapping (RFC 8684 section 3.3.1): acknowledged by the subflow, and held until it comes. */
describe.each(VARIANTS)('bytes before their mapping (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });
  /** A segment with a DSS option that maps nothing. */
  const early = (peer: MptcpPeer, seq: number, data: string | Uint8Array): void => {
    peer.send('A', { seq, ack: 1, data, mptcp: [peer.dss(0)] });
  };

  it('are acknowledged by the subflow alone, and given when a later segment maps them', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    early(peer, 1, 'one ');
    peer.expect('A', { ack: 5, mptcp: [{ dss: true, ack: peer.dsn(0) }] });
    early(peer, 5, 'two ');
    peer.expect('A', { ack: 9, mptcp: [{ dss: true, ack: peer.dsn(0) }] });
    early(peer, 9, 'three ');
    peer.expect('A', { ack: 15, mptcp: [{ dss: true, ack: peer.dsn(0) }] });
    expect(script.readText(handle)).toBe('');
    expect(script.pools()).toMatchObject({ receiveMaps: 1 });
    peer.send('A', { seq: 15, ack: 1, data: 'four', mptcp: [peer.map(0, 1, 18)] });
    peer.expect('A', { ack: 19, mptcp: [{ dss: true, ack: peer.dsn(18) }] });
    expect(script.events()).toEqual(['readable']);
    expect(script.readText(handle)).toBe('one two three four');
    expect(script.info(handle).fallback).toBe(FALLBACK_NONE);
    expect(script.pools()).toMatchObject({ receiveMaps: 0 });
  });

  it('may be mapped from the middle on, the rest by a mapping that says the same of those', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    early(peer, 1, 'abcdefghij');
    peer.send('A', { seq: 11, ack: 1, data: 'kl', mptcp: [peer.map(7, 8, 5)] });
    expect(script.pools()).toMatchObject({ receiveMaps: 1 });
    early(peer, 13, 'm');
    expect(script.readText(handle)).toBe('');
    peer.send('A', { seq: 14, ack: 1, data: 'n', mptcp: [peer.map(0, 1, 14)] });
    expect(script.readText(handle)).toBe('abcdefghijklmn');
    expect(script.pools()).toMatchObject({ receiveMaps: 0 });
  });

  it('are put into order when they come out of order, in more than a page', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const data = pattern(40_000);
    const parts = Array.from({ length: 40 }, (_, index) => index * 1_000);
    for (const at of [...parts].reverse()) early(peer, 1 + at, data.subarray(at, at + 1_000));
    const last = script.flush().length;
    expect(last).toBeGreaterThan(0);
    peer.send('A', { seq: 40_001, ack: 1, data: '!', mptcp: [peer.map(0, 1, 40_001)] });
    expect(script.read(handle).data).toEqual(new Uint8Array([...data, 33]));
    expect(script.pools()).toMatchObject({ receiveMaps: 0 });
  });

  it('wait behind a hole for the segment that is missing and maps them', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    early(peer, 5, 'two ');
    peer.expect('A', { ack: 1, sack: [[5, 9]] });
    early(peer, 9, 'three');
    peer.expect('A', { ack: 1, sack: [[5, 14]] });
    peer.send('A', { seq: 1, ack: 1, data: 'one ', mptcp: [peer.map(0, 1, 13)] });
    peer.expect('A', { ack: 14, mptcp: [{ dss: true, ack: peer.dsn(13) }] });
    expect(script.readText(handle)).toBe('one two three');
  });

  it('find their place among those of another subflow', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    early(second, 1, 'three ');
    early(peer, 1, 'one ');
    second.send('A', { seq: 7, ack: 1, data: 'four', mptcp: [second.map(8, 1, 10)] });
    expect(script.readText(handle)).toBe('');
    peer.send('A', { seq: 5, ack: 1, data: 'two ', mptcp: [peer.map(0, 1, 8)] });
    expect(script.readText(handle)).toBe('one two three four');
  });

  it('count for the checksum of their mapping', () => {
    for (const right of [true, false]) {
      const script = open({ config: [[CONFIG_CHECKSUM_ENABLED, 1]] });
      const { peer, handle } = mptcpPassive(script, { checksum: true });
      const second = joinPassive(peer);
      early(second, 1, 'odd');
      const sum = dssChecksum(peer.dsn(0), 1, toBytes(right ? 'odd one' : 'old one'));
      second.send('A', { seq: 4, ack: 1, data: ' one', mptcp: [peer.map(0, 1, 7, { checksum: sum })] });
      if (right) {
        expect(script.readText(handle)).toBe('odd one');
      } else {
        expect(script.readText(handle)).toBe('');
        expect(script.counter('MPTcpExtDataCsumErr')).toBe(1);
        second.expect('RA', { mptcp: [{ fail: peer.dsn(0) }, { reset: 6 }] });
      }
      expect(script.pools()).toMatchObject({ receiveMaps: 0 });
    }
  });

  it('are put together in any order over two subflows, whichever segment maps them', () => {
    const data = pattern(6_000);
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 1, max: data.length - 1 }), { maxLength: 24 }),
        fc.array(fc.record({ side: fc.nat(1), maps: fc.nat(3) }), { minLength: 25, maxLength: 25 }),
        fc.boolean(),
        fc.infiniteStream(fc.nat(1_000)),
        (cuts, choices, checksum, random) => {
          const script = open();
          const { peer, handle } = mptcpPassive(script, { checksum });
          const subflows = [peer, joinPassive(peer)];
          const sent = [1, 1];
          const edges = [0, ...cuts.sort((a, b) => a - b), data.length];
          const packets: { side: number; seq: number; data: Uint8Array; maps: boolean }[] = [];
          const maps: { start: number; ssn: number; end: number }[] = [];
          // One of four segments, and the last one, maps all since the one before that did: by one mapping a subflow.
          let from = 0;
          let side = 0;
          edges.slice(1).forEach((end, index) => {
            const start = edges[index] ?? 0;
            if (start === from) side = choices[index]?.side ?? 0;
            const seq = sent[side] ?? 1;
            sent[side] = seq + end - start;
            const last = choices[index]?.maps === 0 || end === data.length;
            packets.push({ side, seq, data: data.subarray(start, end), maps: last });
            maps.push({ start: from, ssn: seq - (start - from), end });
            if (last) from = end;
          });
          const order = packets.map((packet, index) => ({ packet, map: maps[index], key: random.next().value ?? 0 }));
          order.sort((a, b) => a.key - b.key);
          for (const { packet, map } of order) {
            const { start, ssn, end } = map ?? { start: 0, ssn: 1, end: 0 };
            const part = data.subarray(start, end);
            const sum = checksum ? { checksum: dssChecksum(peer.dsn(start), ssn, part) } : {};
            const option = packet.maps ? peer.map(start, ssn, part.length, sum) : peer.dss(0);
            subflows[packet.side]?.send('A', { seq: packet.seq, ack: 1, data: packet.data, mptcp: [option] });
          }
          expect(script.read(handle)).toEqual({ data, error: 'ERR_DONE' });
          expect(script.pools()).toMatchObject({ ranges: 0, receiveMaps: 0 });
        },
      ),
      { numRuns: 60 },
    );
  });

  it('reset their subflow when no mapping comes within a receive window (section 3.3.1)', () => {
    const script = open({ config: [[CONFIG_RECEIVE_BUFFER, 65_536]] });
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    let reset = 0;
    for (let at = 0; at < 100_000 && reset === 0; at += 1_000) {
      early(second, 1 + at, pattern(1_000, at));
      for (let packet = script.take(second); packet !== undefined; packet = script.take(second)) {
        if (!packet.flags.includes('R')) continue;
        reset = at + 1_000;
        expect(packet.options.mptcp).toEqual([{ reset: 6, flags: 0 }]);
      }
    }
    expect(reset).toBeGreaterThan(60_000);
    expect(reset).toBeLessThanOrEqual(65_536);
    expect(script.info(handle).subflows).toBe(1);
    expect(script.counter('MPTcpExtFallbackFailed')).toBe(1);
    expect(script.pools()).toMatchObject({ receiveMaps: 0 });
    peer.send('A', { seq: 1, ack: 1, data: 'all the same', mptcp: [peer.map(0, 1, 12)] });
    expect(script.readText(handle)).toBe('all the same');
  });

  it('reset it as well when one piece waits while all around is mapped', () => {
    const script = open({ config: [[CONFIG_RECEIVE_BUFFER, 65_536]] });
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    early(second, 1, pattern(1_000));
    let at = 1_000;
    for (; at < 100_000 && script.info(handle).subflows === 2; at += 1_000) {
      second.send('A', {
        seq: 1 + at,
        ack: 1,
        data: pattern(1_000, at),
        mptcp: [second.map(at - 1_000, 1 + at, 1_000)],
      });
      script.read(handle);
      script.skip();
    }
    expect(at).toBeGreaterThan(60_000);
    expect(at).toBeLessThanOrEqual(66_000);
  });

  it('are not acknowledged when the segment maps others: the mapping of these is lost', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    // A box merged two segments and kept the option of the first.
    peer.send('A', { seq: 1, ack: 1, data: 'onetwo', mptcp: [peer.map(0, 1, 3)] });
    peer.expect('A', { ack: 4, mptcp: [{ dss: true, ack: peer.dsn(3) }] });
    peer.send('A', { seq: 4, ack: 1, data: 'two', mptcp: [peer.map(3, 4, 3)] });
    expect(script.readText(handle)).toBe('onetwo');
    expect(script.info(handle).fallback).toBe(FALLBACK_NONE);
  });

  it('keep a connection from falling back, as nobody knows whether they come again', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    peer.send('A', { seq: 1, ack: 1, data: 'mapped', mptcp: [peer.map(0, 1, 6)] });
    early(peer, 7, 'held');
    script.skip();
    peer.send('A', { seq: 11, ack: 1, data: 'stripped' });
    peer.send('A', { seq: 11, ack: 1, data: 'stripped' });
    peer.expect('RA', { ack: 11, mptcp: [{ reset: 6 }] });
    expect(script.readText(handle)).toBe('mapped');
    // At the very beginning, too.
    const other = open();
    const first = mptcpPassive(other);
    early(first.peer, 1, 'held');
    first.peer.send('A', { seq: 5, ack: 1, data: 'stripped' });
    expect(other.info(first.handle).fallback).toBe(FALLBACK_NONE);
  });

  it('leave nothing behind when the subflow or the connection ends', () => {
    const script = open({ config: [[CONFIG_TIME_WAIT, 1_000]] });
    const { peer, handle, listener } = mptcpPassive(script);
    const second = joinPassive(peer);
    early(second, 1, pattern(1_000));
    early(second, 2_001, pattern(1_000));
    early(peer, 1, pattern(1_000));
    expect(script.pools()).toMatchObject({ receiveMaps: 3 });
    second.send('R', { seq: 1_001 });
    expect(script.pools()).toMatchObject({ receiveMaps: 1 });
    script.close(listener);
    script.close(handle);
    script.skip();
    script.advance(600_000_000);
    script.skip();
    script.expectEmpty();
  });
});
