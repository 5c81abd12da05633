import type { Clock } from '../clock.js';

interface Entry {
  readonly time: number;
  /** Entries of the same time run in the order they were made. */
  readonly order: number;
  callback: (() => void) | undefined;
}

/** A clock that moves only when it is told to: the event queue of a simulation. Times are µs. */
export class SimClock implements Clock {
  /** Binary heap, the earliest entry first. */
  readonly #heap: Entry[] = [];
  readonly #ready: (() => void)[] = [];
  #readyHead = 0;
  #now: number;
  #order = 0;
  #unsettled = true;
  /** Called when application code made something ready, for a simulation that waits in real time. */
  onReady: (() => void) | undefined;

  constructor(start = 0) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  schedule(deadline: number, callback: () => void): () => void {
    const entry: Entry = { time: Math.max(Math.ceil(deadline), this.#now), order: this.#order++, callback };
    this.#push(entry);
    return () => {
      entry.callback = undefined;
    };
  }

  soon(callback: () => void): void {
    this.#ready.push(callback);
    this.onReady?.();
  }

  later(callback: () => void): void {
    this.soon(callback);
  }

  hold(): () => void {
    // A simulation lives as long as somebody runs it.
    return () => undefined;
  }

  settle(): void {
    this.#unsettled = true;
  }

  /** The time of the next event; Infinity when there is none. */
  next(): number {
    for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
      if (first.callback !== undefined) return first.time;
      this.#pop();
    }
    return Number.POSITIVE_INFINITY;
  }

  /** Runs the next event, and what it made ready, at its time. Returns false when there is none. */
  step(): boolean {
    if (this.next() === Number.POSITIVE_INFINITY) return false;
    const entry = this.#pop();
    this.#now = entry.time;
    entry.callback?.();
    this.runReady();
    return true;
  }

  /** Runs all that is ready now. Returns false when nothing was. */
  runReady(): boolean {
    if (this.#readyHead === this.#ready.length) return false;
    while (this.#readyHead < this.#ready.length) this.#ready[this.#readyHead++]?.();
    this.#ready.length = 0;
    this.#readyHead = 0;
    return true;
  }

  /** Moves the time on, at most to the next event. */
  advanceTo(time: number): void {
    this.#now = Math.max(this.#now, Math.min(time, this.next()));
  }

  /** Tells whether application code may have something to do, and forgets it. */
  takeUnsettled(): boolean {
    const unsettled = this.#unsettled;
    this.#unsettled = false;
    return unsettled;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let hole = heap.length;
    heap.push(entry);
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      const above = heap[parent] as Entry;
      if (!before(entry, above)) break;
      heap[hole] = above;
      hole = parent;
    }
    heap[hole] = entry;
  }

  #pop(): Entry {
    const heap = this.#heap;
    const first = heap[0] as Entry;
    const last = heap.pop() as Entry;
    if (heap.length === 0) return first;
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Entry, heap[child] as Entry)) child++;
      if (!before(heap[child] as Entry, last)) break;
      heap[hole] = heap[child] as Entry;
      hole = child;
    }
    heap[hole] = last;
    return first;
  }
}

function before(one: Entry, other: Entry): boolean {
  return one.time < other.time || (one.time === other.time && one.order < other.order);
}
