import type { ControlServer } from '../control/server.js';
import type { NetworkNamespace } from '../netns.js';
import { WorkersTarget } from '../workers/control.js';
import { startWorkers, type WorkerGroup } from '../workers/group.js';
import { UsageError } from './arguments.js';
import { openHostControl } from './host-control.js';
import {
  deviceOptions,
  pathEndpoints,
  planTun,
  prepareKernel,
  setUpNamespace,
  TUN_CONFIG,
  type TunPath,
  type TunValues,
} from './tun-options.js';

/** Workers over TUN devices, and what was set up for them. */
export interface TunWorkers {
  group: WorkerGroup;
  paths: readonly TunPath[];
  namespace: NetworkNamespace | undefined;
  /** Ends the workers and removes what `--setup` made. */
  close(): Promise<void>;
}

/** What the workers of a command run. */
export interface WorkerProgram {
  module: URL;
  data: unknown;
  onMessage: (worker: number, value: unknown) => void;
}

const WORKERS_MAX = 64;

/** @throws {UsageError} unless `text` is a number of workers. */
export function parseWorkers(text: string): number {
  const count = /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  if (!(count >= 1 && count <= WORKERS_MAX)) {
    throw new UsageError(`--workers ${text}: not a number of workers of 1 to ${WORKERS_MAX}`);
  }
  return count;
}

/**
 * Opens a queue of every device, and a stack over them, in each of `count` threads; an endpoint for every address.
 * @throws {UsageError | WorkerError | CommandError}
 */
export async function openTunWorkers(
  name: string,
  role: 'signal' | 'subflow',
  values: TunValues,
  count: number,
  program: WorkerProgram,
): Promise<TunWorkers> {
  const plan = planTun(values);
  const { paths, memory } = plan;
  const namespace = await setUpNamespace(plan);
  try {
    const group = await startWorkers({
      ...program,
      name,
      count,
      memory,
      config: TUN_CONFIG,
      links: paths.map((path) => ({ tun: deviceOptions(plan, path), addresses: path.addresses })),
      endpoints: pathEndpoints(plan, role),
      prepare: () => (namespace === undefined ? undefined : prepareKernel(namespace, paths)),
    });
    group.on('linkError', (worker: number, link: string, error: Error) =>
      console.error(`path ${link} is lost to worker ${worker}: ${error.message}`),
    );
    let control: ControlServer | undefined;
    const close = async (): Promise<void> => {
      try {
        await control?.close();
        await group.close();
      } finally {
        await namespace?.remove();
      }
    };
    try {
      control = await openHostControl(new WorkersTarget(group), values.control);
    } catch (error) {
      await group.close();
      throw error;
    }
    return { group, paths, namespace, close };
  } catch (error) {
    await namespace?.remove();
    throw error;
  }
}
