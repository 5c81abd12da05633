import type { Link, LinkPort, OutgoingPacket } from '../../host/link/link.js';

/** Bytes that wait on a slow path before further packets are dropped at the tail. */
const QUEUE_BYTES = 512 * 1024;
/** A queue is served once a millisecond; what could have left in this time at most leaves at once. */
const BURST_MS = 4;

/** Looks at a packet on its way to the stack or from it: gives what goes on instead, undefined to lose it. */
export type Box = (way: 'in' | 'out', bytes: Buffer) => Buffer | undefined;

/**
 * A path between a link and its stack: it can have a rate, with a queue in front in each direction, and it can be cut,
 * which loses every packet both ways without a word, as a radio path that dies.
 */
export class RelayLink implements Link {
  /** Packets lost because the path was cut. */
  lost = 0;
  /** Packets lost because a queue was full. */
  dropped = 0;
  /** What stands on the path and meddles with packets. */
  box: Box | undefined;
  #cut = false;
  readonly #outward: RateQueue | undefined;
  readonly #inward: RateQueue | undefined;
  #port: LinkPort | undefined;

  /** @param bytesPerSecond in each direction; as fast as it goes when left out. */
  constructor(
    private readonly inner: Link,
    bytesPerSecond?: number,
  ) {
    if (bytesPerSecond === undefined) return;
    this.#outward = new RateQueue(bytesPerSecond, (packet) => this.#sendCopy(packet));
    this.#inward = new RateQueue(bytesPerSecond, (packet) => this.#ingestCopy(packet));
  }

  get name(): string {
    return this.inner.name;
  }
  get mtu(): number {
    return this.inner.mtu;
  }
  get vnetHeader(): boolean {
    return this.inner.vnetHeader;
  }
  get checksumOffload(): boolean {
    return this.inner.checksumOffload;
  }
  get segmentationOffload(): boolean {
    return this.inner.segmentationOffload;
  }

  /** Has the path lose everything, or with false work again. */
  cut(cut = true): void {
    this.#cut = cut;
  }

  attach(port: LinkPort): void {
    this.#port = port;
    this.inner.attach({
      slots: port.slots,
      now: () => port.now(),
      wake: () => port.wake(),
      fail: (error) => port.fail(error),
      memoryBase: (base) => port.memoryBase(base),
      ingest: (slot, length) => this.#receive(port, slot, length),
    });
  }

  send(packet: OutgoingPacket): boolean {
    if (this.#cut) {
      this.lost++;
      return true;
    }
    if (this.box !== undefined) return this.#sendByBox(this.box, packet);
    const queue = this.#outward;
    if (queue === undefined || queue.passes(packet.length)) return this.inner.send(packet);
    const copy = Buffer.allocUnsafe(packet.length);
    packet.copyTo(copy, 0);
    return this.#queued(queue.push(copy));
  }

  #sendByBox(box: Box, packet: OutgoingPacket): boolean {
    const copy = Buffer.alloc(packet.length);
    packet.copyTo(copy, 0);
    const passed = box('out', copy);
    if (passed === undefined) {
      this.lost++;
      return true;
    }
    const queue = this.#outward;
    if (queue === undefined || queue.passes(passed.length)) return this.inner.send(new CopiedPacket(passed));
    return this.#queued(queue.push(passed));
  }

  receive(budget: number): number {
    return this.inner.receive?.(budget) ?? 0;
  }

  close(): void {
    this.#outward?.close();
    this.#inward?.close();
    this.inner.close();
  }

  #receive(port: LinkPort, slot: number, received: number): void {
    const bytes = port.slots[slot];
    if (this.#cut || bytes === undefined) {
      this.lost++;
      return;
    }
    const length = this.#meddled(bytes, received);
    if (length === undefined) return;
    const queue = this.#inward;
    if (queue === undefined || queue.passes(length)) port.ingest(slot, length);
    else this.#queued(queue.push(Buffer.from(bytes.subarray(0, length))));
  }

  /** The length of a packet in a slot after the box changed it there; undefined when it is lost. */
  #meddled(slot: Uint8Array, length: number): number | undefined {
    if (this.box === undefined) return length;
    const passed = this.box('in', Buffer.from(slot.subarray(0, length)));
    if (passed === undefined) this.lost++;
    else slot.set(passed);
    return passed?.length;
  }

  #queued(taken: boolean): boolean {
    if (!taken) this.dropped++;
    return taken;
  }

  #sendCopy(packet: Uint8Array): void {
    if (this.#cut) this.lost++;
    else this.inner.send(new CopiedPacket(packet));
  }

  #ingestCopy(packet: Uint8Array): void {
    const slot = this.#port?.slots[0];
    if (this.#cut || slot === undefined) {
      this.lost++;
      return;
    }
    slot.set(packet);
    this.#port?.ingest(0, packet.length);
  }
}

/** A queue that is emptied at a rate: a token bucket in front of a first-in first-out queue with drop at the tail. */
class RateQueue {
  #packets: Uint8Array[] = [];
  #first = 0;
  #bytes = 0;
  #tokens: number;
  #filledAt = performance.now();
  #timer: NodeJS.Timeout | undefined;
  readonly #bytesPerMs: number;

  constructor(
    bytesPerSecond: number,
    private readonly deliver: (packet: Uint8Array) => void,
  ) {
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.#tokens = this.#bytesPerMs * BURST_MS;
  }

  /** True, and paid for, when a packet may go at once. */
  passes(length: number): boolean {
    if (this.#bytes > 0) return false;
    this.#fill();
    if (this.#tokens < length) return false;
    this.#tokens -= length;
    return true;
  }

  /** Takes a packet to deliver later; false when the queue is full. */
  push(packet: Uint8Array): boolean {
    if (this.#bytes + packet.length > QUEUE_BYTES) return false;
    this.#packets.push(packet);
    this.#bytes += packet.length;
    this.#timer ??= setTimeout(this.#drain, 1);
    return true;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#packets = [];
    this.#bytes = 0;
  }

  #fill(): void {
    const now = performance.now();
    this.#tokens = Math.min(this.#tokens + (now - this.#filledAt) * this.#bytesPerMs, this.#bytesPerMs * BURST_MS);
    this.#filledAt = now;
  }

  readonly #drain = (): void => {
    this.#timer = undefined;
    this.#fill();
    for (;;) {
      const packet = this.#packets[this.#first];
      if (packet === undefined || packet.length > this.#tokens) break;
      this.#first++;
      this.#tokens -= packet.length;
      this.#bytes -= packet.length;
      this.deliver(packet);
    }
    this.#packets = this.#packets.slice(this.#first);
    this.#first = 0;
    if (this.#bytes > 0) this.#timer = setTimeout(this.#drain, 1);
  };
}

/** A packet in one piece. */
class CopiedPacket implements OutgoingPacket {
  readonly pieces = 1;
  readonly iovecs = new Uint8Array(0);

  constructor(private readonly bytes: Uint8Array) {}

  get length(): number {
    return this.bytes.length;
  }

  piece(index: number): Uint8Array {
    if (index !== 0) throw new RangeError(`piece ${index} of 1`);
    return this.bytes;
  }

  copyTo(target: Uint8Array, offset: number): number {
    target.set(this.bytes, offset);
    return this.bytes.length;
  }
}
