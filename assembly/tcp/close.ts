import {
  CONFIG_CLOSE_TIMEOUT,
  CONFIG_TIME_WAIT,
  COUNTER_RST_IN,
  TCP_CLOSE_WAIT,
  TCP_CLOSED,
  TCP_CLOSING,
  TCP_ESTABLISHED,
  TCP_FIN_WAIT_1,
  TCP_FIN_WAIT_2,
  TCP_LAST_ACK,
  TCP_TIME_WAIT,
} from '../abi';
import { pageRelease } from '../memory/pages';
import { poolFree } from '../memory/pool';
import { rangeClear } from '../memory/ranges';
import { timerCancel } from '../memory/wheel';
import { now } from '../state/clock';
import { config } from '../state/config';
import { count } from '../state/counters';
import { DataMap, HeldPiece, mapFree, ReceiveMap, receiveMapPool } from '../state/datamap';
import { FAST_OPEN_EARLY, Subflow, subflowPool, subflowRanges, subflowTimer } from '../state/subflow';
import { segment, TCP_FLAG_FIN, TCP_FLAG_RST, TCP_FLAG_SYN } from '../wire/segment';
import { acknowledgeOutside } from './challenge';
import { fastOpenSettled } from './fast-open';
import { flowRemove } from './flows';
import { ackNow, readyAdd, readyRemove } from './ready';
import { currentRto } from './rtt';
import { sentClear } from './sent';
import { SIGNAL_CLOSED, SIGNAL_TIME_WAIT } from './signals';
import { timersArm, timersStop } from './timers';

/** Closing a subflow (RFC 9293 section 3.6): FIN both ways, TIME-WAIT, RST, and what is freed at the end. */

/** How long closing a subflow by FIN may take while its connection goes on: so many timeouts, µs at least. */
const CLOSING_TIMEOUTS: i64 = 4;
const CLOSING_LEAST: i64 = 1000000;

/** Wants a FIN behind the last assigned byte. */
export function closeSending(subflow: Subflow): void {
  if (subflow.finWanted != 0) return;
  subflow.finWanted = 1;
  readyAdd(subflow);
}

/** Output sent the FIN. */
export function finTransmitted(subflow: Subflow): void {
  subflow.finSent = 1;
  if (subflow.state == TCP_ESTABLISHED) subflow.state = <u8>TCP_FIN_WAIT_1;
  else if (subflow.state == TCP_CLOSE_WAIT) subflow.state = <u8>TCP_LAST_ACK;
}

/** The peer acknowledged our FIN. */
export function finAcknowledged(subflow: Subflow): u32 {
  if (subflow.state == TCP_FIN_WAIT_1) {
    subflow.state = <u8>TCP_FIN_WAIT_2;
    return 0;
  }
  if (subflow.state == TCP_CLOSING) return timeWait(subflow);
  if (subflow.state == TCP_LAST_ACK) return SIGNAL_CLOSED;
  return 0;
}

/** The peer's FIN is next in order. */
export function finReceived(subflow: Subflow): u32 {
  subflow.finReceived = 1;
  subflow.rcvNxt++;
  ackNow(subflow);
  if (subflow.state == TCP_ESTABLISHED) {
    subflow.state = <u8>TCP_CLOSE_WAIT;
    return 0;
  }
  if (subflow.state == TCP_FIN_WAIT_1) {
    subflow.state = <u8>TCP_CLOSING;
    return 0;
  }
  return timeWait(subflow);
}

/** Asks for an RST, after which the subflow is closed. */
export function resetDue(subflow: Subflow, reason: u8): void {
  subflow.rstDue = 1;
  subflow.rstReason = reason;
  readyAdd(subflow);
  // A link that is down may never take it.
  if (subflow.stateAt != 0) return;
  subflow.stateAt = now() + config(CONFIG_CLOSE_TIMEOUT);
  timersArm(subflow);
}

/** A subflow that is being closed alone has a few timeouts for it, so that one lost FIN or two do no harm. */
export function closingArm(subflow: Subflow): void {
  subflow.stateAt = now() + max<i64>(currentRto(subflow) * CLOSING_TIMEOUTS, CLOSING_LEAST);
  timersArm(subflow);
}

/** RFC 9293 section 3.10.7.4 for TIME-WAIT; RFC 1337: an RST does not end it. */
export function timeWaitSegment(subflow: Subflow): u32 {
  const flags = segment.flags;
  if ((flags & TCP_FLAG_RST) != 0) {
    count(COUNTER_RST_IN);
    return 0;
  }
  if ((flags & TCP_FLAG_FIN) != 0) {
    subflow.stateAt = now() + config(CONFIG_TIME_WAIT);
    timersArm(subflow);
  }
  if (segment.payloadLength > 0 || (flags & (TCP_FLAG_FIN | TCP_FLAG_SYN)) != 0) acknowledgeOutside(subflow);
  return 0;
}

/** Frees all a subflow holds but its addresses and numbers, which TIME-WAIT needs. */
export function subflowRelease(subflow: Subflow): void {
  let map = subflow.mapHead;
  while (map != 0) {
    const next = changetype<DataMap>(map).next;
    mapFree(changetype<DataMap>(map));
    map = next;
  }
  subflow.mapHead = 0;
  subflow.mapTail = 0;
  subflow.mapNext = 0;
  subflow.seqEnd = subflow.sndNxt;
  sentClear(subflow);
  rangeClear(subflowRanges(subflow));
  while (subflow.receiveMapHead != 0) {
    const front = subflow.receiveMapHead;
    subflow.receiveMapHead = changetype<ReceiveMap>(front).next;
    poolFree(receiveMapPool, front);
  }
  subflow.receiveMapTail = 0;
  while (subflow.heldHead != 0) {
    const piece = changetype<HeldPiece>(subflow.heldHead);
    subflow.heldHead = piece.next;
    pageRelease(piece.page);
    poolFree(receiveMapPool, changetype<usize>(piece));
  }
}

/** Frees a subflow that its connection has let go. */
export function subflowDestroy(subflow: Subflow): void {
  subflow.state = <u8>TCP_CLOSED;
  if ((subflow.fastOpen & FAST_OPEN_EARLY) != 0) fastOpenSettled(subflow);
  timersStop(subflow);
  timerCancel(subflowTimer(subflow));
  readyRemove(subflow);
  subflowRelease(subflow);
  flowRemove(subflow);
  poolFree(subflowPool, changetype<usize>(subflow));
}

function timeWait(subflow: Subflow): u32 {
  timersStop(subflow);
  subflow.state = <u8>TCP_TIME_WAIT;
  subflow.stateAt = now() + config(CONFIG_TIME_WAIT);
  timersArm(subflow);
  return SIGNAL_TIME_WAIT;
}
