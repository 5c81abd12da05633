import {
  COUNTER_DROP_NO_MEMORY,
  COUNTER_MPTCP_DuplicateData,
  COUNTER_MPTCP_NoDSSInWindow,
  COUNTER_MPTCP_OFOMerge,
  COUNTER_MPTCP_OFOQueue,
  COUNTER_MPTCP_OFOQueueTail,
  EVENT_READABLE,
} from '../abi';
import { Range, RangeSet, rangeFirst } from '../memory/ranges';
import { dsnLe, dsnLt } from '../memory/sequence';
import { Connection, FAIL_SENT, rcvRanges } from '../state/connection';
import { count } from '../state/counters';
import { ReceiveMap } from '../state/datamap';
import { eventRaise } from '../state/events';
import { Subflow, subflowRanges } from '../state/subflow';
import { offsetOf, tcpReceived } from '../tcp/receive';
import { windowEdge } from '../tcp/window';
import { bufferPlace, bufferReceived } from './buffer';
import { mapBehind, mapFor, mapsDropFilled } from './mapping';

/** Where received bytes go: to their place by data sequence number, and without mappings one behind the other. */

/** The peer ends its stream at a data sequence number (DATA_FIN, or FIN of plain TCP). */
export function endOfStream(connection: Connection, dsn: u64): void {
  if (connection.rcvFinState != 0) return;
  connection.rcvFin = dsn;
  connection.rcvFinState = 1;
  const before = connection.rcvNxt;
  settleEnd(connection);
  if (connection.rcvNxt != before) eventRaise(connection, EVENT_READABLE);
}

/** FIN without mappings: what was received is all, whatever a DATA_FIN of before said. */
export function endOfLine(connection: Connection): void {
  if (connection.rcvFinState == 2) return;
  connection.rcvFin = connection.rcvNxt;
  connection.rcvFinState = 1;
}

/** RFC 8684 section 3.3.3: the DATA_FIN takes one number, once all before it has arrived. */
export function settleEnd(connection: Connection): void {
  if (connection.rcvFinState != 1 || connection.rcvNxt != connection.rcvFin) return;
  connection.rcvFinState = 2;
  connection.rcvNxt++;
}

/** Copies bytes to their place within the window. Returns how many from the front were taken, old ones included. */
export function deliver(connection: Connection, dsn: u64, address: usize, length: u32, verified: bool): u32 {
  const edge = windowEdge(connection);
  if (!dsnLt(dsn, edge)) {
    count(COUNTER_MPTCP_NoDSSInWindow);
    return 0;
  }
  const fits = <u32>min<u64>(length, edge - dsn);
  if (dsnLe(dsn + fits, connection.rcvNxt)) {
    count(COUNTER_MPTCP_DuplicateData);
    return fits;
  }
  let from = dsn;
  let skip: u32 = 0;
  if (dsnLt(dsn, connection.rcvNxt)) {
    skip = <u32>(connection.rcvNxt - dsn);
    from = connection.rcvNxt;
  } else if (dsn != connection.rcvNxt) {
    if (connection.multipath != 0 && connection.failWait == 0) countOutOfOrder(connection, dsn);
  }
  // Nothing is taken behind the end of the stream.
  if (connection.rcvFinState == 2) return fits;
  const placed = bufferPlace(connection, from, address + skip, fits - skip);
  if (placed < fits - skip) count(COUNTER_DROP_NO_MEMORY);
  if (placed == 0) return skip;
  if (verified && !bufferReceived(connection, from, placed)) return skip;
  return placed + skip;
}

/** What Linux counts of a piece out of order: a new one, or one that grows another; at the end of what there is. */
function countOutOfOrder(connection: Connection, dsn: u64): void {
  const tail = rcvRanges(connection).tail;
  const start = dsn - connection.rcvStart;
  if (tail == 0 || start >= changetype<Range>(tail).end) count(COUNTER_MPTCP_OFOQueueTail);
  if (tail != 0 && start == changetype<Range>(tail).end) count(COUNTER_MPTCP_OFOMerge);
  else count(COUNTER_MPTCP_OFOQueue);
}

/**
 * A piece of the stream of the only subflow, without mappings: plain TCP, or after fallback, or while MP_FAIL waits for
 * its answer. Mappings from before a fallback still say where their bytes go. Returns false when some was dropped.
 */
export function placeLinear(connection: Connection, subflow: Subflow, from: u64, to: u64, address: usize): bool {
  const verified = connection.failWait != FAIL_SENT;
  while (from < to) {
    let dsn = connection.rcvPlainBase + from;
    let length = <u32>(to - from);
    if (subflow.receiveMapHead != 0 && verified) {
      const seq = subflow.rcvNxt + <u32>(from - subflow.rcvOffset);
      dsn = mappedNumber(connection, subflow, seq, from);
      length = min<u32>(length, mappedLength(subflow, seq));
    }
    const placed = deliver(connection, dsn, address, length, verified);
    if (placed == 0) return false;
    if (!tcpReceived(subflow, from, from + placed)) return false;
    if (placed < length) return false;
    from += placed;
    address += placed;
  }
  if (subflow.receiveMapHead != 0) mapsDropFilled(subflow);
  return true;
}

/**
 * Fallback: what the subflow has received from byte `held` on, or from the first mapping on, and no checksum has verified
 * counts from now on, at the place it was put to.
 */
export function adoptReceived(connection: Connection, subflow: Subflow, held: u64): void {
  const before = connection.rcvNxt;
  let first = <i64>held;
  if (subflow.receiveMapHead != 0)
    first = min<i64>(first, <i64>offsetOf(subflow, changetype<ReceiveMap>(subflow.receiveMapHead).seq));
  first = max<i64>(first, 0);
  if (first < <i64>subflow.rcvOffset) adoptPiece(connection, subflow, <u64>first, subflow.rcvOffset);
  const ranges: RangeSet = subflowRanges(subflow);
  for (let at = rangeFirst(ranges); at != 0; at = changetype<Range>(at).next)
    adoptPiece(connection, subflow, changetype<Range>(at).start, changetype<Range>(at).end);
  mapsDropFilled(subflow);
  settleEnd(connection);
  if (connection.rcvNxt != before) eventRaise(connection, EVENT_READABLE);
}

function adoptPiece(connection: Connection, subflow: Subflow, from: u64, to: u64): void {
  while (from < to) {
    const seq = subflow.rcvNxt + <u32>(from - subflow.rcvOffset);
    const dsn = mappedNumber(connection, subflow, seq, from);
    const length = min<u32>(<u32>(to - from), mappedLength(subflow, seq));
    const end = dsn + length;
    const start = dsnLt(dsn, connection.rcvNxt) ? connection.rcvNxt : dsn;
    if (dsnLt(start, end)) bufferReceived(connection, start, <u32>(end - start));
    from += length;
  }
}

/** The data sequence number of byte `offset`, whose sequence number is `seq`, by its mapping or else in a line. */
function mappedNumber(connection: Connection, subflow: Subflow, seq: u32, offset: u64): u64 {
  const found = mapFor(subflow, seq);
  if (found == 0) return connection.rcvPlainBase + offset;
  return changetype<ReceiveMap>(found).dsn + (seq - changetype<ReceiveMap>(found).seq);
}

/** For how many bytes the same mapping, or none, holds. */
function mappedLength(subflow: Subflow, seq: u32): u32 {
  const found = mapFor(subflow, seq);
  if (found != 0) return changetype<ReceiveMap>(found).seq + changetype<ReceiveMap>(found).length - seq;
  const behind = mapBehind(subflow, seq);
  return behind != 0 ? changetype<ReceiveMap>(behind).seq - seq : 0xffffffff;
}
