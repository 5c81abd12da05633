/* ICMP echo (RFC 792, RFC 1122 section 3.2.2.6; RFC 4443 sections 4.1 and 4.2). */
import { COUNTER_DROP_ICMP } from '../abi';
import { storeBe16 } from './bytes';
import { checksumFold, sumBytes, sumPseudoHeader } from './checksum';
import { IPV4_HEADER_BYTES, IPV6_HEADER_BYTES, PROTOCOL_ICMP, PROTOCOL_ICMPV6, packet, writeIpHeader } from './packet';

const ICMP_HEADER_BYTES: u32 = 8;
const ICMP_ECHO_REPLY: u8 = 0;
const ICMP_ECHO_REQUEST: u8 = 8;
const ICMPV6_ECHO_REQUEST: u8 = 128;
const ICMPV6_ECHO_REPLY: u8 = 129;

/**
 * Writes the reply to the echo request in `packet`, IP header and all, to the `capacity` bytes at `target`, which must
 * not overlap the request. That the request was sent to an address of this host is the caller's to check: a reply
 * leaves from the address the request went to.
 *
 * Returns the bytes written; 0 when there is nothing to answer (another message, or a reply longer than `capacity`);
 * -COUNTER_DROP_ICMP when the message is too short or its checksum is wrong.
 */
export function buildEchoReply(target: usize, capacity: u32, hopLimit: u32): i32 {
  const length = packet.transportLength;
  const v6 = packet.protocol == PROTOCOL_ICMPV6;
  if (!v6 && packet.protocol != PROTOCOL_ICMP) return 0;
  if (length < ICMP_HEADER_BYTES) return -COUNTER_DROP_ICMP;
  // The pseudo-header sum serves request and reply: swapping the addresses does not change it.
  const pseudo: u64 = v6
    ? sumPseudoHeader(packet.srcHi, packet.srcLo, packet.dstHi, packet.dstLo, PROTOCOL_ICMPV6, length, 0)
    : 0;
  if (checksumFold(sumBytes(packet.transport, length, pseudo)) != 0) return -COUNTER_DROP_ICMP;
  if (load<u8>(packet.transport) != (v6 ? ICMPV6_ECHO_REQUEST : ICMP_ECHO_REQUEST)) return 0;
  if (load<u8>(packet.transport + 1) != 0) return 0;

  const headerLength: u32 = v6 ? IPV6_HEADER_BYTES : IPV4_HEADER_BYTES;
  if (capacity < headerLength || capacity - headerLength < length) return 0;
  writeIpHeader(
    target,
    packet.dstHi,
    packet.dstLo,
    packet.srcHi,
    packet.srcLo,
    packet.protocol,
    length,
    hopLimit,
    0,
    0,
  );
  // RFC 1122 section 3.2.2.6: data received in an echo request MUST be entirely included in the reply.
  const reply = target + headerLength;
  memory.copy(reply, packet.transport, length);
  store<u8>(reply, v6 ? ICMPV6_ECHO_REPLY : ICMP_ECHO_REPLY);
  store<u16>(reply + 2, 0);
  storeBe16(reply + 2, checksumFold(sumBytes(reply, length, pseudo)));
  return <i32>(headerLength + length);
}
