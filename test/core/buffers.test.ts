import { describe, expect, it } from 'vitest';
import {
  CONFIG_HYSTART,
  CONFIG_RECEIVE_BUFFER,
  CONFIG_RECEIVE_BUFFER_MAX,
  CONFIG_SEND_BUFFER,
  CONFIG_SEND_BUFFER_MAX,
  CONFIG_TAIL_LOSS_PROBE,
  CONFIG_TIMESTAMPS,
  CONFIG_WINDOW_SCALE,
} from '../../host/abi.js';
import { joinPassive, mptcpPassive, plainActive, plainPassive, SYN } from './handshakes.js';
import { type Peer, pattern, Script, type ScriptOptions, VARIANTS } from './script.js';

const MSS = 1460;
const START = 128 * 1024;
const RTT = 100_000;

describe.each(VARIANTS)('buffers that tune themselves (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, budget: 64 << 20, ...options });

  const setting = (script: Script, handle: number, key: number): number => Number(script.x.mptcp_get(handle, key));

  /** The peer sends `bytes` in one flight a round trip; the application reads all of it at the end of each. */
  function flights(script: Script, peer: Peer, handle: number, sizes: readonly number[], from = 0): number {
    let sent = from;
    for (const size of sizes) {
      const flight = pattern(Math.min(size, 60 * MSS));
      for (let left = size; left > 0; ) {
        for (let at = 0; at < flight.length && left > 0; at += MSS) {
          const data = flight.subarray(at, at + Math.min(MSS, left));
          peer.send('A', { seq: 1 + sent, ack: 1, data });
          sent += data.length;
          left -= data.length;
        }
      }
      script.read(handle);
      for (let ack = script.take(peer); ack !== undefined; ack = script.take(peer)) {
        if (ack.options.ts !== undefined) peer.tsEcho = ack.options.ts[0];
      }
      script.advance(RTT);
      script.skip();
    }
    return sent;
  }

  it.each([1, 0])('gives the window room for twice what is read in a round trip (timestamps %i)', (timestamps) => {
    const script = open({ config: [[CONFIG_TIMESTAMPS, timestamps]] });
    const { peer, handle } = plainPassive(script, { ts: timestamps === 1 });
    expect(setting(script, handle, CONFIG_RECEIVE_BUFFER)).toBe(START);
    const flight = 40 * MSS;
    flights(script, peer, handle, [flight, flight, flight, flight, flight, flight, flight, flight]);
    const size = setting(script, handle, CONFIG_RECEIVE_BUFFER);
    expect(size).toBeGreaterThanOrEqual(2 * flight);
    expect(size).toBeLessThanOrEqual(8 * flight);
    // Twice the rate, twice the room.
    flights(script, peer, handle, [2 * flight, 2 * flight, 2 * flight], 8 * flight);
    expect(setting(script, handle, CONFIG_RECEIVE_BUFFER)).toBeGreaterThanOrEqual(4 * flight);
  });

  it('made smaller take what was announced before (RFC 9293 section 3.8.6)', () => {
    const script = new Script({ variant, config: [[CONFIG_RECEIVE_BUFFER, 65_536]] });
    const { peer, handle } = plainPassive(script);
    script.set(CONFIG_RECEIVE_BUFFER, 4_096, handle);
    peer.send('A', { seq: 20_001, ack: 1, data: pattern(1_000, 20_000) });
    peer.expect('A', { ack: 1, sack: [[20_001, 21_001]] });
  });

  it('holds little for an application that reads slowly', () => {
    const script = open();
    const { peer, handle } = plainPassive(script, { ts: true });
    let sent = 0;
    let edge = 65_535;
    const scratch = script.x.mptcp_scratch();
    // The peer always fills the window; the application takes 20 kB every 100 ms.
    for (let round = 0; round < 60; round++) {
      while (sent + MSS <= edge) {
        peer.send('A', { seq: 1 + sent, ack: 1, data: pattern(MSS) });
        sent += MSS;
      }
      script.x.mptcp_recv(handle, scratch, 20_000);
      script.advance(RTT);
      for (let ack = script.take(peer); ack !== undefined; ack = script.take(peer)) {
        peer.tsEcho = ack.options.ts?.[0] ?? 0;
        edge = Math.max(edge, ((ack.ack - peer.iss - 1) >>> 0) + ack.window * 2 ** peer.shift);
      }
    }
    expect(sent).toBeGreaterThan(1_000_000);
    // That it must wait for the application looks to the stack like a longer round trip.
    expect(setting(script, handle, CONFIG_RECEIVE_BUFFER)).toBeLessThanOrEqual(2 * START);
  });

  it('does not take one that looks seldom for a fast one, however much it finds', () => {
    const script = open();
    const { peer, handle } = plainPassive(script, { ts: true });
    let sent = flights(script, peer, handle, [4 * MSS, 4 * MSS]);
    for (let round = 0; round < 10; round++) {
      sent = flights(script, peer, handle, [40 * MSS], sent);
      script.advance(5_000_000);
      script.skip();
    }
    expect(setting(script, handle, CONFIG_RECEIVE_BUFFER)).toBe(START);
  });

  it('grows to CONFIG_RECEIVE_BUFFER_MAX and no further', () => {
    const script = open({ config: [[CONFIG_RECEIVE_BUFFER_MAX, 200_000]] });
    const { peer, handle } = plainPassive(script, { ts: true });
    flights(script, peer, handle, Array<number>(6).fill(80 * MSS));
    expect(setting(script, handle, CONFIG_RECEIVE_BUFFER)).toBe(200_000);
  });

  it('leaves a size alone that was set on the connection', () => {
    const script = open();
    const { peer, handle } = plainPassive(script, { ts: true });
    script.set(CONFIG_RECEIVE_BUFFER, 100_000, handle);
    script.set(CONFIG_SEND_BUFFER, 50_000, handle);
    flights(script, peer, handle, Array<number>(6).fill(40 * MSS));
    expect(setting(script, handle, CONFIG_RECEIVE_BUFFER)).toBe(100_000);
    const wide = { seq: 1 + 240 * MSS, window: 65_535 };
    for (let acked = 0; acked < 500_000; ) {
      acked = Number(script.info(handle).bytesSent);
      script.x.mptcp_send(handle, script.x.mptcp_scratch(), 60_000);
      script.flush();
      peer.send('A', { ...wide, ack: 1 + Number(script.info(handle).bytesSent) });
      script.skip();
    }
    expect(setting(script, handle, CONFIG_SEND_BUFFER)).toBe(50_000);
  });

  it('takes the rate of the whole connection and the longest round trip of its subflows', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script, { ts: true, syn: { ...SYN } });
    peer.send('A', { seq: 1, ack: 1, mptcp: [peer.dss(0)] });
    const second = joinPassive(peer);
    script.skip();
    let offset = 0;
    const subflows = [peer, second].map((carrier) => ({ carrier, ssn: 1 }));
    for (let round = 0; round < 8; round++) {
      for (const entry of subflows) {
        for (let n = 0; n < 40; n++) {
          entry.carrier.send('A', {
            seq: entry.ssn,
            ack: 1,
            data: pattern(1400),
            mptcp: [peer.map(offset, entry.ssn, 1400)],
          });
          entry.ssn += 1400;
          offset += 1400;
        }
        script.read(handle);
        // The first path answers in 10 ms, the second in 100.
        script.advance(entry === subflows[0] ? 10_000 : RTT);
        for (const { carrier } of subflows)
          for (let ack = script.take(carrier); ack !== undefined; ack = script.take(carrier))
            carrier.tsEcho = ack.options.ts?.[0] ?? 0;
      }
    }
    // 112 kB come in every 110 ms.
    expect(setting(script, handle, CONFIG_RECEIVE_BUFFER)).toBeGreaterThanOrEqual(180_000);
    expect(setting(script, handle, CONFIG_RECEIVE_BUFFER)).toBeLessThanOrEqual(1_000_000);
  });

  it('lets a writer have twice the congestion window, up to CONFIG_SEND_BUFFER_MAX', () => {
    const script = open({
      config: [
        [CONFIG_SEND_BUFFER_MAX, 1_000_000],
        [CONFIG_TAIL_LOSS_PROBE, 0],
        [CONFIG_HYSTART, 0],
      ],
    });
    const { peer, handle } = plainPassive(script, {}, { ...SYN, wscale: 10 });
    peer.send('A', { seq: 1, ack: 1 });
    const scratch = script.x.mptcp_scratch();
    const fill = (): void => {
      while (script.x.mptcp_send(handle, scratch, 60_000) > 0);
      script.skip();
    };
    fill();
    expect(script.info(handle).sndEnd).toBe(BigInt(START));
    for (let round = 0; round < 10; round++) {
      script.advance(RTT);
      peer.send('A', { seq: 1, ack: 1 + Number(script.info(handle).sndNxt) });
      fill();
      const { cwnd } = script.subflow(handle);
      const size = setting(script, handle, CONFIG_SEND_BUFFER);
      expect(size).toBe(Math.max(START, Math.min(2 * cwnd, 1_000_000)));
    }
    expect(setting(script, handle, CONFIG_SEND_BUFFER)).toBe(1_000_000);
  });

  it('grows no more when memory is short', () => {
    const script = open({
      budget: 4 << 20,
      config: [
        [CONFIG_SEND_BUFFER_MAX, 1 << 30],
        [CONFIG_TAIL_LOSS_PROBE, 0],
        [CONFIG_HYSTART, 0],
      ],
    });
    const { peer, handle } = plainPassive(script, {}, { ...SYN, wscale: 14 });
    peer.send('A', { seq: 1, ack: 1 });
    const scratch = script.x.mptcp_scratch();
    for (let round = 0; round < 12; round++) {
      while (script.x.mptcp_send(handle, scratch, 60_000) > 0);
      script.advance(RTT);
      script.skip();
      peer.send('A', { seq: 1, ack: 1 + Number(script.info(handle).sndNxt) });
    }
    while (script.x.mptcp_send(handle, scratch, 60_000) > 0);
    const { pages } = script.pools();
    expect(script.subflow(handle).cwnd).toBeGreaterThan(pages * 8_192);
    // Half of what was free when it grew last, so that as much is left for others.
    expect(setting(script, handle, CONFIG_SEND_BUFFER)).toBeLessThanOrEqual(pages * 8_192);
    expect(script.pools().pagesFree).toBeGreaterThan(pages / 3);
  });

  it('offers a window scale that the largest buffer fits (RFC 7323 section 2.3)', () => {
    for (const [most, wscale] of [
      [65_535, 8],
      [65_535 * 256, 8],
      [65_536 * 256, 9],
      [1 << 25, 10],
    ] as const) {
      const script = open({ config: [[CONFIG_RECEIVE_BUFFER_MAX, most]] });
      const peer = plainActive(script).peer;
      expect(peer.shift).toBe(wscale);
    }
    const fixed = open({ config: [[CONFIG_WINDOW_SCALE, 2]] });
    expect(plainActive(fixed).peer.shift).toBe(2);
  });

  it('finds a subflow at its place when objects of a pool are no power of two', () => {
    const script = open();
    const before = script.pools().pagesPools;
    for (let n = 0; n < 20; n++) {
      const peer = plainActive(script, { port: 40_000 + n });
      expect(script.subflow(peer.handle).remotePort).toBe(40_000 + n);
    }
    // Twenty subflows lie in one page.
    expect(script.pools().pagesPools - before).toBeLessThanOrEqual(6);
  });
});
