import type { Link, LinkPort, OutgoingPacket } from './link.js';

/** What is used of the `Tun` of the package `tuntap2`: a Duplex whose chunks are whole IP packets. */
export interface PacketDuplex {
  readonly name?: string;
  readonly mtu?: number;
  on(event: 'data', listener: (packet: Uint8Array) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'close' | 'end', listener: () => void): unknown;
  off(event: 'data', listener: (packet: Uint8Array) => void): unknown;
  off(event: 'error', listener: (error: Error) => void): unknown;
  off(event: 'close' | 'end', listener: () => void): unknown;
  write(packet: Uint8Array): boolean;
  readonly writableNeedDrain?: boolean;
  destroy(error?: Error): unknown;
}

/** Properties that the Duplex does not tell by itself. */
export interface DuplexLinkOptions {
  /** Shown in captures and error messages; default is the Duplex's own name, else `tun`. */
  name?: string;
  /** Largest IP packet, bytes; default is that of the Duplex, else 1,500. */
  mtu?: number;
}

const MTU_DEFAULT = 1500;

/**
 * Makes a link of a Duplex of IP packets, such as the `Tun` of `tuntap2`. The link owns it from then on and destroys
 * it when it is closed. A packet written while the Duplex asks to wait is lost, as on a wire whose queue is full.
 */
export function duplexLink(duplex: PacketDuplex, options: DuplexLinkOptions = {}): Link {
  return new DuplexLink(duplex, options.name ?? duplex.name ?? 'tun', options.mtu ?? duplex.mtu ?? MTU_DEFAULT);
}

class DuplexLink implements Link {
  readonly vnetHeader = false;
  readonly checksumOffload = false;
  readonly segmentationOffload = false;
  readonly #duplex: PacketDuplex;
  #port: LinkPort | undefined;
  #open = true;

  constructor(
    duplex: PacketDuplex,
    readonly name: string,
    readonly mtu: number,
  ) {
    this.#duplex = duplex;
  }

  attach(port: LinkPort): void {
    this.#port = port;
    this.#duplex.on('data', this.#receive);
    this.#duplex.on('error', this.#fail);
    this.#duplex.on('close', this.#end);
  }

  send(packet: OutgoingPacket): boolean {
    if (!this.#open || this.#duplex.writableNeedDrain === true) return false;
    // The Duplex keeps the chunk until it is written; the pieces are gone sooner.
    const bytes = Buffer.allocUnsafe(packet.length);
    packet.copyTo(bytes, 0);
    this.#duplex.write(bytes);
    return true;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#duplex.off('data', this.#receive);
    this.#duplex.off('close', this.#end);
    // The listener for errors stays: an error on the way down must not be an uncaught one.
    this.#duplex.destroy();
  }

  readonly #receive = (packet: Uint8Array): void => {
    const port = this.#port;
    const slot = port?.slots[0];
    if (port === undefined || slot === undefined || packet.length > slot.length) return;
    slot.set(packet);
    port.ingest(0, packet.length);
    port.wake();
  };

  readonly #fail = (error: Error): void => {
    if (!this.#open) return;
    this.close();
    this.#port?.fail(new Error(`link ${this.name}: ${error.message}`, { cause: error }));
  };

  readonly #end = (): void => {
    this.#fail(new Error('the stream of packets was closed by its other owner'));
  };
}
