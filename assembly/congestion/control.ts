import {
  CONFIG_HYSTART,
  CONFIG_IDLE_RESTART,
  CONFIG_INITIAL_WINDOW,
  CONGESTION_BALIA,
  CONGESTION_CUBIC,
  CONGESTION_LIA,
  CONGESTION_OLIA,
  CONGESTION_WVEGAS,
} from '../abi';
import { now } from '../state/clock';
import { config } from '../state/config';
import { Connection } from '../state/connection';
import { inFlight, LOSS_OPEN, LOSS_RECOVERY, ownerOf, Subflow } from '../state/subflow';
import { lastSample } from '../tcp/rtt';
import { SIGNAL_ACKED, SIGNAL_RECOVERED, SIGNAL_RECOVERY, SIGNAL_SPURIOUS, SIGNAL_TAIL_LOSS } from '../tcp/signals';
import { baliaAvoid, baliaReduce } from './balia';
import { isShared } from './coupling';
import { cubicAvoid, cubicReduce, cubicUndo, cubicUnused } from './cubic';
import { hystartAcked, hystartOpen } from './hystart';
import { liaAvoid } from './lia';
import { oliaAvoid } from './olia';
import { prrBegin, prrDelivered } from './prr';
import { renoAvoid, renoReduce, slowStart } from './reno';
import { wvegasAcked, wvegasForget } from './wvegas';

/**
 * What every congestion controller has in common: slow start, recovery, undo. The subflow's choice, which is that of its
 * connection as long as it has none of its own, decides how the window grows and by how much it is reduced: avoid() and
 * reduce() have one line for each controller that differs from Reno there.
 */

/** The largest congestion window, bytes; also ssthresh before the first loss. */
const CWND_MAX: u32 = 1 << 29;

/** A subflow begins to carry data; its mss is settled. */
export function congestionOpen(subflow: Subflow): void {
  subflow.cwnd = <u32>config(CONFIG_INITIAL_WINDOW) * subflow.mss;
  subflow.ssthresh = CWND_MAX;
  if (subflow.congestionOwn == 0) subflow.congestion = ownerOf(subflow).congestion;
  congestionSwitched(subflow);
  hystartOpen(subflow);
}

/** Gives a subflow a controller of its own, whatever its connection has. */
export function congestionChoose(subflow: Subflow, controller: u8): void {
  subflow.congestionOwn = 1;
  use(subflow, controller);
}

/** A subflow with a controller of its own follows its connection again. */
export function congestionRejoin(subflow: Subflow): void {
  subflow.congestionOwn = 0;
  use(subflow, ownerOf(subflow).congestion);
}

/** Gives a connection a controller, and all its subflows that have none of their own. */
export function congestionFollow(connection: Connection, controller: u8): void {
  connection.congestion = controller;
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next)
    if (changetype<Subflow>(at).congestionOwn == 0) use(changetype<Subflow>(at), controller);
}

function use(subflow: Subflow, controller: u8): void {
  if (subflow.congestion == controller) return;
  subflow.congestion = controller;
  congestionSwitched(subflow);
}

/** Another controller takes over: window and threshold stay, what the last one remembered goes. */
function congestionSwitched(subflow: Subflow): void {
  subflow.cwndAcked = 0;
  subflow.cubicEpoch = 0;
  subflow.cubicAt = 0;
  subflow.cubicK = 0;
  subflow.cubicEstimate = 0;
  subflow.cubicMax = 0;
  subflow.cubicPriorMax = 0;
  subflow.cubicPrior = 0;
  if (subflow.congestion == CONGESTION_WVEGAS) wvegasForget(subflow, true);
}

/**
 * A slower subflow held up what a faster one could have sent: its window is halved, and no loss is assumed (NSDI 2012,
 * section 4.2). Returns false when it repairs losses, and has been reduced already.
 */
export function congestionPenalise(subflow: Subflow): bool {
  if (subflow.recovery != LOSS_OPEN) return false;
  // The end of slow start is not known by it.
  if (subflow.cwnd >= subflow.ssthresh) subflow.ssthresh = max<u32>(subflow.ssthresh >> 1, 2 * subflow.mss);
  subflow.cwnd = max<u32>(subflow.cwnd >> 1, subflow.mss);
  subflow.timesPenalised++;
  return true;
}

/**
 * An ACK was processed, with these SIGNAL_ bits: it acknowledged `acked` new bytes, and `delivered` arrived by
 * what it says, in order or not.
 */
export function congestionAcked(subflow: Subflow, signals: u32, acked: u32, delivered: u32): void {
  if ((signals & SIGNAL_SPURIOUS) != 0) congestionUndo(subflow);
  if ((signals & SIGNAL_RECOVERED) != 0) subflow.cwnd = subflow.ssthresh;
  if ((signals & SIGNAL_RECOVERY) != 0) {
    congestionLoss(subflow, delivered);
    prrDelivered(subflow, delivered, signals);
  } else if (subflow.recovery == LOSS_RECOVERY) {
    prrDelivered(subflow, delivered, signals);
  } else if ((signals & SIGNAL_ACKED) != 0) {
    grow(subflow, acked);
  }
  if ((signals & SIGNAL_TAIL_LOSS) != 0 && subflow.recovery == LOSS_OPEN) {
    // RFC 8985 section 7.4.2: one reduction, as for a loss that was repaired already.
    reduce(subflow);
    subflow.cwnd = subflow.ssthresh;
  }
}

/** Recovery begins (RFC 5681 section 3.2, RFC 6675 section 5) after `delivered` bytes arrived. */
export function congestionLoss(subflow: Subflow, delivered: u32): void {
  remember(subflow);
  reduce(subflow);
  prrBegin(subflow, delivered);
  // Without an ACK, by RACK's timer, only the first retransmission goes out.
  if (delivered == 0) subflow.cwnd = inFlight(subflow) + subflow.mss;
}

/** A queue on the path is long (RFC 3168 section 6.1.2): the window shrinks as after a loss, and nothing is sent again. */
export function congestionEcn(subflow: Subflow): void {
  reduce(subflow);
  subflow.cwnd = min<u32>(subflow.cwnd, subflow.ssthresh);
}

/** The retransmission timer ran out (RFC 5681 section 3.1): the loss window is one segment. */
export function congestionTimeout(subflow: Subflow): void {
  // Section 3.1: ssthresh stays when the segment was retransmitted before.
  if (subflow.backoff <= 1) {
    remember(subflow);
    reduce(subflow);
  }
  subflow.cwnd = subflow.mss;
}

/**
 * Bytes are about to be sent after nothing was for some time (RFC 5681 section 4.1): what the path allowed then says
 * little now. The window is halved for every timeout that passed, down to the initial one.
 */
export function congestionIdle(subflow: Subflow): void {
  if (subflow.lastDataAt == 0) return;
  const idle = now() - subflow.lastDataAt;
  if (idle <= <i64>subflow.rto) return;
  if (subflow.congestion == CONGESTION_CUBIC) cubicUnused(subflow);
  else if (subflow.congestion == CONGESTION_WVEGAS) wvegasForget(subflow, true);
  if (config(CONFIG_IDLE_RESTART) == 0) return;
  const initial = min<u32>(<u32>config(CONFIG_INITIAL_WINDOW) * subflow.mss, subflow.cwnd);
  // What is left of the way back is known (RFC 2861 section 2).
  subflow.ssthresh = max<u32>(subflow.ssthresh, (subflow.cwnd >> 1) + (subflow.cwnd >> 2));
  for (let left = idle; left > <i64>subflow.rto && subflow.cwnd > initial; left -= <i64>subflow.rto) subflow.cwnd >>= 1;
  subflow.cwnd = max<u32>(subflow.cwnd, initial);
}

function grow(subflow: Subflow, acked: u32): void {
  if (subflow.recovery != LOSS_OPEN && subflow.cwnd >= subflow.ssthresh) return;
  if (subflow.congestion == CONGESTION_WVEGAS) {
    wvegasAcked(ownerOf(subflow), subflow, acked, lastSample());
    if (subflow.cwnd > CWND_MAX) subflow.cwnd = CWND_MAX;
    return;
  }
  if (subflow.cwnd < subflow.ssthresh) {
    // RFC 7661: a window that was not used is no proof that it could be.
    if (subflow.recovery == LOSS_OPEN && subflow.cwndLimited == 0 && subflow.flightMost << 1 < subflow.cwnd) return;
    if (subflow.ssthresh == CWND_MAX && config(CONFIG_HYSTART) != 0) acked = hystartAcked(subflow, acked, lastSample());
    acked = slowStart(subflow, acked);
    if (acked == 0) return;
  } else if (subflow.cwndLimited == 0) {
    if (subflow.congestion == CONGESTION_CUBIC) cubicUnused(subflow);
    return;
  }
  avoid(subflow, acked);
  if (subflow.cwnd > CWND_MAX) subflow.cwnd = CWND_MAX;
}

/** Congestion avoidance of the controller in use. */
function avoid(subflow: Subflow, acked: u32): void {
  const connection = ownerOf(subflow);
  switch (<i32>subflow.congestion) {
    case CONGESTION_CUBIC:
      cubicAvoid(subflow, acked);
      return;
    case CONGESTION_LIA:
      if (!isShared(connection)) break;
      liaAvoid(connection, subflow, acked);
      return;
    case CONGESTION_OLIA:
      if (!isShared(connection)) break;
      oliaAvoid(connection, subflow, acked);
      return;
    case CONGESTION_BALIA:
      if (!isShared(connection)) break;
      baliaAvoid(connection, subflow, acked);
      return;
  }
  renoAvoid(subflow, acked);
}

/** Sets ssthresh after a congestion event, as the controller in use asks. */
function reduce(subflow: Subflow): void {
  // RFC 5681, equation 4: what was in flight, which at this moment includes what was just marked lost.
  const flight = min<u32>(inFlight(subflow) + subflow.lostBytes + subflow.sackedBytes, subflow.cwnd);
  subflow.lossAt0 = subflow.lossAt1;
  subflow.lossAt1 = subflow.lossAt2;
  subflow.lossAt2 = subflow.bytesAcked;
  let threshold: u32;
  let least: u32 = 2;
  switch (<i32>subflow.congestion) {
    case CONGESTION_CUBIC:
      threshold = cubicReduce(subflow, flight);
      break;
    case CONGESTION_BALIA:
      // A crowded path may be left but for a segment when there are others (both drafts).
      if (isShared(ownerOf(subflow))) least = 1;
      threshold = least == 1 ? baliaReduce(ownerOf(subflow), subflow, flight) : renoReduce(subflow, flight);
      break;
    case CONGESTION_OLIA:
      if (isShared(ownerOf(subflow))) least = 1;
      threshold = renoReduce(subflow, flight);
      break;
    case CONGESTION_WVEGAS:
      wvegasForget(subflow, false);
      threshold = renoReduce(subflow, flight);
      break;
    default:
      threshold = renoReduce(subflow, flight);
  }
  subflow.ssthresh = max<u32>(threshold, least * subflow.mss);
}

function remember(subflow: Subflow): void {
  // In an episode that goes on, what was before its begin counts.
  if (subflow.undoBytes != 0) return;
  subflow.priorCwnd = subflow.cwnd;
  subflow.priorSsthresh = subflow.ssthresh;
}

/** The last episode of loss was none: the window is as large as before. */
function congestionUndo(subflow: Subflow): void {
  subflow.cwnd = max<u32>(subflow.cwnd, subflow.priorCwnd);
  subflow.ssthresh = max<u32>(subflow.ssthresh, subflow.priorSsthresh);
  subflow.lossAt2 = subflow.lossAt1;
  subflow.lossAt1 = subflow.lossAt0;
  if (subflow.congestion == CONGESTION_CUBIC) cubicUndo(subflow);
}
