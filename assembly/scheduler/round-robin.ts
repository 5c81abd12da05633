import { CONFIG_ROUND_ROBIN_CWND_LIMITED, CONFIG_ROUND_ROBIN_QUANTUM } from '../abi';
import { Connection } from '../state/connection';
import { Subflow } from '../state/subflow';
import { tuning } from '../state/tuning';
import { hasRoom, isBackup, regularWorks, usable } from './usable';

/**
 * One subflow after the other, each a quantum of segments at a time, times its weight. A subflow whose congestion window
 * is full loses its turn, unless CONFIG_ROUND_ROBIN_CWND_LIMITED is 0: then it is waited for.
 */
export function roundRobin(connection: Connection): usize {
  const backups = !regularWorks(connection);
  let after: usize = 0;
  let first: usize = 0;
  let current: usize = 0;
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const subflow = changetype<Subflow>(at);
    if (!takesPart(connection, subflow, backups)) continue;
    // Ids grow along the list.
    if (subflow.id == connection.turn) current = at;
    else if (subflow.id > connection.turn && after == 0) after = at;
    if (first == 0) first = at;
  }
  if (current != 0 && connection.turnLeft != 0 && hasRoom(changetype<Subflow>(current))) return current;
  if (current != 0 && connection.turnLeft != 0 && waits(connection)) return 0;
  const next = after != 0 ? after : first;
  if (next == 0) return 0;
  const subflow = changetype<Subflow>(next);
  connection.turn = subflow.id;
  connection.turnLeft = tuning(connection, CONFIG_ROUND_ROBIN_QUANTUM) * (<u32>subflow.weight + 1) * subflow.mss;
  return hasRoom(subflow) ? next : 0;
}

/** How many of `length` bytes a subflow gets in its turn. Who is chosen without one, being alone, gets all. */
export function roundRobinShare(connection: Connection, subflow: Subflow, length: u32): u32 {
  return connection.turn == subflow.id && connection.turnLeft != 0 ? min<u32>(length, connection.turnLeft) : length;
}

/** `length` bytes of the turn were given. What is left and makes no segment ends it. */
export function roundRobinTaken(connection: Connection, subflow: Subflow, length: u32): void {
  const left = connection.turnLeft > length ? connection.turnLeft - length : 0;
  connection.turnLeft = left < subflow.mss ? 0 : left;
}

/** Without room a subflow takes no part, where it is not waited for. */
function takesPart(connection: Connection, subflow: Subflow, backups: bool): bool {
  if (!usable(subflow)) return false;
  if (isBackup(subflow) && !backups) return false;
  return waits(connection) ? subflow.backoff == 0 : hasRoom(subflow);
}

function waits(connection: Connection): bool {
  return tuning(connection, CONFIG_ROUND_ROBIN_CWND_LIMITED) == 0;
}
