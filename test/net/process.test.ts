import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { createPipe } from '../../host/link/pipe.js';
import { Stack } from '../../host/net/stack.js';
import { SimClock } from '../../host/sim/clock.js';
import { seconds } from '../../host/sim/network.js';
import { listen, SERVER, withPair } from './pair.js';

/** A clock that counts who keeps the process alive. */
class HeldClock extends SimClock {
  held = 0;
  override hold(): () => void {
    this.held++;
    return () => this.held--;
  }
}

describe('the process', () => {
  it('is kept alive by servers and sockets that are referenced, once', async () => {
    const clock = new HeldClock();
    const stack = new Stack({ memory: 8 << 20, clock });
    const [link] = createPipe();
    stack.addLink(link, { addresses: ['10.0.0.1/24'] });
    const server = stack.listen(80);
    expect(clock.held).toBe(1);
    const socket = stack.connect(80, '10.0.0.2');
    expect(clock.held).toBe(1);
    server.unref();
    expect(clock.held).toBe(1);
    socket.unref();
    expect(clock.held).toBe(0);
    socket.ref().ref();
    expect(clock.held).toBe(1);
    socket.destroy();
    expect(clock.held).toBe(0);
    server.ref();
    expect(clock.held).toBe(1);
    server.close();
    expect(clock.held).toBe(0);
    server.unref().ref();
    expect(clock.held).toBe(0);
    stack.listen(81);
    expect(clock.held).toBe(1);
    stack.close();
    expect(clock.held).toBe(0);
    await once(server, 'close');
  });

  it('is let go when a connection ends', async () => {
    await withPair({}, async ({ client, server, network }) => {
      let held = 0;
      client.clock.hold = () => {
        held++;
        return () => held--;
      };
      const listening = await listen(server, (peer) => peer.resume());
      const socket = client.connect(80, SERVER);
      socket.end();
      socket.resume();
      const before = held;
      await once(socket, 'close');
      listening.close();
      await once(listening, 'close');
      // What the connection still had to send keeps the process too.
      await network.sleep(seconds(1));
      expect([before > 0, held]).toEqual([true, 0]);
    });
  });

  it('waits for a real clock that is held, and not for its alarms', async () => {
    const clock = fileURLToPath(new URL('../../build/host/clock.js', import.meta.url));
    const script = `
      import { RealClock } from ${JSON.stringify(clock)};
      const clock = new RealClock();
      const start = clock.now();
      clock.schedule(start + 60e6, () => console.log('never'));
      clock.schedule(start + 5000, () => console.log('alarm', clock.now() >= start + 5000));
      const release = clock.hold();
      clock.schedule(start + 100_000, release);
      process.on('exit', () => console.log('held', clock.now() - start >= 100_000));
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    const [code] = await once(child, 'close');
    expect([code, output]).toEqual([0, 'alarm true\nheld true\n']);
  });
});
