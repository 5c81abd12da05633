import { FAST_OPEN_TRIED, Subflow } from '../state/subflow';
import { fastOpenFailed } from '../tcp/fast-open';
import { softErrorOf, tcpIcmpError } from '../tcp/icmp';
import { SIGNAL_CLOSED, SIGNAL_STRAY } from '../tcp/signals';
import { sessionSubflowClosed } from './closing';

/** Processes the ICMP error in `icmpError` for a subflow. Returns false when it was about nothing in flight. */
export function sessionIcmpError(subflow: Subflow): bool {
  const signals = tcpIcmpError(subflow);
  // RFC 7413 section 4.1.3.1: it may have been about the option, or the bytes, of the SYN.
  if ((signals & SIGNAL_CLOSED) != 0 && (subflow.fastOpen & FAST_OPEN_TRIED) != 0) fastOpenFailed(subflow);
  if ((signals & SIGNAL_CLOSED) != 0) sessionSubflowClosed(subflow, softErrorOf(subflow));
  return (signals & SIGNAL_STRAY) == 0;
}
