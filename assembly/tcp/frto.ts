import { CONFIG_FRTO } from '../abi';
import { dsnLt, seqLe } from '../memory/sequence';
import { config } from '../state/config';
import { FRTO_FIRST, FRTO_NEW, FRTO_OFF, ownerOf, Subflow } from '../state/subflow';

/**
 * Forward RTO-recovery (RFC 5682 section 2.1): after a timeout only the first segment goes again, then new ones. If the
 * second ACK also advances, what was thought lost is arriving: the timeout was spurious.
 */

/** The retransmission timer ran out, for the first time in a row when `first`. */
export function frtoTimeout(subflow: Subflow, first: bool): void {
  subflow.frto = first && config(CONFIG_FRTO) != 0 ? FRTO_FIRST : FRTO_OFF;
}

/** An ACK came after the timeout. True when it shows that the timeout was spurious. */
export function timeoutWasSpurious(subflow: Subflow, advanced: bool, duplicate: bool): bool {
  if (!advanced) {
    // Section 2.1, steps 2a and 3a: a duplicate ACK tells of a real loss.
    if (duplicate) subflow.frto = FRTO_OFF;
    return false;
  }
  if (subflow.frto == FRTO_NEW) return true;
  // Step 2b: with nothing new to send, or everything acknowledged, go on as usual.
  const connection = ownerOf(subflow);
  const room = <i32>(subflow.sndUna + subflow.sndWindow - subflow.sndNxt);
  const waiting = subflow.mapNext != 0 || dsnLt(connection.sndNxt, connection.sndEnd);
  const possible = waiting && room > 0 && !seqLe(subflow.recoveryEnd, subflow.sndUna);
  subflow.frto = possible ? FRTO_NEW : FRTO_OFF;
  return false;
}
