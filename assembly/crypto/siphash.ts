/* SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash for tables and cookies that outsiders cannot steer. */

/** The four words of the initial state that the key is combined with. */
const INIT_0: u64 = ((<u64>0x736f6d65) << 32) | 0x70736575;
const INIT_1: u64 = ((<u64>0x646f7261) << 32) | 0x6e646f6d;
const INIT_2: u64 = ((<u64>0x6c796765) << 32) | 0x6e657261;
const INIT_3: u64 = ((<u64>0x74656462) << 32) | 0x79746573;

let v0: u64 = 0;
let v1: u64 = 0;
let v2: u64 = 0;
let v3: u64 = 0;

/** The 64-bit hash of `length` bytes under the 128-bit key k0 (its first 8 bytes, little-endian), k1. */
export function sipHash(k0: u64, k1: u64, data: usize, length: u32): u64 {
  v0 = k0 ^ INIT_0;
  v1 = k1 ^ INIT_1;
  v2 = k0 ^ INIT_2;
  v3 = k1 ^ INIT_3;
  let left = length;
  while (left >= 8) {
    absorb(load<u64>(data));
    data += 8;
    left -= 8;
  }
  // The last word: what is left, and the length in the highest byte.
  let last: u64 = (<u64>length) << 56;
  for (let i: u32 = 0; i < left; i++) last |= (<u64>load<u8>(data + i)) << ((<u64>i) << 3);
  absorb(last);
  v2 ^= 0xff;
  round();
  round();
  round();
  round();
  return v0 ^ v1 ^ v2 ^ v3;
}

function absorb(word: u64): void {
  v3 ^= word;
  round();
  round();
  v0 ^= word;
}

function round(): void {
  v0 += v1;
  v1 = rotl<u64>(v1, 13) ^ v0;
  v0 = rotl<u64>(v0, 32);
  v2 += v3;
  v3 = rotl<u64>(v3, 16) ^ v2;
  v0 += v3;
  v3 = rotl<u64>(v3, 21) ^ v0;
  v2 += v1;
  v1 = rotl<u64>(v1, 17) ^ v2;
  v2 = rotl<u64>(v2, 32);
}
