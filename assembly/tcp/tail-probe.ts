import { COUNTER_TAIL_PROBES } from '../abi';
import { seqLt } from '../memory/sequence';
import { now } from '../state/clock';
import { count } from '../state/counters';
import { SentSegment } from '../state/datamap';
import { PROBE_AGAIN, PROBE_NEW, PROBE_NONE, Subflow } from '../state/subflow';
import { SUBTYPE_DSS } from '../wire/mptcp';
import { OPTION_SACK, options } from '../wire/options';
import { segment } from '../wire/segment';
import { readyAdd } from './ready';
import { currentRto } from './rtt';
import { SIGNAL_TAIL_LOSS } from './signals';
import { tailProbePlan } from './timers';

/** Tail loss probes (RFC 8985 section 7): when ACKs stay away one segment asks for them, long before a timeout. */

/** The probe timeout ran out (section 7.3): new bytes if there are any, else the last segment again. */
export function tailProbeExpire(subflow: Subflow): void {
  if (!tailProbePlan(subflow)) return;
  subflow.tailProbeAt = 0;
  const room = <i32>(subflow.sndUna + subflow.sndWindow - subflow.sndNxt);
  subflow.tailDue = subflow.mapNext != 0 && room > 0 ? PROBE_NEW : PROBE_AGAIN;
  // Section 7.3: the timeout follows, counted from when the oldest segment was sent, as Linux counts, but not before the
  // probe, which is answered at once, can have been.
  const oldest = changetype<SentSegment>(subflow.segmentHead).sentAt;
  subflow.rtoAt = max<i64>(oldest + currentRto(subflow), now() + <i64>subflow.srtt);
  readyAdd(subflow);
}

/** The probe that was due went out. */
export function tailProbeSent(subflow: Subflow): void {
  subflow.tailProbe = subflow.tailDue;
  subflow.tailDue = PROBE_NONE;
  subflow.tailProbeEnd = subflow.sndNxt;
  count(COUNTER_TAIL_PROBES);
}

/**
 * An ACK came while a probe is on its way (section 7.4.2). `advanced`: it acknowledged something new; `repeated`: it
 * reports bytes that arrived twice. Returns SIGNAL_ bits.
 */
export function tailProbeAcknowledged(subflow: Subflow, ack: u32, advanced: bool, repeated: bool): u32 {
  const end = subflow.tailProbeEnd;
  if (seqLt(ack, end)) return 0;
  if (subflow.tailProbe == PROBE_NEW || repeated) {
    subflow.tailProbe = PROBE_NONE;
    return 0;
  }
  if (seqLt(end, ack)) {
    // What the probe carried was lost before, and nothing else told of it.
    subflow.tailProbe = PROBE_NONE;
    return SIGNAL_TAIL_LOSS;
  }
  // The second ACK for the same bytes: the original had arrived, too. One with a signal of Multipath TCP tells nothing.
  const bare = segment.payloadLength == 0 && (options.present & OPTION_SACK) == 0;
  if (!advanced && bare && (options.mptcp & ~(1 << SUBTYPE_DSS)) == 0) subflow.tailProbe = PROBE_NONE;
  return 0;
}
