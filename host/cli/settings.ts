import { parseArgs } from 'node:util';
import { UsageError } from './arguments.js';
import type { Command } from './command.js';
import { printJson, REACH_OPTIONS, REACH_USAGE, withHost } from './reach.js';

const CONNECTION_OPTION = { connection: { type: 'string', short: 'c' }, subflow: { type: 'string' } } as const;

export const CONNECTION_USAGE = `  -c, --connection TOKEN
                     that of one connection: its token (edfcb3c0) as mptcp ss -M -i shows it, or as 0:200001 what
                     mptcp ss -e shows as sk
  --subflow NR       with it: that of one subflow of the connection, by its id (mptcp subflow show)`;

export const set: Command = {
  name: 'set',
  summary: 'changes a setting of a running host or of one connection',
  usage: `mptcp set NAME VALUE [ --connection TOKEN [ --subflow NR ] ]

Sets the default for connections made later, or the setting of one connection while it runs. mptcp get lists the
settings; docs/abi.md says what they mean. Times may be written as 500us, 200ms or 60s, sizes as 64K, 16M or 1G,
versions as 0,1; a negative value follows after "--".

${CONNECTION_USAGE}
${REACH_USAGE}`,

  async run(args) {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { ...REACH_OPTIONS, ...CONNECTION_OPTION },
    });
    const [name, text, ...rest] = positionals;
    if (name === undefined || text === undefined || rest.length > 0) {
      throw new UsageError('set: give one NAME and one VALUE, such as scheduler minRtt; mptcp get lists the names');
    }
    const value = readValue(text);
    const whose = readWhose('set', values);
    await withHost(values.control, (host) => host.request(`${whose.kind}.set`, { name, value, ...whose.params }));
    return 0;
  },
};

/** `mptcp get NAME ...`: what `get` does without a URL. */
export async function getSettings(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { ...REACH_OPTIONS, ...CONNECTION_OPTION },
  });
  const whose = readWhose('get', values);
  const names = positionals.length === 0 ? {} : { names: positionals };
  const shown = await withHost(values.control, (host) =>
    host.request(`${whose.kind}.get`, { ...names, ...whose.params }),
  );
  if (values.json) printJson(shown, values);
  else for (const [name, value] of Object.entries(shown ?? {})) console.log(`${name} ${value}`);
  return 0;
}

/** Whose setting is meant: the stack's, a connection's, or a subflow's. @throws {UsageError} */
function readWhose(
  command: string,
  { connection, subflow }: { connection?: string | undefined; subflow?: string | undefined },
): { kind: 'settings' | 'subflow'; params: Record<string, string | number> } {
  if (subflow === undefined) return { kind: 'settings', params: connection === undefined ? {} : { connection } };
  if (connection === undefined) throw new UsageError(`${command}: --subflow ${subflow} of which --connection?`);
  if (!/^\d{1,9}$/.test(subflow)) throw new UsageError(`${command}: --subflow ${subflow} is no id; it is a number`);
  return { kind: 'subflow', params: { connection, subflow: Number(subflow) } };
}

/** True for arguments of `get` that ask for settings: they name no path, and nothing that could be meant as a URL. */
export function asksForSettings(args: readonly string[]): boolean {
  return args.every((arg, index) => {
    if (/^--(tun|netns|setup|offload|mtu|memory|output|no-mptcp)\b/.test(arg)) return false;
    const valued = /^(--control|--connection|--subflow|-c)$/.test(args[index - 1] ?? '');
    return valued || arg.startsWith('-') || /^\w+$/.test(arg);
  });
}

const TIMES: Readonly<Record<string, number>> = { us: 1, µs: 1, ms: 1000, s: 1_000_000 };
const SIZES: Readonly<Record<string, number>> = { K: 1024, M: 1024 ** 2, G: 1024 ** 3 };

/** A value as it is typed: numbers with their units in µs or bytes. */
function readValue(text: string): string | number {
  const time = /^(\d{1,12}(?:\.\d{1,6})?)(us|µs|ms|s)$/.exec(text);
  if (time !== null) return Math.round(Number(time[1]) * (TIMES[time[2] ?? ''] ?? 1));
  const size = /^(\d{1,9})([KMG])$/.exec(text);
  if (size !== null) return Number(size[1]) * (SIZES[size[2] ?? ''] ?? 1);
  return text;
}
