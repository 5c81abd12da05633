import { setTimeout as sleep } from 'node:timers/promises';
import type { CongestionName } from '../../host/abi.js';
import type { SubflowInfo } from '../../host/info.js';
import { openTun } from '../../host/link/tun.js';
import type { Socket } from '../../host/net/socket.js';
import type { NetworkNamespace } from '../../host/netns.js';
import { Stack } from '../../host/node.js';
import { createNamespace, labProgram, removeNamespace } from './laboratory.js';
import { Program } from './programs.js';
import { runAhead } from './real-time.js';
import { Relay, type RelayReport } from './relay.js';
import type { PathShape } from './relay-path.js';

/** Who the ends of a flow are: our stack sends to a kernel or receives from it, or a kernel sends to another. */
export type Pairing = 'weSend' | 'weReceive' | 'kernel';

/** One flow of a run. */
export interface FlowPlan {
  readonly pairing: Pairing;
  readonly controller: CongestionName;
  /** Number of its path; flows of one path share its rate and queue. */
  readonly path: number;
}

/** Flows that begin together and send as much as they can for a while. */
export interface RunPlan {
  readonly paths: readonly PathShape[];
  readonly flows: readonly FlowPlan[];
  readonly seconds: number;
  /** What happens meanwhile; `wait` resolves so many seconds after the beginning. */
  readonly meanwhile?: (relay: Relay, wait: (seconds: number) => Promise<void>) => Promise<void>;
}

/** What became of one flow. */
export interface FlowResult {
  readonly flow: FlowPlan;
  readonly seconds: number;
  readonly received: Received;
  /** What our stack said of it in the end; undefined for flows between kernels. */
  readonly info: SubflowInfo | undefined;
}

export interface RunResult {
  readonly flows: readonly FlowResult[];
  readonly relay: RelayReport;
}

const PORT = 5000;
const LEFT = '10.98.0.1';
const RIGHT = '10.98.0.2';
const OURS = '10.98.1.2';
const STACK_PRIORITY = 10;
const MEMORY = 256 << 20;
const PIECE = Buffer.alloc(1 << 16);
/** Time for programs to start, s. */
const LEAD = 2.5;
/** Slots of time in which received bytes are counted, s; `tcp_flows.py` has the same. */
const SLOT = 0.01;
/** Packets that wait for a reader of a TUN device; the kernel's 500 are less than a burst on a busy machine. */
const DEVICE_QUEUE = '10000';

/** Bytes that one application got, by the time. */
export class Received {
  readonly #slots: ReadonlyMap<number, number>;
  /** When the run began, in slots. */
  readonly #start: number;

  constructor(slots: ReadonlyMap<number, number>, start: number) {
    this.#slots = slots;
    this.#start = Math.floor(start / SLOT);
  }

  /** Mbit/s from one time to another, seconds from the beginning. */
  rate(from: number, to: number): number {
    let bytes = 0;
    for (const [slot, count] of this.#slots) {
      const at = (slot - this.#start) * SLOT;
      if (at >= from && at < to) bytes += count;
    }
    return (bytes * 8) / 1e6 / (to - from);
  }

  /** Seconds from `time` to the first bytes after it; Infinity when none came. */
  silence(time: number): number {
    let first = Number.POSITIVE_INFINITY;
    for (const slot of this.#slots.keys()) {
      const at = (slot - this.#start) * SLOT;
      if (at >= time) first = Math.min(first, at);
    }
    return first - time;
  }
}

/**
 * Runs flows between two namespaces with a relay between them. Our stack stands behind the left namespace, whose
 * kernel forwards its packets: they meet the same relay in the same way as those of that kernel itself.
 */
export async function runFlows(plan: RunPlan): Promise<RunResult> {
  const left = await createNamespace('left');
  const right = await createNamespace('right');
  const programs: Program[] = [];
  let relay: Relay | undefined;
  let stack: Stack | undefined;
  try {
    relay = await Relay.start({
      device: 'wire',
      left: [{ netns: left.name, address: `${LEFT}/24` }],
      right: { netns: right.name, address: `${RIGHT}/24` },
      sorted: { port: PORT, ports: plan.flows.map(({ path }) => path) },
      paths: plan.paths,
    });
    stack = await attachStack(left, right);
    const result = await measure(plan, { left, right, relay, stack, programs });
    const report = relay.stop();
    relay = undefined;
    return { flows: result, relay: await report };
  } finally {
    for (const program of programs) await program.stop();
    stack?.close();
    await relay?.stop();
    await removeNamespace(left);
    await removeNamespace(right);
  }
}

async function attachStack(left: NetworkNamespace, right: NetworkNamespace): Promise<Stack> {
  await left.sysctl('net.ipv4.ip_forward', 1);
  // What an earlier flow learned of the path would be the start of the next one.
  for (const namespace of [left, right]) {
    await namespace.sysctl('net.ipv4.tcp_no_metrics_save', 1);
    await namespace.ip('link', 'set', 'wire', 'txqueuelen', DEVICE_QUEUE);
  }
  const stack = new Stack({ name: 'lab', memory: MEMORY });
  try {
    const tun = openTun({ name: 'ours', netns: left.name, addresses: ['10.98.1.1/24'] });
    stack.addLink(tun, { addresses: [`${OURS}/24`], routes: ['10.98.0.0/24'] });
    await left.ip('link', 'set', 'ours', 'txqueuelen', DEVICE_QUEUE);
    await right.ip('route', 'add', '10.98.1.0/24', 'dev', 'wire');
    return stack;
  } catch (error) {
    stack.close();
    throw error;
  }
}

interface Bed {
  readonly left: NetworkNamespace;
  readonly right: NetworkNamespace;
  readonly relay: Relay;
  readonly stack: Stack;
  readonly programs: Program[];
}

async function measure(plan: RunPlan, { left, right, relay, stack, programs }: Bed): Promise<FlowResult[]> {
  const start = monotonic() + LEAD;
  const end = start + plan.seconds;
  const kernel = (namespace: NetworkNamespace, listen: boolean): Program => {
    const flows = plan.flows.flatMap(({ pairing, controller: congestion }, id) => {
      if (!listen && pairing !== 'kernel') return [];
      const send = listen ? pairing === 'weReceive' : true;
      return [{ id, host: RIGHT, port: PORT + id, listen, send, congestion, start, end }];
    });
    const program = new Program(namespace, ['python3', labProgram('tcp_flows.py'), JSON.stringify(flows)]);
    programs.push(program);
    return program;
  };
  const server = kernel(right, true);
  await server.says('listening');
  const client = kernel(left, false);
  await client.says('listening');
  if (monotonic() > start) throw new Error(`the programs of the laboratory took more than ${LEAD} s to start`);
  await until(start);
  const ours = plan.flows.map((flow, id) => (flow.pairing === 'kernel' ? undefined : new OwnFlow(stack, flow, id)));
  // A kernel works while programs wait; on a busy machine our stack, a program, must not be the one that waits.
  runAhead(STACK_PRIORITY);
  await plan.meanwhile?.(relay, (seconds) => until(start + seconds));
  await until(end);
  runAhead(0);
  const infos = ours.map((flow) => flow?.end());
  await client.finish();
  const slots = JSON.parse((await server.finish()).split('\n').find((line) => line.startsWith('{')) ?? '{}') as Record<
    string,
    Record<string, number>
  >;
  return plan.flows.map((flow, id) => {
    const told = Object.entries(slots[id] ?? {}).map(([slot, bytes]) => [Number(slot), bytes] as const);
    const counted = flow.pairing === 'weReceive' ? (ours[id]?.slots ?? new Map()) : new Map(told);
    return { flow, seconds: plan.seconds, received: new Received(counted, start), info: infos[id] };
  });
}

/** A flow one end of which is our stack. */
class OwnFlow {
  readonly slots = new Map<number, number>();
  readonly #controller: CongestionName;
  readonly #socket: Socket;
  #error: Error | undefined;

  constructor(stack: Stack, { pairing, controller }: FlowPlan, id: number) {
    this.#controller = controller;
    stack.set('congestion', controller);
    this.#socket = stack.connect({ host: RIGHT, port: PORT + id, mptcp: false });
    this.#socket.on('error', (error) => {
      this.#error = error;
    });
    if (pairing === 'weSend') {
      const write = (): void => {
        while (this.#socket.write(PIECE));
      };
      this.#socket.on('drain', write);
      write();
    } else {
      this.#socket.on('data', (chunk: Buffer) => {
        const slot = Math.floor(monotonic() / SLOT);
        this.slots.set(slot, (this.slots.get(slot) ?? 0) + chunk.length);
      });
    }
  }

  /** Ends it by a reset. @throws Error when it had ended before. */
  end(): SubflowInfo | undefined {
    if (this.#error !== undefined) throw this.#error;
    const info = this.#socket.info();
    if (info !== undefined && info.congestion !== this.#controller) {
      throw new Error(`a flow ran with ${info.congestion} and not with ${this.#controller}`);
    }
    this.#socket.destroy();
    return info?.subflows[0];
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
