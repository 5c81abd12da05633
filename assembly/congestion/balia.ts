import { CONGESTION_BALIA } from '../abi';
import { Connection } from '../state/connection';
import { Subflow } from '../state/subflow';
import { grow, isCoupled, windowOf } from './coupling';

/**
 * Balanced Linked Adaptation (draft-walid-mptcp-congestion-control-04, section 3; Peng et al., "Multipath TCP: Analysis,
 * Design, and Implementation", 2016). With x_r = cwnd_r / rtt_r and alpha_r = max(x_k) / x_r the window grows for each
 * ACK by acked × mss × x_r / rtt_r / (Σ x_k)² × (1 + alpha_r) / 2 × (4 + alpha_r) / 5.
 */
export function baliaAvoid(connection: Connection, subflow: Subflow, acked: u32): void {
  measure(connection, subflow);
  const rtt = <f64>subflow.srtt;
  const own = <f64>subflow.cwnd / rtt;
  if (sum == 0) return;
  const alpha = most / own;
  const share = own / rtt / (sum * sum);
  grow(subflow, (<f64>acked * <f64>subflow.mss * share * (1 + alpha) * (4 + alpha)) / 10);
}

/** The new ssthresh after a loss: less by cwnd_r / 2 × min(alpha_r, 1.5). */
export function baliaReduce(connection: Connection, subflow: Subflow, flight: u32): u32 {
  measure(connection, subflow);
  subflow.cwndAcked = 0;
  const own = <f64>subflow.cwnd / <f64>subflow.srtt;
  const alpha = most > own ? min<f64>(most / own, 1.5) : 1;
  return <u32>(<f64>flight * (1 - alpha / 2));
}

let sum: f64 = 0;
let most: f64 = 0;

/** Sum and largest of the rates x_k. Of the subflow in question the window as it is counts, also at the begin of recovery. */
function measure(connection: Connection, subflow: Subflow): void {
  sum = 0;
  most = 0;
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const other = changetype<Subflow>(at);
    if (!isCoupled(other, CONGESTION_BALIA)) continue;
    const window = other == subflow ? <f64>other.cwnd : windowOf(other);
    const rate = window / <f64>other.srtt;
    sum += rate;
    most = max<f64>(most, rate);
  }
}
