import { Connection } from '../state/connection';
import { Subflow } from '../state/subflow';
import { isBackup, works } from './usable';

/**
 * The subflow with the smallest smoothed RTT among those that work, whether or not it has room: BLEST and ECF may wait
 * for it. Backups count only for backups. 0 when there is none.
 */
export function fastest(connection: Connection, backups: bool): usize {
  let best: usize = 0;
  let bestRtt: u32 = 0xffffffff;
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const subflow = changetype<Subflow>(at);
    if (!works(subflow) || isBackup(subflow) != backups || subflow.srtt >= bestRtt) continue;
    best = at;
    bestRtt = subflow.srtt;
  }
  return best;
}
