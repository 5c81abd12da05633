import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { StackAgent } from '../net/http.js';
import { Socket } from '../net/socket.js';
import { UsageError } from './arguments.js';
import type { Command } from './command.js';
import { REACH_USAGE } from './reach.js';
import { asksForSettings, CONNECTION_USAGE, getSettings } from './settings.js';
import { untilTerminated } from './termination.js';
import { megabits, reportLines, subflowReports, type TransferReport } from './transfer-report.js';
import { bare, openTunStack, TUN_OPTIONS, TUN_USAGE, type TunStack } from './tun-options.js';

export const get: Command = {
  name: 'get',
  summary: 'fetch a URL over TUN devices from a server in the kernel; or read settings of a running host',
  usage: `mptcp get URL --tun NAME=ADDR/PREFIX ... [options]
mptcp get [ NAME ... ] [ --connection TOKEN [ --subflow NR ] ] [ --control PATH ] [ -j ]

Fetches URL (http, an IP address as its host) and prints its SHA-256 and what every subflow carried.
The first --tun carries the first subflow, the others join.
Without a URL: prints settings of a running host, a connection or a subflow by name; all of them when none is named.

${TUN_USAGE}
  --output FILE      write the body to FILE
  --no-mptcp         plain TCP
  --json             one JSON object

Settings:
${CONNECTION_USAGE}
${REACH_USAGE}`,

  async run(args) {
    if (asksForSettings(args)) return getSettings(args);
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        ...TUN_OPTIONS,
        output: { type: 'string' },
        'no-mptcp': { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    });
    const url = parseUrl(positionals);
    const tun = await openTunStack('get', 'subflow', values);
    try {
      return await untilTerminated(
        fetchOver(tun, url, values.output, !values['no-mptcp']).then((report) => {
          console.log(values.json ? JSON.stringify(report) : reportLines(report).join('\n'));
          return 0;
        }),
      );
    } finally {
      await tun.close();
    }
  },
};

function parseUrl(positionals: string[]): URL {
  const [text, ...rest] = positionals;
  if (text === undefined || rest.length > 0) throw new UsageError('give one URL, such as http://10.0.1.1/file');
  if (!URL.canParse(text)) throw new UsageError(`"${text}" is no URL; write it as http://10.0.1.1:8080/file`);
  const url = new URL(text);
  if (url.protocol !== 'http:')
    throw new UsageError(`"${text}": only http is fetched, not ${url.protocol.slice(0, -1)}`);
  return url;
}

async function fetchOver(tun: TunStack, url: URL, output: string | undefined, mptcp: boolean): Promise<TransferReport> {
  const family = url.hostname.startsWith('[');
  const localAddress = tun.paths[0]?.addresses.map(bare).find((address) => address.includes(':') === family);
  const agent = new StackAgent(tun.stack, { connect: { mptcp, localAddress } });
  const start = performance.now();
  const sent = request(url, { agent });
  sent.end();
  const [response]: IncomingMessage[] = await once(sent, 'response');
  if (response === undefined || response.statusCode !== 200) {
    throw new Error(`${url} answered ${response?.statusCode} ${response?.statusMessage}`);
  }
  const hash = createHash('sha256');
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    hash.update(chunk);
    bytes += chunk.length;
  });
  // node:http types every connection as net.Socket; over a stack it is one of the stack's.
  const socket: unknown = sent.socket;
  const discard = new Writable({ write: (_chunk, _encoding, callback) => callback() });
  await pipeline(response, output === undefined ? discard : createWriteStream(output));
  const seconds = (performance.now() - start) / 1000;
  const info = socket instanceof Socket ? socket.info() : undefined;
  return {
    bytes,
    seconds,
    goodputMbps: megabits(bytes, seconds),
    sha256: hash.digest('hex'),
    multipath: info?.multipath ?? false,
    checksum: info?.checksum ?? false,
    subflows: subflowReports(info?.subflows ?? []),
  };
}
