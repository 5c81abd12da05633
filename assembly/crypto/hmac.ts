/* HMAC (RFC 2104) with SHA-256 and with SHA-1, whose blocks have the same size. */
import { SHA1_BYTES, sha1, sha1Begin, sha1Finish, sha1Update } from './sha1';
import { SHA256_BYTES, sha256, sha256Begin, sha256Finish, sha256Update } from './sha256';

/** Bytes of the blocks of both hashes. */
const BLOCK_BYTES: u32 = 64;
/** What the key is combined with for the inner and for the outer hash. */
const INNER: u64 = 0x36;
const OUTER: u64 = 0x5c;

/** The key, filled up with zeros to a block. */
const keyBlock: usize = memory.data(64);
/** The digest of the inner hash. */
const inner: usize = memory.data(32);

/** Writes the 32-byte HMAC-SHA256 of a message to `out`. Keys longer than 64 bytes are hashed first. */
export function hmacSha256(key: usize, keyLength: u32, message: usize, messageLength: u32, out: usize): void {
  memory.fill(keyBlock, 0, BLOCK_BYTES);
  if (keyLength > BLOCK_BYTES) sha256(key, keyLength, keyBlock);
  else memory.copy(keyBlock, key, keyLength);
  xorKey(INNER);
  sha256Begin();
  sha256Update(keyBlock, BLOCK_BYTES);
  sha256Update(message, messageLength);
  sha256Finish(inner);
  // Takes the inner pad off and puts the outer pad on.
  xorKey(INNER ^ OUTER);
  sha256Begin();
  sha256Update(keyBlock, BLOCK_BYTES);
  sha256Update(inner, SHA256_BYTES);
  sha256Finish(out);
  memory.fill(keyBlock, 0, BLOCK_BYTES);
}

/** Writes the 20-byte HMAC-SHA1 of a message to `out`. Keys longer than 64 bytes are hashed first. */
export function hmacSha1(key: usize, keyLength: u32, message: usize, messageLength: u32, out: usize): void {
  memory.fill(keyBlock, 0, BLOCK_BYTES);
  if (keyLength > BLOCK_BYTES) sha1(key, keyLength, keyBlock);
  else memory.copy(keyBlock, key, keyLength);
  xorKey(INNER);
  sha1Begin();
  sha1Update(keyBlock, BLOCK_BYTES);
  sha1Update(message, messageLength);
  sha1Finish(inner);
  xorKey(INNER ^ OUTER);
  sha1Begin();
  sha1Update(keyBlock, BLOCK_BYTES);
  sha1Update(inner, SHA1_BYTES);
  sha1Finish(out);
  memory.fill(keyBlock, 0, BLOCK_BYTES);
}

/** Combines every byte of the key with `pad`. */
function xorKey(pad: u64): void {
  const word = pad * 0x01010101;
  const pads = word | (word << 32);
  for (let i: u32 = 0; i < BLOCK_BYTES; i += 8) store<u64>(keyBlock + i, load<u64>(keyBlock + i) ^ pads);
}
