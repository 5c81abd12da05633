import { nowMs } from '../state/clock';
import { Subflow } from '../state/subflow';

/** The value of the timestamp clock of this subflow at a moment, ms (RFC 7323 section 5.4). */
export function timestampOf(subflow: Subflow, at: i64): u32 {
  return <u32>(at / 1000) + subflow.tsOffset;
}

/** Its value now. */
export function timestampNow(subflow: Subflow): u32 {
  return nowMs() + subflow.tsOffset;
}
