import { EVENT_SUBFLOW_PRIORITY, SUBFLOW_BACKUP_LOCAL, SUBFLOW_BACKUP_REMOTE } from '../abi';
import { eventNotice } from '../state/events';
import { monitorSubflow } from '../state/monitor';
import { isSynchronized, ownerOf, Subflow } from '../state/subflow';
import { ackSignal } from '../tcp/signal-acks';

/** Which subflows are backups, by this side's wish and by the peer's (RFC 8684 section 3.3.8). */

/** This side wants a subflow to be a backup, or to be none any more: the peer is told by MP_PRIO. */
export function setBackup(subflow: Subflow, backup: bool): void {
  const flag = <u8>SUBFLOW_BACKUP_LOCAL;
  if (((subflow.flags & flag) != 0) == backup) return;
  subflow.flags ^= flag;
  // A SYN that goes out again carries it.
  if (!isSynchronized(subflow)) return;
  subflow.prioDue = 1;
  ackSignal(subflow);
  priorityChanged(subflow);
}

/** The peer sent MP_PRIO on a subflow. */
export function backupAsked(subflow: Subflow, backup: bool): void {
  const before = subflow.flags;
  if (backup) subflow.flags |= <u8>SUBFLOW_BACKUP_REMOTE;
  else subflow.flags &= <u8>~SUBFLOW_BACKUP_REMOTE;
  if (subflow.flags != before) priorityChanged(subflow);
}

function priorityChanged(subflow: Subflow): void {
  const connection = ownerOf(subflow);
  const bits = <i32>subflow.flags & (SUBFLOW_BACKUP_LOCAL | SUBFLOW_BACKUP_REMOTE);
  eventNotice(connection, EVENT_SUBFLOW_PRIORITY, bits, subflow.id);
  monitorSubflow(connection, subflow, EVENT_SUBFLOW_PRIORITY, 0);
}
