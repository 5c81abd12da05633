import {
  CONFIG_LIMIT_SUBFLOWS,
  COUNTER_MPTCP_MPJoinSynTxBindErr,
  COUNTER_MPTCP_MPJoinSynTxConnectErr,
  COUNTER_MPTCP_MPJoinSynTxCreatSkErr,
  ERR_ADDRESS_IN_USE,
  ERR_ADDRESS_NOT_AVAILABLE,
  ERR_NO_MEMORY,
  ERR_UNREACHABLE,
  PATH_MANAGER_KERNEL,
  PATH_MODE_BACKUP,
  PATH_MODE_SINGLE,
  SUBFLOW_ACTIVE_OPEN,
  SUBFLOW_BACKUP_LOCAL,
  SUBFLOW_INITIAL,
  SUBFLOW_JOINED,
  SUBFLOWS_MAX,
  TCP_CLOSED,
  TCP_TIME_WAIT,
} from '../abi';
import { randomU32 } from '../crypto/random';
import { config } from '../state/config';
import { Connection, SIGNAL_DUE_REMOVE, SINGLE_ASKED } from '../state/connection';
import { count } from '../state/counters';
import { linkAt, linkOfAddress } from '../state/link';
import { canCarryData, JOIN_WAIT_ACK, Subflow } from '../state/subflow';
import { closeSending, closingArm, resetDue } from '../tcp/close';
import { flowFind } from '../tcp/flows';
import { openActive, subflowCreate } from '../tcp/handshake';
import { freePort } from '../tcp/ports';

/** The subflows of a connection: adding one to its list, finding one, and opening one by MP_JOIN. */

export function subflowAttach(connection: Connection, subflow: Subflow): void {
  subflow.owner = changetype<usize>(connection);
  subflow.id = ++connection.nextSubflowId;
  subflow.next = 0;
  if (connection.subflows == 0) {
    connection.subflows = changetype<usize>(subflow);
  } else {
    let last = changetype<Subflow>(connection.subflows);
    while (last.next != 0) last = changetype<Subflow>(last.next);
    last.next = changetype<usize>(subflow);
  }
  connection.subflowCount++;
}

export function subflowDetach(connection: Connection, subflow: Subflow): void {
  if (connection.subflows == changetype<usize>(subflow)) {
    connection.subflows = subflow.next;
  } else {
    let before = changetype<Subflow>(connection.subflows);
    while (before.next != changetype<usize>(subflow)) before = changetype<Subflow>(before.next);
    before.next = subflow.next;
  }
  connection.subflowCount--;
  subflow.owner = 0;
  subflow.next = 0;
}

/** The subflow of an id, or 0. */
export function subflowOfId(connection: Connection, id: u32): usize {
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next)
    if (changetype<Subflow>(at).id == id) return at;
  return 0;
}

/** True for a subflow that is open, or on its way to be. */
export function isOpen(subflow: Subflow): bool {
  return subflow.rstDue == 0 && subflow.finWanted == 0 && subflow.state != TCP_CLOSED && subflow.state != TCP_TIME_WAIT;
}

/** Beside the initial one, a subflow counts until it is over or is being closed. */
export function subflowUncount(connection: Connection, subflow: Subflow): void {
  if ((subflow.flags & SUBFLOW_INITIAL) != 0 || subflow.closing != 0) return;
  if (connection.extraSubflows > 0) connection.extraSubflows--;
}

/**
 * Closes a subflow while its connection goes on. RFC 8684 section 3.4.2: "A subflow that is still functioning MUST be
 * closed with a FIN exchange as in regular TCP". Another one is reset, with a reason.
 */
export function subflowRetire(connection: Connection, subflow: Subflow, reason: u8): void {
  const functions = canCarryData(subflow) && subflow.backoff == 0 && subflow.stale == 0 && linkAt(subflow.link).up != 0;
  if (functions) subflowLeaves(connection, subflow, reason);
  else resetDue(subflow, reason);
}

/**
 * From now on a subflow gets nothing new, and its FIN follows what it has sent; it takes data until the peer's FIN came.
 * When that takes too long it is reset, with a reason.
 */
export function subflowLeaves(connection: Connection, subflow: Subflow, reason: u8): void {
  if (subflow.closing != 0) return;
  subflowUncount(connection, subflow);
  subflow.closing = 1;
  subflow.rstReason = reason;
  connection.handBack = 1;
  closeSending(subflow);
  closingArm(subflow);
}

/** Remembers the addresses of the first subflow, which may go before its connection does. */
export function rememberInitial(connection: Connection, subflow: Subflow): void {
  connection.localHi = subflow.localHi;
  connection.localLo = subflow.localLo;
  connection.remoteHi = subflow.remoteHi;
  connection.remoteLo = subflow.remoteLo;
  connection.localPort = subflow.localPort;
  connection.remotePort = subflow.remotePort;
}

/**
 * True when the connection may accept a subflow more: as in Linux the limit `subflows` counts those beside the initial one,
 * whether that is there or not. Managers that have no limits are bounded by the ABI alone.
 */
export function mayAcceptSubflow(connection: Connection): bool {
  if (connection.subflowCount >= <u32>SUBFLOWS_MAX || connection.failWait != 0) return false;
  if (connection.single == SINGLE_ASKED) return false;
  if (connection.pathManager != PATH_MANAGER_KERNEL) return true;
  return <i64>connection.extraSubflows < config(CONFIG_LIMIT_SUBFLOWS);
}

/** True when a path manager may open one more; with PATH_MODE_SINGLE only in place of one that failed. */
export function mayOpenSubflow(connection: Connection): bool {
  if (!mayAcceptSubflow(connection)) return false;
  if (connection.pathMode != PATH_MODE_SINGLE) return true;
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next)
    if (isUseful(changetype<Subflow>(at))) return false;
  return true;
}

/** False for a subflow that closes, has lost its link, or makes no progress any more. */
export function isUseful(subflow: Subflow): bool {
  return isOpen(subflow) && subflow.stale == 0 && linkAt(subflow.link).up != 0;
}

/** True when a subflow of the connection runs, or is being opened, between these addresses. */
export function pathInUse(
  connection: Connection,
  localHi: u64,
  localLo: u64,
  remoteHi: u64,
  remoteLo: u64,
  remotePort: u32,
): bool {
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const subflow = changetype<Subflow>(at);
    if (
      isOpen(subflow) &&
      subflow.localHi == localHi &&
      subflow.localLo == localLo &&
      subflow.remoteHi == remoteHi &&
      subflow.remoteLo == remoteLo &&
      subflow.remotePort == remotePort
    )
      return true;
  }
  return false;
}

/**
 * Sends an MP_JOIN (RFC 8684 section 3.2) from an address of a link that is up; local port 0 is chosen. Returns the id of
 * the subflow, or the error that there is no address, port or memory for it.
 */
export function openPath(
  connection: Connection,
  localHi: u64,
  localLo: u64,
  localPort: u32,
  localId: u32,
  remoteHi: u64,
  remoteLo: u64,
  remotePort: u32,
  remoteId: u32,
  backup: bool,
): i32 {
  const link = linkOfAddress(localHi, localLo);
  if (link < 0) return failed(ERR_ADDRESS_NOT_AVAILABLE, COUNTER_MPTCP_MPJoinSynTxBindErr);
  if (linkAt(link).up == 0) return failed(ERR_UNREACHABLE, COUNTER_MPTCP_MPJoinSynTxConnectErr);
  const port = localPort != 0 ? localPort : freePort(localHi, localLo, remoteHi, remoteLo, remotePort);
  if (port == 0) return failed(ERR_ADDRESS_IN_USE, COUNTER_MPTCP_MPJoinSynTxBindErr);
  if (flowFind(localHi, localLo, port, remoteHi, remoteLo, remotePort) != 0)
    return failed(ERR_ADDRESS_IN_USE, COUNTER_MPTCP_MPJoinSynTxConnectErr);
  const created = subflowCreate(link, localHi, localLo, port, remoteHi, remoteLo, remotePort);
  if (created == 0) return failed(ERR_NO_MEMORY, COUNTER_MPTCP_MPJoinSynTxCreatSkErr);
  const subflow = changetype<Subflow>(created);
  removalCancel(connection, localId);
  const asBackup = backup || connection.pathMode == PATH_MODE_BACKUP;
  subflow.flags = <u8>(SUBFLOW_JOINED | SUBFLOW_ACTIVE_OPEN | (asBackup ? SUBFLOW_BACKUP_LOCAL : 0));
  subflow.join = JOIN_WAIT_ACK;
  subflow.localId = <u8>localId;
  subflow.remoteId = <u8>remoteId;
  subflow.localNonce = randomU32();
  subflowAttach(connection, subflow);
  connection.extraSubflows++;
  openActive(subflow);
  return <i32>subflow.id;
}

/** An address id is in use again: a REMOVE_ADDR that still waits to be sent must not name it. */
export function removalCancel(connection: Connection, id: u32): void {
  let kept: u64 = 0;
  let total: u8 = 0;
  for (let i: u8 = 0; i < connection.removeCount; i++) {
    const each = (connection.removeIds >> (<u64>i * 8)) & 255;
    if (<u32>each == id) continue;
    kept |= each << (<u64>total * 8);
    total++;
  }
  connection.removeIds = kept;
  connection.removeCount = total;
  if (total == 0) connection.signals &= ~SIGNAL_DUE_REMOVE;
}

function failed(error: i32, counter: i32): i32 {
  count(counter);
  return error;
}
