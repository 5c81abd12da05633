import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { VNET_HEADER_BYTES } from '../abi.js';
import { MptcpError } from '../error.js';
import type { Link, LinkPort, OutgoingPacket } from './link.js';

/** Where the bytes of a capture go. They are to be used before `write` returns. */
export interface CaptureSink {
  write(bytes: Uint8Array): void;
  close?(): void;
}

/** Options of a capture. */
export interface PcapngOptions {
  /** Bytes kept of each packet; default all. */
  readonly snapLength?: number;
}

/** Which way a packet went, as seen by the stack that has the link. */
export type Direction = 'inbound' | 'outbound';

// Block types, options and the link type of the pcapng format (draft-ietf-opsawg-pcapng sections 4 and 8).
const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
const ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const OPTION_END = 0;
const SHB_USERAPPL = 4;
const IF_NAME = 2;
const IF_TSRESOL = 9;
const EPB_FLAGS = 2;
const LINKTYPE_RAW = 101;
const MICROSECONDS = 6;
/** Bytes of an enhanced packet block beside the packet: header, flags option, end of options, trailing length. */
const PACKET_OVERHEAD = 28 + 8 + 4 + 4;
const BUFFER_BYTES = 1 << 20;
const APPLICATION = 'mptcp-wasm';

/** Writes packets into a pcapng file, which Wireshark opens: one interface per link, times in µs. */
export class PcapngWriter {
  readonly #sink: CaptureSink;
  readonly #snapLength: number;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  readonly #view = new DataView(this.#buffer.buffer);
  #used = 0;
  #interfaces = 0;
  #closed = false;

  /**
   * @param target A path, whose folder is made when it is not there, or a sink.
   * @throws The error of the file system when the file cannot be made.
   */
  constructor(target: string | CaptureSink, options: PcapngOptions = {}) {
    this.#snapLength = options.snapLength ?? 0;
    if (!Number.isInteger(this.#snapLength) || this.#snapLength < 0) {
      throw new MptcpError('EINVAL', 'capture', {
        detail: `snapLength is ${options.snapLength} and must be a number of bytes`,
      });
    }
    this.#sink = typeof target === 'string' ? fileSink(target) : target;
    this.#block(SECTION_HEADER, () => {
      this.#u32(BYTE_ORDER_MAGIC);
      this.#u16(1);
      this.#u16(0);
      // The section's length is not known beforehand.
      this.#u32(0xffffffff);
      this.#u32(0xffffffff);
      this.#textOption(SHB_USERAPPL, APPLICATION);
      this.#u32(OPTION_END);
    });
  }

  /** Adds an interface; returns its number. */
  addInterface(name: string): number {
    this.#block(INTERFACE_DESCRIPTION, () => {
      this.#u16(LINKTYPE_RAW);
      this.#u16(0);
      this.#u32(this.#snapLength);
      this.#textOption(IF_NAME, name);
      this.#u16(IF_TSRESOL);
      this.#u16(1);
      this.#u32(MICROSECONDS);
      this.#u32(OPTION_END);
    });
    return this.#interfaces++;
  }

  /**
   * Adds a packet of `length` bytes, which `copy` puts at a place it is given. `time` in µs since 1970.
   * @param skip Leading bytes of the packet to leave out: a virtio-net header.
   */
  addPacket(
    link: number,
    direction: Direction,
    time: number,
    packet: { readonly length: number; copyTo(target: Uint8Array, offset: number): number },
    skip = 0,
  ): void {
    const length = Math.max(packet.length - skip, 0);
    const captured = this.#snapLength === 0 ? length : Math.min(length, this.#snapLength);
    // The whole packet is copied to its place first and what is left out moved away or written over after.
    this.#reserve(packet.length + PACKET_OVERHEAD + 4);
    const start = this.#used;
    packet.copyTo(this.#buffer, start + 28);
    if (skip > 0) this.#buffer.copyWithin(start + 28, start + 28 + skip, start + 28 + skip + captured);
    this.#u32(ENHANCED_PACKET);
    this.#u32(0);
    this.#u32(link);
    this.#u32(Math.floor(time / 2 ** 32));
    this.#u32(time % 2 ** 32);
    this.#u32(captured);
    this.#u32(length);
    this.#used += captured;
    this.#pad();
    this.#u16(EPB_FLAGS);
    this.#u16(4);
    this.#u32(direction === 'inbound' ? 1 : 2);
    this.#u32(OPTION_END);
    this.#finish(start);
  }

  /** Hands all that was added to the sink. */
  flush(): void {
    if (this.#used === 0) return;
    this.#sink.write(this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }

  /** Flushes and closes; packets added later are refused. */
  close(): void {
    if (this.#closed) return;
    this.flush();
    this.#closed = true;
    this.#sink.close?.();
  }

  #block(type: number, body: () => void): void {
    this.#reserve(4096);
    const start = this.#used;
    this.#u32(type);
    this.#u32(0);
    body();
    this.#finish(start);
  }

  /** A block's length stands at its beginning and at its end. */
  #finish(start: number): void {
    const length = this.#used + 4 - start;
    this.#u32(length);
    this.#view.setUint32(start + 4, length, true);
  }

  #reserve(bytes: number): void {
    if (this.#closed) throw new MptcpError('EBADF', 'capture', { detail: 'the capture is closed' });
    if (this.#used + bytes > BUFFER_BYTES) this.flush();
  }

  #u16(value: number): void {
    this.#view.setUint16(this.#used, value, true);
    this.#used += 2;
  }

  #u32(value: number): void {
    this.#view.setUint32(this.#used, value, true);
    this.#used += 4;
  }

  #textOption(code: number, text: string): void {
    const bytes = new TextEncoder().encode(text.slice(0, 256));
    this.#u16(code);
    this.#u16(bytes.length);
    this.#buffer.set(bytes, this.#used);
    this.#used += bytes.length;
    this.#pad();
  }

  #pad(): void {
    while (this.#used % 4 !== 0) this.#buffer[this.#used++] = 0;
  }
}

/** A link that carries what `link` carries and writes every packet into a capture, under the link's name. */
export function tap(link: Link, writer: PcapngWriter): Link {
  const number = writer.addInterface(link.name);
  const skip = link.vnetHeader ? VNET_HEADER_BYTES : 0;
  let port: LinkPort | undefined;
  const tapped: Link = {
    name: link.name,
    mtu: link.mtu,
    vnetHeader: link.vnetHeader,
    checksumOffload: link.checksumOffload,
    segmentationOffload: link.segmentationOffload,
    attach(stackPort) {
      port = stackPort;
      link.attach(new TappedPort(stackPort, writer, number, skip));
    },
    send(packet: OutgoingPacket) {
      if (port !== undefined) writer.addPacket(number, 'outbound', port.now(), packet, skip);
      return link.send(packet);
    },
    close: () => link.close(),
  };
  const receive = link.receive?.bind(link);
  if (receive !== undefined) tapped.receive = receive;
  return tapped;
}

/** The port that a tapped link sees: packets are written down on their way to the stack. */
class TappedPort implements LinkPort {
  readonly slots: readonly Uint8Array[];
  readonly #port: LinkPort;
  readonly #writer: PcapngWriter;
  readonly #number: number;
  readonly #skip: number;
  readonly #packet = {
    length: 0,
    bytes: new Uint8Array(0),
    copyTo(target: Uint8Array, offset: number): number {
      target.set(this.bytes.subarray(0, this.length), offset);
      return this.length;
    },
  };

  constructor(port: LinkPort, writer: PcapngWriter, number: number, skip: number) {
    this.slots = port.slots;
    this.#port = port;
    this.#writer = writer;
    this.#number = number;
    this.#skip = skip;
  }

  now(): number {
    return this.#port.now();
  }

  ingest(slot: number, length: number): void {
    const bytes = this.slots[slot];
    if (bytes !== undefined) {
      this.#packet.bytes = bytes as Uint8Array<ArrayBuffer>;
      this.#packet.length = length;
      this.#writer.addPacket(this.#number, 'inbound', this.#port.now(), this.#packet, this.#skip);
    }
    this.#port.ingest(slot, length);
  }

  wake(): void {
    this.#port.wake();
  }

  fail(error: Error): void {
    this.#port.fail(error);
  }

  memoryBase(base: bigint): void {
    this.#port.memoryBase(base);
  }
}

function fileSink(path: string): CaptureSink {
  mkdirSync(dirname(path), { recursive: true });
  const file = openSync(path, 'w');
  return {
    write(bytes) {
      for (let offset = 0; offset < bytes.length; ) offset += writeSync(file, bytes, offset);
    },
    close: () => closeSync(file),
  };
}
