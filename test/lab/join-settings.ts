import type { JoinBed } from './join-bed.js';
import { type JoinCell, joinScenario } from './join-cells.js';
import type { Settings } from './sides.js';

/** A test with the same settings on both sides, or with those of each. */
function withSettings(
  name: string,
  server: Settings,
  client: Settings,
  run: (bed: JoinBed) => Promise<void>,
  paths = 3,
): JoinCell {
  return {
    name,
    options: { paths },
    async run(bed) {
      await bed.server.set(server);
      await bed.client.set(client);
      await run(bed);
    },
  };
}

const ALWAYS: Settings = { cookies: true };
const cookies = (name: string, run: (bed: JoinBed) => Promise<void>, paths?: number): JoinCell =>
  withSettings(name, ALWAYS, ALWAYS, run, paths);

export const joinCookies = joinScenario(
  'join-cookies',
  'a server that keeps nothing of a SYN knows joins and limits all the same',
  [
    cookies('one subflow', async (bed) => {
      await bed.client.add(3, ['subflow']);
      await bed.begin({ server: [1, 0], client: [1, 0], joins: 1 });
      await bed.finish();
      bed.joins(1);
    }),
    cookies('two subflows', async (bed) => {
      await bed.client.add(3, ['subflow']);
      await bed.client.add(2, ['subflow']);
      await bed.begin({ server: [2, 0], client: [2, 0], joins: 2 });
      await bed.finish();
      bed.joins(2);
    }),
    cookies('two subflows, limited by the server', async (bed) => {
      await bed.client.add(3, ['subflow']);
      await bed.client.add(2, ['subflow']);
      await bed.begin({ server: [1, 0], client: [2, 0] });
      await bed.counted(bed.server, { MPJoinRejected: 1, MPJoinAckRx: 1 });
      await bed.flow();
      await bed.finish();
      // The second SYN may come before the first subflow is there: then it is answered, and its ACK refused.
      bed.expect(bed.server, { MPJoinSynRx: 2, MPJoinAckRx: 1 });
      bed.expect(bed.client, { MPJoinSynAckRx: [1, 2] });
    }),
    cookies('an address', async (bed) => {
      await bed.server.add(2, ['signal']);
      await bed.begin({ server: [1, 0], client: [1, 1], joins: 1 });
      await bed.counted(bed.server, { EchoAdd: 1 });
      await bed.finish();
      bed.joins(1);
      bed.announced(bed.server, 1);
    }),
    cookies('an address and a subflow', async (bed) => {
      await bed.server.add(2, ['signal']);
      await bed.client.add(3, ['subflow']);
      await bed.begin({ server: [2, 0], client: [2, 1], joins: 2 });
      await bed.counted(bed.server, { EchoAdd: 1 });
      await bed.finish();
      bed.joins(2);
      bed.announced(bed.server, 1);
    }),
    cookies(
      'an address and two subflows',
      async (bed) => {
        await bed.server.add(2, ['signal']);
        await bed.client.add(3, ['subflow']);
        await bed.client.add(4, ['subflow']);
        await bed.begin({ server: [3, 0], client: [3, 1], joins: 3 });
        await bed.counted(bed.server, { EchoAdd: 1 });
        await bed.finish();
        bed.joins(3);
        bed.announced(bed.server, 1);
      },
      4,
    ),
  ],
);

export const joinChecksum = joinScenario(
  'join-checksum',
  'checksums are asked for by none, either or both sides, and used when one asks (RFC 8684 section 3.1)',
  [false, true].flatMap((server) =>
    [false, true].map((client) =>
      withSettings(
        `server ${server ? 'on' : 'off'}, client ${client ? 'on' : 'off'}`,
        { checksum: server },
        { checksum: client },
        async (bed) => {
          await bed.client.add(2, ['subflow']);
          await bed.begin({ server: [1, 0], client: [1, 0], joins: 1 });
          if (bed.pairing !== 'kernels') {
            bed.equal(bed.ours.peer.socket.info()?.checksum, server || client, 'use of the checksum');
          }
          await bed.finish();
          bed.joins(1);
        },
      ),
    ),
  ),
);

const deny = (name: string, server: boolean, client: boolean, run: (bed: JoinBed) => Promise<void>): JoinCell =>
  withSettings(name, { allowJoinInitial: server }, { allowJoinInitial: client }, run);

export const joinDeny = joinScenario(
  'join-deny',
  'a server that allows no joins to its first address (flag C) gets none there, and all to what it announces',
  [
    deny('a subflow, denied by the client', true, false, async (bed) => {
      await bed.client.add(3, ['subflow']);
      await bed.begin({ server: [1, 1], client: [1, 1], joins: 1 });
      await bed.finish();
      bed.joins(1);
    }),
    deny('a subflow, denied by the server', false, true, async (bed) => {
      await bed.client.add(3, ['subflow']);
      await bed.begin({ server: [1, 1], client: [1, 1] });
      await bed.flow();
      await bed.finish();
      bed.joins(0);
    }),
    ...[true, false].map((server) =>
      deny(`an address, denied by the ${server ? 'client' : 'server'}`, server, !server, async (bed) => {
        await bed.server.add(2, ['signal']);
        await bed.begin({ server: [1, 1], client: [1, 1], joins: 1 });
        await bed.counted(bed.server, { EchoAdd: 1 });
        await bed.finish();
        bed.joins(1);
        bed.announced(bed.server, 1);
      }),
    ),
    ...[true, false].map((server) =>
      deny(`both, denied by the ${server ? 'client' : 'server'}`, server, !server, async (bed) => {
        await bed.server.add(2, ['signal']);
        await bed.client.add(3, ['subflow']);
        await bed.begin({ server: [2, 2], client: [2, 2], joins: server ? 2 : 1 });
        await bed.flow();
        await bed.finish();
        bed.joins(server ? 2 : 1);
      }),
    ),
  ],
);
