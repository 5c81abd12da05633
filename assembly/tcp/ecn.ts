import { CONFIG_ECN, COUNTER_ECN_MARKED, COUNTER_ECN_REDUCED } from '../abi';
import { seqLe } from '../memory/sequence';
import { config } from '../state/config';
import { count } from '../state/counters';
import { ECN_AGREED, ECN_ASKED, ECN_CWR_DUE, ECN_ECHO, ECN_REDUCED, LOSS_OPEN, Subflow } from '../state/subflow';
import { packet } from '../wire/packet';
import { segment, TCP_FLAG_CWR, TCP_FLAG_ECE, TCP_FLAG_SYN } from '../wire/segment';
import { ackNow } from './ready';

/** Explicit congestion notification (RFC 3168): queues mark packets instead of dropping them. */

/** The ECN bits of the IP header: the sender understands them; a queue was long. */
export const ECT_0: u32 = 2;
const CE: u32 = 3;
const BOTH: u32 = TCP_FLAG_ECE | TCP_FLAG_CWR;

/** CONFIG_ECN: ask and accept. */
const ASK: i64 = 1;

/** The flags that a SYN or SYN/ACK has besides. */
export function ecnSynFlags(subflow: Subflow, passive: bool): u32 {
  if (passive) return (subflow.ecn & ECN_AGREED) != 0 ? TCP_FLAG_ECE : 0;
  // Section 6.1.1.1: what drops such SYNs must not stop the connection.
  subflow.ecn = config(CONFIG_ECN) == ASK && subflow.synTries == 0 ? ECN_ASKED : 0;
  return subflow.ecn != 0 ? BOTH : 0;
}

/** Takes the SYN or SYN/ACK in `segment` (section 6.1.1). */
export function ecnTakeSyn(subflow: Subflow, acknowledges: bool): void {
  const flags = segment.flags & BOTH;
  const agreed = acknowledges
    ? subflow.ecn == ECN_ASKED && flags == TCP_FLAG_ECE
    : config(CONFIG_ECN) != 0 && flags == BOTH;
  subflow.ecn = agreed ? ECN_AGREED : 0;
}

/** The flags of a segment that goes out after the handshake. Call it only while subflow.ecn is set. */
export function ecnFlags(subflow: Subflow): u32 {
  // Section 6.1.3: until the sender says that it has reduced its window, as the ACK may get lost.
  return (subflow.ecn & ECN_ECHO) != 0 ? TCP_FLAG_ECE : 0;
}

/** The flags of a segment with new bytes, besides. */
export function ecnDataFlags(subflow: Subflow): u32 {
  if ((subflow.ecn & ECN_CWR_DUE) == 0) return 0;
  // Section 6.1.2: the first new segment after the reduction.
  subflow.ecn &= ~ECN_CWR_DUE;
  return TCP_FLAG_CWR;
}

/** Takes a segment with data. Call it only while subflow.ecn is set. */
export function ecnReceived(subflow: Subflow): void {
  if ((segment.flags & TCP_FLAG_CWR) != 0) subflow.ecn &= ~ECN_ECHO;
  if (packet.ecn != CE) return;
  count(COUNTER_ECN_MARKED);
  if ((subflow.ecn & ECN_ECHO) != 0) return;
  subflow.ecn |= ECN_ECHO;
  // The sooner the sender hears of it the shorter the queue stays.
  ackNow(subflow);
}

/** Takes an ACK. True when the congestion window is to be reduced, once a window (section 6.1.2). */
export function ecnEchoed(subflow: Subflow): bool {
  if ((segment.flags & (TCP_FLAG_ECE | TCP_FLAG_SYN)) != TCP_FLAG_ECE) return false;
  if ((subflow.ecn & ECN_REDUCED) != 0 && seqLe(segment.ack, subflow.ecnEnd)) return false;
  subflow.ecn |= ECN_REDUCED | ECN_CWR_DUE;
  subflow.ecnEnd = subflow.sndNxt;
  // A loss in the same window has reduced it already.
  if (subflow.recovery != LOSS_OPEN) return false;
  count(COUNTER_ECN_REDUCED);
  return true;
}
