import {
  CONFIG_RECEIVE_BUFFER,
  COUNTER_DROP_PAWS,
  COUNTER_DROP_SEQUENCE,
  COUNTER_RST_IN,
  SUBFLOW_INITIAL,
  TCP_CLOSED,
  TCP_ESTABLISHED,
  TCP_FIN_WAIT_1,
  TCP_FIN_WAIT_2,
  TCP_SYN_RECEIVED,
  TCP_SYN_SENT,
  TCP_TIME_WAIT,
} from '../abi';
import { dsnLt, seqLe, seqLt } from '../memory/sequence';
import { now, nowMs } from '../state/clock';
import { config } from '../state/config';
import { count } from '../state/counters';
import { JOIN_WAIT_ACK, opensEarly, ownerOf, Subflow, SYN_SIMULTANEOUS } from '../state/subflow';
import { OPTION_TIMESTAMPS, options } from '../wire/options';
import { segment, TCP_FLAG_ACK, TCP_FLAG_FIN, TCP_FLAG_RST, TCP_FLAG_SYN } from '../wire/segment';
import { acknowledgedFin, tcpAcknowledge } from './ack';
import { acknowledgeOutside, answeredLately, challengeAck } from './challenge';
import { finAcknowledged, timeWaitSegment } from './close';
import { ecnTakeSyn } from './ecn';
import { takeSynOptions } from './handshake';
import { ackNow, readyAdd } from './ready';
import { duplicateReceived } from './receive';
import { rttSample } from './rtt';
import {
  SIGNAL_CLOSED,
  SIGNAL_DATA,
  SIGNAL_ESTABLISHED,
  SIGNAL_OLD,
  SIGNAL_RESET,
  SIGNAL_SYN_ACK_AGAIN,
  SIGNAL_VALID,
} from './signals';
import { rtoArm, timersArm } from './timers';

/**
 * Ticks of the peer's timestamp clock a segment may be older than the newest. A retransmission that fills a hole moves
 * tsRecent beyond what was sent before it and is still on its way by a reordering path: dropped, that would have to be
 * sent again, with the same effect. Segments from before a wrap of sequence numbers are older, up to 300 Gbit/s.
 */
const PAWS_TOLERANCE: i32 = 100;

/**
 * Processes the segment in `segment` and `options` for a subflow, up to but not including its data and FIN, which the
 * session takes with tcpReceive() (RFC 9293 section 3.10.7). Returns SIGNAL_ bits; without SIGNAL_VALID it is dropped.
 */
export function tcpInput(subflow: Subflow): u32 {
  subflow.segmentsIn++;
  if (subflow.state == TCP_SYN_SENT) return synSentInput(subflow);
  if (subflow.state == TCP_TIME_WAIT) return timeWaitSegment(subflow);
  const flags = segment.flags;

  // RFC 7323 section 5.3: an old timestamp means an old segment; an RST is exempt.
  if (subflow.timestamps != 0 && (flags & (TCP_FLAG_RST | TCP_FLAG_SYN)) == 0) {
    if ((options.present & OPTION_TIMESTAMPS) != 0 && <i32>(options.tsVal - subflow.tsRecent) < -PAWS_TOLERANCE) {
      // Section 5.5: tsRecent is void after 24 days.
      if (nowMs() - subflow.tsRecentAt < 2073600000) {
        count(COUNTER_DROP_PAWS);
        acknowledgeOutside(subflow);
        return 0;
      }
    }
  }

  // First: sequence number (section 3.10.7.4).
  if (!acceptable(subflow)) {
    if (subflow.state == TCP_SYN_RECEIVED && (flags & TCP_FLAG_SYN) != 0 && segment.seq == subflow.irs) {
      // The peer's answer in a simultaneous open: its SYN again, this time with our SYN acknowledged (section 3.5,
      // figure 7).
      if ((flags & TCP_FLAG_ACK) != 0 && acknowledgesSyn(subflow)) return establish(subflow);
      if (answeredLately(subflow)) return 0;
      subflow.synDue = 1;
      readyAdd(subflow);
    } else if ((flags & TCP_FLAG_RST) == 0) {
      count(COUNTER_DROP_SEQUENCE);
      const end = segment.seq + segment.payloadLength;
      if (segment.payloadLength > 0 && seqLe(end, subflow.rcvNxt)) duplicateReceived(subflow, segment.seq, end);
      acknowledgeOutside(subflow);
      // The SYN/ACK again: the third ACK, with its keys or HMAC, was lost.
      if ((flags & TCP_FLAG_SYN) != 0 && awaitsFourthAck(subflow)) {
        subflow.thirdAckDue = 1;
        return SIGNAL_SYN_ACK_AGAIN;
      }
      if ((flags & (TCP_FLAG_SYN | TCP_FLAG_ACK)) == TCP_FLAG_ACK) return acknowledgeOld(subflow);
    }
    return 0;
  }

  // Second: RST (RFC 5961 section 3.2).
  if ((flags & TCP_FLAG_RST) != 0) {
    if (segment.seq == subflow.rcvNxt) {
      count(COUNTER_RST_IN);
      return SIGNAL_VALID | SIGNAL_RESET | SIGNAL_CLOSED;
    }
    challengeAck(subflow);
    return 0;
  }

  // Fourth: SYN (RFC 5961 section 4.2).
  if ((flags & TCP_FLAG_SYN) != 0) {
    challengeAck(subflow);
    return 0;
  }

  // Fifth: ACK.
  if ((flags & TCP_FLAG_ACK) == 0) return 0;
  let signals: u32 = SIGNAL_VALID;
  if (subflow.state == TCP_SYN_RECEIVED) {
    // The stack answers with RST, as for a segment of no connection.
    if (!acknowledgesSyn(subflow)) return 0;
    signals |= establish(subflow);
  } else if (seqLt(subflow.sndNxt, segment.ack)) {
    // It acknowledges what was never sent (RFC 5961 section 5.2).
    challengeAck(subflow);
    return 0;
  } else if (seqLt(segment.ack, subflow.sndUna) && tooOld(subflow)) {
    challengeAck(subflow);
    return 0;
  }
  takeTimestamp(subflow);
  subflow.lastReceivedAt = now();
  signals |= tcpAcknowledge(subflow);
  if (acknowledgedFin()) signals |= finAcknowledged(subflow);
  const state = subflow.state;
  if (state == TCP_ESTABLISHED || state == TCP_FIN_WAIT_1 || state == TCP_FIN_WAIT_2) signals |= SIGNAL_DATA;
  return signals;
}

/** RFC 9293 section 3.10.7.3. */
function synSentInput(subflow: Subflow): u32 {
  const flags = segment.flags;
  const acknowledges = (flags & TCP_FLAG_ACK) != 0;
  if (acknowledges && !acknowledgesSyn(subflow)) {
    // The stack answers with RST, as for a segment of no connection.
    return 0;
  }
  if ((flags & TCP_FLAG_RST) != 0) {
    if (!acknowledges) return 0;
    count(COUNTER_RST_IN);
    return SIGNAL_VALID | SIGNAL_RESET | SIGNAL_CLOSED;
  }
  if ((flags & TCP_FLAG_SYN) == 0) return 0;
  subflow.irs = segment.seq;
  subflow.rcvNxt = segment.seq + 1;
  takeSynOptions(subflow);
  // The SYN of a simultaneous open has no answer that could agree.
  ecnTakeSyn(subflow, true);
  if (acknowledges) {
    return establish(subflow);
  }
  // Simultaneous open. Which of the two keys would be whose in what order RFC 8684 leaves open: plain TCP, as Linux.
  subflow.state = <u8>TCP_SYN_RECEIVED;
  subflow.synPlain = SYN_SIMULTANEOUS;
  subflow.synDue = 1;
  readyAdd(subflow);
  return 0;
}

/** The peer acknowledged our SYN. */
function establish(subflow: Subflow): u32 {
  const active = subflow.state == TCP_SYN_SENT;
  if (subflow.synTries == 1) rttSample(subflow, now() - subflow.lastSentAt);
  // Bytes of our SYN that the peer did not take were never sent, for all that follows (RFC 7413 section 4.2.2).
  const una = subflow.synBytes != 0 ? segment.ack : subflow.iss + 1;
  subflow.sndUna = una;
  if (seqLt(subflow.sndNxt, una)) subflow.sndNxt = una;
  if (seqLt(subflow.seqEnd, una)) subflow.seqEnd = una;
  subflow.synDue = 0;
  subflow.rtoAt = 0;
  subflow.backoff = 0;
  subflow.state = <u8>TCP_ESTABLISHED;
  // RFC 7323 section 2.2: the window of a SYN is not scaled.
  const syn = (segment.flags & TCP_FLAG_SYN) != 0;
  subflow.sndWindow = syn ? segment.window : segment.window << subflow.sndShift;
  subflow.sndWindowMax = subflow.sndWindow;
  subflow.sndWl1 = segment.seq;
  subflow.sndWl2 = segment.ack;
  subflow.lastReceivedAt = now();
  if (active || syn) ackNow(subflow);
  if (subflow.outstanding != 0) rtoArm(subflow);
  else timersArm(subflow);
  return SIGNAL_VALID | SIGNAL_ESTABLISHED;
}

/**
 * True when `segment`, to a subflow in its handshake, acknowledges its SYN and nothing that was not sent. With Fast Open
 * it may acknowledge bytes as well: those of our SYN, or those that followed our SYN/ACK (RFC 7413 section 4.2.2).
 */
export function acknowledgesSyn(subflow: Subflow): bool {
  let most: u32 = subflow.synBytes;
  if (opensEarly(subflow) && subflow.sndNxt != subflow.iss) most = subflow.sndNxt - subflow.iss - 1;
  return segment.ack - subflow.iss - 1 <= most;
}

/** RFC 9293 section 3.10.7.4, table 6. */
function acceptable(subflow: Subflow): bool {
  const flags = segment.flags;
  const length = segment.payloadLength + ((flags & TCP_FLAG_SYN) != 0 ? 1 : 0) + ((flags & TCP_FLAG_FIN) != 0 ? 1 : 0);
  // The window of a Multipath TCP connection is one for all subflows: what another subflow announced counts too, and
  // the session checks every byte against it. Here a bound is enough.
  const end = segment.seq + length;
  if (length == 0) return seqLe(subflow.rcvNxt, segment.seq) && seqLe(segment.seq, receiveEdge(subflow));
  return seqLt(subflow.rcvNxt, end) && (segment.seq == subflow.rcvNxt || seqLt(segment.seq, receiveEdge(subflow)));
}

/** No window of this subflow ends behind it. */
function receiveEdge(subflow: Subflow): u32 {
  return subflow.rcvNxt + receiveBound(subflow);
}

/** No window of this subflow is larger, bytes. A buffer that was made smaller leaves what was announced before. */
function receiveBound(subflow: Subflow): u32 {
  if (subflow.owner == 0) return <u32>config(CONFIG_RECEIVE_BUFFER);
  const connection = ownerOf(subflow);
  const promised = dsnLt(connection.rcvNxt, connection.rcvWindowEnd) ? connection.rcvWindowEnd - connection.rcvNxt : 0;
  return <u32>max<u64>(connection.receiveBuffer, promised);
}

/** RFC 5961 section 5.2: no ACK so old can still be under way. Nor was anything acknowledged before the first byte. */
function tooOld(subflow: Subflow): bool {
  const behind = subflow.sndUna - segment.ack;
  return behind > subflow.sndWindowMax || <u64>behind > subflow.bytesAcked + 1;
}

/**
 * Uses the acknowledgment of a segment whose data is old, which can still end a handshake or free data when segments
 * cross. It must lie no further behind what was received than the peer may have had in flight a moment ago: who guesses
 * gains little by it.
 */
function acknowledgeOld(subflow: Subflow): u32 {
  const ack = segment.ack;
  const behind = subflow.rcvNxt - segment.seq;
  if (behind > recentFlight(subflow) || <u64>behind > subflow.rcvOffset + 1) return 0;
  if (subflow.state == TCP_SYN_RECEIVED || subflow.state == TCP_CLOSED) return 0;
  if (seqLt(ack, subflow.sndUna) || seqLt(subflow.sndNxt, ack)) return 0;
  subflow.lastReceivedAt = now();
  let signals = SIGNAL_VALID | SIGNAL_OLD | tcpAcknowledge(subflow);
  if (acknowledgedFin()) signals |= finAcknowledged(subflow);
  return signals;
}

/** Bytes: twice what the application reads in a round trip at its fastest, or an initial window, and no more than a window. */
function recentFlight(subflow: Subflow): u32 {
  const read = subflow.owner != 0 ? ownerOf(subflow).rcvSpace : 0;
  return min<u32>(receiveBound(subflow), max<u32>(2 * min<u32>(read, 1 << 30), 131072));
}

/** RFC 7323 section 4.3: remember the timestamp of a segment that covers what was acknowledged last. */
function takeTimestamp(subflow: Subflow): void {
  if (subflow.timestamps == 0 || (options.present & OPTION_TIMESTAMPS) == 0) return;
  if (seqLe(segment.seq, subflow.lastAckSent) && <i32>(options.tsVal - subflow.tsRecent) >= 0) {
    subflow.tsRecent = options.tsVal;
    subflow.tsRecentAt = nowMs();
  }
}

/** True for the initiator of a Multipath TCP handshake until the peer has shown that the third ACK arrived. */
function awaitsFourthAck(subflow: Subflow): bool {
  if (subflow.join == JOIN_WAIT_ACK) return true;
  if (subflow.owner == 0 || (subflow.flags & SUBFLOW_INITIAL) == 0) return false;
  const connection = ownerOf(subflow);
  return connection.active != 0 && connection.multipath != 0 && connection.confirmed == 0;
}
