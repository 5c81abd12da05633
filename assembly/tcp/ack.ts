import { seqLe, seqLt } from '../memory/sequence';
import { now } from '../state/clock';
import { DataMap, mapFree, SEGMENT_FIN, SEGMENT_SACKED, SentSegment } from '../state/datamap';
import {
  FRTO_OFF,
  LOSS_OPEN,
  LOSS_RECOVERY,
  LOSS_TIMEOUT,
  MTU_PROBE_SENT,
  PROBE_NONE,
  Subflow,
} from '../state/subflow';
import { SUBTYPE_DSS } from '../wire/mptcp';
import { OPTION_SACK, options, sackLeft, sackRight } from '../wire/options';
import { segment, TCP_FLAG_FIN, TCP_FLAG_SYN } from '../wire/segment';
import { timeoutWasSpurious } from './frto';
import { detectLoss, firstIsLost, rackDelivered, rackRepeated, recoveryPassed } from './loss';
import { pathMtuProved } from './path-mtu';
import { rttSample, rttSampleForget } from './rtt';
import { markSacked, sentRemoveFirst, sentSplit, sentTrim } from './sent';
import { SIGNAL_ACKED, SIGNAL_DELIVERED, SIGNAL_RECOVERED, SIGNAL_SPURIOUS } from './signals';
import { tailProbeAcknowledged } from './tail-probe';
import { rtoRestart, timersArm } from './timers';
import { timestampNow } from './timestamps';
import { undo, undoByDuplicates, undoByTimestamp } from './undo';

let newlyAcked: u32 = 0;
let newlyDelivered: u32 = 0;
let finAcked: bool = false;

/** Octets the last tcpAcknowledge() freed. */
export function acknowledged(): u32 {
  return newlyAcked;
}

/** Octets it showed to have arrived, in order or not, that were not known to have (RFC 9937 "DeliveredData"). */
export function delivered(): u32 {
  return newlyDelivered;
}

/** True when it acknowledged the FIN. */
export function acknowledgedFin(): bool {
  return finAcked;
}

/**
 * Processes the acknowledgment of `segment`, which must lie between sndUna and sndNxt or before (RFC 9293 section
 * 3.10.7.4, fifth; RFC 6675 section 3). Returns SIGNAL_ bits.
 */
export function tcpAcknowledge(subflow: Subflow): u32 {
  const ack = segment.ack;
  const una = subflow.sndUna;
  newlyAcked = 0;
  newlyDelivered = 0;
  finAcked = false;
  rttSampleForget();
  if (seqLt(ack, una)) return 0;
  const windowChanged = updateWindow(subflow);
  // Who only receives has nothing in flight to be acknowledged: so it is with most segments that bring data.
  if (ack == una && subflow.segmentHead == 0 && subflow.tailProbe == PROBE_NONE && ack == subflow.fack) return 0;
  const duplicate =
    ack == una &&
    !windowChanged &&
    segment.payloadLength == 0 &&
    (segment.flags & (TCP_FLAG_SYN | TCP_FLAG_FIN)) == 0 &&
    subflow.outstanding > 0 &&
    // RFC 8684 sections 3.4.1 and 4: one with a signal of Multipath TCP is no sign of congestion.
    (options.mptcp & ~(1 << SUBTYPE_DSS)) == 0;
  const undelivered = subflow.outstanding - subflow.sackedBytes;
  takeCumulative(subflow, ack);
  let repeated: u32 = 0;
  let sacked = false;
  if (subflow.sack == 0) {
    countDuplicates(subflow, duplicate);
  } else if ((options.present & OPTION_SACK) != 0) {
    repeated = takeDuplicateReport(subflow);
    sacked = takeSack(subflow);
    // RFC 8985 section 7.2: no probe once something is sacked. Its segment might be what the peer has.
    if (sacked) subflow.tailDue = PROBE_NONE;
  }
  const still = subflow.outstanding - subflow.sackedBytes;
  let signals: u32 = 0;
  if (still < undelivered) {
    newlyDelivered = undelivered - still;
    deliveryMeasure(subflow, newlyDelivered);
    signals |= SIGNAL_DELIVERED;
  }
  if (newlyAcked > 0) {
    signals |= SIGNAL_ACKED;
    subflow.bytesAcked += newlyAcked - (finAcked ? 1 : 0);
    subflow.backoff = 0;
    subflow.softError = 0;
    subflow.probes = 0;
    subflow.dupAcks = 0;
    // The ACK a probe was to ask for is here.
    subflow.tailDue = PROBE_NONE;
  }
  if (isSpurious(subflow, una, ack, repeated, duplicate)) {
    undo(subflow);
    signals |= SIGNAL_SPURIOUS;
  }
  if (newlyAcked > 0) {
    if (subflow.recovery != LOSS_OPEN) {
      if (seqLe(subflow.recoveryEnd, ack)) {
        if (subflow.recovery == LOSS_RECOVERY) signals |= SIGNAL_RECOVERED;
        subflow.recovery = LOSS_OPEN;
        subflow.frto = FRTO_OFF;
        recoveryPassed(subflow);
      } else if (subflow.sack == 0 && subflow.recovery != LOSS_TIMEOUT) {
        signals |= firstIsLost(subflow);
      }
    }
  } else if (duplicate && subflow.sack == 0) {
    if (subflow.dupAcks < 255) subflow.dupAcks++;
    if (subflow.dupAcks == 3 && subflow.recovery == LOSS_OPEN) signals |= firstIsLost(subflow);
  }
  if (subflow.tailProbe != PROBE_NONE) signals |= tailProbeAcknowledged(subflow, ack, newlyAcked > 0, repeated > 0);
  if (subflow.mtuProbe == MTU_PROBE_SENT && seqLe(subflow.mtuProbeEnd, ack)) pathMtuProved(subflow);
  if (newlyAcked > 0 || sacked) {
    // Without SACK the time of what was delivered says nothing of what was sent before it.
    if (subflow.sack != 0) signals |= detectLoss(subflow);
    if (newlyAcked > 0) rtoRestart(subflow);
    else timersArm(subflow);
  }
  return signals;
}

/** Frees what lies before `ack`, and measures the round-trip time by it. */
function takeCumulative(subflow: Subflow, ack: u32): void {
  let sample: i64 = -1;
  let oldest: i64 = -1;
  newlyAcked = ack - subflow.sndUna;
  while (subflow.segmentHead != 0) {
    const sent = changetype<SentSegment>(subflow.segmentHead);
    const end = sent.seq + sent.length;
    if (seqLe(end, ack)) {
      if ((sent.flags & SEGMENT_SACKED) == 0) {
        rackDelivered(subflow, sent);
        if (sent.transmissions == 1) {
          sample = now() - sent.sentAt;
          // RFC 8985 section 6.2, step 3: what came after it was sacked before.
          if (seqLt(end, subflow.fack)) subflow.reorderingSeen = 1;
        } else {
          oldest = sent.sentAt;
        }
      }
      if ((sent.flags & SEGMENT_FIN) != 0) finAcked = true;
      sentRemoveFirst(subflow);
      continue;
    }
    if (seqLt(sent.seq, ack)) sentTrim(subflow, sent, ack - sent.seq);
    break;
  }
  while (subflow.mapHead != 0) {
    const map = changetype<DataMap>(subflow.mapHead);
    if (!seqLe(map.seq + map.length, ack)) break;
    subflow.mapHead = map.next;
    if (map.next == 0) subflow.mapTail = 0;
    mapFree(map);
  }
  subflow.sndUna = ack;
  if (seqLt(subflow.fack, ack)) subflow.fack = ack;
  if (sample >= 0) rttSample(subflow, sample);
  else if (oldest >= 0) timestampSample(subflow);
}

/**
 * Without SACK every duplicate ACK stands for a segment that left the network (RFC 5681 section 3.2, step 4); a partial
 * ACK takes back what it covers beyond the first (RFC 6582 section 3.2, step 3).
 */
function countDuplicates(subflow: Subflow, duplicate: bool): void {
  if (newlyAcked > 0) {
    const beyond = newlyAcked > subflow.mss ? newlyAcked - subflow.mss : 0;
    subflow.sackedBytes = subflow.sackedBytes > beyond ? subflow.sackedBytes - beyond : 0;
    if (subflow.recovery == LOSS_OPEN) subflow.sackedBytes = 0;
  } else if (duplicate) {
    subflow.sackedBytes += subflow.mss;
  }
  const most = subflow.outstanding - subflow.lostBytes;
  if (subflow.sackedBytes > most) subflow.sackedBytes = most;
}

/** True when this ACK shows that the retransmissions of the last episode of loss were not needed. */
function isSpurious(subflow: Subflow, una: u32, ack: u32, repeated: u32, duplicate: bool): bool {
  if (subflow.undoOpen == 0) return false;
  let spurious = newlyAcked > 0 && undoByTimestamp(subflow, una, ack);
  if (repeated > 0 && undoByDuplicates(subflow, repeated)) spurious = true;
  if (subflow.frto != FRTO_OFF && timeoutWasSpurious(subflow, newlyAcked > 0, duplicate)) spurious = true;
  return spurious;
}

/** Counts what arrived, and how fast from the ACK that begins a round trip to the one that ends it. */
function deliveryMeasure(subflow: Subflow, bytes: u32): void {
  subflow.delivered += bytes;
  if (subflow.rateAt != 0) {
    if (seqLt(subflow.sndUna, subflow.rateEnd)) return;
    const elapsed = <u64>(now() - subflow.rateAt);
    if (elapsed != 0) subflow.deliveryRate = ((subflow.delivered - subflow.rateDelivered) * 1000000) / elapsed;
  }
  subflow.rateAt = now();
  subflow.rateEnd = subflow.sndNxt;
  subflow.rateDelivered = subflow.delivered;
}

/** RFC 9293 section 3.10.7.4: the window of an older segment must not replace that of a newer. */
function updateWindow(subflow: Subflow): bool {
  const fresh =
    seqLt(subflow.sndWl1, segment.seq) || (subflow.sndWl1 == segment.seq && seqLe(subflow.sndWl2, segment.ack));
  if (!fresh) return false;
  const window = segment.window << subflow.sndShift;
  const changed = window != subflow.sndWindow;
  subflow.sndWindow = window;
  subflow.sndWl1 = segment.seq;
  subflow.sndWl2 = segment.ack;
  if (window > subflow.sndWindowMax) subflow.sndWindowMax = window;
  return changed;
}

/** RFC 7323 section 4.3: for retransmitted segments only the echo tells which transmission was acknowledged. */
function timestampSample(subflow: Subflow): void {
  if (subflow.timestamps == 0 || options.tsEcr == 0) return;
  const elapsed = timestampNow(subflow) - options.tsEcr;
  if (elapsed < 60000) rttSample(subflow, <i64>max<u32>(elapsed, 1) * 1000);
}

/**
 * A first block below the acknowledgment, or within the second block, reports what arrived twice (RFC 2883 section 4).
 * Returns its bytes, 0 when there is none.
 */
function takeDuplicateReport(subflow: Subflow): u32 {
  const left = sackLeft(0);
  const right = sackRight(0);
  if (!seqLt(left, right) || right - left > subflow.sndWindowMax + 65535) return 0;
  const below = seqLe(right, segment.ack);
  const within = options.sackCount > 1 && seqLe(sackLeft(1), left) && seqLe(right, sackRight(1));
  if (!below && !within) return 0;
  subflow.duplicates++;
  rackRepeated(subflow);
  return right - left;
}

/** Marks what the SACK blocks cover (RFC 2018). Blocks outside of what is in flight are ignored. */
function takeSack(subflow: Subflow): bool {
  let changed = false;
  // A segment sacked below what was delivered before this ACK, and sent only once, was overtaken on the way.
  const reached = subflow.fack;
  for (let i: u32 = 0; i < options.sackCount; i++) {
    const left = sackLeft(i);
    const right = sackRight(i);
    if (!seqLt(left, right) || seqLe(right, subflow.sndUna) || seqLt(subflow.sndNxt, right)) continue;
    if (seqLt(left, subflow.sndUna)) continue;
    if (seqLt(subflow.fack, right)) subflow.fack = right;
    let at = subflow.openHead;
    while (at != 0) {
      const sent = changetype<SentSegment>(at);
      const end = sent.seq + sent.length;
      if (seqLe(right, sent.seq)) break;
      let following = sent.openNext;
      if (seqLt(left, end)) {
        // A large segment is cut where the block begins or ends; the next round meets the other part.
        if (seqLt(sent.seq, left)) {
          if (!sentSplit(subflow, sent, left - sent.seq)) return changed;
          following = sent.openNext;
        } else {
          if (seqLt(right, end) && !sentSplit(subflow, sent, right - sent.seq)) return changed;
          if (seqLt(sent.seq + sent.length, reached) && sent.transmissions == 1) subflow.reorderingSeen = 1;
          rackDelivered(subflow, sent);
          markSacked(subflow, sent);
          changed = true;
        }
      }
      at = following;
    }
  }
  return changed;
}
