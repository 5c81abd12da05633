import type { JoinBed } from './join-bed.js';
import { type JoinCell, joinScenario } from './join-cells.js';
import type { Role } from './sides.js';

/** Rate of each path, bytes per second: less than each end sends. */
const RATE = 12e6 / 8;
/** Bytes to our stack while the paths are compared. */
const COMPARED = 1 << 19;

/** The other side of what `role` does. */
function other(bed: JoinBed, role: Role) {
  return role === 'server' ? bed.client : bed.server;
}

const first: readonly JoinCell[] = [
  {
    name: 'the first subflow, by the client',
    async run(bed) {
      await bed.client.add(1, ['subflow', 'backup']);
      await bed.start();
      await bed.counted(bed.server, { MPPrioRx: 1 });
      await bed.finish();
      bed.joins(0);
      bed.priorities(0, 1);
    },
  },
  {
    name: 'the first subflow, by both',
    async run(bed) {
      await bed.server.add(1, ['subflow', 'backup']);
      await bed.client.add(1, ['subflow', 'backup']);
      await bed.start();
      await bed.counted(bed.server, { MPPrioRx: 1 });
      await bed.counted(bed.client, { MPPrioRx: 1 });
      await bed.finish();
      bed.joins(0);
      bed.priorities(1, 1);
    },
  },
  ...(['client', 'server'] as const).map(
    (role: Role): JoinCell => ({
      name: `the first subflow, later, by the ${role}`,
      async run(bed) {
        const id = await bed[role].add(1, ['subflow']);
        await bed.start();
        await bed.moves();
        await bed[role].change(id, 'backup');
        await bed.counted(other(bed, role), { MPPrioRx: 1 });
        await bed.finish();
        bed.joins(0);
        bed.priorities(role === 'server' ? 1 : 0, role === 'client' ? 1 : 0);
      },
    }),
  ),
];

const further: readonly JoinCell[] = [
  {
    name: 'a subflow from the beginning, then no more',
    async run(bed) {
      const id = await bed.client.add(3, ['subflow', 'backup']);
      await bed.begin({ server: [1, 0], client: [1, 0], joins: 1 });
      bed.expect(bed.server, { MPJoinSynBackupRx: 1 });
      await bed.client.change(id, 'nobackup');
      await bed.counted(bed.server, { MPPrioRx: 1 });
      await bed.finish();
      bed.joins(1);
      bed.priorities(0, 1);
    },
  },
  {
    name: 'the subflow to an announced address, by the server',
    async run(bed) {
      const id = await bed.server.add(2, ['signal']);
      await bed.begin({ server: [1, 0], client: [1, 1], joins: 1 });
      await bed.server.change(id, 'backup');
      await bed.counted(bed.client, { MPPrioRx: 1 });
      await bed.finish();
      bed.joins(1);
      bed.announced(bed.server, 1);
      bed.priorities(1, 0);
    },
  },
  {
    name: 'moves the data to the other path',
    options: { rate: RATE },
    // Boxes that are too slow lose packets: nothing that tshark should judge, and kernels have none.
    tampers: true,
    async run(bed) {
      const id = await bed.client.add(2, ['subflow']);
      await bed.begin({ server: [1, 0], client: [1, 0], joins: 1 });
      const both = await bed.comparison([1, 2], COMPARED);
      await bed.client.change(id, 'backup');
      await bed.counted(bed.server, { MPPrioRx: 1 });
      await bed.idle(2);
      const one = await bed.comparison([1, 2], COMPARED);
      await bed.finish();
      bed.joins(1);
      bed.that((both[1] ?? 0) > COMPARED / 8, `path 2 carried ${both[1]} bytes before it was a backup`);
      bed.that((one[1] ?? 0) < COMPARED / 8, `path 2 carried ${one[1]} bytes as a backup`);
    },
  },
];

export const joinBackup = joinScenario(
  'join-backup',
  'subflows are backups from the beginning or later, asked for by either side (MP_PRIO), and carry nothing while another works',
  [...first, ...further],
);
