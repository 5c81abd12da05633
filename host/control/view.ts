/** What a host has, as it goes over a control socket: no keys, and numbers of 64 bits as decimal text. */
import { ERR_DONE, KIND_CONNECTION, KIND_LISTENER, KIND_TIME_WAIT } from '../abi.js';
import {
  type ConnectionInfo,
  connectionInfo,
  type ListenerInfo,
  listenerInfo,
  type SubflowInfo,
  timeWaitInfo,
} from '../info.js';
import type { StackBase } from '../stack.js';
import { ControlError } from './protocol.js';

/** Keys would let whoever reads along join the connection. */
type Secret = 'localKey' | 'remoteKey';
type Written<T> = { readonly [Name in keyof T]: T[Name] extends bigint ? string : T[Name] };

/** A subflow; `dev` is the name of its link. */
export type SubflowView = SubflowInfo & { readonly dev: string };

/** A connection. */
export interface ConnectionView extends Written<Omit<ConnectionInfo, Secret | 'subflows'>> {
  /** What names it among those of its host: the worker and the handle, as `0:200001`. */
  readonly sk: string;
  /** The peer's key is known. */
  readonly hasRemoteKey: boolean;
  readonly subflows: readonly SubflowView[];
}

export interface ListenerView extends ListenerInfo {
  readonly sk: string;
}

/** What is left in TIME-WAIT of a connection that is forgotten. */
export interface TimeWaitView extends SubflowView {
  readonly sk: string;
}

/** Some of many, and where those behind them begin; `next` is left out behind the last one. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next?: string | undefined;
}

/** How many a page may have. */
export const PAGE = 256;

/** `worker:handle`, the handle in hexadecimal. */
export function skOf(worker: number, handle: number): string {
  return `${worker}:${handle.toString(16)}`;
}

/** @throws {ControlError} EINVAL for what {@link skOf} does not write. */
export function readSk(text: string): { worker: number; handle: number } {
  const match = /^(\d{1,2}):([0-9a-f]{1,8})$/.exec(text);
  if (match === null) {
    throw new ControlError('EINVAL', `${JSON.stringify(text)} names no socket; they are written as 0:200001`);
  }
  return { worker: Number(match[1]), handle: Number.parseInt(match[2] ?? '', 16) };
}

export function connections(stack: StackBase, worker: number, after: number, limit: number): Page<ConnectionView> {
  const names = linkNames(stack);
  return page(stack, worker, KIND_CONNECTION, after, limit, (handle) => connectionView(stack, names, worker, handle));
}

export function listeners(stack: StackBase, worker: number, after: number, limit: number): Page<ListenerView> {
  return page(stack, worker, KIND_LISTENER, after, limit, (handle) => {
    const info = listenerInfo(stack.core, handle);
    return info === undefined ? undefined : { sk: skOf(worker, handle), ...info };
  });
}

export function timeWaits(stack: StackBase, worker: number, after: number, limit: number): Page<TimeWaitView> {
  const names = linkNames(stack);
  return page(stack, worker, KIND_TIME_WAIT, after, limit, (handle) => {
    const info = timeWaitInfo(stack.core, handle);
    return info === undefined ? undefined : { sk: skOf(worker, handle), ...subflowView(names, info) };
  });
}

/** The connection of a handle; undefined when there is none any more. */
export function connectionOf(stack: StackBase, worker: number, handle: number): ConnectionView | undefined {
  return connectionView(stack, linkNames(stack), worker, handle);
}

/** The handle of the connection with a local token; undefined when none has it. */
export function findToken({ core }: StackBase, token: number): number | undefined {
  for (let at = core.next(KIND_CONNECTION, 0); at !== ERR_DONE; at = core.next(KIND_CONNECTION, at)) {
    const record = core.connectionInfo(at);
    if (record !== undefined && record.localKey !== 0n && record.localToken === token) return at;
  }
  return undefined;
}

/** As {@link findToken}. @throws {ControlError} ENOENT. */
export function handleOfToken(stack: StackBase, token: number): number {
  const handle = findToken(stack, token);
  if (handle !== undefined) return handle;
  const text = token.toString(16).padStart(8, '0');
  throw new ControlError('ENOENT', `no connection has the token ${text}; \`mptcp ss -M -i\` shows those there are`);
}

function page<T>(
  stack: StackBase,
  worker: number,
  kind: number,
  after: number,
  limit: number,
  view: (handle: number) => T | undefined,
): Page<T> {
  const items: T[] = [];
  let at = after;
  while (items.length < limit) {
    const next = stack.core.next(kind, at);
    if (next === ERR_DONE) return { items };
    at = next;
    const item = view(at);
    if (item !== undefined) items.push(item);
  }
  return { items, next: skOf(worker, at) };
}

function connectionView(
  stack: StackBase,
  names: ReadonlyMap<number, string>,
  worker: number,
  handle: number,
): ConnectionView | undefined {
  const info = connectionInfo(stack.core, handle);
  if (info === undefined) return undefined;
  const { localKey: _own, remoteKey, subflows, ...shown } = info;
  const written: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(shown)) written[name] = typeof value === 'bigint' ? `${value}` : value;
  return {
    ...(written as unknown as Written<typeof shown>),
    sk: skOf(worker, handle),
    hasRemoteKey: remoteKey !== 0n,
    subflows: subflows.map((subflow) => subflowView(names, subflow)),
  };
}

function subflowView(names: ReadonlyMap<number, string>, subflow: SubflowInfo): SubflowView {
  return { ...subflow, dev: names.get(subflow.link) ?? '' };
}

function linkNames(stack: StackBase): ReadonlyMap<number, string> {
  return new Map(stack.links().map(({ number, name }) => [number, name]));
}
