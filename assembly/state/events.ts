import {
  EVENT_ACCEPTABLE,
  EVENT_CLOSED,
  EVENT_CONNECTED,
  EVENT_FALLBACK,
  EVENT_READABLE,
  Event,
  SIZEOF_EVENT,
} from '../abi';
import { NO_HANDLES, Pool, poolFree, poolOpen, poolTake } from '../memory/pool';
import { Connection } from './connection';
import { Listener } from './listener';

/**
 * What the application has not been told yet. A connection keeps one bit an event kind and a list of notices, the events
 * that carry an id, so nothing is lost however long the host waits. Connections with events stand in a queue, listeners
 * in another. A connection that nobody accepted yet tells nothing.
 */
@unmanaged
class Notice {
  next: usize;
  type: u32;
  detail: i32;
  subflow: u32;
  reason: u32;
}

export const noticePool: Pool = changetype<Pool>(memory.data(64, 8));
let head: usize = 0;
let tail: usize = 0;
let listenerHead: usize = 0;
let listenerTail: usize = 0;

export function eventsOpen(): void {
  poolOpen(noticePool, 24, NO_HANDLES);
  head = 0;
  tail = 0;
  listenerHead = 0;
  listenerTail = 0;
}

/** Raises an event without an id; raised twice before it is taken, it is told once. */
export function eventRaise(connection: Connection, type: i32): void {
  if (connection.orphaned != 0) return;
  connection.events |= 1 << type;
  enqueue(connection);
}

/** Raises an event that carries an id. With no memory left it is dropped: the state it tells of can be asked for. */
export function eventNotice(connection: Connection, type: i32, detail: i32, subflow: u32, reason: u32 = 0): void {
  if (connection.orphaned != 0) return;
  const taken = poolTake(noticePool);
  if (taken == 0) return;
  const notice = changetype<Notice>(taken);
  notice.type = <u32>type;
  notice.detail = detail;
  notice.subflow = subflow;
  notice.reason = reason;
  if (connection.noticeTail != 0) changetype<Notice>(connection.noticeTail).next = taken;
  else connection.noticeHead = taken;
  connection.noticeTail = taken;
  enqueue(connection);
}

/** Raises EVENT_ACCEPTABLE. */
export function eventListener(listener: Listener): void {
  if (listener.eventQueued != 0) return;
  listener.eventQueued = 1;
  listener.eventNext = 0;
  if (listenerTail != 0) changetype<Listener>(listenerTail).eventNext = changetype<usize>(listener);
  else listenerHead = changetype<usize>(listener);
  listenerTail = changetype<usize>(listener);
}

/** Lets the events that gathered before a connection was accepted be told. */
export function eventsRelease(connection: Connection): void {
  if (connection.events != 0 || connection.noticeHead != 0) enqueue(connection);
}

/** Forgets a connection's events, before it is freed or when its handle is given up. */
export function eventsForget(connection: Connection): void {
  connection.events = 0;
  while (connection.noticeHead != 0) {
    const notice = connection.noticeHead;
    connection.noticeHead = changetype<Notice>(notice).next;
    poolFree(noticePool, notice);
  }
  connection.noticeTail = 0;
  if (connection.eventQueued == 0) return;
  connection.eventQueued = 0;
  let before: usize = 0;
  for (let at = head; at != 0; at = changetype<Connection>(at).eventNext) {
    if (at == changetype<usize>(connection)) {
      if (before == 0) head = connection.eventNext;
      else changetype<Connection>(before).eventNext = connection.eventNext;
      if (tail == at) tail = before;
      return;
    }
    before = at;
  }
}

/** Forgets a listener's event. */
export function eventsForgetListener(listener: Listener): void {
  if (listener.eventQueued == 0) return;
  listener.eventQueued = 0;
  let before: usize = 0;
  for (let at = listenerHead; at != 0; at = changetype<Listener>(at).eventNext) {
    if (at == changetype<usize>(listener)) {
      if (before == 0) listenerHead = listener.eventNext;
      else changetype<Listener>(before).eventNext = listener.eventNext;
      if (listenerTail == at) listenerTail = before;
      return;
    }
    before = at;
  }
}

/** Writes up to `max` Event records to `ring` and returns their number. */
export function eventsTake(ring: usize, max: i32): i32 {
  let written = 0;
  while (written < max && listenerHead != 0) {
    const listener = changetype<Listener>(listenerHead);
    listenerHead = listener.eventNext;
    if (listenerHead == 0) listenerTail = 0;
    listener.eventQueued = 0;
    write(ring, written++, EVENT_ACCEPTABLE, listener.handle, 0, 0, 0);
  }
  while (written < max && head != 0) {
    const connection = changetype<Connection>(head);
    while (written < max && connection.noticeHead != 0) {
      const notice = changetype<Notice>(connection.noticeHead);
      write(ring, written++, notice.type, connection.handle, notice.detail, notice.subflow, notice.reason);
      connection.noticeHead = notice.next;
      if (notice.next == 0) connection.noticeTail = 0;
      poolFree(noticePool, changetype<usize>(notice));
    }
    while (written < max && connection.noticeHead == 0 && connection.events != 0) {
      // Lowest bit first, but EVENT_FALLBACK before EVENT_READABLE, as it says what the bytes are worth, and EVENT_CLOSED
      // after all others.
      const early = connection.events & ((1 << EVENT_CONNECTED) | (1 << EVENT_FALLBACK));
      const others = early != 0 ? early : connection.events & ~(1 << EVENT_CLOSED);
      const type = others != 0 ? <i32>ctz<u32>(others) : EVENT_CLOSED;
      connection.events &= ~(1 << type);
      write(ring, written++, <u32>type, connection.handle, detailOf(connection, type), 0, 0);
    }
    if (connection.events != 0 || connection.noticeHead != 0) break;
    head = connection.eventNext;
    if (head == 0) tail = 0;
    connection.eventQueued = 0;
  }
  return written;
}

function detailOf(connection: Connection, type: i32): i32 {
  if (type == EVENT_CLOSED) return connection.error;
  if (type == EVENT_FALLBACK) return connection.fallback;
  if (type == EVENT_READABLE) return connection.rcvFinState == 2 ? 1 : 0;
  return 0;
}

function write(ring: usize, index: i32, type: u32, handle: u32, detail: i32, subflow: u32, reason: u32): void {
  const event = changetype<Event>(ring + <usize>index * SIZEOF_EVENT);
  event.type = type;
  event.handle = handle;
  event.detail = detail;
  event.subflow = subflow;
  event.reason = reason;
}

function enqueue(connection: Connection): void {
  if (connection.eventQueued != 0 || connection.accepted == 0) return;
  connection.eventQueued = 1;
  connection.eventNext = 0;
  if (tail != 0) changetype<Connection>(tail).eventNext = changetype<usize>(connection);
  else head = changetype<usize>(connection);
  tail = changetype<usize>(connection);
}
