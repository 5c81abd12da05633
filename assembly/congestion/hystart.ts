import { seqLe } from '../memory/sequence';
import { Subflow } from '../state/subflow';

/**
 * HyStart++ (RFC 9406): slow start goes on more carefully once the round-trip time grows, and ends when it stays so,
 * before the queue of the bottleneck overflows. Only the first slow start of a subflow; later ones know their ssthresh.
 */

const MIN_SAMPLES: u8 = 8;
/** Bounds of the growth of the RTT that counts, µs; between them an eighth of the RTT. */
const THRESHOLD_MIN: u32 = 4000;
const THRESHOLD_MAX: u32 = 16000;
/** Conservative slow start grows by a quarter, for five rounds. */
const GROWTH_SHIFT: u32 = 2;
const ROUNDS: u8 = 5;
const NONE: u32 = 0xffffffff;

export function hystartOpen(subflow: Subflow): void {
  subflow.hystartEnd = subflow.sndNxt;
  subflow.hystartRtt = NONE;
  subflow.hystartLastRtt = NONE;
  subflow.hystartSamples = 0;
  subflow.hystartRounds = 0;
}

/** An ACK freed `acked` bytes, with an RTT `sample` in µs or 0. Returns by how much the window may grow. */
export function hystartAcked(subflow: Subflow, acked: u32, sample: u32): u32 {
  // Section 4.2: a round ends when what was sent last at its begin is acknowledged.
  if (seqLe(subflow.hystartEnd, subflow.sndUna)) beginRound(subflow);
  if (sample != 0) {
    if (sample < subflow.hystartRtt) subflow.hystartRtt = sample;
    if (subflow.hystartSamples < 255) subflow.hystartSamples++;
  }
  if (subflow.hystartSamples >= MIN_SAMPLES && subflow.hystartRtt != NONE) {
    if (subflow.hystartRounds == 0) {
      if (subflow.hystartLastRtt != NONE) {
        const threshold = max<u32>(THRESHOLD_MIN, min<u32>(subflow.hystartLastRtt >> 3, THRESHOLD_MAX));
        if (subflow.hystartRtt >= subflow.hystartLastRtt + threshold) {
          subflow.hystartBaseline = subflow.hystartRtt;
          subflow.hystartRounds = 1;
        }
      }
    } else if (subflow.hystartRtt < subflow.hystartBaseline) {
      // The growth was a false alarm.
      subflow.hystartRounds = 0;
    }
  }
  return subflow.hystartRounds != 0 ? acked >> GROWTH_SHIFT : acked;
}

function beginRound(subflow: Subflow): void {
  subflow.hystartEnd = subflow.sndNxt;
  subflow.hystartLastRtt = subflow.hystartRtt;
  subflow.hystartRtt = NONE;
  subflow.hystartSamples = 0;
  if (subflow.hystartRounds == 0) return;
  subflow.hystartRounds++;
  if (subflow.hystartRounds > ROUNDS) {
    subflow.ssthresh = subflow.cwnd;
    subflow.hystartRounds = 0;
  }
}
