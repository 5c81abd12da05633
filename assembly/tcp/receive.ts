import { CONFIG_DELAYED_ACK } from '../abi';
import { rangeAdd, rangeTakeFront } from '../memory/ranges';
import { now } from '../state/clock';
import { config } from '../state/config';
import { ACK_DELAYED, ACK_NONE, Subflow, subflowRanges } from '../state/subflow';
import { segment, TCP_FLAG_PSH } from '../wire/segment';
import { ackNow } from './ready';
import { timersArm } from './timers';

/** What arrived on a subflow, and when to acknowledge it (RFC 9293 section 3.8.6.3, RFC 5681 section 4.2). */

/** The stream offset, counted from the first data byte, of a sequence number near rcvNxt. */
export function offsetOf(subflow: Subflow, seq: u32): u64 {
  return subflow.rcvOffset + <u64>(<i64>(<i32>(seq - subflow.rcvNxt)));
}

/**
 * Records that the bytes of stream offsets [from, to), none of which arrived before, are in their place. Returns false
 * when there is no memory to remember a piece out of order: the peer will send it again.
 */
export function tcpReceived(subflow: Subflow, from: u64, to: u64): bool {
  const ranges = subflowRanges(subflow);
  if (from != subflow.rcvOffset) return rangeAdd(ranges, from, to);
  const reached = rangeTakeFront(ranges, to);
  subflow.rcvNxt += <u32>(reached - subflow.rcvOffset);
  subflow.rcvOffset = reached;
  return true;
}

/** Sequence numbers [from, to) arrived again: the next SACK reports them (RFC 2883). */
export function duplicateReceived(subflow: Subflow, from: u32, to: u32): void {
  if (subflow.sack == 0) return;
  subflow.duplicateStart = from;
  subflow.duplicateEnd = to;
}

/** Decides when the data just received is acknowledged. `inOrder`: it moved rcvNxt and left no hole behind. */
export function acknowledgeData(subflow: Subflow, inOrder: bool): void {
  if (!inOrder) {
    // RFC 5681 section 4.2: at once, so that the peer sees the hole, or that it was filled.
    ackNow(subflow);
    return;
  }
  const segments = segment.payloadLength > subflow.mss + (subflow.mss >> 1) ? 2 : 1;
  subflow.unacked = <u8>min<u32>(subflow.unacked + segments, 255);
  if (subflow.quickAcks > 0) {
    // A sender in slow start needs the ACKs to grow.
    subflow.quickAcks--;
    ackNow(subflow);
    return;
  }
  // A full segment with PSH is the last of a burst, most likely: its sender waits. A short one may get its ACK with the
  // answer of the application.
  const burstEnds = (segment.flags & TCP_FLAG_PSH) != 0 && segment.payloadLength >= subflow.mss;
  if (subflow.unacked >= 2 || burstEnds) {
    ackNow(subflow);
    return;
  }
  if (subflow.ackDue == ACK_NONE) {
    subflow.ackDue = ACK_DELAYED;
    subflow.ackAt = now() + config(CONFIG_DELAYED_ACK);
    timersArm(subflow);
  }
}
