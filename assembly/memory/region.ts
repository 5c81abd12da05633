/**
 * The memory of the module: grown once, when the stack is made, and divided once, from bottom to top.
 *
 *   0 … __heap_base     static data of the module
 *   … regionTake() …    fixed tables and rings, in the order they are taken
 *   … end               buffer pages (pages.ts)
 */

const WASM_PAGE: usize = 65536;

let next: usize = 0;
let end: usize = 0;

/** Takes `budget` bytes from the host behind the static data. Returns false when the host has less. */
export function regionOpen(budget: usize): bool {
  const base = (__heap_base + 15) & ~15;
  const top = (base + budget + WASM_PAGE - 1) / WASM_PAGE;
  const have = <usize>memory.size();
  if (top > have && memory.grow(<i32>(top - have)) < 0) return false;
  next = base;
  end = base + budget;
  return true;
}

/** The address of `bytes` zeroed bytes, aligned to 16. */
export function regionTake(bytes: usize): usize {
  const address = next;
  next = (next + bytes + 15) & ~15;
  return address;
}

/** Where the untaken rest begins. */
export function regionRest(): usize {
  return next;
}

/** Where the budget ends. */
export function regionEnd(): usize {
  return end;
}
