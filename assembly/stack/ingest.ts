import {
  CONFIG_SYN_COOKIES,
  COUNTER_BYTES_IN,
  COUNTER_DROP_BACKLOG,
  COUNTER_DROP_IP_ADDRESS,
  COUNTER_DROP_IP_HEADER,
  COUNTER_DROP_NO_FLOW,
  COUNTER_DROP_NO_MEMORY,
  COUNTER_DROP_TCP_OPTIONS,
  COUNTER_MPTCP_MPCapableEndpAttempt,
  COUNTER_PACKETS_IN,
  ERR_DROPPED,
  ERR_INVALID,
  ERR_MALFORMED,
  ERR_NO_MEMORY,
  LINK_VNET_HEADER,
  RX_SLOT_BYTES,
  RX_SLOTS,
  TCP_SYN_RECEIVED,
  TCP_SYN_SENT,
  TCP_TIME_WAIT,
  VNET_HEADER_BYTES,
} from '../abi';
import { regionTake } from '../memory/region';
import { seqLt } from '../memory/sequence';
import { sessionInput } from '../session/input';
import { joinRefusal, passiveJoin, passiveOpen } from '../session/open';
import { config } from '../state/config';
import { count, countBy } from '../state/counters';
import { endpointListens } from '../state/endpoint';
import { Link, linkFind, linkOfAddress } from '../state/link';
import { Listener, listenerFor } from '../state/listener';
import { Subflow } from '../state/subflow';
import { subflowDestroy } from '../tcp/close';
import { flowFind } from '../tcp/flows';
import { identitySucceed } from '../tcp/identity';
import { acknowledgesSyn } from '../tcp/input';
import { SUBTYPE_CAPABLE, SUBTYPE_JOIN } from '../wire/mptcp';
import { OPTION_TIMESTAMPS, options, parseOptions } from '../wire/options';
import { PROTOCOL_TCP, packet, parsePacket } from '../wire/packet';
import { parseSegment, segment, TCP_FLAG_ACK, TCP_FLAG_RST, TCP_FLAG_SYN } from '../wire/segment';
import { ingestCookie, replyCookie } from './cookies';
import { ingestIcmp } from './icmp';
import { replyReset } from './replies';
import { shardElsewhere } from './shards';

/** A packet's way in: from a receive slot to the subflow it belongs to, or to an answer, or to a counter. */

/** virtio-net: the checksum is not filled in, or was verified by the link. */
const VNET_NEEDS_CSUM: u32 = 1;
const VNET_DATA_VALID: u32 = 2;

/** MP_TCPRST reason 3: administratively prohibited (RFC 8684 section 3.6). */
const REASON_ADMINISTRATIVE: u32 = 3;

let slots: usize = 0;

/** Takes room for the receive slots. Call it before pagesOpen(). */
export function ingestOpen(): void {
  slots = regionTake(<usize>RX_SLOTS * <usize>RX_SLOT_BYTES);
}

export function receiveSlot(slot: i32): i32 {
  if (<u32>slot >= <u32>RX_SLOTS) return ERR_INVALID;
  return <i32>(slots + <usize>slot * <usize>RX_SLOT_BYTES);
}

/** See mptcp_ingest. */
export function ingest(linkIndex: i32, slot: i32, length: i32): i32 {
  const link = linkFind(linkIndex);
  if (link === null || <u32>slot >= <u32>RX_SLOTS || <u32>length > <u32>RX_SLOT_BYTES) return ERR_INVALID;
  let address = slots + <usize>slot * <usize>RX_SLOT_BYTES;
  let bytes = <u32>length;
  let checksumKnown = false;
  let segmentSize: u32 = 0;
  count(COUNTER_PACKETS_IN);
  if ((link.flags & LINK_VNET_HEADER) != 0) {
    if (bytes < <u32>VNET_HEADER_BYTES) return dropped(ERR_MALFORMED, COUNTER_DROP_IP_HEADER);
    checksumKnown = (load<u8>(address) & (VNET_NEEDS_CSUM | VNET_DATA_VALID)) != 0;
    segmentSize = load<u16>(address, 4);
    address += <usize>VNET_HEADER_BYTES;
    bytes -= <u32>VNET_HEADER_BYTES;
  }
  countBy(COUNTER_BYTES_IN, bytes);
  const malformed = parsePacket(address, bytes);
  if (malformed != 0) return dropped(ERR_MALFORMED, malformed);
  // The strong host model would ask for an address of this very link; hosts with several paths need the weak one.
  if (linkOfAddress(packet.dstHi, packet.dstLo) < 0) return dropped(ERR_DROPPED, COUNTER_DROP_IP_ADDRESS);
  if (packet.protocol != PROTOCOL_TCP) return ingestIcmp(link);
  const bad = parseSegment(checksumKnown);
  if (bad != 0) return dropped(ERR_MALFORMED, bad);
  if (segmentSize != 0) segment.segmentSize = segmentSize;
  if (!parseOptions(segment.options, segment.optionsLength)) count(COUNTER_DROP_TCP_OPTIONS);
  return ingestTcp(link, linkIndex);
}

function ingestTcp(link: Link, linkIndex: i32): i32 {
  const found = flowFind(packet.dstHi, packet.dstLo, segment.dstPort, packet.srcHi, packet.srcLo, segment.srcPort);
  if (found != 0) {
    const subflow = changetype<Subflow>(found);
    if (acknowledgesOther(subflow)) {
      replyReset(link, 0);
      return dropped(ERR_DROPPED, COUNTER_DROP_NO_FLOW);
    }
    if (subflow.state != TCP_TIME_WAIT || !reopens(subflow)) {
      sessionInput(subflow);
      return 0;
    }
    const last = subflow.sndNxt;
    subflowDestroy(subflow);
    const owner = shardElsewhere();
    return owner != 0 ? owner : succeed(ingestSyn(link, linkIndex), last);
  }
  if ((segment.flags & (TCP_FLAG_SYN | TCP_FLAG_ACK | TCP_FLAG_RST)) == TCP_FLAG_ACK) {
    const taken = ingestCookie(linkIndex);
    if (taken <= 0) return taken;
  }
  const elsewhere = shardElsewhere();
  if (elsewhere != 0) return elsewhere;
  if ((segment.flags & (TCP_FLAG_SYN | TCP_FLAG_ACK | TCP_FLAG_RST)) == TCP_FLAG_SYN) return ingestSyn(link, linkIndex);
  replyReset(link, 0);
  return dropped(ERR_DROPPED, COUNTER_DROP_NO_FLOW);
}

/**
 * RFC 9293 sections 3.10.7.3 and 3.10.7.4: while a SYN waits for its ACK, an ACK of something else is answered with RST,
 * and the handshake goes on.
 */
function acknowledgesOther(subflow: Subflow): bool {
  if ((segment.flags & TCP_FLAG_ACK) == 0 || (subflow.state != TCP_SYN_SENT && subflow.state != TCP_SYN_RECEIVED))
    return false;
  if (acknowledgesSyn(subflow)) return false;
  if (subflow.state == TCP_SYN_SENT) return true;
  return (segment.flags & TCP_FLAG_RST) == 0;
}

/**
 * A SYN for no subflow: MP_JOIN goes to the connection of its token, any other to a listener. The subflow answers by the
 * link that the SYN came by: with one address here and two paths to it, that is what tells the paths apart.
 */
function ingestSyn(link: Link, linkIndex: i32): i32 {
  if ((options.mptcp & (1 << SUBTYPE_JOIN)) != 0 && options.joinLength == 12) {
    if (passiveJoin(linkIndex)) return 0;
    replyReset(link, joinRefusal());
    return dropped(ERR_DROPPED, COUNTER_DROP_NO_FLOW);
  }
  const at = listenerFor(packet.dstHi, packet.dstLo, segment.dstPort);
  if (at == 0) {
    // A port that is announced alone takes joins, and no connections.
    const announced = (options.mptcp & (1 << SUBTYPE_CAPABLE)) != 0 && endpointListens(segment.dstPort);
    if (announced) count(COUNTER_MPTCP_MPCapableEndpAttempt);
    replyReset(link, announced ? REASON_ADMINISTRATIVE : 0);
    return dropped(ERR_DROPPED, COUNTER_DROP_NO_FLOW);
  }
  const listener = changetype<Listener>(at);
  // Without room to be accepted a connection is of no use; without room for its handshake a cookie may do.
  const cookies = <i32>config(CONFIG_SYN_COOKIES);
  const full = listener.pending >= listener.backlog;
  if (listener.waiting >= listener.backlog) return dropped(ERR_DROPPED, COUNTER_DROP_BACKLOG);
  if ((full && cookies != 0) || cookies == 2) {
    if (replyCookie(link, listener)) return 0;
  }
  if (full) return dropped(ERR_DROPPED, COUNTER_DROP_BACKLOG);
  if (!passiveOpen(listener, linkIndex)) return dropped(ERR_NO_MEMORY, COUNTER_DROP_NO_MEMORY);
  return 0;
}

/** The subflow that took the place of one in TIME-WAIT begins behind the numbers of that. Returns `result`. */
function succeed(result: i32, last: u32): i32 {
  const found = flowFind(packet.dstHi, packet.dstLo, segment.dstPort, packet.srcHi, packet.srcLo, segment.srcPort);
  if (found != 0) identitySucceed(changetype<Subflow>(found), last);
  return result;
}

/** RFC 6191 section 2: a SYN with a newer timestamp or sequence number may take the place of a connection in TIME-WAIT. */
function reopens(subflow: Subflow): bool {
  if ((segment.flags & (TCP_FLAG_SYN | TCP_FLAG_ACK | TCP_FLAG_RST)) != TCP_FLAG_SYN) return false;
  // With nobody to take the SYN it would only end TIME-WAIT early.
  if (listenerFor(packet.dstHi, packet.dstLo, segment.dstPort) == 0) return false;
  if ((options.present & OPTION_TIMESTAMPS) != 0) {
    // Segments of a connection without timestamps cannot be taken for those of one with them.
    if (subflow.timestamps == 0) return true;
    const newer = <i32>(options.tsVal - subflow.tsRecent);
    if (newer != 0) return newer > 0;
  }
  return seqLt(subflow.rcvNxt, segment.seq);
}

function dropped(error: i32, counter: i32): i32 {
  count(counter);
  return error;
}
