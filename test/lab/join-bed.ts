import { setTimeout as sleep } from 'node:timers/promises';
import type { PcapngWriter } from '../../host/link/pcapng.js';
import { tap } from '../../host/link/pcapng.js';
import { openTun } from '../../host/link/tun.js';
import type { NetworkNamespace } from '../../host/netns.js';
import { type Link, Stack } from '../../host/node.js';
import { createNamespace, leftInUse, removeNamespace } from './laboratory.js';
import type { Exchange } from './peers.js';
import { RelayLink } from './relay-link.js';
import { addressOf, type Counted, type Family, KernelSide, OwnSide, type Role, type Side } from './sides.js';

/** Who is who: our stack serves a kernel, connects to one, or two kernels show what is to be expected. */
export type Pairing = 'weServe' | 'weConnect' | 'kernels';

export interface BedOptions {
  /** Number of paths, from 1; default 3. */
  readonly paths?: number;
  /** Rate of each path in each direction, bytes per second; as fast as it goes when left out. */
  readonly rate?: number;
}

const PATHS = 3;
const MEMORY = 32 << 20;
const TIME_WAIT = 20_000;
/** What must happen happens within this time on the busiest machine, ms. */
const PATIENCE_MS = 20_000;
const LOOK_MS = 20;
/** A path is idle when so often in a row it carried less than so many bytes between two looks. */
const IDLE_LOOKS = 10;
const IDLE_BYTES = 2000;
/** Bytes that each end receives before a connection ends. */
const LEAST_BYTES = 64 << 10;
const FIRST_PORT = 10_000;
const PORTS = 20_000;
let beds = 0;

/** Counters of a connection that lost its mappings or became plain TCP, or of wrong keys. */
const TROUBLE = [
  'MPJoinSynAckHMacFailure',
  'MPJoinAckHMacFailure',
  'MPFailTx',
  'MPFailRx',
  'InfiniteMapTx',
  'InfiniteMapRx',
  'DataCsumErr',
  'DSSNotMatching',
  'DSSCorruptionReset',
  'DSSCorruptionFallback',
  'MPCapableFallbackACK',
  'MPCapableFallbackSYNACK',
  'MPCapableDataFallback',
  'MPJoinNoTokenFound',
] as const satisfies readonly Counted[];

/** How a connection begins. */
export interface StartOptions {
  readonly family?: Family;
  /** Where the client connects to; the address of the server on path 1 when left out. */
  readonly host?: string;
  readonly from?: string;
  /** Our peer keeps all bytes. */
  readonly keep?: boolean;
  /** Bytes that each end sends at a time. */
  readonly piece?: number;
}

/** How most connections begin. */
export interface Beginning extends StartOptions {
  /** Limits of each side: subflows, and announced addresses that are taken. */
  readonly server: readonly [subflows: number, addresses: number];
  readonly client: readonly [subflows: number, addresses: number];
  /** Joins to wait for. */
  readonly joins?: number;
}

/** Numbers that counters must have: exactly, or at least and at most. */
export type Expected = Partial<Record<Counted, number | readonly [least: number, most: number]>>;

/**
 * A server and a client joined by some paths: our stack and a kernel over TUN devices, or two kernels over veth pairs.
 * Path N has the prefixes 10.99.N.0/24 and fd99:N::/64, the server the first address and the client the second.
 */
export class JoinBed {
  readonly problems: string[] = [];
  /** Bytes that both ends received. */
  bytes = 0;
  readonly port = FIRST_PORT + (beds++ % PORTS);
  #start = performance.now();

  private constructor(
    readonly pairing: Pairing,
    readonly server: Side,
    readonly client: Side,
    readonly links: readonly RelayLink[],
    private readonly namespaces: readonly NetworkNamespace[],
  ) {}

  static async create(pairing: Pairing, options: BedOptions, writer?: PcapngWriter): Promise<JoinBed> {
    const count = options.paths ?? PATHS;
    const numbers = Array.from({ length: count }, (_, index) => index + 1);
    if (pairing === 'kernels') return betweenKernels(numbers);
    const role: Role = pairing === 'weServe' ? 'server' : 'client';
    const kernelRole: Role = role === 'server' ? 'client' : 'server';
    const stack = new Stack({ name: 'join', memory: MEMORY, config: { timeWait: TIME_WAIT } });
    const namespace = await createNamespace('join');
    try {
      const taken: Link[] = [];
      const links = numbers.map((path) => {
        const tun = openTun({ name: device(path), netns: namespace.name, addresses: both(kernelRole, path) });
        const link = new RelayLink(tun, options.rate);
        const seen = writer === undefined ? link : tap(link, writer);
        stack.addLink(seen, { addresses: both(role, path) });
        taken.push(seen);
        return link;
      });
      if (kernelRole === 'client') await routeBySource(namespace, numbers);
      const sides = [new OwnSide(role, stack, taken), new KernelSide(kernelRole, namespace)] as const;
      const [server, client] = role === 'server' ? sides : ([sides[1], sides[0]] as const);
      return new JoinBed(pairing, server, client, links, [namespace]);
    } catch (error) {
      stack.close();
      await removeNamespace(namespace);
      throw error;
    }

    async function betweenKernels(paths: readonly number[]): Promise<JoinBed> {
      const namespaces = [await createNamespace('server'), await createNamespace('client')] as const;
      const [server, client] = namespaces;
      for (const path of paths) {
        const name = device(path);
        await server.ip('link', 'add', name, 'type', 'veth', 'peer', 'name', name, 'netns', client.name);
        for (const [namespace, role] of [
          [server, 'server'],
          [client, 'client'],
        ] as const) {
          for (const address of both(role, path)) {
            const quick = address.includes(':') ? ['nodad'] : [];
            await namespace.ip('addr', 'add', address, 'dev', name, ...quick);
          }
          await namespace.ip('link', 'set', name, 'up');
        }
      }
      await routeBySource(client, paths);
      return new JoinBed('kernels', new KernelSide('server', server), new KernelSide('client', client), [], namespaces);
    }
  }

  /** Our side. @throws Error between kernels. */
  get ours(): OwnSide {
    const side = [this.server, this.client].find((each) => each.kind === 'ours');
    if (!(side instanceof OwnSide)) throw new Error('both ends are kernels');
    return side;
  }

  /** The kernel's side; of two kernels the server. */
  get kernel(): Side {
    return this.server.kind === 'kernel' ? this.server : this.client;
  }

  /** Sets the limits of both sides, opens the connection between the endpoints they have by then, and waits for joins. */
  async begin({ server, client, joins, ...start }: Beginning): Promise<void> {
    await this.server.limits(...server);
    await this.client.limits(...client);
    await this.start(start);
    if (joins !== undefined) await this.joined(joins);
  }

  /** A path, from 1. @throws Error between kernels, whose paths nothing stands on. */
  link(path: number): RelayLink {
    const link = this.links[path - 1];
    if (link === undefined) throw new Error(`there is nothing of ours on path ${path}`);
    return link;
  }

  /** Opens the connection, over path 1 unless said otherwise; from then on both ends send all the time. */
  async start(options: StartOptions = {}): Promise<void> {
    const { family, host = addressOf('server', 1, family), from, keep = false, piece } = options;
    const listenAt = host.includes(':') ? host : addressOf('server', 1);
    const pieces = piece === undefined ? {} : { piece };
    this.server.prepare({ listen: true, host: listenAt, port: this.port, from: undefined, ...pieces });
    this.client.prepare({ listen: false, host, port: this.port, from, ...pieces });
    if (keep) this.ours.peer.keep = true;
    await this.server.peer.open();
    this.#start = performance.now();
    await this.client.peer.open();
    await within('the connection', Promise.all([this.server.peer.connected(), this.client.peer.connected()]));
  }

  /** Waits until something holds. @throws Error when it never does. */
  async until(what: string, holds: () => boolean): Promise<void> {
    const end = performance.now() + PATIENCE_MS;
    while (!holds()) {
      if (performance.now() > end) {
        throw new Error(`${what} did not come; server ${told(this.server)}; client ${told(this.client)}`);
      }
      await sleep(LOOK_MS);
    }
  }

  /** Waits until counters of a side have at least these values. */
  async counted(side: Side, wanted: Partial<Record<Counted, number>>): Promise<void> {
    for (const [name, least] of Object.entries(wanted)) {
      await this.until(
        `${name} ${least} of ${side.kind}`,
        () => (side.counters()[name as Counted] ?? 0) >= (least as number),
      );
    }
  }

  /** Waits until so many subflows were joined. */
  async joined(count: number): Promise<void> {
    await this.counted(this.server, { MPJoinAckRx: count });
    await this.counted(this.client, { MPJoinSynAckRx: count });
  }

  /** Lets data flow for a while, for what must not happen in it. */
  async flow(milliseconds = 250): Promise<void> {
    await sleep(milliseconds);
  }

  /** Waits until more data came, after something that must not stop it. */
  async moves(): Promise<void> {
    if (this.pairing === 'kernels') return this.flow();
    const { peer } = this.ours;
    const before = peer.received() ?? 0;
    await this.until('more data', () => (peer.received() ?? 0) >= before + LEAST_BYTES);
  }

  /** Ends the connection from both sides and checks that each got what the other sent, and that nothing is left in use. */
  async finish(): Promise<void> {
    await this.exchanged();
    await this.released();
  }

  /** Ends the connection from both sides and checks that each got what the other sent. */
  async exchanged(): Promise<void> {
    await this.moves();
    this.server.peer.finish();
    this.client.peer.finish();
    const [server, client] = await within('the end', Promise.all([this.server.peer.ended(), this.client.peer.ended()]));
    this.arrived(server, client);
    this.equal(server.error, undefined, 'error of the server');
    this.equal(client.error, undefined, 'error of the client');
    for (const side of [this.server, this.client]) {
      for (const name of TROUBLE) this.expect(side, { [name]: 0 }, true);
    }
  }

  /** Announcements with a port, and joins to them, as `mptcp_join.sh` counts them. */
  ported(count: number): void {
    this.expect(this.client, { PortAdd: count, MPJoinPortSynAckRx: count });
    this.expect(this.server, { MPJoinPortSynRx: count, MPJoinPortAckRx: count });
  }

  /** MP_PRIO that each side sent, and the other received. */
  priorities(byServer: number, byClient: number): void {
    this.expect(this.server, { MPPrioTx: byServer, MPPrioRx: byClient });
    this.expect(this.client, { MPPrioTx: byClient, MPPrioRx: byServer });
  }

  /** Bytes that a path of our stack carried so far, both ways. */
  carried(path: number): number {
    const link = this.ours.stack.links()[path - 1];
    return (link?.bytesIn ?? 0) + (link?.bytesOut ?? 0);
  }

  /** Waits until a path carries hardly anything: what waited in its queue has left it. */
  async idle(path: number): Promise<void> {
    let last = 0;
    let looks = 0;
    await this.until(`silence on path ${path}`, () => {
      const carried = this.carried(path);
      looks = carried - last < IDLE_BYTES ? looks + 1 : 0;
      last = carried;
      return looks >= IDLE_LOOKS;
    });
  }

  /** What paths carry while so many bytes more come to our stack. */
  async comparison(paths: readonly number[], bytes: number): Promise<number[]> {
    const before = paths.map((path) => this.carried(path));
    const received = this.ours.peer.received() ?? 0;
    await this.until('more data', () => (this.ours.peer.received() ?? 0) >= received + bytes);
    return paths.map((path, index) => this.carried(path) - (before[index] ?? 0));
  }

  /** Both ends received what the other sent. */
  arrived(server: Exchange, client: Exchange): void {
    for (const [from, to, way] of [
      [server, client, 'to the client'],
      [client, server, 'to the server'],
    ] as const) {
      this.equal(to.received, from.sent, `bytes ${way}`);
      this.equal(to.receivedHash, from.sentHash, `SHA-256 of the bytes ${way}`);
      this.bytes += to.received;
    }
  }

  /** Our stack has nothing left in use. */
  async released(): Promise<void> {
    if (this.pairing !== 'kernels') this.equal(await leftInUse(this.ours.stack), '', 'what our stack has in use');
  }

  /** Joins as `mptcp_join.sh` counts them: SYNs at the server, SYN/ACKs at the client, ACKs at the server. */
  joins(syn: number, synAck = syn, ack = synAck): void {
    this.expect(this.server, { MPJoinSynRx: syn, MPJoinAckRx: ack });
    this.expect(this.client, { MPJoinSynAckRx: synAck });
  }

  /** Announcements as `mptcp_join.sh` counts them, from one side to the other, and their echoes. */
  announced(from: Side, count: number, echoes = count): void {
    const to = from === this.server ? this.client : this.server;
    this.expect(from, { AddAddrTx: count, EchoAdd: echoes });
    this.expect(to, { AddAddr: count, EchoAddTx: echoes });
  }

  /** Addresses that a side withdrew, and subflows that it closed for it. */
  withdrawn(from: Side, addresses: number, subflows: number): void {
    const to = from === this.server ? this.client : this.server;
    this.expect(to, { RmAddr: addresses });
    this.expect(from, { RmSubflow: subflows });
  }

  expect(side: Side, expected: Expected, always = false): void {
    const counters = side.counters();
    for (const [name, wanted] of Object.entries(expected)) {
      if (always && this.#allowed.has(name)) continue;
      const value = counters[name as Counted] ?? 0;
      const [least, most] = typeof wanted === 'number' ? [wanted, wanted] : (wanted as readonly [number, number]);
      if (value >= least && value <= most) continue;
      const range = least === most ? `${least}` : `${least} to ${most}`;
      this.problems.push(`${name} of the ${side.role} (${side.kind}) is ${value} and not ${range}`);
    }
  }

  readonly #allowed = new Set<string>();

  /** Counters of trouble that this test makes itself. */
  allow(...names: readonly Counted[]): void {
    for (const name of names) this.#allowed.add(name);
  }

  that(holds: boolean, problem: string): void {
    if (!holds) this.problems.push(problem);
  }

  equal(actual: unknown, expected: unknown, what: string): void {
    if (actual !== expected) this.problems.push(`${what} is ${String(actual)} and not ${String(expected)}`);
  }

  /** Time since the connection was opened, s. */
  seconds(): number {
    return (performance.now() - this.#start) / 1000;
  }

  async close(): Promise<void> {
    await this.server.close();
    await this.client.close();
    for (const namespace of this.namespaces) await removeNamespace(namespace);
  }
}

function device(path: number): string {
  return `path${path}`;
}

function both(role: Role, path: number): string[] {
  return [`${addressOf(role, path)}/24`, `${addressOf(role, path, 'ipv6')}/64`];
}

/**
 * What a client sends from the address of a path leaves by that path, whatever its destination. A server answers by the
 * path of the address that it answers to.
 */
async function routeBySource(namespace: NetworkNamespace, paths: readonly number[]): Promise<void> {
  const commands = paths.flatMap((path) =>
    (['ipv4', 'ipv6'] as const).flatMap((family) => {
      const ip = family === 'ipv4' ? 'ip -4' : 'ip -6';
      const table = 100 + path;
      return [
        `${ip} rule add from ${addressOf('client', path, family)} table ${table}`,
        `${ip} route add default via ${addressOf('server', path, family)} dev ${device(path)} table ${table}`,
      ];
    }),
  );
  await namespace.exec('sh', '-e', '-c', commands.join('\n'));
}

/** What came of it in time. @throws Error when nothing did. */
export async function within<T>(what: string, promise: Promise<T>, milliseconds = PATIENCE_MS): Promise<T> {
  const timer = new AbortController();
  const late = sleep(milliseconds, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`${what} did not come within ${milliseconds / 1000} s`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.abort();
    late.catch(() => undefined);
  }
}

/** Counters of a side that are not 0, in words. */
function told(side: Side): string {
  return Object.entries(side.counters())
    .filter(([, value]) => value !== 0)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}
