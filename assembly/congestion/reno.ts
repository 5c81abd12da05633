import { Subflow } from '../state/subflow';

/** NewReno (RFC 5681, RFC 6582, RFC 3465): the growth of one subflow by itself. */

/** Slow start: as many bytes as were acknowledged, up to ssthresh. Returns the acknowledged bytes left over. */
export function slowStart(subflow: Subflow, acked: u32): u32 {
  const room = subflow.ssthresh - subflow.cwnd;
  const growth = min<u32>(acked, room);
  subflow.cwnd += growth;
  return acked - growth;
}

/** Congestion avoidance: one segment for every window acknowledged. */
export function renoAvoid(subflow: Subflow, acked: u32): void {
  subflow.cwndAcked += acked;
  if (subflow.cwndAcked >= subflow.cwnd) {
    subflow.cwndAcked -= subflow.cwnd;
    subflow.cwnd += subflow.mss;
  }
}

/** The new ssthresh after a congestion event with `flight` bytes in flight (RFC 5681 section 3.1, equation 4). */
export function renoReduce(subflow: Subflow, flight: u32): u32 {
  subflow.cwndAcked = 0;
  return flight >> 1;
}
