import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PcapngWriter } from '../../host/link/pcapng.js';
import { StackAgent, serveHttp } from '../../host/net/http.js';
import { megabits, milliseconds, seconds } from '../../host/sim/network.js';
import { tsharkObjections, tsharkRead, withoutTshark } from '../tshark.js';
import { makePair, payload, readAll, SERVER } from './pair.js';

/** A download by HTTP over two bad paths, one of which goes away and comes back; returns what the client saw. */
async function capture(seed: number, simd?: boolean): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const writer = new PcapngWriter({ write: (bytes) => chunks.push(Buffer.from(bytes)) });
  const wire = { rate: megabits(20), loss: 0.005, jitter: milliseconds(2), reorder: 0.01, duplicate: 0.005 };
  const { network, client, server, wires } = makePair({
    seed,
    paths: 2,
    wire,
    capture: writer,
    config: { checksumEnabled: seed % 2 === 1 },
    ...(simd === undefined ? {} : { simd }),
  });
  const data = payload(1_000_000);
  await network.run(async () => {
    const http = createServer((_request, response) => {
      response.sendDate = false;
      response.end(data);
    });
    const listening = serveHttp(server, http, { port: 80 });
    network.at(network.now + milliseconds(150), () => wires[0]?.cut());
    network.at(network.now + milliseconds(900), () => wires[0]?.mend());
    const agent = new StackAgent(client, { keepAlive: true });
    for (let index = 0; index < 2; index++) {
      const outgoing = get({ host: SERVER, port: 80, agent });
      const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
      expect((await readAll(response)).equals(data)).toBe(true);
    }
    agent.destroy();
    listening.close();
    await network.sleep(seconds(5));
  }, seconds(300));
  network.close();
  writer.close();
  return Buffer.concat(chunks);
}

describe('a simulation', () => {
  it('repeats from its seed, byte for byte', async () => {
    const first = await capture(11);
    const second = await capture(11);
    const other = await capture(12);
    expect(first.length).toBeGreaterThan(2_000_000);
    const hash = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
    expect(hash(second)).toBe(hash(first));
    expect(hash(other)).not.toBe(hash(first));
  });

  it('sends the same packets by both builds of the core', async () => {
    expect((await capture(21, true)).equals(await capture(21, false))).toBe(true);
  });

  it.skipIf(withoutTshark)('makes captures without a warning about Multipath TCP (needs tshark)', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'capture-'));
    try {
      const path = join(folder, 'pair.pcapng');
      writeFileSync(path, await capture(13));
      expect(await tsharkObjections(path)).toEqual([]);
      expect((await tsharkRead(path, 'tcp.options.mptcp.subtype == 1', ['frame.number'])).length).toBeGreaterThan(2);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
