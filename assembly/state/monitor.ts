import {
  CONFIG_MONITOR,
  CONNECTION_ESTABLISHED,
  COUNTER_MONITOR_LOST,
  EVENT_BATCH,
  MonitorEvent,
  SIZEOF_MONITOR_EVENT,
  SUBFLOW_BACKUP_LOCAL,
  SUBFLOW_BACKUP_REMOTE,
} from '../abi';
import { NO_HANDLES, Pool, poolFree, poolOpen, poolTake } from '../memory/pool';
import { regionTake } from '../memory/region';
import { config } from './config';
import { Connection } from './connection';
import { count } from './counters';
import { Subflow } from './subflow';

/**
 * The events of the whole stack, as `ip mptcp monitor` shows them: of every connection, accepted or not. Unlike those
 * of state/events.ts they are kept only when someone wants them, in the order they happened, and carry all they tell.
 */

/** Bytes in front of the record in an object of the pool: its link, and four unused. */
const HEAD: usize = 8;

export const monitorPool: Pool = changetype<Pool>(memory.data(64, 8));
let ring: usize = 0;
let head: usize = 0;
let tail: usize = 0;

/** Takes room for the records shown. Call it before pagesOpen(). */
export function monitorOpen(): void {
  poolOpen(monitorPool, <u32>(HEAD + SIZEOF_MONITOR_EVENT), NO_HANDLES);
  ring = regionTake(<usize>EVENT_BATCH * SIZEOF_MONITOR_EVENT);
  head = 0;
  tail = 0;
}

export function monitorRing(): usize {
  return ring;
}

/** Something happened to a connection as a whole: it was created, established or closed. */
export function monitorConnection(connection: Connection, type: i32, error: i32): void {
  const event = add(connection, type);
  if (event === null) return;
  event.localHi = connection.localHi;
  event.localLo = connection.localLo;
  event.remoteHi = connection.remoteHi;
  event.remoteLo = connection.remoteLo;
  event.localPort = connection.localPort;
  event.remotePort = connection.remotePort;
  event.error = error;
}

/** Something happened to a subflow. As Linux, nothing is told of those that end with their connection. */
export function monitorSubflow(connection: Connection, subflow: Subflow, type: i32, error: i32): void {
  if (connection.multipath == 0 || connection.state != CONNECTION_ESTABLISHED) return;
  const event = add(connection, type);
  if (event === null) return;
  event.localHi = subflow.localHi;
  event.localLo = subflow.localLo;
  event.remoteHi = subflow.remoteHi;
  event.remoteLo = subflow.remoteLo;
  event.localPort = subflow.localPort;
  event.remotePort = subflow.remotePort;
  event.subflow = subflow.id;
  event.link = subflow.link;
  event.error = error;
  event.localId = subflow.localId;
  event.remoteId = subflow.remoteId;
  event.backup = <u8>(<i32>subflow.flags & (SUBFLOW_BACKUP_LOCAL | SUBFLOW_BACKUP_REMOTE));
}

/** The peer announced or withdrew an address. */
export function monitorAddress(connection: Connection, type: i32, id: u32, hi: u64, lo: u64, port: u32): void {
  const event = add(connection, type);
  if (event === null) return;
  event.remoteHi = hi;
  event.remoteLo = lo;
  event.remotePort = <u16>port;
  event.remoteId = <u8>id;
}

/** The stack begins or ends to listen; `handle` is 0 for the announced port of an endpoint. */
export function monitorListener(type: i32, handle: u32, hi: u64, lo: u64, port: u32): void {
  const event = take(type);
  if (event === null) return;
  event.handle = handle;
  event.localHi = hi;
  event.localLo = lo;
  event.localPort = <u16>port;
}

/** Copies up to `max` events to the ring and returns their number. */
export function monitorTake(max: i32): i32 {
  let taken = 0;
  while (taken < max && head != 0) {
    const notice = head;
    head = <usize>load<u32>(notice);
    memory.copy(ring + <usize>taken * SIZEOF_MONITOR_EVENT, notice + HEAD, SIZEOF_MONITOR_EVENT);
    poolFree(monitorPool, notice);
    taken++;
  }
  if (head == 0) tail = 0;
  return taken;
}

/** Forgets what was not taken: nobody looks any more. */
export function monitorForget(): void {
  while (head != 0) {
    const notice = head;
    head = <usize>load<u32>(notice);
    poolFree(monitorPool, notice);
  }
  tail = 0;
}

function add(connection: Connection, type: i32): MonitorEvent | null {
  const event = take(type);
  if (event === null) return null;
  event.token = connection.monitorToken;
  event.handle = connection.handle;
  event.serverSide = connection.active != 0 ? 0 : 1;
  return event;
}

function take(type: i32): MonitorEvent | null {
  if (config(CONFIG_MONITOR) == 0) return null;
  const taken = poolTake(monitorPool);
  if (taken == 0) {
    count(COUNTER_MONITOR_LOST);
    return null;
  }
  if (tail != 0) store<u32>(tail, <u32>taken);
  else head = taken;
  tail = taken;
  const event = changetype<MonitorEvent>(taken + HEAD);
  event.type = <u32>type;
  return event;
}
