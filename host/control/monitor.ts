import { constants } from 'node:os';
import { connectionInfo, type MonitorEvent } from '../info.js';
import type { StackBase } from '../stack.js';
import type { JsonObject } from './protocol.js';
import { findToken } from './view.js';

/** An event under the names and in the order of `ip mptcp monitor`; what it says nothing of is left out. */
export interface MonitorView {
  readonly event: string;
  readonly token?: string;
  readonly remid?: number;
  readonly locid?: number;
  readonly saddr4?: string;
  readonly daddr4?: string;
  readonly saddr6?: string;
  readonly daddr6?: string;
  readonly sport?: number;
  readonly dport?: number;
  readonly backup?: number;
  readonly error?: number;
  /** 2: the peer connected. */
  readonly flags?: number;
  /** The device of a subflow, by its name. */
  readonly dev?: string;
}

const NAMES: Readonly<Record<string, string>> = {
  SUB_ESTABLISHED: 'SF_ESTABLISHED',
  SUB_CLOSED: 'SF_CLOSED',
  SUB_PRIORITY: 'SF_PRIO',
};
const SERVER_SIDE = 2;

export function monitorView(stack: StackBase, event: MonitorEvent): JsonObject {
  const { type, token, localAddress, remoteAddress, localPort, remotePort, backupLocal, backupRemote } = event;
  // The first subflow has the address ids 0 at both ends.
  const first = type === 'CREATED' || type === 'ESTABLISHED';
  const closed = type === 'CLOSED';
  const ends = (name: 's' | 'd', address: string | undefined): [string, string | undefined] =>
    address?.includes(':') === true ? [`${name}addr6`, address] : [`${name}addr4`, address];
  const backup = backupLocal === undefined ? undefined : Number(backupLocal || backupRemote === true);
  const view: [string, string | number | undefined][] = [
    ['event', NAMES[type] ?? type],
    ['token', token?.toString(16).padStart(8, '0')],
    ['remid', first ? 0 : event.remoteId],
    ['locid', first ? 0 : event.localId],
    ...(closed ? [] : [ends('s', localAddress), ends('d', remoteAddress)]),
    ['sport', closed ? undefined : localPort],
    ['dport', closed ? undefined : (announcedPort(stack, event) ?? remotePort)],
    ['backup', backup],
    ['error', closed ? undefined : errno(event.error)],
    ['flags', first && event.serverSide === true ? SERVER_SIDE : undefined],
    ['dev', stack.links().find(({ number }) => number === event.link)?.name],
  ];
  return Object.fromEntries(view.filter(([, value]) => value !== undefined));
}

/** An address announced without a port has that of the connection (RFC 8684 section 3.4.1). */
function announcedPort(stack: StackBase, { type, token, remotePort }: MonitorEvent): number | undefined {
  if (type !== 'ANNOUNCED' || remotePort !== 0 || token === undefined) return undefined;
  const handle = findToken(stack, token);
  return handle === undefined ? undefined : connectionInfo(stack.core, handle)?.remotePort;
}

function errno(code: string | undefined): number | undefined {
  return code === undefined ? undefined : constants.errno[code as keyof typeof constants.errno];
}
