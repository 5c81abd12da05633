import { CWR, FIN, OPTION_TIMESTAMPS, PSH, type Segment, SYN, seqAdd } from '../packet.js';
import { SegmentBox, type Way } from './box.js';

/** Options of a {@link Splitter}. */
export interface SplitterOptions {
  /** Bytes of payload a piece has at most. Default 536. */
  readonly size?: number;
  /** Whether every piece has the options of the whole, or only the first has more than the timestamps. Default `every`. */
  readonly options?: 'every' | 'first';
}

/** Cuts segments into smaller ones, as a network card does with large ones (TSO). */
export class Splitter extends SegmentBox {
  readonly name = 'segment splitter';
  readonly #size: number;
  readonly #every: boolean;

  constructor(options: SplitterOptions = {}) {
    super();
    this.#size = options.size ?? 536;
    this.#every = (options.options ?? 'every') === 'every';
  }

  protected override segment(way: Way, segment: Segment, packet: Uint8Array): void {
    const { payload, seq, flags } = segment;
    if (payload.length <= this.#size || segment.has(SYN)) {
      this.place.emit(way, packet);
      return;
    }
    this.interventions++;
    for (let from = 0; from < payload.length; from += this.#size) {
      segment.payload = payload.subarray(from, from + this.#size);
      segment.seq = seqAdd(seq, from);
      const last = from + this.#size >= payload.length;
      segment.flags = flags & ~(last ? 0 : FIN | PSH) & ~(from > 0 ? CWR : 0);
      if (from > 0 && !this.#every) {
        segment.options = segment.options.filter(({ kind }) => kind === OPTION_TIMESTAMPS);
      }
      this.emit(way, segment);
    }
  }
}
