import { SUBFLOW_BACKUP_LOCAL } from '../abi';
import { poolFree, poolTake } from '../memory/pool';
import { Connection } from '../state/connection';
import { LostPath, lostPathPool } from '../state/path';
import { JOIN_WAIT_ACK, Subflow } from '../state/subflow';
import { pathInUse } from './subflows';

/** The list of paths whose subflow is gone, and what became of them; see reopen.ts for what happens to them. */

/** Remembers the path of a subflow that is over, in a PATH_ state. Returns null when there is no memory. */
export function lostAdd(connection: Connection, subflow: Subflow, state: u32): LostPath | null {
  const taken = poolTake(lostPathPool);
  if (taken == 0) return null;
  changetype<LostPath>(taken).next = connection.lostPaths;
  connection.lostPaths = taken;
  const lost = changetype<LostPath>(taken);
  lost.state = state;
  lost.localHi = subflow.localHi;
  lost.localLo = subflow.localLo;
  lost.remoteHi = subflow.remoteHi;
  lost.remoteLo = subflow.remoteLo;
  lost.remotePort = subflow.remotePort;
  lost.localId = subflow.localId;
  lost.remoteId = subflow.remoteId;
  lost.worked = subflow.join != JOIN_WAIT_ACK ? 1 : subflow.pathWorked;
  lost.backup = (subflow.flags & <u8>SUBFLOW_BACKUP_LOCAL) != 0 ? 1 : 0;
  return lost;
}

export function lostRemove(connection: Connection, lost: LostPath): void {
  let before: usize = 0;
  for (let at = connection.lostPaths; at != 0; at = changetype<LostPath>(at).next) {
    if (at == changetype<usize>(lost)) {
      if (before == 0) connection.lostPaths = lost.next;
      else changetype<LostPath>(before).next = lost.next;
      poolFree(lostPathPool, at);
      return;
    }
    before = at;
  }
}

/** Forgets the lost paths from a local address: it is not to be used any more. */
export function lostForgetLocal(connection: Connection, hi: u64, lo: u64): void {
  let at = connection.lostPaths;
  while (at != 0) {
    const lost = changetype<LostPath>(at);
    at = lost.next;
    if (lost.localHi == hi && lost.localLo == lo) lostRemove(connection, lost);
  }
}

/** Forgets the lost paths to an address of the peer, by its id. */
export function lostForgetRemote(connection: Connection, id: u32): void {
  let at = connection.lostPaths;
  while (at != 0) {
    const lost = changetype<LostPath>(at);
    at = lost.next;
    if (lost.remoteId == id) lostRemove(connection, lost);
  }
}

/** Forgets the lost path between these addresses, which a new subflow takes. */
export function lostForgetPath(
  connection: Connection,
  localHi: u64,
  localLo: u64,
  remoteHi: u64,
  remoteLo: u64,
  remotePort: u32,
): void {
  let at = connection.lostPaths;
  while (at != 0) {
    const lost = changetype<LostPath>(at);
    at = lost.next;
    if (!isBetween(lost, localHi, localLo, remoteHi, remoteLo, remotePort)) continue;
    lostRemove(connection, lost);
    return;
  }
}

export function lostClear(connection: Connection): void {
  while (connection.lostPaths != 0) lostRemove(connection, changetype<LostPath>(connection.lostPaths));
}

export function lostCount(connection: Connection): u32 {
  let total: u32 = 0;
  for (let at = connection.lostPaths; at != 0; at = changetype<LostPath>(at).next) total++;
  return total;
}

/** True when a manager has nothing to do for a path: a subflow uses it, or did and is seen to. */
export function pathTaken(
  connection: Connection,
  localHi: u64,
  localLo: u64,
  remoteHi: u64,
  remoteLo: u64,
  remotePort: u32,
): bool {
  if (pathInUse(connection, localHi, localLo, remoteHi, remoteLo, remotePort)) return true;
  for (let at = connection.lostPaths; at != 0; at = changetype<LostPath>(at).next)
    if (isBetween(changetype<LostPath>(at), localHi, localLo, remoteHi, remoteLo, remotePort)) return true;
  return false;
}

function isBetween(lost: LostPath, localHi: u64, localLo: u64, remoteHi: u64, remoteLo: u64, remotePort: u32): bool {
  return (
    lost.localHi == localHi &&
    lost.localLo == localLo &&
    lost.remoteHi == remoteHi &&
    lost.remoteLo == remoteLo &&
    lost.remotePort == remotePort
  );
}
