import { now } from '../state/clock';
import { Connection } from '../state/connection';
import { ACK_DELAYED, ACK_NOW, ACK_SIGNAL, canCarryData, Subflow } from '../state/subflow';
import { readyAdd } from './ready';
import { timersArm } from './timers';

/**
 * ACKs that go out for a signal of Multipath TCP alone are duplicates of the ACK before. RFC 8684 sections 3.4.1 and 4:
 * no more than two of them in a row, so that nobody on the way takes them for a sign of congestion. What has no place in
 * them goes with the next ACK that tells more, behind the next data, or a round trip later.
 */
const IN_A_ROW: u8 = 2;
/** µs between two pairs, at least, at most, and before the first sample of the round-trip time. */
const WAIT_MIN: u32 = 1000;
const WAIT_MAX: u32 = 1000000;
const WAIT_UNKNOWN: u32 = 200000;

/** True when an ACK of the subflow may carry a signal now. */
export function maySignal(subflow: Subflow): bool {
  return subflow.signalAcks < IN_A_ROW || rowEnded(subflow);
}

/** An ACK with a signal goes out, before anything is noted of it. */
export function signalSent(subflow: Subflow): void {
  if (rowEnded(subflow)) subflow.signalAcks = 0;
  if (subflow.lastAckSent == subflow.rcvNxt && subflow.signalAcks < 255) subflow.signalAcks++;
  subflow.signalSeq = subflow.rcvNxt;
  subflow.signalSegments = subflow.dataSegmentsOut;
  subflow.signalAt = now();
}

/** A signal goes out with an ACK of this subflow, as soon as it may. */
export function ackSignal(subflow: Subflow): void {
  if (subflow.ackDue >= ACK_NOW) return;
  if (maySignal(subflow)) {
    subflow.ackDue = ACK_SIGNAL;
    readyAdd(subflow);
    return;
  }
  const at = subflow.signalAt + wait(subflow);
  if (subflow.ackDue == ACK_DELAYED && subflow.ackAt <= at) return;
  subflow.ackDue = ACK_DELAYED;
  subflow.ackAt = at;
  timersArm(subflow);
}

/** An ACK was delayed for long enough: for data that is to be acknowledged, or for a signal. */
export function ackDelayed(subflow: Subflow): void {
  subflow.ackDue = subflow.unacked != 0 ? ACK_NOW : ACK_SIGNAL;
  readyAdd(subflow);
}

/**
 * An address signal goes out on the first subflow that works and may, else on one that is being closed; without any it
 * waits for the next.
 */
export function signalSoon(connection: Connection): void {
  let first: usize = 0;
  let closing: usize = 0;
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const subflow = changetype<Subflow>(at);
    if (subflow.backoff != 0) continue;
    if (!canCarryData(subflow)) {
      if (closing == 0 && subflow.closing != 0 && subflow.rstDue == 0) closing = at;
      continue;
    }
    if (maySignal(subflow)) {
      ackSignal(subflow);
      return;
    }
    if (first == 0) first = at;
  }
  if (first == 0) first = closing;
  if (first != 0) ackSignal(changetype<Subflow>(first));
}

/** True when the next ACK would not be one more of the same row. */
function rowEnded(subflow: Subflow): bool {
  return (
    subflow.signalSeq != subflow.rcvNxt ||
    subflow.signalSegments != subflow.dataSegmentsOut ||
    now() - subflow.signalAt >= wait(subflow)
  );
}

function wait(subflow: Subflow): i64 {
  if (subflow.srtt == 0) return WAIT_UNKNOWN;
  return <i64>min<u32>(max<u32>(subflow.srtt, WAIT_MIN), WAIT_MAX);
}
