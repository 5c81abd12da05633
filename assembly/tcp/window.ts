import { COUNTER_MPTCP_RcvWndShared } from '../abi';
import { dsnLt } from '../memory/sequence';
import { Connection } from '../state/connection';
import { count } from '../state/counters';
import { Subflow } from '../state/subflow';

/** The receive window, one for all subflows of a connection (RFC 8684 section 3.3.5). */

/** The right edge there is room for. It never moves left (RFC 9293 section 3.8.6). */
export function windowEdge(connection: Connection): u64 {
  const edge = connection.rcvRead + connection.receiveBuffer;
  return dsnLt(edge, connection.rcvWindowEnd) ? connection.rcvWindowEnd : edge;
}

/** Opens the window as far as there is room and returns the header field for a segment of this subflow. */
export function windowField(subflow: Subflow, connection: Connection): u32 {
  let edge = windowEdge(connection);
  // There is no room for what was promised, by another subflow perhaps: the promise holds.
  if (edge != connection.rcvRead + connection.receiveBuffer && connection.subflowCount > 1)
    count(COUNTER_MPTCP_RcvWndShared);
  // RFC 9293 section 3.8.6.2.2: no small steps.
  if (edge - connection.rcvWindowEnd < <u64>min<u32>(connection.receiveBuffer >> 1, subflow.mss))
    edge = connection.rcvWindowEnd;
  const window = dsnLt(connection.rcvNxt, edge) ? edge - connection.rcvNxt : 0;
  const field = <u32>min<u64>(window >> subflow.rcvShift, 65535);
  const announced = connection.rcvNxt + ((<u64>field) << subflow.rcvShift);
  if (dsnLt(connection.rcvWindowEnd, announced)) connection.rcvWindowEnd = announced;
  return field;
}

/** The field for a SYN, which is not scaled (RFC 7323 section 2.2). */
export function windowFieldSyn(connection: Connection): u32 {
  const field = <u32>min<u64>(windowEdge(connection) - connection.rcvNxt, 65535);
  const announced = connection.rcvNxt + field;
  if (dsnLt(connection.rcvWindowEnd, announced)) connection.rcvWindowEnd = announced;
  return field;
}

/** True when the application has read so much that the peer should learn of the room. */
export function windowUpdateDue(connection: Connection): bool {
  const edge = windowEdge(connection);
  const left = dsnLt(connection.rcvNxt, connection.rcvWindowEnd) ? connection.rcvWindowEnd - connection.rcvNxt : 0;
  const gain = edge - connection.rcvWindowEnd;
  return gain >= <u64>(connection.receiveBuffer >> 2) || (left < 4096 && gain >= 2048);
}
