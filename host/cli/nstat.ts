import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ControlError, isObject } from '../control/protocol.js';
import type { Command } from './command.js';
import { fits, nstatCounters } from './nstat-names.js';
import { printJson, REACH_OPTIONS, withHost } from './reach.js';

export const nstat: Command = {
  name: 'nstat',
  summary: 'counters of a running host, as "nstat"',
  usage: `mptcp nstat [OPTION] [ PATTERN [ PATTERN ] ]

Counters of a running host under the kernel's names (MPTcpExt..., Tcp...), as far as they count the same; others with
Stack in front. Shown is the difference to the last time, unless told otherwise.

  -a, --ignore       ignore history
  -s, --noupdate     don't update history
  -r, --reset        reset history
  -n, --nooutput     do history only
  -z, --zeros        show entries with zero activity
  -j, --json         format output in JSON
  -p, --pretty       pretty print
  --control PATH     control socket of the host; may be left out while one host runs

The history lies beside the control socket, in PATH.nstat.`,

  async run(args) {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        ...REACH_OPTIONS,
        ignore: { type: 'boolean', short: 'a', default: false },
        noupdate: { type: 'boolean', short: 's', default: false },
        reset: { type: 'boolean', short: 'r', default: false },
        nooutput: { type: 'boolean', short: 'n', default: false },
        zeros: { type: 'boolean', short: 'z', default: false },
      },
    });
    const { host, counters, path } = await withHost(values.control, async (client) => {
      const hello = await client.request('hello');
      const raw = (await client.request('counters')) as unknown as Record<string, number>;
      // A host that took the path over began from 0.
      const started = isObject(hello) ? `${hello.pid}:${hello.started}` : '';
      return { host: started, counters: nstatCounters(raw), path: `${client.path}.nstat` };
    });
    const before = values.ignore || values.reset ? new Map<string, number>() : readHistory(path, host);
    if (!values.noupdate) writeHistory(path, host, counters);
    if (values.nooutput) return 0;
    const shown = [...counters]
      .filter(([name]) => positionals.length === 0 || positionals.some((pattern) => fits(pattern, name)))
      .map(([name, value]): [string, number] => [name, value - (before.get(name) ?? 0)])
      .filter(([, value]) => values.zeros || value !== 0);
    if (values.json) printJson({ kernel: Object.fromEntries(shown) }, values);
    else process.stdout.write(['#kernel', ...shown.map(nstatLine)].map((line) => `${line}\n`).join(''));
    return 0;
  },
};

function nstatLine([name, value]: [string, number]): string {
  return `${name.padEnd(32)}${String(value).padEnd(16)}${'0.0'.padStart(6)}`;
}

function readHistory(path: string, host: string): Map<string, number> {
  if (!existsSync(path)) return new Map();
  let history: unknown;
  try {
    history = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new ControlError('EIO', `the history ${path} cannot be read: ${text}; -a ignores it, -r resets it`, cause);
  }
  if (!isObject(history) || history.host !== host || !isObject(history.counters)) return new Map();
  return new Map(Object.entries(history.counters).map(([name, value]) => [name, Number(value)]));
}

function writeHistory(path: string, host: string, counters: ReadonlyMap<string, number>): void {
  try {
    writeFileSync(path, JSON.stringify({ host, counters: Object.fromEntries(counters) }), { mode: 0o600 });
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new ControlError('EIO', `the history ${path} cannot be written: ${text}; -s leaves it alone`, cause);
  }
}
