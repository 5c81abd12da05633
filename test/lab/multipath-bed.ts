import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { openTun, type TunLink } from '../../host/link/tun.js';
import type { Socket } from '../../host/net/socket.js';
import type { NetworkNamespace } from '../../host/netns.js';
import { Stack } from '../../host/node.js';
import { createNamespace, labProgram, pythonProgram, removeNamespace } from './laboratory.js';
import { Program } from './programs.js';
import { runAhead } from './real-time.js';
import { Relay, type RelayReport } from './relay.js';
import type { PathMode, PathShape } from './relay-path.js';

/** A Multipath TCP connection over paths of its own; one end may be our stack, a kernel the other. */
export interface MultipathFlow {
  readonly ours: 'client' | 'server' | 'none';
  readonly direction: 'download' | 'upload';
  readonly paths: readonly PathShape[];
  /** What is sent; undefined for all the time. */
  readonly bytes?: number;
}

export interface MultipathPlan {
  readonly flows: readonly MultipathFlow[];
  /** When it ends at the latest, s. */
  readonly seconds: number;
  /** What happens meanwhile; `wait` resolves so many seconds after the beginning. */
  readonly meanwhile?: (paths: PathControl, wait: (seconds: number) => Promise<void>) => Promise<void>;
}

/** What can be done to the paths of flows while they run; flows and their paths are numbered from 0. */
export interface PathControl {
  set(flow: number, path: number, mode: PathMode): void;
  /** Takes the address of a path from the client, whose path manager is told. */
  loseAddress(flow: number, path: number): Promise<void>;
}

/** What became of one flow. */
export interface MultipathResult {
  readonly flow: MultipathFlow;
  readonly sent: FlowEnd;
  readonly received: FlowEnd;
  /** Bytes received, by ms from the beginning. */
  readonly progress: Progress;
}

/** One end of a flow. */
export interface FlowEnd {
  readonly bytes: number;
  readonly sha256: string;
  /** s from the beginning; undefined when it did not finish. */
  readonly finished: number | undefined;
  readonly error?: string | undefined;
}

const PORT = 6000;
const SERVER = '10.97.0.2';
/** What a server is reached by, be it a kernel or a stack behind it. */
const SERVERS = '10.97.0.0/16';
const MEMORY = 32 << 20;
const STACK_PRIORITY = 10;
const DEVICE_QUEUE = 10_000;
/** Time for programs to go to sleep before the beginning, s. */
const LEAD = 0.3;
/** Time after the end for programs to tell, ms. */
const AFTERWARDS_MS = 10_000;
const PIECE = randomBytes(1 << 16);

/** Bytes that an application received, by the time. */
export class Progress {
  /** Times at which bytes came, ms from the beginning, in order. */
  readonly #times: readonly number[];

  constructor(times: Iterable<number>) {
    this.#times = [...times].sort((a, b) => a - b);
  }

  /** The longest time without any byte that ends after `from` and begins before `to`, ms. */
  longestGap(from: number, to: number): number {
    let longest = 0;
    let last = 0;
    for (const time of [...this.#times, Number.POSITIVE_INFINITY]) {
      if (last >= to) break;
      if (time > from) longest = Math.max(longest, Math.min(time, to) - last);
      last = time;
    }
    return longest;
  }
}

/** Address of the client of a flow on a path. */
function clientAddress(flow: number, path: number): string {
  return `10.98.${flow * PATHS_MOST + path + 1}.1`;
}
const PATHS_MOST = 4;

/** The host of a client: a kernel with all addresses on the relay's device, or our stack behind a kernel that forwards. */
class Client {
  #links: TunLink[] = [];
  stack: Stack | undefined;

  constructor(
    readonly number: number,
    readonly flow: MultipathFlow,
    readonly namespace: NetworkNamespace,
  ) {}

  get addresses(): string[] {
    return this.flow.paths.map((_, path) => clientAddress(this.number, path));
  }

  /** Once the relay's device is there. */
  async setUp(): Promise<void> {
    const commands = [`ip link set wire txqueuelen ${DEVICE_QUEUE}`, 'sysctl -qw net.ipv4.tcp_no_metrics_save=1'];
    if (this.flow.ours === 'client') {
      commands.push('sysctl -qw net.ipv4.ip_forward=1', ...this.#openStack());
    } else {
      for (const address of this.addresses) commands.push(`ip addr add ${address}/24 dev wire`);
      commands.push(`ip mptcp limits set subflows ${this.flow.paths.length - 1} add_addr_accepted 0`);
      for (const [path, address] of this.addresses.entries()) {
        if (path > 0) commands.push(`ip mptcp endpoint add ${address} id ${path} subflow`);
      }
    }
    commands.push(`ip route add ${SERVERS} dev wire`);
    await this.namespace.exec('sh', '-e', '-c', commands.join('\n'));
  }

  #openStack(): string[] {
    const stack = new Stack({
      name: `client${this.number}`,
      memory: MEMORY,
      config: { limitSubflows: this.flow.paths.length - 1 },
    });
    this.stack = stack;
    return this.addresses.map((address, path) => {
      const name = `ours${path}`;
      const near = address.replace(/1$/, '254');
      const tun = openTun({ name, netns: this.namespace.name, addresses: [`${near}/24`] });
      this.#links.push(tun);
      stack.addLink(tun, { addresses: [`${address}/24`], routes: [SERVERS] });
      if (path > 0) stack.addEndpoint({ address, subflow: true });
      return `ip link set ${name} txqueuelen ${DEVICE_QUEUE}`;
    });
  }

  async loseAddress(path: number): Promise<void> {
    const address = clientAddress(this.number, path);
    const link = this.#links[path];
    if (this.stack !== undefined && link !== undefined) {
      this.stack.removeAddress(link, `${address}/24`);
      return;
    }
    const id = path === 0 ? ['id', '0', address] : ['id', String(path)];
    await this.namespace.ip('mptcp', 'endpoint', 'delete', ...id);
    await this.namespace.ip('addr', 'del', `${address}/24`, 'dev', 'wire');
  }

  close(): void {
    this.stack?.close();
  }
}

/** Address of the server of a flow: all kernels are one host, each of our stacks is its own. */
function serverAddress(number: number, flow: MultipathFlow): string {
  return flow.ours === 'server' ? `10.97.${number + 1}.2` : SERVER;
}

/** Our stack as a server, behind the kernel on the right. */
function openServer(number: number, flow: MultipathFlow, right: NetworkNamespace): Stack {
  const config = { limitSubflows: flow.paths.length - 1 };
  const stack = new Stack({ name: `server${number}`, memory: MEMORY, config });
  const near = serverAddress(number, flow).replace(/2$/, '1');
  const tun = openTun({ name: `ours${number}`, netns: right.name, addresses: [`${near}/24`] });
  stack.addLink(tun, { addresses: [`${serverAddress(number, flow)}/24`], routes: ['10.98.0.0/16'] });
  return stack;
}

/** Runs flows at once, all through one relay. */
export async function runMultipath(plan: MultipathPlan): Promise<{ flows: MultipathResult[]; relay: RelayReport }> {
  const namespaces: NetworkNamespace[] = [];
  const programs: Program[] = [];
  const clients: Client[] = [];
  const servers = new Map<number, Stack>();
  let relay: Relay | undefined;
  try {
    const right = await createNamespace('server');
    namespaces.push(right);
    for (const [number, flow] of plan.flows.entries()) {
      const namespace = await createNamespace('client');
      namespaces.push(namespace);
      clients.push(new Client(number, flow, namespace));
    }
    relay = await Relay.start({
      device: 'wire',
      left: clients.map(({ namespace, number }) => ({ netns: namespace.name, address: `10.96.${number}.1/30` })),
      right: { netns: right.name, address: `${SERVER}/24` },
      sorted: {
        addresses: clients.flatMap(({ addresses }) => addresses),
        ends: clients.flatMap(({ addresses, number }) => addresses.map(() => number)),
      },
      paths: plan.flows.flatMap(({ paths }) => paths),
    });
    for (const client of clients) await client.setUp();
    const commands = [
      `ip link set wire txqueuelen ${DEVICE_QUEUE}`,
      'ip route add 10.98.0.0/16 dev wire',
      `ip mptcp limits set subflows ${PATHS_MOST} add_addr_accepted 0`,
      'sysctl -qw net.ipv4.tcp_no_metrics_save=1 net.ipv4.ip_forward=1',
    ];
    for (const [number, flow] of plan.flows.entries()) {
      if (flow.ours !== 'server') continue;
      servers.set(number, openServer(number, flow, right));
      commands.push(`ip link set ours${number} txqueuelen ${DEVICE_QUEUE}`);
    }
    await right.exec('sh', '-e', '-c', commands.join('\n'));
    const flows = await measure(plan, { clients, servers, right, relay, programs });
    const report = relay.stop();
    relay = undefined;
    return { flows, relay: await report };
  } finally {
    runAhead(0);
    for (const program of programs) await program.stop();
    for (const client of clients) client.close();
    for (const stack of servers.values()) stack.close();
    await relay?.stop();
    for (const namespace of namespaces) await removeNamespace(namespace);
  }
}

interface Bed {
  readonly clients: readonly Client[];
  /** Our stacks that are servers, by number of the flow. */
  readonly servers: ReadonlyMap<number, Stack>;
  readonly right: NetworkNamespace;
  readonly relay: Relay;
  readonly programs: Program[];
}

async function measure(plan: MultipathPlan, bed: Bed): Promise<MultipathResult[]> {
  const { clients, servers, right, relay, programs } = bed;
  const run = (namespace: NetworkNamespace, flows: readonly object[]): Program => {
    const command = [pythonProgram(), labProgram('multipath_flows.py'), JSON.stringify(flows)];
    const program = new Program(namespace, command, { input: true });
    programs.push(program);
    return program;
  };
  const described = ({ number, flow }: Client, listen: boolean): object => ({
    id: number,
    host: serverAddress(number, flow),
    port: PORT + number,
    from: clientAddress(number, 0),
    listen,
    send: listen === (flow.direction === 'download'),
    bytes: flow.bytes ?? null,
  });
  const atRight = clients.filter(({ flow }) => flow.ours !== 'server').map((client) => described(client, true));
  if (atRight.length > 0) run(right, atRight);
  for (const client of clients) if (client.flow.ours !== 'client') run(client.namespace, [described(client, false)]);
  for (const program of programs) await program.line('ready');
  const start = monotonic() + LEAD;
  const end = start + plan.seconds;
  const ownEnds = new Map([...servers].map(([number, stack]) => [number, OwnEnd.listen(plan, number, stack, start)]));
  for (const program of programs) program.order(`${start} ${end}`);
  await until(start);
  for (const { number, stack } of clients) {
    if (stack !== undefined) ownEnds.set(number, OwnEnd.connect(plan, number, stack, start));
  }
  runAhead(STACK_PRIORITY);
  const pathOf = (flow: number, path: number): number =>
    clients.slice(0, flow).reduce((sum, client) => sum + client.flow.paths.length, 0) + path;
  const control: PathControl = {
    set: (flow, path, mode) => relay.set(pathOf(flow, path), mode),
    loseAddress: async (flow, path) => clients[flow]?.loseAddress(path),
  };
  await plan.meanwhile?.(control, (seconds) => until(start + seconds));
  // All of it is over at the end, or before when every flow was done.
  const told = Promise.all(programs.map((program) => program.line('{')));
  await Promise.race([told, until(end)]);
  for (const own of ownEnds.values()) own.close();
  runAhead(0);
  const lines = await Promise.race([told, sleep(AFTERWARDS_MS, undefined, { ref: false })]);
  if (lines === undefined) throw new Error('the programs of the kernels told nothing of their flows');
  // The program on the right, where there is one, is the first: its ends are servers.
  const [servedBy, clientsOf] = atRight.length > 0 ? [lines.slice(0, 1), lines.slice(1)] : [[], lines];
  const kernelEnds = { server: merged(servedBy), client: merged(clientsOf) };
  return clients.map(({ number, flow }): MultipathResult => {
    const end = (role: 'server' | 'client'): TimedEnd => {
      const own = flow.ours === role ? ownEnds.get(number) : undefined;
      return own === undefined ? kernelEnd(kernelEnds[role][number], start) : own.result();
    };
    const [sent, received] =
      flow.direction === 'download' ? [end('server'), end('client')] : [end('client'), end('server')];
    return { flow, sent, received, progress: new Progress(received.times) };
  });
}

function merged(lines: readonly string[]): Record<string, KernelEnd> {
  return Object.assign({}, ...lines.map((line) => JSON.parse(line) as Record<string, KernelEnd>));
}

/** An end in a kernel as its program tells of it. */
interface KernelEnd {
  readonly bytes: number;
  readonly sha256?: string;
  readonly finished: number | null;
  readonly error?: string;
  readonly slots: Readonly<Record<string, number>>;
}

type TimedEnd = FlowEnd & { readonly times: readonly number[] };

function kernelEnd(told: KernelEnd | undefined, start: number): TimedEnd {
  if (told === undefined) throw new Error('a program of a kernel told nothing of one of its flows');
  return {
    bytes: told.bytes,
    sha256: told.sha256 ?? '',
    finished: told.finished === null ? undefined : told.finished - start,
    error: told.error,
    times: Object.keys(told.slots).map((slot) => Number(slot) - start * 1000),
  };
}

/** An end of a flow that is our stack. */
class OwnEnd {
  #socket: Socket | undefined;
  readonly #hash = createHash('sha256');
  readonly #times: number[] = [];
  #bytes = 0;
  #finished: number | undefined;
  #error: Error | undefined;

  private constructor(
    private readonly flow: MultipathFlow,
    private readonly sends: boolean,
    private readonly start: number,
  ) {}

  static connect({ flows }: MultipathPlan, number: number, stack: Stack, start: number): OwnEnd {
    const flow = flows[number] as MultipathFlow;
    const end = new OwnEnd(flow, flow.direction === 'upload', start);
    const localAddress = clientAddress(number, 0);
    end.#take(stack.connect({ host: SERVER, port: PORT + number, localAddress, allowHalfOpen: true }));
    return end;
  }

  static listen({ flows }: MultipathPlan, number: number, stack: Stack, start: number): OwnEnd {
    const flow = flows[number] as MultipathFlow;
    const end = new OwnEnd(flow, flow.direction === 'download', start);
    stack.createServer({ allowHalfOpen: true }, (socket) => end.#take(socket)).listen({ port: PORT + number });
    return end;
  }

  #take(socket: Socket): void {
    this.#socket = socket;
    socket.on('error', (error) => {
      this.#error = error;
    });
    socket.on('end', () => {
      this.#finished = monotonic() - this.start;
      socket.end();
    });
    if (this.sends) {
      socket.on('drain', () => this.#send(socket));
      socket.resume();
      this.#send(socket);
    } else {
      socket.on('data', (chunk: Buffer) => {
        this.#hash.update(chunk);
        this.#bytes += chunk.length;
        const time = Math.floor((monotonic() - this.start) * 1000);
        if (this.#times.at(-1) !== time) this.#times.push(time);
      });
    }
  }

  #send(socket: Socket): void {
    const { bytes } = this.flow;
    for (;;) {
      const most = bytes === undefined ? PIECE.length : Math.min(PIECE.length, bytes - this.#bytes);
      if (most === 0) {
        socket.end();
        return;
      }
      const piece = PIECE.subarray(0, most);
      this.#hash.update(piece);
      this.#bytes += most;
      if (!socket.write(piece)) return;
    }
  }

  /** Ends it by a reset, when it has not ended yet. */
  close(): void {
    if (this.#socket?.destroyed === false) this.#socket.resetAndDestroy();
  }

  result(): TimedEnd {
    return {
      bytes: this.#bytes,
      sha256: this.#hash.digest('hex'),
      finished: this.#finished,
      error: this.#error?.message,
      times: this.#times,
    };
  }
}

/** Resolves at a time of {@link monotonic}. */
async function until(time: number): Promise<void> {
  await sleep(Math.max(0, time - monotonic()) * 1000);
}

/** The clock that `time.monotonic()` of Python reads, s. */
function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e9;
}
