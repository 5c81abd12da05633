import { randomU64 } from '../crypto/random';
import { sipHash } from '../crypto/siphash';
import { seqLt } from '../memory/sequence';
import { now, nowMs } from '../state/clock';
import { Subflow } from '../state/subflow';
import { packet } from '../wire/packet';
import { segment } from '../wire/segment';

/**
 * The numbers a connection begins with. From outside they are random; for one pair of addresses and ports they only grow,
 * so that a new connection is not taken for the one before it.
 */

const tuple: usize = memory.data(40, 8);
let k0: u64 = 0;
let k1: u64 = 0;

/** Takes the secret. Call it after randomSeed(). */
export function identityOpen(): void {
  k0 = randomU64();
  k1 = randomU64();
}

/** The keyed hash of two addresses and ports. */
export function tupleHash(
  key0: u64,
  key1: u64,
  localHi: u64,
  localLo: u64,
  localPort: u32,
  remoteHi: u64,
  remoteLo: u64,
  remotePort: u32,
): u64 {
  store<u64>(tuple, localHi);
  store<u64>(tuple, localLo, 8);
  store<u64>(tuple, remoteHi, 16);
  store<u64>(tuple, remoteLo, 24);
  store<u64>(tuple, ((<u64>localPort) << 32) | <u64>remotePort, 32);
  return sipHash(key0, key1, tuple, 40);
}

/** Gives a subflow, whose addresses are set, its initial sequence number and the offset of its timestamps. */
export function identityGive(subflow: Subflow): void {
  const hash = tupleHash(
    k0,
    k1,
    subflow.localHi,
    subflow.localLo,
    subflow.localPort,
    subflow.remoteHi,
    subflow.remoteLo,
    subflow.remotePort,
  );
  // RFC 6528 section 3: a clock of 4 µs and F().
  issSet(subflow, <u32>(now() >> 2) + <u32>hash);
  // RFC 7323 section 5.4: an offset for each connection.
  subflow.tsOffset = <u32>(hash >> 32);
}

/** The timestamp that the connection of the SYN in `packet` and `segment` would send now. */
export function timestampForSyn(): u32 {
  const hash = tupleHash(
    k0,
    k1,
    packet.dstHi,
    packet.dstLo,
    segment.dstPort,
    packet.srcHi,
    packet.srcLo,
    segment.srcPort,
  );
  return nowMs() + <u32>(hash >> 32);
}

/** RFC 9293 section 3.10.7.4, TIME-WAIT: the successor of a connection begins behind the last number that one used. */
export function identitySucceed(subflow: Subflow, last: u32): void {
  // Room for what may still be under way, as much as a window without scale.
  if (seqLt(subflow.iss, last + 65536)) issSet(subflow, last + 65536);
}

/** Sets the initial sequence number of a subflow that has sent nothing. */
export function issSet(subflow: Subflow, iss: u32): void {
  subflow.iss = iss;
  subflow.fack = iss;
  subflow.sndUna = iss;
  subflow.sndNxt = iss;
  subflow.seqEnd = iss + 1;
}
