import { createHash } from 'node:crypto';
import { type JoinBed, within } from './join-bed.js';
import { corruptOnce } from './join-boxes.js';
import { type JoinCell, joinScenario } from './join-cells.js';
import type { Role } from './sides.js';

const CHECKSUM = { checksum: true };
/** Rate of each path where both must carry data, bytes per second: less than each end sends. */
const RATE = 12e6 / 8;

/**
 * Bytes sent at a time where a kernel falls back: its segments with an infinite mapping must be shorter than its MSS. A
 * kernel (6.18) makes them as long as those without options, and then they are longer than the MTU and never leave it.
 */
const PIECE = 1000;

/** SHA-256 of bytes of which one is inverted. */
function hashWith(chunks: readonly Buffer[], inverted: number): string {
  const bytes = Buffer.concat(chunks);
  bytes.writeUInt8(bytes.readUInt8(inverted) ^ 0xff, inverted);
  return createHash('sha256').update(bytes).digest('hex');
}

/** Way of the bytes that `from` sends, as our stack sees it. */
function wayOf(bed: JoinBed, from: Role): 'in' | 'out' {
  return bed.ours.role === from ? 'out' : 'in';
}

/** The only subflow: what follows is plain TCP, with the changed byte that TCP does not see. */
function alone(from: Role): JoinCell {
  return {
    name: `one subflow, bytes of the ${from}`,
    tampers: true,
    async run(bed) {
      await bed.server.set(CHECKSUM);
      await bed.client.set(CHECKSUM);
      const corruption = corruptOnce(bed.link(1), wayOf(bed, from));
      await bed.start({ keep: true, piece: PIECE });
      await bed.moves();
      const [sender, receiver] = from === 'client' ? [bed.client, bed.server] : [bed.server, bed.client];
      corruption.arm();
      await bed.counted(receiver, { MPFailTx: 1 });
      await bed.counted(sender, { MPFailRx: 1 });
      await bed.moves();
      bed.server.peer.finish();
      bed.client.peer.finish();
      const [server, client] = await within('the end', Promise.all([bed.server.peer.ended(), bed.client.peer.ended()]));
      bed.equal(server.error ?? client.error, undefined, 'error');
      const [sent, received] = from === 'client' ? [client, server] : [server, client];
      const [back, answered] = from === 'client' ? [server, client] : [client, server];
      bed.equal(answered.receivedHash, back.sentHash, 'SHA-256 of the bytes the other way');
      bed.equal(received.received, sent.sent, 'number of bytes');
      bed.equal(corruption.segments, 1, 'segments changed');
      const { kept } = bed.ours.peer;
      const ours = wayOf(bed, from) === 'out';
      const changed = hashWith(ours ? kept.sent : kept.received, corruption.offset);
      bed.equal(ours ? received.receivedHash : changed, ours ? changed : sent.sentHash, 'SHA-256 but for one byte');
      bed.expect(receiver, { DataCsumErr: [1, 9], MPFailTx: 1 });
      // A kernel that receives an infinite mapping before it sent its own is plain TCP from then on.
      bed.expect(sender, { MPFailRx: 1, InfiniteMapTx: sender.kind === 'ours' ? 1 : [0, 1], DataCsumErr: 0 });
      await bed.released();
    },
  };
}

/** One of two subflows is reset, and its bytes go by the other: nothing is changed at the end. */
function beside(from: Role): JoinCell {
  return {
    name: `two subflows, bytes of the ${from}`,
    options: { rate: RATE },
    tampers: true,
    async run(bed) {
      await bed.server.set(CHECKSUM);
      await bed.client.set(CHECKSUM);
      await bed.client.add(2, ['subflow']);
      const corruption = corruptOnce(bed.link(2), wayOf(bed, from));
      await bed.begin({ server: [1, 0], client: [1, 0], joins: 1 });
      await bed.moves();
      const [sender, receiver] = from === 'client' ? [bed.client, bed.server] : [bed.server, bed.client];
      // A segment that came before, or that TCP sends again, is of no use to the receiver: then the next is changed.
      await bed.until('MP_FAIL', () => {
        corruption.arm();
        return (receiver.counters().MPFailTx ?? 0) > 0;
      });
      await bed.counted(receiver, { MPRstTx: 1 });
      bed.allow('DataCsumErr', 'MPFailTx', 'MPFailRx', 'DSSCorruptionReset', 'DSSNotMatching');
      await bed.finish();
      bed.joins(1);
      bed.expect(receiver, { DataCsumErr: [1, 9], MPFailTx: 1 });
      bed.expect(sender, { MPFailRx: 1, MPRstRx: 1, DataCsumErr: 0 });
    },
  };
}

export const joinFail = joinScenario(
  'join-fail',
  'a byte is changed on the way, with checksums: the only subflow falls back to TCP by MP_FAIL and an infinite mapping, one of two is reset',
  (['client', 'server'] as const).flatMap((from: Role) => [alone(from), beside(from)]),
);
