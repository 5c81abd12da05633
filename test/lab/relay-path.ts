import { Random } from '../../host/sim/random.js';

/** The way of a packet through the relay: from the left namespace to the right one, or back. */
export type Way = 'right' | 'left';

/** What one path of the relay does to packets. */
export interface PathShape {
  /** Mbit/s of IP packets, in each direction. */
  readonly rate: number;
  /** Round-trip time without queueing, ms: half of it in each direction. */
  readonly rtt: number;
  /** Bytes that may wait for the rate; further packets are dropped. */
  readonly queue: number;
  /** Probability that a segment with data is lost. Paths of equal seed lose those of equal number. */
  readonly loss: number;
  /** Segments with data that are held back at the end of the path, so that later ones overtake them; none without it. */
  readonly reorder?: Reordering;
  readonly seed: number;
}

/** How a path changes the order of segments. */
export interface Reordering {
  /** Probability that a segment is held back. */
  readonly chance: number;
  /** For how long, ms. */
  readonly hold: number;
}

/** What a path does: it works, loses everything without a word, or answers everything with a reset. */
export type PathMode = 'open' | 'cut' | 'reset';

/** What became of the packets of a path. */
export interface PathStatistics {
  readonly forwarded: number;
  readonly lost: number;
  readonly droppedByQueue: number;
  /** Held back to be overtaken. */
  readonly held: number;
  readonly cut: number;
  /** The longest that a packet was delivered after its time, µs: what the relay adds of its own. */
  readonly latest: number;
}

interface Packet {
  readonly bytes: Uint8Array;
  /** For how long it is held back when it has arrived, µs. */
  readonly hold: number;
  /** When the last bit has left the queue, and when it arrives, µs. */
  readonly leaves: number;
  readonly arrives: number;
}

/**
 * One path: in each direction a drop-tail queue in front of a rate, then a delay. When a packet leaves follows from
 * when it came, not from when a timer fires, so the rate is exact and a late timer delays one packet only.
 */
export class RelayPath {
  mode: PathMode = 'open';
  readonly #shape: PathShape;
  readonly #random: Random;
  readonly #orderRandom: Random;
  readonly #lines: Readonly<Record<Way, Line>>;
  readonly #statistics = { forwarded: 0, lost: 0, droppedByQueue: 0, held: 0, cut: 0, latest: 0 };

  constructor(shape: PathShape) {
    this.#shape = shape;
    this.#random = new Random(shape.seed, 'relay');
    this.#orderRandom = new Random(shape.seed, 'relay-order');
    const line = (): Line => new Line(shape.rate / 8, (shape.rtt / 2) * 1000, shape.queue);
    this.#lines = { right: line(), left: line() };
  }

  get statistics(): PathStatistics {
    return this.#statistics;
  }

  get shape(): PathShape {
    return this.#shape;
  }

  /** Takes a packet that came at `now`, µs. The bytes are copied. */
  take(way: Way, bytes: Uint8Array, now: number): void {
    if (this.mode !== 'open') this.#statistics.cut++;
    else if (tcpPayload(bytes) > 0 && this.#random.chance(this.#shape.loss)) this.#statistics.lost++;
    else if (!this.#lines[way].take(bytes, now, this.#hold(bytes))) this.#statistics.droppedByQueue++;
  }

  /** For how long a packet will be held back, µs. */
  #hold(bytes: Uint8Array): number {
    const { reorder } = this.#shape;
    if (reorder === undefined || tcpPayload(bytes) === 0 || !this.#orderRandom.chance(reorder.chance)) return 0;
    this.#statistics.held++;
    return reorder.hold * 1000;
  }

  /** Delivers what has arrived at the end of a way by `now`; returns when the next packet will, Infinity for none. */
  deliver(way: Way, now: number, write: (bytes: Uint8Array) => void): number {
    const line = this.#lines[way];
    for (;;) {
      const packet = line.first();
      if (packet === undefined) return Number.POSITIVE_INFINITY;
      if (packet.arrives > now) return packet.arrives;
      line.shift(packet);
      if (this.mode !== 'open') {
        this.#statistics.cut++;
        continue;
      }
      this.#statistics.forwarded++;
      this.#statistics.latest = Math.max(this.#statistics.latest, now - packet.arrives);
      write(packet.bytes);
    }
  }
}

/** One direction: packets arrive in the order they came, but for those that are held back, which follow later. */
class Line {
  #packets: Packet[] = [];
  #first = 0;
  /** The first packet that has not left the queue yet. */
  #waiting = 0;
  #waitingBytes = 0;
  #freeAt = 0;
  /** Held back, in the order of their new times. */
  readonly #held: Packet[] = [];

  constructor(
    /** Bytes in a µs. */
    private readonly rate: number,
    /** µs. */
    private readonly delay: number,
    private readonly queue: number,
  ) {}

  take(bytes: Uint8Array, now: number, hold: number): boolean {
    for (let next = this.#packets[this.#waiting]; next !== undefined && next.leaves <= now; ) {
      this.#waitingBytes -= next.bytes.length;
      next = this.#packets[++this.#waiting];
    }
    if (this.#waitingBytes > 0 && this.#waitingBytes + bytes.length > this.queue) return false;
    this.#freeAt = Math.max(this.#freeAt, now) + bytes.length / this.rate;
    this.#packets.push({ bytes: bytes.slice(), hold, leaves: this.#freeAt, arrives: this.#freeAt + this.delay });
    this.#waitingBytes += bytes.length;
    return true;
  }

  /** The packet that is the next to come out. */
  first(): Packet | undefined {
    for (;;) {
      const packet = this.#packets[this.#first];
      const [held] = this.#held;
      if (packet === undefined || (held !== undefined && held.arrives <= packet.arrives)) return held ?? packet;
      if (packet.hold === 0) return packet;
      this.#advance();
      this.#held.push({ ...packet, hold: 0, arrives: packet.arrives + packet.hold });
    }
  }

  /** Takes what first() returned away. */
  shift(packet: Packet): void {
    if (packet === this.#held[0]) this.#held.shift();
    else this.#advance();
  }

  #advance(): void {
    const packet = this.#packets[this.#first++];
    // It arrived, so it has left the queue, though nobody came since to notice.
    if (packet !== undefined && this.#waiting < this.#first) {
      this.#waiting = this.#first;
      this.#waitingBytes -= packet.bytes.length;
    }
    if (this.#first < 64 || this.#first * 2 < this.#packets.length) return;
    this.#packets = this.#packets.slice(this.#first);
    this.#waiting -= this.#first;
    this.#first = 0;
  }
}

const IPV4_TCP = 6;

/** Addresses of an IPv4 packet as numbers; undefined for anything else. */
export function ipv4Addresses(bytes: Uint8Array): { source: number; destination: number } | undefined {
  if (bytes.length < 20 || (bytes[0] ?? 0) >> 4 !== 4) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { source: view.getUint32(12), destination: view.getUint32(16) };
}

/** Ports of a TCP segment in an IPv4 packet; undefined for anything else. */
export function tcpPorts(bytes: Uint8Array): { source: number; destination: number } | undefined {
  const at = tcpHeader(bytes);
  if (at === undefined) return undefined;
  const word = (offset: number): number => ((bytes[at + offset] ?? 0) << 8) | (bytes[at + offset + 1] ?? 0);
  return { source: word(0), destination: word(2) };
}

/** Bytes of data in an IPv4 packet with a TCP segment; 0 for anything else. */
export function tcpPayload(bytes: Uint8Array): number {
  const at = tcpHeader(bytes);
  if (at === undefined) return 0;
  return Math.max(0, bytes.length - at - ((bytes[at + 12] ?? 0) >> 4) * 4);
}

function tcpHeader(bytes: Uint8Array): number | undefined {
  const first = bytes[0] ?? 0;
  const at = (first & 15) * 4;
  return first >> 4 === 4 && bytes[9] === IPV4_TCP && bytes.length >= at + 20 ? at : undefined;
}
