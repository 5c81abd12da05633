import { OPTION_SACK, type Segment, SYN } from '../packet.js';
import { back, Flows, SegmentBox, type Way } from './box.js';
import { mapBlocks } from './sequence-randomiser.js';

/** A text that an {@link Alg} puts in the place of another one. */
export interface AlgEdit {
  /** The ways it looks into. Default both. */
  readonly way?: Way;
  readonly find: string;
  readonly replace: string;
}

interface Edit {
  /** Offsets in the stream of the sender: what was taken out. */
  readonly start: number;
  readonly end: number;
  /** What stands there instead. */
  readonly bytes: Uint8Array;
}

/** One way of a flow. Offsets count from the sequence number of its SYN, on either side of the box. */
class Stream {
  readonly #base: number;
  /** By their place in the stream. */
  readonly #edits: Edit[] = [];
  /** Bytes in front of this offset were seen, and are not looked at again: they may have arrived. */
  #seen = 0;

  constructor(base: number) {
    this.#base = base;
  }

  get edited(): boolean {
    return this.#edits.length > 0;
  }

  /** Looks for texts in bytes that come for the first time. Returns how many were found. */
  search(sequence: number, payload: Uint8Array, edits: readonly AlgEdit[]): number {
    const from = (sequence - this.#base) >>> 0;
    const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
    const found: Edit[] = [];
    for (const { find, replace } of edits) {
      for (let at = bytes.indexOf(find, 0, 'latin1'); at >= 0; at = bytes.indexOf(find, at + find.length, 'latin1')) {
        if (from + at < this.#seen) continue;
        found.push({ start: from + at, end: from + at + find.length, bytes: Buffer.from(replace, 'latin1') });
      }
    }
    found.sort((one, other) => one.start - other.start);
    let end = 0;
    const apart = found.filter((edit) => {
      if (edit.start < end) return false;
      end = edit.end;
      return true;
    });
    this.#edits.push(...apart);
    this.#seen = Math.max(this.#seen, from + payload.length);
    return apart.length;
  }

  /** What stands behind the box instead of the bytes that begin at `sequence`. */
  rewrite(sequence: number, payload: Uint8Array): Uint8Array {
    const from = (sequence - this.#base) >>> 0;
    const to = from + payload.length;
    const parts: Uint8Array[] = [];
    let done = from;
    for (const edit of this.#edits) {
      if (edit.end <= from || edit.start >= to) continue;
      if (edit.start > done) parts.push(payload.subarray(done - from, edit.start - from));
      // A segment may begin or end in the middle of a text: each has its share of the new one.
      parts.push(edit.bytes.subarray(share(edit, from), share(edit, to)));
      done = Math.min(edit.end, to);
    }
    if (parts.length === 0) return payload;
    parts.push(payload.subarray(done - from));
    return Buffer.concat(parts);
  }

  /** A sequence number of the sender as it is behind the box. */
  forward(sequence: number): number {
    const offset = (sequence - this.#base) >>> 0;
    let shift = 0;
    for (const edit of this.#edits) {
      if (edit.start >= offset) break;
      if (offset < edit.end) return (this.#base + edit.start + shift + share(edit, offset)) >>> 0;
      shift += edit.bytes.length - (edit.end - edit.start);
    }
    return (sequence + shift) >>> 0;
  }

  /** A sequence number of behind the box as the sender knows it. A text is acknowledged when all of it is. */
  backward(sequence: number): number {
    const offset = (sequence - this.#base) >>> 0;
    let shift = 0;
    for (const edit of this.#edits) {
      const start = edit.start + shift;
      if (start >= offset) break;
      if (offset < start + edit.bytes.length) {
        const within = Math.min(offset - start, edit.end - edit.start - 1);
        return (this.#base + edit.start + within) >>> 0;
      }
      shift += edit.bytes.length - (edit.end - edit.start);
    }
    return (sequence - shift) >>> 0;
  }
}

/** How many of the new bytes stand for the old ones in front of an offset. */
function share({ start, end, bytes }: Edit, offset: number): number {
  return offset >= end ? bytes.length : Math.min(Math.max(offset - start, 0), bytes.length);
}

/**
 * An application-level gateway: puts other texts into what applications send, as a NAT does with the addresses of FTP
 * (`PORT 10,0,0,1,7,138`), and changes sequence numbers, ACKs and SACK blocks from then on. It finds a text only where
 * one segment holds all of it.
 */
export class Alg extends SegmentBox {
  readonly name = 'ALG';
  readonly #edits: Readonly<Record<Way, readonly AlgEdit[]>>;
  readonly #flows = new Flows((): Record<Way, Stream | undefined> => ({ out: undefined, in: undefined }));

  /** @throws RangeError for an empty text to find. */
  constructor(edits: readonly AlgEdit[]) {
    super();
    if (edits.some(({ find }) => find === '')) throw new RangeError('an ALG cannot look for an empty text');
    const of = (way: Way): readonly AlgEdit[] => edits.filter((edit) => edit.way === undefined || edit.way === way);
    this.#edits = { out: of('out'), in: of('in') };
  }

  protected override segment(way: Way, segment: Segment, packet: Uint8Array): void {
    const flow = this.#flows.of(way, segment);
    flow[way] ??= new Stream(segment.seq);
    const stream = flow[way];
    const reverse = flow[back(way)];
    const payloadAt = (segment.seq + (segment.has(SYN) ? 1 : 0)) >>> 0;
    if (segment.payload.length > 0) stream.search(payloadAt, segment.payload, this.#edits[way]);
    if (!stream.edited && reverse?.edited !== true) {
      this.place.emit(way, packet);
      return;
    }
    this.interventions++;
    segment.payload = stream.rewrite(payloadAt, segment.payload);
    segment.seq = stream.forward(segment.seq);
    if (reverse !== undefined) {
      segment.ack = reverse.backward(segment.ack);
      segment.options = segment.options.map((option) =>
        option.kind === OPTION_SACK ? mapBlocks(option, (edge) => reverse.backward(edge)) : option,
      );
    }
    this.emit(way, segment);
  }
}
