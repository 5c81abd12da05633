import { randomBytes } from 'node:crypto';
import { type Clock, RealClock } from '../clock.js';
import type { Config } from '../config.js';
import { openControl } from '../control/open.js';
import type { ControlServer } from '../control/server.js';
import { loadModule } from '../module.js';
import { type HandOver, StackBase } from '../stack.js';
import type { ConnectArguments, ConnectOptions } from './connect-options.js';
import { type ListenArguments, Server, type ServerOptions } from './server.js';
import { Socket } from './socket.js';

/** Options of a {@link Stack}; all have defaults. */
export interface StackOptions {
  /** Name for people: shown in messages and captures. */
  readonly name?: string | undefined;
  /** Memory budget, bytes, taken at once: 4 MiB to 2 GB, default 64 MiB. */
  readonly memory?: number | undefined;
  /** 32 bytes; default from the system's random source. Fixed ones are for tests and simulations only. */
  readonly seed?: Uint8Array | undefined;
  readonly clock?: Clock | undefined;
  readonly config?: Config | undefined;
  /** False for the build without SIMD, true for the one with; default what the runtime can. */
  readonly simd?: boolean | undefined;
  /** Gives packets to other shards; needed where the setting `shards` is above 1. */
  readonly handOver?: HandOver | undefined;
}

const MEMORY = 64 * 1024 * 1024;

/** One host with a TCP and Multipath TCP stack, and sockets and servers like those of `node:net`. */
export class Stack extends StackBase {
  constructor(options: StackOptions = {}) {
    super({
      name: options.name ?? 'stack',
      module: loadModule(options.simd === undefined ? {} : { simd: options.simd }),
      memory: options.memory ?? MEMORY,
      seed: options.seed ?? randomBytes(32),
      clock: options.clock ?? new RealClock(),
      config: options.config,
      handOver: options.handOver,
    });
  }

  /** Makes a server; it listens when its `listen()` is called. */
  createServer(listener?: (socket: Socket) => void): Server;
  createServer(options: ServerOptions, listener?: (socket: Socket) => void): Server;
  createServer(first?: ServerOptions | ((socket: Socket) => void), second?: (socket: Socket) => void): Server {
    return typeof first === 'function' ? new Server(this, {}, first) : new Server(this, first ?? {}, second);
  }

  /** Makes a server and listens: the arguments of `Server.listen`. */
  listen(...args: ListenArguments): Server {
    return new Server(this).listen(...args);
  }

  /** Makes a socket and connects it: the arguments of `Socket.connect`. */
  connect(...args: ConnectArguments): Socket {
    const first = args[0];
    const options: Partial<ConnectOptions> = typeof first === 'object' ? first : {};
    const socket = new Socket(this, { allowHalfOpen: options.allowHalfOpen, highWaterMark: options.highWaterMark });
    return socket.connect(...args);
  }

  /**
   * Opens a control socket, which the `mptcp` command finds: {@link openControl}. It is closed with the stack.
   * @throws ControlError when the path cannot be used.
   */
  control(path?: string): Promise<ControlServer> {
    return openControl(this, path);
  }
}
