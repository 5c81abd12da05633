import { EventEmitter } from 'node:events';
import {
  CONFIG_MONITOR,
  CONFIG_NAMES,
  type ConfigName,
  type CounterName,
  ENDPOINT_BACKUP,
  ENDPOINT_FULLMESH,
  ENDPOINT_SIGNAL,
  ENDPOINT_SUBFLOW,
  ERR_ABORTED,
  ERR_ADDRESS_IN_USE,
  ERR_ADDRESS_NOT_AVAILABLE,
  ERR_INVALID,
  EVENT_CLOSED,
  LINK_CHECKSUM,
  LINK_SEGMENTATION,
  LINK_VNET_HEADER,
  type PoolInfoRecord,
} from './abi.js';
import { type Prefix, requireAddress, requirePrefix } from './address.js';
import type { Clock } from './clock.js';
import { type Config, decodeSetting, encodeSetting } from './config.js';
import { Core } from './core.js';
import { MptcpError } from './error.js';
import { monitorEvent } from './info.js';
import type { Link, LinkPort } from './link/link.js';

/** What the stack of any runtime is made of. */
export interface StackBaseOptions {
  /** Name for people: shown in messages and captures. */
  readonly name: string;
  readonly module: WebAssembly.Module;
  /** Memory budget, bytes. */
  readonly memory: number;
  /** 32 bytes, secret and never the same twice outside of tests. */
  readonly seed: Uint8Array;
  readonly clock: Clock;
  readonly config?: Config | undefined;
  /** Needed where the setting `shards` is above 1; without it packets for other shards are dropped. */
  readonly handOver?: HandOver | undefined;
}

/**
 * Gives a packet, as link number `link` brought it, to another shard of the same host, which takes it with
 * {@link StackBase.takeOver}. Must finish with the bytes before it returns. Returns false when the packet is lost.
 */
export type HandOver = (link: number, shard: number, packet: Uint8Array) => boolean;

/** What a link has on this host. */
export interface LinkOptions {
  /** Addresses with their on-link prefix: `10.0.1.2/24`, `fd00::2/64`. */
  readonly addresses?: readonly string[];
  /** Further destinations that the link leads to: `0.0.0.0/0`. The source address, where set, decides first. */
  readonly routes?: readonly string[];
}

/** A path-manager endpoint, as `ip mptcp endpoint` has them. */
export interface EndpointOptions {
  readonly address: string;
  /** Address id, 1 to 255; chosen when left out. */
  readonly id?: number;
  /** Port to announce with `signal`; 0 or left out for none. */
  readonly port?: number;
  /** Announce the address to the peer (ADD_ADDR). */
  readonly signal?: boolean;
  /** Open a subflow from the address. */
  readonly subflow?: boolean;
  /** Its subflows are backups. */
  readonly backup?: boolean;
  /** Open subflows from the address to every address of the peer. */
  readonly fullmesh?: boolean;
}

/** An endpoint there is. */
export interface Endpoint extends Required<EndpointOptions> {}

/** A link of a stack, and what went over it. */
export interface LinkStatistics {
  readonly name: string;
  readonly number: number;
  readonly up: boolean;
  readonly packetsIn: number;
  readonly packetsOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Packets that the link would not take, and that it brought but the core dropped. */
  readonly dropsOut: number;
  readonly dropsIn: number;
  /** With their on-link prefixes, as they were given. */
  readonly addresses: readonly string[];
}

/** Whoever is told the events of one connection or listener. */
export interface EventSink {
  /** See the EVENT_ constants. After EVENT_CLOSED no further one comes. */
  coreEvent(type: number, detail: number, subflow: number, reason: number): void;
}

/**
 * Packets one round reads from one link, and sends by it. A round is short, so that a request that comes in the middle
 * of a bulk transfer is answered before the bulk goes on.
 */
const RECEIVE_BATCH = 256;
const TRANSMIT_BATCH = 32;
/** Rounds in one turn, before timers and the rest of the program have theirs; what is left is the next turn's. */
const ROUNDS = 8;

/**
 * One host: links, a core, and the loop between them. This class knows no sockets: those of a runtime come with a
 * subclass, for Node that in `net/stack.ts`.
 *
 * Events: `linkError` (link, error) when a link fails; it is marked down. `monitor` (MonitorEvent) is told what
 * `ip mptcp monitor` shows, of every connection of the stack, from the moment someone listens to it. `close` when the stack was
 * closed.
 */
export class StackBase extends EventEmitter {
  readonly name: string;
  readonly clock: Clock;
  /** The protocol core, for whoever makes sockets. Applications have no use for it. */
  readonly core: Core;

  readonly #links: StackLink[] = [];
  readonly #endpoints = new Map<number, Endpoint>();
  readonly #sinks = new Map<number, EventSink>();
  readonly #handOver: HandOver | undefined;
  #closed = false;
  #turning = false;
  #again = false;
  #soonPending = false;
  #laterPending = false;
  #armed = Number.POSITIVE_INFINITY;
  #disarm: (() => void) | undefined;
  #holders = 0;
  #letGo: (() => void) | undefined;

  /** @throws MptcpError EINVAL for a budget, seed or setting out of range. */
  constructor(options: StackBaseOptions) {
    super();
    this.name = options.name;
    this.clock = options.clock;
    this.#handOver = options.handOver;
    this.core = new Core({ module: options.module, memory: options.memory, seed: options.seed });
    this.core.time(this.clock.now());
    for (const [name, value] of Object.entries(options.config ?? {})) this.#set(name, value);
    this.on('newListener', (name) => {
      if (name === 'monitor' && !this.#closed) this.core.set(0, CONFIG_MONITOR, 1n);
    });
    this.on('removeListener', (name) => {
      if (name === 'monitor' && this.listenerCount(name) === 0 && !this.#closed) this.core.set(0, CONFIG_MONITOR, 0n);
    });
  }

  /** The stack was closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Takes a link, gives it addresses and begins to use it. Returns the link's number.
   * @throws MptcpError EINVAL, EADDRINUSE, ENOSPC; the link is then not taken.
   */
  addLink(link: Link, options: LinkOptions = {}): number {
    this.#mustBeOpen('addLink');
    if (this.#links.some((entry) => entry.link === link)) {
      throw new MptcpError('EALREADY', 'addLink', {
        detail: `link ${link.name} belongs to stack ${this.name} already`,
      });
    }
    const flags =
      (link.vnetHeader ? LINK_VNET_HEADER : 0) |
      (link.checksumOffload ? LINK_CHECKSUM : 0) |
      (link.segmentationOffload ? LINK_SEGMENTATION : 0);
    const number = this.core.linkAdd(link.mtu, flags);
    const entry = new StackLink(link, number, this.#portHooks);
    this.#links.push(entry);
    try {
      for (const address of options.addresses ?? []) this.addAddress(link, address);
      for (const route of options.routes ?? []) this.addRoute(link, route);
      link.attach(entry);
    } catch (error) {
      this.#links.splice(this.#links.indexOf(entry), 1);
      this.core.linkRemove(number);
      throw error;
    }
    this.schedule();
    return number;
  }

  /** Removes a link and closes it; subflows on it end. */
  removeLink(link: Link): void {
    const entry = this.#entry(link, 'removeLink');
    this.core.linkRemove(entry.number);
    this.#links.splice(this.#links.indexOf(entry), 1);
    link.close();
    this.schedule();
  }

  /** Says that a link lost or got back its carrier: its subflows stop at once, or try again at once. */
  setLinkUp(link: Link, up: boolean): void {
    const entry = this.#entry(link, 'setLinkUp');
    if (entry.up === up) return;
    entry.up = up;
    this.core.linkUp(entry.number, up);
    this.schedule();
  }

  /** Gives a link one more address, `10.0.1.2/24`. @throws MptcpError EINVAL, EADDRINUSE, ENOSPC. */
  addAddress(link: Link, address: string): void {
    const entry = this.#entry(link, 'addAddress');
    const prefix = requirePrefix(address, 'addAddress');
    const result = this.core.addressAdd(entry.number, prefix);
    if (result < 0) {
      const detail = result === ERR_ADDRESS_IN_USE ? 'a link of this stack has this address already' : undefined;
      throw MptcpError.fromResult(result, 'addAddress', { address, detail });
    }
    entry.addresses.push({ ...prefix, text: address });
    this.schedule();
  }

  /** Takes an address from a link; its subflows end and their peers are told. @throws MptcpError EADDRNOTAVAIL. */
  removeAddress(link: Link, address: string): void {
    const entry = this.#entry(link, 'removeAddress');
    const { hi, lo } = requirePrefix(address, 'removeAddress');
    const result = this.core.addressRemove(entry.number, { hi, lo });
    if (result < 0) throw MptcpError.fromResult(result, 'removeAddress', { address });
    entry.addresses = entry.addresses.filter((each) => each.hi !== hi || each.lo !== lo);
    this.schedule();
  }

  /** Leads a destination prefix by a link. @throws MptcpError EINVAL, ENOSPC. */
  addRoute(link: Link, prefix: string): void {
    const entry = this.#entry(link, 'addRoute');
    const result = this.core.routeAdd(entry.number, requirePrefix(prefix, 'addRoute'));
    if (result < 0) throw MptcpError.fromResult(result, 'addRoute', { address: prefix });
    this.schedule();
  }

  /** Removes a route. @throws MptcpError EADDRNOTAVAIL when there is none like it. */
  removeRoute(link: Link, prefix: string): void {
    const entry = this.#entry(link, 'removeRoute');
    const result = this.core.routeRemove(entry.number, requirePrefix(prefix, 'removeRoute'));
    if (result < 0) {
      const detail = result === ERR_ADDRESS_NOT_AVAILABLE ? `link ${link.name} has no such route` : undefined;
      throw MptcpError.fromResult(result, 'removeRoute', { address: prefix, detail });
    }
  }

  /** Links with what went over them. */
  links(): LinkStatistics[] {
    return this.#links.map((entry) => entry.statistics());
  }

  /** The name of the link that has a local address; undefined when none has. */
  linkOf(address: string): string | undefined {
    const { hi, lo } = requireAddress(address, 'linkOf');
    return this.#links.find((entry) => entry.addresses.some((each) => each.hi === hi && each.lo === lo))?.link.name;
  }

  /** Adds a path-manager endpoint, used at once by the connections there are. Returns its id. */
  addEndpoint(options: EndpointOptions): number {
    this.#mustBeOpen('addEndpoint');
    const { address, id = 0, port = 0, signal = false, subflow = false, backup = false, fullmesh = false } = options;
    const flags =
      (signal ? ENDPOINT_SIGNAL : 0) |
      (subflow ? ENDPOINT_SUBFLOW : 0) |
      (backup ? ENDPOINT_BACKUP : 0) |
      (fullmesh ? ENDPOINT_FULLMESH : 0);
    const chosen = this.core.endpointAdd(requireAddress(address, 'addEndpoint'), port, id, flags);
    if (chosen < 0) throw MptcpError.fromResult(chosen, 'addEndpoint', { address });
    this.#endpoints.set(chosen, { address, id: chosen, port, signal, subflow, backup, fullmesh });
    this.schedule();
    return chosen;
  }

  /** Removes an endpoint by its id: its announcement is withdrawn and its subflows end. */
  removeEndpoint(id: number): void {
    this.#mustBeOpen('removeEndpoint');
    const result = this.core.endpointRemove(id);
    if (result < 0) throw MptcpError.fromResult(result, 'removeEndpoint', { detail: `there is no endpoint ${id}` });
    this.#endpoints.delete(id);
    this.schedule();
  }

  /**
   * Changes the flags `backup` and `fullmesh` of an endpoint, as `ip mptcp endpoint change` does; what is left out stays.
   * Subflows change their priority (MP_PRIO), or are closed and opened as the flags say, while data flows.
   * @throws MptcpError EINVAL for an endpoint there is not, and for `fullmesh` of one that is announced.
   */
  changeEndpoint(id: number, flags: { readonly backup?: boolean; readonly fullmesh?: boolean }): void {
    this.#mustBeOpen('changeEndpoint');
    const known = this.#endpoints.get(id);
    const detail = `there is no endpoint ${id}`;
    if (known === undefined) throw new MptcpError('EINVAL', 'changeEndpoint', { detail });
    const { backup = known.backup, fullmesh = known.fullmesh } = flags;
    const result = this.core.endpointChange(id, (backup ? ENDPOINT_BACKUP : 0) | (fullmesh ? ENDPOINT_FULLMESH : 0));
    if (result < 0) {
      throw MptcpError.fromResult(result, 'changeEndpoint', {
        detail: `endpoint ${id} is announced (signal) and can be no source of a full mesh`,
      });
    }
    this.#endpoints.set(id, { ...known, backup, fullmesh });
    this.schedule();
  }

  endpoints(): Endpoint[] {
    return [...this.#endpoints.values()];
  }

  /** Sets the default of a setting for connections made later. @throws MptcpError EINVAL. */
  set<Name extends ConfigName>(name: Name, value: NonNullable<Config[Name]>): void {
    this.#mustBeOpen('set');
    this.#set(name, value);
  }

  /** Reads a setting. */
  get<Name extends ConfigName>(name: Name): NonNullable<Config[Name]> {
    const key = Object.entries(CONFIG_NAMES).find(([, known]) => known === name)?.[0];
    const value = this.core.get(0, Number(key ?? 0));
    // The one setting that may be below zero: -1 waits as long as it gets on.
    const endless = name === 'linger' && value === -1;
    if (value < 0 && !endless) throw MptcpError.fromResult(value, 'get', { detail: `there is no setting ${name}` });
    return decodeSetting(name, value);
  }

  /** Counters of the stack since it was made, by name. */
  counters(): Record<CounterName, number> {
    return this.core.counters();
  }

  /**
   * Takes a packet that another shard was brought by its queue of link number `link`. Returns 0; below zero an ERR_
   * value, the packet was dropped and counted; above zero 1 + the shard it should have gone to instead.
   */
  takeOver(link: number, packet: Uint8Array): number {
    const slot = this.core.slots[0];
    if (this.#closed || slot === undefined || packet.length > slot.length) return ERR_INVALID;
    slot.set(packet);
    return this.#ingest(link, 0, packet.length);
  }

  /** What is in use of the memory budget. */
  pools(): PoolInfoRecord {
    return this.core.poolInfo();
  }

  /**
   * Ends the stack: connections are reset, links closed. Sockets that are still open are destroyed; those that were
   * connecting fail with ECONNABORTED. Calling it again does nothing.
   */
  close(): void {
    if (this.#closed) return;
    // Listeners cannot be reset, only closed.
    for (const handle of this.#sinks.keys()) {
      if (this.core.abort(handle) < 0) this.core.close(handle);
    }
    for (const entry of this.#links) this.#transmit(entry);
    this.#closed = true;
    const sinks = [...this.#sinks.values()];
    this.#sinks.clear();
    for (const sink of sinks) sink.coreEvent(EVENT_CLOSED, ERR_ABORTED, 0, 0);
    this.#disarm?.();
    this.#disarm = undefined;
    for (const entry of this.#links) entry.link.close();
    this.#links.length = 0;
    this.#holders = 0;
    this.#letGoWhenQuiet();
    this.emit('close');
  }

  /** Has the events of a connection or listener told to `sink` until {@link unwatch}. */
  watch(handle: number, sink: EventSink): void {
    this.#sinks.set(handle, sink);
  }

  unwatch(handle: number): void {
    this.#sinks.delete(handle);
  }

  /** Keeps the process alive until {@link release} was called as often, and closing connections have sent the rest. */
  hold(): void {
    if (this.#closed) return;
    this.#holders++;
    this.#letGo ??= this.clock.hold();
  }

  release(): void {
    if (this.#holders === 0) return;
    this.#holders--;
    this.#letGoWhenQuiet();
  }

  /** A kernel would send what a socket left behind after its process ended; here the process has to wait for that. */
  #letGoWhenQuiet(): void {
    if (this.#holders > 0 || this.#letGo === undefined) return;
    if (!this.#closed) {
      const { connections, listeners } = this.core.poolInfo();
      if (connections + listeners > this.#sinks.size) return;
    }
    this.#letGo();
    this.#letGo = undefined;
  }

  /**
   * Says that the application did something that the core shall act on: the loop turns once when the application
   * has returned. Inside a turn nothing is needed, the turn itself sends what came up.
   */
  schedule(): void {
    if (this.#closed || this.#turning || this.#soonPending) return;
    this.#soonPending = true;
    this.clock.soon(() => {
      this.#soonPending = false;
      this.#turn();
    });
  }

  /** A turn of the loop: time, packets in, events, packets out, and the alarm for the next one. */
  #turn(): void {
    if (this.#closed || this.#turning) return;
    this.#turning = true;
    this.#again = false;
    let more = false;
    try {
      for (let round = 0; round < ROUNDS; round++) {
        this.core.time(this.clock.now());
        more = false;
        for (const entry of this.#links) {
          if (entry.link.receive !== undefined && entry.link.receive(RECEIVE_BATCH) >= RECEIVE_BATCH) more = true;
        }
        // What the application does with an event can make the next one.
        if (this.#dispatch() > 0) more = true;
        if (this.#closed) return;
        for (const entry of this.#links) {
          if (this.#transmit(entry)) more = true;
        }
        if (!more) break;
      }
    } finally {
      this.#turning = false;
    }
    this.#letGoWhenQuiet();
    if (more || this.#again) this.#scheduleLater();
    else this.#arm();
  }

  #scheduleLater(): void {
    if (this.#laterPending) return;
    this.#laterPending = true;
    this.clock.later(() => {
      this.#laterPending = false;
      this.#turn();
    });
  }

  /** Sees to it that the loop turns at the core's next deadline. */
  #arm(): void {
    const deadline = this.core.deadline();
    if (deadline <= this.clock.now()) {
      this.#scheduleLater();
      return;
    }
    // An alarm that is too early costs one idle turn; setting it anew for every packet would cost more.
    if (deadline >= this.#armed) return;
    this.#disarm?.();
    this.#armed = deadline;
    this.#disarm = this.clock.schedule(deadline, () => {
      this.#armed = Number.POSITIVE_INFINITY;
      this.#disarm = undefined;
      this.#turn();
    });
  }

  #dispatch(): number {
    const count = this.core.events();
    for (let index = 0; index < count && !this.#closed; index++) {
      const event = this.core.event(index);
      const sink = this.#sinks.get(event.handle);
      if (event.type === EVENT_CLOSED) this.#sinks.delete(event.handle);
      sink?.coreEvent(event.type, event.detail, event.subflow, event.reason);
    }
    if (!this.#closed && this.listenerCount('monitor') > 0) {
      for (const record of this.core.monitor()) this.emit('monitor', monitorEvent(record));
    }
    if (count > 0) this.clock.settle();
    return count;
  }

  /** Sends what the core has for a link; true when there may be more than one round may send. */
  #transmit(entry: StackLink): boolean {
    const count = this.core.transmit(entry.number, TRANSMIT_BATCH);
    for (let index = 0; index < count; index++) {
      const packet = this.core.packet(index);
      if (entry.link.send(packet)) {
        entry.packetsOut++;
        entry.bytesOut += packet.length;
      } else {
        entry.dropsOut++;
      }
    }
    return count === TRANSMIT_BATCH;
  }

  /** What the links' ports call. */
  readonly #portHooks: PortHooks = {
    slots: () => this.core.slots,
    now: () => this.clock.now(),
    wake: () => {
      this.#again = true;
      this.schedule();
    },
    memoryBase: (base) => this.core.memoryBase(base),
    ingest: (link, slot, length) => {
      if (this.#closed) return true;
      const result = this.#ingest(link, slot, length);
      if (result <= 0) return result === 0;
      const packet = this.core.slots[slot]?.subarray(0, length);
      return packet !== undefined && this.#handOver?.(link, result - 1, packet) === true;
    },
    fail: (entry, error) => {
      if (this.#closed || !this.#links.includes(entry)) return;
      this.setLinkUp(entry.link, false);
      if (this.listenerCount('linkError') === 0) throw error;
      this.emit('linkError', entry.link, error);
    },
  };

  #ingest(link: number, slot: number, length: number): number {
    // Within a turn the time is set already; a packet that comes outside of one begins it.
    if (!this.#turning) {
      this.core.time(this.clock.now());
      this.schedule();
    }
    return this.core.ingest(link, slot, length);
  }

  #set(name: string, value: unknown): void {
    const setting = encodeSetting(name, value);
    const result = this.core.set(0, setting.key, setting.value);
    if (result < 0) throw MptcpError.fromResult(result, 'set', { detail: `${name} cannot be ${String(value)}` });
  }

  #entry(link: Link, syscall: string): StackLink {
    this.#mustBeOpen(syscall);
    const entry = this.#links.find((candidate) => candidate.link === link);
    if (entry !== undefined) return entry;
    throw new MptcpError('ENODEV', syscall, {
      detail: `stack ${this.name} has no link ${link.name}; addLink() gives it one`,
    });
  }

  #mustBeOpen(syscall: string): void {
    if (this.#closed) throw new MptcpError('EBADF', syscall, { detail: `stack ${this.name} is closed` });
  }
}

interface PortHooks {
  slots(): readonly Uint8Array[];
  now(): number;
  wake(): void;
  memoryBase(base: bigint): void;
  /** False when the packet was dropped. */
  ingest(link: number, slot: number, length: number): boolean;
  fail(entry: StackLink, error: Error): void;
}

/** A link with its number and figures; the port that the link is given. */
class StackLink implements LinkPort {
  up = true;
  packetsIn = 0;
  packetsOut = 0;
  bytesIn = 0;
  bytesOut = 0;
  dropsIn = 0;
  dropsOut = 0;
  addresses: (Prefix & { readonly text: string })[] = [];

  readonly link: Link;
  readonly number: number;
  readonly slots: readonly Uint8Array[];
  readonly #hooks: PortHooks;

  constructor(link: Link, number: number, hooks: PortHooks) {
    this.link = link;
    this.number = number;
    this.#hooks = hooks;
    this.slots = hooks.slots();
  }

  now(): number {
    return this.#hooks.now();
  }

  ingest(slot: number, length: number): void {
    this.packetsIn++;
    this.bytesIn += length;
    if (!this.#hooks.ingest(this.number, slot, length)) this.dropsIn++;
  }

  wake(): void {
    this.#hooks.wake();
  }

  fail(error: Error): void {
    this.#hooks.fail(this, error);
  }

  memoryBase(base: bigint): void {
    this.#hooks.memoryBase(base);
  }

  statistics(): LinkStatistics {
    const { link, number, up, packetsIn, packetsOut, bytesIn, bytesOut, dropsIn, dropsOut } = this;
    const addresses = this.addresses.map(({ text }) => text);
    return { name: link.name, number, up, packetsIn, packetsOut, bytesIn, bytesOut, dropsIn, dropsOut, addresses };
  }
}
