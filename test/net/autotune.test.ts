import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { megabits, milliseconds, seconds } from '../../host/sim/network.js';
import { listen, SERVER, withPair } from './pair.js';

describe('buffers that tune themselves', () => {
  it('fills 1 Gbit/s over 100 ms without configuration', async () => {
    const wire = { rate: megabits(1000), delay: milliseconds(50), queue: 12_500_000 };
    await withPair({ memory: 64 << 20, wire }, async ({ client, server, network }) => {
      const chunk = Buffer.alloc(65_536);
      const listening = await listen(server, (peer) => {
        const write = (): void => {
          while (peer.write(chunk));
        };
        peer.on('drain', write);
        peer.on('error', () => listening.close());
        write();
      });
      const socket = client.connect(80, SERVER);
      let received = 0;
      socket.on('data', (data: Buffer) => {
        received += data.length;
      });
      await network.sleep(seconds(2));
      const before = received;
      await network.sleep(seconds(1));
      // 94.7 % is what headers and options leave of the link.
      expect((received - before) / megabits(1000)).toBeGreaterThan(0.94);
      socket.resetAndDestroy();
      await once(socket, 'close');
    });
  });

  it('lets a connection that nobody reads hold little', async () => {
    await withPair({ memory: 64 << 20, wire: { rate: megabits(1000) } }, async ({ client, server, network }) => {
      const listening = await listen(server, (socket) => {
        socket.on('error', () => listening.close());
        socket.write(Buffer.alloc(10_000_000));
      });
      const socket = client.connect(80, SERVER);
      const free = client.pools().pagesFree;
      await network.sleep(seconds(5));
      expect((free - client.pools().pagesFree) * 16_384).toBeLessThan(400_000);
      socket.resetAndDestroy();
      await once(socket, 'close');
    });
  });
});
