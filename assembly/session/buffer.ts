import { PAGE_BYTES } from '../abi';
import { pageRelease, pagesFree, pagesTotal, pageTake } from '../memory/pages';
import { NO_HANDLES, Pool, poolFree, poolOpen, poolTake } from '../memory/pool';
import { rangeAdd, rangeGapEnd, rangeGapStart, rangeTakeFront } from '../memory/ranges';
import { dsnLt } from '../memory/sequence';
import { Connection, rcvRanges, readableBytes } from '../state/connection';

/**
 * The receive buffer of a connection: every byte is copied once, from the packet to its place by data sequence number.
 *
 * Pages are found by a table: byte `o`, counted from rcvStart, lies in page table[(o / PAGE_BYTES) mod size]. The table
 * has 16, 256 or 4,096 entries and grows when the span from the first unread byte asks for it. A page is taken when its
 * first byte arrives and released when the last was read, so an idle connection holds none.
 */

const PAGE_SHIFT: u64 = 14;
const TABLE_SMALL: u32 = 16;
const TABLE_MIDDLE: u32 = 256;
const TABLE_LARGE: u32 = 4096;

export const smallTablePool: Pool = changetype<Pool>(memory.data(64, 8));
export const middleTablePool: Pool = changetype<Pool>(memory.data(64, 8));
export const largeTablePool: Pool = changetype<Pool>(memory.data(64, 8));

export function buffersOpen(): void {
  poolOpen(smallTablePool, TABLE_SMALL * 4, NO_HANDLES);
  poolOpen(middleTablePool, TABLE_MIDDLE * 4, NO_HANDLES);
  poolOpen(largeTablePool, TABLE_LARGE * 4, NO_HANDLES);
}

/**
 * Copies [dsn, dsn + length), all of it within the window, to its place; bytes that are there already stay. Returns how
 * many bytes from the front are in place now: fewer than `length` when the budget has no page for the rest.
 */
export function bufferPlace(connection: Connection, dsn: u64, address: usize, length: u32): u32 {
  const ranges = rcvRanges(connection);
  const start = dsn - connection.rcvStart;
  const end = start + length;
  const next = connection.rcvNxt - connection.rcvStart;
  let at = start < next ? min<u64>(next, end) : start;
  while (at < end) {
    const gap = rangeGapStart(ranges, at);
    if (gap >= end) break;
    const gapEnd = rangeGapEnd(ranges, gap, end);
    const written = write(connection, gap, address + <usize>(gap - start), <u32>(gapEnd - gap), gap == next);
    if (written < <u32>(gapEnd - gap)) return <u32>(gap - start) + written;
    at = gapEnd;
  }
  return length;
}

/** Counts bytes in place as received. Returns false when there is no memory to remember a piece out of order. */
export function bufferReceived(connection: Connection, dsn: u64, length: u32): bool {
  const ranges = rcvRanges(connection);
  const start = dsn - connection.rcvStart;
  const end = start + length;
  const next = connection.rcvNxt - connection.rcvStart;
  if (end <= next) return true;
  if (start > next) return rangeAdd(ranges, start, end);
  const reached = rangeTakeFront(ranges, end);
  connection.bytesReceived += reached - next;
  connection.rcvNxt = connection.rcvStart + reached;
  return true;
}

/** The address of the next unread byte; `bufferContiguous` tells how many follow it in its page. */
export function bufferFront(connection: Connection): usize {
  const offset = connection.rcvRead - connection.rcvStart;
  return entry(connection, offset >> PAGE_SHIFT) + <usize>(offset & (<u64>PAGE_BYTES - 1));
}

export function bufferContiguous(connection: Connection): u32 {
  const offset = connection.rcvRead - connection.rcvStart;
  const rest = <u32>PAGE_BYTES - <u32>(offset & (<u64>PAGE_BYTES - 1));
  return min<u32>(readableBytes(connection), rest);
}

/** The address of byte `dsn` in the buffer and, for a checksum, how many follow in its page; 0 when it is not there. */
export function bufferAddress(connection: Connection, dsn: u64): usize {
  if (connection.rcvTable == 0 || dsnLt(dsn, connection.rcvRead)) return 0;
  const offset = dsn - connection.rcvStart;
  const page = entry(connection, offset >> PAGE_SHIFT);
  return page == 0 ? 0 : page + <usize>(offset & (<u64>PAGE_BYTES - 1));
}

/** Frees the first `length` unread bytes. */
export function bufferConsume(connection: Connection, length: u32): void {
  let index = (connection.rcvRead - connection.rcvStart) >> PAGE_SHIFT;
  connection.rcvRead += length;
  const offset = connection.rcvRead - connection.rcvStart;
  const last = offset >> PAGE_SHIFT;
  while (index < last) releaseEntry(connection, index++);
  // A page that holds nothing any more: with checksums it may hold bytes not yet verified.
  if (readableBytes(connection) == 0 && rcvRanges(connection).count == 0 && connection.checksum == 0) {
    releaseEntry(connection, last);
    if (connection.rcvPages == 0) releaseTable(connection);
  }
}

/** Frees all of it. */
export function bufferClear(connection: Connection): void {
  if (connection.rcvTable == 0) return;
  for (let i: u32 = 0; i < connection.rcvTableSize && connection.rcvPages > 0; i++) releaseEntry(connection, i);
  releaseTable(connection);
}

function write(connection: Connection, offset: u64, address: usize, length: u32, inOrder: bool): u32 {
  let written: u32 = 0;
  while (written < length) {
    const at = offset + written;
    const page = pageFor(connection, at >> PAGE_SHIFT, inOrder);
    if (page == 0) return written;
    const within = <u32>(at & (<u64>PAGE_BYTES - 1));
    const count = min<u32>(length - written, <u32>PAGE_BYTES - within);
    memory.copy(page + within, address + written, count);
    written += count;
  }
  return written;
}

/** The page of an index, taken now if there is none. The last pages of the budget are for bytes in order. */
function pageFor(connection: Connection, index: u64, inOrder: bool): usize {
  const first = (connection.rcvRead - connection.rcvStart) >> PAGE_SHIFT;
  const span = index - first + 1;
  if (span > <u64>connection.rcvTableSize && !grow(connection, span)) return 0;
  const slot = connection.rcvTable + ((<usize>(index & <u64>(connection.rcvTableSize - 1))) << 2);
  const known = <usize>load<u32>(slot);
  if (known != 0) return known;
  if (!inOrder && pagesFree() < pagesTotal() >> 4) return 0;
  const page = pageTake();
  if (page == 0) return 0;
  store<u32>(slot, <u32>page);
  connection.rcvPages++;
  return page;
}

function grow(connection: Connection, span: u64): bool {
  const size = span <= <u64>TABLE_SMALL ? TABLE_SMALL : span <= <u64>TABLE_MIDDLE ? TABLE_MIDDLE : TABLE_LARGE;
  if (span > <u64>TABLE_LARGE) return false;
  const table = poolTake(tablePool(size));
  if (table == 0) return false;
  // A pool leaves the first two words of an object as they were.
  store<u64>(table, 0);
  if (connection.rcvTable != 0) {
    const first = (connection.rcvRead - connection.rcvStart) >> PAGE_SHIFT;
    for (let i: u64 = 0; i < <u64>connection.rcvTableSize; i++) {
      const index = first + i;
      store<u32>(table + ((<usize>(index & <u64>(size - 1))) << 2), <u32>entry(connection, index));
    }
    poolFree(tablePool(connection.rcvTableSize), connection.rcvTable);
  }
  connection.rcvTable = table;
  connection.rcvTableSize = size;
  return true;
}

function entry(connection: Connection, index: u64): usize {
  return <usize>load<u32>(connection.rcvTable + ((<usize>(index & <u64>(connection.rcvTableSize - 1))) << 2));
}

function releaseEntry(connection: Connection, index: u64): void {
  if (connection.rcvTable == 0) return;
  const page = entry(connection, index);
  if (page == 0) return;
  store<u32>(connection.rcvTable + ((<usize>(index & <u64>(connection.rcvTableSize - 1))) << 2), 0);
  connection.rcvPages--;
  pageRelease(page);
}

function releaseTable(connection: Connection): void {
  if (connection.rcvTable == 0) return;
  poolFree(tablePool(connection.rcvTableSize), connection.rcvTable);
  connection.rcvTable = 0;
  connection.rcvTableSize = 0;
}

function tablePool(size: u32): Pool {
  return size == TABLE_SMALL ? smallTablePool : size == TABLE_MIDDLE ? middleTablePool : largeTablePool;
}
