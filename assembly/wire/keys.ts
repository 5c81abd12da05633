/*
 * What is derived from the keys of a connection: with SHA-256 in version 1 (RFC 8684), with SHA-1 in version 0 (RFC
 * 6824). Keys and nonces are hashed in network byte order.
 */
import { hmacSha1, hmacSha256 } from '../crypto/hmac';
import { SHA1_BYTES, sha1 } from '../crypto/sha1';
import { SHA256_BYTES, sha256 } from '../crypto/sha256';
import { isV4 } from './address';
import { loadBe32, loadBe64, storeBe16, storeBe32, storeBe64 } from './bytes';

const keys: usize = memory.data(16);
const message: usize = memory.data(24);
const digest: usize = memory.data(32);

/** Hashes a key as `version` does. Returns the bytes of the digest. */
function hashKey(version: u32, key: u64): u32 {
  storeBe64(keys, key);
  if (version == 0) {
    sha1(keys, 8, digest);
    return SHA1_BYTES;
  }
  sha256(keys, 8, digest);
  return SHA256_BYTES;
}

/** The token of a key: the most significant 32 bits of its hash (RFC 8684 and RFC 6824 section 3.2). */
export function keyToken(version: u32, key: u64): u32 {
  hashKey(version, key);
  return loadBe32(digest);
}

/**
 * The initial data sequence number of a key: the least significant 64 bits of its hash (RFC 8684 and RFC 6824 section
 * 3.1). It stands for the SYN; the first byte of data has the number behind it.
 */
export function keyIdsn(version: u32, key: u64): u64 {
  return loadBe64(digest + hashKey(version, key) - 8);
}

/**
 * Writes the HMAC with which the side that has `localKey` and sent `localNonce` proves itself in MP_JOIN (RFC 8684 and
 * RFC 6824 section 3.2): 32 bytes, or 20 in version 0. To check the peer's, give its key and nonce as the local ones.
 */
export function joinHmac(
  version: u32,
  localKey: u64,
  remoteKey: u64,
  localNonce: u32,
  remoteNonce: u32,
  out: usize,
): void {
  storeBe64(keys, localKey);
  storeBe64(keys + 8, remoteKey);
  storeBe32(message, localNonce);
  storeBe32(message + 4, remoteNonce);
  if (version == 0) hmacSha1(keys, 16, message, 8, out);
  else hmacSha256(keys, 16, message, 8, out);
}

/**
 * The 64 bits of HMAC in an ADD_ADDR of version 1 (RFC 8684 section 3.4.1): the rightmost of the HMAC over address id, address and
 * port (0 when none is announced). `localKey` is the key of the side that announces.
 */
export function addAddressHmac(localKey: u64, remoteKey: u64, addressId: u32, hi: u64, lo: u64, port: u32): u64 {
  return hmacOfAddress(localKey, remoteKey, addressId, hi, lo, port, !isV4(hi, lo));
}

/** The same of an IPv4 address that was announced as an IPv6 address, v4-mapped: over all its 16 bytes. */
export function mappedAddressHmac(localKey: u64, remoteKey: u64, addressId: u32, hi: u64, lo: u64, port: u32): u64 {
  return hmacOfAddress(localKey, remoteKey, addressId, hi, lo, port, true);
}

function hmacOfAddress(localKey: u64, remoteKey: u64, addressId: u32, hi: u64, lo: u64, port: u32, wide: bool): u64 {
  storeBe64(keys, localKey);
  storeBe64(keys + 8, remoteKey);
  store<u8>(message, <u8>addressId);
  let length: u32 = 1;
  if (wide) {
    storeBe64(message + 1, hi);
    storeBe64(message + 9, lo);
    length += 16;
  } else {
    storeBe32(message + 1, <u32>lo);
    length += 4;
  }
  storeBe16(message + length, port);
  hmacSha256(keys, 16, message, length + 2, digest);
  return loadBe64(digest + SHA256_BYTES - 8);
}
