import { Connection } from '../state/connection';
import { DataMap, mapsFree } from '../state/datamap';
import { Subflow } from '../state/subflow';
import { firstCarrier, hasRoom, isBackup, usable, works } from './usable';

/**
 * Which subflow gets bytes that another had before, whatever the scheduler: the one with the smallest smoothed RTT of
 * those that have room and do not hold these bytes already.
 */

let covered = false;
let part: u32 = 0;

/** What againChoose() found no subflow for is on its way by one that works: nobody has to send it once more. */
export function againCovered(): bool {
  return covered;
}

/** How many bytes the subflow chosen, or with againCovered() the one that has them, concerns. */
export function againPart(): u32 {
  return part;
}

/** The subflow for the first bytes of a queued map, or 0. `avoid` is the id of one that is to be left out, 0 for none. */
export function againChoose(connection: Connection, map: DataMap, avoid: u32): usize {
  let best: usize = 0;
  let bestRtt: u32 = 0xffffffff;
  let bestPart: u32 = 0;
  let backup: usize = 0;
  let backupRtt: u32 = 0xffffffff;
  let backupPart: u32 = 0;
  let regular = false;
  let regularMay = false;
  let backupMay = false;
  let held: u32 = 0;
  const alone = avoid == 0 ? firstCarrier(connection) : 0;
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const subflow = changetype<Subflow>(at);
    if (!usable(subflow)) continue;
    const reserve = isBackup(subflow);
    if (!reserve && subflow.backoff == 0) regular = true;
    const free = mapsFree(subflow.mapHead, map.dsn, map.length);
    if (free <= 0) {
      // It ends where the subflow has no more of it.
      if (works(subflow)) held = max<u32>(held, <u32>-free);
      continue;
    }
    if (avoid != 0 && subflow.id == avoid) continue;
    if (works(subflow)) {
      if (reserve) backupMay = true;
      else regularMay = true;
    }
    if ((alone != 0 && at != alone) || !hasRoom(subflow)) continue;
    if (reserve ? subflow.srtt < backupRtt : subflow.srtt < bestRtt) {
      if (reserve) {
        backup = at;
        backupRtt = subflow.srtt;
        backupPart = <u32>free;
      } else {
        best = at;
        bestRtt = subflow.srtt;
        bestPart = <u32>free;
      }
    }
  }
  if (best == 0 && !regular) {
    best = backup;
    bestPart = backupPart;
  }
  covered = best == 0 && held != 0 && !regularMay && (regular || !backupMay);
  part = covered ? held : bestPart;
  return best;
}
