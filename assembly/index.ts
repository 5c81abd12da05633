import { ERR_STATE } from './abi';
import { ingest, receiveSlot } from './stack/ingest';
import {
  inspectConnection,
  inspectListener,
  inspectPools,
  inspectSubflow,
  inspectTimeWait,
  nextHandle,
} from './stack/inspect';
import {
  addAddress,
  addRoute,
  endpointAdd,
  endpointChange,
  endpointRemove,
  linkAdd,
  linkRemove,
  linkUp,
  removeAddress,
  removeRoute,
} from './stack/links';
import {
  addressAnnounce,
  addressWithdraw,
  localAddressInfo,
  remoteAddressInfo,
  subflowClose,
  subflowGet,
  subflowOpen,
  subflowSet,
  takeMonitored,
} from './stack/paths';
import {
  abort,
  accept,
  close,
  commit,
  connect,
  consume,
  getConfig,
  lastAddress,
  lastLength,
  listen,
  listenerPort,
  peek,
  receive,
  reserve,
  scratchAddress,
  send,
  setConfig,
  shutdown,
} from './stack/sockets';
import { advance, create, deadline, eventRingAddress, isCreated, takeEvents, txRingAddress } from './stack/stack';
import { transmit } from './stack/transmit';
import { counters } from './state/counters';
import { monitorRing } from './state/monitor';
import { packetsOutBase } from './tcp/packet-out';

/**
 * The border of the core: every call a host can make, and nothing else is exported. What each does, its arguments and
 * errors stand in docs/abi.md.
 */

/** The Result record. */
const result: usize = memory.data(8, 8);

export function mptcp_create(budget: i32, seed0: i64, seed1: i64, seed2: i64, seed3: i64): i32 {
  return create(budget, seed0, seed1, seed2, seed3);
}

export function mptcp_memory_base(base: i64): i32 {
  packetsOutBase(base);
  return 0;
}

export function mptcp_set(handle: i32, key: i32, value: i64): i32 {
  if (!isCreated()) return ERR_STATE;
  return setConfig(handle, key, value);
}

export function mptcp_get(handle: i32, key: i32): i64 {
  if (!isCreated()) return ERR_STATE;
  return getConfig(handle, key);
}

export function mptcp_time(now: i64): i32 {
  if (!isCreated()) return ERR_STATE;
  return advance(now);
}

export function mptcp_deadline(): i64 {
  if (!isCreated()) return ERR_STATE;
  return deadline();
}

export function mptcp_link_add(mtu: i32, flags: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return linkAdd(mtu, flags);
}

export function mptcp_link_remove(link: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return linkRemove(link);
}

export function mptcp_link_up(link: i32, up: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return linkUp(link, up);
}

export function mptcp_address_add(link: i32, hi: i64, lo: i64, prefix: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return addAddress(link, <u64>hi, <u64>lo, prefix);
}

export function mptcp_address_remove(link: i32, hi: i64, lo: i64): i32 {
  if (!isCreated()) return ERR_STATE;
  return removeAddress(link, <u64>hi, <u64>lo);
}

export function mptcp_route_add(link: i32, hi: i64, lo: i64, prefix: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return addRoute(link, <u64>hi, <u64>lo, prefix);
}

export function mptcp_route_remove(link: i32, hi: i64, lo: i64, prefix: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return removeRoute(link, <u64>hi, <u64>lo, prefix);
}

export function mptcp_endpoint_add(hi: i64, lo: i64, port: i32, id: i32, flags: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return endpointAdd(<u64>hi, <u64>lo, port, id, flags);
}

export function mptcp_endpoint_remove(id: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return endpointRemove(id);
}

export function mptcp_rx_slot(slot: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return receiveSlot(slot);
}

export function mptcp_ingest(link: i32, slot: i32, length: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return ingest(link, slot, length);
}

export function mptcp_transmit(link: i32, max: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return transmit(link, max);
}

export function mptcp_tx_ring(): i32 {
  if (!isCreated()) return ERR_STATE;
  return txRingAddress();
}

export function mptcp_events(max: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return takeEvents(max);
}

export function mptcp_event_ring(): i32 {
  if (!isCreated()) return ERR_STATE;
  return eventRingAddress();
}

export function mptcp_listen(hi: i64, lo: i64, port: i32, backlog: i32, flags: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return listen(<u64>hi, <u64>lo, port, backlog, flags);
}

export function mptcp_listener_port(listener: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return listenerPort(listener);
}

export function mptcp_accept(listener: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return accept(listener);
}

export function mptcp_connect(
  localHi: i64,
  localLo: i64,
  localPort: i32,
  remoteHi: i64,
  remoteLo: i64,
  remotePort: i32,
  flags: i32,
): i32 {
  if (!isCreated()) return ERR_STATE;
  return connect(<u64>localHi, <u64>localLo, localPort, <u64>remoteHi, <u64>remoteLo, remotePort, flags);
}

export function mptcp_send_reserve(connection: i32, max: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  const length = reserve(connection, max);
  store<u32>(result, lastAddress());
  store<u32>(result, lastLength(), 4);
  return length;
}

export function mptcp_send_commit(connection: i32, length: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return commit(connection, length);
}

export function mptcp_send(connection: i32, address: i32, length: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return send(connection, address, length);
}

export function mptcp_recv_peek(connection: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  const length = peek(connection);
  store<u32>(result, lastAddress());
  store<u32>(result, lastLength(), 4);
  return length;
}

export function mptcp_recv_consume(connection: i32, length: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return consume(connection, length);
}

export function mptcp_recv(connection: i32, address: i32, length: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return receive(connection, address, length);
}

export function mptcp_shutdown(connection: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return shutdown(connection);
}

export function mptcp_close(handle: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return close(handle);
}

export function mptcp_abort(connection: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return abort(connection);
}

export function mptcp_result(): i32 {
  return <i32>result;
}

export function mptcp_connection_info(connection: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return inspectConnection(connection);
}

export function mptcp_subflow_info(connection: i32, index: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return inspectSubflow(connection, index);
}

export function mptcp_pool_info(): i32 {
  if (!isCreated()) return ERR_STATE;
  return inspectPools();
}

export function mptcp_counters(): i32 {
  return <i32>counters;
}

export function mptcp_scratch(): i32 {
  if (!isCreated()) return ERR_STATE;
  return scratchAddress();
}

export function mptcp_next(kind: i32, after: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return nextHandle(kind, after);
}

export function mptcp_listener_info(listener: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return inspectListener(listener);
}

export function mptcp_time_wait_info(subflow: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return inspectTimeWait(subflow);
}

export function mptcp_endpoint_change(id: i32, flags: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return endpointChange(id, flags);
}

export function mptcp_subflow_open(
  connection: i32,
  localHi: i64,
  localLo: i64,
  localPort: i32,
  localId: i32,
  remoteHi: i64,
  remoteLo: i64,
  remotePort: i32,
  remoteId: i32,
  flags: i32,
): i32 {
  if (!isCreated()) return ERR_STATE;
  return subflowOpen(
    connection,
    <u64>localHi,
    <u64>localLo,
    localPort,
    localId,
    <u64>remoteHi,
    <u64>remoteLo,
    remotePort,
    remoteId,
    flags,
  );
}

export function mptcp_subflow_close(connection: i32, subflow: i32, reason: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return subflowClose(connection, subflow, reason);
}

export function mptcp_subflow_set(connection: i32, subflow: i32, key: i32, value: i64): i32 {
  if (!isCreated()) return ERR_STATE;
  return subflowSet(connection, subflow, key, value);
}

export function mptcp_subflow_get(connection: i32, subflow: i32, key: i32): i64 {
  if (!isCreated()) return ERR_STATE;
  return subflowGet(connection, subflow, key);
}

export function mptcp_address_announce(connection: i32, hi: i64, lo: i64, port: i32, id: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return addressAnnounce(connection, <u64>hi, <u64>lo, port, id);
}

export function mptcp_address_withdraw(connection: i32, id: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return addressWithdraw(connection, id);
}

export function mptcp_local_address_info(connection: i32, index: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return localAddressInfo(connection, index);
}

export function mptcp_remote_address_info(connection: i32, index: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  return remoteAddressInfo(connection, index);
}

export function mptcp_monitor(max: i32): i32 {
  if (!isCreated()) return ERR_STATE;
  const taken = takeMonitored(max);
  store<u32>(result, <u32>monitorRing());
  store<u32>(result, taken > 0 ? <u32>taken : 0, 4);
  return taken;
}
