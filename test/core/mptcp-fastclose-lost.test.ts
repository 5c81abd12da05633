/** MP_FASTCLOSE that is lost: the other side learns of it by what it sends next (RFC 8684 section 3.5). */
import { describe, expect, it } from 'vitest';
import {
  CONFIG_CLOSE_TIMEOUT,
  CONFIG_CONNECT_VERSIONS,
  CONFIG_FASTCLOSE_ACK,
  CONFIG_NO_DELAY,
  ENDPOINT_SUBFLOW,
} from '../../host/abi.js';
import { joinPassive, mptcpPassive, SYN } from './handshakes.js';
import { readTcp } from './packets.js';
import { halves, pattern, Script, VARIANTS } from './script.js';

const SECOND = 1_000_000;

describe.each(VARIANTS)('what comes after an RST with MP_FASTCLOSE (%s)', (variant) => {
  it('is answered with it again, by each subflow, for a while', () => {
    const script = new Script({ variant, config: [[CONFIG_CLOSE_TIMEOUT, 30 * SECOND]] });
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    script.abort(handle);
    script.skip();
    for (const each of [peer, second, peer]) {
      each.send('A', { seq: 1, ack: 1, data: 'late', mptcp: [each.map(0, 1, 4)] });
      each.expect('R', { seq: 1, mptcp: [{ fastclose: peer.key }, { reset: 0 }] });
    }
    expect(script.counter('MPTcpExtMPFastcloseTx')).toBe(5);
    // Nor does it answer an RST, or tell others.
    peer.send('R', { seq: 1 });
    peer.send('S', SYN);
    expect(peer.expect('SA').options.mptcp).toBeUndefined();
    second.localPort = 81;
    second.send('A', { seq: 1, ack: 1 });
    second.expect('R', { mptcp: [] });
    script.expectNothing();
    second.localPort = 80;
    script.advance(30 * SECOND);
    second.send('A', { seq: 1, ack: 1 });
    second.expect('R', { mptcp: [] });
  });

  it('has no MP_TCPRST in version 0', () => {
    const script = new Script({ variant });
    const { peer, handle } = mptcpPassive(script, { version: 0 });
    peer.send('A', { seq: 1, ack: 1, mptcp: [peer.dss(0)] });
    script.abort(handle);
    script.advance(60 * SECOND);
    script.skip();
    peer.send('A', { seq: 1, ack: 1, mptcp: [peer.dss(0)] });
    peer.expect('R', { seq: 1, mptcp: [{ fastclose: peer.key }] });
  });

  it('does so only where the connection ended by MP_FASTCLOSE', () => {
    const script = new Script({ variant });
    const { peer } = mptcpPassive(script);
    peer.send('R', { seq: 1, mptcp: [{ fastclose: peer.remoteKey }] });
    script.skip();
    peer.send('A', { seq: 1, ack: 1 });
    peer.expect('R', { mptcp: [] });
  });
});

/** Two stacks with two subflows; `closer` aborts while the other has data in flight, and some of the RSTs are lost. */
function lose(variant: 'simd' | 'scalar', closer: 'client' | 'server', lost: number, form: 'rst' | 'ack' | 'v0') {
  const make = (host: number): Script =>
    new Script({
      variant,
      seed: BigInt(lost * 10 + host),
      links: [[`10.0.0.${host}`], [`10.1.0.${host}`]],
      config: [
        [CONFIG_NO_DELAY, 1],
        [CONFIG_FASTCLOSE_ACK, form === 'ack' ? 1 : 0],
        [CONFIG_CONNECT_VERSIONS, form === 'v0' ? 1 : 2],
      ],
    });
  const server = make(2);
  const client = make(3);
  client.endpoint('10.1.0.3', ENDPOINT_SUBFLOW);
  const listener = server.listen(80);
  const first = client.x.mptcp_connect(0n, 0n, 0, ...halves('10.0.0.2'), 80, 0);
  let accepted = 0;
  let closing = false;
  let seen = 0;
  const run = (us: number, ended: () => boolean = () => false): number => {
    const start = client.now;
    while (client.now - start < us && !ended()) {
      for (const [from, to] of [
        [client, server],
        [server, client],
      ] as const) {
        for (const { bytes, link } of from.flush()) {
          const packet = readTcp(bytes);
          // What tells of the end, in whatever form: the first ones are lost as the bits say.
          const tells = packet.flags.includes('R') || packet.options.mptcp?.some((option) => 'fastclose' in option);
          const own = (from === client) === (closer === 'client');
          if (closing && own && tells === true && seen < 8 && ((lost >> seen++) & 1) !== 0) continue;
          to.ingest(bytes, link);
        }
        from.skip();
      }
      if (accepted <= 0) accepted = server.x.mptcp_accept(listener);
      client.advance(2_000);
      server.advance(2_000);
    }
    return client.now - start;
  };
  client.write(first, 'hello');
  run(SECOND);
  expect(client.info(first).subflows).toBe(2);
  const [closes, learns] = closer === 'client' ? [client, server] : [server, client];
  const [theirs, mine] = closer === 'client' ? [accepted, first] : [first, accepted];
  learns.write(theirs, pattern(40_000));
  closing = true;
  closes.abort(mine);
  const took = run(100 * SECOND, () => learns.events().some((event) => event.startsWith('closed')));
  const { error } = learns.read(theirs);
  learns.x.mptcp_close(theirs);
  server.close(listener);
  run(10 * SECOND);
  for (const script of [client, server]) {
    script.advance(400 * SECOND);
    script.skip();
    script.expectEmpty();
  }
  return { took, error };
}

describe.each(VARIANTS)('lost words of the end (%s)', (variant) => {
  for (const form of ['rst', 'ack', 'v0'] as const) {
    it.each(['client', 'server'] as const)(
      `keep nobody waiting who has something to send: ${form}, of the %s`,
      (closer) => {
        for (const lost of [0, 1, 2, 3, 5, 7, 15]) {
          const { took, error } = lose(variant, closer, lost, form);
          expect([lost, took < 5 * SECOND, error], `${took} µs`).toEqual([lost, true, 'ERR_RESET']);
        }
      },
    );
  }
});
