/*
 * The Multipath TCP option (RFC 8684 section 3; RFC 6824 section 3 for version 0), TCP option kind 30:
 *
 *   +--------+--------+--------+--------+----
 *   |   30   | length |sub|low |  last  | ...
 *   +--------+--------+--------+--------+----
 *
 * The four-bit subtype and the length together say which fields follow. Writers pad with NOPs behind the option to a
 * multiple of 4 bytes, as Linux does.
 */
import { isV4, mapV4 } from './address';
import { loadBe16, loadBe32, loadBe64, storeBe16, storeBe32, storeBe64 } from './bytes';
import {
  DSS_A,
  DSS_a,
  DSS_M,
  DSS_m,
  options,
  SUBTYPE_ADD_ADDR,
  SUBTYPE_CAPABLE,
  SUBTYPE_DSS,
  SUBTYPE_FAIL,
  SUBTYPE_FASTCLOSE,
  SUBTYPE_JOIN,
  SUBTYPE_PRIO,
  SUBTYPE_REMOVE_ADDR,
  SUBTYPE_RST,
} from './option-fields';

export {
  CAPABLE_FLAG_A,
  CAPABLE_FLAG_B,
  CAPABLE_FLAG_C,
  CAPABLE_FLAG_H,
  DSS_A,
  DSS_a,
  DSS_F,
  DSS_M,
  DSS_m,
  SUBTYPE_ADD_ADDR,
  SUBTYPE_CAPABLE,
  SUBTYPE_DSS,
  SUBTYPE_FAIL,
  SUBTYPE_FASTCLOSE,
  SUBTYPE_JOIN,
  SUBTYPE_PRIO,
  SUBTYPE_REMOVE_ADDR,
  SUBTYPE_RST,
} from './option-fields';

const KIND_MPTCP: u32 = 30;
const NOP: u8 = 1;
const NOP_NOP: u32 = 0x0101;

/** The versions there are: that of RFC 6824 and that of RFC 8684. */
export const MPTCP_V0: u32 = 0;
export const MPTCP_V1: u32 = 1;

/** Flag T of MP_TCPRST: the error is transient (RFC 8684 section 3.6). */
export const RST_FLAG_T: u32 = 1;

/** Bytes of the HMAC in the MP_JOIN of an ACK (RFC 8684 section 3.2): the leftmost 160 bits. */
export const JOIN_ACK_HMAC_BYTES: u32 = 20;

/**
 * Reads one option of kind 30 into `options`; its `length` bytes (kind and length included) are known to lie within
 * the option area. An unknown subtype, a length the subtype does not have, or a subtype that was there before leaves
 * `options` alone.
 */
export function parseMptcpOption(p: usize, length: u32): void {
  if (length < 3) return;
  const subtype: u32 = <u32>load<u8>(p + 2) >> 4;
  const bit: u32 = 1 << subtype;
  if ((options.mptcp & bit) != 0) return;
  let good = false;
  switch (subtype) {
    case SUBTYPE_CAPABLE:
      good = parseCapable(p, length);
      break;
    case SUBTYPE_JOIN:
      good = parseJoin(p, length);
      break;
    case SUBTYPE_DSS:
      good = parseDss(p, length);
      break;
    case SUBTYPE_ADD_ADDR:
      good = parseAddAddr(p, length);
      break;
    case SUBTYPE_REMOVE_ADDR:
      good = parseRemoveAddr(p, length);
      break;
    case SUBTYPE_PRIO:
      good = parsePrio(p, length);
      break;
    case SUBTYPE_FAIL:
      good = parseFail(p, length);
      break;
    case SUBTYPE_FASTCLOSE:
      good = parseFastclose(p, length);
      break;
    case SUBTYPE_RST:
      good = parseReset(p, length);
      break;
    default:
      break;
  }
  if (good) options.mptcp |= bit;
}

/**
 * RFC 8684 section 3.1, figure 4, and RFC 6824 section 3.1, figure 4: how many fields follow depends on the place in the
 * handshake, and on the version, which the reader has to compare.
 */
function parseCapable(p: usize, length: u32): bool {
  if (length != 4 && length != 12 && length != 20 && length != 22 && length != 24) return false;
  options.capableVersion = load<u8>(p + 2) & 15;
  options.capableFlags = load<u8>(p + 3);
  options.capableLength = length;
  options.capableSenderKey = length >= 12 ? loadBe64(p + 4) : 0;
  options.capableReceiverKey = length >= 20 ? loadBe64(p + 12) : 0;
  options.capableDataLength = length >= 22 ? loadBe16(p + 20) : 0;
  options.capableChecksum = length == 24 ? loadBe16(p + 22) : 0;
  options.capableHasChecksum = length == 24 ? 1 : 0;
  return true;
}

/** RFC 8684 section 3.2, figures 5 to 7. */
function parseJoin(p: usize, length: u32): bool {
  if (length != 12 && length != 16 && length != 24) return false;
  const onAck = length == 24;
  options.joinLength = length;
  options.joinBackup = onAck ? 0 : load<u8>(p + 2) & 1;
  options.joinAddressId = onAck ? 0 : load<u8>(p + 3);
  options.joinToken = length == 12 ? loadBe32(p + 4) : 0;
  options.joinHmac64 = length == 16 ? loadBe64(p + 4) : 0;
  options.joinNonce = onAck ? 0 : loadBe32(p + length - 4);
  options.joinHmac = onAck ? p + 4 : 0;
  return true;
}

/** RFC 8684 section 3.3, figure 9. The checksum is there when the option is two bytes longer than the rest needs. */
function parseDss(p: usize, length: u32): bool {
  if (length < 4) return false;
  const flags: u32 = load<u8>(p + 3);
  const fields = dssFieldBytes(flags);
  const hasChecksum = (flags & DSS_M) != 0 && length == fields + 2;
  if (length != fields && !hasChecksum) return false;
  options.dssFlags = flags;
  options.dssAck = 0;
  options.dssDsn = 0;
  options.dssSsn = 0;
  options.dssLength = 0;
  options.dssChecksum = 0;
  options.dssHasChecksum = hasChecksum ? 1 : 0;
  p += 4;
  if ((flags & DSS_A) != 0) {
    if ((flags & DSS_a) != 0) {
      options.dssAck = loadBe64(p);
      p += 8;
    } else {
      options.dssAck = loadBe32(p);
      p += 4;
    }
  }
  if ((flags & DSS_M) != 0) {
    if ((flags & DSS_m) != 0) {
      options.dssDsn = loadBe64(p);
      p += 8;
    } else {
      options.dssDsn = loadBe32(p);
      p += 4;
    }
    options.dssSsn = loadBe32(p);
    options.dssLength = loadBe16(p + 4);
    if (hasChecksum) options.dssChecksum = loadBe16(p + 6);
  }
  return true;
}

/** Bytes of a DSS option without its checksum and padding. */
function dssFieldBytes(flags: u32): u32 {
  let bytes: u32 = 4;
  if ((flags & DSS_A) != 0) bytes += (flags & DSS_a) != 0 ? 8 : 4;
  if ((flags & DSS_M) != 0) bytes += (flags & DSS_m) != 0 ? 14 : 10;
  return bytes;
}

/** The lengths of ADD_ADDR: bit n stands for n bytes. With HMAC, without, and of both those with IPv4 and with a port. */
const ADD_ADDR_SIGNED: u32 = (1 << 16) | (1 << 18) | (1 << 28) | (1 << 30);
const ADD_ADDR_UNSIGNED: u32 = (1 << 8) | (1 << 10) | (1 << 20) | (1 << 22);
const ADD_ADDR_IPV4: u32 = (1 << 8) | (1 << 10) | (1 << 16) | (1 << 18);
const ADD_ADDR_PORT: u32 = (1 << 10) | (1 << 18) | (1 << 22) | (1 << 30);

/**
 * RFC 8684 section 3.4.1, figure 12: an announcement ends with 8 bytes of HMAC, an echo has none. RFC 6824 section 3.4.1,
 * figure 12: the low bits say 4 or 6, and there is neither HMAC nor echo. By its length an option is one or the other;
 * which of them counts is for the connection to say. An IPv6 address that is v4-mapped comes out as the IPv4 address.
 */
function parseAddAddr(p: usize, length: u32): bool {
  if (length > 30) return false;
  const low: u32 = load<u8>(p + 2) & 15;
  const echo: u32 = low & 1;
  const form: u32 = 1 << length;
  const signed = (form & ADD_ADDR_SIGNED) != 0;
  if (signed) {
    if (echo != 0) return false;
    options.addVersion = MPTCP_V1;
    options.addHmac = loadBe64(p + length - 8);
  } else {
    if ((form & ADD_ADDR_UNSIGNED) == 0) return false;
    if (echo == 0 && low != (length < 20 ? 4 : 6)) return false;
    options.addVersion = echo != 0 ? MPTCP_V1 : MPTCP_V0;
    options.addHmac = 0;
  }
  options.addHasHmac = signed ? 1 : 0;
  options.addEcho = echo;
  options.addId = load<u8>(p + 3);
  if ((form & ADD_ADDR_IPV4) != 0) {
    options.addHi = 0;
    options.addLo = mapV4(loadBe32(p + 4));
    options.addPort = (form & ADD_ADDR_PORT) != 0 ? loadBe16(p + 8) : 0;
  } else {
    options.addHi = loadBe64(p + 4);
    options.addLo = loadBe64(p + 12);
    options.addPort = (form & ADD_ADDR_PORT) != 0 ? loadBe16(p + 20) : 0;
  }
  return true;
}

/** RFC 8684 section 3.4.2, figure 13. */
function parseRemoveAddr(p: usize, length: u32): bool {
  if (length < 4) return false;
  options.removeCount = length - 3;
  options.removeIds = p + 3;
  return true;
}

/** RFC 8684 section 3.3.8, figure 11; RFC 6824 allowed an address id behind it. */
function parsePrio(p: usize, length: u32): bool {
  if (length != 3 && length != 4) return false;
  options.prioBackup = load<u8>(p + 2) & 1;
  options.prioHasId = length == 4 ? 1 : 0;
  options.prioId = length == 4 ? load<u8>(p + 3) : 0;
  return true;
}

/** RFC 8684 section 3.7, figure 16. */
function parseFail(p: usize, length: u32): bool {
  if (length != 12) return false;
  options.failDsn = loadBe64(p + 4);
  return true;
}

/** RFC 8684 section 3.5, figure 14. */
function parseFastclose(p: usize, length: u32): bool {
  if (length != 12) return false;
  options.fastcloseKey = loadBe64(p + 4);
  return true;
}

/** RFC 8684 section 3.6, figure 15. */
function parseReset(p: usize, length: u32): bool {
  if (length != 4) return false;
  options.rstFlags = load<u8>(p + 2) & 15;
  options.rstReason = load<u8>(p + 3);
  return true;
}

/** Writes kind, length, subtype with the four bits behind it, and the fourth byte. */
function writeHead(p: usize, length: u32, subtype: u32, low: u32, last: u32): void {
  storeBe32(p, (KIND_MPTCP << 24) | (length << 16) | (subtype << 12) | ((low & 15) << 8) | (last & 0xff));
}

/** Writes the MP_CAPABLE of a SYN; returns 4, or in version 0, which tells the sender's key already, 12. */
export function writeCapableSyn(p: usize, version: u32, flags: u32, key: u64): u32 {
  if (version == MPTCP_V0) return writeCapableSynAck(p, version, flags, key);
  writeHead(p, 4, SUBTYPE_CAPABLE, version, flags);
  return 4;
}

/** Writes the MP_CAPABLE of a SYN/ACK with the sender's key; returns 12. */
export function writeCapableSynAck(p: usize, version: u32, flags: u32, key: u64): u32 {
  writeHead(p, 12, SUBTYPE_CAPABLE, version, flags);
  storeBe64(p + 4, key);
  return 12;
}

/** Writes the MP_CAPABLE of the third ACK without data; returns 20. */
export function writeCapableAck(p: usize, version: u32, flags: u32, localKey: u64, remoteKey: u64): u32 {
  writeHead(p, 20, SUBTYPE_CAPABLE, version, flags);
  storeBe64(p + 4, localKey);
  storeBe64(p + 12, remoteKey);
  return 20;
}

/** Writes the MP_CAPABLE of the first data of version 1, which maps `dataLength` bytes of this segment; returns 24. */
export function writeCapableData(
  p: usize,
  flags: u32,
  localKey: u64,
  remoteKey: u64,
  dataLength: u32,
  checksum: u32,
  hasChecksum: bool,
): u32 {
  writeHead(p, hasChecksum ? 24 : 22, SUBTYPE_CAPABLE, MPTCP_V1, flags);
  storeBe64(p + 4, localKey);
  storeBe64(p + 12, remoteKey);
  storeBe16(p + 20, dataLength);
  storeBe16(p + 22, hasChecksum ? checksum : NOP_NOP);
  return 24;
}

/** Writes the MP_JOIN of a SYN; returns 12. */
export function writeJoinSyn(p: usize, backup: bool, addressId: u32, token: u32, nonce: u32): u32 {
  writeHead(p, 12, SUBTYPE_JOIN, backup ? 1 : 0, addressId);
  storeBe32(p + 4, token);
  storeBe32(p + 8, nonce);
  return 12;
}

/** Writes the MP_JOIN of a SYN/ACK with the leftmost 64 bits of the HMAC; returns 16. */
export function writeJoinSynAck(p: usize, backup: bool, addressId: u32, hmac64: u64, nonce: u32): u32 {
  writeHead(p, 16, SUBTYPE_JOIN, backup ? 1 : 0, addressId);
  storeBe64(p + 4, hmac64);
  storeBe32(p + 12, nonce);
  return 16;
}

/** Writes the MP_JOIN of the third ACK with the first JOIN_ACK_HMAC_BYTES at `hmac`; returns 24. */
export function writeJoinAck(p: usize, hmac: usize): u32 {
  writeHead(p, 24, SUBTYPE_JOIN, 0, 0);
  memory.copy(p + 4, hmac, JOIN_ACK_HMAC_BYTES);
  return 24;
}

/** Bytes writeDss() writes for these flags, padding included: 4 to 28. */
export function dssLength(flags: u32, hasChecksum: bool): u32 {
  const bytes = dssFieldBytes(flags) + (hasChecksum && (flags & DSS_M) != 0 ? 2 : 0);
  return (bytes + 3) & ~3;
}

/**
 * Writes a DSS option with the fields that the DSS_ flags name; of `dataAck` and `dsn` the low 32 bits when DSS_a or
 * DSS_m is clear. Returns dssLength(flags, hasChecksum).
 */
export function writeDss(
  p: usize,
  flags: u32,
  dataAck: u64,
  dsn: u64,
  ssn: u32,
  length: u32,
  checksum: u32,
  hasChecksum: bool,
): u32 {
  const withChecksum = hasChecksum && (flags & DSS_M) != 0;
  writeHead(p, dssFieldBytes(flags) + (withChecksum ? 2 : 0), SUBTYPE_DSS, 0, flags);
  let at = p + 4;
  if ((flags & DSS_A) != 0) {
    if ((flags & DSS_a) != 0) {
      storeBe64(at, dataAck);
      at += 8;
    } else {
      storeBe32(at, <u32>dataAck);
      at += 4;
    }
  }
  if ((flags & DSS_M) != 0) {
    if ((flags & DSS_m) != 0) {
      storeBe64(at, dsn);
      at += 8;
    } else {
      storeBe32(at, <u32>dsn);
      at += 4;
    }
    storeBe32(at, ssn);
    storeBe16(at + 4, length);
    storeBe16(at + 6, withChecksum ? checksum : NOP_NOP);
    at += 8;
  }
  return <u32>(at - p);
}

/** The DSS option of every usual segment with data: Data ACK and mapping of 8 bytes, with and without a checksum. */
const DSS_DATA_HEAD: u32 = (KIND_MPTCP << 24) | (26 << 16) | (SUBTYPE_DSS << 12) | DSS_A | DSS_a | DSS_M | DSS_m;
const DSS_DATA_CHECKSUM_HEAD: u32 = DSS_DATA_HEAD + (2 << 16);

/** writeDss() with the flags A, a, M and m, by whole words; returns 28. */
export function writeDssData(
  p: usize,
  dataAck: u64,
  dsn: u64,
  ssn: u32,
  length: u32,
  checksum: u32,
  hasChecksum: bool,
): u32 {
  storeBe32(p, hasChecksum ? DSS_DATA_CHECKSUM_HEAD : DSS_DATA_HEAD);
  storeBe64(p + 4, dataAck);
  storeBe64(p + 12, dsn);
  storeBe32(p + 20, ssn);
  storeBe32(p + 24, (length << 16) | (hasChecksum ? checksum : NOP_NOP));
  return 28;
}

/**
 * Writes an ADD_ADDR option of version 1; `port` 0 announces none, and an echo has no HMAC. Returns 8 to 32: for IPv4 8
 * (echo) or 16, for IPv6 20 or 28, with a port 4 more.
 */
export function writeAddAddr(p: usize, echo: bool, id: u32, hi: u64, lo: u64, port: u32, hmac: u64): u32 {
  const plain = addressLength(hi, lo, port);
  const length = plain + (echo ? 0 : 8);
  writeHead(p, length, SUBTYPE_ADD_ADDR, echo ? 1 : 0, id);
  writeAddress(p + 4, hi, lo, port);
  if (!echo) storeBe64(p + plain, hmac);
  return pad(p, length);
}

/** Bytes that writeAddAddr() or, without HMAC, writeAddAddrV0() writes. */
export function addAddrLength(hi: u64, lo: u64, port: u32, hasHmac: bool): u32 {
  return (addressLength(hi, lo, port) + (hasHmac ? 8 : 0) + 3) & ~3;
}

/** Writes an ADD_ADDR option of version 0 (RFC 6824 section 3.4.1); `port` 0 announces none. Returns 8, 12, 20 or 24. */
export function writeAddAddrV0(p: usize, id: u32, hi: u64, lo: u64, port: u32): u32 {
  const length = addressLength(hi, lo, port);
  writeHead(p, length, SUBTYPE_ADD_ADDR, isV4(hi, lo) ? 4 : 6, id);
  writeAddress(p + 4, hi, lo, port);
  return pad(p, length);
}

/** Bytes of an ADD_ADDR option without an HMAC. */
function addressLength(hi: u64, lo: u64, port: u32): u32 {
  return (isV4(hi, lo) ? 8 : 20) + (port != 0 ? 2 : 0);
}

/** Writes an address, and the port that follows it unless it is 0. */
function writeAddress(p: usize, hi: u64, lo: u64, port: u32): void {
  let at = p;
  if (isV4(hi, lo)) {
    storeBe32(at, <u32>lo);
    at += 4;
  } else {
    storeBe64(at, hi);
    storeBe64(at + 8, lo);
    at += 16;
  }
  if (port != 0) storeBe16(at, port);
}

/** Writes a REMOVE_ADDR option with `count` address ids (1 to 37) from `ids`, one byte each; returns 3 + count, padded. */
export function writeRemoveAddr(p: usize, ids: usize, count: u32): u32 {
  writeHead(p, 3 + count, SUBTYPE_REMOVE_ADDR, 0, 0);
  memory.copy(p + 3, ids, count);
  return pad(p, 3 + count);
}

/** Writes an MP_PRIO option, with an address id when `hasId` (RFC 6824 only); returns 4. */
export function writePrio(p: usize, backup: bool, addressId: u32, hasId: bool): u32 {
  writeHead(p, hasId ? 4 : 3, SUBTYPE_PRIO, backup ? 1 : 0, hasId ? addressId : <u32>NOP);
  return 4;
}

/** Writes an MP_FAIL option with the data sequence number of the bad mapping; returns 12. */
export function writeFail(p: usize, dsn: u64): u32 {
  writeHead(p, 12, SUBTYPE_FAIL, 0, 0);
  storeBe64(p + 4, dsn);
  return 12;
}

/** Writes an MP_FASTCLOSE option with the receiver's key; returns 12. */
export function writeFastclose(p: usize, key: u64): u32 {
  writeHead(p, 12, SUBTYPE_FASTCLOSE, 0, 0);
  storeBe64(p + 4, key);
  return 12;
}

/** Writes an MP_TCPRST option: flags U, V, W, T as 8, 4, 2, 1, and a reason code; returns 4. */
export function writeReset(p: usize, flags: u32, reason: u32): u32 {
  writeHead(p, 4, SUBTYPE_RST, flags, reason);
  return 4;
}

/** Fills with NOPs from `length` to the next multiple of 4, which it returns. */
function pad(p: usize, length: u32): u32 {
  while ((length & 3) != 0) {
    store<u8>(p + length, NOP);
    length += 1;
  }
  return length;
}
