import { type JoinCell, joinScenario } from './join-cells.js';

const FOUR = { paths: 4 };

export const joinFullmesh = joinScenario(
  'join-fullmesh',
  'endpoints with the flag fullmesh are joined to every address of the peer, as far as the limits go',
  [
    {
      name: 'two of the client, one of the server added later',
      options: FOUR,
      async run(bed) {
        await bed.client.add(2, ['subflow', 'fullmesh']);
        await bed.client.add(3, ['subflow', 'fullmesh']);
        await bed.begin({ server: [4, 0], client: [4, 1], joins: 2 });
        await bed.server.add(2, ['signal']);
        await bed.joined(4);
        await bed.finish();
        bed.joins(4);
        bed.announced(bed.server, 1);
      },
    },
    {
      name: 'one of the server, one of the client added later',
      options: FOUR,
      async run(bed) {
        await bed.server.add(2, ['signal']);
        await bed.begin({ server: [3, 1], client: [3, 1], joins: 1 });
        await bed.client.add(3, ['subflow', 'fullmesh']);
        await bed.joined(3);
        await bed.finish();
        bed.joins(3);
        bed.announced(bed.server, 1);
      },
    },
    ...[5, 4].map(
      (most): JoinCell => ({
        name: `one of the server, two of the client added later, ${most} subflows at most`,
        options: FOUR,
        async run(bed) {
          await bed.server.add(2, ['signal']);
          await bed.begin({ server: [most, 2], client: [most, 1], joins: 1 });
          await bed.client.add(3, ['subflow', 'fullmesh']);
          await bed.client.add(4, ['subflow', 'fullmesh']);
          await bed.joined(most);
          await bed.flow();
          await bed.finish();
          bed.joins(most);
          bed.announced(bed.server, 1);
        },
      }),
    ),
    {
      name: 'the flag is set',
      async run(bed) {
        const id = await bed.client.add(2, ['subflow']);
        await bed.begin({ server: [4, 4], client: [4, 4], joins: 1 });
        await bed.client.change(id, 'fullmesh');
        await bed.joined(2);
        await bed.finish();
        bed.joins(2);
        bed.withdrawn(bed.client, 0, 1);
      },
    },
    {
      name: 'the flag is taken away',
      async run(bed) {
        const id = await bed.client.add(2, ['subflow', 'fullmesh']);
        await bed.begin({ server: [4, 4], client: [4, 4], joins: 1 });
        await bed.client.change(id, 'nofullmesh');
        await bed.joined(2);
        await bed.finish();
        bed.joins(2);
        bed.withdrawn(bed.client, 0, 1);
      },
    },
    {
      name: 'the flag is taken away together with backup',
      async run(bed) {
        const id = await bed.client.add(2, ['subflow', 'backup', 'fullmesh']);
        await bed.begin({ server: [4, 4], client: [4, 4], joins: 1 });
        await bed.client.change(id, 'nobackup', 'nofullmesh');
        await bed.joined(2);
        await bed.finish();
        bed.joins(2);
        // A kernel tells the new priority of the subflow that it closes next.
        bed.expect(bed.server, { MPJoinSynBackupRx: 1, MPPrioRx: bed.client.kind === 'kernel' ? 1 : 0 });
        bed.withdrawn(bed.client, 0, 1);
      },
    },
  ],
);
