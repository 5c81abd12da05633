/**
 * The requests of rtnetlink(7) that bring a TUN device into service: largest packet, carrier, addresses. They need no
 * `ip` program, and their errors come as error numbers rather than as text to be read.
 */
import { isIP } from 'node:net';
import { endianness } from 'node:os';

const NLMSG_ERROR = 2;
const NLM_F_REQUEST = 0x1;
const NLM_F_ACK = 0x4;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;
const RTM_NEWLINK = 16;
const RTM_NEWADDR = 20;
const NLMSG_HEADER_BYTES = 16;

const IFF_UP = 1;
const IFLA_MTU = 4;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_FLAGS = 8;
const IFA_F_NODAD = 0x02;
export const AF_INET = 2;
export const AF_INET6 = 10;

const littleEndian = endianness() === 'LE';

/** An interface address, as the kernel takes it. */
export interface InterfaceAddress {
  family: typeof AF_INET | typeof AF_INET6;
  /** 4 or 16 bytes in network order. */
  bytes: Uint8Array;
  /** Bits of the on-link prefix. */
  prefix: number;
}

/**
 * Parses `ADDRESS/PREFIX`.
 * @param toBytes inet_pton(3).
 * @throws {RangeError} when it is not one.
 */
export function parseInterfaceAddress(
  text: string,
  toBytes: (family: number, address: string) => Uint8Array,
): InterfaceAddress {
  const [address = '', prefixText, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || address.includes('%')) {
    throw new RangeError(
      `"${text}" begins with no IP address; write ADDRESS/PREFIX, such as 10.0.1.1/24 or fd00:1::1/64`,
    );
  }
  const bits = version === 4 ? 32 : 128;
  if (prefixText === undefined || rest.length > 0 || !/^\d{1,3}$/.test(prefixText) || Number(prefixText) > bits) {
    throw new RangeError(
      `"${text}" needs one prefix length of 0 to ${bits} behind the address, such as ${address}/${bits === 32 ? 24 : 64}`,
    );
  }
  const family = version === 4 ? AF_INET : AF_INET6;
  return { family, bytes: toBytes(family, address), prefix: Number(prefixText) };
}

/** RTM_NEWLINK: sets the largest packet in bytes and brings the interface up. */
export function linkUpRequest(index: number, mtu: number): Uint8Array {
  const body = new Uint8Array(16);
  const view = new DataView(body.buffer);
  view.setInt32(4, index, littleEndian);
  view.setUint32(8, IFF_UP, littleEndian);
  view.setUint32(12, IFF_UP, littleEndian);
  return message(RTM_NEWLINK, 0, [body, attribute(IFLA_MTU, uint32(mtu))]);
}

/** RTM_NEWADDR: gives the interface an address at once, without duplicate address detection (RFC 4862 section 5.4). */
export function addAddressRequest(index: number, address: InterfaceAddress): Uint8Array {
  const body = new Uint8Array(8);
  body[0] = address.family;
  body[1] = address.prefix;
  new DataView(body.buffer).setUint32(4, index, littleEndian);
  const attributes = [attribute(IFA_LOCAL, address.bytes), attribute(IFA_ADDRESS, address.bytes)];
  if (address.family === AF_INET6) attributes.push(attribute(IFA_FLAGS, uint32(IFA_F_NODAD)));
  return message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, [body, ...attributes]);
}

/**
 * The error number (positive, 0 for success) in the kernel's acknowledgement.
 * @throws {Error} when the reply is no acknowledgement.
 */
export function acknowledgedError(reply: Uint8Array): number {
  const view = new DataView(reply.buffer, reply.byteOffset, reply.byteLength);
  if (reply.byteLength < NLMSG_HEADER_BYTES + 4 || view.getUint16(4, littleEndian) !== NLMSG_ERROR) {
    throw new Error(`rtnetlink answered with ${reply.byteLength} bytes that are no acknowledgement`);
  }
  return -view.getInt32(NLMSG_HEADER_BYTES, littleEndian);
}

function message(type: number, flags: number, parts: Uint8Array[]): Uint8Array {
  const length = NLMSG_HEADER_BYTES + parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, length, littleEndian);
  view.setUint16(4, type, littleEndian);
  view.setUint16(6, NLM_F_REQUEST | NLM_F_ACK | flags, littleEndian);
  let offset = NLMSG_HEADER_BYTES;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

/** `struct rtattr`; all payloads here are multiples of 4, so that none needs padding. */
function attribute(type: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, bytes.length, littleEndian);
  view.setUint16(2, type, littleEndian);
  bytes.set(payload, 4);
  return bytes;
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, littleEndian);
  return bytes;
}
