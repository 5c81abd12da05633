/** The commands that steer the paths of connections, and the monitor, against simulated hosts in this process. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endpoint } from '../../host/cli/endpoint.js';
import { get } from '../../host/cli/get.js';
import { monitorLine } from '../../host/cli/monitor.js';
import { set } from '../../host/cli/settings.js';
import { ss } from '../../host/cli/ss.js';
import { announce, subflow, withdraw } from '../../host/cli/subflow.js';
import { ControlClient } from '../../host/control/client.js';
import type { MonitorView } from '../../host/control/monitor.js';
import { openControl } from '../../host/control/open.js';
import type { Socket } from '../../host/net/socket.js';
import { milliseconds, seconds } from '../../host/sim/network.js';
import { expectReleased, listen, makePair, SERVER } from '../net/pair.js';
import { type Ran, runCommand } from './run-command.js';

let folder = '';
const closing: (() => unknown)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'paths-'));
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  rmSync(folder, { recursive: true });
});

/** Two hosts with two wires and no endpoints, control sockets at both, and a connection over the first wire. */
async function open() {
  const pair = makePair({ paths: 2 });
  const { network, client, server } = pair;
  closing.push(() => network.close());
  for (const stack of [client, server]) for (const { id } of stack.endpoints()) stack.removeEndpoint(id);
  const at = { client: join(folder, 'client.sock'), server: join(folder, 'server.sock') };
  for (const name of ['client', 'server'] as const) {
    const control = await openControl(pair[name], at[name]);
    closing.push(() => control.close());
  }
  const connect = (): Promise<Socket> =>
    network.run(async () => {
      const listener = await listen(server, (peer) => {
        peer.on('error', () => undefined);
        peer.resume();
      });
      const socket = client.connect(80, SERVER);
      await once(socket, 'connect');
      socket.write('hello');
      await network.sleep(seconds(1));
      listener.close();
      return socket;
    });
  return { pair, at, connect };
}

const tokenOf = (socket: Socket): string => socket.info()?.localToken.toString(16) ?? '';

describe('mptcp subflow', () => {
  it('opens, shows, makes backups of and closes subflows while data flows', async () => {
    const { pair, at, connect } = await open();
    const { network } = pair;
    const socket = await connect();
    const token = tokenOf(socket);
    const run = (...args: string[]): Promise<Ran> => runCommand(subflow, ...args, '--control', at.client);
    expect(await run('open', token, 'from', '10.0.2.2', 'to', '10.0.2.1', 'backup')).toEqual({
      code: 0,
      out: 'id 2\n',
      error: '',
    });
    await network.advance(seconds(1));
    expect(socket.subflows()).toHaveLength(2);
    expect(socket.subflows()[1]).toMatchObject({ id: 2, remoteAddress: '10.0.2.1', backupLocal: true });
    const shown = await run('show', token);
    expect(shown.out).toMatch(/^subflow +state +local +remote +ids +dev +flags\n +1 +established +10\.0\.1\.2:\d+ /);
    expect(shown.out).toMatch(/^ +2 +established +10\.0\.2\.2:\d+ +10\.0\.2\.1:80 +\d+\/\d+ +path2 +joined,backup$/m);
    expect(JSON.parse((await run('show', token, '-j')).out)).toMatchObject({
      subflows: [{ id: 1 }, { id: 2 }],
      announced: [],
      remote: [],
    });
    expect(await run('priority', token, 'id', '2', 'nobackup')).toMatchObject({ code: 0, out: '' });
    await network.advance(seconds(1));
    expect(socket.subflows()[1]).toMatchObject({ backupLocal: false });
    expect((await runCommand(ss, '-jM', '--control', at.server)).out).toContain('"backupRemote":false');
    expect(await run('close', token, 'id', '2', 'reason', 'administrative')).toMatchObject({ code: 0, out: '' });
    await network.advance(seconds(1));
    expect(socket.subflows().map(({ id }) => id)).toEqual([1]);
    socket.destroy();
    await expectReleased(pair);
  });

  it.each([
    [['open', 'TOKEN', 'from', '10.9.9.9'], 1, /this host has no such address/],
    [['open', 'TOKEN', 'from', 'here'], 1, /"here" is not an IP address/],
    [['open', 'TOKEN', 'to', '10.200.0.1'], 1, /./],
    [['open', 'ffffffff'], 1, /^no connection has the token ffffffff/],
    [['close', 'TOKEN', 'id', '9'], 1, /has no subflow 9; `mptcp subflow show [0-9a-f]+` lists/],
    [['priority', 'TOKEN', 'id', '9', 'backup'], 1, /has no subflow 9/],
    [['show', 'ffffffff'], 1, /^no connection has the token ffffffff/],
    [['open'], 2, /^subflow open: the TOKEN is missing/],
    [['open', 'TOKEN', 'from'], 2, /"from" wants something behind it/],
    [['open', 'TOKEN', 'port', '70000'], 2, /port 70000 is not a number of 0 to 65535/],
    [['close', 'TOKEN'], 2, /the id of the subflow is missing/],
    [['close', 'TOKEN', 'id', '1', 'reason', 'spite'], 2, /"spite" is no reason; there are unspecified, /],
    [['priority', 'TOKEN', 'id', '1'], 2, /backup or nobackup is missing/],
    [['show', 'TOKEN', 'more'], 2, /"more" is not understood here/],
    [['bogus'], 2, /^subflow: "bogus" is none of open, close, priority, show/],
  ])('says what is wrong with %j', async (args, code, message) => {
    const { at, connect } = await open();
    const socket = await connect();
    const typed = args.map((arg) => (arg === 'TOKEN' ? tokenOf(socket) : arg));
    const ran = await runCommand(subflow, ...typed, '--control', at.client);
    expect(ran).toEqual({ code, out: '', error: expect.stringMatching(message) });
    expect(socket.subflows()).toHaveLength(1);
  });
});

describe('mptcp set and get with --subflow', () => {
  it('read and change options of one subflow', async () => {
    const { at, connect } = await open();
    const socket = await connect();
    const whose = ['--control', at.client, '-c', tokenOf(socket), '--subflow', '1'];
    const all = await runCommand(get, ...whose);
    expect(all.out).toMatch(/^backup false\nhopLimit 0\ntrafficClass 0\ncwndClamp 0\nreopen true\ncongestion lia\n/);
    for (const [name, typed, shown] of [
      ['hopLimit', '9', '9'],
      ['backup', '1', 'true'],
      ['cwndClamp', '64K', '65536'],
      ['congestion', 'reno', 'reno'],
      ['reopen', 'false', 'false'],
    ]) {
      expect([name, await runCommand(set, `${name}`, `${typed}`, ...whose)]).toEqual([
        name,
        { code: 0, out: '', error: '' },
      ]);
      expect((await runCommand(get, `${name}`, ...whose)).out).toBe(`${name} ${shown}\n`);
    }
    expect(socket.getSubflowOption(1, 'hopLimit')).toBe(9);
    expect(socket.info()?.congestion).toBe('lia');
    expect((await runCommand(ss, '-tni', '-H', '--control', at.client)).out).toContain(' reno ');
    expect(await runCommand(set, 'congestion', 'connection', ...whose)).toMatchObject({ code: 0 });
    expect(socket.subflows()[0]?.congestion).toBe('lia');
  });

  it.each([
    [['hopLimit', '256'], 1, /^hopLimit cannot be 256: it is out of its range/],
    [['hopLimit', 'far'], 1, /^hopLimit cannot be far; it is a whole number$/],
    [['backup', '2'], 1, /^backup cannot be 2; choose true or false$/],
    [['congestion', 'none'], 1, /^congestion cannot be none; choose connection, or one of reno, lia/],
    [['nosuch', '1'], 1, /^a subflow has no option "nosuch"; it has backup, hopLimit/],
  ])('say what is wrong with %j', async (args, code, message) => {
    const { at, connect } = await open();
    const socket = await connect();
    const whose = ['--control', at.client, '-c', tokenOf(socket), '--subflow', '1'];
    expect(await runCommand(set, ...args, ...whose)).toEqual({ code, out: '', error: expect.stringMatching(message) });
    const other = ['--control', at.client, '-c', tokenOf(socket), '--subflow', '7'];
    expect(await runCommand(get, ...other)).toMatchObject({ code: 1, error: /has no subflow 7/ });
    expect(await runCommand(get, '--subflow', '1')).toMatchObject({ code: 2, error: /of which --connection\?/ });
    expect(await runCommand(get, '-c', '1', '--subflow', 'x')).toMatchObject({ code: 2, error: /is no id/ });
  });
});

describe('mptcp announce and withdraw', () => {
  it('tell the peer of an address, which joins it, and that it is gone', async () => {
    const { pair, at, connect } = await open();
    const { network, server } = pair;
    pair.client.set('limitAddAddrAccepted', 4);
    pair.client.set('limitSubflows', 4);
    const socket = await connect();
    const peer = (socket.info()?.remoteToken ?? 0).toString(16);
    const run = (command: typeof announce, ...args: string[]) => runCommand(command, ...args, '--control', at.server);
    expect(await run(announce, peer, '10.0.2.1', 'id', '7')).toEqual({ code: 0, out: 'id 7\n', error: '' });
    await network.advance(seconds(1));
    expect(socket.subflows().some(({ remoteAddress }) => remoteAddress === '10.0.2.1')).toBe(true);
    expect((await run(subflow, 'show', peer)).out).toMatch(/^announced: 10\.0\.2\.1 id 7 echoed/m);
    expect((await runCommand(subflow, 'show', tokenOf(socket), '--control', at.client)).out).toMatch(
      /^announced by the peer: 10\.0\.2\.1 id 7 /m,
    );
    expect(await run(announce, peer, '10.0.2.1')).toMatchObject({ code: 1, error: /already/ });
    expect(await run(withdraw, peer, 'id', '7')).toEqual({ code: 0, out: '', error: '' });
    await network.advance(seconds(1));
    expect(socket.subflows().map(({ remoteAddress }) => remoteAddress)).toEqual([SERVER]);
    expect(await run(withdraw, peer, 'id', '99')).toMatchObject({ code: 1, error: /has no address of id 99/ });
    expect(await run(withdraw, peer)).toMatchObject({ code: 2, error: /the ID is missing/ });
    expect(await run(announce, peer)).toMatchObject({ code: 2, error: /the ADDRESS is missing/ });
    expect(await run(announce, peer, 'here')).toMatchObject({ code: 1, error: /"here" is not an IP address/ });
    expect(server.closed).toBe(false);
  });

  it('refuse a connection of plain TCP', async () => {
    const { pair, at } = await open();
    const plain = await pair.network.run(async () => {
      await listen(pair.server, (peer) => peer.on('error', () => undefined));
      const socket = pair.client.connect({ host: SERVER, port: 80, mptcp: false });
      await once(socket, 'connect');
      return socket;
    });
    const [{ sk = '' } = {}] = JSON.parse((await runCommand(ss, '-jt', '--control', at.client)).out) as {
      sk: string;
    }[];
    for (const [command, ...args] of [
      [subflow, 'open', sk],
      [announce, sk, '10.0.2.2'],
      [withdraw, sk, 'id', '1'],
    ] as const) {
      const ran = await runCommand(command, ...args, '--control', at.client);
      expect(ran).toMatchObject({ code: 1, error: /is plain TCP, or its peer has not shown yet/ });
    }
    plain.destroy();
  });
});

describe('mptcp endpoint change', () => {
  it('changes priorities while data flows, by id or address', async () => {
    const { pair, at, connect } = await open();
    const { network, client } = pair;
    client.addEndpoint({ address: '10.0.2.2', id: 5, subflow: true });
    const socket = await connect();
    const run = (...args: string[]) => runCommand(endpoint, ...args, '--control', at.client);
    const joined = () => socket.subflows().find(({ initial }) => !initial);
    expect(joined()).toMatchObject({ localAddress: '10.0.2.2', backupLocal: false });
    expect(await run('change', 'id', '5', 'backup')).toEqual({ code: 0, out: '', error: '' });
    await network.advance(seconds(1));
    expect((await run('show')).out).toBe('10.0.2.2 id 5 subflow backup \n');
    expect(joined()).toMatchObject({ backupLocal: true });
    expect(await run('change', '10.0.2.2', 'nobackup')).toMatchObject({ code: 0 });
    await network.advance(seconds(1));
    expect((await run('show')).out).toBe('10.0.2.2 id 5 subflow \n');
    expect(joined()).toMatchObject({ backupLocal: false });
    expect(await run('change', 'id', '5', 'fullmesh', 'backup')).toMatchObject({ code: 0 });
    expect((await run('show')).out).toBe('10.0.2.2 id 5 subflow backup fullmesh \n');
    expect(await run('change', 'id', '6', 'backup')).toMatchObject({
      code: 1,
      error: 'there is no endpoint id 6 to change',
    });
    expect(await run('change', '10.0.2.2', 'port', '9', 'backup')).toMatchObject({ code: 1 });
    client.addEndpoint({ address: '10.0.1.2', id: 9, signal: true });
    expect(await run('change', 'id', '9', 'fullmesh')).toMatchObject({ code: 1, error: /announced \(signal\)/ });
  });
});

describe('mptcp monitor', () => {
  it('tells what happens under the names and in the order of ip mptcp monitor', async () => {
    const { pair, at, connect } = await open();
    const { network, client, server } = pair;
    const told: Record<string, string[]> = { client: [], server: [] };
    for (const name of ['client', 'server'] as const) {
      const host = await ControlClient.connect(at[name]);
      closing.push(() => host.close());
      const events = host.monitor();
      const first = events.next();
      // The answer to a further request says that the host has taken the subscription.
      await host.request('hello');
      void (async () => {
        for (let next = await first; next.done !== true; next = await events.next()) {
          if ('event' in next.value) told[name]?.push(monitorLine(next.value.event as unknown as MonitorView));
        }
      })().catch((error: unknown) => told[name]?.push(String(error)));
    }
    client.addEndpoint({ address: '10.0.2.2', id: 5, subflow: true });
    server.addEndpoint({ address: '10.0.2.1', id: 3, signal: true });
    client.set('limitAddAddrAccepted', 2);
    const socket = await connect();
    await network.outside(new Promise((resolve) => setTimeout(resolve, milliseconds(20) / 1000)));
    const [, second] = socket.subflows();
    const port = socket.info()?.localPort;
    const token = tokenOf(socket).padStart(8, '0');
    const peer = (socket.info()?.remoteToken ?? 0).toString(16).padStart(8, '0');
    socket.destroy();
    await network.advance(seconds(2));
    await expect.poll(() => told.server?.at(-1)).toMatch(/\[ {10}CLOSED\]/);
    await expect.poll(() => told.client?.at(-1)).toMatch(/\[ {10}CLOSED\]/);
    const ends = `saddr4=10.0.1.2 daddr4=10.0.1.1 sport=${port} dport=80`;
    expect(told.client).toEqual(
      expect.arrayContaining([
        `[         CREATED] token=${token} remid=0 locid=0 ${ends}`,
        `[     ESTABLISHED] token=${token} remid=0 locid=0 ${ends}`,
        `[       ANNOUNCED] token=${token} remid=3 daddr4=10.0.2.1 dport=80`,
        expect.stringMatching(
          new RegExp(
            `^\\[  SF_ESTABLISHED\\] token=${token} remid=\\d locid=5 saddr4=10\\.0\\.2\\.2 daddr4=10\\.0\\.\\d\\.1 ` +
              `sport=${second?.localPort} dport=80 backup=0 dev=path2$`,
          ),
        ),
        `[          CLOSED] token=${token}`,
      ]),
    );
    expect(told.server).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^\[LISTENER_CREATED\] saddr[46]=\S+ sport=80$/),
        `[         CREATED] token=${peer} remid=0 locid=0 saddr4=10.0.1.1 daddr4=10.0.1.2 sport=80 dport=${port} flags=2`,
        `[     ESTABLISHED] token=${peer} remid=0 locid=0 saddr4=10.0.1.1 daddr4=10.0.1.2 sport=80 dport=${port} flags=2`,
        expect.stringMatching(/^\[ LISTENER_CLOSED\] saddr[46]=\S+ sport=80$/),
        `[          CLOSED] token=${peer}`,
      ]),
    );
    await expectReleased(pair);
  });

  it('ends without a word when nobody reads any more', async () => {
    const { at, connect } = await open();
    const main = fileURLToPath(new URL('../../build/host/cli/main.js', import.meta.url));
    const child = spawn(process.execPath, [main, '-j', 'monitor', '--control', at.client], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    closing.push(() => child.kill('SIGKILL'));
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    const exited = once(child, 'exit');
    // Events come again and again until it has begun to listen; what it read first is enough.
    const told = once(child.stdout, 'data');
    let first: unknown;
    void told.then(([bytes]) => {
      first = JSON.parse(String(bytes).split('\n')[0] ?? '');
      child.stdout.destroy();
    });
    for (let round = 0; round < 200 && child.exitCode === null; round++) {
      (await connect()).destroy();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect((await exited)[0]).toBe(0);
    expect([first, errors]).toEqual([expect.objectContaining({ event: expect.any(String) }), '']);
  });
});
