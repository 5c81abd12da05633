import { MptcpError } from '../error.js';
import type { Link } from '../link/link.js';
import { type PcapngWriter, tap } from '../link/pcapng.js';
import { Stack, type StackOptions } from '../net/stack.js';
import { SimClock } from './clock.js';
import { Random } from './random.js';
import { Router, type RouterOptions } from './router.js';
import { PERFECT, requireCharacteristics, Wire, type WireCharacteristics, WireDirection, WireLink } from './wire.js';

/** Options of a simulated network. */
export interface NetworkOptions {
  /** Everything that is by chance follows from it. Default 1. */
  readonly seed?: number;
  /** The time it begins at, µs. Default 0. */
  readonly start?: number;
  /** Run no faster than real time. Default false: as fast as it can. */
  readonly realtime?: boolean;
}

/** One end of a wire. */
export interface WireEnd {
  readonly at: Stack | Router;
  /** For a stack: the addresses it has here. */
  readonly addresses?: readonly string[];
  /** Prefixes that lead into the wire from here. */
  readonly routes?: readonly string[];
  /** For a stack: where the packets of this end are written down. */
  readonly capture?: PcapngWriter;
}

/** A wire to make. Characteristics hold for both directions unless one has its own; the default is a perfect wire. */
export interface WireOptions extends Partial<WireCharacteristics> {
  readonly name: string;
  readonly a: WireEnd;
  readonly b: WireEnd;
  /** Largest IP packet, bytes; default 1,500. */
  readonly mtu?: number;
  readonly aToB?: Partial<WireCharacteristics>;
  readonly bToA?: Partial<WireCharacteristics>;
}

/** Bytes per second of a rate in Mbit/s. */
export const megabits = (rate: number): number => (rate * 1e6) / 8;
/** µs of a time in ms. */
export const milliseconds = (time: number): number => time * 1000;
/** µs of a time in s. */
export const seconds = (time: number): number => time * 1e6;

/** Turns of Node's event loop without anything new after which the application counts as done for now. */
const QUIET_TURNS = 2;
/** Events at one moment after which something must be wrong. */
const EVENTS_WITHOUT_TIME = 1_000_000;

/**
 * Hosts, routers and wires on one simulated clock. The same seed and the same application give the same run, packet
 * by packet: before time goes on, Node's event loop turns until the application (streams, promises, `setImmediate`)
 * has done what it can. Work outside of the event loop's own queues, such as files, is to be wrapped in
 * {@link outside}. Time goes on only while one of the `run` methods runs.
 */
export class Network {
  readonly clock: SimClock;
  readonly seed: number;
  readonly #realtime: boolean;
  readonly #stacks: Stack[] = [];
  #running = false;
  #outside = 0;
  #outsideDone: (() => void) | undefined;

  constructor(options: NetworkOptions = {}) {
    this.seed = options.seed ?? 1;
    if (!Number.isSafeInteger(this.seed) || this.seed < 0) {
      throw new MptcpError('EINVAL', 'network', {
        detail: `the seed is ${this.seed} and must be an integer from 0 on`,
      });
    }
    this.clock = new SimClock(options.start ?? 0);
    this.#realtime = options.realtime ?? false;
  }

  /** The time, µs. */
  get now(): number {
    return this.clock.now();
  }

  /** Random numbers of one's own, from the network's seed. */
  random(label: string): Random {
    return new Random(this.seed, `application:${label}`);
  }

  /** Adds a host. Its secrets follow from the seed and its name. */
  host(name: string, options: Omit<StackOptions, 'name' | 'clock'> = {}): Stack {
    const seed = options.seed ?? new Random(this.seed, `host:${name}`).bytes(32);
    const stack = new Stack({ ...options, name, seed, clock: this.clock });
    this.#stacks.push(stack);
    return stack;
  }

  /** Adds a router. @throws MptcpError EINVAL for an address that is none. */
  router(name: string, options: RouterOptions = {}): Router {
    return new Router(name, options);
  }

  /** Adds a wire between two hosts or routers. @throws MptcpError as {@link Stack.addLink} does. */
  wire(options: WireOptions): Wire {
    const { name, a, b, mtu = 1500, aToB = {}, bToA = {}, ...both } = options;
    const direction = (end: string, own: Partial<WireCharacteristics>): WireDirection =>
      new WireDirection(
        this.clock,
        new Random(this.seed, `wire:${name}:${end}`),
        requireCharacteristics({ ...PERFECT, ...both, ...own }),
      );
    const fromA = direction('a', aToB);
    const fromB = direction('b', bToA);
    const links = [attach(name, a, mtu, fromA, fromB), attach(name, b, mtu, fromB, fromA)];
    return new Wire(name, fromA, fromB, {
      clock: this.clock,
      random: (label) => new Random(this.seed, `wire:${name}:${label}`),
      onCarrier: (up) => {
        for (const entry of links) {
          if (entry !== undefined && !entry.stack.closed) entry.stack.setLinkUp(entry.link, up);
        }
      },
    });
  }

  /** Resolves after so many µs of the network's time. */
  sleep(time: number): Promise<void> {
    return new Promise((resolve) => this.at(this.now + time, resolve));
  }

  /** Runs `callback` at a time, µs. Returns a function that forgets it. */
  at(time: number, callback: () => void): () => void {
    return this.clock.schedule(time, () => {
      this.clock.settle();
      callback();
    });
  }

  /** Lets time stand until a promise settles that depends on something outside of the simulation. */
  async outside<T>(promise: Promise<T>): Promise<T> {
    this.#outside++;
    try {
      return await promise;
    } finally {
      this.#outside--;
      if (this.#outside === 0) this.#outsideDone?.();
    }
  }

  /**
   * Runs until `goal` settles and returns or throws what it did. A function is called first, to start what it returns.
   * @throws MptcpError EDEADLK when nothing is left that could happen, ETIME after `limit` µs of the network's time.
   */
  async run<T>(goal: Promise<T> | (() => Promise<T>), limit = Number.POSITIVE_INFINITY): Promise<T> {
    const promise = typeof goal === 'function' ? goal() : goal;
    let settled = false;
    const done = (): void => {
      settled = true;
    };
    promise.then(done, done);
    const end = this.now + limit;
    await this.#loop(
      () => settled,
      end,
      () => {
        const idle = this.clock.next() === Number.POSITIVE_INFINITY;
        throw idle
          ? new MptcpError('EDEADLK', 'run', { detail: 'nothing is left to happen and the application still waits' })
          : new MptcpError('ETIME', 'run', { detail: `the application still waits after ${limit} µs` });
      },
    );
    return promise;
  }

  /** Runs for so many µs. */
  async advance(time: number): Promise<void> {
    await this.runUntil(this.now + time);
  }

  /** Runs until a time, µs, and stops there. */
  async runUntil(time: number): Promise<void> {
    await this.#loop(
      () => false,
      time,
      () => this.clock.advanceTo(time),
    );
  }

  /** Closes all hosts. */
  close(): void {
    for (const stack of this.#stacks) stack.close();
    this.clock.runReady();
  }

  /** Steps from event to event; `exhausted` is called when the next one is after `end`, or there is none. */
  async #loop(reached: () => boolean, end: number, exhausted: () => void): Promise<void> {
    if (this.#running) {
      throw new MptcpError('EALREADY', 'run', { detail: 'the network runs already; only one run() at a time' });
    }
    this.#running = true;
    const pace = new Pace(this.clock);
    let since = this.now;
    let events = 0;
    try {
      this.clock.settle();
      for (;;) {
        if (this.clock.takeUnsettled()) await this.#settle();
        if (reached()) return;
        const next = this.clock.next();
        if (next > end || next === Number.POSITIVE_INFINITY) {
          if (this.#realtime && end !== Number.POSITIVE_INFINITY) await pace.until(end);
          return exhausted();
        }
        if (this.#realtime && !(await pace.until(next))) continue;
        this.clock.step();
        events = this.now === since ? events + 1 : 0;
        since = this.now;
        if (events > EVENTS_WITHOUT_TIME) {
          throw new MptcpError('ELOOP', 'run', { detail: `${events} events at ${since} µs: the time stands still` });
        }
      }
    } finally {
      this.#running = false;
    }
  }

  /** Lets Node's event loop turn until the application does nothing new. */
  async #settle(): Promise<void> {
    for (let quiet = 0; quiet < QUIET_TURNS; ) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      quiet = this.clock.runReady() ? 0 : quiet + 1;
      if (this.#outside > 0) {
        await new Promise<void>((resolve) => {
          this.#outsideDone = resolve;
        });
        quiet = 0;
      }
    }
    this.clock.takeUnsettled();
  }
}

/** Keeps simulated time from running ahead of real time. */
class Pace {
  readonly #clock: SimClock;
  readonly #simStart: number;
  readonly #realStart = performance.now();

  constructor(clock: SimClock) {
    this.#clock = clock;
    this.#simStart = clock.now();
  }

  /** Waits until a time comes; false when the application did something before, at a time set to that moment. */
  async until(time: number): Promise<boolean> {
    const left = (): number => (time - this.#simStart) / 1000 - (performance.now() - this.#realStart);
    if (left() <= 0) return true;
    let ready = false;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, left());
      this.#clock.onReady = () => {
        ready = true;
        clearTimeout(timer);
        resolve();
      };
    });
    this.#clock.onReady = undefined;
    if (!ready) return true;
    this.#clock.advanceTo(this.#simStart + Math.floor((performance.now() - this.#realStart) * 1000));
    this.#clock.runReady();
    return false;
  }
}

function attach(
  name: string,
  end: WireEnd,
  mtu: number,
  outgoing: WireDirection,
  incoming: WireDirection,
): { stack: Stack; link: Link } | undefined {
  if (end.at instanceof Router) {
    const router = end.at;
    incoming.receiver = (bytes) => router.forward(bytes);
    for (const prefix of end.routes ?? []) router.addRoute(prefix, outgoing);
    return undefined;
  }
  const wire = new WireLink(name, mtu, outgoing, incoming);
  const link = end.capture === undefined ? wire : tap(wire, end.capture);
  end.at.addLink(link, { addresses: end.addresses ?? [], routes: end.routes ?? [] });
  return { stack: end.at, link };
}
