import { COUNTERS } from '../abi';

/** The 64-bit counters of the stack, indexed by the COUNTER_ constants. */
export const counters: usize = memory.data(192 * 8, 8);

export function count(counter: i32): void {
  countBy(counter, 1);
}

export function countBy(counter: i32, amount: i64): void {
  if (<u32>counter >= <u32>COUNTERS) return;
  const at = counters + ((<usize>counter) << 3);
  store<u64>(at, load<u64>(at) + <u64>amount);
}
