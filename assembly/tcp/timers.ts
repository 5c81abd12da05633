import { timerArm, timerCancel } from '../memory/wheel';
import { now } from '../state/clock';
import { Subflow, subflowTimer } from '../state/subflow';
import { currentRto } from './rtt';

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
  subflow.ackAt = 0;
  subflow.probeAt = 0;
  subflow.stateAt = 0;
  timerCancel(subflowTimer(subflow));
}

/** Starts the retransmission timer anew (RFC 6298 section 5.3), or stops it when nothing is outstanding (5.2). */
export function rtoRestart(subflow: Subflow): void {
  subflow.rtoAt = subflow.outstanding == 0 ? 0 : now() + currentRto(subflow);
  timersArm(subflow);
}

/** Sets the retransmission timer to a full timeout from now. */
export function rtoArm(subflow: Subflow): void {
  subflow.rtoAt = now() + currentRto(subflow);
  timersArm(subflow);
}

/** Starts the retransmission timer if it does not run (RFC 6298 section 5.1). */
export function rtoStart(subflow: Subflow): void {
  if (subflow.rtoAt == 0) rtoArm(subflow);
}

function nextDeadline(subflow: Subflow): i64 {
  let next = subflow.rtoAt;
  next = earlier(next, subflow.rackAt);
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
