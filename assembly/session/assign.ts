import { CONFIG_MAP_BYTES, COUNTER_MPTCP_SndWndShared, PAGE_BYTES, SCHEDULER_ROUND_ROBIN } from '../abi';
import { congestionIdle } from '../congestion/control';
import { pageNext } from '../memory/pages';
import { dsnLt, seqLt } from '../memory/sequence';
import { roundRobinShare, roundRobinTaken } from '../scheduler/round-robin';
import { subflowRoom } from '../scheduler/usable';
import { config } from '../state/config';
import { Connection } from '../state/connection';
import { count } from '../state/counters';
import { DataMap, mapTake } from '../state/datamap';
import { Subflow, unsentBytes, wholeSegments } from '../state/subflow';
import { dssChecksum } from '../tcp/options-out';
import { pathMtuMapped, pathMtuWanted } from '../tcp/path-mtu';
import { readyAdd } from '../tcp/ready';
import { sumOddPiece } from '../wire/checksum';
import { advanceNext } from './send';

/** Gives stretches of the data sequence to subflows: cuts them, and numbers their bytes on the subflow. */

/** Where what may be sent ends: the end of what was written, or of the peer's window. */
export function sendableEnd(connection: Connection): u64 {
  return dsnLt(connection.sndEnd, connection.sndWindowEnd) ? connection.sndEnd : connection.sndWindowEnd;
}

/** Gives the next new bytes to a subflow that has room. Returns false when they have to wait. */
export function assignNew(connection: Connection, subflow: Subflow): bool {
  const edge = sendableEnd(connection);
  if (subflow.outstanding == 0 && unsentBytes(subflow) == 0) congestionIdle(subflow);
  const available = <u32>min<u64>(edge - connection.sndNxt, <u64>config(CONFIG_MAP_BYTES));
  let length = min<u32>(available, subflowRoom(subflow));
  const turns = connection.scheduler == SCHEDULER_ROUND_ROBIN;
  if (turns) length = roundRobinShare(connection, subflow, length);
  const probe = subflow.mtuProbeAt != 0 ? pathMtuWanted(subflow, edge - connection.sndNxt) : 0;
  if (probe != 0) {
    // RFC 4821 section 7.4: the congestion window must have room for all of the probe.
    if (length < probe && (!turns || subflowRoom(subflow) < probe)) return false;
    length = probe;
  } else if (length > subflow.mss) {
    // Whole segments, unless these are the last bytes there are.
    if (length < available || connection.sndNxt + length != connection.sndEnd) length = wholeSegments(subflow, length);
  } else if (length < subflow.mss) {
    const last = connection.sndNxt + length == connection.sndEnd;
    // RFC 9293 section 3.7.4 (Nagle) and 3.8.6.2.1: small segments wait while there is something unacknowledged.
    const wait = connection.noDelay == 0 && connection.finState == 0;
    if (connection.sndUna != connection.sndNxt && (!last || wait)) return false;
    // Section 3.8.6.2.1: nor does a peer that opens its window by a few bytes get these, until the timer overrides.
    if (!last && length < subflow.sndWindowMax >> 1 && connection.rtxBackoff == 0) return false;
  }
  const map = mapTake(connection.sndNxt, length, connection.nxtPage, connection.nxtOffset);
  if (map == 0) return false;
  subflow.timesChosen++;
  assign(connection, subflow, changetype<DataMap>(map));
  if (probe != 0) pathMtuMapped(subflow);
  if (turns) roundRobinTaken(connection, subflow, length);
  connection.sndNxt += length;
  connection.bytesSent += length;
  advanceNext(connection, length);
  return true;
}

/** Hangs a map to a subflow. */
export function assign(connection: Connection, subflow: Subflow, map: DataMap): void {
  map.seq = subflow.seqEnd;
  map.next = 0;
  if (<u32>map.dsn - map.seq != subflow.linearDelta) {
    subflow.linearDelta = <u32>map.dsn - map.seq;
    subflow.linearDsn = map.dsn;
  }
  if (connection.checksum != 0) map.checksum = mapChecksum(subflow, map);
  if (subflow.mapTail != 0) changetype<DataMap>(subflow.mapTail).next = changetype<usize>(map);
  else subflow.mapHead = changetype<usize>(map);
  subflow.mapTail = changetype<usize>(map);
  if (subflow.mapNext == 0) subflow.mapNext = changetype<usize>(map);
  subflow.seqEnd += map.length;
  if (seqLt(subflow.sndUna + subflow.sndWindow, subflow.seqEnd)) {
    // The scheduler knows of room that another subflow was told of (RFC 8684 section 3.3.5).
    subflow.sndWindow = subflow.seqEnd - subflow.sndUna;
    count(COUNTER_MPTCP_SndWndShared);
  }
  readyAdd(subflow);
}

function mapChecksum(subflow: Subflow, map: DataMap): u32 {
  let sum: u64 = 0;
  let page = map.page;
  let offset = map.offset;
  let done: u32 = 0;
  while (done < map.length) {
    const length = min<u32>(map.length - done, <u32>PAGE_BYTES - offset);
    sum = sumOddPiece(page + offset, length, sum, (done & 1) != 0);
    done += length;
    offset = 0;
    if (done < map.length) page = pageNext(page);
  }
  return dssChecksum(map.dsn, map.seq - subflow.iss, map.length, sum);
}
