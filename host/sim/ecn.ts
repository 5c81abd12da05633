import { isV4 } from './packet.js';

/** The two ECN bits of a packet: congestion experienced, and the two that say that the sender understands it. */
const CE = 3;

/** Marks a packet "congestion experienced" when its sender understands that (RFC 3168 section 5). False when not. */
export function markCongestion(packet: Uint8Array): boolean {
  const v4 = isV4(packet);
  const place = packet[1] ?? 0;
  const bits = v4 ? place & CE : (place >> 4) & CE;
  if (bits === 0) return false;
  if (bits === CE) return true;
  packet[1] = v4 ? place | CE : place | (CE << 4);
  if (v4) {
    // RFC 1624: the header checksum falls by what the word with the bits rises.
    const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
    const sum = view.getUint16(10) - (CE - bits);
    view.setUint16(10, sum > 0 ? sum : sum + 0xffff);
  }
  return true;
}
