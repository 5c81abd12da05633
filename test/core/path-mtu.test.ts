import { describe, expect, it } from 'vitest';
import { CONFIG_MTU_EXPIRES, CONFIG_MTU_PROBING, CONFIG_TAIL_LOSS_PROBE } from '../../host/abi.js';
import { mptcpPassive, plainActive, plainPassive, SYN } from './handshakes.js';
import { icmp } from './icmp-quote.js';
import { type Peer, pattern, Script, type ScriptOptions, VARIANTS } from './script.js';

const MSS = 1460;
const V6 = { local: 'fd00::2', remote: 'fd00::1' };
const WIDE = { ...SYN, wscale: 8 };

/** The MTU in an ICMP error, for both families. */
const mtu = (bytes: number): number[] => [0, 0, bytes >> 8, bytes & 255];

describe.each(VARIANTS)('path MTU (%s)', (variant) => {
  const open = ({ config = [], ...rest }: ScriptOptions = {}) =>
    new Script({ variant, config: [[CONFIG_TAIL_LOSS_PROBE, 0], ...config], ...rest });

  /** A path that swallows packets larger than `most` and answers ACKs for the rest, until all is acknowledged. */
  function narrowPath(script: Script, peer: Peer, most: number, total: number, from = 0) {
    const arrived = new Uint8Array(total);
    let next = from;
    let swallowed = 0;
    const pieces = new Map<number, number>();
    for (let turn = 0; turn < 4_000 && next < from + total; turn++) {
      const packet = script.take(peer);
      if (packet === undefined) {
        script.advance(10_000);
        continue;
      }
      if (packet.data.length === 0) continue;
      if (packet.data.length + 40 + (packet.options.ts === undefined ? 0 : 12) > most) {
        swallowed++;
        continue;
      }
      const at = (packet.seq - peer.irs - 1) >>> 0;
      arrived.set(packet.data, at - from);
      pieces.set(at, Math.max(pieces.get(at) ?? 0, packet.data.length));
      for (let length = pieces.get(next); length !== undefined; length = pieces.get(next)) {
        pieces.delete(next);
        next += length;
      }
      const above = [...pieces].filter(([begin]) => begin > next).sort(([one], [other]) => one - other);
      const sack = above.slice(0, 3).map(([begin, length]): [number, number] => {
        const left = (peer.irs + 1 + begin) >>> 0;
        return [left, (left + length) >>> 0];
      });
      peer.send('A', { seq: 1, ack: 1 + next, ...(sack.length > 0 ? { sack } : {}) });
    }
    return { arrived, complete: next === from + total, swallowed };
  }

  it.each([
    ['IPv4', {}, 3, 4, 1460, 1200, 1160],
    ['IPv6', V6, 2, 0, 1440, 1300, 1240],
  ])('lets a router make segments smaller: %s (RFC 1191, RFC 8201)', (_, addresses, type, code, mss, size, smaller) => {
    const script = open();
    const { peer, handle } = plainPassive(script, addresses, { ...SYN, mss });
    const data = pattern(3 * mss);
    script.write(handle, data);
    for (const n of [0, 1, 2]) peer.expect('A', { seq: 1 + n * mss, length: mss });
    const { cwnd } = script.subflow(handle);
    script.ingest(icmp(peer, type, code, 1, mtu(size)));
    // All that is too large goes out again at once, in pieces; the congestion window is not touched.
    let seq = 1;
    for (let n = 0; n < 3; n++) {
      for (const length of [smaller, mss - smaller]) {
        peer.expect('A', { seq, data: data.subarray(seq - 1, seq - 1 + length) });
        seq += length;
      }
    }
    script.expectNothing();
    expect(script.subflow(handle)).toMatchObject({ mss: smaller, cwnd, timeouts: 0n });
    expect(script.counter('mtuReduced')).toBe(1);
    peer.send('A', { seq: 1, ack: 1 + 3 * mss });
    script.write(handle, pattern(2 * smaller));
    peer.expect('A', { length: smaller });
    peer.expect('A', { length: smaller });
  });

  it('believes only errors about what is in flight (RFC 5927 section 4.1)', () => {
    const script = open();
    const { peer, handle } = plainPassive(script);
    script.ingest(icmp(peer, 3, 4, 1, mtu(600)));
    script.write(handle, pattern(MSS));
    script.skip();
    for (const seq of [0, 1 + MSS, -5_000]) script.ingest(icmp(peer, 3, 4, seq, mtu(600)));
    expect(script.subflow(handle).mss).toBe(MSS);
    expect(script.counter('icmpStray')).toBe(4);
  });

  it('believes no size that no path has, nor one that is larger (RFC 1191 section 3, RFC 8201 section 4)', () => {
    const script = open();
    const { peer, handle } = plainPassive(script);
    script.write(handle, pattern(MSS));
    script.skip();
    script.ingest(icmp(peer, 3, 4, 1, mtu(9_000)));
    expect(script.subflow(handle).mss).toBe(MSS);
    script.ingest(icmp(peer, 3, 4, 1, mtu(68)));
    expect(script.subflow(handle).mss).toBe(536);
    script.ingest(icmp(peer, 3, 4, 1, mtu(1400)));
    expect(script.subflow(handle).mss).toBe(536);
    const six = open();
    const second = plainPassive(six, V6, { ...SYN, mss: 1440 });
    six.write(second.handle, pattern(1440));
    six.skip();
    six.ingest(icmp(second.peer, 2, 0, 1, mtu(1279)));
    expect(six.subflow(second.handle).mss).toBe(1440);
  });

  it('takes the next common size when an old router names none (RFC 1191 section 7)', () => {
    const script = open();
    const { peer, handle } = plainPassive(script);
    script.write(handle, pattern(MSS));
    script.skip();
    for (const mss of [1452, 1240, 966, 536, 536]) {
      script.ingest(icmp(peer, 3, 4, 1, mtu(0)));
      expect(script.subflow(handle).mss).toBe(mss);
      script.skip();
    }
  });

  it('lets a link that cuts segments cut to the new size', () => {
    const script = open({ offload: true });
    const { peer, handle } = plainPassive(script);
    const data = pattern(5 * MSS);
    script.write(handle, data);
    peer.expect('A', { seq: 1, length: 5 * MSS });
    script.ingest(icmp(peer, 3, 4, 1, mtu(1000)));
    peer.expect('A', { seq: 1, data });
    expect(script.subflow(handle).mss).toBe(960);
    script.expectNothing();
  });

  it('knows the path for the next connection, until that is old (RFC 8201 section 5.2)', () => {
    const script = open({ config: [[CONFIG_MTU_EXPIRES, 30_000_000]] });
    const first = plainActive(script, { port: 40_001 });
    script.write(first.handle, pattern(MSS));
    script.skip();
    script.ingest(icmp(first.peer, 3, 4, 1, mtu(1000)));
    script.skip();
    const second = plainActive(script, { port: 40_002 });
    expect(script.subflow(second.handle).mss).toBe(960);
    // What the peer may send is another matter (RFC 9293 section 3.7.1).
    const other = plainActive(script, { port: 40_003, remote: '10.0.0.9' });
    expect(script.subflow(other.handle).mss).toBe(MSS);
    script.advance(31_000_000);
    script.skip();
    const third = plainActive(script, { port: 40_004 });
    expect(script.subflow(third.handle).mss).toBe(MSS);
  });

  it('gets through a path that swallows large packets (RFC 4821, RFC 8899 section 4.3)', () => {
    for (const most of [1400, 1100, 1064, 800, 576]) {
      const script = open();
      const { peer, handle } = plainPassive(script, {}, WIDE);
      const data = pattern(60_000);
      script.write(handle, data);
      const { arrived, complete } = narrowPath(script, peer, most, data.length);
      expect(complete).toBe(true);
      expect(Buffer.compare(arrived, data)).toBe(0);
      expect(script.now).toBeLessThan(10_000_000);
    }
  });

  it('finds the size that passes by probes, which cost no congestion window (RFC 4821 section 7)', () => {
    const script = open();
    const { peer, handle } = plainPassive(script, {}, WIDE);
    let from = 0;
    for (let round = 0; round < 40; round++) {
      script.write(handle, pattern(50_000));
      expect(narrowPath(script, peer, 1340, 50_000, from).complete).toBe(true);
      from += 50_000;
    }
    const { mss, ssthresh, timeouts } = script.subflow(handle);
    expect(mss).toBeLessThanOrEqual(1300);
    expect(mss).toBeGreaterThan(1300 - 16);
    expect(script.counter('mtuProbes')).toBeLessThan(12);
    expect(script.counter('fastRetransmits')).toBe(0);
    expect(timeouts).toBeLessThan(4n);
    expect(ssthresh).toBeGreaterThan(2 * MSS);
    // The next connection begins with it.
    const next = plainActive(script, { port: 40_010 });
    expect(script.subflow(next.handle).mss).toBe(mss);
  });

  it('comes back to the full size after an outage, with one probe', () => {
    const script = open();
    const { peer, handle } = plainPassive(script, {}, WIDE);
    script.write(handle, pattern(50_000));
    // Nothing arrives for a while.
    script.advance(2_000_000);
    script.skip();
    expect(script.subflow(handle).mss).toBeLessThan(MSS);
    script.advance(10_000_000);
    expect(narrowPath(script, peer, 1500, 50_000).complete).toBe(true);
    script.write(handle, pattern(100_000));
    expect(narrowPath(script, peer, 1500, 100_000, 50_000).complete).toBe(true);
    expect(script.subflow(handle).mss).toBe(MSS);
    expect(script.counter('mtuProbes')).toBe(1);
  });

  it('tries a larger size when what a router said is old (RFC 1191 section 6.3)', () => {
    const script = open({ config: [[CONFIG_MTU_EXPIRES, 30_000_000]] });
    const { peer, handle } = plainPassive(script, {}, WIDE);
    script.write(handle, pattern(MSS));
    script.skip();
    script.ingest(icmp(peer, 3, 4, 1, mtu(1000)));
    expect(narrowPath(script, peer, 1500, MSS).complete).toBe(true);
    script.write(handle, pattern(30_000));
    expect(narrowPath(script, peer, 1500, 30_000, MSS).complete).toBe(true);
    expect(script.counter('mtuProbes')).toBe(0);
    script.advance(31_000_000);
    script.skip();
    script.write(handle, pattern(60_000));
    expect(narrowPath(script, peer, 1500, 60_000, MSS + 30_000).complete).toBe(true);
    expect(script.subflow(handle).mss).toBe(MSS);
  });

  it('leaves segments as they are when told not to look (net.ipv4.tcp_mtu_probing 0)', () => {
    const script = open({ config: [[CONFIG_MTU_PROBING, 0]] });
    const { peer, handle } = plainPassive(script);
    script.write(handle, pattern(3 * MSS));
    script.advance(10_000_000);
    expect(script.subflow(handle).mss).toBe(MSS);
    for (let packet = script.take(peer); packet !== undefined; packet = script.take(peer))
      expect(packet.data.length).toBe(MSS);
  });

  it('counts the options of Multipath TCP in', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script, { ts: true });
    peer.send('A', { seq: 1, ack: 1, mptcp: [peer.dss(0)] });
    script.write(handle, pattern(1420));
    peer.expect('A', { seq: 1, length: 1420 });
    script.ingest(icmp(peer, 3, 4, 1, mtu(1000)));
    peer.expect('A', { seq: 1, length: 920 });
    peer.expect('A', { seq: 921, length: 500 });
    expect(script.subflow(handle).mss).toBe(920);
  });
});
