/** One TCP option as it stands in an option area. */
export interface RawOption {
  readonly kind: number;
  /** The four bits behind the length: the subtype when it is a Multipath TCP option. */
  readonly subtype: number;
  /** Kind, length and value. */
  readonly bytes: Uint8Array;
}

/** The options of a well-formed option area in their order, without NOPs and what follows an end mark. */
export function walkOptions(area: Uint8Array): RawOption[] {
  const options: RawOption[] = [];
  for (let at = 0; at < area.length; ) {
    const kind = area[at] ?? 0;
    if (kind === 0) {
      break;
    }
    const length = kind === 1 ? 1 : (area[at + 1] ?? 0);
    if (length === 0) {
      throw new Error(`option ${kind} at byte ${at} has length 0`);
    }
    if (kind !== 1) {
      options.push({ kind, subtype: (area[at + 2] ?? 0) >> 4, bytes: area.slice(at, at + length) });
    }
    at += length;
  }
  return options;
}
