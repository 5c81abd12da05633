import { CONFIG_MAP_BYTES, COUNTER_MPTCP_MPTCPRetrans } from '../abi';
import { dsnLe, dsnLt, seqLe } from '../memory/sequence';
import { schedule, subflowRoom } from '../scheduler/schedule';
import { config } from '../state/config';
import { Connection } from '../state/connection';
import { count } from '../state/counters';
import { DataMap, mapFree, mapTake, mapTrimFront, positionOffset, positionPage } from '../state/datamap';
import { linkAt } from '../state/link';
import { canCarryData, Subflow } from '../state/subflow';
import { assign } from './assign';
import { pushLater } from './send';

/** Bytes that were given to one subflow and go to another as well (RFC 8684 section 3.3.6). */

/**
 * Queues what a subflow holds and the peer has not acknowledged at data level for other subflows. With `all` it gives
 * up its maps for good (it is over); else it keeps those it sent, for its own retransmission.
 */
export function reinject(connection: Connection, subflow: Subflow, all: bool): void {
  if (!all && !hasAlternative(connection, subflow.id)) return;
  let before: usize = 0;
  let at = subflow.mapHead;
  while (at != 0) {
    const map = changetype<DataMap>(at);
    const next = map.next;
    if (all || seqLe(subflow.sndNxt, map.seq)) {
      // Never sent here, or never to be sent again: it goes as it is.
      if (before == 0) subflow.mapHead = next;
      else changetype<DataMap>(before).next = next;
      if (subflow.mapTail == at) subflow.mapTail = before;
      if (subflow.mapNext == at) subflow.mapNext = 0;
      if (!all) subflow.seqEnd -= map.length;
      enqueue(connection, map, subflow.id);
    } else {
      before = at;
      if (map.reinjected == 0 && dsnLt(connection.sndUna, map.dsn + map.length)) {
        const copy = mapTake(map.dsn, map.length, map.page, map.offset);
        if (copy == 0) break;
        map.reinjected = 1;
        enqueue(connection, changetype<DataMap>(copy), subflow.id);
      }
    }
    at = next;
  }
  pushLater(connection);
}

/** Queues the first unacknowledged bytes again when no subflow carries them any more. */
export function reinjectFront(connection: Connection): void {
  if (connection.sndUna == connection.sndNxt || carried(connection)) return;
  const length = <u32>min<u64>(connection.sndNxt - connection.sndUna, <u64>config(CONFIG_MAP_BYTES));
  const map = mapTake(connection.sndUna, length, connection.unaPage, connection.unaOffset);
  if (map == 0) return;
  enqueue(connection, changetype<DataMap>(map), 0);
  pushLater(connection);
}

/**
 * Queues all unacknowledged bytes again that no subflow carries any more: a subflow that ended may have acknowledged what
 * it never gave to the connection.
 */
export function reinjectUncarried(connection: Connection): void {
  let dsn = connection.sndUna;
  let page = connection.unaPage;
  let offset = connection.unaOffset;
  while (dsnLt(dsn, connection.sndNxt)) {
    let end = carriedUntil(connection, dsn);
    if (end == dsn) {
      end = min<u64>(carriedAgain(connection, dsn) - dsn, <u64>config(CONFIG_MAP_BYTES)) + dsn;
      const map = mapTake(dsn, <u32>(end - dsn), page, offset);
      if (map == 0) return;
      enqueue(connection, changetype<DataMap>(map), 0);
    }
    if (!dsnLt(end, connection.sndNxt)) break;
    offset += <u32>(end - dsn);
    page = positionPage(page, offset);
    offset = positionOffset(offset);
    dsn = end;
  }
  pushLater(connection);
}

/** Gives what is queued to subflows, before any new bytes. */
export function pushReinjected(connection: Connection): void {
  while (connection.reinjectHead != 0) {
    const map = changetype<DataMap>(connection.reinjectHead);
    if (dsnLe(map.dsn + map.length, connection.sndUna)) {
      dequeue(connection);
      mapFree(map);
      continue;
    }
    if (dsnLt(map.dsn, connection.sndUna)) mapTrimFront(map, <u32>(connection.sndUna - map.dsn));
    const chosen = schedule(connection, hasAlternative(connection, map.origin) ? map.origin : 0);
    if (chosen == 0) return;
    const subflow = changetype<Subflow>(chosen);
    const room = subflowRoom(subflow);
    let part = map;
    if (room < map.length) {
      const taken = mapTake(map.dsn, room, map.page, map.offset);
      if (taken == 0) return;
      part = changetype<DataMap>(taken);
      mapTrimFront(map, room);
    } else {
      dequeue(connection);
    }
    part.origin = 0;
    part.reinjected = 0;
    connection.bytesReinjected += part.length;
    count(COUNTER_MPTCP_MPTCPRetrans);
    assign(connection, subflow, part);
  }
}

function enqueue(connection: Connection, map: DataMap, origin: u32): void {
  map.origin = origin;
  map.next = 0;
  if (connection.reinjectTail != 0) changetype<DataMap>(connection.reinjectTail).next = changetype<usize>(map);
  else connection.reinjectHead = changetype<usize>(map);
  connection.reinjectTail = changetype<usize>(map);
}

function dequeue(connection: Connection): void {
  const map = changetype<DataMap>(connection.reinjectHead);
  connection.reinjectHead = map.next;
  if (map.next == 0) connection.reinjectTail = 0;
}

/** True when another subflow than that of an id works, so that it can carry what that one holds, sooner or later. */
function hasAlternative(connection: Connection, id: u32): bool {
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const other = changetype<Subflow>(at);
    if (other.id != id && canCarryData(other) && other.backoff == 0 && linkAt(other.link).up != 0) return true;
  }
  return false;
}

/** True when a subflow or the queue still holds the first unacknowledged byte. */
function carried(connection: Connection): bool {
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next)
    if (covers(changetype<Subflow>(at).mapHead, connection.sndUna)) return true;
  return covers(connection.reinjectHead, connection.sndUna);
}

/** Where the map that holds a number ends, or that number when none does. */
function carriedUntil(connection: Connection, dsn: u64): u64 {
  let end = endOfMap(connection.reinjectHead, dsn);
  for (let at = connection.subflows; at != 0 && end == dsn; at = changetype<Subflow>(at).next)
    end = endOfMap(changetype<Subflow>(at).mapHead, dsn);
  return end;
}

function endOfMap(map: usize, dsn: u64): u64 {
  for (; map != 0; map = changetype<DataMap>(map).next) {
    const at = changetype<DataMap>(map);
    if (dsnLe(at.dsn, dsn) && dsnLt(dsn, at.dsn + at.length)) return at.dsn + at.length;
  }
  return dsn;
}

/** Where the next map behind a number that none holds begins, or sndNxt. */
function carriedAgain(connection: Connection, dsn: u64): u64 {
  let next = beginOfMap(connection.reinjectHead, dsn, connection.sndNxt);
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next)
    next = beginOfMap(changetype<Subflow>(at).mapHead, dsn, next);
  return next;
}

function beginOfMap(map: usize, dsn: u64, next: u64): u64 {
  for (; map != 0; map = changetype<DataMap>(map).next) {
    const at = changetype<DataMap>(map);
    if (dsnLt(dsn, at.dsn) && dsnLt(at.dsn, next)) next = at.dsn;
  }
  return next;
}

function covers(map: usize, dsn: u64): bool {
  while (map != 0) {
    const at = changetype<DataMap>(map);
    if (dsnLe(at.dsn, dsn) && dsnLt(dsn, at.dsn + at.length)) return true;
    map = at.next;
  }
  return false;
}
