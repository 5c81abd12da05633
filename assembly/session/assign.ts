import { PAGE_BYTES } from '../abi';
import { pageNext } from '../memory/pages';
import { Connection } from '../state/connection';
import { DataMap } from '../state/datamap';
import { Subflow } from '../state/subflow';
import { dssChecksum } from '../tcp/options-out';
import { readyAdd } from '../tcp/ready';
import { sumOddPiece } from '../wire/checksum';

/** Gives a stretch of the data sequence to a subflow: its bytes get their sequence numbers there. */
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
