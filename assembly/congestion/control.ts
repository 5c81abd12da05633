import { CONFIG_INITIAL_WINDOW, CONGESTION_LIA } from '../abi';
import { config } from '../state/config';
import { inFlight, LOSS_OPEN, ownerOf, Subflow } from '../state/subflow';
import { liaAvoid } from './lia';
import { renoAvoid, slowStart } from './reno';

/** What every congestion controller is asked; the connection's choice decides which one answers. */

/** The largest congestion window, bytes. */
const CWND_MAX: u32 = 1 << 29;

/** A subflow begins to carry data; its mss is settled. */
export function congestionOpen(subflow: Subflow): void {
  subflow.cwnd = <u32>config(CONFIG_INITIAL_WINDOW) * subflow.mss;
  subflow.ssthresh = CWND_MAX;
  subflow.cwndAcked = 0;
}

/** `acked` new bytes were acknowledged, of `flight` that were in flight. */
export function congestionAcked(subflow: Subflow, acked: u32, flight: u32): void {
  if (subflow.recovery != LOSS_OPEN && subflow.cwnd >= subflow.ssthresh) return;
  if (subflow.cwnd < subflow.ssthresh) {
    // RFC 2861 in spirit: a window that was not used is no proof that it could be.
    if (subflow.recovery == LOSS_OPEN && flight * 2 < subflow.cwnd) return;
    acked = slowStart(subflow, acked);
    if (acked == 0) return;
  } else if (flight + 2 * subflow.mss < subflow.cwnd) {
    return;
  }
  const connection = ownerOf(subflow);
  if (connection.congestion == CONGESTION_LIA && connection.subflowCount > 1) liaAvoid(connection, subflow, acked);
  else renoAvoid(subflow, acked);
  if (subflow.cwnd > CWND_MAX) subflow.cwnd = CWND_MAX;
}

/** Recovery begins (RFC 5681 section 3.2, RFC 6675 section 5). */
export function congestionLoss(subflow: Subflow): void {
  halve(subflow);
  subflow.cwnd = subflow.ssthresh;
}

/** The retransmission timer ran out (RFC 5681 section 3.1): the loss window is one segment. */
export function congestionTimeout(subflow: Subflow): void {
  // Section 3.1: ssthresh stays when the segment was retransmitted before.
  if (subflow.backoff <= 1) halve(subflow);
  subflow.cwnd = subflow.mss;
}

/** Recovery is over. */
export function congestionRecovered(subflow: Subflow): void {
  if (subflow.cwnd > subflow.ssthresh) subflow.cwnd = subflow.ssthresh;
}

function halve(subflow: Subflow): void {
  // Equation 4: half of what was in flight, which at this moment includes what was just marked lost.
  const flight = min<u32>(inFlight(subflow) + subflow.lostBytes + subflow.sackedBytes, subflow.cwnd);
  subflow.ssthresh = max<u32>(flight >> 1, 2 * subflow.mss);
  subflow.cwndAcked = 0;
}
