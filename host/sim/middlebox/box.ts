import { ACK, FIN, RST, readSegment, type Segment, SYN, writeSegment } from '../packet.js';
import type { Random } from '../random.js';

/**
 * The way of a packet through a box: `out` from end a of its wire to end b, `in` back. End a is the inside, where a
 * NAT or a firewall has its clients.
 */
export type Way = 'out' | 'in';

export const WAYS: readonly Way[] = ['out', 'in'];

export function back(way: Way): Way {
  return way === 'out' ? 'in' : 'out';
}

/** Where a box stands: what the wire gives it. */
export interface Place {
  /** The time, µs. */
  now(): number;
  /** Runs `callback` after so many µs. Returns a function that forgets it. */
  after(delay: number, callback: () => void): () => void;
  /** Of this box alone; follows from the seed of the network. */
  readonly random: Random;
  /** Sends a packet on its way, away from the box. The bytes must not be changed afterwards. */
  emit(way: Way, packet: Uint8Array): void;
}

/** Something in a network that does more than forward packets. */
export interface Middlebox {
  readonly name: string;
  /** Packets it changed, made, held back or took away. */
  readonly interventions: number;
  /** Called once, when it is put on a wire. */
  install(place: Place): void;
  /** Takes a packet that came on its way; the bytes are the box's own. What goes on is what it emits. */
  take(way: Way, packet: Uint8Array): void;
}

/** A box that knows where it stands. */
export abstract class PlacedBox implements Middlebox {
  abstract readonly name: string;
  interventions = 0;
  #place: Place | undefined;

  install(place: Place): void {
    if (this.#place !== undefined) throw new Error(`the ${this.name} stands on a wire already; make another one`);
    this.#place = place;
  }

  protected get place(): Place {
    if (this.#place === undefined) throw new Error(`the ${this.name} stands on no wire`);
    return this.#place;
  }

  abstract take(way: Way, packet: Uint8Array): void;
}

/** A box that looks at TCP segments and lets all else pass. */
export abstract class SegmentBox extends PlacedBox {
  override take(way: Way, packet: Uint8Array): void {
    const segment = readSegment(packet);
    if (segment === undefined) this.other(way, packet);
    else this.segment(way, segment, packet);
  }

  /** Takes a segment; `packet` is what it was read from, to be sent on when nothing is changed. */
  protected abstract segment(way: Way, segment: Segment, packet: Uint8Array): void;

  /** Takes what is not TCP. */
  protected other(way: Way, packet: Uint8Array): void {
    this.place.emit(way, packet);
  }

  protected emit(way: Way, segment: Segment): void {
    this.place.emit(way, writeSegment(segment));
  }
}

/** The two ends of a flow in an order that does not depend on the way of the segment, the inside first. */
export function flowKey(way: Way, segment: Segment): string {
  const src = `${segment.src.join('.')}:${segment.srcPort}`;
  const dst = `${segment.dst.join('.')}:${segment.dstPort}`;
  return way === 'out' ? `${src}>${dst}` : `${dst}>${src}`;
}

/** What a box remembers of each flow. A SYN with another sequence number begins a flow anew. */
export class Flows<State> {
  readonly #flows = new Map<string, { readonly isn: number; readonly state: State }>();
  readonly #make: (segment: Segment) => State;

  constructor(make: (segment: Segment) => State) {
    this.#make = make;
  }

  /** The state of the segment's flow, made when it is the first of it that is seen. */
  of(way: Way, segment: Segment): State {
    const key = flowKey(way, segment);
    const known = this.#flows.get(key);
    if (known !== undefined && !(begins(segment) && segment.seq !== known.isn)) return known.state;
    const state = this.#make(segment);
    this.#flows.set(key, { isn: segment.seq, state });
    return state;
  }

  delete(way: Way, segment: Segment): void {
    this.#flows.delete(flowKey(way, segment));
  }
}

/** True for the SYN of who opens a flow. */
export function begins(segment: Segment): boolean {
  return (segment.flags & (SYN | ACK | RST | FIN)) === SYN;
}
