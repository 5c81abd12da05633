import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openHostControl } from '../../host/cli/host-control.js';
import type { ControlTarget } from '../../host/control/server.js';

const TARGET: ControlTarget = { request: () => null, monitor: () => () => undefined };
let folder = '';
let before: string | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'host-'));
  before = process.env.XDG_RUNTIME_DIR;
  process.env.XDG_RUNTIME_DIR = folder;
});

afterEach(() => {
  if (before === undefined) delete process.env.XDG_RUNTIME_DIR;
  else process.env.XDG_RUNTIME_DIR = before;
  rmSync(folder, { recursive: true });
});

it('opens the default path, the one that was chosen, or none', async () => {
  for (const path of [undefined, join(folder, 'mine.sock')]) {
    const control = await openHostControl(TARGET, path);
    expect(control?.path).toBe(path ?? join(folder, 'mptcp-wasm', `${process.pid}.sock`));
    expect(existsSync(control?.path ?? '')).toBe(true);
    await control?.close();
  }
  expect(await openHostControl(TARGET, 'none')).toBe(undefined);
});

it('takes the next folder where the first cannot be used; fails with a path that was chosen', async () => {
  mkdirSync(join(folder, 'mptcp-wasm'));
  chmodSync(join(folder, 'mptcp-wasm'), 0o777);
  const control = await openHostControl(TARGET, undefined);
  expect(control?.path).toMatch(/\.sock$/);
  expect(control?.path.startsWith(folder)).toBe(false);
  await control?.close();
  await expect(openHostControl(TARGET, join(folder, 'mptcp-wasm', 'x.sock'))).rejects.toMatchObject({ code: 'EACCES' });
});

it('goes on without a control socket where no folder can be used, and says so', async () => {
  mkdirSync(join(folder, 'mptcp-wasm'));
  chmodSync(join(folder, 'mptcp-wasm'), 0o777);
  const said = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  const uid = vi.spyOn(process, 'getuid').mockReturnValue(4_000_000);
  const tmp = process.env.TMPDIR;
  process.env.TMPDIR = join(folder, 'mptcp-wasm');
  try {
    expect(await openHostControl(TARGET, undefined)).toBe(undefined);
    expect(said.mock.calls.flat().join()).toMatch(
      /^no control socket: control socket .*; choose one with --control PATH$/,
    );
  } finally {
    said.mockRestore();
    uid.mockRestore();
    if (tmp === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = tmp;
  }
});
