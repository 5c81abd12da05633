import {
  CONFIG_HOP_LIMIT,
  COUNTER_DROP_REPLY,
  COUNTER_MPTCP_MPFastcloseTx,
  COUNTER_MPTCP_MPRstTx,
  COUNTER_RST_OUT,
  PAGE_BYTES,
} from '../abi';
import { pageRelease, pagesFree, pagesTotal, pageTake } from '../memory/pages';
import { NO_HANDLES, Pool, poolFree, poolOpen, poolTake } from '../memory/pool';
import { config } from '../state/config';
import { count } from '../state/counters';
import { Link } from '../state/link';
import { fastclosedKey, fastclosedVersion } from '../tcp/fastclosed';
import { isTransient } from '../tcp/options-out';
import { storeBe16 } from '../wire/bytes';
import { checksumFold, sumBytes, sumPseudoHeader } from '../wire/checksum';
import { buildEchoReply } from '../wire/icmp';
import { MPTCP_V0, RST_FLAG_T, writeFastclose, writeReset } from '../wire/mptcp';
import { PROTOCOL_TCP, packet, writeIpHeader } from '../wire/packet';
import { segment, TCP_FLAG_ACK, TCP_FLAG_FIN, TCP_FLAG_RST, TCP_FLAG_SYN, writeTcpHeader } from '../wire/segment';

/** Packets in answer to packets that belong to no connection: RST and ICMP echo replies, a queue for each link. */
@unmanaged
export class Reply {
  next: usize;
  length: u32;
  page: usize;
  unused: u32;
}

export const replyPool: Pool = changetype<Pool>(memory.data(64, 8));
/** Replies one link may have waiting. */
const REPLIES_MAX: u32 = 64;
let waiting: u32 = 0;
let shown: usize = 0;

export function repliesOpen(): void {
  poolOpen(replyPool, 16, NO_HANDLES);
  waiting = 0;
  shown = 0;
}

/** Of MP_FASTCLOSE and MP_TCPRST. */
const FASTCLOSE_BYTES: u32 = 12;
const RESET_BYTES: u32 = 4;

/**
 * Answers a segment that belongs nowhere (RFC 9293 section 3.5.2); `reason` 0 or that of MP_TCPRST. Who may not know yet
 * that its connection is over is told so (RFC 8684 section 3.5).
 */
export function replyReset(link: Link, reason: u32): void {
  if ((segment.flags & TCP_FLAG_RST) != 0) return;
  const page = replyPage();
  if (page == 0) return;
  const acknowledges = (segment.flags & TCP_FLAG_ACK) != 0;
  const length =
    segment.payloadLength +
    ((segment.flags & TCP_FLAG_SYN) != 0 ? 1 : 0) +
    ((segment.flags & TCP_FLAG_FIN) != 0 ? 1 : 0);
  const joins = (segment.flags & TCP_FLAG_SYN) != 0;
  const key: u64 = acknowledges && !joins && reason == 0 ? fastclosedKey() : 0;
  const told = reason != 0 || (key != 0 && fastclosedVersion() != MPTCP_V0);
  const optionsLength: u32 = (key != 0 ? FASTCLOSE_BYTES : 0) + (told ? RESET_BYTES : 0);
  const ipBytes = writeIpHeader(
    page,
    packet.dstHi,
    packet.dstLo,
    packet.srcHi,
    packet.srcLo,
    PROTOCOL_TCP,
    20 + optionsLength,
    <u32>config(CONFIG_HOP_LIMIT),
    0,
    0,
  );
  const tcp = page + ipBytes;
  writeTcpHeader(
    tcp,
    segment.dstPort,
    segment.srcPort,
    acknowledges ? segment.ack : 0,
    acknowledges ? 0 : segment.seq + length,
    acknowledges ? TCP_FLAG_RST : TCP_FLAG_RST | TCP_FLAG_ACK,
    0,
    optionsLength,
  );
  let at = tcp + 20;
  if (key != 0) {
    count(COUNTER_MPTCP_MPFastcloseTx);
    at += writeFastclose(at, key);
  }
  if (told) {
    if (key != 0) count(COUNTER_MPTCP_MPRstTx);
    writeReset(at, isTransient(reason) ? RST_FLAG_T : 0, reason);
  }
  const bytes = 20 + optionsLength;
  const pseudo = sumPseudoHeader(packet.dstHi, packet.dstLo, packet.srcHi, packet.srcLo, PROTOCOL_TCP, bytes, 0);
  storeBe16(tcp + 16, checksumFold(sumBytes(tcp, bytes, pseudo)));
  count(COUNTER_RST_OUT);
  replyQueue(link, page, ipBytes + bytes);
}

/** Answers an echo request. Returns what buildEchoReply() says: below 0 the request was malformed. */
export function replyEcho(link: Link): i32 {
  const page = replyPage();
  if (page == 0) return 0;
  const length = buildEchoReply(page, <u32>PAGE_BYTES, <u32>config(CONFIG_HOP_LIMIT));
  if (length > 0 && <u32>length <= link.mtu) replyQueue(link, page, <u32>length);
  else pageRelease(page);
  return length;
}

/** Takes the first waiting reply of a link, or returns 0. */
export function replyTake(link: Link): usize {
  const first = link.replyHead;
  if (first == 0) return 0;
  link.replyHead = changetype<Reply>(first).next;
  if (link.replyHead == 0) link.replyTail = 0;
  return first;
}

/** The host was shown the bytes of a reply; they stay until its next call. */
export function replyShown(reply: usize): void {
  changetype<Reply>(reply).next = shown;
  shown = reply;
}

/** The host called again: what it was shown is free. */
export function repliesSent(): void {
  while (shown != 0) {
    const next = changetype<Reply>(shown).next;
    replyDone(shown);
    shown = next;
  }
}

export function replyDone(reply: usize): void {
  pageRelease(changetype<Reply>(reply).page);
  poolFree(replyPool, reply);
  waiting--;
}

/** A page for an answer, or 0 when there are too many. */
export function replyPage(): usize {
  // Answers to strangers take nothing that connections may need.
  if (waiting >= REPLIES_MAX || pagesFree() < pagesTotal() >> 4) {
    count(COUNTER_DROP_REPLY);
    return 0;
  }
  return pageTake();
}

/** Queues an answer that begins at its page. */
export function replyQueue(link: Link, page: usize, length: u32): void {
  const taken = poolTake(replyPool);
  if (taken == 0) {
    pageRelease(page);
    count(COUNTER_DROP_REPLY);
    return;
  }
  const reply = changetype<Reply>(taken);
  reply.page = page;
  reply.length = length;
  if (link.replyTail != 0) changetype<Reply>(link.replyTail).next = taken;
  else link.replyHead = taken;
  link.replyTail = taken;
  waiting++;
}
