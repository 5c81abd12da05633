import { CONNECTION_CLOSED, PATH_MANAGER_FULLMESH, PATH_MANAGER_KERNEL, PATH_MANAGER_NDIFFPORTS } from '../abi';
import { Connection } from '../state/connection';
import { RemoteAddress } from '../state/path';
import { fullmeshFill } from './fullmesh';
import { kernelAnnounced, kernelEstablished, kernelFill } from './kernel';
import { ndiffportsFill } from './ndiffports';

/**
 * The path manager of a connection: which addresses are announced, which are joined (RFC 8684 section 3.4). Each manager
 * has one file, and one line in each function here; PATH_MANAGER_DEFAULT and PATH_MANAGER_USERSPACE do nothing.
 */

/** A connection became fully established, or has this manager from now on. */
export function managerEstablished(connection: Connection): void {
  if (connection.multipath == 0) return;
  if (connection.pathManager == PATH_MANAGER_KERNEL) kernelEstablished(connection);
  else managerFill(connection);
}

/** Something changed: there may be subflows to open or addresses to announce. What is done already is not done again. */
export function managerFill(connection: Connection): void {
  if (connection.multipath == 0 || connection.confirmed == 0 || connection.state == CONNECTION_CLOSED) return;
  switch (<i32>connection.pathManager) {
    case PATH_MANAGER_KERNEL:
      kernelFill(connection);
      break;
    case PATH_MANAGER_FULLMESH:
      fullmeshFill(connection);
      break;
    case PATH_MANAGER_NDIFFPORTS:
      ndiffportsFill(connection);
      break;
  }
}

/** The peer announced an address. Returns true when a subflow to it is on its way. */
export function managerAnnounced(connection: Connection, remote: RemoteAddress): bool {
  switch (<i32>connection.pathManager) {
    case PATH_MANAGER_KERNEL:
      return kernelAnnounced(connection, remote);
    case PATH_MANAGER_FULLMESH:
      fullmeshFill(connection);
      return false;
  }
  return false;
}
