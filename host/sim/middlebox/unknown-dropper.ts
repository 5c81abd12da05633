import type { Segment } from '../packet.js';
import { SegmentBox, type Way } from './box.js';
import { inOptionSet, inSegmentSet, type OptionSet, type SegmentSet } from './options.js';

/** Options of an {@link UnknownDropper}. */
export interface UnknownDropperOptions {
  /** What it does not like. Default `unknown`. */
  readonly options?: OptionSet;
  /** Where. Default `all`. */
  readonly segments?: SegmentSet;
}

/** Drops segments with options it does not like. */
export class UnknownDropper extends SegmentBox {
  readonly name = 'dropper of unknown options';
  readonly #options: Required<UnknownDropperOptions>;

  constructor(options: UnknownDropperOptions = {}) {
    super();
    this.#options = { options: 'unknown', segments: 'all', ...options };
  }

  protected override segment(way: Way, segment: Segment, packet: Uint8Array): void {
    const { options, segments } = this.#options;
    if (inSegmentSet(segments, segment) && segment.options.some(({ kind }) => inOptionSet(options, kind))) {
      this.interventions++;
      return;
    }
    this.place.emit(way, packet);
  }
}
