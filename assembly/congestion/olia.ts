import { CONGESTION_OLIA } from '../abi';
import { Connection } from '../state/connection';
import { Subflow } from '../state/subflow';
import { grow, isCoupled, windowOf } from './coupling';

/**
 * Opportunistic Linked Increases (draft-khalili-mptcp-congestion-control-05, section 3; Khalili et al., "MPTCP Is Not
 * Pareto-Optimal", CoNEXT 2012): for each ACK the window grows by
 * acked × mss × (cwnd_r / rtt_r² / (Σ cwnd_p / rtt_p)² + alpha_r / cwnd_r).
 * With alpha windows move from the paths that have the largest to the best ones that have not: positive for these,
 * negative for those, and nothing once a best path has the largest window.
 */
export function oliaAvoid(connection: Connection, subflow: Subflow, acked: u32): void {
  let paths: f64 = 0;
  let rate: f64 = 0;
  let most: f64 = 0;
  let best: f64 = 0;
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const other = changetype<Subflow>(at);
    if (!isCoupled(other, CONGESTION_OLIA)) continue;
    paths++;
    rate += windowOf(other) / <f64>other.srtt;
    most = max<f64>(most, segmentsOf(other));
    best = max<f64>(best, quality(other));
  }
  if (rate == 0) return;
  const rtt = <f64>subflow.srtt;
  const share = <f64>subflow.cwnd / (rtt * rtt) / (rate * rate);
  grow(
    subflow,
    <f64>acked * <f64>subflow.mss * (share + alpha(connection, subflow, paths, most, best) / <f64>subflow.cwnd),
  );
}

function alpha(connection: Connection, subflow: Subflow, paths: f64, most: f64, best: f64): f64 {
  let largest: f64 = 0;
  let collected: f64 = 0;
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const other = changetype<Subflow>(at);
    if (!isCoupled(other, CONGESTION_OLIA)) continue;
    if (segmentsOf(other) == most) largest++;
    else if (quality(other) == best) collected++;
  }
  if (collected == 0) return 0;
  if (segmentsOf(subflow) == most) return -1 / (paths * largest);
  return quality(subflow) == best ? 1 / (paths * collected) : 0;
}

/** Windows are compared by whole segments: by bytes two would never be equal. */
function segmentsOf(subflow: Subflow): f64 {
  return Math.floor(windowOf(subflow) / <f64>subflow.mss);
}

/** l_r / rtt_r²: the bytes between the last two losses, or since the last one if these are more. */
function quality(subflow: Subflow): f64 {
  const rtt = <f64>subflow.srtt;
  return <f64>max<u64>(subflow.lossAt2 - subflow.lossAt1, subflow.bytesAcked - subflow.lossAt2) / (rtt * rtt);
}
