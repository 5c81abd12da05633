import {
  CONFIG_CHECKSUM_ENABLED,
  CONFIG_CONGESTION,
  CONFIG_KEEPALIVE,
  CONFIG_KEEPALIVE_COUNT,
  CONFIG_KEEPALIVE_IDLE,
  CONFIG_KEEPALIVE_INTERVAL,
  CONFIG_LINGER,
  CONFIG_NDIFFPORTS,
  CONFIG_NO_DELAY,
  CONFIG_PACING,
  CONFIG_PATH_MANAGER,
  CONFIG_PATH_MODE,
  CONFIG_RECEIVE_BUFFER,
  CONFIG_REJOIN_TIMEOUT,
  CONFIG_SCHEDULER,
  CONFIG_SEND_BUFFER,
  CONFIG_SYN_RETRIES_BEFORE_FALLBACK,
  CONFIG_USER_TIMEOUT,
  CONFIG_VERSION_RETRY,
  CONNECT_FAST_OPEN,
  CONNECTION_CLOSED,
  CONNECTION_CLOSING,
  CONNECTION_CONNECTING,
  CONNECTION_ESTABLISHED,
  COUNTER_ACTIVE_OPENS,
  COUNTER_MPTCP_MismatchPortAckRx,
  COUNTER_MPTCP_MismatchPortSynRx,
  COUNTER_MPTCP_MPCapableACKRX,
  COUNTER_MPTCP_MPCapableFallbackACK,
  COUNTER_MPTCP_MPCapableFallbackSYNACK,
  COUNTER_MPTCP_MPCapableSYNACKRX,
  COUNTER_MPTCP_MPCapableSYNRX,
  COUNTER_MPTCP_MPCapableSYNTXDisabled,
  COUNTER_MPTCP_MPCapableSYNTXDrop,
  COUNTER_MPTCP_MPCurrEstab,
  COUNTER_MPTCP_MPFallbackTokenInit,
  COUNTER_MPTCP_MPJoinAckHMacFailure,
  COUNTER_MPTCP_MPJoinAckRx,
  COUNTER_MPTCP_MPJoinNoTokenFound,
  COUNTER_MPTCP_MPJoinPortAckRx,
  COUNTER_MPTCP_MPJoinPortSynAckRx,
  COUNTER_MPTCP_MPJoinPortSynRx,
  COUNTER_MPTCP_MPJoinRejected,
  COUNTER_MPTCP_MPJoinSynAckBackupRx,
  COUNTER_MPTCP_MPJoinSynAckHMacFailure,
  COUNTER_MPTCP_MPJoinSynAckRx,
  COUNTER_MPTCP_MPJoinSynBackupRx,
  COUNTER_MPTCP_MPJoinSynRx,
  COUNTER_MPTCP_SimultConnectFallback,
  COUNTER_PASSIVE_OPENS,
  COUNTER_REJOIN_DONE,
  COUNTER_VERSION_0_ACTIVE,
  COUNTER_VERSION_0_PASSIVE,
  COUNTER_VERSION_RETRY,
  ERR_NO_MEMORY,
  EVENT_CONNECTED,
  EVENT_CREATED,
  EVENT_ESTABLISHED,
  EVENT_SUBFLOW_ESTABLISHED,
  FALLBACK_BLACKHOLE,
  FALLBACK_KEY,
  FALLBACK_NOT_ASKED,
  FALLBACK_PEER_SYN,
  FALLBACK_PEER_SYN_ACK,
  FALLBACK_SIMULTANEOUS_OPEN,
  FALLBACK_SYN_ACK_VERSION,
  FALLBACK_SYN_RETRIES,
  FALLBACK_SYN_VERSION,
  FALLBACK_THIRD_ACK,
  FALLBACK_TOKEN,
  RESET_MPTCP,
  RESET_PROHIBITED,
  RESET_RESOURCES,
  SUBFLOW_ACTIVE_OPEN,
  SUBFLOW_BACKUP_REMOTE,
  SUBFLOW_INITIAL,
  SUBFLOW_JOINED,
} from '../abi';
import { congestionOpen } from '../congestion/control';
import { randomU32 } from '../crypto/random';
import { poolTake } from '../memory/pool';
import { announcedOf, localIdOf } from '../paths/announce';
import { managerEstablished, managerFill } from '../paths/manager';
import { pathEstablished } from '../paths/reopen';
import { mayAcceptSubflow, rememberInitial, subflowAttach, subflowDetach } from '../paths/subflows';
import { config } from '../state/config';
import { CONNECTION_TIMER, Connection, connectionPool, connectionTimer, SINGLE_WANTED } from '../state/connection';
import { count } from '../state/counters';
import { eventNotice, eventRaise } from '../state/events';
import { linkAt } from '../state/link';
import { Listener } from '../state/listener';
import { monitorConnection, monitorSubflow } from '../state/monitor';
import {
  FAST_OPEN_EARLY,
  FAST_OPEN_TRIED,
  JOIN_DONE,
  JOIN_WAIT_ACK,
  opensEarly,
  ownerOf,
  RST_PLAIN,
  Subflow,
  SYN_SIMULTANEOUS,
  SYN_UNANSWERED,
} from '../state/subflow';
import { tuningOpen } from '../state/tuning';
import { resetDue, subflowDestroy } from '../tcp/close';
import { keepAliveArm } from '../tcp/expire';
import { fastOpenAccept, fastOpenAsk, fastOpenSettled } from '../tcp/fast-open';
import { openActive, openByCookie, openPassive, reserveDss, subflowCreate } from '../tcp/handshake';
import { freePort } from '../tcp/ports';
import { ackNow, readyAdd } from '../tcp/ready';
import { signalSoon } from '../tcp/signal-acks';
import { timersArm } from '../tcp/timers';
import { windowFieldSyn } from '../tcp/window';
import { loadBe64 } from '../wire/bytes';
import { joinHmac, keyIdsn, keyToken } from '../wire/keys';
import { JOIN_ACK_HMAC_BYTES, MPTCP_V0, MPTCP_V1, SUBTYPE_DSS, SUBTYPE_JOIN } from '../wire/mptcp';
import { options } from '../wire/options';
import { packet } from '../wire/packet';
import { segment } from '../wire/segment';
import { blackholeFound, blackholeKnown, blackholePassed } from './blackhole';
import { joinAcceptQueue } from './closing';
import { copiesFromFront, isRedundant } from './copies';
import { numberBehindSyn, synDataAnswered, takeSynData } from './early';
import { fallBack } from './fallback';
import { joinAllowed, joinAwaits, joinProved } from './joins';
import { reinjectAgain } from './reinject';
import { dataAcknowledged, pushLater } from './send';
import { singleJoined } from './single';
import { isOfCookie, tokenAdopt, tokenCreate, tokenFind, tokenRemove } from './tokens';
import {
  capablePresent,
  connectVersions,
  firstVersion,
  hasVersion1,
  listenVersions,
  NO_VERSION,
  synAckVersion,
  synVersion,
  takeCapableFlags,
  versionLearnt,
  worthVersion0,
} from './versions';

/**
 * How connections come into being: MP_CAPABLE and MP_JOIN, both sides (sections 3.1 and 3.2 of RFC 8684 and, for version
 * 0, of RFC 6824), and fallback.
 */

const digest: usize = memory.data(32, 8);

/** The subflow that passiveJoin() refused has this reason, for the RST. */
let refusal: u32 = 0;

export function joinRefusal(): u32 {
  return refusal;
}

/** Begins a connection from an address and port; `portFixed` when the port was asked for. Returns its handle or an error. */
export function activeOpen(
  link: i32,
  localHi: u64,
  localLo: u64,
  localPort: u32,
  remoteHi: u64,
  remoteLo: u64,
  remotePort: u32,
  flags: i32,
  portFixed: bool,
): i32 {
  const created = subflowCreate(link, localHi, localLo, localPort, remoteHi, remoteLo, remotePort);
  if (created == 0) return ERR_NO_MEMORY;
  const subflow = changetype<Subflow>(created);
  subflow.flags = <u8>(SUBFLOW_INITIAL | SUBFLOW_ACTIVE_OPEN);
  const versions = connectVersions(flags);
  const swallowed = versions != 0 && blackholeKnown(link, remoteHi, remoteLo);
  if (swallowed) count(COUNTER_MPTCP_MPCapableSYNTXDisabled);
  const connection = createConnection();
  if (connection === null) {
    subflowDestroy(subflow);
    return ERR_NO_MEMORY;
  }
  connection.active = 1;
  connection.accepted = 1;
  connection.versions = <u8>versions;
  connection.portFixed = portFixed ? 1 : 0;
  if (swallowed) connection.fallback = <u8>FALLBACK_BLACKHOLE;
  else if (versions == 0) connection.fallback = <u8>FALLBACK_NOT_ASKED;
  else becomeMultipath(connection, firstVersion(versions, remoteHi, remoteLo, remotePort));
  subflowAttach(connection, subflow);
  rememberInitial(connection, subflow);
  if ((flags & CONNECT_FAST_OPEN) != 0) fastOpenAsk(subflow);
  openActive(subflow);
  count(COUNTER_ACTIVE_OPENS);
  return <i32>connection.handle;
}

/** Takes a SYN for a listener: a new connection in its handshake. Returns false when there is no memory. */
export function passiveOpen(listener: Listener, link: i32): bool {
  const created = createFromSyn(link);
  if (created == 0) return false;
  const subflow = changetype<Subflow>(created);
  subflow.flags = <u8>SUBFLOW_INITIAL;
  const versions = listenVersions(listener);
  const version = synVersion(versions);
  if (capablePresent()) count(COUNTER_MPTCP_MPCapableSYNRX);
  const connection = createConnection();
  if (connection === null) {
    subflowDestroy(subflow);
    return false;
  }
  if (version != NO_VERSION) {
    // RFC 6824 section 3.1: the key comes with the SYN.
    if (version == MPTCP_V0) connection.remoteKey = options.capableSenderKey;
    becomeMultipath(connection, version);
    takeCapableFlags(connection);
  } else {
    connection.fallback = <u8>passiveReason(versions);
  }
  connection.listener = changetype<usize>(listener);
  listener.pending++;
  subflowAttach(connection, subflow);
  rememberInitial(connection, subflow);
  openPassive(subflow);
  if (version != MPTCP_V0 && (listener.flags & CONNECT_FAST_OPEN) != 0 && fastOpenAccept(subflow))
    openEarly(connection, subflow);
  return true;
}

/** RFC 7413 section 4.2.2: the SYN in `segment` has a right cookie, so that its bytes are taken at once. */
function openEarly(connection: Connection, subflow: Subflow): void {
  count(COUNTER_PASSIVE_OPENS);
  begin(connection, subflow);
  subflow.sndWindowMax = subflow.sndWindow;
  if (segment.payloadLength != 0) takeSynData(connection, subflow);
}

/** The third ACK of a connection that opened early came. */
function earlyDone(connection: Connection, subflow: Subflow): void {
  fastOpenSettled(subflow);
  keepAliveArm(subflow);
  if (connection.multipath != 0) takeKeys(connection);
  // The window of the SYN was not scaled.
  if (connection.multipath == 0) {
    dataAcknowledged(connection, connection.sndUna, subflow.sndWindow);
    return;
  }
  connection.sndWindowEnd = connection.sndUna + subflow.sndWindow;
  numberBehindSyn(connection, subflow);
  connectionConfirmed(connection);
  pushLater(connection);
}

/** Why a side that has `versions` answers the SYN in `options` as one of plain TCP. */
function passiveReason(versions: u32): i32 {
  if (versions == 0) return FALLBACK_NOT_ASKED;
  return capablePresent() ? FALLBACK_SYN_VERSION : FALLBACK_PEER_SYN;
}

/**
 * Makes the connection whose SYN/ACK with the number `iss` was answered by the third ACK in `segment`; `options` has what
 * the SYN offered, and the keys of the ACK. Returns the subflow, to which the ACK is still to be given, or 0 when there is
 * no memory.
 */
export function cookieOpen(listener: Listener, link: i32, iss: u32): usize {
  const created = createFromSyn(link);
  if (created == 0) return 0;
  const subflow = changetype<Subflow>(created);
  subflow.flags = <u8>SUBFLOW_INITIAL;
  // RFC 6824 section 3.1 has both keys in the third ACK for this very purpose, and RFC 8684 kept them there.
  const keyed = capablePresent() && options.capableLength >= 20;
  const versions = listenVersions(listener);
  const version = options.capableVersion;
  const allowed =
    keyed && version <= MPTCP_V1 && (versions & (1 << version)) != 0 && isOfCookie(options.capableReceiverKey, iss);
  const connection = createConnection();
  if (connection === null) {
    subflowDestroy(subflow);
    return 0;
  }
  // If another connection took the key, or one with its token, since it was told, plain TCP.
  if (allowed) {
    connection.version = <u8>version;
    if (version == MPTCP_V0) connection.remoteKey = options.capableSenderKey;
  }
  const adopted = allowed && tokenAdopt(connection, options.capableReceiverKey);
  if (allowed && !adopted) count(COUNTER_MPTCP_MPFallbackTokenInit);
  if (adopted) {
    numberFrom(connection);
    takeCapableFlags(connection);
  } else {
    connection.fallback = <u8>cookieReason(versions, keyed, allowed);
  }
  connection.listener = changetype<usize>(listener);
  listener.pending++;
  subflowAttach(connection, subflow);
  rememberInitial(connection, subflow);
  openByCookie(subflow, iss);
  windowFieldSyn(connection);
  return created;
}

/** Why the connection of a cookie is plain TCP: `keyed` when the ACK has keys, `allowed` when they may be used. */
function cookieReason(versions: u32, keyed: bool, allowed: bool): i32 {
  if (versions == 0) return FALLBACK_NOT_ASKED;
  if (!keyed) return FALLBACK_PEER_SYN;
  return allowed ? FALLBACK_TOKEN : FALLBACK_THIRD_ACK;
}

/** Takes a SYN with MP_JOIN. Returns false when it is to be answered with RST; joinRefusal() tells the reason. */
export function passiveJoin(link: i32): bool {
  count(COUNTER_MPTCP_MPJoinSynRx);
  const found = tokenFind(options.joinToken);
  refusal = hasVersion1() ? RESET_MPTCP : 0;
  if (found == 0) {
    count(COUNTER_MPTCP_MPJoinNoTokenFound);
    return false;
  }
  const connection = changetype<Connection>(found);
  // RFC 6824 section 3.1: not before a DSS option came, which may be on its way by another path. The SYN will come again.
  if (connection.multipath != 0 && connection.version == MPTCP_V0 && connection.confirmed == 0) return true;
  if (connection.multipath == 0 || connection.confirmed == 0 || connection.state == CONNECTION_CLOSED) {
    count(COUNTER_MPTCP_MPJoinNoTokenFound);
    return false;
  }
  refusal = connection.version != MPTCP_V0 ? RESET_RESOURCES : 0;
  if (!mayAcceptSubflow(connection) || !joinAllowed(connection)) {
    count(COUNTER_MPTCP_MPJoinRejected);
    return false;
  }
  if (segment.dstPort != connection.localPort) {
    // As Linux: the port of the connection, or one that was announced for the address.
    refusal = <u8>RESET_PROHIBITED;
    if (announcedOf(connection, packet.dstHi, packet.dstLo, segment.dstPort) == 0) {
      count(COUNTER_MPTCP_MismatchPortSynRx);
      return false;
    }
    count(COUNTER_MPTCP_MPJoinPortSynRx);
  }
  const created = createFromSyn(link);
  if (created == 0) return false;
  const subflow = changetype<Subflow>(created);
  subflow.flags = <u8>SUBFLOW_JOINED;
  if (options.joinBackup != 0) {
    count(COUNTER_MPTCP_MPJoinSynBackupRx);
    subflow.flags |= <u8>SUBFLOW_BACKUP_REMOTE;
  }
  joinAwaits(subflow);
  subflow.remoteId = <u8>options.joinAddressId;
  subflow.localId = <u8>localIdOf(connection, packet.dstHi, packet.dstLo);
  subflow.remoteNonce = options.joinNonce;
  subflow.localNonce = randomU32();
  subflowAttach(connection, subflow);
  connection.extraSubflows++;
  openPassive(subflow);
  return true;
}

/** The three-way handshake of a subflow is complete. Returns false when the subflow was given up. */
export function handshakeDone(subflow: Subflow): bool {
  const connection = ownerOf(subflow);
  if ((subflow.flags & SUBFLOW_INITIAL) == 0) return joinDone(connection, subflow);
  if ((subflow.fastOpen & FAST_OPEN_EARLY) != 0) {
    earlyDone(connection, subflow);
    return true;
  }
  if (connection.active == 0) passiveDone(connection);
  else if (!activeDone(connection, subflow)) return false;
  begin(connection, subflow);
  if ((subflow.fastOpen & FAST_OPEN_TRIED) != 0) synDataAnswered(connection, subflow);
  return true;
}

/** The fourth ACK, or anything else after the third, shows the initiator that the join is complete. */
export function joinConfirmed(connection: Connection, subflow: Subflow): void {
  subflow.join = JOIN_DONE;
  subflow.thirdAckDue = 0;
  subflow.rtoAt = 0;
  subflow.backoff = 0;
  timersArm(subflow);
  carryData(connection, subflow);
}

/**
 * From now on paths can be added: the peer has shown that it has both keys (RFC 8684 section 3.1), or, in version 0, that
 * its DSS options get here (RFC 6824 section 3.1).
 */
export function connectionConfirmed(connection: Connection): void {
  if (connection.confirmed != 0) return;
  connection.confirmed = 1;
  count(COUNTER_MPTCP_MPCurrEstab);
  monitorConnection(connection, EVENT_ESTABLISHED, 0);
  managerEstablished(connection);
}

/** RFC 8684 section 3.1: SYNs with MP_CAPABLE that nobody answers may fall victim to a middlebox. */
export function synTimedOut(subflow: Subflow): void {
  if ((subflow.flags & SUBFLOW_INITIAL) == 0 || subflow.owner == 0) return;
  const connection = ownerOf(subflow);
  if (connection.active == 0 || connection.multipath == 0 || subflow.synPlain != 0) return;
  if (<i64>subflow.synTries <= config(CONFIG_SYN_RETRIES_BEFORE_FALLBACK)) return;
  subflow.synPlain = SYN_UNANSWERED;
  count(COUNTER_MPTCP_MPCapableSYNTXDrop);
}

/** A subflow to whoever sent the SYN in `packet` and `segment`; 0 when there is no memory. */
function createFromSyn(link: i32): usize {
  return subflowCreate(link, packet.dstHi, packet.dstLo, segment.dstPort, packet.srcHi, packet.srcLo, segment.srcPort);
}

function createConnection(): Connection | null {
  const taken = poolTake(connectionPool);
  if (taken == 0) return null;
  const connection = changetype<Connection>(taken);
  connection.live = 1;
  connection.state = <u8>CONNECTION_CONNECTING;
  connection.noDelay = <u8>config(CONFIG_NO_DELAY);
  connection.keepAlive = <u8>config(CONFIG_KEEPALIVE);
  connection.keepAliveIdle = config(CONFIG_KEEPALIVE_IDLE);
  connection.keepAliveInterval = config(CONFIG_KEEPALIVE_INTERVAL);
  connection.keepAliveCount = <u8>config(CONFIG_KEEPALIVE_COUNT);
  connection.userTimeout = config(CONFIG_USER_TIMEOUT);
  connection.linger = config(CONFIG_LINGER);
  connection.scheduler = <u8>config(CONFIG_SCHEDULER);
  connection.congestion = <u8>config(CONFIG_CONGESTION);
  connection.pacing = <u8>config(CONFIG_PACING);
  tuningOpen(connection);
  connection.pathManager = <u8>config(CONFIG_PATH_MANAGER);
  connection.pathMode = <u8>config(CONFIG_PATH_MODE);
  connection.ndiffports = <u8>config(CONFIG_NDIFFPORTS);
  connection.rejoinTimeout = config(CONFIG_REJOIN_TIMEOUT);
  connection.sendBuffer = <u32>config(CONFIG_SEND_BUFFER);
  connection.receiveBuffer = <u32>config(CONFIG_RECEIVE_BUFFER);
  connectionTimer(connection).kind = CONNECTION_TIMER;
  return connection;
}

/** A new connection is one of Multipath TCP: it gets its key. */
function becomeMultipath(connection: Connection, version: u32): void {
  connection.version = <u8>version;
  tokenCreate(connection);
  numberFrom(connection);
}

/** A connection that has its key begins to count from the number this gives. What was written before counts from 0. */
function numberFrom(connection: Connection): void {
  connection.multipath = 1;
  connection.checksum = <u8>config(CONFIG_CHECKSUM_ENABLED);
  // The IDSN stands for the SYN; data begins behind it (RFC 8684 section 3.1).
  const shift = keyIdsn(connection.version, connection.localKey) + 1 - connection.sndUna;
  connection.sndUna += shift;
  connection.sndNxt += shift;
  connection.sndEnd += shift;
  connection.sndWindowEnd = connection.sndUna;
}

/** The SYN/ACK is there. Returns false when the connection goes on with another subflow. */
function activeDone(connection: Connection, subflow: Subflow): bool {
  if (connection.multipath == 0) return true;
  if (subflow.synPlain == SYN_UNANSWERED) {
    blackholeFound(subflow);
    fallBack(connection, FALLBACK_SYN_RETRIES);
    return true;
  }
  if (subflow.synPlain == SYN_SIMULTANEOUS) {
    count(COUNTER_MPTCP_SimultConnectFallback);
    fallBack(connection, FALLBACK_SIMULTANEOUS_OPEN);
    return true;
  }
  const version = synAckVersion(connection.versions, connection.version);
  // Who took bytes of our SYN would get them once more.
  const asks = version == NO_VERSION && subflow.sndUna == subflow.iss + 1 && worthVersion0(connection, subflow);
  const again = asks && askVersion0(connection, subflow);
  versionLearnt(connection, subflow, version, again);
  if (again) return false;
  if (version == NO_VERSION) {
    count(COUNTER_MPTCP_MPCapableFallbackSYNACK);
    fallBack(connection, capablePresent() ? FALLBACK_SYN_ACK_VERSION : FALLBACK_PEER_SYN_ACK);
    return true;
  }
  blackholePassed(subflow);
  count(COUNTER_MPTCP_MPCapableSYNACKRX);
  if (<u32>version != connection.version) keyAnew(connection, version);
  connection.remoteKey = options.capableSenderKey;
  if (connection.remoteKey == connection.localKey) {
    fallBack(connection, FALLBACK_KEY);
    return true;
  }
  takeCapableFlags(connection);
  created(connection);
  if (version == MPTCP_V0) count(COUNTER_VERSION_0_ACTIVE);
  subflow.thirdAckDue = 1;
  ackNow(subflow);
  return true;
}

/** Gives a connection that has told its key to nobody one of another version. */
function keyAnew(connection: Connection, version: u32): void {
  tokenRemove(connection);
  becomeMultipath(connection, version);
}

/**
 * RFC 8684 section 3.1: an initiator that got no MP_CAPABLE may find out whether the peer has version 0. Its SYN/ACK is
 * answered with RST, and a SYN of version 0 goes out from another port. Returns false when that cannot be.
 */
function askVersion0(connection: Connection, before: Subflow): bool {
  if (config(CONFIG_VERSION_RETRY) == 0 || connection.portFixed != 0) return false;
  const port = freePort(before.localHi, before.localLo, before.remoteHi, before.remoteLo, before.remotePort);
  if (port == 0) return false;
  const created = subflowCreate(
    before.link,
    before.localHi,
    before.localLo,
    port,
    before.remoteHi,
    before.remoteLo,
    before.remotePort,
  );
  if (created == 0) return false;
  const subflow = changetype<Subflow>(created);
  subflow.flags = before.flags;
  subflowDetach(connection, before);
  resetDue(before, RST_PLAIN);
  connection.nextSubflowId = 0;
  subflowAttach(connection, subflow);
  rememberInitial(connection, subflow);
  keyAnew(connection, MPTCP_V0);
  openActive(subflow);
  count(COUNTER_VERSION_RETRY);
  return true;
}

/** Both keys are known. */
function created(connection: Connection): void {
  connection.monitorToken = connection.localToken;
  monitorConnection(connection, EVENT_CREATED, 0);
}

function passiveDone(connection: Connection): void {
  count(COUNTER_PASSIVE_OPENS);
  if (connection.multipath != 0) takeKeys(connection);
}

/** The segment that ends the handshake of a connection to a listener has the keys, or it goes on as plain TCP. */
function takeKeys(connection: Connection): void {
  if (!keysAgree(connection)) {
    count(COUNTER_MPTCP_MPCapableFallbackACK);
    fallBack(connection, FALLBACK_THIRD_ACK);
    return;
  }
  if (capablePresent()) {
    count(COUNTER_MPTCP_MPCapableACKRX);
    connection.remoteKey = options.capableSenderKey;
  }
  if (connection.remoteKey == connection.localKey) {
    fallBack(connection, FALLBACK_KEY);
    return;
  }
  created(connection);
  if (connection.version == MPTCP_V0) count(COUNTER_VERSION_0_PASSIVE);
}

/** True when the segment that ends the handshake tells that the peer has both keys. */
function keysAgree(connection: Connection): bool {
  // RFC 6824 section 3.1: the SYN had the key. Data with its mapping, in place of a lost third ACK, shows as much.
  if (!capablePresent()) return connection.version == MPTCP_V0 && (options.mptcp & (1 << SUBTYPE_DSS)) != 0;
  if (options.capableLength < 20 || options.capableVersion != connection.version) return false;
  if (options.capableReceiverKey != connection.localKey) return false;
  return connection.version != MPTCP_V0 || options.capableSenderKey == connection.remoteKey;
}

/** The connection's first subflow works: numbers, windows and the application's event. */
function begin(connection: Connection, subflow: Subflow): void {
  const announced = connection.rcvWindowEnd - connection.rcvNxt;
  // By Fast Open it begins before the peer's key is there.
  const keyed = connection.multipath != 0 && !opensEarly(subflow);
  if (keyed) {
    connection.remoteToken = keyToken(connection.version, connection.remoteKey);
    connection.rcvStart = keyIdsn(connection.version, connection.remoteKey) + 1;
  }
  if (connection.multipath != 0) reserveDss(subflow);
  connection.rcvPlainBase = connection.rcvStart;
  connection.rcvNxt = connection.rcvStart;
  connection.rcvRead = connection.rcvStart;
  connection.rcvWindowEnd = connection.rcvStart + announced;
  connection.sndWindowEnd = connection.sndUna + subflow.sndWindow;
  connection.subflowsTotal++;
  connection.state = <u8>(connection.finState != 0 ? CONNECTION_CLOSING : CONNECTION_ESTABLISHED);
  congestionOpen(subflow);
  keepAliveArm(subflow);
  if (connection.active != 0) {
    eventRaise(connection, EVENT_CONNECTED);
  } else {
    joinAcceptQueue(connection);
    // RFC 6824 section 3.1: no subflow more before a DSS option came.
    if (keyed && connection.version != MPTCP_V0) connectionConfirmed(connection);
  }
  eventNotice(connection, EVENT_SUBFLOW_ESTABLISHED, 0, subflow.id);
  pushLater(connection);
}

function joinDone(connection: Connection, subflow: Subflow): bool {
  // Its RST waits to be sent: the peer's data is on its way to TCP, which has one subflow.
  if (subflow.rstDue != 0) return false;
  const present = (options.mptcp & (1 << SUBTYPE_JOIN)) != 0;
  const version = connection.version;
  if (subflow.join == JOIN_WAIT_ACK) {
    if (!present || options.joinLength != 16) {
      resetDue(subflow, <u8>RESET_MPTCP);
      return false;
    }
    count(COUNTER_MPTCP_MPJoinSynAckRx);
    if (subflow.remotePort != connection.remotePort) count(COUNTER_MPTCP_MPJoinPortSynAckRx);
    subflow.remoteNonce = options.joinNonce;
    if (options.joinBackup != 0) {
      count(COUNTER_MPTCP_MPJoinSynAckBackupRx);
      subflow.flags |= <u8>SUBFLOW_BACKUP_REMOTE;
    }
    subflow.remoteId = <u8>options.joinAddressId;
    joinHmac(version, connection.remoteKey, connection.localKey, subflow.remoteNonce, subflow.localNonce, digest);
    // One comparison of 64 bits: how long it takes tells a guess nothing.
    if (loadBe64(digest) != options.joinHmac64) {
      count(COUNTER_MPTCP_MPJoinSynAckHMacFailure);
      resetDue(subflow, <u8>RESET_MPTCP);
      return false;
    }
    subflow.thirdAckDue = 1;
    ackNow(subflow);
    return true;
  }
  count(COUNTER_MPTCP_MPJoinAckRx);
  if (subflow.localPort != connection.localPort) {
    // The announcement may have been withdrawn since the SYN.
    if (announcedOf(connection, subflow.localHi, subflow.localLo, subflow.localPort) == 0) {
      count(COUNTER_MPTCP_MismatchPortAckRx);
      resetDue(subflow, <u8>RESET_PROHIBITED);
      return false;
    }
    count(COUNTER_MPTCP_MPJoinPortAckRx);
  }
  if (!present || options.joinLength != 24) {
    resetDue(subflow, <u8>RESET_MPTCP);
    return false;
  }
  joinHmac(version, connection.remoteKey, connection.localKey, subflow.remoteNonce, subflow.localNonce, digest);
  // In constant time, so that a guess learns nothing from how long it took.
  let differences: u32 = 0;
  for (let i: u32 = 0; i < JOIN_ACK_HMAC_BYTES; i++)
    differences |= <u32>(load<u8>(digest + i) ^ load<u8>(options.joinHmac + i));
  if (differences != 0) {
    count(COUNTER_MPTCP_MPJoinAckHMacFailure);
    resetDue(subflow, <u8>RESET_MPTCP);
    return false;
  }
  joinProved(subflow);
  // The fourth ACK (RFC 8684 section 3.2) tells the initiator that it may send.
  ackNow(subflow);
  carryData(connection, subflow);
  return true;
}

/** A joined subflow begins to carry data; what hangs on a stalled one may go over it. */
function carryData(connection: Connection, subflow: Subflow): void {
  reserveDss(subflow);
  congestionOpen(subflow);
  keepAliveArm(subflow);
  connection.subflowsTotal++;
  eventNotice(connection, EVENT_SUBFLOW_ESTABLISHED, 0, subflow.id);
  monitorSubflow(connection, subflow, EVENT_SUBFLOW_ESTABLISHED, 0);
  if (connection.rejoinAt != 0) {
    // What waited since the last subflow was lost goes at once.
    connection.rejoinAt = 0;
    connection.rtxAt = 0;
    connection.rtxBackoff = 0;
    if (connection.finState == 2) {
      connection.dataFinDue = 1;
      ackNow(subflow);
    }
    count(COUNTER_REJOIN_DONE);
  }
  if (connection.signals != 0) signalSoon(connection);
  pathEstablished(connection, subflow);
  managerFill(connection);
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const other = changetype<Subflow>(at);
    if (at == changetype<usize>(subflow)) continue;
    if (other.backoff > 0 || (other.rstDue | other.closing) != 0 || linkAt(other.link).up == 0)
      reinjectAgain(connection, other);
  }
  if (isRedundant(connection)) copiesFromFront(connection);
  if (connection.single == SINGLE_WANTED) singleJoined(connection, subflow);
  readyAdd(subflow);
  pushLater(connection);
}
