import { ACK, PSH, type Segment } from '../packet.js';
import { Flows, SegmentBox, type Way } from './box.js';

/** Options of a {@link Coalescer}. */
export interface CoalescerOptions {
  /** Whose options a merged segment has. Default `first`. */
  readonly keep?: 'first' | 'last';
  /** Bytes of payload a merged segment has at most. Default 16,000. */
  readonly most?: number;
  /** How long a segment may wait for the next one, µs. Default 500. */
  readonly hold?: number;
}

interface Waiting {
  segment: Segment;
  parts: number;
  length: number;
  payloads: Uint8Array[];
  forget: () => void;
}

/** Makes one segment of several that follow each other, as a network card does (LRO), whatever their options say. */
export class Coalescer extends SegmentBox {
  readonly name = 'coalescer';
  readonly #keep: 'first' | 'last';
  readonly #most: number;
  readonly #hold: number;
  readonly #flows = new Flows((): Record<Way, Waiting | undefined> => ({ out: undefined, in: undefined }));

  constructor(options: CoalescerOptions = {}) {
    super();
    this.#keep = options.keep ?? 'first';
    this.#most = options.most ?? 16_000;
    this.#hold = options.hold ?? 500;
  }

  protected override segment(way: Way, segment: Segment, packet: Uint8Array): void {
    const flow = this.#flows.of(way, segment);
    const plain = (segment.flags & ~PSH) === ACK && segment.payload.length > 0;
    const waiting = flow[way];
    if (waiting !== undefined && plain && this.#fits(waiting, segment)) {
      this.#append(waiting, segment);
    } else {
      this.#release(flow, way);
      if (!plain) {
        this.place.emit(way, packet);
        return;
      }
      const forget = this.place.after(this.#hold, () => this.#release(flow, way));
      flow[way] = { segment, parts: 1, length: segment.payload.length, payloads: [segment.payload], forget };
    }
    if (segment.has(PSH)) this.#release(flow, way);
  }

  #fits({ segment, length }: Waiting, next: Segment): boolean {
    return next.seq === (segment.seq + length) >>> 0 && length + next.payload.length <= this.#most;
  }

  #append(waiting: Waiting, next: Segment): void {
    const { segment } = waiting;
    waiting.parts++;
    waiting.length += next.payload.length;
    waiting.payloads.push(next.payload);
    segment.ack = next.ack;
    segment.window = next.window;
    segment.flags |= next.flags;
    if (this.#keep === 'last') segment.options = next.options;
  }

  #release(flow: Record<Way, Waiting | undefined>, way: Way): void {
    const waiting = flow[way];
    if (waiting === undefined) return;
    flow[way] = undefined;
    waiting.forget();
    if (waiting.parts > 1) this.interventions++;
    waiting.segment.payload = Buffer.concat(waiting.payloads);
    this.emit(way, waiting.segment);
  }
}
