import { CONFIG_FASTCLOSE_ACK, COUNTER_MPTCP_MPFastcloseRx, RESET_UNSPECIFIED, TCP_ESTABLISHED } from '../abi';
import { now } from '../state/clock';
import { config } from '../state/config';
import { Connection } from '../state/connection';
import { count } from '../state/counters';
import { FASTCLOSE_DUE, ownerOf, RST_FASTCLOSE, Subflow } from '../state/subflow';
import { resetDue, subflowRelease } from '../tcp/close';
import { ackNow } from '../tcp/ready';
import { currentRto } from '../tcp/rtt';
import { MPTCP_V0, SUBTYPE_FASTCLOSE } from '../wire/mptcp';
import { options } from '../wire/options';
import { controlSubflow } from './send';
import { sessionArm } from './timer';

/**
 * MP_FASTCLOSE (RFC 8684 section 3.5), which ends a connection at once. On an RST it needs no answer (option R). On an
 * ACK (option A) it goes out on one subflow, again and again, until the peer answers with an RST; the connection is over
 * for the application, and that subflow waits.
 */

/** "A RECOMMENDED number is 3." */
const TRIES: u32 = 3;

/** True when the segment ends the connection by the key of this side. */
export function fastcloseValid(connection: Connection): bool {
  if ((options.mptcp & (1 << SUBTYPE_FASTCLOSE)) == 0) return false;
  // One comparison of 64 bits: how long it takes tells a guess nothing.
  if (options.fastcloseKey != connection.localKey || connection.localKey == 0) return false;
  count(COUNTER_MPTCP_MPFastcloseRx);
  return true;
}

/** The subflow that is to carry MP_FASTCLOSE on an ACK, or 0 when it goes by RSTs. */
export function fastcloseCarrier(connection: Connection): usize {
  // RFC 6824 section 3.5 has no other way.
  if (config(CONFIG_FASTCLOSE_ACK) == 0 && connection.version != MPTCP_V0) return 0;
  const carrier = controlSubflow(connection);
  return carrier != 0 && changetype<Subflow>(carrier).state == TCP_ESTABLISHED ? carrier : 0;
}

/** Sends it on an ACK of this subflow and waits for the RST. The connection is closed already. */
export function fastcloseSend(connection: Connection, subflow: Subflow): void {
  subflowRelease(subflow);
  connection.failTries = 0;
  again(connection, subflow);
}

/** True while a subflow waits for the answer. */
export function fastcloseWaits(connection: Connection): bool {
  return connection.failAt != 0;
}

/** A segment arrived on the subflow that waits, and it was no RST. */
export function fastcloseInput(subflow: Subflow): void {
  // RFC 8684 section 3.5: "both hosts attempted fast closure simultaneously": it is answered with an RST.
  if (fastcloseValid(ownerOf(subflow))) resetDue(subflow, <u8>RESET_UNSPECIFIED);
}

/** No RST came: it goes out again, in the end with an RST. */
export function fastcloseExpired(connection: Connection): void {
  connection.failAt = 0;
  if (connection.subflows == 0) return;
  const subflow = changetype<Subflow>(connection.subflows);
  if (connection.failTries > TRIES) resetDue(subflow, RST_FASTCLOSE);
  else again(connection, subflow);
}

function again(connection: Connection, subflow: Subflow): void {
  subflow.failDue = FASTCLOSE_DUE;
  connection.failAt = now() + (currentRto(subflow) << connection.failTries);
  connection.failTries++;
  ackNow(subflow);
  sessionArm(connection);
}
