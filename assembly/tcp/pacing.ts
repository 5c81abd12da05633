import { now } from '../state/clock';
import { Subflow } from '../state/subflow';
import { timersArm } from './timers';

/**
 * Spreads segments over the round trip instead of sending them in bursts: at twice the rate of congestion window by RTT
 * in slow start, at 1.2 times else, as Linux does (net.ipv4.tcp_pacing_ss_ratio, tcp_pacing_ca_ratio).
 */

/** What may leave at once, µs of the rate: timers of hosts are no better. */
const BURST: i64 = 1000;
/** Least burst of a link that cuts segments, in segments. */
const BURST_SEGMENTS: u32 = 2;

/** `length` bytes went out: from when on more may. */
export function paceSent(subflow: Subflow, length: u32): void {
  if (subflow.srtt == 0) return;
  const time = now();
  const due = max<i64>(subflow.paceNext, time) + <i64>(<f64>length / paceRate(subflow));
  subflow.paceNext = due;
  if (due <= time + BURST) return;
  subflow.paceAt = due;
  timersArm(subflow);
}

/** The most bytes one large segment may have, so that it is no burst by itself. */
export function paceLimit(subflow: Subflow): u32 {
  if (subflow.srtt == 0) return 0xffffffff;
  const burst = paceRate(subflow) * <f64>BURST;
  return max<u32>(<u32>min<f64>(burst, 1e9), BURST_SEGMENTS * subflow.mss);
}

/** Bytes per µs; the round-trip time must be known. */
export function paceRate(subflow: Subflow): f64 {
  const factor: f64 = subflow.cwnd < subflow.ssthresh ? 2 : 1.2;
  return (factor * <f64>subflow.cwnd) / <f64>subflow.srtt;
}
