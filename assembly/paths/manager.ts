import {
  CONFIG_ADD_ADDR_TIMEOUT,
  CONFIG_LIMIT_ADD_ADDR_ACCEPTED,
  CONNECTION_ESTABLISHED,
  COUNTER_MPTCP_AddAddr,
  COUNTER_MPTCP_AddAddrDrop,
  COUNTER_MPTCP_EchoAdd,
  COUNTER_MPTCP_PortAdd,
  COUNTER_MPTCP_RmAddr,
  COUNTER_MPTCP_RmSubflow,
  ENDPOINT_BACKUP,
  ENDPOINT_FULLMESH,
  ENDPOINT_SIGNAL,
  ENDPOINT_SUBFLOW,
  ENDPOINTS_MAX,
  EVENT_ADDRESS_ANNOUNCED,
  EVENT_ADDRESS_REMOVED,
  SUBFLOW_INITIAL,
  TCP_TIME_WAIT,
} from '../abi';
import { poolFree, poolTake } from '../memory/pool';
import { now } from '../state/clock';
import { config } from '../state/config';
import { Connection, RemoteAddress, remoteAddressPool } from '../state/connection';
import { count } from '../state/counters';
import { endpointAt, endpointOfAddress, endpointOfId } from '../state/endpoint';
import { eventNotice } from '../state/events';
import { isMapped, linkOfAddress, linkToDestination, sourceAddress } from '../state/link';
import { canCarryData, Subflow } from '../state/subflow';
import { resetDue } from '../tcp/close';
import { ackNow } from '../tcp/ready';
import { addAddressHmac } from '../wire/keys';
import { MPTCP_V0 } from '../wire/mptcp';
import { options } from '../wire/options';
import { joinPath, mayAddSubflow, pathInUse } from './subflows';

/**
 * The path manager: which addresses are announced, which are joined (RFC 8684 section 3.4). It behaves as the
 * in-kernel one of Linux: endpoints with flags, and limits.
 */

/** MP_TCPRST reason 3: administratively prohibited (RFC 8684 section 3.6). */
const REASON_ADMINISTRATIVE: u8 = 3;
const ADD_ADDR_TRIES: u32 = 4;

/** A connection became fully established: announce and join what the endpoints say. */
export function pathsEstablished(connection: Connection): void {
  for (let i = 0; i < ENDPOINTS_MAX; i++) {
    const endpoint = endpointAt(i);
    if (endpoint.id != 0) useEndpoint(connection, i);
  }
}

/** An endpoint was added, or a connection came into being: act on it. */
export function useEndpoint(connection: Connection, index: i32): void {
  if (connection.multipath == 0 || connection.state != CONNECTION_ESTABLISHED) return;
  const endpoint = endpointAt(index);
  const bit: u32 = 1 << index;
  const initial = initialSubflow(connection);
  const isInitial =
    initial != 0 &&
    changetype<Subflow>(initial).localHi == endpoint.hi &&
    changetype<Subflow>(initial).localLo == endpoint.lo;
  if ((endpoint.flags & ENDPOINT_SIGNAL) != 0 && (connection.announced & bit) == 0) {
    // The peer knows the address of the initial subflow, unless the announcement is for another port.
    if (!isInitial || endpoint.port != 0) announce(connection, bit);
  }
  if ((endpoint.flags & ENDPOINT_SUBFLOW) != 0 && !isInitial) joinFrom(connection, index);
  if ((endpoint.flags & ENDPOINT_FULLMESH) != 0) {
    for (let at = connection.remoteAddresses; at != 0; at = changetype<RemoteAddress>(at).next) {
      const remote = changetype<RemoteAddress>(at);
      joinTo(connection, index, remote.hi, remote.lo, remote.port, remote.id);
    }
  }
}

/** An endpoint is removed: withdraw it and close its subflows (RFC 8684 section 3.4.2). */
export function dropEndpoint(connection: Connection, index: i32): void {
  const endpoint = endpointAt(index);
  const bit: u32 = 1 << index;
  const known = ((connection.announced | connection.opened) & bit) != 0;
  connection.announced &= ~bit;
  connection.announceDue &= ~bit;
  connection.announceEchoed &= ~bit;
  connection.opened &= ~bit;
  if (connection.multipath == 0) return;
  if (known) withdraw(connection, endpoint.id);
  closeFrom(connection, endpoint.hi, endpoint.lo);
}

/** A local address is gone: the peer is told, and subflows from it are reset. */
export function dropAddress(connection: Connection, hi: u64, lo: u64): void {
  const index = endpointOfAddress(hi, lo);
  const initial = initialSubflow(connection);
  const usesInitial =
    initial != 0 && changetype<Subflow>(initial).localHi == hi && changetype<Subflow>(initial).localLo == lo;
  if (connection.multipath != 0) {
    if (usesInitial) withdraw(connection, 0);
    else if (index >= 0) withdraw(connection, endpointAt(index).id);
  }
  if (index >= 0) connection.opened &= ~(1 << index);
  closeFrom(connection, hi, lo);
}

/** ADD_ADDR arrived (RFC 8684 section 3.4.1); its fields are in `options`. */
export function addressAnnounced(connection: Connection): void {
  if (options.addVersion != connection.version) {
    count(COUNTER_MPTCP_AddAddrDrop);
    return;
  }
  if (options.addEcho != 0) {
    count(COUNTER_MPTCP_EchoAdd);
    const index = endpointOfId(options.addId);
    if (index >= 0) connection.announceEchoed |= 1 << index;
    return;
  }
  if (connection.version != MPTCP_V0 && !addressProven(connection)) {
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
  entry.id = options.addId;
  entry.hi = options.addHi;
  entry.lo = options.addLo;
  entry.port = options.addPort;
  if (connection.version != MPTCP_V0) {
    entry.echoDue = 1;
    signalSoon(connection);
  }
  if (!known) eventNotice(connection, EVENT_ADDRESS_ANNOUNCED, <i32>entry.id, 0);
  if (entry.joined != 0 || connection.state != CONNECTION_ESTABLISHED) return;
  if (<i64>connection.remoteAccepted >= config(CONFIG_LIMIT_ADD_ADDR_ACCEPTED)) return;
  if (joinAnnounced(connection, entry)) {
    entry.joined = 1;
    connection.remoteAccepted++;
  }
}

/** True when the HMAC of the ADD_ADDR in `options` is right; RFC 6824 has none. */
function addressProven(connection: Connection): bool {
  const hmac = addAddressHmac(
    connection.remoteKey,
    connection.localKey,
    options.addId,
    options.addHi,
    options.addLo,
    options.addPort,
  );
  return options.addHasHmac != 0 && hmac == options.addHmac;
}

/** REMOVE_ADDR arrived (RFC 8684 section 3.4.2): subflows to the addresses are reset. */
export function addressesRemoved(connection: Connection): void {
  for (let i: u32 = 0; i < options.removeCount; i++) {
    const id = <u32>load<u8>(options.removeIds + i);
    let known = false;
    count(COUNTER_MPTCP_RmAddr);
    let before: usize = 0;
    for (let at = connection.remoteAddresses; at != 0; at = changetype<RemoteAddress>(at).next) {
      const remote = changetype<RemoteAddress>(at);
      if (remote.id == id) {
        if (before == 0) connection.remoteAddresses = remote.next;
        else changetype<RemoteAddress>(before).next = remote.next;
        if (remote.joined != 0 && connection.remoteAccepted > 0) connection.remoteAccepted--;
        known = true;
        poolFree(remoteAddressPool, at);
        break;
      }
      before = at;
    }
    for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
      const subflow = changetype<Subflow>(at);
      if (subflow.remoteId == id && canCarryData(subflow)) {
        known = true;
        count(COUNTER_MPTCP_RmSubflow);
        resetDue(subflow, REASON_ADMINISTRATIVE);
      }
    }
    // RFC 8684 section 3.4.2: an id that nobody knows is ignored.
    if (known) eventNotice(connection, EVENT_ADDRESS_REMOVED, <i32>id, 0);
  }
}

/** Sends announcements again that were not echoed (net.mptcp.add_addr_timeout). */
export function signalsExpire(connection: Connection): void {
  connection.signalAt = 0;
  const missing = connection.announced & ~connection.announceEchoed;
  if (missing == 0 || connection.announceTries >= ADD_ADDR_TRIES) return;
  connection.announceDue |= missing;
  connection.announceTries++;
  signalSoon(connection);
  armAnnouncement(connection);
}

/** Forgets the peer's addresses, at the end of a connection. */
export function pathsClear(connection: Connection): void {
  while (connection.remoteAddresses != 0) {
    const front = connection.remoteAddresses;
    connection.remoteAddresses = changetype<RemoteAddress>(front).next;
    poolFree(remoteAddressPool, front);
  }
}

/** The address id of a local address on this connection: 0 for that of the initial subflow. */
export function localIdOf(connection: Connection, hi: u64, lo: u64): u32 {
  const initial = initialSubflow(connection);
  if (initial != 0) {
    const subflow = changetype<Subflow>(initial);
    if (subflow.localHi == hi && subflow.localLo == lo) return 0;
  }
  const index = endpointOfAddress(hi, lo);
  if (index >= 0) return endpointAt(index).id;
  // An address without an endpoint: an id beyond those of endpoints, by its link.
  return 128 + <u32>max<i32>(linkOfAddress(hi, lo), 0);
}

function announce(connection: Connection, bit: u32): void {
  connection.announceDue |= bit;
  connection.announceTries = 0;
  signalSoon(connection);
  armAnnouncement(connection);
}

/** The first retransmission comes after a few round trips, later ones more rarely, up to the configured timeout. */
function armAnnouncement(connection: Connection): void {
  const longest = config(CONFIG_ADD_ADDR_TIMEOUT);
  if (longest == 0) return;
  connection.signalAt = now() + min<i64>((<i64>1000000) << (2 * connection.announceTries), longest);
}

function withdraw(connection: Connection, id: u32): void {
  if (connection.removeCount >= 8) return;
  connection.removeIds |= (<u64>(id & 255)) << (connection.removeCount * 8);
  connection.removeCount++;
  signalSoon(connection);
}

/** An address signal goes out on the first subflow that works. */
function signalSoon(connection: Connection): void {
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const subflow = changetype<Subflow>(at);
    if (!canCarryData(subflow) || subflow.backoff != 0) continue;
    ackNow(subflow);
    return;
  }
}

function closeFrom(connection: Connection, hi: u64, lo: u64): void {
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const subflow = changetype<Subflow>(at);
    if (subflow.localHi == hi && subflow.localLo == lo && subflow.state != TCP_TIME_WAIT) {
      count(COUNTER_MPTCP_RmSubflow);
      resetDue(subflow, REASON_ADMINISTRATIVE);
    }
  }
}

/** A subflow from an endpoint to the address and port of the initial subflow's peer. */
function joinFrom(connection: Connection, index: i32): void {
  const initial = initialSubflow(connection);
  if (initial == 0 || connection.active == 0 || connection.denyJoinInitial != 0) return;
  const subflow = changetype<Subflow>(initial);
  joinTo(connection, index, subflow.remoteHi, subflow.remoteLo, subflow.remotePort, 0);
}

function joinTo(connection: Connection, index: i32, hi: u64, lo: u64, port: u32, remoteId: u32): bool {
  const endpoint = endpointAt(index);
  if (isMapped(endpoint.hi, endpoint.lo) != isMapped(hi, lo)) return false;
  if (!mayAddSubflow(connection)) return false;
  const remotePort = port != 0 ? port : initialPort(connection);
  if (remotePort == 0 || pathInUse(connection, endpoint.hi, endpoint.lo, hi, lo, remotePort)) return false;
  const done = joinPath(
    connection,
    endpoint.hi,
    endpoint.lo,
    endpoint.port,
    endpoint.id,
    hi,
    lo,
    remotePort,
    remoteId,
    (endpoint.flags & ENDPOINT_BACKUP) != 0,
  );
  if (done) connection.opened |= 1 << index;
  return done;
}

/** Joins an announced address: from every full-mesh endpoint, else from the address its route chooses. */
function joinAnnounced(connection: Connection, remote: RemoteAddress): bool {
  let joined = false;
  for (let i = 0; i < ENDPOINTS_MAX; i++) {
    const endpoint = endpointAt(i);
    if (endpoint.id == 0 || (endpoint.flags & ENDPOINT_FULLMESH) == 0) continue;
    if (joinTo(connection, i, remote.hi, remote.lo, remote.port, remote.id)) joined = true;
  }
  if (joined) return true;
  const link = linkToDestination(remote.hi, remote.lo);
  if (link < 0 || !mayAddSubflow(connection)) return false;
  const source = sourceAddress(link, remote.hi, remote.lo);
  if (source === null) return false;
  const port = remote.port != 0 ? remote.port : initialPort(connection);
  if (port == 0 || pathInUse(connection, source.hi, source.lo, remote.hi, remote.lo, port)) return false;
  const id = localIdOf(connection, source.hi, source.lo);
  return joinPath(connection, source.hi, source.lo, 0, id, remote.hi, remote.lo, port, remote.id, false);
}

function initialSubflow(connection: Connection): usize {
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next)
    if ((changetype<Subflow>(at).flags & SUBFLOW_INITIAL) != 0) return at;
  return 0;
}

/** An announced address without a port has the port of the connection (RFC 8684 section 3.4.1). */
function initialPort(connection: Connection): u32 {
  const initial = initialSubflow(connection);
  if (initial != 0) return changetype<Subflow>(initial).remotePort;
  return connection.subflows != 0 ? changetype<Subflow>(connection.subflows).remotePort : 0;
}

function remoteOfId(connection: Connection, id: u32): usize {
  for (let at = connection.remoteAddresses; at != 0; at = changetype<RemoteAddress>(at).next)
    if (changetype<RemoteAddress>(at).id == id) return at;
  return 0;
}
