import {
  CONFIG_LIMIT_ADD_ADDR_ACCEPTED,
  ENDPOINT_BACKUP,
  ENDPOINT_FULLMESH,
  ENDPOINT_SIGNAL,
  ENDPOINT_SUBFLOW,
  ENDPOINTS_MAX,
} from '../abi';
import { config } from '../state/config';
import { Connection } from '../state/connection';
import { endpointAt } from '../state/endpoint';
import { isMapped, linkToDestination, sourceAddress } from '../state/link';
import { RemoteAddress } from '../state/path';
import { Subflow } from '../state/subflow';
import { announce, announcedOfId, endpointIdOn, localIdOf } from './announce';
import { pathTaken } from './lost';
import { setBackup } from './priority';
import { isOpen, mayOpenSubflow, openPath } from './subflows';

/** The manager PATH_MANAGER_KERNEL: endpoints with flags, and limits, as the in-kernel one of Linux. */

/** A connection can have further subflows: the endpoint of its initial one is in use. */
export function kernelEstablished(connection: Connection): void {
  for (let i = 0; i < ENDPOINTS_MAX; i++) {
    const endpoint = endpointAt(i);
    if (endpoint.id == 0 || endpointIdOn(connection, i) != 0) continue;
    connection.opened |= 1 << i;
    if ((endpoint.flags & ENDPOINT_BACKUP) == 0) continue;
    for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next)
      if (changetype<Subflow>(at).localId == 0) setBackup(changetype<Subflow>(at), true);
  }
  kernelFill(connection);
}

/** Announces and joins what endpoints ask for and is not done yet, as far as the limits allow. */
export function kernelFill(connection: Connection): void {
  for (let i = 0; i < ENDPOINTS_MAX; i++) if (endpointAt(i).id != 0) useEndpoint(connection, i);
}

/** Acts on one endpoint. */
export function useEndpoint(connection: Connection, index: i32): void {
  const endpoint = endpointAt(index);
  const bit: u32 = 1 << index;
  const id = endpointIdOn(connection, index);
  if ((endpoint.flags & ENDPOINT_SIGNAL) != 0 && announcedOfId(connection, id) == 0) {
    // The peer knows the address of the initial subflow, as long as that was not withdrawn.
    if (id != 0 || (connection.opened & bit) == 0) {
      announce(connection, id, endpoint.hi, endpoint.lo, endpoint.port, true);
      if (id == 0) connection.opened |= bit;
    }
  }
  if ((endpoint.flags & ENDPOINT_SUBFLOW) != 0 && (connection.opened & bit) == 0) joinFrom(connection, index);
  if ((endpoint.flags & ENDPOINT_FULLMESH) != 0) {
    for (let at = connection.remoteAddresses; at != 0; at = changetype<RemoteAddress>(at).next) {
      const remote = changetype<RemoteAddress>(at);
      joinTo(connection, index, remote.hi, remote.lo, remote.port, remote.id);
    }
  }
}

/** Joins an address the peer announced, if the limit lets it: returns true when a subflow is on its way. */
export function kernelAnnounced(connection: Connection, remote: RemoteAddress): bool {
  if (<i64>connection.remoteAccepted >= config(CONFIG_LIMIT_ADD_ADDR_ACCEPTED)) return false;
  const port = remote.port != 0 ? remote.port : connection.remotePort;
  // As Linux: an address that a subflow leads to already needs no other.
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const subflow = changetype<Subflow>(at);
    if (!isOpen(subflow) || subflow.remoteHi != remote.hi || subflow.remoteLo != remote.lo) continue;
    if (remote.port == 0 || subflow.remotePort == port) return false;
  }
  let joined = false;
  for (let i = 0; i < ENDPOINTS_MAX; i++) {
    const endpoint = endpointAt(i);
    if (endpoint.id == 0 || (endpoint.flags & ENDPOINT_FULLMESH) == 0) continue;
    if (joinTo(connection, i, remote.hi, remote.lo, remote.port, remote.id)) joined = true;
  }
  return joined || joinByRoute(connection, remote.hi, remote.lo, port, remote.id);
}

/** A subflow to an address of the peer from the local address that the route there has. */
export function joinByRoute(connection: Connection, hi: u64, lo: u64, port: u32, remoteId: u32): bool {
  const link = linkToDestination(hi, lo);
  if (link < 0 || port == 0 || !mayOpenSubflow(connection)) return false;
  const source = sourceAddress(link, hi, lo);
  if (source === null || pathTaken(connection, source.hi, source.lo, hi, lo, port)) return false;
  const id = localIdOf(connection, source.hi, source.lo);
  return openPath(connection, source.hi, source.lo, 0, id, hi, lo, port, remoteId, false) > 0;
}

/** A subflow from an endpoint to the address and port of the initial subflow's peer. */
function joinFrom(connection: Connection, index: i32): void {
  if (connection.active == 0 || connection.denyJoinInitial != 0 || connection.initialRemoved != 0) return;
  joinTo(connection, index, connection.remoteHi, connection.remoteLo, connection.remotePort, 0);
}

function joinTo(connection: Connection, index: i32, hi: u64, lo: u64, port: u32, remoteId: u32): bool {
  const endpoint = endpointAt(index);
  if (isMapped(endpoint.hi, endpoint.lo) != isMapped(hi, lo)) return false;
  if (!mayOpenSubflow(connection)) return false;
  const remotePort = port != 0 ? port : connection.remotePort;
  if (remotePort == 0) return false;
  // It may have been opened again already, after its address came back.
  let done = pathTaken(connection, endpoint.hi, endpoint.lo, hi, lo, remotePort);
  const known = done;
  if (!done) {
    const id = endpointIdOn(connection, index);
    const backup = (endpoint.flags & ENDPOINT_BACKUP) != 0;
    // A port of an endpoint is one to be announced.
    done = openPath(connection, endpoint.hi, endpoint.lo, 0, id, hi, lo, remotePort, remoteId, backup) > 0;
  }
  if (done) connection.opened |= 1 << index;
  return done && !known;
}
