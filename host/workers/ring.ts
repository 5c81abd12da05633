import { RX_SLOT_BYTES } from '../abi.js';
import { MptcpError } from '../error.js';

/*
 * Layout of the shared memory, positions and flags as 32-bit integers, each on a cache line of its own:
 *
 *     0  written   bytes put in since the ring was made, modulo 2^32; the producer's
 *    64  read      bytes taken out, the same way; the consumer's
 *   128  sleeping  1 while the consumer waits to be woken
 *   192  records: u32 length, u32 link, the packet, padding to 8 bytes. A record is never broken: where the rest of the
 *        ring is too short for one, its first word is WRAP and the record is at the beginning.
 */
const WRITTEN = 0;
const READ = 16;
const SLEEPING = 32;
const HEADER_BYTES = 192;
const RECORD_HEADER_BYTES = 8;
const WRAP = 0xffffffff;
const CAPACITY_MIN = 1 << 18;
const CAPACITY_MAX = 1 << 30;

/**
 * Shared memory for a ring of packets from one thread to one other.
 * @param capacity bytes, a power of two of 256 KiB to 1 GiB: the least has room for a packet of any length wherever it begins.
 * @throws MptcpError EINVAL for another capacity.
 */
export function createRing(capacity: number): SharedArrayBuffer {
  if (!(capacity >= CAPACITY_MIN && capacity <= CAPACITY_MAX && 2 ** Math.round(Math.log2(capacity)) === capacity)) {
    const detail = `a ring of ${capacity} bytes; it must be a power of two of ${CAPACITY_MIN} to ${CAPACITY_MAX}`;
    throw new MptcpError('EINVAL', 'createRing', { detail });
  }
  return new SharedArrayBuffer(HEADER_BYTES + capacity);
}

/** Both ends' view of a ring. */
class RingMemory {
  readonly state: Int32Array;
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  readonly capacity: number;

  constructor(buffer: SharedArrayBuffer) {
    this.state = new Int32Array(buffer, 0, HEADER_BYTES / 4);
    this.bytes = new Uint8Array(buffer, HEADER_BYTES);
    this.words = new Uint32Array(buffer, HEADER_BYTES);
    this.capacity = this.bytes.length;
  }
}

/** The end of a ring that puts packets in; one thread may have it. */
export class RingProducer {
  readonly #memory: RingMemory;
  readonly #wake: () => void;
  #written: number;

  /** @param wake wakes the thread of the consumer, which then calls {@link RingConsumer.take} until nothing is left. */
  constructor(buffer: SharedArrayBuffer, wake: () => void) {
    this.#memory = new RingMemory(buffer);
    this.#wake = wake;
    this.#written = Atomics.load(this.#memory.state, WRITTEN) >>> 0;
  }

  /** Copies a packet in. Returns false, and keeps nothing of it, when there is no room. */
  put(link: number, packet: Uint8Array): boolean {
    const { state, bytes, words, capacity } = this.#memory;
    const length = packet.length;
    if (length === 0 || length > RX_SLOT_BYTES) return false;
    const size = recordSize(length);
    let at = this.#written & (capacity - 1);
    const skipped = at + size > capacity ? capacity - at : 0;
    const used = (this.#written - Atomics.load(state, READ)) >>> 0;
    if (used + skipped + size > capacity) return false;
    if (skipped > 0) {
      words[at >>> 2] = WRAP;
      at = 0;
    }
    words[at >>> 2] = length;
    words[(at >>> 2) + 1] = link;
    bytes.set(packet, at + RECORD_HEADER_BYTES);
    this.#written = (this.#written + skipped + size) >>> 0;
    Atomics.store(state, WRITTEN, this.#written | 0);
    // The consumer sets the flag and then looks once more; one of both sees what the other did.
    if (Atomics.load(state, SLEEPING) === 1 && Atomics.exchange(state, SLEEPING, 0) === 1) this.#wake();
    return true;
  }
}

/** The end of a ring that takes packets out; one thread may have it. */
export class RingConsumer {
  readonly #memory: RingMemory;
  #read: number;

  constructor(buffer: SharedArrayBuffer) {
    this.#memory = new RingMemory(buffer);
    this.#read = Atomics.load(this.#memory.state, READ) >>> 0;
  }

  /**
   * Gives up to `budget` packets to `taker`, views that hold until it returns. Returns how many. Fewer than the budget
   * mean that the ring was empty; the producer then wakes this thread with the next packet.
   */
  take(budget: number, taker: (link: number, packet: Uint8Array) => void): number {
    const { state } = this.#memory;
    // Nobody has to wake a thread that is at it.
    Atomics.store(state, SLEEPING, 0);
    let count = 0;
    for (;;) {
      while (count < budget && this.#next(taker)) count++;
      if (count === budget) return count;
      Atomics.store(state, SLEEPING, 1);
      if (this.#read === Atomics.load(state, WRITTEN) >>> 0) return count;
      Atomics.store(state, SLEEPING, 0);
    }
  }

  #next(taker: (link: number, packet: Uint8Array) => void): boolean {
    const { state, bytes, words, capacity } = this.#memory;
    if (this.#read === Atomics.load(state, WRITTEN) >>> 0) return false;
    let at = this.#read & (capacity - 1);
    if (words[at >>> 2] === WRAP) {
      this.#read = (this.#read + capacity - at) >>> 0;
      at = 0;
    }
    const length = words[at >>> 2] ?? 0;
    const start = at + RECORD_HEADER_BYTES;
    try {
      taker(words[(at >>> 2) + 1] ?? 0, bytes.subarray(start, start + length));
    } finally {
      this.#read = (this.#read + recordSize(length)) >>> 0;
      Atomics.store(state, READ, this.#read | 0);
    }
    return true;
  }
}

function recordSize(length: number): number {
  return (RECORD_HEADER_BYTES + length + 7) & ~7;
}
