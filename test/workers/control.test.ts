/** The control socket of a host of several workers. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { ControlClient } from '../../host/control/client.js';
import type { JsonObject } from '../../host/control/protocol.js';
import { startWorkers, type WorkerGroup } from '../../host/workers/group.js';

const OBEDIENT = new URL('./modules/obedient.mjs', import.meta.url);
const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function open(count: number): Promise<{ group: WorkerGroup; host: ControlClient }> {
  const folder = mkdtempSync(join(tmpdir(), 'workers-'));
  closing.push(() => rmSync(folder, { recursive: true }));
  const group = await startWorkers({ count, module: OBEDIENT, data: {}, memory: 8 << 20, name: 'host' });
  closing.push(() => group.close());
  const control = await group.control(join(folder, 'host.sock'));
  const host = await ControlClient.connect(control.path);
  closing.push(() => host.close());
  return { group, host };
}

it('answers for all workers: sums, lists one behind the other, and changes every one', async () => {
  const { host } = await open(3);
  expect(await host.request('hello')).toMatchObject({ name: 'host', pid: process.pid, workers: 3 });
  const skOf = (page: unknown): string[] => (page as { items: { sk: string }[] }).items.map(({ sk }) => sk.slice(0, 2));
  const first = (await host.request('listeners', { limit: 1 })) as JsonObject;
  expect(skOf(first)).toEqual(['0:']);
  const found: string[] = [];
  for (let after: string | undefined; ; ) {
    const page = (await host.request('listeners', after === undefined ? {} : { after })) as JsonObject;
    found.push(...skOf(page));
    if (page.next === undefined) break;
    after = String(page.next);
  }
  expect(found).toEqual(['0:', '1:', '2:']);
  expect(await host.request('pools')).toMatchObject({ listeners: 3 });
  expect(await host.request('counters')).toMatchObject({ packetsIn: 0 });
  expect(await host.request('links')).toEqual([]);

  await host.request('limits.set', { subflows: 7 });
  await host.request('settings.set', { name: 'retries', value: 9 });
  expect(await host.request('limits.get')).toMatchObject({ subflows: 7 });
  expect(await host.request('settings.get', { names: ['retries'] })).toEqual({ retries: 9 });
  await expect(host.request('settings.set', { name: 'shard', value: 0 })).rejects.toMatchObject({ code: 'EPERM' });
  await expect(host.request('listeners', { after: '3:0' })).rejects.toMatchObject({
    code: 'ENOENT',
    message: 'there is no worker 3; there are 0 to 2',
  });
  await expect(host.request('listeners', { after: 7 })).rejects.toMatchObject({ code: 'EINVAL' });
  await expect(host.request('nosuch')).rejects.toMatchObject({ code: 'ENOSYS' });
  // A token tells whose connection it would be; that worker has none.
  for (const connection of ['0', '1', '2', 'ffffffff']) {
    await expect(host.request('connection', { connection })).rejects.toMatchObject({ code: 'ENOENT' });
  }
  await expect(host.request('endpoint.add', { address: '10.0.0.1' })).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' });
  expect(await host.request('endpoint.show')).toEqual([]);
});

it('asks several things at once of all workers, and ends with them', async () => {
  const { group, host } = await open(2);
  const asked = Array.from({ length: 50 }, (_, n) =>
    n % 2 === 0 ? host.request('pools') : host.request('settings.get', { names: ['shard'] }),
  );
  const [reports, ...answers] = await Promise.all([group.workers(), ...asked]);
  expect(reports).toHaveLength(2);
  expect(answers[0]).toMatchObject({ listeners: 2 });
  expect(answers[1]).toEqual({ shard: 0 });
  const late = once(group, 'close');
  await group.close();
  await late;
  await expect(host.request('hello')).rejects.toMatchObject({ code: 'EPIPE' });
});
