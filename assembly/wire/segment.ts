/* The TCP header (RFC 9293 section 3.1). */
import { COUNTER_DROP_TCP_CHECKSUM, COUNTER_DROP_TCP_HEADER } from '../abi';
import { loadBe16, loadBe32, storeBe32 } from './bytes';
import { checksumFold, sumBytes, sumPseudoHeader } from './checksum';
import { PROTOCOL_TCP, packet } from './packet';

/** Control bits. */
export const TCP_FLAG_FIN: u32 = 1;
export const TCP_FLAG_SYN: u32 = 2;
export const TCP_FLAG_RST: u32 = 4;
export const TCP_FLAG_PSH: u32 = 8;
export const TCP_FLAG_ACK: u32 = 16;
export const TCP_FLAG_URG: u32 = 32;
export const TCP_FLAG_ECE: u32 = 64;
export const TCP_FLAG_CWR: u32 = 128;

/** Bytes of a TCP header without options. */
export const TCP_HEADER_BYTES: u32 = 20;

/** A TCP segment that parseSegment() found good. */
@unmanaged
export class Segment {
  srcPort: u32;
  dstPort: u32;
  /** Sequence number of the first byte, or of the SYN. */
  seq: u32;
  /** Acknowledgment number; meaningless without TCP_FLAG_ACK. */
  ack: u32;
  /** TCP_FLAG_ bits. */
  flags: u32;
  /** The window field as it stands, not scaled. */
  window: u32;
  /** The urgent pointer as it stands. */
  urgent: u32;
  /** Address of the option area. */
  options: usize;
  /** Its bytes, 0 to 40. */
  optionsLength: u32;
  /** Address of the payload. */
  payload: usize;
  /** Its bytes. */
  payloadLength: u32;
  /**
   * Payload bytes of each segment on the wire that this one is merged from. parseSegment() sets payloadLength: one
   * segment; who reads the link's offload header puts its segment size here.
   */
  segmentSize: u32;
}

/** The segment parsed last. */
export const segment: Segment = changetype<Segment>(memory.data(48));

/**
 * Reads the TCP header of `packet` into `segment`. `checksumKnown` says that the link vouches for the checksum, which
 * is then not looked at.
 *
 * Returns 0, COUNTER_DROP_TCP_HEADER or COUNTER_DROP_TCP_CHECKSUM; `segment` is then undefined.
 */
export function parseSegment(checksumKnown: bool): i32 {
  const p = packet.transport;
  const length = packet.transportLength;
  if (packet.protocol != PROTOCOL_TCP || length < TCP_HEADER_BYTES) return COUNTER_DROP_TCP_HEADER;
  const headerLength: u32 = (<u32>load<u8>(p + 12) >> 4) << 2;
  if (headerLength < TCP_HEADER_BYTES || headerLength > length) return COUNTER_DROP_TCP_HEADER;
  if (!checksumKnown) {
    // RFC 9293 section 3.1: the receiver MUST check the checksum (MUST-3).
    const pseudo = sumPseudoHeader(packet.srcHi, packet.srcLo, packet.dstHi, packet.dstLo, PROTOCOL_TCP, length, 0);
    if (checksumFold(sumBytes(p, length, pseudo)) != 0) return COUNTER_DROP_TCP_CHECKSUM;
  }
  segment.srcPort = loadBe16(p);
  segment.dstPort = loadBe16(p + 2);
  segment.seq = loadBe32(p + 4);
  segment.ack = loadBe32(p + 8);
  segment.flags = load<u8>(p + 13);
  segment.window = loadBe16(p + 14);
  segment.urgent = loadBe16(p + 18);
  segment.options = p + TCP_HEADER_BYTES;
  segment.optionsLength = headerLength - TCP_HEADER_BYTES;
  segment.payload = p + headerLength;
  segment.payloadLength = length - headerLength;
  segment.segmentSize = length - headerLength;
  return 0;
}

/**
 * Writes the 20 bytes in front of the options, which stand or will stand at p + 20. `window` is the field as it goes
 * out (16 bits), `optionsLength` a multiple of 4, at most 40. Checksum and urgent pointer are written as zero.
 */
export function writeTcpHeader(
  p: usize,
  srcPort: u32,
  dstPort: u32,
  seq: u32,
  ack: u32,
  flags: u32,
  window: u32,
  optionsLength: u32,
): void {
  storeBe32(p, (srcPort << 16) | dstPort);
  storeBe32(p + 4, seq);
  storeBe32(p + 8, ack);
  storeBe32(p + 12, ((TCP_HEADER_BYTES + optionsLength) << 26) | (flags << 16) | window);
  store<u32>(p + 16, 0);
}
