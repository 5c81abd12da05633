import type { JoinBed } from './join-bed.js';
import { joinScenario } from './join-cells.js';
import type { EndpointFlag } from './sides.js';

/** Rate of each path, bytes per second: less than the bytes of both ends need one path, none alone is enough for all. */
const RATE = 12e6 / 8;
/** Bytes that must come after paths failed, to and from our stack together. */
const AFTER = 1 << 20;

/** Two more subflows, the last one with flags of its own; then paths fail in the middle of the transfer. */
async function fail(bed: JoinBed, failing: readonly number[], last: readonly EndpointFlag[]): Promise<number> {
  await bed.server.add(2, ['signal']);
  await bed.client.add(3, last);
  await bed.begin({ server: [2, 1], client: [2, 1], joins: 2 });
  await bed.moves();
  for (const path of failing) bed.link(path).cut();
  const before = bed.ours.peer.received() ?? 0;
  const used = bed.carried(3);
  await bed.until('data by what is left', () => (bed.ours.peer.received() ?? 0) >= before + AFTER);
  const after = bed.carried(3) - used;
  // What is on a dead path keeps its subflow for as long as it is tried again.
  await bed.exchanged();
  bed.joins(2);
  return after;
}

export const joinLinkFailure = joinScenario(
  'join-link-failure',
  'paths die without a word while data flows both ways: what was on them goes by the others, by a backup when nothing else is left',
  [
    {
      name: 'one of three',
      options: { rate: RATE },
      tampers: true,
      async run(bed) {
        await fail(bed, [1], ['subflow']);
      },
    },
    {
      name: 'two of three',
      options: { rate: RATE },
      tampers: true,
      async run(bed) {
        await fail(bed, [1, 3], ['subflow']);
      },
    },
    {
      name: 'the backup stays idle while another path is left',
      options: { rate: RATE },
      tampers: true,
      async run(bed) {
        const bytes = await fail(bed, [1], ['subflow', 'backup']);
        bed.that(bytes < AFTER / 10, `the backup carried ${bytes} bytes`);
      },
    },
    {
      name: 'the backup carries all when nothing else is left',
      options: { rate: RATE },
      tampers: true,
      async run(bed) {
        const bytes = await fail(bed, [1, 2], ['subflow', 'backup']);
        bed.that(bytes >= AFTER, `the backup carried ${bytes} bytes`);
      },
    },
  ],
);
