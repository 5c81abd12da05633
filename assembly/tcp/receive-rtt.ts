import { seqLt } from '../memory/sequence';
import { now } from '../state/clock';
import { ownerOf, Subflow } from '../state/subflow';
import { OPTION_TIMESTAMPS, options } from '../wire/options';
import { timestampNow } from './timestamps';

/**
 * The round-trip time of a side that only receives, which its acknowledgments do not tell: by the echo of its own
 * timestamps (RFC 7323 section 4.1), else by the time in which a whole window arrives. Both are upper bounds, as the
 * peer may have nothing to send; they serve to size the receive buffer, not to time retransmissions.
 */

/** Milliseconds that no path takes: the echo is of something old. */
const ECHO_MAX: u32 = 60000;

/** Takes note of a segment with data, once it has moved rcvNxt or not. */
export function receiveRttSample(subflow: Subflow): void {
  if (subflow.timestamps != 0) {
    // One sample for each value: what follows in the same flight came later by the rate, not by the path.
    if ((options.present & OPTION_TIMESTAMPS) == 0 || options.tsEcr == subflow.rcvRttMark) return;
    subflow.rcvRttMark = options.tsEcr;
    const elapsed = timestampNow(subflow) - options.tsEcr;
    if (elapsed < ECHO_MAX) smooth(subflow, max<u32>(elapsed, 1) * 1000);
    return;
  }
  if (subflow.rcvRttAt != 0) {
    if (seqLt(subflow.rcvNxt, subflow.rcvRttMark)) return;
    const elapsed = <u32>min<i64>(now() - subflow.rcvRttAt, <i64>ECHO_MAX * 1000);
    // A window takes a round trip or, from a slow peer, longer: the shortest counts.
    if (subflow.rcvRtt == 0 || elapsed < subflow.rcvRtt) subflow.rcvRtt = max<u32>(elapsed, 1);
  }
  const connection = ownerOf(subflow);
  subflow.rcvRttMark = subflow.rcvNxt + <u32>(connection.rcvWindowEnd - connection.rcvNxt);
  subflow.rcvRttAt = now();
}

function smooth(subflow: Subflow, sample: u32): void {
  const known = subflow.rcvRtt != 0 ? subflow.rcvRtt : subflow.srtt;
  // What comes after a pause of the peer is late by the pause: one such sample must not count for much.
  if (known != 0) subflow.rcvRtt = known - (known >> 3) + (min<u32>(sample, 2 * known) >> 3);
  else subflow.rcvRtt = sample;
}
