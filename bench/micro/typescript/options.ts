/* Options of TCP and Multipath TCP, read and written the way a careful TypeScript stack would: no object per packet. */

/** What the options of one segment carry; 64-bit numbers in two halves. */
export class ParsedOptions {
  present = 0;
  mptcp = 0;
  mss = 0;
  windowScale = 0;
  tsVal = 0;
  tsEcr = 0;
  sackCount = 0;
  readonly sack = new Uint32Array(8);
  capableVersion = 0;
  capableFlags = 0;
  senderKeyHi = 0;
  senderKeyLo = 0;
  receiverKeyHi = 0;
  receiverKeyLo = 0;
  dssFlags = 0;
  dssAckHi = 0;
  dssAckLo = 0;
  dssDsnHi = 0;
  dssDsnLo = 0;
  dssSsn = 0;
  dssLength = 0;
  dssChecksum = 0;
  addEcho = 0;
  addId = 0;
  addAddress = 0;
  addPort = 0;
  addHmacHi = 0;
  addHmacLo = 0;
}

/** Reads the options of a segment into `out`. Returns false when one is malformed. */
export function parseOptions(view: DataView, start: number, length: number, out: ParsedOptions): boolean {
  out.present = 0;
  out.mptcp = 0;
  out.dssFlags = 0;
  let at = start;
  const end = start + length;
  while (at < end) {
    const kind = view.getUint8(at);
    if (kind === 0) return true;
    if (kind === 1) {
      at++;
      continue;
    }
    if (end - at < 2) return false;
    const size = view.getUint8(at + 1);
    if (size < 2 || size > end - at) return false;
    switch (kind) {
      case 2:
        if (size !== 4) return false;
        out.present |= 1;
        out.mss = view.getUint16(at + 2);
        break;
      case 3:
        if (size !== 3) return false;
        out.present |= 2;
        out.windowScale = Math.min(view.getUint8(at + 2), 14);
        break;
      case 4:
        if (size !== 2) return false;
        out.present |= 4;
        break;
      case 5:
        if ((size - 2) % 8 !== 0 || size < 10 || size > 34) return false;
        out.present |= 16;
        out.sackCount = size >> 3;
        for (let edge = 0; edge < out.sackCount * 2; edge++) out.sack[edge] = view.getUint32(at + 2 + edge * 4);
        break;
      case 8:
        if (size !== 10) return false;
        out.present |= 8;
        out.tsVal = view.getUint32(at + 2);
        out.tsEcr = view.getUint32(at + 6);
        break;
      case 30:
        parseMptcp(view, at, size, out);
        break;
      default:
        break;
    }
    at += size;
  }
  return true;
}

function parseMptcp(view: DataView, at: number, size: number, out: ParsedOptions): void {
  if (size < 3) return;
  const subtype = view.getUint8(at + 2) >> 4;
  if ((out.mptcp & (1 << subtype)) !== 0) return;
  if (subtype === 0) {
    if (size !== 4 && size !== 12 && size !== 20 && size !== 22 && size !== 24) return;
    out.capableVersion = view.getUint8(at + 2) & 15;
    out.capableFlags = view.getUint8(at + 3);
    if (size >= 12) {
      out.senderKeyHi = view.getUint32(at + 4);
      out.senderKeyLo = view.getUint32(at + 8);
    }
    if (size >= 20) {
      out.receiverKeyHi = view.getUint32(at + 12);
      out.receiverKeyLo = view.getUint32(at + 16);
    }
  } else if (subtype === 2) {
    if (!parseDss(view, at, size, out)) return;
  } else if (subtype === 3) {
    if (!parseAddAddr(view, at, size, out)) return;
  } else {
    return;
  }
  out.mptcp |= 1 << subtype;
}

function parseDss(view: DataView, start: number, size: number, out: ParsedOptions): boolean {
  if (size < 4) return false;
  const flags = view.getUint8(start + 3);
  const hasAck = (flags & 1) !== 0;
  const hasMap = (flags & 4) !== 0;
  const fields = 4 + (hasAck ? ((flags & 2) !== 0 ? 8 : 4) : 0) + (hasMap ? ((flags & 8) !== 0 ? 14 : 10) : 0);
  const hasChecksum = hasMap && size === fields + 2;
  if (size !== fields && !hasChecksum) return false;
  out.dssFlags = flags;
  let at = start + 4;
  if (hasAck) {
    if ((flags & 2) !== 0) {
      out.dssAckHi = view.getUint32(at);
      at += 4;
    }
    out.dssAckLo = view.getUint32(at);
    at += 4;
  }
  if (hasMap) {
    if ((flags & 8) !== 0) {
      out.dssDsnHi = view.getUint32(at);
      at += 4;
    }
    out.dssDsnLo = view.getUint32(at);
    out.dssSsn = view.getUint32(at + 4);
    out.dssLength = view.getUint16(at + 8);
    out.dssChecksum = hasChecksum ? view.getUint16(at + 10) : 0;
  }
  return true;
}

function parseAddAddr(view: DataView, at: number, size: number, out: ParsedOptions): boolean {
  const echo = (view.getUint8(at + 2) & 1) !== 0;
  const plain = echo ? size : size - 8;
  if (plain !== 8 && plain !== 10) return false;
  out.addEcho = echo ? 1 : 0;
  out.addId = view.getUint8(at + 3);
  out.addAddress = view.getUint32(at + 4);
  out.addPort = plain === 10 ? view.getUint16(at + 8) : 0;
  if (!echo) {
    out.addHmacHi = view.getUint32(at + plain);
    out.addHmacLo = view.getUint32(at + plain + 4);
  }
  return true;
}

/** Writes a DSS with 8-byte DATA_ACK and DSN and no checksum; returns its length with padding, 28. */
export function writeDss(
  view: DataView,
  at: number,
  ackHi: number,
  ackLo: number,
  dsnHi: number,
  dsnLo: number,
  ssn: number,
  length: number,
): number {
  view.setUint32(at, 0x1e1a_200f);
  view.setUint32(at + 4, ackHi);
  view.setUint32(at + 8, ackLo);
  view.setUint32(at + 12, dsnHi);
  view.setUint32(at + 16, dsnLo);
  view.setUint32(at + 20, ssn);
  view.setUint16(at + 24, length);
  view.setUint16(at + 26, 0x0101);
  return 28;
}
