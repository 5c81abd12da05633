import { ERR_REFUSED, ERR_UNREACHABLE, TCP_SYN_RECEIVED, TCP_SYN_SENT } from '../abi';
import { Subflow } from '../state/subflow';
import { ICMP_HARD, ICMP_TOO_BIG, icmpError } from '../wire/icmp-error';
import { pathMtuReported } from './path-mtu';
import { SIGNAL_CLOSED, SIGNAL_STRAY } from './signals';

/**
 * Processes the ICMP error in `icmpError`, which is about a segment of this subflow. Returns SIGNAL_CLOSED when the
 * subflow is over by it (softErrorOf() is why), SIGNAL_STRAY when it was about nothing in flight, or 0.
 */
export function tcpIcmpError(subflow: Subflow): u32 {
  const opening = subflow.state == TCP_SYN_SENT || subflow.state == TCP_SYN_RECEIVED;
  // RFC 5927 section 4.1: only who saw the segment knows a sequence number that is in flight.
  const flight: u32 = opening ? (subflow.synTries > 0 ? 1 : 0) : subflow.sndNxt - subflow.sndUna;
  const probe = subflow.probes != 0 && icmpError.seq == subflow.sndUna - 1;
  if (icmpError.seq - subflow.sndUna >= flight && !probe) return SIGNAL_STRAY;
  if (icmpError.kind == ICMP_TOO_BIG) {
    if (!opening) pathMtuReported(subflow, icmpError.mtu);
    return 0;
  }
  // RFC 1122 section 4.2.3.9: a soft error is told when the connection fails later, by itself it ends nothing.
  const hard = icmpError.kind == ICMP_HARD;
  subflow.softError = <u8>-(hard ? ERR_REFUSED : ERR_UNREACHABLE);
  // RFC 5927 section 5.2: in synchronized states a hard error counts as soft.
  return hard && opening ? SIGNAL_CLOSED : 0;
}

/** The error a router or the peer's host reported since the last progress, an ERR_ value; 0 for none. */
export function softErrorOf(subflow: Subflow): i32 {
  return -(<i32>subflow.softError);
}
