import {
  CONFIG_FAIL_TIMEOUT,
  CONFIG_REOPEN_REFUSALS,
  COUNTER_MPTCP_DataCsumErr,
  COUNTER_MPTCP_DssFallback,
  COUNTER_MPTCP_FallbackFailed,
  COUNTER_MPTCP_InfiniteMapRx,
  COUNTER_MPTCP_MPFailRx,
  EVENT_FALLBACK,
  FALLBACK_CHECKSUM,
  FALLBACK_INFINITE_MAPPING,
  FALLBACK_PEER_MP_FAIL,
  RESET_MIDDLEBOX,
  RESET_MPTCP,
  RESET_RESOURCES,
  SUBFLOW_INITIAL,
} from '../abi';
import { dsnLt, seqLt } from '../memory/sequence';
import { now } from '../state/clock';
import { config } from '../state/config';
import { Connection, FAIL_ANSWERED, FAIL_SENT, SINGLE_ASKED } from '../state/connection';
import { count } from '../state/counters';
import { eventRaise } from '../state/events';
import { FAIL_DUE, RST_FASTCLOSE, Subflow } from '../state/subflow';
import { resetDue } from '../tcp/close';
import { ackNow } from '../tcp/ready';
import { offsetOf } from '../tcp/receive';
import { currentRto } from '../tcp/rtt';
import { options } from '../wire/options';
import { segment } from '../wire/segment';
import { fallBackLate, mayFallBack, receivedInLine } from './fallback';
import { mapsCutFrom } from './mapping';
import { adoptReceived } from './place';
import { isLast, singleExpired, singleMapping, singleWanted } from './single';
import { sessionArm } from './timer';

/**
 * A middlebox changed the data (RFC 8684 section 3.7). With several subflows the one it sits on is reset, with MP_FAIL.
 * With one only MP_FAIL goes out, the peer answers with MP_FAIL, and both go on with an infinite mapping.
 */

/** How far behind what was sent the number in an MP_FAIL may lie: no window is larger. */
const FAIL_REACH: u64 = (<u64>1) << 32;

/** MP_FAILs of one side, at most, once the other's was taken for an answer. */
const FAIL_REPLIES: u32 = 16;

/** The checksum of a mapping that begins at `dsn` does not match. */
export function checksumFailed(connection: Connection, subflow: Subflow, dsn: u64): void {
  count(COUNTER_MPTCP_DataCsumErr);
  // The peer learns where the bad data began.
  subflow.failDue = FAIL_DUE;
  subflow.failDsn = dsn;
  if (!mayFallBack(connection, subflow, false) || !receivedInLine(connection, subflow)) {
    resetChanged(connection, subflow);
    return;
  }
  // Without mappings there can be no second subflow; if the peer does not agree, a join comes again.
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next)
    if (at != changetype<usize>(subflow)) resetDue(changetype<Subflow>(at), <u8>RESET_RESOURCES);
  connection.failWait = FAIL_SENT;
  connection.failSince = now();
  connection.failTries = 0;
  failSend(connection, subflow);
}

/** MP_FAIL goes out with an ACK, which can be lost: it is repeated until the peer answers. */
function failSend(connection: Connection, subflow: Subflow): void {
  subflow.failDue = FAIL_DUE;
  const again = now() + (currentRto(subflow) << min<u32>(connection.failTries, 8));
  connection.failAt = min<i64>(again, connection.failSince + config(CONFIG_FAIL_TIMEOUT));
  connection.failTries++;
  ackNow(subflow);
  sessionArm(connection);
}

/** The peer has not answered MP_FAIL: it goes out again, or the subflow is given up. */
export function failExpired(connection: Connection): void {
  connection.failAt = 0;
  if (connection.single == SINGLE_ASKED) {
    singleExpired(connection);
    return;
  }
  if (connection.subflows == 0) return;
  const subflow = changetype<Subflow>(connection.subflows);
  if (now() - connection.failSince < config(CONFIG_FAIL_TIMEOUT)) {
    failSend(connection, subflow);
    return;
  }
  giveUp(connection, subflow);
}

/** No way leads to an infinite mapping: "the receiver MUST close the subflow with a RST with MP_FAIL". */
function giveUp(connection: Connection, subflow: Subflow): void {
  count(COUNTER_MPTCP_FallbackFailed);
  subflow.failDue = FAIL_DUE;
  resetChanged(connection, subflow);
}

/**
 * Resets a subflow whose data was changed. When it is the only one the peer may open another, and the data comes again;
 * but not without end: when nothing right arrived over several of them the connection is over, by MP_FASTCLOSE.
 */
function resetChanged(connection: Connection, subflow: Subflow): void {
  if (subflow.rstDue != 0) return;
  resetDue(subflow, <u8>RESET_MIDDLEBOX);
  if (connection.failRcvNxt != <u32>connection.rcvNxt) {
    connection.failRcvNxt = <u32>connection.rcvNxt;
    connection.failResets = 0;
  }
  if (!isLast(connection, subflow)) return;
  singleWanted(connection, subflow, FALLBACK_CHECKSUM);
  if (connection.failResets < 255) connection.failResets++;
  if (<i64>connection.failResets < config(CONFIG_REOPEN_REFUSALS) || connection.confirmed == 0) return;
  subflow.failDue = 0;
  subflow.rstReason = RST_FASTCLOSE;
}

/**
 * A mapping that came while MP_FAIL waits for its answer. Returns false when it is out of line: then the bytes that wait
 * can never be used, and the subflow is reset (RFC 8684 section 3.7).
 */
export function mappingInLine(connection: Connection, subflow: Subflow, dsn: u64, ssn: u32): bool {
  if (dsn - offsetOf(subflow, subflow.irs + ssn) == connection.rcvPlainBase) return true;
  giveUp(connection, subflow);
  return false;
}

/** MP_FAIL arrived without RST; its number is in `options`. The connection falls back, or the subflow is reset. */
export function failReceived(connection: Connection, subflow: Subflow): void {
  count(COUNTER_MPTCP_MPFailRx);
  if (connection.failWait != 0) {
    failAnswered(connection, subflow);
    return;
  }
  // Who does not know the data sequence guesses in vain.
  if (dsnLt(connection.sndNxt, options.failDsn) || connection.sndNxt - options.failDsn > FAIL_REACH) return;
  if (!mayFallBack(connection, subflow, true) || !receivedInLine(connection, subflow)) {
    resetDue(subflow, <u8>RESET_MIDDLEBOX);
    return;
  }
  answerFail(connection, subflow);
  fallBackLate(connection, subflow, FALLBACK_PEER_MP_FAIL);
}

/**
 * The peer agreed: what waited counts, and nothing is verified any more. The peer begins with its infinite mapping, and
 * this side follows: Linux stops sending when the other side is first.
 */
function failAnswered(connection: Connection, subflow: Subflow): void {
  if (connection.failWait == FAIL_ANSWERED) {
    // Both sides found changed data, and the MP_FAIL of this one was lost: the peer still waits. Not without end, for it
    // may do the same.
    if (connection.failTries >= FAIL_REPLIES) return;
    connection.failTries++;
    subflow.failDue = FAIL_DUE;
    ackNow(subflow);
    return;
  }
  const held = connection.rcvNxt - connection.rcvPlainBase;
  connection.failWait = FAIL_ANSWERED;
  connection.failAt = 0;
  // The application learns of it before it reads what waited.
  connection.fallback = <u8>FALLBACK_CHECKSUM;
  eventRaise(connection, EVENT_FALLBACK);
  adoptReceived(connection, subflow, held);
  ackNow(subflow);
}

/**
 * The peer's FIN came where its stream did not end by a DATA_FIN, or elsewhere, as a box changed its length: it went over, and
 * had nothing left to send.
 */
export function failEnded(connection: Connection, subflow: Subflow): void {
  if (connection.failWait != FAIL_ANSWERED || connection.rcvFinState == 2 || subflow.finSent != 0) return;
  connection.rcvFinState = 0;
  fallBackLate(connection, subflow, FALLBACK_CHECKSUM);
}

/**
 * The peer ends its stream by a DATA_FIN, as nobody does who went over to TCP: both sides found changed data, each took the
 * MP_FAIL of the other for the answer to its own, and both wait. Where the stream ends is not where that DATA_FIN says.
 */
export function failCrossed(connection: Connection, subflow: Subflow): void {
  if (connection.rcvFinState == 1) connection.rcvFinState = 0;
  fallBackLate(connection, subflow, FALLBACK_CHECKSUM);
  ackNow(subflow);
}

/** "The receiver of an MP_FAIL MUST also respond with an MP_FAIL in the reverse direction." */
function answerFail(connection: Connection, subflow: Subflow): void {
  subflow.failDue = FAIL_DUE;
  subflow.failDsn = connection.rcvNxt;
  ackNow(subflow);
}

/** The answer was lost: the peer sent its MP_FAIL again after this side fell back. */
export function failRepeated(connection: Connection, subflow: Subflow): void {
  if (connection.fallback != FALLBACK_PEER_MP_FAIL) return;
  count(COUNTER_MPTCP_MPFailRx);
  answerFail(connection, subflow);
}

/**
 * An infinite mapping: from its subflow sequence number on, which may lie behind what arrived already, bytes go one
 * behind the other. Earlier ones go where their mappings say. Returns false when the subflow is reset.
 */
export function infiniteMapping(connection: Connection, subflow: Subflow, dsn: u64): bool {
  count(COUNTER_MPTCP_InfiniteMapRx);
  const seq = subflow.irs + options.dssSsn;
  const base = dsn - offsetOf(subflow, seq);
  if (connection.multipath != 0) {
    if ((subflow.flags & SUBFLOW_INITIAL) == 0) return singleMapping(connection, subflow, dsn);
    if (!mayFallBack(connection, subflow, true)) {
      count(COUNTER_MPTCP_FallbackFailed);
      resetDue(subflow, <u8>RESET_MPTCP);
      return false;
    }
    const waited = connection.failWait != 0;
    if (connection.failWait == FAIL_SENT && base != connection.rcvPlainBase) {
      // What waits lies in another place.
      giveUp(connection, subflow);
      return false;
    }
    count(COUNTER_MPTCP_DssFallback);
    mapsCutFrom(subflow, seqLt(seq, subflow.rcvNxt) ? subflow.rcvNxt : seq);
    connection.rcvPlainBase = base;
    fallBackLate(connection, subflow, waited ? FALLBACK_CHECKSUM : FALLBACK_INFINITE_MAPPING);
  } else {
    if (segment.payloadLength == 0) {
      // It was offered again: the answer got lost.
      ackNow(subflow);
      return true;
    }
    mapsCutFrom(subflow, seq);
    connection.rcvPlainBase = base;
    adoptReceived(connection, subflow, subflow.rcvOffset);
  }
  // RFC 8684 section 3.7: no DATA_ACK any more.
  connection.lateMaps = 0;
  return true;
}
