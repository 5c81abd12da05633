/* ICMP errors about a TCP segment this host sent (RFC 792, RFC 1191, RFC 1122 section 3.2.2; RFC 4443 section 3). */
import { isV4, mapV4 } from './address';
import { loadBe16, loadBe32, loadBe64 } from './bytes';
import { checksumFold, sumBytes, sumPseudoHeader } from './checksum';
import { IPV4_HEADER_BYTES, IPV6_HEADER_BYTES, PROTOCOL_ICMPV6, PROTOCOL_TCP, packet } from './packet';

/** The path is at fault, and may heal. */
export const ICMP_SOFT: u32 = 1;
/** The host is reached and does not take the segment. */
export const ICMP_HARD: u32 = 2;
/** The segment is too large for a link of the path. */
export const ICMP_TOO_BIG: u32 = 3;

const ICMP_HEADER_BYTES: u32 = 8;
/** Of the segment a router must quote 8 bytes: ports and sequence number. */
const QUOTED_BYTES: u32 = 8;

/** What parseIcmpError() read. */
@unmanaged
export class IcmpError {
  /** ICMP_SOFT, ICMP_HARD or ICMP_TOO_BIG. */
  kind: u32;
  /** ICMP_TOO_BIG: bytes of the largest packet the link takes, 0 when the router did not say (RFC 1191 section 5). */
  mtu: u32;
  /** Addresses, ports and sequence number of the segment it is about, which this host sent. */
  localHi: u64;
  localLo: u64;
  remoteHi: u64;
  remoteLo: u64;
  localPort: u32;
  remotePort: u32;
  seq: u32;
}

/** The error parsed last. */
export const icmpError: IcmpError = changetype<IcmpError>(memory.data(56, 8));

/**
 * Reads the ICMP message in `packet` into `icmpError`. Returns true when it is an error about a TCP segment; false for
 * anything else, malformed messages among it: `icmpError` is then undefined.
 */
export function parseIcmpError(): bool {
  const p = packet.transport;
  const length = packet.transportLength;
  if (length < ICMP_HEADER_BYTES) return false;
  const v6 = packet.protocol == PROTOCOL_ICMPV6;
  const kind = v6 ? kindV6(load<u8>(p), load<u8>(p + 1)) : kindV4(load<u8>(p), load<u8>(p + 1));
  if (kind == 0) return false;
  const pseudo: u64 = v6
    ? sumPseudoHeader(packet.srcHi, packet.srcLo, packet.dstHi, packet.dstLo, PROTOCOL_ICMPV6, length, 0)
    : 0;
  if (checksumFold(sumBytes(p, length, pseudo)) != 0) return false;
  icmpError.kind = kind;
  icmpError.mtu = 0;
  if (kind == ICMP_TOO_BIG) icmpError.mtu = v6 ? loadBe32(p + 4) : loadBe16(p + 6);
  const quoted = p + ICMP_HEADER_BYTES;
  const left = length - ICMP_HEADER_BYTES;
  return v6 ? parseQuotedV6(quoted, left) : parseQuotedV4(quoted, left);
}

/** RFC 1122 sections 3.2.2.1 and 4.2.3.9; source quench (RFC 6633) and redirects are none of TCP's. */
function kindV4(type: u32, code: u32): u32 {
  // Time exceeded, parameter problem.
  if (type == 11 || type == 12) return ICMP_SOFT;
  if (type != 3) return 0;
  // Protocol unreachable, port unreachable; fragmentation needed.
  if (code == 2 || code == 3) return ICMP_HARD;
  return code == 4 ? ICMP_TOO_BIG : ICMP_SOFT;
}

/** RFC 4443 sections 3.1 to 3.4; what is hard as for IPv4 (RFC 5461 section 3). */
function kindV6(type: u32, code: u32): u32 {
  if (type == 2) return ICMP_TOO_BIG;
  if (type == 3) return ICMP_SOFT;
  // Port unreachable; next header not recognized.
  if (type == 1) return code == 4 ? ICMP_HARD : ICMP_SOFT;
  if (type == 4) return code == 1 ? ICMP_HARD : ICMP_SOFT;
  return 0;
}

function parseQuotedV4(p: usize, length: u32): bool {
  if (length < IPV4_HEADER_BYTES) return false;
  const headerLength: u32 = (<u32>load<u8>(p) & 15) << 2;
  if (load<u8>(p) >> 4 != 4 || headerLength < IPV4_HEADER_BYTES || length < headerLength + QUOTED_BYTES) return false;
  // A fragment that is not the first does not have the TCP header.
  if (load<u8>(p + 9) != PROTOCOL_TCP || (loadBe16(p + 6) & 0x1fff) != 0) return false;
  icmpError.localHi = 0;
  icmpError.localLo = mapV4(loadBe32(p + 12));
  icmpError.remoteHi = 0;
  icmpError.remoteLo = mapV4(loadBe32(p + 16));
  quotedSegment(p + headerLength);
  return true;
}

/** This host writes no extension headers, so a segment it sent has none. */
function parseQuotedV6(p: usize, length: u32): bool {
  if (length < IPV6_HEADER_BYTES + QUOTED_BYTES || load<u8>(p) >> 4 != 6 || load<u8>(p + 6) != PROTOCOL_TCP)
    return false;
  icmpError.localHi = loadBe64(p + 8);
  icmpError.localLo = loadBe64(p + 16);
  icmpError.remoteHi = loadBe64(p + 24);
  icmpError.remoteLo = loadBe64(p + 32);
  quotedSegment(p + IPV6_HEADER_BYTES);
  return !isV4(icmpError.localHi, icmpError.localLo);
}

function quotedSegment(p: usize): void {
  icmpError.localPort = loadBe16(p);
  icmpError.remotePort = loadBe16(p + 2);
  icmpError.seq = loadBe32(p + 4);
}
