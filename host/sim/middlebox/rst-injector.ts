import { ACK, RST, type Segment, seqAdd } from '../packet.js';
import { back, Flows, SegmentBox, WAYS, type Way } from './box.js';

/** Options of a {@link RstInjector}. */
export interface RstInjectorOptions {
  /** It strikes behind so many segments with payload of a flow. Default 20. */
  readonly after?: number;
  /**
   * The sequence number: the one expected next, which ends a connection; one that is in the window but not next, which
   * is to be answered by an ACK (RFC 5961 section 3.2); or one far outside. Default `next`.
   */
  readonly sequence?: 'next' | 'window' | 'outside';
  /** The ways it sends RSTs. Default both. */
  readonly towards?: readonly Way[];
}

const OFFSETS = { next: 0, window: 100, outside: 0x4000_0000 } as const;

interface Watched {
  /** Segments with payload that are still left alone. */
  left: number;
  /** Per way: the last segment, and the sequence number behind all that came. */
  readonly last: Record<Way, Segment | undefined>;
  readonly next: Record<Way, number>;
}

/** Ends flows with forged RSTs, once for each. */
export class RstInjector extends SegmentBox {
  readonly name = 'RST injector';
  readonly #offset: number;
  readonly #towards: readonly Way[];
  readonly #flows: Flows<Watched>;

  constructor(options: RstInjectorOptions = {}) {
    super();
    const after = options.after ?? 20;
    this.#offset = OFFSETS[options.sequence ?? 'next'];
    this.#towards = options.towards ?? WAYS;
    this.#flows = new Flows(() => ({
      left: after,
      last: { out: undefined, in: undefined },
      next: { out: 0, in: 0 },
    }));
  }

  protected override segment(way: Way, segment: Segment, packet: Uint8Array): void {
    this.place.emit(way, packet);
    const flow = this.#flows.of(way, segment);
    flow.last[way] = segment;
    const ahead = (segment.end - flow.next[way]) | 0;
    if (flow.next[way] === 0 || ahead > 0) flow.next[way] = segment.end;
    if (flow.left === 0 || segment.payload.length === 0 || --flow.left > 0) return;
    for (const towards of this.#towards) {
      const last = flow.last[towards] ?? flow.last[back(towards)]?.answer();
      if (last === undefined) continue;
      const forged = last.copy();
      forged.flags = RST | ACK;
      forged.seq = seqAdd(flow.next[towards], this.#offset);
      forged.ack = flow.next[back(towards)];
      forged.options = [];
      forged.payload = new Uint8Array();
      this.interventions++;
      this.emit(towards, forged);
    }
  }
}
