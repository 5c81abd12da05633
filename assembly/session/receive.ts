import {
  COUNTER_DROP_NO_MEMORY,
  COUNTER_MPTCP_DataCsumErr,
  COUNTER_MPTCP_DSSCorruptionReset,
  COUNTER_MPTCP_DSSNotMatching,
  COUNTER_MPTCP_DuplicateData,
  COUNTER_MPTCP_NoDSSInWindow,
  COUNTER_MPTCP_OFOQueue,
  EVENT_READABLE,
  PAGE_BYTES,
} from '../abi';
import { poolFree, poolTake } from '../memory/pool';
import { rangeGapEnd, rangeGapStart } from '../memory/ranges';
import { dsnLe, dsnLt, seqLe, seqLt } from '../memory/sequence';
import { now } from '../state/clock';
import { Connection } from '../state/connection';
import { count } from '../state/counters';
import { ReceiveMap, receiveMapPool } from '../state/datamap';
import { eventRaise } from '../state/events';
import { ownerOf, Subflow, subflowRanges } from '../state/subflow';
import { finReceived, resetDue } from '../tcp/close';
import { ecnReceived } from '../tcp/ecn';
import { ackNow } from '../tcp/ready';
import { acknowledgeData, duplicateReceived, offsetOf, tcpReceived } from '../tcp/receive';
import { receiveRttSample } from '../tcp/receive-rtt';
import { windowEdge } from '../tcp/window';
import { checksumFold, sumOddPiece, sumWord16, sumWord32, sumWord64 } from '../wire/checksum';
import { segment, TCP_FLAG_FIN } from '../wire/segment';
import { bufferAddress, bufferPlace, bufferReceived } from './buffer';

/**
 * The receiving side: bytes of a subflow are mapped to data sequence numbers and put into their place at once, in order
 * on the subflow or not (RFC 8684 section 3.3.1). The connection hands them out when they are in order by data sequence.
 */

/** MP_TCPRST reasons (RFC 8684 section 3.6). */
const REASON_MPTCP: u8 = 1;
const REASON_MIDDLEBOX: u8 = 6;
/** Mappings one subflow may have announced and not filled; a window of small segments needs many. */
const RECEIVE_MAPS_MAX: u32 = 65536;

/**
 * Remembers a mapping of the peer. `ssn` is relative to the initial sequence number. Returns false when it contradicts
 * one known already, or there is no memory.
 */
export function mappingReceived(
  subflow: Subflow,
  dsn: u64,
  ssn: u32,
  length: u32,
  checksum: u32,
  hasChecksum: bool,
): bool {
  const seq = subflow.irs + ssn;
  if (length == 0 || seqLe(seq + length, subflow.rcvNxt)) return true;
  // Segments of one mapping repeat it, and mappings come in order: mostly the last one decides.
  let before = seqLe(tailSeq(subflow, seq + 1), seq) ? subflow.receiveMapTail : 0;
  let at = before != 0 ? before : subflow.receiveMapHead;
  while (at != 0) {
    const known = changetype<ReceiveMap>(at);
    if (seqLt(seq, known.seq + known.length) && seqLt(known.seq, seq + length)) {
      // A box that cuts segments may repeat a part of a mapping; anything else contradicts it.
      return known.dsn + <u64>(<i64>(<i32>(seq - known.seq))) == dsn && seqLe(seq + length, known.seq + known.length);
    }
    if (seqLt(seq, known.seq)) break;
    before = at;
    at = known.next;
  }
  const taken = receiveMapPool.live < RECEIVE_MAPS_MAX ? poolTake(receiveMapPool) : 0;
  if (taken == 0) {
    count(COUNTER_DROP_NO_MEMORY);
    return true;
  }
  const map = changetype<ReceiveMap>(taken);
  map.seq = seq;
  map.dsn = dsn;
  map.length = length;
  map.checksum = checksum;
  map.hasChecksum = hasChecksum ? 1 : 0;
  map.next = at;
  if (before == 0) subflow.receiveMapHead = taken;
  else changetype<ReceiveMap>(before).next = taken;
  if (map.next == 0) subflow.receiveMapTail = taken;
  return true;
}

/** Where the last mapping begins, or `otherwise` when there is none. */
function tailSeq(subflow: Subflow, otherwise: u32): u32 {
  return subflow.receiveMapTail != 0 ? changetype<ReceiveMap>(subflow.receiveMapTail).seq : otherwise;
}

/** Takes the payload and FIN of `segment`. Returns SIGNAL_ bits. */
export function takeData(subflow: Subflow): u32 {
  const connection = ownerOf(subflow);
  let signals: u32 = 0;
  const fin = (segment.flags & TCP_FLAG_FIN) != 0;
  const before = connection.rcvNxt;
  if (subflow.finKnown != 0) cutBehindFin(subflow);
  if (segment.payloadLength > 0) {
    const expected = subflow.rcvNxt;
    const inOrder = seqLe(segment.seq, expected) && subflowRanges(subflow).count == 0;
    const complete = placeSegment(connection, subflow);
    acknowledgeData(subflow, inOrder && complete);
    subflow.dataSegmentsIn++;
    if (seqLt(expected, segment.seq)) subflow.outOfOrder++;
    if (segment.segmentSize > subflow.rcvMss) subflow.rcvMss = min<u32>(segment.segmentSize, segment.payloadLength);
    subflow.lastDataReceivedAt = now();
    receiveRttSample(subflow);
    if (subflow.ecn != 0) ecnReceived(subflow);
    connection.lastReceived = changetype<usize>(subflow);
  }
  if (fin && subflow.finKnown == 0) {
    subflow.finKnown = 1;
    subflow.finSeq = segment.seq + segment.payloadLength;
  }
  if (subflow.finKnown != 0 && subflow.finReceived == 0) {
    if (subflow.finSeq == subflow.rcvNxt) {
      signals |= finReceived(subflow);
      if (connection.multipath == 0) endOfStream(connection, connection.rcvNxt);
    } else if (fin) {
      ackNow(subflow);
    }
  }
  settleEnd(connection);
  if (connection.rcvNxt != before) eventRaise(connection, EVENT_READABLE);
  return signals;
}

/** RFC 9293 section 3.10.7.4: nothing follows a FIN. */
function cutBehindFin(subflow: Subflow): void {
  const left = subflow.finSeq - segment.seq;
  if (<i32>left < 0) segment.payloadLength = 0;
  else if (left < segment.payloadLength) segment.payloadLength = left;
}

/** The peer ends its stream at a data sequence number (DATA_FIN, or FIN of plain TCP). */
export function endOfStream(connection: Connection, dsn: u64): void {
  if (connection.rcvFinState != 0) return;
  connection.rcvFin = dsn;
  connection.rcvFinState = 1;
  const before = connection.rcvNxt;
  settleEnd(connection);
  if (connection.rcvNxt != before) eventRaise(connection, EVENT_READABLE);
}

/** RFC 8684 section 3.3.3: the DATA_FIN takes one number, once all before it has arrived. */
function settleEnd(connection: Connection): void {
  if (connection.rcvFinState != 1 || connection.rcvNxt != connection.rcvFin) return;
  connection.rcvFinState = 2;
  connection.rcvNxt++;
}

/** Puts the payload into its place, piece by piece. Returns false when some of it was dropped. */
function placeSegment(connection: Connection, subflow: Subflow): bool {
  const ranges = subflowRanges(subflow);
  const start = offsetOf(subflow, segment.seq);
  const end = start + segment.payloadLength;
  let at = max<u64>(start, subflow.rcvOffset);
  if (<i64>start < 0) at = subflow.rcvOffset;
  if (at != start) duplicateReceived(subflow, segment.seq, segment.seq + <u32>(min<u64>(at, end) - start));
  while (at < end) {
    const gap = rangeGapStart(ranges, at);
    if (gap != at) {
      const from = segment.seq + <u32>(at - start);
      duplicateReceived(subflow, from, from + <u32>(min<u64>(gap, end) - at));
    }
    if (gap >= end) break;
    const gapEnd = rangeGapEnd(ranges, gap, end);
    const address = segment.payload + <usize>(gap - start);
    if (!placePiece(connection, subflow, gap, gapEnd, address)) return false;
    at = gapEnd;
  }
  return true;
}

/** A piece of the subflow's stream that did not arrive before: mapped, copied, recorded. */
function placePiece(connection: Connection, subflow: Subflow, from: u64, to: u64, address: usize): bool {
  if (connection.multipath == 0) {
    const length = <u32>(to - from);
    const placed = deliver(connection, connection.rcvPlainBase + from, address, length, true);
    if (placed > 0 && !tcpReceived(subflow, from, from + placed)) return false;
    return placed == length;
  }
  while (from < to) {
    const seq = subflow.rcvNxt + <u32>(from - subflow.rcvOffset);
    const found = mapFor(subflow, seq);
    if (found == 0) {
      count(COUNTER_MPTCP_NoDSSInWindow);
      // In order and without a mapping it can never be placed (RFC 8684 section 3.7): the subflow is of no use.
      if (from == subflow.rcvOffset) resetDue(subflow, REASON_MPTCP);
      return false;
    }
    const map = changetype<ReceiveMap>(found);
    const within = seq - map.seq;
    const length = min<u32>(<u32>(to - from), map.length - within);
    const verified = connection.checksum == 0;
    const placed = deliver(connection, map.dsn + within, address, length, verified);
    if (placed == 0) return false;
    if (!tcpReceived(subflow, from, from + placed)) return false;
    map.received += placed;
    if (!verified) {
      if (connection.subflowCount > 1) dispute(connection, subflow, map.dsn + within, placed);
      map.sum = sumOddPiece(address, placed, map.sum, (within & 1) != 0);
      if (map.received == map.length && !verify(connection, subflow, map)) return false;
    }
    if (placed < length) return false;
    from += placed;
    address += placed;
  }
  dropFilledMaps(subflow);
  return true;
}

/** Copies bytes to their place within the window. Returns how many from the front were taken, old ones included. */
function deliver(connection: Connection, dsn: u64, address: usize, length: u32, verified: bool): u32 {
  const edge = windowEdge(connection);
  if (!dsnLt(dsn, edge)) return 0;
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
    count(COUNTER_MPTCP_OFOQueue);
  }
  // Nothing is taken behind the end of the stream.
  if (connection.rcvFinState == 2) return fits;
  const placed = bufferPlace(connection, from, address + skip, fits - skip);
  if (placed < fits - skip) count(COUNTER_DROP_NO_MEMORY);
  if (placed == 0) return skip;
  if (verified && !bufferReceived(connection, from, placed)) return skip;
  return placed + skip;
}

/** All bytes of a mapping have arrived: its checksum decides whether they count (RFC 8684 section 3.3). */
function verify(connection: Connection, subflow: Subflow, map: ReceiveMap): bool {
  const header = sumWord16(map.length, sumWord32(map.seq - subflow.irs, sumWord64(map.dsn, 0)));
  const sent = sumWord16(map.checksum, header);
  if (map.hasChecksum == 0 || checksumFold(sent + map.sum) != 0) {
    count(COUNTER_MPTCP_DataCsumErr);
    count(COUNTER_MPTCP_DSSCorruptionReset);
    // Section 3.7: the peer learns where the bad data began.
    subflow.failDue = 1;
    subflow.failDsn = map.dsn;
    resetDue(subflow, REASON_MIDDLEBOX);
    return false;
  }
  let from = map.dsn;
  const end = map.dsn + map.length;
  if (dsnLt(from, connection.rcvNxt)) from = connection.rcvNxt;
  if (!dsnLt(from, end)) return true;
  // What lies in the buffer decides, which can be told only of a whole mapping; else the peer sends the data again.
  if (map.disputed != 0) {
    if (from != map.dsn || checksumFold(bufferSum(connection, map.dsn, map.length, sent)) != 0) {
      count(COUNTER_MPTCP_DSSNotMatching);
      return true;
    }
  }
  return bufferReceived(connection, from, <u32>(end - from));
}

/** Bytes not yet verified were written: they may lie over those of another subflow's mapping. */
function dispute(connection: Connection, writer: Subflow, dsn: u64, length: u32): void {
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    if (at == changetype<usize>(writer)) continue;
    for (let other = changetype<Subflow>(at).receiveMapHead; other != 0; other = changetype<ReceiveMap>(other).next) {
      const map = changetype<ReceiveMap>(other);
      if (dsnLt(dsn, map.dsn + map.length) && dsnLt(map.dsn, dsn + length)) map.disputed = 1;
    }
  }
}

function bufferSum(connection: Connection, dsn: u64, length: u32, sum: u64): u64 {
  let done: u32 = 0;
  while (done < length) {
    const address = bufferAddress(connection, dsn + done);
    if (address == 0) return sum + 1;
    const within = <u32>(dsn + done - connection.rcvStart) & (<u32>PAGE_BYTES - 1);
    const part = min<u32>(length - done, <u32>PAGE_BYTES - within);
    sum = sumOddPiece(address, part, sum, (done & 1) != 0);
    done += part;
  }
  return sum;
}

/** The mapping that covers a sequence number of a subflow, or 0. */
export function mapFor(subflow: Subflow, seq: u32): usize {
  // New data lies in the last mapping, data in order in the first; only what fills a hole in between has to look.
  if (seqLe(tailSeq(subflow, seq + 1), seq)) {
    const last = changetype<ReceiveMap>(subflow.receiveMapTail);
    return seqLt(seq, last.seq + last.length) ? subflow.receiveMapTail : 0;
  }
  for (let at = subflow.receiveMapHead; at != 0; at = changetype<ReceiveMap>(at).next) {
    const map = changetype<ReceiveMap>(at);
    if (seqLe(map.seq, seq) && seqLt(seq, map.seq + map.length)) return at;
  }
  return 0;
}

/** Mappings of which the subflow has received all are no longer needed. */
function dropFilledMaps(subflow: Subflow): void {
  while (subflow.receiveMapHead != 0) {
    const front = changetype<ReceiveMap>(subflow.receiveMapHead);
    if (!seqLe(front.seq + front.length, subflow.rcvNxt)) return;
    subflow.receiveMapHead = front.next;
    if (front.next == 0) subflow.receiveMapTail = 0;
    poolFree(receiveMapPool, changetype<usize>(front));
  }
}
