import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { megabits, milliseconds, Network, seconds } from '../../host/sim/network.js';
import { listen, payload, readAll } from './pair.js';

const MEMORY = 16 << 20;

/** A client and a server with a router between them, whose wire to the client takes no packet above `largest`. */
function narrow(largest: number, options: { answers: boolean; ipv6: boolean; paths?: number }) {
  const network = new Network({ seed: 3 });
  const client = network.host('client', { memory: MEMORY });
  const server = network.host('server', { memory: MEMORY });
  const net = (n: number, host: number): string => (options.ipv6 ? `fd00:${n}::${host}` : `10.0.${n}.${host}`);
  const bits = options.ipv6 ? 64 : 24;
  const anywhere = options.ipv6 ? '::/0' : '0.0.0.0/0';
  const router = network.router('r', options.answers ? { addresses: ['10.9.9.9', 'fd09::9'] } : {});
  const wire = network.wire({
    name: 'narrow',
    rate: megabits(50),
    delay: milliseconds(10),
    a: { at: client, addresses: [`${net(1, 2)}/${bits}`], routes: [anywhere] },
    b: { at: router, routes: [`${net(1, 0)}/${bits}`] },
    bToA: { largest },
  });
  network.wire({
    name: 'wide',
    rate: megabits(50),
    a: { at: router, routes: [`${net(2, 0)}/${bits}`] },
    b: { at: server, addresses: [`${net(2, 1)}/${bits}`], routes: [anywhere] },
  });
  return { network, client, server, wire, address: net(2, 1) };
}

describe.each([
  ['IPv4', false],
  ['IPv6', true],
])('a narrow place on the path (%s)', (_, ipv6) => {
  it.each([
    ['whose router says so (RFC 1191, RFC 8201)', true, 1_000_000],
    ['that swallows what is too large (RFC 4821)', false, 4_000_000],
  ])('%s', async (__, answers, limit) => {
    const { network, client, server, wire, address } = narrow(1400, { answers, ipv6 });
    try {
      await network.run(async () => {
        const data = payload(2_000_000);
        const listening = await listen(server, (peer) => peer.end(data));
        const began = network.now;
        const socket = client.connect(80, address);
        expect((await readAll(socket)).equals(data)).toBe(true);
        expect(network.now - began).toBeLessThan(limit);
        expect(wire.bToA.statistics.tooLarge).toBeLessThan(answers ? 30 : 60);
        // The next connection knows.
        const before = wire.bToA.statistics.tooLarge;
        expect((await readAll(client.connect(80, address))).equals(data)).toBe(true);
        expect(wire.bToA.statistics.tooLarge - before).toBeLessThanOrEqual(answers ? 0 : 8);
        listening.close();
        await once(listening, 'close');
      }, seconds(100));
    } finally {
      network.close();
    }
  });
});
