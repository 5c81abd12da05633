import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PcapngWriter } from '../../host/link/pcapng.js';
import { leftovers } from './leftovers.js';

const run = promisify(execFile);

/** Headers and options of any packet; payload is of no use here. */
const SNAP_BYTES = 160;

/**
 * What tshark has to object to Multipath TCP, by its own names of the expert messages. It misses a mapping in every ACK
 * without data, the kernel's too, and takes flag C for a cryptographic algorithm that it does not know: both are left out.
 */
const OBJECTION = [
  'mptcp.connection.echoed_key_mismatch',
  'mptcp.connection.missing_algorithm',
  'mptcp.dss.infinite_mapping',
  '(mptcp.dss.missing_mapping && tcp.len > 0)',
].join(' || ');
const PREFERENCES = [
  'tcp.desegment_tcp_streams:FALSE',
  'mptcp.analyze_mappings:TRUE',
  'mptcp.intersubflows_retransmission:TRUE',
];
/** Messages shown of one capture at most. */
const SHOWN = 5;

/** A capture of all that our stack sends and receives, for tshark to read. */
export class CaptureCheck {
  readonly writer: PcapngWriter;
  readonly #folder: string;
  readonly #path: string;

  constructor() {
    this.#folder = mkdtempSync(join(tmpdir(), 'mptcp-lab-capture-'));
    leftovers.files.add(this.#folder);
    this.#path = join(this.#folder, 'capture.pcapng');
    this.writer = new PcapngWriter(this.#path, { snapLength: SNAP_BYTES });
  }

  /** Ends the capture, has tshark read it, and gives what it objects to: time, ports and message of each packet. */
  async objections(): Promise<string[]> {
    this.writer.close();
    const fields = ['frame.number', 'ip.src', 'ipv6.src', 'tcp.srcport', 'tcp.dstport', '_ws.expert.message'];
    try {
      const { stdout } = await run(
        'tshark',
        [
          ...['-r', this.#path, '-Y', OBJECTION, ...PREFERENCES.flatMap((preference) => ['-o', preference])],
          ...['-T', 'fields', ...fields.flatMap((field) => ['-e', field])],
        ],
        { maxBuffer: 1 << 26 },
      );
      const lines = stdout.split('\n').filter((line) => line !== '');
      const more = lines.length > SHOWN ? [`and ${lines.length - SHOWN} more`] : [];
      return [...lines.slice(0, SHOWN).map((line) => line.replaceAll('\t', ' ')), ...more];
    } finally {
      rmSync(this.#folder, { recursive: true, force: true });
      leftovers.files.delete(this.#folder);
    }
  }
}
