/** Boxes on the paths of a {@link JoinBed}: what they look for in a packet, and what they do to it. */
import type { JoinBed } from './join-bed.js';
import type { Box } from './relay-link.js';

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
