import {
  BUDGET_MAX,
  BUDGET_MIN,
  ERR_INVALID,
  ERR_NO_MEMORY,
  ERR_STATE,
  ERR_TIME,
  EVENT_BATCH,
  PAGE_BYTES,
  SIZEOF_EVENT,
  SIZEOF_TX_DESCRIPTOR,
  TX_BATCH,
} from '../abi';
import { randomSeed } from '../crypto/random';
import { pagesOpen } from '../memory/pages';
import { poolDirectory, poolLimit } from '../memory/pool';
import { rangePool, rangesOpen } from '../memory/ranges';
import { regionOpen, regionTake } from '../memory/region';
import { Timer, wheelNext, wheelOpen, wheelPop } from '../memory/wheel';
import { blackholesOpen } from '../session/blackhole';
import { buffersOpen } from '../session/buffer';
import { expireConnection, expireSubflow } from '../session/expire';
import { joinsOpen } from '../session/joins';
import { sendersOpen } from '../session/send';
import { tokensOpen } from '../session/tokens';
import { versionsOpen } from '../session/versions';
import { clockSet, now } from '../state/clock';
import { configOpen } from '../state/config';
import { connectionPool, connectionsOpen, timerConnection } from '../state/connection';
import { mapPool, mapsOpen, receiveMapPool, segmentPool } from '../state/datamap';
import { eventsOpen, eventsTake, noticePool } from '../state/events';
import { linksOpen } from '../state/link';
import { listenerPool, listenersOpen } from '../state/listener';
import { monitorOpen, monitorPool } from '../state/monitor';
import { localAddressPool, lostPathPool, pathsOpen, remoteAddressPool } from '../state/path';
import { SUBFLOW_TIMER, subflowPool, subflowsOpen, timerSubflow } from '../state/subflow';
import { challengesOpen } from '../tcp/challenge';
import { cookiesOpen } from '../tcp/cookies';
import { fastOpenOpen } from '../tcp/fast-open';
import { fastclosedOpen } from '../tcp/fastclosed';
import { flowsOpen } from '../tcp/flows';
import { identityOpen } from '../tcp/identity';
import { mtuCacheOpen } from '../tcp/mtu-cache';
import { packetsOutOpen } from '../tcp/packet-out';
import { portsOpen } from '../tcp/ports';
import { ingestOpen } from './ingest';
import { repliesOpen, repliesSent } from './replies';
import { shardsOpen } from './shards';
import { socketsOpen } from './sockets';

/** The stack as a whole: made once, told the time, asked for events. */

/** The latest time, µs: no deadline behind it overflows. */
const TIME_MAX: i64 = 1 << 61;

let created = false;
let txRing: usize = 0;
let eventRing: usize = 0;

/** See mptcp_create. */
export function create(budget: i32, seed0: i64, seed1: i64, seed2: i64, seed3: i64): i32 {
  if (created) return ERR_STATE;
  if (budget < BUDGET_MIN || budget > BUDGET_MAX) return ERR_INVALID;
  if (!regionOpen(<usize>budget)) return ERR_NO_MEMORY;
  created = true;
  const bytes = <usize>budget;
  randomSeed(<u64>seed0, <u64>seed1, <u64>seed2, <u64>seed3);
  configOpen(budget);
  wheelOpen();
  rangesOpen();
  connectionsOpen();
  subflowsOpen();
  pathsOpen();
  listenersOpen();
  mapsOpen();
  eventsOpen();
  linksOpen();
  buffersOpen();
  sendersOpen();
  repliesOpen();
  shardsOpen();
  ingestOpen();
  socketsOpen();
  monitorOpen();
  txRing = regionTake(<usize>TX_BATCH * SIZEOF_TX_DESCRIPTOR);
  eventRing = regionTake(<usize>EVENT_BATCH * SIZEOF_EVENT);
  packetsOutOpen(txRing);
  flowsOpen(bytes);
  identityOpen();
  challengesOpen();
  cookiesOpen();
  mtuCacheOpen();
  blackholesOpen();
  fastclosedOpen();
  joinsOpen();
  fastOpenOpen();
  versionsOpen();
  portsOpen();
  tokensOpen(bytes);
  const directory = <u32>(bytes / <usize>PAGE_BYTES);
  poolDirectory(connectionPool, directory);
  poolDirectory(subflowPool, directory);
  poolDirectory(listenerPool, directory);
  // Pages of a pool never come back. Of what peers, or many small writes, can make each has its share.
  const share = max<u32>(pagesOpen() >> 3, 4);
  poolLimit(rangePool, share);
  poolLimit(receiveMapPool, share);
  poolLimit(mapPool, share);
  poolLimit(segmentPool, share);
  poolLimit(noticePool, share >> 2);
  poolLimit(localAddressPool, share >> 2);
  poolLimit(remoteAddressPool, share >> 2);
  poolLimit(lostPathPool, share >> 2);
  poolLimit(monitorPool, share >> 2);
  return 0;
}

export function isCreated(): bool {
  return created;
}

/** See mptcp_time. */
export function advance(time: i64): i32 {
  if (time < now() || time > TIME_MAX) return ERR_TIME;
  repliesSent();
  clockSet(time);
  for (let timer = wheelPop(time); timer != 0; timer = wheelPop(time)) {
    if (changetype<Timer>(timer).kind == SUBFLOW_TIMER) expireSubflow(timerSubflow(timer));
    else expireConnection(timerConnection(timer));
  }
  return 0;
}

export function deadline(): i64 {
  return wheelNext();
}

export function takeEvents(max: i32): i32 {
  if (max < 0) return ERR_INVALID;
  return eventsTake(eventRing, min<i32>(max, EVENT_BATCH));
}

export function txRingAddress(): i32 {
  return <i32>txRing;
}

export function eventRingAddress(): i32 {
  return <i32>eventRing;
}
