/* The fields that the options of one TCP segment can carry. parseOptions() fills them. */

/** Bits of Options.present. */
export const OPTION_MSS: u32 = 1;
export const OPTION_WINDOW_SCALE: u32 = 2;
export const OPTION_SACK_PERMITTED: u32 = 4;
export const OPTION_TIMESTAMPS: u32 = 8;
export const OPTION_SACK: u32 = 16;
export const OPTION_FAST_OPEN: u32 = 32;

/** Subtypes of the Multipath TCP option (RFC 8684 section 3, table 2); Options.mptcp has bit 1 << subtype. */
export const SUBTYPE_CAPABLE: u32 = 0;
export const SUBTYPE_JOIN: u32 = 1;
export const SUBTYPE_DSS: u32 = 2;
export const SUBTYPE_ADD_ADDR: u32 = 3;
export const SUBTYPE_REMOVE_ADDR: u32 = 4;
export const SUBTYPE_PRIO: u32 = 5;
export const SUBTYPE_FAIL: u32 = 6;
export const SUBTYPE_FASTCLOSE: u32 = 7;
export const SUBTYPE_RST: u32 = 8;

/** Flags of MP_CAPABLE (RFC 8684 section 3.1). A: DSS checksum required. */
export const CAPABLE_FLAG_A: u32 = 0x80;
/** B: extensibility; a SYN with it must be ignored. */
export const CAPABLE_FLAG_B: u32 = 0x40;
/** C: no MP_JOIN to this address and port; in version 0 an algorithm that has no name. */
export const CAPABLE_FLAG_C: u32 = 0x20;
/** H: HMAC-SHA256; in version 0 HMAC-SHA1 (RFC 6824 section 3.1). */
export const CAPABLE_FLAG_H: u32 = 0x01;

/** Flags of DSS (RFC 8684 section 3.3). A: a Data ACK is there. */
export const DSS_A: u32 = 0x01;
/** a: the Data ACK has 8 bytes. */
export const DSS_a: u32 = 0x02;
/** M: a mapping is there. */
export const DSS_M: u32 = 0x04;
/** m: the data sequence number has 8 bytes. */
export const DSS_m: u32 = 0x08;
/** F: DATA_FIN. */
export const DSS_F: u32 = 0x10;

/**
 * The options of one segment. A field is meaningful only when its bit in `present` or `mptcp` is set, except those
 * that say they are 0 otherwise.
 */
@unmanaged
export class Options {
  /** OPTION_ bits of the options found. */
  present: u32;
  /** Largest segment the peer takes, bytes; 0 without OPTION_MSS. */
  mss: u32;
  /** Shift count, at most 14 (RFC 7323 section 2.3); 0 without OPTION_WINDOW_SCALE. */
  windowScale: u32;
  tsVal: u32;
  tsEcr: u32;
  /** SACK blocks, 0 to 4; 0 without OPTION_SACK. */
  sackCount: u32;
  /** Blocks in the order they arrived: first and behind-last sequence number. */
  sack0Left: u32;
  sack0Right: u32;
  sack1Left: u32;
  sack1Right: u32;
  sack2Left: u32;
  sack2Right: u32;
  sack3Left: u32;
  sack3Right: u32;

  /** Fast Open: bytes of the cookie, 4 to 16, or 0 for a request. */
  fastOpenLength: u32;
  /** Address of the cookie in the packet. */
  fastOpenCookie: usize;

  /** Bit 1 << subtype for every Multipath TCP subtype found. */
  mptcp: u32;

  /** MP_CAPABLE: protocol version, 0 to 15. */
  capableVersion: u32;
  /** CAPABLE_FLAG_ bits and the reserved ones between. */
  capableFlags: u32;
  /** Length of the option: 4, 12, 20, 22 or 24; 0 without MP_CAPABLE. */
  capableLength: u32;
  /** From length 12 on; the SYN of version 0 has that length, that of version 1 does not. */
  capableSenderKey: u64;
  /** From length 20 on. */
  capableReceiverKey: u64;
  /** Data-level length, from length 22 on. */
  capableDataLength: u32;
  /** DSS checksum, for length 24. */
  capableChecksum: u32;
  /** 1 for length 24. */
  capableHasChecksum: u32;

  /** MP_JOIN: length of the option: 12 on SYN, 16 on SYN/ACK, 24 on ACK; 0 without MP_JOIN. */
  joinLength: u32;
  /** 1 when the sender asks for a backup subflow; lengths 12 and 16. */
  joinBackup: u32;
  /** Sender's address id; lengths 12 and 16. */
  joinAddressId: u32;
  /** Receiver's token; length 12. */
  joinToken: u32;
  /** Sender's nonce; lengths 12 and 16. */
  joinNonce: u32;
  /** Leftmost 64 bits of the sender's HMAC; length 16. */
  joinHmac64: u64;
  /** Address of the leftmost 160 bits of the sender's HMAC, in the packet; length 24. */
  joinHmac: usize;

  /** DSS_ bits; 0 without DSS. */
  dssFlags: u32;
  /** Data ACK; its low 32 bits when DSS_a is clear. */
  dssAck: u64;
  /** Data sequence number; its low 32 bits when DSS_m is clear. */
  dssDsn: u64;
  /** Subflow sequence number, relative to the subflow's ISN. */
  dssSsn: u32;
  /** Data-level length, bytes, DATA_FIN included; 0 for an infinite mapping. */
  dssLength: u32;
  dssChecksum: u32;
  /** 1 when the option is long enough to hold a checksum. */
  dssHasChecksum: u32;

  /** ADD_ADDR: the version that has options of this form. */
  addVersion: u32;
  /** 1 for an echo. */
  addEcho: u32;
  addId: u32;
  /** The announced address; see address.ts. */
  addHi: u64;
  addLo: u64;
  /** The announced port, 0 for none. */
  addPort: u32;
  /** 1 when an HMAC is there: in version 1, whenever it is no echo. */
  addHasHmac: u32;
  /** Rightmost 64 bits of the sender's HMAC; 0 without one. */
  addHmac: u64;

  /** REMOVE_ADDR: number of address ids, at least 1. */
  removeCount: u32;
  /** Address of the ids in the packet, one byte each. */
  removeIds: usize;

  /** MP_PRIO: 1 to become a backup. */
  prioBackup: u32;
  /** 1 when an address id is there (the 4-byte form of RFC 6824). */
  prioHasId: u32;
  prioId: u32;

  /** MP_FAIL: data sequence number of the start of the bad mapping. */
  failDsn: u64;

  /** MP_FASTCLOSE: the receiver's key. */
  fastcloseKey: u64;

  /** MP_TCPRST: flags U, V, W, T as 8, 4, 2, 1. */
  rstFlags: u32;
  /** Reason code. */
  rstReason: u32;
}

/** The options parsed last. */
export const options: Options = changetype<Options>(memory.data(320));
