import { inFlight, Subflow } from '../state/subflow';
import { SIGNAL_ACKED, SIGNAL_LOST } from '../tcp/signals';

/**
 * Proportional Rate Reduction (RFC 9937): while losses are repaired as much is sent as was delivered, times the
 * reduction, so that the window comes down smoothly and never in a burst.
 */

/** Recovery begins with the ACK that delivered `delivered` bytes; ssthresh is set. */
export function prrBegin(subflow: Subflow, delivered: u32): void {
  // Section 6.2: what was in flight before this ACK, whatever is thought lost of it now.
  subflow.prrFlight = max<u32>(inFlight(subflow) + subflow.lostBytes + delivered, 1);
  subflow.prrDelivered = 0;
  subflow.prrSent = subflow.bytesSent;
}

/** An ACK in recovery, with these SIGNAL_ bits, delivered bytes. */
export function prrDelivered(subflow: Subflow, delivered: u32, signals: u32): void {
  if (delivered == 0) return;
  subflow.prrDelivered += delivered;
  const sent = <u32>(subflow.bytesSent - subflow.prrSent);
  const flight = inFlight(subflow);
  let room: u32;
  if (flight > subflow.ssthresh) {
    const share = <u32>(
      ((<u64>subflow.prrDelivered * <u64>subflow.ssthresh + subflow.prrFlight - 1) / subflow.prrFlight)
    );
    room = share > sent ? share - sent : 0;
  } else {
    room = max<u32>(subflow.prrDelivered > sent ? subflow.prrDelivered - sent : 0, delivered);
    // An ACK that advances and tells of no further loss is safe: catch up as in slow start.
    if ((signals & (SIGNAL_ACKED | SIGNAL_LOST)) == SIGNAL_ACKED) room += subflow.mss;
    room = min<u32>(room, subflow.ssthresh - flight);
  }
  // The first retransmission goes out with the ACK that began recovery.
  if (sent == 0) room = max<u32>(room, subflow.mss);
  subflow.cwnd = max<u32>(flight + room, subflow.mss);
}
