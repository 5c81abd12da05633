/*
 * The Internet checksum (RFC 1071). A running sum is a u64 that adds the data as little-endian words of 16 or 32
 * bits: the one's complement sum does not depend on byte order (section 2 (B)), so bytes are swapped once, in the
 * fold. 2^32 words of 32 bits fit before the u64 overflows, far more than one packet has.
 */
import { isV4 } from './address';

/**
 * Adds `length` bytes to the sum. Only the last piece of a checksum may have an odd length, or the next piece must be
 * added by sumOddPiece().
 */
export function sumBytes(address: usize, length: u32, sum: u64): u64 {
  let p = address;
  let left = length;
  if (ASC_FEATURE_SIMD) {
    if (left >= 32) {
      // Even and odd 32-bit words are added as 64-bit lanes, so that no lane can overflow.
      const mask = i64x2.splat(0xffffffff);
      let even0 = i64x2.splat(0);
      let even1 = i64x2.splat(0);
      let odd0 = i64x2.splat(0);
      let odd1 = i64x2.splat(0);
      while (left >= 64) {
        const a = v128.load(p);
        const b = v128.load(p, 16);
        const c = v128.load(p, 32);
        const d = v128.load(p, 48);
        even0 = i64x2.add(even0, v128.and(a, mask));
        odd0 = i64x2.add(odd0, i64x2.shr_u(a, 32));
        even1 = i64x2.add(even1, v128.and(b, mask));
        odd1 = i64x2.add(odd1, i64x2.shr_u(b, 32));
        even0 = i64x2.add(even0, v128.and(c, mask));
        odd0 = i64x2.add(odd0, i64x2.shr_u(c, 32));
        even1 = i64x2.add(even1, v128.and(d, mask));
        odd1 = i64x2.add(odd1, i64x2.shr_u(d, 32));
        p += 64;
        left -= 64;
      }
      while (left >= 16) {
        const a = v128.load(p);
        even0 = i64x2.add(even0, v128.and(a, mask));
        odd0 = i64x2.add(odd0, i64x2.shr_u(a, 32));
        p += 16;
        left -= 16;
      }
      const lanes = i64x2.add(i64x2.add(even0, even1), i64x2.add(odd0, odd1));
      sum += i64x2.extract_lane(lanes, 0) + i64x2.extract_lane(lanes, 1);
    }
  } else {
    // Two sums, so that one addition need not wait for the other.
    let other: u64 = 0;
    while (left >= 32) {
      const a = load<u64>(p);
      const b = load<u64>(p, 8);
      const c = load<u64>(p, 16);
      const d = load<u64>(p, 24);
      sum += (a & 0xffffffff) + (a >> 32) + (b & 0xffffffff) + (b >> 32);
      other += (c & 0xffffffff) + (c >> 32) + (d & 0xffffffff) + (d >> 32);
      p += 32;
      left -= 32;
    }
    sum += other;
  }
  while (left >= 8) {
    const a = load<u64>(p);
    sum += (a & 0xffffffff) + (a >> 32);
    p += 8;
    left -= 8;
  }
  if (left >= 4) {
    sum += <u64>load<u32>(p);
    p += 4;
    left -= 4;
  }
  if (left >= 2) {
    sum += <u64>load<u16>(p);
    p += 2;
    left -= 2;
  }
  // An odd last byte is padded with a zero behind it.
  if (left != 0) sum += <u64>load<u8>(p);
  return sum;
}

/** Adds the 20 bytes of an IPv4 header without options: every packet has one, and a loop would cost more than the sum. */
export function sumHeader20(address: usize): u64 {
  const a = load<u64>(address);
  const b = load<u64>(address, 8);
  return (a & 0xffffffff) + (a >> 32) + (b & 0xffffffff) + (b >> 32) + <u64>load<u32>(address, 16);
}

/** Adds a piece of a gathered packet; `oddOffset` says that an odd number of bytes lies before it. */
export function sumOddPiece(address: usize, length: u32, sum: u64, oddOffset: bool): u64 {
  if (!oddOffset) return sumBytes(address, length, sum);
  // At an odd offset every byte has the other half of its word (RFC 1071 section 2 (B)).
  return sum + <u64>bswap<u16>(<u16>fold(sumBytes(address, length, 0)));
}

/** Adds a 16-bit number as it stands in the packet in network byte order. */
export function sumWord16(value: u32, sum: u64): u64 {
  return sum + <u64>bswap<u16>(<u16>value);
}

/** Adds a 32-bit number as it stands in the packet in network byte order. */
export function sumWord32(value: u32, sum: u64): u64 {
  return sum + <u64>bswap<u32>(value);
}

/** Adds a 64-bit number as it stands in the packet in network byte order. */
export function sumWord64(value: u64, sum: u64): u64 {
  return sum + <u64>bswap<u32>(<u32>value) + <u64>bswap<u32>(<u32>(value >> 32));
}

/**
 * Adds the pseudo-header of TCP or ICMPv6 (RFC 9293 section 3.1, RFC 8200 section 8.1). `length` counts the bytes of
 * the transport header and its payload.
 */
export function sumPseudoHeader(
  srcHi: u64,
  srcLo: u64,
  dstHi: u64,
  dstLo: u64,
  protocol: u32,
  length: u32,
  sum: u64,
): u64 {
  sum = sumWord32(length, sumWord32(protocol, sum));
  if (isV4(srcHi, srcLo)) return sumWord32(<u32>dstLo, sumWord32(<u32>srcLo, sum));
  return sumWord64(dstLo, sumWord64(dstHi, sumWord64(srcLo, sumWord64(srcHi, sum))));
}

/** Adds the carries until 16 bits are left, still in little-endian order. */
function fold(sum: u64): u32 {
  sum = (sum & 0xffffffff) + (sum >> 32);
  let half = <u32>((sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32));
  half = (half & 0xffff) + (half >> 16);
  return (half & 0xffff) + (half >> 16);
}

/**
 * The checksum of a sum: a number to write with storeBe16(). Over data that contains its own checksum it is 0 when
 * that checksum is right.
 */
export function checksumFold(sum: u64): u32 {
  return checksumFoldPartial(sum) ^ 0xffff;
}

/**
 * The folded sum, not complemented: what a link that completes checksums expects in the checksum field, made from the
 * pseudo-header alone (VIRTIO_NET_HDR_F_NEEDS_CSUM).
 */
export function checksumFoldPartial(sum: u64): u32 {
  return bswap<u16>(<u16>fold(sum));
}
