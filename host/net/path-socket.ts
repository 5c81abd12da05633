import { Duplex } from 'node:stream';
import {
  CONGESTION_NAMES,
  type CongestionName,
  OPEN_BACKUP,
  SUBFLOW_OPTION_NAMES,
  type SubflowOptionName,
} from '../abi.js';
import { addressOrAny, requireAddress } from '../address.js';
import { MptcpError } from '../error.js';
import { type Ends, type PathAddress, pathAddresses, type SubflowInfo } from '../info.js';
import type { StackBase } from '../stack.js';

/** Where a subflow is to run. What is left out is chosen: the local address by its route, the remote one as that of the initial subflow. */
export interface SubflowOptions {
  readonly local?: string | undefined;
  readonly localPort?: number | undefined;
  readonly remote?: string | undefined;
  readonly remotePort?: number | undefined;
  /** Address ids, 0 to 255; looked up when left out. */
  readonly localId?: number | undefined;
  readonly remoteId?: number | undefined;
  /** To be used only when nothing else works. */
  readonly backup?: boolean | undefined;
}

/** An address to announce. */
export interface AnnounceOptions {
  readonly address: string;
  /** 0 or left out: the port of the connection. */
  readonly port?: number | undefined;
  /** 1 to 255; chosen when left out. */
  readonly id?: number | undefined;
}

/** The addresses and ports of a subflow. */
export type SubflowTuple = Pick<Ends, 'localAddress' | 'localPort' | 'remoteAddress' | 'remotePort'>;

/** Why a subflow is closed, in the order of the reasons of MP_TCPRST (RFC 8684 section 3.6). */
export const RESET_REASONS = [
  'unspecified',
  'mptcpError',
  'resources',
  'administrative',
  'outstanding',
  'performance',
  'middlebox',
] as const;
export type ResetReason = (typeof RESET_REASONS)[number];

/** The value of the option `congestion` that gives a subflow the controller of its connection again. */
const FOLLOW = 255;

/** Options of a subflow that are switches; `congestion` is a name, the others are numbers. */
const SWITCHES: readonly string[] = ['backup', 'reopen'] satisfies SubflowOptionName[];

/** What a subflow's option may be. */
export type SubflowOptionValue<Name extends SubflowOptionName> = Name extends 'backup' | 'reopen'
  ? boolean
  : Name extends 'congestion'
    ? CongestionName | 'connection'
    : number;

/**
 * The paths of a connection, as its application sees and steers them: the calls of the socket-option API of version 0
 * (MPTCP_GET_SUB_IDS and its kind) under names of TypeScript. All work while data flows, with any path manager.
 *
 * Every method throws MptcpError: ENOTCONN before there is a connection and after its end, EINVAL for a value out of its
 * range, ENXIO for an id nobody has, EOPNOTSUPP for plain TCP.
 */
export abstract class PathSocket extends Duplex {
  abstract readonly stack: StackBase;

  /** The subflows there are. */
  abstract subflows(): readonly SubflowInfo[];

  /** The core's handle of the connection; undefined when there is none. */
  protected abstract connectionHandle(): number | undefined;

  /** The ids of the subflows (v0: MPTCP_GET_SUB_IDS). */
  subflowIds(): number[] {
    return this.subflows().map((subflow) => subflow.id);
  }

  /** Addresses and ports of a subflow (v0: MPTCP_GET_SUB_TUPLE). */
  subflowTuple(id: number): SubflowTuple {
    const found = this.subflows().find((subflow) => subflow.id === id);
    if (found === undefined) throw noSubflow('subflowTuple', id);
    const { localAddress, localPort, remoteAddress, remotePort } = found;
    return { localAddress, localPort, remoteAddress, remotePort };
  }

  /**
   * Opens a subflow and returns its id; `subflow` is emitted when it is established, `subflowClosed` when it is not
   * (v0: MPTCP_OPEN_SUB_TUPLE).
   * @throws MptcpError EADDRNOTAVAIL, EADDRINUSE, ENETUNREACH; EACCES when the peer forbids joins to its initial address;
   * ENOSPC for too many subflows.
   */
  openSubflow(options: SubflowOptions = {}): number {
    const syscall = 'openSubflow';
    const handle = this.#connected(syscall);
    const local = addressOrAny(options.local, syscall);
    const remote = addressOrAny(options.remote, syscall);
    const ends = {
      local,
      localPort: number(options.localPort, 0, 0, 65535, 'localPort', syscall),
      localId: number(options.localId, -1, 0, 255, 'localId', syscall),
      remote,
      remotePort: number(options.remotePort, 0, 0, 65535, 'remotePort', syscall),
      remoteId: number(options.remoteId, -1, 0, 255, 'remoteId', syscall),
    };
    const id = this.stack.core.subflowOpen(handle, ends, options.backup === true ? OPEN_BACKUP : 0);
    if (id < 0) throw MptcpError.fromResult(id, syscall, { address: options.local ?? options.remote });
    this.stack.schedule();
    return id;
  }

  /**
   * Closes a subflow by FIN, or with a reason for the peer by RST; others carry on, and no manager opens it again. It is
   * among the subflows until `subflowClosed` (v0: MPTCP_CLOSE_SUB_ID).
   */
  closeSubflow(id: number, reason: ResetReason = 'unspecified'): void {
    const code = RESET_REASONS.indexOf(reason);
    if (code < 0) {
      const detail = `${String(reason)} is no reason; there are ${RESET_REASONS.join(', ')}`;
      throw new MptcpError('EINVAL', 'closeSubflow', { detail });
    }
    this.#did(this.stack.core.subflowClose(this.#connected('closeSubflow'), id, code), 'closeSubflow', id);
  }

  /** Asks for a subflow to be a backup, or none any more; the peer is told (MP_PRIO). */
  setBackup(id: number, on = true): void {
    this.setSubflowOption(id, 'backup', on);
  }

  /** Reads an option of a subflow (v0: MPTCP_SUB_GETSOCKOPT). */
  getSubflowOption<Name extends SubflowOptionName>(id: number, name: Name): SubflowOptionValue<Name> {
    const syscall = 'getSubflowOption';
    const handle = this.#connected(syscall);
    const value = this.stack.core.subflowGet(handle, id, optionKey(name, syscall));
    if (value < 0) throw failure(value, syscall, id);
    const named = name === 'congestion' ? CONGESTION_NAMES[value] : SWITCHES.includes(name) ? value !== 0 : value;
    return named as SubflowOptionValue<Name>;
  }

  /** Sets an option of a subflow (v0: MPTCP_SUB_SETSOCKOPT). `connection` follows the connection's controller again. */
  setSubflowOption<Name extends SubflowOptionName>(id: number, name: Name, value: SubflowOptionValue<Name>): void {
    const syscall = 'setSubflowOption';
    const handle = this.#connected(syscall);
    const key = optionKey(name, syscall);
    const expected = name === 'congestion' ? 'string' : SWITCHES.includes(name) ? 'boolean' : 'number';
    const plain = name === 'congestion' ? controllerNumber(value) : Number(value);
    if (typeof value !== expected || !Number.isSafeInteger(plain)) {
      throw new MptcpError('EINVAL', syscall, { detail: `${name} is ${String(value)} and must be a ${expected}` });
    }
    const result = this.stack.core.subflowSet(handle, id, key, BigInt(plain));
    if (result < 0) throw failure(result, syscall, id, `${name} cannot be ${plain}`);
    this.stack.schedule();
  }

  /** Announces an address to the peer (ADD_ADDR), again until it is echoed. Returns its id. @throws MptcpError EADDRINUSE. */
  announceAddress(options: AnnounceOptions): number {
    const syscall = 'announceAddress';
    const handle = this.#connected(syscall);
    const address = requireAddress(options.address, syscall);
    const port = number(options.port, 0, 0, 65535, 'port', syscall);
    const id = this.stack.core.addressAnnounce(handle, address, port, number(options.id, 0, 0, 255, 'id', syscall));
    if (id < 0) throw MptcpError.fromResult(id, syscall, { address: options.address });
    this.stack.schedule();
    return id;
  }

  /** Withdraws an address id (REMOVE_ADDR): the peer closes its subflows, this side does not. */
  withdrawAddress(id: number): void {
    const syscall = 'withdrawAddress';
    const result = this.stack.core.addressWithdraw(this.#connected(syscall), number(id, 0, 0, 255, 'id', syscall));
    if (result < 0) throw failure(result, syscall, id, undefined, 'address');
    this.stack.schedule();
  }

  /** Addresses announced to the peer; none when there is no connection. */
  announcedAddresses(): PathAddress[] {
    const handle = this.connectionHandle();
    return handle === undefined ? [] : pathAddresses(this.stack.core, handle, 'local');
  }

  /** Addresses the peer announced; none when there is no connection. */
  remoteAddresses(): PathAddress[] {
    const handle = this.connectionHandle();
    return handle === undefined ? [] : pathAddresses(this.stack.core, handle, 'remote');
  }

  #connected(syscall: string): number {
    const handle = this.connectionHandle();
    if (handle !== undefined) return handle;
    throw new MptcpError('ENOTCONN', syscall, { detail: 'the socket has no connection' });
  }

  #did(result: number, syscall: string, id: number): void {
    if (result < 0) throw failure(result, syscall, id);
    this.stack.schedule();
  }
}

function failure(result: number, syscall: string, id: number, detail?: string, what = 'subflow'): MptcpError {
  const code = MptcpError.fromResult(result, syscall).code;
  if (code === 'ENXIO') return what === 'subflow' ? noSubflow(syscall, id) : noAddress(syscall, id);
  return MptcpError.fromResult(result, syscall, code === 'EINVAL' ? { detail } : {});
}

function noSubflow(syscall: string, id: number): MptcpError {
  return new MptcpError('ENXIO', syscall, { detail: `the connection has no subflow ${id}; subflows() lists them` });
}

function noAddress(syscall: string, id: number): MptcpError {
  return new MptcpError('ENXIO', syscall, {
    detail: `no address of id ${id} was announced, and no subflow has it; announcedAddresses() lists them`,
  });
}

function controllerNumber(name: unknown): number {
  if (name === 'connection') return FOLLOW;
  return Number(Object.entries(CONGESTION_NAMES).find(([, known]) => known === name)?.[0] ?? Number.NaN);
}

function optionKey(name: string, syscall: string): number {
  const entry = Object.entries(SUBFLOW_OPTION_NAMES).find(([, known]) => known === name);
  if (entry !== undefined) return Number(entry[0]);
  throw new MptcpError('EINVAL', syscall, {
    detail: `there is no option ${JSON.stringify(name)}; there are ${Object.values(SUBFLOW_OPTION_NAMES).join(', ')}`,
  });
}

function number(
  value: number | undefined,
  chosen: number,
  least: number,
  most: number,
  name: string,
  syscall: string,
): number {
  if (value === undefined) return chosen;
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new MptcpError('EINVAL', syscall, { detail: `${name} is ${String(value)} and must be ${least} to ${most}` });
}
