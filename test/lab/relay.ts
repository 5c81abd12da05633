import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { PathMode, PathShape, PathStatistics } from './relay-path.js';

/** Words of {@link RelayPlan.control}: the relay ends when the first is not 0; word 1 + N is the {@link MODES} of path N. */
export const CONTROL_STOP = 0;
export const MODES: readonly PathMode[] = ['open', 'cut', 'reset'];

/** One end of the relay: a TUN device made in a namespace, with the kernel's address, `ADDRESS/PREFIX`. */
export interface RelayEnd {
  readonly netns: string;
  readonly address: string;
}

/** Connections to port `port` + N of the right side go by the path whose number is entry N; there is one left end. */
export interface SortedByPort {
  readonly port: number;
  readonly ports: readonly number[];
}

/** Path N is that of address N on the left, which is at the left end whose number is entry N of `ends`. */
export interface SortedByAddress {
  readonly addresses: readonly string[];
  readonly ends: readonly number[];
}

/** What the thread of a relay is given. */
export interface RelayPlan {
  /** Name of the device in both namespaces. */
  readonly device: string;
  readonly left: readonly RelayEnd[];
  readonly right: RelayEnd;
  readonly sorted: SortedByPort | SortedByAddress;
  readonly paths: readonly PathShape[];
  readonly control: SharedArrayBuffer;
}

/** What the thread tells at its end. */
export interface RelayReport {
  readonly paths: readonly PathStatistics[];
  /** Packets of no path. */
  readonly strangers: number;
}

/** A relay between namespaces on the left and one on the right, in a thread of its own so that it does not wait for the stack that it measures. */
export class Relay {
  readonly #worker: Worker;
  readonly #control: Int32Array;
  readonly #failed: Promise<never>;

  private constructor(worker: Worker, control: Int32Array) {
    this.#worker = worker;
    this.#control = control;
    this.#failed = new Promise((_resolve, reject) => worker.once('error', reject));
    // Whoever waits for the relay is told; until then nobody has to.
    this.#failed.catch(() => undefined);
  }

  /** Resolves when all devices are there. @throws TunError as `openTun` does. */
  static async start(plan: Omit<RelayPlan, 'control'>): Promise<Relay> {
    const control = new SharedArrayBuffer((1 + plan.paths.length) * Int32Array.BYTES_PER_ELEMENT);
    const workerData: RelayPlan = { ...plan, control };
    const worker = new Worker(new URL('./relay-worker.js', import.meta.url), { workerData });
    const relay = new Relay(worker, new Int32Array(control));
    await Promise.race([once(worker, 'message'), relay.#failed]);
    return relay;
  }

  /** Has path number `index` lose everything, or nothing more. */
  cut(index: number, cut: boolean): void {
    this.set(index, cut ? 'cut' : 'open');
  }

  /** Has path number `index` work, lose everything, or answer everything with a reset. */
  set(index: number, mode: PathMode): void {
    Atomics.store(this.#control, CONTROL_STOP + 1 + index, MODES.indexOf(mode));
  }

  /** Ends the relay and gives what it counted. Its devices are gone. */
  async stop(): Promise<RelayReport> {
    const told = once(this.#worker, 'message');
    Atomics.store(this.#control, CONTROL_STOP, 1);
    const [report] = (await Promise.race([told, this.#failed])) as [RelayReport];
    await this.#worker.terminate();
    return report;
  }
}
