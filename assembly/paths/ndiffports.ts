import { Connection } from '../state/connection';
import { Subflow } from '../state/subflow';
import { lostCount } from './lost';
import { isOpen, mayOpenSubflow, openPath } from './subflows';

/**
 * The manager PATH_MANAGER_NDIFFPORTS, as ndiffports of version 0: the side that connected opens further subflows between
 * the addresses of the initial one, from other ports.
 */
export function ndiffportsFill(connection: Connection): void {
  if (connection.active == 0 || connection.denyJoinInitial != 0 || connection.initialRemoved != 0) return;
  let open = lostCount(connection);
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next)
    if (isOpen(changetype<Subflow>(at))) open++;
  for (; open < <u32>connection.ndiffports && mayOpenSubflow(connection); open++) {
    const opened = openPath(
      connection,
      connection.localHi,
      connection.localLo,
      0,
      0,
      connection.remoteHi,
      connection.remoteLo,
      connection.remotePort,
      0,
      false,
    );
    if (opened < 0) return;
  }
}
