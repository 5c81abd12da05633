import { type JoinCell, joinScenario } from './join-cells.js';
import { addressOf, type Family } from './sides.js';

const V6 = { family: 'ipv6' } as const;

const native: readonly JoinCell[] = [
  {
    name: 'a subflow',
    async run(bed) {
      await bed.client.add(3, ['subflow'], V6);
      await bed.begin({ server: [1, 0], client: [1, 0], joins: 1, ...V6 });
      await bed.finish();
      bed.joins(1);
    },
  },
  {
    name: 'an address not taken',
    async run(bed) {
      await bed.server.add(2, ['signal'], V6);
      await bed.begin({ server: [2, 0], client: [2, 0], ...V6 });
      await bed.counted(bed.server, { EchoAdd: 1 });
      await bed.finish();
      bed.joins(0);
      bed.announced(bed.server, 1);
    },
  },
  {
    name: 'an address taken, then removed',
    async run(bed) {
      const id = await bed.server.add(2, ['signal'], V6);
      await bed.begin({ server: [1, 0], client: [1, 1], joins: 1, ...V6 });
      await bed.server.remove(id);
      await bed.counted(bed.client, { RmAddr: 1 });
      await bed.finish();
      bed.joins(1);
      bed.announced(bed.server, 1);
      bed.withdrawn(bed.server, 1, 1);
    },
  },
  {
    name: 'an address and a subflow, both removed',
    async run(bed) {
      const announced = await bed.server.add(2, ['signal'], V6);
      const opened = await bed.client.add(3, ['subflow'], V6);
      await bed.begin({ server: [2, 0], client: [2, 1], joins: 2, ...V6 });
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
];

const mapped = (address: string): string => `::ffff:${address}`;

/** IPv4 written as IPv6 on the socket, on the endpoint, or on both. */
function mappedCells(): JoinCell[] {
  const forms = [
    ['both', true, true],
    ['the socket', true, false],
    ['the endpoint', false, true],
  ] as const;
  return forms.flatMap(([what, socket, endpoint]): JoinCell[] => {
    const over = socket ? { host: mapped(addressOf('server', 1)) } : {};
    const more = (address: string) => (endpoint ? { address: mapped(address) } : {});
    return [
      {
        name: `a subflow, ${what} mapped`,
        async run(bed) {
          await bed.client.add(3, ['subflow'], more(addressOf('client', 3)));
          await bed.begin({ server: [1, 0], client: [1, 0], joins: 1, ...over });
          await bed.finish();
          bed.joins(1);
        },
      },
      {
        name: `an address, ${what} mapped`,
        async run(bed) {
          await bed.server.add(2, ['signal'], more(addressOf('server', 2)));
          await bed.begin({ server: [1, 0], client: [1, 1], joins: 1, ...over });
          await bed.counted(bed.server, { EchoAdd: 1 });
          await bed.finish();
          bed.joins(1);
          bed.announced(bed.server, 1);
        },
      },
    ];
  });
}

const mixed: readonly JoinCell[] = [
  ...(['ipv6', 'ipv4'] as const).map(
    (family: Family): JoinCell => ({
      name: `no subflow from an address of ${family} to one of the other family`,
      async run(bed) {
        await bed.client.add(3, ['subflow'], { family });
        await bed.begin({ server: [1, 0], client: [1, 0], family: family === 'ipv4' ? 'ipv6' : 'ipv4' });
        await bed.flow();
        await bed.finish();
        bed.joins(0);
      },
    }),
  ),
  {
    name: 'subflows of both families',
    async run(bed) {
      await bed.server.add(1, ['signal']);
      await bed.begin({ server: [1, 0], client: [1, 1], joins: 1, host: addressOf('server', 2, 'ipv6') });
      await bed.finish();
      bed.joins(1);
    },
  },
  {
    name: 'a full mesh does not cross families',
    async run(bed) {
      await bed.client.add(2, ['subflow', 'fullmesh'], V6);
      await bed.server.add(1, ['signal']);
      await bed.begin({ server: [4, 0], client: [4, 1], joins: 1, host: addressOf('server', 2, 'ipv6') });
      await bed.flow();
      await bed.finish();
      bed.joins(1);
    },
  },
];

export const joinFamilies = joinScenario(
  'join-ipv6',
  'subflows and announcements over IPv6, over IPv4 written as IPv6, and over both families at once',
  [...native, ...mappedCells(), ...mixed],
);
