import {
  CONFIG_BLEST_LAMBDA,
  CONFIG_CONGESTION,
  CONFIG_KEEPALIVE,
  CONFIG_KEEPALIVE_COUNT,
  CONFIG_KEEPALIVE_IDLE,
  CONFIG_KEEPALIVE_INTERVAL,
  CONFIG_LIMIT_ADD_ADDR_ACCEPTED,
  CONFIG_LIMIT_SUBFLOWS,
  CONFIG_LINGER,
  CONFIG_MONITOR,
  CONFIG_NDIFFPORTS,
  CONFIG_NO_DELAY,
  CONFIG_PACING,
  CONFIG_PATH_MANAGER,
  CONFIG_PATH_MODE,
  CONFIG_RECEIVE_BUFFER,
  CONFIG_REJOIN_TIMEOUT,
  CONFIG_SCHEDULER,
  CONFIG_SEND_BUFFER,
  CONFIG_USER_TIMEOUT,
  CONNECT_FAST_OPEN,
  CONNECT_PLAIN_TCP,
  CONNECT_VERSION_0,
  CONNECT_VERSION_1,
  CONNECTION_CLOSED,
  ERR_ABORTED,
  ERR_ADDRESS_IN_USE,
  ERR_ADDRESS_NOT_AVAILABLE,
  ERR_DONE,
  ERR_HANDLE,
  ERR_INVALID,
  ERR_NO_MEMORY,
  ERR_NOT_CONNECTED,
  ERR_UNREACHABLE,
  EVENT_LISTENER_CLOSED,
  EVENT_LISTENER_CREATED,
  SCRATCH_BYTES,
} from '../abi';
import { congestionFollow } from '../congestion/control';
import { randomU32 } from '../crypto/random';
import { poolAt, poolFind, poolFree, poolTake } from '../memory/pool';
import { regionTake } from '../memory/region';
import { managerEstablished, managerFill } from '../paths/manager';
import { pathsModeSet } from '../paths/reopen';
import { receiveBufferTune } from '../session/autotune';
import { bufferConsume, bufferContiguous, bufferFront } from '../session/buffer';
import { leaveListener, sessionAbort, sessionClose, sessionShutdown } from '../session/closing';
import { activeOpen } from '../session/open';
import { schedulerChoose } from '../session/push';
import { pushLater, reservedAddress, sendCommit, sendReserve } from '../session/send';
import { sessionArm } from '../session/timer';
import { config, configCheck, configKnown, configStore } from '../state/config';
import { Connection, connectionPool, readableBytes } from '../state/connection';
import { eventsForget, eventsForgetListener, eventsRelease } from '../state/events';
import { isMapped, linkOfAddress, linkToDestination, sourceAddress } from '../state/link';
import { Listener, listenerFirst, listenerInsert, listenerPool, listenerRemove } from '../state/listener';
import { monitorForget, monitorListener } from '../state/monitor';
import { canCarryData, Subflow } from '../state/subflow';
import { isTuning, tuning, tuningStore } from '../state/tuning';
import { keepAliveArm } from '../tcp/expire';
import { flowFind } from '../tcp/flows';
import { freePort, PORT_COUNT, PORT_FIRST } from '../tcp/ports';
import { ackNow } from '../tcp/ready';
import { windowUpdateDue } from '../tcp/window';
import { fillConnections } from './links';

/** What applications do with listeners and connections, by handle. */

const CONNECT_FLAGS: i32 = CONNECT_PLAIN_TCP | CONNECT_FAST_OPEN | CONNECT_VERSION_0 | CONNECT_VERSION_1;
let scratch: usize = 0;
let resultAddress: u32 = 0;
let resultLength: u32 = 0;

/** Takes room for the scratch area. Call it before pagesOpen(). */
export function socketsOpen(): void {
  scratch = regionTake(<usize>SCRATCH_BYTES);
}

export function scratchAddress(): i32 {
  return <i32>scratch;
}

export function lastAddress(): u32 {
  return resultAddress;
}

export function lastLength(): u32 {
  return resultLength;
}

/** The live connection of a handle the application still has, or null. */
export function connectionOf(handle: i32): Connection | null {
  const found = poolFind(connectionPool, handle);
  if (found == 0) return null;
  const connection = changetype<Connection>(found);
  return connection.orphaned != 0 || connection.accepted == 0 ? null : connection;
}

export function listen(hi: u64, lo: u64, port: i32, backlog: i32, flags: i32): i32 {
  if (port < 0 || port > 65535 || backlog < 1 || (flags & ~CONNECT_FLAGS) != 0) return ERR_INVALID;
  const any = hi == 0 && lo == 0;
  if (!any && linkOfAddress(hi, lo) < 0) return ERR_ADDRESS_NOT_AVAILABLE;
  const chosen = port != 0 ? <u32>port : freeListenPort(hi, lo);
  if (chosen == 0 || listening(hi, lo, chosen)) return ERR_ADDRESS_IN_USE;
  const taken = poolTake(listenerPool);
  if (taken == 0) return ERR_NO_MEMORY;
  const listener = changetype<Listener>(taken);
  listener.live = 1;
  listener.port = chosen;
  listener.hi = hi;
  listener.lo = lo;
  listener.backlog = <u32>backlog;
  listener.flags = <u32>flags;
  listenerInsert(listener);
  monitorListener(EVENT_LISTENER_CREATED, listener.handle, hi, lo, chosen);
  return <i32>listener.handle;
}

export function listenerPort(handle: i32): i32 {
  const found = poolFind(listenerPool, handle);
  return found == 0 ? ERR_HANDLE : <i32>changetype<Listener>(found).port;
}

export function accept(handle: i32): i32 {
  const found = poolFind(listenerPool, handle);
  if (found == 0) return ERR_HANDLE;
  const listener = changetype<Listener>(found);
  if (listener.acceptHead == 0) return ERR_DONE;
  const connection = changetype<Connection>(listener.acceptHead);
  leaveListener(connection);
  connection.accepted = 1;
  eventsRelease(connection);
  return <i32>connection.handle;
}

export function connect(
  localHi: u64,
  localLo: u64,
  localPort: i32,
  remoteHi: u64,
  remoteLo: u64,
  remotePort: i32,
  flags: i32,
): i32 {
  if (localPort < 0 || localPort > 65535 || remotePort < 1 || remotePort > 65535) return ERR_INVALID;
  if ((flags & ~CONNECT_FLAGS) != 0 || (remoteHi == 0 && remoteLo == 0)) return ERR_INVALID;
  let link: i32;
  if (localHi == 0 && localLo == 0) {
    link = linkToDestination(remoteHi, remoteLo);
    if (link < 0) return ERR_UNREACHABLE;
    const source = sourceAddress(link, remoteHi, remoteLo);
    if (source === null) return ERR_UNREACHABLE;
    localHi = source.hi;
    localLo = source.lo;
  } else {
    link = linkOfAddress(localHi, localLo);
    if (link < 0) return ERR_ADDRESS_NOT_AVAILABLE;
    if (isMapped(localHi, localLo) != isMapped(remoteHi, remoteLo)) return ERR_INVALID;
  }
  let port = <u32>localPort;
  if (port == 0) port = freePort(localHi, localLo, remoteHi, remoteLo, <u32>remotePort);
  if (port == 0) return ERR_ADDRESS_IN_USE;
  if (flowFind(localHi, localLo, port, remoteHi, remoteLo, <u32>remotePort) != 0) return ERR_ADDRESS_IN_USE;
  return activeOpen(link, localHi, localLo, port, remoteHi, remoteLo, <u32>remotePort, flags, localPort != 0);
}

export function reserve(handle: i32, limit: i32): i32 {
  const connection = connectionOf(handle);
  if (connection === null) return ERR_HANDLE;
  const reserved = sendReserve(connection, limit);
  if (reserved > 0) answer(reservedAddress(), <u32>reserved);
  return reserved;
}

export function commit(handle: i32, length: i32): i32 {
  const connection = connectionOf(handle);
  return connection === null ? ERR_HANDLE : sendCommit(connection, length);
}

export function send(handle: i32, address: i32, length: i32): i32 {
  const connection = connectionOf(handle);
  if (connection === null) return ERR_HANDLE;
  if (length < 1 || !inScratch(address, length)) return ERR_INVALID;
  let done = 0;
  while (done < length) {
    const reserved = sendReserve(connection, length - done);
    if (reserved < 0) return done > 0 ? done : reserved;
    memory.copy(reservedAddress(), <usize>(address + done), <usize>reserved);
    const committed = sendCommit(connection, reserved);
    if (committed < 0) return committed;
    done += committed;
  }
  return done;
}

export function peek(handle: i32): i32 {
  const connection = connectionOf(handle);
  if (connection === null) return ERR_HANDLE;
  const readable = readableBytes(connection);
  if (readable > 0) {
    answer(bufferFront(connection), bufferContiguous(connection));
    return <i32>resultLength;
  }
  if (connection.rcvFinState == 2) return 0;
  if (connection.state == CONNECTION_CLOSED) return connection.error != 0 ? connection.error : ERR_NOT_CONNECTED;
  return ERR_DONE;
}

export function consume(handle: i32, length: i32): i32 {
  const connection = connectionOf(handle);
  if (connection === null) return ERR_HANDLE;
  if (length < 0 || <u32>length > readableBytes(connection)) return ERR_INVALID;
  if (length == 0) return 0;
  bufferConsume(connection, <u32>length);
  receiveBufferTune(connection);
  if (connection.state != CONNECTION_CLOSED && windowUpdateDue(connection)) announceWindow(connection);
  return length;
}

export function receive(handle: i32, address: i32, length: i32): i32 {
  if (length < 1 || !inScratch(address, length)) return ERR_INVALID;
  let done = 0;
  while (done < length) {
    const ready = peek(handle);
    if (ready <= 0) return done > 0 ? done : ready;
    const part = min<i32>(ready, length - done);
    memory.copy(<usize>(address + done), <usize>resultAddress, <usize>part);
    consume(handle, part);
    done += part;
  }
  return done;
}

export function shutdown(handle: i32): i32 {
  const connection = connectionOf(handle);
  if (connection === null) return ERR_HANDLE;
  sessionShutdown(connection);
  return 0;
}

export function close(handle: i32): i32 {
  const connection = connectionOf(handle);
  if (connection !== null) {
    sessionClose(connection);
    return 0;
  }
  const found = poolFind(listenerPool, handle);
  if (found == 0) return ERR_HANDLE;
  closeListener(changetype<Listener>(found));
  return 0;
}

export function abort(handle: i32): i32 {
  const connection = connectionOf(handle);
  if (connection === null) return ERR_HANDLE;
  eventsForget(connection);
  connection.orphaned = 1;
  sessionAbort(connection, ERR_ABORTED);
  return 0;
}

/** See mptcp_set. */
export function setConfig(handle: i32, key: i32, value: i64): i32 {
  const wrong = configCheck(key, value);
  if (wrong != 0) return wrong;
  if (handle == 0) {
    configStore(key, value);
    if (key == CONFIG_LIMIT_SUBFLOWS || key == CONFIG_LIMIT_ADD_ADDR_ACCEPTED) fillConnections();
    if (key == CONFIG_MONITOR && value == 0) monitorForget();
    return 0;
  }
  const connection = connectionOf(handle);
  if (connection === null) return ERR_HANDLE;
  switch (key) {
    case CONFIG_SCHEDULER:
      schedulerChoose(connection, <u8>value);
      return 0;
    case CONFIG_CONGESTION:
      congestionFollow(connection, <u8>value);
      return 0;
    case CONFIG_PACING:
      connection.pacing = <u8>value;
      return 0;
    case CONFIG_SEND_BUFFER:
      connection.sendBuffer = <u32>value;
      connection.sendBufferFixed = 1;
      return 0;
    case CONFIG_RECEIVE_BUFFER:
      connection.receiveBuffer = <u32>value;
      connection.receiveBufferFixed = 1;
      return 0;
    case CONFIG_NO_DELAY:
      connection.noDelay = <u8>value;
      pushLater(connection);
      return 0;
    case CONFIG_USER_TIMEOUT:
      connection.userTimeout = value;
      // The deadline that runs may lie behind the new one.
      connection.rtxAt = 0;
      sessionArm(connection);
      return 0;
    case CONFIG_LINGER:
      connection.linger = value;
      return 0;
    case CONFIG_PATH_MANAGER:
      connection.pathManager = <u8>value;
      if (connection.confirmed != 0 && connection.state != CONNECTION_CLOSED) managerEstablished(connection);
      pushLater(connection);
      return 0;
    case CONFIG_PATH_MODE:
      connection.pathMode = <u8>value;
      pathsModeSet(connection);
      managerFill(connection);
      pushLater(connection);
      return 0;
    case CONFIG_NDIFFPORTS:
      connection.ndiffports = <u8>value;
      managerFill(connection);
      pushLater(connection);
      return 0;
    case CONFIG_REJOIN_TIMEOUT:
      connection.rejoinTimeout = value;
      return 0;
    case CONFIG_KEEPALIVE_IDLE:
      connection.keepAliveIdle = value;
      rearmKeepAlive(connection);
      return 0;
    case CONFIG_KEEPALIVE_INTERVAL:
      connection.keepAliveInterval = value;
      return 0;
    case CONFIG_KEEPALIVE_COUNT:
      connection.keepAliveCount = <u8>value;
      return 0;
    case CONFIG_KEEPALIVE:
      connection.keepAlive = <u8>value;
      rearmKeepAlive(connection);
      return 0;
    default:
      if (!isTuning(key)) return ERR_INVALID;
      tuningStore(connection, key, value);
      // BLEST begins anew with it.
      if (key == CONFIG_BLEST_LAMBDA) connection.blestLambda = 0;
      return 0;
  }
}

/** See mptcp_get. */
export function getConfig(handle: i32, key: i32): i64 {
  if (!configKnown(key)) return ERR_INVALID;
  if (handle == 0) return config(key);
  const connection = connectionOf(handle);
  if (connection === null) return ERR_HANDLE;
  switch (key) {
    case CONFIG_SCHEDULER:
      return connection.scheduler;
    case CONFIG_CONGESTION:
      return connection.congestion;
    case CONFIG_PACING:
      return connection.pacing;
    case CONFIG_SEND_BUFFER:
      return connection.sendBuffer;
    case CONFIG_RECEIVE_BUFFER:
      return connection.receiveBuffer;
    case CONFIG_NO_DELAY:
      return connection.noDelay;
    case CONFIG_KEEPALIVE:
      return connection.keepAlive;
    case CONFIG_KEEPALIVE_IDLE:
      return connection.keepAliveIdle;
    case CONFIG_KEEPALIVE_INTERVAL:
      return connection.keepAliveInterval;
    case CONFIG_KEEPALIVE_COUNT:
      return connection.keepAliveCount;
    case CONFIG_USER_TIMEOUT:
      return connection.userTimeout;
    case CONFIG_LINGER:
      return connection.linger;
    case CONFIG_PATH_MANAGER:
      return connection.pathManager;
    case CONFIG_PATH_MODE:
      return connection.pathMode;
    case CONFIG_NDIFFPORTS:
      return connection.ndiffports;
    case CONFIG_REJOIN_TIMEOUT:
      return connection.rejoinTimeout;
    default:
      return isTuning(key) ? <i64>tuning(connection, key) : config(key);
  }
}

function rearmKeepAlive(connection: Connection): void {
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next)
    if (canCarryData(changetype<Subflow>(at))) keepAliveArm(changetype<Subflow>(at));
}

/** The peer learns of the room on every subflow: its sender may be waiting on any of them. */
function announceWindow(connection: Connection): void {
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const subflow = changetype<Subflow>(at);
    if (canCarryData(subflow)) ackNow(subflow);
  }
}

function closeListener(listener: Listener): void {
  listenerRemove(listener);
  eventsForgetListener(listener);
  while (listener.acceptHead != 0) {
    const connection = changetype<Connection>(listener.acceptHead);
    leaveListener(connection);
    connection.orphaned = 1;
    sessionAbort(connection, ERR_ABORTED);
  }
  // Handshakes that have not come so far lose their listener as well.
  for (let i: u32 = 0; i < connectionPool.slots && listener.pending > 0; i++) {
    const connection = changetype<Connection>(poolAt(connectionPool, i));
    if (connection.live == 0 || connection.listener != changetype<usize>(listener)) continue;
    leaveListener(connection);
    connection.orphaned = 1;
    sessionAbort(connection, ERR_ABORTED);
  }
  monitorListener(EVENT_LISTENER_CLOSED, listener.handle, listener.hi, listener.lo, listener.port);
  listener.live = 0;
  poolFree(listenerPool, changetype<usize>(listener));
}

function listening(hi: u64, lo: u64, port: u32): bool {
  for (let at = listenerFirst(); at != 0; at = changetype<Listener>(at).next) {
    const other = changetype<Listener>(at);
    if (other.port != port) continue;
    if (other.hi == hi && other.lo == lo) return true;
  }
  return false;
}

function freeListenPort(hi: u64, lo: u64): u32 {
  const start = randomU32() % PORT_COUNT;
  for (let i: u32 = 0; i < PORT_COUNT; i++) {
    const port = PORT_FIRST + ((start + i) % PORT_COUNT);
    if (!listening(hi, lo, port)) return port;
  }
  return 0;
}

function answer(address: usize, length: u32): void {
  resultAddress = <u32>address;
  resultLength = length;
}

function inScratch(address: i32, length: i32): bool {
  const offset = <i64>address - <i64>scratch;
  return offset >= 0 && length >= 0 && offset + length <= <i64>SCRATCH_BYTES;
}
