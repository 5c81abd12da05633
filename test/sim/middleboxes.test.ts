import { describe, expect, it } from 'vitest';
import { CELLS, passed, plainScenario } from '../../bench/middleboxes/cells.js';
import { ORDERS, runScenario } from '../../bench/middleboxes/transfer.js';
import { VARIANTS } from '../../bench/middleboxes/variants.js';
import type { Middlebox, Place, Way } from '../../host/sim/middlebox/box.js';
import { Duplicator } from '../../host/sim/middlebox/duplicator.js';
import { Nat } from '../../host/sim/middlebox/nat.js';
import { milliseconds, Network, seconds } from '../../host/sim/network.js';
import { listen, payload, readAll } from '../net/pair.js';

/** Notes what passes, and lets it. */
class Witness implements Middlebox {
  readonly name = 'witness';
  interventions = 0;
  readonly seen: [way: Way, time: number][] = [];
  #place: Place | undefined;

  install(place: Place): void {
    this.#place = place;
  }

  take(way: Way, packet: Uint8Array): void {
    this.seen.push([way, this.#place?.now() ?? -1]);
    this.#place?.emit(way, packet);
  }
}

/** A client and a server on a wire of 10 ms. */
function pair(seed = 1) {
  const network = new Network({ seed });
  const client = network.host('client', { memory: 8 << 20 });
  const server = network.host('server', { memory: 8 << 20 });
  const wire = network.wire({
    name: 'wire',
    delay: milliseconds(10),
    a: { at: client, addresses: ['10.0.1.2/24'] },
    b: { at: server, addresses: ['10.0.1.1/24'] },
  });
  return { network, client, server, wire };
}

async function exchange({ network, client, server }: ReturnType<typeof pair>): Promise<string | undefined> {
  return network.run(async () => {
    let seen: string | undefined;
    const sent = payload(20_000);
    const listening = await listen(server, (socket) => {
      seen = socket.remoteAddress;
      socket.pipe(socket);
    });
    const socket = client.connect(80, '10.0.1.1');
    socket.end(sent);
    expect((await readAll(socket)).equals(sent)).toBe(true);
    listening.close();
    return seen;
  }, seconds(60));
}

describe('a box on a wire', () => {
  it('stands at its end b, each with what is beyond it', async () => {
    const bed = pair();
    const [first, second] = [new Witness(), new Witness()];
    bed.wire.insert(first, { beyond: milliseconds(3) });
    bed.wire.insert(second, { beyond: milliseconds(4) });
    expect(bed.wire.boxes).toEqual([first, second]);
    try {
      await exchange(bed);
      // The SYN on its way out, and the SYN/ACK back.
      expect(first.seen.slice(0, 2)).toEqual([
        ['out', milliseconds(10)],
        ['in', milliseconds(24)],
      ]);
      expect(second.seen.slice(0, 2)).toEqual([
        ['out', milliseconds(13)],
        ['in', milliseconds(21)],
      ]);
    } finally {
      bed.network.close();
    }
  });

  it.each(['out', 'in'] as const)('takes packets of one way only, if told to: %s', async (only) => {
    const bed = pair();
    const witness = new Witness();
    bed.wire.insert(witness, { only });
    try {
      await exchange(bed);
      expect(new Set(witness.seen.map(([way]) => way))).toEqual(new Set([only]));
    } finally {
      bed.network.close();
    }
  });

  it('shows the server what it makes of the client', async () => {
    const bed = pair();
    bed.wire.insert(new Nat({ addresses: ['10.0.1.100'] }));
    try {
      expect(await exchange(bed)).toBe('10.0.1.100');
    } finally {
      bed.network.close();
    }
  });

  it('carries nothing over a wire that is cut', async () => {
    const bed = pair();
    const witness = new Witness();
    bed.wire.insert(witness, { beyond: milliseconds(5) });
    try {
      bed.client.connect(80, '10.0.1.1').on('error', () => undefined);
      await bed.network.advance(milliseconds(12));
      bed.wire.cut();
      await bed.network.advance(seconds(3));
      expect(witness.seen).toEqual([['out', milliseconds(10)]]);
      expect(bed.server.pools().connections).toBe(0);
    } finally {
      bed.network.close();
    }
  });

  it('repeats from the seed of the network', async () => {
    const ports = async (seed: number): Promise<number | undefined> => {
      const bed = pair(seed);
      bed.wire.insert(new Nat({ addresses: ['10.0.1.100'] }));
      try {
        return await bed.network.run(async () => {
          let port: number | undefined;
          const listening = await listen(bed.server, (socket) => {
            port = socket.remotePort;
            socket.end();
            socket.resume();
          });
          const socket = bed.client.connect(80, '10.0.1.1');
          socket.end();
          await readAll(socket);
          listening.close();
          return port;
        }, seconds(60));
      } finally {
        bed.network.close();
      }
    };
    expect(await ports(4)).toBe(await ports(4));
    expect(await ports(4)).not.toBe(await ports(5));
  });

  it('stands on one wire', () => {
    const { wire, network } = pair();
    const box = new Duplicator();
    wire.insert(box);
    expect(() => wire.insert(box)).toThrow(/stands on a wire already/);
    expect(() => wire.insert(new Duplicator(), { beyond: -1 })).toThrow(/beyond is -1/);
    expect(() => new Duplicator().take('out', new Uint8Array())).toThrow(/stands on no wire/);
    network.close();
  });
});

describe('connections through boxes', () => {
  for (const [row, { name }] of VARIANTS.entries()) {
    const all = CELLS.filter(({ variant, ipv6, place }) => variant.name === name && !ipv6 && place === 'all');
    // Of version 0 one in four, another for each box.
    const old = all.filter(({ version }) => version === 0).slice(row % 4, (row % 4) + 1);
    const cells = [...all.filter(({ version }) => version !== 0), ...old];
    it(`come out as plain TCP does, or better: ${name}`, async () => {
      let interventions = 0;
      // One of the ways to end in each cell; the bench has all of them.
      for (const [index, cell] of cells.entries()) {
        const order = ORDERS.slice((row + index) % ORDERS.length).slice(0, 1);
        const plain = await runScenario(plainScenario(cell), order);
        const result = await runScenario(cell, order);
        expect({ cell: cell.name, order, passed: passed(cell, result, plain), ...result }).toMatchObject({
          passed: true,
        });
        interventions += result.interventions;
      }
      if (name !== 'none') expect(interventions).toBeGreaterThan(0);
    });
  }
});
