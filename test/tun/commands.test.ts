import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { contentHash } from '../../host/cli/content.js';
import { command, NetworkNamespace } from '../../host/netns.js';
import { needsTun } from './privilege.js';

const MAIN = fileURLToPath(new URL('../../build/host/cli/main.js', import.meta.url));
const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A running `mptcp`, or another program. */
class Running {
  text = '';
  readonly #child: ChildProcess;

  constructor(program: string, ...args: string[]) {
    this.#child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.text += text;
      });
    }
    closing.push(() => this.end('SIGKILL'));
  }

  async says(text: string): Promise<void> {
    while (!this.text.includes(text)) {
      if (this.#child.exitCode !== null) throw new Error(`ended with ${this.#child.exitCode}: ${this.text}`);
      await Promise.race([once(this.#child, 'close'), once(this.#child.stdout ?? this.#child, 'data')]);
    }
  }

  async end(signal?: NodeJS.Signals): Promise<number | null> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return this.#child.exitCode;
    if (signal !== undefined) this.#child.kill(signal);
    await once(this.#child, 'close');
    return this.#child.exitCode;
  }
}

it('serve makes its namespace, serves the kernel over both devices, and removes what it made', async (context) => {
  needsTun(context);
  const name = `mptcp-test-${process.pid}-serve`;
  const paths = ['--tun', 'path0=10.77.1.2/24', '--tun', 'path1=10.77.2.2/24,fd77:2::2/64'];
  const server = new Running(process.execPath, MAIN, 'serve', ...paths, '--netns', name, '--setup', '--port', '80');
  await server.says('path1: ');
  const inside = NetworkNamespace.existing(name);
  for (const host of ['10.77.1.2', '10.77.2.2', '[fd77:2::2]']) {
    const script = `
      import { createHash } from 'node:crypto';
      const got = Buffer.from(await (await fetch('http://${host}/bytes/1M')).arrayBuffer());
      const put = await (await fetch('http://${host}/x', { method: 'PUT', body: got })).json();
      console.log(createHash('sha256').update(got).digest('hex'), put.sha256, put.bytes);`;
    const output = await inside.exec(process.execPath, '--input-type=module', '-e', script);
    expect(output.trim()).toBe(`${contentHash(1 << 20)} ${contentHash(1 << 20)} ${1 << 20}`);
  }
  await server.says('PUT /x');
  expect(await server.end('SIGINT')).toBe(0);
  expect(await command('ip', 'netns', 'list')).not.toContain(name);
});

it('get fetches from a server in the kernel', async (context) => {
  needsTun(context);
  const name = `mptcp-test-${process.pid}-get`;
  const inside = await NetworkNamespace.create(name);
  closing.push(() => inside.remove());
  const directory = mkdtempSync(join(tmpdir(), 'mptcp-test-'));
  closing.push(() => rmSync(directory, { recursive: true }));
  const script =
    "require('http').createServer((q, r) => r.end(Buffer.alloc(3e6, 'abc'))).listen(80, () => console.log('ready'))";
  const server = new Running('ip', ...inside.inside(process.execPath, '-e', script));
  await server.says('ready');
  const file = join(directory, 'body');
  const path = ['--tun', 'path0=10.77.1.2/24', '--netns', name];
  const client = new Running(process.execPath, MAIN, 'get', 'http://10.77.1.1/', ...path, '--output', file, '--json');
  expect(await client.end(), client.text).toBe(0);
  const sha256 = createHash('sha256').update(Buffer.alloc(3e6, 'abc')).digest('hex');
  expect(JSON.parse(client.text)).toMatchObject({ bytes: 3e6, sha256, multipath: false });
  expect(readFileSync(file).length).toBe(3e6);
});

it('says how to mend what cannot be run, and leaves nothing behind', async (context) => {
  needsTun(context);
  const name = `mptcp-test-${process.pid}-bad`;
  const twice = ['--tun', 'path0=10.77.1.2/24', '--tun', 'path0=10.77.2.2/24', '--netns', name, '--setup'];
  const busy = new Running(process.execPath, MAIN, 'serve', ...twice);
  expect(await busy.end()).toBe(1);
  expect(busy.text).toMatch(/path0 in network namespace .*in use/);
  expect(await command('ip', 'netns', 'list')).not.toContain(name);
  const none = new Running(process.execPath, MAIN, 'sink', '--port', '1');
  expect(await none.end()).toBe(2);
  expect(none.text).toMatch(/^mptcp: no --tun: name at least one path/);
});
