import { LINKS_MAX } from '../abi';
import { Connection } from '../state/connection';
import { Address, addressAt, isMapped, linkAt } from '../state/link';
import { RemoteAddress } from '../state/path';
import { announce, announcedOf, localIdOf } from './announce';
import { pathTaken } from './lost';
import { mayOpenSubflow, openPath } from './subflows';

/**
 * The manager PATH_MANAGER_FULLMESH, as fullmesh of version 0: every address of this host is announced, and the side that
 * connected opens a subflow from each of its own to each of the peer's.
 */
export function fullmeshFill(connection: Connection): void {
  for (let link = 0; link < LINKS_MAX; link++) {
    const entry = linkAt(link);
    if (entry.used == 0) continue;
    for (let i: u32 = 0; i < entry.addressCount; i++) useAddress(connection, addressAt(link, i));
  }
}

function useAddress(connection: Connection, local: Address): void {
  const initial = connection.localHi == local.hi && connection.localLo == local.lo;
  if (!initial && announcedOf(connection, local.hi, local.lo, 0) == 0)
    announce(connection, localIdOf(connection, local.hi, local.lo), local.hi, local.lo, 0, false);
  if (connection.active == 0) return;
  if (connection.denyJoinInitial == 0 && connection.initialRemoved == 0)
    joinTo(connection, local, connection.remoteHi, connection.remoteLo, connection.remotePort, 0);
  for (let at = connection.remoteAddresses; at != 0; at = changetype<RemoteAddress>(at).next) {
    const remote = changetype<RemoteAddress>(at);
    const port = remote.port != 0 ? remote.port : connection.remotePort;
    if (joinTo(connection, local, remote.hi, remote.lo, port, remote.id) && remote.joined == 0) {
      remote.joined = 1;
      connection.remoteAccepted++;
    }
  }
}

function joinTo(connection: Connection, local: Address, hi: u64, lo: u64, port: u32, remoteId: u32): bool {
  if (isMapped(local.hi, local.lo) != isMapped(hi, lo) || !mayOpenSubflow(connection)) return false;
  if (pathTaken(connection, local.hi, local.lo, hi, lo, port)) return false;
  const id = localIdOf(connection, local.hi, local.lo);
  return openPath(connection, local.hi, local.lo, 0, id, hi, lo, port, remoteId, false) > 0;
}
