/** Duplicate ACKs that carry signals: what they mean when they arrive, and how many go out (RFC 8684 sections 3.4.1, 4). */
import { describe, expect, it } from 'vitest';
import {
  CONFIG_NO_DELAY,
  CONFIG_SACK,
  CONFIG_TAIL_LOSS_PROBE,
  ENDPOINT_SIGNAL,
  SUBFLOW_OPTION_BACKUP,
} from '../../host/abi.js';
import { joinPassive, type MptcpPeer, mptcpPassive } from './handshakes.js';
import { addAddrHmac } from './keys.js';
import type { MptcpOption } from './options.js';
import type { TcpPacket } from './packets.js';
import { halves, pattern, Script, type ScriptOptions, VARIANTS } from './script.js';

const MSS = 1460;
/** What a segment has beside a DSS. */
const DATA = MSS - 20;
const RTT = 50_000;

describe.each(VARIANTS)('duplicate ACKs with a signal (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) =>
    new Script({ variant, ...options, config: [[CONFIG_SACK, 0], ...(options.config ?? [])] });
  const signals = (peer: MptcpPeer): [string, MptcpOption][] => [
    ['MP_PRIO', { prio: true }],
    ['ADD_ADDR', { addAddr: '10.0.9.9', id: 7, hmac: addAddrHmac(peer.key, peer.remoteKey, 7, '10.0.9.9') }],
    ['an echo', { addAddr: '10.0.9.9', id: 7, echo: true }],
    ['REMOVE_ADDR', { removeAddr: [9] }],
  ];

  it('do not begin fast retransmission, and let nothing more out (RFC 5681, RFC 3042)', () => {
    for (const at of [0, 1, 2, 3]) {
      const script = open({ config: [[CONFIG_NO_DELAY, 1]] });
      const { peer, handle } = mptcpPassive(script);
      script.write(handle, pattern(30 * DATA));
      script.skip();
      script.advance(RTT);
      const [name, option] = signals(peer)[at] ?? ['', { prio: true }];
      for (let n = 0; n < 6; n++) peer.send('A', { seq: 1, ack: 1, mptcp: [option, peer.dss(0)] });
      const sent: TcpPacket[] = [];
      for (let packet = script.take(peer); packet !== undefined; packet = script.take(peer)) sent.push(packet);
      expect([name, sent.filter(({ data }) => data.length > 0)]).toEqual([name, []]);
      expect(script.subflow(handle)).toMatchObject({ retransmits: 0n, lost: 0 });
      // Those with a DSS and no more do.
      for (let n = 0; n < 3; n++) peer.send('A', { seq: 1, ack: 1, mptcp: [peer.dss(0)] });
      script.skip();
      expect(script.subflow(handle).retransmits).toBe(1n);
    }
  });

  it('leave it open whether a timeout was spurious (RFC 5682 section 2.1)', () => {
    const script = open({
      config: [
        [CONFIG_TAIL_LOSS_PROBE, 0],
        [CONFIG_NO_DELAY, 1],
      ],
    });
    const { peer, handle } = mptcpPassive(script);
    script.write(handle, pattern(10 * DATA));
    script.skip();
    const segment = script.subflow(handle).inFlight / 10;
    script.advance(300_000);
    script.write(handle, pattern(40 * DATA));
    script.skip();
    expect(script.subflow(handle).timeouts).toBe(1n);
    const first = 1 + segment;
    peer.send('A', { seq: 1, ack: first, mptcp: [peer.dss(first - 1)] });
    peer.send('A', { seq: 1, ack: first, mptcp: [{ prio: true }, peer.dss(first - 1)] });
    peer.send('A', { seq: 1, ack: 2 * first - 1, mptcp: [peer.dss(2 * first - 2)] });
    expect(script.counter('spurious')).toBe(1);
  });
});

describe.each(VARIANTS)('ACKs for signals alone (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });
  const all = (script: Script, peer: MptcpPeer): (TcpPacket & { at: number })[] => {
    const packets: (TcpPacket & { at: number })[] = [];
    for (let packet = script.take(peer); packet !== undefined; packet = script.take(peer)) packets.push(packet);
    return packets;
  };
  const announcement = (peer: MptcpPeer, id: number, address = `10.0.9.${id}`, port?: number): MptcpOption => ({
    addAddr: address,
    id,
    ...(port === undefined ? {} : { port }),
    hmac: addAddrHmac(peer.key, peer.remoteKey, id, address, port),
  });
  const isSignal = (option: MptcpOption): boolean => !('dss' in option);
  const mptcpOf = (packets: TcpPacket[]): MptcpOption[] => packets.flatMap(({ options }) => options.mptcp ?? []);
  /** The most ACKs in a row that acknowledge what the one before did and carry a signal; data begins another row. */
  const longestRow = (packets: TcpPacket[]): number => {
    let longest = 0;
    let row = 0;
    let ack = -1;
    for (const packet of packets) {
      const duplicate = packet.data.length === 0 && packet.ack === ack;
      row = duplicate && packet.options.mptcp?.some(isSignal) === true ? row + 1 : 0;
      ack = packet.ack;
      longest = Math.max(longest, row);
    }
    return longest;
  };

  it('are two in a row, and two more each round trip until all is told', () => {
    const script = open();
    const { peer } = mptcpPassive(script);
    for (let id = 1; id <= 8; id++) peer.send('A', { seq: 1, ack: 1, mptcp: [announcement(peer, id)] });
    const begin = script.now;
    script.advance(2_000_000);
    const packets = all(script, peer);
    const times = packets.map(({ at }) => at - begin);
    expect(packets.map(({ options }) => options.mptcp?.map((option) => 'echo' in option && option.echo))).toEqual(
      Array.from({ length: 8 }, () => [true]),
    );
    expect(new Set(mptcpOf(packets).map((option) => ('addAddr' in option ? option.id : 0))).size).toBe(8);
    for (let index = 2; index < 8; index++) expect((times[index] ?? 0) - (times[index - 2] ?? 0)).toBeGreaterThan(0);
    expect(times.slice(0, 2)).toEqual([0, 0]);
    expect(times.at(-1)).toBeLessThan(1_000_000);
  });

  it('go on behind data, and share the ACKs that are due anyway', () => {
    const script = open({ config: [[CONFIG_NO_DELAY, 1]] });
    const { peer, handle } = mptcpPassive(script);
    for (let id = 1; id <= 6; id++) peer.send('A', { seq: 1, ack: 1, mptcp: [announcement(peer, id)] });
    expect(all(script, peer)).toHaveLength(2);
    const begin = script.now;
    script.write(handle, 'data');
    const behind = all(script, peer);
    expect(behind.map(({ data }) => data.length)).toEqual([4, 0, 0]);
    // Data of the peer: its ACK has room for one more, and two follow.
    peer.send('A', { seq: 1, ack: 1, data: pattern(2 * DATA), mptcp: [peer.map(0, 1, 2 * DATA)] });
    const due = all(script, peer);
    expect(due[0]?.options.mptcp).toMatchObject([{ dss: true, ack: peer.dsn(2 * DATA) }, { echo: true }]);
    expect(longestRow([...behind, ...due])).toBe(2);
    expect(mptcpOf(due).filter(isSignal)).toHaveLength(2);
    expect(script.now).toBe(begin);
  });

  it('have what fits beside each other: REMOVE_ADDR, an echo, MP_PRIO', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    expect(script.x.mptcp_address_announce(handle, ...halves('10.0.9.1'), 0, 5)).toBe(5);
    script.skip();
    peer.send('A', { seq: 1, ack: 1, mptcp: [announcement(peer, 7)] });
    expect(script.x.mptcp_address_withdraw(handle, 5)).toBe(0);
    expect(script.x.mptcp_subflow_set(handle, 1, SUBFLOW_OPTION_BACKUP, 1n)).toBe(0);
    const packets = all(script, peer);
    expect(packets).toHaveLength(1);
    expect(mptcpOf(packets)).toMatchObject([{ removeAddr: [5] }, { echo: true, id: 7 }, { prio: true }]);
  });

  it('are spread over the subflows that work', () => {
    const script = open();
    const { peer } = mptcpPassive(script);
    const second = joinPassive(peer);
    script.skip();
    for (let id = 1; id <= 4; id++) peer.send('A', { seq: 1, ack: 1, mptcp: [announcement(peer, id)] });
    expect(all(script, peer)).toHaveLength(2);
    expect(all(script, second)).toHaveLength(2);
    script.expectNothing();
  });

  it('tell the last word of a priority that changes again and again', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const packets: TcpPacket[] = [];
    for (let n = 0; n < 7; n++) {
      expect(script.x.mptcp_subflow_set(handle, 1, SUBFLOW_OPTION_BACKUP, BigInt((n + 1) % 2))).toBe(0);
      packets.push(...all(script, peer));
    }
    expect(mptcpOf(packets).filter(isSignal)).toEqual([{ prio: true }, { prio: false }]);
    script.advance(500_000);
    expect(mptcpOf(all(script, peer)).filter(isSignal)).toEqual([{ prio: true }]);
  });

  it('are as few for IPv6 with ports, which leave no room for anything else', () => {
    const script = open({ links: [['10.0.0.2', 'fd00::2'], ['fd01::2'], ['fd02::2']] });
    const { peer } = mptcpPassive(script, { ts: true, syn: { mss: 1460, wscale: 7, sackOk: true, ts: [5_000, 0] } });
    script.endpoint('fd01::2', ENDPOINT_SIGNAL, 3, 90);
    script.endpoint('fd02::2', ENDPOINT_SIGNAL, 4, 91);
    for (let id = 5; id <= 8; id++) {
      peer.send('A', { seq: 1, ack: 1, mptcp: [announcement(peer, id, `fd00::${id}`, 80)] });
    }
    expect(longestRow(all(script, peer))).toBeLessThanOrEqual(2);
    peer.send('A', { seq: 1, ack: 1, data: 'x', mptcp: [peer.map(0, 1, 1)] });
    script.advance(2_000_000);
    const rest = all(script, peer);
    expect(mptcpOf(rest).filter((option) => 'addAddr' in option && option.echo === true).length).toBeGreaterThan(1);
    expect(script.counter('MPTcpExtEchoAddTx')).toBe(4);
  });
});
