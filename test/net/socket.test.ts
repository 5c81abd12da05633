import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { MptcpError } from '../../host/error.js';
import { createPipe } from '../../host/link/pipe.js';
import { Socket } from '../../host/net/socket.js';
import { Stack } from '../../host/net/stack.js';
import { milliseconds, seconds } from '../../host/sim/network.js';
import { CLIENT, listen, payload, readAll, SERVER, withPair } from './pair.js';

const closed = (socket: Socket): Promise<unknown> => new Promise((resolve) => socket.once('close', resolve));

describe('a socket', () => {
  it('connects, sends both ways and closes', async () => {
    await withPair({}, async ({ client, server }) => {
      const order: string[] = [];
      const listening = await listen(server, (peer) => {
        order.push('connection');
        expect(peer.address()).toEqual({ address: SERVER, family: 'IPv4', port: 80 });
        expect(peer.remoteAddress).toBe(CLIENT);
        expect(peer.readyState).toBe('open');
        peer.on('data', (data: Buffer) => peer.write(Buffer.from(data.toString().toUpperCase())));
        peer.on('end', () => order.push('peer end'));
      });
      const socket = new Socket(client);
      expect([socket.readyState, socket.pending]).toEqual(['closed', true]);
      expect(socket.address()).toEqual({});
      socket.connect(80, SERVER, () => order.push('connect'));
      expect([socket.connecting, socket.readyState]).toEqual([true, 'opening']);
      socket.once('ready', () => order.push('ready'));
      await once(socket, 'connect');
      expect([socket.connecting, socket.pending, socket.readyState]).toEqual([false, false, 'open']);
      expect([socket.localAddress, socket.localFamily, socket.remotePort, socket.remoteFamily]).toEqual([
        CLIENT,
        'IPv4',
        80,
        'IPv4',
      ]);
      expect(socket.localPort).toBeGreaterThan(0);
      socket.write('hello');
      expect(String((await once(socket, 'data'))[0])).toBe('HELLO');
      expect([socket.bytesRead, socket.bytesWritten]).toEqual([5, 5]);
      socket.end();
      expect(await closed(socket)).toBe(false);
      expect([socket.destroyed, socket.readyState]).toEqual([true, 'closed']);
      expect(order).toEqual(['connect', 'ready', 'connection', 'peer end']);
      listening.close();
      await once(listening, 'close');
    });
  });

  it('works over IPv6', async () => {
    await withPair({ ipv6: true, paths: 2 }, async ({ client, server }) => {
      const listening = await listen(server, (peer) => peer.end('six'));
      const socket = client.connect({ port: 80, host: 'fd00:1:0::1' });
      expect((await readAll(socket)).toString()).toBe('six');
      expect(socket.remoteAddress).toBe('fd00:1::1');
      expect(socket.localFamily).toBe('IPv6');
      listening.close();
    });
  });

  it('carries many writes, corked or not, as one stream', async () => {
    await withPair({}, async ({ client, server }) => {
      const data = payload(300_000);
      const received: Buffer[] = [];
      const listening = await listen(server, (peer) => {
        peer.on('data', (chunk: Buffer) => received.push(chunk));
        peer.on('end', () => peer.end());
      });
      const socket = client.connect(80, SERVER);
      // Written before it is connected: the bytes wait.
      socket.write(data.subarray(0, 1000));
      socket.cork();
      for (let at = 1000; at < data.length; at += 777) socket.write(data.subarray(at, at + 777));
      socket.uncork();
      socket.write('text', 'latin1');
      expect(socket.bytesWritten).toBe(data.length + 4);
      socket.end();
      socket.resume();
      await closed(socket);
      expect(Buffer.concat(received).equals(Buffer.concat([data, Buffer.from('text')]))).toBe(true);
      expect(socket.bytesWritten).toBe(data.length + 4);
      listening.close();
    });
  });

  it('stays half open when that is allowed', async () => {
    await withPair({}, async ({ client, server }) => {
      const server2 = server.createServer({ allowHalfOpen: true }, (peer) => {
        peer.resume();
        peer.once('end', () => {
          expect(peer.readyState).toBe('writeOnly');
          setImmediate(() => peer.end(payload(200_000)));
        });
      });
      server2.listen(80);
      const socket = client.connect(80, SERVER);
      socket.end('question');
      await once(socket, 'finish');
      const answer = await readAll(socket);
      expect(answer.equals(payload(200_000))).toBe(true);
      server2.close();
    });
  });

  it('ends by itself when the peer ends, unless it may stay half open', async () => {
    await withPair({}, async ({ client, server }) => {
      const peers: Socket[] = [];
      const listening = await listen(server, (peer) => {
        peers.push(peer);
        peer.end();
        peer.resume();
      });
      const socket = client.connect(80, SERVER).resume();
      await closed(socket);
      expect(socket.writableFinished).toBe(true);
      if (!(peers[0] as Socket).destroyed) await closed(peers[0] as Socket);
      listening.close();
    });
  });

  it('is refused where nobody listens', async () => {
    await withPair({}, async ({ client }) => {
      const socket = client.connect(81, SERVER);
      const error = (await once(socket, 'error'))[0] as MptcpError;
      expect(error).toBeInstanceOf(MptcpError);
      expect([error.code, error.syscall, error.address, error.port]).toEqual(['ECONNREFUSED', 'connect', SERVER, 81]);
      expect(error.message).toContain(`connect ECONNREFUSED ${SERVER}:81`);
      if (!socket.closed) await closed(socket);
      expect(socket.connecting).toBe(false);
    });
  });

  it('fails to reach what no link leads to', async () => {
    await withPair({}, async ({ client }) => {
      const [error] = await once(client.connect(80, '192.168.7.7'), 'error');
      expect((error as MptcpError).code).toBe('ENETUNREACH');
      const [second] = await once(client.connect({ port: 80, host: SERVER, localAddress: '10.9.9.9' }), 'error');
      expect((second as MptcpError).code).toBe('EADDRNOTAVAIL');
    });
  });

  it('gives up when nobody answers', async () => {
    await withPair({ config: { synRetries: 2 } }, async ({ client, network, wires }) => {
      wires[0]?.cut();
      const start = network.now;
      const [error] = await once(client.connect(80, SERVER), 'error');
      expect((error as MptcpError).code).toBe('ETIMEDOUT');
      // RFC 6298: 1 s, doubled each time.
      expect((network.now - start) / 1e6).toBeGreaterThan(5);
      expect((network.now - start) / 1e6).toBeLessThan(9);
    });
  });

  it('says that it resolves no names, and uses a lookup function', async () => {
    await withPair({}, async ({ client, server }) => {
      const [error] = await once(client.connect(80, 'example.org'), 'error');
      expect((error as MptcpError).code).toBe('ENOTFOUND');
      expect((error as MptcpError).message).toMatch(/resolve it first or give a lookup function/);
      const listening = await listen(server, (peer) => peer.resume().end('found'));
      const socket = client.connect({
        port: 80,
        host: 'example.org',
        lookup: (_name, _options, callback) => setImmediate(() => callback(null, SERVER, 4)),
      });
      socket.write('while looking up');
      expect((await readAll(socket)).toString()).toBe('found');
      const failing = client.connect({
        port: 80,
        host: 'example.org',
        lookup: (_name, _options, callback) => callback(new Error('no such name'), ''),
      });
      expect(((await once(failing, 'error'))[0] as Error).message).toBe('no such name');
      listening.close();
    });
  });

  it('refuses arguments that make no sense', async () => {
    await withPair({}, async ({ client, server }) => {
      expect(() => client.connect(0, SERVER)).toThrow(RangeError);
      expect(() => client.connect(65536, SERVER)).toThrow(/65536/);
      expect(() => client.connect({ port: 80 })).toThrow(/there is no host/);
      const listening = await listen(server, (peer) => peer.resume());
      const socket = client.connect(80, SERVER);
      expect(() => socket.connect(80, SERVER)).toThrow(/EISCONN/);
      expect(() => socket.setTimeout(-1)).toThrow(RangeError);
      expect(() => socket.set('congestion', 'fastest' as 'lia')).toThrow(/one of reno, lia/);
      await once(socket, 'connect');
      expect(() => socket.set('sendBuffer', -1)).toThrow(/EINVAL/);
      socket.destroy();
      const unconnected = new Socket(client);
      unconnected.write('x');
      expect(((await once(unconnected, 'error'))[0] as MptcpError).code).toBe('ERR_SOCKET_CLOSED');
      listening.close();
    });
  });

  it('reports a reset by the peer', async () => {
    await withPair({}, async ({ client, server }) => {
      const listening = await listen(server, (peer) => {
        peer.on('error', () => undefined);
        peer.once('data', () => peer.resetAndDestroy());
      });
      const socket = client.connect(80, SERVER);
      socket.write('x');
      const [error] = await once(socket, 'error');
      expect([(error as MptcpError).code, (error as MptcpError).syscall]).toEqual(['ECONNRESET', 'read']);
      expect(socket.closed || (await closed(socket))).toBe(true);
      listening.close();
    });
  });

  it('can be destroyed at any moment', async () => {
    await withPair({}, async ({ client, server, network }) => {
      const listening = await listen(server, (peer) => peer.on('error', () => undefined).resume());
      const early = client.connect(80, SERVER);
      early.destroy();
      expect(await closed(early)).toBe(false);
      const late = client.connect(80, SERVER);
      await once(late, 'connect');
      late.write(payload(5_000_000), (error) => {
        expect(error).toBeInstanceOf(Error);
      });
      await network.sleep(milliseconds(7));
      late.destroy(new Error('enough'));
      expect(((await once(late, 'error'))[0] as Error).message).toBe('enough');
      const soon = client.connect(80, SERVER);
      soon.write('last words');
      soon.destroySoon();
      await closed(soon);
      expect(soon.bytesWritten).toBe(10);
      listening.close();
      await once(listening, 'close');
    });
  });

  it('tells when nothing happens for too long', async () => {
    await withPair({}, async ({ client, server, network }) => {
      const listening = await listen(server, (peer) => {
        peer.on('error', () => undefined);
        peer.on('data', () => peer.write('y'));
      });
      const socket = client.connect(80, SERVER).resume();
      await once(socket, 'connect');
      const start = network.now;
      let fired = 0;
      socket.setTimeout(500, () => fired++);
      expect(socket.timeout).toBe(500);
      network.at(start + milliseconds(300), () => socket.write('x'));
      await once(socket, 'timeout');
      // 300 ms, the answer 10 ms later, then 500 ms of silence.
      expect(network.now - start).toBeGreaterThanOrEqual(milliseconds(805));
      expect(network.now - start).toBeLessThan(milliseconds(830));
      expect(socket.destroyed).toBe(false);
      socket.setTimeout(0);
      await network.sleep(seconds(2));
      expect(fired).toBe(1);
      socket.destroy();
      listening.close();
    });
  });

  it('times out while connecting', async () => {
    await withPair({}, async ({ client, wires }) => {
      wires[0]?.cut();
      const socket = client.connect({ port: 80, host: SERVER, timeout: 200 });
      await once(socket, 'timeout');
      expect(socket.connecting).toBe(true);
      socket.destroy();
      await closed(socket);
    });
  });

  it('obeys an abort signal', async () => {
    await withPair({}, async ({ client, wires }) => {
      wires[0]?.cut();
      const abort = new AbortController();
      const socket = client.connect({ port: 80, host: SERVER, signal: abort.signal });
      setImmediate(() => abort.abort());
      expect(((await once(socket, 'error'))[0] as Error).name).toBe('AbortError');
    });
  });

  it('detects a dead peer by keep-alive probes', async () => {
    await withPair(
      {},
      async ({ client, server, network, wires }) => {
        const listening = await listen(server, (peer) => peer.on('error', () => undefined).setKeepAlive(true, 1000));
        const socket = client.connect({
          port: 80,
          host: SERVER,
          keepAlive: true,
          keepAliveInitialDelay: 2000,
          noDelay: true,
        });
        await once(socket, 'connect');
        expect([socket.get('keepalive'), socket.get('keepaliveIdle'), socket.get('noDelay')]).toEqual([
          true,
          2_000_000,
          true,
        ]);
        socket.set('keepaliveInterval', seconds(1)).set('keepaliveCount', 3);
        await network.sleep(seconds(10));
        expect(socket.destroyed).toBe(false);
        wires[0]?.cut();
        const start = network.now;
        const [error] = await once(socket, 'error');
        expect((error as MptcpError).code).toBe('ETIMEDOUT');
        expect((network.now - start) / 1e6).toBeLessThan(10);
        await network.sleep(seconds(1000));
        listening.close();
      },
      seconds(3000),
    );
  });

  it('tells all about its connection', async () => {
    await withPair({ paths: 2 }, async ({ client, server, network }) => {
      const peers: Socket[] = [];
      const listening = await listen(server, (peer) => peers.push(peer.resume()));
      const socket = client.connect(80, SERVER).resume();
      const joined: unknown[] = [];
      socket.on('subflow', (info) => joined.push(info));
      await once(socket, 'connect');
      socket.write(payload(100_000));
      await network.sleep(seconds(1));
      const info = socket.info();
      expect(info).toMatchObject({
        state: 'established',
        multipath: true,
        fallback: 'none',
        version: 1,
        congestion: 'lia',
      });
      expect(info?.bytesAcked).toBe(100_000);
      expect(socket.subflows().length).toBeGreaterThanOrEqual(2);
      expect(joined.length).toBeGreaterThanOrEqual(1);
      for (const subflow of socket.subflows())
        expect(subflow).toMatchObject({ state: 'established', activeOpen: true });
      const peer = peers[0] as Socket;
      expect(peer.info()?.localToken).toBe(info?.remoteToken);
      expect(peer.info()?.remoteKey).toBe(info?.localKey);
      socket.end();
      await closed(socket);
      expect(socket.info()?.bytesAcked).toBe(100_000);
      listening.close();
    });
  });

  it('speaks plain TCP when asked to', async () => {
    await withPair({ paths: 2 }, async ({ client, server }) => {
      const listening = await listen(server, (peer) => peer.end('plain'));
      const socket = client.connect({ port: 80, host: SERVER, mptcp: false });
      const reasons: unknown[] = [];
      socket.on('fallback', (reason) => reasons.push(reason));
      await once(socket, 'connect');
      expect(socket.info()).toMatchObject({ multipath: false, fallback: 'notAsked' });
      expect((await readAll(socket)).toString()).toBe('plain');
      expect(socket.subflows().length).toBeLessThanOrEqual(1);
      listening.close();
    });
  });
});

describe('a stack', () => {
  it('runs in real time over a pipe', async () => {
    const [left, right] = createPipe({ mtu: 9000 });
    const client = new Stack({ name: 'client', memory: 8 << 20 });
    const server = new Stack({ name: 'server', memory: 8 << 20 });
    try {
      client.addLink(left, { addresses: ['10.0.0.1/24'] });
      server.addLink(right, { addresses: ['10.0.0.2/24'] });
      const data = payload(3_000_000);
      await listen(server, (peer) => peer.end(data));
      const socket = client.connect(80, '10.0.0.2');
      expect((await readAll(socket)).equals(data)).toBe(true);
      expect(client.links()[0]).toMatchObject({ name: 'pipe:a', up: true });
      expect(client.counters().packetsIn).toBeGreaterThan(300);
    } finally {
      client.close();
      server.close();
    }
  });

  it('ends its sockets and servers when it is closed', async () => {
    await withPair({}, async ({ client, server, network }) => {
      const peers: Socket[] = [];
      const listening = await listen(server, (peer) => peers.push(peer));
      const socket = client.connect(80, SERVER);
      await once(socket, 'connect');
      await network.sleep(milliseconds(20));
      const connecting = server.connect(80, CLIENT);
      const peer = closed(peers[0] as Socket);
      const ends = Promise.all([once(socket, 'error'), once(connecting, 'error'), once(listening, 'close')]);
      server.close();
      const [[own], [remote]] = await ends;
      expect([(own as MptcpError).code, (remote as MptcpError).code]).toEqual(['ECONNRESET', 'ECONNABORTED']);
      expect(await peer).toBe(false);
      expect(() => server.addEndpoint({ address: SERVER, signal: true })).toThrow(/EBADF.*closed/);
      const late = server.connect(80, CLIENT);
      expect(((await once(late, 'error'))[0] as MptcpError).code).toBe('EBADF');
    });
  });

  it('refuses settings and links that make no sense', () => {
    expect(() => new Stack({ memory: 1000 })).toThrow(/create EINVAL/);
    expect(() => new Stack({ seed: new Uint8Array(31) })).toThrow(/31 bytes and must have 32/);
    const stack = new Stack({ memory: 8 << 20, config: { congestion: 'reno', limitSubflows: 5 } });
    try {
      expect([stack.get('congestion'), stack.get('limitSubflows'), stack.get('mptcpEnabled')]).toEqual([
        'reno',
        5,
        true,
      ]);
      expect(() => stack.set('nonsense' as 'sack', true)).toThrow(/there is no setting "nonsense"/);
      expect(() => stack.set('sack', 1 as unknown as boolean)).toThrow(/sack is 1 and must be true or false/);
      const [link, other] = createPipe();
      expect(() => stack.addLink(link, { addresses: ['10.0.0.300/24'] })).toThrow(/addAddress EINVAL/);
      stack.addLink(link, { addresses: ['10.0.0.1/24', 'fd00::1/64'] });
      expect(() => stack.addLink(link)).toThrow(/EALREADY/);
      expect(() => stack.addLink(other, { addresses: ['10.0.0.1/24'] })).toThrow(/EADDRINUSE/);
      expect(stack.links().length).toBe(1);
      expect(() => stack.removeLink(other)).toThrow(/ENODEV/);
      expect(() => stack.removeRoute(link, '10.7.0.0/16')).toThrow(/no such route/);
      const id = stack.addEndpoint({ address: '10.0.0.1', signal: true, id: 7 });
      expect(stack.endpoints()).toEqual([
        { address: '10.0.0.1', id: 7, port: 0, signal: true, subflow: false, backup: false, fullmesh: false },
      ]);
      stack.removeEndpoint(id);
      expect(() => stack.removeEndpoint(id)).toThrow(/there is no endpoint 7/);
      stack.removeLink(link);
      expect(stack.links()).toEqual([]);
      expect(() => createPipe({ mtu: 100 })).toThrow(/mtu is 100/);
    } finally {
      stack.close();
    }
  });
});
