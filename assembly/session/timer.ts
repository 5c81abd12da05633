import { CONFIG_RTO_MAX, CONNECTION_CLOSED } from '../abi';
import { timerArm, timerCancel } from '../memory/wheel';
import { now } from '../state/clock';
import { config } from '../state/config';
import { Connection, connectionTimer } from '../state/connection';
import { canCarryData, Subflow } from '../state/subflow';
import { currentRto } from '../tcp/rtt';
import { earlier } from '../tcp/timers';

/** The deadlines of a connection: data-level retransmission and probing, closing, address signals. */

/** Starts or stops the data-level timer as the state demands, and puts the nearest deadline into the wheel. */
export function sessionArm(connection: Connection): void {
  const waits =
    connection.state != CONNECTION_CLOSED &&
    (connection.sndUna != connection.sndEnd || connection.finState == 2 || connection.finState == 1);
  if (!waits) connection.rtxAt = 0;
  else if (connection.rtxAt == 0) rtxArm(connection);
  let next = connection.rtxAt;
  next = earlier(next, connection.closeAt);
  next = earlier(next, connection.signalAt);
  next = earlier(next, connection.failAt);
  next = earlier(next, connection.pathAt);
  next = earlier(next, connection.rejoinAt);
  const timer = connectionTimer(connection);
  if (next == 0) timerCancel(timer);
  else if (timer.slot == 0 || next < timer.deadline) timerArm(timer, next);
}

function rtxArm(connection: Connection): void {
  if (connection.rtxBackoff == 0) connection.waitingSince = now();
  connection.rtxAt = now() + interval(connection);
  if (connection.userTimeout == 0) return;
  connection.rtxAt = min<i64>(connection.rtxAt, max<i64>(connection.waitingSince + connection.userTimeout, now()));
}

/** True when data has waited for an acknowledgment for as long as the application allows. */
export function userTimedOut(connection: Connection): bool {
  return connection.userTimeout != 0 && now() - connection.waitingSince >= connection.userTimeout;
}

/** Twice the largest timeout of the subflows, so that their own retransmissions come first. */
function interval(connection: Connection): i64 {
  let longest: i64 = 0;
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const subflow = changetype<Subflow>(at);
    if (!canCarryData(subflow) || subflow.backoff != 0) continue;
    longest = max<i64>(longest, currentRto(subflow));
  }
  if (longest == 0) longest = 1000000;
  return min<i64>((longest * 2) << min<u32>(connection.rtxBackoff, 16), config(CONFIG_RTO_MAX));
}
