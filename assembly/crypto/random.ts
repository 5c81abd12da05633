/*
 * The random generator: ChaCha20 (RFC 8439 section 2.3) keyed by the seed. Each refill makes two blocks; the first 32
 * bytes become the next key at once, so that what was given out cannot be computed from the state later:
 *
 *   0         32                                             128
 *   | new key | 96 bytes to give out                          |
 */

const REFILL_BYTES: u32 = 128;
const KEY_BYTES: u32 = 32;

const key: usize = memory.data(32);
const nonce: usize = memory.data(12);
const pool: usize = memory.data(128);
const input: usize = memory.data(64);
/** Next byte of `pool` to give out, a multiple of 4. */
let at: u32 = REFILL_BYTES;

/** Starts the generator from 32 bytes, given as little-endian words. The same seed gives the same numbers. */
export function randomSeed(s0: u64, s1: u64, s2: u64, s3: u64): void {
  store<u64>(key, s0);
  store<u64>(key, s1, 8);
  store<u64>(key, s2, 16);
  store<u64>(key, s3, 24);
  at = REFILL_BYTES;
}

/** The next 32 random bits. Without randomSeed() first they are the same in every instance. */
export function randomU32(): u32 {
  if (at >= REFILL_BYTES) refill();
  const value = load<u32>(pool + at);
  store<u32>(pool + at, 0);
  at += 4;
  return value;
}

/** The next 64 random bits. */
export function randomU64(): u64 {
  const low = <u64>randomU32();
  return low | ((<u64>randomU32()) << 32);
}

function refill(): void {
  chacha20Block(key, 0, nonce, pool);
  chacha20Block(key, 1, nonce, pool + 64);
  memory.copy(key, pool, KEY_BYTES);
  memory.fill(pool, 0, KEY_BYTES);
  at = KEY_BYTES;
}

/** Writes the 64 bytes of ChaCha20 block `counter` for a 32-byte key and a 12-byte nonce. */
export function chacha20Block(keyAddress: usize, counter: u32, nonceAddress: usize, out: usize): void {
  store<u32>(input, 0x61707865);
  store<u32>(input, 0x3320646e, 4);
  store<u32>(input, 0x79622d32, 8);
  store<u32>(input, 0x6b206574, 12);
  memory.copy(input + 16, keyAddress, KEY_BYTES);
  store<u32>(input, counter, 48);
  memory.copy(input + 52, nonceAddress, 12);
  memory.copy(out, input, 64);
  for (let i: u32 = 0; i < 10; i++) {
    quarterRound(out, 0, 16, 32, 48);
    quarterRound(out, 4, 20, 36, 52);
    quarterRound(out, 8, 24, 40, 56);
    quarterRound(out, 12, 28, 44, 60);
    quarterRound(out, 0, 20, 40, 60);
    quarterRound(out, 4, 24, 44, 48);
    quarterRound(out, 8, 28, 32, 52);
    quarterRound(out, 12, 16, 36, 56);
  }
  for (let i: u32 = 0; i < 64; i += 4) store<u32>(out + i, load<u32>(out + i) + load<u32>(input + i));
  memory.fill(input, 0, 64);
}

function quarterRound(words: usize, ia: u32, ib: u32, ic: u32, id: u32): void {
  let a = load<u32>(words + ia);
  let b = load<u32>(words + ib);
  let c = load<u32>(words + ic);
  let d = load<u32>(words + id);
  a += b;
  d = rotl<u32>(d ^ a, 16);
  c += d;
  b = rotl<u32>(b ^ c, 12);
  a += b;
  d = rotl<u32>(d ^ a, 8);
  c += d;
  b = rotl<u32>(b ^ c, 7);
  store<u32>(words + ia, a);
  store<u32>(words + ib, b);
  store<u32>(words + ic, c);
  store<u32>(words + id, d);
}
