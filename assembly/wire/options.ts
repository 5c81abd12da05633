/*
 * The options of a TCP segment (RFC 9293 section 3.2, RFC 7323, RFC 2018, RFC 7413), and writers for them. Every writer returns
 * a multiple of 4 bytes, so that options can be set one behind the other.
 */
import { loadBe16, loadBe32, storeBe16, storeBe32 } from './bytes';
import { parseMptcpOption } from './mptcp';
import {
  OPTION_FAST_OPEN,
  OPTION_MSS,
  OPTION_SACK,
  OPTION_SACK_PERMITTED,
  OPTION_TIMESTAMPS,
  OPTION_WINDOW_SCALE,
  Options,
  options,
} from './option-fields';

export {
  OPTION_FAST_OPEN,
  OPTION_MSS,
  OPTION_SACK,
  OPTION_SACK_PERMITTED,
  OPTION_TIMESTAMPS,
  OPTION_WINDOW_SCALE,
  Options,
  options,
} from './option-fields';

/** NOP, NOP, kind 8, length 10, as a little-endian word. */
const TIMESTAMPS_ALIGNED: u32 = 0x0a080101;
const KIND_END: u32 = 0;
const KIND_NOP: u32 = 1;
const KIND_MSS: u32 = 2;
const KIND_WINDOW_SCALE: u32 = 3;
const KIND_SACK_PERMITTED: u32 = 4;
const KIND_SACK: u32 = 5;
const KIND_TIMESTAMPS: u32 = 8;
const KIND_MPTCP: u32 = 30;
const KIND_FAST_OPEN: u32 = 34;

/** Largest shift count of the window scale option (RFC 7323 section 2.3). */
const WINDOW_SCALE_MAX: u32 = 14;

/** Left edge of SACK block `i`, 0 <= i < options.sackCount. */
export function sackLeft(i: u32): u32 {
  return load<u32>(sackBlock(i));
}

/** Right edge (the sequence number behind the last byte) of SACK block `i`, 0 <= i < options.sackCount. */
export function sackRight(i: u32): u32 {
  return load<u32>(sackBlock(i), 4);
}

function sackBlock(i: u32): usize {
  return changetype<usize>(options) + offsetof<Options>('sack0Left') + ((i & 3) << 3);
}

/**
 * Reads the option area of a segment into `options`. The first option of a kind (of a subtype, for Multipath TCP)
 * wins. A kind that is unknown, and a Multipath TCP option that is unknown or has a length not allowed, is skipped.
 *
 * Returns true, or false for a malformed option: the options in front of it are in `options`, those behind are not
 * looked at.
 */
export function parseOptions(address: usize, length: u32): bool {
  options.present = 0;
  options.mss = 0;
  options.windowScale = 0;
  options.sackCount = 0;
  options.mptcp = 0;
  options.capableLength = 0;
  options.joinLength = 0;
  options.dssFlags = 0;

  let p = address;
  let left = length;
  // RFC 7323 appendix A: established connections begin with NOP, NOP and timestamps.
  if (left >= 12 && load<u32>(p) == TIMESTAMPS_ALIGNED) {
    options.present = OPTION_TIMESTAMPS;
    options.tsVal = loadBe32(p + 4);
    options.tsEcr = loadBe32(p + 8);
    p += 12;
    left -= 12;
  }
  while (left != 0) {
    const kind: u32 = load<u8>(p);
    if (kind == KIND_END) return true;
    if (kind == KIND_NOP) {
      p += 1;
      left -= 1;
      continue;
    }
    // RFC 9293 section 3.1 (MUST-7): be prepared for an illegal option length, such as zero.
    if (left < 2) return false;
    const size: u32 = load<u8>(p + 1);
    if (size < 2 || size > left) return false;
    switch (kind) {
      case KIND_MSS:
        if (size != 4) return false;
        if ((options.present & OPTION_MSS) == 0) {
          options.present |= OPTION_MSS;
          options.mss = loadBe16(p + 2);
        }
        break;
      case KIND_WINDOW_SCALE:
        if (size != 3) return false;
        if ((options.present & OPTION_WINDOW_SCALE) == 0) {
          options.present |= OPTION_WINDOW_SCALE;
          // RFC 7323 section 2.3: a larger shift count MUST be read as 14.
          options.windowScale = min<u32>(load<u8>(p + 2), WINDOW_SCALE_MAX);
        }
        break;
      case KIND_SACK_PERMITTED:
        if (size != 2) return false;
        options.present |= OPTION_SACK_PERMITTED;
        break;
      case KIND_TIMESTAMPS:
        if (size != 10) return false;
        if ((options.present & OPTION_TIMESTAMPS) == 0) {
          options.present |= OPTION_TIMESTAMPS;
          options.tsVal = loadBe32(p + 2);
          options.tsEcr = loadBe32(p + 6);
        }
        break;
      case KIND_SACK:
        if (size != 10 && size != 18 && size != 26 && size != 34) return false;
        if ((options.present & OPTION_SACK) == 0) {
          options.present |= OPTION_SACK;
          options.sackCount = size >> 3;
          for (let i: u32 = 0; i < options.sackCount; i++) {
            const block = sackBlock(i);
            const from = p + 2 + (i << 3);
            store<u32>(block, loadBe32(from));
            store<u32>(block, loadBe32(from + 4), 4);
          }
        }
        break;
      case KIND_MPTCP:
        parseMptcpOption(p, size);
        break;
      case KIND_FAST_OPEN:
        // RFC 7413 section 4.1.1: any other length is ignored.
        if ((options.present & OPTION_FAST_OPEN) == 0 && (size == 2 || (size >= 6 && size <= 18 && (size & 1) == 0))) {
          options.present |= OPTION_FAST_OPEN;
          options.fastOpenLength = size - 2;
          options.fastOpenCookie = p + 2;
        }
        break;
      default:
        break;
    }
    p += size;
    left -= size;
  }
  return true;
}

/** Writes the maximum segment size option; returns 4. */
export function writeMss(p: usize, mss: u32): u32 {
  store<u8>(p, <u8>KIND_MSS);
  store<u8>(p + 1, 4);
  storeBe16(p + 2, mss);
  return 4;
}

/** Writes a window scale option with this shift count behind a NOP; returns 4. */
export function writeWindowScale(p: usize, shift: u32): u32 {
  storeBe32(p, (KIND_NOP << 24) | (KIND_WINDOW_SCALE << 16) | (3 << 8) | (shift & 0xff));
  return 4;
}

/** Writes the SACK-permitted option behind two NOPs; returns 4. */
export function writeSackPermitted(p: usize): u32 {
  storeBe32(p, (KIND_NOP << 24) | (KIND_NOP << 16) | (KIND_SACK_PERMITTED << 8) | 2);
  return 4;
}

/** Writes a timestamps option behind two NOPs (RFC 7323 appendix A); returns 12. */
export function writeTimestamps(p: usize, val: u32, ecr: u32): u32 {
  storeBe32(p, (KIND_NOP << 24) | (KIND_NOP << 16) | (KIND_TIMESTAMPS << 8) | 10);
  storeBe32(p + 4, val);
  storeBe32(p + 8, ecr);
  return 12;
}

/** Writes SACK-permitted and timestamps options as one; returns 12: 4 less than one behind the other. */
export function writeSackTimestamps(p: usize, val: u32, ecr: u32): u32 {
  writeTimestamps(p, val, ecr);
  storeBe16(p, (KIND_SACK_PERMITTED << 8) | 2);
  return 12;
}

/** True when writeFastOpen() writes no more than `room` bytes. */
export function fastOpenFits(length: u32, room: u32): bool {
  return <u32>((2 + length + 3) & ~3) <= room;
}

/**
 * Writes a Fast Open option (RFC 7413 section 4.1.1) with a cookie of `length` bytes, 4 to 16 or, to ask for one, 0;
 * NOPs follow. Returns the bytes of all.
 */
export function writeFastOpen(p: usize, cookie: usize, length: u32): u32 {
  const whole = (2 + length + 3) & ~3;
  memory.fill(p, <u8>KIND_NOP, whole);
  store<u8>(p, <u8>KIND_FAST_OPEN);
  store<u8>(p + 1, <u8>(2 + length));
  memory.copy(p + 2, cookie, length);
  return whole;
}

/**
 * Writes the first 4 bytes of a SACK option of 1 to 4 blocks behind two NOPs; the caller stores each block's left and
 * right edge from p + 4 on. Returns the bytes of the whole, 4 + 8 × blocks.
 */
export function writeSackHeader(p: usize, blocks: u32): u32 {
  storeBe32(p, (KIND_NOP << 24) | (KIND_NOP << 16) | (KIND_SACK << 8) | (2 + (blocks << 3)));
  return 4 + (blocks << 3);
}
