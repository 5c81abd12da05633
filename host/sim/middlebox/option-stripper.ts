import type { Segment } from '../packet.js';
import { Flows, SegmentBox, type Way } from './box.js';
import { inOptionSet, inSegmentSet, type OptionSet, type SegmentSet } from './options.js';

/** Options of an {@link OptionStripper}. */
export interface OptionStripperOptions {
  /** What it takes out. Default `unknown`. */
  readonly options?: OptionSet;
  /** Where. Default `all`. */
  readonly segments?: SegmentSet;
  /** It begins with the packet of this number, from 1, counted in each way of each flow. Default 1. */
  readonly from?: number;
}

/** Puts NOPs in the place of options it does not like. */
export class OptionStripper extends SegmentBox {
  readonly name = 'option stripper';
  readonly #options: Required<OptionStripperOptions>;
  readonly #flows = new Flows(() => ({ out: 0, in: 0 }));

  constructor(options: OptionStripperOptions = {}) {
    super();
    this.#options = { options: 'unknown', segments: 'all', from: 1, ...options };
  }

  protected override segment(way: Way, segment: Segment, packet: Uint8Array): void {
    const { options, segments, from } = this.#options;
    const flow = this.#flows.of(way, segment);
    const chosen = ++flow[way] >= from && inSegmentSet(segments, segment);
    if (!chosen || segment.erase((kind) => inOptionSet(options, kind)) === 0) {
      this.place.emit(way, packet);
      return;
    }
    this.interventions++;
    this.emit(way, segment);
  }
}
