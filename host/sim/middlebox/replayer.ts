import type { Segment } from '../packet.js';
import { Flows, SegmentBox, type Way } from './box.js';
import type { RetransmissionOptions } from './normaliser.js';
import { StreamCopy } from './stream-copy.js';

const MEMORY = 1 << 20;
/** Changes every bit. */
const OTHER = 0xff;

/** Answers for the sender: what is sent again passes with other bytes than those of the first time. */
export class Replayer extends SegmentBox {
  readonly name = 'replayer of other bytes';
  readonly #flows: Flows<Readonly<Record<Way, StreamCopy>>>;

  constructor({ memory = MEMORY }: RetransmissionOptions = {}) {
    super();
    this.#flows = new Flows(() => ({ out: new StreamCopy(memory), in: new StreamCopy(memory) }));
  }

  protected override segment(way: Way, segment: Segment, packet: Uint8Array): void {
    if (segment.payload.length === 0) {
      this.place.emit(way, packet);
      return;
    }
    segment.payload = segment.payload.slice();
    const copy = this.#flows.of(way, segment)[way];
    const again = copy.take(segment.seq, segment.payload, (older) => older ^ OTHER);
    if (again > 0) this.interventions++;
    this.emit(way, segment);
  }
}
