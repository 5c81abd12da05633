import {
  CONFIG_INITIAL_WINDOW,
  CONFIG_RECEIVE_BUFFER,
  CONFIG_RECEIVE_BUFFER_MAX,
  CONFIG_SACK,
  CONFIG_SYN_RETRIES,
  CONFIG_TIMESTAMPS,
  CONFIG_WINDOW_SCALE,
  TCP_SYN_RECEIVED,
  TCP_SYN_SENT,
} from '../abi';
import { poolTake } from '../memory/pool';
import { now, nowMs } from '../state/clock';
import { config } from '../state/config';
import { isMapped, linkAt } from '../state/link';
import { ownerOf, RST_PLAIN, SUBFLOW_TIMER, Subflow, subflowPool, subflowTimer } from '../state/subflow';
import { OPTION_MSS, OPTION_SACK_PERMITTED, OPTION_TIMESTAMPS, OPTION_WINDOW_SCALE, options } from '../wire/options';
import { segment, TCP_FLAG_SYN } from '../wire/segment';
import { ecnTakeSyn } from './ecn';
import { flowInsert } from './flows';
import { identityGive, issSet } from './identity';
import { pathMss } from './path-mtu';
import { readyAdd } from './ready';
import { rttOpen } from './rtt';
import { timersArm } from './timers';

/** Opening a subflow: what SYN and SYN/ACK settle (RFC 9293 section 3.5, RFC 7323, RFC 2018). */

/** CONFIG_WINDOW_SCALE that leaves it to windowShift(), and the least that chooses: finer steps are of no use. */
const SHIFT_AUTOMATIC: u32 = 15;
const SHIFT_LEAST: u32 = 8;

/** µs between two SYNs, at most; and while the connection has no other subflow. */
const SYN_WAIT_MAX: i64 = 60000000;
const SYN_WAIT_REJOIN: i64 = 2000000;

/** A new subflow object with its addresses, entered in the flow table; 0 when there is no memory. */
export function subflowCreate(
  link: i32,
  localHi: u64,
  localLo: u64,
  localPort: u32,
  remoteHi: u64,
  remoteLo: u64,
  remotePort: u32,
): usize {
  const taken = poolTake(subflowPool);
  if (taken == 0) return 0;
  const subflow = changetype<Subflow>(taken);
  subflow.live = 1;
  subflow.link = link;
  subflow.localHi = localHi;
  subflow.localLo = localLo;
  subflow.localPort = <u16>localPort;
  subflow.remoteHi = remoteHi;
  subflow.remoteLo = remoteLo;
  subflow.remotePort = <u16>remotePort;
  subflow.rstReason = RST_PLAIN;
  identityGive(subflow);
  subflow.peerMss = 65535;
  pathMss(subflow);
  subflow.timestamps = <u8>config(CONFIG_TIMESTAMPS);
  subflow.sack = <u8>config(CONFIG_SACK);
  subflow.rcvShift = <u8>windowShift();
  subflow.quickAcks = 16;
  subflow.cwndClamp = 0xffffffff;
  subflow.lastReceivedAt = now();
  subflowTimer(subflow).kind = SUBFLOW_TIMER;
  rttOpen(subflow);
  flowInsert(subflow);
  return taken;
}

/** The window scale to offer (RFC 7323 section 2.3): the largest receive buffer there will be has to fit the field. */
export function windowShift(): u32 {
  const chosen = <u32>config(CONFIG_WINDOW_SCALE);
  if (chosen != SHIFT_AUTOMATIC) return chosen;
  const most = max<i64>(config(CONFIG_RECEIVE_BUFFER_MAX), config(CONFIG_RECEIVE_BUFFER));
  let shift = SHIFT_LEAST;
  while (shift < 14 && most >> shift > 65535) shift++;
  return shift;
}

/** Enters SYN-SENT: the SYN goes out with the next transmit. */
export function openActive(subflow: Subflow): void {
  subflow.state = <u8>TCP_SYN_SENT;
  subflow.synDue = 1;
  readyAdd(subflow);
}

/** Takes the peer's SYN, which `segment` and `options` hold, and enters SYN-RECEIVED. */
export function openPassive(subflow: Subflow): void {
  subflow.irs = segment.seq;
  subflow.rcvNxt = segment.seq + 1;
  subflow.state = <u8>TCP_SYN_RECEIVED;
  subflow.synDue = 1;
  ecnTakeSyn(subflow, false);
  takeSynOptions(subflow);
  subflow.sndWindow = segment.window;
  subflow.sndWl1 = segment.seq;
  subflow.sndWl2 = segment.ack;
  readyAdd(subflow);
}

/**
 * Enters SYN-RECEIVED as if the SYN/ACK with the number `iss` had been sent: `segment` is the third ACK, and `options` has
 * what the SYN offered.
 */
export function openByCookie(subflow: Subflow, iss: u32): void {
  const flags = segment.flags;
  segment.flags = TCP_FLAG_SYN;
  segment.seq--;
  issSet(subflow, iss);
  openPassive(subflow);
  segment.seq++;
  segment.flags = flags;
  subflow.sndNxt = iss + 1;
  subflow.synDue = 0;
  // More than one: nobody knows when it was sent, so its round trip is not measured.
  subflow.synTries = 2;
}

/** Settles what both SYNs agree on: each side uses an option only when the other sent it too. */
export function takeSynOptions(subflow: Subflow): void {
  // RFC 9293 section 3.7.1: without the option the peer takes 536 bytes (IPv4) or 1,220 (IPv6).
  const v4 = isMapped(subflow.remoteHi, subflow.remoteLo);
  subflow.peerMss = v4 ? 536 : 1220;
  if ((options.present & OPTION_MSS) != 0) subflow.peerMss = <u16>max<u32>(options.mss, 64);
  // RFC 6691: the option does not count options, segments do.
  if ((options.present & OPTION_TIMESTAMPS) == 0) subflow.timestamps = 0;
  subflow.mssOptions = subflow.timestamps != 0 ? 12 : 0;
  pathMss(subflow);
  // RFC 7323 section 4.3: what this side acknowledges first is the SYN.
  subflow.lastAckSent = subflow.rcvNxt;
  if (subflow.timestamps != 0) {
    subflow.tsRecent = options.tsVal;
    subflow.tsRecentAt = nowMs();
  }
  if ((options.present & OPTION_SACK_PERMITTED) == 0) subflow.sack = 0;
  if ((options.present & OPTION_WINDOW_SCALE) != 0) {
    subflow.scaled = 1;
    subflow.sndShift = <u8>options.windowScale;
  } else {
    subflow.scaled = 0;
    subflow.sndShift = 0;
    subflow.rcvShift = 0;
  }
}

/** Data segments of a Multipath TCP subflow also carry a DSS option of up to 28 bytes. */
export function reserveDss(subflow: Subflow): void {
  subflow.mssOptions += 28;
  pathMss(subflow);
  subflow.cwnd = <u32>config(CONFIG_INITIAL_WINDOW) * subflow.mss;
}

/** The largest segment the link of a subflow takes, without any options (RFC 9293 section 3.7.1). */
export function ownMss(subflow: Subflow): u32 {
  const headers: u32 = isMapped(subflow.localHi, subflow.localLo) ? 40 : 60;
  return linkAt(subflow.link).mtu - headers;
}

/** Sets the deadline for the next SYN or SYN/ACK: doubled each time (RFC 6298 section 5.5). */
export function synSent(subflow: Subflow): void {
  const shift = min<u32>(subflow.synTries, 16);
  // A connection without any subflow asks for one more often: its path may come back unannounced.
  const most = subflow.owner != 0 && ownerOf(subflow).rejoinAt != 0 ? SYN_WAIT_REJOIN : SYN_WAIT_MAX;
  subflow.rtoAt = now() + min<i64>((<i64>subflow.rto) << shift, most);
  if (subflow.owner != 0 && ownerOf(subflow).userTimeout != 0) {
    const deadline = subflow.lastReceivedAt + ownerOf(subflow).userTimeout;
    subflow.rtoAt = min<i64>(subflow.rtoAt, max<i64>(deadline, now()));
  }
  timersArm(subflow);
}

/** True when no further SYN is to be sent. */
export function synExhausted(subflow: Subflow): bool {
  return <i64>subflow.synTries > config(CONFIG_SYN_RETRIES);
}
