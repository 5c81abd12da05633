import {
  FALLBACK_NAMES,
  type FallbackName,
  RESET_FLAG_OWN,
  RESET_FLAG_PEER,
  RESET_FLAG_TRANSIENT,
  RESET_NAMES,
  type ResetName,
} from './abi.js';

/** Why a connection is plain TCP, in words that answer "why am I not multipath". */
export const FALLBACK_WORDS: Readonly<Record<FallbackName, string>> = {
  none: '',
  notAsked: 'this side did not ask for Multipath TCP',
  peerSyn: "the peer's SYN did not ask for Multipath TCP, or a middlebox removed the option",
  peerSynAck: "the peer's SYN/ACK did not agree to Multipath TCP, or a middlebox removed the option",
  thirdAck: 'the third ACK of the handshake came without the keys: the peer, or a middlebox, fell back',
  firstData: 'the first data came without a mapping: a middlebox removes options',
  synRetries: 'SYNs that asked for Multipath TCP went unanswered, and one that did not was answered',
  peerMpFail: 'the peer found a wrong checksum on the only subflow: a middlebox changes the data',
  checksum: 'a checksum was wrong on the only subflow: a middlebox changes the data',
  infiniteMapping: 'the peer goes on without mappings (infinite mapping)',
  strippedData: 'data came without mappings after some had come with them: a middlebox removes options',
  strippedAcks: 'data was acknowledged without DATA_ACKs after some had come: a middlebox removes options',
  simultaneousOpen: 'both sides sent a SYN at the same time',
  blackhole: 'SYNs that asked for Multipath TCP went unanswered on this path a while ago',
  token: 'another connection has the token of this one',
  synVersion: "the peer's SYN asked for a version of Multipath TCP that is not taken here",
  synAckVersion: "the peer's SYN/ACK has a version of Multipath TCP that this side did not offer",
  key: 'the peer has the same key as this side',
  firstAck: 'the first data was acknowledged without a DATA_ACK: a middlebox removes options',
  unanswered: 'after the SYN nothing with options of Multipath TCP was answered: a middlebox drops it',
};

/** The name of a FALLBACK_ value. */
export function fallbackName(reason: number): FallbackName {
  return FALLBACK_NAMES[reason] ?? 'none';
}

/** Why a subflow was reset (MP_TCPRST, RFC 8684 section 3.6). */
export interface SubflowReset {
  readonly name: ResetName;
  /** The code on the wire; codes that have no name here are `unspecified`. */
  readonly code: number;
  /** Who reset it. */
  readonly by: 'peer' | 'own';
  /** It may be tried again later. */
  readonly transient: boolean;
}

/** Reads Event.reason; undefined when nobody gave a reason. */
export function subflowReset(value: number): SubflowReset | undefined {
  if ((value & (RESET_FLAG_PEER | RESET_FLAG_OWN)) === 0) return undefined;
  const code = value & 255;
  return {
    name: RESET_NAMES[code] ?? 'unspecified',
    code,
    by: (value & RESET_FLAG_PEER) !== 0 ? 'peer' : 'own',
    transient: (value & RESET_FLAG_TRANSIENT) !== 0,
  };
}
