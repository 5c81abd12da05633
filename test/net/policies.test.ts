import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { openAWhenTheFlowIsLong, preferAOverBIfCIsDown, useBOnlyForThisApplication } from '../../examples/policies.js';
import type { Socket } from '../../host/net/socket.js';
import { seconds } from '../../host/sim/network.js';
import { listen, type Pair, type PairOptions, payload, SERVER, withPair } from './pair.js';

const A = '10.0.2.2';
const B = '10.0.3.2';
const C = '10.0.1.2';
const config = { pathManager: 'userspace' } as const;

/** The client has three ways to one address of the server. */
async function three(test: (pair: Pair) => Promise<void>, options: PairOptions = {}): Promise<void> {
  await withPair({ paths: 3, config, ...options }, test);
}

const sources = (socket: Socket): string[] =>
  socket
    .subflows()
    .filter(({ state }) => state === 'established')
    .map(({ localAddress }) => localAddress);

describe('policies of examples/', () => {
  it('prefer A over B if C is down', async () => {
    await three(async ({ client, server, network }) => {
      let accepted: Socket | undefined;
      const listening = await listen(server, (peer) => {
        accepted = peer;
        peer.pipe(peer);
      });
      const socket = client.connect({ port: 80, host: SERVER, config });
      preferAOverBIfCIsDown(socket, A, B, C);
      await once(socket, 'connect');
      socket.write('hello');
      await network.sleep(seconds(1));
      expect(sources(socket)).toEqual([C, A]);
      accepted?.closeSubflow(1, 'performance');
      await network.sleep(seconds(2));
      expect(sources(socket)).toEqual([A, B]);
      expect(socket.subflows().map(({ backupLocal }) => backupLocal)).toEqual([false, true]);
      socket.openSubflow({ local: C });
      await network.sleep(seconds(2));
      expect(sources(socket)).toEqual([A, C]);
      socket.end();
      socket.resume();
      await once(socket, 'close');
      listening.close();
    });
  });

  it('use B only for one application', async () => {
    await three(async ({ client, server, network }) => {
      const servers = [
        await listen(server, (peer) => peer.pipe(peer), 80),
        await listen(server, (peer) => peer.pipe(peer), 81),
      ];
      const sockets = new Set<Socket>();
      useBOnlyForThisApplication(client, sockets, 81, B);
      for (const port of [80, 81]) sockets.add(client.connect({ port, host: SERVER, config }));
      for (const socket of sockets) socket.write('hello');
      await network.sleep(seconds(1));
      expect([...sockets].map(sources)).toEqual([[C], [C, B]]);
      for (const socket of sockets) {
        socket.end();
        socket.resume();
        await once(socket, 'close');
      }
      client.removeAllListeners('monitor');
      for (const each of servers) each.close();
    });
  });

  it('start over C, and open A when the flow is long enough', async () => {
    await three(async ({ client, server, network }) => {
      const listening = await listen(server, (peer) => peer.resume());
      const socket = client.connect({ port: 80, host: SERVER, config });
      openAWhenTheFlowIsLong(socket, A, 100_000);
      socket.write(payload(50_000));
      await network.sleep(seconds(1));
      expect(sources(socket)).toEqual([C]);
      socket.write(payload(60_000));
      await network.sleep(seconds(1));
      expect(sources(socket)).toEqual([C, A]);
      socket.end();
      socket.resume();
      await once(socket, 'close');
      listening.close();
    });
  });
});
