import { PAGE_BYTES } from '../abi';
import { pageNext, pageRelease, pageRetain } from '../memory/pages';
import { NO_HANDLES, Pool, poolFree, poolOpen, poolTake } from '../memory/pool';

/**
 * A stretch of the data sequence given to one subflow (RFC 8684 section 3.3.1): `length` bytes from `dsn` on, sent at
 * `seq` of that subflow. It holds a reference to every page its bytes lie in, so that the subflow can retransmit them
 * even after they were acknowledged at connection level.
 */
@unmanaged
export class DataMap {
  next: usize;
  /** Sequence number on the subflow. */
  seq: u32;
  dsn: u64;
  length: u32;
  page: usize;
  offset: u32;
  /** DSS checksum, when the connection has it. */
  checksum: u32;
  /** 1 once its bytes were queued for another subflow. */
  reinjected: u32;
  /** Id of the subflow it was taken from, when it is queued to be sent again; 0 else. */
  origin: u32;
}

/**
 * One segment sent and not yet acknowledged. `prev`/`next` in sequence order; `openPrev`/`openNext` the same without
 * those sacked; `timePrev`/`timeNext` in the order of the last transmission, without those sacked or lost.
 */
@unmanaged
export class SentSegment {
  next: usize;
  prev: usize;
  timeNext: usize;
  timePrev: usize;
  openNext: usize;
  openPrev: usize;
  map: usize;
  seq: u32;
  /** Octets of sequence space, FIN included. */
  length: u32;
  /** SEGMENT_ bits. */
  flags: u32;
  sentAt: i64;
  transmissions: u32;
}

export const SEGMENT_SACKED: u32 = 1;
export const SEGMENT_LOST: u32 = 2;
export const SEGMENT_FIN: u32 = 4;
/** A probe for a larger path MTU. */
export const SEGMENT_MTU_PROBE: u32 = 16;
/** It is in the list by time. */
export const SEGMENT_TIMED: u32 = 8;

/** A mapping the peer announced, kept until the subflow has received all of it. */
@unmanaged
export class ReceiveMap {
  next: usize;
  /** First sequence number on the subflow. */
  seq: u32;
  dsn: u64;
  length: u32;
  /** Bytes received, and their sum when the DSS checksum is in use. */
  received: u32;
  checksum: u32;
  /** 1 when its length on the wire counted a DATA_FIN as well. */
  fin: u32;
  sum: u64;
  /** 1 once another subflow wrote to the same numbers before either was verified. */
  disputed: u32;
}

/** Bytes of a subflow that wait for their mapping, all of them in one page; of the pool of receive maps. */
@unmanaged
export class HeldPiece {
  next: usize;
  /** First sequence number on the subflow. */
  seq: u32;
  length: u32;
  page: usize;
  offset: u32;
}

export const mapPool: Pool = changetype<Pool>(memory.data(64, 8));
export const segmentPool: Pool = changetype<Pool>(memory.data(64, 8));
export const receiveMapPool: Pool = changetype<Pool>(memory.data(64, 8));

export function mapsOpen(): void {
  poolOpen(mapPool, 64, NO_HANDLES);
  poolOpen(segmentPool, 64, NO_HANDLES);
  poolOpen(receiveMapPool, 64, NO_HANDLES);
}

/** A map of bytes that begin at `offset` of `page`, with references to their pages; 0 when there is no memory. */
export function mapTake(dsn: u64, length: u32, page: usize, offset: u32): usize {
  const taken = poolTake(mapPool);
  if (taken == 0) return 0;
  const map = changetype<DataMap>(taken);
  map.seq = 0;
  map.dsn = dsn;
  map.length = length;
  if (offset == <u32>PAGE_BYTES) {
    page = pageNext(page);
    offset = 0;
  }
  map.page = page;
  map.offset = offset;
  let covered = <u32>PAGE_BYTES - offset;
  pageRetain(page);
  while (covered < length) {
    page = pageNext(page);
    pageRetain(page);
    covered += <u32>PAGE_BYTES;
  }
  return taken;
}

export function mapFree(map: DataMap): void {
  let page = map.page;
  let covered = <u32>PAGE_BYTES - map.offset;
  for (;;) {
    // The successor is read first: a released page may be linked into the free list.
    const next = covered < map.length ? pageNext(page) : 0;
    pageRelease(page);
    if (next == 0) break;
    page = next;
    covered += <u32>PAGE_BYTES;
  }
  poolFree(mapPool, changetype<usize>(map));
}

/** Drops the first `count` bytes of a map that is not yet given to a subflow. */
export function mapTrimFront(map: DataMap, count: u32): void {
  map.dsn += count;
  map.length -= count;
  map.offset += count;
  while (map.offset >= <u32>PAGE_BYTES && map.length > 0) {
    const next = pageNext(map.page);
    pageRelease(map.page);
    map.page = next;
    map.offset -= <u32>PAGE_BYTES;
  }
}

/** The page in which byte `at` of a chain lies; `positionOffset` tells where in it. */
export function positionPage(page: usize, offset: u32): usize {
  while (offset >= <u32>PAGE_BYTES) {
    page = pageNext(page);
    offset -= <u32>PAGE_BYTES;
  }
  return page;
}

export function positionOffset(offset: u32): u32 {
  return offset & (<u32>PAGE_BYTES - 1);
}

/**
 * How many of `length` bytes from `dsn` on no map of a list has, from the front; when the first one is in a map, how many
 * are, as a negative number.
 */
export function mapsFree(head: usize, dsn: u64, length: u32): i32 {
  let free = length;
  for (let at = head; at != 0; at = changetype<DataMap>(at).next) {
    const map = changetype<DataMap>(at);
    const ahead = <i64>(map.dsn - dsn);
    if (ahead > 0) {
      if (ahead < <i64>free) free = <u32>ahead;
    } else if (ahead + <i64>map.length > 0) {
      return -(<i32>min<i64>(ahead + <i64>map.length, <i64>length));
    }
  }
  return <i32>free;
}
