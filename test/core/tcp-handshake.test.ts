import { describe, expect, it } from 'vitest';
import {
  CONFIG_SACK,
  CONFIG_SYN_COOKIES,
  CONFIG_SYN_RETRIES,
  CONFIG_TIMESTAMPS,
  CONFIG_WINDOW_SCALE,
  CONNECT_PLAIN_TCP,
  ERR_DONE,
  TCP_ESTABLISHED,
  TCP_SYN_RECEIVED,
} from '../../host/abi.js';
import { plainActive, plainPassive, SYN } from './handshakes.js';
import { Peer, Script, type ScriptOptions, VARIANTS } from './script.js';

describe.each(VARIANTS)('TCP handshake (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });

  it('answers a SYN with SYN/ACK and takes the third ACK (RFC 9293 section 3.5)', () => {
    const script = open();
    const listener = script.listen(80);
    const peer = new Peer(script, { ts: true });
    peer.send('S', SYN);
    const answer = peer.expect('SA', { seq: 0, ack: 1, mss: 1460, wscale: 8, sackOk: true, window: 65_535 });
    // RFC 7323 section 3.2: the value received is echoed.
    expect(answer.options.ts?.[1]).toBe(peer.tsNow());
    expect(script.x.mptcp_accept(listener)).toBe(ERR_DONE);
    peer.send('A', { seq: 1, ack: 1 });
    expect(script.events()).toEqual(['acceptable']);
    const handle = script.accept(listener);
    expect(script.subflow(handle)).toMatchObject({ state: TCP_ESTABLISHED, mss: 1448 });
    expect(script.info(handle)).toMatchObject({ localPort: 80, remotePort: 40_000 });
    script.expectNothing();
  });

  it('sends a SYN and acknowledges the answer (RFC 9293 section 3.5)', () => {
    const script = open();
    const peer = new Peer(script, { ts: true }, 0);
    const handle = script.connect(peer, CONNECT_PLAIN_TCP);
    const syn = peer.expect('S', { seq: 0, ack: -peer.iss, mss: 1460, wscale: 8, sackOk: true, mptcp: [] });
    expect(syn.options.ts?.[1]).toBe(0);
    peer.send('SA', { ...SYN, ack: 1 });
    peer.expect('A', { seq: 1, ack: 1, without: ['mss', 'wscale', 'sackOk'] });
    expect(script.events()).toEqual(['subflowEstablished', 'connected']);
    expect(script.subflow(handle)).toMatchObject({ state: TCP_ESTABLISHED, mss: 1448, sndWindow: 65_535 });
    script.expectNothing();
  });

  it('uses nothing that the peer did not offer (RFC 7323 sections 2.2 and 3.2, RFC 2018 section 2)', () => {
    const script = open();
    script.listen(80);
    const peer = new Peer(script);
    peer.send('S', {});
    peer.expect('SA', { mss: 1460, without: ['wscale', 'sackOk', 'ts'] });
  });

  it('takes 536 bytes without an MSS option, 1,220 over IPv6 (RFC 9293 section 3.7.1)', () => {
    const script = open();
    const { handle } = plainPassive(script, {}, {});
    expect(script.subflow(handle).mss).toBe(536);
    const script6 = open();
    const six = plainPassive(script6, { local: 'fd00::2', remote: 'fd00::1' }, {});
    expect(script6.subflow(six.handle).mss).toBe(1220);
  });

  it('announces an MSS that fits its link, IPv6 and all', () => {
    const script = open({ mtu: 1280 });
    script.listen(80);
    const peer = new Peer(script, { local: 'fd00::2', remote: 'fd00::1' });
    peer.send('S', SYN);
    peer.expect('SA', { mss: 1220 });
  });

  it('leaves out what its configuration turns off', () => {
    const script = open({
      config: [
        [CONFIG_SACK, 0],
        [CONFIG_TIMESTAMPS, 0],
        [CONFIG_WINDOW_SCALE, 3],
      ],
    });
    const peer = new Peer(script, { ts: true }, 0);
    script.connect(peer, CONNECT_PLAIN_TCP);
    peer.expect('S', { wscale: 3, without: ['sackOk', 'ts'] });
  });

  it('scales windows in both directions, but not that of a SYN (RFC 7323 section 2.2)', () => {
    const script = open();
    const { peer, handle } = plainPassive(script);
    expect(script.subflow(handle).sndWindow).toBe(65_535 << 7);
    peer.send('A', { seq: 1, ack: 1, window: 100 });
    expect(script.subflow(handle).sndWindow).toBe(100 << 7);
    expect(peer.shift).toBe(8);
  });

  it('opens when both sides send a SYN at the same time (RFC 9293 section 3.5, figure 7)', () => {
    const script = open();
    const peer = new Peer(script, {}, 0);
    const handle = script.connect(peer, CONNECT_PLAIN_TCP);
    peer.expect('S', { seq: 0 });
    peer.send('S', SYN);
    peer.expect('SA', { seq: 0, ack: 1 });
    expect(script.subflow(handle).state).toBe(TCP_SYN_RECEIVED);
    peer.send('SA', { ...SYN, seq: 0, ack: 1 });
    expect(script.subflow(handle).state).toBe(TCP_ESTABLISHED);
    script.skip();
    script.write(handle, 'hello');
    peer.expect('A', { seq: 1, ack: 1, data: 'hello' });
    peer.send('A', { seq: 1, ack: 6, data: 'hi' });
    expect(script.readText(handle)).toBe('hi');
  });

  it('opens when both sides send a SYN and only an ACK answers (RFC 9293 section 3.10.7.4)', () => {
    const script = open();
    const peer = new Peer(script, {}, 0);
    const handle = script.connect(peer, CONNECT_PLAIN_TCP);
    peer.expect('S');
    peer.send('S', SYN);
    peer.expect('SA', { seq: 0, ack: 1 });
    peer.send('A', { seq: 1, ack: 1 });
    expect(script.subflow(handle).state).toBe(TCP_ESTABLISHED);
  });

  it('sends a SYN again after 1, 2, 4 … seconds and gives up (RFC 6298 sections 2.1 and 5.5)', () => {
    const script = open({ config: [[CONFIG_SYN_RETRIES, 3]] });
    const peer = new Peer(script, {}, 0);
    const handle = script.connect(peer, CONNECT_PLAIN_TCP);
    peer.expect('S', { at: 0 });
    script.advance(100_000_000);
    for (const at of [1_000_000, 3_000_000, 7_000_000]) peer.expect('S', { seq: 0, at });
    script.expectNothing();
    expect(script.events()).toEqual(['closed ERR_TIMED_OUT']);
    script.close(handle);
    script.expectEmpty();
  });

  it('sends a SYN/ACK again, at once for a repeated SYN, and gives up', () => {
    const script = open({ config: [[CONFIG_SYN_RETRIES, 2]] });
    const listener = script.listen(80);
    const peer = new Peer(script);
    peer.send('S', SYN);
    peer.expect('SA', { at: 0 });
    peer.send('S', SYN);
    peer.expect('SA', { at: 0 });
    script.advance(300_000_000);
    const again = peer.expect('SA', { seq: 0, ack: 1 });
    expect(again.at).toBeGreaterThanOrEqual(1_000_000);
    script.skip();
    expect(script.pools()).toMatchObject({ connections: 0, subflows: 0, timers: 0 });
    expect(script.events()).toEqual([]);
    script.close(listener);
    script.expectEmpty();
  });

  it('reads a late third ACK out of the first data (RFC 9293 section 3.10.7.4)', () => {
    const script = open();
    const listener = script.listen(80);
    const peer = new Peer(script);
    peer.send('S', SYN);
    peer.expect('SA');
    peer.send('A', { seq: 1, ack: 1, data: 'first' });
    expect(script.readText(script.accept(listener))).toBe('first');
  });

  it('drops a SYN when the backlog is full and there are no cookies, and takes it when there is room', () => {
    const script = open({ config: [[CONFIG_SYN_COOKIES, 0]] });
    const listener = script.listen(80, 1);
    const first = new Peer(script, { port: 1111 });
    const second = new Peer(script, { port: 2222 });
    first.send('S', SYN);
    first.expect('SA');
    second.send('S', SYN);
    script.expectNothing();
    expect(script.counter('dropBacklog')).toBe(1);
    first.send('A', { seq: 1, ack: 1 });
    second.send('S', SYN);
    script.expectNothing();
    script.accept(listener);
    second.send('S', SYN);
    second.expect('SA', { ack: 1 });
  });

  it('answers a SYN to a closed port with RST (RFC 9293 section 3.5.2)', () => {
    const script = open();
    const peer = new Peer(script, {}, 81);
    peer.send('S', SYN);
    peer.expect('RA', { seq: 0, ack: 1, window: 0 });
    script.expectNothing();
  });

  it('echoes the timestamp of what arrived last in order (RFC 7323 section 4.3)', () => {
    const script = open();
    const { peer } = plainPassive(script, { ts: true });
    script.advance(50_000);
    peer.send('A', { seq: 1, ack: 1, data: 'x', ts: [7_777, peer.tsEcho] });
    expect(peer.expect('A', { ack: 2 }).options.ts?.[1]).toBe(7_777);
    // A hole: the timestamp of the last segment before it is echoed.
    peer.send('A', { seq: 5, ack: 1, data: 'y', ts: [8_888, peer.tsEcho] });
    expect(peer.expect('A', { ack: 2 }).options.ts?.[1]).toBe(7_777);
  });

  it('lets the application write while it connects', () => {
    const script = open();
    const peer = new Peer(script, {}, 0);
    const handle = script.connect(peer, CONNECT_PLAIN_TCP);
    script.write(handle, 'early');
    peer.expect('S');
    script.expectNothing();
    peer.send('SA', { ...SYN, ack: 1 });
    peer.expect('A', { seq: 1, ack: 1, data: 'early' });
  });

  it('works from the first sequence number to the last: 2^32 lies in the first data', () => {
    const script = open();
    const { peer, handle } = plainActive(script, { iss: 0xffff_ffff });
    peer.send('A', { seq: 1, ack: 1, data: 'over the edge' });
    peer.expect('A', { ack: 14 });
    expect(script.readText(handle)).toBe('over the edge');
  });
});
