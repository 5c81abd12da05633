/**
 * Bytes as an attacker may send them: nothing traps, nothing outside the packet is read, and what is taken lies within
 * it. fast-check prints seed and path of a run that fails.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as abi from '../../host/abi.js';
import { icmpMessage, tcpSegment, v4Packet, v6Packet } from './build-packet.js';
import { captureNames, readCapture } from './capture-files.js';
import { OPTION, VARIANTS, Wire } from './module.js';

const IP_RESULTS: number[] = [
  0,
  abi.COUNTER_DROP_IP_HEADER,
  abi.COUNTER_DROP_IP_CHECKSUM,
  abi.COUNTER_DROP_IP_FRAGMENT,
  abi.COUNTER_DROP_IP_ADDRESS,
  abi.COUNTER_DROP_IP_PROTOCOL,
];
const TCP_RESULTS: number[] = [0, abi.COUNTER_DROP_TCP_HEADER, abi.COUNTER_DROP_TCP_CHECKSUM];
const RUNS = 3000;

/** Good packets to begin from: one of each length of each capture, and some with extension headers. */
const SEEDS: Uint8Array[] = [
  ...captureNames().flatMap((name) => {
    const byLength = new Map(readCapture(name).map(({ packet }) => [packet.length, packet]));
    return [...byLength.values()];
  }),
  v6Packet([60, 0, 1, 4, 0, 0, 0, 0, 6, 0, 5, 2, 0, 0, 0, 0, ...tcpSegment([1], [], true)], { next: 0 }),
  v4Packet(icmpMessage(8, 0, [1, 2, 3, 4, 5], false), { protocol: 1 }),
  v6Packet(icmpMessage(128, 0, [1, 2, 3, 4, 5], true), { next: 58 }),
];

describe.each(VARIANTS)('random bytes (%s)', (variant) => {
  const wire = new Wire(variant);
  const room = wire.base + 66_000;

  /** Parses all layers and gives everything that was read, addresses relative to the packet. */
  const read = (at: number, length: number, checksumKnown: boolean): unknown[] => {
    const ip = wire.x.parsePacket(at, length);
    expect(IP_RESULTS).toContain(ip);
    if (ip !== 0) return [ip];
    const packet = wire.packet();
    expect(packet.network).toBe(at);
    expect(packet.transport + packet.transportLength).toBe(at + packet.networkLength);
    expect(packet.networkLength).toBeLessThanOrEqual(length);
    const seen: unknown[] = [{ ...packet, network: 0, transport: packet.transport - at }];
    if (packet.protocol !== 6) {
      return [...seen, wire.x.buildEchoReply(room, 65_600, 64)];
    }
    const tcp = wire.x.parseSegment(checksumKnown);
    expect(TCP_RESULTS).toContain(tcp);
    if (tcp !== 0) return [...seen, tcp];
    const segment = wire.segment();
    expect(segment.options).toBe(packet.transport + 20);
    expect(segment.payload).toBe(segment.options + segment.optionsLength);
    expect(segment.payload + segment.payloadLength).toBe(at + packet.networkLength);
    seen.push({ ...segment, options: segment.options - at, payload: segment.payload - at });
    return [...seen, ...readOptions(segment.options, segment.optionsLength)];
  };

  const readOptions = (at: number, length: number): unknown[] => {
    const good = wire.x.parseOptions(at, length);
    const options = wire.options();
    const within = (from: number, bytes: number): void => {
      expect(from).toBeGreaterThanOrEqual(at);
      expect(from + bytes).toBeLessThanOrEqual(at + length);
    };
    const hmac = options.joinLength === 24;
    const removed = (options.mptcp & 16) !== 0;
    if (hmac) within(options.joinHmac, 20);
    if (removed) within(options.removeIds, options.removeCount);
    const fast = (options.present & OPTION.fastOpen) !== 0;
    if (fast) within(options.fastOpenCookie, options.fastOpenLength);
    const { joinHmac, removeIds, fastOpenCookie, ...rest } = options;
    return [good, rest, hmac ? joinHmac - at : 0, removed ? removeIds - at : 0, fast ? fastOpenCookie - at : 0];
  };

  /** The same bytes among zeros, among ones, and at the end of memory: what is read must not differ. */
  const readThrice = (data: Uint8Array, reader: (at: number, length: number) => unknown[]): unknown[] => {
    const MARGIN = 128;
    const results = [0x00, 0xff].map((poison) => {
      wire.bytes.fill(poison, wire.base, wire.base + data.length + 2 * MARGIN);
      return reader(wire.put(data, wire.base + MARGIN), data.length);
    });
    const [first = []] = results;
    for (const other of [...results.slice(1), reader(wire.putAtEnd(data), data.length)]) {
      expect(other).toEqual(first);
    }
    return first;
  };
  // Fields that no option of the segment set keep old values; set every one to the same before each comparison.
  const clear = (): void => {
    wire.bytes.fill(0, wire.x.optionsAddress(), wire.x.optionsAddress() + wire.x.optionsBytes());
  };
  const readPacket =
    (checksumKnown: boolean) =>
    (at: number, length: number): unknown[] => {
      clear();
      return read(at, length, checksumKnown);
    };

  it('noise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.constantFrom(0x45, 0x4f, 0x60, -1), (data, first) => {
        if (first >= 0 && data.length > 0) data[0] = first;
        readThrice(data, readPacket(true));
      }),
      { numRuns: RUNS },
    );
  });

  const edits = fc.array(fc.tuple(fc.nat(0xffff), fc.nat(255)), { maxLength: 4 });
  const edited = fc
    .tuple(fc.constantFrom(...SEEDS), edits, fc.option(fc.nat(0xffff), { freq: 4 }), fc.boolean())
    .map(([seed, changes, cut, mendChecksum]) => {
      const data = seed.slice(0, cut === null ? seed.length : cut % (seed.length + 1));
      for (const [at, value] of changes) {
        // Most headers lie in the first 100 bytes.
        if (data.length > 0) data[at % Math.min(data.length, 100)] = value;
      }
      if (mendChecksum) mendHeaderChecksum(data);
      return data;
    });

  it('packets of Linux, changed and cut', () => {
    let taken = 0;
    fc.assert(
      fc.property(edited, fc.boolean(), (data, checksumKnown) => {
        taken += readThrice(data, readPacket(checksumKnown)).length > 2 ? 1 : 0;
      }),
      { numRuns: RUNS },
    );
    expect(taken, 'enough of them get as far as the options').toBeGreaterThan(RUNS / 10);
  });

  it('option areas', () => {
    const option = fc
      .tuple(fc.constantFrom(2, 3, 4, 5, 8, 30, 30, 30, 30, 34, 99), fc.nat(36), fc.uint8Array({ maxLength: 34 }))
      .map(([kind, length, value]) => [kind, length, ...value.slice(0, Math.max(length - 2, 0))]);
    const area = fc.array(fc.oneof(option, fc.constantFrom([0], [1])), { maxLength: 6 }).map((options) => {
      return Uint8Array.from(options.flat().slice(0, 40));
    });
    fc.assert(
      fc.property(area, (data) => {
        readThrice(data, (at, length) => {
          clear();
          return readOptions(at, length);
        });
      }),
      { numRuns: RUNS },
    );
  });
});

/** Makes the header checksum of what may be an IPv4 packet right again. */
function mendHeaderChecksum(data: Uint8Array): void {
  const length = ((data[0] ?? 0) & 15) * 4;
  if ((data[0] ?? 0) >> 4 !== 4 || length < 20 || length > data.length) return;
  data.set([0, 0], 10);
  let sum = 0;
  for (let at = 0; at < length; at += 2) sum += ((data[at] ?? 0) << 8) | (data[at + 1] ?? 0);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = ((sum & 0xffff) + (sum >> 16)) ^ 0xffff;
  data.set([sum >> 8, sum & 255], 10);
}
