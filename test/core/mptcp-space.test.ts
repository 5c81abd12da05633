/** The 40 bytes of options, and the window, that all subflows and all signals share. */
import { describe, expect, it } from 'vitest';
import { CONFIG_NO_DELAY, CONFIG_RECEIVE_BUFFER, ENDPOINT_SIGNAL, FALLBACK_NONE } from '../../host/abi.js';
import { joinPassive, type MptcpPeer, mptcpPassive, SYN } from './handshakes.js';
import { addAddrHmac, dssChecksum } from './keys.js';
import type { Dss } from './options.js';
import type { TcpPacket } from './packets.js';
import { pattern, Script, type ScriptOptions, toBytes, VARIANTS } from './script.js';

describe.each(VARIANTS)('the option space (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });
  const all = (script: Script, peer: MptcpPeer): TcpPacket[] => {
    const packets: TcpPacket[] = [];
    for (let packet = script.take(peer); packet !== undefined; packet = script.take(peer)) packets.push(packet);
    return packets;
  };
  const has = (packets: TcpPacket[], name: string): boolean =>
    packets.some(({ options }) => options.mptcp?.some((option) => name in option) === true);

  it.each([false, true])('lets everything that is due out at once, with checksums: %s', (checksum) => {
    const script = open({ config: [[CONFIG_NO_DELAY, 1]] });
    const timestamps = { ...SYN, ts: [5_000, 0] as [number, number] };
    const { peer, handle } = mptcpPassive(script, { checksum, ts: true, syn: timestamps });
    // Holes in what the peer sent, an address to announce, one to echo, the end of the stream, and data.
    for (const at of [100, 300, 500]) {
      const data = pattern(50, at);
      const sum = checksum ? { checksum: dssChecksum(peer.dsn(at), at + 1, data) } : {};
      peer.send('A', { seq: at + 1, ack: 1, data, mptcp: [peer.map(at, at + 1, 50, sum)] });
    }
    script.skip();
    script.endpoint('10.1.0.2', ENDPOINT_SIGNAL);
    const hmac = addAddrHmac(peer.key, peer.remoteKey, 7, '10.0.9.9');
    peer.send('A', { seq: 1, ack: 1, mptcp: [{ addAddr: '10.0.9.9', id: 7, hmac }] });
    script.write(handle, 'data');
    script.shutdown(handle);
    const data = pattern(50, 700);
    const sum = checksum ? { checksum: dssChecksum(peer.dsn(700), 701, data) } : {};
    peer.send('A', { seq: 701, ack: 1, data, mptcp: [peer.map(700, 701, 50, sum)] });
    const packets = all(script, peer);
    const mptcp = packets.flatMap(({ options }) => options.mptcp ?? []);
    expect(mptcp.filter((option) => 'addAddr' in option)).toHaveLength(2);
    expect(mptcp.some((option) => 'dss' in option && option.fin === true)).toBe(true);
    expect(packets.some(({ options }) => (options.sack?.length ?? 0) >= 1)).toBe(true);
    // RFC 8684 section 3.3.2: numbers of eight bytes are acknowledged with eight, whatever is missing.
    const acks = mptcp.filter((option): option is Dss => 'dss' in option && option.ack !== undefined);
    expect(acks.every(({ ack4 }) => ack4 !== true)).toBe(true);
    expect(packets.some(({ data: bytes }) => bytes.length === 4)).toBe(true);
    // The segments with signals follow those with the DATA_ACK, and all but those with the longest have timestamps.
    const told = packets.filter(({ options }) => options.mptcp?.some((option) => 'addAddr' in option) !== true);
    expect(told.at(-1)?.options.mptcp).toMatchObject([{ dss: true }]);
    expect(packets.at(-1)).not.toBe(told.at(-1));
    expect(packets.every(({ options }) => options.ts !== undefined)).toBe(true);
    // All of it in one flight: nothing waits for a timer.
    expect(new Set(packets.map((packet) => (packet as { at?: number }).at)).size).toBe(1);
  });

  it('has MP_FAIL and the DATA_FIN in two segments, one behind the other', () => {
    const script = open();
    const timestamps = { ...SYN, ts: [5_000, 0] as [number, number] };
    const { peer, handle } = mptcpPassive(script, { checksum: true, ts: true, syn: timestamps });
    script.shutdown(handle);
    const checksum = dssChecksum(peer.dsn(0), 1, toBytes('bad?'));
    peer.send('A', { seq: 1, ack: 1, data: 'bad!', mptcp: [peer.map(0, 1, 4, { checksum })] });
    const packets = all(script, peer);
    expect(has(packets, 'fail')).toBe(true);
    expect(packets.some(({ options }) => options.mptcp?.some((each) => 'dss' in each && each.fin === true))).toBe(true);
  });

  it('gives DATA_ACKs while data flows the other way without a pause, and SACK as soon as it pauses', () => {
    const script = open({ config: [[CONFIG_NO_DELAY, 1]] });
    const { peer, handle } = mptcpPassive(script);
    script.write(handle, pattern(100_000));
    peer.send('A', { seq: 1, ack: 1, data: 'one', mptcp: [peer.map(0, 1, 3)] });
    peer.send('A', { seq: 7, ack: 1, data: 'three', mptcp: [peer.map(6, 7, 5)] });
    const packets = all(script, peer);
    expect(packets[0]?.options.mptcp).toMatchObject([{ dss: true, ack: peer.dsn(3) }]);
    expect(packets.some(({ options }) => options.sack !== undefined)).toBe(true);
  });

  it('leaves the FIN its DATA_ACK when an address waits to be announced', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    script.shutdown(handle);
    script.skip();
    peer.send('A', { seq: 1, ack: 1, mptcp: [peer.dss(1)] });
    const hmac = addAddrHmac(peer.key, peer.remoteKey, 7, '10.0.9.9');
    peer.send('A', { seq: 1, ack: 1, mptcp: [{ addAddr: '10.0.9.9', id: 7, hmac }] });
    peer.send('A', { seq: 1, ack: 1, mptcp: [peer.map(0, 0, 1, { fin: true })] });
    const packets = all(script, peer);
    expect(has(packets, 'addAddr')).toBe(true);
    const fin = packets.find(({ flags }) => flags.includes('F'));
    expect(fin?.options.mptcp).toMatchObject([{ dss: true, ack: peer.dsn(1) }]);
  });

  it('of a peer may hold options nobody knows: MP_EXPERIMENTAL, subtypes and lengths to come', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const experimental = [30, 8, 0xf0, 1, 2, 3, 4, 5];
    const unknown = [30, 4, 0x90, 0, 30, 6, 0xe0, 0, 0, 0];
    const odd = [30, 5, 0x60, 0, 1, 1, 1, 1];
    peer.send('A', { seq: 1, ack: 1, data: 'one', raw: experimental, mptcp: [peer.map(0, 1, 3)] });
    peer.send('A', { seq: 4, ack: 1, data: 'two', raw: unknown, mptcp: [peer.map(3, 4, 3)] });
    peer.send('A', { seq: 7, ack: 1, data: 'three', raw: odd, mptcp: [peer.map(6, 7, 5)] });
    expect(script.readText(handle)).toBe('onetwothree');
    expect(script.info(handle).fallback).toBe(FALLBACK_NONE);
    expect(script.counter('MPTcpExtMPFailRx')).toBe(0);
  });
});

describe.each(VARIANTS)('the window (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });

  it('that one subflow was told holds for another that was told none (RFC 8684 section 3.3.5)', () => {
    const script = open({ config: [[CONFIG_NO_DELAY, 1]] });
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    script.write(handle, 'first');
    const first = script.flush()[0]?.link === peer.link ? peer : second;
    const other = first === peer ? second : peer;
    script.skip();
    first.send('A', { seq: 1, ack: 6, window: 0, mptcp: [peer.dss(5)] });
    other.send('A', { seq: 1, ack: 1, window: 500, mptcp: [peer.dss(5)] });
    // What was promised once holds, though neither has a window of its own any more.
    other.send('A', { seq: 1, ack: 1, window: 0, mptcp: [peer.dss(5)] });
    script.write(handle, 'second');
    expect(script.flush()).toHaveLength(1);
    expect(script.counter('MPTcpExtSndWndShared')).toBeGreaterThan(0);
  });

  it('of a segment without a DATA_ACK is one of its subflow only (RFC 8684 section 3.3.2)', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    joinPassive(peer);
    peer.send('A', { seq: 1, ack: 1, window: 0, mptcp: [peer.dss(0)] });
    const edge = script.info(handle).sndWindowEnd;
    const more = { seq: 1, ack: 1, window: 65_535 };
    peer.send('A', more);
    peer.send('A', { ...more, mptcp: [{ prio: false }] });
    peer.send('A', { ...more, mptcp: [{ dss: true, dsn: peer.dsn(0), ssn: 1, length: 4 }], data: 'data' });
    expect(script.info(handle).sndWindowEnd).toBe(edge);
    // Nor does a smaller one take anything away.
    peer.send('A', { seq: 5, ack: 1, window: 0, mptcp: [peer.dss(0)] });
    expect(script.info(handle).sndWindowEnd).toBe(edge);
    peer.send('A', { seq: 5, ack: 1, window: 65_535, mptcp: [peer.dss(0)] });
    expect(script.info(handle).sndWindowEnd).toBe(peer.remoteDsn(65_535 << 7));
  });

  it('does not move to the left when its buffer is made smaller (RFC 9293 section 3.8.6)', () => {
    const script = open({ config: [[CONFIG_RECEIVE_BUFFER, 65_536]] });
    const { peer, handle } = mptcpPassive(script);
    joinPassive(peer);
    script.skip();
    const { rcvWindowEnd } = script.info(handle);
    script.set(CONFIG_RECEIVE_BUFFER, 8_192, handle);
    peer.send('A', { seq: 1, ack: 1, data: pattern(1_000), mptcp: [peer.map(0, 1, 1_000)] });
    script.advance(100_000);
    expect(script.info(handle).rcvWindowEnd).toBe(rcvWindowEnd);
    expect(script.counter('MPTcpExtRcvWndShared')).toBeGreaterThan(0);
  });

  it('that is closed is probed, and the probes are counted', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    peer.send('A', { seq: 1, ack: 1, window: 0, mptcp: [peer.dss(0)] });
    script.write(handle, 'wait');
    script.advance(20_000_000);
    expect(script.counter('MPTcpExtWinProbe')).toBeGreaterThan(0);
  });

  it('counts what came out of order as Linux does: at the end, behind a gap, next to what is there', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    const piece = (offset: number, ssn: number) => {
      second.send('A', { seq: ssn, ack: 1, data: pattern(10, offset), mptcp: [second.map(offset, ssn, 10)] });
    };
    piece(100, 1);
    piece(110, 11);
    piece(50, 21);
    piece(60, 31);
    expect(script.counter('MPTcpExtOFOQueue')).toBe(3);
    expect(script.counter('MPTcpExtOFOMerge')).toBe(1);
    expect(script.counter('MPTcpExtOFOQueueTail')).toBe(2);
    second.send('A', { seq: 41, ack: 1, data: 'far', mptcp: [second.map(50_000_000, 41, 3)] });
    expect(script.counter('MPTcpExtNoDSSInWindow')).toBe(1);
    piece(100, 44);
    expect(script.readText(handle)).toBe('');
  });
});
