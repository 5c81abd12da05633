/** Every packet of the captures: decoded as tshark reads it, and encoded again to the same bytes. */
import { describe, expect, it } from 'vitest';
import { halves } from './addresses.js';
import { type Captured, captureNames, readCapture } from './capture-files.js';
import { OPTION, type OptionFields, SUBTYPE, VARIANTS, Wire } from './module.js';
import { walkOptions } from './option-area.js';

const PROTOCOL_TCP = 6;
const FLAG_SYN = 2;
const IPV4_BYTES = 20;
const IPV6_BYTES = 40;

/** The fields tshark gives once or not at all. */
const number = (captured: Captured, name: string): number => Number(captured.field(name));

/** What parseOptions() must find, from tshark's columns. */
function expectedOptions(captured: Captured): Partial<OptionFields> {
  const kinds = captured.all('tcp.option_kind').map(Number);
  const lengths = captured.all('tcp.option_len').map(Number);
  const expected: Record<string, number | bigint> = { present: 0, mptcp: 0 };
  const add = (fields: Record<string, number | bigint>): void => {
    Object.assign(expected, fields);
  };
  const bits: Record<number, number> = {
    2: OPTION.mss,
    3: OPTION.windowScale,
    4: OPTION.sackPermitted,
    5: OPTION.sack,
    8: OPTION.timestamps,
    34: OPTION.fastOpen,
  };
  const present = kinds.reduce((mask, kind) => mask | (bits[kind] ?? 0), 0);
  add({ present });
  if (present & OPTION.mss) add({ mss: number(captured, 'tcp.options.mss_val') });
  if (present & OPTION.windowScale) add({ windowScale: number(captured, 'tcp.options.wscale.shift') });
  if (present & OPTION.timestamps) {
    add({ tsVal: number(captured, 'tcp.options.timestamp.tsval') });
    add({ tsEcr: number(captured, 'tcp.options.timestamp.tsecr') });
  }
  if (present & OPTION.sack) {
    const left = captured.all('tcp.options.sack_le').map(Number);
    const right = captured.all('tcp.options.sack_re').map(Number);
    add({ sackCount: left.length });
    for (const [index, edge] of left.entries()) {
      add({ [`sack${index}Left`]: edge, [`sack${index}Right`]: right[index] ?? -1 });
    }
  } else {
    add({ sackCount: 0 });
  }

  // Lengths stand only for kinds that have one; flags only for the subtypes tshark shows them for.
  const mptcpLengths = kinds.filter((kind) => kind > 1).flatMap((kind, at) => (kind === 30 ? [lengths[at] ?? -1] : []));
  const flags = captured.all('tcp.options.mptcp.flags').map(Number);
  const subtypes = captured.all('tcp.options.mptcp.subtype').map(Number);
  for (const [at, subtype] of subtypes.entries()) {
    add({ mptcp: Number(expected.mptcp) | (1 << subtype) });
    add(expectedMptcp(captured, subtype, mptcpLengths[at] ?? -1, () => flags.shift() ?? -1));
  }
  return expected;
}

function expectedMptcp(
  captured: Captured,
  subtype: number,
  length: number,
  nextFlags: () => number,
): Record<string, number | bigint> {
  const field = (name: string): string => captured.field(`tcp.options.mptcp.${name}`);
  switch (subtype) {
    case SUBTYPE.capable:
      return {
        capableVersion: Number(field('version')),
        capableFlags: nextFlags(),
        capableLength: length,
        ...(length >= 12 && { capableSenderKey: BigInt(field('sendkey')) }),
        ...(length >= 20 && { capableReceiverKey: BigInt(field('recvkey')) }),
        ...(length >= 22 && { capableDataLength: Number(field('datalvllen')) }),
        capableHasChecksum: length === 24 ? 1 : 0,
        ...(length === 24 && { capableChecksum: Number(field('checksum')) }),
      };
    case SUBTYPE.join:
      if (length === 24) {
        return { joinLength: length };
      }
      nextFlags();
      return {
        joinLength: length,
        joinBackup: Number(field('backup.flag')),
        joinAddressId: Number(field('addrid')),
        joinNonce: Number(field('sendrand')),
        ...(length === 12 && { joinToken: Number(field('recvtok')) }),
        ...(length === 16 && { joinHmac64: BigInt(field('sendtrunchmac')) }),
      };
    case SUBTYPE.dss: {
      const dssFlags = nextFlags();
      return {
        dssFlags,
        ...((dssFlags & 1) !== 0 && { dssAck: BigInt(field('rawdataack')) }),
        ...((dssFlags & 4) !== 0 && {
          dssDsn: BigInt(field('rawdataseqno')),
          dssSsn: Number(field('subflowseqno')),
          dssLength: Number(field('datalvllen')),
          // tshark shows the checksum of an MP_CAPABLE, but not that of a DSS; keys.test.ts computes those.
          dssHasChecksum: length - dssBytes(dssFlags) === 2 ? 1 : 0,
        }),
      };
    }
    case SUBTYPE.addAddr: {
      const address = halves(field('ipv4') || field('ipv6'));
      return {
        addEcho: Number(field('echo')),
        addId: Number(field('addrid')),
        addHi: address.hi,
        addLo: address.lo,
        addPort: Number(field('port')),
        addHasHmac: 1 - Number(field('echo')),
        addHmac: BigInt(field('addaddrtrunchmac')),
      };
    }
    case SUBTYPE.removeAddr:
      return { removeCount: captured.all('tcp.options.mptcp.addrid').length };
    case SUBTYPE.prio:
      return { prioBackup: nextFlags() & 1, prioHasId: 0 };
    case SUBTYPE.fastclose:
      return { fastcloseKey: BigInt(field('recvkey')) };
    case SUBTYPE.rst:
      return { rstFlags: nextFlags() & 15, rstReason: Number(field('rst_reason')) };
    default:
      throw new Error(`a capture holds subtype ${subtype}, which this test does not know`);
  }
}

/** Bytes of a DSS option with a mapping, without the checksum (RFC 8684 section 3.3, figure 9). */
function dssBytes(flags: number): number {
  const ack = (flags & 1) === 0 ? 0 : (flags & 2) === 0 ? 4 : 8;
  return 4 + ack + ((flags & 8) === 0 ? 10 : 14);
}

/** Writes the option that begins at an option's kind again from the decoded fields; returns the bytes written. */
function encodeOption(wire: Wire, kind: number, subtype: number, to: number): number {
  const { x } = wire;
  const o = wire.options();
  switch (kind) {
    case 2:
      return x.writeMss(to, o.mss);
    case 3:
      return x.writeWindowScale(to, o.windowScale);
    case 4:
      return x.writeSackPermitted(to);
    case 5: {
      const bytes = x.writeSackHeader(to, o.sackCount);
      const view = new DataView(wire.bytes.buffer);
      for (let block = 0; block < o.sackCount; block++) {
        view.setUint32(to + 4 + 8 * block, x.sackLeft(block));
        view.setUint32(to + 8 + 8 * block, x.sackRight(block));
      }
      return bytes;
    }
    case 8:
      return x.writeTimestamps(to, o.tsVal, o.tsEcr);
    case 34:
      return x.writeFastOpen(to, o.fastOpenCookie, o.fastOpenLength);
    case 30:
      return encodeMptcp(wire, o, subtype, to);
    default:
      throw new Error(`a capture holds option kind ${kind}, which this test does not know`);
  }
}

function encodeMptcp({ x }: Wire, o: OptionFields, subtype: number, to: number): number {
  switch (subtype) {
    case SUBTYPE.capable:
      if (o.capableLength === 4) return x.writeCapableSyn(to, o.capableVersion, o.capableFlags, 0n);
      if (o.capableLength === 12) return x.writeCapableSynAck(to, o.capableVersion, o.capableFlags, o.capableSenderKey);
      if (o.capableLength === 20) {
        return x.writeCapableAck(to, o.capableVersion, o.capableFlags, o.capableSenderKey, o.capableReceiverKey);
      }
      return x.writeCapableData(
        to,
        o.capableFlags,
        o.capableSenderKey,
        o.capableReceiverKey,
        o.capableDataLength,
        o.capableChecksum,
        o.capableHasChecksum === 1,
      );
    case SUBTYPE.join:
      if (o.joinLength === 12) {
        return x.writeJoinSyn(to, o.joinBackup === 1, o.joinAddressId, o.joinToken, o.joinNonce);
      }
      if (o.joinLength === 16) {
        return x.writeJoinSynAck(to, o.joinBackup === 1, o.joinAddressId, o.joinHmac64, o.joinNonce);
      }
      return x.writeJoinAck(to, o.joinHmac);
    case SUBTYPE.dss: {
      const hasChecksum = o.dssHasChecksum === 1;
      const bytes = x.writeDss(to, o.dssFlags, o.dssAck, o.dssDsn, o.dssSsn, o.dssLength, o.dssChecksum, hasChecksum);
      expect(x.dssLength(o.dssFlags, hasChecksum)).toBe(bytes);
      return bytes;
    }
    case SUBTYPE.addAddr:
      return x.writeAddAddr(to, o.addEcho === 1, o.addId, o.addHi, o.addLo, o.addPort, o.addHmac);
    case SUBTYPE.removeAddr:
      return x.writeRemoveAddr(to, o.removeIds, o.removeCount);
    case SUBTYPE.prio:
      return x.writePrio(to, o.prioBackup === 1, o.prioId, o.prioHasId === 1);
    case SUBTYPE.fastclose:
      return x.writeFastclose(to, o.fastcloseKey);
    case SUBTYPE.rst:
      return x.writeReset(to, o.rstFlags, o.rstReason);
    default:
      throw new Error(`a capture holds subtype ${subtype}, which this test does not know`);
  }
}

function checkDecoded(wire: Wire, captured: Captured): void {
  const address = wire.putAtEnd(captured.packet);
  expect(wire.x.parsePacket(address, captured.packet.length)).toBe(0);
  const v6 = captured.field('ipv6.src') !== '';
  const src = halves(captured.field(v6 ? 'ipv6.src' : 'ip.src'));
  const dst = halves(captured.field(v6 ? 'ipv6.dst' : 'ip.dst'));
  const packet = wire.packet();
  expect(packet).toMatchObject({
    version: v6 ? 6 : 4,
    protocol: PROTOCOL_TCP,
    hopLimit: number(captured, v6 ? 'ipv6.hlim' : 'ip.ttl'),
    ecn: number(captured, v6 ? 'ipv6.tclass.ecn' : 'ip.dsfield.ecn'),
    srcHi: src.hi,
    srcLo: src.lo,
    dstHi: dst.hi,
    dstLo: dst.lo,
    network: address,
    networkLength: v6 ? IPV6_BYTES + number(captured, 'ipv6.plen') : number(captured, 'ip.len'),
    transport: address + (v6 ? IPV6_BYTES : number(captured, 'ip.hdr_len')),
  });
  expect(packet.transport + packet.transportLength).toBe(address + packet.networkLength);

  expect(captured.field('tcp.checksum.status'), 'tshark finds the checksum good').toBe('1');
  expect(wire.x.parseSegment(false)).toBe(0);
  const headerLength = number(captured, 'tcp.hdr_len');
  expect(wire.segment()).toEqual({
    srcPort: number(captured, 'tcp.srcport'),
    dstPort: number(captured, 'tcp.dstport'),
    seq: number(captured, 'tcp.seq_raw'),
    ack: number(captured, 'tcp.ack_raw'),
    flags: number(captured, 'tcp.flags') & 255,
    window: number(captured, 'tcp.window_size_value'),
    urgent: number(captured, 'tcp.urgent_pointer'),
    options: packet.transport + 20,
    optionsLength: headerLength - 20,
    payload: packet.transport + headerLength,
    payloadLength: number(captured, 'tcp.len'),
    segmentSize: number(captured, 'tcp.len'),
  });

  const { options, optionsLength } = wire.segment();
  expect(wire.x.parseOptions(options, optionsLength)).toBe(1);
  const decoded = wire.options();
  expect(decoded).toMatchObject(expectedOptions(captured));
  if (decoded.joinLength === 24) {
    const hmac = Buffer.from(wire.get(decoded.joinHmac, 20)).toString('hex');
    expect(hmac).toBe(captured.field('tcp.options.mptcp.sendhmac'));
  }
  if (decoded.mptcp & (1 << SUBTYPE.removeAddr)) {
    const ids = [...wire.get(decoded.removeIds, decoded.removeCount)];
    expect(ids).toEqual(captured.all('tcp.options.mptcp.addrid').map(Number));
  }
}

/** Encodes what checkDecoded() left in the module. */
function checkEncoded(wire: Wire, captured: Captured): void {
  const packet = wire.packet();
  const segment = wire.segment();
  const area = wire.get(segment.options, segment.optionsLength);
  const to = wire.base;
  let at = to + packet.transport - packet.network + 20;
  const optionsAt = at;
  for (const option of walkOptions(area)) {
    const bytes = encodeOption(wire, option.kind, option.subtype, at);
    expect(bytes % 4).toBe(0);
    const padded = Buffer.from(wire.get(at, bytes)).toString('hex');
    expect(padded.replace(/^(01)*/, '').startsWith(Buffer.from(option.bytes).toString('hex'))).toBe(true);
    at += bytes;
  }
  // In a SYN, Linux sets the timestamps behind SACK-permitted without NOPs; elsewhere the whole area is the same.
  if ((segment.flags & FLAG_SYN) === 0) {
    expect(wire.get(optionsAt, at - optionsAt)).toEqual(area);
  }
  wire.put(area, optionsAt);

  const headerLength = wire.x.writeIpHeader(
    to,
    packet.srcHi,
    packet.srcLo,
    packet.dstHi,
    packet.dstLo,
    packet.protocol,
    packet.transportLength,
    packet.hopLimit,
    packet.ecn,
    packet.version === 4 ? new DataView(captured.packet.buffer).getUint16(4) : 0,
  );
  expect(headerLength).toBe(packet.version === 4 ? IPV4_BYTES : IPV6_BYTES);
  const transport = to + headerLength;
  wire.x.writeTcpHeader(
    transport,
    segment.srcPort,
    segment.dstPort,
    segment.seq,
    segment.ack,
    segment.flags,
    segment.window,
    segment.optionsLength,
  );
  wire.put(wire.get(segment.payload, segment.payloadLength), optionsAt + segment.optionsLength);
  const sum = wire.x.sumPseudoHeader(
    packet.srcHi,
    packet.srcLo,
    packet.dstHi,
    packet.dstLo,
    packet.protocol,
    packet.transportLength,
    0n,
  );
  const view = new DataView(wire.bytes.buffer);
  view.setUint16(transport + 16, wire.x.checksumFold(wire.x.sumBytes(transport, packet.transportLength, sum)));

  const original = Uint8Array.from(captured.packet);
  if (packet.version === 6) {
    // Linux labels flows, this stack does not: the label is 20 bits behind version and traffic class.
    original.set([(original[1] ?? 0) & 0xf0, 0, 0], 1);
  }
  expect(wire.get(to, original.length)).toEqual(original);
}

describe.each(VARIANTS)('captures of Linux (%s)', (variant) => {
  const wire = new Wire(variant);
  it.each(captureNames())('%s is decoded as tshark does and encoded to the same bytes', (name) => {
    const packets = readCapture(name);
    expect(packets.length).toBeGreaterThan(20);
    for (const captured of packets) {
      checkDecoded(wire, captured);
      checkEncoded(wire, captured);
    }
  });

  it('every subtype but MP_FAIL occurs', () => {
    const subtypes = new Set<string>();
    for (const name of captureNames()) {
      for (const captured of readCapture(name)) {
        for (const subtype of captured.all('tcp.options.mptcp.subtype')) subtypes.add(subtype);
      }
    }
    expect([...subtypes].sort()).toEqual(['0', '1', '2', '3', '4', '5', '7', '8']);
  });
});
