/** What RFC 8684 and, as version 0, RFC 6824 derive from keys, computed by node:crypto. */
import { createHash, createHmac } from 'node:crypto';
import { addressBytes } from './options.js';

function be64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

function be32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

const algorithm = (version: number): string => (version === 0 ? 'sha1' : 'sha256');
const digest = (key: bigint, version: number): Buffer => createHash(algorithm(version)).update(be64(key)).digest();

/** Section 3.2: the most significant 32 bits of the key's hash. */
export const token = (key: bigint, version = 1): number => digest(key, version).readUInt32BE(0);

/** Section 3.1: the least significant 64 bits. */
export function idsn(key: bigint, version = 1): bigint {
  const hash = digest(key, version);
  return hash.readBigUInt64BE(hash.length - 8);
}

/** Section 3.2: the HMAC of the side with `key` and `nonce`, in hex. */
export function joinHmac(key: bigint, peerKey: bigint, nonce: number, peerNonce: number, version = 1): string {
  return createHmac(algorithm(version), Buffer.concat([be64(key), be64(peerKey)]))
    .update(Buffer.concat([be32(nonce), be32(peerNonce)]))
    .digest('hex');
}

/** Section 3.4.1: the rightmost 64 bits of the HMAC of the side with `key`. */
export function addAddrHmac(key: bigint, peerKey: bigint, id: number, address: string, port = 0): bigint {
  const message = Buffer.from([id, ...addressBytes(address), port >> 8, port & 255]);
  return createHmac('sha256', Buffer.concat([be64(key), be64(peerKey)]))
    .update(message)
    .digest()
    .readBigUInt64BE(24);
}

/** Section 3.3: the DSS checksum of a mapping. */
export function dssChecksum(dsn: bigint, ssn: number, data: Uint8Array, length = data.length): number {
  const bytes = Buffer.concat([
    be64(BigInt.asUintN(64, dsn)),
    be32(ssn),
    Buffer.from([length >> 8, length & 255, 0, 0]),
    data,
  ]);
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum ^ 0xffff;
}
