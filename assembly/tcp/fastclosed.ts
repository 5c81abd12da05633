import { CONFIG_CLOSE_TIMEOUT } from '../abi';
import { now } from '../state/clock';
import { config } from '../state/config';
import { Connection } from '../state/connection';
import { Subflow } from '../state/subflow';
import { packet } from '../wire/packet';
import { segment } from '../wire/segment';

/**
 * Subflows that were reset with MP_FASTCLOSE (RFC 8684 section 3.5, option R: "Host A can tear down the subflows and the
 * connection immediately"). That RST can be lost, and one without MP_FASTCLOSE would leave the peer waiting for a join: so
 * for a while what still comes by such a subflow is answered with it again. A small table: of two subflows in one place the
 * newer stays.
 */
@unmanaged
class Fastclosed {
  localHi: u64;
  localLo: u64;
  remoteHi: u64;
  remoteLo: u64;
  /** The key of the peer. */
  key: u64;
  /** Until when it counts, µs. */
  until: i64;
  localPort: u16;
  remotePort: u16;
  version: u8;
}

const PLACES: u32 = 256;
const STRIDE: usize = 56;
/** 2^64 divided by the golden ratio: it spreads numbers that differ in a few bits (Fibonacci hashing). */
const GOLDEN: u64 = ((<u64>0x9e3779b9) << 32) | 0x7f4a7c15;
const table: usize = memory.data(256 * 56, 8);

let version: u32 = 0;

export function fastclosedOpen(): void {
  memory.fill(table, 0, <usize>PLACES * STRIDE);
}

/** A subflow of the connection is reset with MP_FASTCLOSE. */
export function fastclosedAdd(connection: Connection, subflow: Subflow): void {
  const at = place(subflow.remoteHi ^ subflow.localHi, subflow.remoteLo ^ subflow.localLo, subflow.remotePort);
  at.localHi = subflow.localHi;
  at.localLo = subflow.localLo;
  at.remoteHi = subflow.remoteHi;
  at.remoteLo = subflow.remoteLo;
  at.localPort = subflow.localPort;
  at.remotePort = subflow.remotePort;
  at.key = connection.remoteKey;
  at.version = connection.version;
  at.until = now() + config(CONFIG_CLOSE_TIMEOUT);
}

/** The key that MP_FASTCLOSE in answer to the packet in `packet` and `segment` has, or 0 when it is to have none. */
export function fastclosedKey(): u64 {
  const at = place(packet.srcHi ^ packet.dstHi, packet.srcLo ^ packet.dstLo, segment.srcPort);
  if (at.until <= now() || at.localPort != segment.dstPort || at.remotePort != segment.srcPort) return 0;
  if (at.localHi != packet.dstHi || at.localLo != packet.dstLo) return 0;
  if (at.remoteHi != packet.srcHi || at.remoteLo != packet.srcLo) return 0;
  version = at.version;
  return at.key;
}

/** The version of Multipath TCP of the subflow that fastclosedKey() found. */
export function fastclosedVersion(): u32 {
  return version;
}

function place(hi: u64, lo: u64, port: u32): Fastclosed {
  const mixed = (hi ^ lo ^ <u64>port) * GOLDEN;
  return changetype<Fastclosed>(table + <usize>(mixed >> 56) * STRIDE);
}
