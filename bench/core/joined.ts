import {
  CONFIG_CHECKSUM_ENABLED,
  CONFIG_LIMIT_ADD_ADDR_ACCEPTED,
  CONFIG_LIMIT_SUBFLOWS,
  CONFIG_MAP_BYTES,
  CONFIG_RECEIVE_BUFFER,
  CONFIG_RECEIVE_BUFFER_MAX,
  CONFIG_SEND_BUFFER,
  CONFIG_SEND_BUFFER_MAX,
  CONNECT_PLAIN_TCP,
  ConnectionInfoLayout,
  ENDPOINT_SIGNAL,
  LINK_CHECKSUM,
  LINK_VNET_HEADER,
  SubflowInfoLayout,
  TX_BATCH,
} from '../../host/abi.js';
import { bridge, type Copy } from './bridge.js';
import { PATH_PREFIX, pathAddress, Side } from './side.js';

/** Two stacks with one connection between them. */
export interface JoinedOptions {
  readonly module: WebAssembly.Module;
  /** Plain TCP has one path. */
  readonly multipath: boolean;
  readonly paths: number;
  /** Largest IP packet, bytes. */
  readonly mtu: number;
  /** TCP and DSS checksums are written and verified; else they are left to the link, which is memory. */
  readonly checksum: boolean;
  /** Send and receive buffer, bytes. */
  readonly window: number;
}

/** What went over a connection since the last {@link Joined.transfer}. */
export interface Transfer {
  readonly bytes: number;
  readonly seconds: number;
  /** Packets with payload. */
  readonly segments: number;
  /** Part of the payload that each path carried. */
  readonly shares: readonly number[];
  readonly retransmits: number;
}

const PORT = 80;
const BUDGET = 32 << 20;
const CHUNK = 1 << 16;
/** Acknowledgments come back so much later, µs of simulated time … */
const PATH_DELAY = 20;
/** … and later still on a path that is ahead of others: by its lead at this rate, bytes in a µs. */
const LEAD_RATE = 500;
/** Simulated time passes in steps of at least so many µs, so that packets come in batches as from a device. */
const STEP = 40;
/** An acknowledgment has no more bytes. */
const REPLY_BYTES = 256;
const REPLIES = 4096;
const HANDSHAKE_TURNS = 10_000;

/** Packets on their way back on one path: each waits until its time has come. */
class ReturnPath {
  /** Bytes that the path carried the other way. */
  carried = 0;
  lastDue = 0;
  head = 0;
  tail = 0;
  readonly memory = new WebAssembly.Memory({ initial: (REPLY_BYTES * REPLIES) >> 16 });
  readonly store: Copy;
  readonly fetch: Copy;
  readonly lengths = new Uint32Array(REPLIES);
  readonly due = new Float64Array(REPLIES);

  constructor(client: WebAssembly.Memory, server: WebAssembly.Memory) {
    this.store = bridge(server, this.memory);
    this.fetch = bridge(this.memory, client);
  }
}

/**
 * A client that sends and a server that receives, joined by a copy from one memory to the other, in simulated time and
 * in one thread.
 *
 * Paths have a delay, for without one a scheduler would have no reason to use a second one. Segments arrive at once,
 * so that no payload is stored on the way, and their acknowledgments wait as long as both would have. A path that has
 * carried more than the others looks longer, as it would if its rate were theirs: all carry the same part.
 */
export class Joined {
  readonly client: Side;
  readonly server: Side;
  readonly #paths: ReturnPath[];
  readonly #across: Copy;
  readonly #chunk = new Uint8Array(CHUNK).map((_, index) => index % 251);
  readonly #connection: number;
  readonly #accepted: number;
  #now = 1_000_000;
  #written = 0;
  #read = 0;
  #segments = 0;
  #verify = true;

  /** @throws Error when the paths did not all join. */
  constructor(options: JoinedOptions) {
    this.client = new Side(options.module, BUDGET, 1);
    this.server = new Side(options.module, BUDGET, 2);
    this.#paths = Array.from(
      { length: options.paths },
      () => new ReturnPath(this.client.calls.memory, this.server.calls.memory),
    );
    this.#across = bridge(this.client.calls.memory, this.server.calls.memory);
    this.#setUp(this.client, 1, options);
    this.#setUp(this.server, 2, options);
    const flags = options.multipath ? 0 : CONNECT_PLAIN_TCP;
    const listener = this.server.must('mptcp_listen', this.server.calls.mptcp_listen(0n, 0n, PORT, 8, flags));
    const { calls } = this.client;
    this.#connection = this.client.must(
      'mptcp_connect',
      calls.mptcp_connect(0n, 0n, 0, 0n, pathAddress(0, 2), PORT, flags),
    );
    this.#accepted = this.#establish(listener);
    this.#join(options.paths);
  }

  #setUp(side: Side, host: number, { mtu, checksum, window, multipath }: JoinedOptions): void {
    side.time(this.#now);
    side.set(CONFIG_SEND_BUFFER, window);
    side.set(CONFIG_RECEIVE_BUFFER, window);
    // They stay as they are: what is measured shall fit the cache on every machine.
    side.set(CONFIG_SEND_BUFFER_MAX, window);
    side.set(CONFIG_RECEIVE_BUFFER_MAX, window);
    side.set(CONFIG_LIMIT_SUBFLOWS, this.#paths.length);
    side.set(CONFIG_LIMIT_ADD_ADDR_ACCEPTED, this.#paths.length);
    side.set(CONFIG_CHECKSUM_ENABLED, checksum ? 1 : 0);
    side.set(CONFIG_MAP_BYTES, Math.min(65535, Math.max(32768, mtu)));
    for (const path of this.#paths.keys()) {
      const link = side.must(
        'mptcp_link_add',
        side.calls.mptcp_link_add(mtu, checksum ? 0 : LINK_VNET_HEADER | LINK_CHECKSUM),
      );
      const address = pathAddress(path, host);
      side.must('mptcp_address_add', side.calls.mptcp_address_add(link, 0n, address, PATH_PREFIX));
      if (multipath && host === 2 && path > 0) {
        side.must('mptcp_endpoint_add', side.calls.mptcp_endpoint_add(0n, address, 0, 0, ENDPOINT_SIGNAL));
      }
    }
  }

  #establish(listener: number): number {
    for (let turn = 0; turn < HANDSHAKE_TURNS; turn++) {
      this.#turn();
      const accepted = this.server.calls.mptcp_accept(listener);
      if (accepted >= 0) return accepted;
    }
    throw new Error('the connection of the bench was not established');
  }

  #join(paths: number): void {
    const { calls, words } = this.client;
    for (let turn = 0; turn < HANDSHAKE_TURNS; turn++) {
      this.#write();
      this.#turn();
      this.#consume();
      const info = calls.mptcp_connection_info(this.#connection) >>> 0;
      if (words[(info + ConnectionInfoLayout.fields.subflowsTotal.offset) >> 2] === paths) return;
    }
    throw new Error(`the connection of the bench did not get its ${paths} subflows`);
  }

  /**
   * Sends for `milliseconds` of real time.
   * @throws Error when what arrives is not what was sent; looked at while {@link verifying}.
   */
  transfer(milliseconds: number): Transfer {
    const before = this.#carried();
    this.#segments = 0;
    const read = this.#read;
    const start = performance.now();
    const end = start + milliseconds;
    let now = start;
    while (now < end) {
      for (let turn = 0; turn < 16; turn++) {
        this.#write();
        this.#turn();
        this.#consume();
      }
      now = performance.now();
    }
    const after = this.#carried();
    const bytes = after.bytes.map((each, path) => each - (before.bytes[path] ?? 0));
    const total = bytes.reduce((sum, each) => sum + each, 0);
    return {
      bytes: this.#read - read,
      seconds: (now - start) / 1000,
      segments: this.#segments,
      shares: bytes.map((each) => each / total),
      retransmits: after.retransmits - before.retransmits,
    };
  }

  /** Whether every byte read is compared with what was written; not while measuring. */
  set verifying(on: boolean) {
    this.#verify = on;
  }

  #carried(): { bytes: number[]; retransmits: number } {
    const { calls, bytes } = this.client;
    const view = new DataView(bytes.buffer);
    const { bytesSent, retransmits } = SubflowInfoLayout.fields;
    const carried: number[] = [];
    let again = 0;
    for (let index = 0; ; index++) {
      const info = calls.mptcp_subflow_info(this.#connection, index);
      if (info < 0) return { bytes: carried, retransmits: again };
      carried.push(Number(view.getBigUint64((info >>> 0) + bytesSent.offset, true)));
      again += Number(view.getBigUint64((info >>> 0) + retransmits.offset, true));
    }
  }

  #write(): void {
    for (;;) {
      const taken = this.client.write(this.#connection, this.#chunk, this.#written % CHUNK);
      if (taken === 0) return;
      this.#written += taken;
    }
  }

  #consume(): void {
    const { server } = this;
    for (;;) {
      const length = this.#verify ? this.#compare() : server.readable(this.#accepted);
      if (length <= 0) return;
      server.calls.mptcp_recv_consume(this.#accepted, length);
      this.#read += length;
    }
  }

  #compare(): number {
    const bytes = this.server.peek(this.#accepted);
    if (bytes === undefined) return 0;
    for (let at = 0; at < bytes.length; at++) {
      if (bytes[at] !== ((this.#read + at) % CHUNK) % 251) throw new Error(`byte ${this.#read + at} arrived wrong`);
    }
    return bytes.length;
  }

  /** One step of simulated time: acknowledgments in, segments across, acknowledgments into their queues. */
  #turn(): void {
    const { client, server } = this;
    this.#now = this.#nextTime();
    client.time(this.#now);
    server.time(this.#now);
    for (let path = 0; path < this.#paths.length; path++) this.#bringBack(path);
    for (let path = 0; path < this.#paths.length; path++) this.#carry(path);
    for (let path = 0; path < this.#paths.length; path++) this.#collect(path);
    client.calls.mptcp_events(256);
    server.calls.mptcp_events(256);
  }

  #nextTime(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const path of this.#paths) {
      if (path.head !== path.tail) next = Math.min(next, path.due[path.head % REPLIES] as number);
    }
    // Nothing is on its way: a timer, such as that of a delayed acknowledgment, has to move things on.
    if (next === Number.POSITIVE_INFINITY) next = this.#now + 1000;
    return Math.max(Math.ceil(next), this.#now + STEP);
  }

  #bringBack(path: number): void {
    const { client } = this;
    const queue = this.#paths[path] as ReturnPath;
    while (queue.head !== queue.tail) {
      const entry = queue.head % REPLIES;
      if ((queue.due[entry] as number) > this.#now) return;
      const length = queue.lengths[entry] as number;
      queue.fetch(client.slot, entry * REPLY_BYTES, length);
      client.calls.mptcp_ingest(path, 0, length);
      queue.head++;
    }
  }

  #carry(path: number): void {
    const { client, server } = this;
    const queue = this.#paths[path] as ReturnPath;
    for (;;) {
      const count = client.calls.mptcp_transmit(path, TX_BATCH);
      for (let index = 0; index < count; index++) {
        const length = client.copyPacket(index, this.#across, server.slot);
        if (client.hasPayload(index)) this.#segments++;
        queue.carried += length;
        server.calls.mptcp_ingest(path, 0, length);
      }
      if (count < TX_BATCH) return;
    }
  }

  #collect(path: number): void {
    const { server } = this;
    const queue = this.#paths[path] as ReturnPath;
    let least = queue.carried;
    for (const each of this.#paths) least = Math.min(least, each.carried);
    const delay = PATH_DELAY + (queue.carried - least) / LEAD_RATE;
    // What is sent later never arrives earlier.
    queue.lastDue = Math.max(queue.lastDue, this.#now + delay);
    for (;;) {
      const count = server.calls.mptcp_transmit(path, TX_BATCH);
      for (let index = 0; index < count; index++) {
        if (queue.tail - queue.head === REPLIES) throw new Error('too many acknowledgments are on their way');
        const entry = queue.tail++ % REPLIES;
        queue.lengths[entry] = server.copyPacket(index, queue.store, entry * REPLY_BYTES);
        queue.due[entry] = queue.lastDue;
      }
      if (count < TX_BATCH) return;
    }
  }
}
