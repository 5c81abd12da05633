import { describe, expect, it } from 'vitest';
import type { Link, LinkPort, OutgoingPacket } from '../../host/link/link.js';
import { Stack } from '../../host/net/stack.js';
import { SimClock } from '../../host/sim/clock.js';

const HOST = [10, 0, 0, 1];
const PEER = [10, 0, 0, 2];

function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** An IPv4 packet with an ICMP echo request to the host, with a number in it. */
function echoRequest(number: number): Uint8Array {
  const packet = Uint8Array.of(
    ...[0x45, 0, 0, 32, 0, 0, 0, 0, 64, 1, 0, 0, ...PEER, ...HOST],
    ...[8, 0, 0, 0, 0, 7, number >> 8, number & 255, 1, 2, 3, 4],
  );
  const view = new DataView(packet.buffer);
  view.setUint16(10, checksum(packet.subarray(0, 20)));
  view.setUint16(22, checksum(packet.subarray(20)));
  return packet;
}

/** A link that a test fills and reads by hand. */
class HandLink implements Link {
  readonly name = 'hand';
  readonly mtu = 1500;
  readonly vnetHeader: boolean;
  readonly checksumOffload = false;
  readonly segmentationOffload = false;
  readonly waiting: Uint8Array[] = [];
  readonly sent: Uint8Array[] = [];
  readonly budgets: number[] = [];
  port: LinkPort | undefined;
  full = false;
  closed = 0;
  onSend: ((packet: OutgoingPacket) => void) | undefined;

  constructor(vnetHeader = false) {
    this.vnetHeader = vnetHeader;
  }

  attach(port: LinkPort): void {
    this.port = port;
  }

  push(packet: Uint8Array): void {
    this.port?.slots[3]?.set(packet);
    this.port?.ingest(3, packet.length);
  }

  send(packet: OutgoingPacket): boolean {
    this.onSend?.(packet);
    if (this.full) return false;
    const bytes = new Uint8Array(packet.length + 4);
    expect(packet.copyTo(bytes, 4)).toBe(packet.length);
    this.sent.push(bytes.slice(4));
    return true;
  }

  receive(budget: number): number {
    const taken = this.waiting.splice(0, budget);
    for (const [index, packet] of taken.entries()) {
      const slot = index % (this.port?.slots.length ?? 1);
      this.port?.slots[slot]?.set(packet);
      this.port?.ingest(slot, packet.length);
    }
    this.budgets.push(taken.length);
    return taken.length;
  }

  close(): void {
    this.closed++;
  }
}

function makeStack(link: HandLink): { stack: Stack; clock: SimClock } {
  const clock = new SimClock(1000);
  const stack = new Stack({ memory: 8 << 20, clock, seed: new Uint8Array(32) });
  stack.addLink(link, { addresses: ['10.0.0.1/24'] });
  clock.runReady();
  return { stack, clock };
}

describe('the loop of a stack', () => {
  it('answers packets that a link pushes', () => {
    const link = new HandLink();
    const { stack, clock } = makeStack(link);
    expect(link.port?.now()).toBe(1000);
    link.push(echoRequest(5));
    expect(link.sent.length).toBe(0);
    clock.runReady();
    expect(link.sent.length).toBe(1);
    const reply = link.sent[0] as Uint8Array;
    expect([...reply.subarray(12, 20)]).toEqual([...HOST, ...PEER]);
    expect([...reply.subarray(20, 22), ...reply.subarray(24)]).toEqual([0, 0, 0, 7, 0, 5, 1, 2, 3, 4]);
    expect(checksum(reply.subarray(20))).toBe(0);
    expect(stack.counters()).toMatchObject({ packetsIn: 1, packetsOut: 1, icmpEcho: 1 });
    expect(stack.links()[0]).toMatchObject({
      packetsIn: 1,
      bytesIn: 32,
      packetsOut: 1,
      bytesOut: 32,
      dropsIn: 0,
      dropsOut: 0,
    });
    stack.close();
    expect(link.closed).toBe(1);
  });

  it('reads a link that is polled in turns of bounded work', () => {
    const link = new HandLink();
    const { stack, clock } = makeStack(link);
    link.budgets.length = 0;
    for (let number = 0; number < 3000; number++) link.waiting.push(echoRequest(number));
    let turns = 0;
    const later = clock.later.bind(clock);
    clock.later = (callback) => {
      turns++;
      later(callback);
    };
    link.port?.wake();
    clock.runReady();
    expect(link.waiting.length).toBe(0);
    expect(Math.max(...link.budgets)).toBeLessThanOrEqual(256);
    expect(turns).toBeGreaterThanOrEqual(1);
    expect(stack.counters().packetsIn).toBe(3000);
    stack.close();
  });

  it('counts what it drops and what a link does not take', () => {
    const link = new HandLink();
    const { stack, clock } = makeStack(link);
    link.push(Uint8Array.of(1, 2, 3));
    const broken = echoRequest(1);
    broken[10] = 0;
    link.push(broken);
    link.full = true;
    link.push(echoRequest(2));
    clock.runReady();
    expect(stack.links()[0]).toMatchObject({ packetsIn: 3, dropsIn: 2, packetsOut: 0, dropsOut: 1 });
    expect(stack.counters()).toMatchObject({ dropIpHeader: 1, dropIpChecksum: 1 });
    stack.close();
  });

  it('puts virtio-net headers in front where the link has them', () => {
    const link = new HandLink(true);
    const { stack, clock } = makeStack(link);
    link.push(Uint8Array.of(...new Array<number>(12).fill(0), ...echoRequest(9)));
    clock.runReady();
    expect(link.sent[0]?.length).toBe(12 + 32);
    expect([...(link.sent[0] as Uint8Array).subarray(0, 12)].every((byte) => byte === 0)).toBe(true);
    expect(link.sent[0]?.[12]).toBe(0x45);
    stack.close();
  });

  it('gives packets in pieces and as native vectors', () => {
    const link = new HandLink();
    const { stack, clock } = makeStack(link);
    const base = 0x7f12_3456_7000n;
    link.port?.memoryBase(base);
    const slot = link.port?.slots[0] as Uint8Array;
    const memory = new Uint8Array(slot.buffer);
    let seen = 0;
    link.onSend = (packet) => {
      seen++;
      const { iovecs } = packet;
      expect(iovecs.length).toBe(packet.pieces * 16);
      const view = new DataView(iovecs.buffer, iovecs.byteOffset, iovecs.length);
      let length = 0;
      for (let index = 0; index < packet.pieces; index++) {
        const address = Number(view.getBigUint64(index * 16, true) - base);
        const piece = packet.piece(index);
        expect(piece.length).toBe(Number(view.getBigUint64(index * 16 + 8, true)));
        expect(memory.subarray(address, address + piece.length)).toEqual(piece);
        length += piece.length;
      }
      expect(length).toBe(packet.length);
    };
    link.push(echoRequest(1));
    clock.runReady();
    stack.connect(80, '10.0.0.2').on('error', () => undefined);
    clock.runReady();
    expect(seen).toBe(2);
    stack.close();
  });

  it('sends SYNs again when its alarm rings', () => {
    const link = new HandLink();
    const { stack, clock } = makeStack(link);
    stack.connect(80, '10.0.0.2').on('error', () => undefined);
    clock.runReady();
    const times: number[] = [];
    link.onSend = () => times.push(clock.now() - 1000);
    while (times.length < 3) clock.step();
    // RFC 6298 section 2.1: the first timeout is 1 s, doubled each time.
    expect(times).toEqual([1_000_000, 3_000_000, 7_000_000]);
    stack.close();
  });

  it('marks a link down that fails, and tells', () => {
    const link = new HandLink();
    const { stack, clock } = makeStack(link);
    expect(() => link.port?.fail(new Error('unplugged'))).toThrow('unplugged');
    expect(stack.links()[0]?.up).toBe(false);
    stack.setLinkUp(link, true);
    const told: unknown[] = [];
    stack.on('linkError', (...details) => told.push(...details));
    link.port?.fail(new Error('unplugged again'));
    expect(told).toEqual([link, new Error('unplugged again')]);
    expect(stack.links()[0]?.up).toBe(false);
    clock.runReady();
    stack.close();
    link.port?.fail(new Error('late'));
    link.push(echoRequest(1));
    expect(told.length).toBe(2);
  });

  it('changes addresses and routes while it runs', () => {
    const link = new HandLink();
    const { stack } = makeStack(link);
    stack.addAddress(link, 'fd00::1/64');
    stack.addRoute(link, '0.0.0.0/0');
    stack.removeRoute(link, '0.0.0.0/0');
    stack.removeAddress(link, 'fd00::1');
    expect(() => stack.removeAddress(link, 'fd00::1')).toThrow(/EADDRNOTAVAIL fd00::1/);
    expect(() => stack.addAddress(link, '10.0.0.1/24')).toThrow(/EADDRINUSE/);
    expect(() => stack.addRoute(link, '0.0.0.0/99')).toThrow(/prefix length/);
    stack.close();
    stack.close();
    expect(() => stack.addRoute(link, '0.0.0.0/0')).toThrow(/EBADF/);
  });
});
