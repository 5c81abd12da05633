/* Test-only entry: what test/wire/ calls of wire/, crypto/ and wire/keys. No part of the shipped module. */
import { Options, options } from '../wire/options';
import { Packet, packet } from '../wire/packet';
import { Segment, segment } from '../wire/segment';

export { hmacSha1, hmacSha256 } from '../crypto/hmac';
export { chacha20Block, randomSeed, randomU32, randomU64 } from '../crypto/random';
export { sha1 } from '../crypto/sha1';
export { sha256 } from '../crypto/sha256';
export { sipHash } from '../crypto/siphash';
export {
  checksumFold,
  checksumFoldPartial,
  sumBytes,
  sumOddPiece,
  sumPseudoHeader,
  sumWord16,
  sumWord32,
  sumWord64,
} from '../wire/checksum';
export { buildEchoReply } from '../wire/icmp';
export { addAddressHmac, joinHmac, keyIdsn, keyToken } from '../wire/keys';
export {
  dssLength,
  writeAddAddr,
  writeAddAddrV0,
  writeCapableAck,
  writeCapableData,
  writeCapableSyn,
  writeCapableSynAck,
  writeDss,
  writeFail,
  writeFastclose,
  writeJoinAck,
  writeJoinSyn,
  writeJoinSynAck,
  writePrio,
  writeRemoveAddr,
  writeReset,
} from '../wire/mptcp';
export {
  parseOptions,
  sackLeft,
  sackRight,
  writeFastOpen,
  writeMss,
  writeSackHeader,
  writeSackPermitted,
  writeSackTimestamps,
  writeTimestamps,
  writeWindowScale,
} from '../wire/options';
export { isV4, parsePacket, writeIpHeader } from '../wire/packet';
export { parseSegment, writeTcpHeader } from '../wire/segment';

/** First address the tests may write to. */
export function heapBase(): usize {
  return __heap_base;
}

export function packetAddress(): usize {
  return changetype<usize>(packet);
}

export function packetBytes(): usize {
  return offsetof<Packet>();
}

export function segmentAddress(): usize {
  return changetype<usize>(segment);
}

export function segmentBytes(): usize {
  return offsetof<Segment>();
}

export function optionsAddress(): usize {
  return changetype<usize>(options);
}

export function optionsBytes(): usize {
  return offsetof<Options>();
}
