/** Requests that steer the paths of one connection: subflows and announced addresses. */
import { ERR_HANDLE, ERR_INVALID, ERR_LIMIT, OPEN_BACKUP, SUBFLOW_OPTION_BACKUP } from '../abi.js';
import { addressOrAny, requireAddress } from '../address.js';
import { MptcpError } from '../error.js';
import { pathAddresses } from '../info.js';
import type { StackBase } from '../stack.js';
import { readParams } from './params.js';
import { ControlError, type JsonObject } from './protocol.js';
import { givenOption, SUBFLOW_OPTIONS, shownOption, subflowOption } from './subflow-options.js';

/** Gives a connection's handle by its token or sk. */
type Find = (connection: string) => number;
type Request = (params: JsonObject) => unknown;

/** Refuses a number out of its range. */
function within(method: string, name: string, value: number | undefined, least: number, most: number): void {
  if (value === undefined || (value >= least && value <= most)) return;
  throw new ControlError('EINVAL', `${method}: ${name} is ${value} and must be from ${least} to ${most}`);
}

export function pathRequests(stack: StackBase, find: Find): Readonly<Record<string, Request>> {
  /** What a result below zero means, for the subflow or address of an id. */
  const refused = (method: string, connection: string, result: number, what: string): Error => {
    const of = `connection ${connection}`;
    if (result === ERR_HANDLE) {
      return new ControlError('ENOTCONN', `${method}: ${of} is not in the hands of an application (any more)`);
    }
    const { code, message } = MptcpError.fromResult(result, method, { address: what });
    const words: Readonly<Record<string, string>> = {
      ENXIO: `${of} has no ${what}; \`mptcp subflow show ${connection}\` lists what it has`,
      EOPNOTSUPP: `${of} is plain TCP, or its peer has not shown yet that it has the keys`,
      EACCES: `the peer of ${of} forbids joins to its first address; give another one with "to"`,
      EADDRNOTAVAIL: `${what}: this host has no such address`,
      EADDRINUSE: `${what}: ${of} has a subflow or announcement of it already`,
      ENETUNREACH: `${what}: no link leads there`,
    };
    if (result === ERR_LIMIT) return new ControlError(code, `${of} has as many as it can have`);
    if (result === ERR_INVALID) return new ControlError(code, `${what}: an address, id or port does not fit here`);
    return new ControlError(code, words[code] ?? message);
  };
  return {
    'subflow.open': (params) => {
      const given = readParams('subflow.open', params, {
        connection: 'text!',
        local: 'text',
        localPort: 'number',
        localId: 'number',
        remote: 'text',
        remotePort: 'number',
        remoteId: 'number',
        backup: 'flag',
      });
      within('subflow.open', 'localPort', given.localPort, 0, 65_535);
      within('subflow.open', 'remotePort', given.remotePort, 0, 65_535);
      within('subflow.open', 'localId', given.localId, 0, 255);
      within('subflow.open', 'remoteId', given.remoteId, 0, 255);
      const ends = {
        local: addressOrAny(given.local, 'subflow.open'),
        localPort: given.localPort ?? 0,
        localId: given.localId ?? -1,
        remote: addressOrAny(given.remote, 'subflow.open'),
        remotePort: given.remotePort ?? 0,
        remoteId: given.remoteId ?? -1,
      };
      const id = stack.core.subflowOpen(find(given.connection), ends, given.backup === true ? OPEN_BACKUP : 0);
      const what = `subflow from ${given.local ?? 'any address'} to ${given.remote ?? 'the first address of the peer'}`;
      if (id < 0) throw refused('subflow.open', given.connection, id, what);
      return { id };
    },
    'subflow.close': (params) => {
      const { connection, subflow, reason } = readParams('subflow.close', params, {
        connection: 'text!',
        subflow: 'number!',
        reason: 'number',
      });
      within('subflow.close', 'reason', reason, 0, 6);
      const result = stack.core.subflowClose(find(connection), subflow, reason ?? 0);
      if (result < 0) throw refused('subflow.close', connection, result, `subflow ${subflow}`);
      return {};
    },
    'subflow.priority': (params) => {
      const { connection, subflow, backup } = readParams('subflow.priority', params, {
        connection: 'text!',
        subflow: 'number!',
        backup: 'flag!',
      });
      const value = backup ? 1n : 0n;
      const result = stack.core.subflowSet(find(connection), subflow, SUBFLOW_OPTION_BACKUP, value);
      if (result < 0) throw refused('subflow.priority', connection, result, `subflow ${subflow}`);
      return {};
    },
    'subflow.get': (params) => {
      const { connection, subflow, names } = readParams('subflow.get', params, {
        connection: 'text!',
        subflow: 'number!',
        names: 'texts',
      });
      const handle = find(connection);
      const values: Record<string, unknown> = {};
      for (const name of names ?? SUBFLOW_OPTIONS) {
        const { key, option } = subflowOption(name);
        const value = stack.core.subflowGet(handle, subflow, key);
        if (value < 0) throw refused('subflow.get', connection, value, `subflow ${subflow}`);
        values[name] = shownOption(option, value);
      }
      return values;
    },
    'subflow.set': (params) => {
      const { connection, subflow, name, value } = readParams('subflow.set', params, {
        connection: 'text!',
        subflow: 'number!',
        name: 'text!',
        value: 'value!',
      });
      const { key, option } = subflowOption(name);
      const result = stack.core.subflowSet(find(connection), subflow, key, givenOption(option, value));
      if (result === ERR_INVALID) {
        throw new ControlError('EINVAL', `${name} cannot be ${value}: it is out of its range, see docs/abi.md`);
      }
      if (result < 0) throw refused('subflow.set', connection, result, `subflow ${subflow}`);
      return {};
    },
    announce: (params) => {
      const { connection, address, port, id } = readParams('announce', params, {
        connection: 'text!',
        address: 'text!',
        port: 'number',
        id: 'number',
      });
      within('announce', 'port', port, 0, 65_535);
      within('announce', 'id', id, 0, 255);
      const at = requireAddress(address, 'announce');
      const result = stack.core.addressAnnounce(find(connection), at, port ?? 0, id ?? 0);
      if (result < 0) throw refused('announce', connection, result, `address ${address}`);
      return { id: result };
    },
    withdraw: (params) => {
      const { connection, id } = readParams('withdraw', params, { connection: 'text!', id: 'number!' });
      within('withdraw', 'id', id, 0, 255);
      const result = stack.core.addressWithdraw(find(connection), id);
      if (result < 0) throw refused('withdraw', connection, result, `address of id ${id}`);
      return {};
    },
    addresses: (params) => {
      const { connection } = readParams('addresses', params, { connection: 'text!' });
      const handle = find(connection);
      return {
        announced: pathAddresses(stack.core, handle, 'local'),
        remote: pathAddresses(stack.core, handle, 'remote'),
      };
    },
  };
}
