import {
  CONFIG_DSN64,
  CONNECTION_CLOSED,
  COUNTER_MPTCP_AddAddrDrop,
  COUNTER_MPTCP_DSSNotMatching,
  COUNTER_MPTCP_DssFallback,
  COUNTER_MPTCP_MPCapableDataFallback,
  COUNTER_MPTCP_MPFailRx,
  COUNTER_MPTCP_MPPrioRx,
  COUNTER_MPTCP_MPRstRx,
  COUNTER_MPTCP_SubflowRecover,
  ERR_ABORTED,
  ERR_RESET,
  FALLBACK_CHECKSUM,
  FALLBACK_FIRST_ACK,
  FALLBACK_FIRST_DATA,
  FALLBACK_PEER_MP_FAIL,
  RESET_FLAG_PEER,
  RESET_FLAG_TRANSIENT,
  RESET_MPTCP,
  SUBFLOW_INITIAL,
  TCP_CLOSED,
  TCP_SYN_RECEIVED,
  TCP_SYN_SENT,
} from '../abi';
import { congestionAcked, congestionEcn } from '../congestion/control';
import { dsnExtend, seqLt } from '../memory/sequence';
import { backupAsked } from '../paths/priority';
import { addressAnnounced, addressesRemoved } from '../paths/remote';
import { pathClosedByPeer } from '../paths/reopen';
import { config } from '../state/config';
import { Connection, FAIL_ANSWERED, FAIL_SENT, readableBytes } from '../state/connection';
import { count } from '../state/counters';
import { JOIN_DONE, JOIN_WAIT_ACK, JOIN_WAIT_SINGLE, opensEarly, ownerOf, Subflow } from '../state/subflow';
import { acknowledged, acknowledgedFin, delivered } from '../tcp/ack';
import { closeSending, resetDue } from '../tcp/close';
import { ecnEchoed } from '../tcp/ecn';
import { fastOpenReset } from '../tcp/fast-open';
import { tcpInput } from '../tcp/input';
import { dssChecksum } from '../tcp/options-out';
import { ackNow, readyAdd } from '../tcp/ready';
import { offsetOf } from '../tcp/receive';
import {
  SIGNAL_ACKED,
  SIGNAL_CLOSED,
  SIGNAL_DATA,
  SIGNAL_DELIVERED,
  SIGNAL_ESTABLISHED,
  SIGNAL_OLD,
  SIGNAL_RECOVERY,
  SIGNAL_RESET,
  SIGNAL_SPURIOUS,
  SIGNAL_SYN_ACK_AGAIN,
  SIGNAL_TIME_WAIT,
  SIGNAL_VALID,
} from '../tcp/signals';
import { isLoopback, isUnicast } from '../wire/address';
import { sumWord16 } from '../wire/checksum';
import {
  DSS_A,
  DSS_a,
  DSS_F,
  DSS_M,
  DSS_m,
  MPTCP_V0,
  RST_FLAG_T,
  SUBTYPE_ADD_ADDR,
  SUBTYPE_CAPABLE,
  SUBTYPE_DSS,
  SUBTYPE_FAIL,
  SUBTYPE_JOIN,
  SUBTYPE_PRIO,
  SUBTYPE_REMOVE_ADDR,
  SUBTYPE_RST,
} from '../wire/mptcp';
import { options } from '../wire/options';
import { segment, TCP_FLAG_FIN } from '../wire/segment';
import {
  isOver,
  sessionAbort,
  sessionFastclosed,
  sessionProgress,
  sessionSubflowClosed,
  sessionSubflowTimeWait,
} from './closing';
import { checksumFailed, failCrossed, failReceived, failRepeated, infiniteMapping, mappingInLine } from './fail';
import {
  bareAcknowledgment,
  bareAgain,
  bareLate,
  fallBack,
  handshakeUnanswered,
  receivedInLine,
  synWithoutKeys,
  unmarkedAgain,
} from './fallback';
import { fastcloseInput, fastcloseValid, fastcloseWaits } from './fastclose';
import { mappingReceived } from './mapping';
import { connectionConfirmed, handshakeDone, joinConfirmed } from './open';
import { endOfStream } from './place';
import { placeHeld, takeData } from './receive';
import { dataAcknowledged, pushLater } from './send';
import { singleHeard, singleWanted } from './single';

/** A segment's way through session control: TCP first, then the options of Multipath TCP, then the data. */

/** Processes the segment in `packet`, `segment` and `options` for a subflow. */
export function sessionInput(subflow: Subflow): void {
  const flightless = subflow.owner == 0;
  if (subflow.state == TCP_SYN_RECEIVED && !flightless && ownerOf(subflow).multipath != 0) {
    if (overtookKeys(subflow)) return;
    synWithoutKeys(ownerOf(subflow), subflow);
  }
  let signals = tcpInput(subflow);
  if (flightless) {
    if ((signals & SIGNAL_CLOSED) != 0) sessionSubflowClosed(subflow, 0);
    return;
  }
  if ((signals & SIGNAL_VALID) == 0) {
    if ((signals & SIGNAL_SYN_ACK_AGAIN) != 0) keysUnanswered(subflow);
    return;
  }
  const connection = ownerOf(subflow);
  if ((signals & SIGNAL_RESET) != 0) {
    peerReset(connection, subflow);
    return;
  }
  if (connection.state == CONNECTION_CLOSED && fastcloseWaits(connection)) {
    fastcloseInput(subflow);
    return;
  }
  if ((signals & SIGNAL_ESTABLISHED) != 0 && !handshakeDone(subflow)) return;
  takeAcknowledgment(subflow, signals);
  if (connection.multipath != 0) {
    if (!takeOptions(connection, subflow, signals)) return;
  } else {
    takePlainAcknowledgment(connection, subflow, signals);
    if (connection.lateMaps != 0 && !takeLate(connection, subflow, signals)) return;
  }
  if ((signals & SIGNAL_DATA) != 0 && (segment.payloadLength > 0 || subflow.finKnown != 0 || isFin())) {
    signals |= takeData(subflow);
    // A FIN closes this subflow only; what it still owes is sent before ours (RFC 8684 section 3.3.3).
    if (connection.multipath != 0 && subflow.finReceived != 0 && !stillTakesData(connection)) {
      if (connection.state != CONNECTION_CLOSED && !isOver(connection)) pathClosedByPeer(connection, subflow);
      closeSending(subflow);
    }
    if (connection.orphaned != 0 && readableBytes(connection) > 0) {
      // RFC 9293 section 3.6.1: bytes for an application that is gone are answered with a reset.
      sessionAbort(connection, ERR_ABORTED);
      return;
    }
  }
  readyAdd(subflow);
  pushLater(connection);
  // Each of these can free the subflow, and the first two the connection.
  sessionProgress(connection);
  if ((signals & SIGNAL_CLOSED) != 0) sessionSubflowClosed(subflow, 0);
  else if ((signals & SIGNAL_TIME_WAIT) != 0) sessionSubflowTimeWait(subflow);
}

/**
 * True for a peer whose FINs say nothing new behind its DATA_FIN: until ours is acknowledged it takes data by the subflows
 * it ended, too (RFC 8684 appendix D).
 */
function stillTakesData(connection: Connection): bool {
  return connection.rcvFinState == 2 && connection.finState != 3 && connection.state != CONNECTION_CLOSED;
}

/**
 * True for a segment of Multipath TCP that came before the third ACK with its keys or HMAC, or instead of a lost one:
 * it is dropped, as the peer will send both again, where taking it would mean to fall back.
 */
function overtookKeys(subflow: Subflow): bool {
  const initial = (subflow.flags & SUBFLOW_INITIAL) != 0;
  // In version 0 the SYN had the key (RFC 6824 section 3.1).
  if (initial && ownerOf(subflow).version == MPTCP_V0) return false;
  const expected = initial ? SUBTYPE_CAPABLE : SUBTYPE_JOIN;
  return (options.mptcp & (1 << SUBTYPE_DSS)) != 0 && (options.mptcp & (1 << expected)) == 0;
}

/** The peer sends its SYN/ACK again: the third ACK has not come. */
function keysUnanswered(subflow: Subflow): void {
  if (subflow.synAcksAgain < 255) subflow.synAcksAgain++;
  handshakeUnanswered(ownerOf(subflow), subflow, subflow.synAcksAgain);
}

function isFin(): bool {
  return (segment.flags & TCP_FLAG_FIN) != 0;
}

function takeAcknowledgment(subflow: Subflow, signals: u32): void {
  if (subflow.stale != 0) {
    // As in Linux anything that comes shows that the path works again.
    subflow.stale = 0;
    count(COUNTER_MPTCP_SubflowRecover);
  }
  if ((signals & (SIGNAL_ACKED | SIGNAL_DELIVERED | SIGNAL_RECOVERY | SIGNAL_SPURIOUS)) != 0)
    takeProgress(subflow, signals);
  if (subflow.ecn != 0 && ecnEchoed(subflow)) congestionEcn(subflow);
}

/** The congestion window follows what was acknowledged, as far as the application lets it. */
function takeProgress(subflow: Subflow, signals: u32): void {
  congestionAcked(subflow, signals, acknowledged(), delivered());
  subflow.cwnd = min<u32>(subflow.cwnd, subflow.cwndClamp);
}

/** Without mappings the subflow's acknowledgment is that of the connection. */
function takePlainAcknowledgment(connection: Connection, subflow: Subflow, signals: u32): void {
  // Bytes may have gone before the handshake was complete.
  if ((signals & (SIGNAL_ESTABLISHED | SIGNAL_ACKED)) == SIGNAL_ESTABLISHED) return;
  const fin: u32 = acknowledgedFin() ? 1 : 0;
  dataAcknowledged(connection, connection.sndPlainBase + subflow.bytesAcked, subflow.sndWindow);
  if (connection.infiniteDue != 0 && connection.infiniteSent != 0 && seqLt(connection.infiniteSeq, subflow.sndUna))
    connection.infiniteDue = 0;
  if (fin != 0) connection.finState = 3;
}

/** Returns false when the subflow or connection is over by it. */
function takeOptions(connection: Connection, subflow: Subflow, signals: u32): bool {
  const present = options.mptcp;
  if (subflow.join == JOIN_WAIT_ACK && subflow.state != TCP_SYN_SENT && subflow.thirdAckDue == 0)
    joinConfirmed(connection, subflow);
  if (present == 0) return takeUnmarked(connection, subflow, signals);
  // The third ACK of a join again: the fourth was lost (RFC 8684 section 3.2).
  if ((present & (1 << SUBTYPE_JOIN)) != 0 && subflow.join == JOIN_DONE) ackNow(subflow);
  if ((signals & SIGNAL_OLD) != 0) return takeOld(connection, subflow);
  if (!takeCommands(connection, subflow)) return false;
  if (connection.multipath == 0) return takeLate(connection, subflow, signals);
  if ((present & (1 << SUBTYPE_CAPABLE)) != 0 && options.capableLength >= 22 && tellsFirstData(connection)) {
    // RFC 8684 section 3.1: the keys again, with the first data, which begins at subflow sequence number 1.
    const dsn = connection.rcvStart + connection.rcvEarly;
    const length = options.capableDataLength;
    const checked = options.capableHasChecksum != 0;
    if (!takeMapping(connection, subflow, dsn, 1, length, options.capableChecksum, checked, false)) return false;
  }
  return (present & (1 << SUBTYPE_DSS)) != 0 ? takeDss(connection, subflow) : true;
}

/**
 * Of a segment whose data is old, and which is easier to guess, only what it acknowledges counts (RFC 8684 section 3). And
 * an infinite mapping, which goes with whatever is sent first, if it says where the stream stands. Returns false when it
 * ends the connection or subflow.
 */
function takeOld(connection: Connection, subflow: Subflow): bool {
  if ((options.mptcp & (1 << SUBTYPE_DSS)) == 0) return true;
  takeDataAck(connection, subflow);
  if ((options.dssFlags & DSS_M) == 0 || options.dssLength != 0) return true;
  if (connection.failWait == 0 && !receivedInLine(connection, subflow)) return true;
  const dsn = mappedFrom(connection);
  if (dsn - offsetOf(subflow, subflow.irs + options.dssSsn) != connection.rcvPlainBase) return true;
  return infiniteMapping(connection, subflow, dsn);
}

/** What the peer wants of the connection and its paths. Returns false when the subflow or connection is over by it. */
function takeCommands(connection: Connection, subflow: Subflow): bool {
  const present = options.mptcp;
  if (fastcloseValid(connection)) {
    sessionFastclosed(connection);
    return false;
  }
  if ((present & (1 << SUBTYPE_PRIO)) != 0) {
    count(COUNTER_MPTCP_MPPrioRx);
    takePriority(connection, subflow);
  }
  // What is withdrawn makes room for what is announced with it.
  if ((present & (1 << SUBTYPE_REMOVE_ADDR)) != 0) addressesRemoved(connection);
  if ((present & (1 << SUBTYPE_ADD_ADDR)) != 0) {
    if (options.addEcho != 0 || mayBeAnnounced(subflow)) addressAnnounced(connection);
    else count(COUNTER_MPTCP_AddAddrDrop);
  }
  if ((present & (1 << SUBTYPE_FAIL)) != 0) {
    failReceived(connection, subflow);
    if (subflow.rstDue != 0) return false;
  }
  return true;
}

/** An address in an announcement is one that a host can have, and a loopback address one of the same host. */
function mayBeAnnounced(subflow: Subflow): bool {
  if (!isUnicast(options.addHi, options.addLo)) return false;
  return !isLoopback(options.addHi, options.addLo) || isLoopback(subflow.remoteHi, subflow.remoteLo);
}

/** MP_PRIO is for the subflow it came by or, in version 0, for those from an address it names (RFC 6824 section 3.3.8). */
function takePriority(connection: Connection, subflow: Subflow): void {
  const backup = options.prioBackup != 0;
  if (connection.version != MPTCP_V0 || options.prioHasId == 0) {
    backupAsked(subflow, backup);
    return;
  }
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next)
    if (changetype<Subflow>(at).remoteId == options.prioId) backupAsked(changetype<Subflow>(at), backup);
}

/** The long forms of MP_CAPABLE map data, of the side that connected, in version 1 only. */
function tellsFirstData(connection: Connection): bool {
  return connection.active == 0 && connection.version != MPTCP_V0;
}

/**
 * A segment without any option of Multipath TCP. RFC 8684 section 3.7: before the first mapping was seen, data without one
 * means that a middlebox removes options.
 */
function takeUnmarked(connection: Connection, subflow: Subflow, signals: u32): bool {
  // Who is not yet sure of the peer knows by the first ACK of its data, too.
  const unanswered = connection.confirmed == 0 && subflow.sndUna != subflow.iss + 1;
  const untouched =
    connection.rcvNxt == connection.rcvStart + connection.rcvEarly &&
    (subflow.receiveMapHead | subflow.heldHead | <usize>subflow.closing) == 0 &&
    connection.subflowsTotal == 1 &&
    (subflow.flags & SUBFLOW_INITIAL) != 0;
  if (untouched && (segment.payloadLength > 0 || unanswered)) {
    // The initiator has no DSS yet: its handshake is not complete. For the other side the third ACK was.
    const handshake = connection.active != 0 && connection.confirmed == 0;
    count(handshake ? COUNTER_MPTCP_MPCapableDataFallback : COUNTER_MPTCP_DssFallback);
    fallBack(connection, segment.payloadLength > 0 ? FALLBACK_FIRST_DATA : FALLBACK_FIRST_ACK);
    dataAcknowledged(connection, connection.sndPlainBase + subflow.bytesAcked, subflow.sndWindow);
  } else if ((signals & SIGNAL_ACKED) != 0) {
    return bareAcknowledgment(connection, subflow);
  } else if (segment.payloadLength > 0 && (signals & SIGNAL_OLD) != 0) {
    unmarkedAgain(connection, subflow);
  } else if (segment.payloadLength == 0 && (signals & SIGNAL_OLD) == 0) {
    return bareAgain(connection, subflow);
  }
  return true;
}

/** RFC 8684 sections 3.3.1 to 3.3.3. */
function takeDss(connection: Connection, subflow: Subflow): bool {
  const flags = options.dssFlags;
  // RFC 8684 section 3.1: it is "a DATA_ACK for the MP_CAPABLE" that shows that the peer has the keys. With Fast Open
  // (appendix B.3) data can come before that.
  if ((flags & DSS_A) != 0 || connection.active == 0 || connection.version == MPTCP_V0) connectionConfirmed(connection);
  takeDataAck(connection, subflow);
  if ((flags & DSS_M) == 0) return true;
  const dsn = mappedFrom(connection);
  let length = options.dssLength;
  if (length == 0) return infiniteMapping(connection, subflow, dsn);
  const fin = (flags & DSS_F) != 0;
  if (fin) {
    if (connection.failWait == FAIL_ANSWERED) {
      failCrossed(connection, subflow);
      return true;
    }
    length--;
    if (length == 0) return takeDataFin(connection, subflow, dsn);
    endOfStream(connection, dsn + length);
  }
  const checked = options.dssHasChecksum != 0;
  return takeMapping(connection, subflow, dsn, options.dssSsn, length, options.dssChecksum, checked, fin);
}

/** RFC 8684 section 3.3.2: only beside a DATA_ACK the window of a segment counts for the connection. */
function takeDataAck(connection: Connection, subflow: Subflow): void {
  const flags = options.dssFlags;
  if ((flags & DSS_A) == 0) return;
  const ack = (flags & DSS_a) != 0 ? options.dssAck : dsnExtend(<u32>options.dssAck, connection.sndUna);
  if (!dataAcknowledged(connection, ack, segment.window << subflow.sndShift)) count(COUNTER_MPTCP_DSSNotMatching);
  if (subflow.dssAcked == 0) {
    if (subflow.sndUna != subflow.iss + 1) subflow.dssAcked = 1;
    if (subflow.join == JOIN_WAIT_SINGLE) singleHeard(connection, subflow);
  }
  subflow.bareRow = 0;
}

/** RFC 8684 section 3.3.3: a DATA_FIN without data, whose checksum covers the pseudo-header alone. */
function takeDataFin(connection: Connection, subflow: Subflow, dsn: u64): bool {
  if (!checkedAsAgreed(connection, subflow, options.dssHasChecksum != 0)) return false;
  // Once the peer has agreed to fall back nothing is verified any more.
  const verified = connection.checksum != 0 && connection.failWait != FAIL_ANSWERED;
  if (verified && dssChecksum(dsn, options.dssSsn, 1, sumWord16(options.dssChecksum, 0)) != 0) {
    if (connection.failWait == 0) checksumFailed(connection, subflow, dsn);
    return subflow.rstDue == 0;
  }
  endOfStream(connection, dsn);
  // It is acknowledged at data level as soon as it can be.
  ackNow(subflow);
  return true;
}

function mappedFrom(connection: Connection): u64 {
  if ((options.dssFlags & DSS_m) == 0) return dsnExtend(<u32>options.dssDsn, connection.rcvNxt);
  if (config(CONFIG_DSN64) == 0) connection.rcvWide = 1;
  return options.dssDsn;
}

/** RFC 8684 section 3.3: a checksum that was agreed on and is missing, or the other way round, breaks the subflow. */
function checkedAsAgreed(connection: Connection, subflow: Subflow, checked: bool): bool {
  if (checked == (connection.checksum != 0)) return true;
  resetDue(subflow, <u8>RESET_MPTCP);
  return false;
}

/** A mapping of some bytes. Returns false when it ends the subflow. */
function takeMapping(
  connection: Connection,
  subflow: Subflow,
  dsn: u64,
  ssn: u32,
  length: u32,
  checksum: u32,
  checked: bool,
  fin: bool,
): bool {
  if (!checkedAsAgreed(connection, subflow, checked)) return false;
  if (connection.failWait == FAIL_SENT && !mappingInLine(connection, subflow, dsn, ssn)) return false;
  if (mappingReceived(subflow, dsn, subflow.irs + ssn, length, checksum, fin, checked))
    return subflow.heldHead == 0 || placeHeld(connection, subflow);
  count(COUNTER_MPTCP_DSSNotMatching);
  resetDue(subflow, <u8>RESET_MPTCP);
  return false;
}

/**
 * After a fallback in the middle, until the peer shows that it maps no more: what it still says by options. Returns false
 * when the connection is over by it.
 */
function takeLate(connection: Connection, subflow: Subflow, signals: u32): bool {
  const present = options.mptcp;
  if (present == 0) {
    if (segment.payloadLength > 0 && segment.seq == subflow.rcvNxt) connection.lateMaps = 0;
    else if (segment.payloadLength == 0 && (signals & SIGNAL_ACKED) == 0 && !isFin()) bareLate(connection, subflow);
    return true;
  }
  if (fastcloseValid(connection)) {
    sessionFastclosed(connection);
    return false;
  }
  if ((present & (1 << SUBTYPE_FAIL)) != 0 && subflow.failDue == 0) failRepeated(connection, subflow);
  if ((present & (1 << SUBTYPE_DSS)) == 0 || (options.dssFlags & DSS_M) == 0) return true;
  const dsn = mappedFrom(connection);
  let length = options.dssLength;
  if (length == 0) return infiniteMapping(connection, subflow, dsn);
  if ((options.dssFlags & DSS_F) != 0) {
    length--;
    // After changed data on both sides a FIN tells, see failCrossed().
    if (connection.fallback != FALLBACK_CHECKSUM) endOfStream(connection, dsn + length);
    ackNow(subflow);
  }
  // Mappings in line say nothing new; others are of data the peer sends again.
  const seq = subflow.irs + options.dssSsn;
  if (length == 0 || dsn - offsetOf(subflow, seq) == connection.rcvPlainBase) return true;
  mappingReceived(subflow, dsn, seq, length, 0, false, false);
  return true;
}

function peerReset(connection: Connection, subflow: Subflow): void {
  if (opensEarly(subflow)) fastOpenReset();
  const present = connection.multipath != 0 ? options.mptcp : 0;
  if ((present & (1 << SUBTYPE_RST)) != 0) {
    count(COUNTER_MPTCP_MPRstRx);
    subflow.resetReason = options.rstReason | ((options.rstFlags & RST_FLAG_T) != 0 ? RESET_FLAG_TRANSIENT : 0);
    subflow.resetReason |= RESET_FLAG_PEER;
  }
  if ((present & (1 << SUBTYPE_FAIL)) != 0) {
    count(COUNTER_MPTCP_MPFailRx);
    singleWanted(connection, subflow, FALLBACK_PEER_MP_FAIL);
  }
  if (present != 0 && fastcloseValid(connection)) {
    subflow.state = <u8>TCP_CLOSED;
    sessionFastclosed(connection);
    return;
  }
  sessionSubflowClosed(subflow, ERR_RESET);
}
