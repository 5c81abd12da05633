import { describe, expect, it } from 'vitest';
import {
  CONFIG_KEEPALIVE,
  CONFIG_KEEPALIVE_COUNT,
  CONFIG_KEEPALIVE_IDLE,
  CONFIG_KEEPALIVE_INTERVAL,
  CONFIG_LINGER,
  CONFIG_RETRIES,
  CONFIG_RTO_MAX,
  CONFIG_USER_TIMEOUT,
  CONNECT_PLAIN_TCP,
} from '../../host/abi.js';
import { mptcpActive, plainActive, plainPassive } from './handshakes.js';
import { Peer, pattern, Script, VARIANTS } from './script.js';

const MSS = 1460;
const SECOND = 1_000_000;

describe.each(VARIANTS)('windows that stay closed, peers that stay silent (%s)', (variant) => {
  const open = (config: [number, number][] = []) => new Script({ variant, config });

  /** Lets time pass, answering all that leaves, and returns when it left, in seconds. */
  function answerFor(script: Script, peer: Peer, seconds: number, answer?: () => void): number[] {
    const times: number[] = [];
    for (let step = 0; step < seconds * 10; step++) {
      script.advance(SECOND / 10);
      for (let packet = script.take(peer); packet !== undefined; packet = script.take(peer)) {
        times.push(packet.at / SECOND);
        if (!packet.flags.includes('R')) answer?.();
      }
    }
    return times;
  }

  it('probes a closed window without end while the peer answers (RFC 9293 section 3.8.6.1)', () => {
    const script = open([
      [CONFIG_RETRIES, 3],
      [CONFIG_RTO_MAX, 5 * SECOND],
    ]);
    const { peer, handle } = plainPassive(script, {}, { mss: MSS });
    peer.send('A', { seq: 1, ack: 1, window: 0 });
    script.write(handle, 'waiting');
    const times = answerFor(script, peer, 600, () => peer.send('A', { seq: 1, ack: 1, window: 0 }));
    // Doubled each time, up to the largest timeout.
    const gaps = times.slice(1).map((time, index) => Math.round(time - (times[index] ?? 0)));
    expect(gaps.slice(0, 3)).toEqual([...gaps.slice(0, 3)].sort((a, b) => a - b));
    expect(gaps.at(-1)).toBe(5);
    expect(times.length).toBeGreaterThan(100);
    peer.send('A', { seq: 1, ack: 1, window: 1_000 });
    peer.expect('A', { seq: 1, data: 'waiting' });
  });

  it('gives up a peer that leaves the probes of its window without an answer', () => {
    const script = open([[CONFIG_RETRIES, 3]]);
    const { peer, handle, listener } = plainPassive(script, {}, { mss: MSS });
    peer.send('A', { seq: 1, ack: 1, window: 0 });
    script.write(handle, 'waiting');
    expect(answerFor(script, peer, 120)).toHaveLength(3);
    expect(script.events()).toContain('closed ERR_TIMED_OUT');
    script.close(handle);
    script.close(listener);
    script.expectEmpty();
  });

  it('sends its FIN into a closed window again for as long as the peer answers (RFC 9293 section 3.8.6.1)', () => {
    const script = open([
      [CONFIG_RETRIES, 3],
      [CONFIG_RTO_MAX, 5 * SECOND],
    ]);
    const { peer, handle } = plainPassive(script, {}, { mss: MSS });
    peer.send('A', { seq: 1, ack: 1, window: 0 });
    script.shutdown(handle);
    const times = answerFor(script, peer, 300, () => peer.send('A', { seq: 1, ack: 1, window: 0 }));
    expect(times.length).toBeGreaterThan(30);
    peer.send('A', { seq: 1, ack: 1, window: 100 });
    script.advance(10 * SECOND);
    peer.expect('FA', { seq: 1 });
    script.skip();
    peer.send('FA', { seq: 1, ack: 2 });
    peer.expect('A', { seq: 2, ack: 2 });
    expect(script.events()).toContain('closed');
  });

  it('keeps sending what the peer took its window back from, while the peer answers (RFC 9293 section 3.8.6)', () => {
    const script = open([
      [CONFIG_RETRIES, 3],
      [CONFIG_RTO_MAX, 5 * SECOND],
    ]);
    const { peer, handle } = plainPassive(script, {}, { mss: MSS });
    script.write(handle, 'on its way');
    peer.expect('A', { seq: 1, data: 'on its way' });
    peer.send('A', { seq: 1, ack: 1, window: 0 });
    const times = answerFor(script, peer, 300, () => peer.send('A', { seq: 1, ack: 1, window: 0 }));
    expect(times.length).toBeGreaterThan(30);
    peer.send('A', { seq: 1, ack: 11, window: 100 });
    expect(script.subflow(handle).inFlight).toBe(0);
  });

  it.each([1, 100, 535, 700, 1_000])(
    'does not follow a window that opens by %i bytes at a time (RFC 9293 section 3.8.6.2.1)',
    (step) => {
      const script = open();
      const { peer, handle } = plainPassive(script, {}, { mss: 536 + 200 });
      peer.send('A', { seq: 1, ack: 1, window: 0 });
      script.write(handle, pattern(20_000));
      script.expectNothing();
      let window = 0;
      let seq = 1;
      let segments = 0;
      let small = 0;
      for (let turn = 0; turn < 200; turn++) {
        window += step;
        peer.send('A', { seq: 1, ack: seq, window });
        for (let packet = script.take(peer); packet !== undefined; packet = script.take(peer)) {
          segments++;
          if (packet.data.length < 736) small++;
          seq += packet.data.length;
          window -= packet.data.length;
        }
        peer.send('A', { seq: 1, ack: seq, window });
        script.advance(1_000);
      }
      // Only the last bytes of all may be fewer than a segment.
      expect(small).toBeLessThanOrEqual(1);
      expect(segments).toBeGreaterThanOrEqual(Math.floor(Math.min(step * 200, 20_000) / 736) - 1);
    },
  );

  it('fills half of the largest window a small peer ever had at once (RFC 9293 section 3.8.6.2.1)', () => {
    const script = open();
    const peer = new Peer(script, {}, 0);
    const handle = script.connect(peer, CONNECT_PLAIN_TCP);
    peer.expect('S');
    peer.send('SA', { ack: 1, mss: MSS, window: 1_000 });
    peer.expect('A');
    script.write(handle, pattern(3_000));
    peer.expect('A', { seq: 1, length: 1_000 });
    peer.send('A', { seq: 1, ack: 1_001, window: 499 });
    script.expectNothing();
    peer.send('A', { seq: 1, ack: 1_001, window: 500 });
    peer.expect('A', { seq: 1_001, length: 500 });
  });

  it('ends with ERR_TIMED_OUT when data is not acknowledged within the user timeout (RFC 9293 section 3.9.1)', () => {
    const script = open([[CONFIG_USER_TIMEOUT, 7 * SECOND]]);
    const { peer, handle } = plainActive(script);
    script.write(handle, 'lost');
    script.advance(6_900_000);
    expect(script.events()).toEqual([]);
    script.skip();
    script.advance(200_000);
    peer.expect('RA');
    expect(script.events()).toContain('closed ERR_TIMED_OUT');
    script.close(handle);
    script.expectNothing();
    script.expectEmpty();
  });

  it('lets progress move the user timeout, and can be told another one while it runs', () => {
    const script = open();
    const { peer, handle } = plainActive(script);
    script.set(CONFIG_USER_TIMEOUT, 5 * SECOND, handle);
    expect(script.x.mptcp_get(handle, CONFIG_USER_TIMEOUT)).toBe(BigInt(5 * SECOND));
    script.write(handle, pattern(3 * MSS));
    for (let part = 1; part <= 3; part++) {
      script.advance(4 * SECOND);
      peer.send('A', { seq: 1, ack: 1 + part * MSS });
    }
    script.advance(20 * SECOND);
    expect(script.events()).not.toContain('closed ERR_TIMED_OUT');
    script.write(handle, 'lost');
    script.set(CONFIG_USER_TIMEOUT, 2 * SECOND, handle);
    script.advance(2_100_000);
    expect(script.events()).toContain('closed ERR_TIMED_OUT');
  });

  it('counts the time a window stays closed as well (RFC 5482 section 3)', () => {
    const script = open([[CONFIG_USER_TIMEOUT, 30 * SECOND]]);
    const { peer, handle } = plainPassive(script, {}, { mss: MSS });
    peer.send('A', { seq: 1, ack: 1, window: 0 });
    script.write(handle, 'waiting');
    answerFor(script, peer, 29, () => peer.send('A', { seq: 1, ack: 1, window: 0 }));
    expect(script.events()).toEqual([]);
    answerFor(script, peer, 2, () => peer.send('A', { seq: 1, ack: 1, window: 0 }));
    expect(script.events()).toContain('closed ERR_TIMED_OUT');
  });

  it('ends a SYN without an answer at the user timeout (RFC 9293 section 3.8.3)', () => {
    const script = open([[CONFIG_USER_TIMEOUT, 5 * SECOND]]);
    const peer = new Peer(script, {}, 0);
    const handle = script.connect(peer, CONNECT_PLAIN_TCP);
    peer.expect('S', { at: 0 });
    script.advance(4_900_000);
    peer.expect('S', { at: SECOND });
    peer.expect('S', { at: 3 * SECOND });
    expect(script.events()).toEqual([]);
    script.advance(200_000);
    script.expectNothing();
    expect(script.events()).toEqual(['closed ERR_TIMED_OUT']);
    script.close(handle);
    script.expectEmpty();
  });

  it('lets a Multipath TCP connection end by the user timeout at data level (RFC 8684 section 3.3.6)', () => {
    const script = open([[CONFIG_USER_TIMEOUT, 10 * SECOND]]);
    const { peer, handle } = mptcpActive(script);
    script.write(handle, 'lost');
    script.advance(5 * SECOND);
    script.skip();
    // The subflow gets on, the connection does not.
    peer.send('A', { seq: 1, ack: 5, mptcp: [peer.dss(0)] });
    script.advance(6 * SECOND);
    expect(script.events()).toContain('closed ERR_TIMED_OUT');
  });

  it('probes an idle peer with an old number and no byte, and goes on when it answers (RFC 9293 section 3.8.4)', () => {
    const script = open([
      [CONFIG_KEEPALIVE, 1],
      [CONFIG_KEEPALIVE_IDLE, 10 * SECOND],
      [CONFIG_KEEPALIVE_INTERVAL, 2 * SECOND],
      [CONFIG_KEEPALIVE_COUNT, 3],
    ]);
    const { peer } = plainActive(script);
    for (let round = 1; round <= 5; round++) {
      script.advance(10 * SECOND);
      peer.expect('A', { seq: 0, ack: 1 });
      peer.send('A', { seq: 1, ack: 1 });
      script.expectNothing();
    }
    script.advance(10 * SECOND);
    peer.expect('A', { seq: 0, at: 60 * SECOND });
    script.advance(10 * SECOND);
    peer.expect('A', { seq: 0, at: 62 * SECOND });
    peer.expect('A', { seq: 0, at: 64 * SECOND });
    script.expectNothing();
    expect(script.events()).toContain('closed ERR_TIMED_OUT');
  });

  it('probes nobody unless told to (RFC 9293 section 3.8.4)', () => {
    const script = open();
    plainActive(script);
    script.advance(10 * 86_400 * SECOND);
    script.expectNothing();
  });

  it('does not probe while data is under way, nor a peer that sends', () => {
    const script = open([
      [CONFIG_KEEPALIVE, 1],
      [CONFIG_KEEPALIVE_IDLE, 10 * SECOND],
    ]);
    const { peer } = plainActive(script);
    for (let at = 0; at < 20; at++) {
      script.advance(5 * SECOND);
      peer.send('A', { seq: 1 + at, ack: 1, data: 'x' });
    }
    script.advance(SECOND);
    for (let packet = script.take(peer); packet !== undefined; packet = script.take(peer)) {
      expect((packet.seq - peer.irs) >>> 0).toBe(1);
    }
  });

  it('lets the user timeout take the place of the count of keep-alive probes (RFC 5482 section 6)', () => {
    const script = open([
      [CONFIG_KEEPALIVE, 1],
      [CONFIG_KEEPALIVE_IDLE, 10 * SECOND],
      [CONFIG_KEEPALIVE_INTERVAL, 2 * SECOND],
      [CONFIG_KEEPALIVE_COUNT, 100],
      [CONFIG_USER_TIMEOUT, 15 * SECOND],
    ]);
    plainActive(script);
    script.advance(15_900_000);
    expect(script.events()).toEqual([]);
    script.advance(SECOND);
    expect(script.events()).toContain('closed ERR_TIMED_OUT');
  });

  it('resets a connection that is closed with a linger of 0', () => {
    const script = open([[CONFIG_LINGER, 0]]);
    const { peer, handle, listener } = plainPassive(script);
    script.write(handle, 'never sent');
    script.close(handle);
    peer.expect('RA', { seq: 1 });
    script.close(listener);
    script.expectNothing();
    script.expectEmpty();
  });

  it('resets what is not delivered within the linger, though it gets on', () => {
    const script = open();
    const { peer, handle } = plainPassive(script, {}, { mss: MSS });
    script.set(CONFIG_LINGER, 3 * SECOND, handle);
    script.write(handle, pattern(30 * MSS));
    script.close(handle);
    for (let part = 1; part <= 2; part++) {
      script.advance(SECOND);
      peer.send('A', { seq: 1, ack: 1 + part * MSS });
    }
    script.skip();
    script.advance(1_100_000);
    let last = '';
    for (let packet = script.take(peer); packet !== undefined; packet = script.take(peer)) last = packet.flags;
    expect(last).toContain('R');
    expect(script.pools()).toMatchObject({ connections: 0, subflows: 0 });
  });

  it('closes in order within the linger', () => {
    const script = open([[CONFIG_LINGER, 3 * SECOND]]);
    const { peer, handle, listener } = plainPassive(script);
    script.write(handle, 'all');
    script.close(handle);
    peer.expect('A', { seq: 1, data: 'all' });
    peer.expect('FA', { seq: 4 });
    peer.send('FA', { seq: 1, ack: 5 });
    peer.expect('A', { seq: 5, ack: 2 });
    script.close(listener);
    script.advance(60 * SECOND);
    script.expectNothing();
    script.expectEmpty();
  });
});
