import { describe, expect, it } from 'vitest';
import {
  CONFIG_KEEPALIVE,
  CONFIG_KEEPALIVE_COUNT,
  CONFIG_KEEPALIVE_IDLE,
  CONFIG_KEEPALIVE_INTERVAL,
  CONFIG_NO_DELAY,
  CONFIG_RETRIES,
  CONFIG_RTO_MAX,
  CONFIG_SACK,
  CONFIG_SEND_BUFFER,
  CONFIG_TAIL_LOSS_PROBE,
  CONNECT_PLAIN_TCP,
} from '../../host/abi.js';
import { plainActive, plainPassive, SYN } from './handshakes.js';
import { Peer, pattern, Script, type ScriptOptions, VARIANTS } from './script.js';

const MSS = 1460;

describe.each(VARIANTS)('sending (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });

  it('sends ten segments at first and more for each ACK (RFC 6928, RFC 5681 section 3.1)', () => {
    const script = open({ config: [[CONFIG_TAIL_LOSS_PROBE, 0]] });
    const { peer, handle } = plainPassive(script);
    const data = pattern(40 * MSS);
    script.write(handle, data);
    for (let n = 0; n < 10; n++) {
      peer.expect('A', { seq: 1 + n * MSS, data: data.subarray(n * MSS, (n + 1) * MSS) });
    }
    script.expectNothing();
    script.advance(50_000);
    peer.send('A', { seq: 1, ack: 1 + 2 * MSS });
    for (let n = 10; n < 14; n++) peer.expect('A', { seq: 1 + n * MSS, length: MSS });
    script.expectNothing();
  });

  it('holds a small segment back while another is unacknowledged (RFC 9293 section 3.7.4)', () => {
    const script = open();
    const { peer, handle } = plainPassive(script);
    script.write(handle, 'a');
    peer.expect('A', { seq: 1, data: 'a' });
    script.write(handle, 'b');
    script.write(handle, 'c');
    script.expectNothing();
    peer.send('A', { seq: 1, ack: 2 });
    peer.expect('A', { seq: 2, data: 'bc' });
  });

  it('sends small segments at once with no delay', () => {
    const script = open({ config: [[CONFIG_NO_DELAY, 1]] });
    const { peer, handle } = plainPassive(script);
    for (const [index, letter] of ['a', 'b', 'c'].entries()) {
      script.write(handle, letter);
      peer.expect('A', { seq: 1 + index, data: letter });
    }
  });

  it('sends again after the timeout, doubled each time (RFC 6298 sections 5.5 and 5.6)', () => {
    const script = open({ config: [[CONFIG_TAIL_LOSS_PROBE, 0]] });
    const { peer, handle } = plainActive(script, { iss: 5 });
    script.write(handle, 'lost');
    const began = script.now;
    peer.expect('A', { seq: 1, data: 'lost', at: began });
    const { rto } = script.subflow(handle);
    script.advance(8 * rto);
    for (const wait of [1, 3, 7]) peer.expect('A', { seq: 1, data: 'lost', at: began + wait * rto });
    script.expectNothing();
    expect(script.subflow(handle)).toMatchObject({ backoff: 3, cwnd: MSS, retransmits: 3n });
    peer.send('A', { seq: 1, ack: 5 });
    expect(script.subflow(handle).backoff).toBe(0);
    script.advance(60_000_000);
    script.expectNothing();
  });

  it('gives up after the last retransmission', () => {
    const script = open({
      config: [
        [CONFIG_RETRIES, 4],
        [CONFIG_TAIL_LOSS_PROBE, 0],
        [CONFIG_RTO_MAX, 1_000_000],
      ],
    });
    const { peer, handle } = plainActive(script);
    script.write(handle, 'lost');
    script.advance(20_000_000);
    for (let sent = 0; sent < 5; sent++) peer.expect('A', { data: 'lost' });
    script.expectNothing();
    expect(script.events()).toEqual(['subflowClosed ERR_TIMED_OUT', 'closed ERR_TIMED_OUT']);
    script.close(handle);
    script.expectEmpty();
  });

  it('sends again what SACK shows to be lost, once, and halves its window (RFC 6675, RFC 8985)', () => {
    const script = open({ config: [[CONFIG_TAIL_LOSS_PROBE, 0]] });
    const { peer, handle } = plainPassive(script, { ts: true });
    const mss = script.subflow(handle).mss;
    script.write(handle, pattern(10 * mss));
    for (let n = 0; n < 10; n++) peer.expect('A', { seq: 1 + n * mss, length: mss });
    script.advance(50_000);
    const at = (n: number): number => peer.irs + 1 + n * mss;
    for (let n = 2; n <= 4; n++) peer.send('A', { seq: 1, ack: 1 + mss, sack: [[at(2), at(n + 1)]] });
    peer.expect('A', { seq: 1 + mss, length: mss, data: pattern(mss, mss) });
    expect(script.counter('fastRetransmits')).toBe(1);
    expect(script.subflow(handle).ssthresh).toBeLessThanOrEqual(5 * mss);
    for (let n = 5; n <= 9; n++) peer.send('A', { seq: 1, ack: 1 + mss, sack: [[at(2), at(n + 1)]] });
    script.expectNothing();
    peer.send('A', { seq: 1, ack: 1 + 10 * mss });
    script.expectNothing();
    expect(script.subflow(handle)).toMatchObject({ inFlight: 0, retransmits: 1n });
    script.advance(10_000_000);
    script.expectNothing();
  });

  it('waits a quarter of the RTT for what may only be reordered (RFC 8985 section 6.2)', () => {
    const script = open();
    const listener = script.listen(80);
    const peer = new Peer(script, { ts: true });
    peer.send('S', SYN);
    peer.expect('SA');
    script.advance(40_000);
    peer.send('A', { seq: 1, ack: 1 });
    const handle = script.accept(listener);
    const mss = script.subflow(handle).mss;
    script.write(handle, pattern(4 * mss));
    script.skip();
    script.advance(40_000);
    const at = (n: number): number => peer.irs + 1 + n * mss;
    peer.send('A', { seq: 1, ack: 1, sack: [[at(1), at(2)]] });
    script.advance(5_000);
    script.expectNothing();
    // It was only late.
    peer.send('A', { seq: 1, ack: 1 + 2 * mss });
    script.advance(50_000);
    script.expectNothing();
    peer.send('A', { seq: 1, ack: 1 + 4 * mss });
    expect(script.subflow(handle).retransmits).toBe(0n);
  });

  it('sends again after three duplicate ACKs without SACK (RFC 6582)', () => {
    const script = open({ config: [[CONFIG_SACK, 0]] });
    const { peer, handle } = plainPassive(script);
    script.write(handle, pattern(8 * MSS));
    script.skip();
    script.advance(50_000);
    for (let n = 0; n < 2; n++) peer.send('A', { seq: 1, ack: 1 });
    script.expectNothing();
    peer.send('A', { seq: 1, ack: 1 });
    peer.expect('A', { seq: 1, length: MSS });
    // A partial ACK: the next one is lost, too.
    peer.send('A', { seq: 1, ack: 1 + MSS });
    peer.expect('A', { seq: 1 + MSS, length: MSS });
    peer.send('A', { seq: 1, ack: 1 + 8 * MSS });
    script.advance(10_000_000);
    script.expectNothing();
  });

  it('ignores SACK blocks of what was never sent and of what is acknowledged (RFC 2018 section 5)', () => {
    const script = open();
    const { peer, handle } = plainPassive(script);
    script.write(handle, pattern(5 * MSS));
    script.skip();
    const at = (offset: number): number => peer.irs + 1 + offset;
    peer.send('A', {
      seq: 1,
      ack: 1 + MSS,
      sack: [
        [at(-500), at(-100)],
        [at(5 * MSS), at(9 * MSS)],
        [at(3 * MSS), at(2 * MSS)],
        [at(0), at(MSS)],
      ],
    });
    expect(script.subflow(handle).inFlight).toBe(4 * MSS);
    peer.send('A', { seq: 1, ack: 1 + 5 * MSS });
    expect(script.subflow(handle).inFlight).toBe(0);
  });

  it('copes with SACK blocks that cut segments, and sends the rest again', () => {
    const script = open();
    const { peer, handle } = plainPassive(script);
    const data = pattern(5 * MSS);
    script.write(handle, data);
    script.skip();
    const at = (offset: number): number => peer.irs + 1 + offset;
    peer.send('A', { seq: 1, ack: 1 + 100, sack: [[at(700), at(4 * MSS + 10)]] });
    expect(script.subflow(handle).inFlight).toBeLessThanOrEqual(600 + MSS - 10);
    peer.expect('A', { seq: 101, data: data.subarray(100, 700) });
    script.advance(20_000_000);
    script.skip();
    peer.send('A', { seq: 1, ack: 1 + 4 * MSS + 10 });
    peer.expect('A', { seq: 1 + 4 * MSS + 10, data: data.subarray(4 * MSS + 10) });
    script.expectNothing();
    peer.send('A', { seq: 1, ack: 1 + 5 * MSS });
    expect(script.subflow(handle).inFlight).toBe(0);
  });

  it('takes back SACKs when the peer reneges (RFC 2018 section 8)', () => {
    const script = open();
    const { peer, handle } = plainPassive(script);
    script.write(handle, pattern(3 * MSS));
    script.skip();
    peer.send('A', { seq: 1, ack: 1, sack: [[peer.irs + 1 + MSS, peer.irs + 1 + 3 * MSS]] });
    peer.send('A', { seq: 1, ack: 1 + MSS });
    script.skip();
    for (const n of [1, 2]) {
      script.advance(5_000_000);
      expect(script.take(peer)?.seq).toBe((peer.irs + 1 + n * MSS) >>> 0);
      script.skip();
      peer.send('A', { seq: 1, ack: 1 + (n + 1) * MSS });
    }
    expect(script.subflow(handle).inFlight).toBe(0);
  });

  it('measures the RTT of segments sent once (RFC 6298 sections 2.2 and 3)', () => {
    const script = open();
    const { peer, handle } = plainPassive(script);
    script.write(handle, 'x');
    script.skip();
    script.advance(80_000);
    peer.send('A', { seq: 1, ack: 2 });
    const first = script.subflow(handle);
    expect(first.srtt).toBeGreaterThan(0);
    expect(first.srtt).toBeLessThanOrEqual(80_000);
    script.write(handle, 'y');
    script.advance(3_000_000);
    script.skip();
    peer.send('A', { seq: 1, ack: 3 });
    // Karn's rule: an answer to a retransmission is no sample.
    expect(script.subflow(handle).srtt).toBe(first.srtt);
  });

  it('respects the window of its peer', () => {
    const script = open();
    const { peer, handle } = plainPassive(script, {}, { mss: MSS });
    peer.send('A', { seq: 1, ack: 1, window: 3_000 });
    script.write(handle, pattern(10_000));
    peer.expect('A', { seq: 1, length: MSS });
    peer.expect('A', { seq: 1 + MSS, length: MSS });
    script.expectNothing();
    peer.send('A', { seq: 1, ack: 1 + 2 * MSS, window: 500 });
    script.advance(2_000_000);
    peer.expect('A', { seq: 1 + 2 * MSS, length: 500 });
  });

  it('probes a closed window until it opens, though the update was lost (RFC 9293 section 3.8.6.1)', () => {
    const script = open();
    const { peer, handle } = plainPassive(script, {}, { mss: MSS });
    peer.send('A', { seq: 1, ack: 1, window: 0 });
    script.write(handle, 'waiting');
    script.expectNothing();
    let probes = 0;
    for (let second = 0; second < 30; second++) {
      script.advance(1_000_000);
      for (let packet = script.take(peer); packet !== undefined; packet = script.take(peer)) {
        probes++;
        expect(packet.data.length).toBeLessThanOrEqual(1);
        peer.send('A', { seq: 1, ack: 1, window: 0 });
      }
    }
    expect(probes).toBeGreaterThan(2);
    expect(probes).toBeLessThan(15);
    peer.send('A', { seq: 1, ack: 1, window: 1_000 });
    peer.expect('A', { seq: 1, data: 'waiting' });
  });

  it('probes when the peer took back its window with bytes already on their way out (RFC 9293 section 3.8.6)', () => {
    const script = open();
    const { peer, handle } = plainPassive(script, {}, { mss: MSS });
    peer.send('A', { seq: 1, ack: 1, window: 20_000 });
    const data = pattern(12 * MSS);
    script.write(handle, data);
    for (let n = 0; n < 10; n++) peer.expect('A', { seq: 1 + n * MSS, length: MSS });
    script.expectNothing();
    peer.send('A', { seq: 1, ack: 1 + 10 * MSS, window: 0 });
    script.skip();
    script.advance(30_000_000);
    expect(script.take(peer)).toBeDefined();
    script.skip();
    peer.send('A', { seq: 1, ack: 1 + 10 * MSS, window: 20_000 });
    peer.expect('A', { seq: 1 + 10 * MSS, length: MSS });
    peer.expect('A', { seq: 1 + 11 * MSS, length: MSS });
  });

  it('probes when the peer took back its window before bytes meant for it were sent', () => {
    const script = open();
    const { peer, handle } = plainPassive(script, {}, { mss: MSS });
    script.write(handle, 'all of it');
    // Another link's turn shares the bytes out; before that of their own comes, the window is closed.
    script.x.mptcp_transmit(1, 64);
    peer.send('A', { seq: 1, ack: 1, window: 0 });
    script.expectNothing();
    script.advance(30_000_000);
    expect(script.take(peer)).toBeDefined();
    script.skip();
    peer.send('A', { seq: 1, ack: 1, window: 1_000 });
    peer.expect('A', { seq: 1, data: 'all of it' });
  });

  it('does not take the window of an older segment (RFC 9293 section 3.10.7.4)', () => {
    const script = open();
    const { peer, handle } = plainPassive(script, {}, { mss: MSS });
    peer.send('A', { seq: 4, ack: 1, window: 1_000, data: 'def' });
    peer.send('A', { seq: 1, ack: 1, window: 9_000, data: 'abc' });
    expect(script.subflow(handle).sndWindow).toBe(1_000);
  });

  it('goes over 2^32 with data, loss and all (RFC 9293 section 3.4)', () => {
    const script = open({ config: [[CONFIG_SEND_BUFFER, 2_000_000]] });
    // The stack draws its initial sequence numbers: the first that is near enough to the end serves.
    let peer = new Peer(script, {}, 0);
    let handle = script.connect(peer, CONNECT_PLAIN_TCP);
    peer.expect('S');
    while (peer.irs < 0xffe0_0000) {
      script.abort(handle);
      peer = new Peer(script, {}, 0);
      handle = script.connect(peer, CONNECT_PLAIN_TCP);
      peer.expect('S');
    }
    peer.send('SA', { ack: 1, ...SYN });
    peer.expect('A', { seq: 1, ack: 1 });
    const data = pattern(2_300_000);
    const got = new Uint8Array(data.length);
    let written = 0;
    let acked = 0;
    let lost = 0;
    for (let turn = 0; turn < 20_000 && acked < data.length; turn++) {
      const packet = script.take(peer);
      if (packet === undefined) {
        const more = data.subarray(written, Math.min(written + 50_000, acked + 1_000_000));
        script.write(handle, more);
        written += more.length;
        script.advance(5_000);
        continue;
      }
      const offset = (packet.seq - peer.irs - 1) >>> 0;
      if (offset !== acked) continue;
      if (turn % 97 === 3) {
        lost++;
        continue;
      }
      got.set(packet.data, offset);
      acked += packet.data.length;
      peer.send('A', { seq: 1, ack: 1 + acked });
    }
    expect(lost).toBeGreaterThan(5);
    expect(Buffer.compare(got, data)).toBe(0);
  });

  it('sends keep-alive probes half closed, too, while it waits for the bytes of its peer (RFC 9293 section 3.8.4)', () => {
    const script = open({
      config: [
        [CONFIG_KEEPALIVE, 1],
        [CONFIG_KEEPALIVE_IDLE, 1_000_000],
        [CONFIG_KEEPALIVE_INTERVAL, 500_000],
        [CONFIG_KEEPALIVE_COUNT, 2],
      ],
    });
    const { peer, handle } = plainActive(script);
    script.shutdown(handle);
    peer.expect('FA', { seq: 1 });
    peer.send('A', { seq: 1, ack: 2 });
    script.advance(3_000_000);
    peer.expect('A', { seq: 1 });
    peer.expect('A', { seq: 1 });
    expect(script.events()).toContain('closed ERR_TIMED_OUT');
  });

  it('sends keep-alive probes when it is told to and gives up (RFC 9293 section 3.8.4)', () => {
    const script = open();
    const { peer, handle } = plainPassive(script);
    script.set(CONFIG_KEEPALIVE_IDLE, 10_000_000, handle);
    script.set(CONFIG_KEEPALIVE_INTERVAL, 1_000_000, handle);
    script.set(CONFIG_KEEPALIVE_COUNT, 3, handle);
    script.set(CONFIG_KEEPALIVE, 1, handle);
    const began = script.now;
    script.advance(10_000_000);
    peer.expect('A', { seq: 0, at: began + 10_000_000 });
    peer.send('A', { seq: 1, ack: 1 });
    script.advance(20_000_000);
    for (let n = 0; n < 3; n++) peer.expect('A', { seq: 0, at: began + 20_000_000 + n * 1_000_000 });
    script.expectNothing();
    expect(script.events()).toContain('closed ERR_TIMED_OUT');
  });
});
