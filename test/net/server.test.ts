import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { MptcpError } from '../../host/error.js';
import type { Server } from '../../host/net/server.js';
import type { Socket } from '../../host/net/socket.js';
import { milliseconds } from '../../host/sim/network.js';
import { CLIENT, listen, readAll, SERVER, withPair } from './pair.js';

const count = (server: Server): Promise<number> =>
  new Promise((resolve, reject) => {
    server.getConnections((error, connections) => (error === null ? resolve(connections) : reject(error)));
  });

describe('a server', () => {
  it('listens in every form that net.Server knows', async () => {
    await withPair({}, async ({ server }) => {
      const forms: ((server: Server) => Server)[] = [
        (each) => each.listen(),
        (each) => each.listen(0),
        (each) => each.listen(81, SERVER),
        (each) => each.listen(82, 16),
        (each) => each.listen(83, SERVER, 16),
        (each) => each.listen({ port: 84, host: SERVER, backlog: 4 }),
        (each) => each.listen({}),
      ];
      for (const form of forms) {
        const each = server.createServer();
        expect(each.address()).toBeNull();
        expect(form(each)).toBe(each);
        await once(each, 'listening');
        expect(each.listening).toBe(true);
        expect(each.address()?.port).toBeGreaterThan(0);
        await new Promise<void>((resolve, reject) => {
          each.close((error) => (error === undefined ? resolve() : reject(error)));
        });
        expect(each.listening).toBe(false);
      }
      const called = server.listen(85, SERVER, () => called.close());
      expect(called.address()).toEqual({ address: SERVER, family: 'IPv4', port: 85 });
      await once(called, 'close');
    });
  });

  it('reports what it cannot do', async () => {
    await withPair({}, async ({ server }) => {
      const first = await listen(server, () => undefined);
      expect(() => first.listen(90)).toThrow(/ERR_SERVER_ALREADY_LISTEN/);
      const second = server.listen(80);
      expect(((await once(second, 'error'))[0] as MptcpError).code).toBe('EADDRINUSE');
      const elsewhere = server.listen(80, '10.9.9.9');
      expect(((await once(elsewhere, 'error'))[0] as MptcpError).code).toBe('EADDRNOTAVAIL');
      const named = server.listen(80, 'localhost');
      expect(((await once(named, 'error'))[0] as MptcpError).message).toMatch(/is not an IP address/);
      expect(() => server.listen(70000)).toThrow(RangeError);
      const error = await new Promise((resolve) => second.close(resolve));
      expect((error as MptcpError).code).toBe('ERR_SERVER_NOT_RUNNING');
      first.close();
    });
  });

  it('closes when its last connection does', async () => {
    await withPair({}, async ({ client, server, network }) => {
      const listening = await listen(server, (peer) => peer.on('data', (data) => peer.end(data)));
      const socket = client.connect(80, SERVER);
      await once(socket, 'connect');
      await network.sleep(milliseconds(20));
      expect(await count(listening)).toBe(1);
      let over = false;
      listening.close(() => {
        over = true;
      });
      await network.sleep(milliseconds(500));
      expect([over, listening.listening]).toEqual([false, false]);
      const [error] = await once(client.connect(80, SERVER), 'error');
      expect((error as MptcpError).code).toBe('ECONNREFUSED');
      socket.end('bye');
      expect((await readAll(socket)).toString()).toBe('bye');
      await network.sleep(milliseconds(100));
      expect(over).toBe(true);
      expect(await count(listening)).toBe(0);
    });
  });

  it('drops connections above its maximum', async () => {
    await withPair({}, async ({ client, server, network }) => {
      const drops: { remoteAddress: string }[] = [];
      const peers: Socket[] = [];
      const listening = await listen(server, (peer) => peers.push(peer.resume()));
      listening.maxConnections = 1;
      listening.on('drop', (drop) => drops.push(drop));
      const first = client.connect(80, SERVER).resume();
      await once(first, 'connect');
      await network.sleep(milliseconds(20));
      const second = client.connect(80, SERVER).resume();
      expect(((await once(second, 'error'))[0] as MptcpError).code).toBe('ECONNRESET');
      expect(drops.map(({ remoteAddress }) => remoteAddress)).toEqual([CLIENT]);
      expect([first.destroyed, peers.length]).toEqual([false, 1]);
      first.end();
      await once(first, 'close');
      listening.close();
    });
  });

  it('leaves connections paused when asked to', async () => {
    await withPair({}, async ({ client, server, network }) => {
      const listening = server.createServer({ pauseOnConnect: true, noDelay: true, keepAlive: true });
      listening.listen(80);
      const socket = client.connect(80, SERVER);
      const [peer] = (await once(listening, 'connection')) as [Socket];
      expect([peer.get('noDelay'), peer.get('keepalive')]).toEqual([true, true]);
      socket.end('waiting');
      await network.sleep(milliseconds(100));
      expect([peer.isPaused(), peer.bytesRead]).toEqual([true, 0]);
      expect((await readAll(peer.resume())).toString()).toBe('waiting');
      socket.resume();
      listening.close();
    });
  });

  it('serves many connections at once', async () => {
    await withPair({ paths: 2 }, async ({ client, server }) => {
      const listening = await listen(server, (peer) => peer.pipe(peer));
      const answers = await Promise.all(
        Array.from({ length: 50 }, async (_, index) => {
          const socket = client.connect(80, SERVER);
          socket.end(`number ${index}`);
          return (await readAll(socket)).toString();
        }),
      );
      expect(answers).toEqual(Array.from({ length: 50 }, (_, index) => `number ${index}`));
      listening.close();
      await once(listening, 'close');
    });
  });

  it('closes on an abort signal', async () => {
    await withPair({}, async ({ server }) => {
      const abort = new AbortController();
      const listening = server.createServer().listen({ port: 80, signal: abort.signal });
      await once(listening, 'listening');
      abort.abort();
      await once(listening, 'close');
    });
  });
});
