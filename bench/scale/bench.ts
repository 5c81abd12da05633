import { loadModule } from '../../host/module.js';
import { Joined } from '../core/joined.js';
import { type Bench, type Context, measurement } from '../record.js';
import { Population } from './population.js';
import { Reordered } from './reordered.js';

const COUNTS = [1, 10, 100, 1000, 10_000, 100_000];
const SUBFLOWS = [1, 2, 4, 8];
const ROUNDS = 9;
/** Pages are shared by so many connections that fewer say nothing about one. */
const ENOUGH = 1000;
/** Ranges beside which the cost of a packet among more is set; with fewer the bench itself would decide. */
const FEW_RANGES = 10;
/** Budget of a stack with 100,000 connections, bytes. */
const MEMORY = 512 << 20;
const BURST_BYTES = 60_000;
const BURSTS = 120;
const TIME_CALLS = 2000;

const one = (count: number): string => `scale/packet-cost-${count}`;
const spreadName = (count: number): string => `scale/packet-cost-all-${count}`;
const time = (count: number): string => `scale/time-call-${count}`;
const memoryName = (count: number): string => `scale/memory-${count}`;
const ranges = (count: number): string => `scale/packet-cost-ranges-${count}`;
const subflows = (count: number): string => `scale/packet-cost-${count}sf`;

export const scale: Bench = {
  name: 'scale',
  description:
    'cost of a packet, of the clock and of memory as connections, holes and subflows grow, beside one of them',
  cases: [
    ...COUNTS.map(one),
    ...COUNTS.map(spreadName),
    ...COUNTS.map(time),
    ...COUNTS.filter((count) => count >= ENOUGH).map(memoryName),
    ...COUNTS.filter((count) => count >= FEW_RANGES).map(ranges),
    ...SUBFLOWS.map(subflows),
  ],

  async run(context) {
    const populations = [one, spreadName, time, memoryName].flatMap((name) => COUNTS.map(name));
    if (populations.some((name) => context.wants(name))) measureConnections(context);
    if (COUNTS.some((count) => context.wants(ranges(count)))) measureRanges(context);
    if (SUBFLOWS.some((count) => context.wants(subflows(count)))) measureSubflows(context);
  },
};

/** The same stack grows, and a second one stays at one connection: they are measured in turn. */
function measureConnections(context: Context): void {
  const options = { module: loadModule(), multipath: true, keepAlive: true, memory: MEMORY };
  const alone = new Population({ ...options, memory: 64 << 20 });
  const many = new Population(options);
  alone.grow(1);
  many.grow(1);
  const burst = new Uint8Array(BURST_BYTES);
  const alonePeer = alone.peerOf(alone.clients[0] as number);
  const manyPeer = many.peerOf(many.clients[0] as number);
  const empty = many.memoryInUse();
  for (let warm = 0; warm < 5; warm++) {
    oneActive(alone, alonePeer, burst);
    oneActive(many, manyPeer, burst);
    clockCost(alone);
    clockCost(many);
  }
  for (const count of COUNTS) {
    many.grow(count);
    const figures = {
      one: [] as number[],
      base: [] as number[],
      all: [] as number[],
      time: [] as number[],
      timeBase: [] as number[],
    };
    for (let round = 0; round < ROUNDS; round++) {
      figures.base.push(oneActive(alone, alonePeer, burst));
      figures.one.push(oneActive(many, manyPeer, burst));
      if (context.wants(spreadName(count))) figures.all.push(allActive(many, round));
      figures.timeBase.push(clockCost(alone));
      figures.time.push(clockCost(many));
    }
    const report = (name: string, ours: readonly number[], peer: readonly number[]): void => {
      if (!context.wants(name)) return;
      context.report(measurement({ name, unit: 'ns', better: 'smaller', ours, peers: { 'one connection': peer } }));
    };
    report(one(count), figures.one, figures.base);
    if (figures.all.length > 0) {
      const base = Array.from({ length: ROUNDS }, (_, round) => allActive(alone, round));
      report(spreadName(count), figures.all, base);
    }
    report(time(count), figures.time, figures.timeBase);
    if (count >= ENOUGH && context.wants(memoryName(count))) {
      const bytes = (many.memoryInUse() - empty) / Math.max(count - 1, 1);
      context.report(measurement({ name: memoryName(count), unit: 'bytes', better: 'smaller', ours: [bytes] }));
    }
  }
}

/** ns of a packet, acknowledgments counted too, when one connection of all is busy. */
function oneActive(population: Population, peer: number, burst: Uint8Array): number {
  const handle = population.clients[0] as number;
  let packets = 0;
  const start = performance.now();
  for (let i = 0; i < BURSTS; i++) {
    packets += population.send(handle, burst);
    population.consume(peer);
  }
  return ((performance.now() - start) * 1e6) / packets;
}

const SMALL = new Uint8Array(100);
const SPREAD = 2000;

/** ns of a packet when every packet is of another connection, out of all of them. */
function allActive(population: Population, round: number): number {
  const { clients, servers } = population;
  let packets = 0;
  const start = performance.now();
  for (let i = 0; i < SPREAD; i++) {
    // A stride that has no factor of a power of ten visits all in a scattered order.
    packets += population.send(clients[((i + round * SPREAD) * 7919) % clients.length] as number, SMALL);
  }
  const passed = performance.now() - start;
  for (const server of servers) population.consume(server);
  population.settle();
  return (passed * 1e6) / packets;
}

/** ns of one mptcp_time and mptcp_deadline, a microsecond after the last: keep-alives are armed and hours away. */
function clockCost(population: Population): number {
  const { calls } = population.server;
  const start = performance.now();
  for (let i = 0; i < TIME_CALLS; i++) {
    calls.mptcp_time(BigInt(++population.now));
    calls.mptcp_deadline();
  }
  return ((performance.now() - start) * 1e6) / TIME_CALLS;
}

function measureRanges(context: Context): void {
  const reordered = new Reordered();
  const once = (count: number): number => {
    const repeats = Math.max(1, Math.floor(20_000 / count));
    let sum = 0;
    for (let i = 0; i < repeats; i++) sum += reordered.run(count);
    return sum / repeats;
  };
  for (let warm = 0; warm < 5; warm++) once(100);
  for (const count of COUNTS) {
    if (count < FEW_RANGES || !context.wants(ranges(count))) continue;
    const ours: number[] = [];
    const peer: number[] = [];
    for (let round = 0; round < 5; round++) {
      peer.push(once(FEW_RANGES));
      ours.push(once(count));
    }
    context.report(
      measurement({ name: ranges(count), unit: 'ns', better: 'smaller', ours, peers: { 'ten ranges': peer } }),
    );
  }
}

function measureSubflows(context: Context): void {
  const make = (paths: number): Joined => {
    const joined = new Joined({
      module: loadModule(),
      multipath: true,
      paths,
      mtu: 1500,
      checksum: false,
      window: 1 << 18,
    });
    joined.verifying = false;
    joined.transfer(80);
    return joined;
  };
  const cost = (joined: Joined): number => {
    const { seconds, segments } = joined.transfer(60);
    return (seconds * 1e9) / segments;
  };
  const alone = make(1);
  for (const count of SUBFLOWS) {
    if (!context.wants(subflows(count))) continue;
    const many = make(count);
    const ours: number[] = [];
    const peer: number[] = [];
    for (let round = 0; round < 5; round++) {
      peer.push(cost(alone));
      ours.push(cost(many));
    }
    context.report(
      measurement({ name: subflows(count), unit: 'ns', better: 'smaller', ours, peers: { 'one subflow': peer } }),
    );
  }
}
