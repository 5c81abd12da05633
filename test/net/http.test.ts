import { once } from 'node:events';
import {
  Agent,
  createServer,
  get,
  type Server as HttpServer,
  type IncomingMessage,
  type RequestOptions,
  request,
} from 'node:http';
import { describe, expect, it } from 'vitest';
import { StackAgent, serveHttp } from '../../host/net/http.js';
import type { Socket } from '../../host/net/socket.js';
import { seconds } from '../../host/sim/network.js';
import { listen, payload, readAll, SERVER, withPair } from './pair.js';

function ask(
  options: RequestOptions,
  body?: Buffer,
): Promise<{ response: IncomingMessage; body: Buffer; socket: Socket }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: SERVER, port: 80, ...options }, (response) => {
      // After the end the response lets go of its socket when the connection is kept.
      const socket = response.socket as unknown as Socket;
      readAll(response).then((bytes) => resolve({ response, body: bytes, socket }), reject);
    });
    outgoing.once('error', reject);
    outgoing.end(body);
  });
}

function echo(): HttpServer {
  return createServer((incoming, outgoing) => {
    readAll(incoming).then(
      (body) => {
        outgoing.setHeader('x-method', incoming.method ?? '');
        outgoing.end(body.length > 0 ? body : `you asked for ${incoming.url}`);
      },
      (error) => outgoing.destroy(error),
    );
  });
}

describe('http over a stack', () => {
  it('answers requests with bodies both ways, unchanged', async () => {
    await withPair({ paths: 2 }, async ({ client, server }) => {
      const listening = serveHttp(server, echo(), { port: 80 });
      const agent = new StackAgent(client);
      const plain = await ask({ path: '/page', agent });
      expect([plain.response.statusCode, plain.body.toString()]).toEqual([200, 'you asked for /page']);
      const data = payload(2_000_000);
      const posted = await ask({ method: 'POST', agent }, data);
      expect(posted.response.headers['x-method']).toBe('POST');
      expect(posted.body.equals(data)).toBe(true);
      listening.close();
      await once(listening, 'close');
    });
  });

  it('takes createConnection in place of an agent, and a Server that gets connections by hand', async () => {
    await withPair({}, async ({ client, server }) => {
      const http = echo();
      const listening = await listen(server, (socket) => http.emit('connection', socket));
      const { body } = await ask({
        path: '/x',
        createConnection: (options) => client.connect({ host: String(options.host), port: Number(options.port) }),
      });
      expect(body.toString()).toBe('you asked for /x');
      listening.close();
    });
  });

  it('re-uses connections of a keep-alive agent', async () => {
    await withPair({}, async ({ client, server, network }) => {
      let connections = 0;
      const listening = serveHttp(server, echo(), { port: 80 });
      listening.on('connection', () => connections++);
      const agent = new StackAgent(client, { keepAlive: true, maxSockets: 2 });
      const sockets = new Set<Socket>();
      for (let index = 0; index < 5; index++) {
        const { response, socket } = await ask({ path: `/${index}`, agent });
        expect(response.headers.connection).toBe('keep-alive');
        sockets.add(socket);
        await network.sleep(seconds(1));
      }
      expect([connections, sockets.size]).toEqual([1, 1]);
      const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => ask({ path: `/${index}`, agent })));
      expect(answers.map(({ body }) => body.toString())).toEqual(
        Array.from({ length: 20 }, (_, index) => `you asked for /${index}`),
      );
      expect(connections).toBe(2);
      // The server's own timeout ends idle connections: its sockets count by the network's time.
      await network.sleep(seconds(10));
      expect([...sockets].every((socket) => socket.destroyed)).toBe(true);
      const again = await ask({ path: '/again', agent });
      expect(again.body.toString()).toBe('you asked for /again');
      listening.close();
      await once(listening, 'close');
      agent.destroy();
    });
  });

  it('times out requests that get no answer', async () => {
    await withPair({}, async ({ client, server, network }) => {
      const http = createServer(() => undefined);
      const listening = serveHttp(server, http, { port: 80 });
      const start = network.now;
      const outgoing = get({ host: SERVER, port: 80, agent: new StackAgent(client), timeout: 2000 });
      outgoing.setNoDelay();
      outgoing.setSocketKeepAlive(true, 1000);
      outgoing.on('error', () => undefined);
      await once(outgoing, 'timeout');
      expect(network.now - start).toBeGreaterThanOrEqual(seconds(2));
      const closed = new Promise((resolve) => outgoing.once('close', resolve));
      outgoing.destroy();
      await closed;
      listening.close();
    });
  });

  it('reports a refused connection to the request', async () => {
    await withPair({}, async ({ client }) => {
      const outgoing = get({ host: SERVER, port: 81, agent: new StackAgent(client) });
      const [error] = await once(outgoing, 'error');
      expect((error as NodeJS.ErrnoException).code).toBe('ECONNREFUSED');
    });
  });

  it('gives the agents options to the connections', async () => {
    await withPair({ paths: 2 }, async ({ client, server }) => {
      const listening = serveHttp(server, echo(), { port: 80 });
      const agent = new StackAgent(client, { connect: { mptcp: false } });
      expect(agent).toBeInstanceOf(Agent);
      const { socket } = await ask({ agent });
      expect(socket.info()?.multipath).toBe(false);
      listening.close();
    });
  });
});
