import { describe, expect, it } from 'vitest';
import { requireAddress } from '../../host/address.js';
import { packetTooBig, quotedPacket } from '../../host/sim/icmp.js';
import {
  internetChecksum,
  OPTION_MPTCP,
  OPTION_TIMESTAMPS,
  readSegment,
  type Segment,
  seqAdd,
  seqDistance,
  writeSegment,
} from '../../host/sim/packet.js';
import { Random } from '../../host/sim/random.js';
import { readTcp, type TcpPacket, writeIcmp, writeTcp } from '../core/packets.js';
import { captureNames, readCapture } from '../wire/capture-files.js';

const V4 = { src: '10.0.0.2', dst: '10.0.0.1' };
const V6 = { src: 'fd00:0:0:0:0:0:0:2', dst: 'fd00:0:0:0:0:0:0:1' };

function packet(fields: Partial<TcpPacket> = {}): TcpPacket {
  return {
    ...V4,
    srcPort: 5000,
    dstPort: 80,
    seq: 0xfffffff0,
    ack: 77,
    flags: 'PA',
    window: 512,
    options: { ts: [1, 2], mptcp: [{ dss: true, ack: 5n, dsn: 9n, ssn: 1, length: 4 }] },
    data: Uint8Array.of(1, 2, 3),
    urgent: 0,
    ecn: 2,
    ...fields,
  };
}

describe('the packets of the simulator', () => {
  it.each([
    ['IPv4', V4],
    ['IPv6', V6],
  ])('are taken apart and put together again: %s', (_, addresses) => {
    const bytes = writeTcp(packet(addresses));
    const segment = readSegment(bytes);
    expect(segment).toMatchObject({ srcPort: 5000, dstPort: 80, seq: 0xfffffff0, ack: 77, window: 512, span: 3 });
    expect(segment?.end).toBe(0xfffffff3);
    expect(segment?.option(OPTION_TIMESTAMPS)?.data).toEqual(Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 2));
    expect(readTcp(writeSegment(segment as Segment))).toEqual(readTcp(bytes));
  });

  it('of a Linux kernel come out with the same bytes', () => {
    let read = 0;
    for (const bytes of captureNames().flatMap((name) => readCapture(name).map((each) => each.packet))) {
      const segment = readSegment(bytes);
      if (segment === undefined) continue;
      read++;
      const written = writeSegment(segment);
      // The kernel leaves the TCP checksum to the card: it is not in the capture.
      written.set(bytes.subarray(segment.ip.length + 16, segment.ip.length + 18), segment.ip.length + 16);
      expect(Buffer.from(written).equals(bytes)).toBe(true);
    }
    expect(read).toBeGreaterThan(100);
  });

  it('have right checksums whatever is changed', () => {
    const random = new Random(3);
    for (let count = 0; count < 200; count++) {
      const segment = readSegment(writeTcp(packet({ ...(count % 2 === 0 ? V4 : V6) }))) as Segment;
      segment.seq = random.uint32();
      segment.dstPort = random.between(1, 65_535);
      segment.payload = random.bytes(random.between(0, 1461));
      segment.src.set(random.bytes(segment.src.length));
      segment.erase((kind) => kind === (count % 3 === 0 ? OPTION_MPTCP : OPTION_TIMESTAMPS));
      // Throws when a length or checksum is wrong.
      expect(readTcp(writeSegment(segment)).seq).toBe(segment.seq);
    }
  });

  it('are let be when they are no whole TCP segments', () => {
    const whole = writeTcp(packet());
    const changed = (at: number, value: number): Uint8Array => {
      const bytes = whole.slice();
      bytes[at] = value;
      return bytes;
    };
    expect(readSegment(whole)).toBeDefined();
    const others = {
      shorter: whole.subarray(0, whole.length - 1),
      protocol: changed(9, 17),
      fragment: changed(7, 1),
      version: changed(0, 0x55),
      'IP header': changed(0, 0x4f),
      'TCP header': changed(32, 0x10),
      'TCP header behind the end': changed(32, 0xf0),
      option: changed(41, 99),
      ICMP: writeIcmp(V4.src, V4.dst, 8, [0, 0, 0, 0]),
      nothing: new Uint8Array(),
    };
    for (const [name, bytes] of Object.entries(others)) expect([name, readSegment(bytes)]).toEqual([name, undefined]);
  });

  it('keep their places where options are erased, and refuse more than fit', () => {
    const segment = readSegment(writeTcp(packet())) as Segment;
    const before = writeSegment(segment).length;
    expect(segment.erase((kind) => kind === OPTION_MPTCP)).toBe(1);
    expect(writeSegment(segment).length).toBe(before);
    expect(readTcp(writeSegment(segment)).options).toEqual({ ts: [1, 2] });
    segment.options.push({ kind: 99, data: new Uint8Array(30) });
    expect(() => writeSegment(segment)).toThrow(/need \d+ bytes, and there are 40/);
  });

  it('are copied and answered without a share in each other', () => {
    const segment = readSegment(writeTcp(packet())) as Segment;
    const copy = segment.copy();
    copy.src[0] = 99;
    copy.seq = 5;
    expect([segment.src[0], segment.seq]).toEqual([10, 0xfffffff0]);
    const answer = segment.answer();
    expect([...answer.src, answer.srcPort]).toEqual([10, 0, 0, 1, 80]);
    expect([...answer.dst, answer.dstPort]).toEqual([10, 0, 0, 2, 5000]);
    expect(answer.payload.length).toBe(0);
  });

  it('number bytes modulo 2^32', () => {
    expect([seqAdd(0xffffffff, 2), seqAdd(1, -2)]).toEqual([1, 0xffffffff]);
    expect([seqDistance(1, 0xffffffff), seqDistance(0xffffffff, 1)]).toEqual([2, -2]);
    expect(internetChecksum(Uint8Array.of(0xff, 0xff, 1))).toBe(0xfeff);
  });

  it('are quoted by errors of ICMP', () => {
    for (const [addresses, router] of [
      [V4, '10.0.0.9'],
      [V6, 'fd00::9'],
    ] as const) {
      const bytes = writeTcp(packet({ ...addresses, data: new Uint8Array(1400) }));
      const quoted = quotedPacket(packetTooBig(bytes, requireAddress(router, 'test'), 1280)) as Uint8Array;
      expect(quoted.length).toBeGreaterThanOrEqual(28);
      expect(bytes.subarray(0, quoted.length)).toEqual(quoted);
      expect(quotedPacket(bytes)).toBeUndefined();
      expect(
        quotedPacket(writeIcmp(addresses.src, addresses.dst, router.includes(':') ? 128 : 8, [0, 0, 0, 0])),
      ).toBeUndefined();
    }
  });
});
