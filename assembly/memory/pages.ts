import { PAGE_BYTES } from '../abi';
import { regionEnd, regionRest, regionTake } from './region';

/**
 * Buffer pages of PAGE_BYTES with reference counts. Each page has a descriptor:
 *
 *   +0  u32 references   0 = free
 *   +4  u32 next         address of the next page of the same chain, or of the free list
 *
 * Pages never used before are taken from the top of the used part, so that a large budget costs the host no
 * physical memory until it is needed.
 */

const PAGE_SHIFT: u32 = 14;

let descriptors: usize = 0;
let base: usize = 0;
let total: u32 = 0;
let fresh: u32 = 0;
let free: usize = 0;
let freeCount: u32 = 0;

/** Divides the rest of the region into pages. Call it last. Returns how many there are. */
export function pagesOpen(): u32 {
  const room = regionEnd() - regionRest();
  total = <u32>(room / (<usize>PAGE_BYTES + 8));
  descriptors = regionTake(<usize>total * 8);
  base = regionTake(0);
  while (total > 0 && base + ((<usize>total) << PAGE_SHIFT) > regionEnd()) total--;
  fresh = 0;
  free = 0;
  freeCount = total;
  return total;
}

/** A page with one reference, or 0 when the budget is used up. Its bytes are not cleared. */
export function pageTake(): usize {
  let page: usize;
  if (free != 0) {
    page = free;
    free = pageNext(page);
  } else if (fresh < total) {
    page = base + ((<usize>fresh) << PAGE_SHIFT);
    fresh++;
  } else {
    return 0;
  }
  freeCount--;
  store<u32>(descriptor(page), 1);
  store<u32>(descriptor(page), 0, 4);
  return page;
}

export function pageRetain(page: usize): void {
  const at = descriptor(page);
  store<u32>(at, load<u32>(at) + 1);
}

export function pageRelease(page: usize): void {
  const at = descriptor(page);
  const references = load<u32>(at) - 1;
  store<u32>(at, references);
  if (references == 0) {
    store<u32>(at, <u32>free, 4);
    free = page;
    freeCount++;
  }
}

export function pageNext(page: usize): usize {
  return <usize>load<u32>(descriptor(page), 4);
}

export function pageLink(page: usize, next: usize): void {
  store<u32>(descriptor(page), <u32>next, 4);
}

export function pagesTotal(): u32 {
  return total;
}

export function pagesFree(): u32 {
  return freeCount;
}

function descriptor(page: usize): usize {
  return descriptors + (((page - base) >> PAGE_SHIFT) << 3);
}
