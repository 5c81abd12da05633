/** What other stacks got wrong once, and corners of the RFCs that are easily missed. */
import { describe, expect, it } from 'vitest';
import { CONNECT_PLAIN_TCP, TCP_CLOSE_WAIT, TCP_ESTABLISHED } from '../../host/abi.js';
import { plainActive, plainPassive, SYN } from './handshakes.js';
import { Peer, pattern, Script, VARIANTS } from './script.js';

describe.each(VARIANTS)('corners of TCP (%s)', (variant) => {
  const open = (config: [number, number][] = []) => new Script({ variant, config });

  it('leaves data in a SYN to be sent again (RFC 9293 section 3.10.7.2)', () => {
    const script = open();
    const listener = script.listen(80);
    const peer = new Peer(script);
    peer.send('S', { ...SYN, data: 'early' });
    peer.expect('SA', { seq: 0, ack: 1 });
    peer.send('A', { seq: 1, ack: 1, data: 'early and late' });
    expect(script.readText(script.accept(listener))).toBe('early and late');
  });

  it('leaves data in a SYN/ACK to be sent again', () => {
    const script = open();
    const peer = new Peer(script, {}, 0);
    const handle = script.connect(peer, CONNECT_PLAIN_TCP);
    peer.expect('S');
    peer.send('SA', { ...SYN, ack: 1, data: 'early' });
    peer.expect('A', { ack: 1 });
    peer.send('A', { seq: 1, ack: 1, data: 'early' });
    expect(script.readText(handle)).toBe('early');
  });

  it('does not take the FIN of a SYN for the end of the stream', () => {
    const script = open();
    const listener = script.listen(80);
    const peer = new Peer(script);
    peer.send('FS', SYN);
    peer.expect('SA', { ack: 1 });
    peer.send('A', { seq: 1, ack: 1, data: 'on' });
    const handle = script.accept(listener);
    expect(script.readText(handle)).toBe('on');
    expect(script.subflow(handle).state).toBe(TCP_ESTABLISHED);
  });

  it('takes the third ACK, all the data and the FIN in one segment', () => {
    const script = open();
    const listener = script.listen(80);
    const peer = new Peer(script);
    peer.send('S', SYN);
    peer.expect('SA');
    peer.send('FA', { seq: 1, ack: 1, data: 'all' });
    peer.expect('A', { seq: 1, ack: 5 });
    const handle = script.accept(listener);
    expect(script.subflow(handle).state).toBe(TCP_CLOSE_WAIT);
    const { data, error } = script.read(handle);
    expect([Buffer.from(data).toString(), error]).toEqual(['all', '']);
  });

  it.each([0, 1, 2, 3, 4, 65_535])('delivers urgent data in its place, pointer %i (RFC 6093 section 6)', (urgent) => {
    const script = open();
    const { peer, handle } = plainPassive(script);
    peer.send('AU', { seq: 1, ack: 1, data: 'abc', urgent });
    peer.send('AU', { seq: 4, ack: 1, urgent });
    peer.send('A', { seq: 4, ack: 1, data: 'def' });
    expect(script.readText(handle)).toBe('abcdef');
  });

  it('skips options it does not know, in SYNs and after (RFC 9293 section 3.1, MUST-6)', () => {
    const script = open();
    const listener = script.listen(80);
    const peer = new Peer(script);
    // User timeout, an experiment, MD5, and a kind nobody has.
    const raw = [28, 4, 0x80, 5, 254, 4, 1, 2];
    peer.send('S', { ...SYN, raw });
    peer.expect('SA', { sackOk: true });
    peer.send('A', { seq: 1, ack: 1, data: 'x', raw: [19, 18, ...new Array<number>(16).fill(7), 200, 2] });
    expect(script.readText(script.accept(listener))).toBe('x');
    expect(script.counter('dropTcpOptions')).toBe(0);
  });

  it.each([
    ['a length of 0', [254, 0, 1, 1]],
    ['a length of 1', [254, 1, 1, 1]],
    ['a length beyond the header', [254, 40, 1, 1]],
    ['nothing behind its kind', [1, 1, 1, 254]],
  ])('takes a segment whose option has %s, without the options behind it (RFC 9293 section 3.1, MUST-7)', (_, raw) => {
    const script = open();
    const { peer, handle } = plainPassive(script);
    peer.send('A', { seq: 1, ack: 1, data: 'x', raw });
    expect(script.readText(handle)).toBe('x');
    expect(script.counter('dropTcpOptions')).toBe(1);
  });

  it.each([0, 1, 7, 63, 64, 65, 87])('sends to a peer that asks for segments of %i bytes', (mss) => {
    const script = open();
    const { peer, handle } = plainPassive(script, { ts: true }, { ...SYN, mss });
    const data = pattern(2_000);
    script.write(handle, data);
    const got = new Uint8Array(2_000);
    for (let at = 0; at < 2_000; ) {
      const packet = script.take(peer);
      if (packet === undefined) throw new Error(`nothing left after ${at} bytes`);
      expect(packet.data.length).toBeGreaterThan(0);
      got.set(packet.data, at);
      at += packet.data.length;
      peer.send('A', { seq: 1, ack: 1 + at });
    }
    expect(got).toEqual(data);
  });

  it.each([999, 1_001, 1_447])(
    'gets on with an odd MSS of %i and a window of three of them (RFC 9293 section 3.8.6.2)',
    (mss) => {
      const script = open();
      const peer = new Peer(script, {}, 0);
      const handle = script.connect(peer, CONNECT_PLAIN_TCP);
      peer.expect('S');
      const window = 3 * mss - 1;
      peer.send('SA', { ack: 1, mss, window });
      peer.expect('A');
      script.write(handle, pattern(30_000));
      let at = 1;
      let small = 0;
      const begun = script.now;
      while (at < 30_001) {
        const packet = script.take(peer);
        if (packet === undefined) {
          peer.send('A', { seq: 1, ack: at, window });
          script.advance(1_000);
          if (script.now - begun > 1_000_000) throw new Error(`it stalls at ${at}`);
          continue;
        }
        if (packet.data.length < mss) small++;
        at += packet.data.length;
      }
      expect(small).toBeLessThanOrEqual(1);
    },
  );

  it('goes on when the timestamps of its peer go over 2^32 and 2^31 (RFC 7323 section 5.2)', () => {
    for (const first of [0xffff_fff0, 0x7fff_fff0]) {
      const script = open();
      const listener = script.listen(80);
      const peer = new Peer(script);
      peer.send('S', { ...SYN, ts: [first, 0] });
      const echo = peer.expect('SA').options.ts?.[0] ?? 0;
      for (let at = 0; at < 64; at++) {
        peer.send('A', { seq: 1 + at, ack: 1, data: 'x', ts: [(first + at) >>> 0, echo] });
      }
      expect(script.readText(script.accept(listener))).toBe('x'.repeat(64));
      expect(script.counter('dropPaws')).toBe(0);
    }
  });

  it('does not let a segment outside the window spoil the timestamp it echoes (RFC 7323 section 4.3)', () => {
    const script = open();
    const { peer, handle } = plainPassive(script, { ts: true });
    script.advance(1_000);
    peer.send('A', { seq: 0x6000_0000, ack: 1, data: 'far', ts: [peer.tsNow() + 0x1000_0000, peer.tsEcho] });
    peer.expect('A', { ack: 1 });
    peer.send('A', { seq: 1, ack: 1, data: 'near' });
    expect(script.readText(handle)).toBe('near');
  });

  it('takes nothing that claims to lie behind a FIN (RFC 9293 section 3.10.7.4)', () => {
    const script = open();
    const { peer, handle } = plainPassive(script);
    peer.send('FA', { seq: 4, ack: 1, data: 'def' });
    peer.send('A', { seq: 6, ack: 1, data: 'fghi' });
    peer.send('A', { seq: 20, ack: 1, data: 'far behind' });
    peer.send('FA', { seq: 30, ack: 1 });
    peer.send('A', { seq: 1, ack: 1, data: 'abc' });
    const { data, error } = script.read(handle);
    expect([Buffer.from(data).toString(), error]).toEqual(['abcdef', '']);
    expect(script.subflow(handle).state).toBe(TCP_CLOSE_WAIT);
  });

  it('takes a FIN again that the peer puts together with data sent before', () => {
    const script = open();
    const { peer, handle } = plainPassive(script);
    peer.send('FA', { seq: 7, ack: 1 });
    peer.send('A', { seq: 4, ack: 1, data: 'def' });
    peer.send('FA', { seq: 1, ack: 1, data: 'abcdef' });
    script.skip();
    const { data, error } = script.read(handle);
    expect([Buffer.from(data).toString(), error]).toEqual(['abcdef', '']);
  });

  it('acknowledges the data and FIN of a peer whose ACKs were lost, though its own FIN is out', () => {
    const script = open();
    const { peer, handle } = plainActive(script);
    script.write(handle, 'bye');
    script.shutdown(handle);
    script.skip();
    peer.send('FA', { seq: 1, ack: 1, data: 'bye' });
    peer.expect('A', { seq: 5, ack: 5 });
    // The ACK was lost, too; ours were not.
    peer.send('FA', { seq: 1, ack: 5, data: 'bye' });
    peer.expect('A', { seq: 5, ack: 5 });
    expect(script.events()).toContain('closed');
  });

  it('says EADDRINUSE for a port that is taken, by a listener or towards one peer', () => {
    const script = open();
    const listener = script.listen(80);
    expect(() => script.listen(80)).toThrow('ERR_ADDRESS_IN_USE');
    const peer = new Peer(script, {}, 0);
    script.connect(peer, CONNECT_PLAIN_TCP, 5_000);
    expect(() => script.connect(peer, CONNECT_PLAIN_TCP, 5_000)).toThrow('ERR_ADDRESS_IN_USE');
    // Towards another the same port is another connection.
    script.connect(new Peer(script, { port: 9 }, 0), CONNECT_PLAIN_TCP, 5_000);
    script.close(listener);
    script.listen(80);
  });
});
