import { describe, expect, it } from 'vitest';
import {
  CONFIG_ALLOW_JOIN_INITIAL_ADDR_PORT,
  CONFIG_CHECKSUM_ENABLED,
  CONFIG_MPTCP_ENABLED,
  CONNECT_PLAIN_TCP,
  FALLBACK_NONE,
} from '../../host/abi.js';
import { MptcpPeer, mptcpActive, mptcpPassive, SYN } from './handshakes.js';
import { dssChecksum, idsn, token } from './keys.js';
import { Peer, pattern, Script, type ScriptOptions, VARIANTS } from './script.js';

describe.each(VARIANTS)('MP_CAPABLE (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });

  it('is answered with a key, and the third ACK brings the other (RFC 8684 section 3.1)', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    expect(script.info(handle)).toMatchObject({
      version: 1,
      fallback: FALLBACK_NONE,
      localKey: peer.remoteKey,
      remoteKey: peer.key,
      localToken: token(peer.remoteKey),
      remoteToken: token(peer.key),
      sndUna: BigInt.asUintN(64, idsn(peer.remoteKey) + 1n),
      rcvNxt: BigInt.asUintN(64, idsn(peer.key) + 1n),
      checksum: 0,
    });
    expect(script.counter('MPTcpExtMPCapableSYNRX')).toBe(1);
    expect(script.counter('MPTcpExtMPCapableACKRX')).toBe(1);
  });

  it('of our own leads to a third ACK with both keys (RFC 8684 section 3.1)', () => {
    const script = open();
    const peer = new MptcpPeer(script, {}, 0);
    const handle = script.connect(peer);
    peer.expect('S', { mptcp: [{ capable: 'syn', version: 1, flags: 1 }] });
    peer.send('SA', { ...SYN, ack: 1, mptcp: [{ capable: 'synack', key: peer.key }] });
    const { localKey, remoteKey } = script.info(handle);
    expect(remoteKey).toBe(peer.key);
    peer.expect('A', { seq: 1, ack: 1, mptcp: [{ capable: 'ack', key: localKey, peerKey: peer.key, flags: 1 }] });
    script.expectNothing();
  });

  it('gives every connection another key and token', () => {
    const script = open();
    const listener = script.listen(80);
    const keys = new Set<bigint>();
    for (let port = 1; port <= 8; port++) {
      const peer = new MptcpPeer(script, { port });
      peer.send('S', { ...SYN, mptcp: [{ capable: 'syn' }] });
      const answer = peer.expect('SA').options.mptcp?.[0];
      if (answer !== undefined && 'key' in answer) keys.add(answer.key);
    }
    expect(keys.size).toBe(8);
    script.close(listener);
  });

  it('goes with the first data until the peer shows that it has the keys (RFC 8684 section 3.1)', () => {
    const script = open();
    const { peer, handle } = mptcpActive(script, { confirm: false });
    script.write(handle, 'first');
    const keys = { key: peer.remoteKey, peerKey: peer.key };
    peer.expect('A', { seq: 1, data: 'first', mptcp: [{ capable: 'ack', ...keys, length: 5 }] });
    script.advance(3_000_000);
    peer.expect('A', { seq: 1, data: 'first', mptcp: [{ capable: 'ack', ...keys, length: 5 }] });
    script.skip();
    peer.send('A', { seq: 1, ack: 6, mptcp: [peer.dss(5)] });
    script.write(handle, 'second');
    peer.expect('A', {
      seq: 6,
      data: 'second',
      mptcp: [{ dss: true, dsn: peer.remoteDsn(5), ssn: 6, length: 6, ack: peer.dsn(0) }],
    });
  });

  it('maps later segments of the first data by DSS', () => {
    const script = open();
    const { peer, handle } = mptcpActive(script, { confirm: false });
    script.write(handle, pattern(3_000));
    const first = peer.expect('A', { seq: 1, length: 1432 });
    expect(first.options.mptcp?.[0]).toMatchObject({ capable: 'ack' });
    peer.expect('A', { seq: 1433, length: 1432, mptcp: [{ dss: true, dsn: peer.remoteDsn(0), ssn: 1, length: 3000 }] });
  });

  it('with the first data, in place of a lost third ACK, opens the connection (RFC 8684 section 3.1)', () => {
    const script = open();
    const listener = script.listen(80);
    const peer = new MptcpPeer(script);
    peer.send('S', { ...SYN, mptcp: [{ capable: 'syn' }] });
    const answer = peer.expect('SA').options.mptcp?.[0];
    peer.remoteKey = answer !== undefined && 'key' in answer ? answer.key : 0n;
    // Later data, that came first, is of no use without the keys.
    peer.send('A', { seq: 6, ack: 1, data: 'later', mptcp: [peer.map(5, 6, 5)] });
    peer.send('A', {
      seq: 1,
      ack: 1,
      data: 'first',
      mptcp: [{ capable: 'ack', key: peer.key, peerKey: peer.remoteKey, length: 5 }],
    });
    const handle = script.accept(listener);
    expect(script.info(handle).fallback).toBe(FALLBACK_NONE);
    expect(script.readText(handle)).toBe('first');
    peer.expect('A', { ack: 6, mptcp: [{ dss: true, ack: peer.dsn(5) }] });
    peer.send('A', { seq: 6, ack: 1, data: 'later', mptcp: [peer.map(5, 6, 5)] });
    expect(script.readText(handle)).toBe('later');
  });

  it('repeated with the first data is taken after the third ACK, too', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const mptcp = [{ capable: 'ack' as const, key: peer.key, peerKey: peer.remoteKey, length: 5 }];
    peer.send('A', { seq: 1, ack: 1, data: 'first', mptcp });
    peer.send('A', { seq: 1, ack: 1, data: 'first', mptcp });
    expect(script.readText(handle)).toBe('first');
  });

  it('asks for the third ACK by the SYN/ACK again, and gets it again', () => {
    const script = open();
    const { peer } = mptcpActive(script, { confirm: false });
    peer.send('SA', { ...SYN, ack: 1, mptcp: [{ capable: 'synack', key: peer.key }] });
    peer.expect('A', { seq: 1, ack: 1, mptcp: [{ capable: 'ack', key: peer.remoteKey, peerKey: peer.key }] });
  });

  it('asks for checksums with flag A from either side (RFC 8684 section 3.1)', () => {
    const asked = open();
    const one = mptcpPassive(asked, { checksum: true });
    expect(asked.info(one.handle).checksum).toBe(1);
    const asking = open({ config: [[CONFIG_CHECKSUM_ENABLED, 1]] });
    const listener = asking.listen(80);
    const peer = new MptcpPeer(asking);
    peer.send('S', { ...SYN, mptcp: [{ capable: 'syn', flags: 1 }] });
    const answer = peer.expect('SA', { mptcp: [{ capable: 'synack', flags: 0x81 }] }).options.mptcp?.[0];
    peer.remoteKey = answer !== undefined && 'key' in answer ? answer.key : 0n;
    peer.send('A', {
      seq: 1,
      ack: 1,
      mptcp: [{ capable: 'ack', key: peer.key, peerKey: peer.remoteKey, flags: 0x81 }],
    });
    expect(asking.info(asking.accept(listener)).checksum).toBe(1);
  });

  it('carries the checksum of the first data (RFC 8684 section 3.1)', () => {
    const script = open();
    const { peer, handle } = mptcpActive(script, { confirm: false, checksum: true });
    script.write(handle, 'odd');
    const data = Buffer.from('odd');
    peer.expect('A', {
      data: 'odd',
      mptcp: [{ capable: 'ack', key: peer.remoteKey, length: 3, checksum: dssChecksum(peer.remoteDsn(0), 1, data) }],
    });
  });

  it('sets flag C when joins to this address are not wanted (RFC 8684 section 3.1)', () => {
    const script = open({ config: [[CONFIG_ALLOW_JOIN_INITIAL_ADDR_PORT, 0]] });
    script.listen(80);
    const peer = new Peer(script);
    peer.send('S', { ...SYN, mptcp: [{ capable: 'syn' }] });
    peer.expect('SA', { mptcp: [{ capable: 'synack', flags: 0x21 }] });
  });

  it.each([
    ['flag B (RFC 8684 section 3.1)', { flags: 0x41 }],
    ['no algorithm this side knows', { flags: 0x02 }],
    ['a version older than any', { version: 0 }],
  ])('is ignored with %s', (_, fields) => {
    const script = open();
    script.listen(80);
    const peer = new Peer(script);
    peer.send('S', { ...SYN, mptcp: [{ capable: 'syn', ...fields }] });
    peer.expect('SA', { mptcp: [] });
  });

  it.each([
    ['flag B', 0x41],
    ['no algorithm', 0x00],
    ['an algorithm that was not offered', 0x02],
  ])('is ignored in a SYN/ACK with %s (RFC 8684 section 3.1)', (_, flags) => {
    const script = open();
    const peer = new MptcpPeer(script, {}, 0);
    const handle = script.connect(peer);
    peer.expect('S', { mptcp: [{ capable: 'syn', flags: 1 }] });
    peer.send('SA', { ...SYN, ack: 1, mptcp: [{ capable: 'synack', key: peer.key, flags }] });
    peer.expect('A', { seq: 1, ack: 1, mptcp: [] });
    script.write(handle, 'as TCP');
    peer.expect('A', { seq: 1, data: 'as TCP', mptcp: [] });
  });

  it('of a higher version is answered with the own one (RFC 8684 section 3.1)', () => {
    const script = open();
    script.listen(80);
    const peer = new Peer(script);
    peer.send('S', { ...SYN, mptcp: [{ capable: 'syn', version: 2 }] });
    peer.expect('SA', { mptcp: [{ capable: 'synack', version: 1 }] });
  });

  it('is neither offered nor answered when it is turned off', () => {
    const script = open({ config: [[CONFIG_MPTCP_ENABLED, 0]] });
    script.listen(80);
    const peer = new Peer(script);
    peer.send('S', { ...SYN, mptcp: [{ capable: 'syn' }] });
    peer.expect('SA', { mptcp: [] });
    const other = new Peer(script, { port: 9 }, 0);
    script.connect(other);
    other.expect('S', { mptcp: [] });
    const plain = open();
    plain.listen(80, 5, CONNECT_PLAIN_TCP);
    const third = new Peer(plain);
    third.send('S', { ...SYN, mptcp: [{ capable: 'syn' }] });
    third.expect('SA', { mptcp: [] });
  });
});
