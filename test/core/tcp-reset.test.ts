import { describe, expect, it } from 'vitest';
import { TCP_ESTABLISHED, TCP_SYN_SENT } from '../../host/abi.js';
import { plainActive, plainPassive, SYN } from './handshakes.js';
import { Peer, Script, type ScriptOptions, VARIANTS } from './script.js';

describe.each(VARIANTS)('RST and segments that do not fit (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });

  it('is reset by an RST with exactly the next sequence number (RFC 5961 section 3.2)', () => {
    const script = open();
    const { peer, handle } = plainPassive(script);
    peer.send('R', { seq: 1 });
    expect(script.events()).toEqual(['subflowClosed ERR_RESET', 'closed ERR_RESET']);
    expect(script.read(handle).error).toBe('ERR_RESET');
    script.expectNothing();
  });

  it('answers an RST elsewhere in the window with a challenge ACK (RFC 5961 section 3.2)', () => {
    const script = open();
    const { peer, handle } = plainPassive(script);
    peer.send('R', { seq: 1_000 });
    peer.expect('A', { seq: 1, ack: 1 });
    expect(script.subflow(handle).state).toBe(TCP_ESTABLISHED);
    expect(script.counter('challengeAck')).toBe(1);
    // The peer that really reset it answers the challenge with an RST that fits.
    peer.send('R', { seq: 1 });
    expect(script.events()).toContain('closed ERR_RESET');
  });

  it.each([
    ['before', -1],
    ['far behind', 0x7000_0000],
  ])('ignores an RST %s the window (RFC 9293 section 3.10.7.4)', (_, seq) => {
    const script = open();
    const { peer, handle } = plainPassive(script);
    peer.send('R', { seq: 1 + seq });
    script.expectNothing();
    expect(script.subflow(handle).state).toBe(TCP_ESTABLISHED);
  });

  it('takes an RST in SYN-SENT only when it acknowledges the SYN (RFC 9293 section 3.10.7.3)', () => {
    const script = open();
    const peer = new Peer(script, {}, 0);
    const handle = script.connect(peer, 1);
    peer.expect('S');
    peer.send('R', { seq: 0 });
    peer.send('RA', { seq: 0, ack: 2 });
    script.expectNothing();
    expect(script.subflow(handle).state).toBe(TCP_SYN_SENT);
    peer.send('RA', { seq: 0, ack: 1 });
    expect(script.events()).toEqual(['closed ERR_REFUSED']);
  });

  it('resets what acknowledges something else in SYN-SENT, and goes on (RFC 9293 section 3.10.7.3)', () => {
    const script = open();
    const peer = new Peer(script, {}, 0);
    const handle = script.connect(peer, 1);
    peer.expect('S');
    peer.send('SA', { ...SYN, seq: 0, ack: 77 });
    peer.expect('R', { seq: 77 });
    expect(script.subflow(handle).state).toBe(TCP_SYN_SENT);
    peer.send('SA', { ...SYN, seq: 0, ack: 1 });
    peer.expect('A', { seq: 1, ack: 1 });
  });

  it('resets what acknowledges something else in SYN-RECEIVED, and goes on (RFC 9293 section 3.10.7.4)', () => {
    const script = open();
    const listener = script.listen(80);
    const peer = new Peer(script);
    peer.send('S', SYN);
    peer.expect('SA');
    peer.send('A', { seq: 1, ack: 77 });
    peer.expect('R', { seq: 77 });
    peer.send('A', { seq: 1, ack: 1 });
    expect(script.subflow(script.accept(listener)).state).toBe(TCP_ESTABLISHED);
  });

  it('lets an RST in SYN-RECEIVED take it back to LISTEN (RFC 9293 section 3.10.7.4)', () => {
    const script = open();
    const listener = script.listen(80);
    const peer = new Peer(script);
    peer.send('S', SYN);
    peer.expect('SA');
    peer.send('R', { seq: 1 });
    expect(script.pools()).toMatchObject({ connections: 0, subflows: 0 });
    expect(script.events()).toEqual([]);
    peer.send('S', SYN);
    peer.expect('SA');
    script.close(listener);
    script.skip();
    script.expectEmpty();
  });

  it('answers an RST elsewhere in the window of SYN-RECEIVED with a challenge ACK (RFC 9293 section 3.10.7.4)', () => {
    const script = open();
    script.listen(80);
    const peer = new Peer(script);
    peer.send('S', SYN);
    peer.expect('SA');
    peer.send('R', { seq: 100 });
    peer.expect('A', { seq: 1, ack: 1 });
  });

  it.each([
    ['in the window', 100],
    ['with the first number', 0],
    ['outside the window', -100_000],
  ])('answers a SYN %s with a challenge ACK (RFC 5961 section 4.2)', (_, seq) => {
    const script = open();
    const { peer, handle } = plainPassive(script);
    peer.send('S', { ...SYN, seq });
    peer.expect('A', { seq: 1, ack: 1 });
    script.advance(500_000);
    peer.send('SA', { ...SYN, seq, ack: 1 });
    peer.expect('A', { seq: 1, ack: 1 });
    expect(script.subflow(handle).state).toBe(TCP_ESTABLISHED);
  });

  it.each([
    ['data before the window', { seq: 1 - 10, ack: 1, data: 'old' }],
    ['data behind the window', { seq: 0x6000_0000, ack: 1, data: 'new' }],
    ['nothing before the window', { seq: 0, ack: 1 }],
  ])('acknowledges and drops %s (RFC 9293 section 3.10.7.4)', (_, said) => {
    const script = open();
    const { peer, handle } = plainPassive(script);
    peer.send('A', said);
    peer.expect('A', { seq: 1, ack: 1 });
    expect(script.readText(handle)).toBe('');
  });

  it('acknowledges and drops what acknowledges data never sent (RFC 9293 section 3.10.7.4)', () => {
    const script = open();
    const { peer, handle } = plainPassive(script);
    peer.send('A', { seq: 1, ack: 2, data: 'bad' });
    peer.expect('A', { seq: 1, ack: 1 });
    expect(script.readText(handle)).toBe('');
  });

  it('challenges an ACK that is far too old (RFC 5961 section 5.2)', () => {
    const script = open();
    const { peer, handle } = plainPassive(script);
    peer.send('A', { seq: 1, ack: 1 - 0x4000_0000, data: 'bad' });
    peer.expect('A', { seq: 1, ack: 1 });
    expect(script.readText(handle)).toBe('');
    expect(script.counter('challengeAck')).toBe(1);
  });

  it('drops a segment without ACK (RFC 9293 section 3.10.7.4)', () => {
    const script = open();
    const { peer, handle } = plainPassive(script);
    peer.send('.', { seq: 1, data: 'bad' });
    script.expectNothing();
    expect(script.readText(handle)).toBe('');
  });

  it('drops and acknowledges a segment with an old timestamp (RFC 7323 section 5.3)', () => {
    const script = open();
    const { peer, handle } = plainPassive(script, { ts: true });
    script.advance(10_000);
    peer.send('A', { seq: 1, ack: 1, data: 'new' });
    peer.expect('A', { ack: 4 });
    peer.send('A', { seq: 4, ack: 1, data: 'old', ts: [peer.tsNow() - 101, peer.tsEcho] });
    peer.expect('A', { ack: 4 });
    expect(script.counter('dropPaws')).toBe(1);
    expect(script.readText(handle)).toBe('new');
    // An RST is exempt.
    peer.send('R', { seq: 4, ts: [1, 1] });
    expect(script.events()).toContain('closed ERR_RESET');
  });

  it('takes what a reordering path held back while a retransmission brought a newer timestamp', () => {
    const script = open();
    const { peer, handle } = plainPassive(script, { ts: true });
    const before = peer.tsNow();
    peer.send('A', { seq: 11, ack: 1, data: 'after', ts: [before, peer.tsEcho] });
    script.advance(50_000);
    // The hole is filled by a segment sent later than the one that is still on its way.
    peer.send('A', { seq: 1, ack: 1, data: 'again' });
    peer.send('A', { seq: 6, ack: 1, data: 'held ', ts: [before, peer.tsEcho] });
    expect(script.readText(handle)).toBe('againheld after');
    expect(script.counter('dropPaws')).toBe(0);
  });

  it('forgets a timestamp after 24 days (RFC 7323 section 5.5)', () => {
    const script = open();
    const { peer, handle } = plainPassive(script, { ts: true });
    script.advance(25 * 86_400 * 1_000_000);
    peer.send('A', { seq: 1, ack: 1, data: 'x', ts: [1, peer.tsEcho] });
    expect(script.readText(handle)).toBe('x');
  });

  it('resets with the number that is acknowledged what belongs to nothing (RFC 9293 section 3.5.2)', () => {
    const script = open();
    const peer = new Peer(script);
    peer.send('A', { seq: 5, ack: 9, data: 'stray' });
    peer.expect('R', { seq: 9 });
    peer.send('F', { seq: 5, data: 'stray' });
    peer.expect('RA', { seq: -peer.irs, ack: 11 });
    peer.send('R', { seq: 5 });
    peer.send('RA', { seq: 5, ack: 9 });
    script.expectNothing();
    expect(script.counter('rstOut')).toBe(2);
    script.expectEmpty();
  });

  it('resets its peer when it is closed with unread data (RFC 9293 section 3.6.1, RFC 2525 section 2.17)', () => {
    const script = open();
    const { peer, handle, listener } = plainPassive(script);
    peer.send('A', { seq: 1, ack: 1, data: 'unread' });
    script.close(handle);
    peer.expect('RA', { seq: 1, ack: 7 });
    script.close(listener);
    script.expectNothing();
    script.expectEmpty();
  });

  it('resets its peer when it is aborted, and tells nothing more of it', () => {
    const script = open();
    const { peer, handle } = plainActive(script);
    peer.send('A', { seq: 1, ack: 1, data: 'unread' });
    script.skip();
    script.abort(handle);
    expect(script.events()).toEqual([]);
    peer.expect('RA', { seq: 1, ack: 7 });
    script.expectEmpty();
  });

  it('resets its half-open connections when their listener is closed', () => {
    const script = open();
    const listener = script.listen(80);
    const peer = new Peer(script);
    peer.send('S', SYN);
    peer.expect('SA');
    const other = new Peer(script, { port: 5 });
    other.send('S', SYN);
    other.expect('SA');
    other.send('A', { seq: 1, ack: 1 });
    script.close(listener);
    peer.expect('RA', { seq: 1, ack: 1 });
    other.expect('RA', { seq: 1, ack: 1 });
    script.expectEmpty();
    expect(script.events()).toEqual([]);
  });

  it('gives up a handshake whose third ACK never comes', () => {
    const script = open();
    const listener = script.listen(80);
    const peer = new Peer(script);
    peer.send('S', SYN);
    peer.expect('SA');
    expect(script.pools().subflows).toBe(1);
    script.advance(1_000_000_000);
    script.skip();
    script.close(listener);
    script.expectEmpty();
  });
});
