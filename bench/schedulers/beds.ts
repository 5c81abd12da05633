import type { Config } from '../../host/config.js';
import type { Stack } from '../../host/net/stack.js';
import { megabits, milliseconds, Network } from '../../host/sim/network.js';
import type { Wire } from '../../host/sim/wire.js';
import { Transfer, type TransferOptions } from './transfer.js';

const MEMORY = 32 << 20;
const PORT = 80;

/** A link of a bed: Mbit/s, ms one way, packets that may wait, probability of loss. */
export interface LinkShape {
  readonly rate: number;
  readonly delay: number;
  readonly queue?: number;
  readonly loss?: number;
}

/** Packets of 1,500 bytes that may wait at a link unless it says otherwise: the limit of netem, as in Linux's tests. */
const QUEUE = 1000;
const PACKET = 1500;

/** Lets `time` µs pass, without the turns of Node's loop that sockets would need. */
export function advance(network: Network, time: number): void {
  const { clock } = network;
  const end = clock.now() + time;
  clock.runReady();
  while (clock.next() <= end) clock.step();
  clock.advanceTo(end);
}

/** Two stacks joined by several wires, wire N with the addresses 10.0.N.1 (server) and 10.0.N.2 (client). */
export class PathsBed {
  readonly network: Network;
  readonly client: Stack;
  readonly server: Stack;
  readonly wires: readonly Wire[];
  readonly #transfers: Transfer[] = [];

  constructor(seed: number, links: readonly LinkShape[], config: Config = {}, receiver: Config = {}) {
    this.network = new Network({ seed });
    const limits: Config = { limitSubflows: 8, limitAddAddrAccepted: 8 };
    this.client = this.network.host('client', { memory: MEMORY, config: { ...limits, ...config } });
    this.server = this.network.host('server', { memory: MEMORY, config: { ...limits, ...config, ...receiver } });
    this.wires = links.map(({ rate, delay, queue = QUEUE, loss = 0 }, index) =>
      this.network.wire({
        name: `path${index + 1}`,
        rate: megabits(rate),
        delay: milliseconds(delay),
        queue: queue * PACKET,
        loss,
        a: { at: this.client, addresses: [`10.0.${index + 1}.2/24`] },
        b: { at: this.server, addresses: [`10.0.${index + 1}.1/24`] },
      }),
    );
    // One subflow a wire: the client joins what the server announces.
    for (let index = 2; index <= links.length; index++) {
      this.server.addEndpoint({ address: `10.0.${index}.1`, signal: true });
    }
  }

  /** Opens a connection; its sender begins with {@link Transfer.start}. */
  open(options: Pick<TransferOptions, 'bytes' | 'direction' | 'readEvery' | 'readMost'>): Transfer {
    const { client, server } = this;
    const port = PORT + this.#transfers.length;
    const transfer = new Transfer({ client, server, from: '10.0.1.2', to: '10.0.1.1', port, ...options });
    this.#transfers.push(transfer);
    return transfer;
  }

  advance(time: number): void {
    advance(this.network, time);
  }

  /** Lets time pass until a transfer is done, at most `most` µs. Returns how long it took; Infinity if it is not. */
  finish(transfer: Transfer, most: number, step = 1000): number {
    const start = this.network.now;
    while (transfer.doneAt === undefined && this.network.now - start < most) {
      if (transfer.problem !== undefined) throw new Error(transfer.problem);
      this.advance(step);
    }
    return transfer.doneAt === undefined ? Number.POSITIVE_INFINITY : transfer.doneAt - start;
  }

  /** What is left in the pools once all is closed and forgotten. */
  leftovers(): Record<string, number> {
    for (const transfer of this.#transfers) transfer.close();
    this.advance(400e6);
    for (const stack of [this.client, this.server]) stack.schedule();
    this.advance(0);
    const left: Record<string, number> = {};
    for (const stack of [this.client, this.server]) {
      const { pages, pagesFree, pagesPools, ...used } = stack.pools();
      for (const [name, count] of Object.entries(used)) if (count !== 0) left[`${stack.name} ${name}`] = count;
      if (pagesFree + pagesPools !== pages) left[`${stack.name} pages`] = pages - pagesFree - pagesPools;
    }
    return left;
  }

  close(): void {
    this.network.close();
  }
}

/**
 * A client with two addresses and another host with one, both behind routers at one bottleneck, so that a connection of
 * two subflows meets plain TCP there: client 10.0.1.2 and 10.0.2.2, other 10.0.3.2, server 10.0.9.1.
 */
export class SharedBed {
  readonly network: Network;
  readonly client: Stack;
  readonly other: Stack;
  readonly server: Stack;

  constructor(seed: number, shape: LinkShape, config: Config, otherConfig: Config) {
    this.network = new Network({ seed });
    const limits: Config = { limitSubflows: 8 };
    this.client = this.network.host('client', { memory: MEMORY, config: { ...limits, ...config } });
    this.other = this.network.host('other', { memory: MEMORY, config: otherConfig });
    this.server = this.network.host('server', { memory: MEMORY, config: limits });
    const near = this.network.router('near');
    const far = this.network.router('far');
    const access = (name: string, at: Stack, subnet: number): void => {
      // Packets of one flow must not always come right before those of another, or it always finds the queue full.
      this.network.wire({
        name,
        delay: 500 + subnet * 110,
        jitter: 300,
        a: { at, addresses: [`10.0.${subnet}.2/24`], routes: ['10.0.9.0/24'] },
        b: { at: near, routes: [`10.0.${subnet}.0/24`] },
      });
    };
    access('first', this.client, 1);
    access('second', this.client, 2);
    access('third', this.other, 3);
    const queue = (shape.queue ?? QUEUE) * PACKET;
    this.network.wire({
      name: 'bottleneck',
      rate: megabits(shape.rate),
      delay: milliseconds(shape.delay),
      queue,
      a: { at: near, routes: ['10.0.9.0/24'] },
      b: { at: far, routes: ['10.0.0.0/16'] },
    });
    this.network.wire({
      name: 'last',
      a: { at: far, routes: ['10.0.9.0/24'] },
      b: { at: this.server, addresses: ['10.0.9.1/24'], routes: ['10.0.0.0/16'] },
    });
    this.client.addEndpoint({ address: '10.0.2.2', subflow: true });
  }

  /** The connection of several subflows. */
  multipath(): Transfer {
    const { client, server } = this;
    return new Transfer({
      client,
      server,
      from: '10.0.1.2',
      to: '10.0.9.1',
      port: PORT,
      bytes: Number.POSITIVE_INFINITY,
    });
  }

  /** Plain TCP of the other host. */
  plain(): Transfer {
    const { other: client, server } = this;
    const bytes = Number.POSITIVE_INFINITY;
    return new Transfer({ client, server, from: '10.0.3.2', to: '10.0.9.1', port: PORT + 1, bytes, plain: true });
  }

  advance(time: number): void {
    advance(this.network, time);
  }

  close(): void {
    this.network.close();
  }
}
