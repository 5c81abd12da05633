import { randomU32, randomU64 } from '../crypto/random';
import { isOwn } from '../state/shard';
import { flowFind } from './flows';
import { tupleHash } from './identity';

/** Choosing local ports (RFC 6056). */

/** Ports that are chosen (Linux: net.ipv4.ip_local_port_range). */
export const PORT_FIRST: u32 = 32768;
export const PORT_COUNT: u32 = 28232;

/** Counters of section 3.3.4: what one destination uses up tells little of what others do. */
const COUNTERS: u32 = 4096;
const counters: usize = memory.data(4096 * 4, 8);
let k0: u64 = 0;
let k1: u64 = 0;

/** Takes the secret. Call it after randomSeed(). */
export function portsOpen(): void {
  k0 = randomU64();
  k1 = randomU64();
  memory.fill(counters, 0, <usize>COUNTERS * 4);
}

/**
 * A local port that is free towards a remote address and port, or 0 when all are in use: the double hash of RFC 6056
 * section 3.3.4, with the random steps of section 3.3.5.
 */
export function freePort(localHi: u64, localLo: u64, remoteHi: u64, remoteLo: u64, remotePort: u32): u32 {
  const hash = tupleHash(k0, k1, localHi, localLo, 0, remoteHi, remoteLo, remotePort);
  const counter = counters + ((<usize>(<u32>(hash >> 32) & (COUNTERS - 1))) << 2);
  const start = (<u32>hash % PORT_COUNT) + load<u32>(counter);
  for (let i: u32 = 0; i < PORT_COUNT; i++) {
    const port = PORT_FIRST + ((start + i) % PORT_COUNT);
    if (!isOwn(port) || flowFind(localHi, localLo, port, remoteHi, remoteLo, remotePort) != 0) continue;
    store<u32>(counter, (load<u32>(counter) + i + 1 + (randomU32() & 15)) % PORT_COUNT);
    return port;
  }
  return 0;
}
