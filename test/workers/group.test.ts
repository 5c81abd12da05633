import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { startWorkers, type WorkerGroup, type WorkersOptions } from '../../host/workers/group.js';

const OBEDIENT = new URL('./modules/obedient.mjs', import.meta.url);
const groups: WorkerGroup[] = [];

afterEach(async () => {
  await Promise.allSettled(groups.splice(0).map((group) => group.close()));
});

async function start(options: Partial<WorkersOptions> = {}): Promise<WorkerGroup> {
  const group = await startWorkers({ count: 2, module: OBEDIENT, data: {}, memory: 8 << 20, ...options });
  groups.push(group);
  return group;
}

describe('a group of workers', () => {
  it('has one shard in each, and adds up what they have', async () => {
    const order: string[] = [];
    const group = await start({
      count: 3,
      name: 'host',
      config: { noDelay: true },
      prepare: () => {
        order.push('prepared');
      },
    });
    order.push('started');
    const reports = await group.workers();
    expect(reports.map(({ worker, pools, links }) => [worker, pools.listeners, links.length])).toEqual([
      [0, 1, 0],
      [1, 1, 0],
      [2, 1, 0],
    ]);
    const pools = await group.pools();
    expect([pools.listeners, pools.pages]).toEqual([3, reports.reduce((total, each) => total + each.pools.pages, 0)]);
    expect((await group.counters()).shardAway).toBe(0);
    expect(reports[0]?.exchange).toEqual({ handedOver: 0, ringFull: 0, takenOver: 0, misdirected: 0 });
    expect([group.count, order]).toEqual([3, ['prepared', 'started']]);
    const closed = once(group, 'close');
    await Promise.all([group.close(), group.close()]);
    await closed;
    await expect(group.workers()).rejects.toMatchObject({ code: 'EBADF' });
  });

  it('tells each worker its number and passes on what it says', async () => {
    const messages: unknown[] = [];
    const onMessage = (worker: number, value: unknown): unknown => messages.push([worker, value]);
    const group = await start({ name: 'host', onMessage });
    const begin = (worker: number): unknown => [
      worker,
      { worker, count: 2, shards: 2, shard: worker, name: `host#${worker}` },
    ];
    expect(messages).toHaveLength(2);
    expect(messages).toEqual(expect.arrayContaining([begin(0), begin(1)]));
    messages.length = 0;
    await group.close();
    expect(messages).toHaveLength(2);
    expect(messages).toEqual(expect.arrayContaining([0, 1].map((worker) => [worker, { worker, bye: true }])));
  });

  it('says why a worker could not start, and leaves none behind', async () => {
    await expect(start({ data: { failAt: 1 } })).rejects.toMatchObject({
      name: 'WorkerError',
      worker: 1,
      code: 'EBEGIN',
      message: 'worker 1 failed: cannot begin',
    });
    const exportless = new URL('./modules/exportless.mjs', import.meta.url);
    await expect(start({ module: exportless })).rejects.toThrow(/exportless\.mjs has no default export/);
    const missing = new URL('./modules/missing.mjs', import.meta.url);
    await expect(start({ module: missing })).rejects.toMatchObject({ code: 'ERR_MODULE_NOT_FOUND' });
    await expect(start({ memory: 1 })).rejects.toMatchObject({ code: 'EINVAL' });
    const prepare = (): never => {
      throw new Error('not prepared');
    };
    await expect(start({ prepare })).rejects.toThrow('not prepared');
  });

  it.each([
    [{ throwAt: 1 }, /worker 1 failed: .*there is no setting "noSuchSetting"/],
    [{ exitAt: 0 }, /worker 0 failed: the thread ended with exit code 7/],
  ])('ends all workers when one fails: %j', async (data, message) => {
    const group = await start({ data });
    const [[error]] = await Promise.all([
      new Promise<unknown[]>((resolve) => group.once('error', (...details) => resolve(details))),
      new Promise((resolve) => group.once('close', resolve)),
    ]);
    expect(String(error)).toMatch(message);
    await expect(group.workers()).rejects.toThrow(message);
  });

  it('says what went wrong at the end', async () => {
    const failing = await start({ data: { failCloseAt: 1 } });
    await expect(failing.close()).rejects.toThrow('worker 1 failed: cannot end');
    const lingering = await start({ data: { linger: 0 } });
    await expect(lingering.close()).rejects.toThrow(/worker 0 failed: it did not end within 5000 ms/);
  });

  it('explains options out of range', async () => {
    for (const count of [0, 65, 1.5, Number.NaN]) {
      await expect(start({ count })).rejects.toThrow(/the number of workers is .* and must be from 1 to 64/);
    }
    await expect(start({ seed: new Uint8Array(31) })).rejects.toThrow(/the seed has 31 bytes/);
    await expect(start({ ringBytes: 1000 })).rejects.toThrow(/a ring of 1000 bytes/);
  });
});
