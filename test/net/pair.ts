import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { expect } from 'vitest';
import type { Config } from '../../host/config.js';
import type { PcapngWriter } from '../../host/link/pcapng.js';
import type { Server } from '../../host/net/server.js';
import type { Socket } from '../../host/net/socket.js';
import type { Stack } from '../../host/net/stack.js';
import { megabits, milliseconds, Network, seconds } from '../../host/sim/network.js';
import type { Random } from '../../host/sim/random.js';
import type { Wire, WireCharacteristics } from '../../host/sim/wire.js';

export const SERVER = '10.0.1.1';
export const CLIENT = '10.0.1.2';
const MEMORY = 16 * 1024 * 1024;

export interface PairOptions {
  readonly seed?: number;
  /** Wires between the two; the client joins over all of them. Default 1. */
  readonly paths?: number;
  readonly wire?: Partial<WireCharacteristics>;
  readonly config?: Config;
  readonly clientConfig?: Config;
  readonly serverConfig?: Config;
  readonly memory?: number;
  /** Where what the client sees is written down. */
  readonly capture?: PcapngWriter;
  readonly ipv6?: boolean;
  /** Second part of all addresses, 0 unless said otherwise: tells pairs apart that share a capture. */
  readonly site?: number;
  /** False for the build of the core without SIMD. */
  readonly simd?: boolean;
}

/** Two stacks joined by one or more wires, path N with the addresses 10.0.N.1 (server) and 10.0.N.2 (client). */
export interface Pair {
  readonly network: Network;
  readonly client: Stack;
  readonly server: Stack;
  readonly wires: readonly Wire[];
}

/** The address of a host of a pair, 1 the server and 2 the client, on a path. */
export function addressIn({ site = 0, ipv6 = false }: PairOptions, path: number, host: number): string {
  if (!ipv6) return `10.${site}.${path}.${host}`;
  return site === 0 ? `fd00:${path}::${host}` : `fd00:${path}:${site}::${host}`;
}

export function makePair(options: PairOptions = {}): Pair {
  const network = new Network({ seed: options.seed ?? 1 });
  const { memory = MEMORY, simd } = options;
  const client = network.host('client', { memory, simd, config: { ...options.config, ...options.clientConfig } });
  const server = network.host('server', { memory, simd, config: { ...options.config, ...options.serverConfig } });
  const wires: Wire[] = [];
  const address = (path: number, host: number): string => addressIn(options, path, host);
  for (let path = 1; path <= (options.paths ?? 1); path++) {
    const bits = options.ipv6 === true ? 64 : 24;
    const wire = network.wire({
      name: `path${path}`,
      delay: milliseconds(5),
      ...options.wire,
      a: {
        at: client,
        addresses: [`${address(path, 2)}/${bits}`],
        ...(options.capture === undefined ? {} : { capture: options.capture }),
      },
      b: { at: server, addresses: [`${address(path, 1)}/${bits}`] },
    });
    wires.push(wire);
    if (path > 1) {
      client.addEndpoint({ address: address(path, 2), subflow: true });
      server.addEndpoint({ address: address(path, 1), signal: true });
    }
  }
  if (wires.length > 1) {
    client.set('limitSubflows', 8);
    client.set('limitAddAddrAccepted', 8);
    server.set('limitSubflows', 8);
  }
  return { network, client, server, wires };
}

/** A wire with rate, queue, loss up to 5 %, reordering and duplicates by chance. */
export function badWire(random: Random): Partial<WireCharacteristics> {
  return {
    rate: random.chance(0.3) ? Number.POSITIVE_INFINITY : megabits(random.between(5, 100)),
    delay: milliseconds(random.between(1, 40)),
    jitter: random.chance(0.5) ? milliseconds(random.between(0, 10)) : 0,
    queue: random.between(20_000, 200_000),
    loss: random.chance(0.8) ? random.fraction() * 0.05 : 0,
    reorder: random.chance(0.6) ? random.fraction() * 0.05 : 0,
    reorderDelay: milliseconds(random.between(1, 30)),
    duplicate: random.chance(0.6) ? random.fraction() * 0.05 : 0,
  };
}

/** Runs `test` on a pair for at most so many seconds of its time, then sees that both stacks gave everything back. */
export async function withPair(
  options: PairOptions,
  test: (pair: Pair) => Promise<void>,
  limit = seconds(600),
): Promise<void> {
  const pair = makePair(options);
  try {
    await pair.network.run(() => test(pair), limit);
    await expectReleased(pair);
  } finally {
    pair.network.close();
  }
}

/** Waits until closed connections are forgotten, then expects the pools to be as they were at the beginning. */
export async function expectReleased({ network, client, server }: Pair): Promise<void> {
  await network.advance(seconds(400));
  // The packet sent last is given back when the stack turns again.
  for (const stack of [client, server]) stack.schedule();
  await network.advance(0);
  for (const stack of [client, server]) {
    const { pages, pagesFree, pagesPools, ...used } = stack.pools();
    const left = Object.entries(used).filter(([, count]) => count !== 0);
    expect({ stack: stack.name, left }).toEqual({ stack: stack.name, left: [] });
    expect(pagesFree + pagesPools).toBe(pages);
  }
}

/** A server that listens on port 80. */
export async function listen(stack: Stack, listener: (socket: Socket) => void, port = 80): Promise<Server> {
  const server = stack.createServer(listener);
  server.listen(port);
  await once(server, 'listening');
  return server;
}

/** Bytes that repeat from a seed and nowhere else. */
export function payload(length: number, seed = 7): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = seed >>> 0 || 1;
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

/** Reads to the end. Unlike `for await` it leaves the writing side of a duplex alone. */
export function readAll(stream: Readable): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.once('end', () => resolve(Buffer.concat(chunks)));
    stream.once('error', reject);
    stream.once('close', () => reject(new Error('closed before its end')));
  });
}
