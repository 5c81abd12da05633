import { COUNTER_DROP_NO_MEMORY, COUNTER_MPTCP_FallbackFailed, PAGE_BYTES, RESET_MIDDLEBOX } from '../abi';
import { pageRelease, pageRetain, pagesFree, pagesTotal, pageTake } from '../memory/pages';
import { poolFree, poolTake } from '../memory/pool';
import { dsnLt, seqLt } from '../memory/sequence';
import { Connection } from '../state/connection';
import { count } from '../state/counters';
import { HeldPiece, receiveMapPool } from '../state/datamap';
import { Subflow } from '../state/subflow';
import { resetDue } from '../tcp/close';
import { DSS_M, SUBTYPE_DSS } from '../wire/mptcp';
import { options } from '../wire/options';

/**
 * Bytes that a subflow received before their mapping (RFC 8684 section 3.3.1): "the data SHOULD still be ACKed at the
 * subflow", and waits in pages of its own for the mapping to come with a later segment, for its place in the stream is
 * not known. receive.ts puts it there.
 */

/**
 * True when the mapping of unmapped bytes of the segment is to come with another one: its DSS option maps nothing. Without
 * an option a middlebox may have taken it away, see fallback.ts; and when the segment maps other bytes one that merges
 * segments has lost the mapping of these, which the peer repeats only if they are not acknowledged.
 */
export function mappingFollows(): bool {
  return (options.mptcp & (1 << SUBTYPE_DSS)) != 0 && (options.dssFlags & DSS_M) == 0;
}

/** Keeps `length` bytes from `seq` on, which are new. Returns how many from the front were taken. */
export function hold(connection: Connection, subflow: Subflow, seq: u32, length: u32, address: usize): u32 {
  const told = window(connection);
  if (told == 0) return 0;
  if (subflow.heldHead == 0) heldUntil(subflow, seq, told);
  let taken: u32 = 0;
  while (taken < length) {
    let at = holderOf(subflow, seq + taken);
    if (at == 0) at = insert(subflow, seq + taken);
    if (at == 0) {
      count(COUNTER_DROP_NO_MEMORY);
      break;
    }
    const piece = changetype<HeldPiece>(at);
    const part = min<u32>(length - taken, <u32>PAGE_BYTES - piece.offset - piece.length);
    memory.copy(piece.page + piece.offset + piece.length, address + taken, part);
    piece.length += part;
    taken += part;
  }
  return taken;
}

/** Gives back what hold() took last: `length` bytes from `seq` on. */
export function unhold(subflow: Subflow, seq: u32, length: u32): void {
  let before: usize = 0;
  let at = subflow.heldHead;
  while (at != 0) {
    const piece = changetype<HeldPiece>(at);
    const next = piece.next;
    if (!seqLt(piece.seq, seq) && seqLt(piece.seq, seq + length)) {
      drop(subflow, before, piece);
    } else {
      if (seqLt(piece.seq, seq) && seqLt(seq, piece.seq + piece.length)) piece.length = seq - piece.seq;
      before = at;
    }
    at = next;
  }
}

/**
 * "If a mapping for that subflow-level sequence space does not arrive within a receive window of data, that subflow SHOULD
 * be treated as broken, closed with a RST". Returns true when it is.
 */
export function heldTooLong(subflow: Subflow): bool {
  // The peer may leave less than a segment of the window it was told.
  if (subflow.heldHead == 0 || seqLt(subflow.rcvNxt + subflow.rcvMss, subflow.heldEnd)) return false;
  count(COUNTER_MPTCP_FallbackFailed);
  resetDue(subflow, <u8>RESET_MIDDLEBOX);
  return true;
}

/** What waits first got its mapping: what waits now has a window from here on. */
export function heldRenew(connection: Connection, subflow: Subflow): void {
  if (subflow.heldHead != 0) heldUntil(subflow, subflow.rcvNxt, window(connection));
}

/** Takes the first `length` bytes from a piece, which stands behind `before`; it is gone when these are all. */
export function heldTrim(subflow: Subflow, before: usize, piece: HeldPiece, length: u32): void {
  piece.seq += length;
  piece.offset += length;
  piece.length -= length;
  if (piece.length == 0) drop(subflow, before, piece);
}

/** Cuts a piece in two. Returns false without memory. */
export function heldSplit(piece: HeldPiece, length: u32): bool {
  const taken = poolTake(receiveMapPool);
  if (taken == 0) return false;
  const rest = changetype<HeldPiece>(taken);
  rest.seq = piece.seq + length;
  rest.length = piece.length - length;
  rest.page = piece.page;
  rest.offset = piece.offset + length;
  rest.next = piece.next;
  pageRetain(piece.page);
  piece.length = length;
  piece.next = taken;
  return true;
}

/** Of a window that is all but closed no segment is left that could bring a mapping. */
function heldUntil(subflow: Subflow, seq: u32, told: u32): void {
  subflow.heldEnd = seq + max<u32>(told, subflow.mss << 2);
}

/** What the peer was told that it may send, bytes. */
function window(connection: Connection): u32 {
  if (!dsnLt(connection.rcvNxt, connection.rcvWindowEnd)) return 0;
  return <u32>min<u64>(connection.rcvWindowEnd - connection.rcvNxt, connection.receiveBuffer);
}

/** The piece that ends where a byte follows, and has room for it; 0 for none. */
function holderOf(subflow: Subflow, seq: u32): usize {
  for (let at = subflow.heldHead; at != 0; at = changetype<HeldPiece>(at).next) {
    const piece = changetype<HeldPiece>(at);
    if (piece.seq + piece.length == seq && piece.offset + piece.length < <u32>PAGE_BYTES) return at;
  }
  return 0;
}

/** An empty piece at its place among the others; 0 when there is no memory, of which the last is for bytes with a place. */
function insert(subflow: Subflow, seq: u32): usize {
  if (pagesFree() < pagesTotal() >> 4) return 0;
  const page = pageTake();
  if (page == 0) return 0;
  const taken = poolTake(receiveMapPool);
  if (taken == 0) {
    pageRelease(page);
    return 0;
  }
  let before: usize = 0;
  let at = subflow.heldHead;
  while (at != 0 && seqLt(changetype<HeldPiece>(at).seq, seq)) {
    before = at;
    at = changetype<HeldPiece>(at).next;
  }
  const piece = changetype<HeldPiece>(taken);
  piece.seq = seq;
  piece.length = 0;
  piece.page = page;
  piece.offset = 0;
  piece.next = at;
  if (before == 0) subflow.heldHead = taken;
  else changetype<HeldPiece>(before).next = taken;
  return taken;
}

function drop(subflow: Subflow, before: usize, piece: HeldPiece): void {
  if (before == 0) subflow.heldHead = piece.next;
  else changetype<HeldPiece>(before).next = piece.next;
  pageRelease(piece.page);
  poolFree(receiveMapPool, changetype<usize>(piece));
}
