import {
  CONFIG_REOPEN_DELAY,
  CONFIG_REOPEN_DELAY_MAX,
  CONFIG_REOPEN_REFUSALS,
  CONNECTION_CLOSED,
  COUNTER_PATH_GIVEN_UP,
  COUNTER_SUBFLOW_REOPEN,
  ERR_ADDRESS_NOT_AVAILABLE,
  ERR_REFUSED,
  ERR_RESET,
  ERR_UNREACHABLE,
  PATH_MANAGER_DEFAULT,
  PATH_MANAGER_FULLMESH,
  PATH_MANAGER_NDIFFPORTS,
  PATH_MANAGER_USERSPACE,
  PATH_MODE_SINGLE,
  RESET_FLAG_PEER,
  RESET_FLAG_TRANSIENT,
  RESET_MIDDLEBOX,
  RESET_OUTSTANDING,
  RESET_PERFORMANCE,
  RESET_RESOURCES,
  SUBFLOW_ACTIVE_OPEN,
  TCP_SYN_SENT,
} from '../abi';
import { now } from '../state/clock';
import { config } from '../state/config';
import { Connection } from '../state/connection';
import { count } from '../state/counters';
import { linkOfAddress } from '../state/link';
import {
  LostPath,
  PATH_CLOSED,
  PATH_FAILED,
  PATH_GIVEN_UP,
  PATH_NO_LINK,
  PATH_STANDBY,
  PATH_WAITS,
} from '../state/path';
import { JOIN_WAIT_ACK, RST_PLAIN, Subflow } from '../state/subflow';
import { lostAdd, lostRemove } from './lost';
import { managerFill } from './manager';
import {
  isOpen,
  isUseful,
  mayOpenSubflow,
  openPath,
  pathInUse,
  subflowLeaves,
  subflowOfId,
  subflowRetire,
} from './subflows';

/**
 * Subflows that failed are opened again by the side that opened them. What became of one decides when:
 *
 *   timed out, or reset without a reason        after CONFIG_REOPEN_DELAY, doubled each time it fails again
 *   MP_JOIN failed where one had succeeded      the same; when refused by RST, CONFIG_REOPEN_REFUSALS times
 *   MP_JOIN failed where none had succeeded     not again (RFC 8684 sections 3.4.1 and 3.9.3)
 *   MP_TCPRST with T, a transient condition     by its reason: see transientWait()
 *   MP_TCPRST with T for changed data           the same as MP_JOIN refused, while the peer takes nothing
 *   MP_TCPRST without T, or administrative      never (RFC 8684 section 3.6)
 *   local address or link gone                  when it is back, at once
 *   closed by FIN, by this side, or withdrawn   never
 *
 * Where joins failed they are tried again when the local address or link comes back, and while the connection has no
 * subflow; there, and where they are forbidden, when the peer announces its address again. The first attempt does not
 * wait when the connection has no other subflow.
 */

/** MP_TCPRST reasons (RFC 8684 section 3.6). */
const REASON_ADMINISTRATIVE: u8 = 3;
/** µs until the next attempt, at most, while a connection has no subflow. */
const ALONE_WAIT: i64 = 2000000;
/** Attempts that a lack of resources, and a bad performance, count for before the first one. */
const RESOURCES_TRIES: u8 = 3;
const PERFORMANCE_TRIES: u8 = 6;

/** True for connections whose manager opens subflows by itself. */
function reopens(connection: Connection): bool {
  return connection.pathManager != PATH_MANAGER_DEFAULT && connection.pathManager != PATH_MANAGER_USERSPACE;
}

/**
 * A subflow is over, with an ERR_ value or 0, and about to leave its connection. Returns true when its path is given up and
 * no other is left that this side would try.
 */
export function pathLost(connection: Connection, subflow: Subflow, error: i32): bool {
  if (connection.multipath == 0 || connection.confirmed == 0 || connection.state == CONNECTION_CLOSED) return false;
  if ((subflow.flags & <u8>SUBFLOW_ACTIVE_OPEN) == 0 || subflow.noReopen != 0 || !reopens(connection)) return false;
  if (config(CONFIG_REOPEN_DELAY) == 0) return false;
  // RFC 8684 section 3.1, flag C: no join to the initial address and port.
  if (subflow.remoteId == 0 && connection.denyJoinInitial != 0) return false;
  // A reset of ours for what the peer did counts as its refusal.
  const own = error == 0 && subflow.rstReason <= 6 && subflow.rstReason != REASON_ADMINISTRATIVE;
  if (error == 0 && !own) return false;
  const lost = lostAdd(connection, subflow, PATH_WAITS);
  if (lost === null) return false;
  const fromPeer = (subflow.resetReason & RESET_FLAG_PEER) != 0;
  const changed = fromPeer && (subflow.resetReason & 255) == RESET_MIDDLEBOX;
  // Where data is changed only what the peer took at data level counts.
  const carried = changed
    ? connection.failSndUna != <u32>connection.sndUna
    : subflow.bytesAcked != 0 || subflow.rcvOffset != 0;
  if (changed) connection.failSndUna = <u32>connection.sndUna;
  lost.tries = carried ? 0 : subflow.tries;
  lost.refusals = carried ? 0 : subflow.refusals;
  const opening = subflow.state == TCP_SYN_SENT || subflow.join == JOIN_WAIT_ACK;
  const reason = subflow.resetReason & 255;
  if (fromPeer) {
    if ((subflow.resetReason & RESET_FLAG_TRANSIENT) == 0 || reason == <u32>REASON_ADMINISTRATIVE)
      giveUp(lost, PATH_GIVEN_UP);
    else if (changed) refused(lost);
    else transientWait(lost, reason);
  } else {
    if (own || (opening && (error == ERR_RESET || error == ERR_REFUSED))) refused(lost);
    // RFC 8684 section 3.9.3: no more attempts where none succeeded.
    if (opening && lost.worked == 0 && lost.state == PATH_WAITS) giveUp(lost, PATH_FAILED);
  }
  lost.at = now() + (fromPeer && reason == <u32>RESET_OUTSTANDING && lost.tries == 0 ? 0 : delay(lost));
  if (!hasOther(connection, subflow)) {
    if (lost.tries == 0) lost.at = now();
    // What changes the data stands on this path, perhaps not on others.
    if (changed || subflow.rstReason == RESET_MIDDLEBOX) hasten(connection, lost);
  }
  if (lost.tries < 255) lost.tries++;
  return isOver(lost) && !hasPath(connection);
}

/** True when there is a path that this side tries, or will when its address is back or no subflow is left. */
function hasPath(connection: Connection): bool {
  for (let at = connection.lostPaths; at != 0; at = changetype<LostPath>(at).next) {
    const lost = changetype<LostPath>(at);
    if (lost.state != PATH_CLOSED && !isOver(lost)) return true;
  }
  return false;
}

/** True for a path that is not tried even without any other: forbidden, or refused too often. */
function isOver(lost: LostPath): bool {
  if (lost.state == PATH_FAILED) return <i64>lost.refusals >= config(CONFIG_REOPEN_REFUSALS);
  return lost.state == PATH_GIVEN_UP;
}

/** Other paths that wait are tried at once. */
function hasten(connection: Connection, failed: LostPath): void {
  for (let at = connection.lostPaths; at != 0; at = changetype<LostPath>(at).next)
    if (at != changetype<usize>(failed)) changetype<LostPath>(at).at = now();
}

/** A subflow left its connection: others may take its place. */
export function pathsLeft(connection: Connection): void {
  if (connection.multipath == 0 || connection.confirmed == 0 || connection.state == CONNECTION_CLOSED) return;
  managerFill(connection);
  pathsFailing(connection);
  // Without any subflow there is no time to lose.
  if (connection.subflows == 0) {
    for (let at = connection.lostPaths; at != 0; at = changetype<LostPath>(at).next) {
      const lost = changetype<LostPath>(at);
      if (lost.state == PATH_FAILED && !isOver(lost)) lost.state = PATH_WAITS;
      lost.at = min<i64>(lost.at, now() + ALONE_WAIT);
    }
  }
  pathsArm(connection);
}

/** With PATH_MODE_SINGLE: when no subflow is of use any more another path is tried, those in reserve first. */
export function pathsFailing(connection: Connection): void {
  if (connection.pathMode != PATH_MODE_SINGLE || !reopens(connection) || !mayOpenSubflow(connection)) return;
  managerFill(connection);
  while (mayOpenSubflow(connection)) {
    let best: usize = 0;
    for (let at = connection.lostPaths; at != 0; at = changetype<LostPath>(at).next) {
      const lost = changetype<LostPath>(at);
      if (lost.state == PATH_STANDBY) {
        best = at;
        break;
      }
      if (lost.state != PATH_WAITS || (lost.at > now() && lost.tries > 1)) continue;
      if (best == 0 || lost.at < changetype<LostPath>(best).at) best = at;
    }
    if (best == 0 || !tryPath(connection, changetype<LostPath>(best))) return;
  }
}

/** Another PATH_MODE_ was chosen: paths in reserve are used, unless one at a time is to be. */
export function pathsModeSet(connection: Connection): void {
  if (connection.pathMode == PATH_MODE_SINGLE) return;
  for (let at = connection.lostPaths; at != 0; at = changetype<LostPath>(at).next) {
    const lost = changetype<LostPath>(at);
    if (lost.state != PATH_STANDBY) continue;
    lost.state = PATH_WAITS;
    lost.at = now();
  }
  pathsArm(connection);
}

/** A subflow of ours is established: with PATH_MODE_SINGLE it takes the place of all others. */
export function pathEstablished(connection: Connection, subflow: Subflow): void {
  if (connection.pathMode != PATH_MODE_SINGLE || (subflow.flags & <u8>SUBFLOW_ACTIVE_OPEN) == 0) return;
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const other = changetype<Subflow>(at);
    if (at == changetype<usize>(subflow) || !isOpen(other)) continue;
    rememberForLater(connection, other);
    subflowRetire(connection, other, <u8>RESET_PERFORMANCE);
  }
  pathsArm(connection);
}

/** Opens what is due of the lost paths. */
export function pathsExpire(connection: Connection): void {
  const time = now();
  connection.pathAt = 0;
  if (connection.multipath == 0) return;
  let at = connection.lostPaths;
  while (at != 0) {
    const lost = changetype<LostPath>(at);
    at = lost.next;
    if (lost.state == PATH_WAITS && lost.at <= time) tryPath(connection, lost);
  }
  pathsArm(connection);
}

/** A local address, or its link, came back: what was lost from it is opened at once, and what managers want of it. */
export function pathsReturned(connection: Connection, hi: u64, lo: u64): void {
  if (connection.multipath == 0 || connection.confirmed == 0 || connection.state == CONNECTION_CLOSED) return;
  let at = connection.lostPaths;
  while (at != 0) {
    const lost = changetype<LostPath>(at);
    at = lost.next;
    if (lost.localHi == hi && lost.localLo == lo && lost.state != PATH_GIVEN_UP) tryAnew(connection, lost);
  }
  managerFill(connection);
  pathsArm(connection);
}

/** The peer announced an address and port again (RFC 8684 section 3.4.1): it wants to be tried once more. */
export function pathsRefreshed(connection: Connection, id: u32, announced: u32): void {
  const port = announced != 0 ? announced : <u32>connection.remotePort;
  let at = connection.lostPaths;
  while (at != 0) {
    const lost = changetype<LostPath>(at);
    at = lost.next;
    if (lost.remoteId == id && lost.remotePort == port) tryAnew(connection, lost);
  }
  pathsArm(connection);
}

/** The local address of a subflow is gone: its path waits for the address to come back. */
export function pathWithoutAddress(connection: Connection, subflow: Subflow): void {
  if ((subflow.flags & <u8>SUBFLOW_ACTIVE_OPEN) == 0 || subflow.noReopen != 0 || !reopens(connection)) return;
  if (config(CONFIG_REOPEN_DELAY) == 0 || connection.multipath == 0 || connection.confirmed == 0) return;
  subflow.noReopen = 1;
  lostAdd(connection, subflow, PATH_NO_LINK);
}

/** The application closes a subflow: no manager is to open it again. */
export function pathClosed(connection: Connection, subflow: Subflow): void {
  if (subflow.noReopen != 0) return;
  subflow.noReopen = 1;
  const manager = connection.pathManager;
  if (manager == PATH_MANAGER_FULLMESH || manager == PATH_MANAGER_NDIFFPORTS) lostAdd(connection, subflow, PATH_CLOSED);
}

/** The peer closes a subflow by FIN while the connection goes on: it wants it no more, until it announces its address anew. */
export function pathClosedByPeer(connection: Connection, subflow: Subflow): void {
  if (subflow.closing != 0) return;
  const manager = connection.pathManager;
  const fills = manager == PATH_MANAGER_FULLMESH || manager == PATH_MANAGER_NDIFFPORTS;
  if (fills && subflow.noReopen == 0) lostAdd(connection, subflow, PATH_GIVEN_UP);
  subflow.noReopen = 1;
  subflowLeaves(connection, subflow, RST_PLAIN);
  pathsLeft(connection);
}

/** Puts the nearest time of all lost paths into connection.pathAt. */
export function pathsArm(connection: Connection): void {
  connection.pathAt = 0;
  for (let at = connection.lostPaths; at != 0; at = changetype<LostPath>(at).next) {
    const lost = changetype<LostPath>(at);
    if (lost.state != PATH_WAITS) continue;
    if (connection.pathAt == 0 || lost.at < connection.pathAt) connection.pathAt = lost.at;
  }
}

function tryAnew(connection: Connection, lost: LostPath): void {
  if (lost.state == PATH_CLOSED) return;
  lost.state = PATH_WAITS;
  lost.tries = 0;
  lost.refusals = 0;
  lost.at = now();
  tryPath(connection, lost);
}

/** Opens a subflow on a lost path. Returns true when it did; the record is gone then. */
function tryPath(connection: Connection, lost: LostPath): bool {
  const again =
    connection.pathManager != PATH_MANAGER_NDIFFPORTS &&
    pathInUse(connection, lost.localHi, lost.localLo, lost.remoteHi, lost.remoteLo, lost.remotePort);
  if (again) {
    lostRemove(connection, lost);
    return false;
  }
  if (!mayOpenSubflow(connection)) {
    lost.at = now() + delay(lost);
    if (connection.pathMode == PATH_MODE_SINGLE) lost.state = PATH_STANDBY;
    return false;
  }
  const opened = openPath(
    connection,
    lost.localHi,
    lost.localLo,
    0,
    lost.localId,
    lost.remoteHi,
    lost.remoteLo,
    lost.remotePort,
    lost.remoteId,
    lost.backup != 0,
  );
  if (opened == ERR_ADDRESS_NOT_AVAILABLE || opened == ERR_UNREACHABLE) {
    lost.state = PATH_NO_LINK;
    return false;
  }
  if (opened < 0) {
    if (lost.tries < 255) lost.tries++;
    lost.at = now() + delay(lost);
    return false;
  }
  count(COUNTER_SUBFLOW_REOPEN);
  const subflow = changetype<Subflow>(subflowOfId(connection, <u32>opened));
  subflow.tries = lost.tries;
  subflow.refusals = lost.refusals;
  subflow.pathWorked = lost.worked;
  lostRemove(connection, lost);
  return true;
}

/** µs until the next attempt. */
function delay(lost: LostPath): i64 {
  const first = config(CONFIG_REOPEN_DELAY);
  return min<i64>(first << min<i64>(lost.tries, 16), max<i64>(config(CONFIG_REOPEN_DELAY_MAX), first));
}

function refused(lost: LostPath): void {
  if (lost.refusals < 255) lost.refusals++;
  if (<i64>lost.refusals >= config(CONFIG_REOPEN_REFUSALS)) giveUp(lost, PATH_FAILED);
}

function giveUp(lost: LostPath, state: u32): void {
  lost.state = state;
  count(COUNTER_PATH_GIVEN_UP);
}

/**
 * RFC 8684 section 3.6: when to try again depends on the reason. Resources take their time to be free again, and a path
 * that was slower than all others will not be fast soon. Too much outstanding data is there to begin anew at once.
 */
function transientWait(lost: LostPath, reason: u32): void {
  if (reason == RESET_RESOURCES) lost.tries = max<u8>(lost.tries, RESOURCES_TRIES);
  else if (reason == RESET_PERFORMANCE) lost.tries = max<u8>(lost.tries, PERFORMANCE_TRIES);
}

/** True when another subflow than this one is of use. */
function hasOther(connection: Connection, subflow: Subflow): bool {
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next)
    if (at != changetype<usize>(subflow) && isUseful(changetype<Subflow>(at))) return true;
  return false;
}

/** A subflow makes way for another: its path is one to come back to. */
function rememberForLater(connection: Connection, subflow: Subflow): void {
  if ((subflow.flags & <u8>SUBFLOW_ACTIVE_OPEN) == 0 || subflow.noReopen != 0) return;
  subflow.noReopen = 1;
  lostAdd(connection, subflow, linkOfAddress(subflow.localHi, subflow.localLo) < 0 ? PATH_NO_LINK : PATH_STANDBY);
}
