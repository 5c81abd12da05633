/*
 * Addresses are 128-bit big-endian numbers in two halves. IPv4 is held v4-mapped
 * (RFC 4291 section 2.5.5.2), so one comparison serves both families:
 *
 *   hi                 lo
 *   00000000_00000000  0000ffff_aabbccdd   IPv4 a.b.c.d
 */

const V4_PREFIX: u64 = 0x0000ffff;

/** True for an IPv4 address. */
export function isV4(hi: u64, lo: u64): bool {
  return hi == 0 && lo >> 32 == V4_PREFIX;
}

/** The v4-mapped lower half of an IPv4 address given as a 32-bit number; the upper half is 0. */
export function mapV4(address: u32): u64 {
  return (V4_PREFIX << 32) | <u64>address;
}

/**
 * True when no host may send from this IPv4 address: "this network" 0/8, multicast 224/4 and the limited broadcast
 * (RFC 1122 section 3.2.1.3). Directed broadcasts cannot be told without the prefix of the link.
 */
export function isImpossibleSourceV4(address: u32): bool {
  return address >> 24 == 0 || address >> 28 == 0xe || address == 0xffffffff;
}

/** True for 127/8 and ::1. */
export function isLoopback(hi: u64, lo: u64): bool {
  return isV4(hi, lo) ? <u32>lo >> 24 == 127 : hi == 0 && lo == 1;
}

/** True for an address that one host can have: not unspecified, multicast or broadcast. */
export function isUnicast(hi: u64, lo: u64): bool {
  return isV4(hi, lo) ? !isImpossibleSourceV4(<u32>lo) : !isImpossibleSourceV6(hi, lo);
}

/**
 * True when no packet on the wire may come from this IPv6 address: unspecified, multicast (RFC 4291 sections 2.5.2
 * and 2.7) or v4-mapped, which would pass for an IPv4 address here.
 */
export function isImpossibleSourceV6(hi: u64, lo: u64): bool {
  return hi >> 56 == 0xff || (hi == 0 && lo == 0) || isV4(hi, lo);
}
