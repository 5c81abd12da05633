/** The commands beside the originals of iproute2: a host over TUN devices, and the kernel at the other end of them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it, type TestContext } from 'vitest';
import { command, NetworkNamespace } from '../../host/netns.js';
import { needsTun } from './privilege.js';

const MAIN = fileURLToPath(new URL('../../build/host/cli/main.js', import.meta.url));
const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Skips where the originals are not installed. */
async function needsOriginals(context: TestContext): Promise<void> {
  needsTun(context);
  for (const [program, ...args] of [
    ['ip', '-V'],
    ['ss', '-V'],
    ['nstat', '-V'],
  ] as const) {
    const missing = await command(program, ...args).then(
      () => undefined,
      (error: unknown) => `${program} of iproute2 cannot be run: ${error}`,
    );
    if (missing === undefined) continue;
    if (process.env.CI === 'true') throw new Error(`this test must run in CI, but ${missing}`);
    context.skip(missing);
  }
}

function start(
  program: string,
  ...args: string[]
): {
  child: ChildProcess;
  text(): string;
  says(text: string): Promise<void>;
} {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (more: string) => {
      text += more;
    });
  }
  closing.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'close');
  });
  const says = async (wanted: string): Promise<void> => {
    while (!text.includes(wanted)) {
      if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}: ${text}`);
      await Promise.race([once(child, 'close'), once(child.stdout ?? child, 'data')]);
    }
  };
  return { child, says, text: () => text };
}

/** A host in a namespace of its own, with its control socket. */
async function serve(name: string, ...more: string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'originals-'));
  closing.push(() => rmSync(folder, { recursive: true }));
  const socket = join(folder, 'host.sock');
  const paths = ['--tun', 'path0=10.77.1.2/24', '--tun', 'path1=10.77.2.2/24,fd77:2::2/64'];
  const options = ['--netns', name, '--setup', '--port', '80', '--memory', '64M', '--control', socket, ...more];
  const host = start(process.execPath, MAIN, 'serve', ...paths, ...options);
  await host.says('path1: ');
  const mptcp = (...args: string[]) => command(process.execPath, MAIN, ...args, '--control', socket);
  return { mptcp, inside: NetworkNamespace.existing(name), host, socket };
}

it('endpoints and limits print as those of ip mptcp', { timeout: 90_000 }, async (context) => {
  await needsOriginals(context);
  const { mptcp, inside } = await serve(`mptcp-test-${process.pid}-orig`);
  const ip = (...args: string[]) => inside.exec('ip', ...args);
  const kernelName: Record<string, string> = {
    '10.77.1.1': '10.77.1.2',
    '10.77.2.1': '10.77.2.2',
    'fd77:2::1': 'fd77:2::2',
  };
  const ours = (text: string): string =>
    text.replace(/10\.77\.\d\.1|fd77:2::1/g, (address) => kernelName[address] ?? '');
  await mptcp('endpoint', 'flush');
  await ip('mptcp', 'endpoint', 'flush');
  for (const endpoint of [
    'ADDR0 id 5 signal port 8080',
    'ADDR1 dev path1 subflow backup fullmesh',
    'ADDR2 id 9 subflow',
  ]) {
    const of = (addresses: readonly string[]): string[] =>
      endpoint.replace(/ADDR(\d)/, (_, index) => addresses[Number(index)] ?? '').split(' ');
    await ip('mptcp', 'endpoint', 'add', ...of(['10.77.1.1', '10.77.2.1', 'fd77:2::1']));
    await mptcp('endpoint', 'add', ...of(['10.77.1.2', '10.77.2.2', 'fd77:2::2']));
  }
  // Where the kernel chose the id, ours chose one by itself too.
  const chosen = (text: string): string => text.replace(/(10\.77\.2\.2"?,? ?"?id"?:? ?)\d+/g, '$1N');
  const [theirs, mine] = [await ip('mptcp', 'endpoint', 'show'), await mptcp('endpoint', 'show')];
  const sorted = (text: string): string[] => chosen(text).split('\n').sort();
  expect(sorted(mine)).toEqual(sorted(ours(theirs)));
  expect(await mptcp('endpoint', 'show', 'id', '9')).toBe(ours(await ip('mptcp', 'endpoint', 'show', 'id', '9')));
  expect(await mptcp('-j', 'endpoint', 'show', 'id', '5')).toBe(
    ours(await ip('-j', 'mptcp', 'endpoint', 'show', 'id', '5')),
  );
  await ip('mptcp', 'limits', 'set', 'subflow', '3', 'add_addr_accepted', '1');
  await mptcp('limits', 'set', 'subflow', '3', 'add_addr_accepted', '1');
  expect(await mptcp('limits', 'show')).toBe(await ip('mptcp', 'limits', 'show'));
  await mptcp('endpoint', 'delete', 'id', '5');
  await ip('mptcp', 'endpoint', 'delete', 'id', '5');
  expect(sorted(await mptcp('endpoint'))).toEqual(sorted(ours(await ip('mptcp', 'endpoint'))));
});

it('nstat and ss have the names and the order of the originals, for the same connection', {
  timeout: 90_000,
}, async (context) => {
  await needsOriginals(context);
  const { mptcp, inside } = await serve(`mptcp-test-${process.pid}-same`);
  const client = start(
    'ip',
    ...inside.inside(
      'mptcpize',
      'run',
      'curl',
      '-sS',
      '--limit-rate',
      '200k',
      '-o',
      '/dev/null',
      'http://10.77.1.2/bytes/128M',
    ),
  );
  await expect
    .poll(async () => (await mptcp('ss', '-tn', '-H')).trimEnd().split('\n').length, { timeout: 15_000 })
    .toBeGreaterThanOrEqual(2);

  // nstat: the kernel's MPTcpExt, all and in its order, in lines of the same form.
  const lines = (text: string): string[] => text.split('\n').filter((line) => line.startsWith('MPTcpExt'));
  const name = (line: string): string => line.split(/\s+/)[0] ?? '';
  const theirs = lines(await inside.exec('nstat', '-asz'));
  const ours = lines(await mptcp('nstat', '-asz'));
  const known = new Set(theirs.map(name));
  expect(ours.map(name).filter((each) => known.has(each))).toEqual(theirs.map(name));
  const form = (line: string | undefined): string | undefined => line?.replace(/\d/g, '0');
  expect(form(ours.find((line) => / 0 /.test(line))?.slice(32))).toBe(
    form(theirs.find((line) => / 0 /.test(line))?.slice(32)),
  );
  const json = (text: string): string[] => Object.keys((JSON.parse(text) as { kernel: object }).kernel);
  const pattern = 'MPTcpExtMPJoin*';
  expect(json(await mptcp('nstat', '-aszj', pattern))).toEqual(json(await inside.exec('nstat', '-aszj', pattern)));

  // ss: the same pairs of ends, seen from the other side, and the fields of each line in the same order.
  const rows = (text: string): string[] => text.trimEnd().split('\n');
  const ends = (line: string): string[] =>
    (line.match(/[\d.]+(?:%\w+)?:\d+/g) ?? []).map((end) => end.replace(/%\w+/, ''));
  const pairs = (text: string): string[] =>
    rows(text)
      .map((line) => ends(line).join(' '))
      .sort();
  const mirrored = (text: string): string[] =>
    rows(text)
      .map((line) => ends(line).reverse().join(' '))
      .sort();
  expect(pairs(await mptcp('ss', '-tn', '-H'))).toEqual(mirrored(await inside.exec('ss', '-tnH')));
  expect(pairs(await mptcp('ss', '-Mn', '-H'))).toEqual(mirrored(await inside.exec('ss', '-MnH')));
  // Filters: what ours says of its end and of the peer's, the kernel says of the peer's and of its own.
  const swapped: Record<string, string> = { src: 'dst', dst: 'src', sport: 'dport', dport: 'sport' };
  for (const filter of [
    'sport = :80',
    'sport = http',
    'sport != :80',
    'dport gt :1024 and src 10.77.1.0/24',
    'src 10.77.2.2',
    'dst 10.77.0.0/16:80',
    'src *:80',
    'not src 10.77.2.0/24',
    'not src 10.77.2.0/24 or not src 10.77.1.0/24 dport = :1',
    'dport = :1 src 10.77.1.2 or sport = :80',
    'sport = :80 or src 10.77.1.2 and dport = :1',
    'sport = :80 or ( src 10.77.1.2 and dport = :1 )',
    '( src 10.77.1.2 or src 10.77.2.2 ) and sport >= 80 && sport le :80',
  ]) {
    const other = filter.replace(/\b(src|dst|sport|dport)\b/g, (name) => swapped[name] ?? name);
    // With -M the original knows no names of services.
    for (const kind of filter.includes('http') ? ['-tn'] : ['-tn', '-Mn']) {
      const mine = pairs(await mptcp('ss', kind, '-H', 'state', 'established', filter));
      expect([kind, filter, mine]).toEqual([
        kind,
        filter,
        mirrored(await inside.exec('ss', `${kind}H`, 'state', 'established', other)),
      ]);
    }
  }
  const columns = (text: string): string[] => (rows(text)[0] ?? '').replace('Process', ' Process').split(/\s{1,}/);
  expect(columns(await mptcp('ss', '-tanM'))).toEqual(
    columns(await inside.exec('ss', '-tanM')).filter((each) => each !== ''),
  );

  for (const kind of ['-tnieHO', '-MniHO']) {
    const fields = (text: string): string[][] =>
      rows(text).map((line) =>
        line
          .split(' ')
          .flatMap(
            (word) =>
              /^([a-z_]+):\S/.exec(word)?.[1] ??
              /^(send|pacing_rate|delivery_rate|ts|sack|tcp-ulp-mptcp|remote_key)$/.exec(word)?.[1] ??
              [],
          ),
      );
    const kernel = fields(await inside.exec('ss', kind)).reduce((a, b) => (a.length > b.length ? a : b));
    for (const line of fields(await mptcp('ss', kind.replace('HO', ''), '-H', '-O'))) {
      const both = line.filter((field) => kernel.includes(field));
      expect(both).toEqual(kernel.filter((field) => line.includes(field)));
      expect([kind, both.length > 3]).toEqual([kind, true]);
    }
  }
  client.child.kill('SIGKILL');
  await once(client.child, 'close');
});

it('monitor tells the events of the original, with its fields', { timeout: 90_000 }, async (context) => {
  await needsOriginals(context);
  const { mptcp, inside, socket } = await serve(`mptcp-test-${process.pid}-mon`);
  const kernel = start('ip', ...inside.inside('ip', 'mptcp', 'monitor'));
  const ours = start(process.execPath, MAIN, 'monitor', '--control', socket);
  // Neither says when it begins: a connection that both tell does.
  const url = 'http://10.77.1.2/bytes/2M';
  const fetch = (): Promise<string> =>
    inside.exec('mptcpize', 'run', 'curl', '-sS', '--limit-rate', '2M', '-o', '/dev/null', url);
  await expect
    .poll(
      async () => {
        await fetch();
        return ours.text().includes('CLOSED]') && kernel.text().includes('CLOSED]');
      },
      { timeout: 30_000 },
    )
    .toBe(true);
  await mptcp('endpoint', 'change', 'id', '1', 'backup');
  await fetch();
  await expect.poll(() => ours.text().match(/ CLOSED\]/g)?.length).toBeGreaterThanOrEqual(2);
  await expect.poll(() => kernel.text().match(/ CLOSED\]/g)?.length).toBeGreaterThanOrEqual(2);
  /** The fields of each kind of event, but for those that depend on the side, or on how the subflow was bound. */
  const forms = (text: string): Map<string, string> => {
    const found = new Map<string, string>();
    for (const [, event = '', rest = ''] of text.matchAll(/^\[ *(\w+)\] ?(.*)$/gm)) {
      const names = rest.split(' ').map((field) => field.split('=')[0] ?? '');
      const common = names.filter((name) => !['flags', 'ifindex', 'dev', 'error', 'reset_reason'].includes(name));
      found.set(event, common.join(' '));
    }
    return found;
  };
  const [theirs, own] = [forms(kernel.text()), forms(ours.text())];
  const both = [...own.keys()].filter((event) => theirs.has(event));
  expect(both).toEqual(expect.arrayContaining(['CREATED', 'ESTABLISHED', 'SF_ESTABLISHED', 'CLOSED']));
  expect(both.map((event) => [event, own.get(event)])).toEqual(both.map((event) => [event, theirs.get(event)]));
});

it('covers all workers of a host', { timeout: 90_000 }, async (context) => {
  await needsOriginals(context);
  const name = `mptcp-test-${process.pid}-ctlw`;
  const { mptcp, inside } = await serve(name, '--workers', '2');
  const clients = Array.from({ length: 8 }, () =>
    start(
      'ip',
      ...inside.inside(
        'mptcpize',
        'run',
        'curl',
        '-sS',
        '--limit-rate',
        '100k',
        '-o',
        '/dev/null',
        'http://10.77.1.2/bytes/128M',
      ),
    ),
  );
  const connections = async (): Promise<{ sk: string; detail: { localToken: number } }[]> =>
    JSON.parse(await mptcp('ss', '-M', '-j', 'state', 'established'));
  await expect.poll(async () => (await connections()).length, { timeout: 15_000 }).toBe(8);
  const workers = new Set((await connections()).map(({ sk }) => sk.split(':')[0]));
  // The kernel spreads by a hash: all of eight in one worker has a chance of 1 in 128, so both are seen by listeners.
  const listeners = JSON.parse(await mptcp('ss', '-t', '-l', '-j')) as { sk: string }[];
  expect(listeners.map(({ sk }) => sk.split(':')[0])).toEqual(['0', '1']);
  expect([...workers].every((worker) => worker === '0' || worker === '1')).toBe(true);
  for (const { detail } of (await connections()).slice(0, 2)) {
    const token = detail.localToken.toString(16);
    await mptcp('set', 'congestion', 'cubic', '-c', token);
    expect(await mptcp('get', 'congestion', '-c', token)).toBe('congestion cubic\n');
  }
  await mptcp('endpoint', 'delete', 'id', '1');
  await mptcp('endpoint', 'add', '10.77.1.2', 'id', '77', 'signal');
  await expect(mptcp('endpoint', 'add', '10.77.1.2', 'signal')).rejects.toThrow(/already: 10\.77\.1\.2 id 77/);
  expect(await mptcp('endpoint', 'show')).toContain('10.77.1.2 id 77 signal');
  await mptcp('limits', 'set', 'subflows', '5');
  expect(await mptcp('limits')).toContain('subflows 5 ');
  expect(await mptcp('nstat', '-as', 'MPTcpExtMPCapableSYNRX')).toMatch(/MPTcpExtMPCapableSYNRX +8 /);
  for (const { child } of clients) child.kill('SIGKILL');
});
