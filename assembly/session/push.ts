import { CONFIG_MAP_BYTES, CONNECTION_CLOSED } from '../abi';
import { congestionIdle } from '../congestion/control';
import { dsnLt } from '../memory/sequence';
import { schedule, subflowRoom } from '../scheduler/schedule';
import { config } from '../state/config';
import { Connection } from '../state/connection';
import { DataMap, mapTake } from '../state/datamap';
import { Subflow, unsentBytes } from '../state/subflow';
import { closeSending } from '../tcp/close';
import { pathMtuMapped, pathMtuWanted } from '../tcp/path-mtu';
import { ackNow } from '../tcp/ready';
import { assign } from './assign';
import { chronoUpdate } from './chrono';
import { pushReinjected } from './reinject';
import { advanceNext, controlSubflow, pushTake } from './send';
import { sessionArm } from './timer';

/** Gives bytes to subflows: what the scheduler says, in stretches that make whole segments. */

/** Gives every connection that waits its turn of the scheduler. */
export function pushAll(): void {
  for (let taken = pushTake(); taken != 0; taken = pushTake()) push(changetype<Connection>(taken));
}

function push(connection: Connection): void {
  if (connection.state == CONNECTION_CLOSED) return;
  pushReinjected(connection);
  for (;;) {
    const edge = dsnLt(connection.sndEnd, connection.sndWindowEnd) ? connection.sndEnd : connection.sndWindowEnd;
    if (!dsnLt(connection.sndNxt, edge)) break;
    const chosen = schedule(connection, 0);
    if (chosen == 0) break;
    const subflow = changetype<Subflow>(chosen);
    if (subflow.outstanding == 0 && unsentBytes(subflow) == 0) congestionIdle(subflow);
    const available = <u32>min<u64>(edge - connection.sndNxt, <u64>config(CONFIG_MAP_BYTES));
    let length = min<u32>(available, subflowRoom(subflow));
    const probe = subflow.mtuProbeAt != 0 ? pathMtuWanted(subflow, edge - connection.sndNxt) : 0;
    if (probe != 0) {
      // RFC 4821 section 7.4: the congestion window must have room for all of the probe.
      if (length < probe) break;
      length = probe;
    } else if (length > subflow.mss) {
      // Whole segments, unless these are the last bytes there are.
      if (length < available || connection.sndNxt + length != connection.sndEnd) length -= length % subflow.mss;
    } else if (length < subflow.mss) {
      const last = connection.sndNxt + length == connection.sndEnd;
      // RFC 9293 section 3.7.4 (Nagle) and 3.8.6.2.1: small segments wait while there is something unacknowledged.
      const wait = connection.noDelay == 0 && connection.finState == 0;
      if (connection.sndUna != connection.sndNxt && (!last || wait)) break;
      // Section 3.8.6.2.1: nor does a peer that opens its window by a few bytes get these, until the timer overrides.
      if (!last && length < subflow.sndWindowMax >> 1 && connection.rtxBackoff == 0) break;
    }
    const map = mapTake(connection.sndNxt, length, connection.nxtPage, connection.nxtOffset);
    if (map == 0) break;
    assign(connection, subflow, changetype<DataMap>(map));
    if (probe != 0) pathMtuMapped(subflow);
    connection.sndNxt += length;
    connection.bytesSent += length;
    advanceNext(connection, length);
  }
  if (connection.finState == 1 && connection.sndNxt == connection.sndEnd) pushFin(connection);
  chronoUpdate(connection);
  sessionArm(connection);
}

/** DATA_FIN, or FIN for plain TCP, once all bytes are given to subflows (RFC 8684 section 3.3.3). */
function pushFin(connection: Connection): void {
  if (connection.multipath == 0) {
    if (connection.subflows == 0) return;
    closeSending(changetype<Subflow>(connection.subflows));
    connection.finState = 2;
    return;
  }
  const carrier = controlSubflow(connection);
  if (carrier == 0) return;
  connection.dataFinDue = 1;
  connection.finState = 2;
  ackNow(changetype<Subflow>(carrier));
}
