import { ControlError, isObject, type Json, type JsonObject } from '../control/protocol.js';
import type { ControlTarget } from '../control/server.js';
import { readToken } from '../control/stack-target.js';
import { readSk, skOf } from '../control/view.js';
import type { WorkerGroup } from './group.js';
import type { Answer, Order } from './protocol.js';

/** What a control socket needs of a group. */
export type ControlledGroup = Pick<WorkerGroup, 'ask' | 'threads' | 'count' | 'on' | 'off'>;

/** Requests that each worker adds to, summed up. */
const SUMMED = ['counters', 'pools'];
/** Lists of which each worker has a part. */
const LISTED = ['connections', 'listeners', 'timeWaits'];
/** What is the same in every worker: the first one answers. */
const SAME = ['endpoint.show', 'limits.get'];

/** The requests of several workers that are one host: each goes to the worker that has the connection, or to all. */
export class WorkersTarget implements ControlTarget {
  readonly #group: ControlledGroup;
  readonly #started = Date.now();
  readonly #listeners = new Set<(event: JsonObject) => void>();

  constructor(group: ControlledGroup) {
    this.#group = group;
  }

  async request(method: string, params: JsonObject): Promise<Json> {
    if (method === 'hello') return this.#hello(params);
    if (SUMMED.includes(method)) return sum(await this.#all(method, params));
    if (LISTED.includes(method)) return this.#page(method, params);
    if (SAME.includes(method)) return this.#one(0, method, params);
    if (method === 'links') return (await this.#all(method, params)).flatMap((links) => links as readonly Json[]);
    if (method === 'endpoint.add') return this.#endpointAdd(params);
    const { connection } = params;
    if (typeof connection === 'string') return this.#one(this.#workerOf(connection), method, params);
    if (method === 'settings.get') return this.#one(0, method, params);
    const [first = {}] = await this.#every(method, params);
    return first;
  }

  /** Has the workers tell their events as long as anybody listens. */
  async monitor(listener: (event: JsonObject) => void): Promise<() => void> {
    this.#listeners.add(listener);
    this.#group.on('controlEvent', listener);
    this.#tell(true);
    // Orders are carried out one after the other: with this answer all events are told.
    await this.#all('hello', {});
    return () => {
      this.#group.off('controlEvent', listener);
      this.#listeners.delete(listener);
      this.#tell(false);
    };
  }

  #tell(on: boolean): void {
    if (this.#listeners.size !== (on ? 1 : 0)) return;
    for (const { worker } of this.#group.threads) worker.postMessage({ type: 'monitor', on } satisfies Order);
  }

  async #hello(params: JsonObject): Promise<Json> {
    const hello = await this.#one(0, 'hello', params);
    const name = isObject(hello) && typeof hello.name === 'string' ? hello.name.replace(/#0$/, '') : '';
    return { name, pid: process.pid, workers: this.#group.count, started: this.#started };
  }

  /** The first worker checks the endpoint and chooses its id, the others take it. */
  async #endpointAdd(params: JsonObject): Promise<Json> {
    const added = await this.#one(0, 'endpoint.add', params);
    const id = isObject(added) ? added.id : undefined;
    const done = [0];
    try {
      for (let worker = 1; worker < this.#group.count; worker++) {
        await this.#one(worker, 'endpoint.add', { ...params, id });
        done.push(worker);
      }
    } catch (error) {
      for (const worker of done) await this.#one(worker, 'endpoint.delete', { id });
      throw error;
    }
    return added;
  }

  /** A page of the list of one worker; behind its end the next worker's begins. */
  async #page(method: string, params: JsonObject): Promise<Json> {
    const { after, ...rest } = params;
    const from = typeof after === 'string' ? readSk(after) : { worker: 0, handle: 0 };
    if (from.worker >= this.#group.count) throw this.#noWorker(from.worker);
    const own = from.handle === 0 ? rest : { ...rest, after: skOf(from.worker, from.handle) };
    const page = await this.#one(from.worker, method, typeof after === 'string' || after === undefined ? own : params);
    if (!isObject(page) || page.next !== undefined || from.worker + 1 === this.#group.count) return page;
    return { ...page, next: skOf(from.worker + 1, 0) };
  }

  /** The worker that has a connection: tokens leave its number when divided by how many there are. */
  #workerOf(connection: string): number {
    const { count } = this.#group;
    const worker = connection.includes(':') ? readSk(connection).worker : readToken(connection) % count;
    if (worker >= count) throw this.#noWorker(worker);
    return worker;
  }

  #noWorker(worker: number): ControlError {
    return new ControlError('ENOENT', `there is no worker ${worker}; there are 0 to ${this.#group.count - 1}`);
  }

  /** Does the same in every worker; what the first one refuses, no other is asked. */
  async #every(method: string, params: JsonObject): Promise<Json[]> {
    const results: Json[] = [];
    for (let worker = 0; worker < this.#group.count; worker++) results.push(await this.#one(worker, method, params));
    return results;
  }

  #all(method: string, params: JsonObject): Promise<Json[]> {
    return Promise.all(this.#group.threads.map((_, worker) => this.#one(worker, method, params)));
  }

  async #one(worker: number, method: string, params: JsonObject): Promise<Json> {
    const threads = this.#group.threads.slice(worker, worker + 1);
    const [answer] = await this.#group.ask(threads, { type: 'control', method, params }, 'control');
    return resultOf(answer);
  }
}

function resultOf(answer: Answer | undefined): Json {
  if (answer?.type === 'control' && 'result' in answer) return answer.result;
  const error = answer?.type === 'control' && 'error' in answer ? answer.error : undefined;
  throw new ControlError(error?.code ?? 'EIO', error?.message ?? 'the worker gave no answer');
}

function sum(records: readonly Json[]): Json {
  const total: Record<string, number> = {};
  for (const record of records) {
    if (!isObject(record)) continue;
    for (const [name, value] of Object.entries(record)) total[name] = (total[name] ?? 0) + Number(value);
  }
  return total;
}
