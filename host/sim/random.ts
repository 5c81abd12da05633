/** Random numbers from a seed: xoshiro128** (Blackman and Vigna), its state filled by splitmix32. Not for secrets. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /** Streams with different labels are independent of each other, whatever the seed. */
  constructor(seed: number, label = '') {
    let state = seed >>> 0;
    const next = (): number => {
      state = (state + 0x9e3779b9) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
      return (mixed ^ (mixed >>> 15)) >>> 0;
    };
    // Seeds above 32 bits differ as well.
    state = (next() ^ Math.floor(seed / 2 ** 32)) >>> 0;
    for (let index = 0; index < label.length; index++) state = (next() ^ label.charCodeAt(index)) >>> 0;
    this.#a = next();
    this.#b = next();
    this.#c = next();
    this.#d = next() | 1;
  }

  /** An integer from 0 to 2^32 - 1. */
  uint32(): number {
    const scrambled = Math.imul(rotateLeft(Math.imul(this.#b, 5), 7), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = rotateLeft(this.#d, 11);
    return scrambled;
  }

  /** A number from 0 to below 1. */
  fraction(): number {
    return this.uint32() / 2 ** 32;
  }

  /** An integer from `least` to `most`, both included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.fraction() * (most - least + 1));
  }

  /** True with a probability from 0 to 1. */
  chance(probability: number): boolean {
    return probability > 0 && this.fraction() < probability;
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.fill(bytes);
    return bytes;
  }

  fill(target: Uint8Array): void {
    for (let index = 0; index < target.length; index += 4) {
      let word = this.uint32();
      for (let offset = index; offset < index + 4 && offset < target.length; offset++) {
        target[offset] = word & 255;
        word >>>= 8;
      }
    }
  }
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
