import { CONFIG_RTO_INITIAL, CONFIG_RTO_MAX, CONFIG_RTO_MIN } from '../abi';
import { config } from '../state/config';
import { Subflow } from '../state/subflow';

/** Round-trip time and retransmission timeout (RFC 6298), in µs. */

let last: u32 = 0;

/** The sample the segment now processed gave, or 0. */
export function lastSample(): u32 {
  return last;
}

export function rttSampleForget(): void {
  last = 0;
}

export function rttOpen(subflow: Subflow): void {
  subflow.rto = <u32>config(CONFIG_RTO_INITIAL);
}

/** Takes a sample from a segment that was sent once (Karn's rule, section 3) or from a timestamp echo. */
export function rttSample(subflow: Subflow, sample: i64): void {
  const rtt: u32 = sample < 1 ? 1 : sample > 60000000 ? 60000000 : <u32>sample;
  last = rtt;
  if (subflow.srtt == 0) {
    // RFC 6298 section 2.2.
    subflow.srtt = rtt;
    subflow.rttVar = rtt >> 1;
  } else {
    // RFC 6298 section 2.3: beta 1/4, alpha 1/8.
    const difference = rtt > subflow.srtt ? rtt - subflow.srtt : subflow.srtt - rtt;
    subflow.rttVar = subflow.rttVar - (subflow.rttVar >> 2) + (difference >> 2);
    subflow.srtt = subflow.srtt - (subflow.srtt >> 3) + (rtt >> 3);
    if (subflow.srtt == 0) subflow.srtt = 1;
  }
  if (subflow.minRtt == 0 || rtt < subflow.minRtt) subflow.minRtt = rtt;
  // The least time is kept above the smoothed RTT, not on the sum, so that a delayed ACK never looks like a loss.
  const margin = max<u32>(subflow.rttVar << 2, <u32>config(CONFIG_RTO_MIN));
  subflow.rto = min<u32>(subflow.srtt + margin, <u32>config(CONFIG_RTO_MAX));
}

/** The timeout with its backoff (RFC 6298 section 5.5), µs. */
export function currentRto(subflow: Subflow): i64 {
  const shift = min<u32>(subflow.backoff, 16);
  return min<i64>((<i64>subflow.rto) << shift, config(CONFIG_RTO_MAX));
}
