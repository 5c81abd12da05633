import {
  CONFIG_CLOSE_TIMEOUT,
  CONNECTION_CLOSED,
  CONNECTION_CLOSING,
  CONNECTION_CONNECTING,
  COUNTER_MPTCP_MPCurrEstab,
  COUNTER_REJOIN_WAIT,
  ERR_ABORTED,
  ERR_REFUSED,
  ERR_RESET,
  ERR_TIMED_OUT,
  EVENT_CLOSED,
  EVENT_SUBFLOW_CLOSED,
  RESET_UNSPECIFIED,
  SUBFLOW_ACTIVE_OPEN,
  SUBFLOW_INITIAL,
  TCP_CLOSED,
  TCP_SYN_RECEIVED,
  TCP_SYN_SENT,
  TCP_TIME_WAIT,
} from '../abi';
import { poolFree } from '../memory/pool';
import { rangeClear } from '../memory/ranges';
import { timerCancel } from '../memory/wheel';
import { pathsClear } from '../paths/local';
import { lostClear } from '../paths/lost';
import { pathLost, pathsLeft } from '../paths/reopen';
import { subflowDetach, subflowUncount } from '../paths/subflows';
import { now } from '../state/clock';
import { config } from '../state/config';
import {
  Connection,
  connectionPool,
  connectionTimer,
  rcvRanges,
  readableBytes,
  SINGLE_ASKED,
  SINGLE_WANTED,
} from '../state/connection';
import { count, countBy } from '../state/counters';
import { eventListener, eventNotice, eventRaise, eventsForget } from '../state/events';
import { Listener } from '../state/listener';
import { monitorConnection, monitorSubflow } from '../state/monitor';
import {
  isSynchronized,
  JOIN_WAIT_ACK,
  JOIN_WAIT_HMAC,
  JOIN_WAIT_SINGLE,
  opensEarly,
  ownerOf,
  RST_FASTCLOSE,
  RST_PLAIN,
  Subflow,
} from '../state/subflow';
import { closeSending, resetDue, subflowDestroy, subflowRelease } from '../tcp/close';
import { timersArm } from '../tcp/timers';
import { bufferClear } from './buffer';
import { fastcloseCarrier, fastcloseSend } from './fastclose';
import { joinEnded } from './joins';
import { reinject, reinjectUncarried } from './reinject';
import { pushLater, sendClear } from './send';
import { sessionArm } from './timer';
import { tokenRemove } from './tokens';

/** How connections and their subflows end (RFC 8684 sections 3.3.3, 3.5 and 3.6). */

/** Ends the sending side behind what was written. */
export function sessionShutdown(connection: Connection): void {
  if (connection.finState != 0 || connection.state == CONNECTION_CLOSED) return;
  connection.finState = 1;
  if (connection.state != CONNECTION_CONNECTING) connection.state = <u8>CONNECTION_CLOSING;
  pushLater(connection);
}

/** The application gives up its handle: the rest goes on without it, or is aborted when it left bytes unread. */
export function sessionClose(connection: Connection): void {
  const unread = readableBytes(connection) > 0;
  orphan(connection);
  if (connection.state == CONNECTION_CLOSED) {
    settle(connection);
    return;
  }
  if (unread || connection.state == CONNECTION_CONNECTING || connection.linger == 0) {
    sessionAbort(connection, ERR_ABORTED);
    return;
  }
  sessionShutdown(connection);
  connection.closeAt = now() + (connection.linger > 0 ? connection.linger : config(CONFIG_CLOSE_TIMEOUT));
  sessionArm(connection);
}

/** Ends everything at once: MP_FASTCLOSE, or RST. */
export function sessionAbort(connection: Connection, error: i32): void {
  const fast = connection.multipath != 0 && connection.confirmed != 0;
  tearDown(connection, error, fast ? RST_FASTCLOSE : RST_PLAIN, fast ? fastcloseCarrier(connection) : 0);
}

/** The peer ended everything at once: "tears down all subflows by sending a TCP RST" (RFC 8684 section 3.5). */
export function sessionFastclosed(connection: Connection): void {
  tearDown(connection, ERR_RESET, <u8>RESET_UNSPECIFIED, 0);
}

/** Resets all subflows but `carrier`, whose MP_FASTCLOSE on an ACK waits for its answer. */
function tearDown(connection: Connection, error: i32, reason: u8, carrier: usize): void {
  if (connection.state == CONNECTION_CLOSED) {
    settle(connection);
    return;
  }
  finish(connection, error);
  let at = connection.subflows;
  while (at != 0) {
    const subflow = changetype<Subflow>(at);
    at = subflow.next;
    if (subflow.state == TCP_TIME_WAIT) sessionSubflowTimeWait(subflow);
    else if (subflow.state == TCP_SYN_SENT || subflow.state == TCP_CLOSED) sessionSubflowClosed(subflow, error);
    else if (carrier == 0) resetDue(subflow, reason);
    else if (changetype<usize>(subflow) == carrier) fastcloseSend(connection, subflow);
    else resetDue(subflow, RST_PLAIN);
  }
  settle(connection);
}

/** A subflow is over: its unacknowledged bytes go to others, or the connection ends with it. */
export function sessionSubflowClosed(subflow: Subflow, error: i32): void {
  if (subflow.owner == 0) {
    subflowDestroy(subflow);
    return;
  }
  const connection = ownerOf(subflow);
  const opening = subflow.state == TCP_SYN_SENT || subflow.state == TCP_SYN_RECEIVED;
  const established = !opening || opensEarly(subflow);
  // Whoever asks for probes wants to know soon that nobody answers.
  const probed = error == ERR_TIMED_OUT && subflow.probes != 0 && subflow.outstanding == 0;
  const initial = (subflow.flags & SUBFLOW_INITIAL) != 0;
  joinEnded(subflow);
  if (initial && connection.failWait != 0) {
    // What waited for the answer to MP_FAIL comes again by another subflow, if at all.
    connection.failWait = 0;
    connection.failAt = 0;
  }
  if (subflow.join == JOIN_WAIT_SINGLE && connection.single == SINGLE_ASKED) {
    // So does what was offered, see session/single.ts.
    connection.single = SINGLE_WANTED;
    connection.failAt = 0;
    connection.infiniteDue = 0;
  }
  subflowUncount(connection, subflow);
  if (connection.multipath != 0) reinject(connection, subflow, true);
  const hopeless = pathLost(connection, subflow, error) || subflow.rstReason == RST_FASTCLOSE;
  const acked = subflow.bytesAcked != 0;
  if (subflow.join != JOIN_WAIT_HMAC && (established || !initial)) subflowClosed(connection, subflow, opening, error);
  if (connection.lastReceived == changetype<usize>(subflow)) connection.lastReceived = 0;
  subflowDetach(connection, subflow);
  subflowDestroy(subflow);
  subflowLeft(connection, error, probed, acked, hopeless);
}

/** A subflow entered TIME-WAIT: it needs its connection no more. */
export function sessionSubflowTimeWait(subflow: Subflow): void {
  if (subflow.owner == 0) return;
  const connection = ownerOf(subflow);
  subflowUncount(connection, subflow);
  if (connection.multipath != 0) reinject(connection, subflow, true);
  subflowRelease(subflow);
  subflowClosed(connection, subflow, false, 0);
  if (connection.lastReceived == changetype<usize>(subflow)) connection.lastReceived = 0;
  const acked = subflow.bytesAcked != 0;
  subflowDetach(connection, subflow);
  sessionProgress(connection);
  subflowLeft(connection, 0, false, acked, false);
}

/** Tells that a subflow is gone. */
function subflowClosed(connection: Connection, subflow: Subflow, opening: bool, error: i32): void {
  const refused = opening && error == ERR_RESET && (subflow.flags & <u8>SUBFLOW_ACTIVE_OPEN) != 0;
  const reason = refused ? ERR_REFUSED : error;
  eventNotice(connection, EVENT_SUBFLOW_CLOSED, reason, subflow.id, subflow.resetReason);
  monitorSubflow(connection, subflow, EVENT_SUBFLOW_CLOSED, reason);
}

/**
 * A connection lost a subflow, with an error or 0: others may be opened, or it waits for one, or it is over. With `probed`
 * keep-alive probes told of its end, with `acked` it may have acknowledged what the connection never got, and `hopeless`
 * says that nobody opens another when it was the last.
 */
function subflowLeft(connection: Connection, error: i32, probed: bool, acked: bool, hopeless: bool): void {
  if (connection.state != CONNECTION_CLOSED) {
    if (connection.multipath != 0 && acked) reinjectUncarried(connection);
    pathsLeft(connection);
    if (!hasJoined(connection)) {
      if (outlives(connection) && !(hopeless && connection.subflows == 0)) {
        awaitJoin(connection, probed);
      } else if (connection.subflows == 0) {
        // With nothing left that could carry it the connection is over; orderly only if both ends had been reached.
        let reason = error;
        if (connection.state == CONNECTION_CONNECTING && error == ERR_RESET) reason = ERR_REFUSED;
        if (reason == 0) reason = isOver(connection) ? 0 : ERR_RESET;
        finish(connection, reason);
      }
    }
    if (connection.state != CONNECTION_CLOSED) sessionArm(connection);
  }
  settle(connection);
}

/**
 * True for a connection that may go on without a subflow (break before make): its peer has the keys to join it, and it is
 * not over. What an application left behind waits only as long as there is something to deliver.
 */
function outlives(connection: Connection): bool {
  if (connection.multipath == 0 || connection.confirmed == 0 || connection.rejoinTimeout == 0) return false;
  if (connection.state == CONNECTION_CONNECTING || isOver(connection)) return false;
  return connection.orphaned == 0 || connection.finState != 3;
}

/** True when a subflow has its handshake behind it. */
function hasJoined(connection: Connection): bool {
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const subflow = changetype<Subflow>(at);
    if (isSynchronized(subflow) && subflow.join != JOIN_WAIT_ACK && subflow.join != JOIN_WAIT_HMAC) return true;
  }
  return false;
}

/** The wait begins; when probes were not answered, no longer than these took. */
function awaitJoin(connection: Connection, probed: bool): void {
  if (connection.rejoinAt != 0) return;
  count(COUNTER_REJOIN_WAIT);
  const probes = connection.keepAliveInterval * <i64>connection.keepAliveCount;
  connection.rejoinAt = now() + (probed ? min<i64>(connection.rejoinTimeout, probes) : connection.rejoinTimeout);
}

/** Both ends of the stream may have been reached: then subflows are closed and the application is told. */
export function sessionProgress(connection: Connection): void {
  if (connection.state == CONNECTION_CLOSED) return;
  if (connection.rcvFinState == 2 && connection.state != CONNECTION_CONNECTING)
    connection.state = <u8>CONNECTION_CLOSING;
  if (!isOver(connection)) return;
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const subflow = changetype<Subflow>(at);
    // A join that is still under way has nothing left to join.
    if (subflow.state == TCP_SYN_SENT || subflow.state == TCP_SYN_RECEIVED) resetDue(subflow, RST_PLAIN);
    else if (connection.multipath != 0) closeSending(subflow);
    // A peer that never answers the FIN must not hold it for ever.
    if (subflow.stateAt == 0) {
      subflow.stateAt = now() + config(CONFIG_CLOSE_TIMEOUT);
      timersArm(subflow);
    }
  }
  finish(connection, 0);
}

/** The deadline of an orphan, of a connection whose peer went silent while closing, or of one without a subflow. */
export function sessionCloseExpired(connection: Connection): void {
  connection.closeAt = 0;
  sessionAbort(connection, ERR_TIMED_OUT);
}

/** Frees a connection that nobody refers to any more. */
export function settle(connection: Connection): void {
  if (connection.live == 0 || connection.state != CONNECTION_CLOSED) return;
  if (connection.orphaned == 0 || connection.subflows != 0) return;
  timerCancel(connectionTimer(connection));
  eventsForget(connection);
  sendClear(connection);
  bufferClear(connection);
  rangeClear(rcvRanges(connection));
  pathsClear(connection);
  tokenRemove(connection);
  connection.live = 0;
  poolFree(connectionPool, changetype<usize>(connection));
}

/** Takes a connection from the accept queue of its listener. */
export function leaveListener(connection: Connection): void {
  if (connection.listener == 0) return;
  const listener = changetype<Listener>(connection.listener);
  connection.listener = 0;
  listener.pending--;
  if (connection.acceptQueued == 0) return;
  connection.acceptQueued = 0;
  listener.waiting--;
  let before: usize = 0;
  for (let at = listener.acceptHead; at != 0; at = changetype<Connection>(at).acceptNext) {
    if (at == changetype<usize>(connection)) {
      if (before == 0) listener.acceptHead = connection.acceptNext;
      else changetype<Connection>(before).acceptNext = connection.acceptNext;
      if (listener.acceptTail == at) listener.acceptTail = before;
      return;
    }
    before = at;
  }
}

/** An established connection waits to be accepted. */
export function joinAcceptQueue(connection: Connection): void {
  const listener = changetype<Listener>(connection.listener);
  connection.acceptQueued = 1;
  listener.waiting++;
  connection.acceptNext = 0;
  if (listener.acceptTail != 0) changetype<Connection>(listener.acceptTail).acceptNext = changetype<usize>(connection);
  else listener.acceptHead = changetype<usize>(connection);
  listener.acceptTail = changetype<usize>(connection);
  eventListener(listener);
}

function orphan(connection: Connection): void {
  eventsForget(connection);
  connection.orphaned = 1;
}

/** True when both ends of the stream were reached, and both sides know. */
export function isOver(connection: Connection): bool {
  return connection.finState == 3 && connection.rcvFinState == 2;
}

function finish(connection: Connection, error: i32): void {
  if (connection.multipath != 0 && connection.confirmed != 0) countBy(COUNTER_MPTCP_MPCurrEstab, -1);
  connection.state = <u8>CONNECTION_CLOSED;
  connection.error = error;
  connection.rtxAt = 0;
  connection.closeAt = 0;
  connection.signalAt = 0;
  connection.failAt = 0;
  connection.pathAt = 0;
  connection.rejoinAt = 0;
  lostClear(connection);
  if (connection.monitorToken != 0) monitorConnection(connection, EVENT_CLOSED, error);
  if (error != 0) sendClear(connection);
  // Nobody will ever accept a connection that ended in its handshake; one that waits to be accepted is still shown.
  if (connection.listener != 0 && connection.acceptQueued == 0) {
    leaveListener(connection);
    orphan(connection);
  }
  eventRaise(connection, EVENT_CLOSED);
}
