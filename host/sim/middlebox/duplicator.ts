import { PlacedBox, type Way } from './box.js';

/** Options of a {@link Duplicator}. */
export interface DuplicatorOptions {
  /** One of so many packets of each way is sent twice. Default 1: all. */
  readonly every?: number;
  /** When the second one follows, µs. Default 1,000. */
  readonly delay?: number;
}

/** Sends packets twice. */
export class Duplicator extends PlacedBox {
  readonly name = 'duplicator';
  readonly #every: number;
  readonly #delay: number;
  readonly #seen: Record<Way, number> = { out: 0, in: 0 };

  constructor(options: DuplicatorOptions = {}) {
    super();
    this.#every = options.every ?? 1;
    this.#delay = options.delay ?? 1000;
  }

  override take(way: Way, packet: Uint8Array): void {
    this.place.emit(way, packet);
    if (++this.#seen[way] % this.#every !== 0) return;
    this.interventions++;
    this.place.after(this.#delay, () => this.place.emit(way, packet));
  }
}
