import {
  CONFIG_FASTOPEN,
  CONFIG_FASTOPEN_PENDING,
  COUNTER_FASTOPEN_ACTIVE,
  COUNTER_FASTOPEN_ACTIVE_FAIL,
  COUNTER_FASTOPEN_OVERFLOW,
  COUNTER_FASTOPEN_PASSIVE,
  COUNTER_FASTOPEN_PASSIVE_FAIL,
} from '../abi';
import { randomU64 } from '../crypto/random';
import { sipHash } from '../crypto/siphash';
import { now } from '../state/clock';
import { config } from '../state/config';
import { Connection } from '../state/connection';
import { count } from '../state/counters';
import {
  FAST_OPEN_ASKED,
  FAST_OPEN_DATA,
  FAST_OPEN_EARLY,
  FAST_OPEN_FAILED,
  FAST_OPEN_GRANT,
  FAST_OPEN_SENT,
  FAST_OPEN_TRIED,
  Subflow,
} from '../state/subflow';
import { MPTCP_V0 } from '../wire/mptcp';
import { fastOpenFits, OPTION_FAST_OPEN, options, writeFastOpen } from '../wire/options';
import { segment } from '../wire/segment';

/**
 * TCP Fast Open (RFC 7413): bytes travel with the SYN, to a server that knows by a cookie that the client's address is
 * its own. The server keeps no account of cookies. The client keeps them in a small table: of two servers in one place
 * the newer stays, which costs the other one no more than to be asked again.
 */

/** Bits of CONFIG_FASTOPEN. */
const CLIENT: i64 = 1;
const SERVER: i64 = 2;

/** What the client knows of a server (section 4.1.3), as seen from one of its own addresses. */
@unmanaged
class Server {
  hi: u64;
  lo: u64;
  localHi: u64;
  localLo: u64;
  /** The cookie, as it came. */
  cookie0: u64;
  cookie1: u64;
  /** Until when it counts, µs; 0 for a place not used. */
  until: i64;
  /** Before, no SYN has the option: one with it was not answered, or its bytes were not taken (section 4.1.3.1). */
  retryAt: i64;
  mss: u32;
  /** Bytes of the cookie, 0 when there is none. */
  length: u8;
  /** How often in a row it failed. */
  failures: u8;
}

const PLACES: u32 = 64;
/** 2^64 divided by the golden ratio: it spreads addresses that differ in a few bits (Fibonacci hashing). */
const GOLDEN: u64 = ((<u64>0x9e3779b9) << 32) | 0x7f4a7c15;
const STRIDE: usize = 80;
const servers: usize = memory.data(64 * 80, 8);
const EXPIRES: i64 = 24 * 3600 * 1000000;
/** How long a failure counts, doubled by each that follows it, up to a bit more than an hour. */
const RETRY: i64 = 60000000;
const RETRY_DOUBLED: u32 = 6;

/** Bytes of this server's cookies, and of those that have to share a SYN with MP_CAPABLE: the first of the same bytes. */
const COOKIE_BYTES: u32 = 8;
const COOKIE_SHORT: u32 = 6;
const COOKIE_LEAST: u32 = 4;
/** How long a key makes cookies; those of the one before are good as long again (section 4.1.2). */
const KEY_LIVES: i64 = 6 * 3600 * 1000000;
const input: usize = memory.data(32, 8);
const cookieOut: usize = memory.data(16, 8);
let k0: u64 = 0;
let k1: u64 = 0;
let before0: u64 = 0;
let before1: u64 = 0;
/** When the key began to count, µs; -1 for never. */
let keyAt: i64 = -1;

/** Connections that opened by a cookie and whose third ACK is still to come. */
let pending: u32 = 0;
/** Of these, those that an RST ended in the time that began at resetAt. */
let resets: u32 = 0;
let resetAt: i64 = 0;
/** An RST frees its place only then, µs: else who forges SYNs could forge RSTs, too, and have no limit (section 5.1). */
const RESET_COUNTS: i64 = 60000000;

export function fastOpenOpen(): void {
  memory.fill(servers, 0, <usize>PLACES * STRIDE);
  keyAt = -1;
  pending = 0;
  resets = 0;
  resetAt = 0;
}

/** The application asks for Fast Open on a subflow that has sent nothing. */
export function fastOpenAsk(subflow: Subflow): void {
  if ((config(CONFIG_FASTOPEN) & CLIENT) != 0) subflow.fastOpen = FAST_OPEN_ASKED;
}

/**
 * Writes the option of a SYN or SYN/ACK, if it is to have one and `room` bytes are enough; returns its bytes. Call it only
 * while fastOpen is set.
 */
export function fastOpenOption(p: usize, subflow: Subflow, connection: Connection, room: u32): u32 {
  if ((subflow.fastOpen & FAST_OPEN_GRANT) != 0) {
    keysTurn();
    store<u64>(cookieOut, cookieOf(k0, k1, subflow));
    // RFC 8684 appendix B.1: "it is up to the listener to avoid this problem by using a shorter cookie".
    const length = fastOpenFits(COOKIE_BYTES, room) ? COOKIE_BYTES : COOKIE_SHORT;
    return fastOpenFits(length, room) ? writeFastOpen(p, cookieOut, length) : 0;
  }
  // RFC 6824 knows nothing of bytes in a SYN, and its key leaves no room for most cookies.
  if ((subflow.fastOpen & FAST_OPEN_ASKED) == 0 || hasOldKeys(connection)) return 0;
  if (subflow.synTries != 0) {
    // Section 4.1.3.1: again without, as something on the path may drop SYNs with an option or bytes.
    if ((subflow.fastOpen & FAST_OPEN_TRIED) != 0) fastOpenFailed(subflow);
    return 0;
  }
  const server = placeOf(subflow);
  const known = isOf(server, subflow) && server.until > now();
  if (known && server.retryAt > now()) return 0;
  if (!known || server.length == 0) {
    subflow.fastOpen |= FAST_OPEN_TRIED;
    return writeFastOpen(p, 0, 0);
  }
  // A cookie without bytes would open nothing any sooner.
  if (connection.sndEnd == connection.sndUna) return 0;
  // Of both MP_CAPABLE is worth more: a long cookie waits for a connection of plain TCP.
  if (!fastOpenFits(server.length, room)) return 0;
  subflow.fastOpen |= FAST_OPEN_TRIED | FAST_OPEN_SENT;
  return writeFastOpen(p, changetype<usize>(server) + offsetof<Server>('cookie0'), server.length);
}

function hasOldKeys(connection: Connection): bool {
  return connection.multipath != 0 && connection.version == MPTCP_V0;
}

/** How many bytes go with the SYN whose options, `optionsLength` bytes, fastOpenOption() has seen; notes them. */
export function fastOpenData(subflow: Subflow, connection: Connection, optionsLength: u32): u32 {
  if ((subflow.fastOpen & FAST_OPEN_SENT) == 0 || subflow.synTries != 0) return 0;
  // Section 4.2.2: as many as one segment has room for, by the MSS that the server told last.
  const most = min<u32>(placeOf(subflow).mss, subflow.mss + subflow.mssOptions);
  if (most <= optionsLength) return 0;
  const bytes = <u32>min<u64>(connection.sndEnd - connection.sndUna, most - optionsLength);
  subflow.synBytes = <u16>bytes;
  subflow.bytesSent += bytes;
  subflow.dataSegmentsOut++;
  return bytes;
}

/** Learns from the SYN/ACK in `options`; `taken` bytes of the SYN were acknowledged (sections 4.1.3 and 4.2.2). */
export function fastOpenAnswered(subflow: Subflow, taken: u32): void {
  const granted = (options.present & OPTION_FAST_OPEN) != 0 && options.fastOpenLength >= COOKIE_LEAST;
  if ((subflow.fastOpen & FAST_OPEN_TRIED) != 0 && granted) {
    const server = placeFor(subflow);
    memory.copy(
      changetype<usize>(server) + offsetof<Server>('cookie0'),
      options.fastOpenCookie,
      options.fastOpenLength,
    );
    server.length = <u8>options.fastOpenLength;
    server.mss = subflow.peerMss;
    server.until = now() + EXPIRES;
  }
  if (taken != 0) {
    subflow.fastOpen |= FAST_OPEN_DATA;
    count(COUNTER_FASTOPEN_ACTIVE);
    const server = placeFor(subflow);
    server.failures = 0;
    server.retryAt = 0;
  } else if ((subflow.fastOpen & FAST_OPEN_SENT) != 0) {
    // With a new cookie in the place of the wrong one it is worth trying again.
    if (!granted) fastOpenFailed(subflow);
    else if ((subflow.fastOpen & FAST_OPEN_FAILED) == 0) count(COUNTER_FASTOPEN_ACTIVE_FAIL);
  }
}

/** Remembers that a SYN with the option was of no use (section 4.1.3.1). */
export function fastOpenFailed(subflow: Subflow): void {
  if ((subflow.fastOpen & FAST_OPEN_FAILED) != 0) return;
  subflow.fastOpen |= FAST_OPEN_FAILED;
  if ((subflow.fastOpen & FAST_OPEN_SENT) != 0) count(COUNTER_FASTOPEN_ACTIVE_FAIL);
  const server = placeFor(subflow);
  server.retryAt = now() + (RETRY << min<u32>(server.failures, RETRY_DOUBLED));
  if (server.failures < 255) server.failures++;
}

/**
 * Looks at the option of the SYN in `options`, which `subflow` answers (section 4.2.2). Returns true when its cookie is
 * right: then its bytes count, and others may go back, before the third ACK.
 */
export function fastOpenAccept(subflow: Subflow): bool {
  if ((options.present & OPTION_FAST_OPEN) == 0 || (config(CONFIG_FASTOPEN) & SERVER) == 0) return false;
  if (options.fastOpenLength == 0) {
    subflow.fastOpen = FAST_OPEN_GRANT;
    return false;
  }
  const ended = now() - resetAt < RESET_COUNTS ? resets : 0;
  if (<i64>(pending + ended) >= config(CONFIG_FASTOPEN_PENDING)) {
    count(COUNTER_FASTOPEN_OVERFLOW);
    return false;
  }
  keysTurn();
  const right = isCookie(cookieOf(k0, k1, subflow));
  const older = isCookie(cookieOf(before0, before1, subflow));
  if (!right) subflow.fastOpen = FAST_OPEN_GRANT;
  if (!right && !older) {
    count(COUNTER_FASTOPEN_PASSIVE_FAIL);
    return false;
  }
  count(COUNTER_FASTOPEN_PASSIVE);
  subflow.fastOpen |= FAST_OPEN_EARLY;
  if (segment.payloadLength != 0) subflow.fastOpen |= FAST_OPEN_DATA;
  pending++;
  return true;
}

/** True when the SYN in `options` has this cookie, or the shorter form of it. */
function isCookie(cookie: u64): bool {
  const length = options.fastOpenLength;
  if (length != COOKIE_BYTES && length != COOKIE_SHORT) return false;
  return (load<u64>(options.fastOpenCookie) ^ cookie) << ((COOKIE_BYTES - length) << 3) == 0;
}

/** The third ACK came, or the subflow ends without it. Call it only while fastOpen has FAST_OPEN_EARLY. */
export function fastOpenSettled(subflow: Subflow): void {
  subflow.fastOpen &= ~FAST_OPEN_EARLY;
  pending--;
}

/** An RST came in the place of the third ACK. */
export function fastOpenReset(): void {
  if (now() - resetAt >= RESET_COUNTS) {
    resetAt = now();
    resets = 0;
  }
  resets++;
}

function cookieOf(key0: u64, key1: u64, subflow: Subflow): u64 {
  store<u64>(input, subflow.remoteHi);
  store<u64>(input, subflow.remoteLo, 8);
  store<u64>(input, subflow.localHi, 16);
  store<u64>(input, subflow.localLo, 24);
  return sipHash(key0, key1, input, 32);
}

function keysTurn(): void {
  const age = now() - keyAt;
  if (keyAt >= 0 && age < KEY_LIVES) return;
  const successor = keyAt >= 0 && age < 2 * KEY_LIVES;
  before0 = successor ? k0 : randomU64();
  before1 = successor ? k1 : randomU64();
  k0 = randomU64();
  k1 = randomU64();
  keyAt = now();
}

function placeOf(subflow: Subflow): Server {
  const mixed = (subflow.remoteHi ^ subflow.remoteLo) * GOLDEN;
  return changetype<Server>(servers + <usize>(mixed >> 58) * STRIDE);
}

function isOf(server: Server, subflow: Subflow): bool {
  return (
    server.hi == subflow.remoteHi &&
    server.lo == subflow.remoteLo &&
    server.localHi == subflow.localHi &&
    server.localLo == subflow.localLo
  );
}

/** The place of a server, made its own if it was another's. */
function placeFor(subflow: Subflow): Server {
  const server = placeOf(subflow);
  if (isOf(server, subflow) && server.until > now()) return server;
  memory.fill(changetype<usize>(server), 0, STRIDE);
  server.hi = subflow.remoteHi;
  server.lo = subflow.remoteLo;
  server.localHi = subflow.localHi;
  server.localLo = subflow.localLo;
  server.mss = subflow.peerMss;
  server.until = now() + EXPIRES;
  return server;
}
