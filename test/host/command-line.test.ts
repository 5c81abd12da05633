import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const MAIN = fileURLToPath(new URL('../../build/host/cli/main.js', import.meta.url));

async function mptcp(...args: string[]): Promise<{ code: number; out: string; errors: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let errors = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const [code] = await once(child, 'close');
  return { code: Number(code), out, errors };
}

describe('the command line', () => {
  it('lists its commands and tells how each is used', async () => {
    const help = await mptcp('--help');
    expect(help.code).toBe(0);
    const names = [...help.out.matchAll(/^ {2}(\w+) {2}/gm)].map((match) => match[1] as string);
    expect(names).toEqual(expect.arrayContaining(['demo', 'serve', 'get', 'sink', 'source']));
    const usages = await Promise.all(names.map((name) => mptcp('help', name)));
    for (const [index, usage] of usages.entries()) {
      expect(usage.code).toBe(0);
      expect(usage.out).toContain(`mptcp ${names[index]}`);
    }
    expect((await mptcp('demo', '--help')).out).toBe((await mptcp('help', 'demo')).out);
    expect((await mptcp()).code).toBe(2);
  });

  it.each([
    [['nonsense'], /there is no command "nonsense"; there are demo, /],
    [['demo', '--nonsense'], /--nonsense.*mptcp help demo/],
    [['demo', '--seed', '-1'], /--seed/],
    [['demo', '--seed', 'x'], /--seed x: not an integer/],
    [['demo', '--size', '0'], /--size 0/],
    [['demo', '--size', 'much'], /--size much: not a number of bytes/],
    [['demo', '--out', '/dev/null/x'], /--out \/dev\/null\/x: .*(EEXIST|ENOTDIR)/],
  ])('explains what is wrong with %j', async (args, message) => {
    const { code, out, errors } = await mptcp(...args);
    expect(errors).toMatch(message);
    expect(errors.trim().split('\n').length).toBe(1);
    expect([code, out]).toEqual([2, '']);
  });

  it.each([
    [['endpoint', 'bogus'], 2, /^mptcp: endpoint: "bogus" is none of add, delete, change, flush, show; /],
    [['get', '10.0.1.1/file'], 2, /^mptcp: no --tun|^mptcp: "10\.0\.1\.1\/file" is no URL/],
    [['limits', '--bogus'], 2, /^mptcp: Unknown option '--bogus'.* mptcp help limits tells what can be given/],
    [['--control', '/nowhere/host.sock', 'limits'], 1, /^mptcp: control socket \/nowhere\/host\.sock: there is none; /],
    [['-j', 'ss', '--control', '/dev/null'], 1, /^mptcp: control socket \/dev\/null: /],
  ] as const)('ends %j with %i', async (args, code, message) => {
    const ended = await mptcp(...args);
    expect(ended).toEqual({ code, out: '', errors: expect.stringMatching(message) });
    expect(ended.errors.trim().split('\n').length).toBe(1);
  });

  it('runs the demo and prints one line of JSON', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'demo-'));
    try {
      const capture = join(folder, 'deep', 'demo.pcapng');
      const { code, out, errors } = await mptcp('demo', '--json', '--size', '2M', '--seed', '9', '--out', capture);
      expect([code, errors]).toEqual([0, '']);
      expect(out.trimEnd().split('\n').length).toBe(1);
      expect(JSON.parse(out)).toMatchObject({ ok: true, seed: 9, bytes: 2 << 20, capture });
      expect(existsSync(capture)).toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
