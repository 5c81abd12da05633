import { describe, expect, it } from 'vitest';
import {
  CONFIG_BLACKHOLE_TIMEOUT,
  CONFIG_SYN_RETRIES_BEFORE_FALLBACK,
  FALLBACK_BLACKHOLE,
  FALLBACK_FIRST_ACK,
  FALLBACK_FIRST_DATA,
  FALLBACK_INFINITE_MAPPING,
  FALLBACK_PEER_SYN,
  FALLBACK_PEER_SYN_ACK,
  FALLBACK_SIMULTANEOUS_OPEN,
  FALLBACK_STRIPPED_DATA,
  FALLBACK_SYN_RETRIES,
  FALLBACK_THIRD_ACK,
  FALLBACK_UNANSWERED,
} from '../../host/abi.js';
import { MptcpPeer, mptcpActive, mptcpPassive, SYN } from './handshakes.js';
import { Script, type ScriptOptions, VARIANTS } from './script.js';

describe.each(VARIANTS)('fallback to TCP (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });

  /** Both directions work, and nothing of Multipath TCP is left. `seq` and `ack` are the peer's next numbers. */
  const talk = (
    script: Script,
    peer: MptcpPeer,
    handle: number,
    seq: number,
    ack: number,
    first: { dss: true; length: number }[] = [],
  ): void => {
    script.skip();
    peer.send('A', { seq, ack, data: 'question' });
    peer.expect('A', { ack: seq + 8, mptcp: [] });
    expect(script.readText(handle)).toBe('question');
    script.write(handle, 'answer');
    peer.expect('A', { seq: ack, data: 'answer', mptcp: first });
    peer.send('A', { seq: seq + 8, ack: ack + 6 });
    expect(script.events()).toContain('drained');
    script.shutdown(handle);
    peer.expect('FA', { seq: ack + 6 });
    peer.send('FA', { seq: seq + 8, ack: ack + 7 });
    expect(script.events()).toContain('closed');
  };

  it('when the SYN has no MP_CAPABLE', () => {
    const script = open();
    const listener = script.listen(80);
    const peer = new MptcpPeer(script);
    peer.send('S', SYN);
    peer.expect('SA', { mptcp: [] });
    peer.send('A', { seq: 1, ack: 1 });
    const handle = script.accept(listener);
    expect(script.info(handle).fallback).toBe(FALLBACK_PEER_SYN);
    talk(script, peer, handle, 1, 1);
  });

  it('when the SYN/ACK has none (RFC 8684 section 3.7)', () => {
    const script = open();
    const peer = new MptcpPeer(script, {}, 0);
    const handle = script.connect(peer);
    peer.expect('S');
    peer.send('SA', { ...SYN, ack: 1 });
    peer.expect('A', { seq: 1, ack: 1, mptcp: [] });
    expect(script.info(handle).fallback).toBe(FALLBACK_PEER_SYN_ACK);
    expect(script.events()).toContain(`fallback ${FALLBACK_PEER_SYN_ACK}`);
    talk(script, peer, handle, 1, 1);
  });

  it('when the third ACK has none (RFC 8684 section 3.7)', () => {
    const script = open();
    const listener = script.listen(80);
    const peer = new MptcpPeer(script);
    peer.send('S', { ...SYN, mptcp: [{ capable: 'syn' }] });
    peer.expect('SA', { mptcp: [{ capable: 'synack' }] });
    peer.send('A', { seq: 1, ack: 1 });
    const handle = script.accept(listener);
    expect(script.info(handle).fallback).toBe(FALLBACK_THIRD_ACK);
    talk(script, peer, handle, 1, 1);
  });

  it('when the third ACK has the wrong key', () => {
    const script = open();
    const listener = script.listen(80);
    const peer = new MptcpPeer(script);
    peer.send('S', { ...SYN, mptcp: [{ capable: 'syn' }] });
    peer.expect('SA');
    peer.send('A', { seq: 1, ack: 1, mptcp: [{ capable: 'ack', key: peer.key, peerKey: 1n }] });
    const handle = script.accept(listener);
    expect(script.info(handle).fallback).toBe(FALLBACK_THIRD_ACK);
    talk(script, peer, handle, 1, 1);
  });

  it('when the first data comes without a mapping, at the side that accepted (RFC 8684 section 3.7)', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    peer.send('A', { seq: 1, ack: 1, data: 'stripped' });
    expect(script.readText(handle)).toBe('stripped');
    expect(script.info(handle).fallback).toBe(FALLBACK_FIRST_DATA);
    expect(script.counter('MPTcpExtDssFallback')).toBe(1);
    talk(script, peer, handle, 9, 1);
    expect(script.counter('MPTcpExtMPCurrEstab')).toBe(0);
  });

  it('when the SYN comes again without MP_CAPABLE, as our SYN/ACK does not get through', () => {
    const script = open();
    const listener = script.listen(80);
    const peer = new MptcpPeer(script);
    peer.send('S', { ...SYN, mptcp: [{ capable: 'syn' }] });
    peer.expect('SA', { mptcp: [{ capable: 'synack' }] });
    script.advance(900_000);
    peer.send('S', { ...SYN, mptcp: [{ capable: 'syn' }] });
    peer.expect('SA', { mptcp: [{ capable: 'synack' }] });
    peer.send('S', { ...SYN, seq: 1 });
    script.advance(900_000);
    script.skip();
    peer.send('S', SYN);
    peer.expect('SA', { mptcp: [] });
    peer.send('A', { seq: 1, ack: 1 });
    const handle = script.accept(listener);
    expect(script.info(handle).fallback).toBe(FALLBACK_PEER_SYN);
    talk(script, peer, handle, 1, 1);
  });

  it('when the first data goes unanswered as often as a SYN may', () => {
    const script = open({ config: [[CONFIG_SYN_RETRIES_BEFORE_FALLBACK, 1]] });
    const { peer, handle } = mptcpActive(script, { confirm: false });
    script.write(handle, 'data');
    peer.expect('A', { data: 'data', mptcp: [{ capable: 'ack', length: 4 }] });
    script.advance(2_000_000);
    const sent: number[] = [];
    for (let packet = script.take(peer); packet !== undefined; packet = script.take(peer)) {
      if (packet.data.length > 0) sent.push(packet.options.mptcp?.length ?? 0);
    }
    // A tail loss probe and timeouts; for a second SYNs would have asked, too.
    expect(sent).toEqual([1, 1, 1, 0]);
    expect(script.info(handle).fallback).toBe(FALLBACK_UNANSWERED);
    expect(script.counter('MPTcpExtMPCapableDataFallback')).toBe(1);
    peer.send('A', { seq: 1, ack: 5 });
    talk(script, peer, handle, 1, 5);
  });

  it('when the SYN/ACK comes again and again after the third ACK', () => {
    const script = open({ config: [[CONFIG_SYN_RETRIES_BEFORE_FALLBACK, 1]] });
    const { peer, handle } = mptcpActive(script, { confirm: false });
    const again = { ...SYN, seq: 0, ack: 1, mptcp: [{ capable: 'synack' as const, key: peer.key }] };
    peer.send('SA', again);
    peer.expect('A', { mptcp: [{ capable: 'ack' }] });
    script.advance(1_500_000);
    peer.send('SA', again);
    peer.expect('A', { mptcp: [] });
    expect(script.info(handle).fallback).toBe(FALLBACK_UNANSWERED);
    talk(script, peer, handle, 1, 1);
  });

  it('not for that once the peer has shown that options get through', () => {
    const script = open({ config: [[CONFIG_SYN_RETRIES_BEFORE_FALLBACK, 0]] });
    const { peer, handle } = mptcpActive(script);
    script.write(handle, 'data');
    script.advance(3_000_000);
    script.skip();
    peer.send('SA', { ...SYN, seq: 0, ack: 1, mptcp: [{ capable: 'synack', key: peer.key }] });
    expect(script.info(handle).fallback).toBe(0);
  });

  it('when what was acknowledged comes again without options: the ACKs did not get through', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    peer.send('A', { seq: 1, ack: 1, data: 'mapped', mptcp: [peer.map(0, 1, 6)] });
    peer.expect('A', { ack: 7, mptcp: [{ dss: true }] });
    peer.send('A', { seq: 1, ack: 1, data: 'mapped', mptcp: [peer.map(0, 1, 6)] });
    peer.send('A', { seq: 1, ack: 1, data: 'mapped' });
    expect(script.info(handle).fallback).toBe(0);
    script.advance(1_000_000);
    script.skip();
    peer.send('A', { seq: 1, ack: 1, data: 'mapped' });
    expect(script.info(handle).fallback).toBe(FALLBACK_STRIPPED_DATA);
    script.skip();
    expect(script.readText(handle)).toBe('mapped');
    // Not even an infinite mapping: it would be dropped as well.
    talk(script, peer, handle, 7, 1);
  });

  it('tells of it before the bytes that came so', () => {
    const script = open();
    const { peer } = mptcpPassive(script);
    script.events();
    peer.send('A', { seq: 1, ack: 1, data: 'stripped' });
    expect(script.events()).toEqual([`fallback ${FALLBACK_FIRST_DATA}`, 'readable']);
  });

  it('when the first data comes without a mapping, at the side that connected', () => {
    const script = open();
    const { peer, handle } = mptcpActive(script, { confirm: false });
    peer.send('A', { seq: 1, ack: 1, data: 'stripped' });
    expect(script.readText(handle)).toBe('stripped');
    expect(script.info(handle).fallback).toBe(FALLBACK_FIRST_DATA);
    talk(script, peer, handle, 9, 1);
  });

  it('when the first ACK of data has no DSS (RFC 8684 section 3.7)', () => {
    const script = open();
    const { peer, handle } = mptcpActive(script, { confirm: false });
    script.write(handle, 'data');
    peer.expect('A', { data: 'data' });
    peer.send('A', { seq: 1, ack: 5 });
    expect(script.info(handle).fallback).toBe(FALLBACK_FIRST_ACK);
    expect(script.counter('MPTcpExtMPCapableDataFallback')).toBe(1);
    expect(script.events()).toContain('drained');
    talk(script, peer, handle, 1, 5);
  });

  it('when an end of stream was already sent as DATA_FIN, sends it as FIN', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    script.shutdown(handle);
    peer.expect('A', { mptcp: [{ dss: true, fin: true }] });
    peer.send('A', { seq: 1, ack: 1, data: 'stripped' });
    script.flush();
    const packets = [script.take(peer), script.take(peer)];
    expect(packets.some((packet) => packet?.flags.includes('F') === true)).toBe(true);
  });

  it('when SYNs with MP_CAPABLE go unanswered (RFC 8684 section 3.1)', () => {
    const script = open({ config: [[CONFIG_SYN_RETRIES_BEFORE_FALLBACK, 1]] });
    const peer = new MptcpPeer(script, {}, 0);
    const handle = script.connect(peer);
    script.advance(4_000_000);
    peer.expect('S', { mptcp: [{ capable: 'syn' }] });
    peer.expect('S', { mptcp: [{ capable: 'syn' }] });
    peer.expect('S', { mptcp: [] });
    peer.send('SA', { ...SYN, ack: 1, mptcp: [{ capable: 'synack', key: peer.key }] });
    expect(script.info(handle).fallback).toBe(FALLBACK_SYN_RETRIES);
    peer.expect('A', { mptcp: [] });
    talk(script, peer, handle, 1, 1);
  });

  it('at an infinite mapping (RFC 8684 section 3.7)', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    peer.send('A', { seq: 1, ack: 1, data: 'mapped', mptcp: [peer.map(0, 1, 6)] });
    peer.send('A', { seq: 7, ack: 1, data: ' and not', mptcp: [peer.map(6, 7, 0)] });
    expect(script.readText(handle)).toBe('mapped and not');
    expect(script.info(handle).fallback).toBe(FALLBACK_INFINITE_MAPPING);
    expect(script.counter('MPTcpExtInfiniteMapRx')).toBe(1);
    talk(script, peer, handle, 15, 1, [{ dss: true, length: 0 }]);
  });

  /** A connection whose SYNs with MP_CAPABLE, if it sends them, vanish. Returns its reason for plain TCP. */
  const swallowed = (script: Script, port: number): number => {
    const peer = new MptcpPeer(script, { port }, 0);
    const handle = script.connect(peer);
    script.flush();
    let syn = script.take(peer);
    while (syn?.options.mptcp !== undefined) {
      script.advance(1_000_000);
      syn = script.take(peer) ?? syn;
    }
    expect(syn?.flags).toBe('S');
    peer.irs = syn?.seq ?? 0;
    peer.localPort = syn?.srcPort ?? 0;
    peer.send('SA', { ...SYN, ack: 1 });
    const { fallback } = script.info(handle);
    script.abort(handle);
    script.skip();
    return fallback;
  };

  it('on a path that swallowed MP_CAPABLE does not ask for it for a while, each time for longer', () => {
    const hour = 3_600_000_000;
    const script = open();
    expect(swallowed(script, 1)).toBe(FALLBACK_SYN_RETRIES);
    expect(script.counter('MPTcpExtBlackhole')).toBe(1);
    expect(script.counter('MPTcpExtMPCapableSYNTXDrop')).toBe(1);
    script.advance(hour - 5_000_000);
    expect(swallowed(script, 2)).toBe(FALLBACK_BLACKHOLE);
    expect(script.counter('MPTcpExtMPCapableSYNTXDisabled')).toBe(1);
    expect(script.counter('MPTcpExtMPCapableSYNTXDrop')).toBe(1);
    script.advance(10_000_000);
    expect(swallowed(script, 3)).toBe(FALLBACK_SYN_RETRIES);
    script.advance(2 * hour - 20_000_000);
    expect(swallowed(script, 4)).toBe(FALLBACK_BLACKHOLE);
    // Another destination, and another way there, are not meant.
    const far = new MptcpPeer(script, { remote: '10.0.0.9' }, 0);
    script.connect(far);
    far.expect('S', { mptcp: [{ capable: 'syn' }] });
    const way = new MptcpPeer(script, { local: '10.1.0.2', link: 1 }, 0);
    script.connect(way);
    way.expect('S', { mptcp: [{ capable: 'syn' }] });
    // One that works again begins anew.
    script.advance(30_000_000);
    script.skip();
    const peer = new MptcpPeer(script, { port: 5 }, 0);
    script.connect(peer);
    peer.expect('S', { mptcp: [{ capable: 'syn' }] });
    peer.send('SA', { ...SYN, ack: 1, mptcp: [{ capable: 'synack', key: peer.key }] });
    script.skip();
    expect(swallowed(script, 6)).toBe(FALLBACK_SYN_RETRIES);
    script.advance(hour - 5_000_000);
    expect(swallowed(script, 7)).toBe(FALLBACK_BLACKHOLE);
    script.advance(10_000_000);
    expect(swallowed(script, 8)).toBe(FALLBACK_SYN_RETRIES);
  });

  it('asks each time when it is to remember nothing', () => {
    const script = open({ config: [[CONFIG_BLACKHOLE_TIMEOUT, 0]] });
    expect(swallowed(script, 1)).toBe(FALLBACK_SYN_RETRIES);
    expect(swallowed(script, 2)).toBe(FALLBACK_SYN_RETRIES);
    expect(script.counter('MPTcpExtBlackhole')).toBe(0);
  });

  it('keeps out of it once mappings were seen, until data without one comes again', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    peer.send('A', { seq: 1, ack: 1, data: 'mapped', mptcp: [peer.map(0, 1, 6)] });
    peer.send('A', { seq: 7, ack: 1, data: 'stray' });
    expect(script.info(handle).fallback).toBe(0);
    expect(Buffer.from(script.read(handle).data).toString()).toBe('mapped');
  });

  it('opens simultaneously as plain TCP', () => {
    const script = open();
    const peer = new MptcpPeer(script, {}, 0);
    const handle = script.connect(peer);
    peer.expect('S', { mptcp: [{ capable: 'syn' }] });
    peer.send('S', { ...SYN, mptcp: [{ capable: 'syn' }] });
    peer.expect('SA', { seq: 0, ack: 1, mptcp: [] });
    peer.send('SA', { ...SYN, seq: 0, ack: 1, mptcp: [{ capable: 'synack', key: peer.key }] });
    expect(script.info(handle).fallback).toBe(FALLBACK_SIMULTANEOUS_OPEN);
    expect(script.counter('MPTcpExtSimultConnectFallback')).toBe(1);
    talk(script, peer, handle, 1, 1);
  });
});
