/** The commands that ask a running host, each against simulated hosts in this process. */
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endpoint } from '../../host/cli/endpoint.js';
import { get } from '../../host/cli/get.js';
import { limits } from '../../host/cli/limits.js';
import { nstat } from '../../host/cli/nstat.js';
import { fits } from '../../host/cli/nstat-names.js';
import { set } from '../../host/cli/settings.js';
import { ss } from '../../host/cli/ss.js';
import { ControlClient } from '../../host/control/client.js';
import { openControl } from '../../host/control/open.js';
import type { Server } from '../../host/net/server.js';
import type { Socket } from '../../host/net/socket.js';
import { seconds } from '../../host/sim/network.js';
import { expectReleased, listen, makePair, readAll, SERVER } from '../net/pair.js';
import { runCommand } from './run-command.js';

let folder = '';
let runtime: string | undefined;
const closing: (() => unknown)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'commands-'));
  runtime = process.env.XDG_RUNTIME_DIR;
  // Hosts of others who test at the same time are not this test's.
  process.env.XDG_RUNTIME_DIR = folder;
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  if (runtime === undefined) delete process.env.XDG_RUNTIME_DIR;
  else process.env.XDG_RUNTIME_DIR = runtime;
  rmSync(folder, { recursive: true });
});

/** Two simulated hosts, each with a control socket; the paths of both. */
async function open(options: Parameters<typeof makePair>[0] = {}) {
  const pair = makePair(options);
  closing.push(() => pair.network.close());
  const at = { client: join(folder, 'client.sock'), server: join(folder, 'server.sock') };
  for (const name of ['client', 'server'] as const) {
    const control = await openControl(pair[name], at[name]);
    closing.push(() => control.close());
  }
  return { pair, at };
}

describe('mptcp endpoint', () => {
  it('adds, shows, deletes and flushes', async () => {
    const { pair, at } = await open({ paths: 3 });
    const run = (...args: string[]) => runCommand(endpoint, ...args, '--control', at.client);
    expect(await run('show')).toEqual({ code: 0, out: '10.0.2.2 id 1 subflow \n10.0.3.2 id 2 subflow \n', error: '' });
    expect(await run('add', '10.0.1.2', 'id', '9', 'port', '8080', 'signal', 'dev', 'path1')).toMatchObject({
      code: 0,
    });
    expect((await run('show')).out).toContain('10.0.1.2 port 8080 id 9 signal dev path1 \n');
    expect((await run('show', 'id', '9', '-j')).out).toBe(
      '[{"address":"10.0.1.2","port":8080,"id":9,"signal":true,"dev":"path1"}]\n',
    );
    expect(JSON.parse((await run('-j', '-p')).out)).toHaveLength(3);
    expect(pair.client.endpoints().find(({ id }) => id === 9)).toMatchObject({ port: 8080, signal: true });
    expect(await run('delete', 'id', '1')).toMatchObject({ code: 0, out: '' });
    expect((await run('s')).out).not.toContain('10.0.2.2');
    expect(await run('add', '10.0.2.2', 'backup', 'fullmesh', 'subflow')).toMatchObject({ code: 0 });
    expect((await run()).out).toMatch(/^10\.0\.2\.2 id \d+ subflow backup fullmesh $/m);
    expect(await run('flush')).toMatchObject({ code: 0 });
    expect(await run('show')).toEqual({ code: 0, out: '', error: '' });
    expect((await run('show', '-j')).out).toBe('[]\n');
    expect(pair.client.endpoints()).toEqual([]);
  });

  it.each([
    [['add', '10.9.9.9'], 1, /^10\.9\.9\.9 is no address of this host; it has 10\.0\.1\.2\/24 \(path1\), 10\.0\.2\.2/],
    [['add', '10.0.2.2'], 1, /^there is an endpoint of this address or id already: 10\.0\.2\.2 id 1$/],
    [['add', '10.0.1.2', 'id', '1'], 1, /^there is an endpoint of this address or id already: 10\.0\.2\.2 id 1$/],
    [['add', '10.0.1.2', 'dev', 'path2'], 1, /^10\.0\.1\.2 is no address of path2: path1 has it$/],
    [['delete', 'id', '77'], 1, /^there is no endpoint with id 77; there are 1$/],
    [['delete', 'id', '0', '10.0.1.2'], 1, /close it with `mptcp subflow close`/],
    [['show', 'id', '77'], 1, /^there is no endpoint with id 77/],
    [['add'], 2, /^endpoint add: the ADDRESS is missing; mptcp help endpoint tells/],
    [['add', 'bad'], 2, /^endpoint add: "bad" is neither an IP address nor a keyword$/],
    [['add', '10.0.1.2', 'id', '256'], 2, /^endpoint add: id 256 is not a number of 0 to 255$/],
    [['add', '10.0.1.2', 'id', '0'], 2, /^endpoint add: id 0/],
    [['add', '10.0.1.2', 'id'], 2, /^endpoint add: "id" wants something behind it/],
    [['add', '10.0.1.2', 'port', '65536', 'signal'], 2, /^endpoint add: port 65536/],
    [['add', '10.0.1.2', 'port', '80'], 2, /^endpoint add: flags must have signal when using port$/],
    [['add', '10.0.1.2', 'signal', 'fullmesh'], 2, /mustn't have both signal and fullmesh/],
    [['add', '10.0.1.2', 'nobackup'], 2, /nobackup is for "endpoint change"/],
    [['delete'], 2, /^endpoint delete: the ID is missing/],
    [['delete', 'id', '1', '10.0.2.2'], 2, /give no address with an id other than 0/],
    [['change', 'id', '1'], 2, /what shall change/],
    [['change', 'backup'], 2, /the ID or the ADDRESS is missing/],
    [['change', 'id', '1', 'signal'], 2, /signal stays as it is, backup and fullmesh only/],
    [['change', 'id', '1', 'backup', 'nobackup'], 2, /backup and nobackup: give one of them/],
    [['change', 'id', '1', 'port', '5', 'backup'], 2, /port can't be used with id/],
    [['show', '10.0.1.2'], 2, /"10\.0\.1\.2" is not understood here/],
    [['flush', 'all'], 2, /"all" is not understood here/],
    [['bogus'], 2, /^endpoint: "bogus" is none of add, delete, change, flush, show; mptcp help endpoint/],
  ])('says what is wrong with %j', async (args, code, message) => {
    const { pair, at } = await open({ paths: 2 });
    const before = pair.client.endpoints();
    const ran = await runCommand(endpoint, ...args, '--control', at.client);
    expect(ran).toEqual({ code, out: '', error: expect.stringMatching(message) });
    expect(pair.client.endpoints()).toEqual(before);
  });
});

describe('mptcp limits', () => {
  it('sets and shows', async () => {
    const { pair, at } = await open();
    const run = (...args: string[]) => runCommand(limits, ...args, '--control', at.client);
    expect(await run('show')).toEqual({ code: 0, out: 'add_addr_accepted 0 subflows 2 \n', error: '' });
    expect(await run('set', 'subflow', '8', 'add_addr_accepted', '3')).toEqual({ code: 0, out: '', error: '' });
    expect((await run()).out).toBe('add_addr_accepted 3 subflows 8 \n');
    expect((await run('show', '-j')).out).toBe('[{"add_addr_accepted":3,"subflows":8}]\n');
    expect([pair.client.get('limitSubflows'), pair.client.get('limitAddAddrAccepted')]).toEqual([8, 3]);
    expect(await run('set')).toMatchObject({ code: 0 });
    expect(await run('set', 'subflows', '32')).toMatchObject({
      code: 2,
      error: /subflows 32 is not a number of 0 to 31/,
    });
    expect(await run('set', 'bogus', '1')).toMatchObject({ code: 2, error: /"bogus" is not understood here/ });
    expect((await run()).out).toBe('add_addr_accepted 3 subflows 8 \n');
  });
});

describe('mptcp ss', () => {
  it('shows listeners, subflows and connections, and what goes on in them', async () => {
    const { pair, at } = await open({ paths: 2 });
    const { network, client, server } = pair;
    const run = (path: string, ...args: string[]) => runCommand(ss, ...args, '--control', path);
    let accepted: Socket | undefined;
    let halfOpen: Server | undefined;
    const socket = await network.run(async () => {
      halfOpen = server.createServer({ allowHalfOpen: true }, (peer) => {
        accepted = peer;
      });
      await once(halfOpen.listen(80), 'listening');
      const made = client.connect(80, SERVER);
      await once(made, 'connect');
      made.write('x'.repeat(10_000));
      await network.sleep(seconds(2));
      return made;
    });
    const own = socket.info()?.localPort;
    const [, second, third] = socket.subflows();
    expect((await run(at.server, '-tanM')).out).toBe(
      [
        'Netid State  Recv-Q Send-Q Local Address:Port Peer Address:Port  Process',
        'tcp   LISTEN 0      511                *:80              *:*',
        `tcp   ESTAB  0      0           10.0.1.1:80       10.0.1.2:${own}`,
        ...[second, third].map(
          (each) => `tcp   ESTAB  0      0           ${each?.remoteAddress}:80       10.0.2.2:${each?.localPort}`,
        ),
        'mptcp LISTEN 0      511                *:80              *:*',
        `mptcp ESTAB  0      0           10.0.1.1:80       10.0.1.2:${own}`,
        '',
      ].join('\n'),
    );
    expect((await run(at.client, '-nH')).out.split('\n').map((line) => line.split(/\s+/).slice(0, 3))).toEqual([
      ['tcp', 'ESTAB', '0'],
      ['tcp', 'ESTAB', '0'],
      ['tcp', 'ESTAB', '0'],
      ['mptcp', 'ESTAB', '0'],
      [''],
    ]);
    expect((await run(at.server, '-l', '-M', '-n', '-H')).out).toMatch(/^LISTEN 0 {6}511 +\*:80 +\*:\*\n$/);
    expect((await run(at.server, '-t', '-l', '-H')).out).toContain('*:http');
    const token = socket.info()?.localToken.toString(16);
    const info = (await run(at.client, '-Mni')).out;
    expect(info).toContain(
      '\n\t subflows:2 add_addr_accepted:1 subflows_max:8 add_addr_accepted_max:8 ' +
        `remote_key token:${token} write_seq:`,
    );
    const tcp = (await run(at.client, '-tneiHO')).out.split('\n');
    expect(tcp[0]).toMatch(
      / sk:0:\w+ subflow:1 dev:path1 ts sack lia wscale:\d+,\d+ rto:[\d.]+ rtt:[\d.]+\/[\d.]+ ato:40 mss:\d+ pmtu:1500 .*cwnd:\d+ bytes_sent:\d+ bytes_acked:\d+ .*tcp-ulp-mptcp flags:Mmec token:0000\(id:0\)\//,
    );
    expect(tcp[1]).toMatch(new RegExp(`flags:Jjec token:[0-9a-f]+\\(id:1\\)/${token}\\(id:1\\)$`));
    const json = JSON.parse((await run(at.client, '-j', '-M')).out) as { detail: Record<string, unknown> }[];
    expect(json).toHaveLength(1);
    expect(json[0]).toMatchObject({ netid: 'mptcp', state: 'ESTAB', sendQ: 0, peer: { address: SERVER, port: 80 } });
    expect(JSON.stringify(json)).not.toMatch(/localKey|remoteKey/);

    // Closed by its application, and waiting: shown as long as the stack has it.
    accepted?.resume();
    await network.run(async () => {
      socket.end();
      await network.sleep(seconds(1));
    });
    expect((await run(at.client, '-anM', '-H')).out).toMatch(/^FIN-WAIT-2 /);
    expect((await run(at.server, '-anM', '-H', 'state', 'close-wait')).out).toMatch(/^CLOSE-WAIT /);
    await network.run(async () => {
      accepted?.end();
      await network.sleep(seconds(1));
    });
    expect((await run(at.client, '-an', '-H')).out).toMatch(/^tcp +TIME-WAIT /);
    expect((await run(at.client, '-n')).out.split('\n')).toHaveLength(2);
    expect((await run(at.client, '-s')).out).toMatch(
      /^TCP: {3}\d \(estab 0, listen 0, timewait \d, other 0\)\nMPTCP: 0/,
    );
    halfOpen?.close();
    await expectReleased(pair);
    expect((await run(at.client, '-an', '-H')).out).toBe('');
  });

  it('shows connections that nobody accepted, and plain TCP as such', async () => {
    const { pair, at } = await open();
    const { network, client, server } = pair;
    expect(server.core.listen({ hi: 0n, lo: 0n }, 81, 5, 0)).toBeGreaterThan(0);
    const plain = client.connect({ host: SERVER, port: 81, mptcp: false });
    await network.run(async () => {
      await once(plain, 'connect');
      plain.write('hello');
      await network.sleep(seconds(1));
    });
    const shown = (await runCommand(ss, '-an', '--control', at.server)).out;
    expect(shown).toMatch(/^tcp +LISTEN 1 {6}5 +\*:81 /m);
    expect(shown).toMatch(/^tcp +ESTAB +5 +0 +10\.0\.1\.1:81 /m);
    expect(shown).not.toMatch(/^mptcp +ESTAB/m);
    expect((await runCommand(ss, '-tni', '--control', at.client)).out).not.toContain('tcp-ulp-mptcp');
    expect((await runCommand(ss, '-6', '-tn', '-H', '--control', at.client)).out).toBe('');
  });

  it('shows IPv6 in brackets, and one family alone', async () => {
    const { pair, at } = await open({ ipv6: true });
    await pair.network.run(async () => {
      await listen(pair.server, () => undefined);
      await once(pair.client.connect(80, 'fd00:1::1'), 'connect');
    });
    const run = (...args: string[]) => runCommand(ss, '-tn', '-H', ...args, '--control', at.client);
    expect((await run('-6')).out).toMatch(/^ESTAB +0 +0 +\[fd00:1::2\]:\d+ +\[fd00:1::1\]:80\n$/);
    expect((await run('-4')).out).toBe('');
    expect((await runCommand(endpoint, 'add', 'fd00:1::2', 'subflow', '--control', at.client)).code).toBe(0);
    expect((await runCommand(endpoint, '--control', at.client)).out).toBe('fd00:1::2 id 1 subflow \n');
  });

  it('shows what its filters let through', async () => {
    const { pair, at } = await open({ paths: 2 });
    const { network, client, server } = pair;
    const ports = await network.run(async () => {
      await listen(server, () => undefined);
      await listen(server, () => undefined, 443);
      const made = [client.connect(80, SERVER), client.connect(443, SERVER)];
      for (const socket of made) socket.write('x');
      await network.sleep(seconds(1));
      return made.map((socket) => socket.info()?.localPort);
    });
    const run = async (...args: string[]): Promise<string[]> => {
      const { out } = await runCommand(ss, '-n', '-H', ...args, '--control', at.client);
      return out.split('\n').filter((line) => line !== '');
    };
    expect(await run('-M', 'dport', '=', ':443')).toEqual([
      expect.stringMatching(new RegExp(`:${ports[1]} +10\\.0\\.1\\.1:443$`)),
    ]);
    // Each connection has a subflow over the first path, and two over the second.
    expect(await run('-t')).toHaveLength(6);
    expect(await run('-t', 'dst 10.0.2.0/24')).toHaveLength(2);
    expect(await run('-t', 'src', '10.0.2.2', 'and', 'dport', '=', ':https')).toHaveLength(2);
    expect(await run('-t', 'state', 'established', '( sport = :1 or dport = :80 )')).toHaveLength(3);
    expect(await run('-ta', 'state', 'listening', 'state', 'time-wait', 'dport = :80')).toEqual([]);
    expect(await run('-ta', 'exclude', 'established')).toEqual([]);
    expect(await run('-ta', 'exclude', 'time-wait', 'not', 'dport', '=', ':80')).toHaveLength(3);
  });

  it('lists more connections than go into one answer', async () => {
    const { pair, at } = await open({ memory: 64 << 20 });
    const count = 600;
    await pair.network.run(async () => {
      await listen(pair.server, () => undefined);
      const made = Array.from({ length: count }, () => pair.client.connect(80, SERVER));
      await Promise.all(made.map((socket) => once(socket, 'connect')));
      await pair.network.sleep(seconds(1));
    });
    const lines = (await runCommand(ss, '-Mn', '-H', '--control', at.server)).out.trimEnd().split('\n');
    expect(new Set(lines).size).toBe(count);
    const host = await ControlClient.connect(at.server);
    closing.push(() => host.close());
    await expect(host.request('connections', { limit: 257 })).rejects.toMatchObject({ code: 'EINVAL' });
    await expect(host.request('connections', { after: 'x' })).rejects.toMatchObject({ code: 'EINVAL' });
    await expect(host.request('connections', { after: '1:5' })).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it.each([
    [['state', 'bogus'], /^ss: there is no state "bogus"; there are all, connected/],
    [['state'], /^ss: the state is missing; there are all, connected/],
    [['state', 'all', 'bogus'], /^ss: "bogus" is no condition; there are src, dst, sport, dport$/],
    [['dport', '=', ':http', 'or'], /^ss: a condition is missing behind "or"$/],
  ])('says what is wrong with %j', async (args, message) => {
    const { at } = await open();
    const ran = await runCommand(ss, ...args, '--control', at.client);
    expect(ran).toEqual({ code: 2, out: '', error: expect.stringMatching(message) });
  });
});

describe('mptcp nstat', () => {
  it('shows what changed since the last time, all, zeros and patterns', async () => {
    const { pair, at } = await open();
    const run = (...args: string[]) => runCommand(nstat, ...args, '--control', at.client);
    const connect = (): Promise<unknown> =>
      pair.network.run(async () => {
        const server = await listen(pair.server, (socket) => socket.end());
        const socket = pair.client.connect(80, SERVER);
        await readAll(socket);
        socket.end();
        server.close();
        await pair.network.sleep(seconds(1));
      });
    await connect();
    const first = await run();
    expect(first.out).toMatch(/^#kernel\n/);
    expect(first.out).toContain(`${'TcpActiveOpens'.padEnd(32)}${'1'.padEnd(16)}   0.0\n`);
    expect(first.out).toContain(`${'MPTcpExtMPCapableSYNTX'.padEnd(32)}${'1'.padEnd(16)}   0.0\n`);
    expect(await run()).toEqual({ code: 0, out: '#kernel\n', error: '' });
    await connect();
    expect((await run('-s', 'MPTcpExtMPCap*TX')).out).toMatch(/^#kernel\nMPTcpExtMPCapableSYNTX +1 +0\.0\n$/);
    expect((await run('-s', 'MPTcpExtMPCap*TX')).out).toMatch(/ 1 /);
    expect((await run('-asj', 'TcpActive*', 'MPTcpExtMPCapableSYNTX')).out).toBe(
      '{"kernel":{"TcpActiveOpens":2,"MPTcpExtMPCapableSYNTX":2}}\n',
    );
    expect((await run('-asz', 'MPTcpExtMPFail?x')).out).toMatch(/MPTcpExtMPFailTx +0 +0\.0\nMPTcpExtMPFailRx +0 /);
    expect(await run('-n')).toEqual({ code: 0, out: '', error: '' });
    expect((await run('-s')).out).toBe('#kernel\n');
    expect((await run('-r', 'TcpActiveOpens')).out).toMatch(/TcpActiveOpens +2 /);
    // A history that was spoilt is told; it goes with the host.
    const history = `${at.client}.nstat`;
    writeFileSync(history, '{');
    expect(await run('-s')).toMatchObject({
      code: 1,
      error: /history .* cannot be read: .*-a ignores it, -r resets it/,
    });
    expect(await run('-r', '-n')).toMatchObject({ code: 0 });
    pair.network.close();
    await expect.poll(() => existsSync(history)).toBe(false);
  });

  it('leaves out no counter of the stack', async () => {
    const { pair, at } = await open();
    const shown = JSON.parse((await runCommand(nstat, '-aszj', '--control', at.client)).out) as {
      kernel: Record<string, number>;
    };
    for (const name of Object.keys(pair.client.counters()).filter((each) => each.startsWith('MPTcpExt'))) {
      expect(shown.kernel).toHaveProperty(name);
    }
    expect(shown.kernel).toHaveProperty('StackDropSequence');
    expect(shown.kernel).not.toHaveProperty('StackPacketsIn');
  });

  it.each([
    ['*', 'abc', true],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['a[bx]c', 'abc', true],
    ['a[!b]c', 'abc', false],
    ['a.c', 'abc', false],
    ['(a', '(a', true],
    ['a[', 'a[', true],
    ['A*', 'abc', false],
  ])('knows whether %s fits %s', (pattern, name, yes) => {
    expect(fits(pattern, name)).toBe(yes);
  });
});

describe('mptcp set and get', () => {
  it('read and change settings of the stack and of a connection', async () => {
    const { pair, at } = await open();
    const on = (command: typeof set, ...args: string[]) => runCommand(command, '--control', at.client, ...args);
    expect((await on(get, 'congestion', 'closeTimeout', 'noDelay')).out).toBe(
      'congestion lia\ncloseTimeout 60000000\nnoDelay false\n',
    );
    for (const [name, typed, value] of [
      ['closeTimeout', '5s', 5_000_000],
      ['delayedAck', '20ms', 20_000],
      ['sendBuffer', '256K', 262_144],
      ['retries', '7', 7],
      ['noDelay', '1', true],
      ['sack', 'false', false],
      ['congestion', 'cubic', 'cubic'],
      ['connectVersions', '0,1', [0, 1]],
      ['listenVersions', '0', [0]],
    ] as const) {
      expect([name, await on(set, name, typed)]).toEqual([name, { code: 0, out: '', error: '' }]);
      expect([name, pair.client.get(name)]).toEqual([name, value]);
    }
    expect((await on(get, 'connectVersions', 'listenVersions')).out).toBe('connectVersions 0,1\nlistenVersions 0\n');
    expect(await on(set, 'linger', '--', '-1')).toMatchObject({ code: 0 });
    expect(JSON.parse((await on(get, '-j')).out)).toMatchObject({ linger: -1, congestion: 'cubic', sack: false });

    const socket = await pair.network.run(async () => {
      await listen(pair.server, () => undefined);
      const made = pair.client.connect(80, SERVER);
      await once(made, 'connect');
      return made;
    });
    const token = socket.info()?.localToken.toString(16) ?? '';
    expect(await on(set, 'congestion', 'reno', '--connection', token)).toMatchObject({ code: 0 });
    expect(socket.info()?.congestion).toBe('reno');
    expect(pair.client.get('congestion')).toBe('cubic');
    expect((await on(get, 'congestion', '-c', `0x${token}`)).out).toBe('congestion reno\n');
    const [{ sk = '' } = {}] = JSON.parse((await runCommand(ss, '-jM', '--control', at.client)).out) as {
      sk: string;
    }[];
    expect((await on(get, 'congestion', '-c', sk)).out).toBe('congestion reno\n');
    expect((await on(get, '-c', token)).out).not.toContain('closeTimeout');
    expect(await on(set, 'closeTimeout', '1s', '-c', token)).toMatchObject({
      code: 1,
      error: /^closeTimeout is a setting of the whole stack; a connection has its own .*congestion/,
    });
    socket.destroy();
    expect(await on(set, 'congestion', 'lia', '-c', token)).toMatchObject({ code: 1 });
  });

  it.each([
    ['set', ['nosuch', '1'], 1, /^there is no setting "nosuch"; there are mptcpEnabled, /],
    ['set', ['congestion', 'vegas2'], 1, /vegas2/],
    ['set', ['sack', '2'], 1, /sack.*2.*true or false/],
    ['set', ['listenVersions', '0,2'], 1, /listenVersions is \[0,2\] and must be \[0\], \[1\] or \[0, 1\]/],
    ['set', ['retries', '0'], 1, /^set retries to 0 EINVAL: the value is out of its range, see docs\/abi\.md/],
    ['set', ['retries', 'many'], 1, /retries/],
    ['set', ['monitor', 'false'], 1, /^monitor cannot be changed while the host runs$/],
    ['set', ['shard', '1'], 1, /^shard cannot be changed while the host runs$/],
    ['set', ['sack'], 2, /give one NAME and one VALUE/],
    ['set', ['congestion', 'reno', '-c', 'ffffffff'], 1, /^no connection has the token ffffffff; `mptcp ss -M -i`/],
    ['set', ['congestion', 'reno', '-c', 'word'], 1, /^"word" is neither: a connection is named by its token/],
    ['set', ['congestion', 'reno', '-c', '7:200000'], 1, /^7:200000 is a socket of worker 7/],
    ['get', ['nosuch'], 1, /^there is no setting "nosuch"/],
    ['get', ['toString'], 1, /^there is no setting "toString"/],
  ] as const)('%s %j says what is wrong', async (name, args, code, message) => {
    const { at } = await open();
    const ran = await runCommand(name === 'set' ? set : get, ...args, '--control', at.client);
    expect(ran).toEqual({ code, out: '', error: expect.stringMatching(message) });
  });
});

describe('finding the host', () => {
  it('takes the only one there is, lists several, and says where it looked for none', async () => {
    const own = join(folder, 'mptcp-wasm');
    const none = await runCommand(limits);
    expect(none).toMatchObject({ code: 1, error: expect.stringContaining(`no host was found in ${own}`) });
    const pair = makePair();
    closing.push(() => pair.network.close());
    const first = await openControl(pair.client);
    closing.push(() => first.close());
    expect(await runCommand(limits)).toMatchObject({ code: 0 });
    const second = await openControl(pair.server, join(own, 'second.sock'));
    expect(await runCommand(limits)).toMatchObject({
      code: 1,
      error: expect.stringMatching(
        new RegExp(
          `^2 hosts are running; choose one with --control: .*\\(client, process ${process.pid}\\).*second\\.sock`,
        ),
      ),
    });
    await second.close();
    expect(await runCommand(limits)).toMatchObject({ code: 0 });
  });

  it('ends the control socket with the stack', async () => {
    const pair = makePair();
    const control = await pair.client.control(join(folder, 'host.sock'));
    expect(control.closed).toBe(false);
    pair.network.close();
    expect(control.closed).toBe(true);
    expect(await runCommand(limits, '--control', join(folder, 'host.sock'))).toMatchObject({ code: 1 });
    const late = await openControl(pair.server, join(folder, 'late.sock'));
    expect(late.closed).toBe(true);
  });

  it('says which methods there are, and takes no others', async () => {
    const { at } = await open();
    const host = await ControlClient.connect(at.client);
    closing.push(() => host.close());
    expect(await host.request('hello')).toMatchObject({ name: 'client', pid: process.pid, workers: 1 });
    for (const method of ['nosuch', 'toString', '__proto__', '']) {
      await expect(host.request(method)).rejects.toMatchObject({
        code: 'ENOSYS',
        message: /there is no method ".*"; there are connection, connections, counters, endpoint\.add/,
      });
    }
    await expect(host.request('hello', { more: 1 })).rejects.toMatchObject({
      message: 'hello has no parameter "more"; it takes no parameters',
    });
  });
});
