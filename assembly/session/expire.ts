import {
  CONFIG_STALE_LOSS_CNT,
  CONNECTION_CLOSED,
  COUNTER_MPTCP_SubflowStale,
  COUNTER_MPTCP_WinProbe,
  ERR_TIMED_OUT,
  PATH_MODE_SINGLE,
} from '../abi';
import { congestionLoss, congestionTimeout } from '../congestion/control';
import { signalsExpire } from '../paths/announce';
import { pathsExpire, pathsFailing } from '../paths/reopen';
import { usable } from '../scheduler/usable';
import { now } from '../state/clock';
import { config } from '../state/config';
import { Connection } from '../state/connection';
import { count } from '../state/counters';
import { canCarryData, JOIN_WAIT_SINGLE, ownerOf, Subflow } from '../state/subflow';
import { subflowExpire, windowProbe } from '../tcp/expire';
import { softErrorOf } from '../tcp/icmp';
import { ackNow, readyAdd } from '../tcp/ready';
import { SIGNAL_CLOSED, SIGNAL_RECOVERY, SIGNAL_SYN_TIMEOUT, SIGNAL_TIMED_OUT, SIGNAL_TIMEOUT } from '../tcp/signals';
import { sessionAbort, sessionCloseExpired, sessionSubflowClosed } from './closing';
import { failExpired } from './fail';
import { acknowledgmentsStripped, handshakeUnanswered } from './fallback';
import { fastcloseExpired } from './fastclose';
import { synTimedOut } from './open';
import { reinject, reinjectFront } from './reinject';
import { controlSubflow, pushLater } from './send';
import { singleProbe } from './single';
import { sessionArm, userTimedOut } from './timer';

/** What happens when time passes: on a subflow, and on a connection. */

export function expireSubflow(subflow: Subflow): void {
  const signals = subflowExpire(subflow);
  if ((signals & SIGNAL_CLOSED) != 0) {
    sessionSubflowClosed(subflow, (signals & SIGNAL_TIMED_OUT) != 0 ? timeoutError(subflow) : 0);
    return;
  }
  if (subflow.owner == 0) return;
  if ((signals & SIGNAL_SYN_TIMEOUT) != 0) synTimedOut(subflow);
  if ((signals & SIGNAL_RECOVERY) != 0) congestionLoss(subflow, 0);
  if ((signals & SIGNAL_TIMEOUT) != 0) {
    congestionTimeout(subflow);
    if (!handshakeUnanswered(ownerOf(subflow), subflow, subflow.backoff)) stalled(ownerOf(subflow), subflow);
  }
}

/** RFC 1122 section 4.2.3.9: what a router said of the path tells more than that nobody answered. */
function timeoutError(subflow: Subflow): i32 {
  return subflow.softError != 0 ? softErrorOf(subflow) : ERR_TIMED_OUT;
}

export function expireConnection(connection: Connection): void {
  const time = now();
  if (connection.signalAt != 0 && connection.signalAt <= time) signalsExpire(connection);
  if (connection.failAt != 0 && connection.failAt <= time) {
    if (connection.state == CONNECTION_CLOSED) fastcloseExpired(connection);
    else failExpired(connection);
  }
  if (connection.pathAt != 0 && connection.pathAt <= time) pathsExpire(connection);
  if (connection.rtxAt != 0 && connection.rtxAt <= time) {
    dataTimeout(connection);
    if (connection.live == 0 || connection.state == CONNECTION_CLOSED) return;
  }
  const over = connection.closeAt != 0 && connection.closeAt <= time;
  if (over || (connection.rejoinAt != 0 && connection.rejoinAt <= time)) {
    sessionCloseExpired(connection);
    return;
  }
  sessionArm(connection);
}

/** A subflow's timer ran out: what it holds goes to others at once; after several times it gets nothing new. */
export function stalled(connection: Connection, subflow: Subflow): void {
  if (connection.multipath == 0) return;
  const single = connection.pathMode == PATH_MODE_SINGLE;
  if (
    subflow.stale == 0 &&
    <i64>subflow.backoff >= config(CONFIG_STALE_LOSS_CNT) &&
    (single || hasBetter(connection, subflow))
  ) {
    subflow.stale = 1;
    count(COUNTER_MPTCP_SubflowStale);
  }
  reinject(connection, subflow, false);
  if (single) {
    pathsFailing(connection);
    sessionArm(connection);
  }
}

/** True when another subflow gets on better: as in Linux no subflow is stale without one. */
function hasBetter(connection: Connection, subflow: Subflow): bool {
  const most = max<i64>(config(CONFIG_STALE_LOSS_CNT) - 1, 1);
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const other = changetype<Subflow>(at);
    if (at != changetype<usize>(subflow) && usable(other) && <i64>other.backoff < most) return true;
  }
  return false;
}

/** The next subflow, each time, that can carry a segment without data, or 0. */
function otherCarrier(connection: Connection): usize {
  let usable: u32 = 0;
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next)
    if (canCarryData(changetype<Subflow>(at))) usable++;
  if (usable < 2) return controlSubflow(connection);
  let skip = connection.rtxBackoff % usable;
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next)
    if (canCarryData(changetype<Subflow>(at)) && skip-- == 0) return at;
  return 0;
}

/** RFC 8684 section 3.3.6: nothing was acknowledged at data level for long. */
function dataTimeout(connection: Connection): void {
  connection.rtxAt = 0;
  if (userTimedOut(connection)) {
    sessionAbort(
      connection,
      connection.subflows != 0 ? timeoutError(changetype<Subflow>(connection.subflows)) : ERR_TIMED_OUT,
    );
    return;
  }
  // It may have been acknowledged by ACKs whose options a middlebox removed.
  if (connection.multipath != 0 && connection.subflows != 0) {
    const first = changetype<Subflow>(connection.subflows);
    if (first.bareAcks != 0 && acknowledgmentsStripped(connection, first)) return;
    // All bytes went with the SYN, or there were none: no more than the DATA_FIN can tell that options do not get through.
    if (connection.finState == 2 && handshakeUnanswered(connection, first, connection.rtxBackoff)) return;
  }
  if (connection.rtxBackoff < 16) connection.rtxBackoff++;
  connection.retransmits++;
  reinjectFront(connection);
  if (connection.finState == 2 && connection.multipath != 0) {
    // The DATA_FIN, or its acknowledgment, was lost, perhaps because of its path.
    const carrier = otherCarrier(connection);
    if (carrier != 0) {
      connection.dataFinDue = 1;
      ackNow(changetype<Subflow>(carrier));
      // A peer that takes it for an ACK of TCP has to answer an old sequence number, and so tells that it has fallen back.
      if (connection.rtxBackoff > 1 && connection.subflowsTotal == 1) changetype<Subflow>(carrier).probeDue = 1;
    }
  }
  let silent: usize = 0;
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const subflow = changetype<Subflow>(at);
    if (subflow.outstanding != 0) continue;
    if (subflow.join == JOIN_WAIT_SINGLE) singleProbe(connection, subflow);
    // Bytes wait and nothing is in flight: the window is closed, and its opening may have been lost.
    const waits = connection.sndNxt != connection.sndEnd || connection.reinjectHead != 0;
    if ((waits && canCarryData(subflow)) || subflow.mapNext != 0) {
      if (connection.multipath != 0) count(COUNTER_MPTCP_WinProbe);
      if (windowProbe(subflow)) silent = at;
    }
    // Or there was no memory to keep account of a segment: there may be some now.
    readyAdd(subflow);
  }
  pushLater(connection);
  // One at a time: the next interval finds the next.
  if (silent != 0) sessionSubflowClosed(changetype<Subflow>(silent), timeoutError(changetype<Subflow>(silent)));
}
