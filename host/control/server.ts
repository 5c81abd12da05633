import { EventEmitter, once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import {
  CONTROL_VERSION,
  type ControlAnswer,
  ControlError,
  failureOf,
  type Json,
  type JsonObject,
  LineReader,
  REQUEST_BYTES,
  readRequest,
  requestId,
  writeLine,
} from './protocol.js';
import { claimPath, controlFolders, ownerOnly, socketName, tidyFolder } from './socket-path.js';

/** What a control socket is for: a stack, or several that are one host. */
export interface ControlTarget {
  /** Does what a request asks for. What it throws is told to the client. */
  request(method: string, params: JsonObject): Json | Promise<Json>;
  /** Has `listener` called with every event from now on. Returns what ends that. */
  monitor(listener: (event: JsonObject) => void): (() => void) | Promise<() => void>;
}

/** Clients at a time; a further one is told so and let go. */
const CLIENTS = 64;
/** Hosts of one process that have a default path beside the first one. */
const HOSTS = 63;
/** Requests of one client that wait, before no more are read from it. */
const WAITING = 32;
/** Bytes of events a client may leave unread before further ones are dropped and counted. */
const UNREAD_BYTES = 1 << 20;

/**
 * The control socket of a host: a Unix socket that its owner alone can open. Nothing a client sends ends the host, and
 * neither the socket nor its clients keep the process alive. Event: `close`.
 */
export class ControlServer extends EventEmitter {
  readonly path: string;
  readonly #server: Server;
  readonly #clients = new Set<ControlConnection>();
  #closed = false;

  private constructor(path: string, target: ControlTarget) {
    super();
    this.path = path;
    this.#server = createServer((socket) => this.#accept(socket, target));
    this.#server.unref();
  }

  /**
   * Opens a control socket; without a path, in the first of {@link controlFolders} that can be used.
   * @throws {ControlError} when the path cannot be used, in words that say why.
   */
  static async open(target: ControlTarget, path?: string): Promise<ControlServer> {
    if (path !== undefined) return ControlServer.#openAt(target, path);
    let refusal: unknown;
    for (const folder of controlFolders()) {
      for (let number = 0; number <= HOSTS; number++) {
        try {
          const control = await ControlServer.#openAt(target, join(folder, socketName(number)));
          await tidyFolder(folder);
          return control;
        } catch (error) {
          if (!(error instanceof ControlError)) throw error;
          refusal ??= error;
          // One process may have several hosts; a folder that cannot be used leaves the next one.
          if (error.code !== 'EADDRINUSE') break;
        }
      }
    }
    throw refusal;
  }

  static async #openAt(target: ControlTarget, path: string): Promise<ControlServer> {
    await claimPath(path);
    const control = new ControlServer(path, target);
    await control.#listen();
    return control;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Lets all clients go and takes the socket away. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const client of this.#clients) client.end();
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
    // What `mptcp nstat` keeps beside it.
    rmSync(`${this.path}.nstat`, { force: true });
    this.emit('close');
  }

  async #listen(): Promise<void> {
    const listening = once(this.#server, 'listening');
    // Between bind() and chmod() the mode follows from the mask, which a thread may not change: there the folder's own
    // mode keeps others out.
    const mask = maskOthers();
    try {
      this.#server.listen(this.path);
    } finally {
      if (mask !== undefined) process.umask(mask);
    }
    try {
      await listening;
    } catch (cause) {
      const text = cause instanceof Error ? cause.message : String(cause);
      throw new ControlError(codeOf(cause), `control socket ${this.path}: ${text}`, cause);
    }
    ownerOnly(this.path);
    // Failures to take a connection, such as too many open files, are the client's to see.
    this.#server.on('error', (error) => this.emit('acceptError', error));
  }

  #accept(socket: Socket, target: ControlTarget): void {
    socket.unref();
    if (this.#clients.size >= CLIENTS) {
      socket.on('error', () => socket.destroy());
      const error = {
        code: 'EMFILE',
        message: `the host serves ${CLIENTS} clients at a time; close one and try again`,
      };
      socket.end(writeLine({ mptcp: CONTROL_VERSION, id: null, error }), () => socket.destroy());
      return;
    }
    const client = new ControlConnection(socket, target);
    this.#clients.add(client);
    socket.once('close', () => this.#clients.delete(client));
  }
}

/** One client. */
class ControlConnection {
  readonly #socket: Socket;
  readonly #target: ControlTarget;
  readonly #reader = new LineReader(REQUEST_BYTES);
  readonly #waiting: (string | ControlError)[] = [];
  #working = false;
  #ended = false;
  #unsubscribe: (() => void) | undefined;
  #lost = 0;

  constructor(socket: Socket, target: ControlTarget) {
    this.#socket = socket;
    this.#target = target;
    socket.on('data', (chunk: Buffer) => {
      this.#waiting.push(...this.#reader.feed(chunk));
      if (this.#waiting.length > WAITING) socket.pause();
      void this.#work();
    });
    // The other end is gone: nothing is left to tell it, and 'close' follows.
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      this.#ended = true;
      this.#unsubscribe?.();
      this.#unsubscribe = undefined;
    });
    socket.on('drain', () => this.#tellLost());
  }

  end(): void {
    this.#socket.destroy();
  }

  async #work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    for (let line = this.#waiting.shift(); line !== undefined && !this.#ended; line = this.#waiting.shift()) {
      if (this.#waiting.length <= WAITING / 2) this.#socket.resume();
      const answer = await this.#answer(line);
      if (!this.#ended && !this.#socket.write(answer)) await this.#drained();
    }
    this.#working = false;
  }

  async #drained(): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#socket.off('drain', done);
        this.#socket.off('close', done);
        resolve();
      };
      this.#socket.on('drain', done);
      this.#socket.on('close', done);
    });
  }

  /** The line that answers a line. */
  async #answer(line: string | ControlError): Promise<string> {
    const mptcp = CONTROL_VERSION;
    if (typeof line !== 'string') return writeLine({ mptcp, id: null, error: failureOf(line) });
    try {
      const { id, method, params } = readRequest(line);
      if (method === 'monitor') await this.#monitor();
      const result = method === 'monitor' ? {} : await this.#target.request(method, params);
      return writeLine({ mptcp, id, result } satisfies ControlAnswer);
    } catch (error) {
      return writeLine({ mptcp, id: requestId(line), error: failureOf(error) } satisfies ControlAnswer);
    }
  }

  async #monitor(): Promise<void> {
    if (this.#unsubscribe !== undefined) throw new ControlError('EALREADY', 'this client is told of events already');
    const unsubscribe = await this.#target.monitor((event) => this.#event(event));
    if (this.#ended) unsubscribe();
    else this.#unsubscribe = unsubscribe;
  }

  #event(event: JsonObject): void {
    if (this.#ended) return;
    if (this.#lost > 0 || this.#socket.writableLength > UNREAD_BYTES) this.#lost++;
    else this.#socket.write(writeLine({ mptcp: CONTROL_VERSION, event }));
  }

  #tellLost(): void {
    if (this.#lost === 0 || this.#ended) return;
    this.#socket.write(writeLine({ mptcp: CONTROL_VERSION, lost: this.#lost }));
    this.#lost = 0;
  }
}

function maskOthers(): number | undefined {
  try {
    return process.umask(0o177);
  } catch (error) {
    if (codeOf(error) === 'ERR_WORKER_UNSUPPORTED_OPERATION') return undefined;
    throw error;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'EIO';
}
