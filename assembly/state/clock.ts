/** The time the host gave last, µs. The core has no other clock. */
let current: i64 = 0;
/** The same in ms, kept because a division for every segment that tells the time costs more. */
let milliseconds: u32 = 0;

export function now(): i64 {
  return current;
}

export function clockSet(time: i64): void {
  current = time;
  milliseconds = <u32>(time / 1000);
}

/** The clock of TCP timestamps and of other 32-bit uses, ms. */
export function nowMs(): u32 {
  return milliseconds;
}
