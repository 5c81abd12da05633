import {
  CONFIG_KEEPALIVE,
  CONFIG_RECEIVE_BUFFER,
  CONFIG_SEND_BUFFER,
  CONFIG_WINDOW_SCALE,
  CONNECT_PLAIN_TCP,
  ERR_DONE,
  LINK_CHECKSUM,
  LINK_VNET_HEADER,
  PAGE_BYTES,
  PoolInfoLayout,
  TX_BATCH,
} from '../../host/abi.js';
import { bridge, type Copy } from '../core/bridge.js';
import { PATH_PREFIX, pathAddress, Side } from '../core/side.js';

const FIRST_PORT = 1000;
/** Ports of the server: one client has 28,232 ports of its own towards each. */
const PORTS = 8;
const BATCH = 256;
/** Connections that may be in their handshake at a time. */
const BACKLOG = 4096;

export interface PopulationOptions {
  readonly module: WebAssembly.Module;
  /** Budget of each side, bytes. */
  readonly memory: number;
  readonly multipath: boolean;
  readonly keepAlive?: boolean;
  readonly mtu?: number;
  readonly window?: number;
}

/** Two stacks with many connections between them, on one path without delay. */
export class Population {
  readonly client: Side;
  readonly server: Side;
  /** Handles on both sides, the oldest connection first; entries of the same index need not belong together. */
  readonly clients: number[] = [];
  readonly servers: number[] = [];
  readonly #listeners: number[] = [];
  readonly #flags: number;
  readonly #there: Copy;
  readonly #back: Copy;
  now = 1_000_000;

  constructor({ module, memory, multipath, keepAlive = false, mtu = 1500, window = 1 << 18 }: PopulationOptions) {
    this.client = new Side(module, memory, 1);
    this.server = new Side(module, memory, 2);
    this.#there = bridge(this.client.calls.memory, this.server.calls.memory);
    this.#back = bridge(this.server.calls.memory, this.client.calls.memory);
    this.#flags = multipath ? 0 : CONNECT_PLAIN_TCP;
    for (const [side, host] of [
      [this.client, 1],
      [this.server, 2],
    ] as const) {
      side.time(this.now);
      side.set(CONFIG_SEND_BUFFER, window);
      side.set(CONFIG_RECEIVE_BUFFER, window);
      side.set(CONFIG_WINDOW_SCALE, 14);
      side.set(CONFIG_KEEPALIVE, keepAlive ? 1 : 0);
      const link = side.must('mptcp_link_add', side.calls.mptcp_link_add(mtu, LINK_VNET_HEADER | LINK_CHECKSUM));
      side.must('mptcp_address_add', side.calls.mptcp_address_add(link, 0n, pathAddress(0, host), PATH_PREFIX));
    }
    for (let port = 0; port < PORTS; port++) {
      const { calls } = this.server;
      this.#listeners.push(
        this.server.must('mptcp_listen', calls.mptcp_listen(0n, 0n, FIRST_PORT + port, BACKLOG, this.#flags)),
      );
    }
  }

  /** Establishes connections until there are `count`. @throws Error when some were not established. */
  grow(count: number): void {
    while (this.clients.length < count) {
      const batch = Math.min(BATCH, count - this.clients.length);
      for (let i = 0; i < batch; i++) {
        const port = FIRST_PORT + (this.clients.length % PORTS);
        const { calls } = this.client;
        this.clients.push(
          this.client.must('mptcp_connect', calls.mptcp_connect(0n, 0n, 0, 0n, pathAddress(0, 2), port, this.#flags)),
        );
      }
      this.settle();
      for (const listener of this.#listeners) {
        for (;;) {
          const accepted = this.server.calls.mptcp_accept(listener);
          if (accepted === ERR_DONE) break;
          this.servers.push(this.server.must('mptcp_accept', accepted));
        }
      }
      if (this.servers.length !== this.clients.length) {
        throw new Error(`${this.clients.length} connections were begun and ${this.servers.length} accepted`);
      }
    }
  }

  /** Carries packets to and fro until neither side has one. Returns how many there were. */
  settle(): number {
    let carried = 0;
    for (;;) {
      this.now += 10;
      this.client.time(this.now);
      this.server.time(this.now);
      const moved = carry(this.client, this.server, this.#there) + carry(this.server, this.client, this.#back);
      carried += moved;
      drain(this.client);
      drain(this.server);
      if (moved === 0) return carried;
    }
  }

  /** Sends `bytes` over a connection of the client to its end and has the server's end read them; returns the packets. */
  send(handle: number, bytes: Uint8Array): number {
    let packets = 0;
    for (let sent = 0; sent < bytes.length; ) {
      const taken = this.client.write(handle, bytes, sent);
      if (taken === 0) throw new Error('the send buffer of the bench is full');
      sent += taken;
    }
    packets += this.settle();
    return packets;
  }

  /** Reads and drops what a connection of the server has. Returns the bytes. */
  consume(handle: number): number {
    let read = 0;
    for (;;) {
      const length = this.server.readable(handle);
      if (length <= 0) return read;
      this.server.calls.mptcp_recv_consume(handle, length);
      read += length;
    }
  }

  /** The server's connection at whose other end `handle` is: the one that can read what is sent now. */
  peerOf(handle: number): number {
    this.send(handle, Uint8Array.of(1));
    const found = this.servers.find((server) => this.consume(server) > 0);
    if (found === undefined) throw new Error('no connection of the server got what was sent');
    return found;
  }

  /** Bytes of the server's budget that are in use. */
  memoryInUse(): number {
    const { pages, pagesFree } = PoolInfoLayout.fields;
    const at = this.server.must('mptcp_pool_info', this.server.calls.mptcp_pool_info());
    const { words } = this.server;
    return ((words[(at + pages.offset) >> 2] as number) - (words[(at + pagesFree.offset) >> 2] as number)) * PAGE_BYTES;
  }
}

/** Carries what one side has for the other. Returns the packets. */
function carry(from: Side, to: Side, copy: Copy): number {
  let carried = 0;
  for (;;) {
    const count = from.calls.mptcp_transmit(0, TX_BATCH);
    for (let index = 0; index < count; index++) {
      to.calls.mptcp_ingest(0, 0, from.copyPacket(index, copy, to.slot));
    }
    carried += count;
    if (count < TX_BATCH) return carried;
  }
}

function drain(side: Side): void {
  while (side.calls.mptcp_events(256) === 256);
}
