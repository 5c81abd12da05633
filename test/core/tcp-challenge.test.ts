import { describe, expect, it } from 'vitest';
import { CONFIG_CHALLENGE_ACK_LIMIT, CONFIG_INVALID_RATE_LIMIT, TCP_ESTABLISHED } from '../../host/abi.js';
import { plainActive, plainPassive, SYN } from './handshakes.js';
import { Peer, pattern, Script, VARIANTS } from './script.js';

describe.each(VARIANTS)('blind attacks (%s)', (variant) => {
  const open = (config: [number, number][] = []) => new Script({ variant, config });

  it('answers one connection no more than twice a second (RFC 5961 section 7)', () => {
    const script = open();
    const { peer } = plainPassive(script);
    peer.send('R', { seq: 100 });
    peer.expect('A', { seq: 1, ack: 1 });
    for (let count = 0; count < 50; count++) {
      peer.send('R', { seq: 100 + count });
      peer.send('S', { ...SYN, seq: 200 + count });
      peer.send('A', { seq: 1, ack: 5 + count });
      peer.send('A', { seq: -5, ack: 1 });
    }
    script.expectNothing();
    expect(script.counter('ackSkipped')).toBe(200);
    script.advance(500_000);
    peer.send('R', { seq: 100 });
    peer.expect('A', { seq: 1, ack: 1 });
    expect(script.counter('challengeAck')).toBe(2);
  });

  it('answers all connections together no more often than the limit, half of it at random (RFC 5961 section 7)', () => {
    const answered = (seed: bigint): number => {
      const script = new Script({ variant, seed, config: [[CONFIG_CHALLENGE_ACK_LIMIT, 20]] });
      script.listen(80, 100);
      const peers = Array.from({ length: 60 }, (_, index) => new Peer(script, { port: 1_000 + index }));
      for (const peer of peers) {
        peer.send('S', SYN);
        peer.expect('SA');
        peer.send('A', { seq: 1, ack: 1 });
        script.expectNothing();
      }
      for (const peer of peers) peer.send('R', { seq: 9 });
      const first = script.flush().length;
      expect(script.counter('challengeAck')).toBe(first);
      script.skip();
      script.advance(1_000_000);
      for (const peer of peers) peer.send('R', { seq: 9 });
      expect(script.flush().length).toBeGreaterThanOrEqual(10);
      return first;
    };
    const counts = [1n, 2n, 3n, 4n, 5n, 6n].map(answered);
    for (const count of counts) {
      expect(count).toBeGreaterThanOrEqual(10);
      expect(count).toBeLessThan(30);
    }
    expect(new Set(counts).size).toBeGreaterThan(1);
  });

  it('has no limit for one connection when told so', () => {
    const script = open([[CONFIG_INVALID_RATE_LIMIT, 0]]);
    const { peer } = plainPassive(script);
    for (let count = 0; count < 5; count++) {
      peer.send('R', { seq: 100 });
      peer.expect('A', { seq: 1, ack: 1 });
    }
  });

  it('always acknowledges data that arrives again, which is no loop of ACKs', () => {
    const script = open();
    const { peer } = plainPassive(script);
    peer.send('A', { seq: 1, ack: 1, data: 'once' });
    peer.expect('A', { ack: 5 });
    for (let count = 0; count < 5; count++) {
      peer.send('A', { seq: 1, ack: 1, data: 'once' });
      peer.expect('A', { ack: 5 });
    }
  });

  it('does not answer an ACK with an ACK for ever: two ends that disagree fall silent', () => {
    const script = open();
    const { peer } = plainPassive(script);
    let answers = 0;
    for (let count = 0; count < 100; count++) {
      peer.send('A', { seq: 1, ack: 0x1000 });
      if (script.take(peer) !== undefined) answers++;
      script.advance(1_000);
    }
    expect(answers).toBe(1);
  });

  it.each([
    ['within the largest window it announced', 1, 0],
    ['just beyond it', 0, 1],
  ])('takes or challenges an old ACK: %s (RFC 5961 section 5.2)', (_, taken, challenged) => {
    const script = open();
    const { peer, handle } = plainActive(script, {}, { ...SYN, window: 1_000 });
    peer.send('A', { seq: 1, ack: 1, window: 10 });
    for (let sent = 0; sent < 5; sent++) {
      script.write(handle, pattern(1_000));
      peer.expect('A', { seq: 1 + sent * 1_000, length: 1_000 });
      peer.send('A', { seq: 1, ack: 1 + (sent + 1) * 1_000, window: 10 });
    }
    script.skip();
    // The window is 10 << 7.
    peer.send('A', { seq: 1, ack: 5_001 - 1_280 - challenged, data: 'x' });
    expect(script.readText(handle)).toBe('x'.repeat(taken));
    expect(script.counter('challengeAck')).toBe(challenged);
  });

  it('challenges an ACK of what was there before the connection (RFC 5961 section 5.2)', () => {
    const script = open();
    const { peer, handle } = plainActive(script);
    peer.send('A', { seq: 1, ack: -1, data: 'x' });
    peer.expect('A', { seq: 1, ack: 1 });
    expect(script.readText(handle)).toBe('');
    expect(script.counter('challengeAck')).toBe(1);
  });

  it.each([
    ['one window behind what was received', 5_000, true],
    ['from before the connection', 5_002, false],
    ['far behind', 0x3000_0000, false],
  ])('uses the ACK of an old segment only near the window: %s (RFC 9293 section 3.10.7.4)', (_, behind, used) => {
    const script = open();
    const { peer, handle } = plainActive(script);
    for (let at = 0; at < 5; at++) peer.send('A', { seq: 1 + at * 1_000, ack: 1, data: pattern(1_000) });
    script.skip();
    script.write(handle, 'data');
    peer.expect('A', { data: 'data' });
    peer.send('A', { seq: 5_001 - behind, ack: 5 });
    expect(script.subflow(handle).inFlight).toBe(used ? 0 : 4);
    expect(script.subflow(handle).state).toBe(TCP_ESTABLISHED);
  });

  it('takes an RST with the very next number, whatever else it says (RFC 5961 section 3.2)', () => {
    const script = open();
    const { peer, handle } = plainPassive(script, { ts: true });
    peer.send('R', { seq: 2 });
    peer.expect('A', { ack: 1 });
    peer.send('R', { seq: 0 });
    script.expectNothing();
    expect(script.subflow(handle).state).toBe(TCP_ESTABLISHED);
    peer.send('R', { seq: 1 });
    expect(script.events()).toContain('closed ERR_RESET');
  });
});
