import {
  CONFIG_RTO_INITIAL,
  CONFIG_SYN_RETRIES_BEFORE_FALLBACK,
  COUNTER_MPTCP_DSSCorruptionFallback,
  COUNTER_MPTCP_DSSCorruptionReset,
  COUNTER_MPTCP_DSSNoMatchTCP,
  COUNTER_MPTCP_DssFallback,
  COUNTER_MPTCP_FallbackFailed,
  COUNTER_MPTCP_MPCapableDataFallback,
  COUNTER_MPTCP_MPCurrEstab,
  EVENT_FALLBACK,
  FALLBACK_PEER_SYN,
  FALLBACK_STRIPPED_ACKS,
  FALLBACK_STRIPPED_DATA,
  FALLBACK_UNANSWERED,
  RESET_MIDDLEBOX,
  SUBFLOW_INITIAL,
  TCP_SYN_SENT,
} from '../abi';
import { dsnLe, seqLt } from '../memory/sequence';
import { now } from '../state/clock';
import { config } from '../state/config';
import { Connection, FAIL_SENT, rcvRanges } from '../state/connection';
import { count, countBy } from '../state/counters';
import { DataMap, mapFree, ReceiveMap } from '../state/datamap';
import { eventRaise } from '../state/events';
import { isSynchronized, JOIN_WAIT_ACK, JOIN_WAIT_SINGLE, RST_PLAIN, Subflow } from '../state/subflow';
import { closeSending, resetDue } from '../tcp/close';
import { ackNow } from '../tcp/ready';
import { offsetOf } from '../tcp/receive';
import { DSS_M, SUBTYPE_CAPABLE, SUBTYPE_DSS } from '../wire/mptcp';
import { options } from '../wire/options';
import { segment, TCP_FLAG_ACK, TCP_FLAG_FIN, TCP_FLAG_SYN } from '../wire/segment';
import { adoptReceived } from './place';
import { dataAcknowledged, pushLater } from './send';
import { sessionArm } from './timer';
import { tokenRemove } from './tokens';

/**
 * Fallback to TCP (RFC 8684 section 3.7): at the beginning, where nothing was mapped yet, and in the middle, where both
 * directions go on from where they are. Only a connection that never had a second subflow can: its data is in a line.
 */

/** Segments without a mapping, one behind the other or the same again, until options are taken to be stripped. */
const UNMAPPED_LIMIT: u8 = 2;
/** ACKs of data without DSS after one with it, with no DATA_ACK in between, until options are taken to be stripped. */
const BARE_LIMIT: u8 = 3;
/** ACKs without options and news, one behind the other, until options are taken to be stripped … */
const BARE_ROW_LIMIT: u8 = 2;
/** … from the only subflow, while no end of stream of ours waits for its acknowledgment. */
const BARE_IDLE_LIMIT: u8 = 3;

/** Goes on as plain TCP, for a reason one can ask for. */
export function fallBack(connection: Connection, reason: i32): void {
  if (connection.confirmed != 0) countBy(COUNTER_MPTCP_MPCurrEstab, -1);
  connection.multipath = 0;
  connection.checksum = 0;
  // An answered MP_FAIL told of it already.
  if (connection.fallback != reason) eventRaise(connection, EVENT_FALLBACK);
  connection.fallback = <u8>reason;
  connection.sndPlainBase = connection.sndUna - connection.sndEarly;
  // An end of stream sent as DATA_FIN goes out once more, as FIN.
  if (connection.finState == 2) connection.finState = 1;
  connection.dataFinDue = 0;
  tokenRemove(connection);
  // Without mappings one subflow has the whole stream: joins that are under way come too late.
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next)
    if (connection.subflowCount > 1 && !keeps(changetype<Subflow>(at))) resetDue(changetype<Subflow>(at), RST_PLAIN);
  pushLater(connection);
}

/** True for the subflow that has the stream of a connection without mappings. */
function keeps(subflow: Subflow): bool {
  return (subflow.flags & SUBFLOW_INITIAL) != 0 || subflow.join == JOIN_WAIT_SINGLE;
}

/**
 * True when the connection can go on without mappings: all that is unacknowledged lies on its only subflow in a line, and
 * nothing that the subflow acknowledged waits for its mapping, which the peer may have sent once more. Nor may its FIN be
 * due, which would end the stream.
 * `told`: the peer said that it does, so that it has no second subflow; else a join under way may be complete there.
 */
export function mayFallBack(connection: Connection, subflow: Subflow, told: bool): bool {
  return (
    connection.subflowsTotal == 1 &&
    (subflow.flags & SUBFLOW_INITIAL) != 0 &&
    (told || !joinUnderWay(connection, subflow)) &&
    isSynchronized(subflow) &&
    subflow.finSent == 0 &&
    subflow.rstDue == 0 &&
    (subflow.heldHead | <usize>subflow.closing) == 0 &&
    sentInLine(connection, subflow)
  );
}

/** True when the peer may have a second subflow already: our third ACK is on its way, or has arrived. */
function joinUnderWay(connection: Connection, subflow: Subflow): bool {
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const other = changetype<Subflow>(at);
    if (other !== subflow && other.join == JOIN_WAIT_ACK && other.state != TCP_SYN_SENT && other.rstDue == 0)
      return true;
  }
  return false;
}

/** RFC 8684 section 3.7: "all unacknowledged data in flight is contiguous". */
function sentInLine(connection: Connection, subflow: Subflow): bool {
  if (connection.sndUna == connection.sndNxt) return connection.reinjectHead == 0;
  if (subflow.linearDelta != <u32>connection.sndNxt - subflow.seqEnd) return false;
  return dsnLe(subflow.linearDsn, connection.sndUna);
}

/** True when mappings tell where the bytes behind them go: then rcvPlainBase is set to that. */
export function receivedInLine(connection: Connection, subflow: Subflow): bool {
  if (subflow.receiveMapHead == 0) {
    // Nothing is missing: the next byte of the subflow is the next of the stream.
    if (rcvRanges(connection).count != 0) return false;
    connection.rcvPlainBase = connection.rcvNxt - (connection.rcvFinState == 2 ? 1 : 0) - subflow.rcvOffset;
    return true;
  }
  const first = changetype<ReceiveMap>(subflow.receiveMapHead);
  const offset = offsetOf(subflow, first.seq);
  const base = first.dsn - offset;
  // The next byte of the stream is still to come here, or is one of those not verified.
  if (<i64>(connection.rcvNxt - base) < min<i64>(<i64>offset, <i64>subflow.rcvOffset)) return false;
  for (let at = first.next; at != 0; at = changetype<ReceiveMap>(at).next) {
    const map = changetype<ReceiveMap>(at);
    if (map.dsn - offsetOf(subflow, map.seq) != base) return false;
  }
  connection.rcvPlainBase = base;
  return true;
}

/**
 * Falls back in the middle. rcvPlainBase says where received bytes go that no mapping covers. What is sent from now on
 * begins with an infinite mapping, and the acknowledgments of the subflow alone free the send buffer.
 */
export function fallBackLate(connection: Connection, subflow: Subflow, reason: i32): void {
  const sequence = subflow.seqEnd - <u32>(connection.sndNxt - connection.sndUna);
  connection.infiniteDue = connection.checksum != 0 ? 2 : 1;
  connection.infiniteSent = 0;
  connection.infiniteDsn = connection.sndUna;
  connection.infiniteSsn = sequence - subflow.iss;
  while (connection.reinjectHead != 0) {
    const map = changetype<DataMap>(connection.reinjectHead);
    connection.reinjectHead = map.next;
    mapFree(map);
  }
  connection.reinjectTail = 0;
  // What waited for the answer to MP_FAIL begins where the stream stands.
  const held = connection.failWait == FAIL_SENT ? connection.rcvNxt - connection.rcvPlainBase : subflow.rcvOffset;
  connection.failWait = 0;
  connection.failAt = 0;
  const closed = connection.finState == 3;
  fallBack(connection, reason);
  connection.lateMaps = 1;
  subflow.bareRow = 0;
  const acked = connection.sndNxt - <u64>(subflow.seqEnd - subflow.sndUna);
  connection.sndPlainBase = acked - subflow.bytesAcked;
  dataAcknowledged(connection, acked, subflow.sndWindow);
  if (closed) closeSending(subflow);
  adoptReceived(connection, subflow, held);
  sessionArm(connection);
}

/**
 * Byte `from` of the subflow arrived and no mapping covers it. The mapping may be under way, or lost with a segment that
 * was merged with this one: the peer sends both again. If that does not help a middlebox removes options: returns true
 * when the connection fell back and the bytes can be taken; else the subflow is reset (RFC 8684 section 3.7).
 */
export function mappingMissing(connection: Connection, subflow: Subflow, from: u64): bool {
  // Behind a hole the mapping may have been in the segment that is missing.
  if (from != subflow.rcvOffset && (subflow.unmapped == 0 || options.mptcp != 0)) return false;
  // What the segment maps lies elsewhere on the subflow, or ends before its bytes do.
  const mapped = (options.mptcp & (1 << SUBTYPE_DSS)) != 0 && (options.dssFlags & DSS_M) != 0;
  const short = mapped && seqLt(segment.seq, subflow.rcvNxt);
  if (mapped && !short) count(COUNTER_MPTCP_DSSNoMatchTCP);
  if (subflow.unmapped < UNMAPPED_LIMIT) subflow.unmapped++;
  if (subflow.unmapped < UNMAPPED_LIMIT) return false;
  // The peer sends it again: then it will be known whether there is a second subflow.
  if (connection.subflowsTotal == 1 && joinUnderWay(connection, subflow)) return false;
  if (mayFallBack(connection, subflow, false) && receivedInLine(connection, subflow)) {
    count(short ? COUNTER_MPTCP_DSSCorruptionFallback : COUNTER_MPTCP_DssFallback);
    fallBackLate(connection, subflow, FALLBACK_STRIPPED_DATA);
    connection.lateMaps = 0;
    return true;
  }
  count(short ? COUNTER_MPTCP_DSSCorruptionReset : COUNTER_MPTCP_FallbackFailed);
  resetDue(subflow, <u8>RESET_MIDDLEBOX);
  return false;
}

/**
 * Data without any option that came before. A peer that sends again what was acknowledged, and without options, has not
 * seen the ACKs: it fell back because a middlebox drops what has options. Returns true when the connection fell back, too.
 */
export function unmarkedAgain(connection: Connection, subflow: Subflow): bool {
  subflow.unmapped++;
  if (subflow.unmapped < UNMAPPED_LIMIT) return false;
  if (!mayFallBack(connection, subflow, false) || !receivedInLine(connection, subflow)) return false;
  count(COUNTER_MPTCP_DssFallback);
  fallBackLate(connection, subflow, FALLBACK_STRIPPED_DATA);
  connection.lateMaps = 0;
  // An infinite mapping would not get there either, and the peer wants none.
  connection.infiniteDue = 0;
  return true;
}

/**
 * The third ACK and the data behind it went unanswered `tries` times, and for as long as SYNs would have: a middlebox may
 * drop what has options of Multipath TCP, and the peer, which still waits, takes an ACK without for a fallback (RFC 8684
 * section 3.7).
 */
export function handshakeUnanswered(connection: Connection, subflow: Subflow, tries: u32): bool {
  if (connection.multipath == 0 || connection.active == 0 || connection.confirmed != 0) return false;
  if ((subflow.flags & SUBFLOW_INITIAL) == 0 || subflow.sndUna != subflow.iss + 1) return false;
  const most = config(CONFIG_SYN_RETRIES_BEFORE_FALLBACK);
  const time = (((<i64>1) << min<i64>(most, 16)) - 1) * config(CONFIG_RTO_INITIAL);
  if (<i64>tries <= most || now() - subflow.lastReceivedAt <= time) return false;
  count(COUNTER_MPTCP_MPCapableDataFallback);
  subflow.thirdAckDue = 0;
  fallBack(connection, FALLBACK_UNANSWERED);
  ackNow(subflow);
  return true;
}

/** The SYN without MP_CAPABLE after one with it: our SYN/ACK with MP_CAPABLE does not get through. */
export function synWithoutKeys(connection: Connection, subflow: Subflow): void {
  const again = (segment.flags & (TCP_FLAG_SYN | TCP_FLAG_ACK)) == TCP_FLAG_SYN && segment.seq == subflow.irs;
  if (!again || (subflow.flags & SUBFLOW_INITIAL) == 0 || (options.mptcp & (1 << SUBTYPE_CAPABLE)) != 0) return;
  fallBack(connection, FALLBACK_PEER_SYN);
}

/**
 * An ACK of new data came without any option of Multipath TCP. When no DATA_ACK comes either, a middlebox removes them.
 * Returns false when the subflow is reset.
 */
export function bareAcknowledgment(connection: Connection, subflow: Subflow): bool {
  const una = <u32>connection.sndUna;
  if (subflow.bareAcks == 0 || subflow.bareUna != una) {
    subflow.bareUna = una;
    subflow.bareAcks = 0;
  }
  if (subflow.bareAcks < BARE_LIMIT) subflow.bareAcks++;
  const never = subflow.dssAcked == 0 && tellsOfPath(subflow);
  if (never && ((subflow.flags & SUBFLOW_INITIAL) == 0 || connection.subflowsTotal > 1)) {
    count(COUNTER_MPTCP_FallbackFailed);
    resetDue(subflow, <u8>RESET_MIDDLEBOX);
    return false;
  }
  if (never || subflow.bareAcks >= BARE_LIMIT) acknowledgmentsStripped(connection, subflow);
  return true;
}

/**
 * An ACK that says nothing new came without any option of Multipath TCP. RFC 8684 section 3.7: "If a subflow breaks during
 * operation, e.g., if it is rerouted and MPTCP options are no longer permitted", it is closed with RST: neither a DATA_FIN
 * nor a DATA_ACK would come by it. Returns false when it is. The only subflow leads to TCP: a peer that has nothing to
 * send tells in no other way that it fell back, or that only our options get there.
 */
export function bareAgain(connection: Connection, subflow: Subflow): bool {
  // After MP_FAIL its answer is waited for, or what takes its place, see failEnded().
  if (connection.failWait != 0) return true;
  const only = connection.subflowsTotal == 1;
  const fin = (segment.flags & TCP_FLAG_FIN) != 0;
  if (!only && (fin || subflow.finSent != 0 || subflow.finReceived != 0)) return true;
  if (segment.seq != subflow.rcvNxt || (segment.ack != subflow.sndNxt && !fin)) return true;
  // Nothing is lost by waiting where no end of stream does. One of TCP comes once.
  const limit: u8 = fin ? 1 : only && connection.finState != 2 ? BARE_IDLE_LIMIT : BARE_ROW_LIMIT;
  if (++subflow.bareRow < limit) return true;
  if (only) {
    subflow.bareRow = 0;
    if (!mayFallBack(connection, subflow, false) || !receivedInLine(connection, subflow)) return true;
    count(COUNTER_MPTCP_DssFallback);
    fallBackLate(connection, subflow, FALLBACK_STRIPPED_ACKS);
    return true;
  }
  count(COUNTER_MPTCP_FallbackFailed);
  resetDue(subflow, <u8>RESET_MIDDLEBOX);
  return false;
}

/**
 * True when an ACK of data without DSS shows that the path takes options away: "an ACK is received for data (not just for
 * the SYN) without a DSS option containing a Data ACK" (RFC 8684 section 3.7). In front of one that came behind a hole one
 * with DSS may be missing, and a peer that closed the subflow answers from TIME-WAIT, which knows of no options.
 */
function tellsOfPath(subflow: Subflow): bool {
  if (subflow.finSent != 0 || subflow.finReceived != 0) return false;
  return segment.payloadLength == 0 || !seqLt(subflow.rcvNxt, segment.seq);
}

/** Falls back when the last ACK of data had no DSS and the data was acknowledged by the subflow alone. */
export function acknowledgmentsStripped(connection: Connection, subflow: Subflow): bool {
  if (subflow.bareAcks == 0 || subflow.bareUna != <u32>connection.sndUna) return false;
  if (connection.sndUna == connection.sndNxt) return false;
  if (!mayFallBack(connection, subflow, false) || !receivedInLine(connection, subflow)) return false;
  count(COUNTER_MPTCP_DssFallback);
  fallBackLate(connection, subflow, FALLBACK_STRIPPED_ACKS);
  return true;
}

/**
 * After a fallback in the middle the peer repeats itself without options, or they do not get here: it takes this side for
 * one of Multipath TCP by the DATA_ACKs that it is still given, and they end.
 */
export function bareLate(connection: Connection, subflow: Subflow): void {
  if (++subflow.bareRow >= BARE_ROW_LIMIT) connection.lateMaps = 0;
}
