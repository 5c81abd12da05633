import { describe, expect, it } from 'vitest';
import {
  CONFIG_CONNECT_VERSIONS,
  CONFIG_LISTEN_VERSIONS,
  CONFIG_SHARD,
  CONFIG_SHARDS,
  CONFIG_SYN_COOKIES,
  CONFIG_VERSION_EXPIRES,
  CONFIG_VERSION_RETRY,
  CONNECT_PLAIN_TCP,
  CONNECT_VERSION_0,
  CONNECT_VERSION_1,
  ERR_INVALID,
  FALLBACK_KEY,
  FALLBACK_NONE,
  FALLBACK_NOT_ASKED,
  FALLBACK_PEER_SYN,
  FALLBACK_PEER_SYN_ACK,
  FALLBACK_SYN_ACK_VERSION,
  FALLBACK_SYN_RETRIES,
  FALLBACK_SYN_VERSION,
  FALLBACK_THIRD_ACK,
  FALLBACK_TOKEN,
} from '../../host/abi.js';
import { MptcpPeer, SYN } from './handshakes.js';
import { token } from './keys.js';
import type { MptcpOption } from './options.js';
import { Peer, Script, type ScriptOptions, VARIANTS } from './script.js';

const ONLY_0 = CONNECT_VERSION_0;
const ONLY_1 = CONNECT_VERSION_1;
const BOTH = CONNECT_VERSION_0 | CONNECT_VERSION_1;
const KEY = 0x0123_4567_89ab_cdefn;
const OTHER = 0xfedc_ba98_7654_3210n;

/** What a SYN offers. */
const V0: MptcpOption = { capable: 'syn', version: 0, key: KEY };
const V1: MptcpOption = { capable: 'syn', version: 1 };
const V2: MptcpOption = { capable: 'syn', version: 2 };

describe.each(VARIANTS)('the version of Multipath TCP (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });

  describe('that a listener answers (RFC 8684 section 3.1, RFC 6824 section 3.1)', () => {
    it.each([
      ['both', BOTH, 'version 0', V0, 0],
      ['both', BOTH, 'version 1', V1, 1],
      ['both', BOTH, 'version 2', V2, 1],
      ['both', BOTH, 'version 15', { ...V1, version: 15 }, 1],
      ['version 0', ONLY_0, 'version 0', V0, 0],
      // RFC 8684 section 3.1: a listener that has version 0 only ignores a SYN without a key.
      ['version 0', ONLY_0, 'version 1', V1, undefined],
      ['version 0', ONLY_0, 'version 2', V2, undefined],
      ['version 1', ONLY_1, 'version 0', V0, undefined],
      ['version 1', ONLY_1, 'version 1', V1, 1],
      ['version 1', ONLY_1, 'version 2', V2, 1],
      ['what is usual', 0, 'version 0', V0, 0],
      ['what is usual', 0, 'version 1', V1, 1],
      ['both', BOTH, 'version 0 without its key', { ...V0, key: undefined }, undefined],
      ['both', BOTH, 'version 1 with a key', { ...V1, key: KEY }, undefined],
      ['both', BOTH, 'version 0 with flag B', { ...V0, flags: 0x41 }, undefined],
      ['both', BOTH, 'version 0 without an algorithm it knows', { ...V0, flags: 0x02 }, undefined],
    ] as [string, number, string, MptcpOption, number | undefined][])(
      'with %s: %i, asked for %s',
      (_, flags, __, option, version) => {
        const script = open();
        const listener = script.listen(80, 5, flags);
        const peer = new MptcpPeer(script);
        peer.send('S', { ...SYN, mptcp: [option] });
        const answer = peer.expect('SA', {
          mptcp: version === undefined ? [] : [{ capable: 'synack', version, flags: 1 }],
        }).options.mptcp?.[0];
        const peerKey = answer !== undefined && 'key' in answer ? (answer.key ?? 0n) : 0n;
        const third = version === undefined ? [] : [{ capable: 'ack' as const, key: KEY, peerKey, version }];
        peer.send('A', { seq: 1, ack: 1, mptcp: third });
        const handle = script.accept(listener);
        expect(script.info(handle)).toMatchObject({
          fallback: version === undefined ? FALLBACK_SYN_VERSION : FALLBACK_NONE,
          version: version ?? 0,
          ...(version === undefined ? {} : { localToken: token(peerKey, version), remoteToken: token(KEY, version) }),
        });
        // Plain TCP or not, it works.
        if (version !== undefined) return;
        peer.send('A', { seq: 1, ack: 1, data: 'plain' });
        expect(script.readText(handle)).toBe('plain');
      },
    );

    it('is that of the stack unless the listener says otherwise', () => {
      const script = open({ config: [[CONFIG_LISTEN_VERSIONS, 2]] });
      script.listen(80);
      script.listen(81, 5, ONLY_0);
      script.listen(82, 5, CONNECT_PLAIN_TCP | BOTH);
      const answers = [80, 81, 82].map((port) => {
        const peer = new MptcpPeer(script, {}, port);
        peer.send('S', { ...SYN, mptcp: [V0] });
        return peer.expect('SA').options.mptcp?.length ?? 0;
      });
      expect(answers).toEqual([0, 1, 0]);
      script.set(CONFIG_LISTEN_VERSIONS, 1);
      const later = new MptcpPeer(script, { port: 5 }, 80);
      later.send('S', { ...SYN, mptcp: [V0] });
      later.expect('SA', { mptcp: [{ capable: 'synack', version: 0 }] });
      for (const value of [0, 4])
        expect(script.x.mptcp_set(0, CONFIG_LISTEN_VERSIONS, BigInt(value))).toBe(ERR_INVALID);
    });

    it('tells a connection without MP_CAPABLE, or with none asked for, from one of a wrong version', () => {
      const script = open();
      const listener = script.listen(80, 5, ONLY_1);
      const plain = script.listen(81, 5, CONNECT_PLAIN_TCP);
      const reasons = [80, 81].map((port) => {
        const peer = new Peer(script, {}, port);
        peer.send('S', { ...SYN, mptcp: port === 81 ? [V0] : [] });
        peer.expect('SA', { mptcp: [] });
        peer.send('A', { seq: 1, ack: 1 });
        return script.info(script.accept(port === 81 ? plain : listener)).fallback;
      });
      expect(reasons).toEqual([FALLBACK_PEER_SYN, FALLBACK_NOT_ASKED]);
    });

    it.each([
      ['version 0', V0, 0],
      ['version 1', V1, 1],
    ] as const)('goes with SYN cookies: %s, whose third ACK has both keys', (_, option, version) => {
      const script = open({ config: [[CONFIG_SYN_COOKIES, 2]] });
      const listener = script.listen(80);
      const peer = new MptcpPeer(script, { ts: true });
      peer.version = version;
      peer.send('S', { ...SYN, mptcp: [option] });
      expect(script.pools().connections).toBe(0);
      const answer = peer.expect('SA', { mptcp: [{ capable: 'synack', version, flags: 1 }] }).options.mptcp?.[0];
      peer.remoteKey = answer !== undefined && 'key' in answer ? (answer.key ?? 0n) : 0n;
      peer.send('A', { seq: 1, ack: 1, mptcp: [{ capable: 'ack', version, key: KEY, peerKey: peer.remoteKey }] });
      const handle = script.accept(listener);
      expect(script.info(handle)).toMatchObject({
        ...{ fallback: FALLBACK_NONE, version, localKey: peer.remoteKey, remoteKey: KEY },
        ...{ localToken: token(peer.remoteKey, version), remoteToken: token(KEY, version) },
      });
      peer.send('A', { seq: 1, ack: 1, data: 'data', mptcp: [peer.map(0, 1, 4)] });
      expect(script.readText(handle)).toBe('data');
    });

    it('goes with SYN cookies to plain TCP when the third ACK of version 0 is lost', () => {
      const script = open({ config: [[CONFIG_SYN_COOKIES, 2]] });
      const listener = script.listen(80);
      const peer = new MptcpPeer(script, { ts: true });
      peer.version = 0;
      peer.send('S', { ...SYN, mptcp: [V0] });
      const answer = peer.expect('SA').options.mptcp?.[0];
      peer.remoteKey = answer !== undefined && 'key' in answer ? (answer.key ?? 0n) : 0n;
      // Of the connection nothing was kept, and this segment has no keys.
      peer.send('A', { seq: 1, ack: 1, data: 'data', mptcp: [peer.map(0, 1, 4)] });
      const handle = script.accept(listener);
      expect(script.info(handle).fallback).not.toBe(FALLBACK_NONE);
      expect(script.readText(handle)).toBe('data');
      // Without a DATA_ACK the peer knows.
      peer.expect('A', { ack: 5, mptcp: [] });
    });

    it.each([0, 1])('takes back the key it told with a cookie, and no other: version %i', (version) => {
      /** Opens by a cookie with the key of this side changed by `change`. */
      const opened = (change: bigint) => {
        const script = open({
          config: [
            [CONFIG_SYN_COOKIES, 2],
            [CONFIG_SHARDS, 64],
            [CONFIG_SHARD, 63],
          ],
        });
        const listener = script.listen(80);
        const peer = new MptcpPeer(script, { ts: true });
        peer.send('S', { ...SYN, mptcp: [version === 0 ? V0 : V1] });
        const told = peer.expect('SA').options.mptcp?.[0];
        const key = told !== undefined && 'key' in told ? (told.key ?? 0n) : 0n;
        peer.send('A', { seq: 1, ack: 1, mptcp: [{ capable: 'ack', version, key: KEY, peerKey: key ^ change }] });
        return { key, fallback: script.info(script.accept(listener)).fallback };
      };
      const right = opened(0n);
      expect(right.fallback).toBe(FALLBACK_NONE);
      // The same SYN at the same time has the same, whose token tells the shard.
      expect(opened(1n << 40n)).toEqual({ key: right.key, fallback: FALLBACK_THIRD_ACK });
      expect(token(right.key, version) % 64).toBe(63);
    });

    it('leaves the key of a cookie to the connection that has it', () => {
      const script = open({ config: [[CONFIG_SYN_COOKIES, 2]] });
      const listener = script.listen(80);
      const peer = new MptcpPeer(script, { ts: true });
      const ask = (): bigint => {
        peer.send('S', { ...SYN, mptcp: [V1] });
        const told = peer.expect('SA', { seq: 0 }).options.mptcp?.[0];
        return told !== undefined && 'key' in told ? (told.key ?? 0n) : 0n;
      };
      const key = ask();
      expect(ask()).toBe(key);
      peer.send('A', { seq: 1, ack: 1, mptcp: [{ capable: 'ack', key: KEY, peerKey: key }] });
      // The first subflow goes, the connection waits: the same cookie must not have its key.
      peer.key = KEY;
      peer.remoteKey = key;
      const handle = script.accept(listener);
      peer.send('R', { seq: 1 });
      expect(script.info(handle)).toMatchObject({ subflows: 0, fallback: FALLBACK_NONE });
      peer.send('A', { seq: 1, ack: 1, mptcp: [{ capable: 'ack', key: KEY, peerKey: key }] });
      expect(script.info(script.accept(listener)).fallback).toBe(FALLBACK_TOKEN);
      expect(script.counter('MPTcpExtMPFallbackTokenInit')).toBe(1);
      peer.send('R', { seq: 1 });
      expect(ask()).not.toBe(key);
    });

    it('is not one the third ACK to a cookie makes up', () => {
      const script = open({ config: [[CONFIG_SYN_COOKIES, 2]] });
      const listener = script.listen(80, 5, ONLY_1);
      const peer = new MptcpPeer(script, { ts: true });
      peer.send('S', { ...SYN, mptcp: [V1] });
      const answer = peer.expect('SA').options.mptcp?.[0];
      const peerKey = answer !== undefined && 'key' in answer ? (answer.key ?? 0n) : 0n;
      peer.send('A', { seq: 1, ack: 1, mptcp: [{ capable: 'ack', version: 0, key: KEY, peerKey }] });
      expect(script.info(script.accept(listener)).fallback).toBe(FALLBACK_THIRD_ACK);
    });
  });

  /** Connects and gives the peer with the SYN that left. */
  const connect = (script: Script, flags: number, options: { localPort?: number; port?: number } = {}) => {
    const peer = new MptcpPeer(script, { port: options.port ?? 40_000 }, 0);
    const handle = script.connect(peer, flags, options.localPort ?? 0);
    const syn = peer.expect('S', { seq: 0 }).options.mptcp?.[0];
    return { peer, handle, syn };
  };

  /** The peer answers a SYN with these options of Multipath TCP. */
  const answer = (peer: Peer, ...mptcp: MptcpOption[]): void => {
    peer.send('SA', { ...SYN, ack: 1, mptcp });
  };
  const synAck = (version: number, key = OTHER): MptcpOption => ({ capable: 'synack', version, key });

  describe('that a connection offers and gets (RFC 8684 section 3.1)', () => {
    it.each([
      ['version 1', ONLY_1, 1, 1, 1],
      // A responder answers with the version asked for or a lower one.
      ['version 1', ONLY_1, 1, 0, undefined],
      ['version 1', ONLY_1, 1, 2, undefined],
      ['version 0', ONLY_0, 0, 0, 0],
      ['version 0', ONLY_0, 0, 1, undefined],
      ['both', BOTH, 1, 1, 1],
      ['both', BOTH, 1, 0, 0],
      ['what is usual', 0, 1, 1, 1],
      ['what is usual', 0, 1, 0, undefined],
    ] as [string, number, number, number, number | undefined][])(
      'with %s: flags %i, version %i first, answered with %i',
      (_, flags, first, answered, version) => {
        const script = open();
        const { peer, handle, syn } = connect(script, flags);
        expect(syn).toMatchObject({ capable: 'syn', version: first, flags: 1 });
        expect('key' in (syn ?? {})).toBe(first === 0);
        answer(peer, synAck(answered));
        const info = script.info(handle);
        if (version === undefined) {
          peer.expect('A', { seq: 1, ack: 1, mptcp: [] });
          expect(info).toMatchObject({ fallback: FALLBACK_SYN_ACK_VERSION, version: 0 });
          script.write(handle, 'plain');
          peer.expect('A', { data: 'plain', mptcp: [] });
          return;
        }
        expect(info).toMatchObject({ fallback: FALLBACK_NONE, version, localToken: token(info.localKey, version) });
        const keys = { key: info.localKey, peerKey: OTHER };
        peer.expect('A', { seq: 1, ack: 1, mptcp: [{ capable: 'ack', version, ...keys }] });
        // What a SYN told stays, what it did not is made for the version.
        if (syn !== undefined && 'key' in syn) expect(syn.key).toBe(info.localKey);
      },
    );

    it('is that of the stack unless the connection says otherwise', () => {
      const script = open({ config: [[CONFIG_CONNECT_VERSIONS, 1]] });
      expect(connect(script, 0, { port: 1 }).syn).toMatchObject({ version: 0 });
      expect(connect(script, ONLY_1, { port: 2 }).syn).toMatchObject({ version: 1 });
      expect(connect(script, BOTH, { port: 3 }).syn).toMatchObject({ version: 1 });
      expect(connect(script, CONNECT_PLAIN_TCP | ONLY_0, { port: 4 }).syn).toBeUndefined();
      script.set(CONFIG_CONNECT_VERSIONS, 3);
      expect(connect(script, 0, { port: 5 }).syn).toMatchObject({ version: 1 });
      expect(script.x.mptcp_connect(0n, 0n, 0, 0n, 0xffff_0a00_0001n, 80, 16)).toBe(ERR_INVALID);
    });

    it('keeps what the application wrote before, with the numbers of the version agreed', () => {
      const script = open();
      const peer = new MptcpPeer(script, {}, 0);
      peer.version = 0;
      const handle = script.connect(peer, BOTH);
      script.write(handle, 'early');
      peer.expect('S', { mptcp: [{ version: 1 }] });
      answer(peer, synAck(0, peer.key));
      peer.remoteKey = script.info(handle).localKey;
      peer.expect('A', { mptcp: [{ capable: 'ack', version: 0 }] });
      peer.expect('A', { data: 'early', mptcp: [{ dss: true, dsn: peer.remoteDsn(0), ack: peer.dsn(0), length: 5 }] });
    });

    it('is none when the peer answers with our own key', () => {
      const script = open();
      const { peer, handle, syn } = connect(script, ONLY_0);
      answer(peer, synAck(0, syn !== undefined && 'key' in syn ? (syn.key ?? 0n) : 0n));
      expect(script.info(handle).fallback).toBe(FALLBACK_KEY);
      peer.expect('A', { seq: 1, ack: 1, mptcp: [] });
      const passive = open();
      const listener = passive.listen(80);
      const caller = new MptcpPeer(passive);
      caller.send('S', { ...SYN, mptcp: [V1] });
      const told = caller.expect('SA').options.mptcp?.[0];
      const key = told !== undefined && 'key' in told ? (told.key ?? 0n) : 0n;
      caller.send('A', { seq: 1, ack: 1, mptcp: [{ capable: 'ack', key, peerKey: key }] });
      expect(passive.info(passive.accept(listener)).fallback).toBe(FALLBACK_KEY);
    });
  });

  describe('0, where version 1 got no answer (RFC 8684 section 3.1)', () => {
    it('is asked for at once, from another port, and the first SYN/ACK is answered with RST', () => {
      const script = open();
      const { peer, handle } = connect(script, BOTH);
      script.write(handle, 'early');
      answer(peer);
      peer.expect('RA', { seq: 1, ack: 1 });
      const second = new MptcpPeer(script, {}, 0);
      second.version = 0;
      const again = second.expect('S', { mptcp: [{ capable: 'syn', version: 0 }] });
      expect(again.srcPort).not.toBe(peer.localPort);
      expect(script.events()).toEqual([]);
      answer(second, synAck(0, second.key));
      second.remoteKey = script.info(handle).localKey;
      second.expect('A', { seq: 1, ack: 1, mptcp: [{ capable: 'ack', version: 0, key: second.remoteKey }] });
      second.expect('A', { data: 'early', mptcp: [{ dss: true, dsn: second.remoteDsn(0), ssn: 1, length: 5 }] });
      expect(script.info(handle)).toMatchObject({ version: 0, fallback: FALLBACK_NONE, subflows: 1, subflowsTotal: 1 });
      expect(script.subflow(handle).id).toBe(1);
      expect(script.events()).toEqual(['subflowEstablished', 'connected']);
      expect(script.counter('versionRetry')).toBe(1);
      script.abort(handle);
      script.skip();
      script.advance(100_000_000);
      script.skip();
      script.expectEmpty();
    });

    it('is remembered for a while', () => {
      const script = open({ config: [[CONFIG_VERSION_EXPIRES, 60_000_000]] });
      const first = connect(script, BOTH);
      answer(first.peer);
      first.peer.expect('RA');
      const second = new MptcpPeer(script, {}, 0);
      second.expect('S', { mptcp: [{ version: 0 }] });
      answer(second, synAck(0));
      script.skip();
      // To that port; another may have another server.
      expect(connect(script, BOTH).syn).toMatchObject({ version: 0 });
      expect(connect(script, BOTH, { port: 9 }).syn).toMatchObject({ version: 1 });
      expect(connect(script, ONLY_1).syn).toMatchObject({ version: 1 });
      script.advance(59_000_000);
      script.skip();
      const used = connect(script, BOTH);
      expect(used.syn).toMatchObject({ version: 0 });
      answer(used.peer, synAck(0));
      script.advance(2_000_000);
      script.skip();
      // However often it was used: the peer may have learnt version 1.
      expect(connect(script, BOTH).syn).toMatchObject({ version: 1 });
    });

    it('leads to plain TCP when that is not answered either, and is not asked for again for a while', () => {
      const script = open({ config: [[CONFIG_VERSION_EXPIRES, 60_000_000]] });
      const { peer, handle } = connect(script, BOTH);
      answer(peer);
      peer.expect('RA');
      const second = new MptcpPeer(script, {}, 0);
      second.expect('S', { mptcp: [{ version: 0 }] });
      answer(second);
      second.expect('A', { seq: 1, ack: 1, mptcp: [] });
      expect(script.info(handle)).toMatchObject({ fallback: FALLBACK_PEER_SYN_ACK, version: 0 });
      script.write(handle, 'plain');
      second.expect('A', { seq: 1, data: 'plain', mptcp: [] });

      const later = connect(script, BOTH);
      expect(later.syn).toMatchObject({ version: 1 });
      answer(later.peer);
      later.peer.expect('A', { seq: 1, ack: 1, mptcp: [] });
      expect(script.counter('versionRetry')).toBe(1);
      script.advance(61_000_000);
      script.skip();
      const last = connect(script, BOTH);
      answer(last.peer);
      last.peer.expect('RA');
    });

    it('is forgotten when the peer has version 1 after all', () => {
      const script = open({ config: [[CONFIG_VERSION_RETRY, 0]] });
      const { peer } = connect(script, BOTH);
      answer(peer);
      peer.expect('A', { mptcp: [] });
      const second = connect(script, BOTH);
      expect(second.syn).toMatchObject({ version: 0 });
      answer(second.peer);
      second.peer.expect('A', { mptcp: [] });
      const third = connect(script, BOTH);
      expect(third.syn).toMatchObject({ version: 1 });
      answer(third.peer, synAck(1));
      third.peer.expect('A', { mptcp: [{ capable: 'ack', version: 1 }] });
      // Nothing is known now: with another answer it begins anew.
      const fourth = connect(script, BOTH);
      answer(fourth.peer);
      fourth.peer.expect('A', { mptcp: [] });
      expect(connect(script, BOTH).syn).toMatchObject({ version: 0 });
    });

    it.each([
      ['the stack shall not', { config: [[CONFIG_VERSION_RETRY, 0]] } as ScriptOptions, {}],
      ['the application chose the port', {}, { localPort: 5_000 }],
    ])('waits for the next connection where %s', (_, options, at) => {
      const script = open(options);
      const { peer, handle } = connect(script, BOTH, at);
      answer(peer);
      peer.expect('A', { seq: 1, ack: 1, mptcp: [] });
      script.expectNothing();
      expect(script.info(handle).fallback).toBe(FALLBACK_PEER_SYN_ACK);
      const next = connect(script, BOTH);
      expect(next.syn).toMatchObject({ version: 0 });
      answer(next.peer, synAck(0));
      next.peer.expect('A', { mptcp: [{ capable: 'ack', version: 0 }] });
    });

    it('is not asked for by who has version 1 only', () => {
      const script = open();
      for (const flags of [ONLY_1, 0]) {
        const { peer } = connect(script, flags);
        answer(peer);
        peer.expect('A', { seq: 1, ack: 1, mptcp: [] });
        script.expectNothing();
      }
      expect(script.counter('MPTcpExtMPCapableFallbackSYNACK')).toBe(2);
    });

    it('goes on to a SYN without options when SYNs with them vanish', () => {
      const script = open();
      const { handle } = connect(script, ONLY_0);
      script.skip();
      script.advance(10_000_000);
      const sent = new MptcpPeer(script, {}, 0);
      const options: number[] = [];
      for (let packet = script.take(sent); packet !== undefined; packet = script.take(sent)) {
        options.push(packet.options.mptcp?.length ?? 0);
        sent.irs = packet.seq;
        sent.localPort = packet.srcPort;
      }
      expect(options).toEqual([1, 1, 0]);
      answer(sent);
      expect(script.info(handle).fallback).toBe(FALLBACK_SYN_RETRIES);
    });

    it('ends with its RST where the connection is aborted meanwhile', () => {
      const script = open();
      const { peer, handle } = connect(script, BOTH);
      answer(peer);
      script.abort(handle);
      peer.expect('RA', { seq: 1 });
      script.advance(100_000_000);
      script.skip();
      script.expectEmpty();
    });
  });
});
