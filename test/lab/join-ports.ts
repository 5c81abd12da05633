import type { JoinBed } from './join-bed.js';
import { joinScenario } from './join-cells.js';

/** A port to announce that no other connection has. */
function announcedPort(bed: JoinBed, index = 0): number {
  return bed.port + 20_000 + index;
}

export const joinPorts = joinScenario(
  'join-ports',
  'addresses are announced with a port of their own (ADD_ADDR, RFC 8684 section 3.4.1), joined there, and removed',
  [
    {
      name: 'one address',
      async run(bed) {
        await bed.server.add(2, ['signal'], { port: announcedPort(bed) });
        await bed.begin({ server: [1, 0], client: [1, 1], joins: 1 });
        await bed.counted(bed.server, { EchoAdd: 1 });
        await bed.finish();
        bed.joins(1);
        bed.announced(bed.server, 1);
        bed.ported(1);
      },
    },
    {
      name: 'one address and a subflow, both removed',
      async run(bed) {
        const announced = await bed.server.add(2, ['signal'], { port: announcedPort(bed) });
        const opened = await bed.client.add(3, ['subflow']);
        await bed.begin({ server: [2, 0], client: [2, 1], joins: 2 });
        await bed.counted(bed.server, { EchoAdd: 1 });
        await bed.server.remove(announced);
        await bed.client.remove(opened);
        await bed.counted(bed.server, { RmAddr: 1 });
        await bed.counted(bed.client, { RmAddr: 1 });
        await bed.finish();
        bed.joins(2);
        bed.announced(bed.server, 1);
        bed.ported(1);
        bed.withdrawn(bed.server, 1, 1);
        bed.withdrawn(bed.client, 1, 1);
      },
    },
    ...[0, 1].map((apart) => ({
      name: apart === 0 ? 'two addresses with one port' : 'two addresses with a port each',
      async run(bed: JoinBed) {
        await bed.server.add(2, ['signal'], { port: announcedPort(bed) });
        await bed.server.add(3, ['signal'], { port: announcedPort(bed, apart) });
        await bed.begin({ server: [2, 2], client: [2, 2], joins: 2 });
        await bed.counted(bed.server, { EchoAdd: 2 });
        await bed.finish();
        bed.joins(2);
        bed.announced(bed.server, 2);
        bed.ported(2);
      },
    })),
    {
      name: 'IPv6',
      // A kernel with timestamps has no room for such an option, and drops it.
      pairings: ['weServe'],
      kernels: false,
      async run(bed) {
        await bed.server.add(2, ['signal'], { port: announcedPort(bed), family: 'ipv6' });
        await bed.begin({ server: [1, 0], client: [1, 1], joins: 1, family: 'ipv6' });
        await bed.counted(bed.server, { EchoAdd: 1 });
        await bed.finish();
        bed.joins(1);
        bed.announced(bed.server, 1);
        bed.ported(1);
      },
    },
  ],
);
