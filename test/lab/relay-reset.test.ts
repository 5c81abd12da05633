import { describe, expect, it } from 'vitest';
import { ipv4Addresses } from './relay-path.js';
import { resetFor } from './relay-reset.js';

const ACK = 16;
const SYN = 2;
const RST = 4;

/** A TCP segment over IPv4 from 10.0.0.1:5000 to 10.0.0.2:80. */
function segment(flags: number, payload: number): Uint8Array {
  const bytes = new Uint8Array(40 + payload);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 0x45);
  view.setUint16(2, bytes.length);
  view.setUint8(9, 6);
  view.setUint32(12, 0x0a000001);
  view.setUint32(16, 0x0a000002);
  view.setUint16(20, 5000);
  view.setUint16(22, 80);
  view.setUint32(24, 0x11223344);
  view.setUint32(28, 0x55667788);
  view.setUint8(32, 0x50);
  view.setUint8(33, flags);
  return bytes;
}

/** Ones' complement sum of words: 0xffff where the checksum among them is right. */
function folded(words: readonly number[]): number {
  let total = words.reduce((sum, word) => sum + word, 0);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return total;
}

function read(reset: Uint8Array | undefined) {
  if (reset === undefined) throw new Error('there is no reset');
  const view = new DataView(reset.buffer);
  const words = Array.from({ length: 20 }, (_, index) => view.getUint16(index * 2));
  expect(folded(words.slice(0, 10))).toBe(0xffff);
  expect(folded([...words.slice(6, 10), 6, 20, ...words.slice(10)])).toBe(0xffff);
  return {
    addresses: ipv4Addresses(reset),
    ports: [view.getUint16(20), view.getUint16(22)],
    sequence: view.getUint32(24),
    acknowledged: view.getUint32(28),
    flags: view.getUint8(33),
  };
}

describe('the reset of a path', () => {
  it('has the number that the ACK of the segment asks for', () => {
    expect(read(resetFor(segment(ACK, 100)))).toEqual({
      addresses: { source: 0x0a000002, destination: 0x0a000001 },
      ports: [80, 5000],
      sequence: 0x55667788,
      acknowledged: 0,
      flags: RST,
    });
  });

  it('acknowledges a SYN', () => {
    expect(read(resetFor(segment(SYN, 0)))).toMatchObject({
      sequence: 0,
      acknowledged: 0x11223345,
      flags: RST | ACK,
    });
  });

  it('answers neither a reset nor what is not TCP over IPv4', () => {
    expect(resetFor(segment(RST, 0))).toBeUndefined();
    const ipv6 = segment(ACK, 20);
    ipv6[0] = 0x65;
    const udp = segment(ACK, 0);
    udp[9] = 17;
    for (const bytes of [ipv6, udp, segment(ACK, 0).subarray(0, 30)]) expect(resetFor(bytes)).toBeUndefined();
  });
});
