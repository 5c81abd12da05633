/** What runs in a worker thread: a stack that is one shard, its queues of the links, and the application module. */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { StackTarget } from '../control/stack-target.js';
import { MptcpError } from '../error.js';
import type { Link } from '../link/link.js';
import { openTun } from '../link/tun.js';
import { Stack } from '../net/stack.js';
import { Exchange } from './exchange.js';
import type { Answer, Order, WireError, WorkerCleanup, WorkerMain, WorkerSetup } from './protocol.js';

if (isMainThread || parentPort === null) {
  throw new MptcpError('EINVAL', 'startWorkers', { detail: 'this file runs only as a worker thread' });
}
const port = parentPort;
const setup = workerData as WorkerSetup;
const exchange = new Exchange(setup.channels);
const stack = new Stack({
  name: setup.name,
  memory: setup.memory,
  seed: setup.seed,
  config: { ...setup.config, shards: setup.count, shard: setup.worker },
  handOver: exchange.handOver,
});
const target = new StackTarget(stack, setup.worker);
let unsubscribe: (() => void) | undefined;
let cleanup: WorkerCleanup | undefined;

function answer(message: Answer): void {
  port.postMessage(message);
}

function wireError(error: unknown): WireError {
  if (!(error instanceof Error)) return { message: String(error), code: undefined, stack: undefined };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return { message: error.message, code, stack: error.stack };
}

function open(): void {
  stack.on('linkError', (link: Link, error: Error) =>
    answer({ type: 'linkError', link: link.name, error: wireError(error) }),
  );
  for (const { tun, addresses = [], routes = [] } of setup.links) {
    const link = openTun({ ...tun, queue: setup.worker === 0 ? 'first' : 'further' });
    try {
      stack.addLink(link, { addresses, routes });
    } catch (error) {
      link.close();
      throw error;
    }
  }
  exchange.deliverTo(stack);
  answer({ type: 'opened' });
}

async function start(): Promise<void> {
  for (const endpoint of setup.endpoints) stack.addEndpoint(endpoint);
  const loaded = (await import(setup.module)) as { default?: unknown };
  if (typeof loaded.default !== 'function') {
    const detail = `${setup.module} has no default export that is a function (stack, context)`;
    throw new MptcpError('EINVAL', 'startWorkers', { detail });
  }
  const { worker, count, data } = setup;
  const main = loaded.default as WorkerMain;
  const send = (value: unknown): void => answer({ type: 'message', value });
  cleanup = (await main(stack, { worker, count, data, send })) ?? undefined;
  answer({ type: 'started' });
}

function report(): void {
  answer({
    type: 'report',
    report: {
      worker: setup.worker,
      counters: stack.counters(),
      pools: stack.pools(),
      links: stack.links(),
      exchange: exchange.statistics(),
    },
  });
}

/** Answers a request of a control socket; orders are answered in their turn. */
function control({ method, params }: Extract<Order, { type: 'control' }>): void {
  try {
    answer({ type: 'control', result: target.request(method, params) });
  } catch (error) {
    answer({ type: 'control', error: wireError(error) });
  }
}

/** Tells the parent of events, or no more. */
function monitor({ on }: Extract<Order, { type: 'monitor' }>): void {
  unsubscribe?.();
  unsubscribe = on ? target.monitor((event) => answer({ type: 'event', event })) : undefined;
}

async function close(): Promise<void> {
  unsubscribe?.();
  try {
    await cleanup?.();
  } catch (error) {
    answer({ type: 'failed', error: wireError(error) });
  }
  stack.close();
  exchange.close();
  // The thread ends when the application left nothing behind either.
  port.close();
}

async function carryOut(order: Order): Promise<void> {
  if (order.type === 'control') control(order);
  else if (order.type === 'monitor') monitor(order);
  else await { open, start, report, close }[order.type]();
}

async function obey(order: Order): Promise<void> {
  try {
    await carryOut(order);
  } catch (error) {
    answer({ type: 'failed', error: wireError(error) });
  }
}

port.on('message', (order: Order) => void obey(order));
