import { Pool, poolOpen } from '../memory/pool';

/** A local address and port that accepts connections. */
@unmanaged
export class Listener {
  next: usize;
  handle: u32;
  live: u32;
  port: u32;
  /** Local address; 0, 0 is any. */
  hi: u64;
  lo: u64;
  backlog: u32;
  /** CONNECT_ bits. */
  flags: u32;
  /** Connections in their handshake or waiting to be accepted. */
  pending: u32;
  /** Of these, connections that wait to be accepted. */
  waiting: u32;
  /** Established connections that wait to be accepted, linked by Connection.acceptNext. */
  acceptHead: usize;
  acceptTail: usize;
  /** 1 while it stands in the event queue. */
  eventQueued: u32;
  eventNext: usize;
}

export const LISTENER_KIND: u32 = 1;
export const listenerPool: Pool = changetype<Pool>(memory.data(64, 8));
let first: usize = 0;

export function listenersOpen(): void {
  poolOpen(listenerPool, 128, LISTENER_KIND);
  first = 0;
}

export function listenerFirst(): usize {
  return first;
}

export function listenerInsert(listener: Listener): void {
  listener.next = first;
  first = changetype<usize>(listener);
}

export function listenerRemove(listener: Listener): void {
  if (first == changetype<usize>(listener)) {
    first = listener.next;
    return;
  }
  let at = changetype<Listener>(first);
  while (at.next != changetype<usize>(listener)) at = changetype<Listener>(at.next);
  at.next = listener.next;
}

/** The listener for a local address and port: one of that very address before one of any. 0 when there is none. */
export function listenerFor(hi: u64, lo: u64, port: u32): usize {
  let any: usize = 0;
  for (let at = first; at != 0; at = changetype<Listener>(at).next) {
    const listener = changetype<Listener>(at);
    if (listener.port != port) continue;
    if (listener.hi == hi && listener.lo == lo) return at;
    if (listener.hi == 0 && listener.lo == 0) any = at;
  }
  return any;
}
