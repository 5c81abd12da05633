/**
 * What the laboratory leaves behind if it ends early: programs in its namespaces, the namespaces, files. Whatever ends
 * the process, they are removed.
 */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';

const programs = new Set<number>();
const namespaces = new Set<string>();
const files = new Set<string>();

export const leftovers = { programs, namespaces, files };

/** Has everything removed when the process ends, by a signal too. */
export function removeLeftoversAtExit(): void {
  process.on('exit', () => {
    for (const pid of programs) endGroup(pid, 'SIGKILL');
    for (const name of namespaces) spawnSync('ip', ['netns', 'delete', name]);
    for (const path of files) rmSync(path, { recursive: true, force: true });
  });
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
}

/** Signals a process group this program started; one that is gone already is no error. */
export function endGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
