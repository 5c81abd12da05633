import type { Segment } from '../packet.js';
import { SegmentBox, type Way } from './box.js';

/** Options of a {@link Holder}. */
export interface HolderOptions {
  /** One of so many segments with payload of each way is held. Default 5. */
  readonly every?: number;
  /** It goes on behind so many later packets … Default 4. */
  readonly behind?: number;
  /** … or after this time, µs, if they do not come. Default 5,000. */
  readonly hold?: number;
}

interface Held {
  readonly packet: Uint8Array;
  left: number;
  readonly forget: () => void;
}

/** Holds segments back until others have overtaken them. */
export class Holder extends SegmentBox {
  readonly name = 'holder';
  readonly #every: number;
  readonly #behind: number;
  readonly #hold: number;
  readonly #seen: Record<Way, number> = { out: 0, in: 0 };
  readonly #held: Record<Way, Set<Held>> = { out: new Set(), in: new Set() };

  constructor(options: HolderOptions = {}) {
    super();
    this.#every = options.every ?? 5;
    this.#behind = options.behind ?? 4;
    this.#hold = options.hold ?? 5000;
  }

  protected override segment(way: Way, segment: Segment, packet: Uint8Array): void {
    const hold = segment.payload.length > 0 && ++this.#seen[way] % this.#every === 0;
    if (!hold) this.place.emit(way, packet);
    for (const held of this.#held[way]) {
      if (--held.left <= 0) this.#release(way, held);
    }
    if (!hold) return;
    this.interventions++;
    const held: Held = {
      packet,
      left: this.#behind,
      forget: this.place.after(this.#hold, () => this.#release(way, held)),
    };
    this.#held[way].add(held);
  }

  #release(way: Way, held: Held): void {
    this.#held[way].delete(held);
    held.forget();
    this.place.emit(way, held.packet);
  }
}
