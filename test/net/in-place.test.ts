import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { Socket } from '../../host/net/socket.js';
import type { Stack } from '../../host/net/stack.js';
import { megabits, milliseconds } from '../../host/sim/network.js';
import { listen, payload, readAll, SERVER, withPair } from './pair.js';

const WIRE = { rate: megabits(100), delay: milliseconds(5), queue: 1_000_000 };

describe('reading in place', () => {
  it('shows every byte once and in order, and the end', async () => {
    await withPair({ wire: WIRE }, async ({ client, server }) => {
      const sent = payload(1_000_000);
      const listening = await listen(server, (peer) => peer.end(sent));
      const socket = client.connect(80, SERVER);
      const pieces: Buffer[] = [];
      socket.readInPlace((bytes) => {
        pieces.push(Buffer.from(bytes));
        return true;
      });
      await once(socket, 'end');
      expect(Buffer.concat(pieces).equals(sent)).toBe(true);
      expect(socket.bytesRead).toBe(sent.length);
      listening.close();
    });
  });

  it('begins with what the stream holds already', async () => {
    await withPair({ wire: WIRE }, async ({ client, server, network }) => {
      const sent = payload(300_000);
      const listening = await listen(server, (peer) => peer.end(sent));
      const socket = client.connect(80, SERVER);
      socket.pause();
      await network.sleep(milliseconds(500));
      socket.read(0);
      await network.sleep(milliseconds(100));
      expect(socket.readableLength).toBeGreaterThan(0);
      const pieces: Buffer[] = [];
      socket.readInPlace((bytes) => {
        pieces.push(Buffer.from(bytes));
        return true;
      });
      socket.resume();
      await once(socket, 'end');
      expect(Buffer.concat(pieces).equals(sent)).toBe(true);
      listening.close();
    });
  });

  it('stops when it is told to, with the window closed at last, and goes on with resume()', async () => {
    await withPair({ wire: WIRE, config: { receiveBuffer: 65_536 } }, async ({ client, server, network }) => {
      const sent = payload(500_000);
      const listening = await listen(server, (peer) => peer.end(sent));
      const socket = client.connect(80, SERVER);
      const pieces: Buffer[] = [];
      socket.readInPlace((bytes) => {
        pieces.push(Buffer.from(bytes));
        return false;
      });
      let stops = 0;
      socket.on('pause', () => {
        stops++;
        network.at(network.now + milliseconds(20), () => socket.resume());
      });
      await once(socket, 'end');
      expect(Buffer.concat(pieces).equals(sent)).toBe(true);
      expect(stops).toBeGreaterThan(5);
      listening.close();
    });
  });

  it('copes with a reader that destroys the socket', async () => {
    await withPair({ wire: WIRE }, async ({ client, server }) => {
      const listening = await listen(server, (peer) => {
        peer.on('error', () => undefined);
        peer.end(payload(200_000));
      });
      const socket = client.connect(80, SERVER);
      socket.readInPlace(() => {
        socket.destroy();
        return true;
      });
      await once(socket, 'close');
      expect(socket.bytesRead).toBeGreaterThan(0);
      listening.close();
    });
  });
});

describe('writing in place', () => {
  /** A server that reads all and ends. */
  const receiver = async (server: Stack) => {
    let came: (bytes: Promise<Buffer>) => void = () => undefined;
    const arrived = new Promise<Buffer>((resolve) => {
      came = resolve;
    });
    const listening = await listen(server, (peer) => came(readAll(peer).finally(() => peer.end())));
    return { listening, arrived };
  };

  /** Writes all bytes by writeInPlace(), then ends. */
  const writeAll = async (socket: Socket, bytes: Buffer, piece: number): Promise<number> => {
    let offset = 0;
    let waits = 0;
    while (offset < bytes.length) {
      const part = bytes.subarray(offset, offset + piece);
      const taken = socket.writeInPlace(part.length, (room) => {
        room.set(part.subarray(0, room.length));
        return room.length;
      });
      offset += taken;
      if (taken > 0) continue;
      waits++;
      await once(socket, 'drain');
    }
    socket.end();
    return waits;
  };

  it('sends every byte once and in order, and waits for room', async () => {
    await withPair({ wire: WIRE, config: { sendBuffer: 65_536 } }, async ({ client, server }) => {
      const sent = payload(700_000);
      const { listening, arrived } = await receiver(server);
      const socket = client.connect(80, SERVER);
      await once(socket, 'connect');
      socket.resume();
      expect(await writeAll(socket, sent, 5_000)).toBeGreaterThan(3);
      expect((await arrived).equals(sent)).toBe(true);
      listening.close();
    });
  });

  it('comes behind what was written before', async () => {
    await withPair({ wire: WIRE, config: { sendBuffer: 65_536 } }, async ({ client, server }) => {
      const sent = payload(600_000);
      const { listening, arrived } = await receiver(server);
      const socket = client.connect(80, SERVER);
      await once(socket, 'connect');
      socket.resume();
      socket.write(sent.subarray(0, 300_000));
      await writeAll(socket, sent.subarray(300_000), 7_000);
      expect((await arrived).equals(sent)).toBe(true);
      listening.close();
    });
  });

  it('says what is wrong', async () => {
    await withPair({ wire: WIRE }, async ({ client, server }) => {
      const listening = await listen(server, (peer) => peer.resume());
      const socket = client.connect(80, SERVER);
      expect(() => socket.writeInPlace(10, () => 0)).toThrow('not connected');
      await once(socket, 'connect');
      expect(() => socket.writeInPlace(0, () => 0)).toThrow('the limit is 0');
      expect(() => socket.writeInPlace(10, () => 11)).toThrow('11 were said to be filled');
      expect(() => socket.writeInPlace(10, () => Number.NaN)).toThrow('said to be filled');
      socket.end();
      expect(() => socket.writeInPlace(10, () => 0)).toThrow('writing has ended');
      socket.resume();
      await once(socket, 'close');
      listening.close();
    });
  });
});
