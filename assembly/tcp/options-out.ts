import {
  CONFIG_ALLOW_JOIN_INITIAL_ADDR_PORT,
  CONFIG_DSN64,
  COUNTER_MPTCP_AddAddrTx,
  COUNTER_MPTCP_EchoAddTx,
  COUNTER_MPTCP_InfiniteMapTx,
  COUNTER_MPTCP_MPCapableSYNTX,
  COUNTER_MPTCP_MPFailTx,
  COUNTER_MPTCP_MPFastcloseTx,
  COUNTER_MPTCP_MPJoinSynTx,
  COUNTER_MPTCP_MPPrioTx,
  COUNTER_MPTCP_MPRstTx,
  COUNTER_MPTCP_RmAddrTx,
  FALLBACK_CHECKSUM,
  RESET_MIDDLEBOX,
  RESET_OUTSTANDING,
  RESET_PERFORMANCE,
  RESET_RESOURCES,
  SUBFLOW_BACKUP_LOCAL,
  SUBFLOW_INITIAL,
  TCP_SYN_RECEIVED,
  TCP_SYN_SENT,
} from '../abi';
import { Range, rangeFirst } from '../memory/ranges';
import { seqLt } from '../memory/sequence';
import { nowMs } from '../state/clock';
import { config } from '../state/config';
import { Connection, SIGNAL_DUE_ANNOUNCE, SIGNAL_DUE_ECHO, SIGNAL_DUE_REMOVE } from '../state/connection';
import { count } from '../state/counters';
import { DataMap } from '../state/datamap';
import { LocalAddress, RemoteAddress } from '../state/path';
import {
  FAIL_DUE,
  FASTCLOSE_DUE,
  JOIN_NONE,
  JOIN_WAIT_SINGLE,
  ownerOf,
  RST_FASTCLOSE,
  RST_PLAIN,
  Subflow,
  subflowRanges,
} from '../state/subflow';
import { loadBe64, storeBe32 } from '../wire/bytes';
import { checksumFold, sumWord16, sumWord32, sumWord64 } from '../wire/checksum';
import { addAddressHmac, joinHmac } from '../wire/keys';
import {
  addAddrLength,
  CAPABLE_FLAG_A,
  CAPABLE_FLAG_C,
  CAPABLE_FLAG_H,
  DSS_A,
  DSS_a,
  DSS_F,
  DSS_M,
  DSS_m,
  dssLength,
  MPTCP_V0,
  RST_FLAG_T,
  writeAddAddr,
  writeAddAddrV0,
  writeCapableAck,
  writeCapableData,
  writeCapableSyn,
  writeCapableSynAck,
  writeDss,
  writeDssData,
  writeFail,
  writeFastclose,
  writeJoinAck,
  writeJoinSyn,
  writeJoinSynAck,
  writePrio,
  writeRemoveAddr,
  writeReset,
} from '../wire/mptcp';
import {
  writeMss,
  writeSackHeader,
  writeSackPermitted,
  writeSackTimestamps,
  writeTimestamps,
  writeWindowScale,
} from '../wire/options';
import { fastOpenOption } from './fast-open';
import { ownMss } from './handshake';
import { timestampNow } from './timestamps';

/** Writes the options of outgoing segments and shares their 40 bytes. Each function returns the bytes written. */

const OPTION_ROOM: u32 = 40;
/** MP_CAPABLE of version 1, which alone goes with Fast Open. */
const CAPABLE_SYN_BYTES: u32 = 4;
const CAPABLE_SYN_ACK_BYTES: u32 = 12;
/** Bytes of a stretch, and how long they take at 2^32 bytes in four minutes, ms. */
const STRETCH: u32 = 1 << 24;
const STRETCH_TIME: u32 = 937;
const digest: usize = memory.data(32, 8);

function timestamps(p: usize, subflow: Subflow): u32 {
  return writeTimestamps(p, timestampNow(subflow), subflow.tsRecent);
}

function capableFlags(connection: Connection): u32 {
  let flags = CAPABLE_FLAG_H;
  if (connection.checksum != 0) flags |= CAPABLE_FLAG_A;
  // RFC 6824 section 3.1 has that bit for algorithms.
  if (connection.version != MPTCP_V0 && config(CONFIG_ALLOW_JOIN_INITIAL_ADDR_PORT) == 0) flags |= CAPABLE_FLAG_C;
  return flags;
}

/** SYN and SYN/ACK (RFC 8684 sections 3.1 and 3.2): with the longest MP_JOIN they fill the 40 bytes exactly. */
export function synOptions(p: usize, subflow: Subflow, connection: Connection): u32 {
  const first = subflow.state == TCP_SYN_SENT;
  let at = writeMss(p, ownMss(subflow));
  const echo = first ? 0 : subflow.tsRecent;
  if (subflow.fastOpen != 0 && subflow.sack != 0 && subflow.timestamps != 0) {
    // The longest cookie fits the 40 bytes only so.
    at += writeSackTimestamps(p + at, timestampNow(subflow), echo);
  } else {
    if (subflow.sack != 0) at += writeSackPermitted(p + at);
    if (subflow.timestamps != 0) at += writeTimestamps(p + at, timestampNow(subflow), echo);
  }
  if (first || subflow.scaled != 0) at += writeWindowScale(p + at, subflow.rcvShift);
  const multipath = connection.multipath != 0 && subflow.synPlain == 0;
  if (subflow.fastOpen != 0) {
    const capable: u32 = multipath ? (first ? CAPABLE_SYN_BYTES : CAPABLE_SYN_ACK_BYTES) : 0;
    at += fastOpenOption(p + at, subflow, connection, OPTION_ROOM - at - capable);
  }
  if (!multipath) return at;
  if ((subflow.flags & SUBFLOW_INITIAL) != 0) {
    if (first) {
      count(COUNTER_MPTCP_MPCapableSYNTX);
      return at + writeCapableSyn(p + at, connection.version, capableFlags(connection), connection.localKey);
    }
    return at + writeCapableSynAck(p + at, connection.version, capableFlags(connection), connection.localKey);
  }
  const backup = (subflow.flags & SUBFLOW_BACKUP_LOCAL) != 0;
  if (first) {
    count(COUNTER_MPTCP_MPJoinSynTx);
    return at + writeJoinSyn(p + at, backup, subflow.localId, connection.remoteToken, subflow.localNonce);
  }
  joinHmac(
    connection.version,
    connection.localKey,
    connection.remoteKey,
    subflow.localNonce,
    subflow.remoteNonce,
    digest,
  );
  // Leftmost 64 bits.
  return at + writeJoinSynAck(p + at, backup, subflow.localId, loadBe64(digest), subflow.localNonce);
}

/** The third ACK of a handshake of Multipath TCP: keys, or the full HMAC. */
export function thirdAckOptions(p: usize, subflow: Subflow, connection: Connection): u32 {
  const at = subflow.timestamps != 0 ? timestamps(p, subflow) : 0;
  const version = connection.version;
  if ((subflow.flags & SUBFLOW_INITIAL) != 0)
    return at + writeCapableAck(p + at, version, capableFlags(connection), connection.localKey, connection.remoteKey);
  joinHmac(version, connection.localKey, connection.remoteKey, subflow.localNonce, subflow.remoteNonce, digest);
  return at + writeJoinAck(p + at, digest);
}

/** True while the first data has the keys in the place of a DSS option. RFC 6824 section 3.1 has the third ACK for them. */
function repeatsKeys(connection: Connection): bool {
  return connection.confirmed == 0 && connection.active != 0 && connection.version != MPTCP_V0;
}

/** A segment with bytes of a map. */
export function dataOptions(p: usize, subflow: Subflow, connection: Connection, map: DataMap, seq: u32): u32 {
  const at = subflow.timestamps != 0 ? timestamps(p, subflow) : 0;
  if (connection.multipath == 0) return connection.infiniteDue == 0 ? at : at + infiniteOption(p + at, connection, seq);
  const hasChecksum = connection.checksum != 0;
  if (repeatsKeys(connection) && seq == subflow.iss + 1 && map.seq == seq) {
    // RFC 8684 section 3.1: the first data carries the keys again until the peer has shown that it has them.
    return (
      at +
      writeCapableData(
        p + at,
        capableFlags(connection),
        connection.localKey,
        connection.remoteKey,
        map.length,
        map.checksum,
        hasChecksum,
      )
    );
  }
  const ssn = map.seq - subflow.iss;
  if (config(CONFIG_DSN64) != 0)
    return at + writeDssData(p + at, connection.rcvNxt, map.dsn, ssn, map.length, map.checksum, hasChecksum);
  measureStretch(connection, map.dsn);
  const flags = DSS_A | DSS_M | ackWidth(connection) | numberWidth(connection);
  return at + writeDss(p + at, flags, connection.rcvNxt, map.dsn, ssn, map.length, map.checksum, hasChecksum);
}

/** RFC 8684 section 3.3.2: a data sequence number of eight bytes MUST be acknowledged with eight. */
function ackWidth(connection: Connection): u32 {
  return config(CONFIG_DSN64) != 0 || connection.rcvWide != 0 ? DSS_a : 0;
}

function numberWidth(connection: Connection): u32 {
  return config(CONFIG_DSN64) != 0 || connection.sndWide != 0 ? DSS_m : 0;
}

/**
 * RFC 8684 section 3.3.1: who sends so fast that 32 bits could wrap within the MSL, two minutes, MUST write 64 bits. Half
 * that rate over one stretch is enough; before the first wrap come 256 of them.
 */
function measureStretch(connection: Connection, dsn: u64): void {
  if (connection.sndWide != 0) return;
  const time = max<u32>(nowMs(), 1);
  if (connection.stretchAt != 0) {
    if (seqLt(<u32>dsn, connection.stretchDsn + STRETCH)) return;
    if (time - connection.stretchAt < STRETCH_TIME) connection.sndWide = 1;
  }
  connection.stretchDsn = <u32>dsn;
  connection.stretchAt = time;
}

/**
 * RFC 8684 section 3.7: the infinite mapping, from the last byte on that the peer is known to have intact. A segment with
 * it can be lost: all have it until the first was acknowledged. Its checksum is 0 (section 3.3.1).
 */
function infiniteOption(p: usize, connection: Connection, seq: u32): u32 {
  if (connection.infiniteSent == 0) {
    connection.infiniteSent = 1;
    connection.infiniteSeq = seq;
    count(COUNTER_MPTCP_InfiniteMapTx);
  }
  let flags = DSS_M | numberWidth(connection);
  if (connection.lateMaps != 0 || connection.multipath != 0) flags |= DSS_A | ackWidth(connection);
  return writeDss(
    p,
    flags,
    connection.rcvNxt,
    connection.infiniteDsn,
    connection.infiniteSsn,
    0,
    0,
    connection.infiniteDue == 2,
  );
}

/** Whether ackOptions() wrote a signal: an option of Multipath TCP that is no DSS. */
let signalWritten = false;

export function wroteSignal(): bool {
  return signalWritten;
}

/**
 * True when an ACK has the infinite mapping: of a joined subflow that is to be, or is, the only one (section 3.7), and where
 * both sides found changed data and one of them may have nothing to send.
 */
function tellsInfinite(subflow: Subflow, connection: Connection): bool {
  if (connection.infiniteDue == 0) return false;
  if (connection.multipath != 0) return subflow.join == JOIN_WAIT_SINGLE;
  return subflow.join != JOIN_NONE || connection.fallback == FALLBACK_CHECKSUM;
}

/**
 * A segment without bytes: MP_FASTCLOSE alone; or MP_FAIL, MP_PRIO, DATA_ACK, DATA_FIN, address signals and SACK blocks as
 * they fit, MP_PRIO and address signals only with `signals`. Without `owed` there are only signals to tell, and address
 * signals go without a DATA_ACK. Beside timestamps there is room for MP_FAIL and a DATA_ACK, or a DATA_ACK and two SACK
 * blocks, or a DATA_ACK and an IPv4 address, or a DATA_FIN.
 */
export function ackOptions(p: usize, subflow: Subflow, connection: Connection | null, signals: bool, owed: bool): u32 {
  let at: u32 = 0;
  signalWritten = false;
  // Before the third ACK with its keys or HMAC there is nothing to tell of the data sequence.
  if (subflow.state == TCP_SYN_RECEIVED) connection = null;
  if (signals && !owed && connection !== null && connection.signals != 0 && subflow.failDue == 0)
    return bareSignals(p, subflow, connection);
  if (subflow.timestamps != 0) at += timestamps(p, subflow);
  if (subflow.failDue == FASTCLOSE_DUE && connection !== null) {
    // It is alone in its segment.
    subflow.failDue = 0;
    signalWritten = true;
    count(COUNTER_MPTCP_MPFastcloseTx);
    return at + writeFastclose(p + at, connection.remoteKey);
  }
  if (subflow.failDue == FAIL_DUE && subflow.rstDue == 0) {
    subflow.failDue = 0;
    signalWritten = true;
    count(COUNTER_MPTCP_MPFailTx);
    at += writeFail(p + at, subflow.failDsn);
  }
  if (signals && subflow.prioDue != 0 && connection !== null && connection.multipath != 0) {
    // A DATA_FIN does not fit beside it, SACK blocks take what is left.
    at += prioOption(p + at, subflow);
    if (connection.dataFinDue != 0) return at;
  }
  const repeated: u32 = subflow.duplicateStart != subflow.duplicateEnd ? 1 : 0;
  const blocks = subflow.sack != 0 ? subflowRanges(subflow).count + repeated : 0;
  if (connection !== null && (connection.multipath != 0 || connection.lateMaps != 0)) {
    // Eight bytes leave room for one SACK block beside the timestamps.
    let flags = DSS_A | ackWidth(connection);
    const fin = connection.dataFinDue != 0;
    if (fin) flags |= DSS_M | DSS_F | numberWidth(connection);
    const hasChecksum = connection.checksum != 0;
    if (tellsInfinite(subflow, connection)) {
      if (connection.multipath != 0) connection.infiniteDsn = connection.sndUna;
      at += infiniteOption(p + at, connection, subflow.sndNxt);
    } else if (at + dssLength(flags, hasChecksum) <= OPTION_ROOM) {
      // RFC 8684 section 3.3.3: DATA_FIN without data maps one octet to subflow sequence number 0.
      at += writeDss(
        p + at,
        flags,
        connection.rcvNxt,
        connection.sndEnd,
        0,
        1,
        hasChecksum ? dssChecksum(connection.sndEnd, 0, 1, 0) : 0,
        hasChecksum,
      );
      if (fin) {
        connection.dataFinDue = 0;
        connection.finState = 2;
      }
    }
  }
  if (blocks > 0) {
    if (at + 12 <= OPTION_ROOM) at += sackBlocks(p + at, subflow, (OPTION_ROOM - at - 4) >> 3);
  } else if (signals && connection !== null && connection.signals != 0) {
    at += addressSignals(p + at, connection, OPTION_ROOM - at);
  }
  return at;
}

/** RST with its reason, or MP_FASTCLOSE (RFC 8684 sections 3.5 to 3.7). Version 0 has no MP_TCPRST. */
export function resetOptions(p: usize, subflow: Subflow, connection: Connection | null): u32 {
  if (connection === null || connection.multipath == 0 || subflow.rstReason == RST_PLAIN) return 0;
  if (subflow.rstReason == RST_FASTCLOSE) {
    count(COUNTER_MPTCP_MPFastcloseTx);
    const at = writeFastclose(p, connection.remoteKey);
    if (connection.version == MPTCP_V0) return at;
    count(COUNTER_MPTCP_MPRstTx);
    return at + writeReset(p + at, 0, 0);
  }
  let at: u32 = 0;
  if (subflow.failDue == FAIL_DUE) {
    count(COUNTER_MPTCP_MPFailTx);
    at += writeFail(p, subflow.failDsn);
  }
  if (connection.version == MPTCP_V0) return at;
  count(COUNTER_MPTCP_MPRstTx);
  return at + writeReset(p + at, triesAgain(subflow) ? RST_FLAG_T : 0, subflow.rstReason);
}

/** True when the peer of a subflow may try again: without another one also where data was changed. */
export function triesAgain(subflow: Subflow): bool {
  if (subflow.rstReason == RESET_MIDDLEBOX) return subflow.owner != 0 && ownerOf(subflow).subflowCount == 1;
  return isTransient(subflow.rstReason);
}

/** RFC 8684 section 3.6, flag T: the peer may try again later. */
export function isTransient(reason: u32): bool {
  return reason == RESET_RESOURCES || reason == RESET_OUTSTANDING || reason == RESET_PERFORMANCE;
}

/**
 * DSS checksum (RFC 8684 section 3.3): over the pseudo-header of data sequence number, subflow sequence number, length
 * and zero, and the mapped bytes, whose sum the caller gives.
 */
export function dssChecksum(dsn: u64, ssn: u32, length: u32, sum: u64): u32 {
  return checksumFold(sumWord16(length, sumWord32(ssn, sumWord64(dsn, sum))));
}

/** Signals alone: addresses, timestamps, and MP_PRIO if there is room for it. */
function bareSignals(p: usize, subflow: Subflow, connection: Connection): u32 {
  const beside = OPTION_ROOM - (subflow.timestamps != 0 ? <u32>12 : 0);
  let at = addressSignals(p, connection, beside);
  // An ADD_ADDR for IPv6 with a port leaves no room for timestamps; Linux leaves them out there too.
  if (at == 0) return addressSignals(p, connection, OPTION_ROOM);
  if (subflow.prioDue != 0 && at + 4 <= beside) at += prioOption(p + at, subflow);
  if (subflow.timestamps != 0) at += timestamps(p + at, subflow);
  return at;
}

/** RFC 8684 section 3.3.8. */
function prioOption(p: usize, subflow: Subflow): u32 {
  subflow.prioDue = 0;
  signalWritten = true;
  count(COUNTER_MPTCP_MPPrioTx);
  return writePrio(p, (subflow.flags & SUBFLOW_BACKUP_LOCAL) != 0, 0, false);
}

/** REMOVE_ADDR, and one ADD_ADDR or echo of one, as they fit into `room` bytes. */
function addressSignals(p: usize, connection: Connection, room: u32): u32 {
  let at: u32 = 0;
  if ((connection.signals & SIGNAL_DUE_REMOVE) != 0 && ((<u32>connection.removeCount + 6) & ~3) <= room) {
    connection.signals &= ~SIGNAL_DUE_REMOVE;
    store<u64>(digest, connection.removeIds);
    at = writeRemoveAddr(p, digest, connection.removeCount);
    connection.removeCount = 0;
    connection.removeIds = 0;
    count(COUNTER_MPTCP_RmAddrTx);
  }
  if ((connection.signals & SIGNAL_DUE_ECHO) != 0) at += echoOption(p + at, connection, room - at);
  else if ((connection.signals & SIGNAL_DUE_ANNOUNCE) != 0) at += announceOption(p + at, connection, room - at);
  if (at != 0) signalWritten = true;
  return at;
}

function echoOption(p: usize, connection: Connection, room: u32): u32 {
  let at = connection.remoteAddresses;
  while (changetype<RemoteAddress>(at).echoDue == 0) at = changetype<RemoteAddress>(at).next;
  const remote = changetype<RemoteAddress>(at);
  if (addAddrLength(remote.hi, remote.lo, remote.port, false) > room) return 0;
  remote.echoDue = 0;
  remote.echoed = 1;
  at = remote.next;
  while (at != 0 && changetype<RemoteAddress>(at).echoDue == 0) at = changetype<RemoteAddress>(at).next;
  if (at == 0) connection.signals &= ~SIGNAL_DUE_ECHO;
  count(COUNTER_MPTCP_EchoAddTx);
  return writeAddAddr(p, true, remote.id, remote.hi, remote.lo, remote.port, 0);
}

function announceOption(p: usize, connection: Connection, room: u32): u32 {
  let at = connection.localAddresses;
  while (changetype<LocalAddress>(at).due != 1) at = changetype<LocalAddress>(at).next;
  const local = changetype<LocalAddress>(at);
  if (addAddrLength(local.hi, local.lo, local.port, connection.version != MPTCP_V0) > room) return 0;
  local.due = 0;
  if (local.tries < 255) local.tries++;
  at = local.next;
  while (at != 0 && changetype<LocalAddress>(at).due != 1) at = changetype<LocalAddress>(at).next;
  if (at == 0) connection.signals &= ~SIGNAL_DUE_ANNOUNCE;
  count(COUNTER_MPTCP_AddAddrTx);
  if (connection.version == MPTCP_V0) {
    // RFC 6824 section 3.4.1: nobody will echo it, so once has to do.
    local.echoed = 1;
    return writeAddAddrV0(p, local.id, local.hi, local.lo, local.port);
  }
  const hmac = addAddressHmac(connection.localKey, connection.remoteKey, local.id, local.hi, local.lo, local.port);
  return writeAddAddr(p, false, local.id, local.hi, local.lo, local.port, hmac);
}

/**
 * Up to `room` SACK blocks: what arrived twice (RFC 2883 section 4), the one that changed last, then the others (RFC
 * 2018 section 4).
 */
function sackBlocks(p: usize, subflow: Subflow, room: u32): u32 {
  const ranges = subflowRanges(subflow);
  const repeated: u32 = subflow.duplicateStart != subflow.duplicateEnd ? 1 : 0;
  const blocks = min<u32>(min<u32>(ranges.count + repeated, room), 4);
  const length = writeSackHeader(p, blocks);
  let at = p + 4;
  let written: u32 = 0;
  if (repeated != 0) {
    storeBe32(at, subflow.duplicateStart);
    storeBe32(at + 4, subflow.duplicateEnd);
    at += 8;
    written++;
    subflow.duplicateStart = subflow.duplicateEnd;
    if (written == blocks) return length;
  }
  const recent = ranges.recent;
  if (recent != 0) {
    at = sackBlock(at, subflow, changetype<Range>(recent));
    written++;
  }
  for (let range = rangeFirst(ranges); range != 0 && written < blocks; range = changetype<Range>(range).next) {
    if (range == recent) continue;
    at = sackBlock(at, subflow, changetype<Range>(range));
    written++;
  }
  return length;
}

function sackBlock(p: usize, subflow: Subflow, range: Range): usize {
  storeBe32(p, subflow.rcvNxt + <u32>(range.start - subflow.rcvOffset));
  storeBe32(p + 4, subflow.rcvNxt + <u32>(range.end - subflow.rcvOffset));
  return p + 8;
}
