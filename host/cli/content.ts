import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';

const PATTERN_BYTES = 1 << 18;
const STAMP_EVERY = 4096;

let pattern: Buffer | undefined;

/**
 * Bytes of a body that anyone can make again: a pseudo-random pattern in which every 4,096 bytes begin with their own
 * offset, so that bytes lost, repeated or exchanged show in the hash. `offset` is a multiple of 262,144.
 */
function contentChunk(offset: number, length: number): Buffer {
  pattern ??= makePattern();
  const chunk = Buffer.allocUnsafe(length);
  pattern.copy(chunk, 0, 0, length);
  for (let at = 0; at + 8 <= length; at += STAMP_EVERY) chunk.writeBigUInt64BE(BigInt(offset + at), at);
  return chunk;
}

/** The generator xorshift32 (Marsaglia 2003): bytes without a period that a wrong offset could hide behind. */
function makePattern(): Buffer {
  const words = new Uint32Array(PATTERN_BYTES / 4);
  let x = 0x9e3779b9;
  for (let i = 0; i < words.length; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    words[i] = x;
  }
  return Buffer.from(words.buffer);
}

/** The first `size` bytes of the body, in chunks. */
export function* contentChunks(size: number): Generator<Buffer> {
  for (let offset = 0; offset < size; offset += PATTERN_BYTES) {
    yield contentChunk(offset, Math.min(PATTERN_BYTES, size - offset));
  }
}

/** The first `size` bytes of the body as a stream; made as they are asked for. */
export function contentStream(size: number): Readable {
  return Readable.from(contentChunks(size), { objectMode: false, highWaterMark: PATTERN_BYTES });
}

const hashes = new Map<number, string>();

/** SHA-256 of the first `size` bytes, hexadecimal. */
export function contentHash(size: number): string {
  let digest = hashes.get(size);
  if (digest === undefined) {
    const hash = createHash('sha256');
    for (const chunk of contentChunks(size)) hash.update(chunk);
    digest = hash.digest('hex');
    hashes.set(size, digest);
  }
  return digest;
}
