import type { ControlClient } from '../control/client.js';
import type { ConnectionView } from '../control/view.js';
import type { PathAddress } from '../info.js';
import { RESET_REASONS } from '../net/path-socket.js';
import { UsageError } from './arguments.js';
import type { Command } from './command.js';
import { printJson, REACH_USAGE, type ReachValues, reachArguments, Words, withHost } from './reach.js';
import { columns } from './transfer-report.js';

const CONNECTION = `TOKEN names the connection: its token (edfcb3c0) as mptcp ss -M -i shows it, or as 0:200001 what mptcp ss -e shows
as sk.`;

export const subflow: Command = {
  name: 'subflow',
  summary: 'opens, closes and shows subflows of a connection, and which are backups',
  usage: `mptcp subflow open TOKEN [ from ADDRESS ] [ fromport NR ] [ fromid ID ]
                         [ to ADDRESS ] [ port NR ] [ toid ID ] [ backup ]
mptcp subflow close TOKEN id NR [ reason REASON ]
mptcp subflow priority TOKEN id NR { backup | nobackup }
mptcp subflow show TOKEN

REASON := { ${RESET_REASONS.join(' | ')} }

Opens a subflow of a connection (MP_JOIN), closes one (RST with MP_TCPRST), makes it a backup or none any more (MP_PRIO),
or shows all with the addresses that were announced. What is left out of open is chosen. Limits do not count here.

${CONNECTION}

${REACH_USAGE}`,

  async run(args) {
    const { values, words: typed } = reachArguments(args);
    const verb = new Words('subflow', typed).verb('open', 'close', 'priority', 'show');
    const words = new Words(`subflow ${verb}`, typed.slice(1));
    const connection = words.take();
    if (connection === undefined) throw words.missing('the TOKEN');
    const [method, params] = READ[verb](words);
    await withHost(values.control, async (host) => {
      if (method === undefined) return show(host, connection, values);
      const result = await host.request(method, { connection, ...params });
      if (method !== 'subflow.open') return undefined;
      const { id } = result as unknown as { id: number };
      if (values.json) printJson({ id }, values);
      else console.log(`id ${id}`);
    });
    return 0;
  },
};

export const announce: Command = {
  name: 'announce',
  summary: 'announces an address to the peer of a connection (ADD_ADDR)',
  usage: `mptcp announce TOKEN ADDRESS [ port NR ] [ id ID ]

The peer may then join it; the announcement is sent again until it is echoed. The id is printed, which mptcp withdraw
takes. The address may be one of no device, such as that of a translator in front of this host.

${CONNECTION}

${REACH_USAGE}`,

  async run(args) {
    const { values, words: typed } = reachArguments(args);
    const words = new Words('announce', typed);
    const [connection, address] = [words.take(), words.take()];
    if (connection === undefined) throw words.missing('the TOKEN');
    if (address === undefined) throw words.missing('the ADDRESS');
    const params = readNumbers(words, { port: [0, 65_535], id: [1, 255] });
    const result = await withHost(values.control, (host) =>
      host.request('announce', { connection, address, ...params }),
    );
    const { id } = result as unknown as { id: number };
    if (values.json) printJson({ id }, values);
    else console.log(`id ${id}`);
    return 0;
  },
};

export const withdraw: Command = {
  name: 'withdraw',
  summary: 'withdraws an announced address from the peer of a connection (REMOVE_ADDR)',
  usage: `mptcp withdraw TOKEN id ID

The peer closes the subflows of the address.

${CONNECTION}

${REACH_USAGE}`,

  async run(args) {
    const { values, words: typed } = reachArguments(args);
    const words = new Words('withdraw', typed);
    const connection = words.take();
    if (connection === undefined) throw words.missing('the TOKEN');
    const params = readNumbers(words, { id: [0, 255] });
    if (params.id === undefined) throw words.missing('the ID');
    await withHost(values.control, (host) => host.request('withdraw', { connection, ...params }));
    return 0;
  },
};

type Params = Record<string, string | number | boolean>;
/** What is asked for; undefined to show. */
type Asked = [method: string | undefined, params: Params];

const READ: Readonly<Record<'open' | 'close' | 'priority' | 'show', (words: Words) => Asked>> = {
  open(words) {
    const params: Params = {};
    for (let word = words.take(); word !== undefined; word = words.take()) {
      if (word === 'backup') params.backup = true;
      else if (word === 'from') params.local = words.after('from');
      else if (word === 'to') params.remote = words.after('to');
      else if (word === 'fromport') params.localPort = words.number(word, 0, 65_535);
      else if (word === 'fromid') params.localId = words.number(word, 0, 255);
      else if (word === 'port') params.remotePort = words.number(word, 0, 65_535);
      else if (word === 'toid') params.remoteId = words.number(word, 0, 255);
      else throw words.unknown(word);
    }
    return ['subflow.open', params];
  },
  close(words) {
    const params: Params = {};
    for (let word = words.take(); word !== undefined; word = words.take()) {
      if (word === 'id') params.subflow = words.number(word, 1, 0xffff_ffff);
      else if (word === 'reason') params.reason = readReason(words.after(word));
      else throw words.unknown(word);
    }
    if (params.subflow === undefined) throw words.missing('the id of the subflow');
    return ['subflow.close', params];
  },
  priority(words) {
    const params: Params = {};
    for (let word = words.take(); word !== undefined; word = words.take()) {
      if (word === 'id') params.subflow = words.number(word, 1, 0xffff_ffff);
      else if (word === 'backup' || word === 'nobackup') params.backup = word === 'backup';
      else throw words.unknown(word);
    }
    if (params.subflow === undefined) throw words.missing('the id of the subflow');
    if (params.backup === undefined) throw words.missing('backup or nobackup');
    return ['subflow.priority', params];
  },
  show(words) {
    words.done();
    return [undefined, {}];
  },
};

function readReason(text: string): number {
  const reason = (RESET_REASONS as readonly string[]).indexOf(text);
  if (reason >= 0) return reason;
  throw new UsageError(`subflow close: "${text}" is no reason; there are ${RESET_REASONS.join(', ')}`);
}

function readNumbers(words: Words, ranges: Readonly<Record<string, readonly [number, number]>>): Params {
  const params: Params = {};
  for (let word = words.take(); word !== undefined; word = words.take()) {
    const range = Object.hasOwn(ranges, word) ? ranges[word] : undefined;
    if (range === undefined) throw words.unknown(word);
    params[word] = words.number(word, ...range);
  }
  return params;
}

/** The subflows of a connection, and the addresses announced by either side. */
async function show(host: ControlClient, connection: string, values: ReachValues): Promise<void> {
  const { subflows } = (await host.request('connection', { connection })) as unknown as ConnectionView;
  const addresses = (await host.request('addresses', { connection })) as unknown as {
    announced: PathAddress[];
    remote: PathAddress[];
  };
  if (values.json) {
    printJson({ subflows, ...addresses }, values);
    return;
  }
  const end = (address: string, port: number): string => `${address.includes(':') ? `[${address}]` : address}:${port}`;
  const rows = subflows.map((each) => [
    String(each.id),
    each.state,
    end(each.localAddress, each.localPort),
    end(each.remoteAddress, each.remotePort),
    `${each.localId}/${each.remoteId}`,
    each.dev,
    [
      each.initial ? 'initial' : 'joined',
      ...(each.backupLocal ? ['backup'] : []),
      ...(each.backupRemote ? ['backup-by-peer'] : []),
      ...(each.stale ? ['stale'] : []),
    ].join(','),
  ]);
  console.log(columns([['subflow', 'state', 'local', 'remote', 'ids', 'dev', 'flags'], ...rows]).join('\n'));
  for (const [whose, list] of [
    ['announced', addresses.announced],
    ['announced by the peer', addresses.remote],
  ] as const) {
    for (const { id, address, port, echoed, joined } of list) {
      const words = [...(port === 0 ? [] : [`port ${port}`]), `id ${id}`];
      console.log(
        `${whose}: ${[address, ...words, ...(echoed ? ['echoed'] : []), ...(joined ? ['joined'] : [])].join(' ')}`,
      );
    }
  }
}
