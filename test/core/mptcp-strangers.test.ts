/** What those can do who have neither the keys of a connection nor its sequence numbers: nothing (RFC 8684 section 5). */
import { describe, expect, it } from 'vitest';
import {
  CONFIG_LIMIT_ADD_ADDR_ACCEPTED,
  CONFIG_LIMIT_SUBFLOWS,
  FALLBACK_NONE,
  SUBFLOW_BACKUP_REMOTE,
} from '../../host/abi.js';
import { joinPassive, type MptcpPeer, mptcpPassive, SYN } from './handshakes.js';
import { addAddrHmac, joinHmac, token } from './keys.js';
import type { MptcpOption } from './options.js';
import { Peer, pattern, Script, VARIANTS } from './script.js';

describe.each(VARIANTS)('a stranger (%s)', (variant) => {
  const open = () =>
    new Script({
      variant,
      config: [
        [CONFIG_LIMIT_SUBFLOWS, 8],
        [CONFIG_LIMIT_ADD_ADDR_ACCEPTED, 8],
      ],
    });
  const commands = (peer: MptcpPeer): MptcpOption[] => [
    { addAddr: '10.0.9.9', id: 9, hmac: addAddrHmac(peer.key, peer.remoteKey, 9, '10.0.9.9') },
    { removeAddr: [0, 2] },
    { prio: true },
    { fail: peer.remoteDsn(0) },
    { fastclose: peer.remoteKey },
  ];

  it('without a valid sequence number has no effect, whatever options the segment has', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    peer.send('A', { seq: 1, ack: 1, data: pattern(1_000), mptcp: [peer.map(0, 1, 1_000)] });
    script.read(handle);
    script.skip();
    script.events();
    for (const option of commands(peer)) {
      // Ahead of the window, far behind it, and of old data.
      for (const seq of [50_000_000, -200_000, 500]) peer.send('A', { seq, ack: 1, mptcp: [option] });
      // Acknowledging what was never sent.
      peer.send('A', { seq: 1_001, ack: 5_000, mptcp: [option] });
      for (const seq of [1_002, 1_000, 50_000_000]) peer.send('R', { seq, mptcp: [option, { reset: 0 }] });
    }
    script.skip();
    expect(script.info(handle)).toMatchObject({ fallback: FALLBACK_NONE, subflows: 2 });
    expect(script.subflow(handle).flags & SUBFLOW_BACKUP_REMOTE).toBe(0);
    expect(script.events()).toEqual([]);
    for (const name of ['AddAddr', 'RmAddr', 'MPPrioRx', 'MPFailRx', 'MPFastcloseRx', 'MPRstRx'] as const) {
      expect([name, script.counter(`MPTcpExt${name}`)]).toEqual([name, 0]);
    }
    second.send('A', { seq: 1, ack: 1, data: 'alive', mptcp: [second.map(1_000, 1, 5)] });
    expect(script.readText(handle)).toBe('alive');
  });

  it('cannot use old segments but for what they acknowledge, and those only when they are recent', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    for (let at = 0; at < 1_000_000; at += 1_000) {
      peer.send('A', { seq: 1 + at, ack: 1, data: pattern(1_000, at), mptcp: [peer.map(at, 1 + at, 1_000)] });
      if (at % 50_000 === 0) script.read(handle);
      script.skip();
    }
    script.read(handle);
    script.write(handle, 'bytes');
    script.skip();
    peer.send('A', { seq: 1_000_001 - 600_000, ack: 6, mptcp: [peer.dss(5)] });
    expect(script.info(handle).bytesAcked).toBe(0n);
    peer.send('A', { seq: 1_000_001 - 2_000, ack: 6, mptcp: [peer.dss(5), { prio: true }] });
    expect(script.info(handle).bytesAcked).toBe(5n);
    expect(script.counter('MPTcpExtMPPrioRx')).toBe(0);
  });

  it('cannot end, map or fall back by old segments what was never so (RFC 8684 section 3)', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    peer.send('A', { seq: 1, ack: 1, data: pattern(1_000), mptcp: [peer.map(0, 1, 1_000)] });
    script.read(handle);
    script.skip();
    const old = (dss: MptcpOption, data = ''): void => {
      peer.send('A', { seq: 501, ack: 1, data, mptcp: [dss] });
    };
    // An end of the stream, alone and with data.
    old(peer.map(1_000, 0, 1, { fin: true }));
    old(peer.map(500, 501, 5, { fin: true }), 'data');
    // Bytes to come put elsewhere, and none at all mapped from now on, in a place that is not theirs.
    old(peer.map(1_500, 1_001, 8), 'data');
    old(peer.map(2_000, 1_001, 0), 'data');
    script.skip();
    expect(script.read(handle)).toMatchObject({ error: 'ERR_DONE' });
    expect(script.info(handle).fallback).toBe(FALLBACK_NONE);
    expect(script.counter('MPTcpExtInfiniteMapRx')).toBe(0);
    peer.send('A', { seq: 1_001, ack: 1, data: 'in place', mptcp: [peer.map(1_000, 1_001, 8)] });
    expect(script.readText(handle)).toBe('in place');
  });

  it('without the keys cannot announce an address, nor anyone one that no host can have', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const announce = (address: string, hmac = addAddrHmac(peer.key, peer.remoteKey, 5, address)): void => {
      peer.send('A', { seq: 1, ack: 1, mptcp: [{ addAddr: address, id: 5, hmac }] });
    };
    announce('10.0.0.9', 1n);
    announce('10.0.0.9', addAddrHmac(peer.remoteKey, peer.key, 5, '10.0.0.9'));
    const impossible = ['0.0.0.0', '0.1.2.3', '224.0.0.1', '239.1.1.1', '255.255.255.255', '127.0.0.1', '127.9.9.9'];
    const impossible6 = ['0:0:0:0:0:0:0:0', '0:0:0:0:0:0:0:1', 'ff02:0:0:0:0:0:0:1'];
    for (const address of [...impossible, ...impossible6]) announce(address);
    script.skip();
    expect(script.counter('MPTcpExtAddAddr')).toBe(0);
    expect(script.counter('MPTcpExtAddAddrDrop')).toBe(2 + impossible.length + impossible6.length);
    expect(script.events()).toEqual([]);
    expect(script.info(handle).subflows).toBe(1);
    announce('10.0.0.9');
    expect(script.counter('MPTcpExtAddAddr')).toBe(1);
  });

  it('with the token and without the keys cannot join, nor keep others from it', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const stranger = new Peer(script, { port: 41_000, local: '10.1.0.2', remote: '10.1.0.1', link: 1 });
    stranger.send('S', { ...SYN, mptcp: [{ join: 'syn', token: token(peer.remoteKey), nonce: 7, id: 3 }] });
    const answer = stranger.expect('SA').options.mptcp?.[0];
    const nonce = answer !== undefined && 'join' in answer && answer.join === 'synack' ? answer.nonce : 0;
    const right = joinHmac(peer.key, peer.remoteKey, 7, nonce);
    // One wrong bit is enough, wherever it is.
    const wrong = `${right.slice(0, 38)}${((Number.parseInt(right.slice(38, 40), 16) ^ 1) | 0x100).toString(16).slice(1)}`;
    stranger.send('A', { seq: 1, ack: 1, mptcp: [{ join: 'ack', hmac: wrong }] });
    stranger.expect('RA', { mptcp: [{ reset: 1 }] });
    expect(script.counter('MPTcpExtMPJoinAckHMacFailure')).toBe(1);
    expect(script.info(handle).subflows).toBe(1);
    joinPassive(peer);
    expect(script.info(handle).subflows).toBe(2);
  });
});
