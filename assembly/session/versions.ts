import {
  CONFIG_CONNECT_VERSIONS,
  CONFIG_LISTEN_VERSIONS,
  CONFIG_MPTCP_ENABLED,
  CONFIG_VERSION_EXPIRES,
  CONNECT_PLAIN_TCP,
  CONNECT_VERSION_0,
  CONNECT_VERSION_1,
} from '../abi';
import { now } from '../state/clock';
import { config } from '../state/config';
import { Connection } from '../state/connection';
import { Listener } from '../state/listener';
import { Subflow } from '../state/subflow';
import {
  CAPABLE_FLAG_A,
  CAPABLE_FLAG_B,
  CAPABLE_FLAG_C,
  CAPABLE_FLAG_H,
  MPTCP_V0,
  MPTCP_V1,
  SUBTYPE_CAPABLE,
} from '../wire/mptcp';
import { options } from '../wire/options';

/**
 * Which version of Multipath TCP a connection has (RFC 8684 section 3.1): what a side may use, what a SYN or SYN/ACK asks
 * for, and what is known of destinations. A peer that has version 0 only ignores a SYN of version 1, as it lacks the key;
 * the answer looks like that of plain TCP. To find out takes another SYN, and what it finds is remembered for a while, in
 * a small table: of two destinations in one place the newer stays.
 */

/** No version: plain TCP. */
export const NO_VERSION: i32 = -1;
/** Bits of a set of versions. */
export const VERSION_BIT_0: u32 = 1;
export const VERSION_BIT_1: u32 = 2;
const BOTH: u32 = 3;

/** What is known of a destination, of which version 1 got no MP_CAPABLE: nothing more, version 0 did, it did not either. */
const ASK_V0: u32 = 1;
const HAS_V0: u32 = 2;
const HAS_NONE: u32 = 3;

@unmanaged
class Destination {
  hi: u64;
  lo: u64;
  port: u32;
  known: u32;
  /** Until when it counts, µs; 0 for a place not used. */
  until: i64;
}

const PLACES: u32 = 64;
/** 2^64 divided by the golden ratio: it spreads addresses that differ in a few bits (Fibonacci hashing). */
const GOLDEN: u64 = ((<u64>0x9e3779b9) << 32) | 0x7f4a7c15;
const STRIDE: usize = 32;
const destinations: usize = memory.data(64 * 32, 8);

export function versionsOpen(): void {
  if (offsetof<Destination>() > STRIDE) ERROR('a Destination does not fit its place');
  memory.fill(destinations, 0, <usize>PLACES * STRIDE);
}

/** The versions that a connection asked for with these CONNECT_ flags may have; none for plain TCP. */
export function connectVersions(flags: i32): u32 {
  return allowed(flags, CONFIG_CONNECT_VERSIONS);
}

/** The versions that a listener takes. */
export function listenVersions(listener: Listener): u32 {
  return allowed(<i32>listener.flags, CONFIG_LISTEN_VERSIONS);
}

function allowed(flags: i32, key: i32): u32 {
  if (config(CONFIG_MPTCP_ENABLED) == 0 || (flags & CONNECT_PLAIN_TCP) != 0) return 0;
  const named =
    ((flags & CONNECT_VERSION_0) != 0 ? VERSION_BIT_0 : 0) | ((flags & CONNECT_VERSION_1) != 0 ? VERSION_BIT_1 : 0);
  return named != 0 ? named : <u32>config(key);
}

/** True when the stack has version 1, whose peers know MP_TCPRST. */
export function hasVersion1(): bool {
  return ((config(CONFIG_LISTEN_VERSIONS) | config(CONFIG_CONNECT_VERSIONS)) & VERSION_BIT_1) != 0;
}

/** True when the options of a SYN have an MP_CAPABLE, of whatever version. */
export function capablePresent(): bool {
  return (options.mptcp & (1 << SUBTYPE_CAPABLE)) != 0;
}

/**
 * The version in which the SYN in `options` is to be answered, by a side that has `versions`. RFC 8684 section 3.1: a
 * higher version is answered with the highest this side has that asks for no more than the SYN tells.
 */
export function synVersion(versions: u32): i32 {
  if (!capableValid()) return NO_VERSION;
  // RFC 6824 section 3.1: the SYN has the key. Without it, as in every later version, version 0 is of no use.
  if (options.capableVersion == MPTCP_V0)
    return (versions & VERSION_BIT_0) != 0 && options.capableLength == 12 ? MPTCP_V0 : NO_VERSION;
  return (versions & VERSION_BIT_1) != 0 && options.capableLength == 4 ? MPTCP_V1 : NO_VERSION;
}

/**
 * The version of the SYN/ACK in `options`, which answers a SYN of version `offered`: that one, or a lower one of
 * `versions` (RFC 8684 section 3.1).
 */
export function synAckVersion(versions: u32, offered: u32): i32 {
  if (!capableValid() || options.capableLength != 12) return NO_VERSION;
  const version = options.capableVersion;
  return version <= offered && (versions & (1 << version)) != 0 ? version : NO_VERSION;
}

/** RFC 8684 and RFC 6824 section 3.1: without flag H, or with flag B, MP_CAPABLE is ignored. */
function capableValid(): bool {
  return capablePresent() && (options.capableFlags & (CAPABLE_FLAG_B | CAPABLE_FLAG_H)) == CAPABLE_FLAG_H;
}

/** What the peer's MP_CAPABLE in `options` asks of both sides. Version 0 has no flag C (RFC 6824 section 3.1). */
export function takeCapableFlags(connection: Connection): void {
  if ((options.capableFlags & CAPABLE_FLAG_A) != 0) connection.checksum = 1;
  if (connection.version != MPTCP_V0 && (options.capableFlags & CAPABLE_FLAG_C) != 0) connection.denyJoinInitial = 1;
}

/** The version for the SYN to a destination. */
export function firstVersion(versions: u32, hi: u64, lo: u64, port: u32): u32 {
  if (versions != BOTH) return versions == VERSION_BIT_0 ? MPTCP_V0 : MPTCP_V1;
  const place = placeOf(hi, lo, port);
  const useV0 = isOf(place, hi, lo, port) && (place.known == ASK_V0 || place.known == HAS_V0);
  return useV0 ? MPTCP_V0 : MPTCP_V1;
}

/** True when it is worth to ask the peer of a subflow with version 0, as its SYN/ACK has nothing of version 1. */
export function worthVersion0(connection: Connection, subflow: Subflow): bool {
  if (connection.versions != BOTH || connection.version != MPTCP_V1) return false;
  const place = placeOf(subflow.remoteHi, subflow.remoteLo, subflow.remotePort);
  return !isOf(place, subflow.remoteHi, subflow.remoteLo, subflow.remotePort) || place.known != HAS_NONE;
}

/**
 * Remembers how the peer of a subflow answered a SYN of the connection's version: with `answer`. With `asking`, another
 * SYN finds out more.
 */
export function versionLearnt(connection: Connection, subflow: Subflow, answer: i32, asking: bool): void {
  if (connection.versions != BOTH) return;
  const place = placeOf(subflow.remoteHi, subflow.remoteLo, subflow.remotePort);
  const known = isOf(place, subflow.remoteHi, subflow.remoteLo, subflow.remotePort) ? place.known : 0;
  if (answer == MPTCP_V1) {
    if (known != 0) place.until = 0;
    return;
  }
  let learnt: u32;
  if (answer == MPTCP_V0) learnt = HAS_V0;
  else if (connection.version == MPTCP_V0) learnt = HAS_NONE;
  else learnt = ASK_V0;
  // What is known does not become younger by that: now and then version 1 has its chance.
  if (asking || known == learnt || (known == HAS_NONE && learnt == ASK_V0)) return;
  place.hi = subflow.remoteHi;
  place.lo = subflow.remoteLo;
  place.port = subflow.remotePort;
  place.known = learnt;
  place.until = now() + config(CONFIG_VERSION_EXPIRES);
}

function placeOf(hi: u64, lo: u64, port: u32): Destination {
  const mixed = (hi ^ lo ^ ((<u64>port) << 48)) * GOLDEN;
  return changetype<Destination>(destinations + <usize>(mixed >> 58) * STRIDE);
}

function isOf(place: Destination, hi: u64, lo: u64, port: u32): bool {
  return place.until > now() && place.hi == hi && place.lo == lo && place.port == port;
}
