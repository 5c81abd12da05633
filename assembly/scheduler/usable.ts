import { SUBFLOW_BACKUP_LOCAL, SUBFLOW_BACKUP_REMOTE } from '../abi';
import { dsnLt } from '../memory/sequence';
import { Connection } from '../state/connection';
import { linkAt } from '../state/link';
import { canBeChosen, canCarryData, FRTO_NEW, ownerOf, Subflow, unsentBytes } from '../state/subflow';

/** What every scheduler asks of a subflow before it chooses. */

/** True when a subflow may be given bytes, whether or not it has room now. */
export function usable(subflow: Subflow): bool {
  return canBeChosen(subflow) && linkAt(subflow.link).up != 0;
}

/** True when this side or the peer asked for it to be a backup (RFC 8684 section 3.3.8). */
export function isBackup(subflow: Subflow): bool {
  return (subflow.flags & (SUBFLOW_BACKUP_LOCAL | SUBFLOW_BACKUP_REMOTE)) != 0;
}

/** True when it is usable and gets on. A subflow in backoff does not keep the backups waiting. */
export function works(subflow: Subflow): bool {
  return subflow.backoff == 0 && usable(subflow);
}

/** True while a regular subflow works: backups get nothing then (RFC 8684 section 3.3.8). */
export function regularWorks(connection: Connection): bool {
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const subflow = changetype<Subflow>(at);
    if (!isBackup(subflow) && works(subflow)) return true;
  }
  return false;
}

/**
 * The subflow that carries the first bytes of a connection, until a DATA_ACK has come; else 0. The window is relative to
 * the DATA_ACK (RFC 8684 section 3.3.1): without one, Linux drops at data level what does not come in order, after the
 * subflow has acknowledged it, so the first flight must not be spread.
 */
export function firstCarrier(connection: Connection): usize {
  return connection.dataAckSeen != 0 || connection.sndUna == connection.sndNxt ? 0 : firstWithData(connection);
}

function firstWithData(connection: Connection): usize {
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next)
    if (changetype<Subflow>(at).mapHead != 0 && changetype<Subflow>(at).closing == 0) return at;
  return 0;
}

/** Bytes a subflow may be given now: what congestion window and its peer's window leave beyond what it holds. */
export function subflowRoom(subflow: Subflow): u32 {
  const window = ownWindow(subflow);
  return roomWithin(subflow, window > 0 ? window : sharedWindow(subflow));
}

/** True when subflowRoom() is not 0: schedulers ask it for every segment, and the own window is rarely closed. */
export function hasRoom(subflow: Subflow): bool {
  const window = ownWindow(subflow);
  return (window > 0 ? roomWithin(subflow, window) : subflowRoom(subflow)) != 0;
}

/** Bytes that the subflow's peer takes by its last ACK beyond those assigned; less than 0 when it took some back. */
function ownWindow(subflow: Subflow): i32 {
  return <i32>(subflow.sndUna + subflow.sndWindow - subflow.seqEnd);
}

function roomWithin(subflow: Subflow, window: u32): u32 {
  // Bytes thought lost will be sent again and count as if in flight, except (RFC 5682 section 2.1, step 2b) after a
  // timeout that may be spurious: then new bytes go before those.
  let flight = subflow.outstanding - subflow.sackedBytes + unsentBytes(subflow);
  if (subflow.frto == FRTO_NEW) flight -= subflow.lostBytes;
  // With an empty pipe one segment is always allowed.
  if (flight == 0) return min<u32>(max<u32>(subflow.cwnd, subflow.mss), window);
  const room = min<u32>(subflow.cwnd > flight ? subflow.cwnd - flight : 0, window);
  // Less than a segment is not worth a map while an ACK may bring room for a whole one.
  return room < subflow.mss ? 0 : room;
}

/**
 * RFC 8684 section 3.3.5: the window is one for all subflows. What another one was told lately holds for this one, too,
 * however small a window it was told last itself; it is used when no subflow has one of its own. Bytes, 0 for none.
 */
function sharedWindow(subflow: Subflow): u32 {
  const connection = ownerOf(subflow);
  if (connection.multipath == 0 || connection.subflowCount < 2) return 0;
  if (!dsnLt(connection.sndNxt, connection.sndWindowEnd)) return 0;
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const other = changetype<Subflow>(at);
    if (canCarryData(other) && <i32>(other.sndUna + other.sndWindow - other.seqEnd) > 0) return 0;
  }
  return <u32>min<u64>(connection.sndWindowEnd - connection.sndNxt, 1 << 30);
}
