import { OPTION_WINDOW_SCALE, type Segment, SYN } from '../packet.js';
import { Flows, SegmentBox, type Way } from './box.js';

/** Options of a {@link WindowRewriter}. */
export interface WindowRewriterOptions {
  /** What windows are multiplied with. Default 1. */
  readonly factor?: number;
  /** The largest window, bytes; smaller ones stay. Default: any. */
  readonly clamp?: number;
  /** Takes the option Window Scale out of SYNs, so that windows end at 65,535 bytes. Default false. */
  readonly noScale?: boolean;
}

/** The largest shift (RFC 7323 section 2.3). */
const SHIFT_MOST = 14;

/** Changes the windows that hosts announce. */
export class WindowRewriter extends SegmentBox {
  readonly name = 'window rewriter';
  readonly #factor: number;
  readonly #clamp: number;
  readonly #noScale: boolean;
  /** The shift each way announced, undefined while its SYN has none. */
  readonly #flows = new Flows((): Record<Way, number | undefined> => ({ out: undefined, in: undefined }));

  constructor(options: WindowRewriterOptions = {}) {
    super();
    this.#factor = options.factor ?? 1;
    this.#clamp = options.clamp ?? Number.POSITIVE_INFINITY;
    this.#noScale = options.noScale ?? false;
  }

  protected override segment(way: Way, segment: Segment): void {
    const flow = this.#flows.of(way, segment);
    const before = segment.window;
    if (segment.has(SYN)) {
      const option = segment.option(OPTION_WINDOW_SCALE);
      if (option !== undefined && this.#noScale) {
        segment.erase((kind) => kind === OPTION_WINDOW_SCALE);
        this.interventions++;
      } else if (option !== undefined) {
        flow[way] = Math.min(option.data[0] ?? 0, SHIFT_MOST);
      }
    }
    // Scaling holds when both SYNs have the option, and never for a SYN itself (RFC 7323 section 2.2).
    const scaled = flow.out !== undefined && flow.in !== undefined && !segment.has(SYN);
    const shift = scaled ? (flow[way] ?? 0) : 0;
    const wanted = Math.floor(segment.window * this.#factor);
    segment.window = Math.min(wanted, Math.floor(this.#clamp / 2 ** shift), 0xffff);
    if (segment.window !== before) this.interventions++;
    this.emit(way, segment);
  }
}
