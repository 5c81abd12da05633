import { ERR_INVALID, TCP_CLOSED, TX_BATCH, TxDescriptor } from '../abi';
import { sessionSubflowClosed } from '../session/closing';
import { pushAll } from '../session/push';
import { feedStarved } from '../session/send';
import { Link, linkFind } from '../state/link';
import { Subflow } from '../state/subflow';
import { hasOutput, subflowTransmit } from '../tcp/output';
import { descriptorAt, wholePacket } from '../tcp/packet-out';
import { readyAdd, readyTake } from '../tcp/ready';
import { Reply, repliesSent, replyShown, replyTake } from './replies';

/** Bytes one subflow may send before the next one of the link has its turn; the last packet may go beyond. */
const QUANTUM: u32 = 32768;

/** See mptcp_transmit. */
export function transmit(linkIndex: i32, max: i32): i32 {
  const link = linkFind(linkIndex);
  if (link === null || max < 0) return ERR_INVALID;
  const limit = min<i32>(max, TX_BATCH);
  repliesSent();
  pushAll();
  feedStarved();
  if (link.up == 0) return 0;
  let made = replies(link, linkIndex, limit);
  while (made < limit) {
    const taken = readyTake(link);
    if (taken == 0) break;
    const subflow = changetype<Subflow>(taken);
    let bytes: u32 = 0;
    while (made < limit && bytes < QUANTUM && subflowTransmit(subflow, descriptorAt(made))) {
      bytes += changetype<TxDescriptor>(descriptorAt(made)).length;
      made++;
      if (subflow.state == TCP_CLOSED) break;
    }
    if (subflow.state == TCP_CLOSED) {
      // Its RST went out.
      sessionSubflowClosed(subflow, 0);
      pushAll();
    } else if ((made == limit || bytes >= QUANTUM) && hasOutput(subflow)) {
      readyAdd(subflow);
    }
  }
  return made;
}

function replies(link: Link, linkIndex: i32, limit: i32): i32 {
  let made = 0;
  while (made < limit) {
    const taken = replyTake(link);
    if (taken == 0) break;
    const reply = changetype<Reply>(taken);
    wholePacket(descriptorAt(made++), linkIndex, reply.page, reply.length);
    replyShown(taken);
  }
  return made;
}
