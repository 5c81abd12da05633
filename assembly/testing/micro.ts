/*
 * Bench-only entry: inner functions of the core, each in a loop, so that one call from outside measures many. No part of
 * the shipped module. Every loop returns something of what it computed, so that none of it can be left out.
 */
import { CONGESTION_LIA, LINK_CHECKSUM, LINK_VNET_HEADER, TCP_ESTABLISHED } from '../abi';
import { liaAvoid } from '../congestion/lia';
import { poolFree, poolTake } from '../memory/pool';
import { RangeSet, rangeAdd, rangeClear } from '../memory/ranges';
import { schedule } from '../scheduler/schedule';
import { mapFor, mappingReceived } from '../session/mapping';
import { linkAdd } from '../stack/links';
import { create } from '../stack/stack';
import { Connection, connectionPool } from '../state/connection';
import { ReceiveMap, receiveMapPool } from '../state/datamap';
import { Subflow, subflowPool } from '../state/subflow';
import { flowFind, flowInsert, flowRemove } from '../tcp/flows';
import { checksumFold, sumBytes } from '../wire/checksum';
import { joinHmac, keyToken } from '../wire/keys';
import { MPTCP_V1, writeDss } from '../wire/mptcp';
import { options, parseOptions } from '../wire/options';

/** Room for what a bench writes and reads, bytes. */
const AREA_BYTES: u32 = 4 << 20;
const area: usize = memory.data(4 << 20, 16);
const ranges: RangeSet = changetype<RangeSet>(memory.data(64, 8));
const SEGMENT: u32 = 1448;

let connection: usize = 0;
let link: i32 = 0;

/** Makes the pools and tables for a budget of `bytes`. Returns 0 or an error. */
export function open(bytes: i32): i32 {
  const result = create(bytes, 1, 2, 3, 4);
  if (result < 0) return result;
  link = linkAdd(1500, LINK_VNET_HEADER | LINK_CHECKSUM);
  connection = poolTake(connectionPool);
  return link < 0 || connection == 0 ? -1 : 0;
}

export function areaAddress(): usize {
  return area;
}

/**
 * Copies pieces of `length` bytes, `times` of them, from one half of a buffer of `window` bytes to the other. Returns
 * the bytes copied.
 */
export function copyLoop(length: u32, window: u32, times: u32): f64 {
  const half = min<u32>(max<u32>(window, length), AREA_BYTES >> 1);
  let at: u32 = 0;
  for (let i: u32 = 0; i < times; i++) {
    memory.copy(area + (AREA_BYTES >> 1) + at, area + at, length);
    at += length;
    if (at + length > half) at = 0;
  }
  return <f64>length * <f64>times;
}

export function parseLoop(length: u32, times: u32): u32 {
  let seen: u32 = 0;
  for (let i: u32 = 0; i < times; i++) {
    // The bytes change, so that no reading is like the one before.
    store<u8>(area + length - 1, <u8>i);
    parseOptions(area, length);
    seen += options.present + options.mptcp + options.tsEcr + <u32>options.dssDsn + <u32>options.addHmac;
  }
  return seen;
}

export function dssLoop(times: u32): u32 {
  let written: u32 = 0;
  for (let i: u32 = 0; i < times; i++) {
    written += writeDss(area + ((i & 15) << 5), 15, (<u64>i) << 8, (<u64>i) << 9, i, SEGMENT, 0, false);
  }
  return written + load<u32>(area + 8);
}

export function checksumLoop(length: u32, times: u32): u32 {
  let seen: u32 = 0;
  for (let i: u32 = 0; i < times; i++) seen += checksumFold(sumBytes(area, length, seen));
  return seen;
}

export function tokenLoop(times: u32): u32 {
  let seen: u32 = 0;
  for (let i: u32 = 0; i < times; i++) seen += keyToken(MPTCP_V1, ((<u64>seen) << 32) | i);
  return seen;
}

export function hmacLoop(times: u32): u32 {
  let seen: u32 = 0;
  for (let i: u32 = 0; i < times; i++) {
    joinHmac(MPTCP_V1, ((<u64>0x01234567) << 32) | 0x89abcdef, ((<u64>0xfedcba98) << 32) | 0x76543210, seen, i, area);
    seen = load<u32>(area);
  }
  return seen;
}

/** Announces `count` mappings of one segment each on one subflow. Returns 0 or -1. */
export function mappingSetUp(count: u32): i32 {
  clearSubflows();
  const subflow = addSubflow();
  if (subflow == 0) return -1;
  for (let i: u32 = 0; i < count; i++) {
    if (!mappingReceived(changetype<Subflow>(subflow), <u64>i * SEGMENT, 1 + i * SEGMENT, SEGMENT, 0, false, false))
      return -1;
  }
  return 0;
}

/** Looks sequence numbers up that follow each other over all `count` mappings, as segments do that fill a hole. */
export function mappingLoop(count: u32, times: u32): f64 {
  const subflow = changetype<Subflow>(changetype<Connection>(connection).subflows);
  let seen: u64 = 0;
  let index: u32 = 0;
  for (let i: u32 = 0; i < times; i++) {
    const seq = 1 + index * SEGMENT + 7;
    const found = mapFor(subflow, seq);
    if (found == 0) return -1;
    const map = changetype<ReceiveMap>(found);
    seen += map.dsn + (seq - map.seq);
    if (++index == count) index = 0;
  }
  return <f64>seen;
}

/**
 * Inserts `count` ranges apart from each other; their places, 0 to count - 1, stand in the area as 32-bit numbers in
 * the order of arrival. Returns how many ranges there were then, before they were freed.
 */
export function reassemblyLoop(count: u32, times: u32): u32 {
  let seen: u32 = 0;
  for (let i: u32 = 0; i < times; i++) {
    for (let k: u32 = 0; k < count; k++) {
      const start = <u64>load<u32>(area + ((<usize>k) << 2)) * (2 * SEGMENT) + SEGMENT;
      if (!rangeAdd(ranges, start, start + SEGMENT)) return 0;
    }
    seen = ranges.count;
    rangeClear(ranges);
  }
  return seen;
}

/** Gives the connection `count` established subflows with windows and round-trip times of their own. */
export function subflowsSetUp(count: u32): i32 {
  clearSubflows();
  for (let i: u32 = 0; i < count; i++) if (addSubflow() == 0) return -1;
  return 0;
}

export function scheduleLoop(times: u32): u32 {
  const at = changetype<Connection>(connection);
  const first = changetype<Subflow>(at.subflows);
  let seen: u32 = 0;
  for (let i: u32 = 0; i < times; i++) {
    // Round-trip times move, so that the choice does.
    first.srtt = 10_000 + ((i * 7919) & 0xffff);
    seen += changetype<Subflow>(schedule(at)).id;
  }
  return seen;
}

export function liaLoop(times: u32): u32 {
  const at = changetype<Connection>(connection);
  const first = changetype<Subflow>(at.subflows);
  let seen: u32 = 0;
  for (let i: u32 = 0; i < times; i++) {
    first.cwnd = 100_000 + (i & 0xffff);
    liaAvoid(at, first, SEGMENT);
    seen += first.cwnd;
  }
  return seen;
}

/** Enters `count` flows from different addresses and ports. Returns 0 or -1. */
export function flowsSetUp(count: u32): i32 {
  clearSubflows();
  for (let i: u32 = 0; i < count; i++) {
    const taken = addSubflow();
    if (taken == 0) return -1;
    const subflow = changetype<Subflow>(taken);
    subflow.localLo = 0xffff0a000001;
    subflow.localPort = 443;
    subflow.remoteLo = 0xffff0b000000 + <u64>(i >> 8);
    subflow.remotePort = <u16>(1024 + (i & 255));
    flowInsert(subflow);
  }
  return 0;
}

/** Finds flows in the order of the 32-bit numbers in the area, of which there are 65,536. */
export function flowLoop(times: u32): u32 {
  let found: u32 = 0;
  for (let i: u32 = 0; i < times; i++) {
    const index = load<u32>(area + ((<usize>(i & 0xffff)) << 2));
    const at = flowFind(0, 0xffff0a000001, 443, 0, 0xffff0b000000 + <u64>(index >> 8), 1024 + (index & 255));
    found += at != 0 ? 1 : 0;
  }
  return found;
}

function addSubflow(): usize {
  const taken = poolTake(subflowPool);
  if (taken == 0) return 0;
  const at = changetype<Connection>(connection);
  const subflow = changetype<Subflow>(taken);
  subflow.live = 1;
  subflow.owner = connection;
  subflow.id = ++at.subflowCount;
  subflow.link = link;
  subflow.state = <u8>TCP_ESTABLISHED;
  subflow.mss = SEGMENT;
  subflow.cwnd = 100 * SEGMENT;
  subflow.ssthresh = 50 * SEGMENT;
  subflow.srtt = 10_000 + subflow.id * 1000;
  subflow.congestion = <u8>CONGESTION_LIA;
  subflow.sndWindow = 1 << 20;
  subflow.sndUna = 1000;
  subflow.sndNxt = 1000;
  subflow.seqEnd = 1000;
  subflow.next = at.subflows;
  at.subflows = taken;
  return taken;
}

function clearSubflows(): void {
  const at = changetype<Connection>(connection);
  while (at.subflows != 0) {
    const subflow = changetype<Subflow>(at.subflows);
    at.subflows = subflow.next;
    if (subflow.localPort != 0) flowRemove(subflow);
    while (subflow.receiveMapHead != 0) {
      const map = subflow.receiveMapHead;
      subflow.receiveMapHead = changetype<ReceiveMap>(map).next;
      poolFree(receiveMapPool, map);
    }
    poolFree(subflowPool, changetype<usize>(subflow));
  }
  at.subflowCount = 0;
}
