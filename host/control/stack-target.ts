import { CONFIG_NAMES, CONNECTION_SETTINGS, type ConfigName, ERR_INVALID } from '../abi.js';
import { parseAddress, requireAddress } from '../address.js';
import { decodeSetting, encodeSetting } from '../config.js';
import { MptcpError } from '../error.js';
import type { MonitorEvent } from '../info.js';
import type { Endpoint, StackBase } from '../stack.js';
import { monitorView } from './monitor.js';
import { readParams } from './params.js';
import { pathRequests } from './path-requests.js';
import { ControlError, type Json, type JsonObject } from './protocol.js';
import type { ControlTarget } from './server.js';
import { connectionOf, connections, handleOfToken, listeners, PAGE, readSk, timeWaits } from './view.js';

type Request = (params: JsonObject) => unknown;

const SETTINGS = Object.values(CONFIG_NAMES);
/** What would take a stack out of its group, or the events from whoever listens to them. */
const FIXED: readonly ConfigName[] = ['shards', 'shard', 'monitor'];

/** The requests of one stack: that of a host, or one of several workers. */
export class StackTarget implements ControlTarget {
  readonly #stack: StackBase;
  readonly #worker: number;
  readonly #started = Date.now();
  /** Devices that endpoints were given by name. */
  readonly #devices = new Map<number, string>();
  /** All requests by their method. */
  readonly #methods: ReadonlyMap<string, Request>;

  constructor(stack: StackBase, worker = 0) {
    this.#stack = stack;
    this.#worker = worker;
    const paths = pathRequests(stack, (connection) => this.#handle(connection));
    this.#methods = new Map([...Object.entries(this.#requests), ...Object.entries(paths)]);
  }

  /** @throws {ControlError | MptcpError} */
  request(method: string, params: JsonObject): Json {
    if (this.#stack.closed) throw new ControlError('EBADF', `stack ${this.#stack.name} is closed`);
    const request = this.#methods.get(method);
    if (request === undefined) {
      const known = [...this.#methods.keys(), 'monitor'].sort().join(', ');
      throw new ControlError('ENOSYS', `there is no method ${JSON.stringify(method.slice(0, 80))}; there are ${known}`);
    }
    // What is asked counts from now, not from the last packet.
    this.#stack.core.time(this.#stack.clock.now());
    const result = request(params);
    this.#stack.schedule();
    return result as Json;
  }

  readonly #requests: Readonly<Record<string, Request>> = {
    hello: (params) => {
      readParams('hello', params, {});
      const { name } = this.#stack;
      return { name, pid: process.pid, workers: 1, started: this.#started };
    },
    'endpoint.add': (params) => this.#endpointAdd(params),
    'endpoint.change': (params) => this.#endpointChange(params),
    'endpoint.delete': (params) => this.#endpointDelete(params),
    'endpoint.flush': (params) => {
      readParams('endpoint.flush', params, {});
      for (const { id } of this.#stack.endpoints()) this.#remove(id);
      return {};
    },
    'endpoint.show': (params) => {
      const { id } = readParams('endpoint.show', params, { id: 'number' });
      if (id === undefined) return this.#stack.endpoints().map((endpoint) => this.#endpointView(endpoint));
      return [this.#endpointView(this.#endpoint(id))];
    },
    'limits.get': (params) => {
      readParams('limits.get', params, {});
      return {
        add_addr_accepted: this.#stack.get('limitAddAddrAccepted'),
        subflows: this.#stack.get('limitSubflows'),
      };
    },
    'limits.set': (params) => {
      const { subflows, add_addr_accepted: accepted } = readParams('limits.set', params, {
        subflows: 'number',
        add_addr_accepted: 'number',
      });
      if (subflows !== undefined) this.#stack.set('limitSubflows', subflows);
      if (accepted !== undefined) this.#stack.set('limitAddAddrAccepted', accepted);
      return {};
    },
    connections: (params) => connections(this.#stack, this.#worker, ...this.#page('connections', params)),
    listeners: (params) => listeners(this.#stack, this.#worker, ...this.#page('listeners', params)),
    timeWaits: (params) => timeWaits(this.#stack, this.#worker, ...this.#page('timeWaits', params)),
    connection: (params) => {
      const { connection } = readParams('connection', params, { connection: 'text!' });
      return connectionOf(this.#stack, this.#worker, this.#handle(connection));
    },
    counters: (params) => {
      readParams('counters', params, {});
      return this.#stack.counters();
    },
    links: (params) => {
      readParams('links', params, {});
      return this.#stack.links();
    },
    pools: (params) => {
      readParams('pools', params, {});
      return this.#stack.pools();
    },
    'settings.get': (params) => this.#settingsGet(params),
    'settings.set': (params) => this.#settingsSet(params),
  };

  monitor(listener: (event: JsonObject) => void): () => void {
    const stack = this.#stack;
    const told = (event: MonitorEvent): void => listener(monitorView(stack, event));
    stack.on('monitor', told);
    return () => stack.off('monitor', told);
  }

  #endpointAdd(params: JsonObject): JsonObject {
    const given = readParams('endpoint.add', params, {
      address: 'text!',
      id: 'number',
      port: 'number',
      dev: 'text',
      signal: 'flag',
      subflow: 'flag',
      backup: 'flag',
      fullmesh: 'flag',
    });
    const { dev, ...rest } = given;
    requireAddress(given.address, 'endpoint.add');
    const at = this.#stack.linkOf(given.address);
    if (dev !== undefined && dev !== at) {
      const where = at === undefined ? 'no device has it' : `${at} has it`;
      throw new ControlError('ENODEV', `${given.address} is no address of ${dev}: ${where}`);
    }
    const options = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
    const id = this.#refineEndpoint(given, () => this.#stack.addEndpoint({ address: given.address, ...options }));
    if (dev !== undefined) this.#devices.set(id, dev);
    return { id };
  }

  /** Says which address or id is in the way, where the core knows only that one is. */
  #refineEndpoint<T>({ address, id }: { address: string; id?: number | undefined }, act: () => T): T {
    try {
      return act();
    } catch (error) {
      if (!(error instanceof MptcpError)) throw error;
      if (error.code === 'EADDRNOTAVAIL') {
        const own = this.#stack.links().flatMap((link) => link.addresses.map((each) => `${each} (${link.name})`));
        throw new ControlError(error.code, `${address} is no address of this host; it has ${own.join(', ') || 'none'}`);
      }
      if (error.code === 'EADDRINUSE') {
        const other = this.#stack.endpoints().find((each) => each.id === id || sameAddress(address, each.address));
        const which = other === undefined ? '' : `: ${other.address} id ${other.id}`;
        throw new ControlError(error.code, `there is an endpoint of this address or id already${which}`);
      }
      if (error.code === 'ENOSPC') throw new ControlError(error.code, 'the host has as many endpoints as it can have');
      throw error;
    }
  }

  /** As `ip mptcp endpoint change`: the endpoint is named by its id, or by address and port. */
  #endpointChange(params: JsonObject): JsonObject {
    const { id, address, port, ...flags } = readParams('endpoint.change', params, {
      id: 'number',
      address: 'text',
      port: 'number',
      backup: 'flag',
      fullmesh: 'flag',
    });
    const found = this.#stack
      .endpoints()
      .find((each) =>
        id !== undefined
          ? each.id === id
          : address !== undefined && sameAddress(each.address, address) && each.port === (port ?? 0),
      );
    const named = id === undefined ? `${address}${port === undefined ? '' : ` port ${port}`}` : `id ${id}`;
    if (found === undefined) throw new ControlError('ENOENT', `there is no endpoint ${named} to change`);
    if (address !== undefined && !sameAddress(found.address, address)) {
      throw new ControlError('EINVAL', `endpoint ${found.id} has the address ${found.address}, not ${address}`);
    }
    if (flags.fullmesh === true && found.signal) {
      throw new ControlError('EINVAL', `endpoint ${found.id} is announced (signal), which fullmesh does not go with`);
    }
    const { backup = found.backup, fullmesh = found.fullmesh } = flags;
    this.#stack.changeEndpoint(found.id, { backup, fullmesh });
    return {};
  }

  #endpointDelete(params: JsonObject): JsonObject {
    const { id, address } = readParams('endpoint.delete', params, { id: 'number!', address: 'text' });
    if (id === 0) {
      const detail = 'id 0 is that of the first subflow of every connection, which no endpoint stands for';
      throw new ControlError('EOPNOTSUPP', `${detail}; close it with \`mptcp subflow close\``);
    }
    if (address !== undefined && !sameAddress(address, this.#endpoint(id).address)) {
      throw new ControlError('EINVAL', `endpoint ${id} has the address ${this.#endpoint(id).address}, not ${address}`);
    }
    this.#endpoint(id);
    this.#remove(id);
    return {};
  }

  #remove(id: number): void {
    this.#stack.removeEndpoint(id);
    this.#devices.delete(id);
  }

  #endpoint(id: number): Endpoint {
    const found = this.#stack.endpoints().find((endpoint) => endpoint.id === id);
    if (found !== undefined) return found;
    const ids = this.#stack.endpoints().map((endpoint) => endpoint.id);
    const there = ids.length === 0 ? 'there is none' : `there are ${ids.join(', ')}`;
    throw new ControlError('ENOENT', `there is no endpoint with id ${id}; ${there}`);
  }

  /** As `ip -j mptcp endpoint show` has them: flags that are not set are left out. */
  #endpointView({ address, port, id, signal, subflow, backup, fullmesh }: Endpoint): JsonObject {
    const dev = this.#devices.get(id);
    return {
      address,
      ...(port === 0 ? {} : { port }),
      id,
      ...(signal ? { signal } : {}),
      ...(subflow ? { subflow } : {}),
      ...(backup ? { backup } : {}),
      ...(fullmesh ? { fullmesh } : {}),
      ...(dev === undefined ? {} : { dev }),
    };
  }

  #page(method: string, params: JsonObject): [after: number, limit: number] {
    const { after, limit = PAGE } = readParams(method, params, { after: 'text', limit: 'number' });
    if (limit < 1 || limit > PAGE) {
      throw new ControlError('EINVAL', `${method}: limit is ${limit} and must be from 1 to ${PAGE}`);
    }
    return [after === undefined ? 0 : this.#own(after), limit];
  }

  /** The handle of a connection by its token or by what `ss -e` shows as sk. */
  #handle(connection: string): number {
    if (connection.includes(':')) return this.#own(connection);
    return handleOfToken(this.#stack, readToken(connection));
  }

  #own(sk: string): number {
    const { worker, handle } = readSk(sk);
    if (worker === this.#worker) return handle;
    throw new ControlError('ENOENT', `${sk} is a socket of worker ${worker}, and there is none of that number here`);
  }

  #settingsGet(params: JsonObject): Record<string, unknown> {
    const { names, connection } = readParams('settings.get', params, { names: 'texts', connection: 'text' });
    const handle = connection === undefined ? 0 : this.#handle(connection);
    const values: Record<string, unknown> = {};
    for (const name of names ?? (handle === 0 ? SETTINGS : CONNECTION_SETTINGS)) {
      const { key, name: known } = settingKey(name, handle);
      const value = this.#stack.core.get(handle, key);
      if (value < 0 && !negative(known, value)) throw this.#refused(value, `get ${name}`, connection);
      values[name] = decodeSetting(known, value);
    }
    return values;
  }

  #settingsSet(params: JsonObject): JsonObject {
    const { name, value, connection } = readParams('settings.set', params, {
      name: 'text!',
      value: 'value!',
      connection: 'text',
    });
    const handle = connection === undefined ? 0 : this.#handle(connection);
    const { key, name: known } = settingKey(name, handle);
    if (FIXED.includes(known)) {
      throw new ControlError('EPERM', `${name} cannot be changed while the host runs`);
    }
    const setting = encodeSetting(name, asKind(known, value));
    const result = this.#stack.core.set(handle, key, setting.value);
    if (result < 0) throw this.#refused(result, `set ${name} to ${value}`, connection);
    return {};
  }

  #refused(result: number, what: string, connection: string | undefined): Error {
    const owner =
      connection === undefined ? undefined : connectionOf(this.#stack, this.#worker, this.#handle(connection));
    if (owner !== undefined && owner.owner !== 'application') {
      const state = owner.owner === 'none' ? 'nobody accepted it yet' : 'the application has closed it';
      return new ControlError('ENOTCONN', `${what}: connection ${connection}: ${state}`);
    }
    return MptcpError.fromResult(result, what, {
      detail: result === ERR_INVALID ? 'the value is out of its range, see docs/abi.md' : undefined,
    });
  }
}

/** @throws {ControlError} EINVAL unless it is a token: up to 8 hexadecimal digits. */
export function readToken(text: string): number {
  const match = /^(?:0x)?([0-9a-f]{1,8})$/i.exec(text);
  if (match?.[1] !== undefined) return Number.parseInt(match[1], 16);
  const detail = 'a connection is named by its token (edfcb3c0), or as 0:200001 by what `mptcp ss -e` shows as sk';
  throw new ControlError('EINVAL', `${JSON.stringify(text)} is neither: ${detail}`);
}

function settingKey(name: string, handle: number): { key: number; name: ConfigName } {
  const entry = Object.entries(CONFIG_NAMES).find(([, known]) => known === name);
  if (entry === undefined) {
    throw new ControlError('EINVAL', `there is no setting ${JSON.stringify(name)}; there are ${SETTINGS.join(', ')}`);
  }
  if (handle !== 0 && !CONNECTION_SETTINGS.some((known) => known === name)) {
    const known = CONNECTION_SETTINGS.join(', ');
    throw new ControlError('EINVAL', `${name} is a setting of the whole stack; a connection has its own ${known}`);
  }
  return { key: Number(entry[0]), name: entry[1] };
}

/** Switches may be given as 0 and 1 too, numbers as text, and versions as `0,1`. */
function asKind(name: ConfigName, value: string | number | boolean): string | number | boolean | number[] {
  if (Array.isArray(decodeSetting(name, 0))) return String(value).split(',').map(Number);
  const kind = typeof decodeSetting(name, 0);
  if (kind === 'boolean') {
    const text = String(value);
    if (text === '0' || text === 'false') return false;
    if (text === '1' || text === 'true') return true;
  }
  if (kind === 'number' && typeof value === 'string' && /^-?\d{1,15}$/.test(value)) return Number(value);
  return value;
}

/** `linger` alone may be below zero: -1 waits for ever. */
function negative(name: ConfigName, value: number): boolean {
  return name === 'linger' && value === -1;
}

function sameAddress(a: string, b: string): boolean {
  const left = parseAddress(a) ?? requireAddress(a, 'endpoint.delete');
  const right = requireAddress(b, 'endpoint.delete');
  return left.hi === right.hi && left.lo === right.lo;
}
