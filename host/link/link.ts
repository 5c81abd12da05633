/**
 * A link carries whole IP packets between a {@link Stack} and somewhere else: a TUN device, a simulated wire,
 * a pipe to another stack in the same process.
 */
export interface Link {
  /** Name for people: shown in captures, tables and error messages. */
  readonly name: string;
  /** Largest IP packet, bytes, without any virtio-net header. */
  readonly mtu: number;
  /** Packets in both directions begin with a 12-byte virtio-net header. */
  readonly vnetHeader: boolean;
  /** The link fills in transport checksums (needs `vnetHeader`). */
  readonly checksumOffload: boolean;
  /** The link cuts large TCP segments (needs `checksumOffload`). */
  readonly segmentationOffload: boolean;

  /** Called once by the stack that takes the link. */
  attach(port: LinkPort): void;

  /**
   * Takes one packet to send. Must finish with the bytes before it returns.
   * Returns false when the link cannot take it now: the packet is then lost, as on any wire, and counted.
   */
  send(packet: OutgoingPacket): boolean;

  /**
   * For links that are read by polling: reads at most `budget` packets into the port's slots and ingests each.
   * Returns how many it read. Links that push call `port.ingest` themselves and leave this out.
   */
  receive?(budget: number): number;

  /** Releases what the link holds. The stack calls it once, on `stack.close()` or `stack.removeLink()`. */
  close(): void;
}

/** The stack's side of a link. */
export interface LinkPort {
  /** Receive slots, views straight into the memory of the core; each holds any packet the link can bring. */
  readonly slots: readonly Uint8Array[];
  /** The time by the stack's clock, µs. */
  now(): number;
  /** Gives the packet in `slots[slot]` to the core. The slot is free again when this returns. */
  ingest(slot: number, length: number): void;
  /** Says that packets wait to be received, or that the stack should run again for another reason. */
  wake(): void;
  /** Says that the link works no more. The stack marks it down and emits `linkError`. */
  fail(error: Error): void;
  /**
   * Sets the address, in this process, of the first byte of the core's memory: that of a slot less its
   * `byteOffset`. Afterwards {@link OutgoingPacket.iovecs} hold addresses that writev() takes.
   */
  memoryBase(base: bigint): void;
}

/** A packet to send, in pieces. Views are valid only during `Link.send`. */
export interface OutgoingPacket {
  /** Bytes of all pieces together. */
  readonly length: number;
  readonly pieces: number;
  piece(index: number): Uint8Array;
  /** The pieces copied behind each other into `target` at `offset`; returns their length. */
  copyTo(target: Uint8Array, offset: number): number;
  /** A view of the `struct iovec` array of this packet (native addresses; see {@link LinkPort.memoryBase}). */
  readonly iovecs: Uint8Array;
}
