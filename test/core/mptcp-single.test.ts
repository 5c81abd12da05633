/** The subflow opened after the last one was reset for changed data: plain TCP from its first byte on (RFC 8684 section 3.7). */
import { describe, expect, it } from 'vitest';
import { CONFIG_NO_DELAY, FALLBACK_CHECKSUM, FALLBACK_NONE, FALLBACK_PEER_MP_FAIL } from '../../host/abi.js';
import { joinPassive, MptcpPeer, mptcpActive, mptcpPassive, SYN } from './handshakes.js';
import { dssChecksum, joinHmac, token } from './keys.js';
import type { Dss } from './options.js';
import { Script, type ScriptOptions, toBytes, VARIANTS } from './script.js';

/** A mapping with the checksum of `data`, which a middlebox may change afterwards. */
const summed = (peer: MptcpPeer, offset: number, ssn: number, data: string) => {
  const bytes = toBytes(data);
  return peer.map(offset, ssn, bytes.length, { checksum: dssChecksum(peer.dsn(offset), ssn, bytes) });
};

/** The infinite mapping of the peer, from byte `offset` on, with `acked` bytes of the stack acknowledged. */
const offer = (peer: MptcpPeer, offset: number, acked: number): Dss =>
  peer.dss(acked, { dsn: peer.dsn(offset), ssn: 1, length: 0, checksum: 0 });

/** That of the stack. */
const offered = (peer: MptcpPeer, offset: number, acked: number) => ({
  dss: true as const,
  dsn: peer.remoteDsn(offset),
  ssn: 1,
  length: 0,
  checksum: 0,
  ack: peer.dsn(acked),
});

describe.each(VARIANTS)('the side that found changed data (%s)', (variant) => {
  /** `good` arrived, `bad!` did not; the only subflow, which had another beside it, is reset; "answer" waits, of it 3 bytes are there. */
  const failed = (options: ScriptOptions = {}) => {
    const script = new Script({ variant, config: [[CONFIG_NO_DELAY, 1]], ...options });
    const { peer, handle, listener } = mptcpPassive(script, { checksum: true });
    const second = joinPassive(peer);
    second.send('R', { seq: 1 });
    script.write(handle, 'answer');
    script.flush();
    // Of what comes behind a hole nothing counts later.
    peer.send('A', {
      seq: 1,
      ack: 7,
      data: 'good',
      mptcp: [{ ...summed(peer, 0, 1, 'good'), ack: peer.remoteDsn(3) }],
    });
    peer.send('A', { seq: 5, ack: 7, data: 'ahead', mptcp: [summed(peer, 8, 5, 'ahead')] });
    script.skip();
    peer.send('A', { seq: 10, ack: 7, data: 'bad!', mptcp: [summed(peer, 4, 10, 'bad?')] });
    peer.expect('RA', { mptcp: [{ fail: peer.dsn(4) }, { reset: 6, flags: 1 }] });
    expect(script.readText(handle)).toBe('good');
    script.events();
    return { script, peer, handle, listener };
  };

  it('goes on as TCP by the next one, from the very byte where each stream stood', () => {
    const { script, peer, handle, listener } = failed();
    const only = joinPassive(peer, { port: 2001, iss: 99 });
    // Its data waits until it is known what the peer has.
    script.expectNothing();
    only.send('A', { seq: 1, ack: 1, mptcp: [offer(only, 4, 5)] });
    expect(script.events()).toContain(`fallback ${FALLBACK_CHECKSUM}`);
    expect(script.info(handle)).toMatchObject({ fallback: FALLBACK_CHECKSUM, version: 0, bytesAcked: 5n });
    only.expect('A', { seq: 1, ack: 1, data: 'r', mptcp: [offered(only, 5, 4)] });
    // The offer came again: the answer was lost.
    only.send('A', { seq: 1, ack: 1, mptcp: [offer(only, 4, 5)] });
    only.expect('A', { seq: 2, mptcp: [offered(only, 5, 4)] });
    // A box on this path puts in longer words.
    only.send('A', { seq: 1, ack: 2, data: 'bad words', mptcp: [offer(only, 4, 5)] });
    only.send('A', { seq: 10, ack: 2, data: ' ahead' });
    expect(script.readText(handle)).toBe('bad words ahead');
    script.skip();
    script.write(handle, ' more');
    only.expect('A', { seq: 2, data: ' more', mptcp: [] });
    only.send('FA', { seq: 16, ack: 7 });
    expect(script.read(handle).error).toBe('');
    script.close(handle);
    only.expect('FA', { seq: 7, ack: 17 });
    only.send('A', { seq: 17, ack: 8 });
    script.close(listener);
    script.skip();
    script.advance(400_000_000);
    script.expectEmpty();
  });

  it('stays with Multipath TCP when the first DSS of the peer offers nothing', () => {
    const { script, peer, handle } = failed();
    const next = joinPassive(peer, { port: 2001, iss: 99 });
    script.expectNothing();
    next.send('A', { seq: 1, ack: 1, mptcp: [next.dss(4)] });
    next.expect('A', { seq: 1, data: 'er', mptcp: [{ dss: true, dsn: next.remoteDsn(4), length: 2 }] });
    next.send('A', { seq: 1, ack: 3, data: 'fine', mptcp: [summed(next, 4, 1, 'fine')] });
    // What had come behind the changed bytes is still there.
    expect(script.readText(handle)).toBe('fineahead');
    expect(script.info(handle).fallback).toBe(FALLBACK_NONE);
  });

  it('probes a peer that says nothing, and goes on without its word in the end', () => {
    const { script, peer } = failed();
    const next = joinPassive(peer, { port: 2001, iss: 99 });
    script.advance(20_000_000);
    let probes = 0;
    let packet = script.take(next);
    for (; packet !== undefined && packet.data.length === 0; packet = script.take(next)) probes++;
    expect(probes).toBe(2);
    expect(Buffer.from(packet?.data ?? []).toString()).toBe('wer');
  });

  it.each([
    ['does not begin where this side stands', 3],
    ['begins behind it', 8],
  ])('does not take an offer that %s', (_, from) => {
    const { script, peer, handle } = failed();
    const next = joinPassive(peer, { port: 2001, iss: 99 });
    next.send('A', { seq: 1, ack: 1, mptcp: [offer(next, from, 3)] });
    expect(script.info(handle)).toMatchObject({ fallback: FALLBACK_NONE, subflows: 1 });
    next.expect('A', { data: 'wer', mptcp: [{ dss: true, length: 3 }] });
  });

  it('does not take one while another subflow carries data', () => {
    const { script, peer, handle } = failed();
    const first = joinPassive(peer, { port: 2001, iss: 99 });
    first.send('A', { seq: 1, ack: 1, mptcp: [first.dss(6)] });
    const second = joinPassive(peer, { port: 2002, iss: 99, id: 3 });
    second.send('A', { seq: 1, ack: 1, mptcp: [offer(second, 4, 6)] });
    expect(script.info(handle)).toMatchObject({ fallback: FALLBACK_NONE, subflows: 2 });
  });
});

describe.each(VARIANTS)('the side whose data was changed (%s)', (variant) => {
  /** The peer resets the only subflow for changed data; this side joins again, as far as its third ACK. */
  const failed = () => {
    const script = new Script({ variant, config: [[CONFIG_NO_DELAY, 1]] });
    const { peer, handle } = mptcpActive(script, { checksum: true });
    script.write(handle, 'first');
    script.write(handle, 'second');
    script.skip();
    peer.send('R', { seq: 1, mptcp: [{ fail: peer.remoteDsn(0) }, { reset: 6, flags: 1 }] });
    script.advance(1);
    const next = new MptcpPeer(script, { iss: 0x0300_0000 }, 0);
    const syn = next.expect('S', { mptcp: [{ join: 'syn', token: token(peer.key) }] }).options.mptcp?.[0];
    if (syn === undefined || !('join' in syn) || syn.join !== 'syn') throw new Error('the SYN has no MP_JOIN');
    next.key = peer.key;
    next.remoteKey = peer.remoteKey;
    next.checksum = true;
    const hmac = BigInt(`0x${joinHmac(peer.key, peer.remoteKey, 7, syn.nonce).slice(0, 16)}`);
    next.send('SA', { ...SYN, ack: 1, mptcp: [{ join: 'synack', hmac, nonce: 7, id: 0 }] });
    next.expect('A', { mptcp: [{ join: 'ack', hmac: joinHmac(peer.remoteKey, peer.key, syn.nonce, 7).slice(0, 40) }] });
    return { script, handle, next };
  };

  it('offers an infinite mapping from what the fourth ACK says on, and sends when the peer takes it', () => {
    const { script, handle, next } = failed();
    next.send('A', { seq: 1, ack: 1, mptcp: [next.dss(2)] });
    next.expect('A', { seq: 1, ack: 1, mptcp: [offered(next, 2, 0)] });
    script.expectNothing();
    // Lost, it is sent again.
    script.advance(1_500_000);
    next.expect('A', { mptcp: [offered(next, 2, 0)] });
    script.skip();
    next.send('A', { seq: 1, ack: 1, mptcp: [offer(next, 0, 2)] });
    expect(script.info(handle)).toMatchObject({ fallback: FALLBACK_PEER_MP_FAIL, version: 0 });
    const sent: string[] = [];
    for (let packet = script.take(next); packet !== undefined; packet = script.take(next)) {
      sent.push(Buffer.from(packet.data).toString());
      expect(packet.options.mptcp).toMatchObject([{ dss: true, length: 0, dsn: next.remoteDsn(2), ssn: 1 }]);
    }
    expect(sent.join('')).toBe('rstsecond');
    next.send('A', { seq: 1, ack: 10, data: 'plain' });
    expect(script.readText(handle)).toBe('plain');
    expect(script.counter('MPTcpExtInfiniteMapTx')).toBe(2);
  });

  it('goes on with Multipath TCP when the peer sends data, or says nothing to the offer', () => {
    for (const silent of [true, false]) {
      const { script, handle, next } = failed();
      next.send('A', { seq: 1, ack: 1, mptcp: [next.dss(0)] });
      next.expect('A', { mptcp: [offered(next, 0, 0)] });
      if (silent) script.advance(20_000_000);
      else next.send('A', { seq: 1, ack: 1, data: 'mapped', mptcp: [summed(next, 0, 1, 'mapped')] });
      let packet = script.take(next);
      while (packet !== undefined && packet.data.length === 0) packet = script.take(next);
      expect(packet?.options.mptcp).toMatchObject([{ dss: true, dsn: next.remoteDsn(0), ssn: 1 }]);
      expect(script.info(handle).fallback).toBe(FALLBACK_NONE);
    }
  });

  it('gives up, so that the peer knows, when the answer begins elsewhere', () => {
    const { script, handle, next } = failed();
    next.send('A', { seq: 1, ack: 1, mptcp: [next.dss(0)] });
    script.skip();
    next.send('A', { seq: 1, ack: 1, mptcp: [offer(next, 4, 0)] });
    next.expect('RA', { mptcp: [{ fastclose: next.key }, { reset: 0 }] });
    expect(script.read(handle).error).toBe('ERR_RESET');
  });

  it('wants it again when that subflow is reset', () => {
    const { script, next } = failed();
    next.send('A', { seq: 1, ack: 1, mptcp: [next.dss(0)] });
    script.skip();
    next.send('R', { seq: 1, mptcp: [{ reset: 6, flags: 1 }] });
    script.advance(3_000_000);
    next.localPort = 0;
    next.expect('S', { mptcp: [{ join: 'syn' }] });
  });
});

describe.each(VARIANTS)('changed data found by both sides at once (%s)', (variant) => {
  it('makes both TCP at the end of the stream of one, whose DATA_FIN does not count', () => {
    const script = new Script({ variant, config: [[CONFIG_NO_DELAY, 1]] });
    const { peer, handle } = mptcpPassive(script, { checksum: true });
    script.write(handle, 'ours');
    script.skip();
    peer.send('A', { seq: 1, ack: 5, data: 'worse', mptcp: [summed(peer, 0, 1, 'right')] });
    peer.send('A', { seq: 6, ack: 5, mptcp: [peer.dss(0), { fail: peer.remoteDsn(0) }] });
    expect(script.readText(handle)).toBe('worse');
    script.skip();
    const end = { fin: true, checksum: dssChecksum(peer.dsn(5), 0, new Uint8Array(), 1) };
    peer.send('A', { seq: 6, ack: 5, mptcp: [peer.map(5, 0, 1, end)] });
    expect(script.info(handle)).toMatchObject({ fallback: FALLBACK_CHECKSUM, version: 0 });
    peer.expect('A', { mptcp: [{ dss: true, length: 0, dsn: peer.remoteDsn(0) }] });
    // A box made the stream longer.
    peer.send('A', { seq: 6, ack: 5, data: 'tail' });
    expect(script.readText(handle)).toBe('tail');
    peer.send('FA', { seq: 10, ack: 5 });
    expect(script.read(handle).error).toBe('');
  });
});
