import { describe, expect, it } from 'vitest';
import {
  CONFIG_CLOSE_TIMEOUT,
  CONFIG_TIME_WAIT,
  TCP_CLOSE_WAIT,
  TCP_CLOSING,
  TCP_FIN_WAIT_1,
  TCP_FIN_WAIT_2,
  TCP_LAST_ACK,
} from '../../host/abi.js';
import { plainActive, plainPassive, SYN } from './handshakes.js';
import { Peer, Script, type ScriptOptions, VARIANTS } from './script.js';

describe.each(VARIANTS)('closing (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });

  it('first, through FIN-WAIT-1, FIN-WAIT-2 and TIME-WAIT (RFC 9293 section 3.6, case 1)', () => {
    const script = open();
    const { peer, handle } = plainActive(script);
    script.shutdown(handle);
    peer.expect('FA', { seq: 1, ack: 1 });
    expect(script.subflow(handle).state).toBe(TCP_FIN_WAIT_1);
    peer.send('A', { seq: 1, ack: 2 });
    expect(script.subflow(handle).state).toBe(TCP_FIN_WAIT_2);
    peer.send('FA', { seq: 1, ack: 2 });
    peer.expect('A', { seq: 2, ack: 2 });
    expect(script.events()).toContain('closed');
    script.close(handle);
    expect(script.pools().connections).toBe(0);
    expect(script.pools().subflows).toBe(1);
    script.advance(59_999_999);
    expect(script.pools().subflows).toBe(1);
    script.advance(1);
    script.expectNothing();
    script.expectEmpty();
  });

  it('second, through CLOSE-WAIT and LAST-ACK (RFC 9293 section 3.6, case 2)', () => {
    const script = open();
    const { peer, handle } = plainActive(script);
    peer.send('FA', { seq: 1, ack: 1 });
    peer.expect('A', { seq: 1, ack: 2 });
    expect(script.subflow(handle).state).toBe(TCP_CLOSE_WAIT);
    expect(script.events()).toEqual(['readable 1']);
    expect(script.read(handle).error).toBe('');
    script.shutdown(handle);
    peer.expect('FA', { seq: 1, ack: 2 });
    expect(script.subflow(handle).state).toBe(TCP_LAST_ACK);
    peer.send('A', { seq: 2, ack: 2 });
    expect(script.events()).toContain('closed');
    script.close(handle);
    script.expectNothing();
    script.expectEmpty();
  });

  it('at the same time, through CLOSING (RFC 9293 section 3.6, figure 13)', () => {
    const script = open();
    const { peer, handle } = plainActive(script);
    script.shutdown(handle);
    peer.expect('FA', { seq: 1, ack: 1 });
    peer.send('FA', { seq: 1, ack: 1 });
    peer.expect('A', { seq: 2, ack: 2 });
    expect(script.subflow(handle).state).toBe(TCP_CLOSING);
    peer.send('A', { seq: 2, ack: 2 });
    expect(script.events()).toContain('closed');
    script.close(handle);
    script.advance(60_000_000);
    script.expectEmpty();
  });

  it('when FIN and the ACK of ours come in one segment', () => {
    const script = open();
    const { peer, handle } = plainActive(script);
    script.shutdown(handle);
    peer.expect('FA');
    peer.send('FA', { seq: 1, ack: 2 });
    peer.expect('A', { seq: 2, ack: 2 });
    expect(script.events()).toContain('closed');
  });

  it('sends on after the peer has closed, and receives after closing itself (half-close)', () => {
    const script = open();
    const { peer, handle } = plainActive(script);
    peer.send('FA', { seq: 1, ack: 1 });
    peer.expect('A', { ack: 2 });
    script.write(handle, 'still here');
    peer.expect('A', { seq: 1, ack: 2, data: 'still here' });
    const other = open();
    const made = plainActive(other);
    other.shutdown(made.handle);
    made.peer.expect('FA');
    made.peer.send('A', { seq: 1, ack: 2, data: 'more' });
    expect(other.readText(made.handle)).toBe('more');
    made.peer.expect('A', { seq: 2, ack: 5 });
  });

  it('sends FIN behind the data, and both again when they are lost', () => {
    const script = open();
    const { peer, handle } = plainActive(script);
    script.write(handle, 'last words');
    script.shutdown(handle);
    peer.expect('A', { seq: 1, data: 'last words' });
    peer.expect('FA', { seq: 11 });
    script.advance(600_000);
    // The tail loss probe, then the timeout.
    peer.expect('FA', { seq: 11 });
    peer.expect('A', { seq: 1, data: 'last words' });
    script.skip();
    peer.send('A', { seq: 1, ack: 11 });
    script.advance(5_000_000);
    peer.expect('FA', { seq: 11 });
    script.skip();
    peer.send('FA', { seq: 1, ack: 12 });
    peer.expect('A', { seq: 12, ack: 2 });
  });

  it('takes a FIN with data, and one that comes before its data', () => {
    const script = open();
    const { peer, handle } = plainActive(script);
    peer.send('FA', { seq: 4, ack: 1, data: 'def' });
    peer.expect('A', { ack: 1, sack: [[4, 7]] });
    peer.send('A', { seq: 1, ack: 1, data: 'abc' });
    peer.expect('A', { ack: 8 });
    const { data, error } = script.read(handle);
    expect([Buffer.from(data).toString(), error]).toEqual(['abcdef', '']);
  });

  it('refuses to write behind its end of stream', () => {
    const script = open();
    const { handle } = plainActive(script);
    script.shutdown(handle);
    expect(() => script.write(handle, 'x')).toThrow('ERR_PIPE');
  });

  /** A connection of the stack's port 80 that waits in TIME-WAIT; the peer's next number is 2. */
  const timeWait = (script: Script, options = {}) => {
    const made = plainPassive(script, options);
    script.shutdown(made.handle);
    made.peer.expect('FA');
    made.peer.send('FA', { seq: 1, ack: 2 });
    made.peer.expect('A', { seq: 2, ack: 2 });
    script.close(made.handle);
    script.events();
    return made;
  };

  it('acknowledges a FIN again in TIME-WAIT and waits anew (RFC 9293 section 3.10.7.4)', () => {
    const script = open();
    const { peer } = timeWait(script);
    script.advance(30_000_000);
    peer.send('FA', { seq: 1, ack: 2 });
    peer.expect('A', { seq: 2, ack: 2 });
    script.advance(59_999_999);
    expect(script.pools().subflows).toBe(1);
    script.advance(1);
    expect(script.pools().subflows).toBe(0);
  });

  it('does not let an RST end TIME-WAIT (RFC 1337)', () => {
    const script = open();
    const { peer } = timeWait(script);
    peer.send('R', { seq: 2 });
    peer.send('RA', { seq: 2, ack: 2 });
    script.expectNothing();
    expect(script.pools().subflows).toBe(1);
  });

  it('acknowledges old data in TIME-WAIT', () => {
    const script = open();
    const { peer } = timeWait(script);
    peer.send('A', { seq: 0, ack: 2, data: 'x' });
    peer.expect('A', { seq: 2, ack: 2 });
  });

  it('lets a SYN with a newer timestamp take the place of TIME-WAIT (RFC 6191 section 2)', () => {
    const script = open();
    const { listener } = timeWait(script, { ts: true });
    script.advance(2_000_000);
    const again = new Peer(script, { ts: true, iss: 0x0080_0000 });
    again.send('S', SYN);
    again.expect('SA', { seq: 0, ack: 1 });
    again.send('A', { seq: 1, ack: 1 });
    script.accept(listener);
  });

  it('lets a SYN with a later sequence number take the place of TIME-WAIT (RFC 9293 section 3.10.7.4)', () => {
    const script = open();
    timeWait(script);
    const again = new Peer(script, { iss: 0x0100_0100 });
    again.send('S', SYN);
    again.expect('SA', { seq: 0, ack: 1 });
  });

  it('acknowledges an old SYN in TIME-WAIT', () => {
    const script = open();
    const { peer } = timeWait(script, { ts: true });
    peer.send('S', { ...SYN, ts: [1, 0] });
    peer.expect('A', { seq: 2, ack: 2 });
    expect(script.pools().subflows).toBe(1);
  });

  it('stays in TIME-WAIT when nobody would take the SYN', () => {
    const script = open();
    const { listener, peer } = timeWait(script);
    script.close(listener);
    peer.send('S', { ...SYN, seq: 1_000 });
    peer.expect('A', { seq: 2, ack: 2 });
    expect(script.pools().subflows).toBe(1);
  });

  it('keeps TIME-WAIT as short as it is told', () => {
    const script = open({ config: [[CONFIG_TIME_WAIT, 0]] });
    const { listener } = timeWait(script);
    script.advance(2);
    script.close(listener);
    script.expectEmpty();
  });

  it('resets a peer that does not close its side after the handle is given up', () => {
    const script = open({ config: [[CONFIG_CLOSE_TIMEOUT, 5_000_000]] });
    const { peer, handle } = plainActive(script);
    script.close(handle);
    peer.expect('FA', { seq: 1 });
    peer.send('A', { seq: 1, ack: 2 });
    script.advance(6_000_000);
    peer.expect('RA', { seq: 2, ack: 1 });
    script.expectEmpty();
  });

  it('ends without an answer to its FIN', () => {
    const script = open();
    const { handle } = plainActive(script);
    script.close(handle);
    script.advance(3_600_000_000);
    script.skip();
    script.expectEmpty();
  });

  it('ends on a link that is down, where not even an RST can leave', () => {
    const script = open();
    const { handle } = plainActive(script);
    script.x.mptcp_link_up(0, 0);
    script.abort(handle);
    script.advance(3_600_000_000);
    script.expectNothing();
    script.expectEmpty();
  });
});
