import { writeIcmp, writeTcp } from './packets.js';
import type { Peer } from './script.js';

/** A router's error about the segment of the stack that begins at `seq`, which quotes `bytes` of its TCP header. */
export function icmp(peer: Peer, type: number, code: number, seq: number, rest = [0, 0, 0, 0], bytes = 8): Uint8Array {
  const sent = writeTcp({
    src: peer.local,
    dst: peer.remote,
    srcPort: peer.localPort,
    dstPort: peer.port,
    seq: (peer.irs + seq) >>> 0,
    ack: 0,
    flags: 'A',
    window: 0,
    options: {},
    data: new Uint8Array(),
  });
  const v6 = peer.remote.includes(':');
  const router = v6 ? 'fd00::77' : '10.0.0.77';
  const quoted = sent.subarray(0, (v6 ? 40 : 20) + bytes);
  return writeIcmp(router, peer.local, type, [...rest, ...quoted], code);
}
