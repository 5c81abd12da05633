import { ADDRESSES_MAX, LINKS_MAX, ROUTES_MAX } from '../abi';

/** A link of the stack, its addresses, and the subflows that have something to send by it. */
@unmanaged
export class Link {
  /** 0 while the entry is unused. */
  used: u32;
  mtu: u32;
  /** LINK_ bits. */
  flags: u32;
  up: u32;
  addressCount: u32;
  /** First and last subflow of the queue that waits to send, linked by Subflow.readyNext. */
  readyHead: usize;
  readyTail: usize;
  /** First and last prepared reply, see stack/replies.ts. */
  replyHead: usize;
  replyTail: usize;
}

@unmanaged
export class Address {
  hi: u64;
  lo: u64;
  prefix: u32;
  unused: u32;
}

@unmanaged
export class Route {
  hi: u64;
  lo: u64;
  prefix: u32;
  /** The link, or -1 while the entry is unused. */
  link: i32;
}

const LINK_STRIDE: usize = 40;
const ADDRESS_STRIDE: usize = 24;
const links: usize = memory.data(32 * 40, 8);
const addresses: usize = memory.data(32 * 8 * 24, 8);
const routes: usize = memory.data(32 * 24, 8);

export function linksOpen(): void {
  for (let i = 0; i < ROUTES_MAX; i++) routeAt(i).link = -1;
}

export function linkAt(index: i32): Link {
  return changetype<Link>(links + <usize>index * LINK_STRIDE);
}

/** The link of an index the host gave, or null when there is none. */
export function linkFind(index: i32): Link | null {
  if (<u32>index >= <u32>LINKS_MAX) return null;
  const link = linkAt(index);
  return link.used != 0 ? link : null;
}

export function addressAt(link: i32, index: u32): Address {
  return changetype<Address>(addresses + (<usize>link * <usize>ADDRESSES_MAX + index) * ADDRESS_STRIDE);
}

export function routeAt(index: i32): Route {
  return changetype<Route>(routes + <usize>index * ADDRESS_STRIDE);
}

/** The link that has a local address, or -1. */
export function linkOfAddress(hi: u64, lo: u64): i32 {
  for (let link = 0; link < LINKS_MAX; link++) {
    const entry = linkAt(link);
    if (entry.used == 0) continue;
    for (let i: u32 = 0; i < entry.addressCount; i++) {
      const address = addressAt(link, i);
      if (address.hi == hi && address.lo == lo) return link;
    }
  }
  return -1;
}

/** True when the first `prefix` of 128 bits agree. */
export function prefixMatches(aHi: u64, aLo: u64, bHi: u64, bLo: u64, prefix: u32): bool {
  if (prefix == 0) return true;
  if (prefix <= 64) return (aHi ^ bHi) >> (64 - prefix) == 0;
  if (aHi != bHi) return false;
  return (aLo ^ bLo) >> (128 - prefix) == 0;
}

/**
 * The link that leads to a destination: the longest matching prefix among on-link addresses and routes, links that
 * are up before links that are down, lower numbers first. -1 when none leads there.
 */
export function linkToDestination(hi: u64, lo: u64): i32 {
  let best = -1;
  let bestRank: i32 = -1;
  for (let link = 0; link < LINKS_MAX; link++) {
    const entry = linkAt(link);
    if (entry.used == 0) continue;
    for (let i: u32 = 0; i < entry.addressCount; i++) {
      const address = addressAt(link, i);
      if (!prefixMatches(hi, lo, address.hi, address.lo, address.prefix)) continue;
      const rank = <i32>address.prefix + (entry.up != 0 ? 1024 : 0);
      if (rank > bestRank) {
        best = link;
        bestRank = rank;
      }
    }
  }
  for (let i = 0; i < ROUTES_MAX; i++) {
    const route = routeAt(i);
    if (route.link < 0 || !prefixMatches(hi, lo, route.hi, route.lo, route.prefix)) continue;
    const rank = <i32>route.prefix + (linkAt(route.link).up != 0 ? 1024 : 0);
    if (rank > bestRank) {
      best = route.link;
      bestRank = rank;
    }
  }
  return best;
}

/** The first address of a link of the same family as a destination, or null. */
export function sourceAddress(link: i32, remoteHi: u64, remoteLo: u64): Address | null {
  const entry = linkAt(link);
  const v4 = isMapped(remoteHi, remoteLo);
  for (let i: u32 = 0; i < entry.addressCount; i++) {
    const address = addressAt(link, i);
    if (isMapped(address.hi, address.lo) == v4) return address;
  }
  return null;
}

/** True for an IPv4 address, held as ::ffff:a.b.c.d. */
export function isMapped(hi: u64, lo: u64): bool {
  return hi == 0 && lo >> 32 == 0xffff;
}
