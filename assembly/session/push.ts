import { CONNECTION_CLOSED } from '../abi';
import { dsnLt } from '../memory/sequence';
import { schedule } from '../scheduler/schedule';
import { Connection, SINGLE_NONE, SINGLE_RESENDS } from '../state/connection';
import { Subflow } from '../state/subflow';
import { closeSending } from '../tcp/close';
import { ackNow } from '../tcp/ready';
import { assignNew, sendableEnd } from './assign';
import { chronoUpdate } from './chrono';
import { copiesFromFront, isRedundant, pushCopies } from './copies';
import { pushReinjected, reinjectClosing, reinjectUncarried, unblock } from './reinject';
import { controlSubflow, pushLater, pushTake } from './send';
import { sessionArm } from './timer';

/** Gives bytes to subflows, as the scheduler says. */

/** Gives every connection that waits its turn of the scheduler. */
export function pushAll(): void {
  for (let taken = pushTake(); taken != 0; taken = pushTake()) push(changetype<Connection>(taken));
}

/** Another scheduler takes over, with whatever is under way. */
export function schedulerChoose(connection: Connection, scheduler: u8): void {
  if (scheduler == connection.scheduler) return;
  // What one subflow alone had, and another would have got from it later, has nobody any more.
  if (isRedundant(connection)) reinjectUncarried(connection);
  connection.scheduler = scheduler;
  connection.turn = 0;
  connection.turnLeft = 0;
  connection.ecfWaiting = 0;
  connection.blestLambda = 0;
  if (isRedundant(connection)) copiesFromFront(connection);
  pushLater(connection);
}

function push(connection: Connection): void {
  if (connection.state == CONNECTION_CLOSED) return;
  if (connection.handBack != 0) reinjectClosing(connection);
  pushReinjected(connection);
  if (connection.single == SINGLE_RESENDS) {
    // Without mappings what was sent before has to be in front of all else.
    if (connection.reinjectHead != 0) {
      sessionArm(connection);
      return;
    }
    connection.single = SINGLE_NONE;
  }
  if (isRedundant(connection)) {
    pushCopies(connection);
  } else {
    while (dsnLt(connection.sndNxt, sendableEnd(connection))) {
      const chosen = schedule(connection);
      if (chosen == 0 || !assignNew(connection, changetype<Subflow>(chosen))) break;
    }
    if (connection.subflowCount > 1 && isHeldUp(connection)) unblock(connection);
  }
  if (connection.finState == 1 && connection.sndNxt == connection.sndEnd) pushFin(connection);
  chronoUpdate(connection);
  sessionArm(connection);
}

/** True when it is the peer's window, or a full send buffer, that leaves nothing to give. */
function isHeldUp(connection: Connection): bool {
  if (connection.multipath == 0 || connection.sndUna == connection.sndNxt) return false;
  if (connection.sndNxt == connection.sndEnd) return connection.wantsRoom != 0 && connection.starved == 0;
  const left = <i64>(connection.sndWindowEnd - connection.sndNxt);
  return left < <i64>changetype<Subflow>(connection.subflows).mss;
}

/** DATA_FIN, or FIN for plain TCP, once all bytes are given to subflows (RFC 8684 section 3.3.3). */
function pushFin(connection: Connection): void {
  if (connection.multipath == 0) {
    if (connection.subflows == 0) return;
    closeSending(changetype<Subflow>(connection.subflows));
    connection.finState = 2;
    return;
  }
  const carrier = controlSubflow(connection);
  if (carrier == 0) return;
  connection.dataFinDue = 1;
  connection.finState = 2;
  ackNow(changetype<Subflow>(carrier));
}
