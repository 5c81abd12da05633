import { TCP_CLOSED } from '../abi';
import { randomU32, randomU64 } from '../crypto/random';
import { sipHash } from '../crypto/siphash';
import { regionTake } from '../memory/region';
import { isOwn } from '../state/shard';
import { Subflow } from '../state/subflow';

/**
 * Finds the subflow of a segment by its addresses and ports, in a table of chains keyed by a secret (SipHash). In front
 * of it stands a small cache with a cheap index, for the flows of a burst: whoever guesses the index can only make it
 * miss.
 */

let buckets: usize = 0;
let mask: u32 = 0;
let k0: u64 = 0;
let k1: u64 = 0;
const tuple: usize = memory.data(40, 8);
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

/** Ports that are chosen (Linux: net.ipv4.ip_local_port_range). */
export const PORT_FIRST: u32 = 32768;
export const PORT_COUNT: u32 = 28232;

/**
 * A local port that is free towards a remote address and port (RFC 6056 section 3.3.1: random start, then the next
 * free one), or 0 when all are in use.
 */
export function freePort(localHi: u64, localLo: u64, remoteHi: u64, remoteLo: u64, remotePort: u32): u32 {
  const start = randomU32() % PORT_COUNT;
  for (let i: u32 = 0; i < PORT_COUNT; i++) {
    const port = PORT_FIRST + ((start + i) % PORT_COUNT);
    if (isOwn(port) && flowFind(localHi, localLo, port, remoteHi, remoteLo, remotePort) == 0) return port;
  }
  return 0;
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
  store<u64>(tuple, localHi);
  store<u64>(tuple, localLo, 8);
  store<u64>(tuple, remoteHi, 16);
  store<u64>(tuple, remoteLo, 24);
  store<u64>(tuple, ((<u64>localPort) << 32) | <u64>remotePort, 32);
  return buckets + ((<usize>(<u32>sipHash(k0, k1, tuple, 40) & mask)) << 2);
}
