import type { LinkPort, OutgoingPacket } from '../../host/link/link.js';
import { linuxSystem } from '../../host/link/tun-libc.js';

/** Splits `bytes` into pieces at the given offsets, as the core gathers a header and pages of payload. */
export function outgoing(bytes: Uint8Array, ...cuts: number[]): OutgoingPacket {
  const edges = [0, ...cuts, bytes.length];
  const pieces = edges.slice(1).map((end, index) => bytes.subarray(edges[index], end));
  return {
    length: bytes.length,
    pieces: pieces.length,
    piece(index) {
      const piece = pieces[index];
      if (piece === undefined) throw new RangeError(`piece ${index} of ${pieces.length}`);
      return piece;
    },
    copyTo(target, offset) {
      target.set(bytes, offset);
      return bytes.length;
    },
    get iovecs() {
      const vectors = new BigUint64Array(pieces.length * 2);
      for (const [index, piece] of pieces.entries()) {
        vectors[index * 2] = linuxSystem().addressOf(piece);
        vectors[index * 2 + 1] = BigInt(piece.length);
      }
      return new Uint8Array(vectors.buffer);
    },
  };
}

/** A port that keeps what a link tells it; reads on every wake as a stack does. */
export class RecordingPort implements LinkPort {
  readonly slots: readonly Uint8Array[] = [new Uint8Array(65600)];
  readonly packets: Uint8Array[] = [];
  readonly errors: Error[] = [];
  wakes = 0;
  onWake: () => void = () => undefined;

  /** What the link said of the native address of the slots. */
  base: bigint | undefined;

  now(): number {
    return 0;
  }

  memoryBase(base: bigint): void {
    this.base = base;
  }

  ingest(slot: number, length: number): void {
    const bytes = this.slots[slot];
    if (bytes === undefined) throw new RangeError(`slot ${slot}`);
    this.packets.push(bytes.slice(0, length));
  }

  wake(): void {
    this.wakes++;
    this.onWake();
  }

  fail(error: Error): void {
    this.errors.push(error);
  }
}
