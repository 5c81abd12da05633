import { describe, expect, it } from 'vitest';
import { CONFIG_SHARD, CONFIG_SHARDS, CONFIG_SYN_COOKIES, CONFIG_TIMESTAMPS } from '../../host/abi.js';
import { MptcpPeer, SYN } from './handshakes.js';
import { token } from './keys.js';
import { Peer, type PeerOptions, pattern, type Said, Script, VARIANTS } from './script.js';

const SECOND = 1_000_000;

describe.each(VARIANTS)('SYN cookies (%s)', (variant) => {
  /** A stack that answers every SYN with a cookie. */
  const open = (config: [number, number][] = [], seed = 42n) =>
    new Script({ variant, seed, config: [[CONFIG_SYN_COOKIES, 2], ...config] });

  /** Sends a SYN and demands a SYN/ACK of which nothing is kept. */
  function cookie(script: Script, options: PeerOptions = {}, syn: Said = SYN): Peer {
    const peer = new Peer(script, options);
    peer.send('S', syn);
    peer.expect('SA', { seq: 0, ack: 1 });
    expect(script.pools()).toMatchObject({ connections: 0, subflows: 0, timers: 0 });
    return peer;
  }

  it('keep nothing until the third ACK, and then all that the SYN offered (RFC 4987 section 3.6)', () => {
    const script = open();
    const listener = script.listen(80);
    const peer = cookie(script, { ts: true }, { mss: 1400, wscale: 5, sackOk: true });
    script.advance(30_000);
    peer.send('A', { seq: 1, ack: 1, window: 1_000 });
    const handle = script.accept(listener);
    expect(script.subflow(handle)).toMatchObject({ mss: 1380 - 12, sndWindow: 1_000 << 5, srtt: 0 });
    peer.send('A', { seq: 11, ack: 1, data: 'out of order' });
    const answer = peer.expect('A', { ack: 1, sack: [[11, 23]] });
    expect(answer.options.ts?.[1]).toBe(peer.tsNow());
    peer.send('A', { seq: 1, ack: 1, data: '0123456789' });
    expect(script.readText(handle)).toBe('0123456789out of order');
    expect(script.counter('synCookieOut')).toBe(1);
    expect(script.counter('synCookieGood')).toBe(1);
    script.write(handle, pattern(2_000));
    script.skip();
    peer.send('R', { seq: 23 });
    script.close(handle);
    script.close(listener);
    script.expectNothing();
    script.expectEmpty();
  });

  it.each([
    [{}, 536],
    [{ mss: 300 }, 216],
    [{ mss: 536 }, 536],
    [{ mss: 1220 }, 1220],
    [{ mss: 1379 }, 1300],
    [{ mss: 1459 }, 1440],
    [{ mss: 65_535 }, 1460],
  ] as const)('without timestamps stand for an MSS alone: %o becomes %i', (syn, mss) => {
    const script = open();
    const listener = script.listen(80);
    const peer = new Peer(script);
    peer.send('S', { ...syn, wscale: 7, sackOk: true });
    peer.expect('SA', { mss: 1460, without: ['wscale', 'sackOk', 'ts'] });
    peer.send('A', { seq: 1, ack: 1, window: 999 });
    expect(script.subflow(script.accept(listener))).toMatchObject({ mss, sndWindow: 999 });
  });

  it('take 1,220 bytes over IPv6 when the SYN says nothing (RFC 9293 section 3.7.1)', () => {
    const script = open();
    const listener = script.listen(80);
    const peer = cookie(script, { local: 'fd00::2', remote: 'fd00::1' }, {});
    peer.send('A', { seq: 1, ack: 1 });
    expect(script.subflow(script.accept(listener)).mss).toBe(1220);
  });

  it('are not given for an MSS too small to stand for: such a SYN is kept', () => {
    const script = open();
    script.listen(80);
    new Peer(script).send('S', { mss: 200 });
    expect(script.pools().subflows).toBe(1);
  });

  it.each([
    ['no option', {}],
    ['SACK alone', { sackOk: true }],
    ['a window scale of 0', { wscale: 0 }],
    ['a window scale of 14', { wscale: 14, sackOk: true }],
  ] as const)('carry in the timestamp exactly what was offered: %s', (_, syn) => {
    const script = open();
    const listener = script.listen(80);
    const peer = new Peer(script, { ts: true });
    peer.send('S', { mss: 1460, ...syn });
    const answer = peer.expect('SA').options;
    expect(answer.sackOk).toBe('sackOk' in syn ? true : undefined);
    expect(answer.wscale !== undefined).toBe('wscale' in syn);
    peer.send('A', { seq: 1, ack: 1, window: 4 });
    const handle = script.accept(listener);
    expect(script.subflow(handle).sndWindow).toBe(4 << ('wscale' in syn ? syn.wscale : 0));
    peer.send('A', { seq: 5, ack: 1, window: 4, data: 'hole' });
    peer.expect('A', { ack: 1, sack: 'sackOk' in syn ? [[5, 9]] : [] });
  });

  it('never let the timestamp run ahead of the clock (RFC 7323 section 5)', () => {
    for (let ms = 0; ms < 64; ms += 7) {
      const script = open();
      const listener = script.listen(80);
      script.advance(ms * 1_000);
      const peer = new Peer(script, { ts: true });
      peer.send('S', SYN);
      const first = peer.expect('SA').options.ts?.[0] ?? 0;
      peer.send('A', { seq: 1, ack: 1, data: 'x' });
      const second = peer.expect('A', { ack: 2 }).options.ts?.[0] ?? 0;
      expect((second - first) | 0).toBeGreaterThanOrEqual(0);
      expect((second - first) | 0).toBeLessThan(64);
      expect(script.readText(script.accept(listener))).toBe('x');
    }
  });

  it('are taken from the first data when the third ACK was lost', () => {
    const script = open();
    const listener = script.listen(80);
    const peer = cookie(script, { ts: true });
    peer.send('A', { seq: 1, ack: 1, data: 'GET' });
    expect(script.readText(script.accept(listener))).toBe('GET');
    peer.expect('A', { ack: 4 });
  });

  it.each([
    ['another acknowledgment number', { ack: 2 }, {}],
    ['another sequence number', { seq: 2 }, {}],
    ['other options', { ts: [1, 0x55] as [number, number] }, {}],
    ['another port', {}, { port: 3 }],
    ['another address', {}, { remote: '10.0.0.9' }],
  ])('are of no use to others: %s', (_, said, options) => {
    const script = open();
    const listener = script.listen(80);
    const peer = cookie(script, { ts: true });
    const forger = new Peer(script, { ts: true, ...options });
    forger.irs = peer.irs;
    forger.tsEcho = peer.tsEcho;
    forger.send('A', { seq: 1, ack: 1, ...said });
    expect(forger.isFor(script.take(forger) ?? peer.packet('A'))).toBe(true);
    expect(script.counter('synCookieBad')).toBe(1);
    expect(script.x.mptcp_accept(listener)).toBeLessThan(0);
    expect(script.pools().subflows).toBe(0);
  });

  it('cannot be guessed: of a hundred thousand ACKs none makes a connection', () => {
    const script = open();
    script.listen(80);
    const peer = cookie(script);
    let state = 12_345;
    for (let count = 0; count < 100_000; count++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      peer.send('A', { seq: 1, ack: 1 + state });
      if (count % 32 === 0) script.skip();
    }
    // A hundred thousand of 2^32 × 2 periods: one would be luck.
    expect(script.counter('synCookieGood')).toBeLessThanOrEqual(1);
    script.skip();
  });

  it('grow old: good for a minute, and for nothing after three', () => {
    const late = (seconds: number) => {
      const script = open();
      script.listen(80);
      const peer = cookie(script, { ts: true });
      script.advance(seconds * SECOND);
      // Others keep coming.
      cookie(script, { port: 9 });
      peer.send('A', { seq: 1, ack: 1 });
      return script.counter('synCookieGood');
    };
    expect([late(0), late(60), late(130), late(200), late(64 * 31)]).toEqual([1, 1, 0, 0, 0]);
  });

  it('are looked for only while some are about', () => {
    const script = open();
    script.listen(80);
    const peer = new Peer(script);
    peer.send('A', { seq: 1, ack: 1 });
    peer.expect('R');
    cookie(script);
    script.advance(200 * SECOND);
    peer.send('A', { seq: 1, ack: 1 });
    expect(script.counter('synCookieBad')).toBe(0);
  });

  it('begin when the backlog is full of handshakes, and not before (RFC 4987 section 3.6)', () => {
    const script = new Script({ variant });
    const listener = script.listen(80, 2);
    const peers = [1, 2, 3, 4].map((port) => new Peer(script, { port }));
    for (const peer of peers) {
      peer.send('S', SYN);
      peer.expect('SA');
    }
    expect(script.pools().subflows).toBe(2);
    expect(script.counter('synCookieOut')).toBe(2);
    // Those kept may never answer; those that do are taken.
    for (const peer of peers.slice(2)) peer.send('A', { seq: 1, ack: 1, data: `${peer.port}` });
    expect(script.readText(script.accept(listener))).toBe('3');
    expect(script.readText(script.accept(listener))).toBe('4');
  });

  it('make no more connections than can wait to be accepted', () => {
    const script = new Script({ variant });
    const listener = script.listen(80, 2);
    const peers = [1, 2, 3, 4, 5].map((port) => new Peer(script, { port }));
    for (const peer of peers) {
      peer.send('S', SYN);
      peer.expect('SA');
    }
    for (const peer of peers.slice(2)) peer.send('A', { seq: 1, ack: 1 });
    expect(script.pools().subflows).toBe(4);
    expect(script.counter('dropBacklog')).toBe(1);
    // A SYN finds no room either, with or without cookie.
    const late = new Peer(script, { port: 6 });
    late.send('S', SYN);
    script.expectNothing();
    script.accept(listener);
    // The one refused sends again.
    peers[4]?.send('A', { seq: 1, ack: 1, data: 'again' });
    script.accept(listener);
    expect(script.readText(script.accept(listener))).toBe('again');
  });

  it('survive a flood: a real peer gets through while a hundred thousand SYNs come (RFC 4987 section 1)', () => {
    const script = new Script({ variant });
    const listener = script.listen(80, 16);
    for (let count = 0; count < 20_000; count++) {
      new Peer(script, { port: 1 + (count % 60_000), remote: `10.0.0.${3 + (count >> 13)}` }).send('S', SYN);
      if (count % 16 === 0) script.skip();
    }
    script.skip();
    expect(script.pools().subflows).toBe(16);
    const peer = new Peer(script);
    peer.send('S', SYN);
    peer.expect('SA');
    peer.send('A', { seq: 1, ack: 1, data: 'here' });
    expect(script.readText(script.accept(listener))).toBe('here');
  });

  it('make a Multipath TCP connection of the keys in the third ACK (RFC 8684 section 3.1)', () => {
    const script = open();
    const listener = script.listen(80);
    const peer = new MptcpPeer(script, { ts: true });
    peer.send('S', { ...SYN, mptcp: [{ capable: 'syn', flags: 1 }] });
    const answer = peer.expect('SA').options.mptcp?.[0];
    if (answer === undefined || !('capable' in answer) || answer.capable !== 'synack') throw new Error('no key');
    peer.remoteKey = answer.key;
    peer.send('A', { seq: 1, ack: 1, mptcp: [{ capable: 'ack', key: peer.key, peerKey: answer.key, flags: 1 }] });
    const handle = script.accept(listener);
    expect(script.info(handle)).toMatchObject({ fallback: 0, version: 1, localKey: answer.key, remoteKey: peer.key });
    expect(script.info(handle).localToken).toBe(token(answer.key));
    peer.send('A', { seq: 1, ack: 1, data: 'multipath', mptcp: [peer.map(0, 1, 9)] });
    expect(script.readText(handle)).toBe('multipath');
    script.write(handle, 'too');
    script.skip();
    script.abort(handle);
    script.skip();
    script.close(listener);
    script.expectEmpty();
  });

  it('fall back to plain TCP when the third ACK has no keys, or one that was not told (RFC 8684 section 3.1)', () => {
    const script = open();
    const listener = script.listen(80);
    const plain = new MptcpPeer(script, { ts: true });
    plain.send('S', { ...SYN, mptcp: [{ capable: 'syn', flags: 1 }] });
    plain.expect('SA');
    plain.send('A', { seq: 1, ack: 1 });
    expect(script.info(script.accept(listener))).toMatchObject({ version: 0, fallback: 2 });
    const peer = new MptcpPeer(script, { ts: true, port: 7 });
    peer.send('S', { ...SYN, mptcp: [{ capable: 'syn', flags: 1 }] });
    peer.expect('SA');
    const capable = { capable: 'ack' as const, key: peer.key, peerKey: 0x1234_5678n, flags: 1 };
    peer.send('A', { seq: 1, ack: 1, mptcp: [capable] });
    expect(script.info(script.accept(listener)).version).toBe(0);
  });

  it('give out keys of the own shard', () => {
    const script = open([
      [CONFIG_SHARDS, 8],
      [CONFIG_SHARD, 5],
    ]);
    script.listen(80);
    for (let port = 1; port < 10; port++) {
      const peer = new MptcpPeer(script, { port });
      peer.send('S', { ...SYN, mptcp: [{ capable: 'syn', flags: 1 }] });
      const answer = peer.expect('SA').options.mptcp?.[0];
      if (answer === undefined || !('capable' in answer) || answer.capable !== 'synack') throw new Error('no key');
      expect(token(answer.key) % 8).toBe(5);
    }
  });

  it('work without timestamps of our own', () => {
    const script = open([[CONFIG_TIMESTAMPS, 0]]);
    const listener = script.listen(80);
    const peer = new Peer(script, { ts: true });
    peer.send('S', SYN);
    peer.expect('SA', { without: ['ts', 'wscale', 'sackOk'] });
    peer.ts = false;
    peer.send('A', { seq: 1, ack: 1, data: 'plain' });
    expect(script.readText(script.accept(listener))).toBe('plain');
  });
});
