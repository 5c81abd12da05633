import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { MptcpVersion } from '../../host/config.js';
import { PcapngWriter } from '../../host/link/pcapng.js';
import type { Socket } from '../../host/net/socket.js';
import { Stack } from '../../host/net/stack.js';
import { milliseconds, seconds } from '../../host/sim/network.js';
import { Random } from '../../host/sim/random.js';
import type { WireCharacteristics } from '../../host/sim/wire.js';
import { tsharkObjections, tsharkRead, withoutTshark } from '../tshark.js';
import { badWire, expectReleased, listen, makePair, type Pair, payload, readAll, SERVER, withPair } from './pair.js';

const SETS: readonly (readonly MptcpVersion[])[] = [[0], [1], [0, 1]];

/** The version of two sides that have these; none for plain TCP. */
function agreed(client: readonly MptcpVersion[], server: readonly MptcpVersion[]): number | undefined {
  return client.filter((version) => server.includes(version)).pop();
}

/** Opens a connection, sends some bytes each way, and gives what both sides say of it. */
async function exchange({ client, server }: Pair, options: { versions?: readonly MptcpVersion[] } = {}) {
  const listening = await listen(server, () => undefined);
  const socket = client.connect({ port: 80, host: SERVER, ...options });
  socket.write('from the client');
  const [peer] = (await once(listening, 'connection')) as [Socket];
  peer.end('from the server');
  const [atServer, atClient] = await Promise.all([
    readAll(peer),
    readAll(socket).then((bytes) => {
      const info = socket.info();
      socket.end();
      return { bytes, info };
    }),
  ]);
  expect(atServer.toString()).toBe('from the client');
  expect(atClient.bytes.toString()).toBe('from the server');
  listening.close();
  return { info: atClient.info };
}

describe('the version that two stacks agree on', () => {
  for (const mine of SETS) {
    for (const theirs of SETS) {
      const version = agreed(mine, theirs);
      it(`is ${version ?? 'none'} for [${mine}] and [${theirs}]`, async () => {
        const config = { clientConfig: { connectVersions: mine }, serverConfig: { listenVersions: theirs } };
        await withPair(config, async (pair) => {
          const { info } = await exchange(pair);
          expect(info?.multipath).toBe(version !== undefined);
          expect(info?.version).toBe(version ?? 0);
        });
      });
    }
  }

  it('is what a connection and a server ask for, whatever the stacks are set to', async () => {
    await withPair({ clientConfig: { connectVersions: [1] } }, async (pair) => {
      expect((await exchange(pair, { versions: [0] })).info).toMatchObject({ multipath: true, version: 0 });
      const server = pair.server.createServer({ versions: [1] });
      server.listen(81);
      await once(server, 'listening');
      const socket = pair.client.connect({ port: 81, host: SERVER, versions: [0] });
      const [peer] = (await once(server, 'connection')) as [Socket];
      expect(peer.info()).toMatchObject({ multipath: false, fallback: 'synVersion' });
      socket.destroy();
      await once(peer, 'close');
      server.close();
    });
  });

  it('costs one more SYN where version 0 has to be found out, and none the next time', async () => {
    const config = {
      clientConfig: { connectVersions: [0, 1] as const },
      serverConfig: { listenVersions: [0] as const },
    };
    await withPair(config, async (pair) => {
      for (const retries of [1, 1]) {
        expect((await exchange(pair)).info).toMatchObject({ multipath: true, version: 0 });
        expect(pair.client.counters().versionRetry).toBe(retries);
      }
    });
  });

  it('is one of 0 and 1', () => {
    const stack = new Stack({ memory: 4 << 20, config: { connectVersions: [0, 1] } });
    try {
      expect(stack.get('connectVersions')).toEqual([0, 1]);
      expect(stack.get('listenVersions')).toEqual([0, 1]);
      stack.set('listenVersions', [0]);
      expect(stack.get('listenVersions')).toEqual([0]);
      for (const wrong of [[], [2], 1, [0, 3]]) {
        expect(() => stack.set('connectVersions', wrong as never)).toThrow('[0], [1] or [0, 1]');
        expect(() => stack.connect({ port: 80, host: SERVER, versions: wrong as never })).toThrow('[0], [1] or [0, 1]');
      }
    } finally {
      stack.close();
    }
  });
});

const SEEDS = 60;

interface Scenario {
  readonly seed: number;
  readonly paths: number;
  readonly ipv6: boolean;
  readonly checksum: boolean;
  readonly cookies: number;
  readonly mine: readonly MptcpVersion[];
  readonly theirs: readonly MptcpVersion[];
  readonly wires: Partial<WireCharacteristics>[];
  readonly up: number;
  readonly down: number;
  readonly pause: number;
}

function draw(seed: number): Scenario {
  const random = new Random(seed, 'versions');
  const paths = 1 + (seed % 3);
  const mine = random.chance(0.7) ? [0 as const] : [0 as const, 1 as const];
  return {
    seed,
    paths,
    ipv6: random.chance(0.3),
    checksum: random.chance(0.4),
    cookies: random.chance(0.2) ? 2 : 1,
    mine,
    theirs: mine.length > 1 || random.chance(0.5) ? [0] : [0, 1],
    wires: Array.from({ length: paths }, () => badWire(random)),
    up: random.between(2, 150_000),
    down: random.between(1, 200_000),
    pause: milliseconds(random.between(100, 800)),
  };
}

/** Sends both ways at once; the bytes must arrive once, in order and completely. */
async function transfer(scenario: Scenario, capture?: PcapngWriter) {
  const { seed, paths, ipv6, checksum, mine, theirs } = scenario;
  const pair = makePair({
    ...{ seed, paths, ipv6, memory: 8 << 20 },
    config: { checksumEnabled: checksum },
    clientConfig: { connectVersions: mine },
    serverConfig: { listenVersions: theirs, synCookies: scenario.cookies },
    ...(capture === undefined ? {} : { capture }),
  });
  const { network, client, server, wires } = pair;
  try {
    for (const [index, wire] of wires.entries()) wire.set(scenario.wires[index] ?? {});
    const up = payload(scenario.up, seed + 1);
    const down = payload(scenario.down, seed + 2);
    const info = await network.run(async () => {
      const listening = await listen(server, () => undefined);
      const socket = client.connect({ port: 80, host: ipv6 ? 'fd00:1::1' : SERVER });
      // A server that kept nothing of the SYN has to hear of the client again, should the third ACK be lost.
      socket.write(up.subarray(0, 1 + up.length / 2));
      const [peer] = (await once(listening, 'connection')) as [Socket];
      const arrived = Promise.all([readAll(peer), readAll(socket)]);
      peer.write(down.subarray(0, down.length / 2));
      await network.sleep(scenario.pause);
      const seen = socket.info();
      peer.end(down.subarray(down.length / 2));
      socket.end(up.subarray(1 + up.length / 2));
      const [atServer, atClient] = await arrived;
      expect(atServer.equals(up)).toBe(true);
      expect(atClient.equals(down)).toBe(true);
      listening.close();
      return seen;
    }, seconds(900));
    await expectReleased(pair);
    // Announcements are not echoed in version 0, and not sent for ever.
    expect(client.counters().MPTcpExtEchoAddTx).toBe(0);
    expect(server.counters().MPTcpExtAddAddrTx).toBeLessThan(paths);
    return info;
  } finally {
    network.close();
  }
}

describe('pairs of stacks with version 0 under loss, reordering and duplication', () => {
  const step = 20;
  for (let first = 1; first <= SEEDS; first += step) {
    it(`lose, repeat and exchange no byte: seeds ${first} to ${first + step - 1}`, { timeout: 120_000 }, async () => {
      const failures: unknown[] = [];
      let multipath = 0;
      let joined = 0;
      for (let seed = first; seed < first + step; seed++) {
        const scenario = draw(seed);
        await transfer(scenario).then(
          (info) => {
            if (info?.version === 0 && info.multipath) multipath++;
            if ((info?.subflowsTotal ?? 0) > 1) joined++;
          },
          (error: unknown) => failures.push(`${JSON.stringify(scenario)}: ${error}`),
        );
      }
      expect(failures).toEqual([]);
      // A handshake whose SYNs are lost several times goes on as plain TCP.
      expect(multipath).toBeGreaterThanOrEqual(step - 2);
      expect(joined).toBeGreaterThanOrEqual(step / 4);
    });
  }
});

describe('a capture of version 0', () => {
  it.skipIf(withoutTshark).each([
    ['IPv4', false, false],
    ['IPv6, with checksums', true, true],
  ])('over %s is read by tshark without a complaint (needs tshark)', { timeout: 60_000 }, async (_, ipv6, checksum) => {
    const folder = mkdtempSync(join(tmpdir(), 'versions-'));
    try {
      const path = join(folder, 'version0.pcapng');
      const writer = new PcapngWriter(path);
      const wires = [{ delay: milliseconds(5) }, { delay: milliseconds(8) }];
      const shape = { paths: 2, wires, mine: [0] as const, theirs: [0, 1] as const, cookies: 1 };
      const info = await transfer(
        { seed: 3, ipv6, checksum, up: 40_000, down: 60_000, pause: milliseconds(300), ...shape },
        writer,
      );
      writer.close();
      expect(info).toMatchObject({ version: 0, multipath: true });
      expect(info?.subflowsTotal).toBeGreaterThan(1);
      expect(await tsharkObjections(path)).toEqual([]);
      const column = async (filter: string, field: string): Promise<Set<string>> =>
        new Set((await tsharkRead(path, filter, [field])).flatMap((cell) => cell.split(',')));
      expect([...(await column('tcp.options.mptcp.subtype == 0', 'tcp.options.mptcp.version'))]).toEqual(['0']);
      const subtypes = await column('tcp.options.mptcp.subtype', 'tcp.options.mptcp.subtype');
      for (const subtype of ['0', '1', '2', '3']) expect(subtypes).toContain(subtype);
      const families = await column('tcp.options.mptcp.subtype == 3', 'tcp.options.mptcp.ipver');
      expect([...families]).toEqual([ipv6 ? '6' : '4']);
      // By the tokens that tshark makes of the keys itself, all subflows are of one connection.
      expect([...(await column('tcp.options.mptcp.subtype', 'mptcp.stream'))]).toEqual(['0']);
      expect((await column('tcp.options.mptcp.subtype', 'tcp.stream')).size).toBeGreaterThan(1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
