import {
  COUNTER_MPTCP_FallbackFailed,
  ERR_RESET,
  FALLBACK_INFINITE_MAPPING,
  RESET_MPTCP,
  RESET_RESOURCES,
  SUBFLOW_ACTIVE_OPEN,
  TCP_CLOSED,
  TCP_TIME_WAIT,
} from '../abi';
import { rangeClear } from '../memory/ranges';
import { managerFill } from '../paths/manager';
import { now } from '../state/clock';
import { Connection, rcvRanges, SINGLE_ASKED, SINGLE_NONE, SINGLE_RESENDS, SINGLE_WANTED } from '../state/connection';
import { count } from '../state/counters';
import { DataMap, mapFree } from '../state/datamap';
import { isSynchronized, JOIN_DONE, JOIN_WAIT_SINGLE, RST_PLAIN, Subflow, subflowRanges } from '../state/subflow';
import { closeSending, resetDue, subflowRelease } from '../tcp/close';
import { ackNow, readyAdd } from '../tcp/ready';
import { currentRto } from '../tcp/rtt';
import { DSS_M } from '../wire/mptcp';
import { options } from '../wire/options';
import { segment } from '../wire/segment';
import { sessionAbort } from './closing';
import { copiesFromFront, isRedundant } from './copies';
import { fallBack } from './fallback';
import { reinjectUncarried } from './reinject';
import { pushLater } from './send';
import { sessionArm } from './timer';

/**
 * Single-path mode (RFC 8684 section 3.7): the data on the last subflow was changed and lies in no line, so that it ended
 * by RST with MP_FAIL. "The sender MAY attempt to create a new subflow", which then is plain TCP from its first byte on:
 *
 *   opener                                       other side
 *     MP_JOIN ... third ACK ─────────────────────▶  holds its data
 *     ◀──────────────────── fourth ACK: DATA_ACK
 *     holds its data; ACK: DATA_ACK, infinite
 *     mapping from what that acknowledged on ────▶  falls back
 *     ◀──── ACK or data: infinite mapping, likewise
 *     falls back
 *
 * Nobody sends data before it knows what the other side has, and while no other subflow is there that stays as it is: so
 * both streams go on at the very byte, and all that came behind it is discarded. Who does not know of this mode ignores
 * such an ACK, or sends data: then the subflow is one of Multipath TCP.
 */

/** Infinite mappings offered on ACKs before this side goes on without. */
const OFFERS: u32 = 4;
/** Probes of the side that waits for one. */
const PROBES: u32 = 2;

/** True when no other subflow could carry data any more. */
export function isLast(connection: Connection, subflow: Subflow): bool {
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const other = changetype<Subflow>(at);
    if (other === subflow || other.rstDue != 0 || other.join == JOIN_WAIT_SINGLE) continue;
    if (isSynchronized(other) && other.state != TCP_TIME_WAIT && other.state != TCP_CLOSED) return false;
  }
  return true;
}

/** The last subflow ends by MP_FAIL: the next is to be the only one. `reason` says which side found the changed data. */
export function singleWanted(connection: Connection, subflow: Subflow, reason: i32): void {
  if (!isLast(connection, subflow)) return;
  connection.single = SINGLE_WANTED;
  connection.singleReason = <u8>reason;
}

/** A join is complete in a connection that wants one subflow only: data waits until it is settled how it goes. */
export function singleJoined(connection: Connection, subflow: Subflow): void {
  subflow.join = JOIN_WAIT_SINGLE;
  // So does the end of the stream.
  connection.dataFinDue = 0;
  if ((subflow.flags & <u8>SUBFLOW_ACTIVE_OPEN) == 0) return;
  // If the peer does not agree joins come again.
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next)
    if (at != changetype<usize>(subflow) && changetype<Subflow>(at).rstDue == 0)
      resetDue(changetype<Subflow>(at), <u8>RESET_RESOURCES);
  connection.single = SINGLE_ASKED;
  connection.failTries = 0;
  connection.infiniteSent = 0;
  connection.infiniteDue = connection.checksum != 0 ? 2 : 1;
  connection.infiniteSsn = 1;
  offer(connection, subflow);
}

/** The infinite mapping goes out with an ACK, see ackOptions(); both can be lost. */
function offer(connection: Connection, subflow: Subflow): void {
  connection.failAt = now() + (currentRto(subflow) << connection.failTries);
  connection.failTries++;
  ackNow(subflow);
  sessionArm(connection);
}

/** No answer came to the offer. */
export function singleExpired(connection: Connection): void {
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const subflow = changetype<Subflow>(at);
    if (subflow.join != JOIN_WAIT_SINGLE) continue;
    if (connection.failTries < OFFERS) offer(connection, subflow);
    else letGo(connection, subflow);
    return;
  }
}

/** The data-level timer of a side that waits for the offer: a probe makes the peer answer; in the end it goes on without. */
export function singleProbe(connection: Connection, subflow: Subflow): void {
  if (connection.single == SINGLE_ASKED) return;
  if (<u32>connection.rtxBackoff > PROBES) letGo(connection, subflow);
  else subflow.probeDue = 1;
}

/** A DSS arrived on a subflow that waits; the infinite mapping is taken by singleMapping(). */
export function singleHeard(connection: Connection, subflow: Subflow): void {
  const mapped = (options.dssFlags & DSS_M) != 0;
  if (mapped && options.dssLength == 0) return;
  // The opener waits for an answer; the other side for an offer, which would be the first thing to come.
  if (connection.single != SINGLE_ASKED || mapped) letGo(connection, subflow);
}

/** The subflow is one of Multipath TCP after all. */
function letGo(connection: Connection, subflow: Subflow): void {
  subflow.join = JOIN_DONE;
  connection.single = SINGLE_NONE;
  connection.failAt = 0;
  connection.infiniteDue = 0;
  if (connection.finState == 2) {
    connection.dataFinDue = 1;
    ackNow(subflow);
  }
  managerFill(connection);
  readyAdd(subflow);
  pushLater(connection);
  sessionArm(connection);
}

/** An infinite mapping on a joined subflow. Returns false when the subflow or connection is over by it. */
export function singleMapping(connection: Connection, subflow: Subflow, dsn: u64): bool {
  const exact = dsn == received(connection) && options.dssSsn == 1 && isUnused(subflow);
  if (connection.single == SINGLE_ASKED && subflow.join == JOIN_WAIT_SINGLE) {
    if (!exact) {
      // The peer has gone over to TCP, and its stream does not begin where it would have to.
      sessionAbort(connection, ERR_RESET);
      return false;
    }
    becomeSingle(connection, subflow, connection.singleReason);
    connection.lateMaps = 0;
    return true;
  }
  if (exact && isLast(connection, subflow)) {
    const told = connection.single == SINGLE_WANTED;
    becomeSingle(connection, subflow, told ? connection.singleReason : FALLBACK_INFINITE_MAPPING);
    ackNow(subflow);
    return true;
  }
  // An offer that cannot be taken: data that is on its way already tells the peer.
  if (segment.payloadLength == 0) {
    if (subflow.join == JOIN_WAIT_SINGLE) letGo(connection, subflow);
    return true;
  }
  count(COUNTER_MPTCP_FallbackFailed);
  resetDue(subflow, <u8>RESET_MPTCP);
  return false;
}

/** The number of the next byte of the peer's stream. */
function received(connection: Connection): u64 {
  return connection.rcvNxt - (connection.rcvFinState == 2 ? 1 : 0);
}

/** True for a subflow by which no data went, neither way. */
function isUnused(subflow: Subflow): bool {
  if (subflow.seqEnd != subflow.iss + 1 || subflow.rcvOffset != 0) return false;
  return subflow.receiveMapHead == 0 && subflowRanges(subflow).count == 0 && subflow.finReceived == 0;
}

/** Both streams go on by this subflow from its first byte on, without mappings. */
function becomeSingle(connection: Connection, subflow: Subflow, reason: i32): void {
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const other = changetype<Subflow>(at);
    if (other === subflow) continue;
    subflowRelease(other);
    if (other.rstDue == 0) resetDue(other, RST_PLAIN);
  }
  while (connection.reinjectHead != 0) {
    const map = changetype<DataMap>(connection.reinjectHead);
    connection.reinjectHead = map.next;
    mapFree(map);
  }
  connection.reinjectTail = 0;
  // "The receiver MUST discard all data that follows the data sequence number specified", and so where it ends.
  rangeClear(rcvRanges(connection));
  if (connection.rcvFinState == 1) connection.rcvFinState = 0;
  connection.rcvPlainBase = received(connection);
  connection.infiniteDue = connection.checksum != 0 ? 2 : 1;
  connection.infiniteSent = 0;
  connection.infiniteDsn = connection.sndUna;
  connection.infiniteSsn = 1;
  connection.failWait = 0;
  connection.failAt = 0;
  const ended = connection.finState == 3;
  subflow.join = JOIN_WAIT_SINGLE;
  // What the SYN brought went by another subflow.
  connection.sndEarly = 0;
  fallBack(connection, reason);
  subflow.join = JOIN_DONE;
  connection.lateMaps = 1;
  connection.single = SINGLE_NONE;
  if (isRedundant(connection)) {
    copiesFromFront(connection);
  } else if (connection.sndUna != connection.sndNxt) {
    connection.single = SINGLE_RESENDS;
    reinjectUncarried(connection);
  }
  if (ended) closeSending(subflow);
  readyAdd(subflow);
  sessionArm(connection);
}
