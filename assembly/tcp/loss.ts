import { COUNTER_FAST_RETRANSMITS, COUNTER_TIMEOUTS } from '../abi';
import { seqLt } from '../memory/sequence';
import { now } from '../state/clock';
import { count } from '../state/counters';
import { SEGMENT_MTU_PROBE, SEGMENT_SACKED, SentSegment } from '../state/datamap';
import { LOSS_OPEN, LOSS_RECOVERY, LOSS_TIMEOUT, PROBE_NONE, Subflow } from '../state/subflow';
import { options } from '../wire/options';
import { frtoTimeout } from './frto';
import { markLost, sacksForget } from './sent';
import { SIGNAL_LOST, SIGNAL_RECOVERY, SIGNAL_TIMEOUT } from './signals';
import { timestampOf } from './timestamps';
import { undoBegin } from './undo';

/** Finds lost segments by the time of their last transmission (RACK, RFC 8985) and by timeout (RFC 6298). */

/** Takes note of a segment that was delivered just now (RFC 8985 section 6.2, step 2). */
export function rackDelivered(subflow: Subflow, sent: SentSegment): void {
  const rtt = now() - sent.sentAt;
  if (sent.transmissions > 1) {
    // An ACK that comes sooner than any round trip was for an earlier transmission.
    if (rtt < <i64>subflow.minRtt) return;
    if (subflow.timestamps != 0 && <i32>(options.tsEcr - timestampOf(subflow, sent.sentAt)) < 0) return;
  }
  const end = sent.seq + sent.length;
  if (sent.sentAt > subflow.rackTime || (sent.sentAt == subflow.rackTime && seqLt(subflow.rackEnd, end))) {
    subflow.rackTime = sent.sentAt;
    subflow.rackEnd = end;
    subflow.rackRtt = rtt < 0x7fffffff ? <u32>rtt : 0x7fffffff;
  }
}

/**
 * Marks segments lost that were sent sufficiently long before one that was delivered (RFC 8985 section 6.2, step 5),
 * and sets the reordering timer for those that may be. Returns SIGNAL_RECOVERY when recovery begins.
 */
export function detectLoss(subflow: Subflow): u32 {
  subflow.rackAt = 0;
  if (subflow.rackTime == 0) return 0;
  // Section 6.2, step 4: no tolerance once three segments are known to have overtaken, unless reordering was seen.
  let window: i64 = 0;
  if (subflow.reorderingSeen != 0 || (subflow.recovery == LOSS_OPEN && subflow.sackedBytes < 3 * subflow.mss)) {
    const quarters = <i64>max<u32>(subflow.reorderingWindow, 1);
    window = min<i64>(quarters * <i64>(subflow.minRtt >> 2), <i64>subflow.srtt);
  }
  let marked = false;
  while (subflow.timeHead != 0) {
    const sent = changetype<SentSegment>(subflow.timeHead);
    const before =
      sent.sentAt < subflow.rackTime ||
      (sent.sentAt == subflow.rackTime && seqLt(sent.seq + sent.length, subflow.rackEnd));
    if (!before) break;
    const remaining = sent.sentAt + <i64>subflow.rackRtt + window - now();
    if (remaining > 0) {
      subflow.rackAt = now() + remaining;
      break;
    }
    // RFC 4821 section 7.6.1: that a probe is lost tells of the path's size, not of congestion.
    if ((sent.flags & SEGMENT_MTU_PROBE) == 0) marked = true;
    markLost(subflow, sent);
  }
  return marked ? enterRecovery(subflow) : 0;
}

/** The peer got something twice: wait longer before the next loss, at most once a round trip (section 6.2, step 4). */
export function rackRepeated(subflow: Subflow): void {
  // What was sent again for nothing had only been overtaken.
  if (subflow.undoOpen != 0 && subflow.undoBytes > 0) subflow.reorderingSeen = 1;
  if (subflow.reorderingPersist != 0 && seqLt(subflow.sndUna, subflow.dsackRound)) return;
  subflow.dsackRound = subflow.sndNxt;
  subflow.reorderingPersist = 16;
  if (subflow.reorderingWindow < 255) subflow.reorderingWindow = max<u8>(subflow.reorderingWindow, 1) + 1;
}

/** A recovery ended: after sixteen without a repetition the wait is the shortest again. */
export function recoveryPassed(subflow: Subflow): void {
  if (subflow.reorderingPersist == 0) return;
  subflow.reorderingPersist--;
  if (subflow.reorderingPersist == 0) subflow.reorderingWindow = 1;
}

/** Without SACK: three duplicate ACKs, or a partial ACK in recovery, tell that the first segment is lost (RFC 6582). */
export function firstIsLost(subflow: Subflow): u32 {
  if (subflow.segmentHead == 0) return 0;
  markLost(subflow, changetype<SentSegment>(subflow.segmentHead));
  // RFC 6582 section 3.2, steps 3 and 5.
  subflow.resendDue = 1;
  return enterRecovery(subflow);
}

/** All in flight counts as lost (RFC 6298 section 5.4 to 5.6). */
export function retransmissionTimeout(subflow: Subflow): u32 {
  // A peer whose first hole is sacked has reneged (RFC 2018 section 8): its SACKs are void.
  const head = changetype<SentSegment>(subflow.segmentHead);
  if ((head.flags & SEGMENT_SACKED) != 0) sacksForget(subflow);
  if (subflow.sack == 0) subflow.sackedBytes = 0;
  const first = subflow.recovery != LOSS_TIMEOUT;
  if (subflow.recovery == LOSS_OPEN) undoBegin(subflow);
  for (let at = subflow.openHead; at != 0; at = changetype<SentSegment>(at).openNext)
    markLost(subflow, changetype<SentSegment>(at));
  subflow.lostHint = subflow.openHead;
  frtoTimeout(subflow, first);
  subflow.recovery = LOSS_TIMEOUT;
  subflow.recoveryEnd = subflow.sndNxt;
  tailProbeForget(subflow);
  if (subflow.backoff < 255) subflow.backoff++;
  subflow.timeouts++;
  subflow.rackAt = 0;
  count(COUNTER_TIMEOUTS);
  return SIGNAL_TIMEOUT;
}

function enterRecovery(subflow: Subflow): u32 {
  if (subflow.recovery != LOSS_OPEN) return SIGNAL_LOST;
  subflow.recovery = LOSS_RECOVERY;
  subflow.recoveryEnd = subflow.sndNxt;
  undoBegin(subflow);
  tailProbeForget(subflow);
  // RFC 6675 section 5, step 4.3.
  subflow.resendDue = 1;
  count(COUNTER_FAST_RETRANSMITS);
  return SIGNAL_RECOVERY | SIGNAL_LOST;
}

/** Section 7.2: probes are for times without known losses. */
function tailProbeForget(subflow: Subflow): void {
  subflow.tailProbeAt = 0;
  subflow.tailProbe = PROBE_NONE;
  subflow.tailDue = PROBE_NONE;
}
