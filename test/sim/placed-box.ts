/** A middlebox between two hosts that a test plays, packet by packet. */
import { SimClock } from '../../host/sim/clock.js';
import type { Middlebox, Way } from '../../host/sim/middlebox/box.js';
import { Random } from '../../host/sim/random.js';
import { readTcp, type TcpPacket, writeTcp } from '../core/packets.js';

export const INSIDE = '10.0.0.2';
export const OUTSIDE = '10.0.0.1';

/** What came out of a box. */
export interface Left extends TcpPacket {
  readonly way: Way;
  /** When, µs. */
  readonly time: number;
}

export class PlacedBox {
  readonly clock = new SimClock();
  readonly #box: Middlebox;
  readonly #out: { way: Way; time: number; bytes: Uint8Array }[] = [];

  constructor(box: Middlebox, seed = 1) {
    this.#box = box;
    box.install({
      now: () => this.clock.now(),
      after: (delay, callback) => this.clock.schedule(this.clock.now() + delay, callback),
      random: new Random(seed, 'box'),
      emit: (way, bytes) => {
        this.#out.push({ way, time: this.clock.now(), bytes });
      },
    });
  }

  /** A segment of the inside: of 10.0.0.2, port 5000, to 10.0.0.1, port 80. Returns what left by it. */
  out(flags: string, fields: Partial<TcpPacket> = {}): Left[] {
    return this.#send('out', flags, { src: INSIDE, dst: OUTSIDE, srcPort: 5000, dstPort: 80, ...fields });
  }

  /** A segment of the outside, the other way round. */
  in(flags: string, fields: Partial<TcpPacket> = {}): Left[] {
    return this.#send('in', flags, { src: OUTSIDE, dst: INSIDE, srcPort: 80, dstPort: 5000, ...fields });
  }

  /** Any packet. Returns what left by it. */
  raw(way: Way, bytes: Uint8Array): Uint8Array[] {
    this.#box.take(way, bytes.slice());
    return this.#out.splice(0).map((each) => each.bytes);
  }

  /** Lets time pass; returns what left in it. */
  wait(time: number): Left[] {
    const end = this.clock.now() + time;
    while (this.clock.next() <= end) this.clock.step();
    this.clock.advanceTo(end);
    return this.#taken();
  }

  #send(
    way: Way,
    flags: string,
    fields: Partial<TcpPacket> & Pick<TcpPacket, 'src' | 'dst' | 'srcPort' | 'dstPort'>,
  ): Left[] {
    const rest = { seq: 0, ack: 0, window: 1000, options: {}, data: new Uint8Array(), ...fields };
    this.#box.take(way, writeTcp({ ...rest, flags }));
    return this.#taken();
  }

  /** Reading a packet throws when a length or a checksum of it is wrong. */
  #taken(): Left[] {
    return this.#out.splice(0).map(({ way, time, bytes }) => ({ ...readTcp(bytes), way, time }));
  }
}

/** Bytes of a text. */
export function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

export function text(data: Uint8Array): string {
  return Buffer.from(data).toString('latin1');
}
