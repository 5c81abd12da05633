import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { MptcpError } from '../../host/error.js';
import type { MonitorEvent } from '../../host/info.js';
import type { Socket } from '../../host/net/socket.js';
import { megabits, milliseconds, seconds } from '../../host/sim/network.js';
import { Random } from '../../host/sim/random.js';
import { listen, payload, readAll, SERVER, withPair } from './pair.js';

const SECOND_PATH = '10.0.2.2';
const config = { pathManager: 'userspace' } as const;

/** The code of the MptcpError that `action` throws. */
function codeOf(action: () => unknown): string | undefined {
  try {
    action();
  } catch (error) {
    return (error as MptcpError).code;
  }
  return undefined;
}

describe('paths of a socket', () => {
  it('are seen, opened, changed and closed while data flows', async () => {
    await withPair({ paths: 2, config, wire: { rate: megabits(20) } }, async ({ client, server, network }) => {
      let accepted: Socket | undefined;
      const listening = await listen(server, (peer) => {
        accepted = peer;
        peer.resume();
      });
      const socket = client.connect(80, SERVER);
      await once(socket, 'connect');
      const data = payload(8_000_000);
      socket.end(data);
      await network.sleep(seconds(0.5));
      const peer = accepted as Socket;
      expect(socket.info()?.confirmed).toBe(true);

      const id = socket.openSubflow({ local: SECOND_PATH });
      const [info] = await once(socket, 'subflow');
      expect([id, info.id, info.localAddress]).toEqual([2, 2, SECOND_PATH]);
      expect(socket.subflowIds()).toEqual([1, 2]);
      expect(socket.subflowTuple(2)).toEqual({
        localAddress: SECOND_PATH,
        localPort: info.localPort,
        remoteAddress: SERVER,
        remotePort: 80,
      });

      const told = once(peer, 'subflowPriority');
      socket.setBackup(1);
      expect(await told).toEqual([1, { backupLocal: false, backupRemote: true }]);
      expect(socket.getSubflowOption(1, 'backup')).toBe(true);
      socket.setSubflowOption(2, 'cwndClamp', 20_000);
      await network.sleep(seconds(0.2));
      expect(socket.subflows()[1]?.cwnd).toBeLessThanOrEqual(20_000);
      socket.setSubflowOption(2, 'cwndClamp', 0);

      const announced = once(socket, 'addressAnnounced');
      const address = peer.announceAddress({ address: '10.0.2.1', port: 8080 });
      const [announcedId, entry] = await announced;
      expect([announcedId, entry.address, entry.port]).toEqual([address, '10.0.2.1', 8080]);
      await network.sleep(seconds(0.1));
      expect(peer.announcedAddresses()).toMatchObject([{ id: address, echoed: true, joined: false }]);
      socket.openSubflow({ local: SECOND_PATH, remote: '10.0.2.1' });
      await once(socket, 'subflow');
      expect(socket.remoteAddresses()).toMatchObject([{ id: address, joined: true }]);
      expect(socket.info()).toMatchObject({
        mptcpi_subflows: 2,
        mptcpi_subflows_total: 3,
        mptcpi_flags: 2,
        mptcpi_csum_enabled: 0,
        pathManager: 'userspace',
      });
      expect(server.counters().MPTcpExtMPJoinPortSynRx).toBe(1);
      const removed = once(socket, 'addressRemoved');
      const closed = [once(socket, 'subflowClosed'), once(peer, 'subflowClosed')];
      peer.withdrawAddress(address);
      expect(await removed).toEqual([address]);
      // By FIN, which both ends know.
      for (const each of closed) expect((await each).slice(0, 2)).toEqual([3, undefined]);
      expect([socket.subflowIds(), peer.subflowIds()]).toEqual([
        [1, 2],
        [1, 2],
      ]);
      const again = socket.openSubflow({ local: SECOND_PATH });
      await once(socket, 'subflow');
      const left = [once(socket, 'subflowClosed'), once(peer, 'subflowClosed')];
      socket.closeSubflow(again);
      expect(socket.info()).toMatchObject({ mptcpi_subflows: 1 });
      for (const each of left) expect((await each).slice(0, 2)).toEqual([4, undefined]);

      const gone = once(peer, 'subflowClosed');
      socket.closeSubflow(1, 'performance');
      expect((await gone)[1]).toMatchObject({ code: 'ECONNRESET' });
      await once(peer, 'end');
      expect(peer.bytesRead).toBe(data.length);
      peer.end();
      await once(socket, 'close');
      listening.close();
    });
  });

  it('refuse bad arguments with errors that say what is wrong', async () => {
    await withPair({ config }, async ({ client, server, network }) => {
      const listening = await listen(server, (peer) => peer.pipe(peer));
      const socket = client.connect(80, SERVER);
      expect(codeOf(() => socket.withdrawAddress(1))).toBe('EOPNOTSUPP');
      await once(socket, 'connect');
      socket.write('x');
      await network.sleep(seconds(0.5));
      expect(codeOf(() => socket.subflowTuple(9))).toBe('ENXIO');
      expect(codeOf(() => socket.closeSubflow(9))).toBe('ENXIO');
      expect(codeOf(() => socket.closeSubflow(1, 'whim' as 'resources'))).toBe('EINVAL');
      expect(codeOf(() => socket.setSubflowOption(1, 'hopLimit', 300))).toBe('EINVAL');
      expect(codeOf(() => socket.setSubflowOption(1, 'backup', 1 as unknown as boolean))).toBe('EINVAL');
      expect(codeOf(() => socket.getSubflowOption(1, 'colour' as 'backup'))).toBe('EINVAL');
      expect(codeOf(() => socket.openSubflow({ localPort: 70_000 }))).toBe('EINVAL');
      expect(codeOf(() => socket.openSubflow({ local: '192.0.2.1' }))).toBe('EADDRNOTAVAIL');
      expect(codeOf(() => socket.announceAddress({ address: 'home' }))).toBe('EINVAL');
      expect(codeOf(() => socket.withdrawAddress(200))).toBe('ENXIO');
      expect(codeOf(() => client.changeEndpoint(5, { backup: true }))).toBe('EINVAL');
      const plain = client.connect({ port: 80, host: SERVER, mptcp: false });
      await once(plain, 'connect');
      expect(codeOf(() => plain.openSubflow())).toBe('EOPNOTSUPP');
      for (const each of [socket, plain]) {
        each.end().resume();
        await once(each, 'close');
        expect(codeOf(() => each.openSubflow())).toBe('ENOTCONN');
      }
      listening.close();
    });
  });

  it('follow endpoints that change, and are told to a monitor of the stack', async () => {
    await withPair({ paths: 2 }, async ({ client, server, network }) => {
      const seen: MonitorEvent[] = [];
      const note = (event: MonitorEvent): number => seen.push(event);
      client.on('monitor', note);
      const listening = await listen(server, (peer) => peer.pipe(peer));
      const socket = client.connect(80, SERVER);
      socket.write('x');
      await network.sleep(seconds(1));
      const endpoint = client.endpoints()[0]?.id ?? 0;
      client.changeEndpoint(endpoint, { backup: true });
      await network.sleep(seconds(0.2));
      // One to each address of the server.
      expect(socket.subflows().map(({ backupLocal }) => backupLocal)).toEqual([false, true, true]);
      expect(client.endpoints()[0]).toMatchObject({ backup: true, subflow: true });
      client.removeEndpoint(endpoint);
      await network.sleep(seconds(0.2));
      socket.end().resume();
      await once(socket, 'close');
      const types = seen.map(({ type }) => type);
      expect(types.filter((type) => type !== 'ANNOUNCED')).toEqual([
        'CREATED',
        'ESTABLISHED',
        'SUB_ESTABLISHED',
        'SUB_ESTABLISHED',
        'SUB_PRIORITY',
        'SUB_PRIORITY',
        'SUB_CLOSED',
        'SUB_CLOSED',
        'CLOSED',
      ]);
      expect(seen.find(({ type }) => type === 'SUB_ESTABLISHED')).toMatchObject({
        localAddress: SECOND_PATH,
        localId: endpoint,
        remotePort: 80,
        serverSide: false,
        error: undefined,
      });
      client.off('monitor', note);
      listening.close();
    });
  });
});

describe('break before make', () => {
  it('loses no byte, however often the only subflow is lost: 30 seeds', async () => {
    const failures: string[] = [];
    let waited = 0;
    for (let seed = 1; seed <= 30; seed++) {
      const random = new Random(seed, 'rejoin');
      const up = payload(random.between(1, 3_000_000), seed);
      const down = payload(random.between(1, 3_000_000), seed + 100);
      await withPair(
        {
          seed,
          wire: { rate: megabits(5), delay: milliseconds(random.between(1, 40)), loss: random.chance(0.3) ? 0.005 : 0 },
          config: {
            pathMode: random.chance(0.5) ? 'single' : 'full',
            checksumEnabled: random.chance(0.3),
            // A path that is cut is given up after some seconds.
            retries: 3,
            rtoMax: seconds(1),
            // Who only receives learns of it by probes.
            keepalive: true,
            keepaliveIdle: seconds(1),
            keepaliveInterval: seconds(1),
            keepaliveCount: 20,
          },
        },
        async ({ client, server, network, wires }) => {
          const listening = await listen(server, (peer) => {
            peer.end(down);
          });
          let time = 0.5;
          for (let times = 0; times < 3; times++) {
            time += random.fraction() * 2;
            network.at(seconds(time), () => wires[0]?.cut());
            time += 3 + random.fraction() * 10;
            network.at(seconds(time), () => wires[0]?.mend());
            time += 1;
          }
          const accepted = once(listening, 'connection').then(([peer]) => readAll(peer));
          const socket = client.connect(80, SERVER);
          socket.end(up);
          const [got, taken] = await Promise.all([readAll(socket), accepted]);
          expect([got.equals(down), taken.equals(up)]).toEqual([true, true]);
          waited += client.counters().rejoinDone + server.counters().rejoinDone;
          listening.close();
        },
        seconds(600),
      ).catch((error: unknown) => failures.push(`seed ${seed}: ${error}`));
    }
    expect(failures).toEqual([]);
    expect(waited).toBeGreaterThan(20);
  }, 120_000);
});
