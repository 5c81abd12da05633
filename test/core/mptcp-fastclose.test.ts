/** MP_FASTCLOSE (RFC 8684 section 3.5) and MP_TCPRST (section 3.6). */
import { describe, expect, it } from 'vitest';
import {
  CONFIG_FASTCLOSE_ACK,
  CONFIG_JOINS_PENDING,
  CONFIG_JOINS_PENDING_TOTAL,
  CONFIG_LIMIT_SUBFLOWS,
  CONFIG_LINGER,
  CONFIG_USER_TIMEOUT,
  EVENT_SUBFLOW_CLOSED,
  EventLayout,
  RESET_FLAG_OWN,
  RESET_FLAG_PEER,
  RESET_FLAG_TRANSIENT,
} from '../../host/abi.js';
import { joinPassive, MptcpPeer, mptcpPassive, plainPassive, SYN } from './handshakes.js';
import { token } from './keys.js';
import { Peer, pattern, readRecord, Script, type ScriptOptions, VARIANTS } from './script.js';

const SECOND = 1_000_000;

describe.each(VARIANTS)('MP_FASTCLOSE (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });
  const asking = (options: ScriptOptions = {}) =>
    open({ ...options, config: [[CONFIG_FASTCLOSE_ACK, 1], ...(options.config ?? [])] });

  it('on an RST ends the connection and all its subflows', () => {
    const script = open();
    const { peer, handle, listener } = mptcpPassive(script);
    const second = joinPassive(peer);
    peer.send('R', { seq: 1, mptcp: [{ fastclose: peer.remoteKey }, { reset: 0 }] });
    second.expect('RA', { seq: 1, mptcp: [{ reset: 0 }] });
    script.expectNothing();
    expect(script.events()).toContain('closed ERR_RESET');
    expect(script.counter('MPTcpExtMPFastcloseRx')).toBe(1);
    script.close(handle);
    script.close(listener);
    script.advance(400 * SECOND);
    script.expectEmpty();
  });

  it('on an ACK ends the connection and is answered with RST on every subflow', () => {
    const script = open();
    const { peer } = mptcpPassive(script);
    const second = joinPassive(peer);
    second.send('A', { seq: 1, ack: 1, mptcp: [{ fastclose: peer.remoteKey }] });
    second.expect('RA', { seq: 1, mptcp: [{ reset: 0 }] });
    peer.expect('RA', { seq: 1, mptcp: [{ reset: 0 }] });
    expect(script.events()).toContain('closed ERR_RESET');
    expect(script.counter('MPTcpExtMPFastcloseTx')).toBe(0);
  });

  it('with another key, or without a valid sequence number, has no effect', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    for (const fastclose of [peer.remoteKey ^ 1n, peer.key, 0n]) {
      peer.send('A', { seq: 1, ack: 1, mptcp: [{ fastclose }] });
    }
    for (const seq of [-70_000, 1_000_000]) {
      peer.send('A', { seq, ack: 1, mptcp: [{ fastclose: peer.remoteKey }] });
      peer.send('R', { seq, mptcp: [{ fastclose: peer.remoteKey }] });
    }
    script.skip();
    expect(script.counter('MPTcpExtMPFastcloseRx')).toBe(0);
    peer.send('A', { seq: 1, ack: 1, data: 'alive', mptcp: [peer.map(0, 1, 5)] });
    expect(script.readText(handle)).toBe('alive');
  });

  it('on an RST with another key resets the subflow only', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    second.send('R', { seq: 1, mptcp: [{ fastclose: peer.remoteKey ^ 1n }, { reset: 0 }] });
    expect(script.info(handle).subflows).toBe(1);
    expect(script.events()).not.toContain('closed ERR_RESET');
  });

  it('is what an abort, linger 0 and unread bytes send, with RST on every subflow, as Linux does', () => {
    for (const way of ['abort', 'linger', 'unread'] as const) {
      const script = open();
      const { peer, handle, listener } = mptcpPassive(script);
      const second = joinPassive(peer);
      if (way === 'linger') script.set(CONFIG_LINGER, 0, handle);
      if (way === 'unread') peer.send('A', { seq: 1, ack: 1, data: 'unread', mptcp: [peer.map(0, 1, 6)] });
      script.skip();
      if (way === 'abort') script.abort(handle);
      else script.close(handle);
      for (const each of [peer, second]) each.expect('RA', { mptcp: [{ fastclose: peer.key }, { reset: 0 }] });
      expect(script.counter('MPTcpExtMPFastcloseTx')).toBe(2);
      script.close(listener);
      script.skip();
      script.expectEmpty();
    }
  });

  it('on an ACK goes out on one subflow, with RST on the others, until the peer answers with RST', () => {
    const script = asking();
    const { peer, handle, listener } = mptcpPassive(script);
    const second = joinPassive(peer);
    script.write(handle, pattern(5_000));
    script.skip();
    script.abort(handle);
    const packets = [script.take(peer), script.take(second)];
    const carrier = packets[0]?.flags === 'A' ? peer : second;
    const asked = packets[carrier === peer ? 0 : 1];
    const other = packets[carrier === peer ? 1 : 0];
    expect(asked?.options.mptcp).toEqual([{ fastclose: peer.key }]);
    expect(other).toMatchObject({ flags: 'RA' });
    // The subflow sends no data any more; what comes gets no further.
    script.expectNothing();
    carrier.send('A', { seq: 1, ack: 1, data: 'late', mptcp: [peer.map(0, 1, 4)] });
    script.expectNothing();
    script.advance(10 * SECOND);
    carrier.expect('A', { mptcp: [{ fastclose: peer.key }] });
    carrier.send('R', { seq: 1 });
    script.skip();
    script.advance(60 * SECOND);
    script.expectNothing();
    script.close(listener);
    script.expectEmpty();
  });

  it('on an ACK is sent four times at most, each time later, then with RST', () => {
    const script = asking();
    const { peer, handle, listener } = mptcpPassive(script);
    script.abort(handle);
    script.advance(60 * SECOND);
    const times = [0, 1, 2, 3].map(() => peer.expect('A', { mptcp: [{ fastclose: peer.key }] }).at);
    peer.expect('RA', { mptcp: [{ fastclose: peer.key }, { reset: 0 }] });
    const steps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    expect(steps[1]).toBe(2 * (steps[0] ?? 0));
    expect(steps[2]).toBe(4 * (steps[0] ?? 0));
    expect(script.counter('MPTcpExtMPFastcloseTx')).toBe(5);
    script.close(listener);
    script.expectEmpty();
  });

  it('from both sides at once is answered with RST', () => {
    const script = asking();
    const { peer, handle, listener } = mptcpPassive(script);
    script.abort(handle);
    peer.expect('A', { mptcp: [{ fastclose: peer.key }] });
    peer.send('A', { seq: 1, ack: 1, mptcp: [{ fastclose: peer.remoteKey }] });
    peer.expect('RA', { mptcp: [{ reset: 0 }] });
    script.close(listener);
    script.expectEmpty();
  });

  it('on an ACK is what a user timeout leads to, and nothing is told behind the end', () => {
    const script = asking();
    const { peer, handle } = mptcpPassive(script);
    script.set(CONFIG_USER_TIMEOUT, 3 * SECOND, handle);
    script.write(handle, 'never acknowledged');
    script.advance(3_500_000);
    expect(script.events().at(-1)).toBe('closed ERR_TIMED_OUT');
    peer.send('A', { seq: 1, ack: 1, data: 'late', mptcp: [peer.map(0, 1, 4)] });
    expect(script.events()).toEqual([]);
    expect(script.counter('MPTcpExtMPFastcloseTx')).toBeGreaterThan(0);
  });

  it('goes on an ACK always in version 0 (RFC 6824 section 3.5)', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script, { version: 0 });
    peer.send('A', { seq: 1, ack: 1, mptcp: [peer.dss(0)] });
    script.skip();
    script.abort(handle);
    peer.expect('A', { mptcp: [{ fastclose: peer.key }] });
    peer.send('R', { seq: 1 });
    script.advance(60 * SECOND);
    script.expectNothing();
  });

  it('is not for plain TCP: an abort sends RST', () => {
    const script = asking();
    const { peer, handle } = plainPassive(script);
    script.abort(handle);
    peer.expect('RA', { mptcp: [] });
  });
});

describe.each(VARIANTS)('MP_TCPRST (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });

  /** Event.reason of the subflows that closed. */
  const reasons = (script: Script): number[] => {
    const ring = script.x.mptcp_event_ring() >>> 0;
    const count = script.x.mptcp_events(256);
    return Array.from({ length: count }, (_, index) =>
      readRecord<{ type: number; reason: number }>(script.view, ring + index * EventLayout.size, EventLayout),
    )
      .filter(({ type }) => type === EVENT_SUBFLOW_CLOSED)
      .map(({ reason }) => reason);
  };

  it.each([0, 1, 2, 3, 4, 5, 6, 200])('of the peer tells the application reason %i, and flag T', (reason) => {
    const script = open({ config: [[CONFIG_LIMIT_SUBFLOWS, 8]] });
    const { peer } = mptcpPassive(script);
    const second = joinPassive(peer);
    const third = joinPassive(peer, { port: 41_001, id: 3 });
    second.send('R', { seq: 1, mptcp: [{ reset: reason }] });
    third.send('R', { seq: 1, mptcp: [{ reset: reason, flags: 1 }] });
    expect(reasons(script)).toEqual([RESET_FLAG_PEER | reason, RESET_FLAG_PEER | RESET_FLAG_TRANSIENT | reason]);
    expect(script.counter('MPTcpExtMPRstRx')).toBe(2);
  });

  it('is not needed: an RST without it has no reason', () => {
    const script = open();
    const { peer } = mptcpPassive(script);
    const second = joinPassive(peer);
    second.send('R', { seq: 1 });
    expect(reasons(script)).toEqual([0]);
  });

  it('on anything but an RST has no effect', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    peer.send('A', { seq: 1, ack: 1, mptcp: [{ reset: 1 }] });
    expect(script.info(handle).subflows).toBe(1);
    expect(script.counter('MPTcpExtMPRstRx')).toBe(0);
  });

  it('of this side tells its application why, too', () => {
    const script = open();
    const { peer } = mptcpPassive(script);
    const second = joinPassive(peer);
    second.send('A', { seq: 1, ack: 1, data: 'two', mptcp: [second.map(0, 1, 0)] });
    second.expect('RA', { mptcp: [{ reset: 1, flags: 0 }] });
    expect(reasons(script)).toEqual([RESET_FLAG_OWN | 1]);
  });

  it('refuses a join to an unknown token for good, and one beyond the limit for now', () => {
    const script = open({ config: [[CONFIG_LIMIT_SUBFLOWS, 0]] });
    const { peer } = mptcpPassive(script);
    const stranger = new Peer(script, { port: 41_000 });
    const nonce = 1;
    stranger.send('S', { ...SYN, mptcp: [{ join: 'syn', token: token(peer.remoteKey) ^ 1, nonce }] });
    stranger.expect('RA', { mptcp: [{ reset: 1, flags: 0 }] });
    stranger.send('S', { ...SYN, mptcp: [{ join: 'syn', token: token(peer.remoteKey), nonce }] });
    stranger.expect('RA', { mptcp: [{ reset: 2, flags: 1 }] });
    expect(script.counter('MPTcpExtMPJoinNoTokenFound')).toBe(1);
    expect(script.counter('MPTcpExtMPJoinRejected')).toBe(1);
  });
});

describe.each(VARIANTS)('joins that wait for their third ACK (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });
  const ask = (script: Script, peer: MptcpPeer, port: number): string => {
    const stranger = new Peer(script, { port, local: '10.1.0.2', remote: '10.1.0.1', link: 1 });
    stranger.send('S', { ...SYN, mptcp: [{ join: 'syn', token: token(peer.remoteKey), nonce: port }] });
    return script.take(stranger)?.flags ?? '';
  };

  it('are few for each connection', () => {
    const script = open({
      config: [
        [CONFIG_LIMIT_SUBFLOWS, 31],
        [CONFIG_JOINS_PENDING, 3],
      ],
    });
    const { peer, handle, listener } = mptcpPassive(script);
    joinPassive(peer);
    const answers = [1, 2, 3, 4, 5].map((port) => ask(script, peer, port));
    expect(answers).toEqual(['SA', 'SA', 'SA', 'RA', 'RA']);
    // What never comes is forgotten, and leaves room.
    script.advance(300 * SECOND);
    script.skip();
    expect(ask(script, peer, 6)).toBe('SA');
    script.abort(handle);
    script.close(listener);
    script.skip();
    script.expectEmpty();
  });

  it('are few for all connections together, and those that prove themselves do not count', () => {
    const script = open({
      config: [
        [CONFIG_LIMIT_SUBFLOWS, 31],
        [CONFIG_JOINS_PENDING_TOTAL, 2],
      ],
    });
    const { peer: first } = mptcpPassive(script);
    joinPassive(first);
    joinPassive(first, { port: 41_001, id: 3 });
    const second = new MptcpPeer(script, { port: 40_001 });
    second.send('S', { ...SYN, mptcp: [{ capable: 'syn' }] });
    const answer = second.expect('SA').options.mptcp?.[0];
    second.remoteKey = answer !== undefined && 'key' in answer ? answer.key : 0n;
    second.send('A', { seq: 1, ack: 1, mptcp: [{ capable: 'ack', key: second.key, peerKey: second.remoteKey }] });
    expect(ask(script, first, 1)).toBe('SA');
    expect(ask(script, second, 2)).toBe('SA');
    expect(ask(script, second, 3)).toBe('RA');
  });
});
