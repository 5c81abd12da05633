import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { NetworkNamespace } from '../../host/netns.js';
import { endGroup, leftovers } from './leftovers.js';

/** A program running inside a namespace, in a process group of its own. */
export class Program {
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;

  constructor(
    namespace: NetworkNamespace,
    readonly command: readonly string[],
    options: { input?: boolean } = {},
  ) {
    const [program = '', ...args] = command;
    this.#child = spawn('ip', namespace.inside(program, ...args), {
      stdio: [options.input === true ? 'pipe' : 'ignore', 'pipe', 'pipe'],
      detached: true,
    });
    // A program that ended reads no more; how it ended is told by whoever waits for it.
    this.#child.stdin?.on('error', () => undefined);
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    const { pid } = this.#child;
    if (pid !== undefined) leftovers.programs.add(pid);
    this.#closed = once(this.#child, 'close').finally(() => {
      if (pid !== undefined) leftovers.programs.delete(pid);
    });
  }

  /** The process; `ip netns exec` becomes the program. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Writes a line to standard input, which it must have been given. */
  order(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** Waits for the first whole line of standard output that begins with `start`, and gives it. */
  async line(start: string): Promise<string> {
    for (;;) {
      const lines = this.stdout.split('\n').slice(0, -1);
      const found = lines.find((line) => line.startsWith(start));
      if (found !== undefined) return found;
      await this.#more(`wrote a line "${start}..."`);
    }
  }

  /** Waits until standard output has `text`. @throws {Error} when the program ends before. */
  async says(text: string): Promise<void> {
    while (!this.stdout.includes(text)) await this.#more(`said "${text}"`);
  }

  async #more(awaited: string): Promise<void> {
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null || signalCode !== null) throw this.#failure(`ended before it ${awaited}`);
    await Promise.race([this.#closed, once(this.#child.stdout ?? this.#child, 'data')]);
  }

  /** Waits for the end. @returns standard output. @throws {Error} when the exit code is not 0. */
  async finish(): Promise<string> {
    await this.#closed;
    if (this.#child.exitCode !== 0) {
      throw this.#failure(`ended with ${this.#child.exitCode ?? this.#child.signalCode}`);
    }
    return this.stdout;
  }

  /** Ends it, if it has not ended by itself. */
  async stop(): Promise<void> {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid !== undefined && exitCode === null && signalCode === null) endGroup(pid, 'SIGKILL');
    await this.#closed;
  }

  #failure(what: string): Error {
    return new Error(`"${this.command.join(' ')}" ${what}: ${this.stderr.trim() || '(no message)'}`);
  }
}
