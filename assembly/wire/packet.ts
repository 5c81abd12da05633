/*
 * IPv4 (RFC 791) and IPv6 (RFC 8200) headers. parsePacket() checks a packet once and leaves what it read in `packet`;
 * everything above trusts it.
 */
import {
  COUNTER_DROP_IP_ADDRESS,
  COUNTER_DROP_IP_CHECKSUM,
  COUNTER_DROP_IP_FRAGMENT,
  COUNTER_DROP_IP_HEADER,
  COUNTER_DROP_IP_PROTOCOL,
} from '../abi';
import { isImpossibleSourceV4, isImpossibleSourceV6, isV4, mapV4 } from './address';
import { loadBe16, loadBe32, loadBe64, storeBe16, storeBe32, storeBe64 } from './bytes';
import { checksumFold, sumBytes, sumHeader20 } from './checksum';

export { isV4 } from './address';

/** Protocol numbers of IPv4 and next-header values of IPv6. */
export const PROTOCOL_ICMP: u32 = 1;
export const PROTOCOL_TCP: u32 = 6;
export const PROTOCOL_ICMPV6: u32 = 58;

/** Bytes of an IPv4 header without options, and of an IPv6 header. */
export const IPV4_HEADER_BYTES: u32 = 20;
export const IPV6_HEADER_BYTES: u32 = 40;

const NEXT_HOP_BY_HOP: u32 = 0;
const NEXT_ROUTING: u32 = 43;
const NEXT_FRAGMENT: u32 = 44;
const NEXT_DESTINATION_OPTIONS: u32 = 60;

/** A packet that parsePacket() found good. */
@unmanaged
export class Packet {
  /** 4 or 6. */
  version: u32;
  /** PROTOCOL_TCP, PROTOCOL_ICMP (version 4 only) or PROTOCOL_ICMPV6 (version 6 only). */
  protocol: u32;
  /** TTL or hop limit as it arrived. */
  hopLimit: u32;
  /** The two ECN bits (RFC 3168 section 5). */
  ecn: u32;
  /** Source address; see address.ts. Never multicast, broadcast or unspecified. */
  srcHi: u64;
  srcLo: u64;
  /** Destination address, unchecked but for v4-mapped addresses in IPv6. */
  dstHi: u64;
  dstLo: u64;
  /** Address of the IP header. */
  network: usize;
  /** Bytes of the whole IP packet, without padding behind it; networkLength <= the length given. */
  networkLength: u32;
  /** Address of the transport header, behind IPv4 options and IPv6 extension headers. */
  transport: usize;
  /** Bytes from there to the end of the IP packet; may be 0. */
  transportLength: u32;
}

/** The packet parsed last. */
export const packet: Packet = changetype<Packet>(memory.data(80));

/**
 * Reads the IP header of the `length` bytes at `address` into `packet`. Bytes behind the packet's own length are
 * padding and left alone.
 *
 * Returns 0, or the COUNTER_DROP_IP_ index that names why the packet must be dropped; `packet` is then undefined.
 */
export function parsePacket(address: usize, length: u32): i32 {
  if (length < IPV4_HEADER_BYTES) return COUNTER_DROP_IP_HEADER;
  const version: u32 = <u32>load<u8>(address) >> 4;
  if (version == 4) return parseV4(address, length);
  if (version == 6) return parseV6(address, length);
  return COUNTER_DROP_IP_HEADER;
}

function parseV4(address: usize, length: u32): i32 {
  const headerLength: u32 = (<u32>load<u8>(address) & 15) << 2;
  const totalLength = loadBe16(address + 2);
  if (headerLength < IPV4_HEADER_BYTES || totalLength < headerLength || totalLength > length) {
    return COUNTER_DROP_IP_HEADER;
  }
  // RFC 1122 section 3.2.1.2: a host MUST verify the header checksum and drop a packet with a bad one.
  const sum = headerLength == IPV4_HEADER_BYTES ? sumHeader20(address) : sumBytes(address, headerLength, 0);
  if (checksumFold(sum) != 0) return COUNTER_DROP_IP_CHECKSUM;
  // More-fragments bit or a fragment offset.
  if ((loadBe16(address + 6) & 0x3fff) != 0) return COUNTER_DROP_IP_FRAGMENT;
  const src = loadBe32(address + 12);
  if (isImpossibleSourceV4(src)) return COUNTER_DROP_IP_ADDRESS;
  const protocol: u32 = load<u8>(address + 9);
  if (protocol != PROTOCOL_TCP && protocol != PROTOCOL_ICMP) return COUNTER_DROP_IP_PROTOCOL;
  packet.version = 4;
  packet.protocol = protocol;
  packet.hopLimit = load<u8>(address + 8);
  packet.ecn = load<u8>(address + 1) & 3;
  packet.srcHi = 0;
  packet.srcLo = mapV4(src);
  packet.dstHi = 0;
  packet.dstLo = mapV4(loadBe32(address + 16));
  packet.network = address;
  packet.networkLength = totalLength;
  packet.transport = address + headerLength;
  packet.transportLength = totalLength - headerLength;
  return 0;
}

function parseV6(address: usize, length: u32): i32 {
  if (length < IPV6_HEADER_BYTES) return COUNTER_DROP_IP_HEADER;
  const payloadLength = loadBe16(address + 4);
  if (payloadLength > length - IPV6_HEADER_BYTES) return COUNTER_DROP_IP_HEADER;

  // `left` bytes of the packet begin at `p`, whose header has the number `next`.
  let p = address + IPV6_HEADER_BYTES;
  let left = payloadLength;
  let next: u32 = load<u8>(address + 6);
  let first = true;
  while (next != PROTOCOL_TCP && next != PROTOCOL_ICMPV6) {
    if (next == NEXT_FRAGMENT) return COUNTER_DROP_IP_FRAGMENT;
    if (next == NEXT_HOP_BY_HOP) {
      // RFC 8200 section 4.1: Hop-by-Hop Options stand only immediately behind the IPv6 header.
      if (!first) return COUNTER_DROP_IP_HEADER;
    } else if (next != NEXT_ROUTING && next != NEXT_DESTINATION_OPTIONS) {
      return COUNTER_DROP_IP_PROTOCOL;
    }
    if (left < 8) return COUNTER_DROP_IP_HEADER;
    const headerLength: u32 = (<u32>load<u8>(p + 1) + 1) << 3;
    if (headerLength > left) return COUNTER_DROP_IP_HEADER;
    if (next == NEXT_ROUTING) {
      // RFC 8200 section 4.4: with no segments left the header is ignored; here nothing is forwarded.
      if (load<u8>(p + 3) != 0) return COUNTER_DROP_IP_HEADER;
    } else if (!extensionOptionsPass(p + 2, headerLength - 2)) {
      return COUNTER_DROP_IP_HEADER;
    }
    next = load<u8>(p);
    p += headerLength;
    left -= headerLength;
    first = false;
  }

  const srcHi = loadBe64(address + 8);
  const srcLo = loadBe64(address + 16);
  const dstHi = loadBe64(address + 24);
  const dstLo = loadBe64(address + 32);
  if (isImpossibleSourceV6(srcHi, srcLo) || isV4(dstHi, dstLo)) return COUNTER_DROP_IP_ADDRESS;
  packet.version = 6;
  packet.protocol = next;
  packet.hopLimit = load<u8>(address + 7);
  packet.ecn = (<u32>load<u8>(address + 1) >> 4) & 3;
  packet.srcHi = srcHi;
  packet.srcLo = srcLo;
  packet.dstHi = dstHi;
  packet.dstLo = dstLo;
  packet.network = address;
  packet.networkLength = IPV6_HEADER_BYTES + payloadLength;
  packet.transport = p;
  packet.transportLength = left;
  return 0;
}

/**
 * RFC 8200 section 4.2: an option this host does not know is skipped when the two highest bits of its type are zero,
 * else the packet is discarded.
 */
function extensionOptionsPass(p: usize, length: u32): bool {
  let left = length;
  while (left != 0) {
    const type = load<u8>(p);
    // Pad1 is the one option without a length.
    if (type == 0) {
      p += 1;
      left -= 1;
      continue;
    }
    if (left < 2) return false;
    const size: u32 = <u32>load<u8>(p + 1) + 2;
    if (size > left || (type & 0xc0) != 0) return false;
    p += size;
    left -= size;
  }
  return true;
}

/**
 * Writes an IPv4 header (don't-fragment set, checksum filled in) or an IPv6 header, as the addresses demand; both
 * addresses are of one family. `payloadLength` counts the bytes behind the header, at most 65,515 for IPv4 and 65,535
 * for IPv6; `identification` (16 bits) is for IPv4 only. Returns the header's length, 20 or 40.
 */
export function writeIpHeader(
  p: usize,
  srcHi: u64,
  srcLo: u64,
  dstHi: u64,
  dstLo: u64,
  protocol: u32,
  payloadLength: u32,
  hopLimit: u32,
  ecn: u32,
  identification: u32,
): u32 {
  if (isV4(dstHi, dstLo)) {
    // Summed in registers: words just stored cannot be loaded at once in another size.
    const length = IPV4_HEADER_BYTES + payloadLength;
    const from = <u32>srcLo;
    const to = <u32>dstLo;
    const rest = (hopLimit << 8) | protocol;
    let sum = 0x4500 + ecn + length + identification + 0x4000 + rest;
    sum += (from >> 16) + (from & 0xffff) + (to >> 16) + (to & 0xffff);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    storeBe32(p, 0x45000000 | (ecn << 16) | length);
    storeBe32(p + 4, (identification << 16) | 0x4000);
    storeBe32(p + 8, (rest << 16) | (sum ^ 0xffff));
    storeBe32(p + 12, from);
    storeBe32(p + 16, to);
    return IPV4_HEADER_BYTES;
  }
  storeBe32(p, 0x60000000 | (ecn << 20));
  storeBe16(p + 4, payloadLength);
  store<u8>(p + 6, <u8>protocol);
  store<u8>(p + 7, <u8>hopLimit);
  storeBe64(p + 8, srcHi);
  storeBe64(p + 16, srcLo);
  storeBe64(p + 24, dstHi);
  storeBe64(p + 32, dstLo);
  return IPV6_HEADER_BYTES;
}
