import type { Address } from '../address.js';

/** Bytes of the packet that an error quotes: the header of IPv4 and 8 more (RFC 792), for IPv6 much (RFC 4443). */
const QUOTED_V4 = 28;
const QUOTED_V6 = 1232;

/**
 * What a router answers to a packet that is larger than the `mtu` bytes of its next link: "fragmentation needed" for
 * IPv4 (RFC 1191 section 4) or "packet too big" for IPv6 (RFC 4443 section 3.2). `router` is its own address, of the
 * same family.
 */
export function packetTooBig(packet: Uint8Array, router: Address, mtu: number): Uint8Array {
  const v4 = (packet[0] ?? 0) >> 4 === 4;
  const header = v4 ? 20 : 40;
  const quoted = packet.subarray(0, v4 ? QUOTED_V4 : QUOTED_V6);
  const answer = new Uint8Array(header + 8 + quoted.length);
  const view = new DataView(answer.buffer);
  answer.set(quoted, header + 8);
  view.setUint32(header + 4, mtu);
  if (v4) {
    answer.set([0x45, 0], 0);
    view.setUint16(2, answer.length);
    answer.set([64, 1], 8);
    view.setUint32(12, Number(router.lo & 0xffff_ffffn));
    answer.set(packet.subarray(12, 16), 16);
    view.setUint16(10, checksum(answer.subarray(0, 20)));
    answer.set([3, 4], header);
  } else {
    view.setUint32(0, 0x6000_0000);
    view.setUint16(4, answer.length - 40);
    answer.set([58, 64], 6);
    view.setBigUint64(8, router.hi);
    view.setBigUint64(16, router.lo);
    answer.set(packet.subarray(8, 24), 24);
    answer.set([2, 0], header);
  }
  const body = answer.subarray(header);
  // ICMPv6 has a pseudo-header: both addresses, the length, the protocol (RFC 8200 section 8.1).
  view.setUint16(header + 2, v4 ? checksum(body) : checksum(body, answer.subarray(8, 40), body.length + 58));
  return answer;
}

function checksum(bytes: Uint8Array, addresses = new Uint8Array(), initial = 0): number {
  let sum = initial;
  for (const part of [addresses, bytes])
    for (let at = 0; at < part.length; at += 2) sum += ((part[at] ?? 0) << 8) | (part[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
