import { createHash, createHmac } from 'node:crypto';
import { microModule } from './module.js';
import { arrivals, ORDERS, shuffle } from './orders.js';
import { checksum, digest, joinHmac, keyToken } from './typescript/digest.js';
import { ParsedOptions, parseOptions, writeDss } from './typescript/options.js';
import {
  liaAvoid,
  mapFor,
  PeerFlow,
  PeerFlows,
  PeerMap,
  PeerRanges,
  PeerSubflow,
  SortedRanges,
  schedule,
} from './typescript/structures.js';

/** A loop and how many operations one call of it does. */
export interface Loop {
  readonly operations: number;
  run(): void;
}

/** One case: set up anew for every run, ours and its peers. */
export interface MicroCase {
  readonly name: string;
  /** Makes the loops; the first is ours, the second the first peer. */
  prepare(): Readonly<Record<string, Loop>>;
  /** What the C program is asked for, when it has this loop. */
  readonly c?: readonly string[];
}

/** Where a loop leaves what it computed, so that no compiler can leave it out. */
const sink = { value: 0 };

const loop = (operations: number, body: (operations: number) => number): Loop => ({
  operations,
  run: () => {
    sink.value = body(operations);
  },
});

/** Fails when two implementations disagree: a fast wrong answer is no peer. */
function agree(name: string, ours: number, theirs: number): void {
  if (ours !== theirs) throw new Error(`micro/${name}: the core computed ${ours}, its peer ${theirs}`);
}

function area(): Uint8Array {
  const { memory, areaAddress } = microModule();
  return new Uint8Array(memory.buffer, areaAddress() >>> 0, 4 << 20);
}

const OPTION_BYTES: Readonly<Record<string, string>> = {
  syn: '020405b40402080a0011223300000000010303081e0c0181a1b2c3d4e5f60718',
  data: '0101080a00112233445566771e1a200f0102030405060708090a0b0c0d0e0f1000000001058c0101',
  'add-addr': '1e1030020a0002020102030405060708',
};

function parseCase(kind: string): MicroCase {
  return {
    name: `parse-${kind}`,
    prepare: () => {
      const bytes = Buffer.from(OPTION_BYTES[kind] ?? '', 'hex');
      const { parseLoop } = microModule();
      area().set(bytes);
      const own = new Uint8Array(64);
      own.set(bytes);
      const view = new DataView(own.buffer);
      const parsed = new ParsedOptions();
      const { length } = bytes;
      if (!parseOptions(view, 0, length, parsed)) throw new Error(`micro/parse-${kind}: the options are malformed`);
      return {
        ours: loop(2000, (times) => parseLoop(length, times)),
        typescript: loop(2000, (times) => {
          let seen = 0;
          for (let i = 0; i < times; i++) {
            own[length - 1] = i;
            parseOptions(view, 0, length, parsed);
            seen += parsed.present + parsed.mptcp + parsed.tsEcr + parsed.dssDsnLo + parsed.addHmacLo;
          }
          return seen;
        }),
      };
    },
  };
}

const dss: MicroCase = {
  name: 'write-dss',
  prepare: () => {
    const { dssLoop } = microModule();
    const view = new DataView(new ArrayBuffer(1024));
    return {
      ours: loop(5000, dssLoop),
      typescript: loop(5000, (times) => {
        let written = 0;
        for (let i = 0; i < times; i++)
          written += writeDss(view, (i & 15) << 5, i >>> 24, i << 8, i >>> 23, i << 9, i, 1448);
        return written + view.getUint32(8);
      }),
    };
  },
};

function checksumCase(length: number): MicroCase {
  return {
    name: `checksum-${length}`,
    c: ['checksum', String(length)],
    prepare: () => {
      const { checksumLoop } = microModule();
      const bytes = new Uint8Array(65536).map((_, index) => index * 7 + 3);
      const words = new Uint16Array(bytes.buffer);
      area().set(bytes);
      const times = Math.ceil(1e6 / (length + 200));
      const theirs = checksum(words, bytes, length, 0);
      agree(`checksum-${length}`, checksumLoop(length, 1), ((theirs & 0xff) << 8) | (theirs >> 8));
      return {
        ours: loop(times * 4, (count) => checksumLoop(length, count)),
        typescript: loop(times, (count) => {
          let seen = 0;
          for (let i = 0; i < count; i++) seen = (seen + checksum(words, bytes, length, seen)) | 0;
          return seen;
        }),
      };
    },
  };
}

function copyCase(length: number): MicroCase {
  return {
    name: `copy-${length}`,
    c: ['copy', String(length)],
    prepare: () => {
      const { copyLoop } = microModule();
      const from = new Uint8Array(1 << 20);
      const to = new Uint8Array(1 << 20);
      const half = 1 << 18;
      return {
        ours: loop(Math.ceil(4e6 / (length + 100)), (times) => copyLoop(length, half, times)),
        typescript: loop(Math.ceil(1e6 / (length + 100)), (times) => {
          let at = 0;
          for (let i = 0; i < times; i++) {
            to.set(from.subarray(at, at + length), at);
            at += length;
            if (at + length > half) at = 0;
          }
          return to[7] as number;
        }),
      };
    },
  };
}

const KEY_HI = 0x01234567;
const KEY_LO = 0x89abcdef;

const token: MicroCase = {
  name: 'token',
  prepare: () => {
    const { tokenLoop } = microModule();
    const key = Buffer.alloc(8);
    agree('token', tokenLoop(1) >>> 0, keyToken(0, 0));
    return {
      ours: loop(200, tokenLoop),
      typescript: loop(200, (times) => {
        let seen = 0;
        for (let i = 0; i < times; i++) seen = keyToken(seen, i);
        return seen;
      }),
      'node:crypto': loop(50, (times) => {
        let seen = 0;
        for (let i = 0; i < times; i++) {
          key.writeUInt32BE(seen, 0);
          key.writeUInt32BE(i, 4);
          seen = createHash('sha256').update(key).digest().readUInt32BE(0);
        }
        return seen;
      }),
    };
  },
};

const hmac: MicroCase = {
  name: 'hmac-sha256',
  prepare: () => {
    const { hmacLoop } = microModule();
    const keys = Buffer.from('0123456789abcdeffedcba9876543210', 'hex');
    const message = Buffer.alloc(8);
    joinHmac(KEY_HI, KEY_LO, 0xfedcba98, 0x76543210, 0, 0);
    const first = createHmac('sha256', keys).update(message).digest().readUInt32BE(0);
    agree('hmac-sha256', hmacLoop(1) >>> 0, Buffer.from(Uint32Array.of(first).buffer).readUInt32BE(0));
    agree('hmac-sha256', (digest[0] as number) >>> 0, first);
    return {
      ours: loop(100, hmacLoop),
      typescript: loop(100, (times) => {
        let seen = 0;
        for (let i = 0; i < times; i++) {
          joinHmac(KEY_HI, KEY_LO, 0xfedcba98, 0x76543210, seen, i);
          seen = digest[0] as number;
        }
        return seen;
      }),
      'node:crypto': loop(50, (times) => {
        let seen = 0;
        for (let i = 0; i < times; i++) {
          message.writeUInt32BE(seen, 0);
          message.writeUInt32BE(i, 4);
          seen = createHmac('sha256', keys).update(message).digest().readUInt32BE(0);
        }
        return seen;
      }),
    };
  },
};

const SEGMENT = 1448;

function mappingCase(count: number): MicroCase {
  return {
    name: `mapping-${count}`,
    prepare: () => {
      const { mappingSetUp, mappingLoop } = microModule();
      if (mappingSetUp(count) !== 0) throw new Error(`micro/mapping-${count}: no room for the mappings`);
      let head: PeerMap | undefined;
      for (let i = count - 1; i >= 0; i--) {
        const map = new PeerMap(1 + i * SEGMENT, i * SEGMENT, SEGMENT);
        map.next = head;
        head = map;
      }
      const times = Math.max(1, Math.floor(2000 / count)) * count;
      return {
        ours: loop(times, (operations) => mappingLoop(count, operations)),
        typescript: loop(times, (operations) => {
          let seen = 0;
          let index = 0;
          for (let i = 0; i < operations; i++) {
            const seq = 1 + index * SEGMENT + 7;
            const map = mapFor(head, seq);
            if (map !== undefined) seen += map.dsn + (seq - map.seq);
            if (++index === count) index = 0;
          }
          return seen;
        }),
      };
    },
  };
}

const reassembly: readonly MicroCase[] = ORDERS.flatMap((order) =>
  [2, 4, 8].flatMap((subflows) =>
    [10, 1000, 100_000].map((count) => ({
      name: `reassembly-${order}-${subflows}sf-${count}`,
      prepare: () => {
        const { memory, areaAddress, reassemblyLoop } = microModule();
        const places = arrivals(count, subflows, order);
        new Uint32Array(memory.buffer, areaAddress() >>> 0, count).set(places);
        const inserting = (peer: PeerRanges | SortedRanges, times: number): number => {
          let seen = 0;
          for (let i = 0; i < times; i++) {
            for (let k = 0; k < count; k++) {
              const start = (places[k] as number) * (2 * SEGMENT) + SEGMENT;
              peer.add(start, start + SEGMENT);
            }
            seen = peer.count;
            peer.clear();
          }
          return seen;
        };
        const skipList = new PeerRanges();
        const array = new SortedRanges();
        const name = `reassembly-${order}-${subflows}sf-${count}`;
        agree(name, reassemblyLoop(count, 1), inserting(skipList, 1));
        const times = Math.max(1, Math.floor(1000 / count));
        const operations = times * count;
        return {
          ours: { operations, run: () => void reassemblyLoop(count, times) },
          typescript: { operations, run: () => void inserting(skipList, times) },
          // Moving 100,000 entries for each insertion would take seconds.
          ...(count <= 1000 ? { 'sorted array': { operations, run: () => void inserting(array, times) } } : {}),
        };
      },
    })),
  ),
);

function peerSubflows(count: number): PeerSubflow[] {
  // The core's list begins with the subflow that was added last.
  return Array.from({ length: count }, (_, index) => {
    const subflow = new PeerSubflow();
    subflow.id = count - index;
    subflow.srtt = 10_000 + subflow.id * 1000;
    return subflow;
  });
}

function schedulerCase(count: number): MicroCase {
  return {
    name: `scheduler-${count}sf`,
    prepare: () => {
      const { subflowsSetUp, scheduleLoop } = microModule();
      if (subflowsSetUp(count) !== 0) throw new Error('micro/scheduler: no room for the subflows');
      const subflows = peerSubflows(count);
      const [first] = subflows;
      const theirs = (times: number): number => {
        let seen = 0;
        for (let i = 0; i < times; i++) {
          if (first !== undefined) first.srtt = 10_000 + ((i * 7919) & 0xffff);
          seen += schedule(subflows)?.id ?? 0;
        }
        return seen;
      };
      agree(`scheduler-${count}sf`, scheduleLoop(1000), theirs(1000));
      return { ours: loop(2000, scheduleLoop), typescript: loop(2000, theirs) };
    },
  };
}

function liaCase(count: number): MicroCase {
  return {
    name: `lia-${count}sf`,
    prepare: () => {
      const { subflowsSetUp, liaLoop } = microModule();
      if (subflowsSetUp(count) !== 0) throw new Error('micro/lia: no room for the subflows');
      const subflows = peerSubflows(count);
      const first = subflows[0] as PeerSubflow;
      const theirs = (times: number): number => {
        let seen = 0;
        for (let i = 0; i < times; i++) {
          first.cwnd = 100_000 + (i & 0xffff);
          liaAvoid(subflows, first, SEGMENT);
          seen = (seen + first.cwnd) >>> 0;
        }
        return seen;
      };
      agree(`lia-${count}sf`, liaLoop(1000) >>> 0, theirs(1000));
      return { ours: loop(2000, liaLoop), typescript: loop(2000, theirs) };
    },
  };
}

function flowCase(count: number): MicroCase {
  return {
    name: `flow-lookup-${count}`,
    prepare: () => {
      const { memory, areaAddress, flowsSetUp, flowLoop } = microModule();
      if (flowsSetUp(count) !== 0) throw new Error(`micro/flow-lookup-${count}: no room for the flows`);
      const order = Array.from({ length: 65_536 }, (_, index) => index % count);
      shuffle(order, 1);
      if (count > order.length) for (const index of order.keys()) order[index] = (index * 7919) % count;
      new Uint32Array(memory.buffer, areaAddress() >>> 0, order.length).set(order);
      const table = new PeerFlows(131_072);
      const keys = new Map<string, PeerFlow>();
      const local = 0x0a000001;
      for (let i = 0; i < count; i++) {
        const flow = new PeerFlow(local, 443, 0x0b000000 + (i >> 8), 1024 + (i & 255));
        table.add(flow);
        keys.set(`${flow.remote}:${flow.remotePort}`, flow);
      }
      const theirs = (times: number): number => {
        let found = 0;
        for (let i = 0; i < times; i++) {
          const index = order[i & 0xffff] as number;
          if (table.find(local, 443, 0x0b000000 + (index >> 8), 1024 + (index & 255)) !== undefined) found++;
        }
        return found;
      };
      agree(`flow-lookup-${count}`, flowLoop(65_536), theirs(65_536));
      return {
        ours: loop(65_536, flowLoop),
        typescript: loop(65_536, theirs),
        Map: loop(16_384, (times) => {
          let found = 0;
          for (let i = 0; i < times; i++) {
            const index = order[i & 0xffff] as number;
            if (keys.has(`${0x0b000000 + (index >> 8)}:${1024 + (index & 255)}`)) found++;
          }
          return found;
        }),
      };
    },
  };
}

export const MICRO_CASES: readonly MicroCase[] = [
  ...['syn', 'data', 'add-addr'].map(parseCase),
  dss,
  ...[20, 1460, 65_535].map(checksumCase),
  ...[20, 1460, 65_535].map(copyCase),
  ...[1, 32, 1000].map(mappingCase),
  ...reassembly,
  ...[2, 4, 8].map(schedulerCase),
  ...[2, 4, 8].map(liaCase),
  hmac,
  token,
  ...[10, 100, 1000, 10_000, 100_000].map(flowCase),
];
