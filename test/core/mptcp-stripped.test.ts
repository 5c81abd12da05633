/** Options of Multipath TCP that a middlebox takes away once the handshake is over (RFC 8684 section 3.7). */
import { describe, expect, it } from 'vitest';
import { CONFIG_NO_DELAY, FALLBACK_NONE, FALLBACK_STRIPPED_ACKS, FALLBACK_STRIPPED_DATA } from '../../host/abi.js';
import { infinite, joinPassive, type MptcpPeer, mptcpPassive } from './handshakes.js';
import type { MptcpOption } from './options.js';
import { readTcp, type TcpPacket } from './packets.js';
import { pattern, Script, type ScriptOptions, VARIANTS } from './script.js';

describe.each(VARIANTS)('options that are stripped later (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });

  it('from the data of the only subflow lead to TCP', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    peer.send('A', { seq: 1, ack: 1, data: 'mapped', mptcp: [peer.map(0, 1, 6)] });
    script.skip();
    // One segment may have lost its mapping to a box that merges or cuts: it is left to be sent again.
    peer.send('A', { seq: 7, ack: 1, data: ' and' });
    expect(script.info(handle).fallback).toBe(FALLBACK_NONE);
    peer.expect('A', { ack: 7 });
    peer.send('A', { seq: 7, ack: 1, data: ' and' });
    expect(script.readText(handle)).toBe('mapped and');
    expect(script.info(handle).fallback).toBe(FALLBACK_STRIPPED_DATA);
    expect(script.counter('MPTcpExtDssFallback')).toBe(1);
    peer.expect('A', { ack: 11, mptcp: [] });
    peer.send('A', { seq: 11, ack: 1, data: ' not' });
    expect(script.readText(handle)).toBe(' not');
  });

  it('in part, so that a mapping ends before the bytes of its segment, are counted as corruption', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    for (let time = 0; time < 2; time++)
      peer.send('A', { seq: 1, ack: 1, data: 'long short', mptcp: [peer.map(0, 1, 5)] });
    expect(script.readText(handle)).toBe('long short');
    expect(script.info(handle).fallback).toBe(FALLBACK_STRIPPED_DATA);
    expect(script.counter('MPTcpExtDSSCorruptionFallback')).toBe(1);
    expect(script.counter('MPTcpExtDssFallback')).toBe(0);
    const joined = open();
    const first = mptcpPassive(joined).peer;
    const second = joinPassive(first);
    joined.skip();
    for (let time = 0; time < 2; time++)
      second.send('A', { seq: 1, ack: 1, data: 'long short', mptcp: [second.map(0, 1, 5)] });
    second.expect('RA', { mptcp: [{ reset: 6 }] });
    expect(joined.counter('MPTcpExtDSSCorruptionReset')).toBe(1);
    expect(joined.counter('MPTcpExtDSSNoMatchTCP')).toBe(0);
  });

  it('or shifted, so that a mapping lies elsewhere on the subflow, are counted, and the bytes wait', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    peer.send('A', { seq: 1, ack: 1, data: 'bytes', mptcp: [peer.map(0, 50, 5)] });
    expect(script.counter('MPTcpExtDSSNoMatchTCP')).toBe(1);
    expect(script.readText(handle)).toBe('');
    expect(script.info(handle).fallback).toBe(FALLBACK_NONE);
  });

  it('from a whole flight lead to TCP with its second segment', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    peer.send('A', { seq: 1, ack: 1, data: 'mapped', mptcp: [peer.map(0, 1, 6)] });
    peer.send('A', { seq: 7, ack: 1, data: ' one' });
    peer.send('A', { seq: 11, ack: 1, data: ' two' });
    expect(script.info(handle).fallback).toBe(FALLBACK_STRIPPED_DATA);
    peer.send('A', { seq: 7, ack: 1, data: ' one' });
    expect(script.readText(handle)).toBe('mapped one two');
  });

  it('from a segment whose mapping comes with the next do not matter', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    peer.send('A', { seq: 1, ack: 1, data: 'mapped', mptcp: [peer.map(0, 1, 6)] });
    for (let at = 7; at < 67; at += 6) {
      // A box that cuts segments leaves the option to the last piece.
      peer.send('A', { seq: at, ack: 1, data: 'abc' });
      peer.send('A', { seq: at + 3, ack: 1, data: 'def', mptcp: [peer.map(at - 1, at, 6)] });
      peer.send('A', { seq: at, ack: 1, data: 'abc' });
    }
    expect(script.readText(handle)).toBe(`mapped${'abcdef'.repeat(10)}`);
    expect(script.info(handle).fallback).toBe(FALLBACK_NONE);
  });

  it('from the data of one of several subflows reset it', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    second.send('A', { seq: 1, ack: 1, data: 'mapped', mptcp: [second.map(0, 1, 6)] });
    second.send('A', { seq: 7, ack: 1, data: 'stripped' });
    script.skip();
    second.send('A', { seq: 7, ack: 1, data: 'stripped' });
    second.expect('RA', { mptcp: [{ reset: 6 }] });
    peer.send('A', { seq: 1, ack: 1, data: ' other way', mptcp: [peer.map(6, 1, 10)] });
    expect(script.readText(handle)).toBe('mapped other way');
    expect(script.info(handle)).toMatchObject({ fallback: FALLBACK_NONE, subflows: 1 });
    expect(script.counter('MPTcpExtFallbackFailed')).toBe(1);
  });

  const plainAcks = (peer: MptcpPeer, from: number, count: number): void => {
    for (let index = 1; index <= count; index++) peer.send('A', { seq: 1, ack: from + index * 100 });
  };

  /** A connection whose first 100 bytes were acknowledged as they should be. */
  const acknowledged = (options: ScriptOptions = {}) => {
    const script = open({ config: [[CONFIG_NO_DELAY, 1]], ...options });
    const opened = mptcpPassive(script);
    script.write(opened.handle, pattern(100));
    script.skip();
    opened.peer.send('A', { seq: 1, ack: 101, mptcp: [opened.peer.dss(100)] });
    return { script, ...opened };
  };

  it('from ACKs of the only subflow lead to TCP', () => {
    const { script, peer, handle } = acknowledged();
    for (let index = 1; index < 7; index++) script.write(handle, pattern(100, index * 100));
    script.skip();
    script.events();
    plainAcks(peer, 101, 2);
    expect(script.info(handle)).toMatchObject({ fallback: FALLBACK_NONE, bytesAcked: 100n });
    peer.send('A', { seq: 1, ack: 401 });
    expect(script.info(handle)).toMatchObject({ fallback: FALLBACK_STRIPPED_ACKS, bytesAcked: 400n });
    script.write(handle, 'behind');
    peer.expect('A', { seq: 701, data: 'behind', mptcp: [infinite(peer, 100, false)] });
    // The peer, whose data is not stripped, maps on.
    peer.send('A', { seq: 1, ack: 707, data: 'mapped', mptcp: [peer.map(0, 1, 6)] });
    expect(script.readText(handle)).toBe('mapped');
    expect(script.events()).toContain('drained');
  });

  it('from the very first ACK of data lead to TCP with it, at the side that accepted, too', () => {
    const script = open({ config: [[CONFIG_NO_DELAY, 1]] });
    const { peer, handle } = mptcpPassive(script);
    // What the peer acknowledged by DSS before was no data.
    peer.send('A', { seq: 1, ack: 1, data: 'mapped', mptcp: [peer.map(0, 1, 6)] });
    script.write(handle, pattern(100));
    script.write(handle, pattern(100, 100));
    script.skip();
    plainAcks(peer, 1, 1);
    expect(script.info(handle)).toMatchObject({ fallback: FALLBACK_STRIPPED_ACKS, bytesAcked: 100n });
    expect(script.counter('MPTcpExtDssFallback')).toBe(1);
    script.write(handle, 'behind');
    peer.expect('A', { seq: 201, data: 'behind', mptcp: [infinite(peer, 0, false)] });
    peer.send('A', { seq: 7, ack: 207, data: ' plain' });
    expect(script.readText(handle)).toBe('mapped plain');
  });

  it.each([
    ['has another option of Multipath TCP', { mptcp: [{ removeAddr: [9] }] as MptcpOption[] }],
    ['is of a segment behind a hole', { seq: 50, data: 'behind a hole' }],
  ])('from the first ACK of data do not matter when it %s', (_, said) => {
    const script = open({ config: [[CONFIG_NO_DELAY, 1]] });
    const { peer, handle } = mptcpPassive(script);
    script.write(handle, pattern(100));
    script.write(handle, pattern(100, 100));
    peer.send('A', { seq: 1, ack: 101, ...said });
    expect(script.info(handle).fallback).toBe(FALLBACK_NONE);
    peer.send('A', { seq: 1, ack: 101, mptcp: [peer.dss(100)] });
    // That was the DATA_ACK of the data: the path is one of Multipath TCP.
    peer.send('A', { seq: 1, ack: 201 });
    expect(script.info(handle)).toMatchObject({ fallback: FALLBACK_NONE, subflows: 1 });
  });

  it.each(['joined', 'initial'])('from the first ACK of data on one of two subflows reset it: %s', (which) => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    const bytes = pattern(60_000);
    script.write(handle, bytes);
    expect(script.flush()[0]?.link).toBe(peer.link);
    const [victim, other] = which === 'joined' ? [second, peer] : [peer, second];
    // Until the first DATA_ACK all goes by one subflow.
    if (which === 'joined') peer.send('A', { seq: 1, ack: 1461, mptcp: [peer.dss(1460)] });
    script.flush();
    victim.send('A', { seq: 1, ack: 1001 });
    let last = script.take(victim);
    for (let next = script.take(victim); next !== undefined; next = script.take(victim)) last = next;
    expect(last?.flags).toBe('RA');
    expect(last?.options.mptcp).toMatchObject([{ reset: 6, flags: 0 }]);
    expect(script.events()).toContain('subflowClosed');
    expect(script.counter('MPTcpExtFallbackFailed')).toBe(1);
    // Every byte goes by the other.
    const got = new Uint8Array(bytes.length);
    for (let turn = 0, next = 1; turn < 100; turn++) {
      for (let packet = script.take(other); packet !== undefined; packet = script.take(other)) {
        const map = packet.options.mptcp?.[0] as { dsn: bigint; ssn: number };
        const at = Number(map.dsn - peer.remoteDsn(0)) + packet.seq - other.irs - map.ssn;
        got.set(packet.data, at);
        next = Math.max(next, packet.seq - other.irs + packet.data.length);
      }
      other.send('A', { seq: 1, ack: next, mptcp: [peer.dss(which === 'joined' ? 1460 : 0)] });
    }
    if (which === 'joined') got.set(bytes.subarray(0, 1460));
    expect(Buffer.compare(got, bytes)).toBe(0);
    expect(script.info(handle)).toMatchObject({ fallback: FALLBACK_NONE, subflows: 1 });
  });

  it('from ACKs that say nothing new reset one of several subflows, not the only one', () => {
    for (const several of [true, false]) {
      const script = open();
      const { peer, handle } = mptcpPassive(script);
      const second = several ? joinPassive(peer) : peer;
      script.skip();
      second.send('A', { seq: 1, ack: 1 });
      // One that has options begins the count anew.
      second.send('A', { seq: 1, ack: 1, mptcp: [second.dss(0)] });
      second.send('A', { seq: 1, ack: 1 });
      script.expectNothing();
      second.send('A', { seq: 1, ack: 1 });
      if (several) second.expect('RA', { mptcp: [{ reset: 6 }] });
      script.expectNothing();
      expect(script.info(handle)).toMatchObject({ fallback: FALLBACK_NONE, subflows: 1 });
    }
  });

  it('from the FIN of a peer that went over make it the end of its stream, on the only subflow', () => {
    for (const several of [true, false]) {
      const script = open();
      const { peer, handle } = mptcpPassive(script);
      if (several) joinPassive(peer);
      peer.send('A', { seq: 1, ack: 1, data: 'all', mptcp: [peer.map(0, 1, 3)] });
      script.skip();
      peer.send('FA', { seq: 4, ack: 1 });
      const { data, error } = script.read(handle);
      expect([Buffer.from(data).toString(), error]).toEqual(['all', several ? 'ERR_DONE' : '']);
      expect(script.info(handle).fallback).toBe(several ? FALLBACK_NONE : FALLBACK_STRIPPED_ACKS);
      script.skip();
      script.write(handle, 'half open');
      if (!several) peer.expect('A', { seq: 1, ack: 5, data: 'half open' });
    }
  });

  it('make a DATA_FIN a FIN when the answers to an old sequence number have none, and DATA_ACKs end with them', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    script.shutdown(handle);
    let probes = 0;
    let fin: TcpPacket | undefined;
    for (let time = 0; time < 20 && fin === undefined; time++) {
      script.advance(1_000_000);
      const sent = script.flush().map(({ bytes }) => readTcp(bytes));
      script.skip();
      for (const packet of sent) {
        if (packet.flags.includes('F')) fin = packet;
        if (packet.seq !== peer.irs) continue;
        probes++;
        // TCP has nothing to say to an ACK, and must answer what lies in front of its window.
        peer.send('A', { seq: 1, ack: 1 });
      }
    }
    expect(probes).toBe(2);
    expect(fin?.options.mptcp).toHaveLength(1);
    expect(script.info(handle).fallback).toBe(FALLBACK_STRIPPED_ACKS);
    // The peer repeats itself, too, and would take DATA_ACKs for those of Multipath TCP.
    for (let time = 0; time < 2; time++) peer.send('A', { seq: 1, ack: 2 });
    script.skip();
    peer.send('A', { seq: 0, ack: 2 });
    peer.expect('A', { seq: 2, ack: 1, mptcp: [] });
  });

  it('from one path let an end of stream go by each, one after the other', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    script.shutdown(handle);
    script.advance(20_000_000);
    const links = script
      .flush()
      .filter(({ bytes }) => readTcp(bytes).options.mptcp?.some((option) => 'dss' in option && option.fin === true))
      .map(({ link }) => link);
    expect(links.length).toBeGreaterThan(3);
    expect(new Set(links)).toEqual(new Set([peer.link, second.link]));
  });

  it('from the ACK of the last data lead to TCP when nothing else comes', () => {
    const { script, peer, handle } = acknowledged();
    script.write(handle, 'question');
    script.skip();
    peer.send('A', { seq: 1, ack: 109 });
    expect(script.info(handle).fallback).toBe(FALLBACK_NONE);
    script.advance(5_000_000);
    expect(script.info(handle)).toMatchObject({ fallback: FALLBACK_STRIPPED_ACKS, bytesAcked: 108n });
    expect(script.counter('MPTcpExtMPTCPRetrans')).toBe(0);
  });

  it('from single ACKs do not matter while DATA_ACKs come', () => {
    const { script, peer, handle } = acknowledged();
    for (let index = 1; index < 12; index++) {
      script.write(handle, pattern(100));
      script.skip();
      peer.send('A', { seq: 1, ack: 1 + index * 100 + 50 });
      peer.send('A', { seq: 1, ack: 101 + index * 100 });
      peer.send('A', { seq: 1, ack: 101 + index * 100, mptcp: [peer.dss(100 + index * 100)] });
    }
    expect(script.info(handle)).toMatchObject({ fallback: FALLBACK_NONE, bytesAcked: 1_200n });
  });

  it('and sent twice change nothing', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const twice = peer.map(0, 1, 5, { ack4: true, dsn4: true });
    const mptcp: MptcpOption[] = [twice, { ...twice, dsn: peer.dsn(900) }];
    peer.send('A', { seq: 1, ack: 1, data: 'bytes', mptcp });
    expect(script.readText(handle)).toBe('bytes');
    expect(script.info(handle).fallback).toBe(FALLBACK_NONE);
  });
});
