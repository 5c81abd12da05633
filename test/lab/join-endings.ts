import { within } from './join-bed.js';
import { type JoinCell, joinScenario } from './join-cells.js';
import type { Role } from './sides.js';

export const joinFastclose = joinScenario(
  'join-fastclose',
  'a connection is reset by either side, with one subflow and with two: MP_FASTCLOSE (RFC 8684 section 3.5)',
  (['client', 'server'] as const).flatMap((by: Role) =>
    [1, 2].map(
      (subflows): JoinCell => ({
        name: `by the ${by}, ${subflows === 1 ? 'one subflow' : 'two subflows'}`,
        async run(bed) {
          if (subflows === 2) await bed.client.add(2, ['subflow']);
          await bed.begin({ server: [1, 0], client: [1, 0] });
          if (subflows === 2) await bed.joined(1);
          await bed.moves();
          const [closes, other] = by === 'client' ? [bed.client, bed.server] : [bed.server, bed.client];
          closes.peer.reset();
          const left = await within('the reset', other.peer.ended());
          bed.equal(left.error, 'ECONNRESET', `error of the ${other.role}`);
          await bed.counted(other, { MPFastcloseRx: 1 });
          await bed.released();
          // One for every subflow; whoever took the first may have forgotten the connection when the next comes.
          bed.expect(closes, { MPFastcloseTx: subflows });
          bed.expect(other, { MPFastcloseRx: [1, subflows] });
        },
      }),
    ),
  ),
);
