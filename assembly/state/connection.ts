import { Pool, poolOpen } from '../memory/pool';
import { RangeSet } from '../memory/ranges';
import { Timer } from '../memory/wheel';

/**
 * One byte stream: a Multipath TCP connection with its subflows, or plain TCP with one subflow and an implied,
 * endless mapping. Sequence numbers are 64-bit data sequence numbers (RFC 8684 section 3.3); plain TCP counts from 0.
 */
@unmanaged
export class Connection {
  next: usize;
  handle: u32;
  live: u32;

  /** A CONNECTION_ value. */
  state: u8;
  /** 1 while the connection is multipath; 0 for plain TCP from the start or after fallback. */
  multipath: u8;
  /** A FALLBACK_ value. */
  fallback: u8;
  version: u8;
  /** 1 when both sides agreed on the DSS checksum. */
  checksum: u8;
  /** 1 for the side that connected. */
  active: u8;
  /** 1 once the peer has shown that it has both keys (RFC 8684 section 3.1). */
  confirmed: u8;
  /** 1 once the application gave up the handle. */
  orphaned: u8;
  /** The peer forbids joins to its initial address (flag C). */
  denyJoinInitial: u8;
  noDelay: u8;
  keepAlive: u8;
  /** Unanswered probes that end a subflow. */
  keepAliveCount: u8;
  scheduler: u8;
  congestion: u8;
  /** 1 to spread segments over the round trip. */
  pacing: u8;
  /** 1 while in the queue of connections that may have bytes to schedule. */
  pushQueued: u8;
  /** 1 while in the queue of connections with events. */
  eventQueued: u8;
  /** 1 when a reserve found no room, so that EVENT_WRITABLE is owed. */
  wantsRoom: u8;
  /** 1 while in the list of connections that wait for free pages. */
  starved: u8;
  /** 1 once accepted, or for an active open. */
  accepted: u8;
  /** 1 while in the accept queue of its listener. */
  acceptQueued: u8;
  /** VERSION_BIT_ bits: the versions of Multipath TCP it may have, see session/versions.ts. */
  versions: u8;
  /** 1 when the application chose the local port of the first subflow. */
  portFixed: u8;
  /** 1 when a subflow began to close: what it holds is to be given to others. */
  handBack: u8;

  subflows: usize;
  subflowCount: u32;
  subflowsTotal: u32;
  nextSubflowId: u32;
  /** Subflow that received data last; window updates go out by it first. */
  lastReceived: usize;

  listener: usize;
  acceptNext: usize;
  pushNext: usize;
  eventNext: usize;
  starvedNext: usize;
  /** Chain of the token table. */
  tokenNext: usize;
  /** Pending events without an id, 1 << EVENT_. */
  events: u32;
  /** The ERR_ value that ended it, or 0. */
  error: i32;
  /** Events that carry an id, oldest first, see state/events.ts. */
  noticeHead: usize;
  noticeTail: usize;

  localToken: u32;
  remoteToken: u32;
  localKey: u64;
  remoteKey: u64;

  // Sending. [sndUna, sndEnd) lies in a chain of pages.
  sndUna: u64;
  sndNxt: u64;
  sndEnd: u64;
  sndWindowEnd: u64;
  /** Position of sndUna, of sndNxt and of sndEnd in the chain; page 0 means: no page yet. */
  unaPage: usize;
  unaOffset: u32;
  nxtPage: usize;
  nxtOffset: u32;
  tailPage: usize;
  tailOffset: u32;
  /** Bytes reserved and not committed. */
  reserved: u32;
  sendPages: u32;
  sendBuffer: u32;
  /** 1 once the application chose the size of the buffer: it does not tune itself. */
  sendBufferFixed: u8;
  receiveBufferFixed: u8;
  /** 1 once the application ended its stream; 2 once the DATA_FIN was sent; 3 once it was acknowledged. */
  finState: u8;
  /** 1 once the peer's end of stream is known; 2 once all before it has arrived. */
  rcvFinState: u8;
  /** DATA_FIN shall go out with the next DSS. */
  dataFinDue: u8;
  /** The peer has sent a DATA_ACK, and with it the window it will hold to. */
  dataAckSeen: u8;
  /** Retransmissions of data at connection level since the last progress. */
  rtxBackoff: u8;
  /** What it waits for, since when, and µs of waiting so far, see session/chrono.ts. */
  chrono: u8;
  chronoAt: i64;
  busyTime: u64;
  windowLimitedTime: u64;
  bufferLimitedTime: u64;
  /** DataMaps to be given to another subflow, in DSN order of arrival. */
  reinjectHead: usize;
  reinjectTail: usize;

  // Receiving. Offsets count from rcvStart.
  rcvStart: u64;
  rcvNxt: u64;
  rcvRead: u64;
  /** Right edge of the window announced to the peer. */
  rcvWindowEnd: u64;
  rcvFin: u64;
  /** Without mappings (plain TCP, after fallback): the number of stream offset 0 of the only subflow. */
  rcvPlainBase: u64;
  rcvTable: usize;
  rcvTableSize: u32;
  rcvPages: u32;
  receiveBuffer: u32;
  /** Bytes the application read in the round trip that counts so far, and rcvRead and the time when the next began. */
  rcvSpace: u32;
  /** µs that a measurement takes at least. */
  rcvSpaceWait: u32;
  rcvSpaceRead: u64;
  rcvSpaceAt: i64;
  /** RangeSet of bytes beyond rcvNxt: four words, see rcvRanges(). */
  ranges0: u32;
  ranges1: u32;
  ranges2: u32;
  ranges3: u32;

  /** Timer: six words, see connectionTimer(). */
  timer0: i64;
  timer1: i64;
  timer2: i64;
  /** Deadlines, µs, 0 when off. */
  rtxAt: i64;
  closeAt: i64;
  signalAt: i64;
  /** When the first of the lost paths is to be tried; when a connection without a subflow is over. */
  pathAt: i64;
  rejoinAt: i64;

  // Path manager.
  /** SIGNAL_DUE_ bits: which address signals wait to be sent. */
  signals: u8;
  /** PATH_MANAGER_ and PATH_MODE_ value; CONFIG_NDIFFPORTS. */
  pathManager: u8;
  pathMode: u8;
  ndiffports: u8;
  /** Announced addresses of the peer that subflows were opened to. */
  remoteAccepted: u8;
  /** Address ids to withdraw, one a byte, and how many. */
  removeCount: u8;
  /** The peer withdrew the address of the initial subflow (REMOVE_ADDR with id 0). */
  initialRemoved: u8;
  extraSubflows: u32;
  /** Bytes in front of the data sequence: those of our SYN, and of the peer's, see session/early.ts. */
  sndEarly: u16;
  rcvEarly: u16;
  removeIds: u64;
  /** Endpoints from which subflows were opened, by endpoint index. */
  opened: u32;
  /** Addresses announced to the peer; addresses the peer announced; subflows to be opened again. See state/path.ts. */
  localAddresses: usize;
  remoteAddresses: usize;
  lostPaths: usize;

  /** µs. */
  keepAliveIdle: i64;
  keepAliveInterval: i64;
  /** See CONFIG_USER_TIMEOUT, and CONFIG_LINGER; µs. */
  userTimeout: i64;
  linger: i64;
  /** Since when data waits for an acknowledgment at connection level, µs. */
  waitingSince: i64;

  bytesSent: u64;
  bytesReinjected: u64;
  bytesReceived: u64;
  bytesAcked: u64;

  // Fallback (RFC 8684 section 3.7), see session/fallback.ts and session/fail.ts.
  /** Without mappings: the number of byte 0 of what the only subflow sends. */
  sndPlainBase: u64;
  /** FAIL_ value: MP_FAIL was sent for a bad checksum. */
  failWait: u8;
  /** After a fallback in the middle: the peer may still map, and waits for DATA_ACKs. */
  lateMaps: u8;
  /** An infinite mapping is to be sent, until it is acknowledged; 2 when it has a checksum field. */
  infiniteDue: u8;
  /** 1 once it was sent. */
  infiniteSent: u8;
  /** What it says, and the sequence number of the first segment that carried it. */
  infiniteSsn: u32;
  infiniteDsn: u64;
  infiniteSeq: u32;
  /** Times MP_FAIL, or MP_FASTCLOSE on an ACK, was sent; when it is sent again; when the wait for an answer began, µs. */
  failTries: u32;
  failAt: i64;
  failSince: i64;
  /** What was received and acknowledged when a subflow was reset last for changed data, by this side and by the peer. */
  failRcvNxt: u32;
  failSndUna: u32;
  // Schedulers. What only one of them needs stands with its name.
  /** Settings, 16 bits each, see state/tuning.ts. */
  tuning0: u64;
  tuning1: u64;
  tuning2: u64;
  tuning3: u64;
  /** Up to here the maps of a subflow may be in any order, while mapsMixed is 1: other schedulers gave them. */
  mixedEnd: u64;
  /** BLEST: when lambda changed last, µs; lambda in thousandths, 0 before it began. */
  blestAt: i64;
  blestLambda: u16;
  /** 1 once the window was held up since then. */
  blestBlocked: u8;
  /** 1 while ECF waits for the faster subflow. */
  ecfWaiting: u8;
  mapsMixed: u8;
  /** Times this side reset its only subflow for changed data since failRcvNxt moved. */
  failResets: u8;
  /** SINGLE_ value, and the FALLBACK_ value of what led to it, see session/single.ts. */
  single: u8;
  singleReason: u8;
  /** Round-robin: id of the subflow that has its turn, and bytes left of it. */
  turn: u32;
  turnLeft: u32;
  /** Addresses and ports of the initial subflow, which may be gone. */
  localHi: u64;
  localLo: u64;
  remoteHi: u64;
  remoteLo: u64;
  localPort: u16;
  remotePort: u16;
  /** The local token, kept for state/monitor.ts when the connection falls back; 0 before it has its keys. */
  monitorToken: u32;
  /** Times the retransmission timer of the connection ran out. */
  retransmits: u32;
  /** With CONFIG_DSN64 0: the lower half of the number from which on the rate is measured. */
  stretchDsn: u32;
  /** See CONFIG_REJOIN_TIMEOUT, µs. */
  rejoinTimeout: i64;
  /** Since when it is, ms; 0 before. */
  stretchAt: u32;
  /** With CONFIG_DSN64 0: 1 once numbers of 4 bytes could wrap too soon, and once the peer mapped with 8 bytes. */
  sndWide: u8;
  rcvWide: u8;
}

/** Connection.signals: echoes of ADD_ADDR, ADD_ADDR, REMOVE_ADDR. */
export const SIGNAL_DUE_ECHO: u8 = 1;
export const SIGNAL_DUE_ANNOUNCE: u8 = 2;
export const SIGNAL_DUE_REMOVE: u8 = 4;

/** Connection.failWait: no answer yet, what arrives waits unverified; answered, the peer's infinite mapping is to come. */
export const FAIL_SENT: u8 = 1;
export const FAIL_ANSWERED: u8 = 2;

/**
 * Connection.single: the next subflow shall be the only one; this side has offered it; what was sent before goes first.
 */
export const SINGLE_NONE: u8 = 0;
export const SINGLE_WANTED: u8 = 1;
export const SINGLE_ASKED: u8 = 2;
export const SINGLE_RESENDS: u8 = 3;

const CONNECTION_STRIDE: u32 = 704;
export const CONNECTION_KIND: u32 = 0;
export const CONNECTION_TIMER: u32 = 1;
export const connectionPool: Pool = changetype<Pool>(memory.data(64, 8));

export function connectionsOpen(): void {
  if (offsetof<Connection>() > CONNECTION_STRIDE) ERROR('a Connection does not fit its pool');
  poolOpen(connectionPool, CONNECTION_STRIDE, CONNECTION_KIND);
}

export function connectionTimer(connection: Connection): Timer {
  return changetype<Timer>(changetype<usize>(connection) + offsetof<Connection>('timer0'));
}

export function timerConnection(timer: usize): Connection {
  return changetype<Connection>(timer - offsetof<Connection>('timer0'));
}

export function rcvRanges(connection: Connection): RangeSet {
  return changetype<RangeSet>(changetype<usize>(connection) + offsetof<Connection>('ranges0'));
}

/** Bytes received in order that the application has not taken. */
export function readableBytes(connection: Connection): u32 {
  const end = connection.rcvFinState == 2 ? connection.rcvFin : connection.rcvNxt;
  return <u32>(end - connection.rcvRead);
}
