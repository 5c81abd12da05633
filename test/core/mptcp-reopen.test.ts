import { describe, expect, it } from 'vitest';
import {
  CONFIG_KEEPALIVE,
  CONFIG_KEEPALIVE_COUNT,
  CONFIG_KEEPALIVE_IDLE,
  CONFIG_KEEPALIVE_INTERVAL,
  CONFIG_LIMIT_ADD_ADDR_ACCEPTED,
  CONFIG_LIMIT_SUBFLOWS,
  CONFIG_NO_DELAY,
  CONFIG_PATH_MANAGER,
  CONFIG_PATH_MODE,
  CONFIG_REJOIN_TIMEOUT,
  CONFIG_REOPEN_DELAY,
  CONFIG_REOPEN_DELAY_MAX,
  CONFIG_REOPEN_REFUSALS,
  CONFIG_TIME_WAIT,
  CONFIG_USER_TIMEOUT,
  ENDPOINT_SUBFLOW,
  PATH_MANAGER_USERSPACE,
  PATH_MODE_FULL,
  PATH_MODE_SINGLE,
} from '../../host/abi.js';
import { joinPassive, MptcpPeer, mptcpActive, mptcpPassive, SYN } from './handshakes.js';
import { addAddrHmac, joinHmac, token } from './keys.js';
import type { MptcpOption } from './options.js';
import { halves, pattern, Script, type ScriptOptions, VARIANTS } from './script.js';

const SECOND = 1_000_000;
const NONCE = 0x5566_7788;
const OWN = '10.1.0.2';

/** The peer's end of a subflow that the stack joins from its second link. */
function secondOf(peer: MptcpPeer, local = OWN, link = 1): MptcpPeer {
  const second = new MptcpPeer(peer.script, { local, link, iss: 0x0300_0000 }, 0);
  second.key = peer.key;
  second.remoteKey = peer.remoteKey;
  return second;
}

/** Takes the MP_JOIN of the stack, as far as its fourth ACK. */
function answer(second: MptcpPeer): void {
  second.localPort = 0;
  const option = second.expect('S', { seq: 0, mptcp: [{ join: 'syn', token: token(second.key) }] }).options.mptcp?.[0];
  if (option === undefined || !('join' in option) || option.join !== 'syn') throw new Error('there is no MP_JOIN');
  const hmac = BigInt(`0x${joinHmac(second.key, second.remoteKey, NONCE, option.nonce).slice(0, 16)}`);
  second.send('SA', { ...SYN, ack: 1, mptcp: [{ join: 'synack', hmac, nonce: NONCE }] });
  second.expect('A', { seq: 1, ack: 1, mptcp: [{ join: 'ack' }] });
  second.send('A', { seq: 1, ack: 1 });
}

describe.each(VARIANTS)('a subflow that failed (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });

  /** Two subflows, both opened by the stack. */
  const joined = (script: Script) => {
    script.endpoint(OWN, ENDPOINT_SUBFLOW, 9);
    const { peer, handle } = mptcpActive(script);
    const second = secondOf(peer);
    answer(second);
    script.events();
    script.skip();
    return { peer, handle, second };
  };

  it('by a reset without a reason is opened again after a second, and then less and less often', () => {
    const script = open({ config: [[CONFIG_REOPEN_DELAY_MAX, 4 * SECOND]] });
    const { handle, second } = joined(script);
    second.send('R', { seq: 1 });
    expect(script.info(handle).subflows).toBe(1);
    let last = script.now;
    const waited: number[] = [];
    for (let times = 0; times < 5; times++) {
      script.advance(10 * SECOND);
      second.localPort = 0;
      const { at } = second.expect('S', { mptcp: [{ join: 'syn', id: 9 }] });
      waited.push(at - last);
      // Refused after the SYN was sent again and again: time does not count from the first one.
      script.skip();
      second.send('RA', { seq: 0, ack: 1 });
      last = script.now;
    }
    expect(waited).toEqual([1, 2, 4, 4, 4].map((seconds) => seconds * SECOND));
    expect(script.counter('subflowReopen')).toBe(5);
  });

  it('is given up when the peer refuses it too often, until its link comes back', () => {
    const script = open({
      config: [
        [CONFIG_REOPEN_REFUSALS, 2],
        [CONFIG_REOPEN_DELAY, 100_000],
      ],
    });
    const { second } = joined(script);
    second.send('R', { seq: 1 });
    for (let times = 0; times < 2; times++) {
      script.advance(SECOND / 2);
      second.localPort = 0;
      second.expect('S');
      script.skip();
      second.send('RA', { seq: 0, ack: 1 });
    }
    script.advance(600 * SECOND);
    second.localPort = 0;
    expect(script.take(second)).toBeUndefined();
    expect(script.counter('pathGivenUp')).toBe(1);
    script.x.mptcp_link_up(1, 0);
    script.x.mptcp_link_up(1, 1);
    answer(second);
  });

  it('is not opened again when the peer says that the condition is permanent, or forbids it (RFC 8684 section 3.6)', () => {
    for (const [reset, flags] of [
      [0, 0],
      [1, 0],
      [3, 1],
      [6, 0],
    ] as const) {
      const script = open();
      const { handle, second } = joined(script);
      second.send('R', { seq: 1, mptcp: [{ reset, flags }] });
      expect(script.info(handle).subflows).toBe(1);
      script.advance(1000 * SECOND);
      // Not even when the link comes back: it is the same path.
      script.x.mptcp_link_up(1, 0);
      script.x.mptcp_link_up(1, 1);
      script.advance(1000 * SECOND);
      second.localPort = 0;
      expect(script.take(second)).toBeUndefined();
      // The application may.
      expect(script.x.mptcp_subflow_open(handle, ...halves(OWN), 0, -1, 0n, 0n, 0, -1, 0)).toBeGreaterThan(0);
      second.expect('S', { mptcp: [{ join: 'syn' }] });
    }
  });

  it('is opened again at a time that fits the reason, when the condition is transient (RFC 8684 section 3.6)', () => {
    for (const [reset, wait] of [
      [0, 1],
      [1, 1],
      // Lack of resources; too much outstanding data; unacceptable performance.
      [2, 8],
      [4, 0],
      [5, 60],
    ] as const) {
      const script = open();
      const { second } = joined(script);
      const begin = script.now;
      second.send('R', { seq: 1, mptcp: [{ reset, flags: 1 }] });
      script.advance(100 * SECOND);
      second.localPort = 0;
      const { at } = second.expect('S', { mptcp: [{ join: 'syn', id: 9 }] });
      expect([reset, Math.floor((at - begin) / SECOND)]).toEqual([reset, wait]);
    }
  });

  it('is opened again at once when its address comes back, under the same id', () => {
    const script = open();
    const { peer, handle, second } = joined(script);
    expect(script.x.mptcp_address_remove(1, ...halves(OWN))).toBe(0);
    peer.expect('A', { mptcp: [{ removeAddr: [9] }] });
    second.expect('RA', { mptcp: [{ reset: 3 }] });
    script.advance(100 * SECOND);
    expect(script.info(handle).subflows).toBe(1);
    second.localPort = 0;
    expect(script.take(second)).toBeUndefined();
    expect(script.x.mptcp_address_add(1, ...halves(OWN), 120)).toBe(0);
    second.expect('S', { mptcp: [{ join: 'syn', id: 9 }] });
  });

  it('is not opened again when its endpoint was removed, its address withdrawn, or the peer sent FIN', () => {
    for (const end of ['endpoint', 'withdrawn', 'fin'] as const) {
      const script = open({ config: [[CONFIG_TIME_WAIT, 1000]] });
      const { peer, handle, second } = joined(script);
      if (end === 'endpoint') expect(script.x.mptcp_endpoint_remove(9)).toBe(0);
      else if (end === 'withdrawn') peer.send('A', { seq: 1, ack: 1, mptcp: [{ removeAddr: [0] }] });
      script.skip();
      if (end !== 'fin') {
        for (const each of end === 'withdrawn' ? [peer, second] : [second]) each.send('FA', { seq: 1, ack: 2 });
      } else {
        second.send('FA', { seq: 1, ack: 1 });
        script.advance(100_000);
        second.send('A', { seq: 2, ack: 2 });
      }
      script.skip();
      expect(script.info(handle).subflows).toBe(end === 'withdrawn' ? 0 : 1);
      script.advance(50 * SECOND);
      second.localPort = 0;
      expect(script.take(second)).toBeUndefined();
    }
  });

  it('is left alone by the userspace manager, and with a delay of 0', () => {
    for (const [key, value] of [
      [CONFIG_PATH_MANAGER, PATH_MANAGER_USERSPACE],
      [CONFIG_REOPEN_DELAY, 0],
    ] as const) {
      const script = open();
      const { handle, second } = joined(script);
      script.set(key, value, key === CONFIG_PATH_MANAGER ? handle : 0);
      second.send('R', { seq: 1 });
      script.advance(600 * SECOND);
      second.localPort = 0;
      expect(script.take(second)).toBeUndefined();
    }
  });

  it('is not joined anew to the address that the peer forbids with flag C (RFC 8684 section 3.1)', () => {
    const script = open();
    const peer = new MptcpPeer(script, {}, 0);
    const handle = script.connect(peer);
    peer.expect('S');
    peer.send('SA', { ...SYN, ack: 1, mptcp: [{ capable: 'synack', key: peer.key, flags: 0x21 }] });
    peer.expect('A');
    peer.send('A', { seq: 1, ack: 1, mptcp: [{ dss: true }] });
    script.skip();
    peer.send('R', { seq: 1 });
    script.advance(30 * SECOND);
    script.expectNothing();
    expect(script.info(handle)).toMatchObject({ subflows: 0 });
  });

  it('that was the initial one is joined anew, to its address and port, with id 0', () => {
    const script = open();
    const { peer, handle } = joined(script);
    peer.send('R', { seq: 1 });
    script.advance(1.5 * SECOND);
    const again = secondOf(peer, '10.0.0.2', 0);
    answer(again);
    expect(script.info(handle)).toMatchObject({ subflows: 2, localPort: peer.localPort, remotePort: peer.port });
  });
});

describe.each(VARIANTS)('an MP_JOIN that failed where none had succeeded (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });
  const OTHER = '10.1.0.9';
  const announcement = (peer: MptcpPeer, port?: number, address = OTHER): MptcpOption => ({
    addAddr: address,
    id: 4,
    ...(port === undefined ? {} : { port }),
    hmac: addAddrHmac(peer.key, peer.remoteKey, 4, address, port),
  });

  it.each(['refused', 'unanswered', 'reset by this side'])(
    'is not tried again, %s, until its link comes back (RFC 8684 section 3.9.3)',
    (end) => {
      const script = open();
      script.endpoint(OWN, ENDPOINT_SUBFLOW, 9);
      const { handle, peer } = mptcpActive(script);
      const second = secondOf(peer);
      second.expect('S', { mptcp: [{ join: 'syn', id: 9 }] });
      if (end === 'refused') second.send('RA', { ack: 1 });
      else if (end === 'unanswered') script.advance(400 * SECOND);
      else {
        second.send('SA', { ...SYN, ack: 1, mptcp: [{ join: 'synack', hmac: 1n, nonce: NONCE }] });
        second.expect('RA', { mptcp: [{ reset: 1 }] });
      }
      script.skip();
      expect(script.info(handle).subflows).toBe(1);
      expect(script.counter('pathGivenUp')).toBe(1);
      second.localPort = 0;
      script.advance(2000 * SECOND);
      expect(script.take(second)).toBeUndefined();
      script.x.mptcp_link_up(1, 0);
      script.x.mptcp_link_up(1, 1);
      answer(second);
    },
  );

  it('is tried again when the peer could not have it for a while', () => {
    const script = open();
    script.endpoint(OWN, ENDPOINT_SUBFLOW, 9);
    const second = secondOf(mptcpActive(script).peer);
    second.expect('S');
    second.send('RA', { ack: 1, mptcp: [{ reset: 2, flags: 1 }] });
    script.advance(8 * SECOND);
    second.localPort = 0;
    second.expect('S', { mptcp: [{ join: 'syn', id: 9 }] });
  });

  it('is tried again when no other subflow is left', () => {
    const script = open();
    script.endpoint(OWN, ENDPOINT_SUBFLOW, 9);
    const { handle, peer } = mptcpActive(script);
    const second = secondOf(peer);
    second.expect('S');
    script.advance(400 * SECOND);
    script.skip();
    peer.send('R', { seq: 1, mptcp: [{ reset: 1, flags: 0 }] });
    expect(script.info(handle).subflows).toBe(0);
    script.advance(1000);
    answer(second);
    expect(script.info(handle).subflows).toBe(1);
    expect(script.events()).not.toContain('closed');
  });

  it('is tried again when the peer announces its address again (RFC 8684 section 3.4.1)', () => {
    for (const reset of [undefined, { reset: 3, flags: 0 }]) {
      const script = open({ config: [[CONFIG_LIMIT_ADD_ADDR_ACCEPTED, 2]] });
      const { peer } = mptcpActive(script);
      const to = new MptcpPeer(script, { local: OWN, remote: OTHER, port: peer.port, link: 1 }, 0);
      peer.send('A', { seq: 1, ack: 1, mptcp: [announcement(peer)] });
      to.expect('S', { mptcp: [{ join: 'syn' }] });
      to.send('RA', { ack: 1, ...(reset === undefined ? {} : { mptcp: [reset] }) });
      to.localPort = 0;
      script.advance(1000 * SECOND);
      expect(script.take(to)).toBeUndefined();
      peer.send('A', { seq: 1, ack: 1, mptcp: [announcement(peer)] });
      to.expect('S', { mptcp: [{ join: 'syn' }] });
    }
  });

  it('leaves another port of the address, which is announced under the same id, to be joined (section 3.4.1)', () => {
    const script = open({
      config: [
        [CONFIG_LIMIT_ADD_ADDR_ACCEPTED, 1],
        [CONFIG_LIMIT_SUBFLOWS, 4],
      ],
    });
    const { peer, handle } = mptcpActive(script);
    const to = (port: number, remote = OTHER) =>
      new MptcpPeer(script, { local: OWN, remote, port, link: 1, iss: 0x0400_0000 + port }, 0);
    const first = to(peer.port);
    peer.send('A', { seq: 1, ack: 1, mptcp: [announcement(peer)] });
    first.expect('S', { mptcp: [{ join: 'syn' }] });
    first.send('RA', { ack: 1 });
    peer.send('A', { seq: 1, ack: 1, mptcp: [announcement(peer, 9_000)] });
    to(9_000).expect('S', { mptcp: [{ join: 'syn' }] });
    expect(script.info(handle).accepted).toBe(1);
    // While the first is in use as well, and it is one address all the same.
    peer.send('A', { seq: 1, ack: 1, mptcp: [announcement(peer, 9_001)] });
    to(9_001).expect('S', { mptcp: [{ join: 'syn' }] });
    expect(script.info(handle)).toMatchObject({ accepted: 1, subflows: 3 });
    // The same again is nothing new.
    peer.send('A', { seq: 1, ack: 1, mptcp: [announcement(peer, 9_001)] });
    expect(script.info(handle)).toMatchObject({ accepted: 1, subflows: 3 });
    // Another address under the id: its withdrawal was lost.
    peer.send('A', { seq: 1, ack: 1, mptcp: [announcement(peer, 9_002, '10.1.0.8')] });
    to(9_002, '10.1.0.8').expect('S', { mptcp: [{ join: 'syn' }] });
    expect(script.info(handle)).toMatchObject({ accepted: 1, subflows: 4 });
    peer.send('A', { seq: 1, ack: 1, mptcp: [{ removeAddr: [4] }] });
    script.skip();
    expect(script.info(handle)).toMatchObject({ accepted: 0, subflows: 1 });
  });
});

describe.each(VARIANTS)('a connection without a subflow (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });

  it('goes on when the peer joins it, without losing a byte', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const data = pattern(3_000);
    script.write(handle, data);
    peer.expect('A', { length: 1420 + 12 });
    peer.send('R', { seq: 1 });
    expect(script.info(handle)).toMatchObject({ subflows: 0, localPort: 80, remotePort: peer.port });
    script.skip();
    script.advance(50 * SECOND);
    script.expectNothing();
    const second = joinPassive(peer, { unanswered: true });
    const got = new Uint8Array(data.length);
    for (let packet = script.take(second); packet !== undefined; packet = script.take(second)) {
      const map = packet.options.mptcp?.[0];
      if (map !== undefined && 'dss' in map && map.dsn !== undefined) {
        const ssn = (packet.seq - second.irs) >>> 0;
        got.set(packet.data, Number(map.dsn - peer.remoteDsn(0)) + ssn - (map.ssn ?? 0));
      }
    }
    expect(Buffer.compare(got, data)).toBe(0);
    second.send('A', { seq: 1, ack: 3001, data: 'on', mptcp: [peer.map(0, 1, 2, { ack: peer.remoteDsn(3_000) })] });
    expect(script.readText(handle)).toBe('on');
    expect([script.counter('rejoinWait'), script.counter('rejoinDone')]).toEqual([1, 1]);
  });

  it('joins its peer again at once, and sends what waited', () => {
    const script = open();
    const { peer, handle } = mptcpActive(script);
    script.set(CONFIG_NO_DELAY, 1, handle);
    script.write(handle, 'before');
    script.skip();
    peer.send('R', { seq: 1 });
    const again = secondOf(peer, '10.0.0.2', 0);
    script.write(handle, ' and after');
    script.advance(1_000);
    answer(again);
    again.expect('A', { data: 'before' });
    again.expect('A', { data: ' and after' });
    expect(script.events()).toContain('subflowClosed ERR_RESET');
  });

  it('ends with a timeout when nobody comes', () => {
    const script = open({ config: [[CONFIG_REJOIN_TIMEOUT, 5 * SECOND]] });
    const { peer, handle } = mptcpPassive(script);
    script.write(handle, 'never heard');
    peer.send('R', { seq: 1 });
    script.skip();
    script.advance(5 * SECOND - 1);
    expect(script.events()).toEqual(['subflowClosed ERR_RESET']);
    script.advance(1);
    expect(script.events()).toEqual(['closed ERR_TIMED_OUT']);
    script.close(handle);
    expect(script.pools().connections).toBe(0);
  });

  it('ends at once when it may not wait, or had not yet shown that it is multipath', () => {
    const script = open({ config: [[CONFIG_REJOIN_TIMEOUT, 0]] });
    const first = mptcpPassive(script);
    first.peer.send('R', { seq: 1 });
    expect(script.events()).toEqual(['subflowClosed ERR_RESET', 'closed ERR_RESET']);
    const other = open();
    const { peer } = mptcpActive(other, { confirm: false });
    peer.send('R', { seq: 1 });
    expect(other.events()).toEqual(['subflowClosed ERR_RESET', 'closed ERR_RESET']);
  });

  it('leaves nothing behind when it is closed, aborted, or forgotten while it waits', () => {
    for (const end of ['close', 'abort', 'unread', 'written'] as const) {
      const script = open();
      const { peer, handle, listener } = mptcpPassive(script);
      if (end === 'unread') peer.send('A', { seq: 1, ack: 1, data: 'x', mptcp: [peer.map(0, 1, 1)] });
      if (end === 'written') script.write(handle, pattern(50_000));
      script.skip();
      peer.send('R', { seq: end === 'unread' ? 2 : 1 });
      expect(script.info(handle).subflows).toBe(0);
      if (end === 'abort') script.abort(handle);
      else script.close(handle);
      script.close(listener);
      script.advance(200 * SECOND);
      script.skip();
      script.expectEmpty();
    }
  });

  it('keeps to the user timeout, and outlives unanswered keep-alive probes for as long as these took', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    script.set(CONFIG_USER_TIMEOUT, 3 * SECOND, handle);
    script.write(handle, 'x');
    script.skip();
    peer.send('R', { seq: 1 });
    script.advance(4 * SECOND);
    expect(script.events()).toContain('closed ERR_TIMED_OUT');

    const probing = open({
      config: [
        [CONFIG_KEEPALIVE, 1],
        [CONFIG_KEEPALIVE_IDLE, SECOND],
        [CONFIG_KEEPALIVE_INTERVAL, SECOND],
        [CONFIG_KEEPALIVE_COUNT, 2],
      ],
    });
    mptcpPassive(probing);
    probing.advance(3 * SECOND);
    expect(probing.events()).toEqual(['subflowClosed ERR_TIMED_OUT']);
    probing.advance(2 * SECOND);
    expect(probing.events()).toEqual(['closed ERR_TIMED_OUT']);
  });
});

describe.each(VARIANTS)('one path at a time (%s)', (variant) => {
  const open = () => new Script({ variant, config: [[CONFIG_PATH_MODE, PATH_MODE_SINGLE]] });

  it('opens another when the link is lost, closes the first, and comes back to it when the other fails', () => {
    const script = open();
    script.endpoint(OWN, ENDPOINT_SUBFLOW, 9);
    const { peer, handle } = mptcpActive(script);
    script.expectNothing();
    script.write(handle, 'first');
    peer.expect('A', { data: 'first' });
    script.x.mptcp_link_up(0, 0);
    const second = secondOf(peer);
    answer(second);
    second.expect('A', { data: 'first' });
    second.send('A', { seq: 1, ack: 6, mptcp: [peer.dss(5)] });
    script.x.mptcp_link_up(0, 1);
    peer.expect('RA', { mptcp: [{ reset: 5 }] });
    expect(script.info(handle).subflows).toBe(1);
    script.advance(5 * SECOND);
    script.skip();
    second.send('R', { seq: 1 });
    const again = secondOf(peer, '10.0.0.2', 0);
    script.advance(10_000);
    answer(again);
    expect(script.info(handle).subflows).toBe(1);
    // All at a time: the one in reserve is opened, too.
    again.send('R', { seq: 1 });
    script.advance(10_000);
    script.skip();
    script.set(CONFIG_PATH_MODE, PATH_MODE_FULL, handle);
    script.advance(1.5 * SECOND);
    expect(script.info(handle).subflows).toBe(2);
  });
});
