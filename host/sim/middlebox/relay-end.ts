import {
  ACK,
  FIN,
  OPTION_MSS,
  OPTION_NOP,
  PSH,
  type Segment,
  SYN,
  seqAdd,
  seqDistance,
  type TcpOption,
} from '../packet.js';

/** Bytes that may wait at an end for its host. */
const BUFFER = 65_535;

const MSS = 536;
const TIMEOUT = 300_000;
const TIMEOUT_MOST = 10_000_000;
const DUPLICATES = 3;
/** Timeouts in a row after which the host is given up. */
const RETRIES = 12;

/** What goes on as one segment: payload, the options that came with it, and whether it ends the stream. */
export interface Unit {
  readonly payload: Uint8Array;
  readonly options: readonly TcpOption[];
  readonly fin: boolean;
}

/** What an end needs of its proxy. */
export interface RelayHooks {
  after(delay: number, callback: () => void): () => void;
  /** Sends a segment to the host of this end. */
  send(segment: Segment): void;
  /** Takes what came in order. */
  received(unit: Unit): void;
  /** Bytes that the other end can still take: the window. */
  room(): number;
  /** There is room for more. */
  drained(): void;
  /** The host does not answer any more. */
  failed(): void;
}

/**
 * One end of a connection that a proxy took over: a TCP that knows its host's numbers and has its own, without window
 * scaling, SACK or timestamps. It goes back to the first unacknowledged segment when one is lost.
 */
export class RelayEnd {
  /** Of the host: the next sequence number expected. Undefined before its SYN. */
  rcvNxt: number | undefined;
  /** Own numbers. */
  readonly iss: number;
  #una: number;
  #nxt: number;
  /** Sent and waiting, from `#una` on. */
  readonly #units: Unit[] = [];
  /** How many units of these are sent. */
  #sent = 0;
  #window = 0;
  #mss = MSS;
  #ended = false;
  #duplicates = 0;
  #timeouts = 0;
  /** The window last announced to the host. */
  #announced = BUFFER;
  #forget: (() => void) | undefined;
  readonly #early = new Map<number, Segment>();
  readonly #template: Segment;
  readonly #hooks: RelayHooks;

  /** @param template a segment that goes to the host: addresses and ports */
  constructor(template: Segment, iss: number, hooks: RelayHooks) {
    this.#template = template;
    this.iss = iss;
    this.#una = iss;
    this.#nxt = seqAdd(iss, 1);
    this.#hooks = hooks;
  }

  /** Bytes it can still take for its host. */
  get room(): number {
    return Math.max(
      this.#units.reduce((left, { payload }) => left - payload.length, BUFFER),
      0,
    );
  }

  get mss(): number {
    return this.#mss;
  }

  /** The host sent all, and has all that was given to this end: it may be gone. */
  get over(): boolean {
    return this.#ended && this.#units.length === 0;
  }

  /** Tells the host when its window opens again. */
  refresh(): void {
    if (!this.#ended && this.#announced < BUFFER / 4 && this.#hooks.room() >= BUFFER / 2) this.signal(ACK);
  }

  /** Sends a segment without payload, with the numbers as they are: SYN, ACK, RST. */
  signal(flags: number, options: readonly TcpOption[] = []): void {
    const segment = this.#make(flags, this.#nxt);
    if ((flags & SYN) !== 0) segment.seq = this.iss;
    segment.options = [...options];
    this.#hooks.send(segment);
  }

  /** Gives a unit to the host. */
  give(unit: Unit): void {
    this.#units.push(unit);
    this.#push();
  }

  /** Takes a segment of the host. */
  take(segment: Segment): void {
    if (segment.has(SYN)) {
      this.rcvNxt = segment.end;
      const mss = segment.option(OPTION_MSS);
      if (mss !== undefined) this.#mss = ((mss.data[0] ?? 0) << 8) | (mss.data[1] ?? 0);
    }
    if (segment.has(ACK)) this.#acknowledged(segment);
    if (segment.has(SYN) || this.rcvNxt === undefined) return;
    if (segment.span > 0) this.#arrived(segment);
    // What is not next is answered, too (RFC 9293 section 3.10.7.4): a keep-alive probe has an old number.
    if (segment.span > 0 || segment.seq !== this.rcvNxt) this.signal(ACK);
  }

  /** Forgets its timer. */
  stop(): void {
    this.#forget?.();
    this.#forget = undefined;
  }

  #make(flags: number, seq: number): Segment {
    const segment = this.#template.copy();
    segment.flags = flags;
    segment.seq = seq;
    segment.ack = (flags & ACK) !== 0 ? (this.rcvNxt ?? 0) : 0;
    this.#announced = this.#hooks.room();
    segment.window = this.#announced;
    segment.urgent = 0;
    segment.options = [];
    segment.payload = new Uint8Array();
    return segment;
  }

  #acknowledged(segment: Segment): void {
    this.#window = segment.window;
    const progress = seqDistance(segment.ack, this.#una);
    if (seqDistance(segment.ack, this.#nxt) > 0) return;
    if (progress > 0) {
      // The SYN is no unit.
      if (this.#una === this.iss) this.#una = seqAdd(this.iss, 1);
      for (let first = this.#units[0]; first !== undefined; first = this.#units[0]) {
        const end = seqAdd(this.#una, span(first));
        if (seqDistance(segment.ack, end) < 0) break;
        this.#una = end;
        this.#units.shift();
        this.#sent = Math.max(this.#sent - 1, 0);
      }
      this.#duplicates = 0;
      this.#timeouts = 0;
      this.stop();
      this.#hooks.drained();
    } else if (progress === 0 && segment.span === 0 && this.#sent > 0 && ++this.#duplicates === DUPLICATES) {
      this.#back();
    }
    this.#push();
  }

  #push(): void {
    if (this.rcvNxt === undefined || this.#una === this.iss) return;
    for (let unit = this.#units[this.#sent]; unit !== undefined; unit = this.#units[this.#sent]) {
      const flight = seqDistance(this.#nxt, this.#una);
      if (flight + span(unit) > this.#window) break;
      this.#transmit(unit);
    }
    this.#arm();
  }

  #transmit(unit: Unit): void {
    const { payload, options, fin } = unit;
    const segment = this.#make(ACK | (payload.length > 0 ? PSH : 0) | (fin ? FIN : 0), this.#nxt);
    segment.payload = payload;
    segment.options = [...options];
    this.#nxt = segment.end;
    this.#sent++;
    this.#hooks.send(segment);
  }

  #arm(): void {
    if (this.#forget !== undefined || this.#units.length === 0) return;
    this.#forget = this.#hooks.after(Math.min(TIMEOUT * 2 ** this.#timeouts, TIMEOUT_MOST), () => {
      this.#forget = undefined;
      if (++this.#timeouts > RETRIES) {
        this.#hooks.failed();
        return;
      }
      this.#back();
      this.#arm();
    });
  }

  /** Sends the first unit again and the rest after it; a closed window is probed in the same way. */
  #back(): void {
    const [first] = this.#units;
    if (first === undefined) return;
    this.#sent = 0;
    this.#nxt = this.#una;
    this.#duplicates = 0;
    this.#transmit(first);
    this.#push();
  }

  /** Puts a segment of the host in order. */
  #arrived(segment: Segment): void {
    this.#early.set(segment.seq, segment);
    for (let again = true; again; ) {
      again = false;
      for (const [seq, each] of this.#early) {
        const behind = seqDistance(this.rcvNxt ?? 0, seq);
        if (behind < 0) continue;
        this.#early.delete(seq);
        if (seqDistance(each.end, this.rcvNxt ?? 0) <= 0) continue;
        this.rcvNxt = each.end;
        this.#ended ||= each.has(FIN);
        const options = behind === 0 ? each.options.filter(({ kind }) => kind !== OPTION_NOP) : [];
        this.#hooks.received({ payload: each.payload.slice(behind), options, fin: each.has(FIN) });
        again = true;
      }
    }
  }
}

function span({ payload, fin }: Unit): number {
  return payload.length + (fin ? 1 : 0);
}
