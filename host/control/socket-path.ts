/** Where control sockets lie, and who may put one there. */
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  unlinkSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { ControlError } from './protocol.js';

const FOLDER = 'mptcp-wasm';
const SUFFIX = '.sock';
/** Bytes of `sockaddr_un.sun_path`, its end included. */
const PATH_BYTES = 108;
/** How long a host may take to take a connection before it counts as one that answers but is busy, ms. */
const ANSWER_MS = 2000;

/** The folders that hosts put their sockets into unless told otherwise: the first that can be used. */
export function controlFolders(): string[] {
  const uid = process.getuid?.() ?? 0;
  const folders: string[] = [];
  const runtime = process.env.XDG_RUNTIME_DIR;
  if (runtime?.startsWith('/') === true) folders.push(join(runtime, FOLDER));
  folders.push(uid === 0 ? join('/run', FOLDER) : join(tmpdir(), `${FOLDER}-${uid}`));
  return folders;
}

/** The name of this process's control socket; a second host in it has number 1, and so on. */
export function socketName(number = 0): string {
  return `${process.pid}${number === 0 ? '' : `-${number}`}${SUFFIX}`;
}

/** The sockets in the default folders, whether anybody answers there or not. */
export function controlSockets(): string[] {
  return controlFolders().flatMap((folder) => {
    if (folderProblem(folder) !== undefined) return [];
    return readdirSync(folder)
      .filter((name) => name.endsWith(SUFFIX))
      .map((name) => join(folder, name));
  });
}

/**
 * Sees that a socket can be made at `path` that nobody but its owner can open, replace or take away: makes the folder of
 * the socket where it does not exist (0700), and takes away a socket of ours that nobody answers at.
 * @throws {ControlError} ENAMETOOLONG, EACCES, EEXIST, or EADDRINUSE when a host answers there.
 */
export async function claimPath(path: string): Promise<void> {
  const bytes = Buffer.byteLength(path);
  if (path === '' || path.includes('\0') || bytes >= PATH_BYTES) {
    throw new ControlError(
      'ENAMETOOLONG',
      `control socket ${JSON.stringify(path)}: a path of a socket has 1 to ${PATH_BYTES - 1} bytes, this one ${bytes}`,
    );
  }
  const folder = dirname(resolve(path));
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new ControlError('EACCES', `control socket ${path}: its folder cannot be made: ${text}`, cause);
  }
  const problem = folderProblem(folder);
  if (problem !== undefined) throw new ControlError('EACCES', `control socket ${path}: ${problem}`);
  await removeStale(path);
}

/** Makes a socket that was just bound its owner's alone. */
export function ownerOnly(path: string): void {
  chmodSync(path, 0o600);
}

/**
 * Takes away the sockets in `folder` that nobody answers at, left behind by processes that were killed, and the
 * histories of `mptcp nstat` beside them.
 */
export async function tidyFolder(folder: string): Promise<void> {
  for (const name of readdirSync(folder)) {
    const [, process, history] = /^(\d+)(?:-\d+)?\.sock(\.nstat)?$/.exec(name) ?? [];
    if (process === undefined || alive(Number(process))) continue;
    if (history !== undefined) {
      rmSync(join(folder, name), { force: true });
      continue;
    }
    await removeStale(join(folder, name)).catch((error: unknown) => {
      // One that answers, or that is no socket, is left alone.
      if (!(error instanceof ControlError)) throw error;
    });
  }
}

/** Whether somebody listens at a socket: `yes`, `no`, or why that cannot be told. */
export function answers(path: string): Promise<'yes' | 'no' | ControlError> {
  return new Promise((done) => {
    const socket = connect(path);
    const late = setTimeout(() => finish('yes'), ANSWER_MS);
    const finish = (answer: 'yes' | 'no' | ControlError): void => {
      clearTimeout(late);
      socket.destroy();
      done(answer);
    };
    socket.once('connect', () => finish('yes'));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') finish('no');
      // Its queue is full: busy, but there.
      else if (error.code === 'EAGAIN') finish('yes');
      else finish(new ControlError(error.code ?? 'EIO', `control socket ${path}: ${error.message}`, error));
    });
  });
}

/** Why others could tamper with what is in a folder, in words; undefined when they cannot. */
function folderProblem(folder: string): string | undefined {
  const own = process.getuid?.();
  let real: string;
  try {
    real = realpathSync(folder);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  for (let at = real, first = true; ; at = dirname(at), first = false) {
    const stats = lstatSync(at);
    if (first && !stats.isDirectory()) return `${at} is no folder`;
    if (stats.uid !== 0 && stats.uid !== own)
      return `${at} belongs to user ${stats.uid}, who could put another one there`;
    // Above the folder itself the sticky bit keeps others from renaming what is not theirs.
    const sticky = !first && (stats.mode & 0o1000) !== 0;
    if ((stats.mode & 0o022) !== 0 && !sticky) {
      const mode = (stats.mode & 0o7777).toString(8);
      return `others can write to ${at} (mode ${mode}); choose a folder of your own, such as one made with mkdir -m 700`;
    }
    if (at === dirname(at)) return undefined;
  }
}

async function removeStale(path: string): Promise<void> {
  if (!mayReplace(path)) return;
  const found = await answers(path);
  if (found === 'yes') throw inUse(path);
  if (found !== 'no') throw found;
  // Meanwhile another host may have taken the path: only what is aside, where nobody else looks, is judged for good.
  const aside = join(dirname(path), `.${basename(path)}.${process.pid}`);
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if ((await answers(aside)) === 'no') {
    unlinkSync(aside);
    return;
  }
  renameSync(aside, path);
  throw inUse(path);
}

/** True for a socket of ours. @throws {ControlError} for what else lies there. */
function mayReplace(path: string): boolean {
  let stats: Stats;
  try {
    stats = lstatSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  if (!stats.isSocket()) throw new ControlError('EEXIST', `control socket ${path}: there is a file that is no socket`);
  const own = process.getuid?.();
  if (own === undefined || stats.uid === own) return true;
  throw new ControlError('EACCES', `control socket ${path}: there is one of user ${stats.uid}`);
}

function inUse(path: string): ControlError {
  return new ControlError('EADDRINUSE', `control socket ${path}: another host answers there; choose another path`);
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
