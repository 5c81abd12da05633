import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { duplexLink } from '../../host/link/tuntap2.js';
import { outgoing, RecordingPort } from './ports.js';

/** Behaves as `Tun` of tuntap2: every chunk is one IP packet. */
class FakeTun extends Duplex {
  readonly name = 'tun7';
  readonly mtu = 1400;
  readonly written: Uint8Array[] = [];
  /** Holds back the completion of writes until called. */
  release: (() => void) | undefined;
  hold = false;

  constructor() {
    super({ writableHighWaterMark: 3000 });
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.written.push(chunk);
    if (this.hold) this.release = callback;
    else callback();
  }
}

it('takes name and mtu of the Duplex, unless told others', () => {
  expect(duplexLink(new FakeTun())).toMatchObject({ name: 'tun7', mtu: 1400, vnetHeader: false });
  expect(duplexLink(new FakeTun(), { name: 'lte', mtu: 1280 })).toMatchObject({ name: 'lte', mtu: 1280 });
});

it('carries packets both ways', async () => {
  const duplex = new FakeTun();
  const link = duplexLink(duplex);
  const port = new RecordingPort();
  link.attach(port);
  duplex.push(Uint8Array.of(0x45, 1));
  duplex.push(Uint8Array.of(0x45, 2, 3));
  await turn();
  expect(port.packets).toEqual([Uint8Array.of(0x45, 1), Uint8Array.of(0x45, 2, 3)]);
  expect(port.wakes).toBe(2);
  const bytes = Uint8Array.of(0x45, 4, 5, 6);
  expect(link.send(outgoing(bytes, 1, 3))).toBe(true);
  bytes.fill(0);
  expect(duplex.written.map((chunk) => [...chunk])).toEqual([[0x45, 4, 5, 6]]);
  link.close();
});

it('refuses packets while the Duplex asks to wait', () => {
  const duplex = new FakeTun();
  duplex.hold = true;
  const link = duplexLink(duplex);
  link.attach(new RecordingPort());
  const sent = [1, 2, 3, 4].map(() => link.send(outgoing(new Uint8Array(1400))));
  expect(sent).toEqual([true, true, true, false]);
  duplex.hold = false;
  duplex.release?.();
  link.close();
});

it('tells its stack when the Duplex fails or ends, once', async () => {
  for (const end of [
    (duplex: FakeTun) => duplex.destroy(new Error('no such device')),
    (duplex: FakeTun) => duplex.destroy(),
  ]) {
    const duplex = new FakeTun();
    const port = new RecordingPort();
    const link = duplexLink(duplex);
    link.attach(port);
    end(duplex);
    await turn();
    expect(port.errors.map((error) => error.message)).toHaveLength(1);
    expect(port.errors[0]?.message).toMatch(/^link tun7: (no such device|the stream of packets was closed)/);
    expect(link.send(outgoing(new Uint8Array(20)))).toBe(false);
  }
});

it('destroys the Duplex when it is closed, and says nothing then', async () => {
  const duplex = new FakeTun();
  const port = new RecordingPort();
  const link = duplexLink(duplex);
  link.attach(port);
  link.close();
  link.close();
  await turn();
  expect(duplex.destroyed).toBe(true);
  expect(port.errors).toEqual([]);
});
