import {
  CONFIG_CLOSE_TIMEOUT,
  CONFIG_MAP_BYTES,
  CONNECTION_CLOSED,
  COUNTER_MPTCP_MPTCPRetrans,
  ERR_DONE,
  ERR_INVALID,
  ERR_NOT_CONNECTED,
  ERR_PIPE,
  EVENT_DRAINED,
  EVENT_WRITABLE,
  PAGE_BYTES,
} from '../abi';
import { congestionIdle } from '../congestion/control';
import { pageLink, pageNext, pageRelease, pagesFree, pagesTotal, pageTake } from '../memory/pages';
import { dsnLe, dsnLt, seqLe } from '../memory/sequence';
import { schedule, subflowRoom } from '../scheduler/schedule';
import { now } from '../state/clock';
import { config } from '../state/config';
import { Connection } from '../state/connection';
import { count } from '../state/counters';
import { DataMap, mapFree, mapTake, mapTrimFront } from '../state/datamap';
import { eventRaise } from '../state/events';
import { linkAt } from '../state/link';
import { canCarryData, Subflow, unsentBytes } from '../state/subflow';
import { closeSending } from '../tcp/close';
import { dssChecksum } from '../tcp/options-out';
import { pathMtuMapped, pathMtuWanted } from '../tcp/path-mtu';
import { ackNow, readyAdd } from '../tcp/ready';
import { sumOddPiece } from '../wire/checksum';
import { sendBufferTune } from './autotune';
import { chronoUpdate } from './chrono';
import { sessionArm } from './timer';

/**
 * The sending side of a connection: one buffer, a chain of pages,
 *
 *   unaPage+unaOffset        nxtPage+nxtOffset        tailPage+tailOffset
 *   sndUna ───── sent ─────▶ sndNxt ── waiting ─────▶ sndEnd
 *
 * from which stretches are cut as DataMaps and given to subflows. A position stands at the very end of a page only when
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

/** Gives every connection that waits its turn of the scheduler. */
export function pushAll(): void {
  while (pushHead != 0) {
    const connection = changetype<Connection>(pushHead);
    pushHead = connection.pushNext;
    if (pushHead == 0) pushTail = 0;
    connection.pushQueued = 0;
    push(connection);
  }
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

/**
 * Queues what a subflow holds and the peer has not acknowledged at data level for other subflows. With `all` it gives
 * up its maps for good (it is over); else it keeps those it sent, for its own retransmission.
 */
export function reinject(connection: Connection, subflow: Subflow, all: bool): void {
  if (!all && !hasAlternative(connection, subflow.id)) return;
  let before: usize = 0;
  let at = subflow.mapHead;
  while (at != 0) {
    const map = changetype<DataMap>(at);
    const next = map.next;
    if (all || seqLe(subflow.sndNxt, map.seq)) {
      // Never sent here, or never to be sent again: it goes as it is.
      if (before == 0) subflow.mapHead = next;
      else changetype<DataMap>(before).next = next;
      if (subflow.mapTail == at) subflow.mapTail = before;
      if (subflow.mapNext == at) subflow.mapNext = 0;
      if (!all) subflow.seqEnd -= map.length;
      enqueue(connection, map, subflow.id);
    } else {
      before = at;
      if (map.reinjected == 0 && dsnLt(connection.sndUna, map.dsn + map.length)) {
        const copy = mapTake(map.dsn, map.length, map.page, map.offset);
        if (copy == 0) break;
        map.reinjected = 1;
        enqueue(connection, changetype<DataMap>(copy), subflow.id);
      }
    }
    at = next;
  }
  pushLater(connection);
}

/** Queues the first unacknowledged bytes again when no subflow carries them any more. */
export function reinjectFront(connection: Connection): void {
  if (connection.sndUna == connection.sndNxt || carried(connection)) return;
  const length = <u32>min<u64>(connection.sndNxt - connection.sndUna, <u64>config(CONFIG_MAP_BYTES));
  const map = mapTake(connection.sndUna, length, connection.unaPage, connection.unaOffset);
  if (map == 0) return;
  enqueue(connection, changetype<DataMap>(map), 0);
  pushLater(connection);
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

function push(connection: Connection): void {
  if (connection.state == CONNECTION_CLOSED) return;
  pushReinjected(connection);
  for (;;) {
    const edge = dsnLt(connection.sndEnd, connection.sndWindowEnd) ? connection.sndEnd : connection.sndWindowEnd;
    if (!dsnLt(connection.sndNxt, edge)) break;
    const chosen = schedule(connection, 0);
    if (chosen == 0) break;
    const subflow = changetype<Subflow>(chosen);
    if (subflow.outstanding == 0 && unsentBytes(subflow) == 0) congestionIdle(subflow);
    const available = <u32>min<u64>(edge - connection.sndNxt, <u64>config(CONFIG_MAP_BYTES));
    let length = min<u32>(available, subflowRoom(subflow));
    const probe = subflow.mtuProbeAt != 0 ? pathMtuWanted(subflow, edge - connection.sndNxt) : 0;
    if (probe != 0) {
      // RFC 4821 section 7.4: the congestion window must have room for all of the probe.
      if (length < probe) break;
      length = probe;
    } else if (length > subflow.mss) {
      // Whole segments, unless these are the last bytes there are.
      if (length < available || connection.sndNxt + length != connection.sndEnd) length -= length % subflow.mss;
    } else if (length < subflow.mss) {
      const last = connection.sndNxt + length == connection.sndEnd;
      // RFC 9293 section 3.7.4 (Nagle) and 3.8.6.2.1: small segments wait while there is something unacknowledged.
      const wait = connection.noDelay == 0 && connection.finState == 0;
      if (connection.sndUna != connection.sndNxt && (!last || wait)) break;
      // Section 3.8.6.2.1: nor does a peer that opens its window by a few bytes get these, until the timer overrides.
      if (!last && length < subflow.sndWindowMax >> 1 && connection.rtxBackoff == 0) break;
    }
    const map = mapTake(connection.sndNxt, length, connection.nxtPage, connection.nxtOffset);
    if (map == 0) break;
    assign(connection, subflow, changetype<DataMap>(map));
    if (probe != 0) pathMtuMapped(subflow);
    connection.sndNxt += length;
    connection.bytesSent += length;
    advanceNext(connection, length);
  }
  if (connection.finState == 1 && connection.sndNxt == connection.sndEnd) pushFin(connection);
  chronoUpdate(connection);
  sessionArm(connection);
}

function pushReinjected(connection: Connection): void {
  while (connection.reinjectHead != 0) {
    const map = changetype<DataMap>(connection.reinjectHead);
    if (dsnLe(map.dsn + map.length, connection.sndUna)) {
      dequeue(connection);
      mapFree(map);
      continue;
    }
    if (dsnLt(map.dsn, connection.sndUna)) mapTrimFront(map, <u32>(connection.sndUna - map.dsn));
    const chosen = schedule(connection, hasAlternative(connection, map.origin) ? map.origin : 0);
    if (chosen == 0) return;
    const subflow = changetype<Subflow>(chosen);
    const room = subflowRoom(subflow);
    let part = map;
    if (room < map.length) {
      const taken = mapTake(map.dsn, room, map.page, map.offset);
      if (taken == 0) return;
      part = changetype<DataMap>(taken);
      mapTrimFront(map, room);
    } else {
      dequeue(connection);
    }
    part.origin = 0;
    part.reinjected = 0;
    connection.bytesReinjected += part.length;
    count(COUNTER_MPTCP_MPTCPRetrans);
    assign(connection, subflow, part);
  }
}

/** DATA_FIN, or FIN for plain TCP, once all bytes are given to subflows (RFC 8684 section 3.3.3). */
function pushFin(connection: Connection): void {
  if (connection.multipath == 0) {
    if (connection.subflows == 0) return;
    closeSending(changetype<Subflow>(connection.subflows));
    connection.finState = 2;
    return;
  }
  const carrier = controlSubflow(connection);
  if (carrier == 0) return;
  connection.dataFinDue = 1;
  connection.finState = 2;
  ackNow(changetype<Subflow>(carrier));
}

function assign(connection: Connection, subflow: Subflow, map: DataMap): void {
  map.seq = subflow.seqEnd;
  map.next = 0;
  if (connection.checksum != 0) map.checksum = mapChecksum(subflow, map);
  if (subflow.mapTail != 0) changetype<DataMap>(subflow.mapTail).next = changetype<usize>(map);
  else subflow.mapHead = changetype<usize>(map);
  subflow.mapTail = changetype<usize>(map);
  if (subflow.mapNext == 0) subflow.mapNext = changetype<usize>(map);
  subflow.seqEnd += map.length;
  readyAdd(subflow);
}

function mapChecksum(subflow: Subflow, map: DataMap): u32 {
  let sum: u64 = 0;
  let page = map.page;
  let offset = map.offset;
  let done: u32 = 0;
  while (done < map.length) {
    const length = min<u32>(map.length - done, <u32>PAGE_BYTES - offset);
    sum = sumOddPiece(page + offset, length, sum, (done & 1) != 0);
    done += length;
    offset = 0;
    if (done < map.length) page = pageNext(page);
  }
  return dssChecksum(map.dsn, map.seq - subflow.iss, map.length, sum);
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

function enqueue(connection: Connection, map: DataMap, origin: u32): void {
  map.origin = origin;
  map.next = 0;
  if (connection.reinjectTail != 0) changetype<DataMap>(connection.reinjectTail).next = changetype<usize>(map);
  else connection.reinjectHead = changetype<usize>(map);
  connection.reinjectTail = changetype<usize>(map);
}

function dequeue(connection: Connection): void {
  const map = changetype<DataMap>(connection.reinjectHead);
  connection.reinjectHead = map.next;
  if (map.next == 0) connection.reinjectTail = 0;
}

/** True when another subflow than that of an id works, so that it can carry what that one holds, sooner or later. */
function hasAlternative(connection: Connection, id: u32): bool {
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const other = changetype<Subflow>(at);
    if (other.id != id && canCarryData(other) && other.backoff == 0 && linkAt(other.link).up != 0) return true;
  }
  return false;
}

/** True when a subflow or the queue still holds the first unacknowledged byte. */
function carried(connection: Connection): bool {
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next)
    if (covers(changetype<Subflow>(at).mapHead, connection.sndUna)) return true;
  return covers(connection.reinjectHead, connection.sndUna);
}

function covers(map: usize, dsn: u64): bool {
  while (map != 0) {
    const at = changetype<DataMap>(map);
    if (dsnLe(at.dsn, dsn) && dsnLt(dsn, at.dsn + at.length)) return true;
    map = at.next;
  }
  return false;
}

/** Moves the position of sndNxt; the end of the last page is not left. */
function advanceNext(connection: Connection, length: u32): void {
  let offset = connection.nxtOffset + length;
  while (offset >= <u32>PAGE_BYTES && connection.nxtPage != connection.tailPage) {
    connection.nxtPage = pageNext(connection.nxtPage);
    offset -= <u32>PAGE_BYTES;
  }
  connection.nxtOffset = offset;
}
