import { dsnLt } from '../memory/sequence';
import { now } from '../state/clock';
import { Connection } from '../state/connection';
import { Subflow } from '../state/subflow';

/** What a connection waits for, and for how long (Linux: tcpi_busy_time, tcpi_rwnd_limited, tcpi_sndbuf_limited). */

const IDLE: u8 = 0;
const BUSY: u8 = 1;
const WINDOW: u8 = 2;
const BUFFER: u8 = 3;

/** What was sent, acknowledged or written may have changed what it waits for. */
export function chronoUpdate(connection: Connection): void {
  let state = BUSY;
  if (connection.sndUna == connection.sndEnd) state = IDLE;
  else if (connection.sndNxt == connection.sndEnd) state = connection.wantsRoom != 0 ? BUFFER : BUSY;
  else if (dsnLt(connection.sndWindowEnd, connection.sndEnd) && windowLeft(connection) < segmentOf(connection))
    state = WINDOW;
  if (state == connection.chrono) return;
  chronoSettle(connection);
  connection.chrono = state;
}

/** Adds the time that passed since the last change. */
export function chronoSettle(connection: Connection): void {
  const time = now();
  const elapsed = <u64>(time - connection.chronoAt);
  connection.chronoAt = time;
  if (connection.chrono == IDLE) return;
  connection.busyTime += elapsed;
  if (connection.chrono == WINDOW) connection.windowLimitedTime += elapsed;
  else if (connection.chrono == BUFFER) connection.bufferLimitedTime += elapsed;
}

function windowLeft(connection: Connection): u64 {
  const edge = connection.sndWindowEnd;
  return dsnLt(connection.sndNxt, edge) ? edge - connection.sndNxt : 0;
}

/** What a window must leave to be of use: a segment of the first subflow. */
function segmentOf(connection: Connection): u32 {
  return connection.subflows != 0 ? changetype<Subflow>(connection.subflows).mss : 1;
}
