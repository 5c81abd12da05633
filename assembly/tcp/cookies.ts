import { CONFIG_SACK, CONFIG_TIMESTAMPS } from '../abi';
import { randomU64 } from '../crypto/random';
import { sipHash } from '../crypto/siphash';
import { now } from '../state/clock';
import { config } from '../state/config';
import { isMapped } from '../state/link';
import { OPTION_MSS, OPTION_SACK_PERMITTED, OPTION_TIMESTAMPS, OPTION_WINDOW_SCALE, options } from '../wire/options';
import { packet } from '../wire/packet';
import { segment } from '../wire/segment';
import { tupleHash } from './identity';

/*
 * SYN cookies (RFC 4987 section 3.6): the initial sequence number of a SYN/ACK stands for the connection that is not kept.
 *
 *    31      27 26   24 23                     0
 *   | period   | MSS   | keyed hash             |   + a keyed hash of addresses and ports
 *
 * What else the SYN offered is in the low bits of the SYN/ACK's timestamp, which the third ACK echoes:
 *
 *     5        4        3              0
 *   | unused | SACK   | window scale    |   window scale 15: none
 */

const PERIOD: i64 = 64000000;
/** Periods a cookie is good for behind its own. */
const PERIODS_OLD: u32 = 1;
const OPTION_BITS: u32 = 63;
const BIT_SACK: u32 = 16;
const SCALE_NONE: u32 = 15;
/** MSS values a cookie can stand for, ascending: of Internet paths, tunnels and Ethernet. */
const MSS_VALUES: usize = memory.data<u32>([216, 536, 1220, 1300, 1380, 1440, 1460, 8940]);
const input: usize = memory.data(32, 8);
let k0: u64 = 0;
let k1: u64 = 0;
/** When a cookie was given out last, µs; 0 for never. */
let givenAt: i64 = 0;

/** Takes the secret. Call it after randomSeed(). */
export function cookiesOpen(): void {
  k0 = randomU64();
  k1 = randomU64();
  givenAt = 0;
}

/** True while a cookie that was given out can come back: only then is it worth looking. */
export function cookiesAbout(): bool {
  return givenAt != 0 && now() - givenAt < <i64>(PERIODS_OLD + 1) * PERIOD;
}

/** True when `options` of a SYN have timestamps to answer it with, in which more finds room. */
export function cookieTimestamps(): bool {
  return (options.present & OPTION_TIMESTAMPS) != 0 && config(CONFIG_TIMESTAMPS) != 0;
}

/** What the low bits of the SYN/ACK's timestamp say of the SYN in `options`. */
export function cookieOptions(): u32 {
  if (!cookieTimestamps()) return SCALE_NONE;
  const scale = (options.present & OPTION_WINDOW_SCALE) != 0 ? options.windowScale : SCALE_NONE;
  return scale | ((options.present & OPTION_SACK_PERMITTED) != 0 && config(CONFIG_SACK) != 0 ? BIT_SACK : 0);
}

/** The timestamp `value`, or one a little before it, with the bits in it. */
export function cookieStamp(value: u32, bits: u32): u32 {
  const marked = (value & ~OPTION_BITS) | bits;
  // Never later than the clock: what follows must not look older.
  return <i32>(marked - value) > 0 ? marked - (OPTION_BITS + 1) : marked;
}

/** The initial sequence number in answer to the SYN in `packet`, `segment` and `options`. */
export function cookieMake(): u32 {
  givenAt = now();
  let mss: u32 = isMapped(packet.srcHi, packet.srcLo) ? 536 : 1220;
  if ((options.present & OPTION_MSS) != 0) mss = options.mss;
  let index: u32 = 7;
  while (index > 0 && mssOf(index) > mss) index--;
  return cookie(<u32>(now() / PERIOD), index, cookieOptions(), segment.seq);
}

/**
 * Checks the third ACK in `packet`, `segment` and `options` for a cookie. When it has one, returns true and leaves in
 * `options` what its SYN offered, in place of the ACK's options, but for the timestamp and those of Multipath TCP.
 */
export function cookieTake(): bool {
  const stamped = (options.present & OPTION_TIMESTAMPS) != 0 && config(CONFIG_TIMESTAMPS) != 0;
  const bits = stamped ? options.tsEcr & OPTION_BITS : SCALE_NONE;
  const found = (segment.ack - 1 - <u32>tupleOf()) >> 24;
  const index = found & 7;
  const period = <u32>(now() / PERIOD);
  const age = (period - (found >> 3)) & 31;
  if (age > PERIODS_OLD) return false;
  if (cookie(period - age, index, bits, segment.seq - 1) != segment.ack - 1) return false;
  options.present = OPTION_MSS;
  options.mss = mssOf(index);
  if (stamped) options.present |= OPTION_TIMESTAMPS;
  if ((bits & BIT_SACK) != 0) options.present |= OPTION_SACK_PERMITTED;
  if ((bits & 15) != SCALE_NONE) {
    options.present |= OPTION_WINDOW_SCALE;
    options.windowScale = bits & 15;
  }
  return true;
}

/**
 * The key of Multipath TCP that goes with the cookie `iss`, the `attempt`-th of them, for a peer whose SYN had the number
 * `peerSeq`. It is not kept either: who echoes one shows that it came from here (RFC 8684 section 3.1).
 */
export function cookieKey(iss: u32, peerSeq: u32, attempt: u32): u64 {
  store<u64>(input, tupleOf());
  store<u32>(input, iss, 8);
  store<u32>(input, peerSeq, 12);
  store<u64>(input, attempt, 16);
  store<u64>(input, 0, 24);
  // No cookie is the hash of so many bytes.
  return sipHash(k0, k1, input, 32);
}

function mssOf(index: u32): u32 {
  return load<u32>(MSS_VALUES + ((<usize>index) << 2));
}

function cookie(period: u32, index: u32, bits: u32, peerSeq: u32): u32 {
  const tuple = tupleOf();
  store<u64>(input, tuple);
  store<u32>(input, period, 8);
  store<u32>(input, (index << 8) | bits, 12);
  store<u32>(input, peerSeq, 16);
  store<u32>(input, 0, 20);
  const hash = <u32>sipHash(k0, k1, input, 24);
  return <u32>tuple + (((period & 31) << 27) | (index << 24) | (hash & 0xffffff));
}

function tupleOf(): u64 {
  return tupleHash(k0, k1, packet.dstHi, packet.dstLo, segment.dstPort, packet.srcHi, packet.srcLo, segment.srcPort);
}
