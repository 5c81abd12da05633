import { Connection } from '../state/connection';
import { Subflow } from '../state/subflow';
import { firstCarrier, isBackup, subflowRoom, usable } from './usable';

/** The default: of the subflows that have room the one with the smallest smoothed RTT. 0 when none has. */
export function minRtt(connection: Connection): usize {
  let best: usize = 0;
  let bestRtt: u32 = 0xffffffff;
  let regular = false;
  let backup: usize = 0;
  let backupRtt: u32 = 0xffffffff;
  const alone = firstCarrier(connection);
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const subflow = changetype<Subflow>(at);
    if (!usable(subflow) || (alone != 0 && at != alone)) continue;
    const reserve = isBackup(subflow);
    // A subflow in backoff does not keep the backups waiting.
    if (!reserve && subflow.backoff == 0) regular = true;
    const rtt = subflow.srtt;
    // Whether there is room matters only for one that would be chosen.
    if (rtt >= (reserve ? backupRtt : bestRtt) || subflowRoom(subflow) == 0) continue;
    if (reserve) {
      backup = at;
      backupRtt = rtt;
    } else {
      best = at;
      bestRtt = rtt;
    }
  }
  if (best != 0) return best;
  return regular ? 0 : backup;
}
