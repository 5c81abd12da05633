import { now } from '../state/clock';
import { Subflow } from '../state/subflow';

/**
 * CUBIC (RFC 9438): the window is a cubic function of the time since the last congestion event, flat around the window
 * where that happened, and never grows slower than Reno would. Windows are bytes, times s.
 */

const C: f64 = 0.4;
const BETA: f64 = 0.7;
/** Section 4.3: what makes Reno with this beta as fast as with its own. */
const ALPHA: f64 = (3 * (1 - BETA)) / (1 + BETA);

/** Congestion avoidance: `acked` bytes were acknowledged. */
export function cubicAvoid(subflow: Subflow, acked: u32): void {
  const time = now();
  const mss = <f64>subflow.mss;
  const cwnd = <f64>subflow.cwnd;
  if (subflow.cubicEpoch == 0) beginEpoch(subflow, time);
  subflow.cubicAt = time;
  const top = <f64>subflow.cubicMax;
  const elapsed = <f64>(time - subflow.cubicEpoch) * 1e-6;
  const ahead = elapsed + <f64>subflow.srtt * 1e-6 - subflow.cubicK;
  // Section 4.2: where the window shall be one round trip from now, at most half as much again.
  let target = top + C * ahead * ahead * ahead * mss;
  target = max<f64>(cwnd, min<f64>(target, cwnd * 1.5));
  let growth = ((target - cwnd) / cwnd) * <f64>acked;
  // Section 4.3: Reno's window by the same ACKs; once it is as large as before the event, with Reno's own alpha.
  const alpha = subflow.cubicEstimate < <f64>subflow.cubicPrior ? ALPHA : 1;
  subflow.cubicEstimate += (alpha * <f64>acked * mss) / cwnd;
  const since = elapsed - subflow.cubicK;
  if (top + C * since * since * since * mss < subflow.cubicEstimate) growth = max<f64>(subflow.cubicEstimate - cwnd, 0);
  // Fractions of a byte are kept, in 256ths.
  const scaled = (subflow.cwndAcked & 255) + <u32>min<f64>(growth * 256, 2e9);
  subflow.cwnd += scaled >> 8;
  subflow.cwndAcked = scaled & 255;
}

/** The new ssthresh after a congestion event with `flight` bytes in flight (sections 4.6 and 4.7). */
export function cubicReduce(subflow: Subflow, flight: u32): u32 {
  const cwnd = subflow.cwnd;
  subflow.cubicPriorMax = subflow.cubicMax;
  // Fast convergence: who loses again before it was where it has been makes room for others.
  subflow.cubicMax = cwnd < subflow.cubicMax ? <u32>(<f64>cwnd * ((1 + BETA) / 2)) : cwnd;
  subflow.cubicPrior = cwnd;
  subflow.cubicEpoch = 0;
  return <u32>(<f64>flight * BETA);
}

/** The event was none (section 4.9): the window goes back, and its past with it. */
export function cubicUndo(subflow: Subflow): void {
  subflow.cubicMax = subflow.cubicPriorMax;
  subflow.cubicEpoch = 0;
}

/** Time in which the window was not used does not count (section 4.2). */
export function cubicUnused(subflow: Subflow): void {
  const time = now();
  if (subflow.cubicEpoch != 0) subflow.cubicEpoch += time - subflow.cubicAt;
  subflow.cubicAt = time;
}

function beginEpoch(subflow: Subflow, time: i64): void {
  subflow.cubicEpoch = time;
  subflow.cubicEstimate = <f64>subflow.cwnd;
  subflow.cwndAcked = 0;
  if (subflow.cwnd < subflow.cubicMax) {
    subflow.cubicK = Math.cbrt(<f64>(subflow.cubicMax - subflow.cwnd) / <f64>subflow.mss / C);
  } else {
    // Slow start ended without a loss, or beyond the last one.
    subflow.cubicK = 0;
    subflow.cubicMax = subflow.cwnd;
  }
}
