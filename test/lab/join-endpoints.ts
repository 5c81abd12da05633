import { type JoinCell, joinScenario } from './join-cells.js';

const cells: readonly JoinCell[] = [
  {
    name: 'a subflow is added',
    async run(bed) {
      await bed.begin({ server: [1, 0], client: [1, 0] });
      await bed.moves();
      await bed.client.add(3, ['subflow']);
      await bed.joined(1);
      await bed.finish();
      bed.joins(1);
    },
  },
  {
    name: 'two subflows are added',
    async run(bed) {
      await bed.begin({ server: [2, 0], client: [2, 0] });
      await bed.moves();
      await bed.client.add(2, ['subflow']);
      await bed.client.add(3, ['subflow']);
      await bed.joined(2);
      await bed.finish();
      bed.joins(2);
    },
  },
  {
    name: 'an address is added',
    async run(bed) {
      await bed.begin({ server: [1, 0], client: [1, 1] });
      await bed.moves();
      await bed.server.add(2, ['signal']);
      await bed.joined(1);
      await bed.counted(bed.server, { EchoAdd: 1 });
      await bed.finish();
      bed.joins(1);
      bed.announced(bed.server, 1);
    },
  },
  {
    name: 'removed and added again',
    async run(bed) {
      const id = await bed.client.add(2, ['subflow'], { id: 2 });
      await bed.begin({ server: [1, 1], client: [1, 1], joins: 1 });
      await bed.client.remove(id);
      await bed.counted(bed.server, { RmAddr: 1 });
      await bed.counted(bed.client, { RmSubflow: 1 });
      await bed.moves();
      await bed.client.add(2, ['subflow'], { id: 3 });
      await bed.joined(2);
      await bed.finish();
      bed.joins(2);
    },
  },
  {
    name: 'an address removed and added again',
    async run(bed) {
      // A kernel counts an address as taken still when the subflow's reset comes before it dealt with REMOVE_ADDR.
      const id = await bed.server.add(2, ['signal'], { id: 2 });
      await bed.begin({ server: [2, 2], client: [2, 2], joins: 1 });
      await bed.server.remove(id);
      await bed.counted(bed.client, { RmAddr: 1 });
      await bed.counted(bed.server, { RmSubflow: 1 });
      await bed.moves();
      await bed.server.add(2, ['signal'], { id: 2 });
      await bed.joined(2);
      await bed.finish();
      bed.joins(2);
    },
  },
];

export const joinEndpoints = joinScenario(
  'join-endpoints',
  'endpoints are added, removed and added again while data flows both ways',
  cells,
);
