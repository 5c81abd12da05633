import {
  CONGESTION_NAMES,
  CONNECT_PLAIN_TCP,
  CONNECTION_NAMES,
  type CongestionName,
  type ConnectionInfoRecord,
  type ConnectionName,
  ERROR_CODES,
  EVENT_ADDRESS_ANNOUNCED,
  EVENT_ADDRESS_REMOVED,
  EVENT_CLOSED,
  EVENT_CREATED,
  EVENT_ESTABLISHED,
  EVENT_LISTENER_CLOSED,
  EVENT_LISTENER_CREATED,
  EVENT_SUBFLOW_CLOSED,
  EVENT_SUBFLOW_ESTABLISHED,
  EVENT_SUBFLOW_PRIORITY,
  FALLBACK_NONE,
  type FallbackName,
  type MonitorEventRecord,
  OWNER_NAMES,
  type OwnerName,
  PATH_MANAGER_NAMES,
  PATH_MODE_NAMES,
  type PathManagerName,
  type PathModeName,
  RECOVERY_NAMES,
  type RecoveryName,
  SCHEDULER_NAMES,
  type SchedulerName,
  SUBFLOW_ACTIVE_OPEN,
  SUBFLOW_BACKUP_LOCAL,
  SUBFLOW_BACKUP_REMOTE,
  SUBFLOW_INITIAL,
  SUBFLOW_STALE,
  type SubflowInfoRecord,
  TCP_NAMES,
  TCP_OPTION_ECN,
  TCP_OPTION_SACK,
  TCP_OPTION_SYN_DATA,
  TCP_OPTION_TIMESTAMPS,
  TCP_OPTION_WINDOW_SCALE,
  type TcpName,
} from './abi.js';
import { addressFamily, formatAddress } from './address.js';
import type { Core } from './core.js';
import { MptcpError } from './error.js';
import { FALLBACK_WORDS, fallbackName } from './reasons.js';

/** The two ends of a connection or subflow. */
export interface Ends {
  readonly localAddress: string;
  readonly localPort: number;
  readonly localFamily: 'IPv4' | 'IPv6';
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly remoteFamily: 'IPv4' | 'IPv6';
}

/** One subflow of a connection, at one moment. Times are µs, sizes bytes. */
export interface SubflowInfo extends Ends {
  /** Number within the connection, from 1, never used twice. */
  readonly id: number;
  readonly state: TcpName;
  /** Opened by MP_CAPABLE, as the first one. */
  readonly initial: boolean;
  /** This side sent the SYN. */
  readonly activeOpen: boolean;
  /** This side, or the peer, asked for it to be used only when nothing else works. */
  readonly backupLocal: boolean;
  readonly backupRemote: boolean;
  /** Losses without progress: what it carried is sent on others. */
  readonly stale: boolean;
  /** Address ids. */
  readonly localId: number;
  readonly remoteId: number;
  /** Number of the link it runs over. */
  readonly link: number;
  /** Smoothed RTT, its variation and minimum; 0 before the first sample. */
  readonly srtt: number;
  readonly rttVar: number;
  readonly minRtt: number;
  /** Retransmission timeout, backoff included. */
  readonly rto: number;
  readonly cwnd: number;
  readonly ssthresh: number;
  readonly mss: number;
  readonly inFlight: number;
  readonly sndWindow: number;
  /** Retransmission timeouts since the last progress. */
  readonly backoff: number;
  /** Payload sent, retransmissions included; acknowledged; received in order; sent again. */
  readonly bytesSent: number;
  readonly bytesAcked: number;
  readonly bytesReceived: number;
  readonly bytesRetransmitted: number;
  readonly segmentsOut: number;
  readonly segmentsIn: number;
  /** Segments sent again. */
  readonly retransmits: number;
  readonly timeouts: number;
  /** What both sides agreed on. */
  readonly timestamps: boolean;
  readonly sack: boolean;
  readonly windowScaling: boolean;
  readonly ecn: boolean;
  /** Bytes of the SYN were taken (Fast Open, RFC 7413). */
  readonly synData: boolean;
  readonly recovery: RecoveryName;
  /** Window scales of the peer and of this side. */
  readonly sndShift: number;
  readonly rcvShift: number;
  /** Largest packet the path takes, as far as is known; MSS announced to the peer; largest segment received. */
  readonly pmtu: number;
  readonly advMss: number;
  readonly rcvMss: number;
  /** Longest time an ACK of data is held back. */
  readonly ato: number;
  /** Bytes sent and not acknowledged; of them sacked, taken for lost, and sent again. */
  readonly outstanding: number;
  readonly sacked: number;
  readonly lost: number;
  readonly retransmitted: number;
  /** Bytes given to this subflow and not sent yet. */
  readonly notSent: number;
  /** How long reordered segments are waited for, quarters of minRtt; 0 while no reordering was seen. */
  readonly reordering: number;
  /** Segments the peer got twice, by what it says (DSACK); segments with data received out of order. */
  readonly duplicates: number;
  readonly outOfOrder: number;
  readonly dataSegmentsOut: number;
  readonly dataSegmentsIn: number;
  /** RTT as the receiving side sees it; 0 before the first sample. */
  readonly rcvRtt: number;
  /** Of the whole connection: bytes read in the fastest round trip, window not used, what both buffers may hold. */
  readonly rcvSpace: number;
  readonly rcvWindow: number;
  readonly receiveBuffer: number;
  readonly sendBuffer: number;
  /** Bytes per second at which segments leave; 0 when they are not paced. */
  readonly pacingRate: number;
  /** Bytes that arrived at the peer by what it acknowledged or sacked; bytes per second of the last round trip. */
  readonly delivered: number;
  readonly deliveryRate: number;
  /** Time since data was sent, since data was received, since anything was received. */
  readonly lastDataSent: number;
  readonly lastDataReceived: number;
  readonly lastReceived: number;
  /** The congestion controller in use, and whether it was set for this subflow alone. */
  readonly congestion: CongestionName;
  readonly congestionOwn: boolean;
  /** Quanta it gets in its turn (roundRobin). */
  readonly weight: number;
  /** Times the scheduler gave it bytes; had room and waited for a faster one (blest, ecf). */
  readonly timesChosen: number;
  readonly timesHeldBack: number;
  /** Times it had room and bytes on a slower one held up the window; times its own window was halved for that. */
  readonly timesBlocked: number;
  readonly timesPenalised: number;
  /** Bytes it was given that another had before, and as copies (redundant). */
  readonly bytesReinjected: number;
  readonly bytesRedundant: number;
}

/** The fields of `struct mptcp_info` of Linux (SOL_MPTCP, MPTCP_INFO), under its names; times are ms as there. */
export interface MptcpInfo {
  /** Subflows beside the initial one, and all there are. */
  readonly mptcpi_subflows: number;
  readonly mptcpi_subflows_total: number;
  /** Addresses announced to the peer; of those it announced, the ones joined. */
  readonly mptcpi_add_addr_signal: number;
  readonly mptcpi_add_addr_accepted: number;
  /** Endpoints from which subflows were opened, that of the initial one left out. */
  readonly mptcpi_local_addr_used: number;
  /** Limits of these. */
  readonly mptcpi_subflows_max: number;
  readonly mptcpi_add_addr_signal_max: number;
  readonly mptcpi_add_addr_accepted_max: number;
  readonly mptcpi_local_addr_max: number;
  /** 1 after a fallback, 2 once the key of the peer is known. */
  readonly mptcpi_flags: number;
  readonly mptcpi_token: number;
  readonly mptcpi_write_seq: bigint;
  readonly mptcpi_snd_una: bigint;
  readonly mptcpi_rcv_nxt: bigint;
  readonly mptcpi_csum_enabled: number;
  /** Retransmissions of the connection, in times and bytes. */
  readonly mptcpi_retransmits: number;
  readonly mptcpi_bytes_retrans: number;
  readonly mptcpi_bytes_sent: number;
  readonly mptcpi_bytes_received: number;
  readonly mptcpi_bytes_acked: number;
  /** ms since data was sent, data was received, anything was received, on any subflow there is. */
  readonly mptcpi_last_data_sent: number;
  readonly mptcpi_last_data_recv: number;
  readonly mptcpi_last_ack_recv: number;
}

/** An address announced to the peer, or by it. */
export interface PathAddress {
  readonly id: number;
  readonly address: string;
  readonly family: 'IPv4' | 'IPv6';
  /** 0 for the port of the connection. */
  readonly port: number;
  /** It was echoed: by the peer, or of its address by this side. */
  readonly echoed: boolean;
  /** A subflow has it. */
  readonly joined: boolean;
}

/** One event of `ip mptcp monitor`, under its name; what it says nothing of is undefined. */
export interface MonitorEvent {
  readonly type: MonitorType;
  /** This side's token of the connection. */
  readonly token: number | undefined;
  readonly localId: number | undefined;
  readonly remoteId: number | undefined;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  /** Of ANNOUNCED the address and port announced. */
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  /** Id of the subflow within its connection, and the number of its link. */
  readonly subflow: number | undefined;
  readonly link: number | undefined;
  readonly backupLocal: boolean | undefined;
  readonly backupRemote: boolean | undefined;
  /** The peer connected. */
  readonly serverSide: boolean | undefined;
  /** Why it is over, a `code` of MptcpError. */
  readonly error: string | undefined;
}

export type MonitorType =
  | 'CREATED'
  | 'ESTABLISHED'
  | 'CLOSED'
  | 'ANNOUNCED'
  | 'REMOVED'
  | 'SUB_ESTABLISHED'
  | 'SUB_CLOSED'
  | 'SUB_PRIORITY'
  | 'LISTENER_CREATED'
  | 'LISTENER_CLOSED';

const MONITOR_TYPES: Readonly<Record<number, MonitorType>> = {
  [EVENT_CREATED]: 'CREATED',
  [EVENT_ESTABLISHED]: 'ESTABLISHED',
  [EVENT_CLOSED]: 'CLOSED',
  [EVENT_ADDRESS_ANNOUNCED]: 'ANNOUNCED',
  [EVENT_ADDRESS_REMOVED]: 'REMOVED',
  [EVENT_SUBFLOW_ESTABLISHED]: 'SUB_ESTABLISHED',
  [EVENT_SUBFLOW_CLOSED]: 'SUB_CLOSED',
  [EVENT_SUBFLOW_PRIORITY]: 'SUB_PRIORITY',
  [EVENT_LISTENER_CREATED]: 'LISTENER_CREATED',
  [EVENT_LISTENER_CLOSED]: 'LISTENER_CLOSED',
};

/** A connection at one moment, with its subflows. */
export interface ConnectionInfo extends Ends, MptcpInfo {
  readonly state: ConnectionName;
  /** It is Multipath TCP: no fallback happened. False as well before it is established. */
  readonly multipath: boolean;
  /** Why it is plain TCP; `none` when it is not. */
  readonly fallback: FallbackName;
  /** The same in words; empty for a connection that is multipath. */
  readonly fallbackWords: string;
  /** Multipath TCP version: 1 (RFC 8684) or 0. */
  readonly version: number;
  /** The DSS checksum is in use. */
  readonly checksum: boolean;
  /** Subflows established since the beginning. */
  readonly subflowsTotal: number;
  readonly scheduler: SchedulerName;
  readonly congestion: CongestionName;
  readonly localToken: number;
  readonly remoteToken: number;
  readonly localKey: bigint;
  readonly remoteKey: bigint;
  /** Data sequence numbers: oldest unacknowledged, next to send, end of what was written, right edge of the window. */
  readonly sndUna: bigint;
  readonly sndNxt: bigint;
  readonly sndEnd: bigint;
  readonly sndWindowEnd: bigint;
  /** Data sequence numbers: next expected in order, right edge of the window announced. */
  readonly rcvNxt: bigint;
  readonly rcvWindowEnd: bigint;
  readonly bytesSent: number;
  readonly bytesAcked: number;
  readonly bytesReceived: number;
  /** Bytes given to a second subflow (reinjected). */
  readonly bytesReinjected: number;
  /** Bytes that can be read, and written, now. */
  readonly readable: number;
  readonly writable: number;
  /** Time with bytes unacknowledged or unsent; of it that in which the peer's window, or a full send buffer, limited. */
  readonly busyTime: number;
  readonly windowLimitedTime: number;
  readonly bufferLimitedTime: number;
  /** Who has it: `none` before it is accepted, `givenUp` after the application closed it. */
  readonly owner: OwnerName;
  /** Bytes written and not acknowledged. */
  readonly unsent: number;
  /** How far the end of this side's stream is; the peer's end of stream, and all before it, has arrived. */
  readonly ownEnd: 'open' | 'asked' | 'sent' | 'acknowledged';
  readonly peerEnded: boolean;
  /** What BLEST multiplies with now, in thousandths, 0 before it began; whether ECF waits for the faster subflow. */
  readonly blestLambda: number;
  readonly ecfWaiting: boolean;
  readonly pathManager: PathManagerName;
  readonly pathMode: PathModeName;
  /** This side connected. */
  readonly activeOpen: boolean;
  /** The peer has shown that it has the keys: subflows can be added. */
  readonly confirmed: boolean;
  readonly subflows: readonly SubflowInfo[];
}

const OWN_ENDS = ['open', 'asked', 'sent', 'acknowledged'] as const;

/** A listener at one moment. */
export interface ListenerInfo {
  /** Local address; `::` for any. */
  readonly localAddress: string;
  readonly localPort: number;
  /** It is for any address, of both families. */
  readonly any: boolean;
  readonly backlog: number;
  /** Connections that wait to be accepted; these, and those in their handshake. */
  readonly waiting: number;
  readonly pending: number;
  /** It accepts Multipath TCP. */
  readonly mptcp: boolean;
}

/** Reads all about a listener; undefined when its handle is stale. */
export function listenerInfo(core: Core, handle: number): ListenerInfo | undefined {
  const record = core.listenerInfo(handle);
  if (record === undefined) return undefined;
  const { localHi, localLo, port, backlog, waiting, pending, flags } = record;
  const any = localHi === 0n && localLo === 0n;
  return {
    localAddress: formatAddress(localHi, localLo),
    localPort: port,
    any,
    backlog,
    waiting,
    pending,
    mptcp: (flags & CONNECT_PLAIN_TCP) === 0,
  };
}

/** Reads a subflow that waits in TIME-WAIT for a connection that is forgotten; undefined when its handle is stale. */
export function timeWaitInfo(core: Core, handle: number): SubflowInfo | undefined {
  const record = core.timeWaitInfo(handle);
  return record === undefined ? undefined : subflowInfo(record);
}

/** Reads all about a connection; undefined when its handle is stale. */
export function connectionInfo(core: Core, handle: number): ConnectionInfo | undefined {
  const record = core.connectionInfo(handle);
  if (record === undefined) return undefined;
  const subflows = subflowInfos(core, handle);
  return {
    ...ends(record),
    ...mptcpInfo(record, subflows),
    state: CONNECTION_NAMES[record.state] ?? 'closed',
    multipath: record.fallback === FALLBACK_NONE && record.remoteKey !== 0n,
    fallback: fallbackName(record.fallback),
    fallbackWords: FALLBACK_WORDS[fallbackName(record.fallback)],
    version: record.version,
    checksum: record.checksum !== 0,
    subflowsTotal: record.subflowsTotal,
    scheduler: SCHEDULER_NAMES[record.scheduler] ?? 'minRtt',
    congestion: CONGESTION_NAMES[record.congestion] ?? 'reno',
    localToken: record.localToken,
    remoteToken: record.remoteToken,
    localKey: record.localKey,
    remoteKey: record.remoteKey,
    sndUna: record.sndUna,
    sndNxt: record.sndNxt,
    sndEnd: record.sndEnd,
    sndWindowEnd: record.sndWindowEnd,
    rcvNxt: record.rcvNxt,
    rcvWindowEnd: record.rcvWindowEnd,
    bytesSent: Number(record.bytesSent),
    bytesAcked: Number(record.bytesAcked),
    bytesReceived: Number(record.bytesReceived),
    bytesReinjected: Number(record.bytesRetransmitted),
    readable: record.readable,
    writable: record.writable,
    busyTime: Number(record.busyTime),
    windowLimitedTime: Number(record.windowLimitedTime),
    bufferLimitedTime: Number(record.bufferLimitedTime),
    owner: OWNER_NAMES[record.owner] ?? 'none',
    unsent: record.unsent,
    ownEnd: OWN_ENDS[record.ended] ?? 'open',
    peerEnded: record.peerEnded !== 0,
    blestLambda: record.blestLambda,
    ecfWaiting: record.ecfWaiting !== 0,
    pathManager: PATH_MANAGER_NAMES[record.pathManager] ?? 'kernel',
    pathMode: PATH_MODE_NAMES[record.pathMode] ?? 'full',
    activeOpen: record.active !== 0,
    confirmed: record.confirmed !== 0,
    subflows,
  };
}

function mptcpInfo(record: ConnectionInfoRecord, subflows: readonly SubflowInfo[]): MptcpInfo {
  const latest = (times: number[]): number => (times.length === 0 ? 0 : Math.floor(Math.min(...times) / 1000));
  const fellBack = record.fallback === FALLBACK_NONE ? 0 : 1;
  return {
    mptcpi_subflows: record.extraSubflows,
    mptcpi_subflows_total: record.subflows,
    mptcpi_add_addr_signal: record.announced,
    mptcpi_add_addr_accepted: record.accepted,
    mptcpi_local_addr_used: record.localUsed,
    mptcpi_subflows_max: record.extraMax,
    mptcpi_add_addr_signal_max: record.announcedMax,
    mptcpi_add_addr_accepted_max: record.acceptedMax,
    mptcpi_local_addr_max: record.localMax,
    mptcpi_flags: fellBack | (record.remoteKey !== 0n ? 2 : 0),
    mptcpi_token: record.localToken,
    mptcpi_write_seq: record.sndEnd,
    mptcpi_snd_una: record.sndUna,
    mptcpi_rcv_nxt: record.rcvNxt,
    mptcpi_csum_enabled: record.checksum,
    mptcpi_retransmits: record.retransmits,
    mptcpi_bytes_retrans: Number(record.bytesRetransmitted),
    mptcpi_bytes_sent: Number(record.bytesSent),
    mptcpi_bytes_received: Number(record.bytesReceived),
    mptcpi_bytes_acked: Number(record.bytesAcked),
    mptcpi_last_data_sent: latest(subflows.map((subflow) => subflow.lastDataSent)),
    mptcpi_last_data_recv: latest(subflows.map((subflow) => subflow.lastDataReceived)),
    mptcpi_last_ack_recv: latest(subflows.map((subflow) => subflow.lastReceived)),
  };
}

/** The addresses a connection announced, or its peer did. */
export function pathAddresses(core: Core, handle: number, whose: 'local' | 'remote'): PathAddress[] {
  const addresses: PathAddress[] = [];
  for (let index = 0; ; index++) {
    const record = whose === 'local' ? core.localAddress(handle, index) : core.remoteAddress(handle, index);
    if (record === undefined) return addresses;
    addresses.push({
      id: record.id,
      address: formatAddress(record.hi, record.lo),
      family: addressFamily(record),
      port: record.port,
      echoed: record.echoed !== 0,
      joined: record.joined !== 0,
    });
  }
}

/** An event of the whole stack as an object. */
export function monitorEvent(record: MonitorEventRecord): MonitorEvent {
  const type = MONITOR_TYPES[record.type];
  if (type === undefined) throw new MptcpError('EPROTO', 'monitor', { detail: `the core told event ${record.type}` });
  const listener = type === 'LISTENER_CREATED' || type === 'LISTENER_CLOSED';
  const subflow = type === 'SUB_ESTABLISHED' || type === 'SUB_CLOSED' || type === 'SUB_PRIORITY';
  const address = type === 'ANNOUNCED' || type === 'REMOVED';
  const local = !address;
  const remote = !listener && type !== 'REMOVED';
  const when = <T>(said: boolean, value: T): T | undefined => (said ? value : undefined);
  return {
    type,
    token: when(!listener, record.token),
    localId: when(subflow, record.localId),
    remoteId: when(subflow || address, record.remoteId),
    localAddress: when(local, formatAddress(record.localHi, record.localLo)),
    localPort: when(local, record.localPort),
    remoteAddress: when(remote, formatAddress(record.remoteHi, record.remoteLo)),
    remotePort: when(remote, record.remotePort),
    subflow: when(subflow, record.subflow),
    link: when(subflow, record.link),
    backupLocal: when(subflow, (record.backup & SUBFLOW_BACKUP_LOCAL) !== 0),
    backupRemote: when(subflow, (record.backup & SUBFLOW_BACKUP_REMOTE) !== 0),
    serverSide: when(!listener, record.serverSide !== 0),
    error: when(record.error !== 0, ERROR_CODES[record.error]),
  };
}

/** Reads all subflows of a connection. */
export function subflowInfos(core: Core, handle: number): SubflowInfo[] {
  const subflows: SubflowInfo[] = [];
  for (let index = 0; ; index++) {
    const record = core.subflowInfo(handle, index);
    if (record === undefined) return subflows;
    subflows.push(subflowInfo(record));
  }
}

function subflowInfo(record: SubflowInfoRecord): SubflowInfo {
  const has = (flag: number): boolean => (record.flags & flag) !== 0;
  return {
    ...ends(record),
    id: record.id,
    state: TCP_NAMES[record.state] ?? 'closed',
    initial: has(SUBFLOW_INITIAL),
    activeOpen: has(SUBFLOW_ACTIVE_OPEN),
    backupLocal: has(SUBFLOW_BACKUP_LOCAL),
    backupRemote: has(SUBFLOW_BACKUP_REMOTE),
    stale: has(SUBFLOW_STALE),
    localId: record.localId,
    remoteId: record.remoteId,
    link: record.link,
    srtt: record.srtt,
    rttVar: record.rttVar,
    minRtt: record.minRtt,
    rto: record.rto,
    cwnd: record.cwnd,
    ssthresh: record.ssthresh,
    mss: record.mss,
    inFlight: record.inFlight,
    sndWindow: record.sndWindow,
    backoff: record.backoff,
    bytesSent: Number(record.bytesSent),
    bytesAcked: Number(record.bytesAcked),
    bytesReceived: Number(record.bytesReceived),
    bytesRetransmitted: Number(record.bytesRetransmitted),
    segmentsOut: Number(record.segmentsOut),
    segmentsIn: Number(record.segmentsIn),
    retransmits: Number(record.retransmits),
    timeouts: Number(record.timeouts),
    timestamps: (record.options & TCP_OPTION_TIMESTAMPS) !== 0,
    sack: (record.options & TCP_OPTION_SACK) !== 0,
    windowScaling: (record.options & TCP_OPTION_WINDOW_SCALE) !== 0,
    ecn: (record.options & TCP_OPTION_ECN) !== 0,
    synData: (record.options & TCP_OPTION_SYN_DATA) !== 0,
    recovery: RECOVERY_NAMES[record.recovery] ?? 'open',
    sndShift: record.sndShift,
    rcvShift: record.rcvShift,
    pmtu: record.pmtu,
    advMss: record.advMss,
    rcvMss: record.rcvMss,
    ato: record.ato,
    outstanding: record.outstanding,
    sacked: record.sacked,
    lost: record.lost,
    retransmitted: record.retransmitted,
    notSent: record.notSent,
    reordering: record.reordering,
    duplicates: record.duplicates,
    outOfOrder: record.outOfOrder,
    dataSegmentsOut: record.dataSegmentsOut,
    dataSegmentsIn: record.dataSegmentsIn,
    rcvRtt: record.rcvRtt,
    rcvSpace: record.rcvSpace,
    rcvWindow: record.rcvWindow,
    receiveBuffer: record.receiveBuffer,
    sendBuffer: record.sendBuffer,
    pacingRate: Number(record.pacingRate),
    delivered: Number(record.delivered),
    deliveryRate: Number(record.deliveryRate),
    lastDataSent: Number(record.lastDataSent),
    lastDataReceived: Number(record.lastDataReceived),
    lastReceived: Number(record.lastReceived),
    congestion: CONGESTION_NAMES[record.congestion] ?? 'reno',
    congestionOwn: record.congestionOwn !== 0,
    weight: record.weight,
    timesChosen: record.timesChosen,
    timesHeldBack: record.timesHeldBack,
    timesBlocked: record.timesBlocked,
    timesPenalised: record.timesPenalised,
    bytesReinjected: Number(record.bytesReinjected),
    bytesRedundant: Number(record.bytesRedundant),
  };
}

function ends(record: ConnectionInfoRecord | SubflowInfoRecord): Ends {
  return {
    localAddress: formatAddress(record.localHi, record.localLo),
    localPort: record.localPort,
    localFamily: addressFamily({ hi: record.localHi, lo: record.localLo }),
    remoteAddress: formatAddress(record.remoteHi, record.remoteLo),
    remotePort: record.remotePort,
    remoteFamily: addressFamily({ hi: record.remoteHi, lo: record.remoteLo }),
  };
}
