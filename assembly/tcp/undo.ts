import { COUNTER_SPURIOUS } from '../abi';
import { seqLe, seqLt } from '../memory/sequence';
import { count } from '../state/counters';
import { SentSegment } from '../state/datamap';
import { FRTO_OFF, LOSS_OPEN, PROBE_NONE, Subflow } from '../state/subflow';
import { options } from '../wire/options';
import { lossesForget } from './sent';
import { timestampNow } from './timestamps';

/**
 * Finds out that retransmissions were not needed, by the timestamp the peer echoes (Eifel, RFC 3522), by what it says
 * it got twice (RFC 2883, RFC 3708) or by the order of ACKs after a timeout (F-RTO, RFC 5682).
 */

/** An episode of loss begins: from now on retransmissions are noted. */
export function undoBegin(subflow: Subflow): void {
  subflow.undoOpen = 1;
  subflow.undoBytes = 0;
  subflow.undoStamp = 0;
}

/** A lost segment goes out again. */
export function undoSentAgain(subflow: Subflow, sent: SentSegment): void {
  if (subflow.undoOpen == 0) return;
  if (subflow.undoBytes == 0) {
    subflow.undoEnd = sent.seq + sent.length;
    // 0 says that there is none.
    subflow.undoStamp = max<u32>(timestampNow(subflow), 1);
  }
  subflow.undoBytes += <i32>sent.length;
}

/**
 * True when the ACK that passes the first retransmitted segment was caused by its original: it echoes a timestamp from
 * before (RFC 3522 section 3.2). `una` is sndUna before the ACK.
 */
export function undoByTimestamp(subflow: Subflow, una: u32, ack: u32): bool {
  if (subflow.undoOpen == 0 || subflow.undoBytes == 0 || subflow.timestamps == 0) return false;
  if (!seqLt(una, subflow.undoEnd) || !seqLe(subflow.undoEnd, ack)) return false;
  return options.tsEcr != 0 && <i32>(options.tsEcr - subflow.undoStamp) < 0;
}

/** Takes a report of `length` bytes that arrived twice. True when all that was sent again arrived twice. */
export function undoByDuplicates(subflow: Subflow, length: u32): bool {
  if (subflow.undoOpen == 0 || subflow.undoBytes <= 0) return false;
  subflow.undoBytes -= <i32>length;
  return subflow.undoBytes <= 0;
}

/** Goes back to before the episode: nothing is lost, and the timeout has no backoff. */
export function undo(subflow: Subflow): void {
  count(COUNTER_SPURIOUS);
  lossesForget(subflow);
  subflow.undoOpen = 0;
  subflow.recovery = LOSS_OPEN;
  subflow.backoff = 0;
  subflow.resendDue = 0;
  subflow.frto = FRTO_OFF;
  subflow.tailProbe = PROBE_NONE;
}
