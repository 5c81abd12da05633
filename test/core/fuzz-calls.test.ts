/** Any call of the ABI with any arguments in any order, on two stacks that hear each other. */
import { describe, expect, it } from 'vitest';
import {
  BUDGET_MAX,
  BUDGET_MIN,
  CONFIG_RTO_MAX,
  ERR_INVALID,
  ERR_STATE,
  ERR_TIME,
  ERROR_NAMES,
  type MptcpExports,
} from '../../host/abi.js';
import { plainActive } from './handshakes.js';
import { Random, seeds } from './random.js';
import { halves, instantiate, Script, VARIANTS } from './script.js';

const ADDRESSES = [
  '10.0.0.2',
  '10.0.0.3',
  '10.1.0.2',
  '10.1.0.3',
  '0.0.0.0',
  '255.255.255.255',
  'fd00::2',
  'fd00::3',
  '::',
  '::1',
];

/** One of two stacks, with all handles it ever gave. */
interface Side {
  readonly script: Script;
  readonly handles: number[];
  readonly name: string;
}

type Call = (x: MptcpExports, random: Random, side: Side) => number | bigint;

const int = (random: Random): number =>
  random.pick([0, 1, 2, 3, -1, 64, 1_000, 65_535, 65_536, 0x7fff_ffff, -0x8000_0000, random.next() | 0]);
const handle = (random: Random, { handles }: Side): number =>
  handles.length > 0 && random.chance(19, 20) ? random.pick(handles.slice(-12)) : int(random);
const link = (random: Random): number => (random.chance(9, 10) ? random.below(2) : int(random));
const address = (random: Random): [bigint, bigint] =>
  random.chance(19, 20) ? halves(random.pick(ADDRESSES)) : [random.wide(), random.wide()];
const port = (random: Random): number => (random.chance(9, 10) ? random.pick([0, 80, 80, 81, 5_000]) : int(random));
const scratch = (x: MptcpExports, random: Random): number =>
  random.chance(9, 10) ? x.mptcp_scratch() + random.below(100) : int(random);
const size = (random: Random): number => (random.chance(4, 5) ? random.below(20_000) : int(random));
const keep = (side: Side, result: number): number => {
  if (result > 0) side.handles.push(result);
  return result;
};

const LOWEST_ERROR = Math.min(...Object.keys(ERROR_NAMES).map(Number));

/** A zero address has one chosen. */
const anyAddress = (random: Random): [bigint, bigint] => (random.chance(1, 2) ? [0n, 0n] : address(random));

const CALLS: Readonly<Record<Exclude<keyof MptcpExports, 'memory' | 'mptcp_time' | 'mptcp_ingest'>, Call>> = {
  mptcp_create: (x, random) => x.mptcp_create(int(random), 1n, 2n, 3n, 4n),
  mptcp_memory_base: (x) => x.mptcp_memory_base(0n),
  mptcp_set: (x, random, side) => {
    const key = random.chance(9, 10) ? random.pick([random.below(36), 76 + random.below(8)]) : int(random);
    return x.mptcp_set(
      random.chance(1, 2) ? 0 : handle(random, side),
      key,
      BigInt(random.pick([int(random), random.below(3)])),
    );
  },
  mptcp_get: (x, random, side) => x.mptcp_get(random.chance(1, 2) ? 0 : handle(random, side), random.below(40)),
  mptcp_deadline: (x) => x.mptcp_deadline(),
  mptcp_link_add: (x, random) =>
    random.chance(1, 8) ? x.mptcp_link_add(random.pick([576, 1_500, int(random)]), random.below(9)) : 0,
  mptcp_link_remove: (x, random) =>
    random.chance(1, 8) ? x.mptcp_link_remove(link(random)) : x.mptcp_link_remove(2 + random.below(40)),
  mptcp_link_up: (x, random) => x.mptcp_link_up(link(random), random.chance(3, 4) ? 1 : int(random)),
  mptcp_address_add: (x, random) =>
    x.mptcp_address_add(link(random), ...address(random), random.pick([64, 120, 128, int(random)])),
  mptcp_address_remove: (x, random) =>
    random.chance(1, 4) ? x.mptcp_address_remove(link(random), ...address(random)) : 0,
  mptcp_route_add: (x, random) =>
    x.mptcp_route_add(link(random), ...address(random), random.pick([0, 96, 128, int(random)])),
  mptcp_route_remove: (x, random) =>
    x.mptcp_route_remove(link(random), ...address(random), random.pick([0, 96, 128, int(random)])),
  mptcp_endpoint_add: (x, random) =>
    x.mptcp_endpoint_add(
      ...address(random),
      random.pick([0, 0, 81, int(random)]),
      random.pick([0, 1, 2, int(random)]),
      random.below(16),
    ),
  mptcp_endpoint_remove: (x, random) => x.mptcp_endpoint_remove(random.pick([1, 2, 3, int(random)])),
  mptcp_rx_slot: (x, random) => x.mptcp_rx_slot(int(random)),
  mptcp_transmit: (x, random) => (random.chance(1, 4) ? x.mptcp_transmit(link(random), int(random)) : 0),
  mptcp_tx_ring: (x) => x.mptcp_tx_ring(),
  mptcp_events: (x, random) => x.mptcp_events(int(random)),
  mptcp_event_ring: (x) => x.mptcp_event_ring(),
  mptcp_listen: (x, random, side) => {
    const local: [bigint, bigint] = random.chance(3, 4) ? [0n, 0n] : address(random);
    return keep(
      side,
      x.mptcp_listen(...local, port(random), random.pick([1, 10, int(random)]), random.pick([0, 0, 1, int(random)])),
    );
  },
  mptcp_listener_port: (x, random, side) => x.mptcp_listener_port(handle(random, side)),
  mptcp_accept: (x, random, side) => keep(side, x.mptcp_accept(handle(random, side))),
  mptcp_connect: (x, random, side) => {
    const own: [bigint, bigint] = random.chance(3, 4) ? [0n, 0n] : address(random);
    const to = random.chance(9, 10) ? halves(side.name === 'a' ? '10.0.0.3' : '10.0.0.2') : address(random);
    const ports = [random.chance(9, 10) ? 0 : port(random), random.chance(9, 10) ? 80 : port(random)] as const;
    return keep(side, x.mptcp_connect(...own, ports[0], ...to, ports[1], random.pick([0, 0, 0, 1, int(random)])));
  },
  mptcp_send_reserve: (x, random, side) => x.mptcp_send_reserve(handle(random, side), size(random)),
  mptcp_send_commit: (x, random, side) => x.mptcp_send_commit(handle(random, side), size(random)),
  mptcp_send: (x, random, side) => x.mptcp_send(handle(random, side), scratch(x, random), size(random)),
  mptcp_recv_peek: (x, random, side) => x.mptcp_recv_peek(handle(random, side)),
  mptcp_recv_consume: (x, random, side) => x.mptcp_recv_consume(handle(random, side), size(random)),
  mptcp_recv: (x, random, side) => x.mptcp_recv(handle(random, side), scratch(x, random), size(random)),
  mptcp_shutdown: (x, random, side) => (random.chance(1, 8) ? x.mptcp_shutdown(handle(random, side)) : 0),
  mptcp_close: (x, random, side) => (random.chance(1, 8) ? x.mptcp_close(handle(random, side)) : 0),
  mptcp_abort: (x, random, side) => (random.chance(1, 16) ? x.mptcp_abort(handle(random, side)) : 0),
  mptcp_result: (x) => x.mptcp_result(),
  mptcp_connection_info: (x, random, side) => x.mptcp_connection_info(handle(random, side)),
  mptcp_subflow_info: (x, random, side) => x.mptcp_subflow_info(handle(random, side), int(random)),
  mptcp_endpoint_change: (x, random) =>
    x.mptcp_endpoint_change(random.pick([1, 2, 3, int(random)]), random.pick([0, 4, 8, 12, int(random)])),
  mptcp_subflow_open: (x, random, side) =>
    x.mptcp_subflow_open(
      handle(random, side),
      ...anyAddress(random),
      random.chance(9, 10) ? 0 : port(random),
      random.pick([-1, -1, 0, 5, int(random)]),
      ...anyAddress(random),
      random.pick([0, 0, 80, int(random)]),
      random.pick([-1, -1, 0, 5, int(random)]),
      random.pick([0, 1, int(random)]),
    ),
  mptcp_subflow_close: (x, random, side) =>
    random.chance(1, 4)
      ? x.mptcp_subflow_close(handle(random, side), random.below(6), random.pick([0, 3, 6, int(random)]))
      : 0,
  mptcp_subflow_set: (x, random, side) =>
    x.mptcp_subflow_set(
      handle(random, side),
      random.below(6),
      random.chance(9, 10) ? random.below(8) : int(random),
      BigInt(random.pick([0, 1, 64, 2_000, int(random)])),
    ),
  mptcp_subflow_get: (x, random, side) =>
    x.mptcp_subflow_get(handle(random, side), random.below(6), random.chance(9, 10) ? random.below(8) : int(random)),
  mptcp_address_announce: (x, random, side) =>
    x.mptcp_address_announce(
      handle(random, side),
      ...address(random),
      random.pick([0, 0, 81, int(random)]),
      random.pick([0, 0, 7, int(random)]),
    ),
  mptcp_address_withdraw: (x, random, side) =>
    x.mptcp_address_withdraw(handle(random, side), random.pick([0, 7, 128, 129, int(random)])),
  mptcp_local_address_info: (x, random, side) => x.mptcp_local_address_info(handle(random, side), random.below(4)),
  mptcp_remote_address_info: (x, random, side) => x.mptcp_remote_address_info(handle(random, side), random.below(4)),
  mptcp_monitor: (x, random) => x.mptcp_monitor(int(random)),
  mptcp_pool_info: (x) => x.mptcp_pool_info(),
  mptcp_counters: (x) => x.mptcp_counters(),
  mptcp_scratch: (x) => x.mptcp_scratch(),
  mptcp_next: (x, random, side) => {
    const after = random.chance(1, 2) ? 0 : handle(random, side);
    return keep(side, x.mptcp_next(random.chance(9, 10) ? random.below(3) : int(random), after));
  },
  mptcp_listener_info: (x, random, side) => x.mptcp_listener_info(handle(random, side)),
  mptcp_time_wait_info: (x, random, side) => x.mptcp_time_wait_info(handle(random, side)),
};

const NAMES = Object.keys(CALLS) as (keyof typeof CALLS)[];

/** Carries packets from one stack to the other, and loses some. */
function carry(from: Script, to: Script, random: Random): void {
  for (const { bytes, link: by } of from.flush()) {
    if (random.chance(9, 10)) to.ingest(bytes, by);
  }
  from.skip();
}

describe.each(VARIANTS)('calls in any order (%s)', (variant) => {
  it.each(seeds(variant === 'simd' ? 16 : 4, [663, 1062]))(
    'never trap and leave nothing behind: FUZZ_SEED=%i',
    (seed) => {
      const random = new Random(seed);
      const sides: Side[] = ['2', '3'].map((host, index) => ({
        script: new Script({
          variant,
          budget: BUDGET_MIN,
          seed: BigInt(seed * 2 + index),
          links: [[`10.0.0.${host}`, `fd00::${host}`], [`10.1.0.${host}`]],
        }),
        handles: [],
        name: index === 0 ? 'a' : 'b',
      }));
      for (const side of sides) side.handles.push(side.script.listen(80));
      const memory = sides.map(({ script }) => script.x.memory.buffer.byteLength);
      for (let turn = 0; turn < 4_000; turn++) {
        const side = random.pick(sides);
        const name = random.pick(NAMES);
        const result = CALLS[name](side.script.x, random, side);
        if (typeof result === 'number' && result < 0) expect(result, name).toBeGreaterThanOrEqual(LOWEST_ERROR);
        if (random.chance(1, 3)) {
          const [a, b] = sides;
          if (a === undefined || b === undefined) throw new Error('there are two sides');
          carry(a.script, b.script, random);
          carry(b.script, a.script, random);
        }
        if (random.chance(1, 10)) side.script.advance(random.pick([10, 1_000, 50_000, 1_000_000]));
      }
      for (const { script, handles } of sides) {
        script.skip();
        // A peer that is gone is asked again and again until the time to close is over: not every millisecond.
        script.set(CONFIG_RTO_MAX, 120_000_000);
        for (const each of handles) script.x.mptcp_close(each);
      }
      for (const { script } of sides) {
        script.skip();
        script.advance(100 * 3_600_000_000);
        script.skip();
        script.expectEmpty();
      }
      expect(sides.map(({ script }) => script.x.memory.buffer.byteLength)).toEqual(memory);
    },
  );

  it('before mptcp_create are refused', () => {
    const x = instantiate(variant);
    const side: Side = { script: new Script({ variant }), handles: [], name: 'a' };
    const random = new Random(1);
    const always = ['mptcp_create', 'mptcp_memory_base', 'mptcp_result', 'mptcp_counters'];
    const gentle = [
      'mptcp_transmit',
      'mptcp_link_add',
      'mptcp_address_remove',
      'mptcp_shutdown',
      'mptcp_subflow_close',
      'mptcp_close',
      'mptcp_abort',
    ];
    for (const name of NAMES) {
      if (always.includes(name) || gentle.includes(name)) continue;
      if (name === 'mptcp_send' || name === 'mptcp_recv') continue;
      expect(Number(CALLS[name](x, random, side)), name).toBe(ERR_STATE);
    }
    expect(x.mptcp_time(1n)).toBe(ERR_STATE);
    expect(x.mptcp_ingest(0, 0, 0)).toBe(ERR_STATE);
    expect(x.mptcp_send(1, 0, 1)).toBe(ERR_STATE);
    expect(x.mptcp_recv(1, 0, 1)).toBe(ERR_STATE);
    expect(x.mptcp_transmit(0, 1)).toBe(ERR_STATE);
    expect(x.mptcp_close(1)).toBe(ERR_STATE);
    for (const budget of [0, -1, BUDGET_MIN - 1, BUDGET_MAX + 1, 0x7fff_ffff, -0x8000_0000]) {
      expect(x.mptcp_create(budget, 1n, 2n, 3n, 4n)).toBe(ERR_INVALID);
    }
    expect(x.mptcp_create(BUDGET_MIN, 1n, 2n, 3n, 4n)).toBe(0);
    expect(x.mptcp_create(BUDGET_MIN, 1n, 2n, 3n, 4n)).toBe(ERR_STATE);
  });

  it('with times far off end', () => {
    for (const time of [1n << 62n, (1n << 63n) - 1n, (1n << 63n) - 2n]) {
      const script = new Script({ variant });
      const { handle: connection } = plainActive(script);
      script.write(connection, 'never acknowledged');
      script.skip();
      expect(script.x.mptcp_time(time)).toBe(ERR_TIME);
      expect(script.x.mptcp_time(-1n)).toBe(ERR_TIME);
      expect(script.x.mptcp_time(-(1n << 63n))).toBe(ERR_TIME);
    }
    const script = new Script({ variant });
    plainActive(script);
    expect(script.x.mptcp_time(1n << 60n)).toBe(0);
    expect(script.x.mptcp_time((1n << 60n) + 1n)).toBe(0);
  });
});
