import { describe, expect, it } from 'vitest';
import {
  CONNECTION_CLOSING,
  ERR_DONE,
  ERR_HANDLE,
  ERR_INVALID,
  KIND_CONNECTION,
  KIND_LISTENER,
  KIND_TIME_WAIT,
  ListenerInfoLayout,
  type ListenerInfoRecord,
  OWNER_APPLICATION,
  OWNER_GIVEN_UP,
  OWNER_NONE,
  SubflowInfoLayout,
  type SubflowInfoRecord,
  TCP_SYN_RECEIVED,
  TCP_TIME_WAIT,
} from '../../host/abi.js';
import { plainActive, plainPassive, SYN } from './handshakes.js';
import { halves, Peer, readRecord, Script, VARIANTS } from './script.js';

/** All handles of a kind, one after the other. */
function walk(script: Script, kind: number): number[] {
  const found: number[] = [];
  for (let at = script.x.mptcp_next(kind, 0); at !== ERR_DONE; at = script.x.mptcp_next(kind, at)) found.push(at);
  return found;
}

describe.each(VARIANTS)('walking what a stack has (%s)', (variant) => {
  const open = () => new Script({ variant });

  it('finds nothing in a new stack, and refuses kinds and handles there are none of', () => {
    const { x } = open();
    for (const kind of [KIND_CONNECTION, KIND_LISTENER, KIND_TIME_WAIT]) {
      expect(x.mptcp_next(kind, 0)).toBe(ERR_DONE);
      expect(x.mptcp_next(kind, 0x7fff_ffff)).toBe(ERR_DONE);
      expect(x.mptcp_next(kind, -1)).toBe(ERR_INVALID);
    }
    expect(x.mptcp_next(3, 0)).toBe(ERR_INVALID);
    expect(x.mptcp_next(-1, 0)).toBe(ERR_INVALID);
  });

  it('finds listeners with what waits at them', () => {
    const script = open();
    const first = script.listen(80, 7);
    const second = script.x.mptcp_listen(...halves('10.1.0.2'), 81, 3, 1);
    expect(walk(script, KIND_LISTENER)).toEqual([first, second]);
    const peer = new Peer(script, {});
    peer.send('S', SYN);
    peer.expect('SA');
    const info = (handle: number) =>
      readRecord<ListenerInfoRecord>(script.view, script.x.mptcp_listener_info(handle), ListenerInfoLayout);
    expect(info(first)).toMatchObject({ localHi: 0n, localLo: 0n, port: 80, backlog: 7, waiting: 0, pending: 1 });
    const [, lo] = halves('10.1.0.2');
    expect(info(second)).toMatchObject({ localHi: 0n, localLo: lo, port: 81, backlog: 3, pending: 0, flags: 1 });
    peer.send('A', { seq: 1, ack: 1 });
    expect(info(first)).toMatchObject({ waiting: 1, pending: 1 });
    script.abort(script.accept(first));
    expect(info(first)).toMatchObject({ waiting: 0, pending: 0 });
    script.close(first);
    expect(script.x.mptcp_listener_info(first)).toBe(ERR_HANDLE);
    expect(script.x.mptcp_next(KIND_LISTENER, first)).toBe(second);
    expect(walk(script, KIND_LISTENER)).toEqual([second]);
    script.close(second);
    script.skip();
    script.expectEmpty();
  });

  it('finds connections before they are accepted, while the application has them, and after it closed them', () => {
    const script = open();
    const listener = script.listen(80);
    const peer = new Peer(script, {});
    peer.send('S', SYN);
    peer.expect('SA');
    const [handle = 0, ...others] = walk(script, KIND_CONNECTION);
    expect(others).toEqual([]);
    expect(script.info(handle)).toMatchObject({ owner: OWNER_NONE, subflows: 1 });
    expect(script.subflow(handle)).toMatchObject({ state: TCP_SYN_RECEIVED });
    // Only looking is allowed.
    expect(script.x.mptcp_recv_peek(handle)).toBe(ERR_HANDLE);
    expect(script.x.mptcp_close(handle)).toBe(ERR_HANDLE);
    peer.send('A', { seq: 1, ack: 1 });
    expect(script.info(handle).owner).toBe(OWNER_NONE);
    expect(script.accept(listener)).toBe(handle);
    expect(script.info(handle).owner).toBe(OWNER_APPLICATION);
    script.write(handle, 'last words');
    expect(script.info(handle)).toMatchObject({ unsent: 10, ended: 0, peerEnded: 0 });
    script.close(handle);
    expect(walk(script, KIND_CONNECTION)).toEqual([handle]);
    expect(script.info(handle)).toMatchObject({ owner: OWNER_GIVEN_UP, state: CONNECTION_CLOSING });
    expect(script.info(handle).ended).toBeGreaterThan(0);
    expect(script.x.mptcp_set(handle, 13, 1n)).toBe(ERR_HANDLE);
    peer.expect('A', { length: 10 });
    peer.send('RA', { seq: 1, ack: 11 });
    expect(walk(script, KIND_CONNECTION)).toEqual([]);
    expect(script.x.mptcp_connection_info(handle)).toBe(ERR_HANDLE);
    script.close(listener);
    script.skip();
    script.expectEmpty();
  });

  it('finds what is left in TIME-WAIT of a connection that is forgotten', () => {
    const script = open();
    const { peer, handle } = plainActive(script);
    script.shutdown(handle);
    peer.expect('FA');
    expect(walk(script, KIND_TIME_WAIT)).toEqual([]);
    peer.send('FA', { seq: 1, ack: 2 });
    peer.expect('A');
    script.close(handle);
    expect(walk(script, KIND_CONNECTION)).toEqual([]);
    const [left = 0, ...others] = walk(script, KIND_TIME_WAIT);
    expect(others).toEqual([]);
    const [, lo] = halves(peer.local);
    expect(
      readRecord<SubflowInfoRecord>(script.view, script.x.mptcp_time_wait_info(left), SubflowInfoLayout),
    ).toMatchObject({ state: TCP_TIME_WAIT, localLo: lo, remotePort: peer.port });
    script.advance(61_000_000);
    expect(script.x.mptcp_time_wait_info(left)).toBe(ERR_HANDLE);
    expect(walk(script, KIND_TIME_WAIT)).toEqual([]);
    script.expectEmpty();
  });

  it('goes on behind a connection that has ended meanwhile', () => {
    const script = open();
    const { handle: first, listener } = plainPassive(script);
    const { handle: second } = plainActive(script, { port: 7000 });
    const { handle: third } = plainActive(script, { port: 7001 });
    expect(walk(script, KIND_CONNECTION)).toEqual([first, second, third]);
    script.abort(second);
    script.skip();
    expect(script.x.mptcp_connection_info(second)).toBe(ERR_HANDLE);
    expect(script.x.mptcp_next(KIND_CONNECTION, second)).toBe(third);
    script.abort(first);
    script.abort(third);
    script.close(listener);
    script.skip();
    expect(script.x.mptcp_next(KIND_CONNECTION, 0)).toBe(ERR_DONE);
    script.expectEmpty();
  });
});
