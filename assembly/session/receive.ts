import { COUNTER_MPTCP_DSSNotMatching, EVENT_READABLE, PAGE_BYTES } from '../abi';
import { rangeGapEnd, rangeGapStart } from '../memory/ranges';
import { dsnLt, seqLe, seqLt } from '../memory/sequence';
import { now } from '../state/clock';
import { Connection } from '../state/connection';
import { count } from '../state/counters';
import { HeldPiece, ReceiveMap } from '../state/datamap';
import { eventRaise } from '../state/events';
import { ownerOf, Subflow, subflowRanges } from '../state/subflow';
import { finReceived } from '../tcp/close';
import { ecnReceived } from '../tcp/ecn';
import { ackNow } from '../tcp/ready';
import { acknowledgeData, duplicateReceived, offsetOf, tcpReceived } from '../tcp/receive';
import { receiveRttSample } from '../tcp/receive-rtt';
import { checksumFold, sumOddPiece, sumWord16, sumWord32, sumWord64 } from '../wire/checksum';
import { segment, TCP_FLAG_FIN } from '../wire/segment';
import { bufferAddress, bufferReceived } from './buffer';
import { checksumFailed, failEnded } from './fail';
import { mappingMissing } from './fallback';
import { heldRenew, heldSplit, heldTooLong, heldTrim, hold, mappingFollows, unhold } from './held';
import { mapBehind, mapFor, mapsDropFilled } from './mapping';
import { deliver, endOfLine, placeLinear, settleEnd } from './place';

/**
 * The receiving side: bytes of a subflow are mapped to data sequence numbers and put into their place at once, in order
 * on the subflow or not (RFC 8684 section 3.3.1). The connection hands them out when they are in order by data sequence.
 */

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
      if (connection.failWait != 0) failEnded(connection, subflow);
      if (connection.multipath == 0) endOfLine(connection);
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

/** Puts the payload into its place, piece by piece. Returns false when some of it was dropped. */
function placeSegment(connection: Connection, subflow: Subflow): bool {
  const ranges = subflowRanges(subflow);
  if (segment.seq == subflow.rcvNxt && ranges.count == 0) {
    const next = subflow.rcvOffset;
    return placePiece(connection, subflow, next, next + segment.payloadLength, segment.payload);
  }
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
  if (connection.multipath == 0 || connection.failWait != 0) return placeLinear(connection, subflow, from, to, address);
  while (from < to) {
    const seq = subflow.rcvNxt + <u32>(from - subflow.rcvOffset);
    const found = mapFor(subflow, seq);
    if (found == 0) {
      if (mappingFollows()) {
        const held = holdPiece(connection, subflow, from, to, address);
        if (held == 0) return false;
        from += held;
        address += held;
        continue;
      }
      if (!mappingMissing(connection, subflow, from)) return false;
      return placeLinear(connection, subflow, from, to, address);
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
  mapsDropFilled(subflow);
  return true;
}

/** Bytes whose mapping is to follow are kept for it. Returns how many from the front were taken. */
function holdPiece(connection: Connection, subflow: Subflow, from: u64, to: u64, address: usize): u32 {
  const seq = subflow.rcvNxt + <u32>(from - subflow.rcvOffset);
  const behind = mapBehind(subflow, seq);
  let length = <u32>(to - from);
  if (behind != 0) length = min<u32>(length, changetype<ReceiveMap>(behind).seq - seq);
  const held = hold(connection, subflow, seq, length, address);
  if (held == 0) return 0;
  if (!tcpReceived(subflow, from, from + held)) {
    unhold(subflow, seq, held);
    return 0;
  }
  return heldTooLong(subflow) ? 0 : held;
}

/** A mapping came: what waited for it goes to its place. Returns false when the subflow is reset. */
export function placeHeld(connection: Connection, subflow: Subflow): bool {
  const expected = connection.rcvNxt;
  const verified = connection.checksum == 0;
  const first = changetype<HeldPiece>(subflow.heldHead).seq;
  let before: usize = 0;
  let at = subflow.heldHead;
  while (at != 0) {
    const piece = changetype<HeldPiece>(at);
    const next = piece.next;
    const found = mapFor(subflow, piece.seq);
    if (found == 0) {
      const behind = mapBehind(subflow, piece.seq);
      const left = behind != 0 ? changetype<ReceiveMap>(behind).seq - piece.seq : piece.length;
      before = at;
      at = left < piece.length && heldSplit(piece, left) ? piece.next : next;
      continue;
    }
    const map = changetype<ReceiveMap>(found);
    const within = piece.seq - map.seq;
    const length = min<u32>(piece.length, map.length - within);
    const address = piece.page + piece.offset;
    // What finds no room is lost: the peer sends it again, as nothing acknowledges it at data level.
    const placed = deliver(connection, map.dsn + within, address, length, verified);
    map.received += placed;
    if (!verified) {
      if (connection.subflowCount > 1) dispute(connection, subflow, map.dsn + within, placed);
      map.sum = sumOddPiece(address, placed, map.sum, (within & 1) != 0);
    }
    const rest = piece.length - length;
    heldTrim(subflow, before, piece, length);
    if (!verified && map.received == map.length && !verify(connection, subflow, map)) return subflow.rstDue == 0;
    // Another mapping may hold for the rest of it.
    if (rest == 0) at = next;
  }
  settleEnd(connection);
  if (connection.rcvNxt != expected) eventRaise(connection, EVENT_READABLE);
  if (subflow.heldHead != 0 && changetype<HeldPiece>(subflow.heldHead).seq != first) heldRenew(connection, subflow);
  return !heldTooLong(subflow);
}

/** All bytes of a mapping have arrived: its checksum decides whether they count (RFC 8684 section 3.3). */
function verify(connection: Connection, subflow: Subflow, map: ReceiveMap): bool {
  // The length in the pseudo-header counts a DATA_FIN, too.
  const length = map.length + map.fin;
  const header = sumWord16(length, sumWord32(map.seq - subflow.irs, sumWord64(map.dsn, 0)));
  const sent = sumWord16(map.checksum, header);
  if (checksumFold(sent + map.sum) != 0) {
    checksumFailed(connection, subflow, map.dsn);
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
