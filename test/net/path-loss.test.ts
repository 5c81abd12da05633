import { describe, expect, it } from 'vitest';
import { megabits, milliseconds, seconds } from '../../host/sim/network.js';
import { listen, readAll, SERVER, withPair } from './pair.js';

const BYTES = 8_000_000;

describe('the loss of a path', () => {
  // What was taken back from the first path when it died must not wait for ever for the second, which dies as well.
  it.each([100, 250, 300, 350, 400, 450, 500, 600])(
    'is survived when the second path dies %d ms after the first, which comes back',
    async (gap) => {
      await withPair(
        { paths: 2, wire: { rate: megabits(20), delay: milliseconds(20), queue: 250_000 } },
        async ({ client, server, network, wires }) => {
          const listening = await listen(server, (peer) => peer.end(Buffer.alloc(BYTES)));
          const [first, second] = wires;
          network.at(seconds(1), () => first?.cut());
          network.at(seconds(1) + milliseconds(gap), () => {
            second?.cut();
            first?.mend();
          });
          const socket = client.connect(80, SERVER);
          const received = await readAll(socket);
          socket.end();
          expect(received.length).toBe(BYTES);
          listening.close();
          second?.mend();
        },
        seconds(60),
      );
    },
  );
});
