/** Copies `length` bytes at `from` in one memory to `to` in another; up to three bytes behind them may change too. */
export type Copy = (to: number, from: number, length: number) => void;

/** Up to so many bytes a loop over words is faster than making a view: a header has about a hundred. */
const SHORT = 160;

/** A copy from one memory to another. Both keep their size. */
export function bridge(from: WebAssembly.Memory, to: WebAssembly.Memory): Copy {
  const source = new Uint8Array(from.buffer);
  const target = new Uint8Array(to.buffer);
  const sourceWords = new Uint32Array(from.buffer);
  const targetWords = new Uint32Array(to.buffer);
  // With a name, for profiles.
  const copyAcross: Copy = (at, start, length) => {
    if (length <= SHORT && ((at | start) & 3) === 0) {
      let word = start >>> 2;
      for (let place = at >>> 2, end = (at + length + 3) >>> 2; place < end; place++, word++) {
        targetWords[place] = sourceWords[word] as number;
      }
      return;
    }
    target.set(source.subarray(start, start + length), at);
  };
  return copyAcross;
}
