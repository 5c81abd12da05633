/** Comparisons of 32-bit sequence numbers modulo 2^32 (RFC 9293 section 3.4). */

export function seqLt(a: u32, b: u32): bool {
  return <i32>(a - b) < 0;
}

export function seqLe(a: u32, b: u32): bool {
  return <i32>(a - b) <= 0;
}

export function seqMax(a: u32, b: u32): u32 {
  return seqLt(a, b) ? b : a;
}

export function seqMin(a: u32, b: u32): u32 {
  return seqLt(a, b) ? a : b;
}

/** Comparisons of 64-bit data sequence numbers modulo 2^64 (RFC 8684 section 3.3.1). */

export function dsnLt(a: u64, b: u64): bool {
  return <i64>(a - b) < 0;
}

export function dsnLe(a: u64, b: u64): bool {
  return <i64>(a - b) <= 0;
}

/** The 64-bit number nearest to `near` whose lower half is `low` (RFC 8684 section 3.3.1, 32-bit forms). */
export function dsnExtend(low: u32, near: u64): u64 {
  return near + <u64>(<i64>(<i32>(low - <u32>near)));
}
