import { EventEmitter } from 'node:events';
import { ERR_DONE, EVENT_ACCEPTABLE } from '../abi.js';
import { addressFamily, addressOrAny, formatAddress } from '../address.js';
import type { MptcpVersion } from '../config.js';
import { MptcpError } from '../error.js';
import type { EventSink, StackBase } from '../stack.js';
import { connectFlags, requirePort } from './connect-options.js';
import { type AddressInfo, Socket } from './socket.js';

/** Options of a server, named as those of `net.createServer`. */
export interface ServerOptions {
  readonly allowHalfOpen?: boolean | undefined;
  readonly pauseOnConnect?: boolean | undefined;
  readonly noDelay?: boolean | undefined;
  readonly keepAlive?: boolean | undefined;
  /** ms. */
  readonly keepAliveInitialDelay?: number | undefined;
  readonly highWaterMark?: number | undefined;
  /** False to accept plain TCP only. */
  readonly mptcp?: boolean | undefined;
  /** Versions of Multipath TCP to accept, of 0 (RFC 6824) and 1, instead of the stack's setting `listenVersions`. */
  readonly versions?: readonly MptcpVersion[] | undefined;
  /**
   * True to take bytes that come with the SYN (Fast Open, RFC 7413), where the stack's setting `fastopen` has bit 2. The
   * network may repeat a SYN: the same bytes can then come again, in another connection.
   */
  readonly fastOpen?: boolean | undefined;
}

/** Where to listen. */
export interface ListenOptions {
  /** 0 or left out: chosen. */
  readonly port?: number | undefined;
  /** A local IP address; all of them when left out. */
  readonly host?: string | undefined;
  /** Connections that may wait to be accepted. */
  readonly backlog?: number | undefined;
  /** Aborting it closes the server. */
  readonly signal?: AbortSignal | undefined;
}

export type ListenArguments =
  | [options: ListenOptions, listener?: () => void]
  | [listener?: () => void]
  | [port: number, listener?: () => void]
  | [port: number, backlog: number, listener?: () => void]
  | [port: number, host: string, listener?: () => void]
  | [port: number, host: string, backlog: number, listener?: () => void];

const BACKLOG = 511;

/** Listens for connections, with the names and habits of `net.Server`. Events: `listening`, `connection`, `drop`, `error`, `close`. */
export class Server extends EventEmitter implements EventSink {
  readonly stack: StackBase;
  /** Connections above this number are reset, and `drop` is emitted. */
  maxConnections: number | undefined;

  readonly #options: ServerOptions;
  readonly #sockets = new Set<Socket>();
  #handle: number | undefined;
  #address: AddressInfo | undefined;
  #closing = false;
  #referenced = true;
  #holding = false;

  constructor(stack: StackBase, options: ServerOptions = {}, listener?: (socket: Socket) => void) {
    super();
    this.stack = stack;
    this.#options = options;
    if (listener !== undefined) this.on('connection', listener);
  }

  get listening(): boolean {
    return this.#handle !== undefined;
  }

  /**
   * Listens: `listen([port[, host[, backlog]]][, listener])` or `listen(options[, listener])`. Failures are emitted
   * as `error`: EADDRINUSE, EADDRNOTAVAIL, ENOBUFS.
   * @throws RangeError for a port that is none, MptcpError ERR_SERVER_ALREADY_LISTEN.
   */
  listen(...args: ListenArguments): this {
    const { options, listener } = normalizeListen(args);
    if (this.#handle !== undefined) {
      throw new MptcpError('ERR_SERVER_ALREADY_LISTEN', 'listen', { detail: 'close() the server first' });
    }
    if (listener !== undefined) this.once('listening', listener);
    this.#closing = false;
    const place = { address: options.host, port: options.port ?? 0 };
    try {
      const local = addressOrAny(options.host, 'listen');
      if (this.stack.closed) throw new MptcpError('EBADF', 'listen', { detail: `stack ${this.stack.name} is closed` });
      const flags = connectFlags(this.#options, 'listen');
      const handle = this.stack.core.listen(local, place.port, options.backlog ?? BACKLOG, flags);
      if (handle < 0) throw MptcpError.fromResult(handle, 'listen', place);
      this.#handle = handle;
      const address = formatAddress(local.hi, local.lo);
      this.#address = { address, family: addressFamily(local), port: this.stack.core.listenerPort(handle) };
    } catch (error) {
      process.nextTick(() => this.emit('error', error));
      return this;
    }
    this.stack.watch(this.#handle, this);
    this.#updateHold();
    options.signal?.addEventListener('abort', () => this.close(), { once: true });
    process.nextTick(() => {
      if (this.#handle !== undefined) this.emit('listening');
    });
    return this;
  }

  /** Where it listens; null when it does not. */
  address(): AddressInfo | null {
    return this.#handle === undefined ? null : (this.#address ?? null);
  }

  /** Stops listening. `close` is emitted, and `callback` called, when the last connection is over. */
  close(callback?: (error?: Error) => void): this {
    if (callback !== undefined) {
      if (this.#handle === undefined) {
        const error = new MptcpError('ERR_SERVER_NOT_RUNNING', 'close', { detail: 'the server does not listen' });
        this.once('close', () => callback(error));
      } else {
        this.once('close', () => callback());
      }
    }
    if (this.#handle !== undefined) {
      const handle = this.#handle;
      this.#handle = undefined;
      this.stack.unwatch(handle);
      if (!this.stack.closed) {
        this.stack.core.close(handle);
        this.stack.schedule();
      }
      this.#updateHold();
    }
    this.#closing = true;
    this.#emitCloseWhenDone();
    return this;
  }

  /** Tells the number of connections. */
  getConnections(callback: (error: Error | null, count: number) => void): this {
    process.nextTick(() => callback(null, this.#sockets.size));
    return this;
  }

  ref(): this {
    this.#referenced = true;
    this.#updateHold();
    return this;
  }

  unref(): this {
    this.#referenced = false;
    this.#updateHold();
    return this;
  }

  /** Called by the stack. */
  coreEvent(type: number): void {
    // The stack itself ended: it closed the listener.
    if (type !== EVENT_ACCEPTABLE) {
      this.close();
      return;
    }
    while (this.#handle !== undefined) {
      const connection = this.stack.core.accept(this.#handle);
      if (connection === ERR_DONE) return;
      if (connection < 0) {
        this.emit('error', MptcpError.fromResult(connection, 'accept'));
        return;
      }
      this.#accept(connection);
    }
  }

  #accept(handle: number): void {
    if (this.maxConnections !== undefined && this.#sockets.size >= this.maxConnections) {
      const info = this.stack.core.connectionInfo(handle);
      this.stack.core.abort(handle);
      this.emit('drop', {
        localAddress: info === undefined ? undefined : formatAddress(info.localHi, info.localLo),
        localPort: info?.localPort,
        remoteAddress: info === undefined ? undefined : formatAddress(info.remoteHi, info.remoteLo),
        remotePort: info?.remotePort,
      });
      return;
    }
    const { allowHalfOpen, highWaterMark, noDelay, keepAlive, keepAliveInitialDelay, pauseOnConnect } = this.#options;
    const socket = Socket.accepted(this.stack, handle, { allowHalfOpen, highWaterMark });
    if (noDelay === true) socket.setNoDelay(true);
    if (keepAlive === true) socket.setKeepAlive(true, keepAliveInitialDelay);
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#emitCloseWhenDone();
    });
    if (pauseOnConnect === true) socket.pause();
    this.emit('connection', socket);
    if (pauseOnConnect !== true && !socket.destroyed) socket.read(0);
  }

  #emitCloseWhenDone(): void {
    if (!this.#closing || this.#handle !== undefined || this.#sockets.size > 0) return;
    this.#closing = false;
    process.nextTick(() => this.emit('close'));
  }

  #updateHold(): void {
    const hold = this.#referenced && this.#handle !== undefined;
    if (hold === this.#holding) return;
    this.#holding = hold;
    if (hold) this.stack.hold();
    else this.stack.release();
  }
}

function normalizeListen(args: ListenArguments): { options: ListenOptions; listener: (() => void) | undefined } {
  const last = args[args.length - 1];
  const listener = typeof last === 'function' ? last : undefined;
  const [first, second, third] = args;
  if (typeof first === 'object') {
    return { options: { ...first, port: requirePort(first.port ?? 0, 0) }, listener };
  }
  const host = typeof second === 'string' ? second : undefined;
  const backlog = typeof second === 'number' ? second : typeof third === 'number' ? third : undefined;
  const port = first === undefined || typeof first === 'function' ? 0 : requirePort(first, 0);
  return { options: { port, host, backlog }, listener };
}
