/** The HTTP service of `mptcp serve` in one worker: its transfers and errors go to the parent. */
import { once } from 'node:events';
import { serveHttp } from '../net/http.js';
import type { Stack } from '../net/stack.js';
import type { WorkerContext } from '../workers/protocol.js';
import { createHttpService, type ServedTransfer } from './http-service.js';

/** What each worker is given. */
export interface ServeData {
  readonly port: number;
  readonly directory: string | undefined;
  readonly size: number | undefined;
}

/** What it sends. */
export type ServeMessage = { readonly transfer: ServedTransfer } | { readonly error: string };

export default async function main(stack: Stack, context: WorkerContext): Promise<void> {
  const { port, directory, size } = context.data as ServeData;
  const send = (message: ServeMessage): void => context.send(message);
  const service = createHttpService({
    directory,
    size,
    onTransfer: (transfer) => send({ transfer }),
    onError: (error) => send({ error: error.message }),
  });
  await once(serveHttp(stack, service, { port }), 'listening');
}
