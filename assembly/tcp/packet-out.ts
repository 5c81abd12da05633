import {
  CONFIG_HOP_LIMIT,
  COUNTER_BYTES_OUT,
  COUNTER_PACKETS_OUT,
  LINK_CHECKSUM,
  LINK_VNET_HEADER,
  PAGE_BYTES,
  SIZEOF_IOVEC,
  SIZEOF_TX_DESCRIPTOR,
  TX_DESCRIPTOR_HEADER,
  TX_DESCRIPTOR_IOVECS,
  TxDescriptor,
  VNET_HEADER_BYTES,
} from '../abi';
import { pageNext } from '../memory/pages';
import { config } from '../state/config';
import { count, countBy } from '../state/counters';
import { isMapped, linkAt } from '../state/link';
import { storeBe16 } from '../wire/bytes';
import { checksumFold, checksumFoldPartial, sumBytes, sumOddPiece, sumPseudoHeader } from '../wire/checksum';
import { PROTOCOL_TCP, writeIpHeader } from '../wire/packet';
import { TCP_HEADER_BYTES } from '../wire/segment';

/**
 * Fills transmit descriptors. The header of the packet is written into the descriptor,
 *
 *   [virtio-net header, on links that have one] [IP header] [TCP header and options]
 *
 * and the payload stays in the pages of the send buffer, one Iovec a piece.
 */

/** Fields of the virtio-net header as they stand in its first word; where the TCP checksum is in its header. */
const VNET_NEEDS_CSUM: u32 = 1;
const VNET_GSO_TCPV4: u32 = 1 << 8;
const VNET_GSO_TCPV6: u32 = 4 << 8;
const TCP_CHECKSUM_OFFSET: u32 = 16;

let ring: usize = 0;
let base: i64 = 0;
let identification: u32 = 0;

export function packetsOutOpen(address: usize): void {
  ring = address;
  base = 0;
}

/** Sets what is added to every Iovec.base. */
export function packetsOutBase(value: i64): void {
  base = value;
}

export function descriptorAt(index: i32): usize {
  return ring + <usize>index * SIZEOF_TX_DESCRIPTOR;
}

/** Where the TCP header of a packet goes, so that the caller can write it and its options first. */
export function tcpHeaderAt(descriptor: usize, link: i32, hi: u64, lo: u64): usize {
  const vnet: usize = (linkAt(link).flags & LINK_VNET_HEADER) != 0 ? <usize>VNET_HEADER_BYTES : 0;
  return descriptor + TX_DESCRIPTOR_HEADER + vnet + (isMapped(hi, lo) ? 20 : 40);
}

/**
 * Completes a packet whose TCP header and options (`optionsLength` bytes) stand at tcpHeaderAt(): IP header, checksum,
 * offload header, pieces. `segmentSize` is 0 or the payload of each segment the link shall cut.
 * `trafficClass` goes into the IP header (RFC 2474, RFC 3168 section 5), and so does `hopLimit`, 0 for that of the stack.
 */
export function finishPacket(
  descriptor: usize,
  linkIndex: i32,
  localHi: u64,
  localLo: u64,
  remoteHi: u64,
  remoteLo: u64,
  optionsLength: u32,
  page: usize,
  offset: u32,
  payloadLength: u32,
  segmentSize: u32,
  trafficClass: u32,
  hopLimit: u32,
): void {
  const link = linkAt(linkIndex);
  const record = changetype<TxDescriptor>(descriptor);
  const tcp = tcpHeaderAt(descriptor, linkIndex, localHi, localLo);
  const tcpBytes = TCP_HEADER_BYTES + optionsLength;
  const vnet: u32 = (link.flags & LINK_VNET_HEADER) != 0 ? <u32>VNET_HEADER_BYTES : 0;
  const start = descriptor + TX_DESCRIPTOR_HEADER;
  const ipBytes = writeIpHeader(
    start + vnet,
    localHi,
    localLo,
    remoteHi,
    remoteLo,
    PROTOCOL_TCP,
    tcpBytes + payloadLength,
    hopLimit != 0 ? hopLimit : <u32>config(CONFIG_HOP_LIMIT),
    trafficClass,
    identification++ & 0xffff,
  );
  const headerBytes = vnet + ipBytes + tcpBytes;
  record.link = <u32>linkIndex;
  record.length = headerBytes + payloadLength;
  record.segmentSize = segmentSize;
  writePiece(descriptor, 0, start, headerBytes);
  const offload = (link.flags & LINK_CHECKSUM) != 0;
  let sum = sumPseudoHeader(localHi, localLo, remoteHi, remoteLo, PROTOCOL_TCP, tcpBytes + payloadLength, 0);
  if (!offload) sum = sumBytes(tcp, tcpBytes, sum);
  let pieces: u32 = 1;
  let left = payloadLength;
  while (left > 0) {
    if (offset >= <u32>PAGE_BYTES) {
      page = pageNext(page);
      offset -= <u32>PAGE_BYTES;
      continue;
    }
    const length = min<u32>(left, <u32>PAGE_BYTES - offset);
    writePiece(descriptor, pieces++, page + offset, length);
    if (!offload) sum = sumOddPiece(page + offset, length, sum, ((payloadLength - left) & 1) != 0);
    left -= length;
    offset += length;
  }
  record.pieces = pieces;
  storeBe16(tcp + 16, offload ? checksumFoldPartial(sum) : checksumFold(sum));
  if (vnet != 0) {
    // struct virtio_net_hdr: flags, gso_type, hdr_len | gso_size, csum_start | csum_offset, num_buffers.
    let first: u32 = offload ? VNET_NEEDS_CSUM : 0;
    if (segmentSize != 0)
      first |= (isMapped(localHi, localLo) ? VNET_GSO_TCPV4 : VNET_GSO_TCPV6) | ((ipBytes + tcpBytes) << 16);
    store<u32>(start, first);
    store<u32>(start, segmentSize | (offload ? ipBytes << 16 : 0), 4);
    store<u32>(start, offload ? TCP_CHECKSUM_OFFSET : 0, 8);
  }
  count(COUNTER_PACKETS_OUT);
  countBy(COUNTER_BYTES_OUT, record.length - vnet);
}

/** Describes a packet that lies ready, in one piece, somewhere in memory; a virtio-net header is put in front. */
export function wholePacket(descriptor: usize, linkIndex: i32, address: usize, length: u32): void {
  const record = changetype<TxDescriptor>(descriptor);
  const vnet: u32 = (linkAt(linkIndex).flags & LINK_VNET_HEADER) != 0 ? <u32>VNET_HEADER_BYTES : 0;
  record.link = <u32>linkIndex;
  record.length = vnet + length;
  record.segmentSize = 0;
  let pieces: u32 = 0;
  if (vnet != 0) {
    store<u64>(descriptor + TX_DESCRIPTOR_HEADER, 0);
    store<u32>(descriptor + TX_DESCRIPTOR_HEADER, 0, 8);
    writePiece(descriptor, pieces++, descriptor + TX_DESCRIPTOR_HEADER, vnet);
  }
  writePiece(descriptor, pieces++, address, length);
  record.pieces = pieces;
  count(COUNTER_PACKETS_OUT);
  countBy(COUNTER_BYTES_OUT, length);
}

function writePiece(descriptor: usize, index: u32, address: usize, length: u32): void {
  const piece = descriptor + TX_DESCRIPTOR_IOVECS + <usize>index * SIZEOF_IOVEC;
  store<i64>(piece, base + <i64>address);
  store<u64>(piece, length, 8);
}
