import {
  CONFIG_DELAYED_ACK,
  CONFIG_LIMIT_ADD_ADDR_ACCEPTED,
  CONFIG_LIMIT_SUBFLOWS,
  ConnectionInfo,
  ENDPOINT_SIGNAL,
  ENDPOINT_SUBFLOW,
  ENDPOINTS_MAX,
  ERR_DONE,
  ERR_HANDLE,
  ERR_INVALID,
  KIND_CONNECTION,
  KIND_LISTENER,
  KIND_TIME_WAIT,
  ListenerInfo,
  OWNER_APPLICATION,
  OWNER_GIVEN_UP,
  OWNER_NONE,
  PoolInfo,
  SIZEOF_CONNECTION_INFO,
  SIZEOF_LISTENER_INFO,
  SIZEOF_POOL_INFO,
  SIZEOF_SUBFLOW_INFO,
  SUBFLOW_STALE,
  SubflowInfo,
  TCP_OPTION_ECN,
  TCP_OPTION_SACK,
  TCP_OPTION_SYN_DATA,
  TCP_OPTION_TIMESTAMPS,
  TCP_OPTION_WINDOW_SCALE,
  TCP_TIME_WAIT,
} from '../abi';
import { pagesFree, pagesTotal } from '../memory/pages';
import { poolFind, poolNext } from '../memory/pool';
import { rangeIndexPool, rangePool } from '../memory/ranges';
import { dsnLt } from '../memory/sequence';
import { wheelArmed } from '../memory/wheel';
import { endpointIdOn } from '../paths/announce';
import { largeTablePool, middleTablePool, smallTablePool } from '../session/buffer';
import { chronoSettle } from '../session/chrono';
import { now } from '../state/clock';
import { config } from '../state/config';
import { Connection, connectionPool, readableBytes } from '../state/connection';
import { mapPool, receiveMapPool, SEGMENT_LOST, SentSegment, segmentPool } from '../state/datamap';
import { endpointAt } from '../state/endpoint';
import { noticePool } from '../state/events';
import { Listener, listenerPool } from '../state/listener';
import { monitorPool } from '../state/monitor';
import { LocalAddress, localAddressPool, lostPathPool, remoteAddressPool } from '../state/path';
import { ECN_AGREED, FAST_OPEN_DATA, inFlight, Subflow, subflowPool, unsentBytes } from '../state/subflow';
import { ownMss } from '../tcp/handshake';
import { paceRate } from '../tcp/pacing';
import { currentRto } from '../tcp/rtt';
import { repliesSent, replyPool } from './replies';
import { awayPool } from './shards';

/** Fills the records that show the inside. Each is valid until the next call. */

const connectionInfo: usize = memory.data(512, 8);
const subflowInfo: usize = memory.data(512, 8);
const poolInfo: usize = memory.data(64, 8);
const listenerInfo: usize = memory.data(64, 8);

/** See mptcp_next. */
export function nextHandle(kind: i32, after: i32): i32 {
  if (kind < KIND_CONNECTION || kind > KIND_TIME_WAIT || after < 0) return ERR_INVALID;
  const pool = kind == KIND_CONNECTION ? connectionPool : kind == KIND_LISTENER ? listenerPool : subflowPool;
  let next = poolNext(pool, after);
  if (kind == KIND_TIME_WAIT) while (next != 0 && remnant(next) === null) next = poolNext(pool, next);
  return next != 0 ? next : ERR_DONE;
}

/** The subflow of a handle when it only waits in TIME-WAIT, without a connection. */
function remnant(handle: i32): Subflow | null {
  const found = poolFind(subflowPool, handle);
  if (found == 0) return null;
  const subflow = changetype<Subflow>(found);
  return subflow.owner == 0 && subflow.state == TCP_TIME_WAIT ? subflow : null;
}

export function inspectListener(handle: i32): i32 {
  const found = poolFind(listenerPool, handle);
  if (found == 0) return ERR_HANDLE;
  const listener = changetype<Listener>(found);
  memory.fill(listenerInfo, 0, SIZEOF_LISTENER_INFO);
  const info = changetype<ListenerInfo>(listenerInfo);
  info.localHi = listener.hi;
  info.localLo = listener.lo;
  info.port = listener.port;
  info.backlog = listener.backlog;
  info.waiting = listener.waiting;
  info.pending = listener.pending;
  info.flags = listener.flags;
  return <i32>listenerInfo;
}

export function inspectConnection(handle: i32): i32 {
  const live = poolFind(connectionPool, handle);
  if (live == 0) return ERR_HANDLE;
  const connection = changetype<Connection>(live);
  memory.fill(connectionInfo, 0, SIZEOF_CONNECTION_INFO);
  const info = changetype<ConnectionInfo>(connectionInfo);
  info.localHi = connection.localHi;
  info.localLo = connection.localLo;
  info.remoteHi = connection.remoteHi;
  info.remoteLo = connection.remoteLo;
  info.localPort = connection.localPort;
  info.remotePort = connection.remotePort;
  info.state = connection.state;
  info.fallback = connection.fallback;
  info.version = connection.multipath != 0 ? connection.version : 0;
  info.checksum = connection.checksum;
  info.subflows = connection.subflowCount;
  info.subflowsTotal = connection.subflowsTotal;
  info.localToken = connection.localToken;
  info.remoteToken = connection.remoteToken;
  info.scheduler = connection.scheduler;
  info.congestion = connection.congestion;
  info.localKey = connection.localKey;
  info.remoteKey = connection.remoteKey;
  info.sndUna = connection.sndUna;
  info.sndNxt = connection.sndNxt;
  info.sndEnd = connection.sndEnd;
  info.sndWindowEnd = connection.sndWindowEnd;
  info.rcvNxt = connection.rcvNxt;
  info.rcvWindowEnd = connection.rcvWindowEnd;
  info.bytesSent = connection.bytesSent;
  info.bytesAcked = connection.bytesAcked;
  info.bytesReceived = connection.bytesReceived;
  info.bytesRetransmitted = connection.bytesReinjected;
  info.readable = readableBytes(connection);
  const used = <u32>(connection.sndEnd - connection.sndUna);
  info.writable = connection.finState == 0 && used < connection.sendBuffer ? connection.sendBuffer - used : 0;
  chronoSettle(connection);
  info.busyTime = connection.busyTime;
  info.windowLimitedTime = connection.windowLimitedTime;
  info.bufferLimitedTime = connection.bufferLimitedTime;
  info.owner = <u32>(
    (connection.orphaned != 0 ? OWNER_GIVEN_UP : connection.accepted != 0 ? OWNER_APPLICATION : OWNER_NONE)
  );
  info.unsent = used;
  info.ended = connection.finState;
  info.peerEnded = connection.rcvFinState == 2 ? 1 : 0;
  info.blestLambda = connection.blestLambda;
  info.ecfWaiting = connection.ecfWaiting;
  info.retransmits = connection.retransmits;
  inspectPaths(info, connection);
  return <i32>connectionInfo;
}

/** What `struct mptcp_info` of Linux tells of the path manager. */
function inspectPaths(info: ConnectionInfo, connection: Connection): void {
  info.extraSubflows = <u8>connection.extraSubflows;
  let announced: u32 = 0;
  for (let at = connection.localAddresses; at != 0; at = changetype<LocalAddress>(at).next) announced++;
  info.announced = <u8>announced;
  info.accepted = connection.remoteAccepted;
  let used: u32 = 0;
  let signals: u32 = 0;
  let sources: u32 = 0;
  for (let i = 0; i < ENDPOINTS_MAX; i++) {
    const endpoint = endpointAt(i);
    if (endpoint.id == 0) continue;
    if ((endpoint.flags & ENDPOINT_SIGNAL) != 0) signals++;
    if ((endpoint.flags & ENDPOINT_SUBFLOW) == 0) continue;
    sources++;
    // As Linux, the endpoint of the initial subflow does not count.
    if ((connection.opened & (1 << i)) != 0 && endpointIdOn(connection, i) != 0) used++;
  }
  info.localUsed = <u8>used;
  info.announcedMax = <u8>signals;
  info.localMax = <u8>sources;
  info.extraMax = <u8>config(CONFIG_LIMIT_SUBFLOWS);
  info.acceptedMax = <u8>config(CONFIG_LIMIT_ADD_ADDR_ACCEPTED);
  info.pathManager = connection.pathManager;
  info.pathMode = connection.pathMode;
  info.active = connection.active;
  info.confirmed = connection.confirmed;
}

export function inspectSubflow(handle: i32, index: i32): i32 {
  const live = poolFind(connectionPool, handle);
  if (live == 0) return ERR_HANDLE;
  const connection = changetype<Connection>(live);
  const found = subflowAt(connection, index);
  if (found == 0) return ERR_DONE;
  fillSubflow(changetype<Subflow>(found));
  inspectTcp(changetype<SubflowInfo>(subflowInfo), connection, changetype<Subflow>(found));
  inspectScheduling(changetype<SubflowInfo>(subflowInfo), changetype<Subflow>(found));
  return <i32>subflowInfo;
}

/** See mptcp_time_wait_info. */
export function inspectTimeWait(handle: i32): i32 {
  const subflow = remnant(handle);
  if (subflow === null) return ERR_HANDLE;
  fillSubflow(subflow);
  return <i32>subflowInfo;
}

function fillSubflow(subflow: Subflow): void {
  memory.fill(subflowInfo, 0, SIZEOF_SUBFLOW_INFO);
  const info = changetype<SubflowInfo>(subflowInfo);
  info.localHi = subflow.localHi;
  info.localLo = subflow.localLo;
  info.remoteHi = subflow.remoteHi;
  info.remoteLo = subflow.remoteLo;
  info.localPort = subflow.localPort;
  info.remotePort = subflow.remotePort;
  info.state = subflow.state;
  info.flags = <u8>(<i32>subflow.flags | (subflow.stale != 0 ? SUBFLOW_STALE : 0));
  info.localId = subflow.localId;
  info.remoteId = subflow.remoteId;
  info.id = subflow.id;
  info.link = <u32>subflow.link;
  info.srtt = subflow.srtt;
  info.rttVar = subflow.rttVar;
  info.minRtt = subflow.minRtt;
  info.rto = <u32>currentRto(subflow);
  info.cwnd = subflow.cwnd;
  info.ssthresh = subflow.ssthresh;
  info.mss = subflow.mss;
  info.inFlight = inFlight(subflow);
  info.sndWindow = subflow.sndWindow;
  info.backoff = subflow.backoff;
  info.bytesSent = subflow.bytesSent;
  info.bytesAcked = subflow.bytesAcked;
  info.bytesReceived = subflow.rcvOffset;
  info.bytesRetransmitted = subflow.bytesRetransmitted;
  info.segmentsOut = subflow.segmentsOut;
  info.segmentsIn = subflow.segmentsIn;
  info.retransmits = subflow.retransmits;
  info.timeouts = subflow.timeouts;
}

/** What `struct tcp_info` of Linux has besides. */
function inspectTcp(info: SubflowInfo, connection: Connection, subflow: Subflow): void {
  let agreed = 0;
  if (subflow.timestamps != 0) agreed |= TCP_OPTION_TIMESTAMPS;
  if (subflow.sack != 0) agreed |= TCP_OPTION_SACK;
  if (subflow.scaled != 0) agreed |= TCP_OPTION_WINDOW_SCALE;
  if ((subflow.ecn & ECN_AGREED) != 0) agreed |= TCP_OPTION_ECN;
  if ((subflow.fastOpen & FAST_OPEN_DATA) != 0) agreed |= TCP_OPTION_SYN_DATA;
  info.options = <u8>agreed;
  info.recovery = subflow.recovery;
  info.sndShift = subflow.sndShift;
  info.rcvShift = subflow.rcvShift;
  info.pmtu = subflow.mtu;
  info.advMss = ownMss(subflow);
  info.rcvMss = subflow.rcvMss;
  info.ato = <u32>config(CONFIG_DELAYED_ACK);
  info.outstanding = subflow.outstanding;
  info.sacked = subflow.sackedBytes;
  info.lost = subflow.lostBytes;
  info.retransmitted = 0;
  for (let at = subflow.openHead; at != 0; at = changetype<SentSegment>(at).openNext) {
    const sent = changetype<SentSegment>(at);
    if (sent.transmissions > 1 && (sent.flags & SEGMENT_LOST) == 0) info.retransmitted += sent.length;
  }
  info.notSent = unsentBytes(subflow);
  info.reordering = subflow.reorderingSeen != 0 ? max<u32>(subflow.reorderingWindow, 1) : 0;
  info.duplicates = subflow.duplicates;
  info.outOfOrder = subflow.outOfOrder;
  info.dataSegmentsOut = subflow.dataSegmentsOut;
  info.dataSegmentsIn = subflow.dataSegmentsIn;
  info.rcvRtt = subflow.rcvRtt;
  info.rcvSpace = connection.rcvSpace;
  info.rcvWindow = dsnLt(connection.rcvNxt, connection.rcvWindowEnd)
    ? <u32>(connection.rcvWindowEnd - connection.rcvNxt)
    : 0;
  info.receiveBuffer = connection.receiveBuffer;
  info.sendBuffer = connection.sendBuffer;
  info.pacingRate = connection.pacing != 0 && subflow.srtt != 0 ? <u64>(paceRate(subflow) * 1e6) : 0;
  info.delivered = subflow.delivered;
  info.deliveryRate = subflow.deliveryRate;
  info.lastDataSent = now() - subflow.lastDataAt;
  info.lastDataReceived = now() - subflow.lastDataReceivedAt;
  info.lastReceived = now() - subflow.lastReceivedAt;
}

/** What schedulers and controllers did with it. */
function inspectScheduling(info: SubflowInfo, subflow: Subflow): void {
  info.congestion = subflow.congestion;
  info.congestionOwn = subflow.congestionOwn;
  info.weight = <u32>subflow.weight + 1;
  info.timesChosen = subflow.timesChosen;
  info.timesHeldBack = subflow.timesHeldBack;
  info.timesBlocked = subflow.timesBlocked;
  info.timesPenalised = subflow.timesPenalised;
  info.bytesReinjected = subflow.bytesReinjected;
  info.bytesRedundant = subflow.bytesRedundant;
}

export function inspectPools(): i32 {
  repliesSent();
  memory.fill(poolInfo, 0, SIZEOF_POOL_INFO);
  const info = changetype<PoolInfo>(poolInfo);
  info.pages = pagesTotal();
  info.pagesFree = pagesFree();
  info.pagesPools =
    connectionPool.pages +
    subflowPool.pages +
    listenerPool.pages +
    mapPool.pages +
    segmentPool.pages +
    receiveMapPool.pages +
    rangePool.pages +
    rangeIndexPool.pages +
    localAddressPool.pages +
    remoteAddressPool.pages +
    lostPathPool.pages +
    monitorPool.pages +
    noticePool.pages +
    replyPool.pages +
    smallTablePool.pages +
    middleTablePool.pages +
    largeTablePool.pages +
    awayPool.pages;
  info.connections = connectionPool.live;
  info.subflows = subflowPool.live;
  info.listeners = listenerPool.live;
  info.maps = mapPool.live;
  info.segments = segmentPool.live;
  info.ranges = rangePool.live + rangeIndexPool.live;
  info.receiveMaps = receiveMapPool.live;
  info.tables = smallTablePool.live + middleTablePool.live + largeTablePool.live;
  info.timers = wheelArmed();
  info.paths = localAddressPool.live + remoteAddressPool.live + lostPathPool.live;
  return <i32>poolInfo;
}

function subflowAt(connection: Connection, index: i32): usize {
  if (index < 0) return 0;
  let at = connection.subflows;
  while (at != 0 && index > 0) {
    at = changetype<Subflow>(at).next;
    index--;
  }
  return at;
}
