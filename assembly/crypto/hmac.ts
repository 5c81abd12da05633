/* HMAC (RFC 2104) with SHA-256. */
import { SHA256_BLOCK_BYTES, SHA256_BYTES, sha256, sha256Begin, sha256Finish, sha256Update } from './sha256';

/** The key, filled up with zeros to a block. */
const keyBlock: usize = memory.data(64);
/** The digest of the inner hash. */
const inner: usize = memory.data(32);

/** Writes the 32-byte HMAC-SHA256 of a message to `out`. Keys longer than 64 bytes are hashed first. */
export function hmacSha256(key: usize, keyLength: u32, message: usize, messageLength: u32, out: usize): void {
  memory.fill(keyBlock, 0, SHA256_BLOCK_BYTES);
  if (keyLength > SHA256_BLOCK_BYTES) sha256(key, keyLength, keyBlock);
  else memory.copy(keyBlock, key, keyLength);
  xorKey(0x36);
  sha256Begin();
  sha256Update(keyBlock, SHA256_BLOCK_BYTES);
  sha256Update(message, messageLength);
  sha256Finish(inner);
  // Takes the inner pad off and puts the outer pad on.
  xorKey(0x36 ^ 0x5c);
  sha256Begin();
  sha256Update(keyBlock, SHA256_BLOCK_BYTES);
  sha256Update(inner, SHA256_BYTES);
  sha256Finish(out);
  memory.fill(keyBlock, 0, SHA256_BLOCK_BYTES);
}

/** Combines every byte of the key with `pad`. */
function xorKey(pad: u64): void {
  const word = pad * 0x01010101;
  const pads = word | (word << 32);
  for (let i: u32 = 0; i < SHA256_BLOCK_BYTES; i += 8) store<u64>(keyBlock + i, load<u64>(keyBlock + i) ^ pads);
}
