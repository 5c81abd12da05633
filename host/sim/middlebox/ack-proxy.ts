import {
  ACK,
  OPTION_SACK,
  OPTION_TIMESTAMPS,
  OPTION_WINDOW_SCALE,
  RST,
  type Segment,
  SYN,
  seqDistance,
  type TcpOption,
} from '../packet.js';
import { back, Flows, SegmentBox, type Way } from './box.js';

/** Options of an {@link AckProxy}. */
export interface AckProxyOptions {
  /** The ways whose data it acknowledges. Default both. */
  readonly ways?: readonly Way[];
  /** When it sends again what the receiver does not acknowledge, µs; doubled each time. Default 250 ms. */
  readonly timeout?: number;
}

const TIMEOUT = 250_000;
const DUPLICATES = 3;
const RETRIES = 8;

/** The data of one way: from its sender through the proxy to its receiver. */
interface Carried {
  /** What the proxy acknowledged to the sender; undefined before the SYN. */
  acked: number | undefined;
  /** Segments that the receiver has not acknowledged, by sequence number. */
  stored: Segment[];
  /** The last segment of the receiver, its ACK, its window in bytes. */
  receiver: Segment | undefined;
  receiverAck: number;
  receiverWindow: number;
  /** The shift of the receiver's SYN, and what holds: none unless both SYNs have one. */
  offered: number | undefined;
  shift: number;
  duplicates: number;
  retries: number;
  forget: (() => void) | undefined;
}

/**
 * Acknowledges data before the receiver has it, to make senders faster, and sends it again itself when it is lost
 * behind the box. ACKs of its own have no options but timestamps.
 */
export class AckProxy extends SegmentBox {
  readonly name = 'proactive-ACK proxy';
  readonly #ways: readonly Way[];
  readonly #timeout: number;
  readonly #flows = new Flows((): Record<Way, Carried> => ({ out: carried(), in: carried() }));

  constructor(options: AckProxyOptions = {}) {
    super();
    this.#ways = options.ways ?? ['out', 'in'];
    this.#timeout = options.timeout ?? TIMEOUT;
  }

  protected override segment(way: Way, segment: Segment): void {
    const flow = this.#flows.of(way, segment);
    if (segment.has(RST)) {
      for (const each of [flow.out, flow.in]) stop(each);
      this.#flows.delete(way, segment);
      this.emit(way, segment);
      return;
    }
    // As the receiver of the other way's data first: its ACK may have to say more than it knows.
    const ours = flow[way];
    const theirs = flow[back(way)];
    if (segment.has(SYN)) {
      ours.acked = segment.end;
      theirs.offered = segment.option(OPTION_WINDOW_SCALE)?.data[0];
    }
    theirs.shift = ours.offered === undefined || segment.has(SYN) ? 0 : (theirs.offered ?? 0);
    this.#fromReceiver(theirs, way, segment);
    this.emit(way, segment);
    if (segment.payload.length > 0 && !segment.has(SYN) && this.#ways.includes(way))
      this.#fromSender(ours, way, segment);
  }

  /** Keeps a segment until the receiver acknowledges it, and acknowledges it. */
  #fromSender(data: Carried, way: Way, segment: Segment): void {
    if (data.acked === undefined || data.receiver === undefined) return;
    if (
      seqDistance(segment.end, data.receiverAck) > 0 &&
      !data.stored.some(({ seq, end }) => seq === segment.seq && end === segment.end)
    ) {
      const later = data.stored.findIndex(({ seq }) => seqDistance(seq, segment.seq) > 0);
      data.stored.splice(later < 0 ? data.stored.length : later, 0, segment.copy());
    }
    const before = data.acked;
    for (const { seq, payload } of data.stored) {
      const end = (seq + payload.length) >>> 0;
      if (seqDistance(seq, data.acked) <= 0 && seqDistance(end, data.acked) > 0) data.acked = end;
    }
    this.#arm(data, way);
    if (data.acked === before) return;
    this.interventions++;
    this.emit(back(way), this.#acknowledgment(data, segment));
  }

  #acknowledgment(data: Carried, segment: Segment): Segment {
    const answer = segment.answer();
    answer.flags = ACK;
    answer.seq = segment.ack;
    answer.ack = data.acked ?? 0;
    answer.window = windowField(data, answer.ack);
    const theirs = data.receiver?.option(OPTION_TIMESTAMPS);
    const ours = segment.option(OPTION_TIMESTAMPS);
    if (theirs !== undefined && ours !== undefined) answer.options = [nop, nop, timestamps(theirs, ours)];
    return answer;
  }

  /** Notes what the receiver has, and makes its ACK one that does not fall behind those of the proxy. */
  #fromReceiver(data: Carried, way: Way, segment: Segment): void {
    if (!segment.has(ACK)) return;
    const { ack } = segment;
    const progress = data.receiver === undefined || seqDistance(ack, data.receiverAck) > 0;
    if (progress) {
      data.receiverAck = ack;
      data.duplicates = 0;
      data.retries = 0;
      data.stored = data.stored.filter(({ end }) => seqDistance(end, ack) > 0);
      stop(data);
      this.#arm(data, back(way));
    } else if (ack === data.receiverAck && segment.span === 0 && data.stored.length > 0) {
      if (++data.duplicates === DUPLICATES) this.#resend(data, back(way));
    }
    data.receiver = segment.copy();
    data.receiverWindow = segment.window * 2 ** data.shift;
    if (data.acked === undefined) return;
    if (seqDistance(data.acked, ack) <= 0) {
      data.acked = ack;
      return;
    }
    segment.ack = data.acked;
    segment.window = windowField(data, data.acked);
    segment.erase((kind) => kind === OPTION_SACK);
    this.interventions++;
  }

  #arm(data: Carried, way: Way): void {
    if (data.forget !== undefined || data.stored.length === 0 || data.retries > RETRIES) return;
    data.forget = this.place.after(this.#timeout * 2 ** data.retries, () => {
      data.forget = undefined;
      data.retries++;
      this.#resend(data, way);
      this.#arm(data, way);
    });
  }

  #resend(data: Carried, way: Way): void {
    const [first] = data.stored;
    if (first === undefined) return;
    this.interventions++;
    this.emit(way, first);
  }
}

const nop: TcpOption = { kind: 1, data: new Uint8Array() };

function carried(): Carried {
  return {
    acked: undefined,
    stored: [],
    receiver: undefined,
    receiverAck: 0,
    receiverWindow: 0,
    offered: undefined,
    shift: 0,
    duplicates: 0,
    retries: 0,
    forget: undefined,
  };
}

function stop(data: Carried): void {
  data.forget?.();
  data.forget = undefined;
}

/** The field for a window whose right edge is the one the receiver gave. */
function windowField({ receiverAck, receiverWindow, shift }: Carried, ack: number): number {
  const left = Math.max(receiverWindow - seqDistance(ack, receiverAck), 0);
  return Math.min(Math.floor(left / 2 ** shift), 0xffff);
}

/** The timestamp the receiver sent last, with an echo of the sender's. */
function timestamps(receiver: TcpOption, sender: TcpOption): TcpOption {
  const data = new Uint8Array(8);
  data.set(receiver.data.subarray(0, 4));
  data.set(sender.data.subarray(0, 4), 4);
  return { kind: OPTION_TIMESTAMPS, data };
}
