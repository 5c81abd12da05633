import { ACK, OPTION_MPTCP, OPTION_MSS, RST, type Segment, SYN, type TcpOption } from '../packet.js';
import { back, begins, Flows, SegmentBox, type Way } from './box.js';
import { RelayEnd } from './relay-end.js';

/** Options of a {@link SplitProxy}. */
export interface SplitProxyOptions {
  /** Lets options of Multipath TCP pass, with the segment they came with. Default false. */
  readonly passMptcp?: boolean;
}

/** A connection that was taken over. */
interface Relay {
  /** By the way of what they send: `in` faces the client, on the inside, `out` the server. */
  readonly in: RelayEnd;
  readonly out: RelayEnd;
  /** Options of the server's SYN/ACK and of the client's third ACK as they went on, once these came. */
  answer: readonly TcpOption[] | undefined;
  third: readonly TcpOption[] | undefined;
}

/**
 * Ends the TCP connections of both sides in itself and copies the bytes over, with addresses and ports as they are.
 * Each side has sequence numbers, ACKs and retransmissions of its own. Segments keep their boundaries.
 */
export class SplitProxy extends SegmentBox {
  readonly name = 'split-TCP proxy';
  readonly #passMptcp: boolean;
  readonly #flows = new Flows((first) => (begins(first) ? this.#open(first) : undefined));

  constructor(options: SplitProxyOptions = {}) {
    super();
    this.#passMptcp = options.passMptcp ?? false;
  }

  protected override segment(way: Way, segment: Segment): void {
    this.interventions++;
    const relay = this.#flows.of(way, segment);
    if (relay === undefined) {
      // It opens from the inside only, and knows no flow whose SYN it has not seen.
      this.#flows.delete(way, segment);
      return;
    }
    const near = relay[back(way)];
    const far = relay[way];
    const options = segment.options.filter(({ kind }) => this.#passMptcp && kind === OPTION_MPTCP);
    if (segment.has(RST)) {
      if (near.over) return;
      this.#close(relay);
      far.signal(far.rcvNxt === undefined ? RST : RST | ACK, options);
      this.#flows.delete(way, segment);
      return;
    }
    near.take(segment);
    if (segment.has(SYN)) this.#synchronize(relay, way, [mssOption(near.mss), ...options]);
    else if (segment.span === 0) this.#acknowledge(relay, way, options);
  }

  /** A SYN or SYN/ACK goes on; one that comes again is answered, once the other side did so. */
  #synchronize(relay: Relay, way: Way, options: readonly TcpOption[]): void {
    if (way === 'in' && relay.third !== undefined) {
      relay.out.signal(ACK, relay.third);
      return;
    }
    if (way === 'in') relay.answer = options;
    if (relay.answer !== undefined) relay.in.signal(SYN | ACK, relay.answer);
    else relay.out.signal(SYN, options);
  }

  /** The third ACK goes on, and of the others those that say something of Multipath TCP. */
  #acknowledge(relay: Relay, way: Way, options: readonly TcpOption[]): void {
    const third = way === 'out' && relay.third === undefined;
    if (third) relay.third = options;
    if (third || options.length > 0) relay[way].signal(ACK, options);
  }

  #open(syn: Segment): Relay {
    const end = (way: Way, template: Segment): RelayEnd =>
      new RelayEnd(template.copy(), this.place.random.uint32(), {
        after: (delay, callback) => this.place.after(delay, callback),
        send: (segment) => this.emit(way, segment),
        received: (unit) => relay[back(way)].give(unit),
        room: () => relay[back(way)].room,
        drained: () => relay[back(way)].refresh(),
        failed: () => {
          this.#close(relay);
          for (const each of [relay.in, relay.out]) each.signal(RST | ACK);
        },
      });
    const relay: Relay = { in: end('in', syn.answer()), out: end('out', syn), answer: undefined, third: undefined };
    return relay;
  }

  #close(relay: Relay): void {
    relay.in.stop();
    relay.out.stop();
  }
}

function mssOption(mss: number): TcpOption {
  return { kind: OPTION_MSS, data: Uint8Array.of(mss >> 8, mss & 0xff) };
}
