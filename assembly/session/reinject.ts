import {
  CONFIG_MAP_BYTES,
  CONFIG_OPPORTUNISTIC,
  CONFIG_OPPORTUNISTIC_CWND,
  CONFIG_OPPORTUNISTIC_RATIO,
  CONFIG_PENALISATION,
  COUNTER_MPTCP_MPTCPRetrans,
} from '../abi';
import { congestionPenalise } from '../congestion/control';
import { dsnLe, dsnLt, seqLe } from '../memory/sequence';
import { againChoose, againCovered, againPart } from '../scheduler/again';
import { minRtt } from '../scheduler/min-rtt';
import { subflowRoom, works } from '../scheduler/usable';
import { now } from '../state/clock';
import { config } from '../state/config';
import { Connection } from '../state/connection';
import { count } from '../state/counters';
import { DataMap, mapFree, mapsFree, mapTake, mapTrimFront, positionOffset, positionPage } from '../state/datamap';
import { Subflow } from '../state/subflow';
import { tuning } from '../state/tuning';
import { assign } from './assign';
import { copiesFromFront, isRedundant, mapsMix } from './copies';
import { pushLater } from './send';

/** Bytes that were given to one subflow and go to another as well (RFC 8684 section 3.3.6). */

/**
 * Queues what a subflow holds and the peer has not acknowledged at data level for other subflows. With `all` it gives
 * up its maps for good (it is over); else it keeps those it sent, for its own retransmission.
 */
export function reinject(connection: Connection, subflow: Subflow, all: bool): void {
  pushLater(connection);
  // The redundant scheduler has given them to the others, or will.
  if (!all && (isRedundant(connection) || !hasAlternative(connection, subflow.id))) return;
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
}

/** What subflows hold that are being closed goes to others at once. */
export function reinjectClosing(connection: Connection): void {
  connection.handBack = 0;
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next)
    if (changetype<Subflow>(at).closing != 0) reinject(connection, changetype<Subflow>(at), false);
}

/** As reinject(), and what was queued before is queued once more: there is a subflow that was not there then. */
export function reinjectAgain(connection: Connection, subflow: Subflow): void {
  for (let at = subflow.mapHead; at != 0; at = changetype<DataMap>(at).next) changetype<DataMap>(at).reinjected = 0;
  reinject(connection, subflow, false);
}

/** Queues the first unacknowledged bytes again when no subflow that works carries them any more. */
export function reinjectFront(connection: Connection): void {
  if (connection.sndUna == connection.sndNxt) return;
  if (mapsFree(connection.reinjectHead, connection.sndUna, 1) <= 0) return;
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const subflow = changetype<Subflow>(at);
    if (mapsFree(subflow.mapHead, connection.sndUna, 1) <= 0 && works(subflow)) return;
  }
  pushLater(connection);
  if (isRedundant(connection)) {
    copiesFromFront(connection);
    return;
  }
  // Without mappings there is one place for each byte.
  if (connection.multipath == 0) return;
  const length = <u32>min<u64>(connection.sndNxt - connection.sndUna, <u64>config(CONFIG_MAP_BYTES));
  const map = mapTake(connection.sndUna, length, connection.unaPage, connection.unaOffset);
  if (map != 0) enqueue(connection, changetype<DataMap>(map), 0);
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
  if (connection.reinjectHead != 0 && isRedundant(connection) && hasAlternative(connection, 0)) {
    // Every subflow has them or will have them.
    while (connection.reinjectHead != 0) {
      const map = changetype<DataMap>(connection.reinjectHead);
      dequeue(connection);
      mapFree(map);
    }
    return;
  }
  while (connection.reinjectHead != 0) {
    const map = changetype<DataMap>(connection.reinjectHead);
    if (dsnLe(map.dsn + map.length, connection.sndUna)) {
      dequeue(connection);
      mapFree(map);
      continue;
    }
    if (dsnLt(map.dsn, connection.sndUna)) mapTrimFront(map, <u32>(connection.sndUna - map.dsn));
    const chosen = againChoose(connection, map, hasAlternative(connection, map.origin) ? map.origin : 0);
    if (chosen == 0) {
      if (!againCovered()) return;
      // Somebody else has them.
      if (againPart() == map.length) {
        dequeue(connection);
        mapFree(map);
      } else {
        mapTrimFront(map, againPart());
      }
      continue;
    }
    const subflow = changetype<Subflow>(chosen);
    const room = min<u32>(subflowRoom(subflow), againPart());
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
    subflow.bytesReinjected += part.length;
    count(COUNTER_MPTCP_MPTCPRetrans);
    mapsMix(connection);
    assign(connection, subflow, part);
  }
}

/**
 * Opportunistic retransmission and penalisation (Raiciu et al., "How Hard Can It Be? Designing and Implementing a
 * Deployable Multipath TCP", NSDI 2012, section 4.2): the peer's window or a full send buffer leaves nothing to send,
 * because the first unacknowledged bytes are on a slower subflow while a faster one has room. They go by the faster one
 * as well, and the window of the slower one is halved.
 */
export function unblock(connection: Connection): void {
  if (connection.dataAckSeen == 0) return;
  const found = minRtt(connection);
  if (found == 0) return;
  const fast = changetype<Subflow>(found);
  if (mapsFree(fast.mapHead, connection.sndUna, 1) <= 0) return;
  const slow = holderOf(connection);
  if (slow === null || slow.srtt <= fast.srtt) return;
  fast.timesBlocked++;
  connection.blestBlocked = 1;
  const small = slow.cwnd <= tuning(connection, CONFIG_OPPORTUNISTIC_CWND) * slow.mss;
  const far = <u64>slow.srtt > <u64>tuning(connection, CONFIG_OPPORTUNISTIC_RATIO) * <u64>fast.srtt;
  if (!small && !far) return;
  if (tuning(connection, CONFIG_PENALISATION) != 0 && now() - fast.penalisedAt >= <i64>fast.srtt) {
    if (congestionPenalise(slow)) fast.penalisedAt = now();
  }
  if (tuning(connection, CONFIG_OPPORTUNISTIC) == 0 || connection.reinjectHead != 0) return;
  const length = <u32>-mapsFree(slow.mapHead, connection.sndUna, <u32>(connection.sndNxt - connection.sndUna));
  const map = mapTake(connection.sndUna, length, connection.unaPage, connection.unaOffset);
  if (map == 0) return;
  enqueue(connection, changetype<DataMap>(map), slow.id);
  pushReinjected(connection);
}

/** The subflow that holds the first unacknowledged byte, or null. */
function holderOf(connection: Connection): Subflow | null {
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const subflow = changetype<Subflow>(at);
    if (mapsFree(subflow.mapHead, connection.sndUna, 1) <= 0) return subflow;
  }
  return null;
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
    if (other.id != id && works(other)) return true;
  }
  return false;
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
