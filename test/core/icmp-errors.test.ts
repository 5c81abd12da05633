import { describe, expect, it } from 'vitest';
import {
  CONFIG_RETRIES,
  CONFIG_SHARD,
  CONFIG_SHARDS,
  CONFIG_SYN_RETRIES,
  TCP_ESTABLISHED,
  TCP_SYN_SENT,
} from '../../host/abi.js';
import { plainActive, plainPassive, SYN } from './handshakes.js';
import { icmp } from './icmp-quote.js';
import { writeIcmp } from './packets.js';
import { Random, seeds } from './random.js';
import { Peer, Script, VARIANTS } from './script.js';

const V6 = { local: 'fd00::2', remote: 'fd00::1' };

describe.each(VARIANTS)('ICMP errors (%s)', (variant) => {
  const open = (config: [number, number][] = []) => new Script({ variant, config });

  it.each([
    ['port unreachable', 3, 3, {}],
    ['protocol unreachable', 3, 2, {}],
    ['port unreachable over IPv6', 1, 4, V6],
    ['next header not recognized over IPv6', 4, 1, V6],
  ])('end a SYN-SENT at once: %s (RFC 1122 section 4.2.3.9)', (_, type, code, addresses) => {
    const script = open();
    const peer = new Peer(script, addresses, 0);
    const handle = script.connect(peer, 1);
    peer.expect('S');
    script.ingest(icmp(peer, type, code, 0));
    expect(script.events()).toEqual(['closed ERR_REFUSED']);
    expect(script.counter('icmpError')).toBe(1);
    script.close(handle);
    script.expectNothing();
    script.expectEmpty();
  });

  it.each([
    ['network unreachable', 3, 0, {}],
    ['host unreachable', 3, 1, {}],
    ['administratively prohibited', 3, 13, {}],
    ['time exceeded', 11, 0, {}],
    ['no route over IPv6', 1, 0, V6],
    ['hop limit exceeded over IPv6', 3, 0, V6],
  ])(
    'that may heal let the SYN go on, and are told when it fails: %s (RFC 1122 section 4.2.3.9)',
    (_, type, code, addresses) => {
      const script = open([[CONFIG_SYN_RETRIES, 1]]);
      const peer = new Peer(script, addresses, 0);
      const handle = script.connect(peer, 1);
      peer.expect('S');
      script.ingest(icmp(peer, type, code, 0));
      expect(script.subflow(handle).state).toBe(TCP_SYN_SENT);
      script.advance(10_000_000);
      expect(script.events()).toEqual(['closed ERR_UNREACHABLE']);
    },
  );

  it('end a SYN-RECEIVED at once, when they are hard (RFC 1122 section 4.2.3.9)', () => {
    const script = open();
    const listener = script.listen(80);
    const peer = new Peer(script);
    peer.send('S', SYN);
    peer.expect('SA');
    script.ingest(icmp(peer, 3, 3, 0));
    script.close(listener);
    script.expectNothing();
    script.expectEmpty();
  });

  it('never end an established connection, and are told when it times out (RFC 5927 section 5.2)', () => {
    const script = open([[CONFIG_RETRIES, 3]]);
    const { peer, handle } = plainActive(script);
    script.write(handle, 'data');
    peer.expect('A', { seq: 1, data: 'data' });
    script.ingest(icmp(peer, 3, 3, 1));
    expect(script.counter('icmpError')).toBe(1);
    expect(script.subflow(handle).state).toBe(TCP_ESTABLISHED);
    script.advance(60_000_000);
    expect(script.events()).toContain('closed ERR_REFUSED');
  });

  it('are forgotten when the peer answers', () => {
    const script = open([[CONFIG_RETRIES, 3]]);
    const { peer, handle } = plainActive(script);
    script.write(handle, 'data');
    peer.expect('A', { seq: 1, data: 'data' });
    script.ingest(icmp(peer, 3, 1, 1));
    peer.send('A', { seq: 1, ack: 5 });
    script.write(handle, 'more');
    script.advance(60_000_000);
    expect(script.events()).toContain('closed ERR_TIMED_OUT');
  });

  it.each([
    ['before what is in flight', 0],
    ['behind it', 5],
    ['far away', -0x7000_0000],
  ])('are ignored when they are about a sequence number %s (RFC 5927 section 4.1)', (_, seq) => {
    const script = open([[CONFIG_RETRIES, 3]]);
    const { peer, handle } = plainActive(script);
    script.write(handle, 'data');
    peer.expect('A', { seq: 1, data: 'data' });
    script.ingest(icmp(peer, 3, 1, seq));
    expect(script.counter('icmpStray')).toBe(1);
    script.advance(60_000_000);
    expect(script.events()).toContain('closed ERR_TIMED_OUT');
  });

  it('are ignored when another SYN is quoted than the one in flight (RFC 5927 section 4.1)', () => {
    const script = open();
    const peer = new Peer(script, {}, 0);
    const handle = script.connect(peer, 1);
    peer.expect('S');
    script.ingest(icmp(peer, 3, 3, 1));
    script.ingest(icmp(peer, 3, 3, -1));
    expect(script.subflow(handle).state).toBe(TCP_SYN_SENT);
    expect(script.counter('icmpStray')).toBe(2);
  });

  it('are ignored when they quote too little, no segment, or a connection that is not there', () => {
    const script = open();
    const { peer, handle } = plainPassive(script);
    script.write(handle, 'data');
    peer.expect('A', { data: 'data' });
    script.ingest(icmp(peer, 3, 3, 1, [0, 0, 0, 0], 7));
    script.ingest(icmp(peer, 4, 0, 1));
    script.ingest(icmp(peer, 5, 1, 1));
    expect(script.counter('icmpStray')).toBe(0);
    script.ingest(icmp(new Peer(script, { port: 3 }), 3, 3, 1));
    expect(script.counter('icmpStray')).toBe(1);
    const bad = icmp(peer, 3, 3, 1);
    bad[30] = (bad[30] ?? 0) ^ 1;
    expect(script.ingest(bad)).toBeLessThan(0);
    expect(script.counter('icmpError')).toBe(0);
    expect(script.subflow(handle).state).toBe(TCP_ESTABLISHED);
  });

  it.each(seeds(variant === 'simd' ? 20 : 5))(
    'changed at random end no established connection: FUZZ_SEED=%i',
    (seed) => {
      const random = new Random(seed);
      for (const addresses of [{}, V6]) {
        const script = open();
        const { peer, handle } = plainActive(script, addresses);
        script.write(handle, 'data');
        peer.expect('A', { data: 'data' });
        const v6 = 'local' in addresses;
        const router = v6 ? 'fd00::77' : '10.0.0.77';
        for (let count = 0; count < 300; count++) {
          const type = random.pick(v6 ? [1, 2, 3, 4, 128] : [3, 4, 5, 11, 12, 8]);
          const whole = icmp(peer, type, random.below(16), random.below(8), [...random.bytes(4)]);
          // The message behind the IP header and its own type, code and checksum.
          const rest = whole.slice((v6 ? 40 : 20) + 4);
          for (let changes = random.below(4); changes > 0; changes--)
            rest[random.below(rest.length)] = random.below(256);
          const cut = rest.subarray(0, random.chance(1, 3) ? random.below(rest.length) : rest.length);
          script.ingest(writeIcmp(router, peer.local, type, cut, random.below(16)));
        }
        script.skip();
        expect(script.subflow(handle).state).toBe(TCP_ESTABLISHED);
        peer.send('A', { seq: 1, ack: 5, data: 'alive' });
        expect(script.readText(handle)).toBe('alive');
      }
    },
  );

  it('go to the shard whose port they quote', () => {
    const script = open([
      [CONFIG_SHARDS, 4],
      [CONFIG_SHARD, 1],
    ]);
    const peer = new Peer(script, {}, 40_002);
    expect(script.ingest(icmp(peer, 3, 3, 0))).toBe(1 + 2);
  });
});
