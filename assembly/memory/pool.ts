import { PAGE_BYTES } from '../abi';
import { pageTake } from './pages';
import { regionTake } from './region';

/**
 * A pool of objects of one size, cut from buffer pages. Pages of a pool stay with it.
 *
 * Every object begins with two words:
 *
 *   +0  u32 next     the free list while it is free, any list of its owner while it is not
 *   +4  u32 handle   pools with handles: generation << 21 | kind << 20 | index, kept when the object is freed;
 *                    other pools: free for use
 *
 * The rest is cleared when an object is taken.
 */
@unmanaged
export class Pool {
  free: usize;
  directory: usize;
  stride: u32;
  /** Objects in a page, and their log2, or NO_SHIFT when they are no power of two. */
  objects: u32;
  shift: u32;
  live: u32;
  pages: u32;
  /** Objects made so far; indices are below it. */
  slots: u32;
  /** 0 or 1 for pools with handles, NO_HANDLES for others. */
  kind: u32;
  /** Pages it may have, 0 for as many as there are. */
  limit: u32;
}

export const NO_HANDLES: u32 = 2;
const NO_SHIFT: u32 = 32;
/** Objects of up to so many bytes are cleared word by word. */
const SMALL: u32 = 64;
const INDEX_BITS: u32 = 20;
const INDEX_MASK: u32 = (1 << INDEX_BITS) - 1;
const KIND_BIT: u32 = 1 << INDEX_BITS;
const GENERATION_ONE: u32 = 1 << (INDEX_BITS + 1);
const GENERATION_MASK: u32 = 0x7fffffff & ~(GENERATION_ONE - 1);

/**
 * Prepares a pool; `stride` is a multiple of 8, at least 16 and at most PAGE_BYTES. An object of a power of two is found
 * by its index without a division.
 */
export function poolOpen(pool: Pool, stride: u32, kind: u32): void {
  pool.free = 0;
  pool.stride = stride;
  pool.objects = <u32>PAGE_BYTES / stride;
  pool.shift = popcnt<u32>(pool.objects) == 1 ? <u32>ctz<u32>(pool.objects) : NO_SHIFT;
  pool.live = 0;
  pool.pages = 0;
  pool.slots = 0;
  pool.kind = kind;
  pool.directory = 0;
  pool.limit = 0;
}

/** Gives a pool with handles the directory that finds an object by its index. Call it before pagesOpen(). */
export function poolDirectory(pool: Pool, pagesAtMost: u32): void {
  pool.limit = pagesAtMost;
  pool.directory = regionTake(<usize>pagesAtMost * 4);
}

/** Bounds a pool: the rest of the budget is then for others, whatever a peer makes this one hold. */
export function poolLimit(pool: Pool, pagesAtMost: u32): void {
  pool.limit = pagesAtMost;
}

/** An object, cleared but for its first two words, or 0 when the budget is used up. */
export function poolTake(pool: Pool): usize {
  if (pool.free == 0 && !poolGrow(pool)) return 0;
  const object = pool.free;
  pool.free = <usize>load<u32>(object);
  store<u32>(object, 0);
  if (pool.stride <= SMALL) {
    // What every segment takes is small: a call of fill costs more than its bytes.
    const end = object + pool.stride;
    for (let at = object + 8; at < end; at += 8) store<u64>(at, 0);
  } else {
    memory.fill(object + 8, 0, pool.stride - 8);
  }
  pool.live++;
  return object;
}

export function poolFree(pool: Pool, object: usize): void {
  if (pool.kind != NO_HANDLES) {
    const handle = load<u32>(object, 4);
    let generation = (handle + GENERATION_ONE) & GENERATION_MASK;
    if (generation == 0) generation = GENERATION_ONE;
    store<u32>(object, generation | (handle & (GENERATION_ONE - 1)), 4);
    // A free object is told from a live one of the same generation by its cleared third word.
    store<u32>(object, 0, 8);
  }
  store<u32>(object, <u32>pool.free);
  pool.free = object;
  pool.live--;
}

/** The live object of a handle, or 0 when the handle is stale, of another kind, or was never given out. */
export function poolFind(pool: Pool, handle: i32): usize {
  if (handle <= 0) return 0;
  const bits = <u32>handle;
  if (((bits & KIND_BIT) != 0 ? 1 : 0) != pool.kind) return 0;
  const object = poolAt(pool, bits & INDEX_MASK);
  if (object == 0 || load<u32>(object, 4) != bits || load<u32>(object, 8) == 0) return 0;
  return object;
}

/** The object of an index, live or free, or 0 for an index never used. */
export function poolAt(pool: Pool, index: u32): usize {
  if (index >= pool.slots) return 0;
  const row = pool.shift != NO_SHIFT ? index >> pool.shift : index / pool.objects;
  const page = <usize>load<u32>(pool.directory + ((<usize>row) << 2));
  return page + <usize>(index - row * pool.objects) * pool.stride;
}

/**
 * The handle of the first live object behind that of handle `after` in the order of indices, the very first for 0; 0
 * behind the last one. The object of `after` need not be live any more.
 */
export function poolNext(pool: Pool, after: i32): i32 {
  for (let index: u32 = after > 0 ? (<u32>after & INDEX_MASK) + 1 : 0; index < pool.slots; index++) {
    const object = poolAt(pool, index);
    if (load<u32>(object, 8) != 0) return <i32>load<u32>(object, 4);
  }
  return 0;
}

function poolGrow(pool: Pool): bool {
  if (pool.limit != 0 && pool.pages >= pool.limit) return false;
  if (pool.kind != NO_HANDLES && pool.slots > INDEX_MASK) return false;
  const page = pageTake();
  if (page == 0) return false;
  const count = <i32>pool.objects;
  if (pool.kind != NO_HANDLES) store<u32>(pool.directory + ((<usize>pool.pages) << 2), <u32>page);
  pool.pages++;
  for (let i = count - 1; i >= 0; i--) {
    const object = page + <usize>i * pool.stride;
    store<u32>(object, <u32>pool.free);
    if (pool.kind != NO_HANDLES) {
      store<u32>(object, GENERATION_ONE | (pool.kind << INDEX_BITS) | (pool.slots + <u32>i), 4);
      store<u32>(object, 0, 8);
    }
    pool.free = object;
  }
  pool.slots += <u32>count;
  return true;
}
