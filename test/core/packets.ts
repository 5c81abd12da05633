/** IP packets as tests write and read them, independent of the core's codecs. */
import { addressBytes, addressText, readOptions, type TcpOptions, writeOptions } from './options.js';

/** A TCP segment; sequence numbers as they are on the wire. */
export interface TcpPacket {
  readonly src: string;
  readonly dst: string;
  readonly srcPort: number;
  readonly dstPort: number;
  readonly seq: number;
  readonly ack: number;
  /** Letters of FSRPAUEC in this order. */
  readonly flags: string;
  readonly window: number;
  readonly options: TcpOptions;
  readonly data: Uint8Array;
  /** The urgent pointer, 0 unless given; only written. */
  readonly urgent?: number;
  /** The two ECN bits of the IP header, by default 0. */
  readonly ecn?: number;
}

const FLAGS = 'FSRPAUEC';
const TCP = 6;

export function checksum(bytes: ArrayLike<number>, initial = 0): number {
  let sum = initial;
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum ^ 0xffff;
}

const u16 = (value: number): number[] => [(value >> 8) & 255, value & 255];
const u32 = (value: number): number[] => [...u16(value >>> 16), ...u16(value & 0xffff)];

function pseudoSum(src: number[], dst: number[], protocol: number, length: number): number {
  return checksum([...src, ...dst, ...u32(length), 0, 0, 0, protocol]) ^ 0xffff;
}

/** An IP packet around a transport payload, whose checksum at `checksumAt` is filled in. */
export function ipPacket(
  src: string,
  dst: string,
  protocol: number,
  payload: Uint8Array,
  checksumAt: number,
  ecn = 0,
): Uint8Array {
  const from = addressBytes(src);
  const to = addressBytes(dst);
  const v4 = from.length === 4;
  // ICMP for IPv4 is the one without a pseudo-header.
  const pseudo = v4 && protocol === 1 ? 0 : pseudoSum(from, to, protocol, payload.length);
  const sum = checksum(payload, pseudo);
  payload.set(u16(sum), checksumAt);
  const header = v4
    ? [0x45, ecn, ...u16(20 + payload.length), 0, 0, 0x40, 0, 64, protocol, 0, 0, ...from, ...to]
    : [0x60, ecn << 4, 0, 0, ...u16(payload.length), protocol, 64, ...from, ...to];
  if (v4) header.splice(10, 2, ...u16(checksum(header)));
  const packet = new Uint8Array(header.length + payload.length);
  packet.set(header);
  packet.set(payload, header.length);
  return packet;
}

export function writeTcp(packet: TcpPacket): Uint8Array {
  const options = writeOptions(packet.options);
  let flags = 0;
  for (const letter of packet.flags) flags |= 1 << FLAGS.indexOf(letter);
  const segment = new Uint8Array(20 + options.length + packet.data.length);
  segment.set([
    ...u16(packet.srcPort),
    ...u16(packet.dstPort),
    ...u32(packet.seq),
    ...u32(packet.ack),
    (5 + options.length / 4) << 4,
    flags,
    ...u16(packet.window),
    ...[0, 0],
    ...u16(packet.urgent ?? 0),
    ...options,
  ]);
  segment.set(packet.data, 20 + options.length);
  return ipPacket(packet.src, packet.dst, TCP, segment, 16, packet.ecn);
}

/** What stands in front of the transport header. Throws when a length or checksum of the core's packet is wrong. */
export function readIp(packet: Uint8Array): { src: string; dst: string; protocol: number; payload: Uint8Array } {
  const v4 = (packet[0] ?? 0) >> 4 === 4;
  const at = v4 ? 20 : 40;
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  const length = v4 ? view.getUint16(2) : view.getUint16(4) + 40;
  if (length !== packet.length) throw new Error(`the IP header says ${length} bytes, the packet has ${packet.length}`);
  if (v4 && checksum(packet.subarray(0, 20)) !== 0) throw new Error('the IP header checksum is wrong');
  const src = packet.subarray(v4 ? 12 : 8, v4 ? 16 : 24);
  const dst = packet.subarray(v4 ? 16 : 24, v4 ? 20 : 40);
  const protocol = packet[v4 ? 9 : 6] ?? 0;
  const payload = packet.subarray(at);
  const pseudo = v4 && protocol === 1 ? 0 : pseudoSum([...src], [...dst], protocol, payload.length);
  if (checksum(payload, pseudo) !== 0) throw new Error('the transport checksum is wrong');
  return { src: addressText(src), dst: addressText(dst), protocol, payload };
}

export function readTcp(packet: Uint8Array): TcpPacket {
  const { src, dst, protocol, payload } = readIp(packet);
  if (protocol !== TCP) throw new Error(`a packet of protocol ${protocol} came where TCP was expected`);
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const v4 = (packet[0] ?? 0) >> 4 === 4;
  const header = (view.getUint8(12) >> 4) * 4;
  const flags = view.getUint8(13);
  return {
    src,
    dst,
    srcPort: view.getUint16(0),
    dstPort: view.getUint16(2),
    seq: view.getUint32(4),
    ack: view.getUint32(8),
    flags: [...FLAGS].filter((_, index) => (flags & (1 << index)) !== 0).join(''),
    window: view.getUint16(14),
    options: readOptions(payload.subarray(20, header), (flags & 0x12) === 2),
    data: payload.slice(header),
    ecn: v4 ? (packet[1] ?? 0) & 3 : ((packet[1] ?? 0) >> 4) & 3,
  };
}

/** An ICMP or ICMPv6 message in a packet. */
export function writeIcmp(src: string, dst: string, type: number, rest: ArrayLike<number>, code = 0): Uint8Array {
  const message = Uint8Array.from([type, code, 0, 0, ...Array.from(rest)]);
  return ipPacket(src, dst, src.includes(':') ? 58 : 1, message, 2);
}
