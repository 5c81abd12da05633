import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CONFIG_DSN64, CONFIG_NO_DELAY, CONFIG_RECEIVE_BUFFER } from '../../host/abi.js';
import { joinPassive, mptcpActive, mptcpPassive } from './handshakes.js';
import { dssChecksum } from './keys.js';
import type { Dss } from './options.js';
import { pattern, Script, type ScriptOptions, toBytes, VARIANTS } from './script.js';

describe.each(VARIANTS)('data sequence mappings (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });

  it('of 8 and of 4 bytes are understood (RFC 8684 section 3.3.1)', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    peer.send('A', { seq: 1, ack: 1, data: 'eight', mptcp: [peer.map(0, 1, 5)] });
    peer.expect('A', { ack: 6, mptcp: [{ dss: true, ack: peer.dsn(5), ack4: false }] });
    peer.send('A', { seq: 6, ack: 1, data: 'four', mptcp: [peer.map(5, 6, 4, { dsn4: true, ack4: true })] });
    peer.expect('A', { ack: 10, mptcp: [{ dss: true, ack: peer.dsn(9) }] });
    expect(script.readText(handle)).toBe('eightfour');
  });

  it('are written with 8 bytes, or with 4 when it is told so', () => {
    for (const wide of [1, 0]) {
      const script = open({ config: [[CONFIG_DSN64, wide]] });
      const { peer, handle } = mptcpPassive(script);
      script.write(handle, 'data');
      const low = wide === 1 ? peer.remoteDsn(0) : peer.remoteDsn(0) & 0xffff_ffffn;
      const ack = wide === 1 ? peer.dsn(0) : peer.dsn(0) & 0xffff_ffffn;
      const narrow = wide === 0;
      peer.expect('A', {
        seq: 1,
        data: 'data',
        mptcp: [{ dss: true, dsn: low, dsn4: narrow, ack, ack4: narrow, ssn: 1, length: 4 }],
      });
      peer.send('A', { seq: 1, ack: 5, mptcp: [peer.dss(4, { ack4: narrow })] });
      expect(script.events()).toContain('drained');
    }
  });

  it('of 8 bytes are acknowledged with 8, also by who writes 4 (RFC 8684 section 3.3.2)', () => {
    const script = open({ config: [[CONFIG_DSN64, 0]] });
    const { peer } = mptcpPassive(script);
    peer.send('A', { seq: 1, ack: 1, data: 'four', mptcp: [peer.map(0, 1, 4, { dsn4: true, ack4: true })] });
    peer.expect('A', { ack: 5, mptcp: [{ dss: true, ack: peer.dsn(4) & 0xffff_ffffn, ack4: true }] });
    peer.send('A', { seq: 5, ack: 1, data: 'eight', mptcp: [peer.map(4, 5, 5)] });
    peer.expect('A', { ack: 10, mptcp: [{ dss: true, ack: peer.dsn(9), ack4: false }] });
  });

  it.each([
    ['fast', 0, false],
    ['slow', 250_000, true],
  ])(
    'are written with 4 bytes only while they cannot wrap too soon: %s (RFC 8684 section 3.3.1)',
    (_, wait, narrow) => {
      const script = open({ config: [[CONFIG_DSN64, 0]], offload: true, budget: 64 << 20 });
      const { peer, handle } = mptcpPassive(script);
      const bytes = 1 << 24;
      let seq = 1;
      const send = (): Dss | undefined => {
        let last: Dss | undefined;
        script.write(handle, pattern(14_320));
        for (let packet = script.take(peer); packet !== undefined; packet = script.take(peer)) {
          last = packet.options.mptcp?.find((option): option is Dss => 'dss' in option && option.length !== undefined);
          seq += packet.data.length;
          // The next map begins where this one ends; an ACK of the peer frees both.
          peer.send('A', { seq: 1, ack: seq, mptcp: [peer.dss(seq - 1)] });
        }
        return last;
      };
      expect(send()?.dsn4).toBe(true);
      let most = 1;
      while (seq <= bytes + 100_000) {
        expect(send()).toBeDefined();
        // 64 times over a stretch of 16 MiB.
        if (wait > 0 && seq > most * (bytes >> 6)) {
          most++;
          script.advance(wait);
        }
      }
      expect(send()?.dsn4).toBe(narrow);
    },
  );

  it('map urgent data like all other (RFC 8684 section 3.3.1)', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script, { checksum: true });
    const mapped = (at: number, data: string) =>
      peer.map(at, at + 1, data.length, { checksum: dssChecksum(peer.dsn(at), at + 1, toBytes(data)) });
    peer.send('AU', { seq: 1, ack: 1, urgent: 3, data: 'urgent', mptcp: [mapped(0, 'urgent')] });
    peer.send('A', { seq: 7, ack: 1, data: ' or not', mptcp: [mapped(6, ' or not')] });
    expect(script.readText(handle)).toBe('urgent or not');
    expect(script.counter('MPTcpExtDataCsumErr')).toBe(0);
  });

  it('hold over segments that carry no option themselves (RFC 8684 section 3.3.1)', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    peer.send('A', { seq: 1, ack: 1, data: 'one ', mptcp: [peer.map(0, 1, 14)] });
    peer.send('A', { seq: 5, ack: 1, data: 'two ' });
    peer.send('A', { seq: 9, ack: 1, data: 'three ' });
    expect(script.readText(handle)).toBe('one two three ');
  });

  it('hold when the later segments come first', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    peer.send('A', { seq: 1, ack: 1, data: 'one ', mptcp: [peer.map(0, 1, 4)] });
    peer.send('A', { seq: 9, ack: 1, data: 'three ', mptcp: [peer.map(4, 5, 10)] });
    peer.send('A', { seq: 5, ack: 1, data: 'two ' });
    expect(script.readText(handle)).toBe('one two three ');
  });

  it('may be repeated, and a part of one, too', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    peer.send('A', { seq: 1, ack: 1, data: 'abcd', mptcp: [peer.map(0, 1, 12)] });
    peer.send('A', { seq: 5, ack: 1, data: 'efgh', mptcp: [peer.map(0, 1, 12)] });
    peer.send('A', { seq: 9, ack: 1, data: 'ijkl', mptcp: [peer.map(8, 9, 4)] });
    expect(script.readText(handle)).toBe('abcdefghijkl');
    // And old ones do no harm.
    peer.send('A', { seq: 1, ack: 1, data: 'abcd', mptcp: [peer.map(0, 1, 12)] });
    expect(script.readText(handle)).toBe('');
  });

  it('may overlap as long as they agree', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    peer.send('A', { seq: 5, ack: 1, mptcp: [peer.map(4, 5, 4)] });
    // Begins before the known one and ends behind it.
    peer.send('A', { seq: 1, ack: 1, data: 'abcdefghijkl', mptcp: [peer.map(0, 1, 12)] });
    expect(script.readText(handle)).toBe('abcdefghijkl');
    expect(script.pools().receiveMaps).toBe(0);
  });

  it('that contradict each other end the subflow (RFC 8684 section 3.3.1)', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    peer.send('A', { seq: 1, ack: 1, data: 'abcd', mptcp: [peer.map(0, 1, 12)] });
    script.skip();
    peer.send('A', { seq: 5, ack: 1, data: 'efgh', mptcp: [peer.map(7, 5, 4)] });
    peer.expect('RA', { mptcp: [{ reset: 1 }] });
    // No other subflow is left, and none comes.
    script.advance(60_000_000);
    expect(script.events()).toContain('closed ERR_TIMED_OUT');
    expect(script.read(handle)).toEqual({ data: toBytes('abcd'), error: 'ERR_TIMED_OUT' });
  });

  it('that acknowledge data never sent are ignored (RFC 8684 section 3.3.2)', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const before = script.info(handle).sndUna;
    peer.send('A', { seq: 1, ack: 1, mptcp: [peer.dss(1_000)] });
    expect(script.info(handle).sndUna).toBe(before);
    expect(script.counter('MPTcpExtDSSNotMatching')).toBe(1);
  });

  it('free the send buffer by DATA_ACK only (RFC 8684 section 3.3.2)', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    script.write(handle, pattern(1_000));
    peer.expect('A', { length: 1_000 });
    script.events();
    peer.send('A', { seq: 1, ack: 1_001, mptcp: [peer.dss(0)] });
    expect(script.events()).toEqual([]);
    expect(script.info(handle).bytesAcked).toBe(0n);
    peer.send('A', { seq: 1, ack: 1_001, mptcp: [peer.dss(400)] });
    expect(script.info(handle).bytesAcked).toBe(400n);
    peer.send('A', { seq: 1, ack: 1_001, mptcp: [peer.dss(1_000)] });
    expect(script.events()).toEqual(['drained']);
  });

  it('of the first flight go by one subflow, those after the first DATA_ACK by all (RFC 8684 section 3.3.1)', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    script.write(handle, pattern(60_000));
    const first = script.flush().map((packet) => packet.link);
    expect(first).toHaveLength(10);
    expect(new Set(first).size).toBe(1);
    script.skip();
    const carrier = first[0] === peer.link ? peer : second;
    carrier.send('A', { seq: 1, ack: 1461, mptcp: [peer.dss(1460)] });
    expect(new Set(script.flush().map((packet) => packet.link))).toEqual(new Set([peer.link, second.link]));
  });

  it('put data together that comes out of order over two subflows', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    second.send('A', { seq: 1, ack: 1, data: 'world', mptcp: [second.map(6, 1, 5)] });
    second.expect('A', { ack: 6, mptcp: [{ dss: true, ack: peer.dsn(0) }] });
    expect(script.readText(handle)).toBe('');
    peer.send('A', { seq: 1, ack: 1, data: 'hello ', mptcp: [peer.map(0, 1, 6)] });
    peer.expect('A', { ack: 7, mptcp: [{ dss: true, ack: peer.dsn(11) }] });
    expect(script.readText(handle)).toBe('hello world');
  });

  it('of the same bytes on two subflows give them once', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    peer.send('A', { seq: 1, ack: 1, data: 'abcdef', mptcp: [peer.map(0, 1, 6)] });
    second.send('A', { seq: 1, ack: 1, data: 'defghi', mptcp: [second.map(3, 1, 6)] });
    second.expect('A', { ack: 7, mptcp: [{ dss: true, ack: peer.dsn(9) }] });
    second.send('A', { seq: 7, ack: 1, data: 'abc', mptcp: [second.map(0, 7, 3)] });
    expect(script.readText(handle)).toBe('abcdefghi');
    expect(script.info(handle).bytesReceived).toBe(9n);
  });

  it('put any pieces together in any order over two subflows', () => {
    const data = pattern(3_000);
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 1, max: data.length - 1 }), { maxLength: 12 }),
        fc.array(fc.nat(1), { minLength: 13, maxLength: 13 }),
        fc.boolean(),
        fc.infiniteStream(fc.nat(1_000)),
        (cuts, sides, checksum, random) => {
          const script = open();
          const { peer, handle } = mptcpPassive(script, { checksum });
          const subflows = [peer, joinPassive(peer)];
          const sent = [1, 1];
          const edges = [0, ...cuts.sort((a, b) => a - b), data.length];
          const packets = edges.slice(1).map((end, index) => {
            const start = edges[index] ?? 0;
            const side = sides[index] ?? 0;
            const ssn = sent[side] ?? 1;
            sent[side] = ssn + end - start;
            const part = data.subarray(start, end);
            const sum = checksum ? { checksum: dssChecksum(peer.dsn(start), ssn, part) } : {};
            return { side, seq: ssn, data: part, mptcp: [peer.map(start, ssn, part.length, sum)] };
          });
          const order = packets.map((packet) => ({ packet, key: random.next().value ?? 0 }));
          order.sort((a, b) => a.key - b.key);
          for (const { packet } of order) {
            const { side, ...said } = packet;
            subflows[side]?.send('A', { ack: 1, ...said });
          }
          expect(script.read(handle)).toEqual({ data, error: 'ERR_DONE' });
          expect(script.pools()).toMatchObject({ ranges: 0, receiveMaps: 0 });
        },
      ),
      { numRuns: 40 },
    );
  });

  it('beyond the window of the connection are dropped (RFC 8684 section 3.3.5)', () => {
    const script = open({ config: [[CONFIG_RECEIVE_BUFFER, 8_192]] });
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    peer.send('A', { seq: 1, ack: 1, data: pattern(1_000, 8_000), mptcp: [peer.map(8_000, 1, 1_000)] });
    second.send('A', { seq: 1, ack: 1, data: pattern(1_000, 20_000), mptcp: [second.map(20_000, 1, 1_000)] });
    second.expect('A', { ack: 1 });
    for (let at = 0; at < 8_000; at += 1_000) {
      second.send('A', {
        seq: 1_001 + at,
        ack: 1,
        data: pattern(1_000, at),
        mptcp: [second.map(at, 1_001 + at, 1_000)],
      });
    }
    expect(script.info(handle).readable).toBeLessThanOrEqual(8_192);
  });
});

describe.each(VARIANTS)('DSS checksums (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });

  it('that match let data through, of even and odd pieces (RFC 8684 section 3.3)', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script, { checksum: true });
    const data = pattern(5_001);
    const checksum = dssChecksum(peer.dsn(0), 1, data);
    let sent = 0;
    for (const length of [1_001, 1_000, 999, 1, 1_000, 1_000]) {
      const part = data.subarray(sent, sent + length);
      const first = sent === 0 ? { mptcp: [peer.map(0, 1, data.length, { checksum })] } : {};
      peer.send('A', { seq: 1 + sent, ack: 1, data: part, ...first });
      sent += length;
      // Nothing is known to be good before all of the mapping is there.
      if (sent < data.length) expect(script.readText(handle)).toBe('');
    }
    expect(script.read(handle).data).toEqual(data);
  });

  it('are written over the pseudo-header and the data (RFC 8684 section 3.3)', () => {
    const script = open({ config: [[CONFIG_NO_DELAY, 1]] });
    const { peer, handle } = mptcpPassive(script, { checksum: true });
    for (const [index, part] of ['odd', 'even'].entries()) {
      const at = index * 3;
      script.write(handle, part);
      const checksum = dssChecksum(peer.remoteDsn(at), 1 + at, toBytes(part));
      peer.expect('A', { data: part, mptcp: [{ dss: true, dsn: peer.remoteDsn(at), ssn: 1 + at, checksum }] });
    }
    script.shutdown(handle);
    peer.expect('A', {
      mptcp: [{ dss: true, fin: true, checksum: dssChecksum(peer.remoteDsn(7), 0, new Uint8Array(0), 1) }],
    });
  });

  it('that do not match on one subflow leave the data to another', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script, { checksum: true });
    const second = joinPassive(peer);
    const good = toBytes('right bytes');
    const map = (ssn: number) => peer.map(0, ssn, good.length, { checksum: dssChecksum(peer.dsn(0), ssn, good) });
    second.send('A', { seq: 1, ack: 1, data: 'wrong bytes', mptcp: [map(1)] });
    second.expect('RA', { mptcp: [{ fail: peer.dsn(0) }, { reset: 6 }] });
    expect(script.readText(handle)).toBe('');
    peer.send('A', { seq: 1, ack: 1, data: good, mptcp: [map(1)] });
    expect(script.readText(handle)).toBe('right bytes');
  });

  it('that were agreed on and are missing, or the other way round, end the subflow (RFC 8684 section 3.3.1)', () => {
    for (const checksum of [true, false]) {
      const script = open();
      const { peer, handle } = mptcpPassive(script, { checksum });
      const sum = checksum ? {} : { checksum: dssChecksum(peer.dsn(0), 1, toBytes('abcd')) };
      peer.send('A', { seq: 1, ack: 1, data: 'abcd', mptcp: [peer.map(0, 1, 4, sum)] });
      peer.expect('RA', { mptcp: [{ reset: 1 }] });
      expect(script.read(handle).data).toHaveLength(0);
    }
  });

  it('of a mapping with DATA_FIN count its number, too (RFC 8684 section 3.3.1)', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script, { checksum: true });
    const checksum = dssChecksum(peer.dsn(0), 1, toBytes('the end'), 8);
    peer.send('A', { seq: 1, ack: 1, data: 'the end', mptcp: [peer.map(0, 1, 8, { fin: true, checksum })] });
    const { data, error } = script.read(handle);
    expect([Buffer.from(data).toString(), error]).toEqual(['the end', '']);
    expect(script.counter('MPTcpExtDataCsumErr')).toBe(0);
  });

  it('guard the data when a bad copy overwrites a part of it before it is verified', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script, { checksum: true });
    const second = joinPassive(peer);
    const good = pattern(1_000);
    const whole = peer.map(0, 1, 1_000, { checksum: dssChecksum(peer.dsn(0), 1, good) });
    const part = second.map(500, 1, 500, { checksum: dssChecksum(peer.dsn(500), 1, good.subarray(500)) });
    peer.send('A', { seq: 1, ack: 1, data: good.subarray(0, 900), mptcp: [whole] });
    // A middlebox changed these bytes; their mapping is not complete yet, so nothing tells.
    second.send('A', { seq: 1, ack: 1, data: new Uint8Array(400).fill(88), mptcp: [part] });
    peer.send('A', { seq: 901, ack: 1, data: good.subarray(900), mptcp: [whole] });
    const { data } = script.read(handle);
    expect(data).toEqual(good.subarray(0, data.length));
  });

  it('guard the data when its front came by another way', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script, { checksum: true });
    const second = joinPassive(peer);
    const third = joinPassive(peer, { port: 41_001, id: 3 });
    const good = pattern(1_000);
    const whole = peer.map(0, 1, 1_000, { checksum: dssChecksum(peer.dsn(0), 1, good) });
    peer.send('A', { seq: 1, ack: 1, data: good.subarray(0, 900), mptcp: [whole] });
    // Bad bytes over a part of it, and good ones for its front: the front is delivered.
    const bad = second.map(500, 1, 500, { checksum: dssChecksum(peer.dsn(500), 1, good.subarray(500)) });
    second.send('A', { seq: 1, ack: 1, data: new Uint8Array(400).fill(88), mptcp: [bad] });
    const front = third.map(0, 1, 100, { checksum: dssChecksum(peer.dsn(0), 1, good.subarray(0, 100)) });
    third.send('A', { seq: 1, ack: 1, data: good.subarray(0, 100), mptcp: [front] });
    expect(script.read(handle).data).toEqual(good.subarray(0, 100));
    peer.send('A', { seq: 901, ack: 1, data: good.subarray(900), mptcp: [whole] });
    const { data } = script.read(handle);
    expect(data).toEqual(good.subarray(100, 100 + data.length));
  });
});

describe.each(VARIANTS)('DATA_FIN (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });

  it('alone ends the stream and is acknowledged at data level (RFC 8684 section 3.3.3)', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    peer.send('A', { seq: 1, ack: 1, mptcp: [peer.map(0, 0, 1, { fin: true })] });
    peer.expect('A', { seq: 1, ack: 1, mptcp: [{ dss: true, ack: peer.dsn(1) }] });
    expect(script.read(handle).error).toBe('');
    expect(script.events()).toEqual(['readable 1']);
  });

  it.each([true, false])('alone resets the subflow without the checksum agreed on, or with one: %s', (checksum) => {
    const script = open();
    const { peer, handle } = mptcpPassive(script, { checksum });
    const second = joinPassive(peer);
    const sum = checksum ? {} : { checksum: dssChecksum(peer.dsn(0), 0, new Uint8Array(0), 1) };
    second.send('A', { seq: 1, ack: 1, mptcp: [second.map(0, 0, 1, { fin: true, ...sum })] });
    second.expect('RA', { mptcp: [{ reset: 1 }] });
    expect(script.read(handle).error).toBe('ERR_DONE');
    const right = checksum ? { checksum: dssChecksum(peer.dsn(0), 0, new Uint8Array(0), 1) } : {};
    peer.send('A', { seq: 1, ack: 1, mptcp: [peer.map(0, 0, 1, { fin: true, ...right })] });
    peer.expect('A', { mptcp: [{ dss: true, ack: peer.dsn(1) }] });
    expect(script.read(handle).error).toBe('');
  });

  it('alone is not believed with a wrong checksum: MP_FAIL, or a reset beside another subflow', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script, { checksum: true });
    const second = joinPassive(peer);
    const wrong = { fin: true, checksum: dssChecksum(peer.dsn(0), 0, new Uint8Array(0), 2) };
    second.send('A', { seq: 1, ack: 1, mptcp: [second.map(0, 0, 1, wrong)] });
    second.expect('RA', { mptcp: [{ fail: peer.dsn(0) }, { reset: 6 }] });
    expect(script.read(handle).error).toBe('ERR_DONE');
    const alone = open();
    const only = mptcpPassive(alone, { checksum: true });
    for (let times = 0; times < 2; times++) {
      only.peer.send('A', { seq: 1, ack: 1, mptcp: [only.peer.map(0, 0, 1, { ...wrong, dsn: only.peer.dsn(0) })] });
    }
    only.peer.expect('A', { mptcp: [{ fail: only.peer.dsn(0) }, { dss: true }] });
    alone.expectNothing();
    expect(alone.read(only.handle).error).toBe('ERR_DONE');
  });

  it('with data ends the stream behind it (RFC 8684 section 3.3.3)', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    peer.send('A', { seq: 1, ack: 1, data: 'the end', mptcp: [peer.map(0, 1, 8, { fin: true })] });
    peer.expect('A', { ack: 8, mptcp: [{ dss: true, ack: peer.dsn(8) }] });
    const { data, error } = script.read(handle);
    expect([Buffer.from(data).toString(), error]).toEqual(['the end', '']);
  });

  it('waits for the data before it', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    second.send('A', { seq: 1, ack: 1, mptcp: [second.map(5, 0, 1, { fin: true })] });
    second.expect('A', { mptcp: [{ dss: true, ack: peer.dsn(0) }] });
    expect(script.read(handle).error).toBe('ERR_DONE');
    peer.send('A', { seq: 1, ack: 1, data: 'bytes', mptcp: [peer.map(0, 1, 5)] });
    peer.expect('A', { ack: 6, mptcp: [{ dss: true, ack: peer.dsn(6) }] });
    const { data, error } = script.read(handle);
    expect([Buffer.from(data).toString(), error]).toEqual(['bytes', '']);
  });

  it('is sent at the end and again until it is acknowledged; then the subflows close (RFC 8684 section 3.3.3)', () => {
    const script = open();
    const { peer, handle, listener } = mptcpPassive(script);
    script.shutdown(handle);
    const fin = { dss: true as const, fin: true, dsn: peer.remoteDsn(0), ssn: 0, length: 1 };
    peer.expect('A', { seq: 1, mptcp: [fin] });
    script.advance(10_000_000);
    peer.expect('A', { seq: 1, mptcp: [fin] });
    script.skip();
    peer.send('A', { seq: 1, ack: 1, mptcp: [peer.dss(1)] });
    script.expectNothing();
    peer.send('A', { seq: 1, ack: 1, mptcp: [peer.dss(1, { dsn: peer.dsn(0), ssn: 0, length: 1, fin: true })] });
    expect(script.events()).toContain('closed');
    const packets = [script.take(peer), script.take(peer)].filter((packet) => packet !== undefined);
    expect(packets.some(({ flags }) => flags.includes('F'))).toBe(true);
    expect(packets.some(({ options }) => options.mptcp?.some((o) => 'dss' in o && o.ack === peer.dsn(1)))).toBe(true);
    peer.send('FA', { seq: 1, ack: 2, mptcp: [peer.dss(1)] });
    peer.expect('A', { seq: 2, ack: 2 });
    script.close(handle);
    script.close(listener);
    script.advance(60_000_000);
    script.expectEmpty();
  });

  it('leaves the other direction open', () => {
    const script = open();
    const { peer, handle } = mptcpActive(script);
    peer.send('A', { seq: 1, ack: 1, mptcp: [peer.map(0, 0, 1, { fin: true })] });
    script.skip();
    script.write(handle, 'on and on');
    peer.expect('A', { seq: 1, data: 'on and on', mptcp: [{ dss: true, dsn: peer.remoteDsn(0), ack: peer.dsn(1) }] });
  });

  it('leaves it open also when the subflows of the peer end behind it (RFC 8684 appendix D)', () => {
    const script = open();
    const { peer, handle, listener } = mptcpPassive(script);
    const second = joinPassive(peer);
    peer.send('A', { seq: 1, ack: 1, mptcp: [peer.map(0, 0, 1, { fin: true })] });
    script.skip();
    for (const subflow of [peer, second]) {
      subflow.send('FA', { seq: 1, ack: 1, mptcp: [peer.dss(0)] });
      subflow.expect('A', { seq: 1, ack: 2 });
    }
    script.expectNothing();
    script.write(handle, 'on and on');
    const carrier = script.flush()[0]?.link === peer.link ? peer : second;
    const other = carrier === peer ? second : peer;
    carrier.expect('A', { seq: 1, data: 'on and on', mptcp: [{ dss: true, dsn: peer.remoteDsn(0) }] });
    carrier.send('A', { seq: 2, ack: 10, mptcp: [peer.dss(9)] });
    script.shutdown(handle);
    script.skip();
    carrier.send('A', { seq: 2, ack: 10, mptcp: [peer.dss(10)] });
    expect(script.events()).toContain('closed');
    carrier.expect('FA', { seq: 10, ack: 2 });
    other.expect('FA', { seq: 1, ack: 2 });
    carrier.send('A', { seq: 2, ack: 11 });
    other.send('A', { seq: 2, ack: 2 });
    script.close(handle);
    script.close(listener);
    script.expectEmpty();
  });

  it('is not a FIN: a subflow that closes alone leaves the connection (RFC 8684 section 3.3.3)', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    second.send('FA', { seq: 1, ack: 1, mptcp: [peer.dss(0)] });
    second.expect('FA', { seq: 1, ack: 2 });
    second.send('A', { seq: 2, ack: 2 });
    expect(script.info(handle).subflows).toBe(1);
    peer.send('A', { seq: 1, ack: 1, data: 'alive', mptcp: [peer.map(0, 1, 5)] });
    expect(script.readText(handle)).toBe('alive');
  });
});
