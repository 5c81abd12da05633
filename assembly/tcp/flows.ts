import { TCP_CLOSED } from '../abi';
import { randomU64 } from '../crypto/random';
import { regionTake } from '../memory/region';
import { Subflow } from '../state/subflow';
import { tupleHash } from './identity';

/**
 * Finds the subflow of a segment by its addresses and ports, in a table of chains keyed by a secret (SipHash). In front
 * of it stands a small cache with a cheap index, for the flows of a burst: whoever guesses the index can only make it
 * miss.
 */

let buckets: usize = 0;
let mask: u32 = 0;
let k0: u64 = 0;
let k1: u64 = 0;
const RECENT: u32 = 256;
const recent: usize = memory.data(256 * 4, 8);

/** Makes the table for a budget of `bytes`. Call it before pagesOpen() and after randomSeed(). */
export function flowsOpen(bytes: usize): void {
  let size: u32 = 1024;
  while (<usize>size * 2048 < bytes && size < 1 << 20) size <<= 1;
  mask = size - 1;
  buckets = regionTake(<usize>size * 4);
  k0 = randomU64();
  k1 = randomU64();
  memory.fill(recent, 0, <usize>RECENT * 4);
}

export function flowInsert(subflow: Subflow): void {
  const bucket = bucketOfSubflow(subflow);
  subflow.hashNext = <usize>load<u32>(bucket);
  store<u32>(bucket, <u32>changetype<usize>(subflow));
}

export function flowRemove(subflow: Subflow): void {
  const cached = recentOf(subflow.localPort, subflow.remotePort, subflow.remoteLo);
  if (load<u32>(cached) == <u32>changetype<usize>(subflow)) store<u32>(cached, 0);
  const bucket = bucketOfSubflow(subflow);
  let at = <usize>load<u32>(bucket);
  if (at == changetype<usize>(subflow)) {
    store<u32>(bucket, <u32>subflow.hashNext);
    return;
  }
  while (at != 0) {
    const before = changetype<Subflow>(at);
    if (before.hashNext == changetype<usize>(subflow)) {
      before.hashNext = subflow.hashNext;
      return;
    }
    at = before.hashNext;
  }
}

/** The subflow of a local and remote address and port, or 0. */
export function flowFind(
  localHi: u64,
  localLo: u64,
  localPort: u32,
  remoteHi: u64,
  remoteLo: u64,
  remotePort: u32,
): usize {
  const cached = recentOf(localPort, remotePort, remoteLo);
  const last = <usize>load<u32>(cached);
  if (last != 0 && matches(last, localHi, localLo, localPort, remoteHi, remoteLo, remotePort)) return last;
  let at = <usize>load<u32>(bucketOf(localHi, localLo, localPort, remoteHi, remoteLo, remotePort));
  while (at != 0) {
    if (matches(at, localHi, localLo, localPort, remoteHi, remoteLo, remotePort)) {
      store<u32>(cached, <u32>at);
      return at;
    }
    at = changetype<Subflow>(at).hashNext;
  }
  return 0;
}

function matches(
  at: usize,
  localHi: u64,
  localLo: u64,
  localPort: u32,
  remoteHi: u64,
  remoteLo: u64,
  remotePort: u32,
): bool {
  const subflow = changetype<Subflow>(at);
  return (
    subflow.localPort == localPort &&
    subflow.remotePort == remotePort &&
    subflow.remoteLo == remoteLo &&
    subflow.localLo == localLo &&
    subflow.remoteHi == remoteHi &&
    subflow.localHi == localHi &&
    subflow.state != TCP_CLOSED
  );
}

function recentOf(localPort: u32, remotePort: u32, remoteLo: u64): usize {
  const mixed = (localPort ^ (remotePort * 0x9e3779b1) ^ (<u32>remoteLo * 0x85ebca6b)) >>> 8;
  return recent + ((<usize>(mixed & (RECENT - 1))) << 2);
}

function bucketOfSubflow(subflow: Subflow): usize {
  return bucketOf(
    subflow.localHi,
    subflow.localLo,
    subflow.localPort,
    subflow.remoteHi,
    subflow.remoteLo,
    subflow.remotePort,
  );
}

function bucketOf(localHi: u64, localLo: u64, localPort: u32, remoteHi: u64, remoteLo: u64, remotePort: u32): usize {
  const hash = tupleHash(k0, k1, localHi, localLo, localPort, remoteHi, remoteLo, remotePort);
  return buckets + ((<usize>(<u32>hash & mask)) << 2);
}
