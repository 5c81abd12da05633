import { describe, expect, it } from 'vitest';
import {
  CONFIG_CONGESTION,
  CONFIG_HYSTART,
  CONFIG_IDLE_RESTART,
  CONFIG_PACING,
  CONFIG_SEND_BUFFER,
  CONGESTION_CUBIC,
  CONGESTION_RENO,
} from '../../host/abi.js';
import { SYN } from './handshakes.js';
import { Peer, pattern, Script, type ScriptOptions, VARIANTS } from './script.js';

const MSS = 1460;
const RTT = 50_000;

/** A flow with bytes always at hand, whose peer acknowledges every second segment one round trip later. */
class Flow {
  readonly peer: Peer;
  readonly handle: number;
  acked = 0;

  constructor(readonly script: Script) {
    const listener = script.listen(80);
    this.peer = new Peer(script);
    this.peer.send('S', { ...SYN, wscale: 10 });
    this.peer.expect('SA', { seq: 0, ack: 1 });
    script.advance(RTT);
    this.peer.send('A', { seq: 1, ack: 1 });
    this.handle = script.accept(listener);
    script.events();
  }

  get cwnd(): number {
    return this.script.subflow(this.handle).cwnd / MSS;
  }

  get ssthresh(): number {
    return this.script.subflow(this.handle).ssthresh / MSS;
  }

  fill(): void {
    const room = this.script.info(this.handle).writable;
    if (room > 0) this.script.write(this.handle, pattern(room));
  }

  /** One round trip of `rtt` µs: all that is in flight is acknowledged, segment by segment if `lost` is not given. */
  round(rtt = RTT): void {
    this.fill();
    this.script.skip();
    this.script.advance(rtt);
    const { inFlight } = this.script.subflow(this.handle);
    const end = this.acked + inFlight;
    while (this.acked < end) {
      this.acked = Math.min(this.acked + 2 * MSS, end);
      this.peer.send('A', { seq: 1, ack: 1 + this.acked });
      this.script.skip();
    }
  }

  /** One round trip in which the first segment is lost, and a second in which it is repaired. */
  loss(): void {
    this.fill();
    this.script.skip();
    this.script.advance(RTT);
    const { inFlight } = this.script.subflow(this.handle);
    const base = (this.peer.irs + 1 + this.acked) >>> 0;
    for (let end = 2 * MSS; end <= inFlight; end += MSS) {
      this.peer.send('A', { seq: 1, ack: 1 + this.acked, sack: [[base + MSS, (base + end) >>> 0]] });
      this.script.skip();
    }
    this.acked += inFlight;
    this.script.advance(RTT);
    this.peer.send('A', { seq: 1, ack: 1 + this.acked });
    this.script.skip();
  }
}

describe.each(VARIANTS)('congestion control (%s)', (variant) => {
  const open = (congestion: number, options: ScriptOptions = {}) =>
    new Flow(
      new Script({
        variant,
        budget: 64 << 20,
        ...options,
        config: [[CONFIG_CONGESTION, congestion], [CONFIG_SEND_BUFFER, 4 << 20], ...(options.config ?? [])],
      }),
    );

  /** Slow start up to a window of `segments`, then a loss. */
  const grown = (flow: Flow, segments: number): number => {
    while (flow.cwnd < segments) flow.round();
    const top = flow.cwnd;
    flow.loss();
    return top;
  };

  it('of Reno halves the window and grows by one segment a round trip (RFC 5681 section 3.1)', () => {
    const flow = open(CONGESTION_RENO);
    const top = grown(flow, 160);
    expect(flow.ssthresh).toBeCloseTo(top / 2, 0);
    const begin = flow.cwnd;
    for (let n = 0; n < 10; n++) flow.round();
    expect(flow.cwnd - begin).toBeGreaterThan(8.5);
    expect(flow.cwnd - begin).toBeLessThan(11);
  });

  it('grows for every ACK of a batch that comes before anything can leave (RFC 5681 section 3.1, RFC 7661)', () => {
    const flow = open(CONGESTION_RENO);
    flow.fill();
    flow.script.skip();
    flow.script.advance(RTT);
    for (let n = 1; n <= 10; n++) flow.peer.send('A', { seq: 1, ack: 1 + n * MSS });
    expect(flow.cwnd).toBe(20);
    expect(flow.script.flush()).toHaveLength(20);
  });

  it('does not grow while the application, not the window, holds back sending (RFC 7661)', () => {
    const flow = open(CONGESTION_RENO);
    let acked = 0;
    for (let n = 0; n < 20; n++) {
      flow.script.write(flow.handle, pattern(3 * MSS));
      flow.script.skip();
      flow.script.advance(RTT);
      acked += 3 * MSS;
      flow.peer.send('A', { seq: 1, ack: 1 + acked });
    }
    expect(flow.cwnd).toBe(10);
  });

  it('of CUBIC reduces to 0.7 (RFC 9438 section 4.6)', () => {
    const flow = open(CONGESTION_CUBIC);
    const top = grown(flow, 160);
    expect(flow.ssthresh / top).toBeCloseTo(0.7, 1);
    expect(flow.cwnd).toBeCloseTo(flow.ssthresh, 0);
  });

  it('of CUBIC grows by the cubic function of time (RFC 9438 section 4.2)', () => {
    const flow = open(CONGESTION_CUBIC);
    const top = grown(flow, 300);
    const begin = flow.cwnd;
    const k = Math.cbrt((top - begin) / 0.4);
    flow.round();
    const origin = flow.script.now;
    for (let n = 0; n < 50; n++) {
      flow.round(2 * RTT);
      const t = (flow.script.now - origin + 2 * RTT) / 1e6;
      const cubic = 0.4 * (t - k) ** 3 + top;
      if (n % 10 === 9) expect(flow.cwnd / cubic).toBeGreaterThan(0.95);
      if (n % 10 === 9) expect(flow.cwnd / cubic).toBeLessThan(1.05);
    }
  });

  it('of CUBIC is no slower than Reno would be (RFC 9438 section 4.3)', () => {
    const flow = open(CONGESTION_CUBIC);
    grown(flow, 20);
    const begin = flow.cwnd;
    const rtt = 5_000;
    for (let n = 0; n < 40; n++) flow.round(rtt);
    // In 0.2 s the cubic function would add next to nothing.
    expect(flow.cwnd - begin).toBeGreaterThan(0.5 * 40 * 0.9);
  });

  it('of CUBIC makes room when it loses below its last maximum (RFC 9438 section 4.7)', () => {
    const flow = open(CONGESTION_CUBIC);
    grown(flow, 300);
    // The first recovery ends with this round.
    flow.round();
    const second = flow.cwnd;
    flow.loss();
    const plateau = (second * 1.7) / 2;
    const k = Math.cbrt((plateau - flow.cwnd) / 0.4);
    // Long round trips, in which Reno would add little.
    for (let n = 0; n < Math.ceil((k * 1e6) / (5 * RTT)); n++) flow.round(5 * RTT);
    expect(flow.cwnd / plateau).toBeGreaterThan(0.95);
    expect(flow.cwnd / plateau).toBeLessThan(1.05);
  });

  it('leaves slow start without a loss when the round-trip time grows (RFC 9406)', () => {
    const flow = open(CONGESTION_CUBIC);
    for (let n = 0; n < 3; n++) flow.round();
    expect(flow.cwnd).toBe(80);
    for (let n = 0; n < 7; n++) flow.round(RTT + 20_000);
    const { ssthresh, cwnd } = flow.script.subflow(flow.handle);
    expect(ssthresh).toBeLessThan(1 << 29);
    // One round at full speed, and about five of a quarter.
    expect(cwnd / MSS / 80).toBeGreaterThan(3);
    expect(cwnd / MSS / 80).toBeLessThan(8);
    expect(flow.script.subflow(flow.handle).retransmits).toBe(0n);
  });

  it('goes on in slow start when the growth was a false alarm (RFC 9406 section 4.2), or when it is told to', () => {
    const flow = open(CONGESTION_CUBIC);
    for (let n = 0; n < 3; n++) flow.round();
    for (let n = 0; n < 2; n++) flow.round(RTT + 20_000);
    for (let n = 0; n < 2; n++) flow.round();
    expect(flow.ssthresh * MSS).toBe(1 << 29);
    const told = open(CONGESTION_CUBIC, { config: [[CONFIG_HYSTART, 0]] });
    for (let n = 0; n < 3; n++) told.round();
    for (let n = 0; n < 4; n++) told.round(RTT + 20_000);
    expect(told.cwnd).toBe(80 * 16);
  });

  it('restarts from the initial window after an idle time (RFC 5681 section 4.1)', () => {
    for (const [restart, expected] of [
      [1, 10],
      [0, 160],
    ] as const) {
      const flow = open(CONGESTION_RENO, { config: [[CONFIG_IDLE_RESTART, restart]] });
      for (let n = 0; n < 4; n++) flow.round();
      // What is left in the buffer goes out and is acknowledged.
      for (let turn = 0; flow.script.info(flow.handle).sndUna !== flow.script.info(flow.handle).sndEnd; turn++) {
        if (turn > 100) throw new Error('it never ends');
        flow.script.advance(RTT);
        flow.acked += flow.script.subflow(flow.handle).inFlight;
        flow.peer.send('A', { seq: 1, ack: 1 + flow.acked });
        flow.script.skip();
      }
      const before = flow.cwnd;
      expect(before).toBeGreaterThanOrEqual(160);
      flow.script.advance(60_000_000);
      flow.fill();
      const burst = flow.script.flush().length;
      if (restart === 1) expect(burst).toBe(expected);
      else expect(burst).toBeGreaterThanOrEqual(expected);
    }
  });

  it('spreads a window over the round trip when it is told to pace', () => {
    const flow = open(CONGESTION_RENO, { config: [[CONFIG_PACING, 1]] });
    flow.fill();
    flow.script.flush();
    flow.script.advance(RTT);
    const times = flow.script.flush().map(({ at }) => at);
    expect(times).toHaveLength(10);
    const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0));
    // Twice the rate of window by RTT: 2.5 ms a segment.
    for (const gap of gaps) expect(gap).toBeCloseTo(RTT / 20, -1);
  });

  it('changes its controller while data flows', () => {
    const flow = open(CONGESTION_CUBIC);
    grown(flow, 160);
    for (let n = 0; n < 5; n++) flow.round();
    flow.script.set(CONFIG_CONGESTION, CONGESTION_RENO, flow.handle);
    const begin = flow.cwnd;
    for (let n = 0; n < 10; n++) flow.round();
    expect(flow.cwnd - begin).toBeGreaterThan(8.5);
    expect(flow.cwnd - begin).toBeLessThan(11);
    flow.script.set(CONFIG_CONGESTION, CONGESTION_CUBIC, flow.handle);
    const top = flow.cwnd;
    flow.loss();
    expect(flow.ssthresh / top).toBeCloseTo(0.7, 1);
  });
});
