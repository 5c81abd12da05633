import { vi } from 'vitest';
import { UsageError } from '../../host/cli/arguments.js';
import type { Command } from '../../host/cli/command.js';

/** What a command printed, and how it ended. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

/** Runs a command of `mptcp` in this process, with the exit codes of the program. */
export async function runCommand(command: Command, ...args: string[]): Promise<Ran> {
  let out = '';
  const log = vi.spyOn(console, 'log').mockImplementation((text: string) => {
    out += `${text}\n`;
  });
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  try {
    return { code: await command.run(args), out, error: '' };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { code: error instanceof UsageError ? 2 : 1, out, error: message };
  } finally {
    log.mockRestore();
    write.mockRestore();
  }
}
