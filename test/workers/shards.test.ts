import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { Config } from '../../host/config.js';
import type { Link, LinkPort, OutgoingPacket } from '../../host/link/link.js';
import type { Socket } from '../../host/net/socket.js';
import { Stack } from '../../host/net/stack.js';
import { Random } from '../../host/sim/random.js';
import { createChannels, Exchange } from '../../host/workers/exchange.js';
import { payload, readAll } from '../net/pair.js';

const CONFIG: Config = { limitSubflows: 4, limitAddAddrAccepted: 4, timeWait: 50_000 };
const MEMORY = 32 << 20;
const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0).reverse()) close();
});

/** A link made of a function that takes its packets. */
class FunctionLink implements Link {
  readonly mtu = 1500;
  readonly vnetHeader = false;
  readonly checksumOffload = false;
  readonly segmentationOffload = false;
  #port: LinkPort | undefined;

  constructor(
    readonly name: string,
    readonly carry: (bytes: Uint8Array) => void,
  ) {}

  attach(port: LinkPort): void {
    this.#port = port;
  }

  /** A packet that comes by this link. */
  bring(bytes: Uint8Array): void {
    this.#port?.slots[0]?.set(bytes);
    this.#port?.ingest(0, bytes.length);
  }

  send(packet: OutgoingPacket): boolean {
    const bytes = new Uint8Array(packet.length);
    packet.copyTo(bytes, 0);
    setImmediate(() => this.carry(bytes));
    return true;
  }

  close(): void {
    this.#port = undefined;
  }
}

/** Addresses and ports of a packet, whichever way it goes. */
function flowOf(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer);
  const header = (view.getUint8(0) & 15) * 4;
  const ends = [12, 16].map((at, side) => `${view.getUint32(at)}:${view.getUint16(header + 2 * side)}`);
  return ends.sort().join(' ');
}

/**
 * A device of several queues between a peer and the shards of a host. As with TUN devices of Linux every flow has a
 * queue of its own, by its hash there and by lot here; but while the device remembers which queue last sent a packet of
 * the flow, that is the one.
 */
class Device {
  readonly outside: FunctionLink;
  readonly queues: readonly FunctionLink[];
  readonly #own = new Map<string, FunctionLink>();
  readonly #remembered = new Map<string, FunctionLink>();

  constructor(name: string, count: number, random: Random, remembers: boolean) {
    this.queues = Array.from({ length: count }, (_, index) => {
      const queue: FunctionLink = new FunctionLink(`${name}.${index}`, (bytes) => {
        if (remembers) this.#remembered.set(flowOf(bytes), queue);
        this.outside.bring(bytes);
      });
      return queue;
    });
    this.outside = new FunctionLink(name, (bytes) => {
      const flow = flowOf(bytes);
      const own = this.#own.get(flow) ?? this.queues[random.between(0, count - 1)];
      if (own === undefined) throw new RangeError(`device ${name} has no queues`);
      this.#own.set(flow, own);
      (this.#remembered.get(flow) ?? own).bring(bytes);
    });
  }
}

interface World {
  readonly peer: Stack;
  readonly shards: readonly Stack[];
  readonly exchanges: readonly Exchange[];
}

function makeWorld(options: { count: number; seed: number; remembers: boolean }): World {
  const { count, seed, remembers } = options;
  const random = new Random(seed);
  const devices = [1, 2].map((number) => new Device(`path${number}`, count, random, remembers));
  const seedOf = (number: number): Uint8Array => new Uint8Array(32).fill(number + 16 * seed);
  const peer = new Stack({ name: 'peer', memory: MEMORY, seed: seedOf(9), config: CONFIG });
  closing.push(() => peer.close());
  const exchanges = createChannels(count, 1 << 20).map((channels) => new Exchange(channels));
  const shards = exchanges.map((exchange, shard) => {
    const config = { ...CONFIG, shards: count, shard };
    const { handOver } = exchange;
    const stack = new Stack({ name: `shard${shard}`, memory: MEMORY, seed: seedOf(shard), config, handOver });
    closing.push(() => {
      stack.close();
      exchange.close();
    });
    return stack;
  });
  for (const [index, device] of devices.entries()) {
    peer.addLink(device.outside, { addresses: [`10.0.${index + 1}.2/24`] });
    for (const [shard, stack] of shards.entries()) {
      stack.addLink(device.queues[shard] as Link, { addresses: [`10.0.${index + 1}.1/24`] });
    }
  }
  for (const [shard, stack] of shards.entries()) exchanges[shard]?.deliverTo(stack);
  return { peer, shards, exchanges };
}

/** Waits until a stack has nothing in use but its listeners. */
async function expectReleased(stack: Stack): Promise<void> {
  let left: unknown[] = [];
  for (let turn = 0; turn < 100; turn++) {
    const { pages, pagesFree, pagesPools, listeners: _listeners, ...counts } = stack.pools();
    const pagesUsed = pages - pagesFree - pagesPools;
    left = Object.entries({ ...counts, pagesUsed }).filter(([, used]) => used !== 0);
    if (left.length === 0) return;
    await sleep(50);
  }
  expect({ stack: stack.name, left }).toEqual({ stack: stack.name, left: [] });
}

function total(exchanges: readonly Exchange[]): Record<string, number> {
  const sum = { handedOver: 0, ringFull: 0, takenOver: 0, misdirected: 0 };
  for (const exchange of exchanges) {
    const each = exchange.statistics();
    sum.handedOver += each.handedOver;
    sum.ringFull += each.ringFull;
    sum.takenOver += each.takenOver;
    sum.misdirected += each.misdirected;
  }
  return sum;
}

describe('shards of one host', () => {
  it.each([
    { count: 2, seed: 1, remembers: true },
    { count: 3, seed: 2, remembers: true },
    // As flows that are always idle: all packets of a join come to the shard that its SYN came to.
    { count: 2, seed: 6, remembers: false },
    { count: 3, seed: 7, remembers: true, versions: [0 as const] },
  ])('serve connections whose joins come to any of them: %j', async (options) => {
    const { count } = options;
    // Tokens tell the shard whatever they are the hash of.
    const versions = 'versions' in options ? options.versions : undefined;
    const { peer, shards, exchanges } = makeWorld(options);
    const accepted = shards.map(() => 0);
    const bodies: Buffer[] = [];
    for (const [shard, stack] of shards.entries()) {
      stack.addEndpoint({ address: '10.0.1.1', signal: true });
      stack.addEndpoint({ address: '10.0.2.1', signal: true });
      const server = stack.createServer({ allowHalfOpen: true }, (socket) => {
        accepted[shard] = (accepted[shard] ?? 0) + 1;
        void readAll(socket).then((body) => {
          expect((socket.info()?.localToken ?? -1) % count).toBe(shard);
          bodies.push(body);
          socket.end(body);
        });
      });
      server.listen(80);
      await once(server, 'listening');
    }
    peer.addEndpoint({ address: '10.0.2.2', subflow: true });
    const sizes = Array.from({ length: 24 }, (_, index) => 100_000 + index);
    let joined = 0;
    await Promise.all(
      sizes.map(async (size, index) => {
        const [host, localAddress] = ['10.0.1.1', '10.0.1.2'];
        const socket = peer.connect({ host, port: 80, localAddress, allowHalfOpen: true, versions });
        await once(socket, 'connect');
        expect(socket.info()).toMatchObject({ multipath: true, version: versions?.[0] ?? 1 });
        socket.write(payload(size >> 1, index));
        while ((socket.info()?.subflows.length ?? 0) < 2) await sleep(1);
        joined++;
        socket.end(payload(size, 1000 + index));
        const answer = await readAll(socket);
        expect(answer.equals(Buffer.concat([payload(size >> 1, index), payload(size, 1000 + index)]))).toBe(true);
      }),
    );
    expect([joined, bodies.length, Math.min(...accepted) > 0]).toEqual([sizes.length, sizes.length, true]);
    for (const stack of [peer, ...shards]) await expectReleased(stack);
    const { handedOver, takenOver, ...lost } = total(exchanges);
    expect(lost).toEqual({ ringFull: 0, misdirected: 0 });
    expect(handedOver).toBeGreaterThan(0);
    expect(takenOver).toBe(handedOver);
    expect(shards.reduce((sum, stack) => sum + stack.counters().shardAway, 0)).toBe(handedOver);
  });

  it('open connections whose answers come to any of them', async () => {
    const { peer, shards, exchanges } = makeWorld({ count: 2, seed: 3, remembers: false });
    const server = peer.createServer((socket) => socket.pipe(socket));
    server.listen(80);
    await once(server, 'listening');
    await Promise.all(
      Array.from({ length: 12 }, async (_, index) => {
        const socket = (shards[index % 2] as Stack).connect(80, '10.0.1.2');
        await once(socket, 'connect');
        expect((socket.localPort ?? 0) % 2).toBe(index % 2);
        socket.end(payload(20_000, index));
        expect((await readAll(socket)).equals(payload(20_000, index))).toBe(true);
      }),
    );
    for (const stack of [peer, ...shards]) await expectReleased(stack);
    // About half of the flows come to the wrong one, with all their packets.
    const { handedOver = 0, ...others } = total(exchanges);
    expect(handedOver).toBeGreaterThan(50);
    expect(others).toEqual({ takenOver: handedOver, ringFull: 0, misdirected: 0 });
  });

  it('lose and count what a full ring does not take, and what nobody hands over', async () => {
    const { shards, exchanges } = makeWorld({ count: 2, seed: 4, remembers: true });
    const [exchange] = exchanges;
    let given = 0;
    // The other shard has no turn while this one goes on.
    while (exchange?.handOver(0, 1, new Uint8Array(1500)) === true) given++;
    expect(given).toBeGreaterThan(600);
    expect(exchange?.handOver(0, 1, new Uint8Array(1500))).toBe(false);
    expect(exchange?.handOver(0, 7, new Uint8Array(1500))).toBe(false);
    expect(exchange?.statistics()).toMatchObject({ handedOver: given, ringFull: 3 });
    while ((exchanges[1]?.statistics().takenOver ?? 0) < given) await sleep(1);
    expect(shards[1]?.counters().packetsIn).toBe(given);
    expect(shards[0]?.takeOver(99, new Uint8Array(20))).toBeLessThan(0);
    expect(shards[0]?.takeOver(0, new Uint8Array(70_000))).toBeLessThan(0);
  });

  it('do not send a packet around that a third shard should have', async () => {
    const { shards, exchanges } = makeWorld({ count: 3, seed: 5, remembers: true });
    const caught: Uint8Array[] = [];
    const stray = new FunctionLink('stray', (bytes) => caught.push(bytes));
    const other = new Stack({ memory: 8 << 20, config: { shards: 3, shard: 2 } });
    closing.push(() => other.close());
    other.addLink(stray, { addresses: ['10.0.1.2/24'] });
    // A SYN to a chosen port of no listener is answered, hence a packet without one: what follows it.
    const socket: Socket = other.connect({ host: '10.0.1.1', port: 80 });
    socket.on('error', () => undefined);
    while (caught.length === 0) await sleep(1);
    const syn = caught[0] as Uint8Array;
    const packet = strayAck(syn, 50_000 - (50_000 % 3) + 2);
    expect(shards[2]?.takeOver(0, packet)).toBeLessThan(0);
    expect(shards[0]?.takeOver(0, packet)).toBe(1 + 2);
    exchanges[0]?.handOver(0, 1, packet);
    while (exchanges[1]?.statistics().takenOver === 0) await sleep(1);
    expect(exchanges[1]?.statistics()).toMatchObject({ takenOver: 1, misdirected: 1, handedOver: 0 });
  });
});

/** The ACK of nothing that a peer could send to `port`, made of a SYN with its options taken away. */
function strayAck(syn: Uint8Array, port: number): Uint8Array {
  const packet = syn.slice(0, 40);
  const view = new DataView(packet.buffer);
  view.setUint16(2, 40);
  view.setUint16(22, port);
  view.setUint8(32, 0x50);
  view.setUint8(33, 0x10);
  view.setUint16(10, 0);
  view.setUint16(10, checksum(packet.subarray(0, 20), 0));
  view.setUint16(36, 0);
  view.setUint16(36, checksum(packet.subarray(12), 6 + 20));
  return packet;
}

/** The Internet checksum over an even number of bytes and what a pseudo-header adds (RFC 1071). */
function checksum(bytes: Uint8Array, more: number): number {
  let sum = more;
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
