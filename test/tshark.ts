/** What tshark has to say of captures: the one judge of every test that makes some. */
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * True when tests that need tshark are to be skipped: it is missing, and this is not CI, where they run and fail without.
 */
export const withoutTshark = process.env.CI !== 'true' && spawnSync('tshark', ['--version']).status !== 0;

/**
 * Every expert message on Multipath TCP there is, of severity warning or error, by tshark's own names, as far as it is
 * right. Where it is not:
 *
 * - It asks for the mapping of each segment of a subflow, and misses it where there is nothing to be mapped: in ACKs
 *   without data, those of the Linux kernel too.
 * - It counts flag C of MP_CAPABLE among the cryptographic algorithms and calls it one that it does not know.
 */
const MPTCP = [
  'mptcp.connection.echoed_key_mismatch',
  'mptcp.connection.missing_algorithm',
  '(mptcp.connection.unsupported_algorithm && !(tcp.options.mptcp.nomoresubflows.flag == 1))',
  'mptcp.dss.infinite_mapping',
  '(mptcp.dss.missing_mapping && tcp.len > 0)',
];

/** What it has to object to the options and headers around those. */
const AROUND = [
  'tcp.option.len.invalid',
  'tcp.options.wscale.shift.invalid',
  'tcp.options.mss.absent',
  'tcp.options.mss.present',
  'tcp.bogus_header_length',
  'tcp.checksum.status == "Bad"',
  'ip.checksum.status == "Bad"',
  '_ws.malformed',
];

const PREFERENCES = [
  'tcp.desegment_tcp_streams:FALSE',
  'mptcp.analyze_mappings:TRUE',
  'mptcp.intersubflows_retransmission:TRUE',
];
const CHECKSUMS = ['tcp.check_checksum:TRUE', 'ip.check_checksum:TRUE'];
/** Messages given of one capture at most. */
const SHOWN = 5;
const FIELDS = ['frame.number', 'ip.src', 'ipv6.src', 'tcp.srcport', 'tcp.dstport', '_ws.expert.message'];

/** How a capture is read. */
export interface Reading {
  /** It has no checksums worth a look: the link made them, or packets are cut off. */
  readonly unchecked?: boolean;
}

/** What tshark finds in a capture by a filter: the fields of each packet, one in a line. */
export async function tsharkRead(path: string, filter: string, fields: readonly string[]): Promise<string[]> {
  const preferences = [...PREFERENCES, ...CHECKSUMS].flatMap((preference) => ['-o', preference]);
  const shown = fields.flatMap((field) => ['-e', field]);
  const options = ['-r', path, '--disable-protocol', 'http', ...preferences, '-T', 'fields', ...shown];
  const { stdout } = await run('tshark', [...options, '-Y', filter], { maxBuffer: 1 << 26 });
  return stdout.split('\n').filter((line) => line !== '');
}

/** What tshark objects to in a capture: number, ports and messages of the first packets concerned. */
export async function tsharkObjections(path: string, { unchecked = false }: Reading = {}): Promise<string[]> {
  const around = unchecked ? AROUND.filter((filter) => !filter.includes('checksum')) : AROUND;
  // Headers only: nothing is malformed for being cut off.
  const filters = [...MPTCP, ...around].filter((filter) => !unchecked || filter !== '_ws.malformed');
  const lines = await tsharkRead(path, filters.join(' || '), FIELDS);
  const more = lines.length > SHOWN ? [`and ${lines.length - SHOWN} more`] : [];
  return [...lines.slice(0, SHOWN).map((line) => line.replaceAll('\t', ' ')), ...more];
}
