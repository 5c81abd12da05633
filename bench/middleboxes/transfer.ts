import { once } from 'node:events';
import {
  type ConnectionInfo,
  megabits,
  milliseconds,
  Network,
  type Server,
  type Socket,
  type Stack,
  seconds,
  type Wire,
} from '../../host/node.js';
import { ALG_TEXTS, type Variant } from './variants.js';

/** Where boxes stand: on every path, on that of the first subflow, or on that of the second. */
export type Place = 'all' | 'initial' | 'joined';

/** One cell: a box and what goes through it. */
export interface Scenario {
  readonly variant: Variant;
  readonly ipv6: boolean;
  readonly paths: 1 | 2;
  readonly place: Place;
  readonly checksum: boolean;
  /** Of Multipath TCP; 1 when left out. */
  readonly version?: 0 | 1;
  /** Plain TCP, to compare with. */
  readonly plain?: boolean;
}

/** How a cell went: `stuck` when an end knew neither an end nor an error in time. */
export type Outcome = 'multipath' | 'fallback' | 'reset' | 'stuck';

/** What an application read: what was sent, or something else as well. */
export type Bytes = 'right' | 'altered';

export interface Result {
  readonly outcome: Outcome;
  readonly bytes: Bytes;
  /** Where other bytes were read although the connection was not plain TCP by then; '' for nowhere. */
  readonly wrong: string;
  /** Why it fell back, or the errors. */
  readonly reason: string;
  /** Simulated time of all transfers, µs. */
  readonly time: number;
  /** Most subflows that a connection had. */
  readonly subflows: number;
  /** What the boxes did. */
  readonly interventions: number;
  /** What the stacks did not give back. */
  readonly leaks: readonly string[];
}

/** Who ends its stream first. */
export const ORDERS = ['client', 'server', 'together'] as const;
export type Order = (typeof ORDERS)[number];

const SEED = 1;
const BYTES = 100_000;
const PORT = 80;
const MEMORY = 8 << 20;
/** Bytes that go first; then comes a pause in which subflows can join, and another one in the middle of the stream. */
const FIRST = 1000;
const JOINING = milliseconds(200);
const PAUSE = milliseconds(100);
/** Every timeout of these settings is over by then. */
const LIMIT = seconds(400);
/** Worst first. */
const RANKING: readonly Outcome[] = ['stuck', 'reset', 'fallback', 'multipath'];

const CONFIG = {
  retries: 8,
  rtoMax: seconds(10),
  synRetries: 5,
  closeTimeout: seconds(20),
  keepalive: true,
  keepaliveIdle: seconds(10),
  keepaliveInterval: seconds(5),
  keepaliveCount: 4,
} as const;

interface Bed {
  readonly network: Network;
  readonly client: Stack;
  readonly server: Stack;
  readonly wires: readonly Wire[];
}

/** What one end read until its end or an error, and how it stood then. */
interface Read {
  readonly bytes: Buffer;
  readonly error: string | undefined;
  readonly info: ConnectionInfo | undefined;
  /** Bytes read when it fell back to plain TCP. */
  readonly multipathBytes: number;
}

/** One transfer. */
type Transferred = Omit<Result, 'leaks' | 'interventions'>;

/** Runs the transfers of a cell. The same scenario gives the same result, whatever the machine. */
export async function runScenario(scenario: Scenario, orders: readonly Order[] = ORDERS): Promise<Result> {
  const bed = makeBed(scenario);
  const { network, server } = bed;
  try {
    const results: Transferred[] = [];
    const listening = server.createServer({ allowHalfOpen: true });
    await network.run(async () => {
      listening.listen(PORT);
      await once(listening, 'listening');
    });
    for (const [index, order] of orders.entries()) {
      results.push(await transfer(scenario, bed, listening, order, index));
    }
    await network.run(async () => {
      listening.close();
      await once(listening, 'close');
    });
    const worst = RANKING.find((each) => results.some(({ outcome }) => outcome === each)) ?? 'stuck';
    return {
      outcome: worst,
      bytes: results.some(({ bytes }) => bytes === 'altered') ? 'altered' : 'right',
      wrong: results.map(({ wrong }) => wrong).find((each) => each !== '') ?? '',
      reason: [...new Set(results.filter(({ outcome }) => outcome === worst).map(({ reason }) => reason))].join('; '),
      time: results.reduce((sum, { time }) => sum + time, 0),
      subflows: Math.max(...results.map(({ subflows }) => subflows)),
      interventions: bed.wires.flatMap(({ boxes }) => boxes).reduce((sum, { interventions }) => sum + interventions, 0),
      leaks: await leaks(bed),
    };
  } finally {
    network.close();
  }
}

function makeBed({ variant, ipv6, paths, place, checksum, version }: Scenario): Bed {
  const network = new Network({ seed: SEED });
  const config = {
    ...CONFIG,
    checksumEnabled: checksum,
    limitSubflows: 2,
    limitAddAddrAccepted: 2,
    ...(version === 0 ? { connectVersions: [0] as const, listenVersions: [0] as const } : {}),
    ...(variant.mapBytes === undefined ? {} : { mapBytes: variant.mapBytes }),
  };
  const client = network.host('client', { memory: MEMORY, config });
  const server = network.host('server', { memory: MEMORY, config });
  const wires: Wire[] = [];
  for (let path = 1; path <= paths; path++) {
    const wire = network.wire({
      name: `path${path}`,
      rate: megabits(50),
      delay: milliseconds(4),
      loss: 0.01,
      a: { at: client, addresses: [address(path, 2, ipv6)] },
      b: { at: server, addresses: [address(path, 1, ipv6)] },
    });
    if (place === 'all' || (place === 'initial') === (path === 1)) {
      const boxes = variant.make(path, ipv6);
      for (const [index, box] of boxes.entries()) {
        const beyond = index === boxes.length - 1 ? milliseconds(4) : 0;
        wire.insert(box, { beyond, ...(variant.only === undefined ? {} : { only: variant.only }) });
      }
    }
    wires.push(wire);
    if (path > 1) {
      client.addEndpoint({ address: host(path, 2, ipv6), subflow: true });
      server.addEndpoint({ address: host(path, 1, ipv6), signal: true });
    }
  }
  return { network, client, server, wires };
}

function host(path: number, number: number, ipv6: boolean): string {
  return ipv6 ? `fd00:${path}::${number}` : `10.0.${path}.${number}`;
}

function address(path: number, number: number, ipv6: boolean): string {
  return `${host(path, number, ipv6)}/${ipv6 ? 64 : 24}`;
}

/** One connection: a request and a response, each in two halves. */
async function transfer(
  scenario: Scenario,
  { network, client }: Bed,
  listening: Server,
  order: Order,
  index: number,
): Promise<Transferred> {
  const { ipv6, plain, variant } = scenario;
  const pause = variant.pause ?? PAUSE;
  const closely = variant.rewrites === true && scenario.checksum;
  const request = payload(2 * index + 1, index === 0);
  const response = payload(2 * index + 2, false);
  const start = network.now;
  const sockets: Socket[] = [];
  try {
    const ends = await network.run(async () => {
      const accepted = once(listening, 'connection').then(([peer]: Socket[]) => peer as Socket);
      const socket = client.connect({ port: PORT, host: host(1, 1, ipv6), mptcp: plain !== true, allowHalfOpen: true });
      sockets.push(socket);
      const theirs = accepted.then((peer) => {
        sockets.push(peer);
        return talk(network, peer, response, { second: order === 'client', pause, closely });
      });
      const ours = await talk(network, socket, request, { second: order === 'server', pause, closely });
      // A connection that was never accepted has one end.
      const never = network.sleep(LIMIT / 2).then(() => undefined);
      const peer = await (sockets.length === 2 ? theirs : Promise.race([theirs, never]));
      return [ours, peer] as const;
    }, LIMIT);
    return { ...judge(ends, [response, request]), time: network.now - start };
  } catch (error) {
    if ((error as { code?: string }).code !== 'ETIME') throw error;
    const states = sockets.map((socket) => JSON.stringify(socket.info()?.subflows.map(({ state }) => state) ?? 'none'));
    const reason = states.join(' ');
    return { outcome: 'stuck', bytes: 'right', wrong: '', reason, time: network.now - start, subflows: 0 };
  } finally {
    listening.removeAllListeners('connection');
    for (const socket of sockets) socket.destroy();
  }
}

/** Writes a stream and reads the other one; `second` waits for the end of that before it ends its own. */
async function talk(
  network: Network,
  socket: Socket,
  bytes: Buffer,
  { second, pause, closely }: { second: boolean; pause: number; closely: boolean },
): Promise<Read> {
  const pieces: Buffer[] = [];
  let error: string | undefined;
  let info: ConnectionInfo | undefined;
  let multipathBytes: number | undefined;
  const look = (): void => {
    info = socket.info() ?? info;
  };
  const read = new Promise<void>((resolve) => {
    const fellBack = (): void => {
      multipathBytes ??= pieces.reduce((sum, { length }) => sum + length, 0);
      look();
    };
    socket.on('data', (piece: Buffer) => {
      // A stream may read before the event of the same moment is told.
      if (closely && multipathBytes === undefined && socket.info()?.multipath === false) fellBack();
      pieces.push(piece);
    });
    socket.on('fallback', fellBack);
    socket.once('end', () => {
      look();
      resolve();
    });
    socket.once('close', resolve);
    socket.on('error', (reason: NodeJS.ErrnoException) => {
      error = reason.code ?? String(reason);
      resolve();
    });
  });
  const middle = Math.floor(bytes.length / 2);
  socket.write(bytes.subarray(0, FIRST));
  await network.sleep(JOINING);
  socket.write(bytes.subarray(FIRST, middle));
  await network.sleep(pause);
  look();
  if (second) await read;
  socket.end(bytes.subarray(middle));
  await read;
  look();
  // What was written must have arrived, or an error says that it did not.
  if (error === undefined && !socket.closed) await new Promise((resolve) => socket.once('close', resolve));
  return { bytes: Buffer.concat(pieces), error, info, multipathBytes: multipathBytes ?? 0 };
}

/** Holds what both ends read against what was sent: the client's, then the server's. */
function judge(ends: readonly [Read, Read | undefined], sent: readonly [Buffer, Buffer]): Omit<Transferred, 'time'> {
  const infos = ends.flatMap((end) => (end?.info === undefined ? [] : [end.info]));
  const subflows = Math.max(0, ...infos.map(({ subflowsTotal }) => subflowsTotal));
  const errors = ends.map((end) => (end === undefined ? 'not accepted' : end.error));
  const reset = errors.some((error) => error !== undefined);
  const reasons = [...new Set(infos.map(({ fallback }) => fallback))].filter(
    (reason) => reason !== 'none' && reason !== 'notAsked',
  );
  const multipath = infos.every((info) => info.multipath);
  const differences = ends.map((end, index) => difference(end, sent[index] as Buffer));
  const wrong = differences.flatMap((at, index) => {
    const until = multipath ? Number.POSITIVE_INFINITY : (ends[index]?.multipathBytes ?? 0);
    return at !== undefined && at < until ? [`${index === 0 ? 'client' : 'server'} at ${at}`] : [];
  });
  return {
    outcome: reset ? 'reset' : multipath ? 'multipath' : 'fallback',
    bytes: differences.some((at) => at !== undefined) ? 'altered' : 'right',
    wrong: wrong.join(', '),
    reason: reset ? errors.map((error) => error ?? 'complete').join(' / ') : reasons.join(' / '),
    subflows,
  };
}

/** Where what was read is not what was sent; an end without an error must come after all of it. */
function difference(end: Read | undefined, wanted: Buffer): number | undefined {
  if (end === undefined) return undefined;
  const bytes = restored(end.bytes);
  if (!bytes.equals(wanted.subarray(0, bytes.length))) return bytes.findIndex((byte, index) => byte !== wanted[index]);
  return end.error === undefined && bytes.length !== wanted.length ? bytes.length : undefined;
}

/**
 * Bytes that repeat from a seed and nowhere else, with the texts that the ALG looks for here and there, or from the
 * `beginning` on.
 */
function payload(seed: number, beginning: boolean): Buffer {
  const bytes = Buffer.allocUnsafe(BYTES);
  let state = seed;
  for (let index = 0; index < BYTES; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[index] = state >>> 24;
  }
  for (const [index, at] of [beginning ? 0 : 5000, 20_000, 50_000, 90_000].entries()) {
    bytes.write(ALG_TEXTS[index % ALG_TEXTS.length]?.find ?? '', at, 'latin1');
  }
  return bytes;
}

/** Undoes what the ALG did: an application that talks FTP gets what its NAT made of it, and that is right. */
function restored(bytes: Buffer): Buffer {
  let text = bytes.toString('latin1');
  for (const { find, replace } of ALG_TEXTS) text = text.replaceAll(replace, find);
  return Buffer.from(text, 'latin1');
}

/** Waits until closed connections are forgotten; what is left then. */
async function leaks({ network, client, server }: Bed): Promise<string[]> {
  await network.advance(LIMIT);
  // The packet sent last is given back when the stack turns again.
  for (const stack of [client, server]) stack.schedule();
  await network.advance(0);
  return [client, server].flatMap((stack) => {
    const { pages, pagesFree, pagesPools, ...used } = stack.pools();
    const left = Object.entries(used).flatMap(([name, count]) => (count === 0 ? [] : [`${name} ${count}`]));
    if (pagesFree + pagesPools !== pages) left.push(`pages ${pages - pagesFree - pagesPools}`);
    return left.map((each) => `${stack.name} ${each}`);
  });
}
