import { CONGESTION_LIA } from '../abi';
import { Connection } from '../state/connection';
import { Subflow } from '../state/subflow';
import { isCoupled, windowOf } from './coupling';

/**
 * Linked Increases (RFC 6356): for each ACK the window grows by
 * min(alpha × acked × mss / total, acked × mss / cwnd), with
 * alpha = total × max(cwnd_i / rtt_i²) / (Σ cwnd_i / rtt_i)².
 * Everything else is as in RFC 5681 (section 3).
 */
export function liaAvoid(connection: Connection, subflow: Subflow, acked: u32): void {
  let total: f64 = 0;
  let best: f64 = 0;
  let rate: f64 = 0;
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const other = changetype<Subflow>(at);
    if (!isCoupled(other, CONGESTION_LIA)) continue;
    const cwnd = windowOf(other);
    const rtt = <f64>other.srtt;
    total += cwnd;
    rate += cwnd / rtt;
    const share = cwnd / (rtt * rtt);
    if (share > best) best = share;
  }
  const own = <f64>subflow.cwnd;
  const bytes = <f64>acked * <f64>subflow.mss;
  let growth = bytes / own;
  if (rate > 0) {
    const alpha = (total * best) / (rate * rate);
    const coupled = (alpha * bytes) / total;
    if (coupled < growth) growth = coupled;
  }
  // As grow() does, and it never shrinks: this runs for every ACK.
  const scaled = (subflow.cwndAcked & 255) + <u32>min<f64>(growth * 256, 1e9);
  subflow.cwnd += scaled >> 8;
  subflow.cwndAcked = scaled & 255;
}
