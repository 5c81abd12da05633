import { readFileSync } from 'node:fs';
import type { CounterName } from '../../host/abi.js';
import type { NetworkNamespace } from '../../host/netns.js';
import type { Link, Stack } from '../../host/node.js';
import { KernelPeer, OwnPeer, type Peer, type PeerPlan } from './peers.js';

/** Counters by the kernel's names, without their prefix `MPTcpExt`. */
export type Counted = CounterName extends infer Name ? (Name extends `MPTcpExt${infer Short}` ? Short : never) : never;

export type Role = 'server' | 'client';
export type Family = 'ipv4' | 'ipv6';

/** Flags of an endpoint, as `ip mptcp` has them. */
export type EndpointFlag = 'signal' | 'subflow' | 'backup' | 'fullmesh';
export type EndpointChange = 'backup' | 'nobackup' | 'fullmesh' | 'nofullmesh';

export interface EndpointMore {
  readonly id?: number;
  readonly port?: number;
  readonly family?: Family;
  /** Instead of the address of the path. */
  readonly address?: string;
}

/** Settings that the tests make before there is a connection, by the kernel's names. */
export interface Settings {
  readonly checksum?: boolean;
  readonly allowJoinInitial?: boolean;
  /** SYN cookies always. */
  readonly cookies?: boolean;
  /** s. */
  readonly addAddrTimeout?: number;
}

/** One host of a test: our stack or a kernel, steered in the same way. */
export interface Side {
  readonly kind: 'ours' | 'kernel';
  readonly role: Role;
  /** The connection's end on this host. */
  readonly peer: Peer;
  set(settings: Settings): Promise<void>;
  limits(subflows: number, addAddrAccepted: number): Promise<void>;
  /** Adds an endpoint with the address of a path; returns its id, from 1 on unless given. */
  add(path: number, flags: readonly EndpointFlag[], more?: EndpointMore): Promise<number>;
  /** Removes an endpoint that was added. */
  remove(id: number): Promise<void>;
  /** Removes the address of the initial subflow, which has the id 0. */
  removeInitial(): Promise<void>;
  /** Changes flags of an endpoint. */
  change(id: number, ...changes: readonly EndpointChange[]): Promise<void>;
  flush(): Promise<void>;
  /** Counters by name, those that are 0 may be missing. */
  counters(): Partial<Record<Counted, number>>;
  /** Makes the connection's end; it is opened later. */
  prepare(plan: PeerPlan): void;
  close(): Promise<void>;
}

/** Ids below these are the kernel's own: it gives them to addresses from which it joined an announced one. */
const FIRST_ID: Readonly<Record<Role, number>> = { server: 10, client: 20 };

/** Address of a host on a path, from 1. */
export function addressOf(role: Role, path: number, family: Family = 'ipv4'): string {
  const host = role === 'server' ? 1 : 2;
  return family === 'ipv4' ? `10.99.${path}.${host}` : `fd99:${path}::${host}`;
}

/** A kernel, in a network namespace that the test removes. */
export class KernelSide implements Side {
  readonly kind = 'kernel';
  #peer: KernelPeer | undefined;
  #initial = '';
  #last: number;

  constructor(
    readonly role: Role,
    readonly namespace: NetworkNamespace,
  ) {
    this.#last = FIRST_ID[role];
  }

  get peer(): KernelPeer {
    if (this.#peer === undefined) throw new Error('the kernel has no peer yet');
    return this.#peer;
  }

  async set(settings: Settings): Promise<void> {
    const { checksum, allowJoinInitial, cookies, addAddrTimeout } = settings;
    const sysctl = async (key: string, value: number | undefined): Promise<void> => {
      if (value !== undefined) await this.namespace.sysctl(key, value);
    };
    await sysctl('net.mptcp.checksum_enabled', checksum === undefined ? undefined : Number(checksum));
    await sysctl(
      'net.mptcp.allow_join_initial_addr_port',
      allowJoinInitial === undefined ? undefined : Number(allowJoinInitial),
    );
    await sysctl('net.ipv4.tcp_syncookies', cookies === undefined ? undefined : cookies ? 2 : 0);
    await sysctl('net.mptcp.add_addr_timeout', addAddrTimeout);
  }

  async limits(subflows: number, addAddrAccepted: number): Promise<void> {
    await this.#mptcp('limits', 'set', 'subflows', String(subflows), 'add_addr_accepted', String(addAddrAccepted));
  }

  async add(path: number, flags: readonly EndpointFlag[], more: EndpointMore = {}): Promise<number> {
    const { id = ++this.#last, port, family, address = addressOf(this.role, path, family) } = more;
    const ported = port === undefined ? [] : ['port', String(port)];
    await this.#mptcp('endpoint', 'add', address, ...ported, 'id', String(id), ...flags);
    return id;
  }

  async remove(id: number): Promise<void> {
    await this.#mptcp('endpoint', 'delete', 'id', String(id));
  }

  async removeInitial(): Promise<void> {
    await this.#mptcp('endpoint', 'delete', 'id', '0', this.#initial);
  }

  async change(id: number, ...changes: readonly EndpointChange[]): Promise<void> {
    await this.#mptcp('endpoint', 'change', 'id', String(id), ...changes);
  }

  async flush(): Promise<void> {
    await this.#mptcp('endpoint', 'flush');
  }

  counters(): Partial<Record<Counted, number>> {
    const lines = readFileSync(`/proc/${this.peer.pid}/net/netstat`, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('MPTcpExt:'))
      .map((line) => line.split(' ').slice(1));
    const [names = [], values = []] = lines;
    return Object.fromEntries(names.map((name, index) => [name, Number(values[index])]));
  }

  prepare(plan: PeerPlan): void {
    this.#initial = addressOf(this.role, 1, plan.host.includes(':') ? 'ipv6' : 'ipv4');
    const host = plan.listen ? (plan.host.includes(':') ? '::' : '0.0.0.0') : plan.host;
    this.#peer = new KernelPeer(this.namespace, { ...plan, host, mptcp: true });
  }

  async close(): Promise<void> {
    await this.#peer?.stop();
  }

  async #mptcp(...args: string[]): Promise<void> {
    await this.namespace.ip('mptcp', ...args);
  }
}

/** Our stack. */
export class OwnSide implements Side {
  readonly kind = 'ours';
  #peer: OwnPeer | undefined;
  #last: number;

  constructor(
    readonly role: Role,
    readonly stack: Stack,
    private readonly links: readonly Link[],
  ) {
    this.#last = FIRST_ID[role];
  }

  get peer(): OwnPeer {
    if (this.#peer === undefined) throw new Error('our stack has no peer yet');
    return this.#peer;
  }

  async set({ checksum, allowJoinInitial, cookies, addAddrTimeout }: Settings): Promise<void> {
    if (checksum !== undefined) this.stack.set('checksumEnabled', checksum);
    if (allowJoinInitial !== undefined) this.stack.set('allowJoinInitialAddrPort', allowJoinInitial);
    if (cookies !== undefined) this.stack.set('synCookies', cookies ? 2 : 0);
    if (addAddrTimeout !== undefined) this.stack.set('addAddrTimeout', addAddrTimeout * 1_000_000);
  }

  async limits(subflows: number, addAddrAccepted: number): Promise<void> {
    this.stack.set('limitSubflows', subflows);
    this.stack.set('limitAddAddrAccepted', addAddrAccepted);
  }

  async add(path: number, flags: readonly EndpointFlag[], more: EndpointMore = {}): Promise<number> {
    const { id = ++this.#last, port, family, address } = more;
    return this.stack.addEndpoint({
      address: address ?? addressOf(this.role, path, family),
      id,
      ...(port === undefined ? {} : { port }),
      ...Object.fromEntries(flags.map((flag) => [flag, true])),
    });
  }

  async remove(id: number): Promise<void> {
    this.stack.removeEndpoint(id);
  }

  async removeInitial(): Promise<void> {
    const [link] = this.links;
    const address = this.peer.socket.info()?.localAddress;
    if (link === undefined || address === undefined) throw new Error('there is no initial subflow');
    this.stack.removeAddress(link, address);
  }

  async change(id: number, ...changes: readonly EndpointChange[]): Promise<void> {
    const flags = changes.map((change) => [change.replace(/^no/, ''), !change.startsWith('no')]);
    this.stack.changeEndpoint(id, Object.fromEntries(flags));
  }

  async flush(): Promise<void> {
    for (const { id } of this.stack.endpoints()) this.stack.removeEndpoint(id);
  }

  counters(): Partial<Record<Counted, number>> {
    const prefix = 'MPTcpExt';
    const own = Object.entries(this.stack.counters()).filter(([name]) => name.startsWith(prefix));
    return Object.fromEntries(own.map(([name, value]) => [name.slice(prefix.length), value]));
  }

  prepare(plan: PeerPlan): void {
    this.#peer = new OwnPeer(this.stack, plan);
  }

  async close(): Promise<void> {
    this.stack.close();
  }
}
