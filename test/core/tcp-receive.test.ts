import { describe, expect, it } from 'vitest';
import { CONFIG_RECEIVE_BUFFER } from '../../host/abi.js';
import { plainPassive } from './handshakes.js';
import { pattern, Script, type ScriptOptions, VARIANTS } from './script.js';

const MSS = 1460;

describe.each(VARIANTS)('receiving (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });

  /** Lets the acknowledgments of the beginning, which come at once, go by. */
  const settle = (script: Script, options = {}) => {
    const made = plainPassive(script, options);
    for (let index = 0; index < 16; index++) {
      made.peer.send('A', { seq: 1 + index, ack: 1, data: '.' });
      made.peer.expect('A', { ack: 2 + index });
    }
    script.readText(made.handle);
    script.skip();
    return { ...made, at: 17 };
  };

  it('acknowledges a full segment with PSH at once, and a short one later (RFC 9293 section 3.8.6.3)', () => {
    const script = open();
    const { peer } = plainPassive(script);
    // The first sixteen are acknowledged at once.
    let seq = 1;
    for (let n = 0; n < 16; n++, seq += 1460) peer.send('A', { seq, ack: 1, data: pattern(1_460) });
    script.skip();
    peer.send('A', { seq, ack: 1, data: pattern(1_460) });
    script.expectNothing();
    peer.send('A', { seq: seq + 1460, ack: 1, data: pattern(1_460) });
    peer.expect('A', { ack: seq + 2920 });
    peer.send('AP', { seq: seq + 2920, ack: 1, data: pattern(1_460) });
    peer.expect('A', { ack: seq + 4380 });
    peer.send('AP', { seq: seq + 4380, ack: 1, data: 'short' });
    script.expectNothing();
  });

  it('acknowledges the first segments at once, so that the sender can start', () => {
    const script = open();
    const { peer } = plainPassive(script);
    peer.send('A', { seq: 1, ack: 1, data: 'a' });
    peer.expect('A', { ack: 2, at: 0 });
  });

  it('delays an ACK by 40 ms (RFC 9293 section 3.8.6.3)', () => {
    const script = open();
    const { peer, at } = settle(script);
    const now = script.now;
    peer.send('A', { seq: at, ack: 1, data: 'a' });
    script.advance(39_999);
    script.expectNothing();
    script.advance(1);
    peer.expect('A', { ack: at + 1, at: now + 40_000 });
    script.advance(1_000_000);
    script.expectNothing();
  });

  it('acknowledges every second segment at once (RFC 9293 section 3.8.6.3)', () => {
    const script = open();
    const { peer, at } = settle(script);
    peer.send('A', { seq: at, ack: 1, data: pattern(MSS) });
    script.expectNothing();
    peer.send('A', { seq: at + MSS, ack: 1, data: pattern(MSS) });
    peer.expect('A', { ack: at + 2 * MSS });
    // A merged segment counts as several.
    peer.send('A', { seq: at + 2 * MSS, ack: 1, data: pattern(2 * MSS) });
    peer.expect('A', { ack: at + 4 * MSS });
    script.advance(1_000_000);
    script.expectNothing();
  });

  it('puts a delayed ACK on data that goes out', () => {
    const script = open();
    const { peer, handle, at } = settle(script);
    peer.send('A', { seq: at, ack: 1, data: 'question' });
    script.write(handle, 'answer');
    peer.expect('A', { seq: 1, ack: at + 8, data: 'answer' });
    peer.send('A', { seq: at + 8, ack: 7 });
    script.advance(1_000_000);
    script.expectNothing();
  });

  it('acknowledges out-of-order data at once, the newest SACK block first (RFC 5681 section 4.2, RFC 2018)', () => {
    const script = open();
    const { peer, handle, at } = settle(script);
    peer.send('A', { seq: at + 10, ack: 1, data: '0123456789' });
    peer.expect('A', { ack: at, sack: [[at + 10, at + 20]] });
    peer.send('A', { seq: at + 40, ack: 1, data: '0123456789' });
    peer.expect('A', {
      ack: at,
      sack: [
        [at + 40, at + 50],
        [at + 10, at + 20],
      ],
    });
    peer.send('A', { seq: at + 20, ack: 1, data: '0123456789' });
    peer.expect('A', {
      ack: at,
      sack: [
        [at + 10, at + 30],
        [at + 40, at + 50],
      ],
    });
    // The hole is filled: at once, too.
    peer.send('A', { seq: at, ack: 1, data: 'abcdefghij' });
    peer.expect('A', { ack: at + 30, sack: [[at + 40, at + 50]] });
    peer.send('A', { seq: at + 30, ack: 1, data: 'ABCDEFGHIJ' });
    peer.expect('A', { ack: at + 50, sack: [] });
    expect(script.readText(handle)).toBe('abcdefghij01234567890123456789ABCDEFGHIJ0123456789');
  });

  it('sends three SACK blocks beside timestamps and four without (RFC 2018 section 3)', () => {
    for (const ts of [true, false]) {
      const script = open();
      const { peer } = plainPassive(script, { ts });
      for (let hole = 1; hole <= 5; hole++) {
        peer.send('A', { seq: 1 + hole * 20, ack: 1, data: '0123456789' });
        const sack = peer.expect('A', { ack: 1 }).options.sack;
        expect(sack).toHaveLength(Math.min(hole, ts ? 3 : 4));
        expect(sack?.[0]?.[0]).toBe(peer.iss + 1 + hole * 20);
      }
    }
  });

  it('keeps what came first when segments overlap', () => {
    const script = open();
    const { peer, handle } = plainPassive(script);
    peer.send('A', { seq: 6, ack: 1, data: 'FGHIJ' });
    peer.send('A', { seq: 3, ack: 1, data: 'cdefghijkl' });
    peer.send('A', { seq: 1, ack: 1, data: 'ab!!' });
    expect(script.readText(handle)).toBe('ab!!eFGHIJkl'.replace('!!e', 'cde'));
  });

  it('takes the new part of a segment that begins before the window (RFC 9293 section 3.10.7.4)', () => {
    const script = open();
    const { peer, handle } = plainPassive(script);
    peer.send('A', { seq: 1, ack: 1, data: 'abc' });
    script.skip();
    peer.send('A', { seq: 1, ack: 1, data: 'abcdef' });
    expect(script.readText(handle)).toBe('abcdef');
    peer.expect('A', { ack: 7 });
    peer.send('A', { seq: 1, ack: 1, data: 'abc' });
    peer.expect('A', { ack: 7 });
    expect(script.readText(handle)).toBe('');
  });

  it('puts data together in any order over 2^32 (RFC 9293 section 3.4)', () => {
    const script = open();
    const { peer, handle } = plainPassive(script, { iss: 0xffff_ff00 });
    const data = pattern(1_000);
    const pieces = Array.from({ length: 10 }, (_, index) => index * 100);
    for (const at of [7, 3, 9, 1, 5, 2, 8, 6, 4, 0].map((index) => pieces[index] ?? 0)) {
      peer.send('A', { seq: 1 + at, ack: 1, data: data.subarray(at, at + 100) });
    }
    expect(script.read(handle).data).toEqual(data);
    script.skip();
    peer.send('A', { seq: 1_001, ack: 1, data: 'x' });
    peer.expect('A', { ack: 1_002 });
  });

  it('never moves the right edge of its window to the left (RFC 9293 section 3.8.6)', () => {
    const script = open({ config: [[CONFIG_RECEIVE_BUFFER, 32_768]] });
    const { peer, handle } = plainPassive(script);
    let edge = 0;
    let sent = 0;
    for (let round = 0; sent < 32_768 && round < 100; round++) {
      const length = Math.min(MSS, 32_768 - sent);
      peer.send('A', { seq: 1 + sent, ack: 1, data: pattern(length, sent) });
      sent += length;
      script.advance(40_000);
      const packet = peer.expect('A', { ack: 1 + sent });
      const now = ((packet.ack - peer.iss) >>> 0) + (packet.window << peer.shift);
      // RFC 7323 section 2.4: rounding to the scale can take away less than one unit of it.
      expect(now).toBeGreaterThan(edge - (1 << peer.shift));
      edge = Math.max(edge, now);
    }
    expect(edge).toBeLessThanOrEqual(1 + 32_768);
    // What the rounding took away is taken all the same (RFC 7323 section 2.4).
    expect(sent).toBe(32_768);
    expect(script.info(handle).readable).toBe(32_768);
    expect(script.read(handle).data).toEqual(pattern(32_768));
    expect(peer.expect('A', { ack: 1 + sent }).window << peer.shift).toBe(32_768);
  });

  it('takes nothing beyond its window', () => {
    const script = open({ config: [[CONFIG_RECEIVE_BUFFER, 8_192]] });
    const { peer, handle } = plainPassive(script);
    for (let at = 0; at < 20_000; at += 1_000) peer.send('A', { seq: 1 + at, ack: 1, data: pattern(1_000, at) });
    expect(script.info(handle).readable).toBe(8_192);
    expect(script.read(handle).data).toEqual(pattern(8_192));
  });

  it('tells of room that opened only when it is worth a segment (RFC 9293 section 3.8.6.2.2)', () => {
    const script = open({ config: [[CONFIG_RECEIVE_BUFFER, 65_536]] });
    const { peer, handle } = plainPassive(script);
    let sent = 0;
    while (sent < 65_536) {
      const length = Math.min(MSS, 65_536 - sent);
      peer.send('A', { seq: 1 + sent, ack: 1, data: pattern(length, sent) });
      sent += length;
    }
    script.skip();
    expect(script.x.mptcp_recv(handle, script.x.mptcp_scratch(), 1_000)).toBe(1_000);
    script.expectNothing();
    expect(script.x.mptcp_recv(handle, script.x.mptcp_scratch(), 20_000)).toBe(20_000);
    expect(peer.expect('A', { ack: 1 + sent }).window << peer.shift).toBeGreaterThan(20_000);
  });

  it('answers a zero-window probe with its window', () => {
    const script = open({ config: [[CONFIG_RECEIVE_BUFFER, 4_096]] });
    const { peer } = plainPassive(script);
    for (let at = 0; at < 4_096; at += 1_024) peer.send('A', { seq: 1 + at, ack: 1, data: pattern(1_024, at) });
    script.skip();
    peer.send('A', { seq: 4_097, ack: 1, data: 'p' });
    peer.expect('A', { ack: 4_097, window: 0 });
    peer.send('A', { seq: 4_096, ack: 1 });
    peer.expect('A', { ack: 4_097, window: 0 });
  });
});
