import { NO_HANDLES, Pool, poolFree, poolOpen, poolTake } from './pool';

/**
 * A set of byte ranges [start, end), sorted, apart from each other. Offsets are 64-bit and do not wrap: owners count from
 * the first byte of their stream.
 *
 * The ranges stand in a skip list: every range is in the list of level 0, one in four also in that of level 1, and so
 * on, so that finding a place among n ranges takes log n steps. Bytes mostly arrive behind all others; that takes one.
 */
@unmanaged
export class RangeSet {
  /** The heads of all levels, a RangeIndex; 0 while the set is empty. */
  index: usize;
  /** The last range. */
  tail: usize;
  /** The range touched last, the first to report in a SACK option (RFC 2018 section 4). */
  recent: usize;
  count: u32;
}

/**
 *   +0   u32 next[0]
 *   +4   u32 height    levels it stands in, at least 1
 *   +8   u64 start
 *   +16  u64 end
 *   +24  u32 next[1] … next[LEVELS - 1]
 */
@unmanaged
export class Range {
  next: usize;
  height: u32;
  start: u64;
  end: u64;
}

const LEVELS: u32 = 9;
/** Where next[1] would begin if next[0] stood right before it. */
const TOWER: usize = 20;

export const rangePool: Pool = changetype<Pool>(memory.data(64, 8));
/** The heads of the levels of one set, laid out as a Range that begins before all others. */
export const rangeIndexPool: Pool = changetype<Pool>(memory.data(64, 8));
/** For each level the last node at or before the place that floor() looked for. */
const path: usize = memory.data(9 * 4, 8);
let coin: u32 = 1;

export function rangesOpen(): void {
  poolOpen(rangePool, 64, NO_HANDLES);
  poolOpen(rangeIndexPool, 64, NO_HANDLES);
  coin = 0x9e3779b9;
}

/** The first range, or 0. */
export function rangeFirst(set: RangeSet): usize {
  return set.index == 0 ? 0 : changetype<Range>(set.index).next;
}

/** Adds [start, end). Returns false, with the set as it was, when there is no memory. */
export function rangeAdd(set: RangeSet, start: u64, end: u64): bool {
  if (set.index == 0 && !openIndex(set)) return false;
  let at = set.tail;
  if (at == 0 || changetype<Range>(at).start > start) at = floor(set, start);
  if (at != set.index && changetype<Range>(at).end >= start) {
    const range = changetype<Range>(at);
    if (end > range.end) range.end = end;
  } else {
    const behind = changetype<Range>(at).next;
    if (behind != 0 && changetype<Range>(behind).start <= end) {
      // It grows towards the front; its place in the order stays.
      at = behind;
      changetype<Range>(at).start = start;
      if (end > changetype<Range>(at).end) changetype<Range>(at).end = end;
    } else {
      at = insert(set, start, end);
      if (at == 0) {
        closeIndex(set);
        return false;
      }
    }
  }
  swallow(set, changetype<Range>(at));
  set.recent = at;
  return true;
}

/** The first offset at or after `from` that is in no range. */
export function rangeGapStart(set: RangeSet, from: u64): u64 {
  if (set.tail == 0 || changetype<Range>(set.tail).end <= from) return from;
  const at = floor(set, from);
  return at != set.index && from < changetype<Range>(at).end ? changetype<Range>(at).end : from;
}

/** Where the gap that holds `from` ends: the start of the next range, or `limit` if that is nearer. */
export function rangeGapEnd(set: RangeSet, from: u64, limit: u64): u64 {
  if (set.tail == 0 || changetype<Range>(set.tail).start <= from) return limit;
  const behind = changetype<Range>(floor(set, from)).next;
  return changetype<Range>(behind).start < limit ? changetype<Range>(behind).start : limit;
}

/** Forgets all below `upTo` and returns the end of the range that begins at or before it, or `upTo`. */
export function rangeTakeFront(set: RangeSet, upTo: u64): u64 {
  let reached = upTo;
  for (let at = rangeFirst(set); at != 0 && changetype<Range>(at).start <= reached; at = rangeFirst(set)) {
    const front = changetype<Range>(at);
    if (front.end > reached) reached = front.end;
    // The heads of all levels it stands in point to it, for nothing is before it.
    for (let level: u32 = 0; level < front.height; level++) setNext(set.index, level, next(at, level));
    drop(set, at, 0);
  }
  closeIndex(set);
  return reached;
}

export function rangeClear(set: RangeSet): void {
  rangeTakeFront(set, u64.MAX_VALUE);
}

/** Joins `range` with those behind it that it has come to touch. */
function swallow(set: RangeSet, range: Range): void {
  if (range.next == 0 || changetype<Range>(range.next).start > range.end) return;
  floor(set, range.start);
  while (range.next != 0 && changetype<Range>(range.next).start <= range.end) {
    const at = range.next;
    const swallowed = changetype<Range>(at);
    if (swallowed.end > range.end) range.end = swallowed.end;
    for (let level: u32 = 0; level < swallowed.height; level++) {
      const before = <usize>load<u32>(path + ((<usize>level) << 2));
      setNext(before, level, next(at, level));
    }
    drop(set, at, changetype<usize>(range));
  }
}

/** Frees a range that no level leads to any more; `before` takes its place as the last one. */
function drop(set: RangeSet, at: usize, before: usize): void {
  if (set.tail == at) set.tail = before;
  if (set.recent == at) set.recent = 0;
  poolFree(rangePool, at);
  set.count--;
}

function insert(set: RangeSet, start: u64, end: u64): usize {
  const at = poolTake(rangePool);
  if (at == 0) return 0;
  floor(set, start);
  const range = changetype<Range>(at);
  range.start = start;
  range.end = end;
  range.height = toss();
  for (let level: u32 = 0; level < range.height; level++) {
    const before = <usize>load<u32>(path + ((<usize>level) << 2));
    setNext(at, level, next(before, level));
    setNext(before, level, at);
  }
  if (range.next == 0) set.tail = at;
  set.count++;
  return at;
}

/** The last range that begins at or before `offset`, or the index when none does; fills `path`. */
function floor(set: RangeSet, offset: u64): usize {
  let at = set.index;
  for (let level = <i32>LEVELS - 1; level >= 0; level--) {
    for (;;) {
      const behind = next(at, <u32>level);
      if (behind == 0 || changetype<Range>(behind).start > offset) break;
      at = behind;
    }
    store<u32>(path + ((<usize>level) << 2), <u32>at);
  }
  return at;
}

/** A height: 1, with one chance in four 2, and so on (xorshift: the same ranges make the same list). */
function toss(): u32 {
  coin ^= coin << 13;
  coin ^= coin >> 17;
  coin ^= coin << 5;
  return 1 + min<u32>(<u32>ctz<u32>(coin | 0x80000000) >> 1, LEVELS - 1);
}

function openIndex(set: RangeSet): bool {
  const index = poolTake(rangeIndexPool);
  if (index == 0) return false;
  changetype<Range>(index).height = LEVELS;
  set.index = index;
  return true;
}

/** An empty set holds nothing. */
function closeIndex(set: RangeSet): void {
  if (set.count != 0 || set.index == 0) return;
  poolFree(rangeIndexPool, set.index);
  set.index = 0;
}

function next(at: usize, level: u32): usize {
  return <usize>load<u32>(level == 0 ? at : at + TOWER + ((<usize>level) << 2));
}

function setNext(at: usize, level: u32, to: usize): void {
  store<u32>(level == 0 ? at : at + TOWER + ((<usize>level) << 2), <u32>to);
}
