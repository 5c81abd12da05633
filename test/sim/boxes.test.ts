import { describe, expect, it } from 'vitest';
import { requireAddress } from '../../host/address.js';
import { packetTooBig } from '../../host/sim/icmp.js';
import { AckProxy } from '../../host/sim/middlebox/ack-proxy.js';
import { Alg } from '../../host/sim/middlebox/alg.js';
import { Coalescer } from '../../host/sim/middlebox/coalescer.js';
import { Corrupter } from '../../host/sim/middlebox/corrupter.js';
import { Duplicator } from '../../host/sim/middlebox/duplicator.js';
import { Holder } from '../../host/sim/middlebox/holder.js';
import { Nat } from '../../host/sim/middlebox/nat.js';
import { Normaliser } from '../../host/sim/middlebox/normaliser.js';
import { OptionStripper } from '../../host/sim/middlebox/option-stripper.js';
import { Replayer } from '../../host/sim/middlebox/replayer.js';
import { RstInjector } from '../../host/sim/middlebox/rst-injector.js';
import { SequenceRandomiser } from '../../host/sim/middlebox/sequence-randomiser.js';
import { Splitter } from '../../host/sim/middlebox/splitter.js';
import { UnknownDropper } from '../../host/sim/middlebox/unknown-dropper.js';
import { WindowRewriter } from '../../host/sim/middlebox/window-rewriter.js';
import type { TcpOptions } from '../core/options.js';
import { readIp, writeIcmp, writeTcp } from '../core/packets.js';
import { bytes, INSIDE, type Left, OUTSIDE, PlacedBox, text } from './placed-box.js';

const PUBLIC = '10.0.0.100';
const DSS: TcpOptions = { mptcp: [{ dss: true, ack: 1n, dsn: 1n, ssn: 1, length: 9 }] };
const CAPABLE: TcpOptions = { mss: 1460, mptcp: [{ capable: 'syn' }] };

const payloads = (left: readonly Left[]): string[] => left.map(({ data }) => text(data));

describe('a NAT', () => {
  const make = (options = {}): PlacedBox => new PlacedBox(new Nat({ addresses: [PUBLIC], ...options }));
  const segment = { src: OUTSIDE, dst: PUBLIC, srcPort: 80 };

  it('gives flows its address and a port, and takes answers back', () => {
    const box = make();
    const [syn] = box.out('S');
    expect(syn).toMatchObject({ src: PUBLIC, dst: OUTSIDE, dstPort: 80, way: 'out' });
    expect(syn?.srcPort).not.toBe(5000);
    const answers = box.in('SA', { ...segment, dstPort: syn?.srcPort ?? 0 });
    expect(answers).toMatchObject([{ src: OUTSIDE, srcPort: 80, dst: INSIDE, dstPort: 5000, way: 'in' }]);
    expect(box.out('A')[0]?.srcPort).toBe(syn?.srcPort);
    const others = [box.out('S', { srcPort: 5001 }), box.out('S', { dstPort: 81 })].map(([each]) => each?.srcPort);
    expect(new Set([syn?.srcPort, ...others]).size).toBe(3);
  });

  it('lets nobody in who was not asked, and no other protocol', () => {
    const box = make();
    const [syn] = box.out('S');
    const port = syn?.srcPort ?? 0;
    expect(box.in('SA', { ...segment, dstPort: port + 1 })).toEqual([]);
    expect(box.in('SA', { ...segment, srcPort: 81, dstPort: port })).toEqual([]);
    expect(box.in('SA', { ...segment, src: '10.0.0.7', dstPort: port })).toEqual([]);
    expect(box.raw('out', writeIcmp(INSIDE, OUTSIDE, 8, [0, 0, 0, 0]))).toEqual([]);
    expect(box.out('S', { src: 'fd00::2', dst: 'fd00::1' })).toEqual([]);
  });

  it('forgets flows that are silent, those that open or close sooner', () => {
    const box = make({ established: 10_000_000, transitory: 1_000_000 });
    const [syn] = box.out('S');
    const port = syn?.srcPort ?? 0;
    box.in('SA', { ...segment, dstPort: port });
    box.wait(9_000_000);
    expect(box.out('A')[0]?.srcPort).toBe(port);
    box.out('FA');
    box.wait(2_000_000);
    expect(box.in('A', { ...segment, dstPort: port })).toEqual([]);
    expect(box.out('A')[0]?.srcPort).not.toBe(port);
  });

  it.each([
    ['reset', [{ flags: 'R', way: 'in', src: OUTSIDE, dstPort: 5000, seq: 9 }]],
    ['drop', []],
  ] as const)('can %s flows that it forgot', (forgotten, left) => {
    const box = make({ forgotten });
    expect(box.out('A', { ack: 9 })).toMatchObject(left);
    expect(box.out('S')).toHaveLength(1);
  });

  it('has a range of ports, and no more flows to one place than these', () => {
    const box = make({ ports: [2000, 2001] });
    const ports = [1, 2, 3].flatMap((srcPort) => box.out('S', { srcPort }).map((each) => each.srcPort));
    expect(ports.sort()).toEqual([2000, 2001]);
    expect(box.out('S', { srcPort: 3, dstPort: 81 })).toHaveLength(1);
    expect(() => new Nat({ addresses: [PUBLIC, INSIDE] })).toThrow(/at most one address of each family/);
    expect(() => new Nat({ addresses: [PUBLIC], ports: [9, 8] })).toThrow(/ports 9 to 8/);
    expect(() => new Nat({ addresses: ['nat'] })).toThrow(/nat/);
  });

  it.each([
    ['IPv4', INSIDE, OUTSIDE, PUBLIC, '10.0.0.9'],
    ['IPv6', 'fd00:0:0:0:0:0:0:2', 'fd00:0:0:0:0:0:0:1', 'fd00:0:0:0:0:0:0:64', 'fd00::9'],
  ])('hands on what routers say of its flows: %s', (_, src, dst, outside, router) => {
    const box = new PlacedBox(new Nat({ addresses: [outside] }));
    const fields = { src, dst, srcPort: 5000, dstPort: 80, seq: 0, ack: 0, window: 9, options: {}, data: bytes('x') };
    const [passed] = box.raw('out', writeTcp({ ...fields, flags: 'S' }));
    const error = packetTooBig(passed ?? bytes(''), requireAddress(router, 'test'), 1280);
    const [told] = box.raw('in', error);
    const { dst: to, payload } = readIp(told ?? bytes(''));
    expect(to).toBe(src);
    const quoted = payload.subarray(8);
    const own = writeTcp({ ...fields, flags: 'S' });
    // Addresses and ports are those of the sender again; behind them is nothing that it could have changed.
    const compared = src.includes(':') ? 44 : 24;
    expect(quoted.subarray(0, compared)).toEqual(own.subarray(0, compared));
    expect(box.raw('in', packetTooBig(own, requireAddress(router, 'test'), 1280))).toEqual([]);
  });

  it('forgets everything when it is started again', () => {
    const nat = new Nat({ addresses: [PUBLIC] });
    const box = new PlacedBox(nat);
    const [syn] = box.out('S');
    nat.restart();
    expect(box.in('SA', { ...segment, dstPort: syn?.srcPort ?? 0 })).toEqual([]);
    expect(nat.dropped).toBe(1);
  });
});

describe('a sequence randomiser', () => {
  it.each([true, false])('moves each way of a flow, SACK blocks: %s', (sack) => {
    const box = new PlacedBox(new SequenceRandomiser({ sack }));
    const [syn] = box.out('S', { seq: 100 });
    const out = (syn?.seq ?? 0) - 100;
    expect([out, syn?.ack]).not.toEqual([0, 0]);
    const [answer] = box.in('SA', { seq: 500, ack: (101 + out) >>> 0 });
    const back = (answer?.seq ?? 0) - 500;
    expect(answer?.ack).toBe(101);
    const block: [number, number] = [(600 + back) >>> 0, (700 + back) >>> 0];
    const [ack] = box.out('A', { seq: 101, ack: (501 + back) >>> 0, options: { sack: [block] } });
    expect([ack?.seq, ack?.ack]).toEqual([(101 + out) >>> 0, 501]);
    expect(ack?.options.sack).toEqual([sack ? [600, 700] : block]);
    // The same SYN again gets the same numbers, another one others.
    expect(box.out('S', { seq: 100 })[0]?.seq).toBe(syn?.seq);
    expect(box.out('S', { seq: 200 })[0]?.seq).not.toBe((200 + out) >>> 0);
  });

  it('lets flows be whose beginning it has not seen', () => {
    const box = new PlacedBox(new SequenceRandomiser());
    expect(box.out('A', { seq: 7, ack: 8 })).toMatchObject([{ seq: 7, ack: 8 }]);
  });
});

describe('a segment splitter', () => {
  const whole = { seq: 10, data: bytes('abcdefgh'), options: { ts: [1, 2] as [number, number], ...DSS } };

  it('cuts, with the options of the whole on every piece', () => {
    const pieces = new PlacedBox(new Splitter({ size: 3 })).out('PFA', whole);
    expect(pieces.map(({ seq, data, flags }) => [seq, text(data), flags])).toEqual([
      [10, 'abc', 'A'],
      [13, 'def', 'A'],
      [16, 'gh', 'FPA'],
    ]);
    for (const { options } of pieces) expect(options.mptcp).toHaveLength(1);
  });

  it('or on the first alone, but for timestamps', () => {
    const pieces = new PlacedBox(new Splitter({ size: 4, options: 'first' })).out('A', whole);
    expect(pieces.map(({ options }) => [options.ts, options.mptcp?.length])).toEqual([
      [[1, 2], 1],
      [[1, 2], undefined],
    ]);
  });

  it('leaves small ones and SYNs alone', () => {
    const box = new PlacedBox(new Splitter({ size: 8 }));
    expect(payloads(box.out('A', whole))).toEqual(['abcdefgh']);
    expect(payloads(box.out('S', { data: bytes('a long request') }))).toEqual(['a long request']);
  });
});

describe('a coalescer', () => {
  const part = (seq: number, letters: string, dsn: bigint) => ({
    seq,
    ack: seq,
    data: bytes(letters),
    options: { mptcp: [{ dss: true as const, dsn, dsn4: false, ssn: 1, length: 3 }] },
  });

  it.each([
    ['first', 1n],
    ['last', 7n],
  ] as const)('makes one segment of several, with the options of the %s', (keep, dsn) => {
    const box = new PlacedBox(new Coalescer({ keep, hold: 100 }));
    expect([
      box.out('A', part(1, 'abc', 1n)),
      box.out('A', part(4, 'def', 4n)),
      box.out('A', part(7, 'gh', 7n)),
    ]).toEqual([[], [], []]);
    const merged = box.wait(100);
    expect(merged).toMatchObject([{ seq: 1, ack: 7, time: 100, options: { mptcp: [{ dsn }] } }]);
    expect(payloads(merged)).toEqual(['abcdefgh']);
  });

  it('goes on at a PSH, at a gap, when it is full, and in front of what it does not merge', () => {
    const box = new PlacedBox(new Coalescer({ most: 5 }));
    box.out('A', part(1, 'abc', 1n));
    expect(payloads(box.out('PA', part(4, 'd', 1n)))).toEqual(['abcd']);
    box.out('A', part(5, 'ef', 1n));
    expect(payloads(box.out('A', part(9, 'ij', 1n)))).toEqual(['ef']);
    expect(payloads(box.out('A', part(11, 'klmn', 1n)))).toEqual(['ij']);
    expect(payloads(box.out('A', { seq: 15 }))).toEqual(['klmn', '']);
    box.out('A', part(15, 'o', 1n));
    expect(box.out('FA', part(16, 'p', 1n)).map(({ flags }) => flags)).toEqual(['A', 'FA']);
    expect(box.wait(10_000)).toEqual([]);
  });
});

describe('an option stripper', () => {
  const send = (box: PlacedBox, flags: string): TcpOptions | undefined =>
    box.out(flags, { options: { ...CAPABLE, raw: [99, 4, 1, 2], ts: [1, 2] } })[0]?.options;
  const box = (...options: ConstructorParameters<typeof OptionStripper>): PlacedBox =>
    new PlacedBox(new OptionStripper(...options));

  it('takes those of Multipath TCP or all unknown ones, where it is told to', () => {
    expect(send(box(), 'A')).toEqual({ mss: 1460, ts: [1, 2] });
    const syn = box({ segments: 'syn', options: 'unknown' });
    expect(send(syn, 'S')).toEqual({ mss: 1460, ts: [1, 2] });
    expect(() => send(syn, 'A')).toThrow(/option of kind 99/);
    const data = box({ segments: 'data', options: 'mptcp' });
    const [kept] = data.out('S', { options: CAPABLE });
    const [taken] = data.out('A', { options: DSS });
    expect([kept?.options.mptcp?.length, taken?.options.mptcp]).toEqual([1, undefined]);
  });

  it('begins with a packet of each way of each flow', () => {
    const late = box({ from: 3 });
    const seen = [1, 2, 3, 4].map(() => late.out('A', { options: DSS })[0]?.options.mptcp?.length);
    expect(seen).toEqual([1, 1, undefined, undefined]);
    expect(late.in('A', { options: DSS })[0]?.options.mptcp).toHaveLength(1);
    expect(late.out('A', { options: DSS, srcPort: 5001 })[0]?.options.mptcp).toHaveLength(1);
  });
});

describe('a dropper of unknown options', () => {
  it('drops SYNs, or all', () => {
    const syn = new PlacedBox(new UnknownDropper({ segments: 'syn' }));
    expect([syn.out('S', { options: CAPABLE }).length, syn.out('S', { options: { mss: 1460 } }).length]).toEqual([
      0, 1,
    ]);
    expect(syn.out('A', { options: DSS })).toHaveLength(1);
    const all = new PlacedBox(new UnknownDropper());
    expect([all.out('A', { options: DSS }).length, all.out('A', { options: { raw: [99, 2] } }).length]).toEqual([0, 0]);
    expect(all.out('A', { options: { ts: [1, 2] } })).toHaveLength(1);
    const mptcp = new PlacedBox(new UnknownDropper({ options: 'mptcp' }));
    expect(mptcp.raw('out', writeTcp({ ...EMPTY, options: { raw: [99, 2] } }))).toHaveLength(1);
  });
});

const EMPTY = {
  src: INSIDE,
  dst: OUTSIDE,
  srcPort: 1,
  dstPort: 2,
  seq: 0,
  ack: 0,
  flags: 'A',
  window: 1,
  options: {},
  data: bytes(''),
};

describe('a window rewriter', () => {
  const open = (box: PlacedBox, out: TcpOptions, back: TcpOptions): void => {
    box.out('S', { options: out });
    box.in('SA', { options: back });
  };

  it('clamps, by the scale both sides agreed on', () => {
    const scaled = new PlacedBox(new WindowRewriter({ clamp: 8000 }));
    open(scaled, { wscale: 3 }, { wscale: 4 });
    expect(scaled.out('A', { window: 5000 })[0]?.window).toBe(1000);
    expect(scaled.in('A', { window: 5000 })[0]?.window).toBe(500);
    expect(scaled.in('A', { window: 99 })[0]?.window).toBe(99);
    const plain = new PlacedBox(new WindowRewriter({ clamp: 8000 }));
    open(plain, { wscale: 3 }, {});
    expect(plain.out('A', { window: 9000 })[0]?.window).toBe(8000);
  });

  it('multiplies, and takes the scale away', () => {
    const box = new PlacedBox(new WindowRewriter({ factor: 0.5 }));
    expect(box.out('A', { window: 1001 })[0]?.window).toBe(500);
    expect(new PlacedBox(new WindowRewriter({ factor: 4 })).out('A', { window: 60_000 })[0]?.window).toBe(65_535);
    const [syn] = new PlacedBox(new WindowRewriter({ noScale: true })).out('S', { options: { mss: 9, wscale: 3 } });
    expect(syn?.options).toEqual({ mss: 9 });
  });
});

describe('a normaliser and its opposite', () => {
  it('lets the first payload stand, or another one', () => {
    const normaliser = new Normaliser();
    const kept = new PlacedBox(normaliser);
    kept.out('A', { seq: 10, data: bytes('hello') });
    expect(payloads(kept.out('A', { seq: 12, data: bytes('XXXnew') }))).toEqual(['llonew']);
    expect([normaliser.interventions, normaliser.contradictions]).toEqual([1, 1]);
    expect(payloads(kept.out('A', { seq: 15, data: bytes('new') }))).toEqual(['new']);
    expect([normaliser.interventions, normaliser.contradictions]).toEqual([2, 1]);
    const others = new PlacedBox(new Replayer());
    expect(payloads(others.out('A', { seq: 10, data: bytes('ab') }))).toEqual(['ab']);
    expect(payloads(others.out('A', { seq: 10, data: bytes('abc') }))).toEqual(['\x9e\x9dc']);
  });

  it('know gaps, numbers that wrap, and forget what is old', () => {
    const box = new PlacedBox(new Normaliser({ memory: 8 }));
    box.out('A', { seq: 0xfffffffe, data: bytes('abcd') });
    box.out('A', { seq: 4, data: bytes('gh') });
    expect(payloads(box.out('A', { seq: 0, data: bytes('XXefXX') }))).toEqual(['cdefgh']);
    box.out('A', { seq: 6, data: bytes('ijklmn') });
    expect(payloads(box.out('A', { seq: 2, data: bytes('XXXXX') }))).toEqual(['XXghi']);
  });
});

describe('what moves packets about', () => {
  it('holds one until others have overtaken it, or for a time', () => {
    const box = new PlacedBox(new Holder({ every: 2, behind: 2, hold: 500 }));
    const send = (letter: string): string[] => payloads(box.out('A', { data: bytes(letter) }));
    expect([send('a'), send('b'), send('c')]).toEqual([['a'], [], ['c']]);
    expect(payloads(box.out('A'))).toEqual(['', 'b']);
    expect(send('d')).toEqual([]);
    expect(box.wait(600)).toMatchObject([{ data: bytes('d'), time: 500 }]);
    expect(box.wait(600)).toEqual([]);
  });

  it('sends packets twice', () => {
    const box = new PlacedBox(new Duplicator({ every: 2, delay: 300 }));
    expect([box.out('A', { seq: 1 }).length, box.wait(1000).length]).toEqual([1, 0]);
    expect(box.out('A', { seq: 2 })).toHaveLength(1);
    expect(box.wait(1000)).toMatchObject([{ seq: 2, time: 1300 }]);
  });

  it('changes payload and nothing else', () => {
    const box = new PlacedBox(new Corrupter({ every: 2 }));
    expect(payloads(box.out('A', { data: bytes('abcd') }))).toEqual(['abcd']);
    expect(box.out('A')).toHaveLength(1);
    const [left] = box.out('A', { data: bytes('abcd'), options: DSS });
    const wrong = [...text(left?.data ?? bytes(''))].filter((letter, index) => letter !== 'abcd'[index]);
    expect(wrong).toHaveLength(1);
    expect(left?.options).toEqual(new PlacedBox(new Duplicator()).out('A', { options: DSS })[0]?.options);
  });
});

describe('an RST injector', () => {
  it.each([
    ['next', 0],
    ['window', 100],
    ['outside', 0x4000_0000],
  ] as const)('forges one for each end: %s', (sequence, offset) => {
    const box = new PlacedBox(new RstInjector({ after: 2, sequence }));
    box.out('S', { seq: 99 });
    box.in('SA', { seq: 499, ack: 100 });
    expect(box.out('A', { seq: 100, ack: 500, data: bytes('abc') })).toHaveLength(1);
    const [passed, ...forged] = box.out('A', { seq: 103, ack: 500, data: bytes('de') });
    expect(text(passed?.data ?? bytes(''))).toBe('de');
    expect(forged).toMatchObject([
      { way: 'out', flags: 'RA', seq: 105 + offset, ack: 500, src: INSIDE },
      { way: 'in', flags: 'RA', seq: 500 + offset, ack: 105, src: OUTSIDE },
    ]);
    expect(box.out('A', { seq: 105, data: bytes('f') })).toHaveLength(1);
  });

  it('or for one of them', () => {
    const box = new PlacedBox(new RstInjector({ after: 1, towards: ['in'] }));
    expect(box.out('A', { seq: 1, data: bytes('a') }).map(({ way, flags }) => way + flags)).toEqual(['outA', 'inRA']);
  });
});

describe('an ALG', () => {
  const make = (): PlacedBox =>
    new PlacedBox(
      new Alg([
        { way: 'out', find: 'PORT 10,0,0,2', replace: 'PORT 10,0,0,100' },
        { way: 'out', find: 'LONG', replace: 'L' },
      ]),
    );

  it('puts another text in and moves the numbers of both ways behind it', () => {
    const box = make();
    box.out('S', { seq: 99 });
    const [changed] = box.out('A', { seq: 100, ack: 7, data: bytes('<PORT 10,0,0,2>') });
    expect([changed?.seq, text(changed?.data ?? bytes(''))]).toEqual([100, '<PORT 10,0,0,100>']);
    expect(box.out('A', { seq: 115, data: bytes('next') })).toMatchObject([{ seq: 117, data: bytes('next') }]);
    // Not before all of the new text is there.
    const acks = [100, 101, 110, 116, 117, 121].map((ack) => box.in('A', { ack })[0]?.ack);
    expect(acks).toEqual([100, 101, 110, 114, 115, 119]);
    expect(box.in('A', { ack: 100, options: { sack: [[117, 121]] } })[0]?.options.sack).toEqual([[115, 119]]);
  });

  it('says the same again, however it is cut', () => {
    const box = make();
    box.out('S', { seq: 99 });
    const [first] = box.out('A', { seq: 100, data: bytes('a LONG way, PORT 10,0,0,2!') });
    expect(text(first?.data ?? bytes(''))).toBe('a L way, PORT 10,0,0,100!');
    const stream = 'a LONG way, PORT 10,0,0,2!';
    for (let size = 1; size < stream.length; size++) {
      let joined = '';
      for (let at = 0; at < stream.length; at += size) {
        const [piece] = box.out('A', { seq: 100 + at, data: bytes(stream.slice(at, at + size)) });
        expect([size, piece?.seq]).toEqual([size, 100 + joined.length]);
        joined += text(piece?.data ?? bytes(''));
      }
      expect(joined).toBe('a L way, PORT 10,0,0,100!');
    }
  });

  it('looks at no bytes twice, and the other way not at all', () => {
    const box = make();
    box.out('S', { seq: 99 });
    box.out('A', { seq: 100, data: bytes('LO') });
    box.out('A', { seq: 102, data: bytes('NG') });
    expect(payloads(box.out('A', { seq: 100, data: bytes('LONG') }))).toEqual(['LONG']);
    expect(payloads(box.in('A', { seq: 7, data: bytes('LONG') }))).toEqual(['LONG']);
    expect(() => new Alg([{ find: '', replace: 'x' }])).toThrow(/empty text/);
  });
});

describe('a proactive-ACK proxy', () => {
  const open = (): PlacedBox => {
    const box = new PlacedBox(new AckProxy({ ways: ['out'], timeout: 1000 }));
    box.out('S', { seq: 99, options: { wscale: 2 } });
    box.in('SA', { seq: 499, ack: 100, window: 4000, options: { wscale: 1, ts: [50, 1] } });
    box.out('A', { seq: 100, ack: 500 });
    box.in('A', { seq: 500, ack: 100, window: 2000, options: { ts: [51, 1] } });
    return box;
  };

  it('acknowledges data itself, in the window of the receiver', () => {
    const box = open();
    const [passed, ack, ...rest] = box.out('A', {
      seq: 100,
      ack: 500,
      data: bytes('abcd'),
      options: { ts: [9, 51], ...DSS },
    });
    expect(passed).toMatchObject({ way: 'out', seq: 100, data: bytes('abcd') });
    expect(ack).toMatchObject({ way: 'in', flags: 'A', seq: 500, ack: 104, window: 1998, src: OUTSIDE });
    expect(ack?.options).toEqual({ ts: [51, 9] });
    expect(rest).toEqual([]);
    // What the receiver says does not fall behind that, and has its other options.
    expect(box.in('A', { seq: 500, ack: 100, window: 2000, options: { sack: [[102, 104]], ...DSS } })).toMatchObject([
      { ack: 104, window: 1998, options: { mptcp: [{ dss: true }] } },
    ]);
    expect(box.in('A', { seq: 500, ack: 104, window: 2000 })).toMatchObject([{ ack: 104, window: 2000 }]);
  });

  it('acknowledges nothing behind a hole', () => {
    const box = open();
    expect(box.out('A', { seq: 104, ack: 500, data: bytes('efgh') })).toHaveLength(1);
    expect(box.out('A', { seq: 100, ack: 500, data: bytes('abcd') })[1]).toMatchObject({ ack: 108 });
  });

  it('sends again what is lost behind it, by time and by duplicate ACKs', () => {
    const box = open();
    box.out('A', { seq: 100, ack: 500, data: bytes('abcd') });
    box.out('A', { seq: 104, ack: 500, data: bytes('efgh') });
    expect(payloads(box.wait(1000))).toEqual(['abcd']);
    expect(payloads(box.wait(2000))).toEqual(['abcd']);
    const duplicates = [1, 2, 3].flatMap(() => box.in('A', { seq: 500, ack: 100, window: 2000 }));
    expect(duplicates.filter(({ way }) => way === 'out')).toMatchObject([{ seq: 100 }]);
    box.in('A', { seq: 500, ack: 108, window: 2000 });
    expect(box.wait(100_000)).toEqual([]);
  });

  it('lets the other way and the end of a flow be', () => {
    const box = open();
    expect(box.in('A', { seq: 500, ack: 100, data: bytes('data') })).toHaveLength(1);
    box.out('A', { seq: 100, ack: 504, data: bytes('abcd') });
    expect(box.in('R', { seq: 504 })).toMatchObject([{ flags: 'R' }]);
    expect(box.wait(100_000)).toEqual([]);
  });
});
