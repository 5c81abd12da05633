import { CONFIG_MTU_EXPIRES, CONFIG_MTU_PROBING, COUNTER_MTU_PROBES, COUNTER_MTU_REDUCED } from '../abi';
import { now } from '../state/clock';
import { config } from '../state/config';
import { count } from '../state/counters';
import { SentSegment } from '../state/datamap';
import { isMapped, linkAt } from '../state/link';
import {
  LOSS_OPEN,
  MTU_PROBE_LOST,
  MTU_PROBE_MAPPED,
  MTU_PROBE_NONE,
  MTU_PROBE_SENT,
  mssSet,
  Subflow,
  unsentBytes,
} from '../state/subflow';
import { mtuLearn, mtuLearnt } from './mtu-cache';
import { readyAdd } from './ready';
import { markLost } from './sent';

/**
 * The largest packet a path takes: told by routers (RFC 1191, RFC 8201), found out by timeouts where they do not
 * (RFC 4821, RFC 8899), and tried again upward by probes, which are segments of data larger than the others.
 */

/** Least sizes that every path takes: RFC 8200 section 5, and for IPv4 RFC 1122 section 3.3.3. */
const LEAST_V4: u32 = 576;
const LEAST_V6: u32 = 1280;
/** What a path that swallows large packets most likely takes (RFC 4821 section 7.2), with the headers of IPv4. */
const BASE_V4: u32 = 1064;
/** RFC 1191 section 7: what to try when a router does not say how much passes. */
const PLATEAUS = 11;
const plateaus: usize = memory.data<u16>([65535, 32000, 17914, 8166, 4352, 2002, 1492, 1280, 1006, 576, 296]);
/** Timeouts in a row after which large segments are under suspicion, and after which the next size is tried. */
const TIMEOUTS: u32 = 2;
/** A search ends when this many bytes are left to gain. */
const PRECISION: u32 = 16;
/** Segments that must follow a probe, so that its loss is found without a timeout. */
const FOLLOWERS: u32 = 4;

/** A subflow begins, or learns what its segments carry: sets its mss. */
export function pathMss(subflow: Subflow): void {
  if (subflow.mtu == 0) {
    const most = linkAt(subflow.link).mtu;
    const learnt = mtuLearnt(subflow.link, subflow.remoteHi, subflow.remoteLo);
    const known = learnt != 0 && learnt < most;
    subflow.mtu = known ? learnt : most;
    subflow.mtuBound = subflow.mtu;
    if (known) searchLater(subflow);
  }
  mssSet(subflow, mssFor(subflow, subflow.mtu));
}

/** A router says that a packet in flight was larger than `mtu` bytes, 0 when it does not say how much it takes. */
export function pathMtuReported(subflow: Subflow, mtu: u32): void {
  const v4 = isMapped(subflow.localHi, subflow.localLo);
  if (mtu == 0 && v4) mtu = plateauBelow(subflow.mtu);
  // RFC 8201 section 4: no node on a path takes less; RFC 5927 section 7.2: nor does an honest one of IPv4.
  if (!v4 && mtu < LEAST_V6) return;
  if (mtu < LEAST_V4) mtu = LEAST_V4;
  if (mtu >= subflow.mtu) return;
  lower(subflow, mtu);
  subflow.mtuBound = mtu;
  mtuLearn(subflow.link, subflow.remoteHi, subflow.remoteLo, mtu);
  searchLater(subflow);
  // What does not pass is gone: it goes out again at once, in smaller pieces, and the congestion window stays.
  let at = subflow.openHead;
  while (at != 0) {
    const sent = changetype<SentSegment>(at);
    at = sent.openNext;
    if (sent.length > subflow.mss) markLost(subflow, sent);
  }
  readyAdd(subflow);
}

/** A timeout has come: after several, with a large segment at the front, the path may swallow large packets. */
export function pathMtuTimeout(subflow: Subflow): void {
  if (config(CONFIG_MTU_PROBING) == 0 || subflow.backoff % TIMEOUTS != 0) return;
  const v4 = isMapped(subflow.localHi, subflow.localLo);
  const next: u32 = v4 ? (subflow.mtu > BASE_V4 ? BASE_V4 : LEAST_V4) : LEAST_V6;
  if (subflow.mtu <= next || changetype<SentSegment>(subflow.openHead).length <= mssFor(subflow, next)) return;
  lower(subflow, next);
  // It may have been an outage: as soon as something gets through the old size is tried first.
  subflow.mtuProbeAt = now();
}

/**
 * Bytes of the map that is to be the next probe, 0 for none; `waiting` bytes of the connection have no subflow yet and
 * fit the peer's window. Call it only while mtuProbeAt is set.
 */
export function pathMtuWanted(subflow: Subflow, waiting: u64): u32 {
  if (subflow.mtuProbeAt > now() || subflow.recovery != LOSS_OPEN || subflow.backoff != 0) return 0;
  if (subflow.mtuProbe == MTU_PROBE_SENT) return 0;
  if (subflow.mtuProbe == MTU_PROBE_MAPPED) {
    if (unsentBytes(subflow) != 0) return 0;
    // The map went to another subflow.
    subflow.mtuProbe = MTU_PROBE_NONE;
  }
  const length = mssFor(subflow, nextSize(subflow));
  if (length <= subflow.mss) return 0;
  const flight = length + FOLLOWERS * subflow.mss;
  return waiting >= <u64>flight && subflow.cwnd >= flight && subflow.sndWindow >= flight ? length : 0;
}

/** A map of that length was given to the subflow: its one segment will be the probe. */
export function pathMtuMapped(subflow: Subflow): void {
  subflow.mtuProbe = MTU_PROBE_MAPPED;
  subflow.mtuProbeSize = nextSize(subflow);
  subflow.mtuProbeEnd = subflow.seqEnd;
}

/** True when the map that begins at sndNxt is the probe, and still may be one. */
export function pathMtuProbes(subflow: Subflow, length: u32): bool {
  if (subflow.mtuProbeEnd != subflow.sndNxt + length) return false;
  if (subflow.recovery == LOSS_OPEN && subflow.backoff == 0 && length > subflow.mss) return true;
  subflow.mtuProbe = MTU_PROBE_NONE;
  return false;
}

/** The probe is on its way. */
export function pathMtuProbeSent(subflow: Subflow): void {
  subflow.mtuProbe = MTU_PROBE_SENT;
  count(COUNTER_MTU_PROBES);
}

/** The probe was acknowledged. */
export function pathMtuProved(subflow: Subflow): void {
  subflow.mtuProbe = MTU_PROBE_NONE;
  subflow.mtu = subflow.mtuProbeSize;
  mssSet(subflow, mssFor(subflow, subflow.mtu));
  mtuLearn(subflow.link, subflow.remoteHi, subflow.remoteLo, subflow.mtu);
  // At the end, or at what the peer takes, there is nothing left to look for.
  if (subflow.mtu >= linkAt(subflow.link).mtu || mssFor(subflow, subflow.mtu + 1) == subflow.mss)
    subflow.mtuProbeAt = 0;
}

/** Bytes of the packet to try next; that of the path when there is nothing to gain for now. */
function nextSize(subflow: Subflow): u32 {
  const most = linkAt(subflow.link).mtu;
  if (subflow.mtuProbe == MTU_PROBE_LOST) {
    subflow.mtuProbe = MTU_PROBE_NONE;
    subflow.mtuBound = subflow.mtuProbeSize - 1;
  } else if (subflow.mtuBound <= subflow.mtu) {
    // RFC 1191 section 6.3: what was learnt is old, the path may be another.
    subflow.mtuBound = most;
    subflow.mtuProbeSize = 0;
  }
  if (subflow.mtuBound < subflow.mtu + PRECISION && subflow.mtuBound != most) {
    mtuLearn(subflow.link, subflow.remoteHi, subflow.remoteLo, subflow.mtu);
    subflow.mtuBound = subflow.mtu;
    searchLater(subflow);
    return subflow.mtu;
  }
  // The largest size first, as most paths have no narrow place; then the middle of what is left.
  if (subflow.mtuProbeSize == 0 || subflow.mtuProbeSize > subflow.mtuBound + 1) return subflow.mtuBound;
  return (subflow.mtu + subflow.mtuBound + 1) >> 1;
}

/** The payload of a packet of `mtu` bytes, as the peer takes it (RFC 9293 section 3.7.1). */
function mssFor(subflow: Subflow, mtu: u32): u32 {
  const headers: u32 = isMapped(subflow.localHi, subflow.localLo) ? 40 : 60;
  const room = min<u32>(mtu - headers, subflow.peerMss);
  return max<u32>(room > <u32>subflow.mssOptions ? room - subflow.mssOptions : 0, 48);
}

function lower(subflow: Subflow, mtu: u32): void {
  subflow.mtu = mtu;
  mssSet(subflow, mssFor(subflow, mtu));
  subflow.mtuProbe = MTU_PROBE_NONE;
  subflow.mtuProbeSize = 0;
  count(COUNTER_MTU_REDUCED);
}

/** RFC 1191 section 6.3: after a time a larger size is tried again. */
function searchLater(subflow: Subflow): void {
  subflow.mtuProbeAt = config(CONFIG_MTU_PROBING) != 0 ? now() + config(CONFIG_MTU_EXPIRES) : 0;
}

function plateauBelow(mtu: u32): u32 {
  for (let i = 0; i < PLATEAUS; i++) {
    const plateau = <u32>load<u16>(plateaus + ((<usize>i) << 1));
    if (plateau < mtu) return plateau;
  }
  return 0;
}
