import { CONFIG_JOINS_PENDING, CONFIG_JOINS_PENDING_TOTAL } from '../abi';
import { config } from '../state/config';
import { Connection } from '../state/connection';
import { JOIN_DONE, JOIN_WAIT_HMAC, Subflow } from '../state/subflow';

/**
 * Joins that wait for their third ACK. Whoever knows or guesses a token can ask for one without the keys (RFC 8684 section
 * 5): they are few, for each connection and for all together.
 */

let pending: i64 = 0;

export function joinsOpen(): void {
  pending = 0;
}

/** True when the connection may have one more. */
export function joinAllowed(connection: Connection): bool {
  if (pending >= config(CONFIG_JOINS_PENDING_TOTAL)) return false;
  let own: i64 = 0;
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next)
    if (changetype<Subflow>(at).join == JOIN_WAIT_HMAC) own++;
  return own < config(CONFIG_JOINS_PENDING);
}

/** A subflow begins to wait for the HMAC of its peer. */
export function joinAwaits(subflow: Subflow): void {
  subflow.join = JOIN_WAIT_HMAC;
  pending++;
}

/** The HMAC was right. */
export function joinProved(subflow: Subflow): void {
  subflow.join = JOIN_DONE;
  pending--;
}

/** A subflow ends; it may have waited to the last. */
export function joinEnded(subflow: Subflow): void {
  if (subflow.join == JOIN_WAIT_HMAC) pending--;
}
