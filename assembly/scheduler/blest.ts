import {
  CONFIG_BLEST_LAMBDA,
  CONFIG_BLEST_LAMBDA_LESS,
  CONFIG_BLEST_LAMBDA_MAX,
  CONFIG_BLEST_LAMBDA_MIN,
  CONFIG_BLEST_LAMBDA_MORE,
} from '../abi';
import { now } from '../state/clock';
import { Connection } from '../state/connection';
import { Subflow, unsentBytes } from '../state/subflow';
import { tuning } from '../state/tuning';
import { fastest } from './fastest';
import { minRtt } from './min-rtt';
import { isBackup } from './usable';

/**
 * BLEST (Ferlin, Alay, Mehani, Boreli, "BLEST: Blocking Estimation-based MPTCP Scheduler for Heterogeneous Networks", IFIP
 * Networking 2016): a slower subflow is passed over when its bytes would occupy so much of the peer's window, until they
 * are acknowledged, that the fastest could not send meanwhile what it could.
 */
export function blest(connection: Connection): usize {
  const chosen = minRtt(connection);
  if (chosen == 0) return 0;
  const slow = changetype<Subflow>(chosen);
  const found = fastest(connection, isBackup(slow));
  if (found == 0 || found == chosen) return chosen;
  const fast = changetype<Subflow>(found);
  adapt(connection, slow);
  const rounds = <f64>slow.srtt / <f64>max<u32>(fast.srtt, 1);
  // What the fastest sends in the other's round trip, with one segment more in each of its own, equation 3.
  const sends = (<f64>fast.cwnd + (<f64>fast.mss * (rounds - 1)) / 2) * rounds;
  const occupied = <f64>(slow.outstanding + unsentBytes(slow) + slow.mss);
  const window = <f64>(connection.sndWindowEnd - connection.sndUna);
  if ((sends * <f64>connection.blestLambda) / 1000 <= window - occupied) return chosen;
  slow.timesHeldBack++;
  return 0;
}

/** Lambda grows when the window was held up in the last round trip of the slower subflow, and else shrinks. */
function adapt(connection: Connection, slow: Subflow): void {
  if (connection.blestLambda == 0) {
    connection.blestLambda = <u16>tuning(connection, CONFIG_BLEST_LAMBDA);
    connection.blestAt = now();
    connection.blestBlocked = 0;
  }
  if (now() - connection.blestAt < <i64>slow.minRtt) return;
  const more = <i32>tuning(connection, CONFIG_BLEST_LAMBDA_MORE);
  const less = <i32>tuning(connection, CONFIG_BLEST_LAMBDA_LESS);
  const lambda = <i32>connection.blestLambda + (connection.blestBlocked != 0 ? more : -less);
  const most = min<i32>(lambda, tuning(connection, CONFIG_BLEST_LAMBDA_MAX));
  connection.blestLambda = <u16>max<i32>(most, tuning(connection, CONFIG_BLEST_LAMBDA_MIN));
  connection.blestAt = now();
  connection.blestBlocked = 0;
}
