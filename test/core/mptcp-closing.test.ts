import { describe, expect, it } from 'vitest';
import {
  CONFIG_LIMIT_SUBFLOWS,
  CONFIG_MAP_BYTES,
  CONFIG_NO_DELAY,
  CONFIG_PACING,
  CONFIG_PATH_MANAGER,
  CONFIG_PATH_MODE,
  CONFIG_TIME_WAIT,
  ENDPOINT_SUBFLOW,
  ERR_NOT_FOUND,
  FALLBACK_NONE,
  PATH_MANAGER_FULLMESH,
  PATH_MODE_SINGLE,
} from '../../host/abi.js';
import { joinPassive, MptcpPeer, mptcpActive, mptcpPassive, SYN } from './handshakes.js';
import { addAddrHmac, joinHmac, token } from './keys.js';
import { halves, pattern, Script, type ScriptOptions, VARIANTS } from './script.js';

/** Closing one of several subflows (RFC 8684 sections 3.3.3 and 3.4.2). */

const SECOND = 1_000_000;
const OWN = '10.1.0.2';
const NONCE = 0x5566_7788;

/** Takes an MP_JOIN of the stack, as far as its fourth ACK. */
function answer(first: MptcpPeer, local = OWN, link = 1): MptcpPeer {
  const peer = new MptcpPeer(first.script, { local, link, iss: 0x0300_0000 }, 0);
  peer.key = first.key;
  peer.remoteKey = first.remoteKey;
  const option = peer.expect('S', { seq: 0, mptcp: [{ join: 'syn', token: token(peer.key) }] }).options.mptcp?.[0];
  if (option === undefined || !('join' in option) || option.join !== 'syn') throw new Error('there is no MP_JOIN');
  const hmac = BigInt(`0x${joinHmac(peer.key, peer.remoteKey, NONCE, option.nonce).slice(0, 16)}`);
  peer.send('SA', { ...SYN, ack: 1, mptcp: [{ join: 'synack', hmac, nonce: NONCE }] });
  peer.expect('A', { seq: 1, ack: 1, mptcp: [{ join: 'ack' }] });
  peer.send('A', { seq: 1, ack: 1 });
  return peer;
}

describe.each(VARIANTS)('a subflow that this side closes (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => {
    const { config = [], ...rest } = options;
    return new Script({ variant, ...rest, config: [[CONFIG_NO_DELAY, 1], ...config] });
  };
  const close = (script: Script, handle: number, id: number, reason = 0): number =>
    script.x.mptcp_subflow_close(handle, id, reason);

  it('gives what it holds to others at once, and ends by FIN behind what it has sent', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    script.write(handle, 'to be saved');
    peer.expect('A', { seq: 1, data: 'to be saved' });
    expect(close(script, handle, 1)).toBe(0);
    peer.expect('FA', { seq: 12, ack: 1 });
    second.expect('A', { data: 'to be saved', mptcp: [{ dsn: peer.remoteDsn(0), length: 11 }] });
    expect(script.counter('MPTcpExtMPTCPRetrans')).toBe(1);
    // Nothing new goes by it, and it counts no more.
    script.write(handle, 'and more');
    second.expect('A', { data: 'and more' });
    script.expectNothing();
    expect(script.info(handle)).toMatchObject({ subflows: 2, extraSubflows: 1 });
    expect(script.events()).toEqual([]);
    peer.send('FA', { seq: 1, ack: 13, mptcp: [peer.dss(19)] });
    peer.expect('A', { seq: 13, ack: 2 });
    expect(script.events()).toEqual(['subflowClosed', 'drained']);
    expect(script.info(handle)).toMatchObject({ subflows: 1, extraSubflows: 1 });
    // It is in TIME-WAIT, and holds nothing.
    expect(script.pools()).toMatchObject({ subflows: 2, connections: 1, segments: 2, maps: 2 });
    second.send('A', { seq: 1, ack: 20, mptcp: [peer.dss(19)] });
    expect(script.pools()).toMatchObject({ subflows: 2, segments: 0, maps: 0 });
    peer.send('FA', { seq: 1, ack: 13 });
    peer.expect('A', { seq: 13, ack: 2 });
    script.advance(600 * SECOND);
    expect(script.pools()).toMatchObject({ subflows: 1 });
  });

  it('takes back what it has not sent', () => {
    const config = [
      [CONFIG_PACING, 1],
      [CONFIG_MAP_BYTES, 1_432],
    ] as const;
    const script = open({ config });
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    script.write(handle, pattern(1_432));
    script.advance(100_000);
    peer.send('A', { seq: 1, ack: 1_433, mptcp: [peer.dss(1_432)] });
    second.send('A', { seq: 1, ack: 1, window: 0, mptcp: [{ dss: true }] });
    script.skip();
    // Most of it waits for its time on the first subflow.
    const data = pattern(14_320, 1_432);
    script.write(handle, data);
    script.flush();
    const waits = script.subflow(handle, 0).notSent;
    expect(waits).toBeGreaterThan(1_432);
    expect(close(script, handle, 1)).toBe(0);
    script.advance(1);
    expect(script.subflow(handle, 0).notSent).toBeLessThan(1_432);
    script.advance(100_000);
    const got = new Uint8Array(14_320);
    for (const each of [peer, second]) {
      for (let packet = script.take(each); packet !== undefined; packet = script.take(each)) {
        for (const option of packet.options.mptcp ?? []) {
          if ('dss' in option && option.dsn !== undefined) {
            const within = ((packet.seq - each.irs) >>> 0) - (option.ssn ?? 0);
            got.set(packet.data, Number(option.dsn - peer.remoteDsn(1_432)) + within);
          }
        }
        if (each !== peer || !packet.flags.includes('F')) continue;
        expect((packet.seq - peer.irs) >>> 0).toBeLessThanOrEqual(1 + 15_752 - waits + 1_432);
      }
    }
    expect(got).toEqual(data);
  });

  it('still takes data until the FIN of the peer', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    expect(close(script, handle, 2)).toBe(0);
    second.expect('FA', { seq: 1, ack: 1 });
    second.send('A', { seq: 1, ack: 2, data: 'under way', mptcp: [peer.map(0, 1, 9)] });
    second.expect('A', { seq: 2, ack: 10, mptcp: [{ dss: true, ack: peer.dsn(9) }] });
    expect(script.readText(handle)).toBe('under way');
    second.send('FA', { seq: 10, ack: 2, data: ', the last', mptcp: [peer.map(9, 10, 10)] });
    second.expect('A', { seq: 2, ack: 21 });
    expect(script.readText(handle)).toBe(', the last');
    expect(script.events()).toEqual(['subflowClosed', 'readable']);
  });

  it('sends its FIN again when that is lost, and an RST when nothing answers', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer, { id: 2 });
    expect(close(script, handle, 2)).toBe(0);
    second.expect('FA', { seq: 1, ack: 1 });
    script.advance(5 * SECOND);
    // A probe, two timeouts, and the end.
    second.expect('FA', { seq: 1, ack: 1, at: 200_001 });
    second.expect('FA', { seq: 1, ack: 1, at: 200_002 });
    second.expect('FA', { seq: 1, ack: 1, at: 600_004 });
    second.expect('RA', { seq: 2, ack: 1, at: SECOND, mptcp: [{ reset: 0, flags: 0 }] });
    script.expectNothing();
    expect(script.events()).toEqual(['subflowClosed']);
    expect(script.info(handle).subflows).toBe(1);
    expect(script.counter('MPTcpExtMPRstTx')).toBe(1);
  });

  it('is reset as well when the peer acknowledges the FIN and never sends its own', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    expect(close(script, handle, 2)).toBe(0);
    second.expect('FA', { seq: 1, ack: 1 });
    second.send('A', { seq: 1, ack: 2 });
    script.advance(5 * SECOND);
    second.expect('RA', { seq: 2, ack: 1, mptcp: [{ reset: 0 }] });
    script.expectNothing();
    expect(script.info(handle).subflows).toBe(1);
    expect(script.events()).toEqual(['subflowClosed']);
  });

  it('is reset at once with a reason, when it makes no progress, or when its link is down', () => {
    for (const how of ['reason', 'backoff', 'link'] as const) {
      const script = open();
      const { peer, handle } = mptcpPassive(script);
      const second = joinPassive(peer);
      if (how === 'backoff') {
        script.x.mptcp_link_up(0, 0);
        script.write(handle, 'nobody gets it');
        script.advance(1.5 * SECOND);
        script.x.mptcp_link_up(0, 1);
        expect(script.subflow(handle, 1).backoff).toBeGreaterThan(0);
      } else if (how === 'link') {
        script.x.mptcp_link_up(1, 0);
      }
      script.skip();
      expect(close(script, handle, 2, how === 'reason' ? 5 : 0)).toBe(0);
      if (how === 'link') {
        script.expectNothing();
        script.x.mptcp_link_up(1, 1);
      }
      second.expect('RA', { mptcp: [{ reset: how === 'reason' ? 5 : 0 }] });
      expect(script.info(handle).subflows).toBe(1);
    }
  });

  it('may be reset with a reason while it closes, and cannot be closed when it is gone', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    expect(close(script, handle, 2)).toBe(0);
    expect(close(script, handle, 2)).toBe(0);
    second.expect('FA', { seq: 1, ack: 1 });
    script.expectNothing();
    expect(close(script, handle, 2, 2)).toBe(0);
    expect(close(script, handle, 2)).toBe(ERR_NOT_FOUND);
    second.expect('RA', { seq: 2, ack: 1, mptcp: [{ reset: 2 }] });
    expect(close(script, handle, 2)).toBe(ERR_NOT_FOUND);
  });

  it('leaves room for another as soon as it closes', () => {
    const script = open({ config: [[CONFIG_LIMIT_SUBFLOWS, 1]], links: [['10.0.0.2'], [OWN], ['10.2.0.2']] });
    script.endpoint(OWN, ENDPOINT_SUBFLOW, 9);
    script.endpoint('10.2.0.2', ENDPOINT_SUBFLOW, 10);
    const { peer, handle } = mptcpActive(script);
    const second = answer(peer);
    script.skip();
    expect(close(script, handle, 2)).toBe(0);
    second.expect('FA', { seq: 1, ack: 1 });
    answer(peer, '10.2.0.2', 2);
    expect(script.info(handle)).toMatchObject({ subflows: 3, extraSubflows: 1 });
    // The end of the one before changes nothing of it, and it is not opened again.
    second.send('FA', { seq: 1, ack: 2 });
    expect(script.info(handle)).toMatchObject({ subflows: 2, extraSubflows: 1 });
    script.advance(100 * SECOND);
    second.localPort = 0;
    while (script.take(second)?.flags === 'A');
    script.skip();
    expect(script.info(handle)).toMatchObject({ subflows: 2, extraSubflows: 1 });
  });

  it('is the only one: it sends all it was given, and the rest waits for the next', () => {
    const script = open({ config: [[CONFIG_TIME_WAIT, 1000]] });
    const { peer, handle } = mptcpPassive(script);
    script.write(handle, 'on its way');
    peer.expect('A', { data: 'on its way' });
    expect(close(script, handle, 1)).toBe(0);
    script.write(handle, ', for the next');
    peer.expect('FA', { seq: 11, ack: 1 });
    script.expectNothing();
    peer.send('FA', { seq: 1, ack: 12, mptcp: [peer.dss(10)] });
    peer.expect('A', { seq: 12, ack: 2 });
    expect(script.info(handle).subflows).toBe(0);
    const next = joinPassive(peer, { unanswered: true });
    next.expect('A', { seq: 1, ack: 1, data: ', for the next', mptcp: [{ dsn: peer.remoteDsn(10) }] });
  });

  it('does not become the only one of a connection without mappings, whose stream its FIN would end', () => {
    for (const begun of [false, true]) {
      const script = open();
      const { peer, handle } = mptcpPassive(script);
      if (begun) peer.send('A', { seq: 1, ack: 1, data: 'mapped', mptcp: [peer.map(0, 1, 6)] });
      script.skip();
      expect(close(script, handle, 1)).toBe(0);
      const seq = begun ? 7 : 1;
      for (let times = 0; times < 2; times++) peer.send('A', { seq, ack: 1, data: 'stripped' });
      expect(script.info(handle)).toMatchObject({ fallback: FALLBACK_NONE, confirmed: 1 });
      expect(script.readText(handle)).toBe(begun ? 'mapped' : '');
      let last = '';
      for (let packet = script.take(peer); packet !== undefined; packet = script.take(peer)) last = packet.flags;
      expect(last).toBe('RA');
      expect(script.info(handle).subflows).toBe(0);
    }
  });

  it('has its data carried by one that joins while it closes', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    script.write(handle, 'twice');
    peer.expect('A', { data: 'twice' });
    expect(close(script, handle, 1)).toBe(0);
    peer.expect('FA', { seq: 6, ack: 1 });
    const next = joinPassive(peer, { unanswered: true });
    next.expect('A', { seq: 1, ack: 1, data: 'twice', mptcp: [{ dsn: peer.remoteDsn(0) }] });
  });

  it('makes way for another by FIN when both work, with one path at a time', () => {
    const script = open({ config: [[CONFIG_PATH_MODE, PATH_MODE_SINGLE]] });
    script.endpoint(OWN, ENDPOINT_SUBFLOW, 9);
    const { peer, handle } = mptcpActive(script);
    expect(script.x.mptcp_subflow_open(handle, ...halves(OWN), 0, -1, 0n, 0n, 0, -1, 0)).toBe(2);
    const second = answer(peer);
    peer.expect('FA', { seq: 1, ack: 1 });
    peer.send('FA', { seq: 1, ack: 2 });
    peer.expect('A', { seq: 2, ack: 2 });
    expect(script.info(handle).subflows).toBe(1);
    script.write(handle, 'here');
    second.expect('A', { data: 'here' });
  });

  it('is reset when its address goes while it closes', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    expect(close(script, handle, 2)).toBe(0);
    second.expect('FA', { seq: 1, ack: 1 });
    expect(script.x.mptcp_address_remove(1, ...halves(OWN))).toBe(0);
    second.expect('RA', { seq: 2, ack: 1, mptcp: [{ reset: 3 }] });
    expect(script.info(handle).subflows).toBe(1);
  });

  it('does not keep a connection from ending', () => {
    const script = open({ config: [[CONFIG_TIME_WAIT, 1000]] });
    const { peer, handle, listener } = mptcpPassive(script);
    const second = joinPassive(peer);
    script.close(listener);
    expect(close(script, handle, 2)).toBe(0);
    second.expect('FA', { seq: 1, ack: 1 });
    script.close(handle);
    peer.expect('A', { mptcp: [{ fin: true }] });
    peer.send('A', { seq: 1, ack: 1, mptcp: [peer.dss(1, { dsn: peer.dsn(0), ssn: 0, length: 1, fin: true })] });
    peer.send('FA', { seq: 1, ack: 1, mptcp: [peer.dss(1)] });
    script.advance(5 * SECOND);
    let last = '';
    for (let packet = script.take(second); packet !== undefined; packet = script.take(second)) last = packet.flags;
    expect(last).toBe('RA');
    peer.send('A', { seq: 2, ack: 2, mptcp: [peer.dss(1)] });
    script.advance(600 * SECOND);
    script.skip();
    script.expectEmpty();
  });
});

describe.each(VARIANTS)('a subflow that the peer closes (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });

  it('is answered by FIN, and what it held goes by others', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    script.write(handle, 'on the first');
    peer.expect('A', { seq: 1, data: 'on the first' });
    peer.send('FA', { seq: 1, ack: 1, mptcp: [peer.dss(0)] });
    peer.expect('FA', { seq: 13, ack: 2 });
    second.expect('A', { seq: 1, data: 'on the first' });
    expect(script.events()).toEqual([]);
    // Who closed it as Linux does takes nothing more.
    peer.send('R', { seq: 2 });
    expect(script.events()).toEqual(['subflowClosed ERR_RESET']);
    second.send('A', { seq: 1, ack: 13, mptcp: [peer.dss(12)] });
    expect(script.info(handle)).toMatchObject({ subflows: 1, bytesAcked: 12n });
  });

  it('is reset when its FIN is not acknowledged', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    second.send('FA', { seq: 1, ack: 1, mptcp: [peer.dss(0)] });
    second.expect('FA', { seq: 1, ack: 2 });
    script.advance(5 * SECOND);
    let last = '';
    for (let packet = script.take(second); packet !== undefined; packet = script.take(second)) last = packet.flags;
    expect(last).toBe('RA');
    expect(script.info(handle).subflows).toBe(1);
    expect(script.events()).toEqual(['subflowClosed']);
  });

  it('is not opened again by a full mesh, unless the peer announces its address again', () => {
    const script = open({ config: [[CONFIG_PATH_MANAGER, PATH_MANAGER_FULLMESH]], links: [['10.0.0.2'], [OWN]] });
    const { peer, handle } = mptcpActive(script);
    const second = answer(peer);
    script.skip();
    // An address that has an announcement of its own.
    const other = '10.1.0.9';
    const add = { addAddr: other, id: 4, hmac: addAddrHmac(peer.key, peer.remoteKey, 4, other) };
    second.send('FA', { seq: 1, ack: 1, mptcp: [peer.dss(0)] });
    second.expect('FA', { seq: 1, ack: 2 });
    second.send('A', { seq: 2, ack: 2 });
    expect(script.info(handle).subflows).toBe(1);
    script.advance(1_000 * SECOND);
    second.localPort = 0;
    while (script.take(second)?.flags === 'A');
    expect(script.info(handle).subflows).toBe(1);
    peer.send('A', { seq: 1, ack: 1, mptcp: [add] });
    const third = new MptcpPeer(script, { local: OWN, remote: other, link: 1 }, 0);
    third.expect('S', { mptcp: [{ join: 'syn' }] });
  });
});

describe.each(VARIANTS)('REMOVE_ADDR (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });

  it('of the only subflow goes out by it before its FIN', () => {
    const script = open();
    script.endpoint('10.0.0.2', ENDPOINT_SUBFLOW, 3);
    const { peer, handle } = mptcpActive(script);
    script.skip();
    expect(script.x.mptcp_endpoint_remove(3)).toBe(0);
    peer.expect('A', { seq: 1, ack: 1, mptcp: [{ removeAddr: [0] }] });
    peer.expect('FA', { seq: 1, ack: 1 });
    expect(script.counter('MPTcpExtRmAddrTx')).toBe(1);
    expect(script.counter('MPTcpExtRmSubflow')).toBe(1);
    expect(script.info(handle).subflows).toBe(1);
  });

  it('of one of several goes out by another', () => {
    const script = open();
    script.endpoint('10.0.0.2', ENDPOINT_SUBFLOW, 3);
    script.endpoint(OWN, ENDPOINT_SUBFLOW, 9);
    const { peer } = mptcpActive(script);
    const second = answer(peer);
    script.skip();
    expect(script.x.mptcp_endpoint_remove(3)).toBe(0);
    second.expect('A', { seq: 1, ack: 1, mptcp: [{ removeAddr: [0] }] });
    peer.expect('FA', { seq: 1, ack: 1 });
  });

  it('of an address that is gone goes out by the subflow that comes in its place', () => {
    const script = open();
    script.endpoint('10.0.0.2', ENDPOINT_SUBFLOW, 3);
    const { peer, handle } = mptcpActive(script);
    script.skip();
    expect(script.x.mptcp_address_remove(0, ...halves('10.0.0.2'))).toBe(0);
    peer.expect('RA', { seq: 1, ack: 1, mptcp: [{ reset: 3 }] });
    script.expectNothing();
    expect(script.info(handle).subflows).toBe(0);
    script.endpoint(OWN, ENDPOINT_SUBFLOW, 9);
    const second = answer(peer);
    second.expect('A', { seq: 1, ack: 1, mptcp: [{ removeAddr: [0] }] });
    expect(script.counter('MPTcpExtRmAddrTx')).toBe(1);
  });
});
