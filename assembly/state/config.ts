import {
  CONFIG_ADD_ADDR_TIMEOUT,
  CONFIG_ALLOW_JOIN_INITIAL_ADDR_PORT,
  CONFIG_BLACKHOLE_TIMEOUT,
  CONFIG_CHALLENGE_ACK_LIMIT,
  CONFIG_CHECKSUM_ENABLED,
  CONFIG_CLOSE_TIMEOUT,
  CONFIG_CONGESTION,
  CONFIG_CONNECT_VERSIONS,
  CONFIG_DELAYED_ACK,
  CONFIG_DSN64,
  CONFIG_ECN,
  CONFIG_FAIL_TIMEOUT,
  CONFIG_FASTCLOSE_ACK,
  CONFIG_FASTOPEN,
  CONFIG_FASTOPEN_PENDING,
  CONFIG_FRTO,
  CONFIG_HOP_LIMIT,
  CONFIG_HYSTART,
  CONFIG_IDLE_RESTART,
  CONFIG_INITIAL_WINDOW,
  CONFIG_INVALID_RATE_LIMIT,
  CONFIG_JOINS_PENDING,
  CONFIG_JOINS_PENDING_TOTAL,
  CONFIG_KEEPALIVE,
  CONFIG_KEEPALIVE_COUNT,
  CONFIG_KEEPALIVE_IDLE,
  CONFIG_KEEPALIVE_INTERVAL,
  CONFIG_LIMIT_ADD_ADDR_ACCEPTED,
  CONFIG_LIMIT_SUBFLOWS,
  CONFIG_LINGER,
  CONFIG_LISTEN_VERSIONS,
  CONFIG_MAP_BYTES,
  CONFIG_MPTCP_ENABLED,
  CONFIG_MTU_EXPIRES,
  CONFIG_MTU_PROBING,
  CONFIG_NO_DELAY,
  CONFIG_PACING,
  CONFIG_RECEIVE_BUFFER,
  CONFIG_RECEIVE_BUFFER_MAX,
  CONFIG_RETRIES,
  CONFIG_RTO_INITIAL,
  CONFIG_RTO_MAX,
  CONFIG_RTO_MIN,
  CONFIG_SACK,
  CONFIG_SCHEDULER,
  CONFIG_SEND_BUFFER,
  CONFIG_SEND_BUFFER_MAX,
  CONFIG_SHARD,
  CONFIG_SHARDS,
  CONFIG_STALE_LOSS_CNT,
  CONFIG_SYN_COOKIES,
  CONFIG_SYN_RETRIES,
  CONFIG_SYN_RETRIES_BEFORE_FALLBACK,
  CONFIG_TAIL_LOSS_PROBE,
  CONFIG_TIME_WAIT,
  CONFIG_TIMESTAMPS,
  CONFIG_USER_TIMEOUT,
  CONFIG_VERSION_EXPIRES,
  CONFIG_VERSION_RETRY,
  CONFIG_WINDOW_SCALE,
  CONGESTION_CUBIC,
  CONGESTION_LIA,
  CONGESTION_RENO,
  ERR_INVALID,
  SCHEDULER_MIN_RTT,
} from '../abi';

/** The values of the stack, by CONFIG_ key, each with the range it may have. */

const SECOND: i64 = 1000000;
const DAY: i64 = 86400 * SECOND;
/** Room for keys; some numbers name nothing. */
const KEYS: i32 = 128;

const values: usize = memory.data(128 * 8, 8);
const lows: usize = memory.data(128 * 8, 8);
const highs: usize = memory.data(128 * 8, 8);

/** Sets every value to its default; `budget` bounds the buffers of one connection. */
export function configOpen(budget: i64): void {
  const buffer = min<i64>(128 << 10, budget / 32);
  const most = min<i64>(32 << 20, budget / 4);
  define(CONFIG_MPTCP_ENABLED, 1, 0, 1);
  define(CONFIG_CHECKSUM_ENABLED, 0, 0, 1);
  define(CONFIG_ADD_ADDR_TIMEOUT, 120 * SECOND, 0, DAY);
  define(CONFIG_ALLOW_JOIN_INITIAL_ADDR_PORT, 1, 0, 1);
  define(CONFIG_CLOSE_TIMEOUT, 60 * SECOND, 0, DAY);
  define(CONFIG_STALE_LOSS_CNT, 4, 1, 255);
  define(CONFIG_LIMIT_SUBFLOWS, 2, 0, 31);
  define(CONFIG_LIMIT_ADD_ADDR_ACCEPTED, 0, 0, 31);
  define(CONFIG_SCHEDULER, SCHEDULER_MIN_RTT, SCHEDULER_MIN_RTT, SCHEDULER_MIN_RTT);
  define(CONFIG_CONGESTION, CONGESTION_LIA, CONGESTION_RENO, CONGESTION_CUBIC);
  define(CONFIG_SEND_BUFFER, buffer, 4096, 1 << 30);
  define(CONFIG_RECEIVE_BUFFER, buffer, 4096, 1 << 25);
  // Twice what the fastest paths in use hold; more would only be out of reach of the processor's cache.
  define(CONFIG_SEND_BUFFER_MAX, min<i64>(16 << 20, most), 4096, 1 << 30);
  define(CONFIG_RECEIVE_BUFFER_MAX, most, 4096, 1 << 25);
  define(CONFIG_NO_DELAY, 0, 0, 1);
  define(CONFIG_KEEPALIVE, 0, 0, 1);
  define(CONFIG_KEEPALIVE_IDLE, 7200 * SECOND, SECOND / 1000, 30 * DAY);
  define(CONFIG_KEEPALIVE_INTERVAL, 75 * SECOND, SECOND / 1000, 30 * DAY);
  define(CONFIG_KEEPALIVE_COUNT, 9, 1, 255);
  define(CONFIG_RTO_INITIAL, SECOND, SECOND / 1000, 60 * SECOND);
  define(CONFIG_RTO_MIN, SECOND / 5, SECOND / 1000, 60 * SECOND);
  define(CONFIG_RTO_MAX, 120 * SECOND, SECOND / 1000, 1000 * SECOND);
  define(CONFIG_DELAYED_ACK, SECOND / 25, 0, SECOND / 2);
  define(CONFIG_TIME_WAIT, 60 * SECOND, 0, DAY);
  define(CONFIG_SYN_RETRIES, 6, 0, 127);
  define(CONFIG_SYN_RETRIES_BEFORE_FALLBACK, 2, 0, 127);
  define(CONFIG_RETRIES, 15, 1, 255);
  define(CONFIG_TIMESTAMPS, 1, 0, 1);
  define(CONFIG_SACK, 1, 0, 1);
  define(CONFIG_WINDOW_SCALE, 15, 0, 15);
  define(CONFIG_INITIAL_WINDOW, 10, 1, 1000);
  define(CONFIG_MAP_BYTES, 65535, 536, 65535);
  define(CONFIG_HOP_LIMIT, 64, 1, 255);
  define(CONFIG_DSN64, 1, 0, 1);
  define(CONFIG_PACING, 0, 0, 1);
  define(CONFIG_HYSTART, 1, 0, 1);
  define(CONFIG_TAIL_LOSS_PROBE, 1, 0, 1);
  define(CONFIG_FRTO, 1, 0, 1);
  define(CONFIG_IDLE_RESTART, 1, 0, 1);
  define(CONFIG_MTU_PROBING, 1, 0, 1);
  define(CONFIG_MTU_EXPIRES, 600 * SECOND, SECOND, DAY);
  define(CONFIG_ECN, 0, 0, 2);
  define(CONFIG_SHARDS, 1, 1, 64);
  define(CONFIG_SHARD, 0, 0, 63);
  define(CONFIG_CHALLENGE_ACK_LIMIT, 1000, 1, 1 << 30);
  define(CONFIG_INVALID_RATE_LIMIT, SECOND / 2, 0, DAY);
  define(CONFIG_USER_TIMEOUT, 0, 0, DAY);
  define(CONFIG_LINGER, -1, -1, DAY);
  define(CONFIG_SYN_COOKIES, 1, 0, 2);
  define(CONFIG_FASTOPEN, 0, 0, 3);
  define(CONFIG_FASTOPEN_PENDING, 128, 0, 65535);
  define(CONFIG_BLACKHOLE_TIMEOUT, 3600 * SECOND, 0, DAY);
  define(CONFIG_FASTCLOSE_ACK, 0, 0, 1);
  define(CONFIG_JOINS_PENDING, 8, 0, 31);
  define(CONFIG_JOINS_PENDING_TOTAL, 256, 0, 65535);
  define(CONFIG_FAIL_TIMEOUT, 120 * SECOND, SECOND / 1000, DAY);
  define(CONFIG_CONNECT_VERSIONS, 2, 1, 3);
  define(CONFIG_LISTEN_VERSIONS, 3, 1, 3);
  define(CONFIG_VERSION_RETRY, 1, 0, 1);
  define(CONFIG_VERSION_EXPIRES, 3600 * SECOND, SECOND, 30 * DAY);
}

export function config(key: i32): i64 {
  return load<i64>(values + ((<usize>key) << 3));
}

export function configKnown(key: i32): bool {
  return key > 0 && key < KEYS && load<i64>(highs + ((<usize>key) << 3)) != 0;
}

/** Returns 0, or ERR_INVALID for an unknown key or a value out of its range. */
export function configCheck(key: i32, value: i64): i32 {
  if (!configKnown(key)) return ERR_INVALID;
  const at = (<usize>key) << 3;
  return value >= load<i64>(lows + at) && value <= load<i64>(highs + at) ? 0 : ERR_INVALID;
}

export function configStore(key: i32, value: i64): void {
  store<i64>(values + ((<usize>key) << 3), value);
}

function define(key: i32, value: i64, low: i64, high: i64): void {
  const at = (<usize>key) << 3;
  store<i64>(values + at, value);
  store<i64>(lows + at, low);
  store<i64>(highs + at, high);
}
