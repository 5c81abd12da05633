import { CONFIG_RECEIVE_BUFFER_MAX, CONFIG_SEND_BUFFER_MAX, PAGE_BYTES } from '../abi';
import { pagesFree } from '../memory/pages';
import { now } from '../state/clock';
import { config } from '../state/config';
import { Connection } from '../state/connection';
import { canCarryData, Subflow } from '../state/subflow';

/**
 * Buffers that tune themselves (RFC 9293 section 3.8.6 leaves their size open; the method is that of Linux). They only
 * grow, and a connection may have no more than half of what is free: many that grow at once come to equal shares, and
 * the budget is never promised whole.
 */

/** Segments beyond twice the rate that the window has room for, so that a slow start is not held up. */
const START_SEGMENTS: u32 = 16;
/** µs between two looks of an application that counts as one that reads all the time; it may be busy now and then. */
const STEADY_READER: i64 = 100000;

/**
 * The application took bytes. Once a round trip it is measured how many: the window has to hold twice that, as the rate
 * may double until the sender hears of more room (Fisk and Feng, "Dynamic right-sizing", 2001). With several subflows
 * the rate is that of the connection, and the round trip that of the slowest of them.
 */
export function receiveBufferTune(connection: Connection): void {
  const elapsed = now() - connection.rcvSpaceAt;
  // Most calls end here: no round trip is shorter than what the last measurement waited for.
  if (connection.receiveBufferFixed != 0 || elapsed < <i64>connection.rcvSpaceWait) return;
  let rtt: u32 = 0;
  let mss: u32 = 0;
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const subflow = changetype<Subflow>(at);
    if (!canCarryData(subflow)) continue;
    rtt = max<u32>(rtt, subflow.rcvRtt != 0 ? subflow.rcvRtt : subflow.srtt);
    mss = max<u32>(mss, subflow.mss);
  }
  if (rtt == 0) return;
  connection.rcvSpaceWait = rtt;
  if (elapsed < <i64>rtt) return;
  let read = connection.rcvRead - connection.rcvSpaceRead;
  // Who looks seldom is slow, however much it finds then: a larger window would only hold more for it.
  const steady = max<i64>(rtt, STEADY_READER);
  if (elapsed > steady) read = (read * <u64>steady) / <u64>elapsed;
  const space = <u64>connection.rcvSpace;
  if (connection.rcvSpaceAt != 0 && read > space) {
    const window = 2 * read + <u64>(START_SEGMENTS * mss);
    // In slow start the rate will have doubled again before the window is used.
    const growth = space != 0 ? min<u64>((window * (read - space)) / space, window) : window;
    const most = config(CONFIG_RECEIVE_BUFFER_MAX);
    connection.receiveBuffer = grown(connection.receiveBuffer, <i64>min<u64>(window + growth, <u64>most));
    connection.rcvSpace = <u32>min<u64>(read, 0x7fffffff);
  }
  connection.rcvSpaceRead = connection.rcvRead;
  connection.rcvSpaceAt = now();
}

/** The buffer is full: it may hold twice what the congestion windows let out, so that losses do not stop the writer. */
export function sendBufferTune(connection: Connection): void {
  if (connection.sendBufferFixed != 0) return;
  let windows: i64 = 0;
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next)
    if (canCarryData(changetype<Subflow>(at))) windows += <i64>changetype<Subflow>(at).cwnd;
  connection.sendBuffer = grown(connection.sendBuffer, min<i64>(2 * windows, config(CONFIG_SEND_BUFFER_MAX)));
}

/** `wanted`, or what memory allows of it, and never less than `current`. */
function grown(current: u32, wanted: i64): u32 {
  const half = (<i64>pagesFree() * PAGE_BYTES) >> 1;
  return <u32>max<i64>(<i64>current, min<i64>(wanted, half));
}
