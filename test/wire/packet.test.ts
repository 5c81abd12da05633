import { describe, expect, it } from 'vitest';
import * as abi from '../../host/abi.js';
import { halves } from './addresses.js';
import { icmpMessage, tcpSegment, type V4Fields, type V6Fields, v4Packet, v6Packet } from './build-packet.js';
import { VARIANTS, Wire } from './module.js';

const GOOD = 0;
const HEADER = abi.COUNTER_DROP_IP_HEADER;
const CHECKSUM = abi.COUNTER_DROP_IP_CHECKSUM;
const FRAGMENT = abi.COUNTER_DROP_IP_FRAGMENT;
const ADDRESS = abi.COUNTER_DROP_IP_ADDRESS;
const PROTOCOL = abi.COUNTER_DROP_IP_PROTOCOL;

const v6 = (text: string): number[] => {
  const { hi, lo } = halves(text);
  return [...Buffer.from(((hi << 64n) | lo).toString(16).padStart(32, '0'), 'hex')];
};
const segment = tcpSegment([1, 2, 3]);
const segment6 = tcpSegment([1, 2, 3], [], true);
/** An IPv6 extension header: next header, length field, and what follows. */
const extension = (next: number, length: number, ...rest: number[]): number[] => [next, length, ...rest];
const PADDING_6 = [1, 4, 0, 0, 0, 0];

describe.each(VARIANTS)('IP packets (%s)', (variant) => {
  const wire = new Wire(variant);
  /** The result with the packet at the end of memory, where a read behind it traps. */
  const parse = (packet: Uint8Array): number => wire.x.parsePacket(wire.putAtEnd(packet), packet.length);

  it('knows the families apart', () => {
    const { hi, lo } = halves('10.0.0.1');
    expect(wire.x.isV4(hi, lo)).toBe(1);
    expect(wire.x.isV4(0n, 1n)).toBe(0);
    expect(wire.x.isV4(1n, lo)).toBe(0);
    expect(wire.x.isV4(0n, 0xfffe_0a00_0001n)).toBe(0);
  });

  const v4Cases: [string, V4Fields, number][] = [
    ['a good packet', {}, GOOD],
    ['options in the header', { options: [1, 1, 1, 0] }, GOOD],
    ['as many options as there can be', { options: new Array<number>(40).fill(1) }, GOOD],
    ['version 5', { version: 5 }, HEADER],
    ['version 0', { version: 0 }, HEADER],
    ['a header of 16 bytes', { headerWords: 4 }, HEADER],
    ['a header longer than the packet', { headerWords: 15, totalLength: 43 }, HEADER],
    ['total length 0', { totalLength: 0 }, HEADER],
    ['total length below the header', { totalLength: 19 }, HEADER],
    ['total length one above what is there', { totalLength: 20 + segment.length + 1 }, HEADER],
    ['a header checksum one off', { checksumError: 1 }, CHECKSUM],
    ['more fragments', { fragment: 0x2000 }, FRAGMENT],
    ['a fragment offset', { fragment: 0x0001 }, FRAGMENT],
    ['the last fragment, with don’t-fragment', { fragment: 0x5fff }, FRAGMENT],
    ['source 0.0.0.0', { src: [0, 0, 0, 0] }, ADDRESS],
    ['source in 0/8', { src: [0, 1, 2, 3] }, ADDRESS],
    ['source multicast', { src: [224, 0, 0, 1] }, ADDRESS],
    ['source multicast, highest', { src: [239, 255, 255, 255] }, ADDRESS],
    ['source broadcast', { src: [255, 255, 255, 255] }, ADDRESS],
    ['source just above 0/8', { src: [1, 0, 0, 0] }, GOOD],
    ['source just below multicast', { src: [223, 255, 255, 255] }, GOOD],
    ['UDP', { protocol: 17 }, PROTOCOL],
    ['ICMPv6 in IPv4', { protocol: 58 }, PROTOCOL],
    ['protocol 0', { protocol: 0 }, PROTOCOL],
  ];
  it.each(v4Cases)('IPv4: %s', (_name, fields, result) => {
    expect(parse(v4Packet(segment, fields))).toBe(result);
  });

  const v6Cases: [string, ArrayLike<number>, V6Fields, number][] = [
    ['a good packet', segment6, {}, GOOD],
    ['payload length one above what is there', segment6, { payloadLength: segment6.length + 1 }, HEADER],
    ['payload length 65,535', segment6, { payloadLength: 65_535 }, HEADER],
    ['a source v4-mapped', segment6, { src: v6('::ffff:a00:1') }, ADDRESS],
    ['a destination v4-mapped', segment6, { dst: v6('::ffff:a00:1') }, ADDRESS],
    ['source unspecified', segment6, { src: v6('::') }, ADDRESS],
    ['source multicast', segment6, { src: v6('ff02::1') }, ADDRESS],
    ['UDP', segment6, { next: 17 }, PROTOCOL],
    ['ICMP in IPv6', segment6, { next: 1 }, PROTOCOL],
    ['no next header', segment6, { next: 59 }, PROTOCOL],
    ['a fragment header', [6, 0, 0, 0, 0, 0, 0, 1, ...segment6], { next: 44 }, FRAGMENT],
    ['hop-by-hop options', [...extension(6, 0, ...PADDING_6), ...segment6], { next: 0 }, GOOD],
    [
      'hop-by-hop, destination options, routing and destination options',
      [
        ...extension(60, 0, ...PADDING_6),
        ...extension(43, 1, 1, 12, ...new Array<number>(12).fill(0)),
        ...extension(60, 0, 4, 0, ...new Array<number>(4).fill(0)),
        ...extension(6, 0, ...PADDING_6),
        ...segment6,
      ],
      { next: 0 },
      GOOD,
    ],
    [
      'hop-by-hop options that are not first',
      [...extension(0, 0, ...PADDING_6), ...extension(6, 0, ...PADDING_6), ...segment6],
      { next: 60 },
      HEADER,
    ],
    ['routing with a segment left', [...extension(6, 0, 0, 1, 0, 0, 0, 0), ...segment6], { next: 43 }, HEADER],
    ['an extension header of 7 bytes', extension(6, 0, 1, 3, 0, 0, 0), { next: 60 }, HEADER],
    ['an extension header longer than the packet', extension(6, 1, ...PADDING_6), { next: 60 }, HEADER],
    ['an extension header of the largest length', extension(6, 255, ...PADDING_6), { next: 60 }, HEADER],
    ['an extension header and then nothing', extension(43, 0, ...PADDING_6), { next: 60 }, HEADER],
    ['no bytes where a header should be', [], { next: 60 }, HEADER],
    ['an option beyond its header', [...extension(6, 0, 1, 5, 0, 0, 0, 0), ...segment6], { next: 60 }, HEADER],
    ['an option beyond the packet', extension(6, 0, 1, 5, 0, 0, 0, 0), { next: 60 }, HEADER],
    ['an option cut after its type', [...extension(6, 0, 1, 3, 0, 0, 0, 5), ...segment6], { next: 60 }, HEADER],
    ['an unknown option to skip', [...extension(6, 0, 0x1e, 4, 0, 0, 0, 0), ...segment6], { next: 60 }, GOOD],
    ['an unknown option to discard at', [...extension(6, 0, 0x5e, 4, 0, 0, 0, 0), ...segment6], { next: 60 }, HEADER],
    ['a jumbo payload', [...extension(6, 0, 0xc2, 4, 0, 1, 0, 0), ...segment6], { next: 0, payloadLength: 0 }, HEADER],
  ];
  it.each(v6Cases)('IPv6: %s', (_name, payload, fields, result) => {
    expect(parse(v6Packet(payload, fields))).toBe(result);
  });

  it('finds the transport behind options and extension headers, and leaves padding alone', () => {
    const v4 = wire.put(Uint8Array.from([...v4Packet(segment, { options: [1, 1, 1, 0] }), 9, 9, 9]));
    expect(wire.x.parsePacket(v4, 24 + segment.length + 3)).toBe(GOOD);
    expect(wire.packet()).toMatchObject({
      version: 4,
      protocol: 6,
      hopLimit: 64,
      ecn: 2,
      ...{ srcHi: 0n, srcLo: 0xffff_0a00_0001n, dstHi: 0n, dstLo: 0xffff_0a00_0002n },
      ...{ network: v4, networkLength: 24 + segment.length },
      ...{ transport: v4 + 24, transportLength: segment.length },
    });
    expect(wire.x.parseSegment(false)).toBe(0);

    const packet = v6Packet([...extension(6, 0, ...PADDING_6), ...segment6], { next: 60 });
    const at = wire.put(Uint8Array.from([...packet, 9]));
    expect(wire.x.parsePacket(at, packet.length + 1)).toBe(GOOD);
    expect(wire.packet()).toMatchObject({
      version: 6,
      protocol: 6,
      hopLimit: 64,
      ecn: 1,
      ...{ srcHi: 0xfd00_0001_0000_0000n, srcLo: 1n, dstHi: 0xfd00_0001_0000_0000n, dstLo: 2n },
      ...{ network: at, networkLength: packet.length, transport: at + 48, transportLength: segment6.length },
    });
    expect(wire.x.parseSegment(false)).toBe(0);
  });

  it.each([
    ['IPv4', v4Packet(segment, { options: [7, 4, 4, 0] })],
    ['IPv6', v6Packet([...extension(6, 0, ...PADDING_6), ...segment6], { next: 60 })],
  ])('%s: cut anywhere it is malformed', (_name, packet) => {
    for (let length = 0; length < packet.length; length++) {
      expect(parse(packet.slice(0, length)), `${length} bytes`).toBe(HEADER);
    }
  });
});

describe.each(VARIANTS)('TCP headers (%s)', (variant) => {
  const wire = new Wire(variant);
  const parse = (bytes: Uint8Array, checksumKnown = false): number => {
    const packet = v4Packet(bytes);
    expect(wire.x.parsePacket(wire.putAtEnd(packet), packet.length)).toBe(0);
    return wire.x.parseSegment(checksumKnown);
  };
  const changed = (at: number, value: number): Uint8Array => {
    const bytes = Uint8Array.from(segment);
    bytes[at] = value;
    return bytes;
  };

  it('takes a good segment, cut or not', () => {
    expect(parse(segment)).toBe(0);
    expect(parse(tcpSegment([]))).toBe(0);
    expect(parse(tcpSegment([7], new Array<number>(40).fill(1)))).toBe(0);
    expect(wire.segment()).toMatchObject({ optionsLength: 40, payloadLength: 1, flags: 0x18, window: 0x2000 });
  });

  it.each([
    ['nothing', new Uint8Array(0)],
    ['19 bytes', segment.slice(0, 19)],
    ['a data offset of 0', changed(12, 0x00)],
    ['a data offset of 4', changed(12, 0x40)],
    ['a data offset behind the end', changed(12, 0x60)],
    ['the largest data offset', changed(12, 0xf0)],
  ])('header: %s', (_name, bytes) => {
    expect(parse(bytes)).toBe(abi.COUNTER_DROP_TCP_HEADER);
    expect(parse(bytes, true)).toBe(abi.COUNTER_DROP_TCP_HEADER);
  });

  it('finds any single bit that is wrong, unless the link vouches for the checksum', () => {
    for (let bit = 0; bit < segment.length * 8; bit++) {
      const at = bit >> 3;
      const bytes = changed(at, (segment[at] ?? 0) ^ (1 << (bit & 7)));
      // The data offset is the upper half of byte 12.
      const result = parse(bytes);
      const header = at === 12 && (bit & 7) >= 4;
      expect(result, `bit ${bit}`).toBe(header ? abi.COUNTER_DROP_TCP_HEADER : abi.COUNTER_DROP_TCP_CHECKSUM);
      if (!header) expect(parse(bytes, true)).toBe(0);
    }
  });

  it('refuses to read ICMP as TCP', () => {
    const packet = v4Packet(segment, { protocol: 1 });
    expect(wire.x.parsePacket(wire.putAtEnd(packet), packet.length)).toBe(0);
    expect(wire.x.parseSegment(false)).toBe(abi.COUNTER_DROP_TCP_HEADER);
  });
});

describe.each(VARIANTS)('ICMP echo (%s)', (variant) => {
  const wire = new Wire(variant);
  const target = wire.base + 70_000;
  const CAPACITY = 65_600;
  const reply = (packet: Uint8Array, capacity = CAPACITY): number => {
    expect(wire.x.parsePacket(wire.putAtEnd(packet), packet.length)).toBe(0);
    return wire.x.buildEchoReply(target, capacity, 33);
  };
  const body = [0x12, 0x34, 0, 1, ...Array.from({ length: 57 }, (_, index) => index)];

  it('answers an IPv4 request', () => {
    const length = reply(v4Packet(icmpMessage(8, 0, body, false), { protocol: 1 }));
    expect(length).toBe(20 + 4 + body.length);
    expect(wire.x.parsePacket(target, length)).toBe(0);
    expect(wire.packet()).toMatchObject({ protocol: 1, hopLimit: 33, ecn: 0 });
    expect(wire.packet()).toMatchObject({ srcLo: 0xffff_0a00_0002n, dstLo: 0xffff_0a00_0001n });
    expect(wire.get(target + 20, length - 20)).toEqual(icmpMessage(0, 0, body, false));
  });

  it('answers an IPv6 request', () => {
    const length = reply(v6Packet(icmpMessage(128, 0, body, true), { next: 58 }));
    expect(length).toBe(40 + 4 + body.length);
    expect(wire.x.parsePacket(target, length)).toBe(0);
    expect(wire.packet()).toMatchObject({ protocol: 58, hopLimit: 33, srcLo: 2n, dstLo: 1n });
    expect(wire.get(target + 40, length - 40)).toEqual(icmpMessage(129, 0, body, true));
  });

  it('answers the largest request', () => {
    const large = new Uint8Array(65_535 - 20 - 4).fill(0xa5);
    expect(reply(v4Packet(icmpMessage(8, 0, large, false), { protocol: 1 }))).toBe(65_535);
  });

  it('has nothing to answer to other messages, nor room for more than it is given', () => {
    expect(reply(v4Packet(icmpMessage(0, 0, body, false), { protocol: 1 }))).toBe(0);
    expect(reply(v4Packet(icmpMessage(3, 4, body, false), { protocol: 1 }))).toBe(0);
    expect(reply(v4Packet(icmpMessage(8, 1, body, false), { protocol: 1 }))).toBe(0);
    expect(reply(v6Packet(icmpMessage(135, 0, body, true), { next: 58 }))).toBe(0);
    expect(reply(v4Packet(segment))).toBe(0);
    const request = v4Packet(icmpMessage(8, 0, body, false), { protocol: 1 });
    for (const capacity of [0, 19, 20, request.length - 1]) {
      wire.put(new Uint8Array(request.length).fill(0xee), target);
      expect(reply(request, capacity), `${capacity} bytes`).toBe(0);
      expect(wire.get(target, request.length).every((byte) => byte === 0xee)).toBe(true);
    }
    expect(reply(request, request.length)).toBe(request.length);
  });

  it('counts what is short or has a wrong checksum', () => {
    const request = icmpMessage(8, 0, body, false);
    const wrong = Uint8Array.from(request);
    wrong[9] = (wrong[9] ?? 0) ^ 4;
    expect(reply(v4Packet(wrong, { protocol: 1 }))).toBe(-abi.COUNTER_DROP_ICMP);
    expect(reply(v4Packet(icmpMessage(8, 0, [1, 2, 3], false), { protocol: 1 }))).toBe(-abi.COUNTER_DROP_ICMP);
    expect(reply(v4Packet([], { protocol: 1 }))).toBe(-abi.COUNTER_DROP_ICMP);
    // Right but for the pseudo-header, which ICMPv6 includes.
    expect(reply(v6Packet(icmpMessage(128, 0, body, false), { next: 58 }))).toBe(-abi.COUNTER_DROP_ICMP);
  });
});
