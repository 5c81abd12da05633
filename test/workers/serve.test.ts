import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { contentHash } from '../../host/cli/content.js';
import { command, NetworkNamespace } from '../../host/netns.js';
import type { WorkerReport } from '../../host/workers/protocol.js';
import { needsTun } from '../tun/privilege.js';

const MAIN = fileURLToPath(new URL('../../build/host/cli/main.js', import.meta.url));
const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Output of a process to its end. */
class Output {
  out = '';
  errors = '';
  readonly closed: Promise<unknown>;

  constructor(readonly child: ChildProcess) {
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.out += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text;
    });
    this.closed = once(child, 'close');
    closing.push(async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await this.closed;
    });
  }
}

function run(program: string, ...args: string[]): Output {
  return new Output(spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] }));
}

/** The service answers in the namespace; with --json it does not say so. */
async function ready(name: string): Promise<boolean> {
  const probe = run(
    'ip',
    ...NetworkNamespace.existing(name).inside('curl', '-sS', '-I', '--max-time', '5', 'http://10.77.1.2/bytes/0'),
  );
  await probe.closed;
  return probe.child.exitCode === 0;
}

/** What is in use of the pools of a worker besides its listener, in words. */
function leftInUse({ worker, pools }: WorkerReport): string[] {
  const { pages, pagesFree, pagesPools, listeners, ...counts } = pools;
  const used = Object.entries({ ...counts, listeners: listeners - 1, pages: pages - pagesFree - pagesPools });
  return used.filter(([, count]) => count !== 0).map(([name, count]) => `worker ${worker}: ${count} ${name}`);
}

/** Connections that ended are over for the stack too, ms. */
const QUIET_MS = 1500;

async function serve(name: string, ...options: string[]): Promise<{ server: Output; inside: NetworkNamespace }> {
  const paths = ['--tun', 'path0=10.77.1.2/24', '--tun', 'path1=10.77.2.2/24'];
  const more = ['--netns', name, '--setup', '--port', '80', '--memory', '64M', '--workers', '2', ...options];
  const server = run(process.execPath, MAIN, 'serve', ...paths, ...more);
  while (!(await ready(name))) {
    if (server.child.exitCode !== null) throw new Error(`ended with ${server.child.exitCode}: ${server.errors}`);
    await sleep(50);
  }
  return { server, inside: NetworkNamespace.existing(name) };
}

it.for([
  ['plain', []],
  ['with offload', ['--offload']],
] as const)(
  'two workers serve the kernel over both paths, %s',
  { timeout: 90_000 },
  async ([_name, options], context) => {
    needsTun(context);
    const size = 4 << 20;
    const clients = 20;
    const { server, inside } = await serve(`mptcp-test-${process.pid}-workers`, '--json', ...options);
    const script = `mptcpize run curl -sSf --max-time 60 http://10.77.1.2/bytes/${size} | sha256sum`;
    const fetches = Array.from({ length: clients }, () => run('ip', ...inside.inside('sh', '-c', script)));
    await Promise.all(fetches.map(({ closed }) => closed));
    const results = fetches.map(({ out, errors }) => [out.split(' ')[0], errors]);
    expect(results).toEqual(new Array(clients).fill([contentHash(size), '']));
    const joined = /MPTcpExtMPJoinSynAckRx\s+(\d+)/.exec(await inside.exec('nstat', '-asz', 'MPTcpExtMPJoinSynAckRx'));
    expect(Number(joined?.[1])).toBeGreaterThanOrEqual(clients / 2);
    await sleep(QUIET_MS);

    server.child.kill('SIGTERM');
    await server.closed;
    expect([server.child.exitCode, server.errors]).toEqual([0, '']);
    const lines = server.out.trimEnd().split('\n');
    const { workers } = JSON.parse(lines.pop() ?? '') as { workers: (WorkerReport & { transfers: number })[] };
    const transfers = lines.map((line) => JSON.parse(line) as { worker: number; multipath: boolean });
    expect(transfers.map(({ multipath }) => multipath)).toEqual(new Array(clients).fill(true));
    expect(workers.map((each) => each.transfers)).toEqual(
      [0, 1].map((number) => transfers.filter(({ worker }) => worker === number).length),
    );
    // The kernel spreads flows by their hash: that one of two queues gets none of 20 has a chance of 2 in a million, and
    // that no join comes to the queue of the other worker the same.
    const served = workers.map((each) => each.transfers);
    expect([Math.min(...served) > 0, served]).toEqual([true, served]);
    const [first, second] = workers.map(({ exchange, counters }) => ({ ...exchange, away: counters.shardAway }));
    expect((first?.handedOver ?? 0) + (second?.handedOver ?? 0)).toBeGreaterThan(0);
    expect([first?.handedOver, second?.handedOver]).toEqual([second?.takenOver, first?.takenOver]);
    expect([first, second]).toEqual([first, second].map((each) => ({ ...each, ringFull: 0, misdirected: 0 })));
    expect([first?.away, second?.away]).toEqual([first?.handedOver, second?.handedOver]);
    expect(workers.flatMap(leftInUse)).toEqual([]);
    expect(await command('ip', 'netns', 'list')).not.toContain(inside.name);
  },
);

it('two workers know a flow again that was idle for longer than the device remembers it', {
  timeout: 90_000,
}, async (context) => {
  needsTun(context);
  const size = 1 << 20;
  const { server, inside } = await serve(`mptcp-test-${process.pid}-idle`, '--json');
  const url = `http://10.77.1.2/bytes/${size}`;
  // A TUN device forgets the queue of a flow after 3 s; 15 requests a minute are one every 4 s.
  const curl = ['curl', '-sSf', '--rate', '15/m', '-w', '%{num_connects} %{size_download} ', '-o', '/dev/null'];
  const fetches = Array.from({ length: 12 }, () =>
    run('ip', ...inside.inside('mptcpize', 'run', ...curl, url, '-o', '/dev/null', url)),
  );
  await Promise.all(fetches.map(({ closed }) => closed));
  expect(fetches.map(({ out, errors }) => [out, errors])).toEqual(new Array(12).fill([`1 ${size} 0 ${size} `, '']));
  await sleep(QUIET_MS);
  server.child.kill('SIGTERM');
  await server.closed;
  expect([server.child.exitCode, server.errors]).toEqual([0, '']);
  const { workers } = JSON.parse(server.out.trimEnd().split('\n').pop() ?? '') as { workers: WorkerReport[] };
  // Of 12 joins some come to the wrong queue, and do so again after the pause: without hand-over those would be reset.
  expect(workers.reduce((sum, { exchange }) => sum + exchange.handedOver, 0)).toBeGreaterThan(0);
  expect(workers.flatMap(leftInUse)).toEqual([]);
});

it('tells why workers cannot serve, and removes what it made', async (context) => {
  needsTun(context);
  const name = `mptcp-test-${process.pid}-refused`;
  const paths = ['--tun', 'path0=10.77.1.2/24', '--tun', 'path0=10.77.2.2/24'];
  const server = run(process.execPath, MAIN, 'serve', ...paths, '--netns', name, '--setup', '--workers', '2');
  await server.closed;
  expect(server.errors).toMatch(/^mptcp: worker 0 failed: TUN link path0 in network namespace .*in use[^\n]*\n$/);
  expect([server.child.exitCode, server.out]).toEqual([1, '']);
  expect(await command('ip', 'netns', 'list')).not.toContain(name);
});

it.each(['0', '65', 'many', '-1', '1.5'])('refuses --workers=%s', async (count) => {
  const server = run(process.execPath, MAIN, 'serve', '--tun', 'path0=10.77.1.2/24', `--workers=${count}`);
  await server.closed;
  expect(server.errors).toBe(`mptcp: --workers ${count}: not a number of workers of 1 to 64\n`);
  expect(server.child.exitCode).toBe(2);
});
