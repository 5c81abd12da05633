import {
  CONNECTION_CLOSED,
  COUNTER_MPTCP_RmSubflow,
  ENDPOINT_BACKUP,
  ENDPOINT_FULLMESH,
  ENDPOINT_SUBFLOW,
  PATH_MANAGER_KERNEL,
} from '../abi';
import { Connection } from '../state/connection';
import { count } from '../state/counters';
import { endpointAt, endpointOfAddress } from '../state/endpoint';
import { LocalAddress } from '../state/path';
import { Subflow } from '../state/subflow';
import { resetDue } from '../tcp/close';
import { announcedOfId, announceForget, announcementsClear, endpointIdOn, withdraw } from './announce';
import { useEndpoint } from './kernel';
import { lostClear, lostForgetLocal } from './lost';
import { setBackup } from './priority';
import { remotesClear } from './remote';
import { pathWithoutAddress } from './reopen';
import { isOpen, subflowRetire } from './subflows';

/** What changes on this host reaches a connection here: endpoints and addresses that come, change and go. */

/** MP_TCPRST reason 3: administratively prohibited (RFC 8684 section 3.6). */
const REASON_ADMINISTRATIVE: u8 = 3;

/** An endpoint was added. */
export function endpointAdded(connection: Connection, index: i32): void {
  if (!hasEndpoints(connection)) return;
  useEndpoint(connection, index);
}

/** An endpoint is removed: it is withdrawn and its subflows are closed (RFC 8684 section 3.4.2). */
export function endpointRemoved(connection: Connection, index: i32): void {
  if (!hasEndpoints(connection)) return;
  const endpoint = endpointAt(index);
  const id = endpointIdOn(connection, index);
  connection.opened &= ~(1 << index);
  lostForgetLocal(connection, endpoint.hi, endpoint.lo);
  const announced = announcedByEndpoint(connection, id) && announceForget(connection, id);
  const closed = closeFrom(connection, endpoint.hi, endpoint.lo, id, false);
  if (announced || closed) withdraw(connection, id);
}

/** The flags of an endpoint were changed from what they were `before`, as by `ip mptcp endpoint change`. */
export function endpointChanged(connection: Connection, index: i32, before: u32): void {
  if (!hasEndpoints(connection)) return;
  const endpoint = endpointAt(index);
  const changed = endpoint.flags ^ before;
  const id = endpointIdOn(connection, index);
  if ((changed & ENDPOINT_FULLMESH) != 0 && (endpoint.flags & ENDPOINT_SUBFLOW) != 0) {
    lostForgetLocal(connection, endpoint.hi, endpoint.lo);
    closeFrom(connection, endpoint.hi, endpoint.lo, id, false);
    connection.opened &= ~(1 << index);
    useEndpoint(connection, index);
  }
  // Of subflows that were closed just now nobody has to know the priority.
  if ((changed & ENDPOINT_BACKUP) != 0) {
    for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
      const subflow = changetype<Subflow>(at);
      if (isOpen(subflow) && subflow.localHi == endpoint.hi && subflow.localLo == endpoint.lo)
        setBackup(subflow, (endpoint.flags & ENDPOINT_BACKUP) != 0);
    }
  }
}

/** A local address is gone: the peer is told, and subflows from it are reset, for nothing comes by them any more. */
export function addressRemoved(connection: Connection, hi: u64, lo: u64): void {
  const index = endpointOfAddress(hi, lo);
  if (index >= 0) connection.opened &= ~(1 << index);
  if (connection.multipath != 0) {
    const used = idOfSubflows(connection, hi, lo);
    if (used >= 0) withdraw(connection, <u32>used);
    let at = connection.localAddresses;
    while (at != 0) {
      const local = changetype<LocalAddress>(at);
      at = local.next;
      if (local.hi != hi || local.lo != lo) continue;
      if (<i32>local.id != used) withdraw(connection, local.id);
      announceForget(connection, local.id);
    }
  }
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const subflow = changetype<Subflow>(at);
    if (isOpen(subflow) && subflow.localHi == hi && subflow.localLo == lo) pathWithoutAddress(connection, subflow);
  }
  closeFrom(connection, hi, lo, 0, true);
}

/** Forgets all a path manager knows, at the end of a connection. */
export function pathsClear(connection: Connection): void {
  lostClear(connection);
  remotesClear(connection);
  announcementsClear(connection);
}

function hasEndpoints(connection: Connection): bool {
  return (
    connection.multipath != 0 &&
    connection.confirmed != 0 &&
    connection.state != CONNECTION_CLOSED &&
    connection.pathManager == PATH_MANAGER_KERNEL
  );
}

function announcedByEndpoint(connection: Connection, id: u32): bool {
  const found = announcedOfId(connection, id);
  return found != 0 && changetype<LocalAddress>(found).endpoint != 0;
}

/** The address id that subflows from a local address have, or -1 when there are none. */
function idOfSubflows(connection: Connection, hi: u64, lo: u64): i32 {
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const subflow = changetype<Subflow>(at);
    if (subflow.localHi == hi && subflow.localLo == lo) return subflow.localId;
  }
  return -1;
}

/** Closes the subflows from a local address: those that have it under an id, or all as it is `gone`. Returns false for none. */
function closeFrom(connection: Connection, hi: u64, lo: u64, id: u32, gone: bool): bool {
  let closed = false;
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const subflow = changetype<Subflow>(at);
    if (subflow.localHi != hi || subflow.localLo != lo) continue;
    if (gone && subflow.closing != 0 && subflow.rstDue == 0) resetDue(subflow, REASON_ADMINISTRATIVE);
    if (!isOpen(subflow) || (!gone && <u32>subflow.localId != id)) continue;
    subflow.noReopen = 1;
    count(COUNTER_MPTCP_RmSubflow);
    if (gone) resetDue(subflow, REASON_ADMINISTRATIVE);
    else subflowRetire(connection, subflow, REASON_ADMINISTRATIVE);
    closed = true;
  }
  return closed;
}
