import { MptcpError } from '../error.js';
import type { Link, LinkPort, OutgoingPacket } from './link.js';

/** Options of a pipe. */
export interface PipeOptions {
  readonly name?: string;
  /** Largest IP packet, bytes; default 1,500. */
  readonly mtu?: number;
  /** Packets that may wait in each direction; more are dropped. Default 1,024. */
  readonly queue?: number;
}

/** One end of a pipe: a link to another stack in the same process. */
export class PipeLink implements Link {
  readonly name: string;
  readonly mtu: number;
  readonly vnetHeader = false;
  readonly checksumOffload = false;
  readonly segmentationOffload = false;

  readonly #limit: number;
  readonly #queue: Uint8Array[] = [];
  #port: LinkPort | undefined;
  #peer: PipeLink | undefined;

  constructor(name: string, mtu: number, limit: number) {
    this.name = name;
    this.mtu = mtu;
    this.#limit = limit;
  }

  /** Two ends that belong together. */
  static pair(options: PipeOptions = {}): [PipeLink, PipeLink] {
    const { name = 'pipe', mtu = 1500, queue = 1024 } = options;
    const ends: [PipeLink, PipeLink] = [new PipeLink(`${name}:a`, mtu, queue), new PipeLink(`${name}:b`, mtu, queue)];
    ends[0].#peer = ends[1];
    ends[1].#peer = ends[0];
    return ends;
  }

  attach(port: LinkPort): void {
    this.#port = port;
  }

  send(packet: OutgoingPacket): boolean {
    const peer = this.#peer;
    if (peer === undefined) return false;
    const port = peer.#port;
    if (port === undefined || peer.#queue.length >= peer.#limit) return false;
    const bytes = new Uint8Array(packet.length);
    packet.copyTo(bytes, 0);
    if (peer.#queue.push(bytes) === 1) port.wake();
    return true;
  }

  receive(budget: number): number {
    const port = this.#port;
    const slot = port?.slots[0];
    if (port === undefined || slot === undefined) return 0;
    const count = Math.min(budget, this.#queue.length);
    for (const bytes of this.#queue.splice(0, count)) {
      slot.set(bytes);
      port.ingest(0, bytes.length);
    }
    return count;
  }

  close(): void {
    this.#port = undefined;
    this.#queue.length = 0;
  }
}

/** Two links joined to each other, for two stacks in one process. */
export function createPipe(options: PipeOptions = {}): [PipeLink, PipeLink] {
  const mtu = options.mtu ?? 1500;
  if (!Number.isInteger(mtu) || mtu < 576 || mtu > 65535) {
    throw new MptcpError('EINVAL', 'createPipe', { detail: `the mtu is ${mtu} and must be from 576 to 65535` });
  }
  return PipeLink.pair(options);
}
