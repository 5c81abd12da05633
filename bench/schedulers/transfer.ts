import { CONNECT_PLAIN_TCP, EVENT_ACCEPTABLE, EVENT_CLOSED, EVENT_CONNECTED, EVENT_WRITABLE } from '../../host/abi.js';
import { requireAddress } from '../../host/address.js';
import { type ConnectionInfo, connectionInfo } from '../../host/info.js';
import type { Stack } from '../../host/net/stack.js';
import type { EventSink } from '../../host/stack.js';

const PIECE = 1 << 16;
/** Bytes differ from place to place, and their period divides no size of a buffer or segment. */
const PERIOD = 65_521;
const PATTERN = Uint8Array.from({ length: PERIOD + PIECE }, (_, index) => {
  const at = index % PERIOD;
  return (at * 31 + (at >> 8) * 7) & 0xff;
});

/** What a transfer is to do. */
export interface TransferOptions {
  /** Who connects, from which address to which. */
  readonly client: Stack;
  readonly server: Stack;
  readonly from: string;
  readonly to: string;
  readonly port: number;
  /** Bytes to send; Infinity for as long as it runs. */
  readonly bytes: number;
  /** `up` from the client, `down` to it. */
  readonly direction?: 'up' | 'down';
  readonly plain?: boolean;
  /** How long the receiver waits between two looks, µs; 0 reads at once. */
  readonly readEvery?: number;
  /** How many bytes it takes then. */
  readonly readMost?: number;
}

/**
 * One connection whose sender writes as much as it may, driven through the calls of the core. The receiver compares
 * every byte with what was sent.
 */
export class Transfer implements EventSink {
  /** Bytes the receiving application has read. */
  received = 0;
  sent = 0;
  /** When the last byte was read, µs of the clock; undefined before. */
  doneAt: number | undefined;
  /** What went wrong with the bytes or the connection, if anything did. */
  problem: string | undefined;
  readonly client: number;
  server: number | undefined;
  readonly #options: TransferOptions;
  readonly #listener: number;
  #started = false;
  #looks = false;
  #over = false;

  constructor(options: TransferOptions) {
    this.#options = options;
    const { client, server, from, to, port, plain = false } = options;
    const flags = plain ? CONNECT_PLAIN_TCP : 0;
    this.#listener = must('listen', server.core.listen(requireAddress(to, 'listen'), port, 8, flags));
    server.watch(this.#listener, { coreEvent: (type) => type === EVENT_ACCEPTABLE && this.#accept() });
    this.client = must(
      'connect',
      client.core.connect(requireAddress(from, 'connect'), 0, requireAddress(to, 'connect'), port, flags),
    );
    client.watch(this.client, this);
    client.schedule();
  }

  /** The client's events; those of the server come by #accept(). */
  coreEvent(type: number, detail: number): void {
    this.#event(true, type, detail);
  }

  /** Lets the sender begin: before that the connection only exists. */
  start(): void {
    this.#started = true;
    this.#write();
  }

  /** The sender's view of the connection. */
  info(): ConnectionInfo {
    const { stack, handle } = this.#sender();
    const info = handle === undefined ? undefined : connectionInfo(stack.core, handle);
    if (info === undefined) throw new Error('there is no connection');
    return info;
  }

  /** Changes a setting of the sender's connection while it runs. */
  set(key: number, value: number): void {
    const { stack, handle } = this.#sender();
    if (handle === undefined) throw new Error('there is no connection');
    must('set', stack.core.set(handle, key, BigInt(value)));
    stack.schedule();
  }

  /** Closes both ends and the listener. */
  close(): void {
    const { client, server } = this.#options;
    this.#over = true;
    client.unwatch(this.client);
    client.core.close(this.client);
    if (this.server !== undefined) {
      server.unwatch(this.server);
      server.core.close(this.server);
    }
    server.unwatch(this.#listener);
    server.core.close(this.#listener);
    client.schedule();
    server.schedule();
  }

  #sender(): { stack: Stack; handle: number | undefined } {
    const { client, server, direction = 'up' } = this.#options;
    return direction === 'up' ? { stack: client, handle: this.client } : { stack: server, handle: this.server };
  }

  #accept(): void {
    const { server } = this.#options;
    const handle = server.core.accept(this.#listener);
    if (handle < 0 || this.server !== undefined) return;
    this.server = handle;
    server.watch(handle, { coreEvent: (type, detail) => this.#event(false, type, detail) });
    if (this.#started) this.#write();
    this.#look();
  }

  #event(atClient: boolean, type: number, detail: number): void {
    if (this.#over) return;
    if (type === EVENT_CLOSED && detail !== 0) this.problem ??= `the connection ended with ${detail}`;
    const { direction = 'up' } = this.#options;
    const sends = atClient === (direction === 'up');
    if (sends && (type === EVENT_CONNECTED || type === EVENT_WRITABLE)) this.#write();
    if (!sends) this.#look();
  }

  #write(): void {
    if (!this.#started) return;
    const { stack, handle } = this.#sender();
    if (handle === undefined) return;
    const { bytes } = this.#options;
    while (this.sent < bytes) {
      const at = this.sent % PERIOD;
      const piece = PATTERN.subarray(at, at + Math.min(PIECE, bytes - this.sent));
      const taken = stack.core.write(handle, piece, 0);
      if (taken <= 0) break;
      this.sent += taken;
    }
    stack.schedule();
  }

  /** Reads now, or when its time comes. */
  #look(): void {
    const { readEvery = 0 } = this.#options;
    if (readEvery === 0) {
      this.#read(Number.POSITIVE_INFINITY);
    } else if (!this.#looks) {
      this.#looks = true;
      const { clock } = this.#receiver().stack;
      const next = (): void => {
        if (this.#over) return;
        this.#read(this.#options.readMost ?? Number.POSITIVE_INFINITY);
        clock.schedule(clock.now() + readEvery, next);
      };
      clock.schedule(clock.now() + readEvery, next);
    }
  }

  #read(most: number): void {
    const { stack, handle } = this.#receiver();
    if (handle === undefined) return;
    const { core } = stack;
    let left = most;
    for (let length = core.peek(handle); length > 0 && left > 0; length = core.peek(handle)) {
      const part = Math.min(length, left, PIECE);
      const at = this.received % PERIOD;
      if (Buffer.compare(core.peeked(part), PATTERN.subarray(at, at + part)) !== 0) {
        this.problem ??= `the bytes from ${this.received} on are others`;
      }
      core.consume(handle, part);
      this.received += part;
      left -= part;
    }
    if (this.received >= this.#options.bytes) this.doneAt ??= stack.clock.now();
    stack.schedule();
  }

  #receiver(): { stack: Stack; handle: number | undefined } {
    const { client, server, direction = 'up' } = this.#options;
    return direction === 'up' ? { stack: server, handle: this.server } : { stack: client, handle: this.client };
  }
}

function must(call: string, result: number): number {
  if (result < 0) throw new Error(`${call} failed with ${result}`);
  return result;
}
