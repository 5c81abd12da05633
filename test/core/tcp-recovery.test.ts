import { describe, expect, it } from 'vitest';
import {
  CONFIG_CONGESTION,
  CONFIG_FRTO,
  CONFIG_SACK,
  CONFIG_SEND_BUFFER,
  CONFIG_TAIL_LOSS_PROBE,
  CONGESTION_RENO,
} from '../../host/abi.js';
import { plainPassive, SYN } from './handshakes.js';
import { BEGIN, Peer, type PeerOptions, pattern, type Said, Script, type ScriptOptions, VARIANTS } from './script.js';

const MSS = 1460;
const RTT = 50_000;
/** Timeout after a single sample: the RTT and the least margin. */
const RTO = RTT + 200_000;

/** A plain connection whose handshake took one round trip. */
function opened(script: Script, options: PeerOptions & { syn?: Said } = {}) {
  const listener = script.listen(80);
  const peer = new Peer(script, options);
  peer.send('S', options.syn ?? SYN);
  peer.expect('SA', { seq: 0, ack: 1 });
  script.advance(RTT);
  peer.send('A', { seq: 1, ack: 1 });
  const handle = script.accept(listener);
  script.events();
  /** Relative sequence number of segment n; the same as the peer writes it into SACK blocks. */
  const seq = (n: number): number => 1 + n * MSS;
  const at = (n: number): number => (peer.irs + seq(n)) >>> 0;
  return { peer, handle, seq, at };
}

/** Takes what left for a peer up to the segment that begins at `seq`, and returns that. */
function until(script: Script, peer: Peer, seq: number) {
  for (let packet = script.take(peer); packet !== undefined; packet = script.take(peer))
    if ((packet.seq - peer.irs) >>> 0 === seq) return packet;
  throw new Error(`no segment with sequence number ${seq} left`);
}

describe.each(VARIANTS)('loss recovery (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) =>
    new Script({
      variant,
      ...options,
      config: [[CONFIG_CONGESTION, CONGESTION_RENO], ...(options.config ?? [])],
    });

  it('probes with the last segment after two round trips (RFC 8985 section 7.3)', () => {
    const script = open();
    const { peer, handle, seq } = opened(script);
    script.write(handle, pattern(3 * MSS));
    const begin = script.now;
    script.skip();
    script.advance(1_000_000);
    peer.expect('A', { seq: seq(2), length: MSS, at: begin + 2 * RTT + 2_000 });
    // The timeout counts from the first segment.
    peer.expect('A', { seq: seq(0), length: MSS, at: begin + RTO });
    expect(script.counter('tailProbes')).toBe(1);
  });

  it('probes with new bytes when there are any, beyond the congestion window (RFC 8985 section 7.3)', () => {
    const script = open();
    const { peer, handle, seq } = opened(script);
    script.write(handle, pattern(30 * MSS));
    script.skip();
    script.advance(2 * RTT + 2_000);
    // The tenth segment filled the window; nothing behind it was given to the subflow, so that the last goes again.
    peer.expect('A', { seq: seq(9), length: MSS });
    script.expectNothing();
  });

  it('waits longer for the ACK of a single segment, which may be delayed (RFC 8985 section 7.2)', () => {
    const script = open();
    const { peer, handle } = opened(script);
    script.write(handle, 'one');
    const begin = script.now;
    script.skip();
    script.advance(1_000_000);
    peer.expect('A', { seq: 1, data: 'one', at: begin + RTO });
    // The timeout leaves the probe time to be answered, and no more.
    peer.expect('A', { seq: 1, data: 'one', at: begin + RTO + RTT });
  });

  it('forgets a probe that is due when the ACK comes first, and goes on (RFC 8985 section 7.3)', () => {
    const script = open();
    const { peer, handle, seq } = opened(script);
    script.write(handle, pattern(10 * MSS));
    script.skip();
    // The timer runs out, and before anything can leave all is acknowledged.
    expect(script.x.mptcp_time(BigInt(BEGIN + script.now + 2 * RTT + 2_000))).toBe(0);
    script.write(handle, pattern(MSS));
    peer.send('A', { seq: 1, ack: seq(10) });
    peer.expect('A', { seq: seq(10), length: MSS });
    script.expectNothing();
    expect(script.counter('tailProbes')).toBe(0);
  });

  it('forgets a probe that is due when a SACK comes first: its segment may be the one (RFC 8985 section 7.2)', () => {
    const script = open();
    const { peer, handle, seq, at } = opened(script);
    script.write(handle, pattern(10 * MSS));
    script.skip();
    expect(script.x.mptcp_time(BigInt(BEGIN + script.now + 2 * RTT + 2_000))).toBe(0);
    peer.send('A', { seq: 1, ack: 1, sack: [[at(9), at(10)]] });
    script.skip();
    expect(script.counter('tailProbes')).toBe(0);
    peer.send('A', { seq: 1, ack: seq(1), sack: [[at(9), at(10)]] });
    peer.send('A', { seq: 1, ack: seq(10) });
    expect(script.subflow(handle)).toMatchObject({ outstanding: 0, sacked: 0, lost: 0 });
  });

  it('does not probe when it is told not to, nor without SACK (RFC 8985 section 7)', () => {
    for (const off of [CONFIG_TAIL_LOSS_PROBE, CONFIG_SACK]) {
      const script = open({ config: [[off, 0]] });
      const { peer, handle, seq } = opened(script);
      script.write(handle, pattern(3 * MSS));
      const begin = script.now;
      script.skip();
      script.advance(400_000);
      peer.expect('A', { seq: seq(0), length: MSS, at: begin + RTO });
      script.expectNothing();
    }
  });

  it('reduces its window when a probe repaired a loss (RFC 8985 section 7.4.2)', () => {
    const script = open();
    const { peer, handle, seq } = opened(script);
    script.write(handle, pattern(4 * MSS));
    script.skip();
    script.advance(2 * RTT + 2_000);
    peer.expect('A', { seq: seq(3), length: MSS });
    const { cwnd } = script.subflow(handle);
    script.advance(RTT);
    peer.send('A', { seq: 1, ack: seq(4) });
    script.write(handle, pattern(2 * MSS));
    script.advance(RTT);
    peer.send('A', { seq: 1, ack: seq(6) });
    expect(script.subflow(handle).cwnd).toBeLessThan(cwnd);
    expect(script.subflow(handle).timeouts).toBe(0n);
  });

  it('keeps its window when the peer got the probe and the original (RFC 8985 section 7.4.2)', () => {
    const script = open();
    const { peer, handle, seq, at } = opened(script);
    script.write(handle, pattern(4 * MSS));
    script.skip();
    script.advance(2 * RTT + 2_000);
    peer.expect('A', { seq: seq(3), length: MSS });
    const { cwnd } = script.subflow(handle);
    peer.send('A', { seq: 1, ack: seq(4) });
    peer.send('A', { seq: 1, ack: seq(4), sack: [[at(3), at(4)]] });
    script.write(handle, pattern(2 * MSS));
    script.advance(RTT);
    peer.send('A', { seq: 1, ack: seq(6) });
    expect(script.subflow(handle).cwnd).toBeGreaterThanOrEqual(cwnd);
  });

  it('finds a lost retransmission without a timeout (RFC 8985 section 6.2)', () => {
    const script = open();
    const { peer, handle, seq, at } = opened(script);
    script.write(handle, pattern(40 * MSS));
    script.skip();
    script.advance(RTT);
    for (let n = 2; n <= 8; n++) peer.send('A', { seq: 1, ack: 1, sack: [[at(1), at(n)]] });
    until(script, peer, seq(0));
    script.advance(1_000);
    for (let n = 9; n <= 10; n++) peer.send('A', { seq: 1, ack: 1, sack: [[at(1), at(n)]] });
    // What was sent after the retransmission arrives, the retransmission does not.
    const { seq: last } = [...Array(30)].reduce((kept) => script.take(peer) ?? kept, undefined) ?? { seq: 0 };
    script.advance(RTT);
    peer.send('A', {
      seq: 1,
      ack: 1,
      sack: [
        [last, (last + MSS) >>> 0],
        [at(1), at(10)],
      ],
    });
    script.advance(RTT / 2);
    until(script, peer, seq(0));
    expect(script.subflow(handle).timeouts).toBe(0n);
  });

  it('sends in proportion to what is delivered while it recovers (RFC 9937)', () => {
    const script = open({ config: [[CONFIG_SEND_BUFFER, 200 * MSS]] });
    const { peer, handle, seq, at } = opened(script);
    script.write(handle, pattern(200 * MSS));
    script.skip();
    script.advance(RTT);
    for (let n = 1; n <= 10; n++) {
      peer.send('A', { seq: 1, ack: seq(n) });
      script.skip();
    }
    const { cwnd } = script.subflow(handle);
    expect(cwnd).toBe(20 * MSS);
    script.advance(RTT);
    const bursts: number[] = [];
    for (let n = 12; n <= 30; n++) {
      peer.send('A', { seq: 1, ack: seq(10), sack: [[at(11), at(n)]] });
      bursts.push(script.flush().length);
      script.skip();
    }
    const sent = bursts.reduce((sum, each) => sum + each, 0);
    expect(Math.max(...bursts)).toBe(1);
    expect(sent).toBeGreaterThanOrEqual(9);
    expect(sent).toBeLessThanOrEqual(11);
    script.advance(RTT);
    peer.send('A', { seq: 1, ack: seq(30) });
    expect(script.subflow(handle)).toMatchObject({ cwnd: 10 * MSS, ssthresh: 10 * MSS });
  });

  it('sends a new segment for each of the first two duplicate ACKs without SACK (RFC 3042)', () => {
    const script = open({ config: [[CONFIG_SACK, 0]] });
    const { peer, handle, seq } = opened(script);
    script.write(handle, pattern(40 * MSS));
    script.skip();
    script.advance(RTT);
    peer.send('A', { seq: 1, ack: 1 });
    peer.expect('A', { seq: seq(10), length: MSS });
    peer.send('A', { seq: 1, ack: 1 });
    peer.expect('A', { seq: seq(11), length: MSS });
    script.expectNothing();
    peer.send('A', { seq: 1, ack: 1 });
    peer.expect('A', { seq: seq(0), length: MSS });
  });

  it('repairs several losses of one window without SACK, one by each partial ACK (RFC 6582)', () => {
    const script = open({ config: [[CONFIG_SACK, 0]] });
    const { peer, handle, seq } = opened(script);
    script.write(handle, pattern(10 * MSS));
    script.skip();
    script.advance(RTT);
    // Segments 0, 3 and 6 are lost.
    for (let n = 0; n < 7; n++) peer.send('A', { seq: 1, ack: 1 });
    peer.expect('A', { seq: seq(0), length: MSS });
    script.skip();
    for (const hole of [3, 6]) {
      script.advance(RTT);
      peer.send('A', { seq: 1, ack: seq(hole) });
      peer.expect('A', { seq: seq(hole), length: MSS });
    }
    script.advance(RTT);
    peer.send('A', { seq: 1, ack: seq(10) });
    expect(script.subflow(handle)).toMatchObject({ timeouts: 0n, inFlight: 0, retransmits: 3n });
  });

  it('reports what arrived twice (RFC 2883 section 4)', () => {
    const script = open();
    const { peer } = opened(script);
    peer.send('A', { seq: 1, ack: 1, data: 'abc' });
    peer.expect('A', { ack: 4 });
    peer.send('A', { seq: 1, ack: 1, data: 'abc' });
    peer.expect('A', { ack: 4, sack: [[1, 4]] });
    peer.send('A', { seq: 11, ack: 1, data: 'xyz' });
    peer.expect('A', { ack: 4, sack: [[11, 14]] });
    peer.send('A', { seq: 11, ack: 1, data: 'xyz' });
    peer.expect('A', {
      ack: 4,
      sack: [
        [11, 14],
        [11, 14],
      ],
    });
    peer.send('A', { seq: 2, ack: 1, data: 'bcdefg' });
    peer.expect('A', {
      ack: 8,
      sack: [
        [2, 4],
        [11, 14],
      ],
    });
    // Said once.
    peer.send('A', { seq: 20, ack: 1, data: 'q' });
    peer.expect('A', {
      ack: 8,
      sack: [
        [20, 21],
        [11, 14],
      ],
    });
  });

  it('takes back a reduction when all it sent again had arrived (RFC 2883, RFC 3708)', () => {
    const script = open();
    const { peer, handle, seq, at } = opened(script);
    script.write(handle, pattern(40 * MSS));
    script.skip();
    script.advance(RTT);
    const { cwnd } = script.subflow(handle);
    for (let n = 2; n <= 5; n++) peer.send('A', { seq: 1, ack: 1, sack: [[at(1), at(n)]] });
    until(script, peer, seq(0));
    script.skip();
    peer.send('A', { seq: 1, ack: seq(10) });
    expect(script.subflow(handle).cwnd).toBeLessThan(cwnd);
    script.advance(RTT);
    peer.send('A', { seq: 1, ack: seq(10), sack: [[at(0), at(1)]] });
    expect(script.subflow(handle).cwnd).toBeGreaterThanOrEqual(cwnd);
    expect(script.counter('spurious')).toBe(1);
  });

  it('waits longer for reordered segments after each round with repetitions (RFC 8985 section 6.2, step 4)', () => {
    const script = open({ config: [[CONFIG_SEND_BUFFER, 100 * MSS]] });
    const { peer, handle, seq, at } = opened(script);
    script.write(handle, pattern(100 * MSS));
    script.skip();
    // Segment 0 is late, and sent again for nothing.
    script.advance(RTT);
    peer.send('A', { seq: 1, ack: 1, sack: [[at(1), at(5)]] });
    until(script, peer, seq(0));
    peer.send('A', { seq: 1, ack: seq(10), sack: [[at(0), at(1)]] });
    // Now segment 10 is late, longer than a quarter of the RTT.
    script.skip();
    script.advance(RTT);
    peer.send('A', { seq: 1, ack: seq(10), sack: [[at(11), at(12)]] });
    script.skip();
    script.advance(RTT / 4 + 1_000);
    expect(() => until(script, peer, seq(10))).toThrow();
    script.advance(RTT / 4);
    until(script, peer, seq(10));
  });

  it('takes back a timeout when the echoed timestamp is older than the retransmission (RFC 3522)', () => {
    const script = open({ config: [[CONFIG_TAIL_LOSS_PROBE, 0]] });
    const { peer, handle, seq } = opened(script, { ts: true, syn: { ...SYN, ts: [5_000, 0] } });
    const mss = MSS - 12;
    script.write(handle, pattern(40 * mss));
    const first = peer.expect('A', { seq: 1, length: mss });
    const original = first.options.ts?.[0] ?? 0;
    script.skip();
    const { cwnd } = script.subflow(handle);
    script.advance(RTO + 1_000);
    peer.expect('A', { seq: 1, length: mss });
    expect(script.subflow(handle).cwnd).toBe(mss);
    script.skip();
    peer.send('A', { seq: 1, ack: 1 + 2 * mss, ts: [peer.tsNow(), original] });
    expect(script.subflow(handle)).toMatchObject({ backoff: 0, retransmits: 1n });
    expect(script.subflow(handle).cwnd).toBeGreaterThanOrEqual(cwnd);
    // New bytes go on; what was thought lost does not go again.
    peer.expect('A', { seq: 1 + 10 * mss, length: mss });
    expect(seq(0)).toBe(1);
  });

  it('takes back a timeout when the second ACK shows that the originals arrive (RFC 5682 section 2.1)', () => {
    const script = open({ config: [[CONFIG_TAIL_LOSS_PROBE, 0]] });
    const { peer, handle, seq } = opened(script);
    script.write(handle, pattern(10 * MSS));
    script.skip();
    const { cwnd } = script.subflow(handle);
    script.advance(RTO + 1_000);
    script.write(handle, pattern(40 * MSS));
    peer.expect('A', { seq: seq(0), length: MSS });
    script.expectNothing();
    peer.send('A', { seq: 1, ack: seq(1) });
    peer.expect('A', { seq: seq(10), length: MSS });
    peer.expect('A', { seq: seq(11), length: MSS });
    script.expectNothing();
    peer.send('A', { seq: 1, ack: seq(2) });
    expect(script.counter('spurious')).toBe(1);
    expect(script.subflow(handle).cwnd).toBeGreaterThanOrEqual(cwnd);
    peer.send('A', { seq: 1, ack: seq(3) });
    peer.expect('A', { seq: seq(12), length: MSS });
    expect(script.subflow(handle).retransmits).toBe(1n);
  });

  it('goes on with a timeout when a duplicate ACK tells of a real loss (RFC 5682 section 2.1, step 3a)', () => {
    const script = open({ config: [[CONFIG_TAIL_LOSS_PROBE, 0]] });
    const { peer, handle, seq } = opened(script);
    script.write(handle, pattern(10 * MSS));
    script.skip();
    script.advance(RTO + 1_000);
    script.write(handle, pattern(40 * MSS));
    peer.expect('A', { seq: seq(0), length: MSS });
    peer.send('A', { seq: 1, ack: seq(1) });
    peer.expect('A', { seq: seq(10), length: MSS });
    peer.expect('A', { seq: seq(11), length: MSS });
    peer.send('A', { seq: 1, ack: seq(1) });
    script.skip();
    peer.send('A', { seq: 1, ack: seq(1) });
    script.advance(2 * RTO);
    peer.expect('A', { seq: seq(1), length: MSS });
    expect(script.counter('spurious')).toBe(0);
  });

  it('repairs at once after a timeout when it is told to (net.ipv4.tcp_frto)', () => {
    const script = open({
      config: [
        [CONFIG_TAIL_LOSS_PROBE, 0],
        [CONFIG_FRTO, 0],
      ],
    });
    const { peer, handle, seq } = opened(script);
    script.write(handle, pattern(10 * MSS));
    script.skip();
    script.advance(RTO + 1_000);
    peer.expect('A', { seq: seq(0), length: MSS });
    peer.send('A', { seq: 1, ack: seq(1) });
    peer.expect('A', { seq: seq(1), length: MSS });
    peer.expect('A', { seq: seq(2), length: MSS });
  });

  it('sends a large segment again in pieces of what the window allows (RFC 5681 section 3.1)', () => {
    const script = open({ offload: true, config: [[CONFIG_TAIL_LOSS_PROBE, 0]] });
    const { peer, handle, seq } = opened(script);
    script.write(handle, pattern(10 * MSS));
    peer.expect('A', { seq: 1, length: 10 * MSS });
    script.advance(RTO + 1_000);
    peer.expect('A', { seq: 1, length: MSS });
    script.expectNothing();
    peer.send('A', { seq: 1, ack: seq(1) });
    peer.expect('A', { seq: seq(1), length: 2 * MSS });
    // An ACK within a piece leaves the rest of it.
    peer.send('A', { seq: 1, ack: seq(2) });
    peer.expect('A', { seq: seq(3), length: 2 * MSS });
    peer.send('A', { seq: 1, ack: seq(10) });
    expect(script.subflow(handle).inFlight).toBe(0);
  });

  it('is not begun by duplicates of what is acknowledged, whatever they say', () => {
    const script = open();
    const { peer, handle } = plainPassive(script);
    for (let n = 0; n < 10; n++) peer.send('A', { seq: 1, ack: 1, sack: [[peer.irs - 100, peer.irs + 1]] });
    script.write(handle, 'x');
    peer.expect('A', { seq: 1, data: 'x' });
    expect(script.subflow(handle).retransmits).toBe(0n);
  });
});
