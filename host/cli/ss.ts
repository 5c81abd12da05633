import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { ControlClient } from '../control/client.js';
import type { Json } from '../control/protocol.js';
import type { ConnectionView, ListenerView, Page, TimeWaitView } from '../control/view.js';
import { UsageError } from './arguments.js';
import type { Command } from './command.js';
import { printJson, REACH_OPTIONS, withHost } from './reach.js';
import { type EndFilter, parseFilter } from './ss-filter.js';
import { type SocketEnd, type SocketRow, socketRows } from './ss-rows.js';

const FLAGS = {
  all: { type: 'boolean', short: 'a', default: false },
  listening: { type: 'boolean', short: 'l', default: false },
  numeric: { type: 'boolean', short: 'n', default: false },
  tcp: { type: 'boolean', short: 't', default: false },
  mptcp: { type: 'boolean', short: 'M', default: false },
  info: { type: 'boolean', short: 'i', default: false },
  extended: { type: 'boolean', short: 'e', default: false },
  ipv4: { type: 'boolean', short: '4', default: false },
  ipv6: { type: 'boolean', short: '6', default: false },
  oneline: { type: 'boolean', short: 'O', default: false },
  'no-header': { type: 'boolean', short: 'H', default: false },
  summary: { type: 'boolean', short: 's', default: false },
} as const;

type Shown = { readonly [Name in keyof typeof FLAGS]: boolean };

export const ss: Command = {
  name: 'ss',
  summary: 'listeners, connections and subflows of a running host, as "ss"',
  usage: `mptcp ss [ OPTIONS ] [ { state | exclude } STATE ]... [ FILTER ]

The sockets of a running host: each subflow is a TCP socket, each connection of Multipath TCP a socket beside them.

  -a, --all          all sockets; else those that are connected
  -l, --listening    listening sockets only
  -n, --numeric      don't resolve service names
  -t, --tcp          TCP sockets only
  -M, --mptcp        MPTCP sockets only; with -t both, as without either
  -i, --info         internal information
  -e, --extended     detailed socket information: sk names a connection for mptcp set, get and subflow
  -4, --ipv4         IP version 4 only
  -6, --ipv6         IP version 6 only
  -O, --oneline      socket's data printed on a single line
  -H, --no-header    suppress header line
  -s, --summary      summary only
  -j, --json         JSON: one object a socket, with all that is known of it; -p for several lines
  --control PATH     control socket of the host; may be left out while one host runs

STATE := { all | connected | synchronized | bucket | big | established | syn-sent | syn-recv | fin-wait-{1,2} |
           time-wait | closed | close-wait | last-ack | listening | closing }
FILTER := CONDITION | not FILTER | FILTER [ and ] FILTER | FILTER or FILTER | ( FILTER )
CONDITION := { src | dst } [ = | != ] ADDRESS[/LENGTH][:PORT] | { sport | dport } [ = | != | < | > | <= | >= ] [:]PORT
           IPv6 in brackets; ADDRESS and PORT may be *`,

  async run(args) {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { ...REACH_OPTIONS, ...FLAGS },
    });
    const services = new Services();
    const { states, ends } = filters(positionals, values, services);
    const rows = await withHost(values.control, async (host) => {
      const [connections, listeners, timeWaits] = [
        await all<ConnectionView>(host, 'connections'),
        await all<ListenerView>(host, 'listeners'),
        await all<TimeWaitView>(host, 'timeWaits'),
      ];
      return socketRows({ connections, listeners, timeWaits }, values.extended);
    });
    if (values.summary) {
      const summary = summarize(rows);
      if (values.json) printJson(summary, values);
      else process.stdout.write(summaryText(summary));
      return 0;
    }
    const shown = rows.filter((row) => states(row.state) && wanted(row, values) && ends(row));
    if (values.json) printJson(shown.map(jsonOf), values);
    else process.stdout.write(table(shown, values, services));
    return 0;
  },
};

/** All pages of a list. */
async function all<T>(host: ControlClient, method: string): Promise<T[]> {
  const items: T[] = [];
  for (let after: Json = null; ; ) {
    const page = (await host.request(method, after === null ? {} : { after })) as unknown as Page<T>;
    items.push(...page.items);
    if (page.next === undefined) return items;
    after = page.next;
  }
}

const NAMES: Readonly<Record<string, string>> = {
  established: 'ESTAB',
  'syn-sent': 'SYN-SENT',
  'syn-recv': 'SYN-RECV',
  'fin-wait-1': 'FIN-WAIT-1',
  'fin-wait-2': 'FIN-WAIT-2',
  'time-wait': 'TIME-WAIT',
  closed: 'UNCONN',
  'close-wait': 'CLOSE-WAIT',
  'last-ack': 'LAST-ACK',
  listening: 'LISTEN',
  closing: 'CLOSING',
};

/** Groups of states by those they leave out. */
const GROUPS: Readonly<Record<string, (state: string) => boolean>> = {
  all: () => true,
  connected: (state) => state !== 'LISTEN' && state !== 'UNCONN',
  synchronized: (state) => !['LISTEN', 'UNCONN', 'SYN-SENT'].includes(state),
  bucket: (state) => state === 'SYN-RECV' || state === 'TIME-WAIT',
  big: (state) => state !== 'SYN-RECV' && state !== 'TIME-WAIT',
};

/** Which sockets are shown, by their state and by their ends. @throws {UsageError} */
function filters(
  words: readonly string[],
  { all, listening }: Shown,
  services: Services,
): { states: (state: string) => boolean; ends: EndFilter } {
  let states: ((state: string) => boolean) | undefined;
  let at = 0;
  for (let word = words[at]; word === 'state' || word === 'exclude' || word === 'excl'; word = words[at]) {
    const named = stateNamed(words[at + 1]);
    const before = states;
    // As the original: states add up, and what is left out is taken from what was named, or from all.
    if (word === 'state') states = (state) => before?.(state) === true || named(state);
    else states = (state) => (before ?? (() => true))(state) && !named(state);
    at += 2;
  }
  const rest = words.slice(at);
  return {
    states: states ?? usualStates(all, listening),
    ends: rest.length === 0 ? () => true : parseFilter(rest, (name) => services.port(name)),
  };
}

function usualStates(all: boolean, listening: boolean): (state: string) => boolean {
  if (all) return () => true;
  if (listening) return (state) => state === 'LISTEN';
  return (state) => !['LISTEN', 'UNCONN', 'SYN-RECV', 'TIME-WAIT'].includes(state);
}

/** @throws {UsageError} */
function stateNamed(name: string | undefined): (state: string) => boolean {
  const one = NAMES[name ?? ''];
  if (one !== undefined) return (state) => state === one;
  const group = GROUPS[name ?? ''];
  if (group !== undefined) return group;
  const known = [...Object.keys(GROUPS), ...Object.keys(NAMES)].join(', ');
  throw new UsageError(
    `ss: ${name === undefined ? 'the state is missing' : `there is no state "${name}"`}; there are ${known}`,
  );
}

function wanted({ netid, local }: SocketRow, { tcp, mptcp, ipv4, ipv6 }: Shown): boolean {
  if (tcp !== mptcp && netid !== (tcp ? 'tcp' : 'mptcp')) return false;
  if (ipv4 === ipv6 || local.address === '*') return true;
  return local.address.includes(':') === ipv6;
}

function jsonOf({ netid, state, recvQ, sendQ, local, peer, sk, detail }: SocketRow): unknown {
  return { netid, state, recvQ, sendQ, local, peer, sk, detail };
}

/** The table with its head, as wide as what stands in it. */
function table(rows: readonly SocketRow[], options: Shown, services: Services): string {
  const name = options.numeric ? () => undefined : (port: number) => services.name(port);
  const text = ({ address, port }: SocketEnd): [string, string] => [
    address.includes(':') ? `[${address}]` : address,
    (typeof port === 'number' ? name(port) : undefined) ?? String(port),
  ];
  const netid = options.tcp === options.mptcp;
  const head = ['Netid', 'State', 'Recv-Q', 'Send-Q', 'Local Address:', 'Port', 'Peer Address:', 'Port'];
  const lines = rows.map(({ netid: kind, state, recvQ, sendQ, local, peer }) => {
    const [[a, ap], [b, bp]] = [text(local), text(peer)];
    return [kind, state, String(recvQ), String(sendQ), `${a}:`, ap, `${b}:`, bp];
  });
  const widths = head.map((title, column) =>
    Math.max(title.length, ...lines.map((line) => (line[column] ?? '').length)),
  );
  // Addresses stand at the right of their column, their ports follow at once.
  const cells = (line: readonly string[]): string[] =>
    line.map((cell, column) => {
      const width = widths[column] ?? 0;
      return column === 4 || column === 6 ? cell.padStart(width) : cell.padEnd(width);
    });
  const join = (line: readonly string[]): string => {
    const [kind = '', state = '', recvQ = '', sendQ = '', a = '', ap = '', b = '', bp = ''] = cells(line);
    return [...(netid ? [kind] : []), state, recvQ, sendQ, `${a}${ap}`, `${b}${bp}`].join(' ');
  };
  const out = options['no-header'] ? [] : [`${join(head)} Process`.trimEnd()];
  for (const [index, line] of lines.entries()) {
    const row = rows[index];
    const extended = options.extended ? ` ${row?.extended}` : '';
    const info = options.info && row?.info !== '' ? `${options.oneline ? ' ' : '\n\t '}${row?.info}` : '';
    out.push(`${`${join(line)}${extended}`.trimEnd()}${info}`);
  }
  return out.map((line) => `${line}\n`).join('');
}

/** The services of TCP, as the system knows them. */
class Services {
  #names: Map<number, string> | undefined;
  readonly #ports = new Map<string, number>();

  name(port: number): string | undefined {
    return this.#read().get(port);
  }

  port(name: string): number | undefined {
    this.#read();
    return this.#ports.get(name);
  }

  #read(): Map<number, string> {
    if (this.#names !== undefined) return this.#names;
    const names = new Map<number, string>();
    this.#names = names;
    let text = '';
    try {
      text = readFileSync('/etc/services', 'utf8');
    } catch (error) {
      // Where the system has no list, ports are shown as numbers.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    for (const [, name, port] of text.matchAll(/^([\w-]+)\s+(\d+)\/tcp\b/gm)) {
      if (name === undefined) continue;
      if (!names.has(Number(port))) names.set(Number(port), name);
      if (!this.#ports.has(name)) this.#ports.set(name, Number(port));
    }
    return names;
  }
}

interface Summary {
  readonly tcp: Record<string, number>;
  readonly mptcp: Record<string, number>;
}

function summarize(rows: readonly SocketRow[]): Summary {
  const summary: Summary = { tcp: {}, mptcp: {} };
  for (const { netid, state } of rows) summary[netid][state] = (summary[netid][state] ?? 0) + 1;
  return summary;
}

function summaryText({ tcp, mptcp }: Summary): string {
  const line = (name: string, states: Record<string, number>): string => {
    const total = Object.values(states).reduce((sum, count) => sum + count, 0);
    const count = (state: string): number => states[state] ?? 0;
    const rest = total - count('ESTAB') - count('LISTEN') - count('TIME-WAIT');
    return (
      `${`${name}:`.padEnd(7)}${total} (estab ${count('ESTAB')}, listen ${count('LISTEN')}, ` +
      `timewait ${count('TIME-WAIT')}, other ${rest})\n`
    );
  };
  return line('TCP', tcp) + line('MPTCP', mptcp);
}
