/** How the commands that ask a running host find it, and how they read what was typed. */
import { parseArgs } from 'node:util';
import { ControlClient } from '../control/client.js';
import { ControlError, isObject } from '../control/protocol.js';
import { controlFolders, controlSockets } from '../control/socket-path.js';
import { UsageError } from './arguments.js';

/** The options for `util.parseArgs` of every command that asks a host. */
export const REACH_OPTIONS = {
  control: { type: 'string' },
  json: { type: 'boolean', short: 'j', default: false },
  pretty: { type: 'boolean', short: 'p', default: false },
} as const;

/** Their part of a command's usage text. */
export const REACH_USAGE = `  --control PATH     control socket of the host; may be left out while one host runs
  -j, --json         JSON; with -p, --pretty over several lines`;

/** What every such command was given. */
export interface ReachValues {
  readonly control?: string | undefined;
  readonly json: boolean;
  readonly pretty: boolean;
}

/** Splits arguments into {@link REACH_OPTIONS} and words. */
export function reachArguments(args: string[]): { values: ReachValues; words: string[] } {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: REACH_OPTIONS });
  return { values, words: positionals };
}

/**
 * Connects to the host of `--control`, or to the only one there is, runs `use`, and lets it go.
 * @throws {ControlError} when there is none or more than one, or when it refuses.
 */
export async function withHost<T>(path: string | undefined, use: (host: ControlClient) => Promise<T>): Promise<T> {
  const host = path === undefined ? await onlyHost() : await ControlClient.connect(path);
  try {
    return await use(host);
  } finally {
    host.close();
  }
}

async function onlyHost(): Promise<ControlClient> {
  const running: { client: ControlClient; text: string }[] = [];
  const shut: string[] = [];
  for (const path of controlSockets()) {
    try {
      const client = await ControlClient.connect(path);
      const hello = await client.request('hello');
      const name = isObject(hello) ? `${hello.name}, process ${hello.pid}` : '';
      running.push({ client, text: `${path} (${name})` });
    } catch (error) {
      if (!(error instanceof ControlError)) throw error;
      // One that was left behind is no host.
      if (error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT') shut.push(error.message);
    }
  }
  const [first, ...others] = running;
  if (first !== undefined && others.length === 0) return first.client;
  for (const { client } of running) client.close();
  if (first !== undefined) {
    const list = running.map(({ text }) => text).join(', ');
    throw new ControlError('ENOTUNIQ', `${running.length} hosts are running; choose one with --control: ${list}`);
  }
  const looked = controlFolders().join(' and ');
  const more = shut.length === 0 ? '' : ` (${shut.join('; ')})`;
  throw new ControlError(
    'ENOENT',
    `no host was found in ${looked}${more}; start one, such as mptcp serve, or name its socket with --control`,
  );
}

/** Prints what `-j` asks for: in one line, or with `-p` over several. */
export function printJson(value: unknown, { pretty }: Pick<ReachValues, 'pretty'>): void {
  console.log(pretty ? JSON.stringify(value, null, 4) : JSON.stringify(value));
}

/** The words of a command, read one after the other; as in iproute2 any beginning of a keyword stands for it. */
export class Words {
  readonly #words: string[];
  readonly #command: string;

  constructor(command: string, words: readonly string[]) {
    this.#command = command;
    this.#words = [...words];
  }

  get left(): number {
    return this.#words.length;
  }

  /** The next word, or undefined. */
  take(): string | undefined {
    return this.#words.shift();
  }

  /** The word behind a keyword. @throws {UsageError} */
  after(keyword: string): string {
    const word = this.#words.shift();
    if (word !== undefined) return word;
    throw new UsageError(`${this.#command}: "${keyword}" wants something behind it; ${this.#help}`);
  }

  /** A whole number behind a keyword. @throws {UsageError} */
  number(keyword: string, least: number, most: number): number {
    const word = this.after(keyword);
    const value = /^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(word) ? Number(word) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new UsageError(`${this.#command}: ${keyword} ${word} is not a number of ${least} to ${most}`);
  }

  /** The verb, one of `verbs`; the last of them when there is none. @throws {UsageError} */
  verb<Verb extends string>(...verbs: readonly Verb[]): Verb {
    const word = this.#words.shift();
    const verb = word === undefined ? verbs.at(-1) : verbs.find((candidate) => candidate.startsWith(word));
    if (verb !== undefined) return verb;
    throw new UsageError(`${this.#command}: "${word}" is none of ${verbs.join(', ')}; ${this.#help}`);
  }

  /** @throws {UsageError} when words are left. */
  done(): void {
    const word = this.#words[0];
    if (word !== undefined) throw this.unknown(word);
  }

  unknown(word: string): UsageError {
    return new UsageError(`${this.#command}: "${word}" is not understood here; ${this.#help}`);
  }

  missing(what: string): UsageError {
    return new UsageError(`${this.#command}: ${what} is missing; ${this.#help}`);
  }

  get #help(): string {
    return `mptcp help ${this.#command.split(' ')[0]} tells what can be given`;
  }
}
