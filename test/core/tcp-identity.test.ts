import { describe, expect, it } from 'vitest';
import { CONFIG_SHARD, CONFIG_SHARDS } from '../../host/abi.js';
import { Peer, type PeerOptions, Script, VARIANTS } from './script.js';

describe.each(VARIANTS)('what a connection begins with (%s)', (variant) => {
  /** Initial sequence number and timestamp offset (ms) of a connection that begins `wait` µs after its stack. */
  function begin(wait: number, options: PeerOptions = {}, localPort = 50_000, seed = 42n) {
    const script = new Script({ variant, seed });
    script.advance(wait);
    const peer = new Peer(script, options, 0);
    script.connect(peer, 1, localPort);
    const syn = peer.expect('S');
    return { iss: syn.seq, ts: ((syn.options.ts?.[0] ?? 0) - Math.floor(wait / 1_000)) >>> 0 };
  }

  it('numbers the connections of one address and port pair by a clock of 4 µs (RFC 6528 section 3)', () => {
    const first = begin(0);
    expect((begin(4_000_000).iss - first.iss) >>> 0).toBe(1_000_000);
    expect((begin(40_000_000_000).iss - first.iss) >>> 0).toBe(10_000_000_000 % 2 ** 32);
  });

  it('tells outsiders nothing: another port, address or secret has other numbers (RFC 6528 section 3)', () => {
    const all = [
      begin(0),
      begin(0, {}, 50_001),
      begin(0, { port: 40_001 }),
      begin(0, { remote: '10.0.0.3' }),
      begin(0, { local: 'fd00::2', remote: 'fd00::1' }),
      begin(0, {}, 50_000, 43n),
    ];
    for (const key of ['iss', 'ts'] as const) {
      const values = all.map((one) => one[key]).sort((a, b) => a - b);
      for (let at = 1; at < values.length; at++) {
        expect((values[at] ?? 0) - (values[at - 1] ?? 0)).toBeGreaterThan(100_000);
      }
    }
  });

  it('has one offset of timestamps for an address and port pair, so that they grow (RFC 7323 section 5.4)', () => {
    expect(begin(7_000_000).ts).toBe(begin(0).ts);
  });

  it('answers a SYN with numbers of the same kind', () => {
    const answer = (wait: number) => {
      const script = new Script({ variant });
      script.listen(80);
      script.advance(wait);
      const peer = new Peer(script, { ts: true });
      peer.send('S', { mss: 1460 });
      return peer.expect('SA').seq;
    };
    expect((answer(400) - answer(0)) >>> 0).toBe(100);
  });

  /** Ports of `count` connections to one destination. */
  function ports(count: number, remotes: (index: number) => PeerOptions, config: [number, number][] = []): number[] {
    const script = new Script({ variant, config, budget: 64 << 20 });
    return Array.from({ length: count }, (_, index) => {
      const peer = new Peer(script, remotes(index), 0);
      script.connect(peer, 1);
      return peer.expect('S').srcPort;
    });
  }

  it('steps from port to port at random, and never back to one in use (RFC 6056 sections 3.3.4 and 3.3.5)', () => {
    const found = ports(1_000, () => ({}));
    expect(new Set(found).size).toBe(1_000);
    const steps = found.slice(1).map((port, index) => (port - (found[index] ?? 0) + 28_232) % 28_232);
    expect(Math.min(...steps)).toBeGreaterThanOrEqual(1);
    expect(Math.max(...steps)).toBeLessThanOrEqual(16);
    expect(new Set(steps).size).toBeGreaterThan(8);
    for (const port of found) expect(port >= 32_768 && port < 61_000).toBe(true);
  });

  it('begins elsewhere for every destination, and connections to one move no other (RFC 6056 section 3.3.4)', () => {
    const each = ports(100, (index) => ({ port: 1_000 + index }));
    const steps = each.slice(1).map((port, index) => Math.abs(port - (each[index] ?? 0)));
    expect(steps.filter((step) => step <= 16).length).toBeLessThan(5);
    const alone = ports(2, () => ({ port: 1_050 }));
    expect(each[50]).toBe(alone[0]);
  });

  it('takes every port before it says that none is left', () => {
    const script = new Script({ variant, config: [[CONFIG_SHARDS, 64]] });
    const peer = new Peer(script, {}, 0);
    const found = new Set<number>();
    // Of 32,768 to 60,999 those that 64 divides.
    for (let count = 0; count < 442; count++) {
      script.connect(peer, 1);
      const sent = script.take(peer);
      if (sent !== undefined) found.add(sent.srcPort);
    }
    expect(found.size).toBe(442);
    expect(() => script.connect(peer, 1)).toThrow('ERR_ADDRESS_IN_USE');
  });

  it('chooses only ports of its own shard', () => {
    const config: [number, number][] = [
      [CONFIG_SHARDS, 4],
      [CONFIG_SHARD, 3],
    ];
    for (const port of ports(100, () => ({}), config)) expect(port % 4).toBe(3);
  });
});
