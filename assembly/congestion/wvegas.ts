import { CONFIG_WVEGAS_ALPHA_INITIAL, CONFIG_WVEGAS_ALPHA_TOTAL, CONFIG_WVEGAS_GAMMA, CONGESTION_WVEGAS } from '../abi';
import { seqLt } from '../memory/sequence';
import { Connection } from '../state/connection';
import { Subflow } from '../state/subflow';
import { tuning } from '../state/tuning';
import { isCoupled } from './coupling';
import { renoAvoid, slowStart } from './reno';

/**
 * Weighted Vegas (draft-xu-mptcp-congestion-control-05; Cao, Xu, Fu, "Delay-based Congestion Control for Multipath TCP",
 * ICNP 2012): once a round trip the window moves by a segment so that alpha of them stand in the queue of the path. The
 * subflows of a connection share a total of alpha by their rates, which brings the traffic to the paths whose queues are
 * short. Windows are counted in segments.
 */

/** Its memory, laid over that of Subflow.cubicEpoch. */
@unmanaged
class Vegas {
  /** cwnd / rtt of the last round, segments/µs; 0 while unknown. */
  rate: f64;
  /** Segments it keeps in the queue; 0 before the first round. */
  alpha: f64;
  /** Sum of the round's RTT samples, µs. */
  sum: u64;
  samples: u32;
  /** Smallest RTT, and smallest queuing delay since the queue was drained last, µs; 0 while unknown. */
  base: u32;
  queue: u32;
  /** sndNxt when the round began. */
  end: u32;
  /** The round's smallest RTT sample, µs; 0 before the first. */
  least: u32;
}

/** Least window, segments. */
const LEAST: u32 = 2;
/** Samples that make a round one to judge by. */
const SAMPLES: u32 = 3;
/** Segments that a receiver waits for before it acknowledges: their time looks like that of a queue. */
const DELAYED: u32 = 2;
/** Samples after which slow start looks for a queue, before it has doubled the window again. */
const TRAIN_HEAD: u32 = 80;

/** A pause or a loss: what was measured before does not count. With `path` not even the RTT without a queue. */
export function wvegasForget(subflow: Subflow, path: bool): void {
  const vegas = memoryOf(subflow);
  vegas.rate = 0;
  vegas.alpha = 0;
  vegas.sum = 0;
  vegas.samples = 0;
  vegas.least = 0;
  vegas.queue = 0;
  vegas.end = subflow.sndNxt;
  if (path) vegas.base = 0;
}

/** An ACK without losses freed `acked` bytes, with an RTT `sample` in µs or 0. */
export function wvegasAcked(connection: Connection, subflow: Subflow, acked: u32, sample: u32): void {
  const vegas = memoryOf(subflow);
  if (sample != 0) {
    if (vegas.base == 0 || sample < vegas.base) vegas.base = sample;
    vegas.sum += sample;
    vegas.samples++;
    if (vegas.least == 0 || sample < vegas.least) vegas.least = sample;
  }
  if (!seqLt(vegas.end, subflow.sndUna)) {
    if (subflow.cwnd >= subflow.ssthresh) return;
    if (vegas.samples != TRAIN_HEAD || !leaveSlowStart(connection, subflow, vegas)) slowStart(subflow, acked);
    return;
  }
  vegas.end = subflow.sndNxt;
  if (vegas.samples >= SAMPLES) judge(connection, subflow, vegas, acked);
  else if (subflow.cwnd < subflow.ssthresh) slowStart(subflow, acked);
  else if (subflow.cwndLimited != 0) renoAvoid(subflow, acked);
  vegas.sum = 0;
  vegas.samples = 0;
  vegas.least = 0;
}

/** A round trip is over. */
function judge(connection: Connection, subflow: Subflow, vegas: Vegas, acked: u32): void {
  const mss = subflow.mss;
  if (subflow.cwnd < subflow.ssthresh) {
    if (!leaveSlowStart(connection, subflow, vegas)) {
      slowStart(subflow, acked);
      return;
    }
  } else {
    const window = <f64>subflow.cwnd / <f64>mss;
    const rtt = <f64>vegas.sum / <f64>vegas.samples;
    const delay = rtt - <f64>vegas.base;
    const queued = (window * delay) / rtt;
    const least = <f64>tuning(connection, CONFIG_WVEGAS_ALPHA_INITIAL);
    if (vegas.alpha == 0) vegas.alpha = least;
    if (queued >= vegas.alpha) {
      vegas.rate = window / rtt;
      vegas.alpha = max<f64>(least, weight(connection, vegas) * <f64>tuning(connection, CONFIG_WVEGAS_ALPHA_TOTAL));
    }
    if (queued > vegas.alpha) {
      subflow.cwnd -= min<u32>(mss, subflow.cwnd);
      subflow.ssthresh = min<u32>(subflow.ssthresh, subflow.cwnd);
    } else if (queued < vegas.alpha && subflow.cwndLimited != 0) {
      subflow.cwnd += mss;
    }
    drain(subflow, vegas, delay, rtt, queued);
  }
  subflow.cwnd = max<u32>(subflow.cwnd, LEAST * mss);
}

/**
 * Ends slow start when more than gamma segments stand in the queue. A window comes as one train there, which queues
 * behind itself: only what its first segments find is a queue that stays. Returns false when there is none.
 */
function leaveSlowStart(connection: Connection, subflow: Subflow, vegas: Vegas): bool {
  const base = <f64>vegas.base;
  const least = <f64>vegas.least;
  const queued = (<f64>subflow.cwnd / <f64>subflow.mss) * ((least - base) / least);
  if (queued <= <f64>(tuning(connection, CONFIG_WVEGAS_GAMMA) + DELAYED)) return false;
  // What the path holds without a queue, and one more.
  subflow.cwnd = min<u32>(subflow.cwnd, <u32>(<f64>subflow.cwnd * (base / least)) + subflow.mss);
  subflow.cwnd = max<u32>(subflow.cwnd, LEAST * subflow.mss);
  subflow.ssthresh = min<u32>(subflow.ssthresh, subflow.cwnd - subflow.mss);
  return true;
}

/**
 * A queue twice as long as the shortest seen is drained, so that the RTT without one is seen again. Up to alpha it is as
 * long as it shall be: where RTTs hardly vary any growth would be twice the shortest.
 */
function drain(subflow: Subflow, vegas: Vegas, delay: f64, rtt: f64, queued: f64): void {
  if (queued <= max<f64>(vegas.alpha, 1)) return;
  if (vegas.queue == 0 || delay < <f64>vegas.queue) vegas.queue = <u32>max<f64>(delay, 1);
  if (delay < 2 * <f64>vegas.queue) return;
  subflow.cwnd = <u32>((<f64>subflow.cwnd * <f64>vegas.base) / (2 * rtt));
  vegas.queue = 0;
}

/** The part of this subflow in the rate of all that use wVegas. */
function weight(connection: Connection, vegas: Vegas): f64 {
  let total: f64 = 0;
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const other = changetype<Subflow>(at);
    if (isCoupled(other, CONGESTION_WVEGAS)) total += memoryOf(other).rate;
  }
  return total > 0 ? vegas.rate / total : 1;
}

function memoryOf(subflow: Subflow): Vegas {
  return changetype<Vegas>(changetype<usize>(subflow) + offsetof<Subflow>('cubicEpoch'));
}
