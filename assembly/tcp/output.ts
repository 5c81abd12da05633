import {
  COUNTER_RETRANSMITS,
  COUNTER_RST_OUT,
  LINK_SEGMENTATION,
  RESET_FLAG_OWN,
  RESET_FLAG_TRANSIENT,
  TCP_CLOSE_WAIT,
  TCP_CLOSED,
  TCP_ESTABLISHED,
  TCP_SYN_RECEIVED,
  TCP_SYN_SENT,
  TCP_TIME_WAIT,
} from '../abi';
import { seqLe } from '../memory/sequence';
import { now } from '../state/clock';
import { Connection } from '../state/connection';
import { count } from '../state/counters';
import { DataMap, positionOffset, positionPage, SEGMENT_FIN, SEGMENT_MTU_PROBE, SentSegment } from '../state/datamap';
import { linkAt } from '../state/link';
import {
  ACK_DELAYED,
  ACK_NONE,
  ACK_NOW,
  ACK_SIGNAL,
  ECN_AGREED,
  ECN_CWR_DUE,
  FRTO_NEW,
  inFlight,
  JOIN_WAIT_ACK,
  MTU_PROBE_MAPPED,
  opensEarly,
  ownerOf,
  PROBE_NEW,
  PROBE_NONE,
  RST_FASTCLOSE,
  Subflow,
  subflowRanges,
  wholeSegments,
} from '../state/subflow';
import { MPTCP_V0 } from '../wire/mptcp';
import { TCP_FLAG_ACK, TCP_FLAG_FIN, TCP_FLAG_PSH, TCP_FLAG_RST, TCP_FLAG_SYN, writeTcpHeader } from '../wire/segment';
import { finTransmitted } from './close';
import { ECT_0, ecnDataFlags, ecnFlags, ecnSynFlags } from './ecn';
import { fastOpenData } from './fast-open';
import { fastclosedAdd } from './fastclosed';
import { synSent } from './handshake';
import {
  ackOptions,
  dataOptions,
  resetOptions,
  synOptions,
  thirdAckOptions,
  triesAgain,
  wroteSignal,
} from './options-out';
import { paceLimit, paceSent } from './pacing';
import { finishPacket, tcpHeaderAt } from './packet-out';
import { pathMtuProbeSent, pathMtuProbes } from './path-mtu';
import { firstLost, sentAgain, sentAppend, sentSplit } from './sent';
import { ackSignal, maySignal, signalSent, signalSoon } from './signal-acks';
import { tailProbeSent } from './tail-probe';
import { rtoArm, rtoStart } from './timers';
import { undoSentAgain } from './undo';
import { windowField, windowFieldSyn } from './window';

/** What a subflow sends next. */
const OUT_NONE: i32 = 0;
const OUT_RST: i32 = 1;
const OUT_SYN: i32 = 2;
const OUT_RETRANSMIT: i32 = 3;
const OUT_DATA: i32 = 4;
const OUT_FIN: i32 = 5;
const OUT_PROBE: i32 = 6;
const OUT_ACK: i32 = 7;
const OUT_TAIL_PROBE: i32 = 8;

/** Longest TCP payload of a segment the link shall cut: IP and TCP headers at their longest stay within 65,535. */
const LARGE_SEGMENT: u32 = 65400;

/** Bytes that nextAction() found may go out when it said OUT_DATA. */
let allowed: u32 = 0;
/** They are a probe for a larger path MTU. */
let probing = false;

/** Builds the next segment of a subflow in a descriptor. Returns false when it has nothing to send now. */
export function subflowTransmit(subflow: Subflow, descriptor: usize): bool {
  const connection = subflow.owner != 0 ? changetype<Connection>(subflow.owner) : null;
  switch (nextAction(subflow)) {
    case OUT_RST:
      sendReset(subflow, connection, descriptor);
      break;
    case OUT_SYN:
      if (connection === null) return false;
      sendSyn(subflow, connection, descriptor);
      break;
    case OUT_RETRANSMIT:
      if (connection === null) return false;
      if (!sendAgain(subflow, connection, descriptor)) return false;
      break;
    case OUT_DATA:
      if (connection === null || !sendData(subflow, connection, descriptor)) return false;
      break;
    case OUT_TAIL_PROBE:
      if (connection === null) return false;
      sendTail(subflow, connection, descriptor);
      break;
    case OUT_FIN:
      if (!sendFin(subflow, connection, descriptor)) return false;
      break;
    case OUT_PROBE:
      subflow.probeDue = 0;
      // RFC 9293 section 3.8.4: an old sequence number makes the peer answer with its window.
      emitBare(subflow, connection, descriptor, subflow.sndUna - 1, TCP_FLAG_ACK, false, true);
      break;
    case OUT_ACK:
      sendAck(subflow, connection, descriptor);
      break;
    default:
      return false;
  }
  subflow.segmentsOut++;
  subflow.lastSentAt = now();
  return true;
}

/** True while subflowTransmit() would send something. */
export function hasOutput(subflow: Subflow): bool {
  return nextAction(subflow) != OUT_NONE;
}

/** The one decision of what goes out now. What it waits for (ACKs, deadlines) makes the subflow ready again. */
function nextAction(subflow: Subflow): i32 {
  probing = false;
  if (subflow.rstDue != 0) return OUT_RST;
  const state = subflow.state;
  if (state == TCP_SYN_SENT || state == TCP_SYN_RECEIVED) {
    if (subflow.synDue != 0) return OUT_SYN;
    if (opensEarly(subflow) && subflow.mapNext != 0 && subflow.paceAt == 0) {
      allowed = sendable(subflow);
      if (allowed > 0) return OUT_DATA;
    }
    // RFC 9293 section 3.10.7.4: what does not fit is answered with an ACK already here.
    return state == TCP_SYN_RECEIVED && subflow.ackDue == ACK_NOW ? OUT_ACK : OUT_NONE;
  }
  if (state == TCP_CLOSED) return OUT_NONE;
  if (state != TCP_TIME_WAIT && subflow.paceAt == 0) {
    if (subflow.tailDue != PROBE_NONE && subflow.segmentTail != 0) return tailAction(subflow);
    const flight = inFlight(subflow);
    // RFC 5682 section 2.1, step 2b: new bytes first.
    const lost: usize = subflow.frto == FRTO_NEW && subflow.mapNext != 0 ? 0 : firstLost(subflow);
    if (lost != 0) {
      const least = min<u32>(changetype<SentSegment>(lost).length, subflow.mss);
      if (flight == 0 || flight + least <= subflow.cwnd || subflow.resendDue != 0) return OUT_RETRANSMIT;
    } else if (subflow.mapNext != 0) {
      allowed = sendable(subflow);
      if (allowed > 0) return subflow.thirdAckDue != 0 && keysFirst(subflow) ? OUT_ACK : OUT_DATA;
    } else if (subflow.finWanted != 0 && subflow.finSent == 0 && subflow.sndNxt == subflow.seqEnd) {
      if (state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT) return signalsFirst(subflow) ? OUT_ACK : OUT_FIN;
    }
  }
  if (state != TCP_TIME_WAIT) {
    // What an ACK has to tell belongs to the next sequence number, and a probe has an old one.
    if (subflow.probeDue != 0 && subflow.ackDue != ACK_NOW) return OUT_PROBE;
  }
  return subflow.ackDue >= ACK_NOW ? OUT_ACK : OUT_NONE;
}

/** True when the third ACK has to leave before data: in version 0 no data can carry its keys (RFC 6824 section 3.1). */
function keysFirst(subflow: Subflow): bool {
  return ownerOf(subflow).version == MPTCP_V0 && subflow.ackDue == ACK_NOW;
}

/** True when an address signal has to leave before the FIN: a peer whose subflow is closed may not look for it. */
function signalsFirst(subflow: Subflow): bool {
  return subflow.closing != 0 && subflow.ackDue >= ACK_NOW && ownerOf(subflow).signals != 0;
}

/** The tail loss probe that is due (RFC 8985 section 7.3). What it was to carry may be gone meanwhile. */
function tailAction(subflow: Subflow): i32 {
  if (subflow.tailDue == PROBE_NEW && subflow.mapNext != 0) {
    const map = changetype<DataMap>(subflow.mapNext);
    const window = subflow.sndUna + subflow.sndWindow - subflow.sndNxt;
    allowed = min<u32>(map.seq + map.length - subflow.sndNxt, subflow.mss);
    if (<i32>window > 0) {
      allowed = min<u32>(allowed, window);
      return OUT_DATA;
    }
  }
  return OUT_TAIL_PROBE;
}

/** Bytes of the next new segment that windows and congestion window let go, 0 for none. */
function sendable(subflow: Subflow): u32 {
  const map = changetype<DataMap>(subflow.mapNext);
  const left = map.seq + map.length - subflow.sndNxt;
  const flight = inFlight(subflow);
  const large = (linkAt(subflow.link).flags & LINK_SEGMENTATION) != 0;
  let length = min<u32>(left, subflow.mss);
  const window = subflow.sndUna + subflow.sndWindow - subflow.sndNxt;
  if (<i32>window <= 0) return 0;
  if (length > window) {
    // RFC 9293 section 3.8.6.2.1: no part of a segment while an ACK may open the window.
    if (subflow.outstanding != 0) return 0;
    length = window;
  }
  if (flight != 0 && flight + length > subflow.cwnd) return 0;
  if (subflow.mtuProbe == MTU_PROBE_MAPPED && pathMtuProbes(subflow, left)) {
    // Segments of the usual size would take every room before it is enough for a larger one.
    if (window < left || (flight != 0 && flight + left > subflow.cwnd)) return 0;
    probing = true;
    return left;
  }
  // A link that cuts would repeat CWR in every segment.
  if (!large || left <= subflow.mss || (subflow.ecn & ECN_CWR_DUE) != 0) return length;
  // A link that cuts segments gets as many whole ones as fit.
  let room = min<u32>(min<u32>(window, left), LARGE_SEGMENT);
  if (ownerOf(subflow).pacing != 0) room = min<u32>(room, paceLimit(subflow));
  const most = subflow.cwnd > flight ? min<u32>(room, subflow.cwnd - flight) : length;
  if (most >= left) return left;
  const whole = wholeSegments(subflow, most);
  return whole > length ? whole : length;
}

function sendData(subflow: Subflow, connection: Connection, descriptor: usize): bool {
  const map = changetype<DataMap>(subflow.mapNext);
  const seq = subflow.sndNxt;
  const length = allowed;
  const flags = probing ? SEGMENT_MTU_PROBE : 0;
  if (sentAppend(subflow, seq, length, changetype<usize>(map), flags) == 0) return false;
  if (probing) pathMtuProbeSent(subflow);
  emitData(subflow, connection, descriptor, map, seq, length, false);
  subflow.sndNxt += length;
  if (subflow.sndNxt == map.seq + map.length) subflow.mapNext = map.next;
  subflow.bytesSent += length;
  if (subflow.tailDue != PROBE_NONE) tailProbeSent(subflow);
  dataSent(subflow, connection, length);
  return true;
}

/** What every segment with data starts: timers, pacing, and the note of how far the congestion window is used. */
function dataSent(subflow: Subflow, connection: Connection, length: u32): void {
  subflow.lastDataAt = now();
  // A pause does not count as a slow path.
  if (subflow.outstanding == length) subflow.rateAt = 0;
  // RFC 7661 section 4.3: not what is in flight when an ACK comes counts, but the most of the last round trip.
  const flight = inFlight(subflow);
  const limited = flight + subflow.mss > subflow.cwnd;
  if (limited || flight > subflow.flightMost || seqLe(subflow.flightEnd, subflow.sndUna)) {
    subflow.cwndLimited = limited ? 1 : 0;
    subflow.flightMost = flight;
    subflow.flightEnd = subflow.sndNxt;
  }
  rtoStart(subflow);
  if (connection.pacing != 0) paceSent(subflow, length);
}

/** A tail loss probe of bytes sent before: the last segment, or its end when a link was to cut it. */
function sendTail(subflow: Subflow, connection: Connection, descriptor: usize): void {
  const last = changetype<SentSegment>(subflow.segmentTail);
  // Without memory for a piece it goes whole.
  if (last.length > subflow.mss) sentSplit(subflow, last, last.length - subflow.mss);
  tailProbeSent(subflow);
  emitAgain(subflow, connection, descriptor, changetype<SentSegment>(subflow.segmentTail));
}

function sendAgain(subflow: Subflow, connection: Connection, descriptor: usize): bool {
  const sent = changetype<SentSegment>(firstLost(subflow));
  const flight = inFlight(subflow);
  const room = max<u32>(subflow.cwnd > flight ? subflow.cwnd - flight : 0, subflow.mss);
  // A link that does not cut segments gets none that is larger than the path takes now.
  const large = (linkAt(subflow.link).flags & LINK_SEGMENTATION) != 0;
  if (sent.length > subflow.mss && !large) {
    if (!sentSplit(subflow, sent, subflow.mss)) return false;
  } else if (sent.length > room) {
    // Elsewhere it goes again in pieces as they fit; without memory for a piece it goes whole.
    sentSplit(subflow, sent, wholeSegments(subflow, room));
  }
  undoSentAgain(subflow, sent);
  emitAgain(subflow, connection, descriptor, sent);
  return true;
}

function emitAgain(subflow: Subflow, connection: Connection, descriptor: usize, sent: SentSegment): void {
  sentAgain(subflow, sent);
  subflow.retransmits++;
  count(COUNTER_RETRANSMITS);
  if ((sent.flags & SEGMENT_FIN) != 0 && sent.length == 1) {
    emitBare(subflow, connection, descriptor, sent.seq, TCP_FLAG_ACK | TCP_FLAG_FIN, false, true);
  } else {
    emitData(subflow, connection, descriptor, changetype<DataMap>(sent.map), sent.seq, sent.length, true);
    subflow.bytesSent += sent.length;
    subflow.bytesRetransmitted += sent.length;
  }
  dataSent(subflow, connection, sent.length);
}

function emitData(
  subflow: Subflow,
  connection: Connection,
  descriptor: usize,
  map: DataMap,
  seq: u32,
  length: u32,
  again: bool,
): void {
  subflow.dataSegmentsOut++;
  // RFC 3168 section 6.1.5: not what is sent again, which an attacker could make look congested.
  const fresh = !again && (subflow.ecn & ECN_AGREED) != 0;
  const header = tcpHeaderAt(descriptor, subflow.link, subflow.localHi, subflow.localLo);
  const bytes = dataOptions(header + 20, subflow, connection, map, seq);
  const last = seq + length == subflow.seqEnd;
  const flags = TCP_FLAG_ACK | (last ? TCP_FLAG_PSH : 0) | (fresh ? ecnDataFlags(subflow) : 0);
  writeHeader(subflow, connection, header, seq, flags, bytes);
  const at = map.offset + (seq - map.seq);
  finish(
    subflow,
    descriptor,
    bytes,
    positionPage(map.page, at),
    positionOffset(at),
    length,
    length > subflow.mss && !probing ? subflow.mss : 0,
    fresh ? ECT_0 : 0,
  );
  // SACK blocks, DATA_FIN and address signals need a segment of their own.
  const multipath = connection.multipath != 0;
  if (multipath && connection.confirmed == 0 && seq == subflow.iss + 1 && connection.version != MPTCP_V0)
    subflow.thirdAckDue = 0;
  const more =
    subflow.failDue != 0 ||
    (multipath && (subflow.thirdAckDue | subflow.prioDue | connection.dataFinDue | connection.signals) != 0);
  const sacks = subflowRanges(subflow).count != 0 || subflow.duplicateStart != subflow.duplicateEnd;
  acknowledged(subflow, !sacks && !more);
  // Data ends a row of ACKs that were for signals only.
  if (more && subflow.ackDue == ACK_DELAYED && signalsWait(subflow, connection)) ackSignal(subflow);
}

function sendFin(subflow: Subflow, connection: Connection | null, descriptor: usize): bool {
  if (sentAppend(subflow, subflow.sndNxt, 1, 0, SEGMENT_FIN) == 0) return false;
  emitBare(subflow, connection, descriptor, subflow.sndNxt, TCP_FLAG_ACK | TCP_FLAG_FIN, false, true);
  subflow.sndNxt++;
  subflow.seqEnd = subflow.sndNxt;
  // A probe for it counts from now on, not from the last data.
  subflow.lastDataAt = now();
  finTransmitted(subflow);
  rtoStart(subflow);
  return true;
}

function sendAck(subflow: Subflow, connection: Connection | null, descriptor: usize): void {
  if (subflow.thirdAckDue != 0 && connection !== null) {
    subflow.thirdAckDue = 0;
    const header = tcpHeaderAt(descriptor, subflow.link, subflow.localHi, subflow.localLo);
    const bytes = thirdAckOptions(header + 20, subflow, connection);
    writeHeader(subflow, connection, header, subflow.sndNxt, TCP_FLAG_ACK, bytes);
    finish(subflow, descriptor, bytes, 0, 0, 0, 0, 0);
    acknowledged(subflow, true);
    if (subflow.join == JOIN_WAIT_ACK) rtoArm(subflow);
    return;
  }
  const owed = subflow.ackDue != ACK_SIGNAL || subflow.unacked != 0;
  const multipath = connection !== null && connection.multipath != 0 && subflow.state != TCP_SYN_RECEIVED;
  // A segment with MP_PRIO has no DATA_FIN, and one with MP_FAIL or DATA_FIN no room for SACK blocks: another follows it.
  const finDue = connection !== null && connection.multipath != 0 && connection.dataFinDue != 0;
  let again = (finDue || subflow.failDue != 0) && subflowRanges(subflow).count != 0;
  emitBare(subflow, connection, descriptor, subflow.sndNxt, TCP_FLAG_ACK, multipath && maySignal(subflow), owed);
  // Nor had one with MP_FAIL or MP_PRIO room for a DATA_FIN.
  if (connection !== null && connection.multipath != 0 && connection.dataFinDue != 0) again = true;
  if (again) subflow.ackDue = ACK_NOW;
  else if (connection !== null && signalsWait(subflow, connection)) signalsFollow(subflow, connection);
}

/** True while a signal waits for an ACK of this subflow, or of any of its connection. */
function signalsWait(subflow: Subflow, connection: Connection): bool {
  return connection.multipath != 0 && (connection.signals | subflow.prioDue) != 0;
}

/** What found no room goes with another ACK, of this subflow or the next that may. */
function signalsFollow(subflow: Subflow, connection: Connection): void {
  acknowledged(subflow, true);
  if (subflow.state == TCP_SYN_RECEIVED) return;
  if (subflow.prioDue != 0) ackSignal(subflow);
  if (connection.signals != 0) signalSoon(connection);
}

/** A segment without bytes: an ACK, a probe, a FIN. */
function emitBare(
  subflow: Subflow,
  connection: Connection | null,
  descriptor: usize,
  seq: u32,
  flags: u32,
  signals: bool,
  owed: bool,
): void {
  const header = tcpHeaderAt(descriptor, subflow.link, subflow.localHi, subflow.localLo);
  const bytes = ackOptions(header + 20, subflow, connection, signals, owed);
  if (wroteSignal()) signalSent(subflow);
  writeHeader(subflow, connection, header, seq, flags, bytes);
  finish(subflow, descriptor, bytes, 0, 0, 0, 0, 0);
  // Signals that wait for an ACK keep it due when this one could have none.
  acknowledged(subflow, connection === null || !signalsWait(subflow, connection));
}

function sendSyn(subflow: Subflow, connection: Connection, descriptor: usize): void {
  const header = tcpHeaderAt(descriptor, subflow.link, subflow.localHi, subflow.localLo);
  const bytes = synOptions(header + 20, subflow, connection);
  const passive = subflow.state == TCP_SYN_RECEIVED;
  const flags = (passive ? TCP_FLAG_SYN | TCP_FLAG_ACK : TCP_FLAG_SYN) | ecnSynFlags(subflow, passive);
  const ack = passive ? subflow.rcvNxt : 0;
  writeTcpHeader(
    header,
    subflow.localPort,
    subflow.remotePort,
    subflow.iss,
    ack,
    flags,
    windowFieldSyn(connection),
    bytes,
  );
  const length = passive || subflow.fastOpen == 0 ? 0 : fastOpenData(subflow, connection, bytes);
  finish(subflow, descriptor, bytes, connection.unaPage, connection.unaOffset, length, 0, 0);
  subflow.synDue = 0;
  // Bytes that went before the third ACK are behind it.
  if (subflow.sndNxt == subflow.iss) subflow.sndNxt++;
  if (opensEarly(subflow)) acknowledged(subflow, true);
  synSent(subflow);
  if (subflow.synTries < 255) subflow.synTries++;
}

/** RFC 9293 section 3.5.2: a reset has the next sequence number; it is the subflow's last segment. */
function sendReset(subflow: Subflow, connection: Connection | null, descriptor: usize): void {
  const header = tcpHeaderAt(descriptor, subflow.link, subflow.localHi, subflow.localLo);
  const bytes = resetOptions(header + 20, subflow, connection);
  if (bytes != 0 && subflow.rstReason == RST_FASTCLOSE && connection !== null) fastclosedAdd(connection, subflow);
  const known = subflow.state != TCP_SYN_SENT;
  writeTcpHeader(
    header,
    subflow.localPort,
    subflow.remotePort,
    subflow.sndNxt,
    known ? subflow.rcvNxt : 0,
    known ? TCP_FLAG_RST | TCP_FLAG_ACK : TCP_FLAG_RST,
    0,
    bytes,
  );
  finish(subflow, descriptor, bytes, 0, 0, 0, 0, 0);
  subflow.rstDue = 0;
  subflow.state = <u8>TCP_CLOSED;
  if (bytes != 0 && subflow.rstReason < RST_FASTCLOSE)
    subflow.resetReason = <u32>RESET_FLAG_OWN | (triesAgain(subflow) ? RESET_FLAG_TRANSIENT : 0) | subflow.rstReason;
  count(COUNTER_RST_OUT);
}

function writeHeader(
  subflow: Subflow,
  connection: Connection | null,
  header: usize,
  seq: u32,
  flags: u32,
  optionsLength: u32,
): void {
  const window = connection === null ? 0 : windowField(subflow, connection);
  if (subflow.ecn != 0) flags |= ecnFlags(subflow);
  writeTcpHeader(header, subflow.localPort, subflow.remotePort, seq, subflow.rcvNxt, flags, window, optionsLength);
}

function finish(
  subflow: Subflow,
  descriptor: usize,
  optionsLength: u32,
  page: usize,
  offset: u32,
  length: u32,
  segmentSize: u32,
  ecn: u32,
): void {
  finishPacket(
    descriptor,
    subflow.link,
    subflow.localHi,
    subflow.localLo,
    subflow.remoteHi,
    subflow.remoteLo,
    optionsLength,
    page,
    offset,
    length,
    segmentSize,
    ecn | subflow.trafficClass,
    subflow.hopLimit,
  );
}

/** An ACK went out; with `all` it told everything there is to tell. */
function acknowledged(subflow: Subflow, all: bool): void {
  subflow.lastAckSent = subflow.rcvNxt;
  subflow.unacked = 0;
  if (!all) return;
  subflow.ackDue = ACK_NONE;
  subflow.ackAt = 0;
}
