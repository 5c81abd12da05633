import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PcapngWriter } from '../../host/link/pcapng.js';
import { tsharkObjections } from '../tshark.js';
import { leftovers } from './leftovers.js';

/** Headers and options of any packet; payload is of no use here. */
const SNAP_BYTES = 160;

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
    try {
      return await tsharkObjections(this.#path, { unchecked: true });
    } finally {
      rmSync(this.#folder, { recursive: true, force: true });
      leftovers.files.delete(this.#folder);
    }
  }
}
