import {
  OPTION_EOL,
  OPTION_MPTCP,
  OPTION_MSS,
  OPTION_NOP,
  OPTION_SACK,
  OPTION_SACK_PERMITTED,
  OPTION_TIMESTAMPS,
  OPTION_WINDOW_SCALE,
  type Segment,
  SYN,
} from '../packet.js';

/** Options a box has something against: those of Multipath TCP, or all that TCP did not know in 1992. */
export type OptionSet = 'mptcp' | 'unknown';

/** Segments a box looks at: those with a SYN, those without, or all. */
export type SegmentSet = 'syn' | 'data' | 'all';

const KNOWN = [
  OPTION_EOL,
  OPTION_NOP,
  OPTION_MSS,
  OPTION_WINDOW_SCALE,
  OPTION_SACK_PERMITTED,
  OPTION_SACK,
  OPTION_TIMESTAMPS,
];

export function inOptionSet(set: OptionSet, kind: number): boolean {
  return set === 'mptcp' ? kind === OPTION_MPTCP : !KNOWN.includes(kind);
}

export function inSegmentSet(set: SegmentSet, segment: Segment): boolean {
  return set === 'all' || segment.has(SYN) === (set === 'syn');
}
