import { MptcpError } from '../error.js';
import type { Link, LinkPort, OutgoingPacket } from '../link/link.js';
import type { SimClock } from './clock.js';
import { markCongestion } from './ecn.js';
import type { Middlebox, Way } from './middlebox/box.js';
import type { Random } from './random.js';

/** How one direction of a wire treats packets. All can be changed while it runs. */
export interface WireCharacteristics {
  /** Bytes per second; Infinity for no limit. */
  readonly rate: number;
  /** Propagation delay, µs. */
  readonly delay: number;
  /** Up to so much more delay, µs, by chance; packets keep their order. */
  readonly jitter: number;
  /** Bytes that may wait for the rate; further packets are dropped. */
  readonly queue: number;
  /** Packets that find so many bytes waiting are marked "congestion experienced" if they can be (RFC 3168). */
  readonly mark: number;
  /** Bytes of the largest packet that passes; larger ones vanish. */
  readonly largest: number;
  /** Probability that a packet is lost. */
  readonly loss: number;
  /** Probability that a packet is held back by `reorderDelay`, so that later ones overtake it. */
  readonly reorder: number;
  /** µs. */
  readonly reorderDelay: number;
  /** Probability that a packet arrives twice. */
  readonly duplicate: number;
}

/** A wire without faults or limits. */
export const PERFECT: WireCharacteristics = {
  rate: Number.POSITIVE_INFINITY,
  delay: 0,
  jitter: 0,
  queue: 1 << 20,
  mark: Number.POSITIVE_INFINITY,
  largest: Number.POSITIVE_INFINITY,
  loss: 0,
  reorder: 0,
  reorderDelay: 2000,
  duplicate: 0,
};

/** What one direction of a wire did so far, packets and bytes. */
export interface DirectionStatistics {
  readonly packets: number;
  readonly bytes: number;
  readonly droppedByQueue: number;
  readonly marked: number;
  readonly tooLarge: number;
  readonly lost: number;
  readonly cut: number;
  readonly reordered: number;
  readonly duplicated: number;
}

/** Who gets the packets at an end of a direction. The bytes are valid during the call only. */
export type Receiver = (bytes: Uint8Array) => void;

interface Packet {
  bytes: Uint8Array;
  length: number;
}

/** One direction of a wire: a drop-tail queue in front of a line with a rate, then a delay. */
export class WireDirection {
  receiver: Receiver | undefined;
  /** Takes what arrives instead of the receiver: a box in front of it. */
  atEnd: Receiver | undefined;
  /** Takes what is sent, before the queue: a box behind the sender. */
  atStart: Receiver | undefined;

  readonly #clock: SimClock;
  readonly #random: Random;
  #queue: Packet[] = [];
  /** Where the queue begins: moving thousands of packets up for each that leaves would cost more than sending it. */
  #first = 0;
  #characteristics: WireCharacteristics;
  #queuedBytes = 0;
  #busy = false;
  /** When the line is free again, µs with its fraction: rounding each packet up would lower the rate. */
  #freeAt = 0;
  #lastArrival = 0;
  #cut = false;
  readonly #statistics = {
    packets: 0,
    bytes: 0,
    droppedByQueue: 0,
    marked: 0,
    tooLarge: 0,
    lost: 0,
    cut: 0,
    reordered: 0,
    duplicated: 0,
  };
  readonly #spare: Uint8Array[] = [];

  constructor(clock: SimClock, random: Random, characteristics: WireCharacteristics) {
    this.#clock = clock;
    this.#random = random;
    this.#characteristics = characteristics;
  }

  /** @throws MptcpError EINVAL for a number out of range. */
  set(changes: Partial<WireCharacteristics>): void {
    this.#characteristics = requireCharacteristics({ ...this.#characteristics, ...changes });
  }

  get characteristics(): WireCharacteristics {
    return this.#characteristics;
  }

  get statistics(): DirectionStatistics {
    return { ...this.#statistics };
  }

  /** Packets vanish, those under way too, until `cut` is false again. Nobody is told. */
  set cut(cut: boolean) {
    this.#cut = cut;
  }

  get cut(): boolean {
    return this.#cut;
  }

  /** Takes a packet of `length` bytes that `copy` writes. Returns false when the queue is full. */
  send(length: number, copy: (target: Uint8Array) => void): boolean {
    if (this.atStart === undefined) return this.enqueue(length, copy);
    const bytes = new Uint8Array(length);
    copy(bytes);
    this.atStart(bytes);
    return true;
  }

  /** As {@link send}, behind any box at the sender. */
  enqueue(length: number, copy: (target: Uint8Array) => void): boolean {
    if (this.#cut) {
      this.#statistics.cut++;
      return true;
    }
    if (length > this.#characteristics.largest) {
      this.#statistics.tooLarge++;
      return true;
    }
    if (this.#queuedBytes > 0 && this.#queuedBytes + length > this.#characteristics.queue) {
      this.#statistics.droppedByQueue++;
      return false;
    }
    const packet = this.#take(length);
    copy(packet.bytes);
    const congested = this.#queuedBytes > this.#characteristics.mark;
    if (congested && markCongestion(packet.bytes.subarray(0, length))) this.#statistics.marked++;
    this.#queue.push(packet);
    this.#queuedBytes += length;
    if (!this.#busy) this.#serialize(Math.max(this.#clock.now(), this.#freeAt));
    return true;
  }

  /** Puts the first packet of the queue on the line at `start`. */
  #serialize(start: number): void {
    const packet = this.#queue[this.#first];
    this.#busy = packet !== undefined;
    if (packet === undefined) return;
    this.#freeAt = start + (packet.length / this.#characteristics.rate) * 1e6;
    // A thousandth is what sums of fractions may be off.
    this.#clock.schedule(Math.ceil(this.#freeAt - 1e-3), () => {
      this.#first++;
      if (this.#first >= 64 && this.#first * 2 > this.#queue.length) {
        this.#queue = this.#queue.slice(this.#first);
        this.#first = 0;
      }
      this.#queuedBytes -= packet.length;
      this.#propagate(packet);
      this.#serialize(this.#freeAt);
    });
  }

  #propagate(packet: Packet): void {
    const { delay, jitter, loss, reorder, reorderDelay, duplicate } = this.#characteristics;
    if (this.#random.chance(loss)) {
      this.#statistics.lost++;
      this.#spare.push(packet.bytes);
      return;
    }
    let arrival = this.#clock.now() + delay;
    if (jitter > 0) arrival += this.#random.fraction() * jitter;
    arrival = Math.max(arrival, this.#lastArrival);
    if (this.#random.chance(reorder)) {
      this.#statistics.reordered++;
      arrival += reorderDelay;
    } else {
      this.#lastArrival = arrival;
    }
    this.#deliver(packet, arrival, true);
    if (this.#random.chance(duplicate)) {
      this.#statistics.duplicated++;
      const copy = this.#take(packet.length);
      copy.bytes.set(packet.bytes.subarray(0, packet.length));
      this.#deliver(copy, arrival, false);
    }
  }

  #deliver(packet: Packet, arrival: number, counted: boolean): void {
    this.#clock.schedule(arrival, () => {
      if (this.#cut) {
        this.#statistics.cut++;
      } else {
        if (counted) {
          this.#statistics.packets++;
          this.#statistics.bytes += packet.length;
        }
        (this.atEnd ?? this.receiver)?.(packet.bytes.subarray(0, packet.length));
      }
      this.#spare.push(packet.bytes);
    });
  }

  #take(length: number): Packet {
    const spare = this.#spare.pop();
    const bytes = spare !== undefined && spare.length >= length ? spare : new Uint8Array(Math.max(length, 2048));
    return { bytes, length };
  }
}

/** A link of a stack at one end of a wire. */
export class WireLink implements Link {
  readonly name: string;
  readonly mtu: number;
  readonly vnetHeader = false;
  readonly checksumOffload = false;
  readonly segmentationOffload = false;

  readonly #out: WireDirection;
  readonly #in: WireDirection;
  #packet: OutgoingPacket | undefined;
  readonly #copy = (target: Uint8Array): void => {
    this.#packet?.copyTo(target, 0);
  };

  constructor(name: string, mtu: number, outgoing: WireDirection, incoming: WireDirection) {
    this.name = name;
    this.mtu = mtu;
    this.#out = outgoing;
    this.#in = incoming;
  }

  attach(port: LinkPort): void {
    const slot = port.slots[0] as Uint8Array;
    this.#in.receiver = (bytes) => {
      slot.set(bytes);
      port.ingest(0, bytes.length);
    };
  }

  send(packet: OutgoingPacket): boolean {
    this.#packet = packet;
    return this.#out.send(packet.length, this.#copy);
  }

  close(): void {
    this.#in.receiver = undefined;
  }
}

/** How a box stands on a wire. */
export interface InsertOptions {
  /** The packets that go through it; those of the other way pass it by. Default: both ways. */
  readonly only?: Way;
  /** Delay between it and what is behind it, the next box or end b, µs; in addition to that of the wire. Default 0. */
  readonly beyond?: number;
}

interface Station {
  readonly box: Middlebox;
  readonly only: Way | undefined;
  readonly beyond: number;
}

/** What a wire has of the network it belongs to. */
export interface WireOrigin {
  readonly clock: SimClock;
  /** Random numbers of one's own, by a label. */
  random(label: string): Random;
  /** Called when the carrier comes or goes. */
  onCarrier(up: boolean): void;
}

/** A pair of directions between two ends, a and b. */
export class Wire {
  readonly name: string;
  readonly aToB: WireDirection;
  readonly bToA: WireDirection;
  readonly #origin: WireOrigin;
  /** From end a to end b. They stand at end b, behind queue, rate, loss and delay of a's packets. */
  readonly #stations: Station[] = [];
  #up = true;

  constructor(name: string, aToB: WireDirection, bToA: WireDirection, origin: WireOrigin) {
    this.name = name;
    this.aToB = aToB;
    this.bToA = bToA;
    this.#origin = origin;
  }

  /**
   * Puts a box on the wire, at end b, behind those that are there already. End a is its inside.
   * @throws MptcpError EINVAL for a delay that is none, and Error when the box stands on a wire already.
   */
  insert(box: Middlebox, { only, beyond = 0 }: InsertOptions = {}): void {
    if (!(beyond >= 0 && beyond <= 1e12)) {
      throw new MptcpError('EINVAL', 'insert', { detail: `beyond is ${beyond} and must be µs from 0 on` });
    }
    const { clock } = this.#origin;
    const index = this.#stations.length;
    box.install({
      now: () => clock.now(),
      after: (delay, callback) => clock.schedule(clock.now() + delay, callback),
      random: this.#origin.random(`box:${index}`),
      emit: (way, packet) => this.#pass(index, way, packet),
    });
    this.#stations.push({ box, only, beyond });
    this.aToB.atEnd = (bytes) => this.#reach(0, 'out', bytes.slice());
    // Packets of b enter from behind the last box; b is not called back while it sends.
    this.bToA.atStart = (bytes) => this.#pass(this.#stations.length, 'in', bytes);
  }

  /** The boxes on the wire, from end a to end b. */
  get boxes(): readonly Middlebox[] {
    return this.#stations.map(({ box }) => box);
  }

  /** A packet leaves the place of the box `index` and goes to its next. */
  #pass(index: number, way: Way, packet: Uint8Array): void {
    const next = way === 'out' ? index + 1 : index - 1;
    const stretch = this.#stations[way === 'out' ? index : next]?.beyond;
    if (stretch === undefined) {
      this.bToA.enqueue(packet.length, (target) => target.set(packet));
      return;
    }
    this.#origin.clock.schedule(this.#origin.clock.now() + stretch, () => this.#reach(next, way, packet));
  }

  /** A packet comes to the place of the box `index`, or to end b. */
  #reach(index: number, way: Way, packet: Uint8Array): void {
    const station = this.#stations[index];
    if (station === undefined) {
      if (!this.aToB.cut) this.aToB.receiver?.(packet);
    } else if (station.only === undefined || station.only === way) {
      station.box.take(way, packet);
    } else {
      this.#pass(index, way, packet);
    }
  }

  /** Changes both directions. @throws MptcpError EINVAL. */
  set(changes: Partial<WireCharacteristics>): void {
    this.aToB.set(changes);
    this.bToA.set(changes);
  }

  /** Packets vanish in both directions and nobody is told, as when a radio loses its station. */
  cut(): void {
    this.aToB.cut = true;
    this.bToA.cut = true;
  }

  /** Ends {@link cut}. */
  mend(): void {
    this.aToB.cut = false;
    this.bToA.cut = false;
  }

  /** Takes the carrier away or gives it back: packets vanish, and the stacks at the ends know. */
  set up(up: boolean) {
    if (up === this.#up) return;
    this.#up = up;
    if (up) this.mend();
    else this.cut();
    this.#origin.onCarrier(up);
  }

  get up(): boolean {
    return this.#up;
  }
}

/** Checks what a wire shall do. @throws MptcpError EINVAL naming what is out of range. */
export function requireCharacteristics(characteristics: WireCharacteristics): WireCharacteristics {
  const check = (name: keyof WireCharacteristics, most: number, text: string): void => {
    const value = characteristics[name];
    if (typeof value === 'number' && value >= 0 && value <= most) return;
    throw new MptcpError('EINVAL', 'wire', { detail: `${name} is ${String(value)} and must be ${text}` });
  };
  for (const name of ['loss', 'reorder', 'duplicate'] as const) check(name, 1, 'a probability from 0 to 1');
  for (const name of ['delay', 'jitter', 'reorderDelay'] as const) check(name, 1e12, 'µs from 0 on');
  for (const name of ['queue', 'mark', 'largest'] as const) check(name, Number.POSITIVE_INFINITY, 'bytes from 0 on');
  check('rate', Number.POSITIVE_INFINITY, 'bytes per second from 0 on');
  if (characteristics.rate === 0) {
    throw new MptcpError('EINVAL', 'wire', { detail: 'rate is 0; to stop a wire, cut() it or set up to false' });
  }
  return characteristics;
}
