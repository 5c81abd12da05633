import { CONNECT_PLAIN_TCP, EVENT_ACCEPTABLE, EVENT_CLOSED, EVENT_CONNECTED, EVENT_WRITABLE } from '../../host/abi.js';
import { requireAddress } from '../../host/address.js';
import type { Config } from '../../host/config.js';
import type { PcapngWriter } from '../../host/link/pcapng.js';
import type { Stack } from '../../host/net/stack.js';
import { milliseconds, Network, megabits as rateOf } from '../../host/sim/network.js';
import type { Wire, WireCharacteristics } from '../../host/sim/wire.js';
import type { EventSink } from '../../host/stack.js';
import type { PathShape } from './theory.js';

const SENDER = '10.0.1.1';
const RECEIVER = '10.0.1.2';
const PORT = 80;
const CHUNK = new Uint8Array(1 << 16);

/** A bottleneck between two stacks. */
export interface BottleneckOptions {
  readonly seed: number;
  readonly path: PathShape;
  /** Bytes that may wait for the link, as a multiple of the product of rate and round-trip time. */
  readonly queue: number;
  readonly config: Config;
  /** What else the direction of the data does. */
  readonly wire?: Partial<WireCharacteristics>;
  /** Where what the sender sees is written down. */
  readonly capture?: PcapngWriter;
}

/** Product of rate and round-trip time, bytes. */
export function bandwidthDelay({ rate, rtt }: PathShape): number {
  return (rate * rtt * 1000) / 8;
}

/**
 * Two stacks on a virtual clock with a wire between them whose direction of the data has a rate, a queue and faults.
 * The application at both ends does not cost time: it keeps the send buffer full and reads what comes at once.
 */
export class Bottleneck {
  readonly network: Network;
  readonly #sender: Stack;
  readonly #receiver: Stack;
  readonly #wire: Wire;
  readonly #listener: number;
  readonly #flows: Flow[] = [];

  constructor({ seed, path, queue, config, wire = {}, capture }: BottleneckOptions) {
    this.network = new Network({ seed });
    const product = bandwidthDelay(path);
    // Nothing smaller than an initial window would be a queue (RFC 6928).
    const waiting = Math.max(Math.ceil(product * queue), 10 * path.mtu);
    // Memory and buffers are those of a stack that nobody configured.
    const options = { config: { ...config, mptcpEnabled: false } };
    this.#sender = this.network.host('sender', options);
    this.#receiver = this.network.host('receiver', options);
    this.#wire = this.network.wire({
      name: 'bottleneck',
      mtu: path.mtu,
      delay: milliseconds(path.rtt) / 2,
      a: { at: this.#sender, addresses: [`${SENDER}/24`], ...(capture === undefined ? {} : { capture }) },
      b: { at: this.#receiver, addresses: [`${RECEIVER}/24`] },
      aToB: { rate: rateOf(path.rate), queue: waiting, loss: path.loss, ...wire },
    });
    this.#listener = must('listen', this.#receiver.core.listen({ hi: 0n, lo: 0n }, PORT, 8, CONNECT_PLAIN_TCP));
    this.#receiver.watch(this.#listener, { coreEvent: (type) => type === EVENT_ACCEPTABLE && this.#acceptAll() });
  }

  #acceptAll(): void {
    for (;;) {
      const handle = this.#receiver.core.accept(this.#listener);
      if (handle < 0) return;
      const port = this.#receiver.core.connectionInfo(handle)?.remotePort;
      this.#flows.find((flow) => flow.port === port)?.accepted(handle);
    }
  }

  /** Opens one more flow through the bottleneck. */
  open(): Flow {
    const flow = new Flow(this.#sender, this.#receiver);
    this.#flows.push(flow);
    return flow;
  }

  /** Bytes the wire dropped because the queue was full, lost by chance, and held back, in packets. */
  get faults(): { queueDrops: number; lost: number; reordered: number } {
    const { droppedByQueue, lost, reordered } = this.#wire.aToB.statistics;
    return { queueDrops: droppedByQueue, lost, reordered };
  }

  /** Takes every packet away, in both directions, while it is true. */
  set cut(cut: boolean) {
    if (cut) this.#wire.cut();
    else this.#wire.mend();
  }

  /** Lets `time` µs pass. The events of the clock are run without the turns of Node's loop that sockets would need. */
  advance(time: number): void {
    const { clock } = this.network;
    const end = clock.now() + time;
    clock.runReady();
    while (clock.next() <= end) clock.step();
    clock.advanceTo(end);
  }

  close(): void {
    for (const flow of this.#flows) flow.forget();
    this.network.close();
  }
}

/** What the sender knows of its flow. Bytes. */
export interface Control {
  readonly cwnd: number;
  readonly ssthresh: number;
  readonly retransmits: number;
  readonly timeouts: number;
}

/** One connection that sends as much as it is allowed to. */
export class Flow implements EventSink {
  /** Bytes the receiving application has read. */
  received = 0;
  readonly port: number;
  readonly #sender: Stack;
  readonly #receiver: Stack;
  readonly #handle: number;

  constructor(sender: Stack, receiver: Stack) {
    this.#sender = sender;
    this.#receiver = receiver;
    const { core } = sender;
    this.#handle = must(
      'connect',
      core.connect({ hi: 0n, lo: 0n }, 0, requireAddress(RECEIVER, 'connect'), PORT, CONNECT_PLAIN_TCP),
    );
    this.port = core.connectionInfo(this.#handle)?.localPort ?? 0;
    sender.watch(this.#handle, this);
    sender.schedule();
  }

  /** @throws Error when the connection ended: a flow of the bench never does. */
  coreEvent(type: number, detail: number): void {
    if (type === EVENT_CLOSED) throw new Error(`a flow of the bench ended with ${detail}`);
    if (type === EVENT_CONNECTED || type === EVENT_WRITABLE) this.#write();
  }

  /** Its end is no failure from now on. */
  forget(): void {
    this.#sender.unwatch(this.#handle);
  }

  accepted(handle: number): void {
    const { core } = this.#receiver;
    const read = (): void => {
      for (let length = core.peek(handle); length > 0; length = core.peek(handle)) {
        core.consume(handle, length);
        this.received += length;
      }
    };
    this.#receiver.watch(handle, { coreEvent: read });
    read();
  }

  /** @throws Error when the connection is gone. */
  control(): Control {
    const info = this.#sender.core.subflowInfo(this.#handle, 0);
    if (info === undefined) throw new Error('a flow of the bench is gone');
    const { cwnd, ssthresh, retransmits, timeouts } = info;
    return { cwnd, ssthresh, retransmits: Number(retransmits), timeouts: Number(timeouts) };
  }

  #write(): void {
    const { core } = this.#sender;
    while (core.write(this.#handle, CHUNK, 0) === CHUNK.length);
  }
}

/** Mbit/s of `bytes` in `time` µs. */
export function megabits(bytes: number, time: number): number {
  return (bytes * 8) / time;
}

function must(call: string, result: number): number {
  if (result < 0) throw new Error(`${call} failed with ${result}: the bench set the stack up in a way it refuses`);
  return result;
}
