import { Connection } from '../state/connection';
import { Subflow } from '../state/subflow';
import { firstCarrier, hasRoom, isBackup, regularWorks, usable } from './usable';

/** The default: of the subflows that have room the one with the smallest smoothed RTT. 0 when none has. */
export function minRtt(connection: Connection): usize {
  const alone = firstCarrier(connection);
  if (alone != 0) return takes(changetype<Subflow>(alone)) ? alone : 0;
  let best: usize = 0;
  let bestRtt: u32 = 0xffffffff;
  let backup: usize = 0;
  let backupRtt: u32 = 0xffffffff;
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const subflow = changetype<Subflow>(at);
    const rtt = subflow.srtt;
    if (!isBackup(subflow)) {
      // The rest matters only for one that would be chosen.
      if (rtt >= bestRtt || !takes(subflow)) continue;
      best = at;
      bestRtt = rtt;
    } else if (rtt < backupRtt && takes(subflow)) {
      backup = at;
      backupRtt = rtt;
    }
  }
  if (best != 0 || backup == 0) return best;
  return regularWorks(connection) ? 0 : backup;
}

function takes(subflow: Subflow): bool {
  return usable(subflow) && hasRoom(subflow);
}
