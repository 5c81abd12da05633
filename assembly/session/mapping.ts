import { COUNTER_DROP_NO_MEMORY } from '../abi';
import { poolFree, poolTake } from '../memory/pool';
import { seqLe, seqLt } from '../memory/sequence';
import { count } from '../state/counters';
import { ReceiveMap, receiveMapPool } from '../state/datamap';
import { Subflow } from '../state/subflow';

/** The mappings a peer announced for a subflow, in the order of its sequence numbers (RFC 8684 section 3.3.1). */

/** Mappings one subflow may have announced and not filled; a window of small segments needs many. */
const RECEIVE_MAPS_MAX: u32 = 65536;

/**
 * Remembers a mapping of the peer: `length` bytes from sequence number `seq` on. `fin`: its length on the wire counted a
 * DATA_FIN, too. Returns false when it contradicts one known already.
 */
export function mappingReceived(
  subflow: Subflow,
  dsn: u64,
  seq: u32,
  length: u32,
  checksum: u32,
  fin: bool,
  checked: bool,
): bool {
  if (length == 0 || seqLe(seq + length, subflow.rcvNxt)) return true;
  // Segments of one mapping repeat it, and mappings come in order: mostly the last one decides.
  let before = seqLe(tailSeq(subflow, seq + 1), seq) ? subflow.receiveMapTail : 0;
  let at = before != 0 ? before : subflow.receiveMapHead;
  while (at != 0) {
    const known = changetype<ReceiveMap>(at);
    if (seqLt(seq, known.seq + known.length) && seqLt(known.seq, seq + length)) {
      // A box that cuts segments may repeat a part of a mapping; what says something else contradicts it.
      if (known.dsn + <u64>(<i64>(<i32>(seq - known.seq))) != dsn) return false;
      const end = known.seq + known.length;
      if (seqLe(known.seq, seq) && seqLe(seq + length, end)) return true;
      // It goes on where the known one ends, or begins before it: without a checksum only what it adds is of interest.
      if (checked) return false;
      if (seqLt(seq, known.seq) && !mappingReceived(subflow, dsn, seq, known.seq - seq, 0, false, false)) return false;
      if (!seqLt(end, seq + length)) return true;
      return mappingReceived(subflow, dsn + (end - seq), end, seq + length - end, 0, false, false);
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
  map.fin = fin ? 1 : 0;
  map.next = at;
  subflow.unmapped = 0;
  if (before == 0) subflow.receiveMapHead = taken;
  else changetype<ReceiveMap>(before).next = taken;
  if (map.next == 0) subflow.receiveMapTail = taken;
  return true;
}

/** Where the last mapping begins, or `otherwise` when there is none. */
function tailSeq(subflow: Subflow, otherwise: u32): u32 {
  return subflow.receiveMapTail != 0 ? changetype<ReceiveMap>(subflow.receiveMapTail).seq : otherwise;
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
export function mapsDropFilled(subflow: Subflow): void {
  while (subflow.receiveMapHead != 0) {
    const front = changetype<ReceiveMap>(subflow.receiveMapHead);
    if (!seqLe(front.seq + front.length, subflow.rcvNxt)) return;
    subflow.receiveMapHead = front.next;
    if (front.next == 0) subflow.receiveMapTail = 0;
    poolFree(receiveMapPool, changetype<usize>(front));
  }
}

/** The next mapping that begins behind a sequence number no mapping covers, or 0. */
export function mapBehind(subflow: Subflow, seq: u32): usize {
  let at = subflow.receiveMapHead;
  while (at != 0 && seqLe(changetype<ReceiveMap>(at).seq, seq)) at = changetype<ReceiveMap>(at).next;
  return at;
}

/** Forgets what mappings say of bytes from a sequence number on. */
export function mapsCutFrom(subflow: Subflow, seq: u32): void {
  let before: usize = 0;
  let at = subflow.receiveMapHead;
  while (at != 0) {
    const map = changetype<ReceiveMap>(at);
    const next = map.next;
    if (seqLt(map.seq, seq)) {
      if (seqLt(seq, map.seq + map.length)) map.length = seq - map.seq;
      before = at;
    } else {
      poolFree(receiveMapPool, at);
      if (before == 0) subflow.receiveMapHead = next;
      else changetype<ReceiveMap>(before).next = next;
    }
    at = next;
  }
  subflow.receiveMapTail = before;
}
