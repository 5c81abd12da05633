/** The reset with which someone on the path answers a TCP segment, as a firewall that knows nothing of the connection. */

const IP_BYTES = 20;
const TCP_BYTES = 20;
const TCP = 6;
const TTL = 64;
const FIN = 1;
const SYN = 2;
const RST = 4;
const ACK = 16;

/**
 * The RST that answers a TCP segment over IPv4 (RFC 9293 section 3.10.7.1): with the sequence number that its ACK asks
 * for, so that it is taken at once. Undefined for a RST and for anything else.
 */
export function resetFor(packet: Uint8Array): Uint8Array | undefined {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  if (packet.length < IP_BYTES + TCP_BYTES || view.getUint8(0) >> 4 !== 4 || view.getUint8(9) !== TCP) return undefined;
  const tcp = (view.getUint8(0) & 15) * 4;
  if (packet.length < tcp + TCP_BYTES) return undefined;
  const flags = view.getUint8(tcp + 13);
  if ((flags & RST) !== 0) return undefined;
  const payload = packet.length - tcp - (view.getUint8(tcp + 12) >> 4) * 4;
  const length = payload + ((flags & SYN) !== 0 ? 1 : 0) + ((flags & FIN) !== 0 ? 1 : 0);
  const reset = new Uint8Array(IP_BYTES + TCP_BYTES);
  const out = new DataView(reset.buffer);
  out.setUint8(0, 0x45);
  out.setUint16(2, reset.length);
  out.setUint8(8, TTL);
  out.setUint8(9, TCP);
  out.setUint32(12, view.getUint32(16));
  out.setUint32(16, view.getUint32(12));
  out.setUint16(10, internetChecksum(out, 0, IP_BYTES, 0));
  out.setUint16(20, view.getUint16(tcp + 2));
  out.setUint16(22, view.getUint16(tcp));
  const acknowledged = (flags & ACK) !== 0;
  out.setUint32(24, acknowledged ? view.getUint32(tcp + 8) : 0);
  out.setUint32(28, acknowledged ? 0 : view.getUint32(tcp + 4) + length);
  out.setUint8(32, (TCP_BYTES / 4) << 4);
  out.setUint8(33, acknowledged ? RST : RST | ACK);
  const pseudo = sum(out, 12, 8) + TCP + TCP_BYTES;
  out.setUint16(36, internetChecksum(out, IP_BYTES, TCP_BYTES, pseudo));
  return reset;
}

/** RFC 1071, of an even number of bytes. */
function internetChecksum(view: DataView, at: number, length: number, initial: number): number {
  let total = initial + sum(view, at, length);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return ~total & 0xffff;
}

function sum(view: DataView, at: number, length: number): number {
  let total = 0;
  for (let offset = 0; offset < length; offset += 2) total += view.getUint16(at + offset);
  return total;
}
