import {
  ADDRESSES_MAX,
  CONNECTION_CLOSED,
  ENDPOINT_BACKUP,
  ENDPOINT_FULLMESH,
  ENDPOINT_SIGNAL,
  ENDPOINT_SUBFLOW,
  ENDPOINTS_MAX,
  ERR_ADDRESS_IN_USE,
  ERR_ADDRESS_NOT_AVAILABLE,
  ERR_INVALID,
  ERR_LIMIT,
  ERR_RESET,
  EVENT_LISTENER_CLOSED,
  EVENT_LISTENER_CREATED,
  LINK_CHECKSUM,
  LINK_SEGMENTATION,
  LINK_VNET_HEADER,
  LINKS_MAX,
  ROUTES_MAX,
} from '../abi';
import { poolAt } from '../memory/pool';
import { addressRemoved, endpointAdded, endpointChanged, endpointRemoved } from '../paths/local';
import { managerFill } from '../paths/manager';
import { pathsReturned } from '../paths/reopen';
import { sessionSubflowClosed } from '../session/closing';
import { stalled } from '../session/expire';
import { pushLater } from '../session/send';
import { now } from '../state/clock';
import { Connection, connectionPool } from '../state/connection';
import { endpointAt, endpointOfAddress, endpointOfId } from '../state/endpoint';
import { addressAt, isMapped, linkAt, linkFind, linkOfAddress, routeAt } from '../state/link';
import { monitorListener } from '../state/monitor';
import { ownerOf, Subflow, subflowPool } from '../state/subflow';
import { readyAdd } from '../tcp/ready';
import { timersArm } from '../tcp/timers';
import { replyDone, replyTake } from './replies';

/** Links, addresses, routes and endpoints, as the host sets them; what changes reaches connections at once. */

export function linkAdd(mtu: i32, flags: i32): i32 {
  if (mtu < 576 || mtu > 65535) return ERR_INVALID;
  if ((flags & ~(LINK_VNET_HEADER | LINK_CHECKSUM | LINK_SEGMENTATION)) != 0) return ERR_INVALID;
  if ((flags & LINK_CHECKSUM) != 0 && (flags & LINK_VNET_HEADER) == 0) return ERR_INVALID;
  if ((flags & LINK_SEGMENTATION) != 0 && (flags & LINK_CHECKSUM) == 0) return ERR_INVALID;
  for (let i = 0; i < LINKS_MAX; i++) {
    const link = linkAt(i);
    if (link.used != 0) continue;
    link.used = 1;
    link.mtu = <u32>mtu;
    link.flags = <u32>flags;
    link.up = 1;
    link.addressCount = 0;
    return i;
  }
  return ERR_LIMIT;
}

export function linkRemove(index: i32): i32 {
  const link = linkFind(index);
  if (link === null) return ERR_INVALID;
  while (link.addressCount > 0) {
    const address = addressAt(index, 0);
    removeAddress(index, address.hi, address.lo);
  }
  // No RST can leave any more.
  for (let i: u32 = 0; i < subflowPool.slots; i++) {
    const subflow = changetype<Subflow>(poolAt(subflowPool, i));
    if (subflow.live != 0 && subflow.link == index) sessionSubflowClosed(subflow, ERR_RESET);
  }
  for (let reply = replyTake(link); reply != 0; reply = replyTake(link)) replyDone(reply);
  for (let i = 0; i < ROUTES_MAX; i++) if (routeAt(i).link == index) routeAt(i).link = -1;
  link.used = 0;
  return 0;
}

export function linkUp(index: i32, up: i32): i32 {
  const link = linkFind(index);
  if (link === null || (up != 0 && up != 1)) return ERR_INVALID;
  if (link.up == <u32>up) return 0;
  link.up = <u32>up;
  for (let i: u32 = 0; i < subflowPool.slots; i++) {
    const subflow = changetype<Subflow>(poolAt(subflowPool, i));
    if (subflow.live == 0 || subflow.link != index || subflow.owner == 0) continue;
    if (up == 0) {
      stalled(ownerOf(subflow), subflow);
    } else {
      // Do not wait for what is left of a long backoff.
      subflow.backoff = 0;
      if (subflow.rtoAt != 0) subflow.rtoAt = now() + 1;
      timersArm(subflow);
      readyAdd(subflow);
    }
  }
  if (up != 0)
    for (let i: u32 = 0; i < link.addressCount; i++) returned(addressAt(index, i).hi, addressAt(index, i).lo);
  return 0;
}

export function addAddress(index: i32, hi: u64, lo: u64, prefix: i32): i32 {
  const link = linkFind(index);
  if (link === null || !unicast(hi, lo)) return ERR_INVALID;
  const v4 = isMapped(hi, lo);
  const shortest = v4 ? 96 : 0;
  if (prefix < shortest || prefix > 128) return ERR_INVALID;
  // RFC 8200 section 5.
  if (!v4 && link.mtu < 1280) return ERR_INVALID;
  if (linkOfAddress(hi, lo) >= 0) return ERR_ADDRESS_IN_USE;
  if (link.addressCount >= <u32>ADDRESSES_MAX) return ERR_LIMIT;
  const address = addressAt(index, link.addressCount++);
  address.hi = hi;
  address.lo = lo;
  address.prefix = <u32>prefix;
  if (link.up != 0) returned(hi, lo);
  return 0;
}

export function removeAddress(index: i32, hi: u64, lo: u64): i32 {
  const link = linkFind(index);
  if (link === null) return ERR_INVALID;
  for (let i: u32 = 0; i < link.addressCount; i++) {
    const address = addressAt(index, i);
    if (address.hi != hi || address.lo != lo) continue;
    for (let c: u32 = 0; c < connectionPool.slots; c++) {
      const connection = connectionAt(c);
      if (connection === null) continue;
      addressRemoved(connection, hi, lo);
      pushLater(connection);
    }
    const last = addressAt(index, --link.addressCount);
    address.hi = last.hi;
    address.lo = last.lo;
    address.prefix = last.prefix;
    return 0;
  }
  return ERR_ADDRESS_NOT_AVAILABLE;
}

export function addRoute(index: i32, hi: u64, lo: u64, prefix: i32): i32 {
  if (linkFind(index) === null || prefix < 0 || prefix > 128) return ERR_INVALID;
  for (let i = 0; i < ROUTES_MAX; i++) {
    const route = routeAt(i);
    if (route.link >= 0) continue;
    route.hi = hi;
    route.lo = lo;
    route.prefix = <u32>prefix;
    route.link = index;
    return 0;
  }
  return ERR_LIMIT;
}

export function removeRoute(index: i32, hi: u64, lo: u64, prefix: i32): i32 {
  if (linkFind(index) === null) return ERR_INVALID;
  for (let i = 0; i < ROUTES_MAX; i++) {
    const route = routeAt(i);
    if (route.link != index || route.hi != hi || route.lo != lo || route.prefix != <u32>prefix) continue;
    route.link = -1;
    return 0;
  }
  return ERR_ADDRESS_NOT_AVAILABLE;
}

export function endpointAdd(hi: u64, lo: u64, port: i32, id: i32, flags: i32): i32 {
  const known = ENDPOINT_SIGNAL | ENDPOINT_SUBFLOW | ENDPOINT_BACKUP | ENDPOINT_FULLMESH;
  if ((flags & ~known) != 0 || port < 0 || port > 65535 || id < 0 || id > 255) return ERR_INVALID;
  // As Linux: a port is announced, and what is announced is not also a source of full mesh.
  if (port != 0 && (flags & ENDPOINT_SIGNAL) == 0) return ERR_INVALID;
  if ((flags & ENDPOINT_SIGNAL) != 0 && (flags & ENDPOINT_FULLMESH) != 0) return ERR_INVALID;
  if (linkOfAddress(hi, lo) < 0) return ERR_ADDRESS_NOT_AVAILABLE;
  if (endpointOfAddress(hi, lo) >= 0 || endpointOfId(<u32>id) >= 0) return ERR_ADDRESS_IN_USE;
  let chosen = <u32>id;
  if (chosen == 0) {
    chosen = 1;
    while (endpointOfId(chosen) >= 0) chosen++;
  }
  for (let i = 0; i < ENDPOINTS_MAX; i++) {
    const endpoint = endpointAt(i);
    if (endpoint.id != 0) continue;
    endpoint.hi = hi;
    endpoint.lo = lo;
    endpoint.port = <u32>port;
    endpoint.id = chosen;
    endpoint.flags = <u32>flags;
    if (port != 0) monitorListener(EVENT_LISTENER_CREATED, 0, hi, lo, <u32>port);
    for (let c: u32 = 0; c < connectionPool.slots; c++) {
      const connection = connectionAt(c);
      if (connection === null) continue;
      endpointAdded(connection, i);
      pushLater(connection);
    }
    return <i32>chosen;
  }
  return ERR_LIMIT;
}

export function endpointRemove(id: i32): i32 {
  const index = id > 0 && id < 256 ? endpointOfId(<u32>id) : -1;
  if (index < 0) return ERR_INVALID;
  for (let c: u32 = 0; c < connectionPool.slots; c++) {
    const connection = connectionAt(c);
    if (connection !== null) endpointRemoved(connection, index);
  }
  const endpoint = endpointAt(index);
  if (endpoint.port != 0) monitorListener(EVENT_LISTENER_CLOSED, 0, endpoint.hi, endpoint.lo, endpoint.port);
  endpoint.id = 0;
  // There is room for what other endpoints want.
  fillConnections();
  return 0;
}

/** See mptcp_endpoint_change. */
export function endpointChange(id: i32, flags: i32): i32 {
  const index = id > 0 && id < 256 ? endpointOfId(<u32>id) : -1;
  if (index < 0) return ERR_INVALID;
  const endpoint = endpointAt(index);
  const fixed = ENDPOINT_SIGNAL | ENDPOINT_SUBFLOW;
  const free = ENDPOINT_BACKUP | ENDPOINT_FULLMESH;
  if ((flags & ~(fixed | free)) != 0) return ERR_INVALID;
  if ((flags & fixed) != 0 && (flags & fixed) != (<i32>endpoint.flags & fixed)) return ERR_INVALID;
  // As Linux: what is announced is not also a source of full mesh.
  if ((flags & ENDPOINT_FULLMESH) != 0 && (<i32>endpoint.flags & ENDPOINT_SIGNAL) != 0) return ERR_INVALID;
  const before = endpoint.flags;
  endpoint.flags = <u32>((<i32>before & ~free) | (flags & free));
  if (endpoint.flags == before) return 0;
  for (let c: u32 = 0; c < connectionPool.slots; c++) {
    const connection = connectionAt(c);
    if (connection === null) continue;
    endpointChanged(connection, index, before);
    pushLater(connection);
  }
  return 0;
}

/** Limits or endpoints left room: managers may want it. */
export function fillConnections(): void {
  for (let c: u32 = 0; c < connectionPool.slots; c++) {
    const connection = connectionAt(c);
    if (connection === null) continue;
    managerFill(connection);
    pushLater(connection);
  }
}

/** The connection of an index that is not over, or null. */
function connectionAt(index: u32): Connection | null {
  const connection = changetype<Connection>(poolAt(connectionPool, index));
  return connection.live != 0 && connection.state != CONNECTION_CLOSED ? connection : null;
}

/** An address can be used again. */
function returned(hi: u64, lo: u64): void {
  for (let c: u32 = 0; c < connectionPool.slots; c++) {
    const connection = connectionAt(c);
    if (connection === null) continue;
    pathsReturned(connection, hi, lo);
    pushLater(connection);
  }
}

function unicast(hi: u64, lo: u64): bool {
  if (isMapped(hi, lo)) {
    const first = <u32>(lo >> 24) & 255;
    return first != 0 && first < 224;
  }
  return hi >> 56 != 255 && (hi != 0 || lo > 1);
}
