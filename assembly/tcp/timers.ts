import { CONFIG_TAIL_LOSS_PROBE } from '../abi';
import { timerArm, timerCancel } from '../memory/wheel';
import { now } from '../state/clock';
import { config } from '../state/config';
import { LOSS_OPEN, PROBE_NONE, Subflow, subflowTimer } from '../state/subflow';
import { currentRto } from './rtt';

/** What a peer may wait with an ACK of one segment (RFC 8985 section 7.2 "WCDelAckT"), µs. */
const DELAYED_ACK_MAX: i64 = 200000;
/** What timers of hosts and peers may be late, µs. */
const TIMER_MIN: i64 = 2000;

/**
 * The deadlines of a subflow share one entry in the timer wheel. It is moved when a deadline becomes nearer; when all
 * become later it fires early, finds nothing due and is armed again.
 */

export function timersArm(subflow: Subflow): void {
  const next = nextDeadline(subflow);
  const timer = subflowTimer(subflow);
  if (next == 0) {
    timerCancel(timer);
    return;
  }
  if (timer.slot == 0 || next < timer.deadline) timerArm(timer, next);
}

export function timersStop(subflow: Subflow): void {
  subflow.rtoAt = 0;
  subflow.rackAt = 0;
  subflow.tailProbeAt = 0;
  subflow.paceAt = 0;
  subflow.ackAt = 0;
  subflow.probeAt = 0;
  subflow.stateAt = 0;
  timerCancel(subflowTimer(subflow));
}

/** Starts the retransmission timer anew (RFC 6298 section 5.3), or stops it when nothing is outstanding (5.2). */
export function rtoRestart(subflow: Subflow): void {
  const time = now();
  subflow.rtoAt = subflow.outstanding == 0 ? 0 : time + currentRto(subflow);
  subflow.progressAt = time;
  if (subflow.tailProbeAt == 0 || subflow.outstanding == 0) tailProbePlan(subflow);
  timersArm(subflow);
}

/**
 * Sets the deadline of the next tail loss probe (RFC 8985 section 7.2), if one is possible: two round trips from the last
 * segment sent or acknowledged, more when the peer may delay its only ACK, at most the retransmission timeout. What
 * moves it later is looked at only when it is reached. True when that is the case now.
 */
export function tailProbePlan(subflow: Subflow): bool {
  const possible =
    subflow.sack != 0 &&
    subflow.outstanding != 0 &&
    subflow.sackedBytes == 0 &&
    subflow.recovery == LOSS_OPEN &&
    subflow.tailProbe == PROBE_NONE &&
    subflow.srtt != 0 &&
    config(CONFIG_TAIL_LOSS_PROBE) != 0;
  if (!possible) {
    subflow.tailProbeAt = 0;
    return false;
  }
  const margin = subflow.segmentHead == subflow.segmentTail ? DELAYED_ACK_MAX : TIMER_MIN;
  const at = max<i64>(subflow.lastDataAt, subflow.progressAt) + ((<i64>subflow.srtt) << 1) + margin;
  subflow.tailProbeAt = subflow.rtoAt != 0 && subflow.rtoAt < at ? subflow.rtoAt : at;
  return subflow.tailProbeAt <= now();
}

/** Sets the retransmission timer to a full timeout from now. */
export function rtoArm(subflow: Subflow): void {
  subflow.rtoAt = now() + currentRto(subflow);
  timersArm(subflow);
}

/** Data went out: starts the retransmission timer if it does not run (RFC 6298 section 5.1), and plans a probe. */
export function rtoStart(subflow: Subflow): void {
  const start = subflow.rtoAt == 0;
  if (start) subflow.rtoAt = now() + currentRto(subflow);
  // With the second segment in flight the peer has nothing to wait for any more.
  const early = subflow.tailProbeAt == 0 || subflow.outstanding <= subflow.mss << 1;
  if (early) tailProbePlan(subflow);
  if (start || early) timersArm(subflow);
}

function nextDeadline(subflow: Subflow): i64 {
  let next = subflow.rtoAt;
  next = earlier(next, subflow.rackAt);
  next = earlier(next, subflow.tailProbeAt);
  next = earlier(next, subflow.paceAt);
  next = earlier(next, subflow.ackAt);
  next = earlier(next, subflow.probeAt);
  return earlier(next, subflow.stateAt);
}

/** The earlier of two deadlines; 0 is none. */
export function earlier(a: i64, b: i64): i64 {
  if (a == 0) return b;
  if (b == 0) return a;
  return a < b ? a : b;
}
