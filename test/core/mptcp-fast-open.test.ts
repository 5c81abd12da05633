import { describe, expect, it } from 'vitest';
import {
  CONFIG_FASTOPEN,
  CONFIG_NO_DELAY,
  CONFIG_TIMESTAMPS,
  CONNECT_FAST_OPEN,
  CONNECT_PLAIN_TCP,
  CONNECT_VERSION_0,
  CONNECT_VERSION_1,
  FALLBACK_CHECKSUM,
  FALLBACK_FIRST_ACK,
  FALLBACK_FIRST_DATA,
  FALLBACK_PEER_MP_FAIL,
  FALLBACK_PEER_SYN,
  FALLBACK_PEER_SYN_ACK,
  FALLBACK_THIRD_ACK,
  FALLBACK_UNANSWERED,
  TCP_OPTION_SYN_DATA,
} from '../../host/abi.js';
import { flagsOf, infinite, joinPassive, MptcpPeer, SYN } from './handshakes.js';
import { dssChecksum, joinHmac, token } from './keys.js';
import type { Dss } from './options.js';
import { type PeerOptions, pattern, type Said, Script, toBytes, VARIANTS } from './script.js';

const SECOND = 1_000_000;
const COOKIE = '0123456789abcdef';
/** 5 bytes. */
const REQUEST = 'GET /';

describe.each(VARIANTS)('TCP Fast Open with Multipath TCP (RFC 8684 appendix B, %s)', (variant) => {
  const stack = (fastopen: number, config: [number, number][] = []) =>
    new Script({ variant, config: [[CONFIG_FASTOPEN, fastopen], ...config] });

  /** A mapping with its checksum: `offset` and `ssn` count from the first byte behind the SYN's. */
  const summed = (peer: MptcpPeer, offset: number, ssn: number, data: string): Dss =>
    peer.map(offset, ssn, data.length, {
      ...(peer.checksum ? { checksum: dssChecksum(peer.dsn(offset), ssn, toBytes(data)) } : {}),
    });

  /** Ends both streams of a connection, by the data sequence; nothing is left then. */
  function finish(script: Script, peer: MptcpPeer, handle: number, sent: number, received: number, at: number[]): void {
    const [seq = 0, ack = 0] = at;
    script.close(handle);
    script.skip();
    peer.send('A', {
      seq,
      ack,
      mptcp: [peer.dss(sent + 1, { dsn: peer.dsn(received), ssn: 0, length: 1, fin: true })],
    });
    script.skip();
    peer.send('FA', { seq, ack: ack + 1, mptcp: [peer.dss(sent + 1)] });
    script.advance(200 * SECOND);
    script.skip();
    script.expectEmpty();
  }

  describe('a client', () => {
    let port = 40_000;

    function connect(script: Script, data: string | Uint8Array = '', flags = 0, options: PeerOptions = {}) {
      const peer = new MptcpPeer(script, { port: port++, ...options }, 0);
      const handle = script.connect(peer, CONNECT_FAST_OPEN | flags);
      if (data.length > 0) script.write(handle, data);
      return { peer, handle };
    }

    /** Learns a cookie; the connection is reset then. */
    function learn(script: Script, cookie = COOKIE, said: Said = {}): void {
      const { peer, handle } = connect(script);
      peer.expect('S', { fastOpen: '', mptcp: [{ capable: 'syn', version: 1 }] });
      answer(peer, 1, { ...said, fastOpen: cookie });
      script.abort(handle);
      script.skip();
      script.events();
    }

    /** The SYN/ACK of `ack` with MP_CAPABLE; returns the third ACK's sequence number. */
    function answer(peer: MptcpPeer, ack: number, said: Said = {}): void {
      const { key } = peer;
      peer.send('SA', { ...SYN, ack, mptcp: [{ capable: 'synack', key, flags: flagsOf(peer.checksum) }], ...said });
    }

    /** The keys, which go with the third ACK and with the first data until the peer has shown that it has them. */
    const keys = (script: Script, peer: MptcpPeer, handle: number, length?: number) => ({
      capable: 'ack' as const,
      key: script.info(handle).localKey,
      peerKey: peer.key,
      ...(length === undefined ? {} : { length }),
    });

    /** A connection that brought 5 bytes with its SYN, of which the peer took `taken`. */
    function opened(options: { taken?: number; checksum?: boolean } = {}) {
      const script = stack(1);
      learn(script);
      const { peer, handle } = connect(script, REQUEST);
      peer.checksum = options.checksum ?? false;
      peer.expect('S', { seq: 0, fastOpen: COOKIE, data: REQUEST, mptcp: [{ capable: 'syn', version: 1 }] });
      answer(peer, 1 + (options.taken ?? 5));
      peer.remoteKey = script.info(handle).localKey;
      return { script, peer, handle };
    }

    it('asks for a cookie beside MP_CAPABLE, and its bytes are mapped (B.1, figure 18)', () => {
      const script = stack(1);
      const { peer, handle } = connect(script, REQUEST);
      peer.expect('S', { fastOpen: '', length: 0, mptcp: [{ capable: 'syn', version: 1 }] });
      answer(peer, 1, { fastOpen: COOKIE });
      peer.expect('A', {
        seq: 1,
        ack: 1,
        data: REQUEST,
        mptcp: [keys(script, peer, handle, 5)],
        without: ['fastOpen'],
      });
      expect(script.subflow(handle).options & TCP_OPTION_SYN_DATA).toBe(0);
    });

    it('brings bytes with its SYN, and counts from behind them (B.2 and B.3, figure 19)', () => {
      const { script, peer, handle } = opened();
      peer.expect('A', { seq: 6, ack: 1, mptcp: [keys(script, peer, handle)] });
      expect(script.events()).toEqual(['subflowEstablished', 'connected', 'drained']);
      expect(script.info(handle)).toMatchObject({ bytesSent: 5n, bytesAcked: 5n, sndUna: peer.remoteDsn(0) });
      expect(script.subflow(handle)).toMatchObject({ bytesSent: 5n, bytesAcked: 5n, bytesRetransmitted: 0n });
      expect(script.subflow(handle).options & TCP_OPTION_SYN_DATA).not.toBe(0);
      expect(script.counter('fastopenActive')).toBe(1);
      script.write(handle, 'more');
      peer.expect('A', { seq: 6, data: 'more', mptcp: [keys(script, peer, handle, 4)] });
      peer.send('A', { seq: 1, ack: 10, mptcp: [peer.dss(4)] });
      script.write(handle, 'and more');
      peer.expect('A', {
        seq: 10,
        data: 'and more',
        mptcp: [{ dss: true, ack: peer.dsn(0), dsn: peer.remoteDsn(4), ssn: 5, length: 8 }],
      });
      peer.send('A', { seq: 1, ack: 18, data: 'answer', mptcp: [peer.map(0, 1, 6, { ack: peer.remoteDsn(12) })] });
      expect(script.readText(handle)).toBe('answer');
      expect(script.info(handle)).toMatchObject({ bytesSent: 17n, bytesAcked: 17n, version: 1 });
      finish(script, peer, handle, 12, 6, [7, 18]);
    });

    it('takes the answer of a server that has no key of it yet, and repeats the keys (B.3, figure 19)', () => {
      const { script, peer, handle } = opened();
      peer.expect('A', { seq: 6, ack: 1, mptcp: [keys(script, peer, handle)] });
      // Without the key there is no DATA_ACK to be had.
      const { ack: _, ...bare } = peer.map(0, 1, 6);
      peer.send('A', { seq: 1, ack: 6, data: 'answer', mptcp: [bare] });
      expect(script.readText(handle)).toBe('answer');
      expect(script.counter('MPTcpExtMPCurrEstab')).toBe(0);
      script.skip();
      script.write(handle, 'more');
      peer.expect('A', { seq: 6, ack: 7, data: 'more', mptcp: [keys(script, peer, handle, 4)] });
      peer.send('SA', { ...SYN, ack: 6, mptcp: [{ capable: 'synack', key: peer.key }] });
      peer.expect('A', { seq: 10, ack: 7, mptcp: [keys(script, peer, handle)] });
      peer.send('A', { seq: 7, ack: 10, mptcp: [peer.dss(4)] });
      script.write(handle, 'last');
      peer.expect('A', { seq: 10, data: 'last', mptcp: [{ dss: true, dsn: peer.remoteDsn(4), ssn: 5, length: 4 }] });
      expect(script.info(handle).version).toBe(1);
    });

    it.each([
      ['all (figure 20)', 0, REQUEST],
      ['the rest (figure 21)', 3, ' /'],
    ])('sends again, and maps, %s of the bytes that were not taken', (_, taken, again) => {
      const { script, peer, handle } = opened({ taken, checksum: true });
      const seq = taken + 1;
      const { length } = again;
      const checksum = dssChecksum(peer.remoteDsn(0), 1, toBytes(again));
      peer.expect('A', { seq, ack: 1, data: again, mptcp: [{ ...keys(script, peer, handle, length), checksum }] });
      peer.send('A', { seq: 1, ack: 6, mptcp: [peer.dss(length)] });
      expect(script.info(handle)).toMatchObject({ bytesSent: 5n, bytesAcked: 5n, sndUna: peer.remoteDsn(length) });
      script.write(handle, 'more');
      const sum = dssChecksum(peer.remoteDsn(length), length + 1, toBytes('more'));
      const map = { dsn: peer.remoteDsn(length), ssn: length + 1, length: 4, checksum: sum };
      peer.expect('A', { seq: 6, data: 'more', mptcp: [{ dss: true, ...map }] });
      peer.send('A', { seq: 1, ack: 10, mptcp: [peer.dss(length + 4)] });
      script.advance(5 * SECOND);
      script.expectNothing();
      finish(script, peer, handle, length + 4, 0, [1, 10]);
    });

    it('has bytes of the SYN and no others under no checksum (B.2)', () => {
      const { script, peer, handle } = opened({ checksum: true });
      peer.expect('A', { seq: 6, ack: 1, mptcp: [keys(script, peer, handle)] });
      script.write(handle, 'more');
      const checksum = dssChecksum(peer.remoteDsn(0), 1, toBytes('more'));
      peer.expect('A', { seq: 6, data: 'more', mptcp: [{ ...keys(script, peer, handle, 4), checksum }] });
    });

    it.each([
      ['all', 5],
      ['some', 3],
      ['none', 0],
    ])('is plain TCP with a peer that has no Multipath TCP and took %s of the bytes (section 3.7)', (_, taken) => {
      const script = stack(1);
      learn(script);
      const { peer, handle } = connect(script, REQUEST);
      peer.expect('S', { fastOpen: COOKIE, data: REQUEST });
      peer.send('SA', { ...SYN, ack: 1 + taken });
      const rest = REQUEST.slice(taken);
      peer.expect('A', { seq: 1 + taken, ack: 1, data: rest, mptcp: [] });
      expect(script.events()).toContain(`fallback ${FALLBACK_PEER_SYN_ACK}`);
      peer.send('A', { seq: 1, ack: 6, data: 'answer' });
      expect(script.readText(handle)).toBe('answer');
      script.write(handle, 'more');
      peer.expect('A', { ack: 7, seq: 6, data: 'more', mptcp: [] });
      peer.send('A', { seq: 7, ack: 10 });
      expect(script.info(handle)).toMatchObject({ bytesSent: 9n, bytesAcked: 9n });
      script.close(handle);
      peer.expect('FA', { seq: 10, ack: 7 });
      peer.send('FA', { seq: 7, ack: 11 });
      script.advance(120 * SECOND);
      script.skip();
      script.expectEmpty();
    });

    it('falls back when its first data is acknowledged without options, and counts right (section 3.7)', () => {
      const { script, peer, handle } = opened();
      peer.expect('A', { seq: 6, ack: 1 });
      script.write(handle, 'more');
      peer.expect('A', { seq: 6, data: 'more' });
      peer.send('A', { seq: 1, ack: 8 });
      expect(script.events()).toContain(`fallback ${FALLBACK_FIRST_ACK}`);
      expect(script.info(handle)).toMatchObject({ bytesSent: 9n, bytesAcked: 7n });
      peer.send('A', { seq: 1, ack: 10, data: 'answer' });
      expect(script.info(handle).bytesAcked).toBe(9n);
      expect(script.readText(handle)).toBe('answer');
      script.skip();
      script.write(handle, 'plain');
      peer.expect('A', { seq: 10, ack: 7, data: 'plain', mptcp: [] });
    });

    it('falls back when the first data comes without options, and counts right (section 3.7)', () => {
      const { script, peer, handle } = opened();
      peer.expect('A', { seq: 6, ack: 1 });
      peer.send('A', { seq: 1, ack: 6, data: 'answer' });
      expect(script.events()).toContain(`fallback ${FALLBACK_FIRST_DATA}`);
      expect(script.readText(handle)).toBe('answer');
      script.skip();
      script.write(handle, 'plain');
      peer.expect('A', { seq: 6, ack: 7, data: 'plain', mptcp: [] });
      peer.send('A', { seq: 7, ack: 11 });
      expect(script.info(handle)).toMatchObject({ bytesSent: 10n, bytesAcked: 10n });
    });

    it('falls back in the middle with the right infinite mapping (section 3.7)', () => {
      const { script, peer, handle } = opened({ checksum: true });
      peer.expect('A', { seq: 6, ack: 1 });
      script.write(handle, 'more');
      peer.expect('A', { seq: 6, data: 'more' });
      peer.send('A', { seq: 1, ack: 10, mptcp: [peer.dss(4)] });
      script.write(handle, 'bad?');
      peer.expect('A', { seq: 10, data: 'bad?' });
      script.skip();
      peer.send('A', { seq: 1, ack: 14, mptcp: [{ fail: peer.remoteDsn(4) }, peer.dss(4)] });
      expect(script.events()).toContain(`fallback ${FALLBACK_PEER_MP_FAIL}`);
      script.skip();
      script.write(handle, 'plain');
      const sent = peer.expect('A', { seq: 14, data: 'plain' });
      expect(sent.options.mptcp).toContainEqual(expect.objectContaining(infinite(peer, 4, true)));
    });

    it('goes on as TCP by another subflow, and counts right (section 3.7)', () => {
      const { script, peer, handle } = opened({ checksum: true });
      script.set(CONFIG_NO_DELAY, 1, handle);
      peer.expect('A', { seq: 6, ack: 1 });
      script.write(handle, 'first');
      peer.send('A', { seq: 1, ack: 6, mptcp: [peer.dss(0)] });
      script.skip();
      peer.send('R', { seq: 1, mptcp: [{ fail: peer.remoteDsn(0) }, { reset: 6, flags: 1 }] });
      script.advance(1);
      const next = new MptcpPeer(script, { iss: 0x0300_0000, port: peer.port }, 0);
      const syn = next.expect('S', { mptcp: [{ join: 'syn', token: token(peer.key) }] }).options.mptcp?.[0];
      if (syn === undefined || !('join' in syn) || syn.join !== 'syn') throw new Error('the SYN has no MP_JOIN');
      next.key = peer.key;
      next.remoteKey = peer.remoteKey;
      const hmac = BigInt(`0x${joinHmac(peer.key, peer.remoteKey, 7, syn.nonce).slice(0, 16)}`);
      next.send('SA', { ...SYN, ack: 1, mptcp: [{ join: 'synack', hmac, nonce: 7, id: 0 }] });
      script.skip();
      next.send('A', { seq: 1, ack: 1, mptcp: [next.dss(2)] });
      script.skip();
      next.send('A', { seq: 1, ack: 1, mptcp: [next.map(0, 1, 0, { ack: next.remoteDsn(2), checksum: 0 })] });
      next.expect('A', { seq: 1, data: 'rst' });
      next.send('A', { seq: 1, ack: 4 });
      expect(script.info(handle)).toMatchObject({ version: 0, bytesSent: 10n, bytesAcked: 10n });
    });

    it('leaves cookie and bytes out of the SYN it sends again, and keeps MP_CAPABLE (RFC 7413 section 4.1.3.1)', () => {
      const script = stack(1);
      learn(script);
      const { peer, handle } = connect(script, REQUEST);
      peer.expect('S', { fastOpen: COOKIE, data: REQUEST, mptcp: [{ capable: 'syn' }] });
      script.advance(SECOND);
      peer.expect('S', { seq: 0, length: 0, without: ['fastOpen'], mptcp: [{ capable: 'syn' }] });
      // It was the answer that was lost.
      answer(peer, 6);
      peer.expect('A', { seq: 6, ack: 1, mptcp: [keys(script, peer, handle)] });
      expect(script.info(handle).bytesAcked).toBe(5n);
    });

    it.each([
      ['14 bytes', '00112233445566778899aabbccdd', true],
      ['16 bytes', '00112233445566778899aabbccddeeff', false],
    ])('finds room beside MP_CAPABLE for a cookie of %s (%s): %s (B.1)', (_, cookie, fits) => {
      const script = stack(1);
      learn(script, cookie, { mptcp: [] });
      const { peer } = connect(script, REQUEST);
      const capable = [{ capable: 'syn' as const, version: 1 }];
      if (fits) peer.expect('S', { fastOpen: cookie, data: REQUEST, mptcp: capable });
      else peer.expect('S', { length: 0, without: ['fastOpen'], mptcp: capable });
      const plain = connect(script, REQUEST, CONNECT_PLAIN_TCP).peer;
      plain.expect('S', { fastOpen: cookie, data: REQUEST, mptcp: [] });
    });

    it('does without in version 0, whose key takes the room', () => {
      const script = stack(1);
      learn(script, 'aabbccdd');
      const { peer } = connect(script, REQUEST, CONNECT_VERSION_0);
      peer.expect('S', { length: 0, without: ['fastOpen'], mptcp: [{ capable: 'syn', version: 0 }] });
    });

    it('does not ask for version 0 who took its bytes: they would come twice', () => {
      const both = CONNECT_VERSION_0 | CONNECT_VERSION_1;
      const script = stack(1);
      learn(script);
      const { peer, handle } = connect(script, REQUEST, both);
      peer.expect('S', { fastOpen: COOKIE, data: REQUEST });
      peer.send('SA', { ...SYN, ack: 6 });
      peer.expect('A', { seq: 6, ack: 1, mptcp: [] });
      script.expectNothing();
      expect(script.info(handle)).toMatchObject({ version: 0, fallback: FALLBACK_PEER_SYN_ACK });
      const refused = connect(script, REQUEST, both).peer;
      refused.expect('S', { fastOpen: COOKIE, data: REQUEST });
      refused.send('SA', { ...SYN, ack: 1 });
      refused.expect('RA', {});
      refused.localPort = 0;
      refused.expect('S', { mptcp: [{ capable: 'syn', version: 0 }] });
    });

    it('ends its stream behind bytes that all went with the SYN (section 3.3.3)', () => {
      const script = stack(1);
      learn(script);
      const { peer, handle } = connect(script, REQUEST);
      script.shutdown(handle);
      peer.expect('S', { data: REQUEST });
      answer(peer, 6);
      peer.remoteKey = script.info(handle).localKey;
      peer.expect('A', { seq: 6, ack: 1, mptcp: [keys(script, peer, handle)] });
      script.advance(2 * SECOND);
      const fin = { dss: true as const, dsn: peer.remoteDsn(0), ssn: 0, length: 1, fin: true };
      peer.expect('A', { seq: 6, mptcp: [fin] });
    });
  });

  it('a client falls back when its keys and its DATA_FIN, which is all there is, go unanswered (section 3.7)', () => {
    const script = stack(1);
    const peer = new MptcpPeer(script, {}, 0);
    const handle = script.connect(peer, CONNECT_FAST_OPEN);
    script.shutdown(handle);
    peer.expect('S', { mptcp: [{ capable: 'syn' }] });
    peer.send('SA', { ...SYN, ack: 1, mptcp: [{ capable: 'synack', key: peer.key }] });
    script.advance(5 * SECOND);
    expect(script.info(handle).version).toBe(1);
    script.skip();
    script.advance(20 * SECOND);
    expect(script.events()).toContain(`fallback ${FALLBACK_UNANSWERED}`);
    let last = script.take(peer);
    for (let next = last; next !== undefined; next = script.take(peer)) last = next;
    expect(last?.flags).toBe('FA');
    expect(last?.options.mptcp).toBeUndefined();
  });

  describe('a server', () => {
    let port = 41_000;

    function open(config: [number, number][] = []) {
      const script = stack(2, config);
      const listener = script.listen(80, 10, CONNECT_FAST_OPEN);
      return { script, listener };
    }

    function syn(
      script: Script,
      fastOpen: string,
      said: Said = {},
      options: PeerOptions & { checksum?: boolean } = {},
    ): MptcpPeer {
      const peer = new MptcpPeer(script, { port: port++, ...options });
      peer.checksum = options.checksum ?? false;
      const mptcp = [{ capable: 'syn' as const, flags: flagsOf(peer.checksum) }];
      peer.send('S', { ...SYN, fastOpen, data: REQUEST, mptcp, ...said });
      return peer;
    }

    /** Takes the SYN/ACK, and the key in it. */
    function answered(peer: MptcpPeer, ack: number, without: 'fastOpen'[] = ['fastOpen']) {
      const packet = peer.expect('SA', { seq: 0, ack, without, mptcp: [{ capable: 'synack' }] });
      const option = packet.options.mptcp?.[0];
      if (option !== undefined && 'key' in option) peer.remoteKey = option.key;
      return packet.options;
    }

    /** Asks for a cookie; the connection is reset then. */
    function cookieOf(script: Script, options: PeerOptions = {}): string {
      const peer = syn(script, '', { data: '' }, options);
      const { fastOpen } = answered(peer, 1, []);
      peer.send('R', { seq: 1 });
      if (fastOpen === undefined) throw new Error('the SYN/ACK has no cookie');
      return fastOpen;
    }

    const capable = (peer: MptcpPeer, data?: string, ssn = 1) => ({
      capable: 'ack' as const,
      key: peer.key,
      peerKey: peer.remoteKey,
      flags: flagsOf(peer.checksum),
      ...(data === undefined ? {} : { length: data.length }),
      ...(data === undefined || !peer.checksum ? {} : { checksum: dssChecksum(peer.dsn(0), ssn, toBytes(data)) }),
    });

    /** A connection whose SYN brought 5 bytes; the third ACK is still to come. */
    function early(options: PeerOptions & { checksum?: boolean } = {}) {
      const { script, listener } = open();
      const peer = syn(script, cookieOf(script), {}, options);
      const handle = script.accept(listener);
      answered(peer, 6);
      script.events();
      return { script, listener, peer, handle };
    }

    it('grants a cookie that fits beside MP_CAPABLE, and takes it from either kind of SYN (B.1)', () => {
      const { script, listener } = open();
      const long = cookieOf(script);
      const short = cookieOf(script, { ts: true });
      expect(long).toMatch(/^[0-9a-f]{16}$/);
      expect(short).toBe(long.slice(0, 12));
      for (const cookie of [long, short]) {
        answered(syn(script, cookie), 6);
        const plain = syn(script, cookie, { mptcp: [] }, { ts: true });
        plain.expect('SA', { ack: 6, without: ['fastOpen'], mptcp: [] });
      }
      const wrong = `${short.slice(0, 10)}${short.endsWith('00') ? '01' : '00'}`;
      const { fastOpen } = answered(syn(script, wrong), 1, []);
      expect(fastOpen).toBe(long);
      expect(script.counter('fastopenPassiveFail')).toBe(1);
      for (let index = 0; index < 4; index++) expect(script.readText(script.accept(listener))).toBe(REQUEST);
    });

    it('grants a long cookie where timestamps are off, as they leave room for it (B.1)', () => {
      const { script } = open([[CONFIG_TIMESTAMPS, 0]]);
      expect(cookieOf(script, { ts: true })).toMatch(/^[0-9a-f]{16}$/);
    });

    it('hands out the bytes of the SYN at once, and counts from behind them (B.2 and B.3)', () => {
      const { script, listener } = open();
      const cookie = cookieOf(script);
      script.events();
      const peer = syn(script, cookie);
      expect(script.events()).toEqual(['acceptable']);
      const handle = script.accept(listener);
      expect(script.events()).toEqual(['subflowEstablished', 'readable']);
      expect(script.readText(handle)).toBe(REQUEST);
      answered(peer, 6);
      // The answer waits for the key: without a DATA_ACK Linux would fall back.
      script.write(handle, 'answer');
      script.expectNothing();
      expect(script.counter('MPTcpExtMPCurrEstab')).toBe(0);
      peer.send('A', { seq: 6, ack: 1, mptcp: [capable(peer)] });
      peer.expect('A', {
        seq: 1,
        ack: 6,
        data: 'answer',
        mptcp: [{ dss: true, ack: peer.dsn(0), dsn: peer.remoteDsn(0), ssn: 1, length: 6 }],
      });
      expect(script.info(handle)).toMatchObject({ version: 1, rcvNxt: peer.dsn(0), remoteKey: peer.key });
      expect(script.info(handle).sndWindowEnd).toBe(BigInt.asUintN(64, peer.remoteDsn(65_535 << 7)));
      expect(script.counter('MPTcpExtMPCurrEstab')).toBe(1);
      peer.send('A', { seq: 6, ack: 7, data: 'more', mptcp: [peer.map(0, 1, 4, { ack: peer.remoteDsn(6) })] });
      expect(script.readText(handle)).toBe('more');
      expect(script.info(handle)).toMatchObject({ bytesReceived: 9n, bytesAcked: 6n });
      peer.expect('A', { ack: 10, mptcp: [{ dss: true, ack: peer.dsn(4) }] });
      expect(script.subflow(handle).options & TCP_OPTION_SYN_DATA).not.toBe(0);
      expect(script.counter('fastopenPassive')).toBe(1);
      expect(script.counter('passiveOpens')).toBe(1);
      expect(script.counter('MPTcpExtMPCapableACKRX')).toBe(1);
      script.close(listener);
      finish(script, peer, handle, 6, 4, [10, 7]);
    });

    it('takes the bytes in front of mapped ones when nobody has read before', () => {
      const { script, peer, handle } = early();
      peer.send('A', { seq: 6, ack: 1, mptcp: [capable(peer)] });
      peer.send('A', { seq: 10, ack: 1, data: 'last', mptcp: [peer.map(4, 5, 4)] });
      peer.send('A', { seq: 6, ack: 1, data: 'more', mptcp: [peer.map(0, 1, 4)] });
      expect(script.readText(handle)).toBe(`${REQUEST}morelast`);
    });

    it.each([[false], [true]])('takes the first data with the keys for the third ACK (checksum %s)', (checksum) => {
      const { script, peer, handle } = early({ checksum });
      peer.send('A', { seq: 6, ack: 1, data: 'more', mptcp: [capable(peer, 'more')] });
      expect(script.readText(handle)).toBe(`${REQUEST}more`);
      peer.expect('A', { ack: 10, mptcp: [{ dss: true, ack: peer.dsn(4) }] });
      peer.send('A', { seq: 10, ack: 1, data: 'last', mptcp: [summed(peer, 4, 5, 'last')] });
      expect(script.readText(handle)).toBe('last');
      expect(script.info(handle)).toMatchObject({ version: 1, checksum: checksum ? 1 : 0 });
    });

    it('drops mapped data that overtakes the keys, and takes it behind them (section 3.1)', () => {
      const { script, peer, handle } = early();
      peer.send('A', { seq: 6, ack: 1, data: 'more', mptcp: [peer.map(0, 1, 4)] });
      expect(script.readText(handle)).toBe(REQUEST);
      peer.send('A', { seq: 6, ack: 1, mptcp: [capable(peer)] });
      peer.send('A', { seq: 6, ack: 1, data: 'more', mptcp: [peer.map(0, 1, 4)] });
      expect(script.readText(handle)).toBe('more');
      expect(script.info(handle).version).toBe(1);
    });

    it('answers the SYN again as before', () => {
      const { script, peer, handle } = early();
      peer.send('S', { ...SYN, mptcp: [{ capable: 'syn' }] });
      peer.expect('SA', { seq: 0, ack: 6, mptcp: [{ capable: 'synack', key: peer.remoteKey }] });
      expect(script.readText(handle)).toBe(REQUEST);
    });

    it('opens as ever on a wrong cookie, and its bytes come mapped (figure 20)', () => {
      const { script, listener } = open();
      const peer = syn(script, COOKIE);
      const { fastOpen } = answered(peer, 1, []);
      expect(fastOpen).toMatch(/^[0-9a-f]{16}$/);
      peer.send('A', { seq: 1, ack: 1, data: REQUEST, mptcp: [capable(peer, REQUEST)] });
      expect(script.readText(script.accept(listener))).toBe(REQUEST);
      peer.expect('A', { ack: 6, mptcp: [{ dss: true, ack: peer.dsn(5) }] });
    });

    it('is plain TCP with a third ACK that has no keys (section 3.7)', () => {
      const { script, peer, handle } = early();
      script.write(handle, 'answer');
      script.expectNothing();
      peer.send('A', { seq: 6, ack: 1 });
      expect(script.events()).toContain(`fallback ${FALLBACK_THIRD_ACK}`);
      expect(script.readText(handle)).toBe(REQUEST);
      peer.expect('A', { seq: 1, ack: 6, data: 'answer', mptcp: [] });
      peer.send('A', { seq: 6, ack: 7, data: 'more' });
      expect(script.readText(handle)).toBe('more');
      expect(script.info(handle)).toMatchObject({ bytesReceived: 9n, bytesSent: 6n, bytesAcked: 6n });
      peer.expect('A', { seq: 7, ack: 10, mptcp: [] });
    });

    it('is plain TCP, and answers early, when the SYN comes again without MP_CAPABLE (section 3.7)', () => {
      const { script, peer, handle } = early();
      script.write(handle, 'answer');
      peer.send('S', { ...SYN });
      expect(script.events()).toContain(`fallback ${FALLBACK_PEER_SYN}`);
      peer.expect('SA', { seq: 0, ack: 6, mptcp: [] });
      peer.expect('A', { seq: 1, ack: 6, data: 'answer', mptcp: [] });
      peer.send('A', { seq: 6, ack: 7, data: 'more' });
      expect(script.readText(handle)).toBe(`${REQUEST}more`);
      expect(script.info(handle)).toMatchObject({ bytesReceived: 9n, bytesAcked: 6n });
    });

    it('falls back when the first data behind the SYN comes without options (section 3.7)', () => {
      const { script, peer, handle } = early();
      peer.send('A', { seq: 6, ack: 1, mptcp: [capable(peer)] });
      peer.send('A', { seq: 6, ack: 1, data: 'more' });
      expect(script.events()).toContain(`fallback ${FALLBACK_FIRST_DATA}`);
      expect(script.readText(handle)).toBe(`${REQUEST}more`);
      script.skip();
      script.write(handle, 'plain');
      peer.expect('A', { seq: 1, ack: 10, data: 'plain', mptcp: [] });
    });

    it('falls back in the middle from where the stream stands (section 3.7)', () => {
      const { script, peer, handle } = early({ checksum: true });
      peer.send('A', { seq: 6, ack: 1, mptcp: [capable(peer)] });
      peer.send('A', { seq: 6, ack: 1, data: 'good', mptcp: [summed(peer, 0, 1, 'good')] });
      peer.send('A', { seq: 10, ack: 1, data: 'bad!', mptcp: [summed(peer, 4, 5, 'bad?')] });
      expect(script.readText(handle)).toBe(`${REQUEST}good`);
      peer.send('A', { seq: 14, ack: 1, data: ' plain', mptcp: [peer.map(4, 5, 0, { checksum: 0 })] });
      expect(script.readText(handle)).toBe('bad! plain');
      expect(script.info(handle).fallback).toBe(FALLBACK_CHECKSUM);
    });

    it('is joined by other subflows as ever (section 3.2)', () => {
      const { script, peer, handle } = early();
      peer.send('A', { seq: 6, ack: 1, mptcp: [capable(peer)] });
      const second = joinPassive(peer);
      second.send('A', { seq: 1, ack: 1, data: 'by the other', mptcp: [second.map(0, 1, 12)] });
      expect(script.readText(handle)).toBe(`${REQUEST}by the other`);
      peer.send('A', { seq: 6, ack: 1, data: ' path', mptcp: [peer.map(12, 1, 5)] });
      expect(script.readText(handle)).toBe(' path');
    });

    it('ends before the third ACK by RST', () => {
      const { script, listener, peer, handle } = early();
      script.abort(handle);
      peer.expect('RA', { seq: 1, ack: 6, mptcp: [] });
      const reset = syn(script, cookieOf(script));
      const other = script.accept(listener);
      answered(reset, 6);
      script.events();
      reset.send('R', { seq: 6 });
      expect(script.events()).toEqual(['subflowClosed ERR_RESET', 'closed ERR_RESET']);
      script.close(other);
      const silent = syn(script, cookieOf(script));
      const third = script.accept(listener);
      answered(silent, 6);
      script.write(third, pattern(3_000));
      script.events();
      script.advance(300 * SECOND);
      expect(script.events()).toEqual(['subflowClosed ERR_TIMED_OUT', 'closed ERR_TIMED_OUT']);
      script.close(third);
      script.close(listener);
      script.skip();
      script.expectEmpty();
    });

    it('opens version 0 as ever', () => {
      const { script } = open();
      script.listen(81, 10, CONNECT_FAST_OPEN | CONNECT_VERSION_0);
      const cookie = cookieOf(script);
      const peer = new MptcpPeer(script, {}, 81);
      const mptcp = [{ capable: 'syn' as const, version: 0, key: peer.key }];
      peer.send('S', { mss: 1460, fastOpen: cookie, data: REQUEST, mptcp });
      peer.expect('SA', { ack: 1, without: ['fastOpen'], mptcp: [{ capable: 'synack', version: 0 }] });
    });
  });
});
