import { Link, linkAt } from '../state/link';
import { ACK_NOW, Subflow } from '../state/subflow';

/** The queue of subflows that may have something to send by a link, in the order they became ready. */

export function readyAdd(subflow: Subflow): void {
  if (subflow.readyQueued != 0 || subflow.link < 0) return;
  const link = linkAt(subflow.link);
  subflow.readyQueued = 1;
  subflow.readyNext = 0;
  if (link.readyTail != 0) changetype<Subflow>(link.readyTail).readyNext = changetype<usize>(subflow);
  else link.readyHead = changetype<usize>(subflow);
  link.readyTail = changetype<usize>(subflow);
}

/** Takes the first subflow from the queue, or returns 0. */
export function readyTake(link: Link): usize {
  const first = link.readyHead;
  if (first == 0) return 0;
  const subflow = changetype<Subflow>(first);
  link.readyHead = subflow.readyNext;
  if (link.readyHead == 0) link.readyTail = 0;
  subflow.readyQueued = 0;
  return first;
}

export function readyRemove(subflow: Subflow): void {
  if (subflow.readyQueued == 0) return;
  const link = linkAt(subflow.link);
  subflow.readyQueued = 0;
  let before: usize = 0;
  for (let at = link.readyHead; at != 0; at = changetype<Subflow>(at).readyNext) {
    if (at == changetype<usize>(subflow)) {
      if (before == 0) link.readyHead = subflow.readyNext;
      else changetype<Subflow>(before).readyNext = subflow.readyNext;
      if (link.readyTail == at) link.readyTail = before;
      return;
    }
    before = at;
  }
}

/** An acknowledgment goes out with the next transmit. */
export function ackNow(subflow: Subflow): void {
  subflow.ackDue = ACK_NOW;
  readyAdd(subflow);
}
