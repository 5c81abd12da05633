import { NO_HANDLES, Pool, poolFree, poolOpen, poolTake } from './pool';

/**
 * A set of byte ranges [start, end), sorted, apart from each other. Offsets are 64-bit and do not wrap: owners
 * count from the first byte of their stream.
 */
@unmanaged
export class RangeSet {
  head: usize;
  tail: usize;
  /** The range touched last, the first to report in a SACK option (RFC 2018 section 4). */
  recent: usize;
  count: u32;
}

@unmanaged
export class Range {
  next: usize;
  unused: u32;
  start: u64;
  end: u64;
}

export const rangePool: Pool = changetype<Pool>(memory.data(64, 8));

export function rangesOpen(): void {
  poolOpen(rangePool, 32, NO_HANDLES);
}

/** Adds [start, end). Returns false, with the set as it was, when there is no memory. */
export function rangeAdd(set: RangeSet, start: u64, end: u64): bool {
  let before = changetype<Range>(0);
  let at = changetype<Range>(set.head);
  const tail = changetype<Range>(set.tail);
  if (set.tail != 0 && tail.start <= start) {
    // Mostly bytes arrive behind all others: the last range grows, or a new one follows it.
    before = tail;
    at = tail.end < start ? changetype<Range>(0) : tail;
  } else {
    while (changetype<usize>(at) != 0 && at.end < start) {
      before = at;
      at = changetype<Range>(at.next);
    }
  }
  if (changetype<usize>(at) == 0 || at.start > end) {
    const added = changetype<Range>(poolTake(rangePool));
    if (changetype<usize>(added) == 0) return false;
    added.start = start;
    added.end = end;
    added.next = changetype<usize>(at);
    if (changetype<usize>(before) == 0) set.head = changetype<usize>(added);
    else before.next = changetype<usize>(added);
    if (changetype<usize>(at) == 0) set.tail = changetype<usize>(added);
    set.count++;
    set.recent = changetype<usize>(added);
    return true;
  }
  if (start < at.start) at.start = start;
  if (end > at.end) at.end = end;
  while (at.next != 0 && changetype<Range>(at.next).start <= at.end) {
    const swallowed = changetype<Range>(at.next);
    if (swallowed.end > at.end) at.end = swallowed.end;
    at.next = swallowed.next;
    if (set.tail == changetype<usize>(swallowed)) set.tail = changetype<usize>(at);
    poolFree(rangePool, changetype<usize>(swallowed));
    set.count--;
  }
  set.recent = changetype<usize>(at);
  return true;
}

/** The first offset at or after `from` that is in no range. */
export function rangeGapStart(set: RangeSet, from: u64): u64 {
  if (set.tail == 0 || changetype<Range>(set.tail).end <= from) return from;
  let at = changetype<Range>(set.head);
  while (changetype<usize>(at) != 0 && at.start <= from) {
    if (from < at.end) return at.end;
    at = changetype<Range>(at.next);
  }
  return from;
}

/** Where the gap that holds `from` ends: the start of the next range, or `limit` if that is nearer. */
export function rangeGapEnd(set: RangeSet, from: u64, limit: u64): u64 {
  if (set.tail == 0 || changetype<Range>(set.tail).start <= from) return limit;
  let at = changetype<Range>(set.head);
  while (changetype<usize>(at) != 0) {
    if (at.start > from) return at.start < limit ? at.start : limit;
    at = changetype<Range>(at.next);
  }
  return limit;
}

/** Forgets all below `upTo` and returns the end of the range that begins at or before it, or `upTo`. */
export function rangeTakeFront(set: RangeSet, upTo: u64): u64 {
  let reached = upTo;
  while (set.head != 0 && changetype<Range>(set.head).start <= reached) {
    const front = changetype<Range>(set.head);
    if (front.end > reached) reached = front.end;
    set.head = front.next;
    if (set.tail == changetype<usize>(front)) set.tail = 0;
    if (set.recent == changetype<usize>(front)) set.recent = 0;
    poolFree(rangePool, changetype<usize>(front));
    set.count--;
  }
  return reached;
}

export function rangeClear(set: RangeSet): void {
  while (set.head != 0) {
    const front = set.head;
    set.head = changetype<Range>(front).next;
    poolFree(rangePool, front);
  }
  set.tail = 0;
  set.recent = 0;
  set.count = 0;
}
