import { CONFIG_ECF_BETA } from '../abi';
import { Connection } from '../state/connection';
import { Subflow } from '../state/subflow';
import { tuning } from '../state/tuning';
import { fastest } from './fastest';
import { minRtt } from './min-rtt';
import { isBackup } from './usable';

/**
 * Earliest Completion First (Lim, Nahum, Towsley, Gibbens, "ECF: An MPTCP Path Scheduler to Manage Heterogeneous Paths",
 * CoNEXT 2017, algorithm 1): a slower subflow is passed over when all that waits would be through sooner by waiting for
 * the fastest than by sending on it now. Once it waits it goes on to, by the margin beta.
 */
export function ecf(connection: Connection): usize {
  const chosen = minRtt(connection);
  if (chosen == 0) return 0;
  const slow = changetype<Subflow>(chosen);
  const found = fastest(connection, isBackup(slow));
  if (found == 0 || found == chosen) return chosen;
  const fast = changetype<Subflow>(found);
  // An application that waits for room has more than the buffer shows, and as much as it holds at least.
  const hidden = connection.wantsRoom != 0 ? <u64>connection.sendBuffer : 0;
  const waiting = <f64>(connection.sndEnd - connection.sndNxt + hidden);
  const margin = <f64>max<u32>(fast.rttVar, slow.rttVar);
  const beta = connection.ecfWaiting != 0 ? <f64>tuning(connection, CONFIG_ECF_BETA) / 1000 : 0;
  // The round trip waited for, and then as many as it takes, one at least.
  const byFast = (1 + max<f64>(waiting / <f64>fast.cwnd, 1)) * <f64>fast.srtt;
  if (byFast >= (1 + beta) * (<f64>slow.srtt + margin)) {
    connection.ecfWaiting = 0;
    return chosen;
  }
  const bySlow = max<f64>(waiting / <f64>slow.cwnd, 1) * <f64>slow.srtt;
  if (bySlow < 2 * <f64>fast.srtt + margin) return chosen;
  connection.ecfWaiting = 1;
  slow.timesHeldBack++;
  return 0;
}
