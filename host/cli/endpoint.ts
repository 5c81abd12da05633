import { parseAddress } from '../address.js';
import type { ControlClient } from '../control/client.js';
import type { Json, JsonObject } from '../control/protocol.js';
import { UsageError } from './arguments.js';
import type { Command } from './command.js';
import { printJson, REACH_USAGE, type ReachValues, reachArguments, Words, withHost } from './reach.js';

const FLAGS = ['signal', 'subflow', 'backup', 'fullmesh', 'nobackup', 'nofullmesh'] as const;
type Flag = (typeof FLAGS)[number];

/** An endpoint as a host shows it, and as `ip -j mptcp endpoint show` does. */
export interface ShownEndpoint {
  readonly address: string;
  readonly port?: number;
  readonly id: number;
  readonly signal?: true;
  readonly subflow?: true;
  readonly backup?: true;
  readonly fullmesh?: true;
  readonly dev?: string;
}

export const endpoint: Command = {
  name: 'endpoint',
  summary: 'path-manager endpoints of a running host, as "ip mptcp endpoint"',
  usage: `mptcp endpoint add ADDRESS [ dev NAME ] [ id ID ] [ port NR ] [ FLAG-LIST ]
mptcp endpoint delete id ID [ ADDRESS ]
mptcp endpoint change [ id ID ] [ ADDRESS ] [ port NR ] CHANGE-OPT
mptcp endpoint show [ id ID ]
mptcp endpoint flush

FLAG-LIST := [ FLAG-LIST ] FLAG
FLAG  := [ signal | subflow | backup | fullmesh ]
CHANGE-OPT := [ backup | nobackup | fullmesh | nofullmesh ]

The path-manager endpoints of a running host. What is added, changed or deleted counts at once for the connections
there are. "dev" sees that the device has the address.

${REACH_USAGE}`,

  async run(args) {
    const { values, words: typed } = reachArguments(args);
    const words = new Words('endpoint', typed);
    const verb = words.verb('add', 'delete', 'change', 'flush', 'show');
    const given = readEndpoint(new Words(`endpoint ${verb}`, typed.slice(1)), verb);
    await withHost(values.control, (host) => DO[verb](host, given, values));
    return 0;
  },
};

type Verb = 'add' | 'delete' | 'change' | 'flush' | 'show';

interface Given {
  address?: string;
  id?: number;
  port?: number;
  dev?: string;
  flags: Flag[];
}

/** Reads what stands behind the verb. @throws {UsageError} */
function readEndpoint(words: Words, verb: Verb): Given {
  const given: Given = { flags: [] };
  if (verb === 'flush') words.done();
  for (let word = words.take(); word !== undefined; word = words.take()) {
    const text = word;
    const flag = FLAGS.find((candidate) => candidate === text);
    if (flag !== undefined) given.flags.push(flag);
    else if ('id'.startsWith(word)) given.id = words.number('id', 0, 255);
    else if ('dev'.startsWith(word)) given.dev = words.after('dev');
    else if ('port'.startsWith(word)) given.port = words.number('port', 0, 65_535);
    else if (parseAddress(word) !== undefined) given.address = word;
    else throw new UsageError(`endpoint ${verb}: "${word}" is neither an IP address nor a keyword`);
  }
  CHECK[verb](given, words);
  return given;
}

/** What is wrong whatever host is asked. */
const CHECK: Readonly<Record<Verb, (given: Given, words: Words) => void>> = {
  add({ address, id, port, flags }, words) {
    if (address === undefined) throw words.missing('the ADDRESS');
    if (id === 0) throw new UsageError('endpoint add: id 0 is that of first subflows; choose one from 1 to 255');
    const negative = flags.find((flag) => flag.startsWith('no'));
    if (negative !== undefined) throw new UsageError(`endpoint add: ${negative} is for "endpoint change"`);
    if (flags.includes('signal') && flags.includes('fullmesh')) {
      throw new UsageError("endpoint add: flags mustn't have both signal and fullmesh");
    }
    if (port !== undefined && port > 0 && !flags.includes('signal')) {
      throw new UsageError('endpoint add: flags must have signal when using port');
    }
  },
  delete({ id, address, flags }, words) {
    if (id === undefined) throw words.missing('the ID');
    if (id !== 0 && address !== undefined) {
      throw new UsageError('endpoint delete: give no address with an id other than 0');
    }
    if (flags.length > 0) throw words.unknown(flags[0] ?? '');
  },
  change({ id, address, port, flags }, words) {
    if (id === undefined && address === undefined) throw words.missing('the ID or the ADDRESS');
    if (id === 0) throw new UsageError('endpoint change: id 0 is that of first subflows, which no endpoint stands for');
    if (id !== undefined && port !== undefined) throw new UsageError("endpoint change: port can't be used with id");
    if (flags.length === 0) throw words.missing('what shall change: backup, nobackup, fullmesh or nofullmesh');
    const other = flags.find((flag) => flag === 'signal' || flag === 'subflow');
    if (other !== undefined) throw new UsageError(`endpoint change: ${other} stays as it is, backup and fullmesh only`);
    for (const flag of ['backup', 'fullmesh'] as const) {
      if (flags.includes(flag) && flags.includes(`no${flag}`)) {
        throw new UsageError(`endpoint change: ${flag} and no${flag}: give one of them`);
      }
    }
  },
  show({ address, port, dev, flags }, words) {
    if (address !== undefined || port !== undefined || dev !== undefined || flags.length > 0) {
      throw words.unknown(address ?? dev ?? flags[0] ?? 'port');
    }
  },
  flush: () => undefined,
};

const DO: Readonly<Record<Verb, (host: ControlClient, given: Given, values: ReachValues) => Promise<void>>> = {
  async add(host, { flags, ...rest }) {
    await host.request('endpoint.add', { ...rest, ...Object.fromEntries(flags.map((flag) => [flag, true])) });
  },
  async delete(host, { id, address }) {
    await host.request('endpoint.delete', params({ id, address }));
  },
  async change(host, { id, address, port, flags }) {
    const changes = flags.map((flag) => [flag.replace(/^no/, ''), !flag.startsWith('no')]);
    await host.request('endpoint.change', { ...params({ id, address, port }), ...Object.fromEntries(changes) });
  },
  async show(host, { id }, values) {
    const shown = (await host.request('endpoint.show', params({ id }))) as unknown as ShownEndpoint[];
    if (values.json) printJson(shown, values);
    else process.stdout.write(shown.map((each) => `${endpointLine(each)}\n`).join(''));
  },
  async flush(host) {
    await host.request('endpoint.flush');
  },
};

/** A line of `ip mptcp endpoint show`, with the blank at its end. */
export function endpointLine(shown: ShownEndpoint): string {
  const words = [shown.address];
  if (shown.port !== undefined) words.push('port', String(shown.port));
  words.push('id', String(shown.id));
  for (const flag of ['signal', 'subflow', 'backup', 'fullmesh'] as const) if (shown[flag]) words.push(flag);
  if (shown.dev !== undefined) words.push('dev', shown.dev);
  return `${words.join(' ')} `;
}

/** Parameters without those left out. */
function params(given: Record<string, Json | undefined>): JsonObject {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
