/** Bits of the flags of a TCP header (RFC 9293 section 3.1). */
export const FIN = 1;
export const SYN = 2;
export const RST = 4;
export const PSH = 8;
export const ACK = 16;
export const URG = 32;
export const CWR = 128;

/** Kinds of TCP options. */
export const OPTION_EOL = 0;
export const OPTION_NOP = 1;
export const OPTION_MSS = 2;
export const OPTION_WINDOW_SCALE = 3;
export const OPTION_SACK_PERMITTED = 4;
export const OPTION_SACK = 5;
export const OPTION_TIMESTAMPS = 8;
export const OPTION_MPTCP = 30;

const TCP = 6;
const TCP_HEADER = 20;
const OPTIONS_MOST = 40;
const EMPTY = new Uint8Array();

/** A TCP option: its kind, and what stands behind its length. NOP has nothing there. */
export interface TcpOption {
  readonly kind: number;
  readonly data: Uint8Array;
}

/**
 * A TCP segment in an IP packet, taken apart. All fields may be changed; lengths and checksums are made anew when it
 * is written.
 */
export class Segment {
  /** The IP header as it came, IPv4 options included; addresses are changed in place. */
  readonly ip: Uint8Array;
  srcPort = 0;
  dstPort = 0;
  seq = 0;
  ack = 0;
  flags = 0;
  /** As it stands in the header: not scaled. */
  window = 0;
  urgent = 0;
  options: TcpOption[] = [];
  payload: Uint8Array = EMPTY;

  constructor(ip: Uint8Array) {
    this.ip = ip;
  }

  get v4(): boolean {
    return isV4(this.ip);
  }

  /** Views of the addresses in the IP header, 4 or 16 bytes. */
  get src(): Uint8Array {
    return this.v4 ? this.ip.subarray(12, 16) : this.ip.subarray(8, 24);
  }

  get dst(): Uint8Array {
    return this.v4 ? this.ip.subarray(16, 20) : this.ip.subarray(24, 40);
  }

  has(flags: number): boolean {
    return (this.flags & flags) !== 0;
  }

  /** How much of the sequence space it takes: its payload, and one each for SYN and FIN. */
  get span(): number {
    return this.payload.length + (this.has(SYN) ? 1 : 0) + (this.has(FIN) ? 1 : 0);
  }

  /** The sequence number behind it. */
  get end(): number {
    return (this.seq + this.span) >>> 0;
  }

  option(kind: number): TcpOption | undefined {
    return this.options.find((each) => each.kind === kind);
  }

  /** Puts NOPs in the place of options, so that nothing moves. Returns how many were taken out. */
  erase(chosen: (kind: number) => boolean): number {
    let erased = 0;
    this.options = this.options.flatMap((option) => {
      if (!chosen(option.kind)) return [option];
      erased++;
      return Array.from({ length: option.data.length + 2 }, () => NOP);
    });
    return erased;
  }

  /** A segment with the same fields; what is changed of one does not show in the other. */
  copy(): Segment {
    const copy = new Segment(this.ip.slice());
    const { srcPort, dstPort, seq, ack, flags, window, urgent, options, payload } = this;
    return Object.assign(copy, { srcPort, dstPort, seq, ack, flags, window, urgent, options: [...options], payload });
  }

  /** A segment without options and payload from the other end of the same flow. */
  answer(): Segment {
    const answer = new Segment(this.ip.slice());
    answer.src.set(this.dst);
    answer.dst.set(this.src);
    answer.srcPort = this.dstPort;
    answer.dstPort = this.srcPort;
    return answer;
  }
}

const NOP: TcpOption = { kind: OPTION_NOP, data: EMPTY };

/** `sequence` moved by `distance`, which may be below zero. */
export function seqAdd(sequence: number, distance: number): number {
  return (sequence + distance) >>> 0;
}

/** How far `one` is behind `other`, below zero when it is in front of it (RFC 9293 section 3.4). */
export function seqDistance(one: number, other: number): number {
  return (one - other) | 0;
}

export function isV4(packet: Uint8Array): boolean {
  return (packet[0] ?? 0) >> 4 === 4;
}

/** The checksum of RFC 1071; `initial` is a sum of 16-bit words that stand in front of the bytes. */
export function internetChecksum(bytes: Uint8Array, initial = 0): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const even = bytes.length & ~1;
  let sum = initial;
  for (let at = 0; at < even; at += 2) sum += view.getUint16(at);
  if (even < bytes.length) sum += (bytes[even] ?? 0) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

/** The sum of the pseudo-header that stands in front of TCP and ICMPv6 (RFC 9293 section 3.1, RFC 8200 section 8.1). */
export function pseudoHeaderSum(ip: Uint8Array, protocol: number, length: number): number {
  const addresses = isV4(ip) ? ip.subarray(12, 20) : ip.subarray(8, 40);
  return (~internetChecksum(addresses) & 0xffff) + protocol + length;
}

/** Writes the checksum of an IPv4 header into it. */
export function finishV4Header(header: Uint8Array): void {
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  view.setUint16(10, 0);
  view.setUint16(10, internetChecksum(header));
}

/**
 * Takes the packet of a TCP segment apart. Undefined for all else: other protocols, fragments, IPv6 extension headers,
 * lengths that contradict each other. Checksums are not looked at. The payload is a view of the packet.
 */
export function readSegment(packet: Uint8Array): Segment | undefined {
  const at = transportOffset(packet, TCP);
  if (at === undefined || packet.length < at + TCP_HEADER) return undefined;
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  const payloadAt = at + (view.getUint8(at + 12) >> 4) * 4;
  if (payloadAt < at + TCP_HEADER || payloadAt > packet.length) return undefined;
  const options = readOptions(packet.slice(at + TCP_HEADER, payloadAt));
  if (options === undefined) return undefined;
  const segment = new Segment(packet.slice(0, at));
  segment.srcPort = view.getUint16(at);
  segment.dstPort = view.getUint16(at + 2);
  segment.seq = view.getUint32(at + 4);
  segment.ack = view.getUint32(at + 8);
  segment.flags = view.getUint8(at + 13);
  segment.window = view.getUint16(at + 14);
  segment.urgent = view.getUint16(at + 18);
  segment.options = options;
  segment.payload = packet.subarray(payloadAt);
  return segment;
}

/** Where the transport header begins if the packet is whole and of that protocol. */
export function transportOffset(packet: Uint8Array, protocol: number): number | undefined {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  if (packet.length >= 20 && isV4(packet)) {
    const header = ((packet[0] ?? 0) & 15) * 4;
    const fragment = (view.getUint16(6) & 0x3fff) !== 0;
    const whole = header >= 20 && header <= packet.length && view.getUint16(2) === packet.length && !fragment;
    return whole && packet[9] === protocol ? header : undefined;
  }
  if (packet.length >= 40 && (packet[0] ?? 0) >> 4 === 6) {
    return view.getUint16(4) + 40 === packet.length && packet[6] === protocol ? 40 : undefined;
  }
  return undefined;
}

function readOptions(area: Uint8Array): TcpOption[] | undefined {
  const options: TcpOption[] = [];
  for (let at = 0; at < area.length; ) {
    const kind = area[at] ?? 0;
    if (kind === OPTION_EOL) break;
    if (kind === OPTION_NOP) {
      options.push(NOP);
      at++;
      continue;
    }
    const length = area[at + 1] ?? 0;
    if (length < 2 || at + length > area.length) return undefined;
    options.push({ kind, data: area.subarray(at + 2, at + length) });
    at += length;
  }
  return options;
}

/**
 * The packet of a segment, with right lengths and checksums. @throws RangeError when its options need more than the 40
 * bytes there are for them.
 */
export function writeSegment(segment: Segment): Uint8Array {
  const { ip, options, payload } = segment;
  const used = options.reduce((sum, { kind, data }) => sum + (kind === OPTION_NOP ? 1 : 2 + data.length), 0);
  if (used > OPTIONS_MOST) throw new RangeError(`the options need ${used} bytes, and there are ${OPTIONS_MOST}`);
  const header = TCP_HEADER + ((used + 3) & ~3);
  const at = ip.length;
  const packet = new Uint8Array(at + header + payload.length);
  const view = new DataView(packet.buffer);
  packet.set(ip);
  view.setUint16(at, segment.srcPort);
  view.setUint16(at + 2, segment.dstPort);
  view.setUint32(at + 4, segment.seq);
  view.setUint32(at + 8, segment.ack);
  view.setUint8(at + 12, (header / 4) << 4);
  view.setUint8(at + 13, segment.flags);
  view.setUint16(at + 14, segment.window);
  view.setUint16(at + 18, segment.urgent);
  let place = at + TCP_HEADER;
  for (const { kind, data } of options) {
    packet[place++] = kind;
    if (kind === OPTION_NOP) continue;
    packet[place++] = data.length + 2;
    packet.set(data, place);
    place += data.length;
  }
  packet.set(payload, at + header);
  if (isV4(ip)) {
    view.setUint16(2, packet.length);
    finishV4Header(packet.subarray(0, at));
  } else {
    view.setUint16(4, packet.length - at);
  }
  const length = header + payload.length;
  view.setUint16(at + 16, internetChecksum(packet.subarray(at), pseudoHeaderSum(ip, TCP, length)));
  return packet;
}
