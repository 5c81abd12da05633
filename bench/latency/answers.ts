import type { Duplex } from 'node:stream';

/** Bytes of the answer to `s` and to `l`. */
export const SMALL_BYTES = 1;
export const LARGE_BYTES = 16_384;
const BULK_BYTES = 1 << 17;

/** Answers a connection: `s` with one byte, `l` with 16 KiB, `b` with bytes as fast as they go. The same on any stack. */
export function answer(socket: Duplex): void {
  const small = Buffer.alloc(SMALL_BYTES, 1);
  const large = Buffer.alloc(LARGE_BYTES, 2);
  const bulk = Buffer.alloc(BULK_BYTES, 3);
  // A client that was ended takes its connection with it.
  socket.on('error', () => socket.destroy());
  socket.on('data', (requests: Buffer) => {
    for (const request of requests) {
      if (request === 0x73) socket.write(small);
      else if (request === 0x6c) socket.write(large);
      else fill();
    }
  });
  const fill = (): void => {
    while (!socket.destroyed && socket.write(bulk));
  };
  socket.on('drain', () => setImmediate(fill));
}
