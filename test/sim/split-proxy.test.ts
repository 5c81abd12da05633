import { describe, expect, it } from 'vitest';
import { SplitProxy } from '../../host/sim/middlebox/split-proxy.js';
import type { TcpOptions } from '../core/options.js';
import { bytes, type Left, PlacedBox, text } from './placed-box.js';

const DSS: TcpOptions = { mptcp: [{ dss: true, ack: 1n, dsn: 1n, ssn: 1, length: 9 }] };

/** Both ends of a proxy that connected: the numbers it has towards the server and the client. */
function opened(passMptcp = false): { box: PlacedBox; toServer: number; toClient: number } {
  const box = new PlacedBox(new SplitProxy({ passMptcp }));
  const [syn] = box.out('S', { seq: 99, options: { mss: 1000, wscale: 7, ts: [1, 0], mptcp: [{ capable: 'syn' }] } });
  const toServer = ((syn?.seq ?? 0) + 1) >>> 0;
  const key: TcpOptions = { mss: 900, mptcp: [{ capable: 'synack', key: 5n }] };
  const [answer] = box.in('SA', { seq: 499, ack: toServer, window: 1500, options: key });
  const toClient = ((answer?.seq ?? 0) + 1) >>> 0;
  box.out('A', { seq: 100, ack: toClient, options: { mptcp: [{ capable: 'ack', key: 6n, peerKey: 5n }] } });
  return { box, toServer, toClient };
}

const brief = (left: readonly Left[]) => left.map(({ way, flags, data }) => `${way} ${flags} ${text(data)}`.trim());

describe('a split-TCP proxy', () => {
  it.each([
    [false, [undefined, undefined, undefined]],
    [true, [1, 1, 1]],
  ])('opens both sides with numbers of its own; MPTCP passes: %s', (passMptcp, options) => {
    const box = new PlacedBox(new SplitProxy({ passMptcp }));
    const [syn] = box.out('S', { seq: 99, options: { mss: 1000, wscale: 7, ts: [1, 0], mptcp: [{ capable: 'syn' }] } });
    expect(syn).toMatchObject({ way: 'out', flags: 'S', ack: 0, options: { mss: 1000 } });
    expect([syn?.options.wscale, syn?.options.ts]).toEqual([undefined, undefined]);
    expect(syn?.seq).not.toBe(99);
    // The same SYN again.
    expect(box.out('S', { seq: 99, options: { mss: 1000 } })[0]?.seq).toBe(syn?.seq);
    const toServer = ((syn?.seq ?? 0) + 1) >>> 0;
    const key: TcpOptions = { mss: 900, mptcp: [{ capable: 'synack', key: 5n }] };
    const [answer] = box.in('SA', { seq: 499, ack: toServer, options: key });
    expect(answer).toMatchObject({ way: 'in', flags: 'SA', ack: 100, options: { mss: 900 } });
    const toClient = ((answer?.seq ?? 0) + 1) >>> 0;
    const ack: TcpOptions = { mptcp: [{ capable: 'ack', key: 6n, peerKey: 5n }] };
    const [third] = box.out('A', { seq: 100, ack: toClient, options: ack });
    expect(third).toMatchObject({ way: 'out', flags: 'A', seq: toServer, ack: 500 });
    expect([syn, answer, third].map((each) => each?.options.mptcp?.length)).toEqual(options);
    // The third ACK was lost: the proxy knows what it said.
    expect(box.in('SA', { seq: 499, ack: toServer, options: key })).toEqual([{ ...third }]);
  });

  it('acknowledges and hands on what comes, each side for itself', () => {
    const { box, toServer, toClient } = opened();
    expect(brief(box.out('PA', { seq: 100, ack: toClient, data: bytes('hello'), options: DSS }))).toEqual([
      'out PA hello',
      'in A',
    ]);
    const [data, ack] = box.out('PA', { seq: 105, ack: toClient, data: bytes('you'), options: DSS });
    expect(data).toMatchObject({ seq: toServer + 5, ack: 500, options: {} });
    expect(ack).toMatchObject({ seq: toClient, ack: 108 });
    // ACKs of the server stay with the proxy.
    expect(box.in('A', { seq: 500, ack: toServer + 8 })).toEqual([]);
    expect(brief(box.in('FA', { seq: 500, ack: toServer + 8 }))).toEqual(['in FA', 'out A']);
  });

  it('lets options of Multipath TCP pass with their bytes, and ACKs for their sake', () => {
    const { box, toServer, toClient } = opened(true);
    const [data] = box.out('A', { seq: 100, ack: toClient, data: bytes('hello'), options: DSS });
    expect(data?.options.mptcp).toHaveLength(1);
    expect(box.in('A', { seq: 500, ack: toServer + 5, options: DSS })).toMatchObject([
      { way: 'in', flags: 'A', seq: toClient, ack: 105, options: { mptcp: [{ dss: true }] } },
    ]);
    expect(box.in('A', { seq: 500, ack: toServer + 5 })).toEqual([]);
  });

  it('puts in order what comes out of order, and drops what came', () => {
    const { box, toClient } = opened();
    expect(brief(box.out('A', { seq: 103, ack: toClient, data: bytes('def') }))).toEqual(['in A']);
    expect(brief(box.out('A', { seq: 100, ack: toClient, data: bytes('abcd') }))).toEqual([
      'out PA abcd',
      'out PA ef',
      'in A',
    ]);
    expect(box.out('A', { seq: 100, ack: toClient, data: bytes('abc') })).toMatchObject([{ way: 'in', ack: 106 }]);
  });

  it('sends again what is lost, by time and by duplicate ACKs', () => {
    const { box, toServer, toClient } = opened();
    for (const at of [0, 1, 2]) box.out('A', { seq: 100 + at, ack: toClient, data: bytes('abc'[at] ?? '') });
    const again = ['out PA a', 'out PA b', 'out PA c'];
    expect(brief(box.wait(300_000))).toEqual(again);
    const acks = [1, 2, 3].flatMap(() => box.in('A', { seq: 500, ack: toServer, window: 1500 }));
    expect(brief(acks)).toEqual(again);
    box.in('A', { seq: 500, ack: toServer + 3 });
    expect(box.wait(10_000_000)).toEqual([]);
  });

  it('keeps to the window of each side, and gives one', () => {
    const { box, toServer, toClient } = opened();
    const kilobyte = new Uint8Array(1000);
    const left = Array.from({ length: 60 }, (_, index) =>
      box.out('A', { seq: 100 + index * 1000, ack: toClient, data: kilobyte }),
    ).flat();
    expect(left.filter(({ way }) => way === 'out')).toHaveLength(1);
    expect(left.at(-1)).toMatchObject({ way: 'in', ack: 60_100, window: 5_535 });
    // The server takes all of it; the client learns that there is room again.
    let windows: number[] = [];
    for (let ack = 1000; ack <= 60_000; ack += 1000) {
      const each = box.in('A', { seq: 500, ack: toServer + ack, window: 1500 });
      windows = [...windows, ...each.filter(({ way }) => way === 'in').map(({ window }) => window)];
    }
    expect(windows).toEqual([33_535]);
    expect(box.wait(10_000_000)).toEqual([]);
  });

  it('probes a window that stays closed', () => {
    const { box, toServer, toClient } = opened();
    box.in('A', { seq: 500, ack: toServer, window: 0 });
    expect(brief(box.out('A', { seq: 100, ack: toClient, data: bytes('abc') }))).toEqual(['in A']);
    expect(brief(box.wait(300_000))).toEqual(['out PA abc']);
  });

  it('answers keep-alive probes, and what comes after the end of a host changes nothing', () => {
    const { box, toServer, toClient } = opened();
    expect(box.out('A', { seq: 99, ack: toClient })).toMatchObject([{ way: 'in', seq: toClient, ack: 100 }]);
    box.in('FA', { seq: 500, ack: toServer });
    expect(brief(box.out('FA', { seq: 100, ack: toClient, data: bytes('abc') }))).toEqual(['out FPA abc', 'in A']);
    box.in('A', { seq: 501, ack: toServer + 4 });
    // The FIN to the client was lost. The server is gone.
    expect(box.in('R', { seq: 501 })).toEqual([]);
    expect(brief(box.wait(1_000_000))).toContain('in FA');
  });

  it('hands RSTs on, gives hosts up that are gone, and knows nothing of other flows', () => {
    const { box, toServer, toClient } = opened();
    expect(box.out('R', { seq: 100 })).toMatchObject([{ way: 'out', flags: 'RA', seq: toServer, ack: 500 }]);
    expect(box.out('A', { seq: 100, ack: toClient, data: bytes('abc') })).toEqual([]);
    const other = opened().box;
    other.out('A', { seq: 100, ack: 0, data: bytes('abc') });
    const end = other.wait(200_000_000).filter(({ flags }) => flags === 'RA');
    expect(end.map(({ way }) => way).sort()).toEqual(['in', 'out']);
    expect(other.wait(200_000_000)).toEqual([]);
  });
});
