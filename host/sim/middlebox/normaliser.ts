import type { Segment } from '../packet.js';
import { Flows, SegmentBox, type Way } from './box.js';
import { StreamCopy } from './stream-copy.js';

/** Options of a {@link Normaliser} and of a {@link Replayer}. */
export interface RetransmissionOptions {
  /** Bytes it remembers of each way of a flow. Default 1 MiB. */
  readonly memory?: number;
}

const MEMORY = 1 << 20;

/** Lets nobody say a thing twice in different words: the payload of a retransmission comes from its own copy. */
export class Normaliser extends SegmentBox {
  readonly name = 'normaliser';
  /** Retransmissions whose bytes were others than before. */
  contradictions = 0;
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
    let contradicted = false;
    const again = this.#flows.of(way, segment)[way].take(segment.seq, segment.payload, (older, newer) => {
      contradicted ||= older !== newer;
      return older;
    });
    if (again > 0) this.interventions++;
    if (contradicted) this.contradictions++;
    this.emit(way, segment);
  }
}
