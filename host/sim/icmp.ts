import type { Address } from '../address.js';
import { finishV4Header, internetChecksum, isV4, pseudoHeaderSum, transportOffset } from './packet.js';

const ICMP = 1;
const ICMPV6 = 58;
/** Bytes of the packet that an error quotes: the header of IPv4 and 8 more (RFC 792), for IPv6 much (RFC 4443). */
const QUOTED_V4 = 28;
const QUOTED_V6 = 1232;
/** Types that quote a packet: unreachable, source quench, redirect, time exceeded, parameter problem. */
const ERRORS_V4 = [3, 4, 5, 11, 12];
/** Of ICMPv6 all below this. */
const ERRORS_V6 = 128;

/**
 * What a router answers to a packet that is larger than the `mtu` bytes of its next link: "fragmentation needed" for
 * IPv4 (RFC 1191 section 4) or "packet too big" for IPv6 (RFC 4443 section 3.2). `router` is its own address, of the
 * same family.
 */
export function packetTooBig(packet: Uint8Array, router: Address, mtu: number): Uint8Array {
  const v4 = isV4(packet);
  const header = v4 ? 20 : 40;
  const quoted = packet.subarray(0, v4 ? QUOTED_V4 : QUOTED_V6);
  const answer = new Uint8Array(header + 8 + quoted.length);
  const view = new DataView(answer.buffer);
  answer.set(quoted, header + 8);
  view.setUint32(header + 4, mtu);
  if (v4) {
    answer.set([0x45, 0], 0);
    view.setUint16(2, answer.length);
    answer.set([64, ICMP], 8);
    view.setUint32(12, Number(router.lo & 0xffff_ffffn));
    answer.set(packet.subarray(12, 16), 16);
    finishV4Header(answer.subarray(0, 20));
    answer.set([3, 4], header);
  } else {
    view.setUint32(0, 0x6000_0000);
    view.setUint16(4, answer.length - 40);
    answer.set([ICMPV6, 64], 6);
    view.setBigUint64(8, router.hi);
    view.setBigUint64(16, router.lo);
    answer.set(packet.subarray(8, 24), 24);
    answer.set([2, 0], header);
  }
  finishIcmp(answer);
  return answer;
}

/** The packet that an ICMP error quotes, a view of its bytes; undefined when the packet is no error. */
export function quotedPacket(packet: Uint8Array): Uint8Array | undefined {
  const v4 = isV4(packet);
  const at = transportOffset(packet, v4 ? ICMP : ICMPV6);
  if (at === undefined || packet.length < at + 8) return undefined;
  const type = packet[at] ?? 0;
  return (v4 ? ERRORS_V4.includes(type) : type < ERRORS_V6) ? packet.subarray(at + 8) : undefined;
}

/** Writes the checksum of an ICMP or ICMPv6 message into it; ICMPv6 has a pseudo-header (RFC 8200 section 8.1). */
export function finishIcmp(packet: Uint8Array): void {
  const v4 = isV4(packet);
  const at = v4 ? ((packet[0] ?? 0) & 15) * 4 : 40;
  const message = packet.subarray(at);
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  view.setUint16(2, 0);
  view.setUint16(2, internetChecksum(message, v4 ? 0 : pseudoHeaderSum(packet, ICMPV6, message.length)));
}
