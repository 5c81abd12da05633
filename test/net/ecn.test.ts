import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { megabits, milliseconds } from '../../host/sim/network.js';
import { listen, payload, readAll, SERVER, withPair } from './pair.js';

describe.each([
  ['IPv4', false],
  ['IPv6', true],
])('a queue that marks (RFC 3168, %s)', (_, ipv6) => {
  async function download(ecn: number) {
    const wire = { rate: megabits(20), delay: milliseconds(20), queue: 100_000, mark: 50_000 };
    let result = { dropped: 0, marked: 0, time: 0, retransmits: 0 };
    await withPair({ wire, ipv6, config: { ecn } }, async ({ client, server, network, wires }) => {
      const data = payload(6_000_000);
      let retransmits = 0;
      const listening = await listen(server, (peer) => {
        peer.end(data);
        peer.once('close', () => listening.close());
        const watch = (): void => {
          const subflow = peer.info()?.subflows[0];
          if (subflow === undefined) return;
          retransmits = subflow.retransmits;
          network.at(network.now + 50_000, watch);
        };
        watch();
      });
      const began = network.now;
      const socket = client.connect(80, ipv6 ? 'fd00:1::1' : SERVER);
      expect((await readAll(socket)).equals(data)).toBe(true);
      const { droppedByQueue, marked } = wires[0]?.bToA.statistics ?? { droppedByQueue: 0, marked: 0 };
      result = { dropped: droppedByQueue, marked, time: network.now - began, retransmits };
      if (!socket.closed) await once(socket, 'close');
    });
    return result;
  }

  it('loses next to nothing, where one that does not loses much', async () => {
    const without = await download(0);
    const marking = await download(1);
    expect(without.marked).toBe(0);
    expect(without.dropped).toBeGreaterThan(20);
    expect(marking.marked).toBeGreaterThan(0);
    expect(marking.dropped).toBeLessThan(without.dropped / 4);
    expect(marking.retransmits).toBeLessThan(without.retransmits / 4);
    // A window halved at half a product of rate and delay leaves the link idle for a while.
    expect(marking.time).toBeLessThan(without.time * 1.2);
  });
});
