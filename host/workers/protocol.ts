import type { CounterName, PoolInfoRecord } from '../abi.js';
import type { Config } from '../config.js';
import type { Json, JsonObject } from '../control/protocol.js';
import type { TunOptions } from '../link/tun.js';
import type { Stack } from '../net/stack.js';
import type { EndpointOptions, LinkOptions, LinkStatistics } from '../stack.js';
import type { Channel, ExchangeStatistics } from './exchange.js';

/** A TUN device of which every worker has a queue, and what the stack has on it. */
export interface WorkerLink extends LinkOptions {
  readonly tun: Omit<TunOptions, 'queue'>;
}

/** What the application module is told in each worker. */
export interface WorkerContext {
  /** Number of this worker, from 0; also that of its shard. */
  readonly worker: number;
  /** How many there are. */
  readonly count: number;
  /** What `startWorkers` was given, a copy for each worker. */
  readonly data: unknown;
  /** Sends a value that can be cloned to the parent, whose `onMessage` is called with the worker's number and the value. */
  send(value: unknown): void;
}

/** What the application module may return: called, and awaited, when the workers are closed and the stack still works. */
export type WorkerCleanup = () => void | Promise<void>;

/** The default export of an application module. All of them listen when it has returned in every worker. */
export type WorkerMain = (
  stack: Stack,
  context: WorkerContext,
) => void | WorkerCleanup | Promise<void> | Promise<WorkerCleanup>;

/** One worker at one moment. */
export interface WorkerReport {
  readonly worker: number;
  readonly counters: Record<CounterName, number>;
  readonly pools: PoolInfoRecord;
  readonly links: readonly LinkStatistics[];
  readonly exchange: ExchangeStatistics;
}

/** An error on its way between threads: a copy of an Error would lose its code. */
export interface WireError {
  readonly message: string;
  readonly code: string | undefined;
  readonly stack: string | undefined;
}

/** What a worker is made with. */
export interface WorkerSetup {
  readonly worker: number;
  readonly count: number;
  readonly name: string;
  readonly memory: number | undefined;
  readonly seed: Uint8Array;
  readonly config: Config;
  readonly links: readonly WorkerLink[];
  readonly endpoints: readonly EndpointOptions[];
  readonly module: string;
  readonly data: unknown;
  readonly channels: readonly (Channel | undefined)[];
}

/** Parent to worker: open the links; add endpoints and call the module; report; do what a control socket asks; end. */
export type Order =
  | { readonly type: 'open' }
  | { readonly type: 'start' }
  | { readonly type: 'report' }
  | { readonly type: 'control'; readonly method: string; readonly params: JsonObject }
  | { readonly type: 'monitor'; readonly on: boolean }
  | { readonly type: 'close' };

/** Worker to parent. */
export type Answer =
  | { readonly type: 'opened' }
  | { readonly type: 'started' }
  | { readonly type: 'report'; readonly report: WorkerReport }
  | { readonly type: 'control'; readonly result: Json }
  | { readonly type: 'control'; readonly error: WireError }
  | { readonly type: 'event'; readonly event: JsonObject }
  | { readonly type: 'message'; readonly value: unknown }
  | { readonly type: 'linkError'; readonly link: string; readonly error: WireError }
  | { readonly type: 'failed'; readonly error: WireError };
