/** Makes IP packets byte by byte, right or wrong as a test wants them, independent of the core's writers. */

/** The checksum of RFC 1071 over the pieces one behind the other. */
export function internetChecksum(...pieces: ArrayLike<number>[]): number {
  const bytes = pieces.flatMap((piece) => Array.from(piece));
  let sum = 0;
  for (let index = 0; index < bytes.length; index += 2) {
    sum += ((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0);
  }
  while (sum > 0xffff) {
    sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  }
  return sum ^ 0xffff;
}

const word = (value: number): number[] => [(value >> 8) & 255, value & 255];

export interface V4Fields {
  readonly version?: number;
  /** IHL: header length in words of 4 bytes. */
  readonly headerWords?: number;
  readonly totalLength?: number;
  /** Flags and fragment offset. */
  readonly fragment?: number;
  readonly protocol?: number;
  readonly src?: readonly number[];
  readonly dst?: readonly number[];
  readonly options?: readonly number[];
  /** Added to the right header checksum. */
  readonly checksumError?: number;
}

/** An IPv4 packet from 10.0.0.1 to 10.0.0.2, TTL 64, ECN bits 2. */
export function v4Packet(payload: ArrayLike<number>, fields: V4Fields = {}): Uint8Array {
  const options = fields.options ?? [];
  const headerWords = fields.headerWords ?? 5 + options.length / 4;
  const header = [
    ((fields.version ?? 4) << 4) | headerWords,
    2,
    ...word(fields.totalLength ?? 20 + options.length + payload.length),
    ...[0x12, 0x34],
    ...word(fields.fragment ?? 0x4000),
    ...[64, fields.protocol ?? 6, 0, 0],
    ...(fields.src ?? [10, 0, 0, 1]),
    ...(fields.dst ?? [10, 0, 0, 2]),
    ...options,
  ];
  const checksum = internetChecksum(header.slice(0, headerWords * 4)) + (fields.checksumError ?? 0);
  header.splice(10, 2, ...word(checksum));
  return Uint8Array.from([...header, ...Array.from(payload)]);
}

export const V6_SRC = [0xfd, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
export const V6_DST = [0xfd, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

export interface V6Fields {
  readonly next?: number;
  readonly payloadLength?: number;
  readonly src?: readonly number[];
  readonly dst?: readonly number[];
}

/** An IPv6 packet from fd00:1::1 to fd00:1::2, hop limit 64, ECN bits 1, with a flow label. */
export function v6Packet(payload: ArrayLike<number>, fields: V6Fields = {}): Uint8Array {
  return Uint8Array.from([
    ...[0x60, 0x1a, 0xbc, 0xde],
    ...word(fields.payloadLength ?? payload.length),
    ...[fields.next ?? 6, 64],
    ...(fields.src ?? V6_SRC),
    ...(fields.dst ?? V6_DST),
    ...Array.from(payload),
  ]);
}

/** The pseudo-header of addresses of either length. */
function pseudoHeader(src: readonly number[], dst: readonly number[], protocol: number, length: number): number[] {
  return [...src, ...dst, 0, 0, ...word(length), 0, protocol];
}

/** A TCP segment between the default addresses of v4Packet() or v6Packet() with a right checksum. */
export function tcpSegment(payload: ArrayLike<number>, options: readonly number[] = [], v6 = false): Uint8Array {
  const src = v6 ? V6_SRC : [10, 0, 0, 1];
  const dst = v6 ? V6_DST : [10, 0, 0, 2];
  const segment = [
    ...[0x9c, 0x40, 0x1f, 0x40, 1, 2, 3, 4, 5, 6, 7, 8],
    ...[(5 + options.length / 4) << 4, 0x18, 0x20, 0x00, 0, 0, 0, 0],
    ...options,
    ...Array.from(payload),
  ];
  segment.splice(16, 2, ...word(internetChecksum(pseudoHeader(src, dst, 6, segment.length), segment)));
  return Uint8Array.from(segment);
}

/** An ICMP or ICMPv6 message with a right checksum: type, code, and what stands behind the checksum. */
export function icmpMessage(type: number, code: number, rest: ArrayLike<number>, v6: boolean): Uint8Array {
  const message = [type, code, 0, 0, ...Array.from(rest)];
  const pseudo = v6 ? pseudoHeader(V6_SRC, V6_DST, 58, message.length) : [];
  message.splice(2, 2, ...word(internetChecksum(pseudo, message)));
  return Uint8Array.from(message);
}
