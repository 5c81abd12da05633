/*
 * SHA-1 (FIPS 180-4 section 6.1), which version 0 of Multipath TCP derives tokens and numbers with (RFC 6824 section
 * 3.1). One hash at a time: the state is static.
 */

/** Bytes of a digest, and of the block the hash works on. */
export const SHA1_BYTES: u32 = 20;
export const SHA1_BLOCK_BYTES: u32 = 64;

/** The five working words, native byte order. */
const state: usize = memory.data(20, 4);
/** The message schedule. */
const schedule: usize = memory.data(320, 4);
/** Bytes not hashed yet. */
const block: usize = memory.data(64, 8);
/** Bytes in `block`, below SHA1_BLOCK_BYTES between calls. */
let blockLength: u32 = 0;
/** Bytes taken since sha1Begin(). */
let messageLength: u64 = 0;

/** Writes the 20-byte digest of `length` bytes at `data` to `out`, which may overlap them. */
export function sha1(data: usize, length: u32, out: usize): void {
  sha1Begin();
  sha1Update(data, length);
  sha1Finish(out);
}

/** Begins a hash and gives up the one before. */
export function sha1Begin(): void {
  store<u32>(state, 0x67452301);
  store<u32>(state, 0xefcdab89, 4);
  store<u32>(state, 0x98badcfe, 8);
  store<u32>(state, 0x10325476, 12);
  store<u32>(state, 0xc3d2e1f0, 16);
  blockLength = 0;
  messageLength = 0;
}

/** Hashes further bytes. */
export function sha1Update(data: usize, length: u32): void {
  messageLength += <u64>length;
  if (blockLength != 0) {
    const taken = min<u32>(length, SHA1_BLOCK_BYTES - blockLength);
    memory.copy(block + blockLength, data, taken);
    blockLength += taken;
    data += taken;
    length -= taken;
    if (blockLength < SHA1_BLOCK_BYTES) return;
    compress(block);
    blockLength = 0;
  }
  while (length >= SHA1_BLOCK_BYTES) {
    compress(data);
    data += SHA1_BLOCK_BYTES;
    length -= SHA1_BLOCK_BYTES;
  }
  memory.copy(block, data, length);
  blockLength = length;
}

/** Writes the 20-byte digest of all bytes since sha1Begin(). */
export function sha1Finish(out: usize): void {
  // Section 5.1.1: a one bit, zeros, and the message's length in bits as the last 8 bytes of a block.
  store<u8>(block + blockLength, 0x80);
  blockLength += 1;
  if (blockLength > 56) {
    memory.fill(block + blockLength, 0, SHA1_BLOCK_BYTES - blockLength);
    compress(block);
    blockLength = 0;
  }
  memory.fill(block + blockLength, 0, 56 - blockLength);
  store<u64>(block + 56, bswap<u64>(messageLength << 3));
  compress(block);
  for (let i: u32 = 0; i < SHA1_BYTES; i += 4) store<u32>(out + i, bswap<u32>(load<u32>(state + i)));
}

function compress(data: usize): void {
  for (let i: u32 = 0; i < 64; i += 4) store<u32>(schedule + i, bswap<u32>(load<u32>(data + i)));
  for (let i: u32 = 64; i < 320; i += 4) {
    const at = schedule + i;
    store<u32>(at, rotl<u32>(load<u32>(at - 12) ^ load<u32>(at - 32) ^ load<u32>(at - 56) ^ load<u32>(at - 64), 1));
  }
  let a = load<u32>(state);
  let b = load<u32>(state, 4);
  let c = load<u32>(state, 8);
  let d = load<u32>(state, 12);
  let e = load<u32>(state, 16);
  for (let i: u32 = 0; i < 320; i += 4) {
    // Section 4.1.1, and the constants of section 4.2.1: a function of the round for every 20 words.
    let mixed: u32;
    if (i < 80) mixed = ((b & c) ^ (~b & d)) + 0x5a827999;
    else if (i < 160) mixed = (b ^ c ^ d) + 0x6ed9eba1;
    else if (i < 240) mixed = ((b & c) ^ (b & d) ^ (c & d)) + 0x8f1bbcdc;
    else mixed = (b ^ c ^ d) + 0xca62c1d6;
    const next = rotl<u32>(a, 5) + mixed + e + load<u32>(schedule + i);
    e = d;
    d = c;
    c = rotl<u32>(b, 30);
    b = a;
    a = next;
  }
  store<u32>(state, load<u32>(state) + a);
  store<u32>(state, load<u32>(state, 4) + b, 4);
  store<u32>(state, load<u32>(state, 8) + c, 8);
  store<u32>(state, load<u32>(state, 12) + d, 12);
  store<u32>(state, load<u32>(state, 16) + e, 16);
}
