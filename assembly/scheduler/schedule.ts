import { SCHEDULER_BLEST, SCHEDULER_ECF, SCHEDULER_MIN_RTT, SCHEDULER_ROUND_ROBIN } from '../abi';
import { Connection } from '../state/connection';
import { blest } from './blest';
import { ecf } from './ecf';
import { minRtt } from './min-rtt';
import { roundRobin } from './round-robin';
import { firstCarrier } from './usable';

/**
 * Which subflow gets the next bytes of a connection. Every scheduler answers schedule(); it never sends. The redundant
 * one has a place in the data of its own for every subflow, see session/copies.ts.
 */

/** The subflow for the next new bytes, or 0 when they have to wait. */
export function schedule(connection: Connection): usize {
  // With one subflow there is nothing to choose.
  if (connection.scheduler == SCHEDULER_MIN_RTT || connection.subflowCount == 1) return minRtt(connection);
  if (firstCarrier(connection) != 0) return minRtt(connection);
  switch (<i32>connection.scheduler) {
    case SCHEDULER_ROUND_ROBIN:
      return roundRobin(connection);
    case SCHEDULER_BLEST:
      return blest(connection);
    case SCHEDULER_ECF:
      return ecf(connection);
  }
  return minRtt(connection);
}
