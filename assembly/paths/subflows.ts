import { CONFIG_LIMIT_SUBFLOWS, SUBFLOW_ACTIVE_OPEN, SUBFLOW_BACKUP_LOCAL, SUBFLOW_JOINED, SUBFLOWS_MAX } from '../abi';
import { randomU32 } from '../crypto/random';
import { config } from '../state/config';
import { Connection } from '../state/connection';
import { linkAt, linkOfAddress } from '../state/link';
import { JOIN_WAIT_ACK, Subflow } from '../state/subflow';
import { flowFind } from '../tcp/flows';
import { openActive, subflowCreate } from '../tcp/handshake';
import { freePort } from '../tcp/ports';

/** The subflows of a connection: adding one to its list, and opening one by MP_JOIN. */

export function subflowAttach(connection: Connection, subflow: Subflow): void {
  subflow.owner = changetype<usize>(connection);
  subflow.id = ++connection.nextSubflowId;
  subflow.next = 0;
  if (connection.subflows == 0) {
    connection.subflows = changetype<usize>(subflow);
  } else {
    let last = changetype<Subflow>(connection.subflows);
    while (last.next != 0) last = changetype<Subflow>(last.next);
    last.next = changetype<usize>(subflow);
  }
  connection.subflowCount++;
}

export function subflowDetach(connection: Connection, subflow: Subflow): void {
  if (connection.subflows == changetype<usize>(subflow)) {
    connection.subflows = subflow.next;
  } else {
    let before = changetype<Subflow>(connection.subflows);
    while (before.next != changetype<usize>(subflow)) before = changetype<Subflow>(before.next);
    before.next = subflow.next;
  }
  connection.subflowCount--;
  subflow.owner = 0;
  subflow.next = 0;
}

/** True when the connection may have one subflow more beside its initial one (limit `subflows`). */
export function mayAddSubflow(connection: Connection): bool {
  return <i64>connection.extraSubflows < config(CONFIG_LIMIT_SUBFLOWS) && connection.subflowCount < <u32>SUBFLOWS_MAX;
}

/** True when a subflow of the connection runs between these addresses. */
export function pathInUse(
  connection: Connection,
  localHi: u64,
  localLo: u64,
  remoteHi: u64,
  remoteLo: u64,
  remotePort: u32,
): bool {
  for (let at = connection.subflows; at != 0; at = changetype<Subflow>(at).next) {
    const subflow = changetype<Subflow>(at);
    if (
      subflow.localHi == localHi &&
      subflow.localLo == localLo &&
      subflow.remoteHi == remoteHi &&
      subflow.remoteLo == remoteLo &&
      subflow.remotePort == remotePort
    )
      return true;
  }
  return false;
}

/** Sends an MP_JOIN (RFC 8684 section 3.2). Returns false when no address, port or memory serves. */
export function joinPath(
  connection: Connection,
  localHi: u64,
  localLo: u64,
  localPort: u32,
  localId: u32,
  remoteHi: u64,
  remoteLo: u64,
  remotePort: u32,
  remoteId: u32,
  backup: bool,
): bool {
  const link = linkOfAddress(localHi, localLo);
  if (link < 0 || linkAt(link).up == 0) return false;
  const port = localPort != 0 ? localPort : freePort(localHi, localLo, remoteHi, remoteLo, remotePort);
  if (port == 0 || flowFind(localHi, localLo, port, remoteHi, remoteLo, remotePort) != 0) return false;
  const created = subflowCreate(link, localHi, localLo, port, remoteHi, remoteLo, remotePort);
  if (created == 0) return false;
  const subflow = changetype<Subflow>(created);
  subflow.flags = <u8>(SUBFLOW_JOINED | SUBFLOW_ACTIVE_OPEN | (backup ? SUBFLOW_BACKUP_LOCAL : 0));
  subflow.join = JOIN_WAIT_ACK;
  subflow.localId = <u8>localId;
  subflow.remoteId = <u8>remoteId;
  subflow.localNonce = randomU32();
  subflowAttach(connection, subflow);
  connection.extraSubflows++;
  openActive(subflow);
  return true;
}
