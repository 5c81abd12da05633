import {
  CONNECTION_CLOSED,
  COUNTER_MPTCP_AddAddr,
  COUNTER_MPTCP_AddAddrDrop,
  COUNTER_MPTCP_EchoAdd,
  COUNTER_MPTCP_EchoAddTxDrop,
  COUNTER_MPTCP_PortAdd,
  COUNTER_MPTCP_RmAddr,
  ENDPOINTS_MAX,
  EVENT_ADDRESS_ANNOUNCED,
  EVENT_ADDRESS_REMOVED,
} from '../abi';
import { poolFree, poolTake } from '../memory/pool';
import { Connection, SIGNAL_DUE_ECHO } from '../state/connection';
import { count } from '../state/counters';
import { eventNotice } from '../state/events';
import { isMapped } from '../state/link';
import { monitorAddress } from '../state/monitor';
import { LocalAddress, RemoteAddress, remoteAddressPool } from '../state/path';
import { Subflow } from '../state/subflow';
import { signalSoon } from '../tcp/signal-acks';
import { addAddressHmac, mappedAddressHmac } from '../wire/keys';
import { MPTCP_V0 } from '../wire/mptcp';
import { options } from '../wire/options';
import { announcedOfId, announceNext } from './announce';
import { lostForgetRemote } from './lost';
import { managerAnnounced, managerFill } from './manager';
import { pathsRefreshed } from './reopen';
import { isOpen, subflowRetire } from './subflows';

/** What the peer tells of its addresses: ADD_ADDR and REMOVE_ADDR (RFC 8684 section 3.4). */

/** MP_TCPRST reason 3: administratively prohibited (RFC 8684 section 3.6). */
const REASON_ADMINISTRATIVE: u8 = 3;

/** ADD_ADDR arrived (RFC 8684 section 3.4.1); its fields are in `options`. */
export function addressAnnounced(connection: Connection): void {
  if (options.addVersion != connection.version) {
    count(COUNTER_MPTCP_AddAddrDrop);
    return;
  }
  if (options.addEcho != 0) {
    echoed(connection);
    return;
  }
  if (connection.version != MPTCP_V0 && !isProven(connection)) {
    count(COUNTER_MPTCP_AddAddrDrop);
    return;
  }
  count(COUNTER_MPTCP_AddAddr);
  if (options.addPort != 0) count(COUNTER_MPTCP_PortAdd);
  let remote = remoteOfId(connection, options.addId);
  const known = remote != 0;
  if (!known) {
    let total = 0;
    for (let at = connection.remoteAddresses; at != 0; at = changetype<RemoteAddress>(at).next) total++;
    remote = total < ENDPOINTS_MAX ? poolTake(remoteAddressPool) : 0;
    if (remote == 0) {
      count(COUNTER_MPTCP_AddAddrDrop);
      return;
    }
    changetype<RemoteAddress>(remote).next = connection.remoteAddresses;
    connection.remoteAddresses = remote;
  }
  const entry = changetype<RemoteAddress>(remote);
  // RFC 8684 section 3.4.1: a further port under a known id is joined, too. So is another address, which the id may not
  // have before it was withdrawn: the REMOVE_ADDR was lost.
  const moved = known && (entry.hi != options.addHi || entry.lo != options.addLo);
  const another = moved || (known && entry.port != options.addPort);
  if (moved) lostForgetRemote(connection, entry.id);
  const counted = known && another && entry.joined != 0 && entry.id != 0;
  if (counted) connection.remoteAccepted--;
  if (another) entry.joined = 0;
  entry.id = options.addId;
  entry.hi = options.addHi;
  entry.lo = options.addLo;
  entry.port = options.addPort;
  if (connection.version != MPTCP_V0) {
    // One echo answers both.
    if (entry.echoDue != 0) count(COUNTER_MPTCP_EchoAddTxDrop);
    entry.echoDue = 1;
    connection.signals |= SIGNAL_DUE_ECHO;
    signalSoon(connection);
  }
  if (entry.id == 0) connection.initialRemoved = 0;
  if (!known) {
    eventNotice(connection, EVENT_ADDRESS_ANNOUNCED, <i32>entry.id, 0);
    monitorAddress(connection, EVENT_ADDRESS_ANNOUNCED, entry.id, entry.hi, entry.lo, entry.port);
  }
  if (connection.state == CONNECTION_CLOSED) return;
  if (entry.joined != 0) {
    pathsRefreshed(connection, entry.id, entry.port);
  } else if (managerAnnounced(connection, entry)) {
    entry.joined = 1;
    // As Linux, the address of the initial subflow does not count.
    if (entry.id != 0) connection.remoteAccepted++;
  } else if (counted && !moved && entry.joined == 0) {
    // The subflow to the other port is still there.
    entry.joined = 1;
    connection.remoteAccepted++;
  }
}

/** True when the HMAC of the ADD_ADDR in `options` is right; RFC 6824 has none. */
function isProven(connection: Connection): bool {
  if (options.addHasHmac == 0) return false;
  const ours = connection.localKey;
  const theirs = connection.remoteKey;
  if (addAddressHmac(theirs, ours, options.addId, options.addHi, options.addLo, options.addPort) == options.addHmac)
    return true;
  // Linux announces an endpoint that was given as ::ffff:a.b.c.d in this form.
  if (!isMapped(options.addHi, options.addLo)) return false;
  return (
    mappedAddressHmac(theirs, ours, options.addId, options.addHi, options.addLo, options.addPort) == options.addHmac
  );
}

/** REMOVE_ADDR arrived (RFC 8684 section 3.4.2): subflows to the addresses are closed. */
export function addressesRemoved(connection: Connection): void {
  for (let i: u32 = 0; i < options.removeCount; i++) {
    const id = <u32>load<u8>(options.removeIds + i);
    count(COUNTER_MPTCP_RmAddr);
    let known = forget(connection, id);
    lostForgetRemote(connection, id);
    for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
      const subflow = changetype<Subflow>(at);
      if (subflow.remoteId != id || !isOpen(subflow)) continue;
      known = true;
      subflow.noReopen = 1;
      subflowRetire(connection, subflow, REASON_ADMINISTRATIVE);
    }
    if (id == 0 && connection.initialRemoved == 0) {
      connection.initialRemoved = 1;
      known = true;
    }
    // RFC 8684 section 3.4.2: an id that nobody knows is ignored.
    if (!known) continue;
    eventNotice(connection, EVENT_ADDRESS_REMOVED, <i32>id, 0);
    monitorAddress(connection, EVENT_ADDRESS_REMOVED, id, 0, 0, 0);
  }
}

/** Forgets the peer's addresses, at the end of a connection. */
export function remotesClear(connection: Connection): void {
  while (connection.remoteAddresses != 0) {
    const front = connection.remoteAddresses;
    connection.remoteAddresses = changetype<RemoteAddress>(front).next;
    poolFree(remoteAddressPool, front);
  }
}

/** The peer got an announcement. */
function echoed(connection: Connection): void {
  count(COUNTER_MPTCP_EchoAdd);
  const found = announcedOfId(connection, options.addId);
  if (found == 0) return;
  const local = changetype<LocalAddress>(found);
  // Of an earlier announcement under this id: the one that counts is still to be echoed.
  if (local.hi != options.addHi || local.lo != options.addLo || local.port != options.addPort) return;
  local.echoed = 1;
  announceNext(connection);
  managerFill(connection);
}

function forget(connection: Connection, id: u32): bool {
  let before: usize = 0;
  for (let at = connection.remoteAddresses; at != 0; at = changetype<RemoteAddress>(at).next) {
    const remote = changetype<RemoteAddress>(at);
    if (remote.id == id) {
      if (before == 0) connection.remoteAddresses = remote.next;
      else changetype<RemoteAddress>(before).next = remote.next;
      if (remote.joined != 0 && id != 0 && connection.remoteAccepted > 0) connection.remoteAccepted--;
      dropEcho(connection);
      poolFree(remoteAddressPool, at);
      return true;
    }
    before = at;
  }
  return false;
}

/** No echo is owed any more when the addresses left were all echoed. */
function dropEcho(connection: Connection): void {
  for (let at = connection.remoteAddresses; at != 0; at = changetype<RemoteAddress>(at).next)
    if (changetype<RemoteAddress>(at).echoDue != 0) return;
  connection.signals &= ~SIGNAL_DUE_ECHO;
}

function remoteOfId(connection: Connection, id: u32): usize {
  for (let at = connection.remoteAddresses; at != 0; at = changetype<RemoteAddress>(at).next)
    if (changetype<RemoteAddress>(at).id == id) return at;
  return 0;
}
