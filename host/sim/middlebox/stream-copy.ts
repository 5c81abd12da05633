/** Bytes of one way of a flow by sequence number, the newest ones only: what a box keeps to compare with. */
export class StreamCopy {
  readonly #bytes: Uint8Array;
  readonly #known: Uint8Array;
  #base: number | undefined;
  /** Offset from the first sequence number behind the last byte seen. */
  #end = 0;

  /** @param size how many bytes it keeps */
  constructor(size: number) {
    this.#bytes = new Uint8Array(size);
    this.#known = new Uint8Array(size);
  }

  /**
   * Compares a segment with what was seen before: `replace` says what is to stand in its place for each byte that came
   * before, given its older value. Bytes that are new are remembered. Returns how many came before.
   */
  take(sequence: number, payload: Uint8Array, replace: (older: number, newer: number) => number): number {
    this.#base ??= sequence;
    const size = this.#bytes.length;
    // Below zero for what was sent in front of the first segment seen.
    const from = (sequence - this.#base) | 0;
    let again = 0;
    for (let index = 0; index < payload.length; index++) {
      const offset = from + index;
      if (offset < 0 || offset < this.#end - size) continue;
      while (this.#end <= offset) this.#known[this.#end++ % size] = 0;
      const place = offset % size;
      const newer = payload[index] ?? 0;
      if (this.#known[place] === 1) {
        again++;
        payload[index] = replace(this.#bytes[place] ?? 0, newer);
      } else {
        this.#known[place] = 1;
        this.#bytes[place] = newer;
      }
    }
    return again;
  }
}
