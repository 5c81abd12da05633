import { CONFIG_BLACKHOLE_TIMEOUT, COUNTER_MPTCP_Blackhole } from '../abi';
import { now } from '../state/clock';
import { config } from '../state/config';
import { count } from '../state/counters';
import { Subflow } from '../state/subflow';

/**
 * Paths on which SYNs with MP_CAPABLE vanish and those without are answered: for a while connections over them do not ask
 * for Multipath TCP, so that each need not wait for its retransmissions. A path is a link and a destination (Linux has
 * one answer for all of them). A small table: of two paths in one place the newer stays.
 */
@unmanaged
class Blackhole {
  hi: u64;
  lo: u64;
  /** Until when it counts, µs; it is remembered beyond that, to count longer the next time. */
  until: i64;
  link: i32;
  /** Times in a row that it was found, 0 for a place not used. */
  times: u32;
}

const PLACES: u32 = 64;
/** 2^64 divided by the golden ratio: it spreads addresses that differ in a few bits (Fibonacci hashing). */
const GOLDEN: u64 = ((<u64>0x9e3779b9) << 32) | 0x7f4a7c15;
const STRIDE: usize = 32;
/** Doublings at most, as Linux. */
const DOUBLINGS: u32 = 6;
const table: usize = memory.data(64 * 32, 8);

export function blackholesOpen(): void {
  memory.fill(table, 0, <usize>PLACES * STRIDE);
}

/** True when a connection over this path shall not ask for Multipath TCP now. */
export function blackholeKnown(link: i32, hi: u64, lo: u64): bool {
  const at = place(link, hi, lo);
  return config(CONFIG_BLACKHOLE_TIMEOUT) != 0 && isOf(at, link, hi, lo) && at.until > now();
}

/** The path of a subflow took a SYN without MP_CAPABLE and none with it: each time in a row counts twice as long. */
export function blackholeFound(subflow: Subflow): void {
  const timeout = config(CONFIG_BLACKHOLE_TIMEOUT);
  if (timeout == 0) return;
  const at = place(subflow.link, subflow.remoteHi, subflow.remoteLo);
  if (!isOf(at, subflow.link, subflow.remoteHi, subflow.remoteLo)) {
    at.hi = subflow.remoteHi;
    at.lo = subflow.remoteLo;
    at.link = subflow.link;
    at.times = 0;
  }
  at.until = now() + (timeout << min<u32>(at.times, DOUBLINGS));
  at.times++;
  count(COUNTER_MPTCP_Blackhole);
}

/** MP_CAPABLE was answered. */
export function blackholePassed(subflow: Subflow): void {
  const at = place(subflow.link, subflow.remoteHi, subflow.remoteLo);
  if (isOf(at, subflow.link, subflow.remoteHi, subflow.remoteLo)) at.times = 0;
}

function isOf(at: Blackhole, link: i32, hi: u64, lo: u64): bool {
  return at.times != 0 && at.hi == hi && at.lo == lo && at.link == link;
}

function place(link: i32, hi: u64, lo: u64): Blackhole {
  const mixed = (hi ^ lo ^ <u64>link) * GOLDEN;
  return changetype<Blackhole>(table + <usize>(mixed >> 58) * STRIDE);
}
