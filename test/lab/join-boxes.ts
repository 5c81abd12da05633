/** Boxes on the paths of a {@link JoinBed}: what they look for in a packet, and what they do to it. */
import type { JoinBed } from './join-bed.js';
import type { Box, RelayLink } from './relay-link.js';

const TCP = 6;
const OPTION_END = 0;
const OPTION_NOP = 1;
const OPTION_MPTCP = 30;
const SUBTYPE_ADD_ADDR = 3;
const ADD_ADDR_ECHO = 1;

/** Where the TCP header of an IPv4 or IPv6 packet begins; undefined when there is none. */
export function tcpOf(packet: Buffer): number | undefined {
  if (packet.length < 40) return undefined;
  const version = packet.readUInt8(0) >> 4;
  const header = version === 4 ? (packet.readUInt8(0) & 15) * 4 : 40;
  const protocol = packet.readUInt8(version === 4 ? 9 : 6);
  return protocol === TCP && packet.length >= header + 20 ? header : undefined;
}

/** The MPTCP options of a packet, each as a view of its bytes. */
export function mptcpOptions(packet: Buffer): Buffer[] {
  const tcp = tcpOf(packet);
  if (tcp === undefined) return [];
  const end = tcp + (packet.readUInt8(tcp + 12) >> 4) * 4;
  const found: Buffer[] = [];
  for (let at = tcp + 20; at < end; ) {
    const kind = packet.readUInt8(at);
    if (kind === OPTION_END) break;
    const length = kind === OPTION_NOP ? 1 : packet.readUInt8(at + 1);
    if (kind === OPTION_MPTCP) found.push(packet.subarray(at, at + length));
    at += Math.max(length, 1);
  }
  return found;
}

/** Has all paths lose the first packets with an ADD_ADDR, or with the echo of one. */
export function loseAddAddr(bed: JoinBed, what: 'announcement' | 'echo', count: number): { packets: number } {
  const lost = { packets: 0 };
  const box: Box = (_way, packet) => {
    const hit = mptcpOptions(packet).some(
      (option) =>
        option.readUInt8(2) >> 4 === SUBTYPE_ADD_ADDR &&
        ((option.readUInt8(2) & ADD_ADDR_ECHO) !== 0) === (what === 'echo'),
    );
    if (!hit || lost.packets >= count) return packet;
    lost.packets++;
    return undefined;
  };
  for (const link of bed.links) link.box = box;
  return lost;
}

/** What a box did to the payload of one segment. */
export interface Corruption {
  /** Segments changed. */
  segments: number;
  /** Where the changed byte is in the bytes of its subflow, from 0. */
  offset: number;
}

/** Where in the payload the byte is that is changed; segments with less are left alone. */
const CORRUPT_AT = 100;

/**
 * Has a path invert one byte of data of a segment on its way to or from our stack, and mend the TCP checksum: only the
 * DSS checksum tells. It is the first segment after `armed` is called.
 */
export function corruptOnce(link: RelayLink, way: 'in' | 'out'): Corruption & { arm(): void } {
  let armed = false;
  let initial: number | undefined;
  const corruption = {
    segments: 0,
    offset: -1,
    arm: () => {
      armed = true;
    },
  };
  link.box = (went, packet) => {
    const tcp = tcpOf(packet);
    if (went !== way || tcp === undefined) return packet;
    const sequence = packet.readUInt32BE(tcp + 4);
    if ((packet.readUInt8(tcp + 13) & SYN) !== 0) initial = sequence;
    const payload = tcp + (packet.readUInt8(tcp + 12) >> 4) * 4;
    if (!armed || initial === undefined || packet.length - payload <= CORRUPT_AT) return packet;
    armed = false;
    corruption.segments++;
    corruption.offset = ((sequence - initial - 1) >>> 0) + CORRUPT_AT;
    invertByte(packet, payload + CORRUPT_AT, tcp);
    return packet;
  };
  return corruption;
}

const SYN = 2;

/** Inverts a byte behind a TCP header and mends the checksum there (RFC 1624). */
export function invertByte(packet: Buffer, at: number, tcp: number): void {
  const word = at - ((at - tcp) % 2);
  const read = (): number => packet.readUInt8(word) * 256 + (word + 1 < packet.length ? packet.readUInt8(word + 1) : 0);
  const before = read();
  packet.writeUInt8(packet.readUInt8(at) ^ 0xff, at);
  let sum = (~packet.readUInt16BE(tcp + 16) & 0xffff) + (~before & 0xffff) + read();
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  packet.writeUInt16BE(~sum & 0xffff, tcp + 16);
}
