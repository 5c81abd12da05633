import { addAbortSignal } from 'node:stream';
import {
  CONFIG_KEEPALIVE,
  CONFIG_KEEPALIVE_IDLE,
  CONFIG_NO_DELAY,
  type ConfigName,
  ERR_DONE,
  ERROR_CODES,
  EVENT_ADDRESS_ANNOUNCED,
  EVENT_ADDRESS_REMOVED,
  EVENT_CLOSED,
  EVENT_CONNECTED,
  EVENT_DRAINED,
  EVENT_FALLBACK,
  EVENT_READABLE,
  EVENT_SUBFLOW_CLOSED,
  EVENT_SUBFLOW_ESTABLISHED,
  EVENT_SUBFLOW_PRIORITY,
  EVENT_WRITABLE,
  SUBFLOW_BACKUP_LOCAL,
  SUBFLOW_BACKUP_REMOTE,
} from '../abi.js';
import { addressOrAny, parseAddress, requireAddress } from '../address.js';
import { type Config, decodeSetting, encodeSetting } from '../config.js';
import { MptcpError } from '../error.js';
import { type ConnectionInfo, connectionInfo, type Ends, type SubflowInfo, subflowInfos } from '../info.js';
import { FALLBACK_WORDS, fallbackName, subflowReset } from '../reasons.js';
import type { EventSink, StackBase } from '../stack.js';
import {
  type ConnectArguments,
  type ConnectOptions,
  connectFlags,
  type Lookup,
  normalizeConnect,
} from './connect-options.js';
import { PathSocket } from './path-socket.js';

/** Options of a socket, those of `net.Socket` that make sense without a file descriptor. */
export interface SocketOptions {
  /** Keep writing open when the peer has ended; default false. */
  readonly allowHalfOpen?: boolean | undefined;
  /** Bytes the streams hold beside the core's own buffers; default 64 KiB each. */
  readonly highWaterMark?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What {@link Socket.address} returns. */
export interface AddressInfo {
  readonly address: string;
  readonly family: 'IPv4' | 'IPv6';
  readonly port: number;
}

const HIGH_WATER_MARK = 65536;

/** Chunks of some size are cut from a slab: making a buffer for each costs more than copying the bytes into it. */
const SLAB_BYTES = 262144;
/** A smaller chunk that is kept would hold a whole slab. */
const SLAB_CHUNK_MIN = 4096;
let slab = Buffer.alloc(0);
let slabUsed = 0;

function chunkOf(length: number): Buffer {
  if (length < SLAB_CHUNK_MIN) return Buffer.allocUnsafe(length);
  if (slabUsed + length > slab.length) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    slabUsed = 0;
  }
  const chunk = slab.subarray(slabUsed, slabUsed + length);
  slabUsed += length;
  return chunk;
}
const TIMEOUT_MAX = 2 ** 31 - 1;

/** Chunks on their way into the core's send buffer. */
interface PendingWrite {
  readonly chunks: readonly Uint8Array[];
  index: number;
  offset: number;
  readonly done: (error?: Error | null) => void;
}

/**
 * A TCP or Multipath TCP connection with the names and habits of `net.Socket`.
 *
 * Events beside those of `net.Socket`: `subflow` (SubflowInfo), `subflowClosed` (id, error or undefined, SubflowReset or
 * undefined), `subflowPriority` (id, { backupLocal, backupRemote }), `fallback` (reason, the same in words),
 * `addressAnnounced` (address id, PathAddress or undefined when it is gone already), `addressRemoved` (address id),
 * `drained` when the peer acknowledged all that was written. docs/sockets.md has all that can be done with the paths of a
 * connection.
 */
export class Socket extends PathSocket implements EventSink {
  readonly stack: StackBase;
  connecting = false;
  bytesRead = 0;
  /** Idle time, ms, after which `timeout` is emitted; undefined when there is none. */
  timeout: number | undefined;

  #handle: number | undefined;
  #ends: Ends | undefined;
  #lastInfo: ConnectionInfo | undefined;
  /** The stream asked for data and has not been given all it wants. */
  #wantsData = false;
  #pulling = false;
  #pendingWrite: PendingWrite | undefined;
  #bytesCommitted = 0;
  /** Bytes of the pending write that the core has taken already. */
  #bytesPartial = 0;
  #referenced = true;
  #holding = false;
  #reset = false;
  #remote: { address: string; port: number } | undefined;
  /** Settings made before there is a connection to set them on. */
  readonly #settings = new Map<number, bigint>();
  /** Takes bytes where they lie, instead of the stream. */
  #inPlace: ((bytes: Uint8Array) => boolean) | undefined;
  /** Someone who writes in place waits for room. */
  #drainDue = false;
  #lastActivity = 0;
  #cancelTimeout: (() => void) | undefined;

  constructor(stack: StackBase, options: SocketOptions = {}) {
    super({
      allowHalfOpen: options.allowHalfOpen ?? false,
      readableHighWaterMark: options.highWaterMark ?? HIGH_WATER_MARK,
      writableHighWaterMark: options.highWaterMark ?? HIGH_WATER_MARK,
      autoDestroy: true,
      // The event carries an argument here, as in node:net, and is therefore emitted by _destroy().
      emitClose: false,
    });
    this.stack = stack;
    if (options.signal !== undefined) addAbortSignal(options.signal, this);
  }

  /** A socket for a connection that a listener accepted. */
  static accepted(stack: StackBase, handle: number, options: SocketOptions): Socket {
    const socket = new Socket(stack, options);
    socket.#adopt(handle);
    socket.#ends = socket.info();
    return socket;
  }

  /** Not connected yet. */
  get pending(): boolean {
    return this.#handle === undefined || this.connecting;
  }

  get readyState(): 'opening' | 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    if (this.connecting) return 'opening';
    const reading = this.readable && this.#handle !== undefined;
    const writing = this.writable && this.#handle !== undefined;
    if (reading) return writing ? 'open' : 'readOnly';
    return writing ? 'writeOnly' : 'closed';
  }

  /** Bytes written, those that still wait in the stream's own buffer included. */
  get bytesWritten(): number {
    return this.#bytesCommitted + this.writableLength - this.#bytesPartial;
  }

  get localAddress(): string | undefined {
    return this.#ends?.localAddress;
  }
  get localPort(): number | undefined {
    return this.#ends?.localPort;
  }
  get localFamily(): string | undefined {
    return this.#ends?.localFamily;
  }
  get remoteAddress(): string | undefined {
    return this.#ends?.remoteAddress;
  }
  get remotePort(): number | undefined {
    return this.#ends?.remotePort;
  }
  get remoteFamily(): string | undefined {
    return this.#ends?.remoteFamily;
  }

  /** The local end; an empty object before there is one. */
  address(): AddressInfo | Record<string, never> {
    if (this.#ends === undefined) return {};
    return { address: this.#ends.localAddress, family: this.#ends.localFamily, port: this.#ends.localPort };
  }

  /** All about the connection now, or as it was at the end; undefined before there is one. */
  info(): ConnectionInfo | undefined {
    if (this.#handle === undefined) return this.#lastInfo;
    return connectionInfo(this.stack.core, this.#handle);
  }

  protected connectionHandle(): number | undefined {
    return this.#handle;
  }

  /** The subflows there are now, or were at the end. */
  subflows(): readonly SubflowInfo[] {
    if (this.#handle === undefined) return this.#lastInfo?.subflows ?? [];
    return subflowInfos(this.stack.core, this.#handle);
  }

  /**
   * Connects: `connect(port[, host][, listener])` or `connect(options[, listener])`.
   * The host is an IP address, unless `options.lookup` resolves names.
   * @throws RangeError for a port that is none, MptcpError EISCONN when connected or connecting already.
   */
  connect(...args: ConnectArguments): this {
    const { options, listener } = normalizeConnect(args);
    if (this.connecting || this.#handle !== undefined) {
      throw new MptcpError('EISCONN', 'connect', { detail: 'the socket is connected or connecting; make another one' });
    }
    if (this.destroyed) {
      throw new MptcpError('ERR_SOCKET_CLOSED', 'connect', { detail: 'the socket was destroyed; make another one' });
    }
    if (listener !== undefined) this.once('connect', listener);
    this.connecting = true;
    this.#touch();
    if (options.signal !== undefined) addAbortSignal(options.signal, this);
    if (options.timeout !== undefined) this.setTimeout(options.timeout);
    if (options.noDelay === true) this.setNoDelay(true);
    if (options.keepAlive === true) this.setKeepAlive(true, options.keepAliveInitialDelay);
    const host = options.host ?? '';
    if (parseAddress(host) !== undefined) this.#open(host, options);
    else if (options.lookup !== undefined) this.#resolve(host, options.lookup, options);
    else this.destroy(nameError(host));
    return this;
  }

  /** Emits `timeout` after so many ms without bytes in either direction; 0 for never. */
  setTimeout(milliseconds: number, listener?: () => void): this {
    if (typeof milliseconds !== 'number' || Number.isNaN(milliseconds) || milliseconds < 0) {
      throw new RangeError(`setTimeout: ${String(milliseconds)} is no number of milliseconds from 0 on`);
    }
    this.#cancelTimeout?.();
    this.#cancelTimeout = undefined;
    this.timeout = Math.min(milliseconds, TIMEOUT_MAX);
    if (milliseconds === 0) {
      if (listener !== undefined) this.removeListener('timeout', listener);
      return this;
    }
    if (listener !== undefined) this.once('timeout', listener);
    this.#touch();
    if (!this.destroyed) this.#armTimeout();
    return this;
  }

  /** Sends small segments at once, without waiting for acknowledgements (no Nagle algorithm). */
  setNoDelay(enable = true): this {
    return this.#setting(CONFIG_NO_DELAY, enable ? 1n : 0n);
  }

  /** Probes the peer when the connection is idle, first after `initialDelay` ms (0: as it was set before). */
  setKeepAlive(enable = false, initialDelay = 0): this {
    if (initialDelay > 0) this.#setting(CONFIG_KEEPALIVE_IDLE, BigInt(Math.floor(initialDelay * 1000)));
    return this.#setting(CONFIG_KEEPALIVE, enable ? 1n : 0n);
  }

  /** Sets one of the settings that can change on a connection. @throws MptcpError EINVAL. */
  set<Name extends ConfigName>(name: Name, value: NonNullable<Config[Name]>): this {
    const setting = encodeSetting(name, value);
    return this.#setting(setting.key, setting.value);
  }

  /** Reads a setting of the connection. @throws MptcpError ENOTCONN before there is one. */
  get<Name extends ConfigName>(name: Name): NonNullable<Config[Name]> {
    if (this.#handle === undefined)
      throw new MptcpError('ENOTCONN', 'get', { detail: 'there is no connection to read from' });
    const current = this.stack.core.get(this.#handle, encodeSetting(name, this.stack.get(name)).key);
    if (current < 0) throw MptcpError.fromResult(current, 'get', { detail: name });
    return decodeSetting(name, current);
  }

  /** Lets the process live while the connection is open; so it is from the start. */
  ref(): this {
    this.#referenced = true;
    this.#updateHold();
    return this;
  }

  /** Lets the process end although the connection is open. */
  unref(): this {
    this.#referenced = false;
    this.#updateHold();
    return this;
  }

  /**
   * Shows bytes where they lie, instead of as `data`: saves a copy, and a buffer for each piece. `take` gets a view of
   * the core's memory, which is valid until it returns, and tells whether it wants more: with false the socket is paused,
   * see `resume()`. What the
   * stream holds already is shown first, all of it. `end` and errors come as ever.
   */
  readInPlace(take: (bytes: Uint8Array) => boolean): this {
    let more = true;
    // What read() asks for meanwhile goes to the stream, too, behind what it holds.
    for (let held = this.read(); held !== null; held = this.read()) more = take(held) && more;
    this.#inPlace = take;
    if (!more) this.pause();
    return this.isPaused() ? this : this.resume();
  }

  /**
   * Lets `fill` write into the core's send buffer: saves a copy. It gets room for up to `limit` bytes and returns how
   * many of them, from the front, it wrote. Returns that number; 0 when there is no room now: `drain` tells when there
   * is. The room holds whatever was there before: leave nothing of it in what is sent.
   * @throws RangeError for a limit below 1, or when `fill` returns no number of bytes of its room; MptcpError when the
   * socket is not connected or writing has ended.
   */
  writeInPlace(limit: number, fill: (room: Uint8Array) => number): number {
    if (!Number.isInteger(limit) || limit < 1) throw new RangeError(`the limit is ${limit} and must be 1 or more`);
    const handle = this.#handle;
    if (handle === undefined || this.connecting || this.writableEnded) {
      const detail = this.writableEnded ? 'writing has ended' : 'the socket is not connected';
      throw new MptcpError('EPIPE', 'write', { detail });
    }
    // Bytes written before go first.
    const found = this.writableLength > 0 ? ERR_DONE : this.stack.core.reserve(handle, limit);
    if (found === ERR_DONE) {
      this.#drainDue = true;
      return 0;
    }
    if (found < 0) throw this.#failure(found, 'write');
    const length = fill(this.stack.core.reserved(found));
    const taken = Number.isInteger(length) ? this.stack.core.commit(handle, length) : -1;
    if (taken < 0) throw new RangeError(`of a room of ${found} bytes ${length} were said to be filled`);
    this.#bytesCommitted += taken;
    this.#touch();
    this.stack.schedule();
    return taken;
  }

  override resume(): this {
    super.resume();
    if (this.#inPlace !== undefined) {
      // The stream believes that it has asked already.
      this.#wantsData = true;
      process.nextTick(() => this.#pull());
    }
    return this;
  }

  /** Ends writing and destroys the socket when all is written. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  /** Resets the connection (RST, MP_FASTCLOSE) and destroys the socket. */
  resetAndDestroy(): this {
    if (this.#handle === undefined && !this.connecting) {
      return this.destroy(new MptcpError('ERR_SOCKET_CLOSED', 'reset', { detail: 'there is no connection to reset' }));
    }
    this.#reset = true;
    return this.destroy();
  }

  /** Called by the stack. */
  coreEvent(type: number, detail: number, subflow: number, reason: number): void {
    switch (type) {
      case EVENT_CONNECTED:
        this.#onConnected();
        break;
      case EVENT_READABLE:
        this.#pull();
        break;
      case EVENT_WRITABLE:
        this.#flush();
        break;
      case EVENT_CLOSED:
        this.#onClosed(detail);
        break;
      case EVENT_SUBFLOW_ESTABLISHED:
        this.emit(
          'subflow',
          this.subflows().find((info) => info.id === subflow),
        );
        break;
      case EVENT_SUBFLOW_CLOSED:
        this.emit(
          'subflowClosed',
          subflow,
          detail < 0 ? MptcpError.fromResult(detail, 'subflow') : undefined,
          subflowReset(reason),
        );
        break;
      case EVENT_SUBFLOW_PRIORITY:
        this.emit('subflowPriority', subflow, {
          backupLocal: (detail & SUBFLOW_BACKUP_LOCAL) !== 0,
          backupRemote: (detail & SUBFLOW_BACKUP_REMOTE) !== 0,
        });
        break;
      case EVENT_FALLBACK:
        this.emit('fallback', fallbackName(detail), FALLBACK_WORDS[fallbackName(detail)]);
        break;
      case EVENT_ADDRESS_ANNOUNCED:
        this.emit(
          'addressAnnounced',
          detail,
          this.remoteAddresses().find(({ id }) => id === detail),
        );
        break;
      case EVENT_ADDRESS_REMOVED:
        this.emit('addressRemoved', detail);
        break;
      case EVENT_DRAINED:
        this.emit('drained');
        break;
      default:
        throw new MptcpError('EPROTO', 'event', { detail: `the core sent event ${type}, which no socket can have` });
    }
  }

  override _read(): void {
    this.#wantsData = true;
    this.#pull();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#send([chunk], callback);
  }

  override _writev(items: { chunk: Uint8Array }[], callback: (error?: Error | null) => void): void {
    this.#send(
      items.map((item) => item.chunk),
      callback,
    );
  }

  override _final(callback: (error?: Error | null) => void): void {
    if (this.connecting) {
      this.once('connect', () => this._final(callback));
      return;
    }
    if (this.#handle === undefined) {
      callback();
      return;
    }
    const result = this.stack.core.shutdown(this.#handle);
    this.stack.schedule();
    callback(result < 0 ? this.#failure(result, 'shutdown') : null);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.connecting = false;
    this.#cancelTimeout?.();
    this.#cancelTimeout = undefined;
    const handle = this.#handle;
    if (handle !== undefined) {
      this.#lastInfo = connectionInfo(this.stack.core, handle) ?? this.#lastInfo;
      this.#handle = undefined;
      this.stack.unwatch(handle);
      if (!this.stack.closed) {
        // A peer that still sends would wait for ever if it were told nothing: the core resets when bytes are unread.
        const result = this.#reset ? this.stack.core.abort(handle) : this.stack.core.close(handle);
        if (result < 0) throw MptcpError.fromResult(result, 'close');
        this.stack.schedule();
      }
    }
    this.#updateHold();
    const write = this.#pendingWrite;
    this.#pendingWrite = undefined;
    write?.done(
      error ?? new MptcpError('ECANCELED', 'write', { detail: 'the socket was destroyed before all was written' }),
    );
    callback(error);
    process.nextTick(() => this.emit('close', error !== null));
  }

  #resolve(host: string, lookup: Lookup, options: ConnectOptions): void {
    lookup(host, { family: options.family ?? 0, all: false }, (error, address) => {
      if (this.destroyed) return;
      this.emit('lookup', error, address, undefined, host);
      if (error !== null && error !== undefined) this.destroy(error);
      else if (typeof address === 'string' && parseAddress(address) !== undefined) this.#open(address, options);
      else this.destroy(nameError(host));
    });
  }

  #open(host: string, options: ConnectOptions): void {
    const port = options.port;
    this.#remote = { address: host, port };
    try {
      const local = addressOrAny(options.localAddress, 'connect');
      const remote = requireAddress(host, 'connect');
      if (this.stack.closed) throw new MptcpError('EBADF', 'connect', { detail: `stack ${this.stack.name} is closed` });
      const flags = connectFlags(options, 'connect');
      const handle = this.stack.core.connect(local, options.localPort ?? 0, remote, port, flags);
      if (handle < 0) throw MptcpError.fromResult(handle, 'connect', this.#remote);
      this.#adopt(handle);
      for (const [name, value] of Object.entries(options.config ?? {})) {
        const setting = encodeSetting(name, value);
        this.#setting(setting.key, setting.value);
      }
    } catch (error) {
      this.destroy(error as Error);
      return;
    }
    this.stack.schedule();
    this.#flush();
  }

  #adopt(handle: number): void {
    this.#handle = handle;
    this.#touch();
    this.stack.watch(handle, this);
    this.#updateHold();
    for (const [key, value] of this.#settings) this.#setting(key, value);
    this.#settings.clear();
  }

  #onConnected(): void {
    this.connecting = false;
    this.#ends = this.info();
    this.#touch();
    this.emit('connect');
    this.emit('ready');
    // As node:net does: start to read, so that the end of the stream is noticed.
    if (!this.destroyed && !this.isPaused()) this.read(0);
    this.#pull();
  }

  #onClosed(result: number): void {
    if (this.stack.closed && !this.connecting) {
      // Whoever closes the stack knows; an error that nobody expects would end the process.
      this.destroy();
      return;
    }
    // Bytes that came before the end are the application's still.
    this.#pull();
    if (this.destroyed) return;
    if (result < 0) this.destroy(this.#failure(result, this.connecting ? 'connect' : 'read'));
  }

  /** Moves what has been received into the stream as long as the stream wants it. */
  #pull(): void {
    if (this.#pulling || this.connecting) return;
    this.#pulling = true;
    const core = this.stack.core;
    try {
      while (this.#wantsData && this.#handle !== undefined) {
        const length = core.peek(this.#handle);
        if (length === ERR_DONE) break;
        if (length < 0) {
          this.destroy(this.#failure(length, 'read'));
          break;
        }
        if (length === 0) {
          this.#wantsData = false;
          this.push(null);
          // With nothing left to read the end is told even to a socket that nobody reads, as node:net does.
          this.read(0);
          break;
        }
        this.#touch();
        if (this.#inPlace !== undefined) {
          this.#wantsData = this.#show(core.peeked(length));
          // It may have destroyed the socket.
          if (this.#handle !== undefined) core.consume(this.#handle, length);
          this.bytesRead += length;
        } else {
          const chunk = chunkOf(length);
          core.copyPeeked(chunk);
          core.consume(this.#handle, length);
          this.bytesRead += length;
          this.#wantsData = false;
          if (this.push(chunk)) this.#wantsData = true;
        }
        // Room in the receive buffer is a larger window for the peer to know of.
        this.stack.schedule();
      }
    } finally {
      this.#pulling = false;
    }
  }

  #send(chunks: readonly Uint8Array[], done: (error?: Error | null) => void): void {
    if (this.#handle === undefined && !this.connecting) {
      done(new MptcpError('ERR_SOCKET_CLOSED', 'write', { detail: 'the socket is not connected' }));
      return;
    }
    this.#pendingWrite = { chunks, index: 0, offset: 0, done };
    this.#flush();
  }

  /** Gives bytes to whoever reads in place. Returns whether there may be more. */
  #show(bytes: Uint8Array): boolean {
    if (this.#inPlace?.(bytes) === false) this.pause();
    return !this.isPaused();
  }

  /** Moves the pending write into the core as far as there is room. */
  #flush(): void {
    const write = this.#pendingWrite;
    if (this.#handle === undefined) return;
    if (write === undefined) {
      if (!this.#drainDue) return;
      this.#drainDue = false;
      this.emit('drain');
      return;
    }
    while (write.index < write.chunks.length) {
      const chunk = write.chunks[write.index] as Uint8Array;
      if (write.offset < chunk.length) {
        const taken = this.stack.core.write(this.#handle, chunk, write.offset);
        if (taken === ERR_DONE) return;
        if (taken < 0) {
          this.#pendingWrite = undefined;
          this.#bytesPartial = 0;
          write.done(this.#failure(taken, 'write'));
          return;
        }
        write.offset += taken;
        this.#bytesCommitted += taken;
        this.#bytesPartial += taken;
        this.#touch();
        this.stack.schedule();
        if (write.offset < chunk.length) continue;
      }
      write.index++;
      write.offset = 0;
    }
    this.#pendingWrite = undefined;
    this.#bytesPartial = 0;
    write.done();
    if (this.#drainDue) process.nextTick(() => this.#flush());
  }

  #setting(key: number, value: bigint): this {
    if (this.#handle === undefined) {
      this.#settings.set(key, value);
      return this;
    }
    const result = this.stack.core.set(this.#handle, key, value);
    if (result < 0) throw MptcpError.fromResult(result, 'set', { detail: `setting ${key} cannot be ${value} here` });
    this.stack.schedule();
    return this;
  }

  #failure(result: number, syscall: string): MptcpError {
    const ends = this.#ends;
    const remote = ends === undefined ? this.#remote : { address: ends.remoteAddress, port: ends.remotePort };
    return MptcpError.fromResult(
      result,
      syscall,
      syscall === 'connect' || ERROR_CODES[result] === undefined ? remote : {},
    );
  }

  #updateHold(): void {
    const hold = this.#referenced && this.#handle !== undefined;
    if (hold === this.#holding) return;
    this.#holding = hold;
    if (hold) this.stack.hold();
    else this.stack.release();
  }

  #touch(): void {
    if (this.timeout !== undefined) this.#lastActivity = this.stack.clock.now();
  }

  #armTimeout(): void {
    const deadline = this.#lastActivity + (this.timeout ?? 0) * 1000;
    this.#cancelTimeout = this.stack.clock.schedule(deadline, () => {
      this.#cancelTimeout = undefined;
      if (this.destroyed || this.timeout === undefined || this.timeout === 0) return;
      // Activity only moves the moment it looks at: a timer less to set for every packet.
      if (this.#lastActivity + this.timeout * 1000 > this.stack.clock.now()) {
        this.#armTimeout();
        return;
      }
      this.stack.clock.settle();
      this.emit('timeout');
      if (this.timeout > 0 && !this.destroyed && this.#cancelTimeout === undefined) {
        this.#touch();
        this.#armTimeout();
      }
    });
  }
}

function nameError(host: string): MptcpError {
  return new MptcpError('ENOTFOUND', 'connect', {
    detail: `${JSON.stringify(host)} is not an IP address and the stack resolves no names; resolve it first or give a lookup function`,
  });
}
