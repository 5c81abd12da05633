import { seqLe, seqLt } from '../memory/sequence';
import { now } from '../state/clock';
import { DataMap, mapFree, SEGMENT_FIN, SEGMENT_SACKED, SentSegment } from '../state/datamap';
import { inFlight, LOSS_OPEN, LOSS_TIMEOUT, Subflow } from '../state/subflow';
import { OPTION_SACK, options, sackLeft, sackRight } from '../wire/options';
import { segment, TCP_FLAG_FIN, TCP_FLAG_SYN } from '../wire/segment';
import { detectLoss, firstIsLost, rackDelivered, timestampOf } from './loss';
import { rttSample } from './rtt';
import { markSacked, sentRemoveFirst, sentSplit, sentTrim } from './sent';
import { SIGNAL_ACKED, SIGNAL_RECOVERED } from './signals';
import { rtoRestart, timersArm } from './timers';

let newlyAcked: u32 = 0;
let flightBefore: u32 = 0;
let finAcked: bool = false;

/** Octets the last tcpAcknowledge() freed. */
export function acknowledged(): u32 {
  return newlyAcked;
}

/** Octets that were in flight before it. */
export function acknowledgedFlight(): u32 {
  return flightBefore;
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
  newlyAcked = 0;
  finAcked = false;
  flightBefore = inFlight(subflow);
  if (seqLt(ack, subflow.sndUna)) return 0;
  const windowChanged = updateWindow(subflow);
  const duplicate =
    ack == subflow.sndUna &&
    !windowChanged &&
    segment.payloadLength == 0 &&
    (segment.flags & (TCP_FLAG_SYN | TCP_FLAG_FIN)) == 0 &&
    subflow.outstanding > 0;
  let sample: i64 = -1;
  let oldest: i64 = -1;
  newlyAcked = ack - subflow.sndUna;
  while (subflow.segmentHead != 0) {
    const sent = changetype<SentSegment>(subflow.segmentHead);
    if (seqLe(sent.seq + sent.length, ack)) {
      if ((sent.flags & SEGMENT_SACKED) == 0) {
        rackDelivered(subflow, sent);
        if (sent.transmissions == 1) sample = now() - sent.sentAt;
        else oldest = sent.sentAt;
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
  if (sample >= 0) rttSample(subflow, sample);
  else if (oldest >= 0) timestampSample(subflow);
  const sacked = (options.present & OPTION_SACK) != 0 && subflow.sack != 0 && takeSack(subflow);
  let signals: u32 = 0;
  if (newlyAcked > 0) {
    subflow.bytesAcked += newlyAcked - (finAcked ? 1 : 0);
    subflow.backoff = 0;
    subflow.softError = 0;
    subflow.probes = 0;
    subflow.dupAcks = 0;
    signals |= SIGNAL_ACKED;
    if (subflow.recovery != LOSS_OPEN) {
      if (seqLe(subflow.recoveryEnd, ack)) {
        subflow.recovery = LOSS_OPEN;
        signals |= SIGNAL_RECOVERED;
      } else if (subflow.sack == 0 && subflow.recovery != LOSS_TIMEOUT) {
        firstIsLost(subflow);
      }
    }
    rtoRestart(subflow);
  } else if (duplicate && subflow.sack == 0) {
    if (subflow.dupAcks < 255) subflow.dupAcks++;
    if (subflow.dupAcks == 3 && subflow.recovery == LOSS_OPEN) signals |= firstIsLost(subflow);
  }
  if (newlyAcked > 0 || sacked) {
    signals |= detectLoss(subflow);
    timersArm(subflow);
  }
  return signals;
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
  const elapsed = timestampOf(subflow, now()) - options.tsEcr;
  if (elapsed < 60000) rttSample(subflow, <i64>max<u32>(elapsed, 1) * 1000);
}

/** Marks what the SACK blocks cover (RFC 2018). Blocks outside of what is in flight are ignored. */
function takeSack(subflow: Subflow): bool {
  let changed = false;
  // A segment sacked below what was delivered before this ACK, and sent only once, was overtaken on the way.
  const reached = subflow.rackEnd;
  for (let i: u32 = 0; i < options.sackCount; i++) {
    const left = sackLeft(i);
    const right = sackRight(i);
    if (!seqLt(left, right) || seqLe(right, subflow.sndUna) || seqLt(subflow.sndNxt, right)) continue;
    if (seqLt(left, subflow.sndUna)) continue;
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
