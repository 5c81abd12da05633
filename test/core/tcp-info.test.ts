import { describe, expect, it } from 'vitest';
import {
  CONFIG_ECN,
  CONFIG_PACING,
  CONFIG_SEND_BUFFER,
  CONFIG_TAIL_LOSS_PROBE,
  ERR_DONE,
  RECOVERY_FAST,
  RECOVERY_LOSS,
  RECOVERY_OPEN,
  TCP_OPTION_ECN,
  TCP_OPTION_SACK,
  TCP_OPTION_TIMESTAMPS,
  TCP_OPTION_WINDOW_SCALE,
} from '../../host/abi.js';
import { plainPassive, SYN } from './handshakes.js';
import { icmp } from './icmp-quote.js';
import { Peer, pattern, Script, VARIANTS } from './script.js';

const MSS = 1460;

describe.each(VARIANTS)('what is told of a subflow (%s)', (variant) => {
  const open = (config: [number, number][] = []) =>
    new Script({ variant, config: [[CONFIG_TAIL_LOSS_PROBE, 0], ...config] });

  it('which options both sides agreed on', () => {
    const script = open([[CONFIG_ECN, 2]]);
    const listener = script.listen(80);
    for (const [port, syn, flags, options] of [
      [40_000, { mss: 1460 }, 'S', 0],
      [40_001, { mss: 1460, sackOk: true }, 'S', TCP_OPTION_SACK],
      [40_002, { mss: 1460, wscale: 3 }, 'S', TCP_OPTION_WINDOW_SCALE],
      [40_003, { mss: 1460 }, 'S', TCP_OPTION_TIMESTAMPS],
      [40_004, { mss: 1460 }, 'SEC', TCP_OPTION_ECN],
    ] as const) {
      const peer = new Peer(script, { port, ts: options === TCP_OPTION_TIMESTAMPS });
      peer.send(flags, syn);
      peer.expect(flags === 'SEC' ? 'SAE' : 'SA');
      peer.send('A', { seq: 1, ack: 1 });
      const info = script.subflow(script.accept(listener));
      expect(info.options).toBe(options);
      expect([info.sndShift, info.rcvShift]).toEqual(options === TCP_OPTION_WINDOW_SCALE ? [3, 8] : [0, 0]);
      expect(info).toMatchObject({ advMss: 1460, pmtu: 1500, ato: 40_000, recovery: RECOVERY_OPEN });
    }
  });

  it('how much arrives at the peer, and how fast', () => {
    const script = open([[CONFIG_SEND_BUFFER, 200_000]]);
    const { peer, handle } = plainPassive(script);
    let acked = 0;
    for (let turn = 0; turn < 5; turn++) {
      script.write(handle, pattern(10 * MSS));
      script.skip();
      for (let n = 0; n < 10; n++) {
        script.advance(5_000);
        acked += MSS;
        peer.send('A', { seq: 1, ack: 1 + acked });
      }
    }
    const { delivered, deliveryRate } = script.subflow(handle);
    expect(delivered).toBe(BigInt(50 * MSS));
    // One segment each 5 ms; a pause between two flights is none of the path's.
    expect(Number(deliveryRate) / ((MSS * 1e6) / 5_000)).toBeCloseTo(1, 1);
  });

  it('what it waited for: nothing, ACKs, the window of its peer (tcpi_busy_time, tcpi_rwnd_limited)', () => {
    const script = open();
    const listener = script.listen(80);
    const peer = new Peer(script);
    peer.send('S', { mss: 1460, window: 150 });
    peer.expect('SA');
    peer.send('A', { seq: 1, ack: 1, window: 150 });
    const handle = script.accept(listener);
    script.advance(1_000_000);
    script.write(handle, pattern(100));
    script.skip();
    script.advance(30_000);
    peer.send('A', { seq: 1, ack: 101, window: 50 });
    script.skip();
    expect(script.info(handle)).toMatchObject({ busyTime: 30_000n, windowLimitedTime: 0n, bufferLimitedTime: 0n });
    script.advance(1_000_000);
    script.write(handle, pattern(200));
    script.skip();
    script.advance(20_000);
    const { windowLimitedTime, busyTime } = script.info(handle);
    expect([busyTime, windowLimitedTime]).toEqual([50_000n, 20_000n]);
  });

  it('that a full send buffer, all of it sent, is what limits (tcpi_sndbuf_limited)', () => {
    const script = open([[CONFIG_SEND_BUFFER, 4_096]]);
    const { peer, handle } = plainPassive(script);
    script.set(CONFIG_SEND_BUFFER, 4_096, handle);
    script.write(handle, pattern(4_096));
    expect(script.x.mptcp_send_reserve(handle, 1)).toBe(ERR_DONE);
    script.skip();
    script.advance(40_000);
    expect(script.info(handle)).toMatchObject({ busyTime: 40_000n, bufferLimitedTime: 40_000n });
    peer.send('A', { seq: 1, ack: 4_097 });
    script.skip();
    script.advance(40_000);
    expect(script.info(handle)).toMatchObject({ busyTime: 40_000n, bufferLimitedTime: 40_000n });
  });

  it('what is on its way, sacked, lost and sent again', () => {
    const script = open();
    const { peer, handle } = plainPassive(script);
    script.write(handle, pattern(10 * MSS));
    script.skip();
    script.advance(20_000);
    const at = (n: number): number => (peer.irs + 1 + n * MSS) >>> 0;
    expect(script.subflow(handle)).toMatchObject({ outstanding: 10 * MSS, sacked: 0, lost: 0, dataSegmentsOut: 10 });
    expect(script.subflow(handle).lastDataSent).toBe(20_000n);
    peer.send('A', { seq: 1, ack: 1, sack: [[at(1), at(5)]] });
    const lost = script.subflow(handle);
    expect(lost).toMatchObject({ outstanding: 10 * MSS, sacked: 4 * MSS, lost: MSS, recovery: RECOVERY_FAST });
    script.skip();
    expect(script.subflow(handle)).toMatchObject({ lost: 0, retransmitted: MSS, dataSegmentsOut: 11 });
    script.advance(3_000_000);
    expect(script.subflow(handle)).toMatchObject({ recovery: RECOVERY_LOSS });
    peer.send('A', { seq: 1, ack: 1 + 10 * MSS, sack: [[at(0), at(1)]] });
    expect(script.subflow(handle)).toMatchObject({ outstanding: 0, sacked: 0, retransmitted: 0, duplicates: 1 });
    expect(script.subflow(handle).reordering).toBeGreaterThan(0);
  });

  it('what was received, and how long ago', () => {
    const script = open();
    const { peer, handle } = plainPassive(script);
    peer.send('A', { seq: 1, ack: 1, data: pattern(700) });
    peer.send('A', { seq: 1001, ack: 1, data: pattern(300) });
    peer.send('A', { seq: 701, ack: 1, data: pattern(300) });
    script.skip();
    script.advance(7_000);
    peer.send('A', { seq: 1301, ack: 1 });
    script.advance(3_000);
    const info = script.subflow(handle);
    expect(info).toMatchObject({ rcvMss: 700, dataSegmentsIn: 3, outOfOrder: 1 });
    expect([info.lastDataReceived, info.lastReceived]).toEqual([10_000n, 3_000n]);
    expect(info.rcvWindow).toBeGreaterThan(60_000);
    expect(info).toMatchObject({ receiveBuffer: 131_072, sendBuffer: 131_072, notSent: 0 });
  });

  it('the path MTU once a router has told it', () => {
    const script = open();
    const { peer, handle } = plainPassive(script);
    script.write(handle, pattern(MSS));
    script.skip();
    script.ingest(icmp(peer, 3, 4, 1, [0, 0, 1200 >> 8, 1200 & 255]));
    expect(script.subflow(handle)).toMatchObject({ pmtu: 1200, mss: 1160, advMss: 1460 });
  });

  it('the rate of pacing', () => {
    const script = open([[CONFIG_PACING, 1]]);
    const listener = script.listen(80);
    const peer = new Peer(script);
    peer.send('S', SYN);
    peer.expect('SA');
    script.advance(100_000);
    peer.send('A', { seq: 1, ack: 1 });
    const { pacingRate, cwnd } = script.subflow(script.accept(listener));
    // Twice the window in a round trip of 100 ms.
    expect(Number(pacingRate)).toBeCloseTo(2 * cwnd * 10, -3);
  });
});
