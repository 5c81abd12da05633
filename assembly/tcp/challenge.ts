import {
  CONFIG_CHALLENGE_ACK_LIMIT,
  CONFIG_INVALID_RATE_LIMIT,
  COUNTER_ACK_SKIPPED,
  COUNTER_CHALLENGE_ACK,
} from '../abi';
import { randomU32 } from '../crypto/random';
import { now, nowMs } from '../state/clock';
import { config } from '../state/config';
import { count } from '../state/counters';
import { Subflow } from '../state/subflow';
import { segment, TCP_FLAG_FIN, TCP_FLAG_SYN } from '../wire/segment';
import { ackNow } from './ready';

/**
 * ACKs in answer to segments that do not fit. Two ends that disagree, or one that is told lies, must not answer each other
 * for ever (RFC 5961 section 7): each connection is limited, and all together.
 */

const SECOND: i64 = 1000000;
let periodEnd: i64 = 0;
let left: u32 = 0;

/** Takes the limits. Call it when the stack is made. */
export function challengesOpen(): void {
  periodEnd = 0;
  left = 0;
}

/** A challenge ACK (RFC 5961 sections 3.2, 4.2 and 5.2), as far as the limits allow. */
export function challengeAck(subflow: Subflow): void {
  if (answeredLately(subflow)) return;
  const time = now();
  if (time >= periodEnd) {
    periodEnd = time + SECOND;
    // Half of it and a random part: how many are left tells an outsider nothing of what others did.
    const limit = <u32>config(CONFIG_CHALLENGE_ACK_LIMIT);
    left = ((limit + 1) >> 1) + (randomU32() % limit);
  }
  if (left == 0) {
    count(COUNTER_ACK_SKIPPED);
    return;
  }
  left--;
  count(COUNTER_CHALLENGE_ACK);
  ackNow(subflow);
}

/**
 * Acknowledges a segment outside the window, or with an old timestamp. Data and FIN, which the peer sends until they are
 * acknowledged, are never part of a loop of ACKs.
 */
export function acknowledgeOutside(subflow: Subflow): void {
  const flags = segment.flags & (TCP_FLAG_SYN | TCP_FLAG_FIN);
  const insists = flags == TCP_FLAG_FIN || (flags == 0 && segment.payloadLength > 0);
  if (!insists && answeredLately(subflow)) return;
  ackNow(subflow);
}

/** True when this subflow answered such a segment less than CONFIG_INVALID_RATE_LIMIT ago; else it does now. */
export function answeredLately(subflow: Subflow): bool {
  const time = nowMs();
  if (subflow.answered != 0 && time - subflow.answeredAt < <u32>(config(CONFIG_INVALID_RATE_LIMIT) / 1000)) {
    count(COUNTER_ACK_SKIPPED);
    return true;
  }
  subflow.answered = 1;
  subflow.answeredAt = time;
  return false;
}
