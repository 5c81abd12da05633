import {
  AddressInfo,
  CONGESTION_WVEGAS,
  CONNECTION_CLOSED,
  CONNECTION_CONNECTING,
  ERR_ADDRESS_IN_USE,
  ERR_ADDRESS_NOT_AVAILABLE,
  ERR_DENIED,
  ERR_DONE,
  ERR_HANDLE,
  ERR_INVALID,
  ERR_LIMIT,
  ERR_NOT_FOUND,
  ERR_NOT_MULTIPATH,
  ERR_UNREACHABLE,
  EVENT_BATCH,
  OPEN_BACKUP,
  RESET_UNSPECIFIED,
  SIZEOF_ADDRESS_INFO,
  SUBFLOW_BACKUP_LOCAL,
  SUBFLOW_OPTION_BACKUP,
  SUBFLOW_OPTION_CONGESTION,
  SUBFLOW_OPTION_CWND_CLAMP,
  SUBFLOW_OPTION_HOP_LIMIT,
  SUBFLOW_OPTION_REOPEN,
  SUBFLOW_OPTION_TRAFFIC_CLASS,
  SUBFLOW_OPTION_WEIGHT,
  SUBFLOWS_MAX,
} from '../abi';
import { congestionChoose, congestionRejoin } from '../congestion/control';
import {
  announce,
  announcedOf,
  announcedOfId,
  announceForget,
  idInUse,
  localIdOf,
  spareId,
  withdraw,
} from '../paths/announce';
import { lostForgetPath } from '../paths/lost';
import { setBackup } from '../paths/priority';
import { pathClosed, pathsLeft } from '../paths/reopen';
import { isOpen, openPath, subflowOfId, subflowRetire } from '../paths/subflows';
import { pushLater } from '../session/send';
import { Connection } from '../state/connection';
import { isMapped, linkOfAddress, linkToDestination, sourceAddress } from '../state/link';
import { monitorTake } from '../state/monitor';
import { LocalAddress, RemoteAddress } from '../state/path';
import { Subflow } from '../state/subflow';
import { resetDue } from '../tcp/close';
import { readyAdd } from '../tcp/ready';
import { connectionOf } from './sockets';

/** What an application does with the paths of a connection, whichever path manager that has. */

/** Highest reason of MP_TCPRST (RFC 8684 section 3.6). */
const REASON_LAST: i32 = 6;
const CWND_NO_CLAMP: u32 = 0xffffffff;
/** The value of SUBFLOW_OPTION_CONGESTION for what the connection has. */
const CONGESTION_FOLLOW: i64 = 255;
const addressInfo: usize = memory.data(64, 8);

/** See mptcp_subflow_open. */
export function subflowOpen(
  handle: i32,
  localHi: u64,
  localLo: u64,
  localPort: i32,
  localId: i32,
  remoteHi: u64,
  remoteLo: u64,
  remotePort: i32,
  remoteId: i32,
  flags: i32,
): i32 {
  const connection = connectionOf(handle);
  if (connection === null) return ERR_HANDLE;
  if (!isPort(localPort) || !isPort(remotePort) || (flags & ~OPEN_BACKUP) != 0) return ERR_INVALID;
  if (localId < -1 || localId > 255 || remoteId < -1 || remoteId > 255) return ERR_INVALID;
  if (!isMultipath(connection)) return ERR_NOT_MULTIPATH;
  if (connection.subflowCount >= <u32>SUBFLOWS_MAX) return ERR_LIMIT;
  const announced = remoteHi != 0 || remoteLo != 0 ? remoteOf(connection, remoteHi, remoteLo, remotePort) : 0;
  if (remoteHi == 0 && remoteLo == 0) {
    remoteHi = connection.remoteHi;
    remoteLo = connection.remoteLo;
  }
  if (remotePort == 0 && announced != 0) remotePort = <i32>changetype<RemoteAddress>(announced).port;
  if (remotePort == 0) remotePort = <i32>connection.remotePort;
  const initial =
    remoteHi == connection.remoteHi && remoteLo == connection.remoteLo && remotePort == <i32>connection.remotePort;
  // RFC 8684 section 3.1: flag C forbids joins to the address and port of the initial subflow.
  if (initial && connection.denyJoinInitial != 0) return ERR_DENIED;
  if (localHi == 0 && localLo == 0) {
    const link = linkToDestination(remoteHi, remoteLo);
    if (link < 0) return ERR_UNREACHABLE;
    const source = sourceAddress(link, remoteHi, remoteLo);
    if (source === null) return ERR_UNREACHABLE;
    localHi = source.hi;
    localLo = source.lo;
  } else if (isMapped(localHi, localLo) != isMapped(remoteHi, remoteLo)) {
    return ERR_INVALID;
  }
  if (linkOfAddress(localHi, localLo) < 0) return ERR_ADDRESS_NOT_AVAILABLE;
  const ownId = localId >= 0 ? <u32>localId : localIdOf(connection, localHi, localLo);
  let peerId: u32 = 0;
  if (remoteId >= 0) peerId = <u32>remoteId;
  else if (announced != 0) peerId = changetype<RemoteAddress>(announced).id;
  const backup = (flags & OPEN_BACKUP) != 0;
  const opened = openPath(
    connection,
    localHi,
    localLo,
    <u32>localPort,
    ownId,
    remoteHi,
    remoteLo,
    <u32>remotePort,
    peerId,
    backup,
  );
  if (opened > 0) lostForgetPath(connection, localHi, localLo, remoteHi, remoteLo, <u32>remotePort);
  return opened;
}

/** See mptcp_subflow_close. */
export function subflowClose(handle: i32, id: i32, reason: i32): i32 {
  const connection = connectionOf(handle);
  if (connection === null) return ERR_HANDLE;
  if (reason < 0 || reason > REASON_LAST) return ERR_INVALID;
  if (!isMultipath(connection)) return ERR_NOT_MULTIPATH;
  const found = subflowOfId(connection, <u32>id);
  if (found == 0) return ERR_NOT_FOUND;
  const subflow = changetype<Subflow>(found);
  const open = isOpen(subflow);
  if (!open && (subflow.closing == 0 || subflow.rstDue != 0)) return ERR_NOT_FOUND;
  if (open) pathClosed(connection, subflow);
  // A reason can be told by an RST only.
  if (reason != RESET_UNSPECIFIED) resetDue(subflow, <u8>reason);
  else if (open) subflowRetire(connection, subflow, <u8>reason);
  pathsLeft(connection);
  pushLater(connection);
  return 0;
}

/** See mptcp_subflow_set. */
export function subflowSet(handle: i32, id: i32, key: i32, value: i64): i32 {
  const connection = connectionOf(handle);
  if (connection === null) return ERR_HANDLE;
  const found = subflowOfId(connection, <u32>id);
  if (found == 0) return ERR_NOT_FOUND;
  const subflow = changetype<Subflow>(found);
  switch (key) {
    case SUBFLOW_OPTION_BACKUP:
      if (value < 0 || value > 1) return ERR_INVALID;
      if (connection.multipath == 0) return ERR_NOT_MULTIPATH;
      setBackup(subflow, value != 0);
      // Bytes that wait may go another way now.
      pushLater(connection);
      return 0;
    case SUBFLOW_OPTION_HOP_LIMIT:
      if (value < 0 || value > 255) return ERR_INVALID;
      subflow.hopLimit = <u8>value;
      return 0;
    case SUBFLOW_OPTION_TRAFFIC_CLASS:
      if (value < 0 || value > 252 || (value & 3) != 0) return ERR_INVALID;
      subflow.trafficClass = <u8>value;
      return 0;
    case SUBFLOW_OPTION_CWND_CLAMP:
      if (value != 0 && (value < 536 || value > 1 << 30)) return ERR_INVALID;
      subflow.cwndClamp = value == 0 ? CWND_NO_CLAMP : <u32>value;
      subflow.cwnd = min<u32>(subflow.cwnd, subflow.cwndClamp);
      readyAdd(subflow);
      pushLater(connection);
      return 0;
    case SUBFLOW_OPTION_REOPEN:
      if (value < 0 || value > 1) return ERR_INVALID;
      subflow.noReopen = value != 0 ? 0 : 1;
      return 0;
    case SUBFLOW_OPTION_CONGESTION:
      if (value == CONGESTION_FOLLOW) {
        congestionRejoin(subflow);
        return 0;
      }
      if (value < 0 || value > CONGESTION_WVEGAS) return ERR_INVALID;
      congestionChoose(subflow, <u8>value);
      return 0;
    case SUBFLOW_OPTION_WEIGHT:
      if (value < 1 || value > 256) return ERR_INVALID;
      subflow.weight = <u8>(value - 1);
      return 0;
    default:
      return ERR_INVALID;
  }
}

/** See mptcp_subflow_get. */
export function subflowGet(handle: i32, id: i32, key: i32): i64 {
  const connection = connectionOf(handle);
  if (connection === null) return ERR_HANDLE;
  const found = subflowOfId(connection, <u32>id);
  if (found == 0) return ERR_NOT_FOUND;
  const subflow = changetype<Subflow>(found);
  switch (key) {
    case SUBFLOW_OPTION_BACKUP:
      return (subflow.flags & <u8>SUBFLOW_BACKUP_LOCAL) != 0 ? 1 : 0;
    case SUBFLOW_OPTION_HOP_LIMIT:
      return subflow.hopLimit;
    case SUBFLOW_OPTION_TRAFFIC_CLASS:
      return subflow.trafficClass;
    case SUBFLOW_OPTION_CWND_CLAMP:
      return subflow.cwndClamp == CWND_NO_CLAMP ? 0 : <i64>subflow.cwndClamp;
    case SUBFLOW_OPTION_REOPEN:
      return subflow.noReopen != 0 ? 0 : 1;
    case SUBFLOW_OPTION_CONGESTION:
      return subflow.congestion;
    case SUBFLOW_OPTION_WEIGHT:
      return <i64>subflow.weight + 1;
    default:
      return ERR_INVALID;
  }
}

/** See mptcp_address_announce. */
export function addressAnnounce(handle: i32, hi: u64, lo: u64, port: i32, id: i32): i32 {
  const connection = connectionOf(handle);
  if (connection === null) return ERR_HANDLE;
  if (!isPort(port) || id < 0 || id > 255 || (hi == 0 && lo == 0)) return ERR_INVALID;
  if (!isMultipath(connection)) return ERR_NOT_MULTIPATH;
  if (announcedOf(connection, hi, lo, <u32>port) != 0) return ERR_ADDRESS_IN_USE;
  let chosen = <u32>id;
  if (chosen == 0) {
    chosen = localIdOf(connection, hi, lo);
    // The id of the initial subflow's address goes with its port.
    if (chosen == 0 || announcedOfId(connection, chosen) != 0) chosen = spareId(connection);
  } else if (chosen != localIdOf(connection, hi, lo) && idInUse(connection, chosen)) {
    return ERR_ADDRESS_IN_USE;
  } else if (announcedOfId(connection, chosen) != 0) {
    return ERR_ADDRESS_IN_USE;
  }
  const result = announce(connection, chosen, hi, lo, <u32>port, false);
  pushLater(connection);
  return result < 0 ? result : <i32>chosen;
}

/** See mptcp_address_withdraw. */
export function addressWithdraw(handle: i32, id: i32): i32 {
  const connection = connectionOf(handle);
  if (connection === null) return ERR_HANDLE;
  if (id < 0 || id > 255) return ERR_INVALID;
  if (!isMultipath(connection)) return ERR_NOT_MULTIPATH;
  let known = announcedOfId(connection, <u32>id) != 0;
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next)
    if (<i32>changetype<Subflow>(at).localId == id) known = true;
  if (!known) return ERR_NOT_FOUND;
  if (!withdraw(connection, <u32>id)) return ERR_LIMIT;
  announceForget(connection, <u32>id);
  pushLater(connection);
  return 0;
}

/** See mptcp_local_address_info. */
export function localAddressInfo(handle: i32, index: i32): i32 {
  const connection = connectionOf(handle);
  if (connection === null) return ERR_HANDLE;
  let at: usize = index < 0 ? 0 : connection.localAddresses;
  for (; at != 0 && index > 0; index--) at = changetype<LocalAddress>(at).next;
  if (at == 0) return ERR_DONE;
  const local = changetype<LocalAddress>(at);
  const info = begin(local.hi, local.lo, local.port, local.id);
  info.echoed = local.echoed;
  for (let s = connection.subflows; s != 0; s = changetype<Subflow>(s).next) {
    const subflow = changetype<Subflow>(s);
    if (subflow.localHi == local.hi && subflow.localLo == local.lo) info.joined = 1;
  }
  return <i32>addressInfo;
}

/** See mptcp_remote_address_info. */
export function remoteAddressInfo(handle: i32, index: i32): i32 {
  const connection = connectionOf(handle);
  if (connection === null) return ERR_HANDLE;
  let at: usize = index < 0 ? 0 : connection.remoteAddresses;
  for (; at != 0 && index > 0; index--) at = changetype<RemoteAddress>(at).next;
  if (at == 0) return ERR_DONE;
  const remote = changetype<RemoteAddress>(at);
  const info = begin(remote.hi, remote.lo, remote.port, remote.id);
  info.echoed = remote.echoed;
  for (let s = connection.subflows; s != 0; s = changetype<Subflow>(s).next) {
    const subflow = changetype<Subflow>(s);
    if (subflow.remoteHi == remote.hi && subflow.remoteLo == remote.lo) info.joined = 1;
  }
  return <i32>addressInfo;
}

/** See mptcp_monitor. */
export function takeMonitored(max: i32): i32 {
  return max < 0 ? ERR_INVALID : monitorTake(min<i32>(max, EVENT_BATCH));
}

function begin(hi: u64, lo: u64, port: u32, id: u32): AddressInfo {
  memory.fill(addressInfo, 0, SIZEOF_ADDRESS_INFO);
  const info = changetype<AddressInfo>(addressInfo);
  info.hi = hi;
  info.lo = lo;
  info.port = <u16>port;
  info.id = <u8>id;
  return info;
}

/** True when subflows can be added (RFC 8684 section 3.1). */
function isMultipath(connection: Connection): bool {
  return (
    connection.multipath != 0 &&
    connection.confirmed != 0 &&
    connection.state != CONNECTION_CONNECTING &&
    connection.state != CONNECTION_CLOSED
  );
}

/** The announced address of the peer with a port, or with any for port 0. */
function remoteOf(connection: Connection, hi: u64, lo: u64, port: i32): usize {
  for (let at = connection.remoteAddresses; at != 0; at = changetype<RemoteAddress>(at).next) {
    const remote = changetype<RemoteAddress>(at);
    if (remote.hi != hi || remote.lo != lo) continue;
    if (port == 0 || remote.port == <u32>port || (remote.port == 0 && port == <i32>connection.remotePort)) return at;
  }
  return 0;
}

function isPort(port: i32): bool {
  return port >= 0 && port <= 65535;
}
