import { describe, expect, it } from 'vitest';
import { SimClock } from '../../host/sim/clock.js';
import { Random } from '../../host/sim/random.js';
import { Router } from '../../host/sim/router.js';
import { PERFECT, requireCharacteristics, type WireCharacteristics, WireDirection } from '../../host/sim/wire.js';

interface Arrival {
  readonly time: number;
  readonly number: number;
}

function direction(options: Partial<WireCharacteristics> = {}, seed = 1) {
  const clock = new SimClock();
  const wire = new WireDirection(clock, new Random(seed, 'test'), { ...PERFECT, ...options });
  const arrivals: Arrival[] = [];
  wire.receiver = (bytes) => {
    arrivals.push({ time: clock.now(), number: new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) });
  };
  const send = (number: number, length = 1000): boolean =>
    wire.send(length, (target) => new DataView(target.buffer, target.byteOffset).setUint32(0, number));
  const run = (): void => {
    while (clock.step());
  };
  return { clock, wire, arrivals, send, run };
}

describe('the clock of a simulation', () => {
  it('runs events by time, and those of one time in the order they were made', () => {
    const clock = new SimClock();
    const random = new Random(5);
    const expected: { time: number; order: number }[] = [];
    const seen: { time: number; order: number }[] = [];
    for (let order = 0; order < 1000; order++) {
      const time = random.between(0, 50);
      const cancel = clock.schedule(time, () => seen.push({ time: clock.now(), order }));
      if (random.chance(0.3)) cancel();
      else expected.push({ time, order });
    }
    while (clock.step());
    expected.sort((one, other) => one.time - other.time || one.order - other.order);
    expect(seen).toEqual(expected);
    expect(clock.next()).toBe(Number.POSITIVE_INFINITY);
  });

  it('runs what becomes ready before the next event, at the same time', () => {
    const clock = new SimClock(100);
    const seen: string[] = [];
    clock.schedule(200, () => {
      clock.soon(() => {
        seen.push(`ready ${clock.now()}`);
        clock.later(() => seen.push(`later ${clock.now()}`));
      });
    });
    clock.schedule(200, () => seen.push('second'));
    // The past cannot be reached any more.
    clock.schedule(5, () => seen.push(`first ${clock.now()}`));
    while (clock.step());
    expect(seen).toEqual(['first 100', 'ready 200', 'later 200', 'second']);
    clock.advanceTo(50);
    expect(clock.now()).toBe(200);
  });
});

describe('random numbers', () => {
  it('repeat from a seed and differ between labels', () => {
    const draw = (seed: number, label: string): number[] => {
      const random = new Random(seed, label);
      return Array.from({ length: 8 }, () => random.uint32());
    };
    expect(draw(1, 'a')).toEqual(draw(1, 'a'));
    const all = [draw(1, 'a'), draw(1, 'b'), draw(2, 'a'), draw(1, ''), draw(2 ** 32 + 1, 'a')].flat();
    expect(new Set(all).size).toBe(all.length);
  });

  it('are spread evenly', () => {
    const random = new Random(3);
    const counts = new Array<number>(16).fill(0);
    for (let index = 0; index < 16000; index++) {
      const slot = random.between(0, 15);
      counts[slot] = (counts[slot] ?? 0) + 1;
    }
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
    expect(random.bytes(7).length).toBe(7);
  });
});

describe('a direction of a wire', () => {
  it('delays by its rate and its length', () => {
    const { arrivals, send, run } = direction({ rate: 1_000_000, delay: 5000 });
    send(1);
    send(2);
    send(3, 500);
    run();
    expect(arrivals).toEqual([
      { time: 6000, number: 1 },
      { time: 7000, number: 2 },
      { time: 7500, number: 3 },
    ]);
  });

  it('keeps its rate exactly although times are whole µs', () => {
    const { arrivals, send, run } = direction({ rate: 7_000_000, queue: 1e9 });
    for (let number = 0; number < 7000; number++) send(number);
    run();
    expect(arrivals.at(-1)?.time).toBe(1_000_000);
  });

  it('drops what finds the queue full', () => {
    const { arrivals, send, run, wire } = direction({ rate: 1_000_000, queue: 3000 });
    expect([1, 2, 3, 4, 5].map((number) => send(number))).toEqual([true, true, true, false, false]);
    run();
    expect(arrivals.map(({ number }) => number)).toEqual([1, 2, 3]);
    expect(wire.statistics).toMatchObject({ packets: 3, bytes: 3000, droppedByQueue: 2 });
    expect(send(6, 5000)).toBe(true);
  });

  it('loses, reorders and duplicates about as often as it should', () => {
    const { arrivals, clock, send, run, wire } = direction({ loss: 0.1, reorder: 0.05, duplicate: 0.02, delay: 1000 });
    for (let number = 0; number < 10000; number++) {
      clock.schedule(number * 100, () => send(number));
    }
    run();
    const { lost, reordered, duplicated } = wire.statistics;
    expect(Math.abs(lost - 1000)).toBeLessThan(150);
    expect(Math.abs(reordered - 450)).toBeLessThan(100);
    expect(Math.abs(duplicated - 180)).toBeLessThan(60);
    expect(arrivals.length).toBe(10000 - lost + duplicated);
    const late = arrivals.filter(({ number }, index) => number < (arrivals[index - 1]?.number ?? 0));
    expect(late.length).toBeGreaterThan(reordered / 2);
  });

  it('keeps the order under jitter', () => {
    const { arrivals, clock, send, run } = direction({ jitter: 5000, delay: 1000 });
    for (let number = 0; number < 500; number++) clock.schedule(number * 10, () => send(number));
    run();
    expect(arrivals.map(({ number }) => number)).toEqual(Array.from({ length: 500 }, (_, number) => number));
    expect(new Set(arrivals.map(({ time, number }) => time - number * 10)).size).toBeGreaterThan(20);
  });

  it('repeats from a seed', () => {
    const once = (seed: number): Arrival[] => {
      const { arrivals, send, run } = direction({ loss: 0.2, reorder: 0.2, duplicate: 0.2, jitter: 300 }, seed);
      for (let number = 0; number < 200; number++) send(number);
      run();
      return arrivals;
    };
    expect(once(9)).toEqual(once(9));
    expect(once(9)).not.toEqual(once(10));
  });

  it('loses everything when it is cut, what is under way too', () => {
    const { arrivals, clock, send, run, wire } = direction({ delay: 1000 });
    send(1);
    clock.schedule(500, () => {
      wire.cut = true;
    });
    clock.schedule(600, () => send(2));
    clock.schedule(2000, () => {
      wire.cut = false;
      send(3);
    });
    run();
    expect(arrivals).toEqual([{ time: 3000, number: 3 }]);
    expect(wire.statistics.cut).toBe(2);
  });

  it('changes while it runs', () => {
    const { arrivals, clock, send, run, wire } = direction({ rate: 1_000_000 });
    send(1);
    send(2);
    clock.schedule(500, () => wire.set({ rate: 2_000_000, delay: 100 }));
    run();
    expect(arrivals.map(({ time }) => time)).toEqual([1100, 1600]);
    expect(() => wire.set({ loss: 2 })).toThrow(/wire EINVAL: loss is 2/);
    expect(() => wire.set({ rate: 0 })).toThrow(/rate is 0/);
    expect(() => requireCharacteristics({ ...PERFECT, delay: -1 })).toThrow(/delay/);
  });
});

describe('a router', () => {
  const ipv4 = (destination: number[], ttl = 64): Uint8Array => {
    const header = Uint8Array.of(0x45, 0, 0, 20, 0, 0, 0x40, 0, ttl, 6, 0, 0, 10, 9, 9, 9, ...destination);
    const view = new DataView(header.buffer);
    view.setUint16(10, checksum(header));
    return header;
  };
  const checksum = (header: Uint8Array): number => {
    const view = new DataView(header.buffer);
    let sum = 0;
    for (let at = 0; at < header.length; at += 2) sum += view.getUint16(at);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    return ~sum & 0xffff;
  };

  it('sends by the longest prefix, one hop less, with a right checksum', () => {
    const clock = new SimClock();
    const router = new Router('internet');
    const seen: string[] = [];
    const out = (name: string): WireDirection => {
      const wire = new WireDirection(clock, new Random(1, name), PERFECT);
      wire.receiver = (bytes) => seen.push(`${name} ${bytes[8]} ${checksum(bytes.slice())}`);
      return wire;
    };
    router.addRoute('10.0.0.0/8', out('wide'));
    router.addRoute('10.0.1.0/24', out('narrow'));
    router.addRoute('fd00::/16', out('six'));
    router.forward(ipv4([10, 0, 1, 7]));
    router.forward(ipv4([10, 0, 2, 7], 2));
    router.forward(ipv4([10, 0, 2, 7], 1));
    router.forward(ipv4([11, 0, 2, 7]));
    router.forward(Uint8Array.of(1, 2, 3));
    const six = new Uint8Array(40);
    six.set([0x60, 0, 0, 0, 0, 0, 59, 9], 0);
    six.set([0xfd, 0], 24);
    router.forward(six);
    while (clock.step());
    expect(seen.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual(['narrow 63', 'wide 1', 'six 0']);
    expect(seen.slice(0, 2).map((line) => line.endsWith(' 0'))).toEqual([true, true]);
    expect(six[7]).toBe(8);
    expect(router.dropped).toBe(3);
  });

  it('wraps the checksum correctly for every hop count', () => {
    const clock = new SimClock();
    for (let ttl = 2; ttl < 256; ttl++) {
      const router = new Router('r');
      const wire = new WireDirection(clock, new Random(1), PERFECT);
      let sum = -1;
      wire.receiver = (bytes) => {
        sum = checksum(bytes.slice());
      };
      router.addRoute('0.0.0.0/0', wire);
      router.forward(ipv4([10, 0, ttl, 7], ttl));
      while (clock.step());
      expect(sum).toBe(0);
    }
  });
});
