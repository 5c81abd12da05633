import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Joined } from '../core/joined.js';
import { ROOT } from '../peers/programs.js';

/** Where the time of one case goes: functions and their own part of it, the largest first. */
export interface Profile {
  readonly name: string;
  readonly functions: readonly { readonly name: string; readonly part: number }[];
}

interface Shape {
  readonly name: string;
  readonly mtu: number;
  readonly checksum: boolean;
}

const SHAPES: readonly Shape[] = [
  { name: 'core/mptcp-2sf-1460', mtu: 1500, checksum: false },
  { name: 'core/mptcp-2sf-65000', mtu: 65_040, checksum: false },
  { name: 'core/mptcp-2sf-65000-checksum', mtu: 65_040, checksum: true },
];
const PATHS = 2;
const SAMPLE_US = 200;
const PROFILE_MS = 1500;
const SHOWN = 12;

/** Profiles the core, built once more with the names of its functions. */
export async function profileCore(): Promise<Profile[]> {
  const module = await namedModule();
  const profiles: Profile[] = [];
  for (const shape of SHAPES) profiles.push(await profile(shape, module));
  return profiles;
}

async function namedModule(): Promise<WebAssembly.Module> {
  const folder = mkdtempSync(join(tmpdir(), 'mptcp-profile-'));
  try {
    const compiler = join(fileURLToPath(import.meta.resolve('assemblyscript/asc')), '../../bin/asc.js');
    const output = join(folder, 'named.wasm');
    const args = ['assembly/index.ts', '--config', 'asconfig.json', '--target', 'release', '--debug'];
    await promisify(execFile)(process.execPath, [compiler, ...args, '--outFile', output], { cwd: ROOT });
    return new WebAssembly.Module(readFileSync(output));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function profile({ name, mtu, checksum }: Shape, module: WebAssembly.Module): Promise<Profile> {
  const joined = new Joined({
    module,
    multipath: true,
    paths: PATHS,
    mtu,
    checksum,
    window: Math.max(1 << 18, mtu * 6),
  });
  joined.verifying = false;
  joined.transfer(PROFILE_MS / 5);
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: SAMPLE_US });
    await session.post('Profiler.start');
    joined.transfer(PROFILE_MS);
    const { profile: taken } = await session.post('Profiler.stop');
    const names = new Map(taken.nodes.map(({ id, callFrame }) => [id, callFrame.functionName || '(anonymous)']));
    return { name, functions: parts((taken.samples ?? []).map((id) => names.get(id) ?? '(unknown)')) };
  } finally {
    session.disconnect();
  }
}

/** The functions seen most often and their part of all samples. */
export function parts(samples: readonly string[]): Profile['functions'] {
  const counts = new Map<string, number>();
  for (const name of samples) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .slice(0, SHOWN)
    .map(([name, count]) => ({ name, part: count / samples.length }));
}
