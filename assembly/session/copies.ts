import { CONFIG_MAP_BYTES, PAGE_BYTES, SCHEDULER_REDUNDANT } from '../abi';
import { congestionIdle } from '../congestion/control';
import { pageNext } from '../memory/pages';
import { dsnLt } from '../memory/sequence';
import { fastest } from '../scheduler/fastest';
import { firstCarrier, hasRoom, isBackup, regularWorks, subflowRoom, usable } from '../scheduler/usable';
import { config } from '../state/config';
import { Connection } from '../state/connection';
import { DataMap, mapsFree, mapTake } from '../state/datamap';
import { Subflow, unsentBytes, wholeSegments } from '../state/subflow';
import { assign, assignNew, sendableEnd } from './assign';

/**
 * The redundant scheduler (Frommgen et al., "ReMP TCP: Low Latency Multipath TCP", ICC 2016): every subflow gets every
 * byte, each at its own pace from its own place copyNxt. New bytes go by whoever reaches them first, and what was
 * acknowledged meanwhile is left out, so that the connection is as fast as its fastest subflow at every moment.
 */

export function isRedundant(connection: Connection): bool {
  return connection.scheduler == SCHEDULER_REDUNDANT && connection.multipath != 0 && connection.subflowCount > 1;
}

/** Gives every subflow what it has room for. Of the backups only the fastest is used, when it must be. */
export function pushCopies(connection: Connection): void {
  const alone = firstCarrier(connection);
  const backup: usize = regularWorks(connection) ? 0 : fastest(connection, true);
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const subflow = changetype<Subflow>(at);
    if (!usable(subflow) || (alone != 0 && at != alone)) continue;
    if (isBackup(subflow) && at != backup) continue;
    while (give(connection, subflow));
  }
}

/** Every subflow starts again at the first unacknowledged byte; what it holds is left out. */
export function copiesFromFront(connection: Connection): void {
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) changetype<Subflow>(at).copyPage = 0;
  mapsMix(connection);
}

/** From now on the maps of subflows are in no order as far as sndNxt. */
export function mapsMix(connection: Connection): void {
  connection.mapsMixed = 1;
  connection.mixedEnd = connection.sndNxt;
}

/** Gives a subflow its next piece. Returns false when there is none, or no room. */
function give(connection: Connection, subflow: Subflow): bool {
  if (subflow.copyPage == 0 || !dsnLt(connection.sndUna, subflow.copyNxt)) {
    subflow.copyNxt = connection.sndUna;
    subflow.copyPage = connection.unaPage;
    subflow.copyOffset = connection.unaOffset;
  }
  if (!dsnLt(subflow.copyNxt, connection.sndNxt)) return giveNew(connection, subflow);
  const room = subflowRoom(subflow);
  if (room == 0) return false;
  if (subflow.outstanding == 0 && unsentBytes(subflow) == 0) congestionIdle(subflow);
  let available = <u32>min<u64>(connection.sndNxt - subflow.copyNxt, <u64>config(CONFIG_MAP_BYTES));
  if (connection.mapsMixed != 0) {
    if (dsnLt(connection.mixedEnd, connection.sndUna)) connection.mapsMixed = 0;
    const free = mapsFree(subflow.mapHead, subflow.copyNxt, available);
    if (free <= 0) {
      advance(connection, subflow, -free);
      return true;
    }
    available = <u32>free;
  }
  let length = min<u32>(available, room);
  if (length < available && length > subflow.mss) length = wholeSegments(subflow, length);
  const map = mapTake(subflow.copyNxt, length, subflow.copyPage, subflow.copyOffset);
  if (map == 0) return false;
  subflow.timesChosen++;
  subflow.bytesRedundant += length;
  assign(connection, subflow, changetype<DataMap>(map));
  advance(connection, subflow, length);
  return true;
}

/** Bytes that no subflow had. */
function giveNew(connection: Connection, subflow: Subflow): bool {
  if (!dsnLt(connection.sndNxt, sendableEnd(connection)) || !hasRoom(subflow)) return false;
  if (!assignNew(connection, subflow)) return false;
  subflow.copyNxt = connection.sndNxt;
  subflow.copyPage = connection.nxtPage;
  subflow.copyOffset = connection.nxtOffset;
  return true;
}

/** As advanceNext(): the end of the last page is not left. */
function advance(connection: Connection, subflow: Subflow, length: u32): void {
  let offset = subflow.copyOffset + length;
  let page = subflow.copyPage;
  while (offset >= <u32>PAGE_BYTES && page != connection.tailPage) {
    page = pageNext(page);
    offset -= <u32>PAGE_BYTES;
  }
  subflow.copyNxt += length;
  subflow.copyPage = page;
  subflow.copyOffset = offset;
}
