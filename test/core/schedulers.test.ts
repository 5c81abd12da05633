import { describe, expect, it } from 'vitest';
import {
  CONFIG_BLEST_LAMBDA,
  CONFIG_CONGESTION,
  CONFIG_ECF_BETA,
  CONFIG_OPPORTUNISTIC,
  CONFIG_PENALISATION,
  CONFIG_ROUND_ROBIN_QUANTUM,
  CONFIG_SCHEDULER,
  CONFIG_SEND_BUFFER,
  CONFIG_STALE_LOSS_CNT,
  CONFIG_TAIL_LOSS_PROBE,
  CONFIG_WVEGAS_GAMMA,
  CONGESTION_BALIA,
  CONGESTION_CUBIC,
  CONGESTION_LIA,
  CONGESTION_WVEGAS,
  ERR_INVALID,
  SCHEDULER_BLEST,
  SCHEDULER_ECF,
  SCHEDULER_MIN_RTT,
  SCHEDULER_REDUNDANT,
  SCHEDULER_ROUND_ROBIN,
  SUBFLOW_OPTION_CONGESTION,
  SUBFLOW_OPTION_WEIGHT,
  SUBFLOW_STALE,
} from '../../host/abi.js';
import { joinPassive, type MptcpPeer, mptcpPassive } from './handshakes.js';
import { pattern, Script, type ScriptOptions, VARIANTS } from './script.js';

/** What a DSS leaves of 1,460 bytes. */
const MSS = 1432;
const SCHEDULERS = [SCHEDULER_MIN_RTT, SCHEDULER_ROUND_ROBIN, SCHEDULER_REDUNDANT, SCHEDULER_BLEST, SCHEDULER_ECF];

/** What left for a peer: data sequence offset and length of each segment with data. */
function taken(script: Script, peer: MptcpPeer, first: MptcpPeer): { at: number; length: number }[] {
  const found: { at: number; length: number }[] = [];
  const maps: { dsn: bigint; ssn: number; length: number }[] = [];
  for (let packet = script.take(peer); packet !== undefined; packet = script.take(peer)) {
    for (const option of packet.options.mptcp ?? []) {
      if ('dss' in option && option.dsn !== undefined && (option.length ?? 0) > 0) {
        maps.push({ dsn: option.dsn, ssn: option.ssn ?? 0, length: option.length ?? 0 });
      }
    }
    if (packet.data.length === 0) continue;
    const ssn = (packet.seq - peer.irs) >>> 0;
    const map = maps.find((each) => each.ssn <= ssn && ssn < each.ssn + each.length);
    if (map === undefined) throw new Error('a segment has no mapping');
    found.push({ at: Number(map.dsn - first.remoteDsn(0)) + ssn - map.ssn, length: packet.data.length });
  }
  return found;
}

const bytes = (pieces: readonly { length: number }[]): number => pieces.reduce((sum, { length }) => sum + length, 0);

describe.each(VARIANTS)('schedulers (%s)', (variant) => {
  interface BedOptions extends ScriptOptions {
    /** Round-trip times, µs. */
    readonly fast?: number;
    readonly slow?: number;
    readonly backup?: boolean;
    /** The peer's window at the end, bytes. */
    readonly window?: number;
  }

  /** Two subflows; the first is `peer`. */
  const twoPaths = (options: BedOptions = {}) => {
    const config = [[CONFIG_TAIL_LOSS_PROBE, 0] as const, ...(options.config ?? [])];
    const script = new Script({ variant, ...options, config });
    // Without a window scale the window begins small.
    const { peer, handle } = mptcpPassive(script, { syn: { mss: 1460, wscale: 0, sackOk: true } });
    const second = joinPassive(peer, { backup: options.backup ?? false });
    return { script, peer, second, handle };
  };

  /** The same after so much data that both round-trip times are known. */
  const measured = (options: BedOptions = {}) => {
    const bed = twoPaths(options);
    const { script, peer, second, handle } = bed;
    const { fast = 10_000, slow = 40_000, window = 60_000 } = options;
    script.set(CONFIG_SCHEDULER, SCHEDULER_ROUND_ROBIN, handle);
    const sent = (each: MptcpPeer): number => Number(script.subflow(handle, each === peer ? 0 : 1).bytesSent);
    const acknowledge = (each: MptcpPeer, data: number): void => {
      const scaled = each === peer ? window : window >> 7;
      each.send('A', { seq: 1, ack: 1 + sent(each), window: scaled, mptcp: [peer.dss(data)] });
    };
    let acked = 0;
    const round = (length: number): void => {
      script.write(handle, pattern(length));
      script.skip();
      script.advance(fast);
      acknowledge(peer, acked);
      script.advance(slow - fast);
      acked += length;
      acknowledge(second, acked);
      acknowledge(peer, acked);
      script.skip();
    };
    // Until a DATA_ACK comes one subflow carries all.
    round(1);
    for (let count = 0; count < 40; count++) round(2 * MSS);
    for (const [index, rtt] of [fast, slow].entries()) {
      const { srtt, rttVar } = script.subflow(handle, index);
      expect(Math.abs(srtt - rtt)).toBeLessThan(rtt / 20);
      expect(rttVar).toBeLessThan(rtt / 5);
    }
    return { ...bed, acked, sent, acknowledge };
  };

  it('are chosen for a stack and for a connection that runs, and refused when there is none of that number', () => {
    const { script, handle } = twoPaths({ config: [[CONFIG_SCHEDULER, SCHEDULER_ECF]] });
    expect(script.info(handle).scheduler).toBe(SCHEDULER_ECF);
    for (const scheduler of SCHEDULERS) {
      script.set(CONFIG_SCHEDULER, scheduler, handle);
      expect(script.info(handle).scheduler).toBe(scheduler);
    }
    expect(script.x.mptcp_set(handle, CONFIG_SCHEDULER, 5n)).toBe(ERR_INVALID);
    expect(script.x.mptcp_set(0, CONFIG_SCHEDULER, -1n)).toBe(ERR_INVALID);
  });

  it.each([
    CONFIG_OPPORTUNISTIC,
    CONFIG_PENALISATION,
    CONFIG_ROUND_ROBIN_QUANTUM,
    CONFIG_BLEST_LAMBDA,
    CONFIG_ECF_BETA,
    CONFIG_WVEGAS_GAMMA,
  ])('have settings of their own in every connection: %i', (key) => {
    const { script, handle } = twoPaths();
    const before = script.x.mptcp_get(handle, key);
    expect(before).toBe(script.x.mptcp_get(0, key));
    // 0 or 1 where there is nothing else.
    const other = script.x.mptcp_set(handle, key, 2n) === ERR_INVALID ? 1n - before : 2n;
    expect(script.x.mptcp_set(handle, key, other)).toBe(0);
    expect(script.x.mptcp_get(handle, key)).toBe(other);
    expect(script.x.mptcp_get(0, key)).toBe(before);
    expect(script.x.mptcp_set(handle, key, 70_000n)).toBe(ERR_INVALID);
  });

  it('minimum RTT fills the faster one first', () => {
    const { script, peer, second, handle } = measured();
    script.set(CONFIG_SCHEDULER, SCHEDULER_MIN_RTT, handle);
    const room = script.subflow(handle, 0).cwnd;
    script.write(handle, pattern(room + 4 * MSS));
    script.advance(0);
    expect(taken(script, peer, peer)).toMatchObject({ length: Math.floor(room / MSS) });
    expect(taken(script, second, peer).length).toBeGreaterThan(0);
    expect(script.subflow(handle, 0).timesChosen).toBeGreaterThan(0);
  });

  it('round-robin gives each a quantum in its turn', () => {
    const { script, peer, second, handle, acked } = measured();
    script.set(CONFIG_ROUND_ROBIN_QUANTUM, 2, handle);
    script.write(handle, pattern(8 * MSS));
    script.advance(0);
    const here = taken(script, peer, peer);
    const there = taken(script, second, peer);
    expect(bytes(here)).toBe(4 * MSS);
    expect(bytes(there)).toBe(4 * MSS);
    // Two segments here, two there.
    const starts = here.map(({ at }) => (at - acked) / MSS).sort((a, b) => a - b);
    expect([
      [0, 1, 4, 5],
      [2, 3, 6, 7],
    ]).toContainEqual(starts);
  });

  it('redundant gives every byte to both, and leaves out what was acknowledged meanwhile', () => {
    const { script, peer, second, handle, acked, sent } = measured();
    script.set(CONFIG_SCHEDULER, SCHEDULER_REDUNDANT, handle);
    script.write(handle, pattern(4 * MSS));
    script.advance(0);
    for (const each of [peer, second]) {
      expect(taken(script, each, peer).map(({ at }) => at)).toEqual([0, 1, 2, 3].map((index) => acked + index * MSS));
    }
    expect(script.subflow(handle, 0).bytesRedundant + script.subflow(handle, 1).bytesRedundant).toBe(BigInt(4 * MSS));
    // A long stretch: the slower one falls back. What the faster one delivered it does not get any more.
    script.write(handle, pattern(60 * MSS));
    script.advance(0);
    taken(script, second, peer);
    const behind = sent(second);
    let delivered = acked + 4 * MSS;
    for (let turn = 0; turn < 12 && delivered < acked + 64 * MSS; turn++) {
      const ends = taken(script, peer, peer).map(({ at, length }) => at + length);
      delivered = Math.max(delivered, ...ends);
      peer.send('A', { seq: 1, ack: 1 + sent(peer), mptcp: [peer.dss(delivered)] });
      script.advance(10_000);
    }
    expect(delivered).toBe(acked + 64 * MSS);
    second.send('A', { seq: 1, ack: 1 + behind, mptcp: [peer.dss(delivered)] });
    script.advance(0);
    expect(taken(script, second, peer)).toEqual([]);
    expect(sent(second)).toBe(behind);
  });

  it('BLEST holds the slower one back when its bytes would take the window from the faster one', () => {
    // A window that the faster one could fill within a round trip of the slower one.
    const { script, peer, second, handle } = measured({ fast: 2_000, slow: 100_000, window: 40 * MSS });
    script.set(CONFIG_SCHEDULER, SCHEDULER_BLEST, handle);
    script.write(handle, pattern(30 * MSS));
    script.advance(0);
    expect(bytes(taken(script, peer, peer))).toBeGreaterThan(0);
    expect(taken(script, second, peer)).toEqual([]);
    expect(script.subflow(handle, 1).timesHeldBack).toBeGreaterThan(0);
    expect(script.info(handle).blestLambda).toBeGreaterThanOrEqual(1000);
    // Minimum RTT does not care.
    script.set(CONFIG_SCHEDULER, SCHEDULER_MIN_RTT, handle);
    script.advance(0);
    expect(bytes(taken(script, second, peer))).toBeGreaterThan(0);
  });

  it('ECF waits for the faster one when that is through sooner, and takes the slower one for much', () => {
    const { script, peer, second, handle } = measured({ fast: 2_000, slow: 100_000 });
    script.set(CONFIG_SCHEDULER, SCHEDULER_ECF, handle);
    const room = script.subflow(handle, 0).cwnd;
    script.write(handle, pattern(room + 3 * MSS));
    script.advance(0);
    expect(bytes(taken(script, peer, peer))).toBeGreaterThanOrEqual(room - MSS);
    expect(taken(script, second, peer)).toEqual([]);
    expect(script.info(handle).ecfWaiting).toBe(1);
    expect(script.subflow(handle, 1).timesHeldBack).toBeGreaterThan(0);
    // So much that the faster one would need longer than a round trip of the slower one.
    script.set(CONFIG_SEND_BUFFER, 4_000_000, handle);
    script.write(handle, pattern(70 * room));
    script.advance(0);
    expect(script.info(handle).ecfWaiting).toBe(0);
    expect(bytes(taken(script, second, peer))).toBeGreaterThan(0);
  });

  it.each(SCHEDULERS)('use backups only when nothing else works (RFC 8684 section 3.3.8): %i', (scheduler) => {
    const { script, peer, second, handle } = twoPaths({ backup: true, config: [[CONFIG_SCHEDULER, scheduler]] });
    script.write(handle, 'x');
    script.advance(0);
    expect(taken(script, peer, peer)).toHaveLength(1);
    peer.send('A', { seq: 1, ack: 2, mptcp: [peer.dss(1)] });
    script.write(handle, pattern(40_000));
    script.advance(0);
    expect(taken(script, peer, peer).length).toBeGreaterThan(1);
    expect(taken(script, second, peer)).toEqual([]);
    script.x.mptcp_link_up(0, 0);
    script.advance(0);
    expect(taken(script, second, peer).length).toBeGreaterThan(0);
    script.x.mptcp_link_up(0, 1);
  });

  it('send the segment that holds the window by the faster one too, and halve the window of the slower (NSDI 2012)', () => {
    const { script, peer, second, handle, acked, sent } = measured({
      fast: 2_000,
      slow: 100_000,
      window: 6 * MSS,
    });
    script.set(CONFIG_SCHEDULER, SCHEDULER_MIN_RTT, handle);
    // The slower one gets what comes first: the faster one is down for a moment.
    script.x.mptcp_link_up(0, 0);
    script.write(handle, pattern(2 * MSS));
    script.advance(0);
    expect(taken(script, second, peer)).toMatchObject([{ at: acked }, { at: acked + MSS }]);
    script.x.mptcp_link_up(0, 1);
    const { cwnd } = script.subflow(handle, 1);
    script.write(handle, pattern(20 * MSS));
    script.advance(0);
    const here = taken(script, peer, peer);
    expect(here.map(({ at }) => at)).toContain(acked);
    expect(script.subflow(handle, 1)).toMatchObject({ cwnd: cwnd >> 1, timesPenalised: 1 });
    expect(script.subflow(handle, 0).bytesReinjected).toBeGreaterThanOrEqual(BigInt(MSS));
    expect(script.counter('MPTcpExtMPTCPRetrans')).toBeGreaterThan(0);
    // It has them now: they do not go a third time.
    const again = script.info(handle).bytesRetransmitted;
    const before = 1 + sent(second) - 2 * MSS;
    second.send('A', { seq: 1, ack: before, window: (6 * MSS) >> 7, mptcp: [peer.dss(acked)] });
    script.advance(1_000);
    expect(script.info(handle).bytesRetransmitted).toBe(again);
  });

  it('neither repeat nor halve when both settings are off', () => {
    const { script, peer, handle, acked } = measured({ fast: 2_000, slow: 100_000, window: 6 * MSS });
    script.set(CONFIG_SCHEDULER, SCHEDULER_MIN_RTT, handle);
    script.set(CONFIG_OPPORTUNISTIC, 0, handle);
    script.set(CONFIG_PENALISATION, 0, handle);
    script.x.mptcp_link_up(0, 0);
    script.write(handle, pattern(2 * MSS));
    script.skip();
    script.x.mptcp_link_up(0, 1);
    const { cwnd } = script.subflow(handle, 1);
    script.write(handle, pattern(20 * MSS));
    script.advance(0);
    expect(taken(script, peer, peer).map(({ at }) => at)).not.toContain(acked);
    expect(script.subflow(handle, 1)).toMatchObject({ cwnd, timesPenalised: 0 });
    expect(script.subflow(handle, 0).timesBlocked).toBeGreaterThan(0);
  });
});

describe.each(VARIANTS)('reinjection and stale subflows (%s)', (variant) => {
  const two = (options: ScriptOptions = {}) => {
    const script = new Script({
      variant,
      ...options,
      config: [[CONFIG_TAIL_LOSS_PROBE, 0], ...(options.config ?? [])],
    });
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    script.write(handle, 'x');
    script.advance(0);
    const [carrier, other] = script.take(peer) !== undefined ? [peer, second] : [second, peer];
    carrier.send('A', { seq: 1, ack: 2, mptcp: [peer.dss(1)] });
    script.skip();
    const index = (each: MptcpPeer): number => (each === peer ? 0 : 1);
    return { script, peer, handle, carrier, other, index };
  };

  it('a subflow is stale after its timeouts when another works, and recovers with the first segment (kernel: SubflowStale, SubflowRecover)', () => {
    const { script, peer, handle, carrier, other, index } = two({ config: [[CONFIG_STALE_LOSS_CNT, 2]] });
    script.write(handle, 'stuck');
    script.advance(0);
    const [lost, works] = taken(script, carrier, peer).length > 0 ? [carrier, other] : [other, carrier];
    // With the first timeout the other has them; it is answered, so that it works.
    script.advance(300_000);
    expect(taken(script, works, peer)).toEqual([{ at: 1, length: 5 }]);
    expect(script.counter('MPTcpExtSubflowStale')).toBe(0);
    works.send('A', { seq: 1, ack: 1 + Number(script.subflow(handle, index(works)).bytesSent), mptcp: [peer.dss(6)] });
    script.advance(1_000_000);
    script.skip();
    expect(script.counter('MPTcpExtSubflowStale')).toBe(1);
    expect(script.subflow(handle, index(lost)).flags & SUBFLOW_STALE).toBe(SUBFLOW_STALE);
    // New bytes go by the other.
    script.write(handle, 'new');
    script.advance(0);
    expect(taken(script, works, peer)).toEqual([{ at: 6, length: 3 }]);
    // An ACK that acknowledges nothing is enough.
    const una = lost === carrier ? 2 : 1;
    lost.send('A', { seq: 1, ack: una, mptcp: [peer.dss(6)] });
    expect(script.counter('MPTcpExtSubflowRecover')).toBe(1);
    expect(script.subflow(handle, index(lost)).flags & SUBFLOW_STALE).toBe(0);
  });

  it('no subflow is stale when no other works', () => {
    const { script, handle, carrier, other, index } = two({ config: [[CONFIG_STALE_LOSS_CNT, 2]] });
    other.send('R', { seq: 1 });
    script.write(handle, 'stuck');
    script.advance(5_000_000);
    expect(script.subflow(handle, 0)).toMatchObject({ id: index(carrier) + 1 });
    expect(script.subflow(handle, 0).backoff).toBeGreaterThan(2);
    expect(script.counter('MPTcpExtSubflowStale')).toBe(0);
  });

  it('what waits to be sent again is dropped when it is acknowledged meanwhile', () => {
    const { script, peer, handle, carrier, other } = two();
    // The other has no room: its window is closed.
    other.send('A', { seq: 1, ack: 1, window: 0, mptcp: [peer.dss(1)] });
    script.write(handle, pattern(3000));
    script.advance(0);
    expect(bytes(taken(script, carrier, peer))).toBe(3000);
    script.advance(3_000_000);
    script.skip();
    expect(script.counter('MPTcpExtMPTCPRetrans')).toBe(0);
    carrier.send('A', { seq: 1, ack: 3002, mptcp: [peer.dss(3001)] });
    other.send('A', { seq: 1, ack: 1, window: 1000, mptcp: [peer.dss(3001)] });
    script.advance(1_000_000);
    expect(taken(script, other, peer)).toEqual([]);
    expect(script.info(handle).bytesRetransmitted).toBe(0n);
    expect(script.pools().maps).toBe(0);
  });

  it('what a subflow dropped at data level goes again by the timer of the connection (RFC 8684 section 3.3.6)', () => {
    const { script, peer, handle, carrier } = two();
    script.write(handle, 'dropped');
    script.advance(0);
    const [got] = taken(script, carrier, peer);
    expect(got).toEqual({ at: 1, length: 7 });
    // The subflow has them, the connection has not.
    carrier.send('A', { seq: 1, ack: 9, mptcp: [peer.dss(1)] });
    script.advance(10_000_000);
    const again = [...taken(script, carrier, peer), ...taken(script, peer === carrier ? carrier : peer, peer)];
    expect(again.length + Number(script.counter('MPTcpExtMPTCPRetrans'))).toBeGreaterThan(0);
    expect(script.info(handle).bytesRetransmitted).toBeGreaterThanOrEqual(7n);
  });
});

describe.each(VARIANTS)('congestion controllers of a connection (%s)', (variant) => {
  it('are followed by all subflows, also by those that come later', () => {
    const script = new Script({ variant, config: [[CONFIG_CONGESTION, CONGESTION_BALIA]] });
    const { peer, handle } = mptcpPassive(script);
    expect(script.subflow(handle)).toMatchObject({ congestion: CONGESTION_BALIA, congestionOwn: 0 });
    script.set(CONFIG_CONGESTION, CONGESTION_WVEGAS, handle);
    joinPassive(peer);
    expect(script.subflow(handle, 0).congestion).toBe(CONGESTION_WVEGAS);
    expect(script.subflow(handle, 1).congestion).toBe(CONGESTION_WVEGAS);
    script.set(CONFIG_CONGESTION, CONGESTION_CUBIC, handle);
    expect(script.subflow(handle, 1).congestion).toBe(CONGESTION_CUBIC);
    expect(script.x.mptcp_set(handle, CONFIG_CONGESTION, 6n)).toBe(ERR_INVALID);
    expect(script.x.mptcp_get(0, CONFIG_CONGESTION)).toBe(BigInt(CONGESTION_BALIA));
    script.set(CONFIG_CONGESTION, CONGESTION_LIA);
  });

  it('and one subflow has its own, and its weight, as long as it wants (SUBFLOW_OPTION_)', () => {
    const script = new Script({ variant });
    const { peer, handle } = mptcpPassive(script);
    joinPassive(peer);
    const set = (id: number, key: number, value: number): number =>
      script.x.mptcp_subflow_set(handle, id, key, BigInt(value));
    expect(set(2, SUBFLOW_OPTION_CONGESTION, CONGESTION_WVEGAS)).toBe(0);
    expect(script.subflow(handle, 0)).toMatchObject({ congestion: CONGESTION_LIA, congestionOwn: 0 });
    expect(script.subflow(handle, 1)).toMatchObject({ congestion: CONGESTION_WVEGAS, congestionOwn: 1 });
    script.set(CONFIG_CONGESTION, CONGESTION_CUBIC, handle);
    expect(script.x.mptcp_subflow_get(handle, 1, SUBFLOW_OPTION_CONGESTION)).toBe(BigInt(CONGESTION_CUBIC));
    expect(script.x.mptcp_subflow_get(handle, 2, SUBFLOW_OPTION_CONGESTION)).toBe(BigInt(CONGESTION_WVEGAS));
    expect(set(2, SUBFLOW_OPTION_CONGESTION, 255)).toBe(0);
    expect(script.subflow(handle, 1)).toMatchObject({ congestion: CONGESTION_CUBIC, congestionOwn: 0 });
    expect(set(2, SUBFLOW_OPTION_WEIGHT, 3)).toBe(0);
    expect(script.subflow(handle, 1).weight).toBe(3);
    expect(script.x.mptcp_subflow_get(handle, 2, SUBFLOW_OPTION_WEIGHT)).toBe(3n);
    for (const [key, value] of [
      [SUBFLOW_OPTION_CONGESTION, 6],
      [SUBFLOW_OPTION_CONGESTION, -1],
      [SUBFLOW_OPTION_WEIGHT, 0],
      [SUBFLOW_OPTION_WEIGHT, 257],
    ] as const) {
      expect(set(1, key, value)).toBe(ERR_INVALID);
    }
  });
});
