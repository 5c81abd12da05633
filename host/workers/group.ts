import { createHmac, randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { CounterName, PoolInfoRecord } from '../abi.js';
import type { Config } from '../config.js';
import { ControlServer } from '../control/server.js';
import { MptcpError } from '../error.js';
import type { EndpointOptions } from '../stack.js';
import { WorkersTarget } from './control.js';
import { createChannels } from './exchange.js';
import type { Answer, Order, WireError, WorkerLink, WorkerReport, WorkerSetup } from './protocol.js';

/** What {@link startWorkers} takes. Links, endpoints and settings are those of every worker. */
export interface WorkersOptions {
  /** How many, 1 to 64; more than there are processors gain nothing. */
  readonly count: number;
  /** Module whose default export is called in every worker with its stack; see {@link WorkerMain}. */
  readonly module: URL;
  /** Passed on to the module; anything that can be cloned. */
  readonly data?: unknown;
  readonly links?: readonly WorkerLink[];
  /** Path-manager endpoints, added before the module is called. */
  readonly endpoints?: readonly EndpointOptions[];
  readonly config?: Omit<Config, 'shards' | 'shard'>;
  /** Memory budget of each worker's stack, bytes. */
  readonly memory?: number;
  /** Name for people; worker i has it with `#i` behind. */
  readonly name?: string;
  /** 32 bytes that the seeds of all workers come from; default from the system's random source. */
  readonly seed?: Uint8Array;
  /** Capacity of the ring from one worker to one other, bytes: a power of two of 256 KiB to 1 GiB, default 1 MiB. */
  readonly ringBytes?: number;
  /** Awaited when all workers have their links, before the module is called in any. */
  readonly prepare?: () => void | Promise<void>;
  /** Told what the module in a worker sends. */
  readonly onMessage?: (worker: number, value: unknown) => void;
}

/** Why a worker failed. */
export class WorkerError extends Error {
  override readonly name = 'WorkerError';
  constructor(
    message: string,
    /** Number of the worker. */
    readonly worker: number,
    /** Code of the error in the worker; `ERR_WORKER` when it had none. */
    readonly code: string,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? {} : { cause });
  }
}

const WORKERS_MAX = 64;
const RING_BYTES = 1 << 20;
/** Time a worker has to end by itself, ms. */
const CLOSE_MS = 5000;

/**
 * Runs one host on several processors: every worker thread has a stack of its own and a queue of every link, all have
 * the same addresses, and all may listen on the same port. Which of them gets a connection is decided by the kernel's
 * choice of a queue for its SYN; connections never move. A port that {@link Stack.listen} chose by itself is that
 * worker's alone.
 *
 * Resolves when the module has returned in every worker.
 * @throws WorkerError when one could not start, MptcpError EINVAL for options out of range; nothing is left running.
 */
export async function startWorkers(options: WorkersOptions): Promise<WorkerGroup> {
  const { count, ringBytes = RING_BYTES, seed = randomBytes(32) } = options;
  if (!Number.isInteger(count) || count < 1 || count > WORKERS_MAX) {
    const detail = `the number of workers is ${count} and must be from 1 to ${WORKERS_MAX}`;
    throw new MptcpError('EINVAL', 'startWorkers', { detail });
  }
  if (seed.length !== 32) {
    const detail = `the seed has ${seed.length} bytes and must have 32`;
    throw new MptcpError('EINVAL', 'startWorkers', { detail });
  }
  const setups = createChannels(count, ringBytes).map(
    (channels, worker): WorkerSetup => ({
      worker,
      count,
      name: `${options.name ?? 'stack'}#${worker}`,
      memory: options.memory,
      // Shards must not share keys: each would answer for the cookies and choose the ports of the other.
      seed: new Uint8Array(createHmac('sha256', seed).update(`shard ${worker}`).digest()),
      config: options.config ?? {},
      links: options.links ?? [],
      endpoints: options.endpoints ?? [],
      module: options.module.href,
      data: options.data,
      channels,
    }),
  );
  const group = new WorkerGroup(setups, options.onMessage);
  try {
    // The first worker makes the devices that the others open further queues of.
    await group.ask(group.threads.slice(0, 1), 'open', 'opened');
    await group.ask(group.threads.slice(1), 'open', 'opened');
    await options.prepare?.();
    await group.ask(group.threads, 'start', 'started');
    group.begin();
    return group;
  } catch (error) {
    await group.close();
    throw error;
  }
}

/** What a worker is waited for. */
interface Awaited {
  readonly worker: number;
  readonly type: Answer['type'];
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/**
 * Workers that {@link startWorkers} started.
 *
 * When one fails, all are ended, for the connections it had and its queue of the links cannot be given to others, and
 * `error` is emitted. Events: `linkError` (worker, link name, error) when a link fails, which counts as failure of the
 * worker if nobody listens; `error` (WorkerError); `close` at the end.
 */
export class WorkerGroup extends EventEmitter {
  /** @internal */
  readonly threads: readonly Thread[];
  readonly #awaited = new Set<Awaited>();
  #closing: Promise<void> | undefined;
  #failure: WorkerError | undefined;
  #begun = false;
  readonly #onMessage: WorkersOptions['onMessage'];

  /** @internal */
  constructor(setups: readonly WorkerSetup[], onMessage: WorkersOptions['onMessage']) {
    super();
    this.#onMessage = onMessage;
    const program = threadProgram();
    this.threads = setups.map((setup) => {
      const ports = setup.channels.flatMap((channel) => (channel === undefined ? [] : [channel.port]));
      const worker = new Worker(program, { name: setup.name, workerData: setup, transferList: ports });
      const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
      worker.on('message', (answer: Answer) => this.#answered(setup.worker, answer));
      worker.on('error', (error) => this.#fail(setup.worker, error));
      worker.on('exit', (code) => {
        if (this.#closing !== undefined) return;
        this.#fail(setup.worker, new Error(`the thread ended with exit code ${code}`));
      });
      return { number: setup.worker, worker, exited };
    });
  }

  /** How many workers there are. */
  get count(): number {
    return this.threads.length;
  }

  /** All about every worker, in their order. @throws WorkerError when one failed or the group is closed. */
  async workers(): Promise<WorkerReport[]> {
    const answers = await this.ask(this.threads, 'report', 'report');
    return answers.flatMap((answer) => (answer.type === 'report' ? [answer.report] : []));
  }

  /** Counters of all workers added up; a packet handed over counts as received by both. */
  async counters(): Promise<Record<CounterName, number>> {
    return sum((await this.workers()).map((each) => each.counters));
  }

  /** What is in use of the memory of all workers. */
  async pools(): Promise<PoolInfoRecord> {
    return sum((await this.workers()).map((each) => ({ ...each.pools })));
  }

  /**
   * Ends all workers: their module's clean-up, then connections are reset. Resolves when all threads have ended.
   * @throws WorkerError when a clean-up failed, or a thread did not end by itself and was stopped.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /**
   * Opens a control socket for all workers together, which the `mptcp` command finds; it is closed with them.
   * @throws ControlError when the path cannot be used.
   */
  async control(path?: string): Promise<ControlServer> {
    const control = await ControlServer.open(new WorkersTarget(this), path);
    if (this.#closing !== undefined) await control.close();
    else this.once('close', () => void control.close());
    return control;
  }

  /**
   * From now on failures are emitted; before, they are those of {@link startWorkers}.
   * @internal
   */
  begin(): void {
    this.#begun = true;
  }

  /**
   * Gives an order to threads and waits for the answer of each.
   * @internal
   */
  ask(threads: readonly Thread[], order: Order['type'] | Order, type: Answer['type']): Promise<Answer[]> {
    const asked = threads.map(({ number, worker }) => {
      if (this.#failure !== undefined) return Promise.reject(this.#failure);
      if (this.#closing !== undefined) {
        return Promise.reject(new WorkerError('the workers are closed', number, 'EBADF'));
      }
      return new Promise<Answer>((resolve, reject) => {
        this.#awaited.add({ worker: number, type, resolve, reject });
        worker.postMessage(typeof order === 'string' ? { type: order } : order);
      });
    });
    return Promise.all(asked);
  }

  #answered(worker: number, answer: Answer): void {
    if (answer.type === 'event') {
      this.emit('controlEvent', answer.event);
    } else if (answer.type === 'message') {
      this.#onMessage?.(worker, answer.value);
    } else if (answer.type === 'failed') {
      this.#fail(worker, restored(answer.error));
    } else if (answer.type === 'linkError') {
      const error = restored(answer.error);
      if (this.listenerCount('linkError') === 0) this.#fail(worker, error);
      else this.emit('linkError', worker, answer.link, error);
    } else {
      for (const entry of this.#awaited) {
        if (entry.worker !== worker || entry.type !== answer.type) continue;
        this.#awaited.delete(entry);
        entry.resolve(answer);
        break;
      }
    }
  }

  #fail(worker: number, cause: Error): void {
    // What fails after the first failure, while all are ended, comes of it.
    if (this.#failure !== undefined) return;
    const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : 'ERR_WORKER';
    const error = new WorkerError(`worker ${worker} failed: ${cause.message}`, worker, code, cause);
    this.#failure = error;
    // Whoever called close() is told by it.
    if (this.#closing !== undefined) return;
    const waiting = [...this.#awaited];
    this.#awaited.clear();
    for (const { reject } of waiting) reject(error);
    this.#closing = this.#end();
    if (!this.#begun) return;
    if (waiting.length === 0 || this.listenerCount('error') > 0) this.emit('error', error);
  }

  async #close(): Promise<void> {
    const waiting = [...this.#awaited];
    this.#awaited.clear();
    for (const { worker, reject } of waiting) reject(new WorkerError('the workers are closed', worker, 'EBADF'));
    await this.#end();
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #end(): Promise<void> {
    await Promise.all(
      this.threads.map(async ({ number, worker, exited }) => {
        worker.postMessage({ type: 'close' } satisfies Order);
        const late = setTimeout(() => {
          this.#fail(number, new Error(`it did not end within ${CLOSE_MS} ms: its module left something running`));
          void worker.terminate();
        }, CLOSE_MS);
        await exited;
        clearTimeout(late);
      }),
    );
    this.emit('close');
  }
}

interface Thread {
  readonly number: number;
  readonly worker: Worker;
  readonly exited: Promise<void>;
}

function restored({ message, code, stack }: WireError): Error {
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return code === undefined ? error : Object.assign(error, { code });
}

function threadProgram(): URL {
  // Compiled, this file is build/host/workers/group.js; run from source by a test runner, host/workers/group.ts.
  const candidates = ['./thread.js', '../../build/host/workers/thread.js'].map((at) => new URL(at, import.meta.url));
  const found = candidates.find((candidate) => existsSync(fileURLToPath(candidate)));
  if (found !== undefined) return found;
  const detail = `thread.js is in none of ${candidates.join(', ')}; npm run build makes it`;
  throw new MptcpError('ENOENT', 'startWorkers', { detail });
}

/** Records of numbers added up field by field. */
function sum<T extends object>(records: readonly T[]): T {
  const total: Record<string, number> = {};
  for (const record of records) {
    for (const [name, value] of Object.entries(record)) total[name] = (total[name] ?? 0) + Number(value);
  }
  return total as T;
}
