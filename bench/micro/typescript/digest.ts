/* Checksum, SHA-256 and what is made of it, in TypeScript. */

/** The Internet checksum (RFC 1071) of the first `length` bytes, with `sum` added; `words` and `bytes` share a buffer. */
export function checksum(words: Uint16Array, bytes: Uint8Array, length: number, sum: number): number {
  const count = length >> 1;
  let a = sum & 0xffff;
  let b = sum >>> 16;
  let at = 0;
  // 32,767 words of 16 bits, the most one packet has, fit into the 32 bits of each of two sums.
  for (const end = count & ~3; at < end; at += 4) {
    a += (words[at] as number) + (words[at + 1] as number);
    b += (words[at + 2] as number) + (words[at + 3] as number);
  }
  for (; at < count; at++) a += words[at] as number;
  if ((length & 1) !== 0) a += bytes[length - 1] as number;
  let folded = (a & 0xffff) + (a >>> 16) + (b & 0xffff) + (b >>> 16);
  folded = (folded & 0xffff) + (folded >>> 16);
  folded = (folded & 0xffff) + (folded >>> 16);
  return ~folded & 0xffff;
}

const ROUND_CONSTANTS = roundConstants();
const schedule = new Int32Array(64);
export const digest = new Int32Array(8);
const inner = new Int32Array(8);
const block = new Int32Array(16);

/** First 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4 section 4.2.2). */
function roundConstants(): Int32Array {
  const found: number[] = [];
  for (let candidate = 2; found.length < 64; candidate++) {
    if (!found.some((prime) => candidate % prime === 0)) found.push(candidate);
  }
  return Int32Array.from(found, (prime) => {
    // 96 more bits below the point than the cube root needs: exact.
    const wanted = BigInt(prime) << 96n;
    let root = BigInt(Math.floor(Math.cbrt(prime) * 2 ** 32));
    while (root * root * root > wanted) root--;
    while ((root + 1n) ** 3n <= wanted) root++;
    return Number(BigInt.asIntN(32, root));
  });
}

function begin(): void {
  digest[0] = 0x6a09e667;
  digest[1] = 0xbb67ae85;
  digest[2] = 0x3c6ef372;
  digest[3] = 0xa54ff53a;
  digest[4] = 0x510e527f;
  digest[5] = 0x9b05688c;
  digest[6] = 0x1f83d9ab;
  digest[7] = 0x5be0cd19;
}

function compress(): void {
  const w = schedule;
  for (let i = 0; i < 16; i++) w[i] = block[i] as number;
  for (let i = 16; i < 64; i++) {
    const w15 = w[i - 15] as number;
    const w2 = w[i - 2] as number;
    const s0 = ((w15 >>> 7) | (w15 << 25)) ^ ((w15 >>> 18) | (w15 << 14)) ^ (w15 >>> 3);
    const s1 = ((w2 >>> 17) | (w2 << 15)) ^ ((w2 >>> 19) | (w2 << 13)) ^ (w2 >>> 10);
    w[i] = ((w[i - 16] as number) + s0 + (w[i - 7] as number) + s1) | 0;
  }
  let a = digest[0] as number;
  let b = digest[1] as number;
  let c = digest[2] as number;
  let d = digest[3] as number;
  let e = digest[4] as number;
  let f = digest[5] as number;
  let g = digest[6] as number;
  let h = digest[7] as number;
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + (ROUND_CONSTANTS[i] as number) + (w[i] as number)) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  digest[0] = (digest[0] as number) + a;
  digest[1] = (digest[1] as number) + b;
  digest[2] = (digest[2] as number) + c;
  digest[3] = (digest[3] as number) + d;
  digest[4] = (digest[4] as number) + e;
  digest[5] = (digest[5] as number) + f;
  digest[6] = (digest[6] as number) + g;
  digest[7] = (digest[7] as number) + h;
}

/** The token of a key in two halves: the first word of its SHA-256. */
export function keyToken(hi: number, lo: number): number {
  begin();
  block.fill(0);
  block[0] = hi;
  block[1] = lo;
  block[2] = 0x80000000;
  block[15] = 64;
  compress();
  return (digest[0] as number) >>> 0;
}

/** HMAC-SHA256 with a key of four words over a message of two words, into {@link digest}. */
export function joinHmac(k0: number, k1: number, k2: number, k3: number, m0: number, m1: number): void {
  begin();
  padded(k0, k1, k2, k3, 0x36363636);
  block.fill(0);
  block[0] = m0;
  block[1] = m1;
  block[2] = 0x80000000;
  block[15] = (64 + 8) * 8;
  compress();
  inner.set(digest);
  begin();
  padded(k0, k1, k2, k3, 0x5c5c5c5c);
  block.fill(0);
  block.set(inner);
  block[8] = 0x80000000;
  block[15] = (64 + 32) * 8;
  compress();
}

function padded(k0: number, k1: number, k2: number, k3: number, pad: number): void {
  block.fill(pad);
  block[0] = k0 ^ pad;
  block[1] = k1 ^ pad;
  block[2] = k2 ^ pad;
  block[3] = k3 ^ pad;
  compress();
}
