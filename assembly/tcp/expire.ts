import { CONFIG_RETRIES, TCP_SYN_RECEIVED, TCP_SYN_SENT, TCP_TIME_WAIT } from '../abi';
import { now } from '../state/clock';
import { config } from '../state/config';
import { ACK_DELAYED, isSynchronized, JOIN_WAIT_ACK, ownerOf, Subflow } from '../state/subflow';
import { resetDue } from './close';
import { synExhausted } from './handshake';
import { detectLoss, retransmissionTimeout } from './loss';
import { pathMtuTimeout } from './path-mtu';
import { ackNow, readyAdd } from './ready';
import { currentRto } from './rtt';
import { ackDelayed } from './signal-acks';
import { SIGNAL_CLOSED, SIGNAL_SYN_TIMEOUT, SIGNAL_TIMED_OUT } from './signals';
import { tailProbeExpire } from './tail-probe';
import { timersArm } from './timers';

/** Runs the deadlines of a subflow that are due. Returns SIGNAL_ bits. */
export function subflowExpire(subflow: Subflow): u32 {
  const time = now();
  let signals: u32 = 0;
  if (subflow.ackAt != 0 && subflow.ackAt <= time) {
    subflow.ackAt = 0;
    if (subflow.ackDue == ACK_DELAYED) ackDelayed(subflow);
  }
  if (subflow.rackAt != 0 && subflow.rackAt <= time) {
    signals |= detectLoss(subflow);
    readyAdd(subflow);
  }
  if (subflow.tailProbeAt != 0 && subflow.tailProbeAt <= time) tailProbeExpire(subflow);
  if (subflow.paceAt != 0 && subflow.paceAt <= time) {
    subflow.paceAt = 0;
    readyAdd(subflow);
  }
  if (subflow.rtoAt != 0 && subflow.rtoAt <= time) signals |= expireRto(subflow);
  if (subflow.probeAt != 0 && subflow.probeAt <= time) signals |= expireProbe(subflow);
  if (subflow.stateAt != 0 && subflow.stateAt <= time) {
    subflow.stateAt = 0;
    if (subflow.closing != 0 && subflow.rstDue == 0 && isSynchronized(subflow) && subflow.state != TCP_TIME_WAIT) {
      // The exchange of FINs came to nothing.
      resetDue(subflow, subflow.rstReason);
    } else {
      signals |= subflow.state == TCP_TIME_WAIT ? SIGNAL_CLOSED : SIGNAL_CLOSED | SIGNAL_TIMED_OUT;
    }
  }
  if ((signals & SIGNAL_CLOSED) == 0) timersArm(subflow);
  return signals;
}

/** Starts, moves or stops the keep-alive deadline (RFC 9293 section 3.8.4). */
export function keepAliveArm(subflow: Subflow): void {
  if (subflow.owner == 0 || ownerOf(subflow).keepAlive == 0) {
    subflow.probeAt = 0;
  } else {
    subflow.probeAt = now() + ownerOf(subflow).keepAliveIdle;
  }
  timersArm(subflow);
}

function expireRto(subflow: Subflow): u32 {
  subflow.rtoAt = 0;
  if (subflow.state == TCP_SYN_SENT || subflow.state == TCP_SYN_RECEIVED) {
    if (synExhausted(subflow) || userTimeoutOver(subflow)) return SIGNAL_CLOSED | SIGNAL_TIMED_OUT;
    subflow.synDue = 1;
    readyAdd(subflow);
    return SIGNAL_SYN_TIMEOUT;
  }
  if (subflow.join == JOIN_WAIT_ACK && subflow.segmentHead == 0) {
    // RFC 8684 section 3.2: the third ACK is sent again until the fourth arrives.
    if (synExhausted(subflow)) return SIGNAL_CLOSED | SIGNAL_TIMED_OUT;
    subflow.synTries++;
    subflow.backoff++;
    subflow.thirdAckDue = 1;
    ackNow(subflow);
    return 0;
  }
  if (subflow.segmentHead == 0) return 0;
  const retries = <u32>config(CONFIG_RETRIES);
  if (subflow.backoff == 0) subflow.forgiven = 0;
  if (closedWindowAnswered(subflow)) {
    if (subflow.forgiven < subflow.backoff && <u32>subflow.forgiven + retries < 255) subflow.forgiven++;
  } else if (<u32>subflow.backoff >= <u32>subflow.forgiven + retries) {
    return SIGNAL_CLOSED | SIGNAL_TIMED_OUT;
  }
  const signals = retransmissionTimeout(subflow);
  pathMtuTimeout(subflow);
  // RFC 6298 section 5.6; it is armed even if the retransmission itself has to wait.
  subflow.rtoAt = now() + currentRto(subflow);
  readyAdd(subflow);
  return signals;
}

/** RFC 9293 section 3.8.3: a SYN without an answer for as long as the application allows. */
function userTimeoutOver(subflow: Subflow): bool {
  const timeout = subflow.owner != 0 ? ownerOf(subflow).userTimeout : 0;
  return timeout != 0 && now() - subflow.lastReceivedAt >= timeout;
}

/**
 * RFC 9293 section 3.8.6.1: a peer that answers with a closed window is there, however long it takes, whether the window
 * was closed upon bytes already sent or a FIN found no room.
 */
function closedWindowAnswered(subflow: Subflow): bool {
  return subflow.sndWindow == 0 && now() - subflow.lastReceivedAt < 2 * currentRto(subflow);
}

/**
 * Asks for a probe of a window that leaves no room (RFC 9293 section 3.8.6.1). Returns true when the peer has left
 * CONFIG_RETRIES of them without an answer.
 */
export function windowProbe(subflow: Subflow): bool {
  if (subflow.lastReceivedAt >= subflow.windowProbeAt) subflow.windowProbes = 0;
  if (<i64>subflow.windowProbes >= config(CONFIG_RETRIES)) return true;
  subflow.windowProbes++;
  subflow.windowProbeAt = now();
  subflow.probeDue = 1;
  return false;
}

function expireProbe(subflow: Subflow): u32 {
  subflow.probeAt = 0;
  // Also half closed: who waits for the peer's bytes wants to know whether it is there.
  if (!isSynchronized(subflow) || subflow.state == TCP_TIME_WAIT) return 0;
  if (subflow.owner == 0 || ownerOf(subflow).keepAlive == 0) return 0;
  const connection = ownerOf(subflow);
  const idle = connection.keepAliveIdle;
  const quiet = now() - subflow.lastReceivedAt;
  if (quiet < idle) {
    subflow.probes = 0;
    subflow.probeAt = subflow.lastReceivedAt + idle;
    return 0;
  }
  // Linux as well: a user timeout takes the place of the count.
  const over =
    connection.userTimeout != 0 ? quiet >= connection.userTimeout : subflow.probes >= connection.keepAliveCount;
  if (over && subflow.probes > 0) return SIGNAL_CLOSED | SIGNAL_TIMED_OUT;
  subflow.probes++;
  subflow.probeDue = 1;
  subflow.probeAt = now() + connection.keepAliveInterval;
  readyAdd(subflow);
  return 0;
}
