import { Subflow } from '../state/subflow';
import { softErrorOf, tcpIcmpError } from '../tcp/icmp';
import { SIGNAL_CLOSED, SIGNAL_STRAY } from '../tcp/signals';
import { sessionSubflowClosed } from './closing';

/** Processes the ICMP error in `icmpError` for a subflow. Returns false when it was about nothing in flight. */
export function sessionIcmpError(subflow: Subflow): bool {
  const signals = tcpIcmpError(subflow);
  if ((signals & SIGNAL_CLOSED) != 0) sessionSubflowClosed(subflow, softErrorOf(subflow));
  return (signals & SIGNAL_STRAY) == 0;
}
