/** The captures in test/captures with tshark's reading of each packet. */
import { readdirSync, readFileSync } from 'node:fs';

/** One packet of a capture. */
export interface Captured {
  /** The IP packet, without the link-layer header. */
  readonly packet: Uint8Array;
  /** What tshark reads: the field's occurrences, joined by commas, '' for none. */
  field(name: string): string;
  /** The occurrences of a field. */
  all(name: string): string[];
}

const FOLDER = new URL('../captures/', import.meta.url);
/** Link type LINKTYPE_LINUX_SLL2 and the bytes of its header. */
const SLL2 = 276;
const SLL2_BYTES = 20;

/** Names of all captures, without the ending. */
export function captureNames(): string[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith('.pcap'))
    .map((name) => name.slice(0, -'.pcap'.length))
    .sort();
}

/** Reads a capture and the table beside it. */
export function readCapture(name: string): Captured[] {
  const packets = readPcap(readFileSync(new URL(`${name}.pcap`, FOLDER)));
  const [header = '', ...lines] = readFileSync(new URL(`${name}.tsv`, FOLDER), 'utf8')
    .trimEnd()
    .split('\n');
  const columns = new Map(header.split('\t').map((column, index) => [column, index]));
  if (lines.length !== packets.length) {
    throw new Error(`${name}: ${packets.length} packets but ${lines.length} lines; run test/captures/read.sh`);
  }
  return packets.map((packet, index) => {
    const cells = (lines[index] ?? '').split('\t');
    const field = (column: string): string => {
      const at = columns.get(column);
      if (at === undefined) {
        throw new Error(`${name}.tsv has no column ${column}: add it to test/captures/read.sh and run that`);
      }
      return cells[at] ?? '';
    };
    return { packet, field, all: (column) => (field(column) === '' ? [] : field(column).split(',')) };
  });
}

/** The IP packets of a little-endian pcap file with microseconds and SLL2 headers. */
function readPcap(file: Buffer): Uint8Array[] {
  if (file.readUInt32LE(0) !== 0xa1b2c3d4 || file.readUInt32LE(20) !== SLL2) {
    throw new Error('not a little-endian pcap file of link type SLL2');
  }
  const packets: Uint8Array[] = [];
  for (let at = 24; at < file.length; ) {
    const captured = file.readUInt32LE(at + 8);
    if (captured !== file.readUInt32LE(at + 12)) {
      throw new Error(`packet ${packets.length + 1} was cut when it was captured`);
    }
    packets.push(new Uint8Array(file.subarray(at + 16 + SLL2_BYTES, at + 16 + captured)));
    at += 16 + captured;
  }
  return packets;
}
