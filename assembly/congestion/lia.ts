import { CONGESTION_LIA } from '../abi';
import { Connection } from '../state/connection';
import { Subflow } from '../state/subflow';
import { isCoupled, windowOf } from './coupling';

/**
 * Linked Increases (RFC 6356): for each ACK the window grows by
 * min(alpha × acked × mss / total, acked × mss / cwnd), with
 * alpha = total × max(cwnd_i / rtt_i²) / (Σ cwnd_i / rtt_i)²:
 * the total cancels out. Everything else is as in RFC 5681 (section 3). Divisions are what it costs, for every ACK.
 */
export function liaAvoid(connection: Connection, subflow: Subflow, acked: u32): void {
  let best: f64 = 0;
  let rate: f64 = 0;
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const other = changetype<Subflow>(at);
    if (!isCoupled(other, CONGESTION_LIA)) continue;
    const frequency = 1 / <f64>other.srtt;
    const speed = windowOf(other) * frequency;
    rate += speed;
    best = max<f64>(best, speed * frequency);
  }
  const own = <f64>subflow.cwnd;
  const bytes = <f64>acked * <f64>subflow.mss;
  const square = rate * rate;
  const growth = best * own < square ? (bytes * best) / square : bytes / own;
  // As grow() does, and it never shrinks: this runs for every ACK.
  const scaled = (subflow.cwndAcked & 255) + <u32>min<f64>(growth * 256, 1e9);
  subflow.cwnd += scaled >> 8;
  subflow.cwndAcked = scaled & 255;
}
