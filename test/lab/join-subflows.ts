import type { JoinBed } from './join-bed.js';
import { type JoinCell, joinScenario } from './join-cells.js';

/** Of joins beyond its limit the kernel refuses the third ACK, we refuse the SYN (RFC 8684 section 3.2). */
function answered(bed: JoinBed, byKernel: number, byUs: number): number {
  return bed.server.kind === 'kernel' ? byKernel : byUs;
}

const cells: readonly JoinCell[] = [
  {
    name: 'none',
    async run(bed) {
      await bed.start();
      await bed.flow();
      await bed.finish();
      bed.joins(0);
    },
  },
  {
    name: 'one',
    async run(bed) {
      await bed.client.add(3, ['subflow']);
      await bed.begin({ server: [1, 0], client: [1, 0], joins: 1 });
      await bed.finish();
      bed.joins(1);
      bed.expect(bed.client, { MPJoinSynTx: 1 });
    },
  },
  {
    name: 'two',
    async run(bed) {
      await bed.client.add(3, ['subflow']);
      await bed.client.add(2, ['subflow']);
      await bed.begin({ server: [2, 0], client: [2, 0], joins: 2 });
      await bed.finish();
      bed.joins(2);
    },
  },
  {
    name: 'limited by the client',
    async run(bed) {
      await bed.client.add(3, ['subflow']);
      await bed.begin({ server: [0, 0], client: [0, 0] });
      await bed.flow();
      await bed.finish();
      bed.joins(0);
    },
  },
  {
    name: 'limited by the server',
    async run(bed) {
      await bed.client.add(3, ['subflow']);
      await bed.begin({ server: [0, 0], client: [1, 0] });
      await bed.counted(bed.server, { MPJoinRejected: 1 });
      await bed.flow();
      await bed.finish();
      bed.joins(1, answered(bed, 1, 0), 0);
    },
  },
  {
    name: 'two, limited by the server',
    async run(bed) {
      await bed.client.add(3, ['subflow']);
      await bed.client.add(2, ['subflow']);
      await bed.begin({ server: [1, 0], client: [2, 0] });
      await bed.counted(bed.server, { MPJoinRejected: 1 });
      await bed.counted(bed.server, { MPJoinAckRx: 1 });
      await bed.flow();
      await bed.finish();
      bed.joins(2, answered(bed, 2, 1), 1);
    },
  },
  {
    name: 'not from the address of the first',
    async run(bed) {
      await bed.client.add(1, ['subflow']);
      await bed.begin({ server: [1, 0], client: [1, 0] });
      await bed.flow();
      await bed.finish();
      bed.joins(0);
    },
  },
];

export const joinSubflows = joinScenario(
  'join-subflows',
  'a client opens no, one or two more subflows, as its endpoints and the limits of both sides say',
  cells,
);
