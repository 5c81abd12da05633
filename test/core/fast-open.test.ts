import { describe, expect, it } from 'vitest';
import {
  CONFIG_FASTOPEN,
  CONFIG_FASTOPEN_PENDING,
  CONFIG_SACK,
  CONFIG_SYN_COOKIES,
  CONFIG_TIMESTAMPS,
  CONNECT_FAST_OPEN,
  CONNECT_PLAIN_TCP,
  TCP_OPTION_SYN_DATA,
} from '../../host/abi.js';
import { SYN } from './handshakes.js';
import { Peer, type PeerOptions, pattern, type Said, Script, VARIANTS } from './script.js';

const SECOND = 1_000_000;
const HOUR = 3_600 * SECOND;
const COOKIE = '0123456789abcdef';
/** Bytes of the options of a SYN with that cookie: MSS 4, SACK and timestamps 12, window scale 4, Fast Open 12. */
const OPTIONS = 32;
const FLAGS = CONNECT_PLAIN_TCP | CONNECT_FAST_OPEN;

describe.each(VARIANTS)('TCP Fast Open (RFC 7413, %s)', (variant) => {
  const stack = (fastopen: number, config: [number, number][] = [], mtu = 1500) =>
    new Script({ variant, mtu, config: [[CONFIG_FASTOPEN, fastopen], ...config] });

  describe('a client', () => {
    let port = 40_000;

    /** Connects to a server, whose SYN has been taken; the answer is up to the test. */
    function connect(script: Script, data: string | Uint8Array = '', options: PeerOptions = {}) {
      const peer = new Peer(script, { port: port++, ...options }, 0);
      const handle = script.connect(peer, FLAGS);
      if (data.length > 0) script.write(handle, data);
      return { peer, handle };
    }

    /** Learns a cookie; the connection is reset then. */
    function learn(script: Script, cookie = COOKIE, syn: Said = SYN, options: PeerOptions = {}): void {
      const { peer, handle } = connect(script, '', options);
      peer.expect('S', { fastOpen: '' });
      peer.send('SA', { ack: 1, ...syn, fastOpen: cookie });
      peer.expect('A', { seq: 1, ack: 1 });
      script.abort(handle);
      script.skip();
      script.events();
    }

    it('asks for a cookie, and sends its bytes after the handshake (section 4.2.1)', () => {
      const script = stack(1);
      const { peer, handle } = connect(script, 'GET /');
      peer.expect('S', { fastOpen: '', length: 0 });
      peer.send('SA', { ack: 1, ...SYN, fastOpen: COOKIE });
      peer.expect('A', { seq: 1, ack: 1, data: 'GET /', without: ['fastOpen'] });
      expect(script.subflow(handle).options & TCP_OPTION_SYN_DATA).toBe(0);
      expect(script.counter('fastopenActive')).toBe(0);
    });

    it('sends bytes with the SYN to a server it has a cookie of, once (section 4.2.2)', () => {
      const script = stack(1);
      learn(script);
      const { peer, handle } = connect(script, 'GET /');
      peer.expect('S', { seq: 0, fastOpen: COOKIE, data: 'GET /' });
      peer.send('SA', { ack: 6, ...SYN });
      peer.expect('A', { seq: 6, ack: 1 });
      expect(script.events()).toEqual(['subflowEstablished', 'connected', 'drained']);
      expect(script.info(handle)).toMatchObject({ bytesSent: 5n, bytesAcked: 5n });
      expect(script.subflow(handle)).toMatchObject({ bytesSent: 5n, bytesAcked: 5n, bytesRetransmitted: 0n });
      expect(script.subflow(handle).options & TCP_OPTION_SYN_DATA).not.toBe(0);
      expect(script.counter('fastopenActive')).toBe(1);
      script.write(handle, 'more');
      peer.expect('A', { seq: 6, data: 'more' });
      peer.send('A', { seq: 1, ack: 10, data: 'answer' });
      expect(script.readText(handle)).toBe('answer');
      script.close(handle);
      peer.expect('FA', { seq: 10, ack: 7 });
      peer.send('FA', { seq: 7, ack: 11 });
      script.advance(120 * SECOND);
      script.skip();
      script.expectEmpty();
    });

    it('takes an answer that overtakes or follows the SYN/ACK at once', () => {
      const script = stack(1);
      learn(script);
      const { peer, handle } = connect(script, 'GET /');
      peer.expect('S', { data: 'GET /' });
      expect(peer.send('A', { seq: 1, ack: 6, data: 'early' })).toBe(0);
      peer.send('SA', { ack: 6, ...SYN });
      peer.expect('A', { seq: 6, ack: 1 });
      peer.send('A', { seq: 1, ack: 6, data: 'early' });
      expect(script.readText(handle)).toBe('early');
    });

    it.each([
      ['all of', 1, 'GET /'],
      ['the rest of', 4, ' /'],
    ])('sends %s its bytes again when the SYN/ACK acknowledges no more (section 4.2.2)', (_, ack, again) => {
      const script = stack(1);
      learn(script);
      const { peer, handle } = connect(script, 'GET /');
      peer.expect('S', { data: 'GET /' });
      peer.send('SA', { ack, ...SYN });
      peer.expect('A', { seq: ack, ack: 1, data: again });
      peer.send('A', { seq: 1, ack: 6 });
      expect(script.info(handle)).toMatchObject({ bytesSent: 5n, bytesAcked: 5n });
      script.advance(5 * SECOND);
      script.expectNothing();
    });

    it('takes a SYN/ACK of bytes it never sent for none (RFC 9293 section 3.10.7.3)', () => {
      const script = stack(1);
      learn(script);
      const { peer } = connect(script, 'GET /');
      peer.expect('S', { data: 'GET /' });
      for (const ack of [0, 7]) {
        peer.send('SA', { ack, ...SYN });
        peer.expect('R', { seq: ack });
      }
      peer.send('SA', { ack: 6, ...SYN });
      peer.expect('A', { seq: 6 });
    });

    it('tries again without cookie and bytes, and leaves them out for a while (section 4.1.3.1)', () => {
      const script = stack(1);
      learn(script);
      const { peer } = connect(script, 'GET /');
      peer.expect('S', { fastOpen: COOKIE, data: 'GET /' });
      script.advance(SECOND);
      peer.expect('S', { seq: 0, length: 0, without: ['fastOpen'] });
      peer.send('SA', { ack: 1, ...SYN });
      peer.expect('A', { seq: 1, ack: 1, data: 'GET /' });
      expect(script.counter('fastopenActiveFail')).toBe(1);
      const wait = (us: number, withCookie: boolean): Peer => {
        script.advance(us);
        script.skip();
        const next = connect(script, 'GET /').peer;
        next.expect('S', withCookie ? { fastOpen: COOKIE, data: 'GET /' } : { length: 0, without: ['fastOpen'] });
        return next;
      };
      wait(30 * SECOND, false);
      const again = wait(31 * SECOND, true);
      script.advance(SECOND);
      again.expect('S', { length: 0 });
      // Twice as long when it fails again.
      wait(100 * SECOND, false);
      const good = wait(21 * SECOND, true);
      good.send('SA', { ack: 6, ...SYN });
      const bad = wait(0, true);
      script.advance(SECOND);
      bad.expect('S', { length: 0 });
      wait(61 * SECOND, true);
    });

    it('takes the acknowledgment of the first SYN after it sent the second', () => {
      const script = stack(1);
      learn(script);
      const { peer, handle } = connect(script, 'GET /');
      peer.expect('S', { data: 'GET /' });
      script.advance(SECOND);
      peer.expect('S', { length: 0 });
      peer.send('SA', { ack: 6, ...SYN });
      peer.expect('A', { seq: 6, ack: 1 });
      expect(script.info(handle).bytesAcked).toBe(5n);
      script.skip();
      connect(script, 'x').peer.expect('S', { fastOpen: COOKIE, data: 'x' });
    });

    it('asks no more for a while when a SYN that asked got no answer (section 4.1.3.1)', () => {
      const script = stack(1);
      const { peer } = connect(script);
      peer.expect('S', { fastOpen: '' });
      script.advance(SECOND);
      peer.expect('S', { without: ['fastOpen'] });
      connect(script).peer.expect('S', { without: ['fastOpen'] });
      script.advance(61 * SECOND);
      script.skip();
      connect(script).peer.expect('S', { fastOpen: '' });
    });

    it('gives up for a while on a server that takes its bytes no more and names no cookie (section 4.1.3.1)', () => {
      const script = stack(1);
      learn(script);
      const { peer } = connect(script, 'GET /');
      peer.expect('S', { data: 'GET /' });
      peer.send('SA', { ack: 1, ...SYN });
      peer.expect('A', { data: 'GET /' });
      connect(script, 'GET /').peer.expect('S', { length: 0, without: ['fastOpen'] });
    });

    it('uses the new cookie that a server sends in the place of the old (section 4.1.3)', () => {
      const script = stack(1);
      learn(script);
      const { peer } = connect(script, 'GET /');
      peer.expect('S', { data: 'GET /' });
      peer.send('SA', { ack: 1, ...SYN, fastOpen: 'aabbccdd' });
      peer.expect('A', { data: 'GET /' });
      connect(script, 'GET /').peer.expect('S', { fastOpen: 'aabbccdd', data: 'GET /' });
    });

    it('forgets a cookie in time, and keeps that of each address', () => {
      const script = stack(1);
      learn(script);
      const six = { local: 'fd00::2', remote: 'fd00::1' };
      learn(script, 'aabbccdd', SYN, six);
      connect(script, 'x').peer.expect('S', { fastOpen: COOKIE, data: 'x' });
      connect(script, 'x', six).peer.expect('S', { fastOpen: 'aabbccdd', data: 'x' });
      connect(script, 'x', { remote: '10.0.0.77' }).peer.expect('S', { fastOpen: '' });
      script.advance(25 * HOUR);
      script.skip();
      connect(script, 'x').peer.expect('S', { fastOpen: '', length: 0 });
    });

    it.each([
      ['of the server', { ...SYN, mss: 900 }, 1500, 900],
      ['of IPv4 when the server told none', { wscale: 7 }, 1500, 536],
      ['of its own link', SYN, 1300, 1260],
    ] as const)('sends no more than fits the MSS %s (section 4.1.3)', (_, syn, mtu, mss) => {
      const script = stack(1, [], mtu);
      learn(script, COOKIE, syn);
      const data = pattern(3_000);
      const { peer } = connect(script, data);
      const first = peer.expect('S', { fastOpen: COOKIE, length: mss - OPTIONS });
      expect(Buffer.compare(first.data, data.subarray(0, mss - OPTIONS))).toBe(0);
      peer.send('SA', { ack: 1 + mss - OPTIONS, ...syn });
      const next = peer.expect('A', { seq: 1 + mss - OPTIONS, length: mss });
      expect(Buffer.compare(next.data, data.subarray(mss - OPTIONS, 2 * mss - OPTIONS))).toBe(0);
    });

    it.each([
      ['all options', []],
      ['no timestamps', [[CONFIG_TIMESTAMPS, 0]]],
      ['no SACK', [[CONFIG_SACK, 0]]],
    ] as [string, [number, number][]][])('finds room for the longest cookie beside %s (section 4.1.1)', (_, config) => {
      const script = stack(1, config);
      const cookie = '00112233445566778899aabbccddeeff';
      learn(script, cookie, { ...SYN, ts: [1, 0] });
      const sack = !config.some(([key]) => key === CONFIG_SACK);
      const { options } = connect(script, 'x').peer.expect('S', { fastOpen: cookie, data: 'x', wscale: 8 });
      expect(options.sackOk).toBe(sack ? true : undefined);
      expect(options.ts !== undefined).toBe(!config.some(([key]) => key === CONFIG_TIMESTAMPS));
    });

    it.each([
      ['of two bytes', 'aabb'],
      ['of an odd number of bytes', 'aabbccddee'],
    ])('knows no cookie %s (section 4.1.1)', (_, cookie) => {
      const script = stack(1);
      learn(script, cookie);
      connect(script, 'x').peer.expect('S', { fastOpen: '', length: 0 });
    });

    it('does nothing of it unless both configuration and application ask', () => {
      for (const [fastopen, flags] of [
        [2, FLAGS],
        [0, FLAGS],
        [3, CONNECT_PLAIN_TCP],
      ] as const) {
        const script = stack(fastopen);
        const peer = new Peer(script, {}, 0);
        script.connect(peer, flags);
        peer.expect('S', { without: ['fastOpen'] });
        peer.send('SA', { ack: 1, ...SYN, fastOpen: COOKIE });
        peer.expect('A', { seq: 1 });
      }
    });
  });

  describe('a server', () => {
    let port = 41_000;

    /** Asks the stack for a cookie; the connection is reset then. */
    function cookieOf(script: Script, options: PeerOptions = {}): string {
      const peer = new Peer(script, { port: port++, ...options });
      peer.send('S', { ...SYN, fastOpen: '' });
      const { fastOpen } = peer.expect('SA', { seq: 0, ack: 1 }).options;
      peer.send('R', { seq: 1 });
      if (fastOpen === undefined) throw new Error('the SYN/ACK has no cookie');
      return fastOpen;
    }

    function open(config: [number, number][] = []) {
      const script = stack(2, config);
      const listener = script.listen(80, 10, CONNECT_FAST_OPEN);
      return { script, listener };
    }

    /** Sends a SYN with a cookie and bytes. */
    function syn(script: Script, cookie: string, data: string | Uint8Array = 'GET /', options: PeerOptions = {}): Peer {
      const peer = new Peer(script, { port: port++, ...options });
      peer.send('S', { ...SYN, fastOpen: cookie, data });
      return peer;
    }

    it('grants a cookie to who asks, one for each address (section 4.1.2)', () => {
      const { script } = open();
      const cookie = cookieOf(script);
      expect(cookie).toMatch(/^[0-9a-f]{16}$/);
      expect(cookieOf(script)).toBe(cookie);
      expect(cookieOf(script, { remote: '10.0.0.9' })).not.toBe(cookie);
      expect(cookieOf(script, { local: 'fd00::2', remote: 'fd00::1' })).not.toBe(cookie);
    });

    it('takes the bytes of a SYN with a right cookie, and answers before the third ACK (section 4.2.2)', () => {
      const { script, listener } = open();
      const peer = syn(script, cookieOf(script));
      expect(script.events()).toEqual(['acceptable']);
      const handle = script.accept(listener);
      expect(script.events()).toEqual(['subflowEstablished', 'readable']);
      expect(script.readText(handle)).toBe('GET /');
      script.write(handle, pattern(2_000));
      peer.expect('SA', { seq: 0, ack: 6, without: ['fastOpen'] });
      peer.expect('A', { seq: 1, ack: 6, length: 1460 });
      peer.expect('A', { seq: 1461, ack: 6, length: 540 });
      script.expectNothing();
      peer.send('A', { seq: 6, ack: 1 });
      expect(script.subflow(handle)).toMatchObject({ sndWindow: 65_535 << 7, outstanding: 2_000 });
      expect(script.info(handle).sndWindowEnd).toBe(BigInt(65_535 << 7));
      expect(script.subflow(handle).options & TCP_OPTION_SYN_DATA).not.toBe(0);
      peer.send('A', { seq: 6, ack: 2_001 });
      expect(script.info(handle).bytesAcked).toBe(2_000n);
      peer.send('A', { seq: 6, ack: 2_001, data: 'more' });
      expect(script.readText(handle)).toBe('more');
      expect(script.counter('fastopenPassive')).toBe(1);
      expect(script.counter('passiveOpens')).toBe(1);
      script.close(handle);
      script.close(listener);
      script.skip();
      peer.send('FA', { seq: 10, ack: 2_002 });
      script.advance(120 * SECOND);
      script.skip();
      script.expectEmpty();
    });

    it('takes its answer as acknowledged when that comes in the place of the third ACK', () => {
      const { script, listener } = open();
      const peer = syn(script, cookieOf(script));
      const handle = script.accept(listener);
      script.write(handle, 'answer');
      peer.expect('SA', { ack: 6 });
      peer.expect('A', { seq: 1, data: 'answer' });
      // Nothing behind what was sent.
      peer.send('A', { seq: 6, ack: 8 });
      peer.expect('R', { seq: 8 });
      peer.send('A', { seq: 6, ack: 7, data: 'more' });
      expect(script.info(handle).bytesAcked).toBe(6n);
      expect(script.readText(handle)).toBe('GET /more');
    });

    it('sends the SYN/ACK and then its answer again when they are lost', () => {
      const { script, listener } = open();
      const peer = syn(script, cookieOf(script));
      const handle = script.accept(listener);
      script.write(handle, 'answer');
      peer.expect('SA', { ack: 6 });
      peer.expect('A', { seq: 1, data: 'answer' });
      script.advance(SECOND);
      peer.expect('SA', { seq: 0, ack: 6 });
      script.expectNothing();
      // The client's own retransmission, without bytes.
      script.advance(SECOND / 2);
      peer.send('S', SYN);
      peer.expect('SA', { seq: 0, ack: 6 });
      peer.send('A', { seq: 6, ack: 1 });
      script.advance(2 * SECOND);
      peer.expect('A', { seq: 1, ack: 6, data: 'answer' });
      peer.send('A', { seq: 6, ack: 7 });
      expect(script.info(handle).bytesAcked).toBe(6n);
      expect(script.readText(handle)).toBe('GET /');
    });

    it('closes only after the third ACK', () => {
      const { script, listener } = open();
      const peer = syn(script, cookieOf(script));
      const handle = script.accept(listener);
      script.read(handle);
      script.write(handle, 'bye');
      script.close(handle);
      peer.expect('SA', { ack: 6 });
      peer.expect('A', { seq: 1, data: 'bye' });
      script.expectNothing();
      peer.send('A', { seq: 6, ack: 4 });
      peer.expect('FA', { seq: 4, ack: 6 });
    });

    it('takes a wrong cookie for a request, and no bytes with it (section 4.2.2)', () => {
      const { script, listener } = open();
      const right = cookieOf(script);
      for (const wrong of [COOKIE, right.slice(0, 8), cookieOf(script, { remote: '10.0.0.9' })]) {
        const peer = syn(script, wrong);
        peer.expect('SA', { seq: 0, ack: 1, fastOpen: right });
        expect(script.x.mptcp_accept(listener)).toBeLessThan(0);
        peer.send('A', { seq: 1, ack: 1, data: 'GET /' });
        expect(script.readText(script.accept(listener))).toBe('GET /');
        script.skip();
      }
      expect(script.counter('fastopenPassiveFail')).toBe(3);
      expect(script.counter('fastopenPassive')).toBe(0);
    });

    it('changes its key, and takes cookies of the last one with a new one in return (section 4.1.2)', () => {
      const { script } = open();
      const first = cookieOf(script);
      script.advance(6 * HOUR);
      const second = cookieOf(script);
      expect(second).not.toBe(first);
      syn(script, first).expect('SA', { ack: 6, fastOpen: second });
      syn(script, second).expect('SA', { ack: 6, without: ['fastOpen'] });
      script.advance(6 * HOUR);
      script.skip();
      syn(script, first).expect('SA', { ack: 1 });
      script.advance(24 * HOUR);
      script.skip();
      syn(script, second).expect('SA', { ack: 1 });
    });

    it('opens as ever while too many third ACKs are to come (section 5.1)', () => {
      const { script, listener } = open([[CONFIG_FASTOPEN_PENDING, 2]]);
      const cookie = cookieOf(script);
      const peers = [syn(script, cookie), syn(script, cookie)];
      for (const peer of peers) peer.expect('SA', { ack: 6 });
      // It is no matter whether the application has taken them.
      script.accept(listener);
      syn(script, cookie).expect('SA', { ack: 1, without: ['fastOpen'] });
      expect(script.counter('fastopenOverflow')).toBe(1);
      peers[0]?.send('A', { seq: 6, ack: 1 });
      syn(script, cookie).expect('SA', { ack: 6 });
      // Who forges SYNs may forge RSTs as well: these free no place at once.
      peers[1]?.send('R', { seq: 6 });
      syn(script, cookie).expect('SA', { ack: 1 });
      script.advance(61 * SECOND);
      script.skip();
      syn(script, cookie).expect('SA', { ack: 6 });
    });

    it('tells the application when the third ACK never comes', () => {
      const { script, listener } = open();
      syn(script, cookieOf(script));
      const reset = syn(script, cookieOf(script));
      const handles = [script.accept(listener), script.accept(listener)];
      script.events();
      reset.expect('SA');
      reset.send('R', { seq: 6 });
      expect(script.events()).toEqual(['subflowClosed ERR_RESET', 'closed ERR_RESET']);
      script.advance(200 * SECOND);
      expect(script.events()).toEqual(['subflowClosed ERR_TIMED_OUT', 'closed ERR_TIMED_OUT']);
      for (const handle of handles) script.close(handle);
      script.close(listener);
      script.skip();
      script.expectEmpty();
    });

    it('does not use it with SYN cookies', () => {
      const { script } = open();
      const cookie = cookieOf(script);
      script.set(CONFIG_SYN_COOKIES, 2);
      syn(script, cookie).expect('SA', { ack: 1, without: ['fastOpen'] });
      expect(script.pools().subflows).toBe(0);
    });

    it('does nothing of it unless both configuration and listener ask', () => {
      const { script } = open();
      const cookie = cookieOf(script);
      script.listen(81);
      const plain = new Peer(script, {}, 81);
      plain.send('S', { ...SYN, fastOpen: cookie, data: 'x' });
      plain.expect('SA', { ack: 1, without: ['fastOpen'] });
      script.set(CONFIG_FASTOPEN, 1);
      syn(script, cookie).expect('SA', { ack: 1, without: ['fastOpen'] });
      syn(script, '').expect('SA', { ack: 1, without: ['fastOpen'] });
    });

    it('takes no FIN with the SYN: it comes again', () => {
      const { script, listener } = open();
      const peer = new Peer(script, { port: port++ });
      peer.send('SF', { ...SYN, fastOpen: cookieOf(script), data: 'GET /' });
      const handle = script.accept(listener);
      peer.expect('SA', { ack: 6 });
      expect(script.readText(handle)).toBe('GET /');
      peer.send('FA', { seq: 6, ack: 1 });
      expect(script.read(handle)).toMatchObject({ error: '' });
    });
  });
});
