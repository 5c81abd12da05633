import { describe, expect, it } from 'vitest';
import { CONFIG_CONGESTION, CONFIG_ECN, CONFIG_TAIL_LOSS_PROBE, CONGESTION_RENO } from '../../host/abi.js';
import { plainPassive, SYN } from './handshakes.js';
import { Peer, type PeerOptions, pattern, Script, type ScriptOptions, VARIANTS } from './script.js';

const MSS = 1460;
const ECT_0 = 2;
const CE = 3;
const V6 = { local: 'fd00::2', remote: 'fd00::1' };

describe.each(VARIANTS)('explicit congestion notification (%s)', (variant) => {
  const open = (ecn: number, options: ScriptOptions = {}) =>
    new Script({
      variant,
      config: [
        [CONFIG_ECN, ecn],
        [CONFIG_CONGESTION, CONGESTION_RENO],
        [CONFIG_TAIL_LOSS_PROBE, 0],
      ],
      ...options,
    });

  /** A connection from the peer that uses it. */
  function agreed(script: Script, options: PeerOptions = {}) {
    const listener = script.listen(80);
    const peer = new Peer(script, options);
    peer.send('SEC', SYN);
    peer.expect('SAE', { ecn: 0 });
    script.advance(50_000);
    peer.send('A', { seq: 1, ack: 1 });
    return { peer, handle: script.accept(listener) };
  }

  it('is asked for by ECE and CWR in the SYN, and used when the SYN/ACK has ECE alone (RFC 3168 section 6.1.1)', () => {
    for (const [answer, used] of [
      ['SAE', true],
      ['SA', false],
      ['SAEC', false],
    ] as const) {
      const script = open(1);
      const peer = new Peer(script, {}, 0);
      const handle = script.connect(peer, 1);
      peer.expect('SEC', { ecn: 0 });
      peer.send(answer, { ack: 1, ...SYN });
      peer.expect('A', { seq: 1, ack: 1, ecn: 0 });
      script.write(handle, 'data');
      peer.expect('A', { seq: 1, data: 'data', ecn: used ? ECT_0 : 0 });
    }
  });

  it('is not asked for with 0 and 2, and accepted with 1 and 2 (net.ipv4.tcp_ecn)', () => {
    for (const [mode, answer] of [
      [0, 'SA'],
      [1, 'SAE'],
      [2, 'SAE'],
    ] as const) {
      const script = open(mode);
      script.listen(80);
      const peer = new Peer(script);
      peer.send('SEC', SYN);
      peer.expect(answer);
      const other = new Peer(script, { port: 41_000 }, 0);
      script.connect(other, 1);
      other.expect(mode === 1 ? 'SEC' : 'S');
    }
  });

  it('is not asked for by a second SYN (RFC 3168 section 6.1.1.1)', () => {
    const script = open(1);
    const peer = new Peer(script, {}, 0);
    const handle = script.connect(peer, 1);
    peer.expect('SEC');
    script.advance(1_500_000);
    peer.expect('S');
    peer.send('SAE', { ack: 1, ...SYN });
    peer.expect('A');
    script.write(handle, 'data');
    peer.expect('A', { data: 'data', ecn: 0 });
  });

  it.each([
    ['IPv4', {}],
    ['IPv6', V6],
  ])('echoes a mark until CWR comes: %s (RFC 3168 section 6.1.3)', (_, addresses) => {
    const script = open(2);
    const { peer, handle } = agreed(script, addresses);
    const send = (n: number, flags: string, ecn: number): void => {
      peer.send(flags, { seq: 1 + n * 100, ack: 1, data: pattern(100), ecn });
    };
    send(0, 'A', ECT_0);
    peer.expect('A', { ack: 101, ecn: 0 });
    send(1, 'A', CE);
    peer.expect('AE', { ack: 201, ecn: 0 });
    send(2, 'A', ECT_0);
    peer.expect('AE', { ack: 301 });
    // Data has it, too.
    script.write(handle, 'x');
    peer.expect('AE', { data: 'x', ecn: ECT_0 });
    send(3, 'AC', ECT_0);
    peer.expect('A', { ack: 401 });
    // Marked anew after the reduction.
    send(4, 'AC', CE);
    peer.expect('AE', { ack: 501 });
    expect(script.counter('ecnMarked')).toBe(2);
  });

  it('reduces the window once for all echoes of a window, and says so (RFC 3168 section 6.1.2)', () => {
    const script = open(2);
    const { peer, handle } = agreed(script);
    script.write(handle, pattern(40 * MSS));
    script.skip();
    script.advance(50_000);
    const { cwnd } = script.subflow(handle);
    peer.send('AE', { seq: 1, ack: 1 + MSS });
    const reduced = script.subflow(handle);
    expect(reduced.cwnd).toBeLessThanOrEqual(cwnd / 2 + MSS);
    expect(reduced.retransmits).toBe(0n);
    for (let n = 2; n <= 10; n++) peer.send('AE', { seq: 1, ack: 1 + n * MSS });
    expect(script.subflow(handle).cwnd).toBeGreaterThanOrEqual(reduced.cwnd);
    expect(script.counter('ecnReduced')).toBe(1);
    // CWR is in the first new segment only.
    peer.expect('AC', { seq: 1 + 10 * MSS, length: MSS, ecn: ECT_0 });
    peer.expect('A', { seq: 1 + 11 * MSS, length: MSS, ecn: ECT_0 });
    // Of the next window again.
    script.skip();
    peer.send('AE', { seq: 1, ack: 1 + 12 * MSS });
    expect(script.counter('ecnReduced')).toBe(2);
  });

  it('does not reduce for a mark in a window with a loss (RFC 3168 section 6.1.2)', () => {
    const script = open(2);
    const { peer, handle } = agreed(script);
    script.write(handle, pattern(40 * MSS));
    script.skip();
    script.advance(50_000);
    const at = (n: number): number => (peer.irs + 1 + n * MSS) >>> 0;
    peer.send('A', { seq: 1, ack: 1, sack: [[at(1), at(6)]] });
    const { ssthresh } = script.subflow(handle);
    peer.send('AE', { seq: 1, ack: 1, sack: [[at(1), at(8)]] });
    expect(script.subflow(handle).ssthresh).toBe(ssthresh);
    expect(script.counter('ecnReduced')).toBe(0);
  });

  it('is not in segments sent again, nor in ACKs (RFC 3168 sections 6.1.4 and 6.1.5)', () => {
    const script = open(2);
    const { peer, handle } = agreed(script);
    script.write(handle, 'lost');
    peer.expect('A', { data: 'lost', ecn: ECT_0 });
    script.advance(3_000_000);
    peer.expect('A', { data: 'lost', ecn: 0 });
    script.skip();
    peer.send('A', { seq: 1, ack: 5, data: 'more' });
    peer.expect('A', { ack: 5, ecn: 0 });
  });

  it('has no part in connections that did not agree', () => {
    const script = open(2);
    const { peer, handle } = plainPassive(script);
    peer.send('A', { seq: 1, ack: 1, data: 'marked', ecn: CE });
    peer.expect('A', { ack: 7 });
    script.write(handle, pattern(10 * MSS));
    script.skip();
    const { cwnd } = script.subflow(handle);
    peer.send('AE', { seq: 7, ack: 1 + MSS });
    expect(script.subflow(handle).cwnd).toBeGreaterThanOrEqual(cwnd);
  });

  it('leaves CWR to one segment where a link cuts them (RFC 3168 section 6.1.2)', () => {
    const script = open(2, {
      offload: true,
      config: [
        [CONFIG_ECN, 2],
        [CONFIG_TAIL_LOSS_PROBE, 0],
      ],
    });
    const { peer, handle } = agreed(script);
    script.write(handle, pattern(60 * MSS));
    peer.expect('A', { length: 10 * MSS });
    peer.send('AE', { seq: 1, ack: 1 + 9 * MSS });
    peer.send('A', { seq: 1, ack: 1 + Number(script.info(handle).sndNxt) });
    const lengths: number[] = [];
    for (let packet = script.take(peer); packet !== undefined; packet = script.take(peer)) {
      if (packet.flags.includes('C')) lengths.push(packet.data.length);
    }
    expect(lengths).toEqual([MSS]);
  });
});
