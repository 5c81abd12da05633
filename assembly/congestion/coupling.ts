import { Connection } from '../state/connection';
import { canCarryData, LOSS_RECOVERY, Subflow } from '../state/subflow';

/**
 * What the coupled controllers have in common. A controller couples the subflows of its connection that use it; those
 * with another one are flows of their own.
 */

/** True when a subflow counts among those that a controller couples. */
export function isCoupled(subflow: Subflow, congestion: i32): bool {
  return <i32>subflow.congestion == congestion && canCarryData(subflow) && subflow.srtt != 0;
}

/** True when a connection has several subflows: only then there is something to couple. */
export function isShared(connection: Connection): bool {
  return connection.subflowCount > 1;
}

/** The congestion window that counts, bytes: in recovery the one it leads to (RFC 6356 section 3). */
export function windowOf(subflow: Subflow): f64 {
  return <f64>(subflow.recovery == LOSS_RECOVERY ? subflow.ssthresh : subflow.cwnd);
}

/** Lets the window grow, or shrink, by a number of bytes with its fraction: 256ths are kept in cwndAcked. */
export function grow(subflow: Subflow, bytes: f64): void {
  const scaled = <i64>(subflow.cwndAcked & 255) + <i64>Math.floor(max<f64>(min<f64>(bytes, 1e7), -1e7) * 256);
  const cwnd = <i64>subflow.cwnd + (scaled >> 8);
  subflow.cwndAcked = <u32>(scaled & 255);
  subflow.cwnd = cwnd > <i64>subflow.mss ? <u32>cwnd : subflow.mss;
}
