/** What goes over the wire in all kinds of connections, written down and read by tshark in one go. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Config } from '../../host/config.js';
import { PcapngWriter } from '../../host/link/pcapng.js';
import type { Socket } from '../../host/net/socket.js';
import { megabits, milliseconds, seconds } from '../../host/sim/network.js';
import { tsharkObjections, tsharkRead, withoutTshark } from '../tshark.js';
import { addressIn, listen, type Pair, type PairOptions, payload, readAll, withPair } from './pair.js';

/** One pair of stacks and what its connection does; `act` has the sockets of both sides, data flowing both ways. */
interface Scene {
  readonly name: string;
  readonly options?: PairOptions;
  /** Bytes each way. */
  readonly bytes?: number;
  /** Before the connection is opened. */
  readonly prepare?: (pair: Pair, address: (path: number, host: number) => string) => void;
  readonly act?: (
    pair: Pair,
    socket: Socket,
    peer: Socket,
    address: (path: number, host: number) => string,
  ) => Promise<void> | void;
  /** The connection ends by a reset: what arrives until then does not count. */
  readonly reset?: boolean;
}

const BAD = {
  rate: megabits(20),
  queue: 60_000,
  jitter: milliseconds(3),
  loss: 0.01,
  reorder: 0.02,
  reorderDelay: milliseconds(5),
  duplicate: 0.01,
};
const SLOW = { rate: megabits(10) };
const two = (config: Config = {}, more: PairOptions = {}): PairOptions => ({ paths: 2, wire: SLOW, config, ...more });

const SCENES: readonly Scene[] = [
  ...(['minRtt', 'roundRobin', 'redundant', 'blest', 'ecf'] as const).map((scheduler) => ({
    name: `scheduler ${scheduler}`,
    options: two({ scheduler }),
  })),
  ...([0, 1] as const).flatMap((version) =>
    [false, true].flatMap((checksumEnabled) =>
      [false, true].map((ipv6) => ({
        name: `version ${version}, ${checksumEnabled ? 'with' : 'without'} checksums, IPv${ipv6 ? 6 : 4}, a bad wire`,
        options: {
          ...two({ checksumEnabled, connectVersions: [version], listenVersions: [version] }),
          wire: BAD,
          ipv6,
        },
      })),
    ),
  ),
  { name: 'numbers of 4 bytes', options: two({ dsn64: false, checksumEnabled: true }) },
  { name: 'SYN cookies', options: two({}, { serverConfig: { synCookies: 2 } }) },
  { name: 'flag C', options: two({}, { serverConfig: { allowJoinInitialAddrPort: false } }) },
  { name: 'a server of plain TCP', options: two({}, { serverConfig: { mptcpEnabled: false } }) },
  ...(['fullmesh', 'ndiffports', 'default'] as const).map((pathManager) => ({
    name: `path manager ${pathManager}`,
    options: two({ pathManager, ndiffports: 3 }),
  })),
  { name: 'eight addresses at once', options: two(), bytes: 600_000, act: announceMany },
  { name: 'eight addresses at once, over IPv6', options: two({}, { ipv6: true }), bytes: 600_000, act: announceMany },
  {
    name: 'eight addresses at once, version 0',
    options: two({ connectVersions: [0], listenVersions: [0] }),
    bytes: 600_000,
    act: announceMany,
  },
  {
    name: 'subflows of the application, ports, withdrawals, priorities',
    options: two({ pathManager: 'userspace' }),
    bytes: 600_000,
    act: async ({ network }, socket, peer, address) => {
      socket.openSubflow({ local: address(2, 2) });
      await once(socket, 'subflow');
      const id = peer.announceAddress({ address: address(2, 1), port: 8080 });
      await once(socket, 'addressAnnounced');
      socket.openSubflow({ local: address(2, 2), remote: address(2, 1) });
      await once(socket, 'subflow');
      socket.setBackup(2);
      peer.setBackup(1);
      await network.sleep(milliseconds(100));
      socket.setBackup(2, false);
      peer.withdrawAddress(id);
      await network.sleep(milliseconds(100));
      socket.closeSubflow(2, 'performance');
    },
  },
  {
    name: 'joins that are refused, unanswered, and allowed later',
    options: two({ reopenDelay: milliseconds(100) }, { serverConfig: { limitSubflows: 0 } }),
    bytes: 600_000,
    prepare: ({ server }) => server.set('limitSubflows', 0),
    act: async ({ network, server, wires }) => {
      await network.sleep(milliseconds(200));
      wires[1]?.cut();
      await network.sleep(seconds(1));
      wires[1]?.mend();
      server.set('limitSubflows', 4);
      await network.sleep(seconds(2));
    },
  },
  {
    name: 'a path that is cut and comes back',
    options: two({ checksumEnabled: true }),
    bytes: 2_000_000,
    act: async ({ network, wires }) => {
      await network.sleep(milliseconds(300));
      wires[0]?.cut();
      await network.sleep(seconds(3));
      wires[0]?.mend();
    },
  },
  {
    name: 'endpoints and addresses that go and come',
    options: two(),
    bytes: 2_000_000,
    act: async ({ network, client, server }, _socket, _peer, address) => {
      await network.sleep(milliseconds(300));
      const [mine] = client.endpoints();
      if (mine !== undefined) client.removeEndpoint(mine.id);
      await network.sleep(milliseconds(200));
      client.addEndpoint({ address: address(2, 2), subflow: true, backup: true });
      const [theirs] = server.endpoints();
      if (theirs !== undefined) server.removeEndpoint(theirs.id);
      await network.sleep(milliseconds(200));
    },
  },
  {
    name: 'one path at a time',
    options: two({ pathMode: 'single' }),
    bytes: 1_000_000,
    act: async ({ network, wires }) => {
      await network.sleep(milliseconds(200));
      wires[0]?.cut();
      await network.sleep(seconds(4));
      wires[0]?.mend();
    },
  },
  ...[0, 1].map((fastcloseAck) => ({
    name: `a reset of the connection, on an ${fastcloseAck === 1 ? 'ACK' : 'RST'}`,
    options: two({ fastcloseAck }),
    reset: true,
    bytes: 3_000_000,
    act: async ({ network }: Pair, socket: Socket) => {
      await network.sleep(milliseconds(200));
      socket.resetAndDestroy();
      await network.sleep(seconds(2));
    },
  })),
];

async function announceMany(
  { client, network }: Pair,
  _socket: Socket,
  peer: Socket,
  address: (path: number, host: number) => string,
): Promise<void> {
  client.set('limitAddAddrAccepted', 2);
  for (let host = 11; host < 18; host++) peer.announceAddress({ address: address(2, host), port: 90 * (host % 2) });
  await network.sleep(seconds(2));
}

async function play(scene: Scene, site: number, writer: PcapngWriter): Promise<void> {
  const bytes = scene.bytes ?? 150_000;
  const up = payload(bytes, site);
  const down = payload(bytes, site + 100);
  const options = { ...scene.options, site, seed: 1_000 + site, capture: writer };
  const address = (path: number, host: number): string => addressIn(options, path, host);
  await withPair(options, async (pair) => {
    scene.prepare?.(pair, address);
    const listening = await listen(pair.server, () => undefined);
    const accepted = once(listening, 'connection') as Promise<[Socket]>;
    const socket = pair.client.connect(80, address(1, 1));
    for (const event of ['error', 'close']) socket.on(event, () => undefined);
    socket.write('x');
    const [peer] = await accepted;
    peer.on('error', () => undefined);
    const atClient = readAll(socket).catch((error: Error) => error);
    const atServer = readAll(peer).catch((error: Error) => error);
    socket.end(up);
    peer.end(down);
    // Both sides know by then that they have the keys.
    await pair.network.sleep(milliseconds(50));
    await scene.act?.(pair, socket, peer, address);
    const [got, taken] = await Promise.all([atClient, atServer]);
    if (scene.reset !== true) {
      expect(Buffer.isBuffer(got) && got.equals(down)).toBe(true);
      expect(Buffer.isBuffer(taken) && taken.subarray(1).equals(up)).toBe(true);
    }
    listening.close();
  });
}

describe('captures of all kinds of connections', () => {
  it.skipIf(withoutTshark)('have a judge that says what it objects to (needs tshark)', async () => {
    // A Fast Open of the kernel, in which it acknowledges data of the SYN that has no mapping.
    const path = fileURLToPath(new URL('../captures/v1-tfo.pcap', import.meta.url));
    expect(await tsharkObjections(path)).toEqual([expect.stringContaining('No mapping available')]);
  });

  it.skipIf(withoutTshark)(
    'are read by tshark without an objection (needs tshark)',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'captures-'));
      try {
        const path = join(folder, 'all.pcapng');
        const writer = new PcapngWriter(path);
        for (const [index, scene] of SCENES.entries()) {
          await play(scene, index + 1, writer).catch((error: unknown) => {
            throw new Error(`${scene.name}: ${error}`);
          });
        }
        writer.close();
        const objections = await tsharkObjections(path);
        // The second part of an address says which scene it was: 10.1 is the first.
        expect(objections).toEqual([]);
        // It knew what it read: every subtype but MP_FAIL is there, and every connection of Multipath TCP.
        const read = await tsharkRead(path, 'tcp.options.mptcp.subtype', ['tcp.options.mptcp.subtype', 'mptcp.stream']);
        const rows = read.map((row) => row.split('\t'));
        const subtypes = new Set(rows.flatMap(([cell]) => (cell ?? '').split(',')));
        for (const subtype of [0, 1, 2, 3, 4, 5, 7, 8]) expect(subtypes).toContain(String(subtype));
        const streams = new Set(rows.map(([, stream]) => stream).filter((stream) => stream !== ''));
        expect(streams.size).toBeGreaterThanOrEqual(SCENES.length - 1);
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
    120_000,
  );
});
