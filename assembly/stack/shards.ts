import { COUNTER_SHARD_AWAY } from '../abi';
import { NO_HANDLES, Pool, poolFree, poolOpen, poolTake } from '../memory/pool';
import { count } from '../state/counters';
import { isSharded, ownShard, shardOf } from '../state/shard';
import { PORT_COUNT, PORT_FIRST } from '../tcp/ports';
import { SUBTYPE_JOIN } from '../wire/mptcp';
import { options } from '../wire/options';
import { packet } from '../wire/packet';
import { segment, TCP_FLAG_ACK, TCP_FLAG_RST, TCP_FLAG_SYN } from '../wire/segment';

/**
 * Which shard a segment belongs to when no subflow here has it. A queue of a link brings a flow to one shard, which takes
 * its SYN and keeps it. Two kinds of flow belong elsewhere: one that another shard opened (its local port tells), and one
 * joined to a connection of another shard (the token in its SYN tells; the rest of the flow is remembered here).
 */
@unmanaged
class AwayFlow {
  next: usize;
  shard: u32;
  localHi: u64;
  localLo: u64;
  remoteHi: u64;
  remoteLo: u64;
  ports: u32;
  /** Neighbours in the order of last use. */
  older: usize;
  newer: usize;
}

export const awayPool: Pool = changetype<Pool>(memory.data(64, 8));
const BUCKETS: u32 = 1024;
/** Flows remembered; the one unused for longest goes first. */
const AWAY_MAX: u32 = 16384;
const buckets: usize = memory.data(1024 * 4, 8);
let oldest: usize = 0;
let newest: usize = 0;

export function shardsOpen(): void {
  poolOpen(awayPool, 64, NO_HANDLES);
  memory.fill(buckets, 0, <usize>BUCKETS * 4);
  oldest = 0;
  newest = 0;
}

/** 1 + the shard that must have the segment in `packet`, `segment` and `options`, or 0 when it is for this one. */
export function shardElsewhere(): i32 {
  if (!isSharded()) return 0;
  const syn = (segment.flags & (TCP_FLAG_SYN | TCP_FLAG_ACK | TCP_FLAG_RST)) == TCP_FLAG_SYN;
  if (syn && (options.mptcp & (1 << SUBTYPE_JOIN)) != 0 && options.joinLength == 12) {
    const owner = shardOf(options.joinToken);
    if (owner == ownShard()) return 0;
    remember(owner);
    return away(owner);
  }
  const found = find();
  if (found != 0) {
    const flow = changetype<AwayFlow>(found);
    if (syn) {
      // The same ports again for something new.
      forget(flow);
      return 0;
    }
    touch(flow);
    return away(flow.shard);
  }
  if (syn || segment.dstPort < PORT_FIRST || segment.dstPort >= PORT_FIRST + PORT_COUNT) return 0;
  const owner = shardOf(segment.dstPort);
  return owner == ownShard() ? 0 : away(owner);
}

function away(shard: u32): i32 {
  count(COUNTER_SHARD_AWAY);
  return 1 + <i32>shard;
}

function ports(): u32 {
  return (segment.dstPort << 16) | segment.srcPort;
}

function bucket(portPair: u32, remoteLo: u64): usize {
  const mixed = (portPair * 0x9e3779b1) ^ (<u32>remoteLo * 0x85ebca6b);
  return buckets + ((<usize>((mixed >>> 12) & (BUCKETS - 1))) << 2);
}

function find(): usize {
  const portPair = ports();
  for (let at = <usize>load<u32>(bucket(portPair, packet.srcLo)); at != 0; at = changetype<AwayFlow>(at).next) {
    const flow = changetype<AwayFlow>(at);
    if (
      flow.ports == portPair &&
      flow.remoteLo == packet.srcLo &&
      flow.localLo == packet.dstLo &&
      flow.remoteHi == packet.srcHi &&
      flow.localHi == packet.dstHi
    )
      return at;
  }
  return 0;
}

function remember(shard: u32): void {
  const known = find();
  if (known != 0) {
    changetype<AwayFlow>(known).shard = shard;
    touch(changetype<AwayFlow>(known));
    return;
  }
  if (awayPool.live >= AWAY_MAX) forget(changetype<AwayFlow>(oldest));
  const taken = poolTake(awayPool);
  // Without memory the flow is lost and its connection goes on with the subflows it has.
  if (taken == 0) return;
  const flow = changetype<AwayFlow>(taken);
  flow.shard = shard;
  flow.localHi = packet.dstHi;
  flow.localLo = packet.dstLo;
  flow.remoteHi = packet.srcHi;
  flow.remoteLo = packet.srcLo;
  flow.ports = ports();
  const head = bucket(flow.ports, flow.remoteLo);
  flow.next = <usize>load<u32>(head);
  store<u32>(head, <u32>taken);
  append(flow);
}

function forget(flow: AwayFlow): void {
  unlink(flow);
  const head = bucket(flow.ports, flow.remoteLo);
  let at = <usize>load<u32>(head);
  if (at == changetype<usize>(flow)) {
    store<u32>(head, <u32>flow.next);
  } else {
    while (changetype<AwayFlow>(at).next != changetype<usize>(flow)) at = changetype<AwayFlow>(at).next;
    changetype<AwayFlow>(at).next = flow.next;
  }
  poolFree(awayPool, changetype<usize>(flow));
}

function touch(flow: AwayFlow): void {
  if (newest == changetype<usize>(flow)) return;
  unlink(flow);
  append(flow);
}

function append(flow: AwayFlow): void {
  flow.newer = 0;
  flow.older = newest;
  if (newest != 0) changetype<AwayFlow>(newest).newer = changetype<usize>(flow);
  else oldest = changetype<usize>(flow);
  newest = changetype<usize>(flow);
}

function unlink(flow: AwayFlow): void {
  if (flow.older != 0) changetype<AwayFlow>(flow.older).newer = flow.newer;
  else oldest = flow.newer;
  if (flow.newer != 0) changetype<AwayFlow>(flow.newer).older = flow.older;
  else newest = flow.older;
}
