import { loseAddAddr } from './join-boxes.js';
import { type JoinCell, joinScenario } from './join-cells.js';

const FOUR = { paths: 4 };

const cells: readonly JoinCell[] = [
  {
    name: 'not taken',
    async run(bed) {
      await bed.server.add(2, ['signal']);
      await bed.begin({ server: [2, 0], client: [2, 0] });
      await bed.counted(bed.server, { EchoAdd: 1 });
      await bed.flow();
      await bed.finish();
      bed.joins(0);
      bed.announced(bed.server, 1);
    },
  },
  {
    name: 'one address',
    async run(bed) {
      await bed.server.add(2, ['signal']);
      await bed.begin({ server: [1, 0], client: [1, 1], joins: 1 });
      await bed.counted(bed.server, { EchoAdd: 1 });
      await bed.finish();
      bed.joins(1);
      bed.announced(bed.server, 1);
    },
  },
  {
    name: 'three addresses',
    options: FOUR,
    async run(bed) {
      for (const path of [2, 3, 4]) await bed.server.add(path, ['signal']);
      await bed.begin({ server: [3, 3], client: [3, 3], joins: 3 });
      await bed.counted(bed.server, { EchoAdd: 3 });
      await bed.finish();
      bed.joins(3);
      bed.announced(bed.server, 3);
    },
  },
  {
    name: 'an address and a subflow',
    async run(bed) {
      await bed.server.add(2, ['signal']);
      await bed.client.add(3, ['subflow']);
      await bed.begin({ server: [2, 0], client: [2, 1], joins: 2 });
      await bed.counted(bed.server, { EchoAdd: 1 });
      await bed.finish();
      bed.joins(2);
      bed.announced(bed.server, 1);
    },
  },
  {
    name: 'an address and two subflows',
    options: FOUR,
    async run(bed) {
      await bed.server.add(2, ['signal']);
      await bed.client.add(3, ['subflow']);
      await bed.client.add(4, ['subflow']);
      await bed.begin({ server: [3, 0], client: [3, 1], joins: 3 });
      await bed.counted(bed.server, { EchoAdd: 1 });
      await bed.finish();
      bed.joins(3);
      bed.announced(bed.server, 1);
    },
  },
  {
    name: 'addresses that lead nowhere',
    // Only a kernel announces what is no address of its own.
    pairings: ['weConnect'],
    async run(bed) {
      await bed.server.add(0, ['signal'], { address: '10.99.12.1' });
      await bed.server.add(3, ['signal']);
      await bed.server.add(0, ['signal'], { address: '10.99.14.1' });
      await bed.begin({ server: [3, 3], client: [3, 3], joins: 1 });
      await bed.counted(bed.server, { EchoAdd: 3 });
      await bed.finish();
      bed.joins(1);
      bed.announced(bed.server, 3);
    },
  },
  {
    name: 'by the client',
    async run(bed) {
      await bed.client.add(2, ['signal']);
      await bed.begin({ server: [2, 0], client: [2, 0] });
      await bed.counted(bed.client, { EchoAdd: 1 });
      await bed.flow();
      await bed.finish();
      bed.joins(0);
      bed.announced(bed.client, 1);
    },
  },
  {
    name: 'by both, all at once',
    options: FOUR,
    async run(bed) {
      for (const path of [1, 2, 3, 4]) {
        await bed.server.add(path, ['signal']);
        await bed.client.add(path, ['signal']);
      }
      await bed.server.set({ addAddrTimeout: 1 });
      await bed.client.set({ addAddrTimeout: 1 });
      await bed.begin({ server: [4, 4], client: [4, 4] });
      // A kernel's client takes no joins, ours does: then either side opens those it is first with, up to the limit.
      const joins = (): number => (bed.server.counters().MPJoinAckRx ?? 0) + (bed.client.counters().MPJoinAckRx ?? 0);
      await bed.until('joins', () => joins() >= 3);
      await bed.counted(bed.server, { EchoAdd: 3 });
      await bed.counted(bed.client, { EchoAdd: 3 });
      await bed.finish();
      bed.that(joins() <= 4, `there were ${joins()} joins`);
    },
  },
  {
    name: 'echoes lost',
    tampers: true,
    async run(bed) {
      await bed.server.set({ addAddrTimeout: 1 });
      await bed.server.add(2, ['signal']);
      const lost = loseAddAddr(bed, 'echo', 2);
      await bed.begin({ server: [1, 0], client: [1, 1], joins: 1 });
      await bed.counted(bed.server, { EchoAdd: 1 });
      await bed.finish();
      bed.joins(1);
      bed.equal(lost.packets, 2, 'number of echoes lost');
      bed.expect(bed.server, { AddAddrTx: 3, EchoAdd: 1 });
      bed.expect(bed.client, { AddAddr: 3, EchoAddTx: 3 });
    },
  },
  {
    name: 'announcements lost',
    tampers: true,
    async run(bed) {
      await bed.server.set({ addAddrTimeout: 1 });
      await bed.server.add(2, ['signal']);
      const lost = loseAddAddr(bed, 'announcement', 1);
      await bed.begin({ server: [1, 0], client: [1, 1], joins: 1 });
      await bed.counted(bed.server, { EchoAdd: 1 });
      await bed.finish();
      bed.joins(1);
      bed.equal(lost.packets, 1, 'number of announcements lost');
      bed.expect(bed.server, { AddAddrTx: 2, EchoAdd: 1 });
      bed.expect(bed.client, { AddAddr: 1, EchoAddTx: 1 });
    },
  },
];

export const joinSignal = joinScenario(
  'join-signal',
  'addresses are announced by either side, taken or not, and announced again when the echo or they were lost',
  cells,
);
