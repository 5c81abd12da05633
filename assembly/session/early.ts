import { Connection } from '../state/connection';
import { Subflow } from '../state/subflow';
import { fastOpenAnswered } from '../tcp/fast-open';
import { keyIdsn, keyToken } from '../wire/keys';
import { segment, TCP_FLAG_FIN, TCP_FLAG_SYN } from '../wire/segment';
import { takeData } from './receive';
import { synDataAcknowledged } from './send';

/**
 * Bytes that came with a SYN (Fast Open, RFC 7413). "The TFO data must not be considered part of the data sequence number
 * space" (RFC 8684 appendix B.2): they come first in the stream, no mapping covers them, and what both sides count, IDSN
 * and subflow sequence number 1, begins behind them.
 *
 *   SYN   bytes of the SYN   first mapped byte
 *         sndEarly, rcvEarly IDSN + 1, subflow sequence number 1
 */

/** Takes the bytes of the SYN in `segment`. */
export function takeSynData(connection: Connection, subflow: Subflow): void {
  // The FIN may come with a segment that follows: then it is known what it acknowledges.
  const flags = segment.flags;
  const multipath = connection.multipath;
  segment.flags = flags & ~(TCP_FLAG_SYN | TCP_FLAG_FIN);
  segment.seq++;
  connection.multipath = 0;
  takeData(subflow);
  connection.multipath = multipath;
  segment.seq--;
  segment.flags = flags;
}

/** The peer's key came behind bytes of its SYN, which the application may have read: they get numbers in front of the IDSN. */
export function numberBehindSyn(connection: Connection, subflow: Subflow): void {
  connection.rcvEarly = <u16>(connection.rcvNxt - connection.rcvStart);
  subflow.irs += connection.rcvEarly;
  connection.remoteToken = keyToken(connection.version, connection.remoteKey);
  const shift = keyIdsn(connection.version, connection.remoteKey) + 1 - connection.rcvNxt;
  connection.rcvStart += shift;
  connection.rcvPlainBase += shift;
  connection.rcvNxt += shift;
  connection.rcvRead += shift;
  connection.rcvSpaceRead += shift;
  connection.rcvWindowEnd += shift;
}

/** The SYN/ACK answers a SYN of ours with a Fast Open option: it may have taken bytes. */
export function synDataAnswered(connection: Connection, subflow: Subflow): void {
  const taken = subflow.sndUna - subflow.iss - 1;
  fastOpenAnswered(subflow, taken);
  if (taken == 0) return;
  subflow.bytesAcked += taken;
  if (connection.multipath != 0) {
    subflow.iss += taken;
    connection.sndEarly = <u16>taken;
    connection.sndUna -= taken;
    connection.sndNxt -= taken;
    connection.sndEnd -= taken;
  }
  synDataAcknowledged(connection, taken, subflow.sndWindow);
  // That was no DATA_ACK.
  if (connection.multipath != 0) connection.dataAckSeen = 0;
}
