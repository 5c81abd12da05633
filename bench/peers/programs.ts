import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** Building a peer for the first time fetches and compiles its dependencies, ms. */
const BUILD_LIMIT = 180_000;
const RUN_LIMIT = 60_000;

/** The folder of the project: compiled, this file lies two folders deeper than its source. */
export const ROOT = projectRoot();

function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

/** A native program to compare with, or why there is none. */
export type NativePeer = { readonly path: string } | { readonly missing: string };

/** Builds `bench/peers/smoltcp` with cargo, with the crates its lock file names. */
export async function buildSmoltcp(): Promise<NativePeer> {
  const target = join(ROOT, 'build', 'peers', 'smoltcp');
  const manifest = join(ROOT, 'bench', 'peers', 'smoltcp', 'Cargo.toml');
  return built(join(target, 'release', 'smoltcp-peer'), 'smoltcp', 'cargo', [
    ...['build', '--release', '--locked', '--quiet', '--manifest-path', manifest, '--target-dir', target],
  ]);
}

/** Builds `bench/peers/c/loops.c` with the C compiler of the machine. */
export async function buildLoops(): Promise<NativePeer> {
  const output = join(ROOT, 'build', 'peers', 'loops');
  await mkdir(dirname(output), { recursive: true });
  const source = join(ROOT, 'bench', 'peers', 'c', 'loops.c');
  return built(output, 'C', 'cc', ['-std=c11', '-O3', '-Wall', '-Werror', '-o', output, source]);
}

async function built(path: string, name: string, program: string, args: readonly string[]): Promise<NativePeer> {
  try {
    await run(program, args, { timeout: BUILD_LIMIT });
    return { path };
  } catch (error) {
    const { code, stderr } = error as { code?: string | number; stderr?: string };
    const reason = code === 'ENOENT' ? `${program} is not installed` : `${program} failed: ${firstLine(stderr)}`;
    return { missing: `the ${name} peer is left out: ${reason}` };
  }
}

function firstLine(text: string | undefined): string {
  return text?.trim().split('\n')[0] || 'it gave no reason';
}

/** Runs a native peer to its end and reads the JSON it prints. */
export async function runPeer<T>(path: string, ...args: readonly string[]): Promise<T> {
  const { stdout } = await run(path, args, { timeout: RUN_LIMIT });
  return JSON.parse(stdout) as T;
}
