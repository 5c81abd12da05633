import { type JoinCell, joinScenario } from './join-cells.js';

const FOUR = { paths: 4 };

const cells: readonly JoinCell[] = [
  {
    name: 'a subflow',
    async run(bed) {
      const id = await bed.client.add(3, ['subflow']);
      await bed.begin({ server: [1, 0], client: [1, 0], joins: 1 });
      await bed.client.remove(id);
      await bed.counted(bed.server, { RmAddr: 1 });
      await bed.finish();
      bed.joins(1);
      bed.withdrawn(bed.client, 1, 1);
      bed.expect(bed.client, { RmAddrTx: 1 });
    },
  },
  {
    name: 'two subflows',
    async run(bed) {
      const ids = [await bed.client.add(2, ['subflow']), await bed.client.add(3, ['subflow'])];
      await bed.begin({ server: [2, 0], client: [2, 0], joins: 2 });
      // A kernel that has not dealt with one REMOVE_ADDR yet drops the next.
      for (const [index, id] of ids.entries()) {
        await bed.client.remove(id);
        await bed.counted(bed.server, { RmAddr: index + 1 });
      }
      await bed.finish();
      bed.joins(2);
      bed.withdrawn(bed.client, 2, 2);
    },
  },
  {
    name: 'an address',
    async run(bed) {
      const id = await bed.server.add(2, ['signal']);
      await bed.begin({ server: [1, 0], client: [1, 1], joins: 1 });
      await bed.server.remove(id);
      await bed.counted(bed.client, { RmAddr: 1 });
      await bed.finish();
      bed.joins(1);
      bed.announced(bed.server, 1);
      bed.withdrawn(bed.server, 1, 1);
    },
  },
  {
    name: 'an address and a subflow',
    async run(bed) {
      const announced = await bed.server.add(2, ['signal']);
      const opened = await bed.client.add(3, ['subflow']);
      await bed.begin({ server: [2, 0], client: [2, 1], joins: 2 });
      await bed.server.remove(announced);
      await bed.client.remove(opened);
      await bed.counted(bed.server, { RmAddr: 1 });
      await bed.counted(bed.client, { RmAddr: 1 });
      await bed.finish();
      bed.joins(2);
      bed.withdrawn(bed.server, 1, 1);
      bed.withdrawn(bed.client, 1, 1);
    },
  },
  {
    name: 'three addresses',
    options: FOUR,
    async run(bed) {
      const ids = [await bed.server.add(2, ['signal'], { id: 250 })];
      for (const path of [3, 4]) ids.push(await bed.server.add(path, ['signal']));
      await bed.begin({ server: [3, 3], client: [3, 3], joins: 3 });
      for (const [index, id] of ids.entries()) {
        await bed.server.remove(id);
        await bed.counted(bed.client, { RmAddr: index + 1 });
      }
      await bed.finish();
      bed.joins(3);
      bed.announced(bed.server, 3);
      bed.withdrawn(bed.server, 3, 3);
    },
  },
  {
    name: 'addresses that lead nowhere',
    pairings: ['weConnect'],
    async run(bed) {
      const ids = [
        await bed.server.add(0, ['signal'], { address: '10.99.12.1' }),
        await bed.server.add(3, ['signal']),
        await bed.server.add(0, ['signal'], { address: '10.99.14.1' }),
      ];
      await bed.begin({ server: [3, 3], client: [3, 3], joins: 1 });
      await bed.counted(bed.server, { EchoAdd: 3 });
      for (const [index, id] of ids.entries()) {
        await bed.server.remove(id);
        await bed.counted(bed.client, { RmAddr: index + 1 });
      }
      await bed.finish();
      bed.joins(1);
      bed.withdrawn(bed.server, 3, 1);
    },
  },
  {
    name: 'the first subflow of the client',
    async run(bed) {
      await bed.client.add(3, ['subflow']);
      await bed.begin({ server: [1, 0], client: [1, 0], joins: 1 });
      await bed.client.removeInitial();
      await bed.counted(bed.server, { RmAddr: 1 });
      await bed.finish();
      bed.joins(1);
      bed.withdrawn(bed.client, 1, 1);
    },
  },
  {
    name: 'the first address of the server',
    async run(bed) {
      await bed.server.add(2, ['signal']);
      await bed.begin({ server: [1, 0], client: [1, 1], joins: 1 });
      await bed.server.removeInitial();
      await bed.counted(bed.client, { RmAddr: 1 });
      await bed.finish();
      bed.joins(1);
      bed.withdrawn(bed.server, 1, 1);
    },
  },
  {
    name: 'all addresses',
    options: FOUR,
    async run(bed) {
      for (const path of [2, 3, 4]) await bed.server.add(path, ['signal']);
      await bed.begin({ server: [3, 3], client: [3, 3], joins: 3 });
      await bed.counted(bed.server, { EchoAdd: 3 });
      await bed.server.flush();
      await bed.counted(bed.client, { RmAddr: 3 });
      await bed.finish();
      bed.joins(3);
      bed.withdrawn(bed.server, 3, 3);
    },
  },
  {
    name: 'all subflows',
    options: FOUR,
    async run(bed) {
      for (const path of [2, 3, 4]) await bed.client.add(path, ['subflow']);
      await bed.begin({ server: [3, 3], client: [3, 3], joins: 3 });
      await bed.client.flush();
      await bed.counted(bed.client, { RmSubflow: 3 });
      await bed.finish();
      bed.joins(3);
      bed.expect(bed.client, { RmSubflow: 3 });
    },
  },
];

export const joinRemove = joinScenario(
  'join-remove',
  'endpoints of either side are removed while data flows: their subflows end, the peer is told, the rest goes on',
  cells,
);
