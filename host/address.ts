import { MptcpError } from './error.js';

/**
 * An IP address as the core knows it: the 16 bytes as a big-endian number in two unsigned halves,
 * IPv4 as `::ffff:a.b.c.d` (RFC 4291 section 2.5.5.2).
 */
export interface Address {
  readonly hi: bigint;
  readonly lo: bigint;
}

/** An address and the number of leading bits that name its network, counted over all 128 bits. */
export interface Prefix extends Address {
  readonly bits: number;
}

const V4_MAPPED = 0xffffn << 32n;
const UNSPECIFIED: Address = { hi: 0n, lo: 0n };

/** True for an address that is IPv4. */
export function isIPv4(address: Address): boolean {
  return address.hi === 0n && address.lo >> 32n === 0xffffn;
}

/** `IPv4` or `IPv6`, as `node:net` names families. */
export function addressFamily(address: Address): 'IPv4' | 'IPv6' {
  return isIPv4(address) ? 'IPv4' : 'IPv6';
}

/** The address that stands for any: `0.0.0.0` and `::` alike, which the core takes as zero. */
export function unspecified(address: Address): boolean {
  return address.hi === 0n && (address.lo === 0n || address.lo === V4_MAPPED);
}

/** Reads an IPv4 or IPv6 literal. Returns undefined when it is none. */
export function parseAddress(text: string): Address | undefined {
  return text.includes(':') ? parseIPv6(text) : parseIPv4(text);
}

/**
 * Reads an address that must be one.
 * @throws MptcpError EINVAL naming `syscall` and the text when it is none.
 */
export function requireAddress(text: string, syscall: string): Address {
  const address = typeof text === 'string' ? parseAddress(text) : undefined;
  if (address !== undefined) return address;
  throw new MptcpError('EINVAL', syscall, {
    detail: `${JSON.stringify(text)} is not an IP address; write it as 10.0.1.2 or fd00::2`,
  });
}

/** As {@link requireAddress}, but the unspecified address, an empty text and undefined all mean any. */
export function addressOrAny(text: string | undefined, syscall: string): Address {
  if (text === undefined || text === '') return UNSPECIFIED;
  const address = requireAddress(text, syscall);
  return unspecified(address) ? UNSPECIFIED : address;
}

/**
 * Reads `address/bits`, such as `10.0.1.2/24`; without `/bits` the prefix is the whole address.
 * @throws MptcpError EINVAL.
 */
export function requirePrefix(text: string, syscall: string): Prefix {
  const slash = text.indexOf('/');
  const literal = slash < 0 ? text : text.slice(0, slash);
  const address = requireAddress(literal, syscall);
  const width = isIPv4(address) && !literal.includes(':') ? 32 : 128;
  if (slash < 0) return { ...address, bits: 128 };
  const digits = text.slice(slash + 1);
  const bits = /^(0|[1-9][0-9]{0,2})$/.test(digits) ? Number(digits) : Number.NaN;
  if (!(bits <= width)) {
    throw new MptcpError('EINVAL', syscall, {
      detail: `${JSON.stringify(text)}: the prefix length must be a number from 0 to ${width}`,
    });
  }
  return { ...address, bits: bits + (128 - width) };
}

/** The text of an address: dotted for IPv4, RFC 5952 for IPv6. */
export function formatAddress(hi: bigint, lo: bigint): string {
  if (isIPv4({ hi, lo })) {
    const value = Number(lo & 0xffffffffn);
    return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
  }
  const groups: number[] = [];
  for (const half of [hi, lo]) {
    for (let shift = 48n; shift >= 0n; shift -= 16n) groups.push(Number((half >> shift) & 0xffffn));
  }
  const gap = longestZeroRun(groups);
  const hex = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  // RFC 5952 section 4.2.2: a single group of zeros is not shortened.
  return gap.length < 2 ? hex(0, 8) : `${hex(0, gap.start)}::${hex(gap.start + gap.length, 8)}`;
}

/** The longest run of zero groups, the first one of equals (RFC 5952 section 4.2.3). */
function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (let index = 0; index <= groups.length; index++) {
    if (groups[index] === 0) continue;
    if (index - start > best.length) best = { start, length: index - start };
    start = index + 1;
  }
  return best;
}

function parseIPv4(text: string): Address | undefined {
  const value = dottedValue(text);
  return value === undefined ? undefined : { hi: 0n, lo: V4_MAPPED | BigInt(value) };
}

/** Strictly four decimal numbers: a leading zero could be read as octal elsewhere, so it is refused. */
function dottedValue(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part)) return undefined;
    const octet = Number(part);
    if (octet > 255) return undefined;
    value = value * 256 + octet;
  }
  return value;
}

function parseIPv6(text: string): Address | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? '', halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? '', true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  // "::" stands for at least one group (RFC 4291 section 2.2).
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  const half = (from: number): bigint =>
    groups.slice(from, from + 4).reduce((value, group) => (value << 16n) | BigInt(group), 0n);
  return { hi: half(0), lo: half(4) };
}

/** The 16-bit groups of one side of `::`; the last one or two may be written as IPv4 when `dotted`. */
function parseGroups(text: string, dotted: boolean): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const groups: number[] = [];
  for (const [index, part] of parts.entries()) {
    if (dotted && index === parts.length - 1 && part.includes('.')) {
      const value = dottedValue(part);
      if (value === undefined) return undefined;
      groups.push(Math.floor(value / 65536), value % 65536);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups;
}
