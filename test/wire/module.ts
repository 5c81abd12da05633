/** The test-only module made from assembly/testing/wire.ts, and its memory. */
import { readFileSync } from 'node:fs';

/** The exports of assembly/testing/wire.ts. u32 results arrive signed: use `>>> 0`; u64 ones: BigInt.asUintN(64). */
export interface WireExports {
  readonly memory: WebAssembly.Memory;
  heapBase(): number;
  packetAddress(): number;
  packetBytes(): number;
  segmentAddress(): number;
  segmentBytes(): number;
  optionsAddress(): number;
  optionsBytes(): number;

  sha1(data: number, length: number, out: number): void;
  sha256(data: number, length: number, out: number): void;
  hmacSha1(key: number, keyLength: number, message: number, messageLength: number, out: number): void;
  hmacSha256(key: number, keyLength: number, message: number, messageLength: number, out: number): void;
  sipHash(k0: bigint, k1: bigint, data: number, length: number): bigint;
  chacha20Block(key: number, counter: number, nonce: number, out: number): void;
  randomSeed(s0: bigint, s1: bigint, s2: bigint, s3: bigint): void;
  randomU32(): number;
  randomU64(): bigint;

  keyToken(version: number, key: bigint): number;
  keyIdsn(version: number, key: bigint): bigint;
  joinHmac(
    version: number,
    localKey: bigint,
    remoteKey: bigint,
    localNonce: number,
    remoteNonce: number,
    out: number,
  ): void;
  addAddressHmac(localKey: bigint, remoteKey: bigint, id: number, hi: bigint, lo: bigint, port: number): bigint;

  sumBytes(address: number, length: number, sum: bigint): bigint;
  sumOddPiece(address: number, length: number, sum: bigint, oddOffset: boolean): bigint;
  sumWord16(value: number, sum: bigint): bigint;
  sumWord32(value: number, sum: bigint): bigint;
  sumWord64(value: bigint, sum: bigint): bigint;
  sumPseudoHeader(
    srcHi: bigint,
    srcLo: bigint,
    dstHi: bigint,
    dstLo: bigint,
    protocol: number,
    length: number,
    sum: bigint,
  ): bigint;
  checksumFold(sum: bigint): number;
  checksumFoldPartial(sum: bigint): number;

  isV4(hi: bigint, lo: bigint): number;
  parsePacket(address: number, length: number): number;
  writeIpHeader(
    p: number,
    srcHi: bigint,
    srcLo: bigint,
    dstHi: bigint,
    dstLo: bigint,
    protocol: number,
    payloadLength: number,
    hopLimit: number,
    ecn: number,
    identification: number,
  ): number;
  parseSegment(checksumKnown: boolean): number;
  writeTcpHeader(
    p: number,
    srcPort: number,
    dstPort: number,
    seq: number,
    ack: number,
    flags: number,
    window: number,
    optionsLength: number,
  ): void;
  buildEchoReply(target: number, capacity: number, hopLimit: number): number;

  parseOptions(address: number, length: number): number;
  sackLeft(i: number): number;
  sackRight(i: number): number;
  writeMss(p: number, mss: number): number;
  writeWindowScale(p: number, shift: number): number;
  writeSackPermitted(p: number): number;
  writeTimestamps(p: number, val: number, ecr: number): number;
  writeSackHeader(p: number, blocks: number): number;
  writeSackTimestamps(p: number, val: number, ecr: number): number;
  writeFastOpen(p: number, cookie: number, length: number): number;

  writeCapableSyn(p: number, version: number, flags: number, key: bigint): number;
  writeCapableSynAck(p: number, version: number, flags: number, key: bigint): number;
  writeCapableAck(p: number, version: number, flags: number, localKey: bigint, remoteKey: bigint): number;
  writeCapableData(
    p: number,
    flags: number,
    localKey: bigint,
    remoteKey: bigint,
    dataLength: number,
    checksum: number,
    hasChecksum: boolean,
  ): number;
  writeJoinSyn(p: number, backup: boolean, addressId: number, token: number, nonce: number): number;
  writeJoinSynAck(p: number, backup: boolean, addressId: number, hmac64: bigint, nonce: number): number;
  writeJoinAck(p: number, hmac: number): number;
  dssLength(flags: number, hasChecksum: boolean): number;
  writeDss(
    p: number,
    flags: number,
    dataAck: bigint,
    dsn: bigint,
    ssn: number,
    length: number,
    checksum: number,
    hasChecksum: boolean,
  ): number;
  writeAddAddr(p: number, echo: boolean, id: number, hi: bigint, lo: bigint, port: number, hmac: bigint): number;
  writeAddAddrV0(p: number, id: number, hi: bigint, lo: bigint, port: number): number;
  writeRemoveAddr(p: number, ids: number, count: number): number;
  writePrio(p: number, backup: boolean, addressId: number, hasId: boolean): number;
  writeFail(p: number, dsn: bigint): number;
  writeFastclose(p: number, key: bigint): number;
  writeReset(p: number, flags: number, reason: number): number;
}

/** A struct of the core: its fields in order, with 4 or 8 bytes each, laid out as C does. */
type Layout = Readonly<Record<string, 4 | 8>>;
type Fields<L extends Layout> = { readonly [K in keyof L]: L[K] extends 8 ? bigint : number };

const PACKET = {
  version: 4,
  protocol: 4,
  hopLimit: 4,
  ecn: 4,
  srcHi: 8,
  srcLo: 8,
  dstHi: 8,
  dstLo: 8,
  network: 4,
  networkLength: 4,
  transport: 4,
  transportLength: 4,
} as const;

const SEGMENT = {
  srcPort: 4,
  dstPort: 4,
  seq: 4,
  ack: 4,
  flags: 4,
  window: 4,
  urgent: 4,
  options: 4,
  optionsLength: 4,
  payload: 4,
  payloadLength: 4,
  segmentSize: 4,
} as const;

const OPTIONS = {
  present: 4,
  mss: 4,
  windowScale: 4,
  tsVal: 4,
  tsEcr: 4,
  sackCount: 4,
  sack0Left: 4,
  sack0Right: 4,
  sack1Left: 4,
  sack1Right: 4,
  sack2Left: 4,
  sack2Right: 4,
  sack3Left: 4,
  sack3Right: 4,
  fastOpenLength: 4,
  fastOpenCookie: 4,
  mptcp: 4,
  capableVersion: 4,
  capableFlags: 4,
  capableLength: 4,
  capableSenderKey: 8,
  capableReceiverKey: 8,
  capableDataLength: 4,
  capableChecksum: 4,
  capableHasChecksum: 4,
  joinLength: 4,
  joinBackup: 4,
  joinAddressId: 4,
  joinToken: 4,
  joinNonce: 4,
  joinHmac64: 8,
  joinHmac: 4,
  dssFlags: 4,
  dssAck: 8,
  dssDsn: 8,
  dssSsn: 4,
  dssLength: 4,
  dssChecksum: 4,
  dssHasChecksum: 4,
  addVersion: 4,
  addEcho: 4,
  addId: 4,
  addHi: 8,
  addLo: 8,
  addPort: 4,
  addHasHmac: 4,
  addHmac: 8,
  removeCount: 4,
  removeIds: 4,
  prioBackup: 4,
  prioHasId: 4,
  prioId: 4,
  failDsn: 8,
  fastcloseKey: 8,
  rstFlags: 4,
  rstReason: 4,
} as const;

export type PacketFields = Fields<typeof PACKET>;
export type SegmentFields = Fields<typeof SEGMENT>;
export type OptionFields = Fields<typeof OPTIONS>;

export const OPTION = { mss: 1, windowScale: 2, sackPermitted: 4, timestamps: 8, sack: 16, fastOpen: 32 } as const;
export const SUBTYPE = {
  capable: 0,
  join: 1,
  dss: 2,
  addAddr: 3,
  removeAddr: 4,
  prio: 5,
  fail: 6,
  fastclose: 7,
  rst: 8,
} as const;

export const VARIANTS = ['simd', 'scalar'] as const;
export type Variant = (typeof VARIANTS)[number];

/** Bytes of memory behind the module's own data. */
const ROOM = 4 * 65_536;

/** One instance of the module with room for packets. */
export class Wire {
  readonly x: WireExports;
  readonly bytes: Uint8Array;
  /** First free address; a multiple of 16. */
  readonly base: number;
  /** The address behind the last byte of memory: a read of it traps. */
  readonly end: number;
  readonly #view: DataView;

  constructor(variant: Variant) {
    const file = `build/testing-wire${variant === 'scalar' ? '-scalar' : ''}.wasm`;
    const code = readFileSync(new URL(`../../${file}`, import.meta.url));
    const instance = new WebAssembly.Instance(new WebAssembly.Module(code));
    this.x = instance.exports as unknown as WireExports;
    this.x.memory.grow(ROOM / 65_536);
    this.bytes = new Uint8Array(this.x.memory.buffer);
    this.#view = new DataView(this.x.memory.buffer);
    this.base = (this.x.heapBase() + 15) & ~15;
    this.end = this.bytes.length;
  }

  /** Puts bytes at an address, by default the first free one; returns the address. */
  put(data: Uint8Array, address = this.base): number {
    this.bytes.set(data, address);
    return address;
  }

  /** Puts bytes at the very end of memory, where one byte too far is a trap; returns their address. */
  putAtEnd(data: Uint8Array): number {
    return this.put(data, this.end - data.length);
  }

  /** A copy of `length` bytes. */
  get(address: number, length: number): Uint8Array {
    return this.bytes.slice(address, address + length);
  }

  packet(): PacketFields {
    return this.#struct(PACKET, this.x.packetAddress(), this.x.packetBytes());
  }

  segment(): SegmentFields {
    return this.#struct(SEGMENT, this.x.segmentAddress(), this.x.segmentBytes());
  }

  options(): OptionFields {
    return this.#struct(OPTIONS, this.x.optionsAddress(), this.x.optionsBytes());
  }

  #struct<L extends Layout>(layout: L, address: number, size: number): Fields<L> {
    const fields: Record<string, number | bigint> = {};
    let offset = 0;
    for (const [name, width] of Object.entries(layout)) {
      offset = (offset + width - 1) & -width;
      fields[name] =
        width === 8 ? this.#view.getBigUint64(address + offset, true) : this.#view.getUint32(address + offset, true);
      offset += width;
    }
    if (offset !== size) {
      throw new Error(`the layout in test/wire/module.ts has ${offset} bytes and the core's struct ${size}: mend it`);
    }
    return fields as Fields<L>;
  }
}
