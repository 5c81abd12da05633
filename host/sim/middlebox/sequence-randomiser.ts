import { ACK, OPTION_SACK, type Segment, SYN, seqAdd, type TcpOption } from '../packet.js';
import { back, begins, Flows, SegmentBox, type Way } from './box.js';

/** Options of a {@link SequenceRandomiser}. */
export interface SequenceRandomiserOptions {
  /** Changes the blocks of SACK options, too; false for a box that forgets them. Default true. */
  readonly sack?: boolean;
}

/** Gives the sequence numbers of each way of a flow another beginning, as firewalls do for hosts that choose badly. */
export class SequenceRandomiser extends SegmentBox {
  readonly name = 'sequence randomiser';
  readonly #sack: boolean;
  /** How far the numbers of each way are moved; flows whose SYN was not seen are left alone. */
  readonly #flows = new Flows((first) =>
    begins(first) ? { out: this.place.random.uint32(), in: this.place.random.uint32() } : { out: 0, in: 0 },
  );

  constructor(options: SequenceRandomiserOptions = {}) {
    super();
    this.#sack = options.sack ?? true;
  }

  protected override segment(way: Way, segment: Segment): void {
    const moved = this.#flows.of(way, segment);
    segment.seq = seqAdd(segment.seq, moved[way]);
    const acknowledged = -moved[back(way)];
    // A SYN acknowledges nothing.
    if (segment.has(ACK) || !segment.has(SYN)) segment.ack = seqAdd(segment.ack, acknowledged);
    if (this.#sack) {
      segment.options = segment.options.map((option) =>
        option.kind === OPTION_SACK ? moveBlocks(option, acknowledged) : option,
      );
    }
    this.interventions++;
    this.emit(way, segment);
  }
}

/** A SACK option with all edges moved. */
export function moveBlocks({ kind, data }: TcpOption, distance: number): TcpOption {
  return mapBlocks({ kind, data }, (edge) => seqAdd(edge, distance));
}

/** A SACK option with each edge put elsewhere. */
export function mapBlocks({ kind, data }: TcpOption, place: (edge: number) => number): TcpOption {
  const moved = data.slice();
  const view = new DataView(moved.buffer);
  for (let at = 0; at + 4 <= moved.length; at += 4) view.setUint32(at, place(view.getUint32(at)));
  return { kind, data: moved };
}
