import { TCP_CLOSE_WAIT, TCP_CLOSED, TCP_ESTABLISHED, TCP_SYN_RECEIVED, TCP_SYN_SENT } from '../abi';
import { Pool, poolOpen } from '../memory/pool';
import { RangeSet } from '../memory/ranges';
import { Timer } from '../memory/wheel';
import { Connection } from './connection';

/** One TCP connection over one path (RFC 9293 section 3.3.1 names; sequence numbers are those on the wire). */
@unmanaged
export class Subflow {
  next: usize;
  handle: u32;
  live: u32;
  /** The connection it belongs to, or 0 once that is gone (TIME-WAIT). */
  owner: usize;
  /** Chain of the flow table. */
  hashNext: usize;
  localPort: u16;
  remotePort: u16;
  localHi: u64;
  localLo: u64;
  remoteHi: u64;
  remoteLo: u64;
  /**
   * A TCP_ value. Up to here, in one line of the cache, stands what tells whether a segment belongs to it; these eight
   * bytes tell whether it may carry data: they are looked at together, see CARRY_MASK.
   */
  state: u8;
  /** FIN wanted once the assigned bytes are sent. */
  finWanted: u8;
  /** RST to be sent, which ends it. */
  rstDue: u8;
  /** JOIN_ value: how far its handshake of Multipath TCP is. */
  join: u8;
  stale: u8;
  /** Retransmission timeouts in a row. */
  backoff: u8;
  /** SUBFLOW_ bits. */
  flags: u8;
  /** Loss state: 0 open, 1 recovery, 2 loss (after a timeout). */
  recovery: u8;

  readyNext: usize;
  localId: u8;
  remoteId: u8;
  link: i32;
  id: u32;

  /** 1 while in the ready queue of its link. */
  readyQueued: u8;
  /** ACK_ value: whether an acknowledgment is to be sent. */
  ackDue: u8;
  /** SYN or SYN/ACK to be sent. */
  synDue: u8;
  finSent: u8;
  /** The peer's FIN was received in order. */
  finReceived: u8;
  /** Zero-window or keep-alive probe to be sent. */
  probeDue: u8;
  timestamps: u8;
  sack: u8;
  /** Window scaling agreed. */
  scaled: u8;
  sndShift: u8;
  rcvShift: u8;
  /** The join or the capable handshake wants its third ACK sent (again). */
  thirdAckDue: u8;
  /** Reason for MP_TCPRST, 255 for none; MP_FASTCLOSE instead when 254. */
  rstReason: u8;
  synTries: u8;
  probes: u8;
  dupAcks: u8;
  /** Segments received since the last ACK sent. */
  unacked: u8;
  /** Segments to be acknowledged at once after the start (quick acknowledgements). */
  quickAcks: u8;
  /** SYN_ value: why SYNs go without MP_CAPABLE, 0 while they go with it. */
  synPlain: u8;
  reorderingSeen: u8;
  /** FAIL_DUE or FASTCLOSE_DUE: MP_FAIL, or MP_FASTCLOSE on an ACK, is owed. */
  failDue: u8;
  /** 1 while the first lost segment is to be sent again whatever the congestion window says. */
  resendDue: u8;
  /** The ICMP error reported since the last progress, as the negative of its ERR_ value; 0 for none. */
  softError: u8;
  /** 1 once a segment that does not fit was answered, at answeredAt (ms). */
  answered: u8;
  /** PROBE_ value: a tail loss probe is on its way (RFC 8985 section 7). */
  tailProbe: u8;
  /** PROBE_ value: the probe to be sent now. */
  tailDue: u8;
  /** FRTO_ value: how far the detection of a spurious timeout is (RFC 5682). */
  frto: u8;
  /** Multiple of a quarter of the smallest RTT that RACK waits, and recoveries until it is 1 again (RFC 8985). */
  reorderingWindow: u8;
  reorderingPersist: u8;
  /** 1 while what the last episode of loss did can be taken back, see tcp/undo.ts. */
  undoOpen: u8;
  /** RTT samples of the round, and rounds of conservative slow start begun, 0 when not in it (RFC 9406). */
  hystartSamples: u8;
  hystartRounds: u8;
  /** 1 while the congestion window is what holds back sending. */
  cwndLimited: u8;
  /** Probes of a closed window since the peer answered last. */
  windowProbes: u8;
  /** Of the timeouts that `backoff` counts, those of a peer that answered with a closed window. */
  forgiven: u8;
  /** MTU_PROBE_ value: what became of the probe for a larger packet. */
  mtuProbe: u8;
  /** ECN_ bits: explicit congestion notification (RFC 3168), 0 when not in use. */
  ecn: u8;
  /** FAST_OPEN_ bits (RFC 7413), 0 when not in use. */
  fastOpen: u8;
  /** 1 while MP_PRIO is owed (RFC 8684 section 3.3.8). */
  prioDue: u8;
  /** TTL or hop limit, 0 for that of the stack; the upper six bits of the traffic class. */
  hopLimit: u8;
  trafficClass: u8;
  /** Bytes of data that a SYN of ours brought. */
  synBytes: u16;
  /** A CONGESTION_ value. It follows the connection's unless congestionOwn is 1. */
  congestion: u8;
  congestionOwn: u8;
  /** How many quanta beyond the first it gets in its turn (round-robin). */
  weight: u8;
  /** 1 once a DATA_ACK came for data it sent: options get through both ways (RFC 8684 section 3.7). */
  dssAcked: u8;
  /** ACKs in a row that had no option of Multipath TCP and acknowledged nothing new. */
  bareRow: u8;

  // Sending: what a segment with data needs lies together, for every line of the cache it touches costs.
  iss: u32;
  sndUna: u32;
  sndNxt: u32;
  /** Sequence number behind the last byte assigned to this subflow. */
  seqEnd: u32;
  sndWindow: u32;
  sndWl1: u32;
  sndWl2: u32;
  sndWindowMax: u32;
  /** Payload bytes of a full segment; set by mssSet(), which also knows 2^32 / mss, rounded up. */
  mss: u32;
  mssInverse: u32;
  mapHead: usize;
  mapTail: usize;
  /** The map that holds sndNxt. */
  mapNext: usize;
  segmentHead: usize;
  segmentTail: usize;
  /** Segments not sacked, in sequence order: what a SACK block has to look at. */
  openHead: usize;
  openTail: usize;
  /** Segments by time of their last transmission, oldest first (RFC 8985 section 5.2). */
  timeHead: usize;
  timeTail: usize;
  /** First segment that may be marked lost and wait to be sent again. */
  lostHint: usize;
  /** Payload and FIN octets in segments from sndUna to sndNxt; of them sacked; of them lost and not sent again. */
  outstanding: u32;
  sackedBytes: u32;
  lostBytes: u32;
  /** Highest sequence number acknowledged or sacked (RFC 8985 "fack"). */
  fack: u32;

  // Congestion control (RFC 5681), bytes.
  cwnd: u32;
  /** The most the congestion window may be. */
  cwndClamp: u32;
  ssthresh: u32;
  cwndAcked: u32;
  /** The most in flight after a segment of this round trip, which ends at flightEnd. */
  flightMost: u32;
  flightEnd: u32;
  /** Segments with data sent. */
  dataSegmentsOut: u32;
  /** Times the scheduler gave it bytes. */
  timesChosen: u32;

  /** Deadlines, µs, 0 when off. Others stand below. */
  rtoAt: i64;
  tailProbeAt: i64;
  /** When data was sent last, µs. */
  lastDataAt: i64;
  /** When something was acknowledged last, µs. */
  progressAt: i64;
  lastSentAt: i64;
  /** When pacing lets data go again, or 0 while it may go. */
  paceAt: i64;
  /** When the round trip of the delivery rate began, µs; 0 for not. */
  rateAt: i64;
  bytesSent: u64;
  segmentsOut: u64;

  // Receiving, likewise.
  irs: u32;
  rcvNxt: u32;
  lastAckSent: u32;
  /** Echo of the last sample; without timestamps the sequence number that ends the sample, begun at rcvRttAt. */
  rcvRttMark: u32;
  tsRecent: u32;
  tsRecentAt: u32;
  tsOffset: u32;
  finKnown: u32;
  /** What arrived twice and is to be reported (RFC 2883); empty when both are equal. */
  duplicateStart: u32;
  duplicateEnd: u32;
  receiveMapHead: usize;
  receiveMapTail: usize;
  /** RangeSet of stream offsets received beyond rcvOffset: four words, see subflowRanges(). */
  ranges0: u32;
  ranges1: u32;
  ranges2: u32;
  ranges3: u32;
  /** Payload bytes of the largest segment received. */
  rcvMss: u32;
  /** Segments with data received; of them out of order, further down. */
  dataSegmentsIn: u32;
  /** Stream offset of rcvNxt, counted from the first data byte. */
  rcvOffset: u64;
  lastReceivedAt: i64;
  lastDataReceivedAt: i64;
  /** Deadline of a delayed acknowledgment, µs, 0 when off. */
  ackAt: i64;
  segmentsIn: u64;
  outOfOrder: u32;

  // Acknowledgments, timers, statistics.
  rcvWindowEnd: u32;
  /** Round-trip time as the receiver sees it, µs, 0 before the first sample, see tcp/receive-rtt.ts. */
  rcvRtt: u32;
  rcvRttAt: i64;
  finSeq: u32;
  /** Round-trip time (RFC 6298), µs; RACK (RFC 8985). */
  srtt: u32;
  rttVar: u32;
  minRtt: u32;
  rto: u32;
  rackTime: i64;
  rackRtt: u32;
  rackEnd: u32;
  /** Timer: three double words, see subflowTimer(). */
  timer0: i64;
  timer1: i64;
  timer2: i64;
  /** Further deadlines, µs, 0 when off. */
  rackAt: i64;
  probeAt: i64;
  stateAt: i64;
  bytesAcked: u64;
  bytesRetransmitted: u64;
  /** Segments that the peer got twice by what it says. */
  duplicates: u32;
  retransmits: u32;
  timeouts: u32;
  failDsn: u64;
  answeredAt: u32;
  /** When the last probe of a closed window became due, µs. */
  windowProbeAt: i64;
  /** Bytes delivered; the delivery rate, bytes per second; with which numbers its round trip began, see rateAt. */
  delivered: u64;
  deliveryRate: u64;
  rateDelivered: u64;
  rateEnd: u32;

  // What the usual segment does not need.
  /** MP_JOIN (RFC 8684 section 3.2). */
  localNonce: u32;
  remoteNonce: u32;
  /** Largest segment the peer takes, by its option; bytes that options take from every segment with data. */
  peerMss: u16;
  mssOptions: u8;
  /** Bytes of the largest packet the path takes, and of the largest that is not known to be too large. */
  mtu: u32;
  mtuBound: u32;
  /** Bytes of the packet of the last probe, and the sequence number behind it. */
  mtuProbeSize: u32;
  mtuProbeEnd: u32;
  /** From when on a larger packet is to be tried, µs; 0 for never. */
  mtuProbeAt: i64;
  /** sndNxt when ECN reduced the congestion window last; bytes up to it ask for no more. */
  ecnEnd: u32;
  recoveryEnd: u32;
  tailProbeEnd: u32;
  /** sndNxt when the last DSACK round began. */
  dsackRound: u32;
  /** End of the first segment sent again in this episode, its time (timestamp clock), bytes sent again in it. */
  undoEnd: u32;
  undoStamp: u32;
  undoBytes: i32;
  /** Before the episode of loss that can still be taken back. */
  priorCwnd: u32;
  priorSsthresh: u32;
  /** Proportional rate reduction (RFC 9937): flight when recovery began, delivered since, bytesSent at its begin. */
  prrFlight: u32;
  prrDelivered: u32;
  prrSent: u64;
  /** HyStart++ (RFC 9406): end of the round, its smallest RTT, that of the round before and of the baseline, µs. */
  hystartEnd: u32;
  hystartRtt: u32;
  hystartLastRtt: u32;
  hystartBaseline: u32;
  /** Memory of the controller in use, emptied when another takes over; CUBIC has names for it, wVegas in its own file. */
  /** CUBIC (RFC 9438): beginning of the epoch and last use, µs, 0 for none; K, s; W_est, bytes; W_max, cwnd_prior. */
  cubicEpoch: i64;
  cubicAt: i64;
  cubicK: f64;
  cubicEstimate: f64;
  cubicMax: u32;
  cubicPriorMax: u32;
  cubicPrior: u32;
  /** When the next segment is due by the rate of pacing, µs. */
  paceNext: i64;
  /** The run of maps whose bytes follow each other on this subflow as in the stream: its first number, dsn - seq. */
  linearDsn: u64;
  linearDelta: u32;
  /** Lower half of sndUna at data level when an ACK of data came without DSS, and how many since. */
  bareUna: u32;
  bareAcks: u8;
  /** Segments in order without a mapping, since the last mapping. */
  unmapped: u8;
  /** HeldPieces: bytes that wait for their mapping, in order; 0 for none. */
  heldHead: usize;
  /** The sequence number where the first of them has waited for too long. */
  heldEnd: u32;
  /** SYN/ACKs of the peer after the first, as if the third ACK had not come. */
  synAcksAgain: u8;
  /** bytesAcked at the last three congestion events, the latest in lossAt2 (OLIA). */
  lossAt0: u64;
  lossAt1: u64;
  lossAt2: u64;
  /** When slower subflows were penalised last for what they did to this one, µs. */
  penalisedAt: i64;
  /** Redundant scheduler: the next data sequence number it is given, and where that lies; no page: at sndUna. */
  copyNxt: u64;
  copyPage: usize;
  copyOffset: u32;
  /** See SubflowInfo. */
  timesHeldBack: u32;
  timesBlocked: u32;
  timesPenalised: u32;
  bytesReinjected: u64;
  bytesRedundant: u64;
  /** 1 when it is not to be opened again, see paths/reopen.ts. */
  noReopen: u8;
  /** 1 once it is being closed by FIN while its connection goes on: it counts as a subflow no more. */
  closing: u8;
  /** Attempts on this path that failed since it last carried data; of them refused in a row. */
  tries: u8;
  refusals: u8;
  /** 1 when a subflow before it worked on this path. */
  pathWorked: u8;
  /** Why it was reset: a RESET_ reason with RESET_FLAG_ bits, 0 when it was not or nobody said. */
  resetReason: u32;
  /** ACKs with signals in a row, see tcp/signal-acks.ts; what the last of them acknowledged, after how much data, when, µs. */
  signalAcks: u8;
  signalSeq: u32;
  signalSegments: u32;
  signalAt: i64;
}

/** Subflow.ackDue. */
export const ACK_NONE: u8 = 0;
export const ACK_DELAYED: u8 = 1;
export const ACK_NOW: u8 = 2;
/** One goes out for a signal of Multipath TCP; there is nothing else to tell. */
export const ACK_SIGNAL: u8 = 3;

/** Subflow.join: how far the handshake of Multipath TCP is on this subflow. */
export const JOIN_NONE: u8 = 0;
/** Active MP_JOIN: no data until the fourth ACK. */
export const JOIN_WAIT_ACK: u8 = 1;
/** Passive MP_JOIN: waiting for the third ACK with its HMAC. */
export const JOIN_WAIT_HMAC: u8 = 2;
/** Complete, and it may be that it shall be the only one: no data until that is settled, see session/single.ts. */
export const JOIN_WAIT_SINGLE: u8 = 3;
/** Its two low bits are those of JOIN_NONE: with either data may flow, see CARRY_MASK. */
export const JOIN_DONE: u8 = 4;

/** Subflow.failDue. */
export const FAIL_DUE: u8 = 1;
export const FASTCLOSE_DUE: u8 = 2;

/** Subflow.rstReason: a RESET_ reason, or one of these. */
export const RST_PLAIN: u8 = 255;
export const RST_FASTCLOSE: u8 = 254;

/** Subflow.recovery. */
export const LOSS_OPEN: u8 = 0;
export const LOSS_RECOVERY: u8 = 1;
export const LOSS_TIMEOUT: u8 = 2;

/** Subflow.synPlain: SYNs with MP_CAPABLE were not answered; both sides sent a SYN. */
export const SYN_UNANSWERED: u8 = 1;
export const SYN_SIMULTANEOUS: u8 = 2;

/** Subflow.tailProbe: none, one with new bytes, one with bytes sent before. */
export const PROBE_NONE: u8 = 0;
export const PROBE_NEW: u8 = 1;
export const PROBE_AGAIN: u8 = 2;

/** Subflow.ecn: our SYN asked for it; both agreed; ECE goes out until CWR comes; CWR is owed; ecnEnd counts. */
export const ECN_ASKED: u8 = 1;
export const ECN_AGREED: u8 = 2;
export const ECN_ECHO: u8 = 4;
export const ECN_CWR_DUE: u8 = 8;
export const ECN_REDUCED: u8 = 16;

/** Subflow.fastOpen: the application asks for it; a SYN had the option; that SYN had bytes as well; it was of no use. */
export const FAST_OPEN_ASKED: u8 = 1;
export const FAST_OPEN_TRIED: u8 = 2;
export const FAST_OPEN_SENT: u8 = 4;
export const FAST_OPEN_FAILED: u8 = 8;
/** The SYN/ACK has a cookie; bytes flow before the third ACK; bytes of the SYN were taken. */
export const FAST_OPEN_GRANT: u8 = 16;
export const FAST_OPEN_EARLY: u8 = 32;
export const FAST_OPEN_DATA: u8 = 64;

/** Subflow.mtuProbe: there is none; one waits to be sent, is on its way, was lost. */
export const MTU_PROBE_NONE: u8 = 0;
export const MTU_PROBE_MAPPED: u8 = 3;
export const MTU_PROBE_SENT: u8 = 1;
export const MTU_PROBE_LOST: u8 = 2;

/** Subflow.frto: off; the first lost segment was sent again; new bytes were sent after its acknowledgment. */
export const FRTO_OFF: u8 = 0;
export const FRTO_FIRST: u8 = 1;
export const FRTO_NEW: u8 = 2;

export const SUBFLOW_TIMER: u32 = 2;
const SUBFLOW_STRIDE: u32 = 960;
export const subflowPool: Pool = changetype<Pool>(memory.data(64, 8));

export function subflowsOpen(): void {
  if (offsetof<Subflow>() > SUBFLOW_STRIDE) ERROR('a Subflow does not fit its pool');
  poolOpen(subflowPool, SUBFLOW_STRIDE, 0);
}

export function ownerOf(subflow: Subflow): Connection {
  return changetype<Connection>(subflow.owner);
}

export function subflowTimer(subflow: Subflow): Timer {
  return changetype<Timer>(changetype<usize>(subflow) + offsetof<Subflow>('timer0'));
}

export function timerSubflow(timer: usize): Subflow {
  return changetype<Subflow>(timer - offsetof<Subflow>('timer0'));
}

export function subflowRanges(subflow: Subflow): RangeSet {
  return changetype<RangeSet>(changetype<usize>(subflow) + offsetof<Subflow>('ranges0'));
}

export function mssSet(subflow: Subflow, mss: u32): void {
  subflow.mss = mss;
  subflow.mssInverse = <u32>((((<u64>1) << 32) + mss - 1) / mss);
}

/** The part of `length` bytes, at most 65,535, that is whole segments: without a division, exact in this range. */
export function wholeSegments(subflow: Subflow, length: u32): u32 {
  return <u32>((<u64>length * <u64>subflow.mssInverse) >> 32) * subflow.mss;
}

/** Octets in flight: sent and neither acknowledged, sacked nor marked lost (RFC 6675 "pipe"). */
export function inFlight(subflow: Subflow): u32 {
  return subflow.outstanding - subflow.sackedBytes - subflow.lostBytes;
}

/** Bytes assigned to this subflow that were never sent on it. */
export function unsentBytes(subflow: Subflow): u32 {
  return subflow.seqEnd - subflow.sndNxt;
}

/** True from ESTABLISHED on, until it is closed (RFC 9293 section 3.3.2 "synchronized"). */
export function isSynchronized(subflow: Subflow): bool {
  return subflow.state != TCP_SYN_SENT && subflow.state != TCP_SYN_RECEIVED && subflow.state != TCP_CLOSED;
}

/** True between a SYN with a right Fast Open cookie and the third ACK: data flows (RFC 7413 section 4.2.2). */
export function opensEarly(subflow: Subflow): bool {
  return subflow.state == TCP_SYN_RECEIVED && (subflow.fastOpen & FAST_OPEN_EARLY) != 0;
}

/** What of the eight bytes from `state` on keeps it from carrying data: state, FIN wanted, RST due, unfinished join. */
const CARRY_MASK: u64 = 0x03ffffff;
/** And what keeps schedulers from it: it is stale. */
const CHOICE_MASK: u64 = CARRY_MASK | 0xff00000000;

function standing(subflow: Subflow): u64 {
  return load<u64>(changetype<usize>(subflow), offsetof<Subflow>('state'));
}

/** True while the connection may give it new bytes. */
export function canCarryData(subflow: Subflow): bool {
  return (standing(subflow) & CARRY_MASK) == TCP_ESTABLISHED || carriesBesides(subflow, CARRY_MASK);
}

/** True while a scheduler may give it bytes, as far as that depends on itself. */
export function canBeChosen(subflow: Subflow): bool {
  return (standing(subflow) & CHOICE_MASK) == TCP_ESTABLISHED || carriesBesides(subflow, CHOICE_MASK);
}

/**
 * Data flows also after the peer's FIN, and by Fast Open before the third ACK. Not so with Multipath TCP: the peer's key
 * comes with that ACK, and Linux takes first data without a DATA_ACK for a fallback.
 */
function carriesBesides(subflow: Subflow, mask: u64): bool {
  if ((standing(subflow) & mask) >> 8 != 0) return false;
  return subflow.state == TCP_CLOSE_WAIT || (opensEarly(subflow) && ownerOf(subflow).multipath == 0);
}
