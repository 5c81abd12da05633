/* SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash for tables and cookies that outsiders cannot steer. */

/** The four words of the initial state that the key is combined with. */
const INIT_0: u64 = ((<u64>0x736f6d65) << 32) | 0x70736575;
const INIT_1: u64 = ((<u64>0x646f7261) << 32) | 0x6e646f6d;
const INIT_2: u64 = ((<u64>0x6c796765) << 32) | 0x6e657261;
const INIT_3: u64 = ((<u64>0x74656462) << 32) | 0x79746573;

/** The 64-bit hash of `length` bytes under the 128-bit key k0 (its first 8 bytes, little-endian), k1. */
export function sipHash(k0: u64, k1: u64, data: usize, length: u32): u64 {
  // The four words are locals: globals would go through memory in every step.
  let v0 = k0 ^ INIT_0;
  let v1 = k1 ^ INIT_1;
  let v2 = k0 ^ INIT_2;
  let v3 = k1 ^ INIT_3;
  const end = data + (length & ~7);
  // The last word: what is left, and the length in the highest byte.
  let last: u64 = (<u64>length) << 56;
  for (let i: u32 = 0; i < (length & 7); i++) last |= (<u64>load<u8>(end + i)) << ((<u64>i) << 3);
  for (; data <= end; data += 8) {
    const word = data == end ? last : load<u64>(data);
    v3 ^= word;
    for (let round = 0; round < 2; round++) {
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
    v0 ^= word;
  }
  v2 ^= 0xff;
  for (let round = 0; round < 4; round++) {
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
  return v0 ^ v1 ^ v2 ^ v3;
}
