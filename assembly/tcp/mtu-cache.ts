import { CONFIG_MTU_EXPIRES } from '../abi';
import { now } from '../state/clock';
import { config } from '../state/config';

/**
 * What was learnt of paths, so that the next connection to a destination need not learn it again (RFC 8201 section 5.2,
 * RFC 1191 section 6.1). A path is a link and a destination. A small table: of two destinations in one place the newer
 * stays, which costs the other one no more than to learn again.
 */
@unmanaged
class LearntMtu {
  hi: u64;
  lo: u64;
  /** Until when it counts, µs; 0 for a place not used. */
  until: i64;
  link: i32;
  mtu: u32;
}

const PLACES: u32 = 64;
/** 2^64 divided by the golden ratio: it spreads addresses that differ in a few bits (Fibonacci hashing). */
const GOLDEN: u64 = ((<u64>0x9e3779b9) << 32) | 0x7f4a7c15;
const STRIDE: usize = 32;
const table: usize = memory.data(64 * 32, 8);

export function mtuCacheOpen(): void {
  memory.fill(table, 0, <usize>PLACES * STRIDE);
}

/** Bytes of the largest packet that is known to pass to a destination by a link; 0 when nothing is known. */
export function mtuLearnt(link: i32, hi: u64, lo: u64): u32 {
  const at = place(link, hi, lo);
  return at.hi == hi && at.lo == lo && at.link == link && at.until > now() ? at.mtu : 0;
}

/** Remembers it for CONFIG_MTU_EXPIRES. */
export function mtuLearn(link: i32, hi: u64, lo: u64, mtu: u32): void {
  const at = place(link, hi, lo);
  at.hi = hi;
  at.lo = lo;
  at.link = link;
  at.mtu = mtu;
  at.until = now() + config(CONFIG_MTU_EXPIRES);
}

function place(link: i32, hi: u64, lo: u64): LearntMtu {
  const mixed = (hi ^ lo ^ <u64>link) * GOLDEN;
  return changetype<LearntMtu>(table + <usize>(mixed >> 58) * STRIDE);
}
