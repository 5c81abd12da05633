import { describe, expect, it } from 'vitest';
import { invertByte, mptcpOptions, tcpOf } from './join-boxes.js';

const ADD_ADDR = [30, 8, 0x31, 2, 10, 99, 2, 1];

/** A packet of either family with a TCP header that has these options, padded to whole words. */
function packet(version: 4 | 6, options: readonly number[]): Buffer {
  const padded = [...options, ...Array.from({ length: (4 - (options.length % 4)) % 4 }, () => 1)];
  const header = version === 4 ? 20 : 40;
  const bytes = Buffer.alloc(header + 20 + padded.length + 5, 0xff);
  bytes.writeUInt8(version === 4 ? 0x45 : 0x60, 0);
  bytes.writeUInt8(6, version === 4 ? 9 : 6);
  bytes.writeUInt8(((20 + padded.length) / 4) << 4, header + 12);
  bytes.set(padded, header + 20);
  return bytes;
}

describe('what a box reads of a packet', () => {
  it.each([4, 6] as const)('finds the MPTCP options over IPv%i between others', (version) => {
    const found = mptcpOptions(packet(version, [1, 3, 3, 7, ...ADD_ADDR, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, ...ADD_ADDR]));
    expect(found.map((option) => [...option])).toEqual([ADD_ADDR, ADD_ADDR]);
  });

  it('ends at the end of the list, and finds nothing in what is not TCP or is cut off', () => {
    expect(mptcpOptions(packet(4, [0, ...ADD_ADDR]))).toEqual([]);
    const udp = packet(4, ADD_ADDR);
    udp.writeUInt8(17, 9);
    expect(mptcpOptions(udp)).toEqual([]);
    expect(tcpOf(Buffer.alloc(30))).toBeUndefined();
    expect(mptcpOptions(packet(6, ADD_ADDR).subarray(0, 45))).toEqual([]);
  });

  it('does not run past a bad length', () => {
    expect(mptcpOptions(packet(4, [3, 0, 30, 200])).length).toBeLessThanOrEqual(1);
  });
});

describe('a box that changes a byte', () => {
  const checksum = (bytes: Buffer, tcp: number): number => {
    let total = 0;
    for (let at = tcp; at < bytes.length; at += 2) total += (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
    while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
    return total;
  };

  it.each([0, 1, 2, 3, 4])('leaves the TCP checksum right, at byte %i of an odd payload', (at) => {
    const before = packet(4, ADD_ADDR);
    const after = Buffer.from(before);
    const tcp = 20;
    const payload = before.length - 5;
    invertByte(after, payload + at, tcp);
    expect(after[payload + at]).toBe((before[payload + at] ?? 0) ^ 0xff);
    expect(checksum(after, tcp)).toBe(checksum(before, tcp));
    expect(
      [...after].filter((byte, index) => byte !== before[index] && index !== tcp + 16 && index !== tcp + 17),
    ).toHaveLength(1);
  });
});
