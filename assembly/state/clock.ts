/** The time the host gave last, µs. The core has no other clock. */
let current: i64 = 0;

export function now(): i64 {
  return current;
}

export function clockSet(time: i64): void {
  current = time;
}

/** The clock of TCP timestamps and of other 32-bit uses, ms. */
export function nowMs(): u32 {
  return <u32>(current / 1000);
}
