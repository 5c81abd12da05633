import {
  Agent,
  type AgentOptions,
  type ClientRequestArgs,
  type Server as HttpServer,
  type ServerResponse,
} from 'node:http';
import type { Duplex } from 'node:stream';
import type { ConnectOptions, Lookup } from './connect-options.js';
import type { ListenOptions, Server, ServerOptions } from './server.js';
import type { Socket } from './socket.js';
import type { Stack } from './stack.js';

/**
 * Serves HTTP over a stack: every connection is handed to `http`, a server of `node:http` that does not listen
 * itself. Returns the server that listens; closing it closes idle keep-alive connections too.
 */
export function serveHttp(stack: Stack, http: HttpServer, listen: ListenOptions, options: ServerOptions = {}): Server {
  const idle = new Set<Socket>();
  let closing = false;
  // http.Server sets allowHalfOpen on its own sockets: a client may end after its request and wait for the answer.
  const server = stack.createServer({ allowHalfOpen: true, noDelay: true, ...options }, (socket) => {
    idle.add(socket);
    socket.once('close', () => idle.delete(socket));
    http.emit('connection', socket);
  });
  const onRequest = ({ socket }: { socket: unknown }, response: ServerResponse): void => {
    const connection = socket as Socket;
    idle.delete(connection);
    response.once('close', () => {
      if (closing) connection.end();
      else if (!connection.destroyed) idle.add(connection);
    });
  };
  http.prependListener('request', onRequest);
  server.once('close', () => http.removeListener('request', onRequest));
  const close = server.close.bind(server);
  server.close = (callback) => {
    closing = true;
    close(callback);
    for (const socket of idle) socket.destroySoon();
    return server;
  };
  return server.listen(listen);
}

/** Options of a {@link StackAgent}: those of `http.Agent`, and what its connections shall have. */
export interface StackAgentOptions extends AgentOptions {
  readonly connect?: Partial<ConnectOptions>;
}

/** An agent whose connections go over a stack: `http.request(url, { agent: new StackAgent(stack) })`. */
export class StackAgent extends Agent {
  readonly #stack: Stack;
  readonly #connect: Partial<ConnectOptions>;

  constructor(stack: Stack, options: StackAgentOptions = {}) {
    const { connect, ...rest } = options;
    super(rest);
    this.#stack = stack;
    this.#connect = connect ?? {};
  }

  override createConnection(options: ClientRequestArgs): Duplex {
    return this.#stack.connect({
      host: options.host ?? options.hostname ?? undefined,
      port: Number(options.port ?? 80),
      localAddress: options.localAddress,
      localPort: options.localPort,
      timeout: options.timeout,
      lookup: options.lookup as Lookup | undefined,
      noDelay: true,
      ...this.#connect,
    });
  }
}
