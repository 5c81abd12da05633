/** IP addresses as the core has them: 128-bit numbers in two halves, IPv4 v4-mapped. */
export interface Halves {
  readonly hi: bigint;
  readonly lo: bigint;
}

/** Reads `a.b.c.d` or an IPv6 address as tshark writes it (no embedded IPv4). */
export function halves(text: string): Halves {
  if (!text.includes(':')) {
    const number = text.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);
    return { hi: 0n, lo: 0xffff_0000_0000n | number };
  }
  const [front = '', back] = text.split('::');
  const before = front === '' ? [] : front.split(':');
  const after = back === undefined || back === '' ? [] : back.split(':');
  const words = [...before, ...Array.from({ length: 8 - before.length - after.length }, () => '0'), ...after];
  const number = words.reduce((sum, word) => (sum << 16n) | BigInt(`0x${word}`), 0n);
  return { hi: number >> 64n, lo: BigInt.asUintN(64, number) };
}
