import { COUNTER_DROP_ICMP, COUNTER_ICMP_ECHO, COUNTER_ICMP_ERROR, COUNTER_ICMP_STRAY, ERR_MALFORMED } from '../abi';
import { sessionIcmpError } from '../session/icmp';
import { count } from '../state/counters';
import { Link } from '../state/link';
import { Subflow } from '../state/subflow';
import { flowFind } from '../tcp/flows';
import { icmpError, parseIcmpError } from '../wire/icmp-error';
import { options } from '../wire/options';
import { packet } from '../wire/packet';
import { segment } from '../wire/segment';
import { replyEcho } from './replies';
import { shardElsewhere } from './shards';

/** ICMP's way in: echo requests are answered, errors go to the subflow they are about. Returns as mptcp_ingest does. */
export function ingestIcmp(link: Link): i32 {
  if (parseIcmpError()) return ingestError();
  const length = replyEcho(link);
  if (length < 0) {
    count(COUNTER_DROP_ICMP);
    return ERR_MALFORMED;
  }
  if (length > 0) count(COUNTER_ICMP_ECHO);
  return 0;
}

function ingestError(): i32 {
  const found = flowFind(
    icmpError.localHi,
    icmpError.localLo,
    icmpError.localPort,
    icmpError.remoteHi,
    icmpError.remoteLo,
    icmpError.remotePort,
  );
  if (found != 0) {
    count(sessionIcmpError(changetype<Subflow>(found)) ? COUNTER_ICMP_ERROR : COUNTER_ICMP_STRAY);
    return 0;
  }
  // It belongs where an answer to the segment would: the segment turned round stands for that.
  packet.dstHi = icmpError.localHi;
  packet.dstLo = icmpError.localLo;
  packet.srcHi = icmpError.remoteHi;
  packet.srcLo = icmpError.remoteLo;
  segment.dstPort = icmpError.localPort;
  segment.srcPort = icmpError.remotePort;
  segment.flags = 0;
  options.mptcp = 0;
  const elsewhere = shardElsewhere();
  if (elsewhere == 0) count(COUNTER_ICMP_STRAY);
  return elsewhere;
}
