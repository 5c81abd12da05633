import type { Segment } from '../packet.js';
import { SegmentBox, type Way } from './box.js';

/** Options of a {@link Corrupter}. */
export interface CorrupterOptions {
  /** One of so many segments with payload of each way is changed. Default 10. */
  readonly every?: number;
}

/** Changes a byte of the payload and makes the TCP checksum fit: what the DSS checksum exists for. */
export class Corrupter extends SegmentBox {
  readonly name = 'payload corrupter';
  readonly #every: number;
  readonly #seen: Record<Way, number> = { out: 0, in: 0 };

  constructor(options: CorrupterOptions = {}) {
    super();
    this.#every = options.every ?? 10;
  }

  protected override segment(way: Way, segment: Segment, packet: Uint8Array): void {
    const { payload } = segment;
    if (payload.length === 0 || ++this.#seen[way] % this.#every !== 0) {
      this.place.emit(way, packet);
      return;
    }
    this.interventions++;
    segment.payload = payload.slice();
    const at = this.place.random.between(0, payload.length - 1);
    segment.payload[at] = (payload[at] ?? 0) ^ this.place.random.between(1, 255);
    this.emit(way, segment);
  }
}
