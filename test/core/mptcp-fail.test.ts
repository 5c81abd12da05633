/** Data that a middlebox changed, and how both sides go on without mappings (RFC 8684 section 3.7). */
import { describe, expect, it } from 'vitest';
import {
  CONFIG_CHECKSUM_ENABLED,
  CONFIG_FAIL_TIMEOUT,
  CONFIG_NO_DELAY,
  CONFIG_REOPEN_REFUSALS,
  CONNECTION_CLOSED,
  ENDPOINT_SUBFLOW,
  FALLBACK_CHECKSUM,
  FALLBACK_INFINITE_MAPPING,
  FALLBACK_NONE,
  FALLBACK_PEER_MP_FAIL,
} from '../../host/abi.js';
import { infinite, joinPassive, MptcpPeer, mptcpActive, mptcpPassive } from './handshakes.js';
import { dssChecksum, token } from './keys.js';
import { pattern, Script, type ScriptOptions, toBytes, VARIANTS } from './script.js';

/** A mapping with the checksum of `data`, which a middlebox may change afterwards. */
const summed = (peer: MptcpPeer, offset: number, ssn: number, data: string | Uint8Array) => {
  const bytes = toBytes(data);
  return peer.map(offset, ssn, bytes.length, { checksum: dssChecksum(peer.dsn(offset), ssn, bytes) });
};

describe.each(VARIANTS)('a wrong checksum on the only subflow (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });

  /** The peer's `good` arrived, and behind it `bad!` where it sent `bad?`. */
  const corrupted = (role: 'passive' | 'active', options: ScriptOptions = {}) => {
    const script = open(options);
    const { peer, handle } = role === 'passive' ? mptcpPassive(script, { checksum: true }) : activeSummed(script);
    peer.send('A', { seq: 1, ack: 1, data: 'good', mptcp: [summed(peer, 0, 1, 'good')] });
    script.skip();
    peer.send('A', { seq: 5, ack: 1, data: 'bad!', mptcp: [summed(peer, 4, 5, 'bad?')] });
    return { script, peer, handle };
  };

  const activeSummed = (script: Script) => {
    script.set(CONFIG_CHECKSUM_ENABLED, 0);
    const opened = mptcpActive(script, { checksum: true });
    script.skip();
    return opened;
  };

  it.each(['passive', 'active'] as const)('is told by MP_FAIL on an ACK, and nothing is given: %s', (role) => {
    const { script, peer, handle } = corrupted(role);
    peer.expect('A', { ack: 9, mptcp: [{ fail: peer.dsn(4) }, { dss: true, ack: peer.dsn(4) }] });
    expect(script.readText(handle)).toBe('good');
    expect(script.info(handle)).toMatchObject({ fallback: FALLBACK_NONE, subflows: 1 });
    expect(script.counter('MPTcpExtDataCsumErr')).toBe(1);
    expect(script.counter('MPTcpExtMPFailTx')).toBe(1);
    expect(script.counter('MPTcpExtDSSCorruptionReset')).toBe(0);
  });

  it('is told again until the peer answers, and in the end by RST', () => {
    const { script, peer } = corrupted('passive', { config: [[CONFIG_FAIL_TIMEOUT, 30_000_000]] });
    const fail = { mptcp: [{ fail: peer.dsn(4) }, { dss: true as const }] };
    const times: number[] = [];
    script.advance(40_000_000);
    for (let index = 0; index < 5; index++) times.push(peer.expect('A', fail).at);
    for (let index = 2; index < times.length; index++) {
      const step = (times[index] ?? 0) - (times[index - 1] ?? 0);
      expect(step).toBeCloseTo(2 * ((times[index - 1] ?? 0) - (times[index - 2] ?? 0)), -3);
    }
    let last = script.take(peer);
    for (let next = script.take(peer); next !== undefined; next = script.take(peer)) last = next;
    expect(last?.flags).toBe('RA');
    expect(last?.options.mptcp).toMatchObject([{ fail: peer.dsn(4) }, { reset: 6 }]);
    expect(script.events()).toContain('subflowClosed');
    expect(script.counter('MPTcpExtFallbackFailed')).toBe(1);
  });

  it('leads to TCP by the answering MP_FAIL: what waited is given, and ours begins with an infinite mapping', () => {
    const { script, peer, handle } = corrupted('passive');
    // More comes while the answer is under way.
    peer.send('A', { seq: 9, ack: 1, data: ' more', mptcp: [summed(peer, 8, 9, ' more')] });
    expect(script.readText(handle)).toBe('good');
    script.skip();
    peer.send('A', { seq: 14, ack: 1, mptcp: [peer.dss(0), { fail: 0n }] });
    // The application is told first.
    const told = script.events();
    expect(told.indexOf(`fallback ${FALLBACK_CHECKSUM}`)).toBeGreaterThanOrEqual(0);
    expect(told.indexOf(`fallback ${FALLBACK_CHECKSUM}`)).toBeLessThan(
      told.findIndex((event) => event.startsWith('readable')),
    );
    expect(script.readText(handle)).toBe('bad! more');
    // The peer begins with its infinite mapping; until then this side maps on.
    expect(script.info(handle)).toMatchObject({ fallback: FALLBACK_CHECKSUM, version: 1 });
    script.skip();
    peer.send('A', { seq: 14, ack: 1, data: '.', mptcp: [peer.map(4, 5, 0, { checksum: 0 })] });
    expect(script.readText(handle)).toBe('.');
    expect(script.info(handle)).toMatchObject({ fallback: FALLBACK_CHECKSUM, version: 0 });
    expect(script.events()).not.toContain(`fallback ${FALLBACK_CHECKSUM}`);
    script.skip();
    script.write(handle, 'reply');
    peer.expect('A', { seq: 1, ack: 15, data: 'reply', mptcp: [infinite(peer, 0, true)] });
    peer.send('A', { seq: 15, ack: 6 });
    expect(script.events()).toContain('drained');
    script.write(handle, 'again');
    peer.expect('A', { seq: 6, data: 'again', mptcp: [] });
    expect(script.counter('MPTcpExtInfiniteMapTx')).toBe(1);
    expect(script.counter('MPTcpExtMPFailRx')).toBe(1);
  });

  it('leads to TCP by an infinite mapping that reaches back to the bad data', () => {
    const { script, peer, handle } = corrupted('passive');
    peer.send('A', { seq: 9, ack: 1, data: ' plain', mptcp: [peer.map(4, 5, 0, { checksum: 0 })] });
    expect(script.readText(handle)).toBe('goodbad! plain');
    expect(script.info(handle).fallback).toBe(FALLBACK_CHECKSUM);
    script.skip();
    peer.send('A', { seq: 15, ack: 1, data: ' and on' });
    expect(script.readText(handle)).toBe(' and on');
    // RFC 8684 section 3.7: no DATA_ACK after an infinite mapping.
    peer.expect('A', { ack: 22, mptcp: [] });
    expect(script.counter('MPTcpExtInfiniteMapRx')).toBe(1);
    expect(script.counter('MPTcpExtDssFallback')).toBe(1);
  });

  it('of data whose length a middlebox changed gives all bytes in a line', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script, { checksum: true });
    // "PORT 10,0,0,2" became two bytes longer; the box shifts sequence numbers, not mappings.
    peer.send('A', { seq: 1, ack: 1, data: 'longer data', mptcp: [summed(peer, 0, 1, 'long data')] });
    peer.send('A', { seq: 12, ack: 1, data: 'next', mptcp: [summed(peer, 9, 10, 'next')] });
    peer.send('A', { seq: 16, ack: 1, data: 'tail', mptcp: [peer.map(0, 1, 0, { checksum: 0 })] });
    // What came behind the bad mapping, and with it, the peer sends again.
    peer.send('A', { seq: 1, ack: 1, data: 'longer datanexttail', mptcp: [peer.map(0, 1, 0, { checksum: 0 })] });
    expect(script.readText(handle)).toBe('longer datanexttail');
  });

  it('with a hole before it takes what fills the hole in a line, too', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script, { checksum: true });
    peer.send('A', { seq: 5, ack: 1, data: 'bad!', mptcp: [summed(peer, 4, 5, 'bad?')] });
    peer.expect('A', { ack: 1, mptcp: [{ fail: peer.dsn(4) }, { dss: true }] });
    peer.send('A', { seq: 1, ack: 1, mptcp: [peer.dss(0), { fail: peer.remoteDsn(0) }] });
    expect(script.readText(handle)).toBe('');
    peer.send('A', { seq: 1, ack: 1, data: 'gap ' });
    expect(script.readText(handle)).toBe('gap bad!');
  });

  it('of data that is not in a line resets the subflow with MP_FAIL', () => {
    const { script, peer } = corrupted('passive');
    script.skip();
    // The peer sends other bytes of its stream again, behind the bad ones.
    peer.send('A', { seq: 9, ack: 1, data: 'good', mptcp: [summed(peer, 0, 9, 'good')] });
    peer.expect('RA', { mptcp: [{ fail: peer.dsn(4) }, { reset: 6 }] });
    expect(script.events()).toContain('subflowClosed');
    expect(script.counter('MPTcpExtFallbackFailed')).toBe(1);
  });

  it('after a second subflow was there resets the subflow with MP_FAIL', () => {
    const script = open();
    const { peer } = mptcpPassive(script, { checksum: true });
    const second = joinPassive(peer);
    second.send('R', { seq: 1 });
    script.skip();
    peer.send('A', { seq: 1, ack: 1, data: 'bad!', mptcp: [summed(peer, 0, 1, 'bad?')] });
    peer.expect('RA', { mptcp: [{ fail: peer.dsn(0) }, { reset: 6 }] });
    expect(script.counter('MPTcpExtMPRstTx')).toBe(1);
  });

  it('keeps the end of the stream that came by DATA_FIN', () => {
    const { script, peer, handle } = corrupted('passive');
    const checksum = dssChecksum(peer.dsn(8), 0, new Uint8Array(0), 1);
    peer.send('A', { seq: 9, ack: 1, mptcp: [peer.map(8, 0, 1, { fin: true, checksum })] });
    peer.send('A', { seq: 9, ack: 1, mptcp: [peer.dss(0), { fail: 0n }] });
    const { data, error } = script.read(handle);
    expect([Buffer.from(data).toString(), error]).toEqual(['goodbad!', '']);
  });

  it('ends with the FIN of a peer that went over and had nothing left to send', () => {
    const { script, peer, handle } = corrupted('passive');
    peer.send('A', { seq: 9, ack: 1, mptcp: [peer.dss(0), { fail: 0n }] });
    peer.send('FA', { seq: 9, ack: 1 });
    const { data, error } = script.read(handle);
    expect([Buffer.from(data).toString(), error]).toEqual(['goodbad!', '']);
    expect(script.info(handle).fallback).toBe(FALLBACK_CHECKSUM);
    script.skip();
    script.write(handle, 'half open');
    peer.expect('A', { seq: 1, data: 'half open', mptcp: [{ dss: true, length: 0 }] });
  });

  it('ends with that FIN also where a DATA_FIN was told before, and the box made the stream longer', () => {
    const { script, peer, handle } = corrupted('passive');
    peer.send('A', { seq: 9, ack: 1, mptcp: [peer.map(6, 0, 1, { fin: true, checksum: 0 })] });
    peer.send('FA', { seq: 9, ack: 1, mptcp: [peer.dss(0), { fail: 0n }] });
    const { data, error } = script.read(handle);
    expect([Buffer.from(data).toString(), error]).toEqual(['goodbad!', '']);
    expect(script.info(handle).fallback).toBe(FALLBACK_CHECKSUM);
  });

  it('releases everything at the end', () => {
    const script = open();
    const { peer, handle, listener } = mptcpPassive(script, { checksum: true });
    peer.send('A', { seq: 1, ack: 1, data: 'bad!', mptcp: [summed(peer, 0, 1, 'bad?')] });
    peer.send('A', { seq: 9, ack: 1, data: 'hole', mptcp: [summed(peer, 8, 9, 'hole')] });
    peer.send('A', { seq: 5, ack: 1, mptcp: [peer.dss(0), { fail: 0n }] });
    script.abort(handle);
    script.close(listener);
    script.skip();
    script.advance(400_000_000);
    script.expectEmpty();
  });
});

describe.each(VARIANTS)('MP_FAIL of the peer (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });

  it('on the only subflow is answered, and an infinite mapping begins behind the last DATA_ACK', () => {
    for (const checksum of [true, false]) {
      const script = open({ config: [[CONFIG_NO_DELAY, 1]] });
      const { peer, handle } = mptcpPassive(script, { checksum });
      script.write(handle, 'fine');
      script.write(handle, 'changed');
      script.skip();
      // Both arrived; the second did not pass its checksum.
      peer.send('A', { seq: 1, ack: 12, mptcp: [peer.dss(4), { fail: peer.remoteDsn(4) }] });
      peer.expect('A', { seq: 12, mptcp: [{ fail: peer.dsn(0) }, { dss: true, ack: peer.dsn(0) }] });
      expect(script.info(handle).fallback).toBe(FALLBACK_PEER_MP_FAIL);
      // The subflow's ACK counts now.
      expect(script.events()).toContain('drained');
      script.write(handle, 'more');
      const { options } = peer.expect('A', { seq: 12, data: 'more' });
      expect(options.mptcp).toMatchObject([{ dss: true, length: 0 }]);
      const sent = options.mptcp?.[0] as { dsn: bigint; ssn: number; checksum?: number };
      expect(sent.dsn - peer.remoteDsn(0)).toBe(BigInt(sent.ssn - 1));
      expect(sent.checksum).toBe(checksum ? 0 : undefined);
      // Lost, it goes out with the mapping again; acknowledged, the next has none.
      script.advance(3_000_000);
      peer.expect('A', { seq: 12, data: 'more', mptcp: [{ dss: true, length: 0, dsn: sent.dsn, ssn: sent.ssn }] });
      script.skip();
      peer.send('A', { seq: 1, ack: 16 });
      script.write(handle, 'last');
      peer.expect('A', { seq: 16, data: 'last', mptcp: [] });
    }
  });

  it('leaves what the peer still maps in its place, and ends with its plain data', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    script.write(handle, 'changed');
    script.skip();
    peer.send('A', { seq: 1, ack: 8, mptcp: [peer.dss(0), { fail: peer.remoteDsn(0) }] });
    script.skip();
    peer.send('A', { seq: 1, ack: 8, data: 'mapped ', mptcp: [peer.map(0, 1, 7)] });
    peer.expect('A', { ack: 8, mptcp: [{ dss: true, ack: peer.dsn(7) }] });
    // It sends bytes again that it thinks were lost, and new ones: both by mappings out of line.
    peer.send('A', { seq: 8, ack: 8, data: 'mapped ', mptcp: [peer.map(0, 8, 7)] });
    peer.send('A', { seq: 15, ack: 8, data: 'new ', mptcp: [peer.map(7, 15, 4)] });
    peer.send('A', { seq: 19, ack: 8, data: 'mapped new plain', mptcp: [peer.map(0, 19, 0)] });
    expect(script.readText(handle)).toBe('mapped new plain');
    script.skip();
    peer.send('A', { seq: 35, ack: 8, data: '.' });
    peer.expect('A', { ack: 36, mptcp: [] });
    expect(script.readText(handle)).toBe('.');
  });

  it('again is answered again', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    script.write(handle, 'changed');
    script.skip();
    for (let time = 0; time < 2; time++) {
      peer.send('A', { seq: 1, ack: 8, mptcp: [peer.dss(0), { fail: peer.remoteDsn(0) }] });
      peer.expect('A', { mptcp: [{ fail: peer.dsn(0) }, { dss: true }] });
    }
    expect(script.counter('MPTcpExtMPFailTx')).toBe(2);
    expect(script.counter('MPTcpExtMPFailRx')).toBe(2);
  });

  it('with a number that was never sent has no effect', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    script.write(handle, 'bytes');
    script.skip();
    for (const number of [peer.remoteDsn(6), peer.remoteDsn(0) ^ (1n << 62n), 0n]) {
      peer.send('A', { seq: 1, ack: 6, mptcp: [peer.dss(0), { fail: number }] });
    }
    expect(script.info(handle)).toMatchObject({ fallback: FALLBACK_NONE, subflows: 1 });
    script.expectNothing();
  });

  it('without RST on one of several subflows resets it; its data goes by the other', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    script.write(handle, 'changed');
    const first = script.flush()[0]?.link === peer.link ? peer : second;
    const other = first === peer ? second : peer;
    first.expect('A', { data: 'changed' });
    first.send('A', { seq: 1, ack: 8, mptcp: [peer.dss(0), { fail: peer.remoteDsn(0) }] });
    first.expect('RA', { mptcp: [{ reset: 6 }] });
    script.advance(1);
    other.expect('A', { data: 'changed', mptcp: [{ dss: true, dsn: peer.remoteDsn(0) }] });
    expect(script.info(handle)).toMatchObject({ fallback: FALLBACK_NONE, subflows: 1 });
  });

  it('with RST on one of several subflows sends its data by the other at once, acknowledged by the subflow or not', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    script.write(handle, pattern(3_000));
    const first = script.flush()[0]?.link === peer.link ? peer : second;
    const other = first === peer ? second : peer;
    script.skip();
    // The subflow has taken all of it, the connection the first 1,000 bytes.
    first.send('A', { seq: 1, ack: 3_001, mptcp: [peer.dss(1_000)] });
    first.send('R', { seq: 1, mptcp: [{ fail: peer.remoteDsn(1_000) }, { reset: 6 }] });
    let sent = 0;
    for (let packet = script.take(other); packet !== undefined; packet = script.take(other)) sent += packet.data.length;
    expect(sent).toBe(2_000);
    expect(script.counter('MPTcpExtMPFailRx')).toBe(1);
    expect(script.counter('MPTcpExtMPRstRx')).toBe(1);
  });
});

describe.each(VARIANTS)('an infinite mapping (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });

  it('leaves bytes that are missing to the mappings they were announced with', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    // Bytes 5 to 9 came before bytes 0 to 4 on this subflow, and those are lost on their way.
    peer.send('A', { seq: 1, ack: 1, data: '56789', mptcp: [peer.map(5, 1, 5)] });
    peer.send('A', { seq: 6, ack: 1, mptcp: [peer.map(0, 6, 5)] });
    peer.send('A', { seq: 11, ack: 1, data: 'abc', mptcp: [peer.map(10, 11, 0)] });
    expect(script.info(handle).fallback).toBe(FALLBACK_INFINITE_MAPPING);
    expect(script.readText(handle)).toBe('');
    peer.send('A', { seq: 6, ack: 1, data: '01234' });
    expect(script.readText(handle)).toBe('0123456789abc');
    script.skip();
    peer.send('A', { seq: 14, ack: 1, data: 'def' });
    expect(script.readText(handle)).toBe('def');
    peer.expect('A', { ack: 17, mptcp: [] });
  });

  it('with 4 bytes of data sequence number is understood', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    peer.send('A', { seq: 1, ack: 1, data: 'one', mptcp: [peer.map(0, 1, 3)] });
    peer.send('A', { seq: 4, ack: 1, data: 'two', mptcp: [peer.map(3, 4, 0, { dsn4: true })] });
    expect(script.readText(handle)).toBe('onetwo');
    expect(script.info(handle).fallback).toBe(FALLBACK_INFINITE_MAPPING);
  });

  it('on one of several subflows is an error', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    second.send('A', { seq: 1, ack: 1, data: 'two', mptcp: [second.map(0, 1, 0)] });
    second.expect('RA', { mptcp: [{ reset: 1 }] });
    expect(script.info(handle)).toMatchObject({ fallback: FALLBACK_NONE, subflows: 1 });
    expect(script.counter('MPTcpExtFallbackFailed')).toBe(1);
  });
});

describe.each(VARIANTS)('changed data on the last subflow (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });

  /** Joins again; the peer had other subflows before, so that there is no fallback. */
  const joinOnly = (peer: MptcpPeer, before: MptcpPeer, port: number): MptcpPeer => {
    const next = joinPassive(peer, { port, iss: port * 7919 });
    if (before === peer) before.send('R', { seq: 1 });
    peer.script.skip();
    return next;
  };
  const sendBad = (only: MptcpPeer, offset: number) => {
    only.send('A', { seq: 1, ack: 1, data: 'bad!', mptcp: [summed(only, offset, 1, 'bad?')] });
    // More of it comes before the RST leaves.
    only.send('A', { seq: 5, ack: 1, data: 'worse', mptcp: [summed(only, offset, 5, 'other')] });
  };

  it('is reset as a passing condition, and by MP_FASTCLOSE when nothing right arrives over the next ones either', () => {
    const script = open({ config: [[CONFIG_REOPEN_REFUSALS, 3]] });
    const { peer, handle } = mptcpPassive(script, { checksum: true });
    let only = peer;
    const again = (offset: number, port: number) => {
      only = joinOnly(peer, only, port);
      sendBad(only, offset);
    };
    for (const port of [2001, 2002]) {
      again(0, port);
      only.expect('RA', { mptcp: [{ fail: peer.dsn(0) }, { reset: 6, flags: 1 }] });
    }
    // What is right begins the count anew.
    only = joinOnly(peer, only, 2003);
    only.send('A', { seq: 1, ack: 1, data: 'good', mptcp: [summed(only, 0, 1, 'good')] });
    script.skip();
    only.send('A', { seq: 5, ack: 1, data: 'bad!', mptcp: [summed(only, 4, 5, 'bad?')] });
    only.expect('RA', { mptcp: [{ fail: peer.dsn(4) }, { reset: 6, flags: 1 }] });
    again(4, 2004);
    only.expect('RA', { mptcp: [{ fail: peer.dsn(4) }, { reset: 6, flags: 1 }] });
    expect(script.readText(handle)).toBe('good');
    again(4, 2005);
    only.expect('RA', { mptcp: [{ fastclose: peer.key }, { reset: 0 }] });
    expect(script.read(handle).error).toBe('ERR_RESET');
    script.close(handle);
  });

  it('is reset without that flag when another is there', () => {
    const script = open();
    const { peer } = mptcpPassive(script, { checksum: true });
    const second = joinPassive(peer);
    script.skip();
    sendBad(second, 0);
    second.expect('RA', { mptcp: [{ fail: peer.dsn(0) }, { reset: 6, flags: 0 }] });
  });

  it('found by the peer ends the connection when it says that no other subflow would do', () => {
    const script = open();
    const { peer, handle } = mptcpActive(script, { checksum: true });
    script.write(handle, 'bytes');
    script.skip();
    peer.send('R', { seq: 1, mptcp: [{ fail: peer.remoteDsn(0) }, { reset: 6, flags: 0 }] });
    expect(script.read(handle).error).toBe('ERR_RESET');
    expect(script.info(handle).state).toBe(CONNECTION_CLOSED);
  });

  it('found by the peer as a passing condition is tried again, a few times', () => {
    const script = open({ config: [[CONFIG_REOPEN_REFUSALS, 2]] });
    const { peer, handle } = mptcpActive(script, { checksum: true });
    script.write(handle, 'bytes');
    script.skip();
    peer.send('R', { seq: 1, mptcp: [{ fail: peer.remoteDsn(0) }, { reset: 6, flags: 1 }] });
    script.advance(1);
    const again = new MptcpPeer(script, { iss: 0x0300_0000 }, 0);
    again.expect('S', { mptcp: [{ join: 'syn', token: token(peer.key) }] });
    expect(script.read(handle).error).toBe('ERR_DONE');
    again.send('RA', { seq: 0, ack: 1, mptcp: [{ reset: 6, flags: 1 }] });
    expect(script.read(handle).error).toBe('ERR_RESET');
  });

  it('lets a join come again that made way for a fallback the peer did not want', () => {
    const script = open({ config: [[CONFIG_FAIL_TIMEOUT, 3_000_000]] });
    script.endpoint('10.1.0.2', ENDPOINT_SUBFLOW, 9);
    const { peer, handle } = mptcpActive(script, { checksum: true });
    const second = new MptcpPeer(script, { local: '10.1.0.2', link: 1, iss: 0x0300_0000 }, 0);
    second.expect('S', { mptcp: [{ join: 'syn', id: 9 }] });
    peer.send('A', { seq: 1, ack: 1, data: 'bad!', mptcp: [summed(peer, 0, 1, 'bad?')] });
    second.expect('R', { mptcp: [{ reset: 2, flags: 1 }] });
    script.advance(3_000_000);
    let reset = script.take(peer);
    while (reset !== undefined && !reset.flags.includes('R')) reset = script.take(peer);
    expect(reset?.options.mptcp).toMatchObject([{ fail: peer.dsn(0) }, { reset: 6, flags: 1 }]);
    script.advance(3_000_000);
    second.localPort = 0;
    second.expect('S', { mptcp: [{ join: 'syn', id: 9 }] });
    expect(script.read(handle).error).toBe('ERR_DONE');
  });

  it('is not sent again in another place because a join ends that carried nothing', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script, { checksum: true });
    script.write(handle, 'changed');
    script.skip();
    // The subflow of the peer took it; the connection did not.
    peer.send('A', { seq: 1, ack: 8, mptcp: [peer.dss(0)] });
    const second = joinPassive(peer);
    second.send('R', { seq: 1 });
    script.expectNothing();
    expect(script.events()).toContain('subflowClosed ERR_RESET');
  });
});
