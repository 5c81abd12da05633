/** Reads a 16-bit number in network byte order. */
export function loadBe16(p: usize): u32 {
  return bswap<u16>(load<u16>(p));
}

/** Reads a 32-bit number in network byte order. */
export function loadBe32(p: usize): u32 {
  return bswap<u32>(load<u32>(p));
}

/** Reads a 64-bit number in network byte order. */
export function loadBe64(p: usize): u64 {
  return bswap<u64>(load<u64>(p));
}

/** Writes the low 16 bits of `v` in network byte order. */
export function storeBe16(p: usize, v: u32): void {
  store<u16>(p, bswap<u16>(<u16>v));
}

/** Writes a 32-bit number in network byte order. */
export function storeBe32(p: usize, v: u32): void {
  store<u32>(p, bswap<u32>(v));
}

/** Writes a 64-bit number in network byte order. */
export function storeBe64(p: usize, v: u64): void {
  store<u64>(p, bswap<u64>(v));
}
