import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Link, LinkPort, OutgoingPacket } from '../../host/link/link.js';
import { type CaptureSink, type Direction, PcapngWriter, tap } from '../../host/link/pcapng.js';

const tshark = spawnSync('tshark', ['--version']).status === 0;

class Memory implements CaptureSink {
  chunks: Buffer[] = [];
  closed = false;
  write(bytes: Uint8Array): void {
    this.chunks.push(Buffer.from(bytes));
  }
  close(): void {
    this.closed = true;
  }
  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

/** An IPv4 ICMP-less packet of `length` bytes: header with protocol 253 (experiments) and counting bytes. */
function packet(length: number): { length: number; copyTo(target: Uint8Array, offset: number): number; bytes: Buffer } {
  const bytes = Buffer.from(Array.from({ length }, (_, index) => index & 255));
  bytes.set([0x45, 0, length >> 8, length & 255, 0, 0, 0x40, 0, 64, 253, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
  return {
    length,
    bytes,
    copyTo(target, offset) {
      target.set(bytes, offset);
      return length;
    },
  };
}

/** Blocks of a little-endian capture: type and body. */
function blocks(file: Buffer): { type: number; body: Buffer }[] {
  const found: { type: number; body: Buffer }[] = [];
  for (let at = 0; at < file.length; ) {
    const length = file.readUInt32LE(at + 4);
    expect(length % 4).toBe(0);
    expect(file.readUInt32LE(at + length - 4)).toBe(length);
    found.push({ type: file.readUInt32LE(at), body: file.subarray(at + 8, at + length - 4) });
    at += length;
  }
  return found;
}

describe('a capture', () => {
  it('has one interface a link and packets with time, direction and all bytes', () => {
    const memory = new Memory();
    const writer = new PcapngWriter(memory);
    expect(writer.addInterface('wifi')).toBe(0);
    expect(writer.addInterface('lte')).toBe(1);
    const time = 1_767_225_600_123_456;
    for (const length of [20, 21, 22, 23, 1500]) writer.addPacket(1, 'outbound', time, packet(length));
    writer.addPacket(0, 'inbound', time + 1, packet(40));
    writer.close();
    expect(memory.closed).toBe(true);

    const found = blocks(memory.bytes);
    expect(found.map(({ type }) => type)).toEqual([0x0a0d0d0a, 1, 1, 6, 6, 6, 6, 6, 6]);
    expect(found[1]?.body.toString('latin1')).toContain('wifi');
    expect(found[1]?.body.readUInt16LE(0)).toBe(101);
    const last = found[8]?.body as Buffer;
    expect(last.readUInt32LE(0)).toBe(0);
    expect(last.readUInt32LE(4) * 2 ** 32 + last.readUInt32LE(8)).toBe(time + 1);
    expect(last.readUInt32LE(12)).toBe(40);
    expect(last.subarray(20, 60)).toEqual(packet(40).bytes);
    expect(last.subarray(60).toString('hex')).toBe('020004000100000000000000');
  });

  it('can keep the beginning of packets only', () => {
    const memory = new Memory();
    const writer = new PcapngWriter(memory, { snapLength: 30 });
    writer.addInterface('wifi');
    writer.addPacket(0, 'inbound', 5, packet(100));
    writer.close();
    const body = blocks(memory.bytes)[2]?.body as Buffer;
    expect([body.readUInt32LE(12), body.readUInt32LE(16), body.length]).toEqual([30, 100, 20 + 32 + 12]);
    expect(() => new PcapngWriter(new Memory(), { snapLength: -1 })).toThrow(/snapLength/);
    expect(() => writer.addInterface('late')).toThrow(/closed/);
  });

  it('that is larger than its buffer is whole', () => {
    const memory = new Memory();
    const writer = new PcapngWriter(memory);
    writer.addInterface('wifi');
    for (let index = 0; index < 100; index++) writer.addPacket(0, 'inbound', index, packet(60000));
    writer.close();
    expect(memory.chunks.length).toBeGreaterThan(5);
    expect(blocks(memory.bytes).length).toBe(102);
  });

  it.skipIf(!tshark)('is read by tshark (needs tshark)', () => {
    const folder = mkdtempSync(join(tmpdir(), 'capture-'));
    try {
      const path = join(folder, 'new', 'file.pcapng');
      const writer = new PcapngWriter(path);
      writer.addInterface('wifi');
      writer.addInterface('lte');
      writer.addPacket(0, 'outbound', 1_000_001, packet(33));
      writer.addPacket(1, 'inbound', 2_500_000, packet(34));
      writer.close();
      const fields = [
        'frame.interface_name',
        'frame.time_epoch',
        'frame.len',
        'frame.packet_flags_direction',
        'ip.proto',
      ];
      const output = execFileSync('tshark', ['-r', path, '-T', 'fields', ...fields.flatMap((field) => ['-e', field])]);
      const rows = output
        .toString()
        .trim()
        .split('\n')
        .map((row) => row.split('\t'));
      expect(rows.map(([name, time, ...rest]) => [name, Number(time), ...rest.map(Number)])).toEqual([
        ['wifi', 1.000001, 33, 2, 253],
        ['lte', 2.5, 34, 1, 253],
      ]);
      const rewritten = join(folder, 'again.pcapng');
      writeFileSync(rewritten, readFileSync(path));
      expect(readFileSync(rewritten)).toEqual(readFileSync(path));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('a tap', () => {
  it('records both directions without virtio-net headers and passes everything on', () => {
    const taken: { link: number; direction: Direction; time: number; bytes: string; skip: number }[] = [];
    const memory = new Memory();
    const writer = new PcapngWriter(memory);
    let inner: LinkPort | undefined;
    const sent: string[] = [];
    const link: Link = {
      name: 'tun0',
      mtu: 1500,
      vnetHeader: true,
      checksumOffload: true,
      segmentationOffload: false,
      attach: (port) => {
        inner = port;
      },
      send: (outgoing) => {
        const bytes = Buffer.alloc(outgoing.length);
        outgoing.copyTo(bytes, 0);
        sent.push(bytes.toString('hex'));
        return true;
      },
      receive: () => 7,
      close: () => undefined,
    };
    const tapped = tap(link, writer);
    const ingested: string[] = [];
    const slots = [new Uint8Array(100)];
    let base = 0n;
    tapped.attach({
      slots,
      now: () => 77,
      ingest: (slot, length) =>
        ingested.push(Buffer.from((slots[slot] as Uint8Array).subarray(0, length)).toString('hex')),
      wake: () => ingested.push('wake'),
      fail: (error) => ingested.push(error.message),
      memoryBase: (value) => {
        base = value;
      },
    });
    const bytes = Buffer.concat([Buffer.alloc(12, 9), packet(24).bytes]);
    const outgoing: OutgoingPacket = {
      length: bytes.length,
      pieces: 1,
      piece: () => bytes,
      copyTo: (target, offset) => {
        target.set(bytes, offset);
        return bytes.length;
      },
      iovecs: new Uint8Array(0),
    };
    expect(tapped.send(outgoing)).toBe(true);
    slots[0]?.set(bytes);
    inner?.ingest(0, bytes.length);
    inner?.wake();
    inner?.fail(new Error('gone'));
    inner?.memoryBase(4096n);
    expect(tapped.receive?.(1)).toBe(7);
    writer.close();

    expect(base).toBe(4096n);
    expect(sent).toEqual([bytes.toString('hex')]);
    expect(ingested).toEqual([bytes.toString('hex'), 'wake', 'gone']);
    for (const { type, body } of blocks(memory.bytes).filter((block) => block.type === 6)) {
      expect(type).toBe(6);
      expect(body.readUInt32LE(12)).toBe(24);
      expect(body.subarray(20, 44)).toEqual(packet(24).bytes);
      taken.push({ link: 0, direction: 'inbound', time: body.readUInt32LE(8), bytes: '', skip: 0 });
    }
    expect(taken.map(({ time }) => time)).toEqual([77, 77]);
  });
});
