import {
  CONFIG_ALLOW_JOIN_INITIAL_ADDR_PORT,
  CONFIG_CHECKSUM_ENABLED,
  CONFIG_HOP_LIMIT,
  CONFIG_RECEIVE_BUFFER,
  COUNTER_DROP_BACKLOG,
  COUNTER_DROP_NO_MEMORY,
  COUNTER_SYN_COOKIE_BAD,
  COUNTER_SYN_COOKIE_GOOD,
  COUNTER_SYN_COOKIE_OUT,
  ERR_DROPPED,
  ERR_NO_MEMORY,
} from '../abi';
import { sessionInput } from '../session/input';
import { cookieOpen } from '../session/open';
import { tokenOfCookie } from '../session/tokens';
import { listenVersions, NO_VERSION, synVersion } from '../session/versions';
import { config } from '../state/config';
import { count } from '../state/counters';
import { isMapped, Link } from '../state/link';
import { Listener, listenerFor } from '../state/listener';
import { Subflow } from '../state/subflow';
import { cookieMake, cookieOptions, cookieStamp, cookiesAbout, cookieTake, cookieTimestamps } from '../tcp/cookies';
import { windowShift } from '../tcp/handshake';
import { timestampForSyn } from '../tcp/identity';
import { storeBe16 } from '../wire/bytes';
import { checksumFold, sumBytes, sumPseudoHeader } from '../wire/checksum';
import { CAPABLE_FLAG_A, CAPABLE_FLAG_C, CAPABLE_FLAG_H, MPTCP_V0, writeCapableSynAck } from '../wire/mptcp';
import {
  OPTION_SACK_PERMITTED,
  OPTION_WINDOW_SCALE,
  options,
  parseOptions,
  writeMss,
  writeSackPermitted,
  writeTimestamps,
  writeWindowScale,
} from '../wire/options';
import { PROTOCOL_TCP, packet, writeIpHeader } from '../wire/packet';
import { segment, TCP_FLAG_ACK, TCP_FLAG_SYN, writeTcpHeader } from '../wire/segment';
import { replyPage, replyQueue } from './replies';

/** SYN cookies (RFC 4987 section 3.6): connections of a full backlog are kept by the peer, in what it echoes. */

/** Below this the smallest segment a cookie can stand for is too large for the peer. */
const MSS_LEAST: u32 = 216;

/** Answers the SYN in `segment` and `options` and keeps nothing of it. Returns false when that is not possible. */
export function replyCookie(link: Link, listener: Listener): bool {
  if (options.mss != 0 && options.mss < MSS_LEAST) return false;
  const page = replyPage();
  if (page == 0) return false;
  const v4 = isMapped(packet.srcHi, packet.srcLo);
  const ipBytes: u32 = v4 ? 20 : 40;
  const tcp = page + ipBytes;
  const iss = cookieMake();
  const length = 20 + cookieSynOptions(tcp + 20, link.mtu - ipBytes - 20, listener, iss);
  writeIpHeader(
    page,
    packet.dstHi,
    packet.dstLo,
    packet.srcHi,
    packet.srcLo,
    PROTOCOL_TCP,
    length,
    <u32>config(CONFIG_HOP_LIMIT),
    0,
    0,
  );
  writeTcpHeader(
    tcp,
    segment.dstPort,
    segment.srcPort,
    iss,
    segment.seq + 1,
    TCP_FLAG_SYN | TCP_FLAG_ACK,
    <u32>min<i64>(config(CONFIG_RECEIVE_BUFFER), 65535),
    length - 20,
  );
  const pseudo = sumPseudoHeader(packet.dstHi, packet.dstLo, packet.srcHi, packet.srcLo, PROTOCOL_TCP, length, 0);
  storeBe16(tcp + 16, checksumFold(sumBytes(tcp, length, pseudo)));
  count(COUNTER_SYN_COOKIE_OUT);
  replyQueue(link, page, ipBytes + length);
  return true;
}

/**
 * Takes the segment in `segment` and `options`, which belongs to no connection, as the ACK of a cookie. Returns 0 or an
 * error as mptcp_ingest does, or 1 when it is none.
 */
export function ingestCookie(linkIndex: i32): i32 {
  if (!cookiesAbout()) return 1;
  const at = listenerFor(packet.dstHi, packet.dstLo, segment.dstPort);
  if (at == 0) return 1;
  const listener = changetype<Listener>(at);
  if (!cookieTake()) {
    count(COUNTER_SYN_COOKIE_BAD);
    return 1;
  }
  if (listener.waiting >= listener.backlog) {
    // The peer believes to be connected: it will send again.
    count(COUNTER_DROP_BACKLOG);
    return ERR_DROPPED;
  }
  const opened = cookieOpen(listener, linkIndex, segment.ack - 1);
  if (opened == 0) {
    count(COUNTER_DROP_NO_MEMORY);
    return ERR_NO_MEMORY;
  }
  count(COUNTER_SYN_COOKIE_GOOD);
  parseOptions(segment.options, segment.optionsLength);
  sessionInput(changetype<Subflow>(opened));
  return 0;
}

/** The options of the SYN/ACK; returns their bytes. Without timestamps an MSS is all that can be remembered. */
function cookieSynOptions(p: usize, mss: u32, listener: Listener, iss: u32): u32 {
  let at = writeMss(p, mss);
  if (cookieTimestamps()) {
    const bits = cookieOptions();
    if ((options.present & OPTION_SACK_PERMITTED) != 0 && (bits & 16) != 0) at += writeSackPermitted(p + at);
    at += writeTimestamps(p + at, cookieStamp(timestampForSyn(), bits), options.tsVal);
    if ((options.present & OPTION_WINDOW_SCALE) != 0) at += writeWindowScale(p + at, windowShift());
  }
  const version = synVersion(listenVersions(listener));
  if (version == NO_VERSION) return at;
  // Of version 1 the SYN has no key, and the field is 0.
  const key = tokenOfCookie(version, options.capableSenderKey, iss);
  if (key == 0) return at;
  let flags = CAPABLE_FLAG_H;
  if (config(CONFIG_CHECKSUM_ENABLED) != 0 || (options.capableFlags & CAPABLE_FLAG_A) != 0) flags |= CAPABLE_FLAG_A;
  if (version != MPTCP_V0 && config(CONFIG_ALLOW_JOIN_INITIAL_ADDR_PORT) == 0) flags |= CAPABLE_FLAG_C;
  return at + writeCapableSynAck(p + at, version, flags, key);
}
