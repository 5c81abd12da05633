import { poolFree, poolTake } from '../memory/pool';
import { seqLt } from '../memory/sequence';
import { now } from '../state/clock';
import {
  SEGMENT_FIN,
  SEGMENT_LOST,
  SEGMENT_MTU_PROBE,
  SEGMENT_SACKED,
  SEGMENT_TIMED,
  SentSegment,
  segmentPool,
} from '../state/datamap';
import { MTU_PROBE_LOST, MTU_PROBE_SENT, Subflow } from '../state/subflow';

/**
 * The record of segments in flight: one list in sequence order, and through the same objects one of those not sacked,
 * which SACK blocks walk, and one in the order of the last transmission, which loss detection walks.
 */

/** Records the first transmission of [seq, seq + length). Returns 0 when there is no memory: do not send then. */
export function sentAppend(subflow: Subflow, seq: u32, length: u32, map: usize, flags: u32): usize {
  const taken = poolTake(segmentPool);
  if (taken == 0) return 0;
  const sent = changetype<SentSegment>(taken);
  sent.prev = subflow.segmentTail;
  sent.map = map;
  sent.seq = seq;
  sent.length = length;
  sent.flags = flags;
  sent.sentAt = now();
  sent.transmissions = 1;
  if (subflow.segmentTail != 0) changetype<SentSegment>(subflow.segmentTail).next = taken;
  else subflow.segmentHead = taken;
  subflow.segmentTail = taken;
  subflow.outstanding += length;
  sent.openPrev = subflow.openTail;
  if (subflow.openTail != 0) changetype<SentSegment>(subflow.openTail).openNext = taken;
  else subflow.openHead = taken;
  subflow.openTail = taken;
  timeAppend(subflow, sent);
  return taken;
}

/** Records that a lost segment was sent again. */
export function sentAgain(subflow: Subflow, sent: SentSegment): void {
  if ((sent.flags & SEGMENT_LOST) != 0) {
    sent.flags &= ~SEGMENT_LOST;
    subflow.lostBytes -= sent.length;
  }
  subflow.resendDue = 0;
  if ((sent.flags & SEGMENT_TIMED) != 0) timeRemove(subflow, sent);
  sent.sentAt = now();
  sent.transmissions++;
  timeAppend(subflow, sent);
}

export function markSacked(subflow: Subflow, sent: SentSegment): void {
  if ((sent.flags & SEGMENT_LOST) != 0) {
    sent.flags &= ~SEGMENT_LOST;
    subflow.lostBytes -= sent.length;
  }
  if ((sent.flags & SEGMENT_TIMED) != 0) timeRemove(subflow, sent);
  openRemove(subflow, sent);
  sent.flags |= SEGMENT_SACKED;
  subflow.sackedBytes += sent.length;
}

export function markLost(subflow: Subflow, sent: SentSegment): void {
  // First of all it leaves the list by time, which loss detection walks from its head.
  if ((sent.flags & SEGMENT_TIMED) != 0) timeRemove(subflow, sent);
  if ((sent.flags & (SEGMENT_LOST | SEGMENT_SACKED)) != 0) return;
  if ((sent.flags & SEGMENT_MTU_PROBE) != 0) {
    sent.flags &= ~SEGMENT_MTU_PROBE;
    if (subflow.mtuProbe == MTU_PROBE_SENT) subflow.mtuProbe = MTU_PROBE_LOST;
  }
  sent.flags |= SEGMENT_LOST;
  subflow.lostBytes += sent.length;
  if (subflow.lostHint == 0 || seqLt(sent.seq, changetype<SentSegment>(subflow.lostHint).seq))
    subflow.lostHint = changetype<usize>(sent);
}

/** The first segment marked lost, or 0. */
export function firstLost(subflow: Subflow): usize {
  if (subflow.lostBytes == 0) {
    subflow.lostHint = 0;
    return 0;
  }
  let at = subflow.lostHint;
  while (at != 0 && (changetype<SentSegment>(at).flags & SEGMENT_LOST) == 0) at = changetype<SentSegment>(at).openNext;
  subflow.lostHint = at;
  return at;
}

/** Forgets the first segment: all of it is acknowledged. */
export function sentRemoveFirst(subflow: Subflow): void {
  const sent = changetype<SentSegment>(subflow.segmentHead);
  sentShrink(subflow, sent, sent.length);
  if ((sent.flags & SEGMENT_TIMED) != 0) timeRemove(subflow, sent);
  if ((sent.flags & SEGMENT_SACKED) == 0) openRemove(subflow, sent);
  subflow.segmentHead = sent.next;
  if (sent.next != 0) changetype<SentSegment>(sent.next).prev = 0;
  else subflow.segmentTail = 0;
  poolFree(segmentPool, changetype<usize>(sent));
}

/** Takes the first `count` octets from a segment: the peer acknowledged a part of it. */
export function sentTrim(subflow: Subflow, sent: SentSegment, count: u32): void {
  sentShrink(subflow, sent, count);
  sent.seq += count;
  sent.length -= count;
}

/** Cuts a segment in two at `length` octets. Returns false when there is no memory. */
export function sentSplit(subflow: Subflow, sent: SentSegment, length: u32): bool {
  const taken = poolTake(segmentPool);
  if (taken == 0) return false;
  const rest = changetype<SentSegment>(taken);
  rest.next = sent.next;
  rest.prev = changetype<usize>(sent);
  rest.map = sent.map;
  rest.seq = sent.seq + length;
  rest.length = sent.length - length;
  rest.flags = sent.flags;
  sent.flags &= ~SEGMENT_FIN;
  rest.sentAt = sent.sentAt;
  rest.transmissions = sent.transmissions;
  if (sent.next != 0) changetype<SentSegment>(sent.next).prev = taken;
  else subflow.segmentTail = taken;
  sent.next = taken;
  sent.length = length;
  if ((sent.flags & SEGMENT_SACKED) == 0) {
    rest.openNext = sent.openNext;
    rest.openPrev = changetype<usize>(sent);
    if (sent.openNext != 0) changetype<SentSegment>(sent.openNext).openPrev = taken;
    else subflow.openTail = taken;
    sent.openNext = taken;
  }
  if ((sent.flags & SEGMENT_TIMED) != 0) {
    rest.timeNext = sent.timeNext;
    rest.timePrev = changetype<usize>(sent);
    if (sent.timeNext != 0) changetype<SentSegment>(sent.timeNext).timePrev = taken;
    else subflow.timeTail = taken;
    sent.timeNext = taken;
  }
  return true;
}

/** Nothing counts as lost any more. They count as sent now, for those that are lost after all. */
export function lossesForget(subflow: Subflow): void {
  if (subflow.lostBytes == 0) return;
  for (let at = subflow.openHead; at != 0; at = changetype<SentSegment>(at).openNext) {
    const sent = changetype<SentSegment>(at);
    if ((sent.flags & SEGMENT_LOST) == 0) continue;
    sent.flags &= ~SEGMENT_LOST;
    sent.sentAt = now();
    // It is of no use as an RTT sample any more.
    sent.transmissions++;
    timeAppend(subflow, sent);
  }
  subflow.lostBytes = 0;
  subflow.lostHint = 0;
}

/** Takes back every SACK: the peer has reneged (RFC 2018 section 8). */
export function sacksForget(subflow: Subflow): void {
  subflow.sackedBytes = 0;
  subflow.openHead = subflow.segmentHead;
  subflow.openTail = subflow.segmentTail;
  for (let at = subflow.segmentHead; at != 0; at = changetype<SentSegment>(at).next) {
    const sent = changetype<SentSegment>(at);
    sent.flags &= ~SEGMENT_SACKED;
    sent.openNext = sent.next;
    sent.openPrev = sent.prev;
  }
}

/** Forgets everything in flight: the subflow is over. */
export function sentClear(subflow: Subflow): void {
  while (subflow.segmentHead != 0) {
    const sent = subflow.segmentHead;
    subflow.segmentHead = changetype<SentSegment>(sent).next;
    poolFree(segmentPool, sent);
  }
  subflow.segmentTail = 0;
  subflow.openHead = 0;
  subflow.openTail = 0;
  subflow.timeHead = 0;
  subflow.timeTail = 0;
  subflow.lostHint = 0;
  subflow.outstanding = 0;
  subflow.sackedBytes = 0;
  subflow.lostBytes = 0;
}

function sentShrink(subflow: Subflow, sent: SentSegment, count: u32): void {
  subflow.outstanding -= count;
  if ((sent.flags & SEGMENT_SACKED) != 0) subflow.sackedBytes -= count;
  if ((sent.flags & SEGMENT_LOST) != 0) subflow.lostBytes -= count;
}

function openRemove(subflow: Subflow, sent: SentSegment): void {
  // A hint may stand on what is sacked now; the next open segment is not before it.
  if (subflow.lostHint == changetype<usize>(sent)) subflow.lostHint = sent.openNext;
  if (sent.openPrev != 0) changetype<SentSegment>(sent.openPrev).openNext = sent.openNext;
  else subflow.openHead = sent.openNext;
  if (sent.openNext != 0) changetype<SentSegment>(sent.openNext).openPrev = sent.openPrev;
  else subflow.openTail = sent.openPrev;
  sent.openNext = 0;
  sent.openPrev = 0;
}

function timeAppend(subflow: Subflow, sent: SentSegment): void {
  sent.flags |= SEGMENT_TIMED;
  sent.timeNext = 0;
  sent.timePrev = subflow.timeTail;
  if (subflow.timeTail != 0) changetype<SentSegment>(subflow.timeTail).timeNext = changetype<usize>(sent);
  else subflow.timeHead = changetype<usize>(sent);
  subflow.timeTail = changetype<usize>(sent);
}

function timeRemove(subflow: Subflow, sent: SentSegment): void {
  sent.flags &= ~SEGMENT_TIMED;
  if (sent.timePrev != 0) changetype<SentSegment>(sent.timePrev).timeNext = sent.timeNext;
  else subflow.timeHead = sent.timeNext;
  if (sent.timeNext != 0) changetype<SentSegment>(sent.timeNext).timePrev = sent.timePrev;
  else subflow.timeTail = sent.timePrev;
  sent.timeNext = 0;
  sent.timePrev = 0;
}
