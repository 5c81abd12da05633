import {
  CONFIG_ADD_ADDR_TIMEOUT,
  COUNTER_MPTCP_AddAddrTxDrop,
  COUNTER_MPTCP_RmAddrTxDrop,
  ENDPOINTS_MAX,
  ERR_LIMIT,
  ERR_NO_MEMORY,
} from '../abi';
import { poolFree, poolTake } from '../memory/pool';
import { now } from '../state/clock';
import { config } from '../state/config';
import { Connection, SIGNAL_DUE_ANNOUNCE, SIGNAL_DUE_REMOVE } from '../state/connection';
import { count } from '../state/counters';
import { endpointAt, endpointOfAddress, endpointOfId } from '../state/endpoint';
import { LocalAddress, LostPath, localAddressPool } from '../state/path';
import { Subflow } from '../state/subflow';
import { signalSoon } from '../tcp/signal-acks';
import { MPTCP_V0 } from '../wire/mptcp';
import { isOpen, removalCancel } from './subflows';

/** What the peer is told of this side's addresses: ADD_ADDR and REMOVE_ADDR (RFC 8684 section 3.4), and their ids. */

/** An ADD_ADDR that is not echoed is sent again so many times. */
const RETRIES: u32 = 4;
/** µs after which one that could not be sent is looked at again. */
const UNSENT_WAIT: i64 = 60000000;
/** µs between the REMOVE_ADDR of an id and its ADD_ADDR with another address, at most. */
const REPLACE_WAIT: i64 = 1000000;
/** Ids of addresses without an endpoint are looked for from here on. */
const SPARE_FIRST: u32 = 128;
/** Address ids that can wait to be withdrawn. */
const REMOVALS: u8 = 8;

/** Announces an address under an id that is not announced. Returns 0, ERR_LIMIT or ERR_NO_MEMORY. */
export function announce(connection: Connection, id: u32, hi: u64, lo: u64, port: u32, endpoint: bool): i32 {
  let total = 0;
  for (let at = connection.localAddresses; at != 0; at = changetype<LocalAddress>(at).next) total++;
  const taken = total < ENDPOINTS_MAX ? poolTake(localAddressPool) : 0;
  if (taken == 0) {
    count(COUNTER_MPTCP_AddAddrTxDrop);
    return total < ENDPOINTS_MAX ? ERR_NO_MEMORY : ERR_LIMIT;
  }
  if (isUsedAs(connection, id, hi, lo)) removalCancel(connection, id);
  const local = changetype<LocalAddress>(taken);
  local.id = id;
  local.hi = hi;
  local.lo = lo;
  local.port = port;
  local.endpoint = endpoint ? 1 : 0;
  // Announced in the order they came.
  local.next = 0;
  if (connection.localAddresses == 0) {
    connection.localAddresses = taken;
  } else {
    let last = changetype<LocalAddress>(connection.localAddresses);
    while (last.next != 0) last = changetype<LocalAddress>(last.next);
    last.next = taken;
  }
  // Linux deals with one ADD_ADDR at a time and forgets those that come before it has: the next waits for the echo. And
  // of REMOVE_ADDR and ADD_ADDR that come together it takes the second first.
  const replaces = removalWaits(connection, id);
  if (!replaces && (connection.version == MPTCP_V0 || !awaitsEcho(connection, local))) {
    announceNow(connection, local);
    return 0;
  }
  local.due = 2;
  announceAgainAt(connection, local);
  if (replaces && local.at == 0) announceAt(connection, local, REPLACE_WAIT);
  return 0;
}

/** RFC 8684 section 3.4.1: "A host wishing to replace an existing Address ID MUST first remove the existing one." */
function removalWaits(connection: Connection, id: u32): bool {
  for (let i: u8 = 0; i < connection.removeCount; i++)
    if (<u32>((connection.removeIds >> (<u64>i * 8)) & 255) == id) return true;
  return false;
}

/** True when a subflow runs from this address under this id, which is then no replacement. */
function isUsedAs(connection: Connection, id: u32, hi: u64, lo: u64): bool {
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const subflow = changetype<Subflow>(at);
    if (<u32>subflow.localId == id && subflow.localHi == hi && subflow.localLo == lo && isOpen(subflow)) return true;
  }
  return false;
}

/** The announcement that waited for the echo of another goes out. */
export function announceNext(connection: Connection): void {
  for (let at = connection.localAddresses; at != 0; at = changetype<LocalAddress>(at).next) {
    const local = changetype<LocalAddress>(at);
    if (local.due != 2) continue;
    if (!awaitsEcho(connection, local) && !removalWaits(connection, local.id)) announceNow(connection, local);
    return;
  }
}

/** True when another announcement than this one is on its way and will be sent again without an echo. */
function awaitsEcho(connection: Connection, local: LocalAddress): bool {
  for (let at = connection.localAddresses; at != 0; at = changetype<LocalAddress>(at).next) {
    const other = changetype<LocalAddress>(at);
    if (other !== local && other.echoed == 0 && other.at != 0 && other.due != 2) return true;
  }
  return false;
}

/** Forgets an announced address. Returns false when the id is not announced. */
export function announceForget(connection: Connection, id: u32): bool {
  let before: usize = 0;
  for (let at = connection.localAddresses; at != 0; at = changetype<LocalAddress>(at).next) {
    const local = changetype<LocalAddress>(at);
    if (local.id == id) {
      if (before == 0) connection.localAddresses = local.next;
      else changetype<LocalAddress>(before).next = local.next;
      poolFree(localAddressPool, at);
      if (!anyDue(connection)) connection.signals &= ~SIGNAL_DUE_ANNOUNCE;
      announceNext(connection);
      return true;
    }
    before = at;
  }
  return false;
}

/** The LocalAddress of an announced id, or 0. */
export function announcedOfId(connection: Connection, id: u32): usize {
  for (let at = connection.localAddresses; at != 0; at = changetype<LocalAddress>(at).next)
    if (changetype<LocalAddress>(at).id == id) return at;
  return 0;
}

/** The LocalAddress of an announced address and port, or 0. */
export function announcedOf(connection: Connection, hi: u64, lo: u64, port: u32): usize {
  for (let at = connection.localAddresses; at != 0; at = changetype<LocalAddress>(at).next) {
    const local = changetype<LocalAddress>(at);
    if (local.hi == hi && local.lo == lo && local.port == port) return at;
  }
  return 0;
}

/** Tells the peer that an address id is gone (RFC 8684 section 3.4.2). Returns false when too many wait already. */
export function withdraw(connection: Connection, id: u32): bool {
  if (connection.removeCount >= REMOVALS) {
    count(COUNTER_MPTCP_RmAddrTxDrop);
    return false;
  }
  connection.removeIds |= (<u64>(id & 255)) << (<u64>connection.removeCount * 8);
  connection.removeCount++;
  connection.signals |= SIGNAL_DUE_REMOVE;
  signalSoon(connection);
  return true;
}

/** Sends announcements again that were not echoed (net.mptcp.add_addr_timeout). */
export function signalsExpire(connection: Connection): void {
  const time = now();
  connection.signalAt = 0;
  for (let at = connection.localAddresses; at != 0; at = changetype<LocalAddress>(at).next) {
    const local = changetype<LocalAddress>(at);
    if (local.echoed != 0 || local.at == 0) continue;
    if (local.at <= time) {
      if (<u32>local.tries > RETRIES) {
        local.at = 0;
        continue;
      }
      // One that found no subflow to go by waits for that, not for time.
      if (local.due == 1 || removalWaits(connection, local.id))
        local.at = time + max<i64>(config(CONFIG_ADD_ADDR_TIMEOUT), UNSENT_WAIT);
      else announceNow(connection, local);
    }
    if (connection.signalAt == 0 || local.at < connection.signalAt) connection.signalAt = local.at;
  }
}

/** Forgets all announcements, at the end of a connection. */
export function announcementsClear(connection: Connection): void {
  while (connection.localAddresses != 0) {
    const front = connection.localAddresses;
    connection.localAddresses = changetype<LocalAddress>(front).next;
    poolFree(localAddressPool, front);
  }
  connection.signals = 0;
  connection.removeCount = 0;
  connection.removeIds = 0;
}

/** The address id of a local address on this connection: 0 for that of the initial subflow. */
export function localIdOf(connection: Connection, hi: u64, lo: u64): u32 {
  if (connection.localHi == hi && connection.localLo == lo) return 0;
  const index = endpointOfAddress(hi, lo);
  if (index >= 0) return endpointAt(index).id;
  for (let at = connection.localAddresses; at != 0; at = changetype<LocalAddress>(at).next) {
    const local = changetype<LocalAddress>(at);
    if (local.hi == hi && local.lo == lo) return local.id;
  }
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const subflow = changetype<Subflow>(at);
    if (subflow.localHi == hi && subflow.localLo == lo) return subflow.localId;
  }
  return spareId(connection);
}

/** The id an endpoint has on a connection: 0 when its address is that of the initial subflow (RFC 8684 section 3.2). */
export function endpointIdOn(connection: Connection, index: i32): u32 {
  const endpoint = endpointAt(index);
  const initial =
    endpoint.hi == connection.localHi &&
    endpoint.lo == connection.localLo &&
    (endpoint.port == 0 || endpoint.port == connection.localPort);
  return initial ? 0 : endpoint.id;
}

/** An id that stands for no other address of this connection. */
export function spareId(connection: Connection): u32 {
  for (let i: u32 = 0; i < 255; i++) {
    const id = 1 + ((SPARE_FIRST - 1 + i) % 255);
    if (!idInUse(connection, id)) return id;
  }
  return 255;
}

/** True when an id stands for an address already. */
export function idInUse(connection: Connection, id: u32): bool {
  if (endpointOfId(id) >= 0 || announcedOfId(connection, id) != 0) return true;
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next)
    if (changetype<Subflow>(at).localId == id) return true;
  for (let at = connection.lostPaths; at != 0; at = changetype<LostPath>(at).next)
    if (changetype<LostPath>(at).localId == id) return true;
  return false;
}

function announceNow(connection: Connection, local: LocalAddress): void {
  local.due = 1;
  connection.signals |= SIGNAL_DUE_ANNOUNCE;
  announceAgainAt(connection, local);
  signalSoon(connection);
}

/** The first retransmission comes after a few round trips, later ones more rarely, up to the configured timeout. */
function announceAgainAt(connection: Connection, local: LocalAddress): void {
  const longest = config(CONFIG_ADD_ADDR_TIMEOUT);
  local.at = 0;
  if (longest != 0) announceAt(connection, local, min<i64>((<i64>1000000) << (2 * local.tries), longest));
}

function announceAt(connection: Connection, local: LocalAddress, wait: i64): void {
  local.at = now() + wait;
  if (connection.signalAt == 0 || local.at < connection.signalAt) connection.signalAt = local.at;
}

function anyDue(connection: Connection): bool {
  for (let at = connection.localAddresses; at != 0; at = changetype<LocalAddress>(at).next)
    if (changetype<LocalAddress>(at).due == 1) return true;
  return false;
}
