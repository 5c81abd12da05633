import {
  CONFIG_CLOSE_TIMEOUT,
  CONNECTION_CLOSED,
  ERR_DONE,
  ERR_INVALID,
  ERR_NOT_CONNECTED,
  ERR_PIPE,
  EVENT_DRAINED,
  EVENT_WRITABLE,
  PAGE_BYTES,
} from '../abi';
import { pageLink, pageNext, pageRelease, pagesFree, pagesTotal, pageTake } from '../memory/pages';
import { dsnLt } from '../memory/sequence';
import { now } from '../state/clock';
import { config } from '../state/config';
import { Connection } from '../state/connection';
import { DataMap, mapFree } from '../state/datamap';
import { eventRaise } from '../state/events';
import { canCarryData, Subflow } from '../state/subflow';
import { sendBufferTune } from './autotune';
import { sessionArm } from './timer';

/**
 * The sending side of a connection: one buffer, a chain of pages,
 *
 *   unaPage+unaOffset        nxtPage+nxtOffset        tailPage+tailOffset
 *   sndUna ───── sent ─────▶ sndNxt ── waiting ─────▶ sndEnd
 *
 * from which stretches are cut as DataMaps and given to subflows (push.ts). A position stands at the very end of a page only when
 * that is the last page.
 */

let pushHead: usize = 0;
let pushTail: usize = 0;
let starvedHead: usize = 0;
let starvedTail: usize = 0;
let reservedAt: usize = 0;

export function sendersOpen(): void {
  pushHead = 0;
  pushTail = 0;
  starvedHead = 0;
  starvedTail = 0;
}

/** Where the room reserved last begins. */
export function reservedAddress(): usize {
  return reservedAt;
}

/** Room for up to `limit` bytes in one piece; returns how many, or an error (see mptcp_send_reserve). */
export function sendReserve(connection: Connection, limit: i32): i32 {
  if (limit <= 0) return ERR_INVALID;
  if (connection.finState != 0) return ERR_PIPE;
  if (connection.state == CONNECTION_CLOSED) return connection.error != 0 ? connection.error : ERR_NOT_CONNECTED;
  const used = <u32>(connection.sndEnd - connection.sndUna);
  if (used >= connection.sendBuffer) sendBufferTune(connection);
  if (used >= connection.sendBuffer) {
    connection.wantsRoom = 1;
    return ERR_DONE;
  }
  if (connection.tailPage == 0 || connection.tailOffset == <u32>PAGE_BYTES) {
    // The last eighth of the budget is for what is received.
    const page = pagesFree() > pagesTotal() >> 3 ? pageTake() : 0;
    if (page == 0) {
      connection.wantsRoom = 1;
      starve(connection);
      return ERR_DONE;
    }
    appendPage(connection, page);
  }
  const room = min<u32>(connection.sendBuffer - used, <u32>PAGE_BYTES - connection.tailOffset);
  connection.reserved = min<u32>(<u32>limit, room);
  reservedAt = connection.tailPage + connection.tailOffset;
  return <i32>connection.reserved;
}

export function sendCommit(connection: Connection, length: i32): i32 {
  if (length < 0 || <u32>length > connection.reserved) return ERR_INVALID;
  if (connection.finState != 0) return ERR_PIPE;
  connection.reserved = 0;
  connection.tailOffset += <u32>length;
  connection.sndEnd += <u32>length;
  pushLater(connection);
  return length;
}

/** The connection may have something for its subflows; it is looked at before the next transmit. */
export function pushLater(connection: Connection): void {
  if (connection.pushQueued != 0) return;
  connection.pushQueued = 1;
  connection.pushNext = 0;
  if (pushTail != 0) changetype<Connection>(pushTail).pushNext = changetype<usize>(connection);
  else pushHead = changetype<usize>(connection);
  pushTail = changetype<usize>(connection);
}

/** The next connection that waits, taken from the queue; 0 when there is none. */
export function pushTake(): usize {
  const first = pushHead;
  if (first == 0) return 0;
  const connection = changetype<Connection>(first);
  pushHead = connection.pushNext;
  if (pushHead == 0) pushTail = 0;
  connection.pushQueued = 0;
  return first;
}

/** Tells connections that found no page that there are some again. */
export function feedStarved(): void {
  while (starvedHead != 0 && pagesFree() > pagesTotal() >> 2) {
    const connection = changetype<Connection>(starvedHead);
    starvedHead = connection.starvedNext;
    if (starvedHead == 0) starvedTail = 0;
    connection.starved = 0;
    connection.wantsRoom = 0;
    eventRaise(connection, EVENT_WRITABLE);
  }
}

/**
 * Takes a data acknowledgment and the window that came with it (RFC 8684 section 3.3.2). Returns false when it
 * acknowledges what was never sent: it is then ignored.
 */
export function dataAcknowledged(connection: Connection, ack: u64, window: u32): bool {
  const fin: u64 = connection.finState >= 2 && connection.multipath != 0 ? 1 : 0;
  if (dsnLt(connection.sndNxt + (connection.sndNxt == connection.sndEnd ? fin : 0), ack)) return false;
  connection.dataAckSeen = 1;
  const edge = ack + window;
  if (dsnLt(connection.sndWindowEnd, edge)) {
    connection.sndWindowEnd = edge;
    pushLater(connection);
  }
  if (dsnLt(connection.sndUna, ack)) {
    const data = min<u64>(ack - connection.sndUna, connection.sndEnd - connection.sndUna);
    const all = ack == connection.sndEnd + 1;
    release(connection, <u32>data);
    connection.bytesAcked += data;
    connection.rtxBackoff = 0;
    connection.rtxAt = 0;
    if (all && connection.finState == 2) connection.finState = 3;
    // What a closed connection still owes may take its time, as long as it gets on.
    if (connection.closeAt != 0 && connection.linger < 0) connection.closeAt = now() + config(CONFIG_CLOSE_TIMEOUT);
    wakeWriter(connection);
    pushLater(connection);
    sessionArm(connection);
  } else if (ack == connection.sndEnd + 1 && connection.finState == 2) {
    connection.finState = 3;
    connection.rtxAt = 0;
    sessionArm(connection);
  }
  return true;
}

/** The peer's SYN/ACK acknowledged bytes that our SYN brought (RFC 7413 section 4.2.2). */
export function synDataAcknowledged(connection: Connection, length: u32, window: u32): void {
  connection.sndNxt += length;
  connection.bytesSent += length;
  advanceNext(connection, length);
  dataAcknowledged(connection, connection.sndUna + length, window);
}

/** Frees the send buffer and takes the connection from the queues of this file. */
export function sendClear(connection: Connection): void {
  while (connection.reinjectHead != 0) {
    const map = changetype<DataMap>(connection.reinjectHead);
    connection.reinjectHead = map.next;
    mapFree(map);
  }
  connection.reinjectTail = 0;
  let page = connection.unaPage;
  while (page != 0) {
    const next: usize = page == connection.tailPage ? 0 : pageNext(page);
    pageRelease(page);
    page = next;
  }
  connection.unaPage = 0;
  connection.nxtPage = 0;
  connection.tailPage = 0;
  connection.reserved = 0;
  connection.sndEnd = connection.sndUna;
  connection.sndNxt = connection.sndUna;
  if (connection.pushQueued != 0) {
    connection.pushQueued = 0;
    let before: usize = 0;
    for (let at = pushHead; at != 0; at = changetype<Connection>(at).pushNext) {
      if (at == changetype<usize>(connection)) {
        if (before == 0) pushHead = connection.pushNext;
        else changetype<Connection>(before).pushNext = connection.pushNext;
        if (pushTail == at) pushTail = before;
        break;
      }
      before = at;
    }
  }
  if (connection.starved != 0) {
    connection.starved = 0;
    let before: usize = 0;
    for (let at = starvedHead; at != 0; at = changetype<Connection>(at).starvedNext) {
      if (at == changetype<usize>(connection)) {
        if (before == 0) starvedHead = connection.starvedNext;
        else changetype<Connection>(before).starvedNext = connection.starvedNext;
        if (starvedTail == at) starvedTail = before;
        break;
      }
      before = at;
    }
  }
}

/** The subflow to carry a segment without data: the one with the smallest RTT that works. 0 when there is none. */
export function controlSubflow(connection: Connection): usize {
  let best: usize = 0;
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const subflow = changetype<Subflow>(at);
    if (!canCarryData(subflow)) continue;
    if (best == 0) {
      best = at;
      continue;
    }
    const other = changetype<Subflow>(best);
    if (subflow.backoff < other.backoff || (subflow.backoff == other.backoff && subflow.srtt < other.srtt)) best = at;
  }
  return best;
}

function appendPage(connection: Connection, page: usize): void {
  const tail = connection.tailPage;
  if (tail == 0) {
    connection.unaPage = page;
    connection.unaOffset = 0;
    connection.nxtPage = page;
    connection.nxtOffset = 0;
  } else {
    pageLink(tail, page);
    if (connection.nxtPage == tail && connection.nxtOffset == <u32>PAGE_BYTES) {
      connection.nxtPage = page;
      connection.nxtOffset = 0;
    }
    if (connection.unaPage == tail && connection.unaOffset == <u32>PAGE_BYTES) {
      pageRelease(tail);
      connection.sendPages--;
      connection.unaPage = page;
      connection.unaOffset = 0;
    }
  }
  connection.tailPage = page;
  connection.tailOffset = 0;
  connection.sendPages++;
}

/** Frees `length` acknowledged bytes at the front. */
function release(connection: Connection, length: u32): void {
  connection.sndUna += length;
  let offset = connection.unaOffset + length;
  while (offset >= <u32>PAGE_BYTES && connection.unaPage != connection.tailPage) {
    const next = pageNext(connection.unaPage);
    pageRelease(connection.unaPage);
    connection.sendPages--;
    connection.unaPage = next;
    offset -= <u32>PAGE_BYTES;
  }
  connection.unaOffset = offset;
  // An idle connection holds no page.
  if (connection.sndUna == connection.sndEnd && connection.reserved == 0 && connection.tailPage != 0) {
    pageRelease(connection.tailPage);
    connection.sendPages--;
    connection.unaPage = 0;
    connection.nxtPage = 0;
    connection.tailPage = 0;
    connection.tailOffset = 0;
  }
}

function wakeWriter(connection: Connection): void {
  const used = <u32>(connection.sndEnd - connection.sndUna);
  if (used == 0) eventRaise(connection, EVENT_DRAINED);
  if (connection.wantsRoom == 0 || connection.starved != 0) return;
  // Not for every ACK: a quarter of the buffer at a time.
  if (used + (connection.sendBuffer >> 2) > connection.sendBuffer) return;
  connection.wantsRoom = 0;
  eventRaise(connection, EVENT_WRITABLE);
}

function starve(connection: Connection): void {
  if (connection.starved != 0) return;
  connection.starved = 1;
  connection.starvedNext = 0;
  if (starvedTail != 0) changetype<Connection>(starvedTail).starvedNext = changetype<usize>(connection);
  else starvedHead = changetype<usize>(connection);
  starvedTail = changetype<usize>(connection);
}

/** Moves the position of sndNxt; the end of the last page is not left. */
export function advanceNext(connection: Connection, length: u32): void {
  let offset = connection.nxtOffset + length;
  while (offset >= <u32>PAGE_BYTES && connection.nxtPage != connection.tailPage) {
    connection.nxtPage = pageNext(connection.nxtPage);
    offset -= <u32>PAGE_BYTES;
  }
  connection.nxtOffset = offset;
}
