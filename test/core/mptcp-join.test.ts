import { describe, expect, it } from 'vitest';
import {
  CONFIG_LIMIT_SUBFLOWS,
  CONFIG_REOPEN_DELAY,
  CONFIG_TAIL_LOSS_PROBE,
  ENDPOINT_BACKUP,
  ENDPOINT_SIGNAL,
  ENDPOINT_SUBFLOW,
  SUBFLOW_BACKUP_REMOTE,
  TCP_ESTABLISHED,
} from '../../host/abi.js';
import { joinPassive, MptcpPeer, mptcpActive, mptcpPassive, SYN } from './handshakes.js';
import { joinHmac, token } from './keys.js';
import type { MptcpOption } from './options.js';
import { type Peer, pattern, Script, type ScriptOptions, toBytes, VARIANTS } from './script.js';

const NONCE = 0x5566_7788;
const SECOND = { local: '10.1.0.2', remote: '10.1.0.1', port: 41_000, link: 1, iss: 0x0300_0000 };

/** The MP_JOIN of a SYN or SYN/ACK. */
function joinOf(packet: { options: { mptcp?: MptcpOption[] } }): {
  nonce: number;
  token: number;
  hmac: bigint;
  id: number;
} {
  const option = packet.options.mptcp?.[0];
  if (option === undefined || !('join' in option) || option.join === 'ack') throw new Error('there is no MP_JOIN');
  return {
    nonce: option.nonce,
    token: option.join === 'syn' ? option.token : 0,
    hmac: option.join === 'synack' ? option.hmac : 0n,
    id: option.id ?? 0,
  };
}

describe.each(VARIANTS)('MP_JOIN of the peer (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });

  /** The peer's SYN with MP_JOIN, and the stack's answer to it. */
  const began = (script: Script) => {
    const { peer, handle } = mptcpPassive(script);
    const second = new MptcpPeer(script, SECOND, 80);
    second.key = peer.key;
    second.remoteKey = peer.remoteKey;
    second.send('S', { ...SYN, mptcp: [{ join: 'syn', token: token(peer.remoteKey), nonce: NONCE, id: 7 }] });
    const answer = joinOf(second.expect('SA', { seq: 0, ack: 1 }));
    return { peer, handle, second, answer, hmac: joinHmac(peer.key, peer.remoteKey, NONCE, answer.nonce) };
  };

  it('is proved by HMACs both ways and ends with the fourth ACK (RFC 8684 section 3.2)', () => {
    const script = open();
    const { peer, handle, second, answer, hmac } = began(script);
    const own = joinHmac(peer.remoteKey, peer.key, answer.nonce, NONCE);
    expect(answer.hmac).toBe(BigInt(`0x${own.slice(0, 16)}`));
    expect(script.info(handle)).toMatchObject({ subflowsTotal: 1 });
    second.send('A', { seq: 1, ack: 1, mptcp: [{ join: 'ack', hmac }] });
    second.expect('A', { seq: 1, ack: 1 });
    expect(script.events()).toEqual(['subflowEstablished']);
    expect(script.info(handle)).toMatchObject({ subflows: 2, subflowsTotal: 2 });
    expect(script.subflow(handle, 1)).toMatchObject({ state: TCP_ESTABLISHED, remoteId: 7, link: 1, localPort: 80 });
    expect(script.counter('MPTcpExtMPJoinAckRx')).toBe(1);
  });

  it('that is still under way when both ends of the stream are reached is reset', () => {
    const script = open();
    const { peer, handle, second } = began(script);
    script.shutdown(handle);
    peer.expect('A', { mptcp: [{ dss: true, fin: true }] });
    peer.send('A', { seq: 1, ack: 1, mptcp: [peer.map(0, 0, 1, { ack: peer.remoteDsn(1), fin: true })] });
    second.expect('RA', { seq: 1 });
    expect(script.info(handle).subflows).toBe(1);
  });

  it('with a wrong HMAC is reset (RFC 8684 section 3.2)', () => {
    const script = open();
    const { handle, second, hmac } = began(script);
    const wrong = `00${hmac.slice(2)}` === hmac ? `01${hmac.slice(2)}` : `00${hmac.slice(2)}`;
    second.send('A', { seq: 1, ack: 1, mptcp: [{ join: 'ack', hmac: wrong }] });
    second.expect('RA', { seq: 1, mptcp: [{ reset: 1 }] });
    expect(script.counter('MPTcpExtMPJoinAckHMacFailure')).toBe(1);
    expect(script.info(handle).subflows).toBe(1);
    expect(script.events()).toEqual([]);
  });

  it('that is under way answers what does not fit once, whatever there is to announce', () => {
    const script = open({ links: [['10.0.0.2'], ['10.1.0.2'], ['10.2.0.2']] });
    const { second } = began(script);
    script.x.mptcp_link_up(0, 0);
    script.endpoint('10.2.0.2', ENDPOINT_SIGNAL);
    second.send('R', { seq: 100 });
    second.expect('A', { seq: 1, ack: 1, mptcp: [] });
    script.expectNothing();
  });

  it('without HMAC is reset, and its data is never taken (RFC 8684 section 3.2)', () => {
    const script = open();
    const { handle, second } = began(script);
    second.send('A', { seq: 1, ack: 1, data: 'evil' });
    second.expect('RA', { mptcp: [{ reset: 1 }] });
    expect(script.readText(handle)).toBe('');
  });

  it('waits for a lost third ACK: later data does not stand in for it', () => {
    const script = open();
    const { peer, handle, second, hmac } = began(script);
    second.send('A', { seq: 1, ack: 1, data: 'early', mptcp: [peer.map(0, 1, 5)] });
    expect(script.readText(handle)).toBe('');
    script.advance(2_000_000);
    second.expect('SA', { seq: 0, ack: 1 });
    script.skip();
    second.send('A', { seq: 1, ack: 1, mptcp: [{ join: 'ack', hmac }] });
    second.expect('A', { seq: 1, ack: 1 });
    second.send('A', { seq: 1, ack: 1, data: 'early', mptcp: [peer.map(0, 1, 5)] });
    expect(script.readText(handle)).toBe('early');
  });

  it('whose fourth ACK was lost gets it again (RFC 8684 section 3.2)', () => {
    const script = open();
    const { second, hmac } = began(script);
    for (let times = 0; times < 3; times++) {
      second.send('A', { seq: 1, ack: 1, mptcp: [{ join: 'ack', hmac }] });
      second.expect('A', { seq: 1, ack: 1 });
    }
    expect(script.events()).toEqual(['subflowEstablished']);
  });

  it('with an unknown token is reset with its reason (RFC 8684 sections 3.2 and 3.6)', () => {
    const script = open();
    const { peer } = mptcpPassive(script);
    const second = new MptcpPeer(script, SECOND, 80);
    second.send('S', { ...SYN, mptcp: [{ join: 'syn', token: token(peer.remoteKey) ^ 1, nonce: NONCE }] });
    second.expect('RA', { ack: 1, mptcp: [{ reset: 1 }] });
    expect(script.counter('MPTcpExtMPJoinNoTokenFound')).toBe(1);
  });

  it('beyond the limit is reset for lack of resources (RFC 8684 section 3.6)', () => {
    const script = open({ config: [[CONFIG_LIMIT_SUBFLOWS, 1]] });
    const { peer, handle } = mptcpPassive(script);
    joinPassive(peer);
    const third = new MptcpPeer(script, { ...SECOND, port: 41_001 }, 80);
    third.send('S', { ...SYN, mptcp: [{ join: 'syn', token: token(peer.remoteKey), nonce: NONCE }] });
    third.expect('RA', { mptcp: [{ reset: 2 }] });
    expect(script.info(handle).subflows).toBe(2);
    // As in Linux the initial subflow does not count, and leaves no room when it is gone.
    peer.send('R', { seq: 1 });
    third.send('S', { ...SYN, mptcp: [{ join: 'syn', token: token(peer.remoteKey), nonce: NONCE }] });
    third.expect('RA', { mptcp: [{ reset: 2 }] });
    expect(script.info(handle).subflows).toBe(1);
  });

  it('after the connection fell back finds no token', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    peer.send('A', { seq: 1, ack: 1, data: 'plain' });
    expect(script.readText(handle)).toBe('plain');
    script.skip();
    const second = new MptcpPeer(script, SECOND, 80);
    second.send('S', { ...SYN, mptcp: [{ join: 'syn', token: token(peer.remoteKey), nonce: NONCE }] });
    second.expect('RA', { mptcp: [{ reset: 1 }] });
  });

  it('that is under way when the connection falls back is reset (RFC 8684 section 3.7)', () => {
    const script = open();
    const { peer, handle, second, hmac } = began(script);
    peer.send('A', { seq: 1, ack: 1, data: 'plain' });
    second.expect('RA', { seq: 1 });
    second.send('A', { seq: 1, ack: 1, mptcp: [{ join: 'ack', hmac }] });
    expect(script.info(handle).subflows).toBe(1);
    script.skip();
    script.write(handle, pattern(3_000));
    peer.expect('A', { seq: 1, length: 1420 + 12 });
    expect(script.take(second)).toBeUndefined();
  });

  it('may ask for a backup, which carries data only when nothing else can (RFC 8684 section 3.3.8)', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer, { backup: true });
    expect(script.subflow(handle, 1).flags & SUBFLOW_BACKUP_REMOTE).not.toBe(0);
    script.write(handle, pattern(50_000));
    expect(script.take(second)).toBeUndefined();
    expect(script.take(peer)).toBeDefined();
    script.skip();
    peer.send('R', { seq: 1 });
    script.advance(100_000);
    expect(script.take(second)?.data.length).toBeGreaterThan(0);
  });

  it('may have its priority changed by MP_PRIO (RFC 8684 section 3.3.8)', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    second.send('A', { seq: 1, ack: 1, mptcp: [{ prio: true }, peer.dss(0)] });
    expect(script.subflow(handle, 1).flags & SUBFLOW_BACKUP_REMOTE).not.toBe(0);
    second.send('A', { seq: 1, ack: 1, mptcp: [{ prio: false }, peer.dss(0)] });
    expect(script.subflow(handle, 1).flags & SUBFLOW_BACKUP_REMOTE).toBe(0);
  });
});

describe.each(VARIANTS)('MP_JOIN of the stack (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });

  /** Connects, with an endpoint on the second link from which the stack joins the peer. */
  const joining = (script: Script, flags = ENDPOINT_SUBFLOW) => {
    script.endpoint('10.1.0.2', flags, 9);
    const { peer, handle } = mptcpActive(script);
    const second = new MptcpPeer(script, { local: '10.1.0.2', link: 1, iss: 0x0300_0000 }, 0);
    second.key = peer.key;
    second.remoteKey = peer.remoteKey;
    const syn = second.expect('S', { seq: 0, mss: 1460, mptcp: [{ join: 'syn', token: token(peer.key), id: 9 }] });
    const { nonce } = joinOf(syn);
    const hmac = joinHmac(peer.key, peer.remoteKey, NONCE, nonce);
    const option = { join: 'synack' as const, hmac: BigInt(`0x${hmac.slice(0, 16)}`), nonce: NONCE };
    return { peer, handle, second, nonce, option };
  };

  it('opens a subflow once the connection is confirmed, with the right HMAC (RFC 8684 section 3.2)', () => {
    const script = open();
    const { peer, handle, second, nonce, option } = joining(script);
    second.send('SA', { ...SYN, ack: 1, mptcp: [option] });
    const hmac = joinHmac(peer.remoteKey, peer.key, nonce, NONCE).slice(0, 40);
    second.expect('A', { seq: 1, ack: 1, mptcp: [{ join: 'ack', hmac }] });
    expect(script.events()).toEqual([]);
    second.send('A', { seq: 1, ack: 1 });
    expect(script.events()).toEqual(['subflowEstablished']);
    expect(script.info(handle)).toMatchObject({ subflows: 2, subflowsTotal: 2 });
  });

  it('is not tried before the peer has shown that it has the keys (RFC 8684 section 3.1)', () => {
    const script = open();
    script.endpoint('10.1.0.2', ENDPOINT_SUBFLOW);
    const { peer } = mptcpActive(script, { confirm: false });
    script.expectNothing();
    peer.send('A', { seq: 1, ack: 1, mptcp: [peer.dss(0)] });
    const second = new MptcpPeer(script, { local: '10.1.0.2', link: 1 }, 0);
    second.expect('S');
  });

  it('carries no data before the fourth ACK (RFC 8684 section 3.2)', () => {
    const script = open();
    const { peer, handle, second, option } = joining(script);
    second.send('SA', { ...SYN, ack: 1, mptcp: [option] });
    second.expect('A', { mptcp: [{ join: 'ack' }] });
    script.write(handle, pattern(60_000));
    expect(script.take(second)).toBeUndefined();
    second.send('A', { seq: 1, ack: 1 });
    second.expect('A', { seq: 1, length: 1432 });
    expect(script.take(peer)).toBeDefined();
  });

  it('sends its third ACK again until something answers it (RFC 8684 section 3.2)', () => {
    const script = open();
    const { second, option } = joining(script);
    second.send('SA', { ...SYN, ack: 1, mptcp: [option] });
    second.expect('A', { mptcp: [{ join: 'ack' }] });
    script.advance(2_000_000);
    second.expect('A', { seq: 1, ack: 1, mptcp: [{ join: 'ack' }] });
    script.skip();
    // The SYN/ACK again says that the third ACK did not arrive.
    second.send('SA', { ...SYN, ack: 1, mptcp: [option] });
    second.expect('A', { mptcp: [{ join: 'ack' }] });
    second.send('A', { seq: 1, ack: 1 });
    script.skip();
    script.advance(10_000_000);
    expect(script.take(second)).toBeUndefined();
  });

  it('gives up when the fourth ACK never comes, and the connection goes on', () => {
    const script = open({ config: [[CONFIG_REOPEN_DELAY, 0]] });
    const { peer, handle, second, option } = joining(script);
    second.send('SA', { ...SYN, ack: 1, mptcp: [option] });
    script.advance(600_000_000);
    script.skip();
    expect(script.info(handle).subflows).toBe(1);
    peer.send('A', { seq: 1, ack: 1, data: 'alive', mptcp: [peer.map(0, 1, 5)] });
    expect(script.readText(handle)).toBe('alive');
  });

  it('resets an answer with a wrong HMAC (RFC 8684 section 3.2)', () => {
    const script = open();
    const { handle, second, option } = joining(script);
    second.send('SA', { ...SYN, ack: 1, mptcp: [{ ...option, hmac: option.hmac ^ 1n }] });
    second.expect('RA', { mptcp: [{ reset: 1 }] });
    expect(script.counter('MPTcpExtMPJoinSynAckHMacFailure')).toBe(1);
    expect(script.info(handle).subflows).toBe(1);
  });

  it('resets an answer without MP_JOIN (RFC 8684 section 3.2)', () => {
    const script = open();
    const { handle, second } = joining(script);
    second.send('SA', { ...SYN, ack: 1 });
    second.expect('RA', { mptcp: [{ reset: 1 }] });
    expect(script.info(handle).subflows).toBe(1);
  });

  it('goes without a subflow that is refused', () => {
    const script = open();
    const { handle, second } = joining(script);
    second.send('RA', { seq: 0, ack: 1 });
    expect(script.info(handle)).toMatchObject({ subflows: 1 });
    expect(script.events()).toEqual(['subflowClosed ERR_REFUSED']);
  });

  it('asks for a backup (RFC 8684 section 3.3.8)', () => {
    const script = open();
    script.endpoint('10.1.0.2', ENDPOINT_SUBFLOW | ENDPOINT_BACKUP, 9);
    mptcpActive(script);
    const second = new MptcpPeer(script, { local: '10.1.0.2', link: 1 }, 0);
    second.expect('S', { mptcp: [{ join: 'syn', backup: true, id: 9 }] });
  });

  it('does not join an address that the peer forbids with flag C (RFC 8684 section 3.1)', () => {
    const script = open();
    script.endpoint('10.1.0.2', ENDPOINT_SUBFLOW);
    const peer = new MptcpPeer(script, {}, 0);
    script.connect(peer);
    peer.expect('S');
    peer.send('SA', { ...SYN, ack: 1, mptcp: [{ capable: 'synack', key: peer.key, flags: 0x21 }] });
    peer.expect('A');
    peer.remoteKey = 0n;
    peer.send('A', { seq: 1, ack: 1, mptcp: [{ dss: true }] });
    script.expectNothing();
  });
});

describe.each(VARIANTS)('data on several subflows (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });

  /** Collects by data sequence what left for some peers, acknowledging nothing. */
  const collect = (script: Script, into: Uint8Array, first: MptcpPeer, ...peers: Peer[]): void => {
    for (const peer of peers) {
      const maps: { dsn: bigint; ssn: number; length: number }[] = [];
      for (let packet = script.take(peer); packet !== undefined; packet = script.take(peer)) {
        for (const option of packet.options.mptcp ?? []) {
          if ('dss' in option && option.dsn !== undefined && (option.length ?? 0) > 0) {
            maps.push({ dsn: option.dsn, ssn: option.ssn ?? 0, length: option.length ?? 0 });
          }
        }
        const ssn = (packet.seq - peer.irs) >>> 0;
        const map = maps.find((each) => each.ssn <= ssn && ssn < each.ssn + each.length);
        if (packet.data.length === 0 || map === undefined) continue;
        into.set(packet.data, Number(map.dsn - first.remoteDsn(0)) + ssn - map.ssn);
      }
    }
  };

  it('loses no byte when a subflow is reset and another is alive', () => {
    const script = open({ config: [[CONFIG_TAIL_LOSS_PROBE, 0]] });
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    const data = pattern(40_000);
    script.write(handle, data);
    const got = new Uint8Array(data.length);
    // What the first subflow carried never arrives.
    script.flush();
    expect(script.take(peer)).toBeDefined();
    collect(script, new Uint8Array(data.length), peer, peer);
    peer.send('R', { seq: 1 });
    expect(script.events()).toEqual(['subflowClosed ERR_RESET']);
    for (let turn = 0; turn < 200 && Buffer.compare(got, data) !== 0; turn++) {
      collect(script, got, peer, second);
      const { sndUna, sndNxt } = script.info(handle);
      expect(sndUna <= sndNxt).toBe(true);
      const { bytesSent } = script.subflow(handle, 0);
      second.send('A', { seq: 1, ack: 1 + Number(bytesSent), mptcp: [peer.dss(0)] });
      script.advance(50_000);
    }
    expect(Buffer.compare(got, data)).toBe(0);
    second.send('A', { seq: 1, ack: 1 + Number(script.subflow(handle, 0).bytesSent), mptcp: [peer.dss(40_000)] });
    expect(script.events()).toContain('drained');
    expect(script.info(handle).bytesRetransmitted).toBeGreaterThan(0n);
  });

  it('sends on another subflow what one could not deliver in its timeout', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    script.write(handle, 'stuck');
    const fast = script.take(peer) !== undefined ? peer : second;
    const other = fast === peer ? second : peer;
    script.skip();
    script.advance(2_000_000);
    const again = script.take(other);
    expect(again?.data).toEqual(toBytes('stuck'));
    expect(again?.options.mptcp?.[0]).toMatchObject({ dss: true, dsn: peer.remoteDsn(0), length: 5 });
    expect(script.counter('MPTcpExtMPTCPRetrans')).toBe(1);
  });

  it('asks for the window of the subflow that is left when it was closed there, and goes on', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    peer.send('A', { seq: 1, ack: 1, window: 0, mptcp: [peer.dss(0)] });
    second.send('A', { seq: 1, ack: 1, window: 100, mptcp: [peer.dss(0)] });
    script.skip();
    script.write(handle, 'all there is');
    second.expect('A', { data: 'all there is' });
    second.send('R', { seq: 1 });
    script.skip();
    script.advance(10_000_000);
    peer.expect('A', { seq: 0 });
    script.skip();
    peer.send('A', { seq: 1, ack: 1, window: 100, mptcp: [peer.dss(0)] });
    peer.expect('A', { data: 'all there is' });
  });

  it('does not stall when both subflows are in trouble, one after the other', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    const data = pattern(100_000);
    script.write(handle, data);
    script.skip();
    // The first subflow's timeout hands its data to the second, which is then reset.
    script.advance(3_000_000);
    script.skip();
    second.send('R', { seq: 1 });
    expect(script.info(handle).subflows).toBe(1);
    const got = new Uint8Array(data.length);
    let acked = 0;
    for (let turn = 0; turn < 600 && Buffer.compare(got, data) !== 0; turn++) {
      script.flush();
      for (let packet = script.take(peer); packet !== undefined; packet = script.take(peer)) {
        const ssn = ((packet.seq - peer.irs) >>> 0) - 1;
        if (ssn === acked) acked += packet.data.length;
        for (const option of packet.options.mptcp ?? []) {
          if (!('dss' in option) || option.dsn === undefined) continue;
          got.set(packet.data, Number(option.dsn - peer.remoteDsn(0)) + ssn + 1 - (option.ssn ?? 0));
        }
      }
      let front = 0;
      while (front < data.length && got[front] === data[front]) front++;
      peer.send('A', { seq: 1, ack: 1 + acked, mptcp: [peer.dss(front)] });
      script.advance(100_000);
    }
    expect(Buffer.compare(got, data)).toBe(0);
  });

  it('gives bytes back to the subflow they came from when no other is left', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    const data = pattern(20_000);
    script.write(handle, data);
    // The bytes are shared out, and before those of the first link are sent it loses its carrier, then the other fails.
    script.x.mptcp_transmit(1, 64);
    script.x.mptcp_link_up(0, 0);
    second.send('R', { seq: 1 });
    script.x.mptcp_link_up(0, 1);
    const got = new Uint8Array(data.length);
    for (let turn = 0; turn < 100; turn++) {
      collect(script, got, peer, peer);
      const { bytesSent } = script.subflow(handle);
      peer.send('A', { seq: 1, ack: 1 + Number(bytesSent), mptcp: [peer.dss(0)] });
      script.advance(100_000);
    }
    expect(Buffer.compare(got, data)).toBe(0);
  });

  it('moves to the other link when one goes down, and uses it again when it is back', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    script.x.mptcp_link_up(0, 0);
    script.write(handle, 'by the other');
    second.expect('A', { data: 'by the other' });
    second.send('A', { seq: 1, ack: 13, mptcp: [peer.dss(12)] });
    script.x.mptcp_link_up(0, 1);
    script.x.mptcp_link_up(1, 0);
    script.write(handle, 'back again');
    peer.expect('A', { data: 'back again' });
  });
});
