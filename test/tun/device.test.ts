import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { openTun, TunError, type TunLink } from '../../host/link/tun.js';
import { NetworkNamespace } from '../../host/netns.js';
import { outgoing, RecordingPort } from './ports.js';
import { needsTun } from './privilege.js';

const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function namespace(): Promise<NetworkNamespace> {
  const made = await NetworkNamespace.create(`mptcp-test-${process.pid}-${closing.length}`);
  closing.push(() => made.remove());
  return made;
}

function tun(...options: Parameters<typeof openTun>): TunLink {
  const link = openTun(...options);
  closing.push(() => link.close());
  return link;
}

/** Sends datagrams from the kernel and reports how many came back unchanged, in order. */
const ECHO_CLIENT = `
import dgram from 'node:dgram';
const [address, count, size] = process.argv.slice(1);
const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
let back = 0;
const send = () => socket.send(Buffer.alloc(Number(size), back & 255), 9, address);
socket.on('message', (m) => {
  if (m.length !== Number(size) || !m.every((b) => b === (back & 255))) throw new Error('changed on the way');
  if (++back < Number(count)) return send();
  console.log(back);
  socket.close();
});
send();
`;

/** Answers every UDP packet: exchanging addresses and ports leaves the checksums right. */
function echo(link: TunLink, port: RecordingPort): void {
  port.onWake = () => {
    link.receive(64);
    for (const packet of port.packets.splice(0)) {
      const bare = link.vnetHeader ? packet.subarray(12) : packet;
      const version6 = (bare[0] ?? 0) >> 4 === 6;
      const [source, length, header] = version6 ? [8, 16, 40] : [12, 4, 20];
      if (bare[version6 ? 6 : 9] !== 17) continue;
      exchange(bare, source, length);
      exchange(bare, header, 2);
      expect(link.send(outgoing(packet, link.vnetHeader ? 12 + header : header, packet.length - 1))).toBe(true);
    }
  };
}

function exchange(bytes: Uint8Array, offset: number, length: number): void {
  const first = bytes.slice(offset, offset + length);
  bytes.copyWithin(offset, offset + length, offset + 2 * length);
  bytes.set(first, offset + length);
}

async function output(child: ChildProcess): Promise<string> {
  let text = '';
  child.stdout?.on('data', (chunk) => {
    text += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    text += chunk;
  });
  await once(child, 'close');
  return text.trim();
}

function echoClient(inside: NetworkNamespace, address: string, count: number, size: number): ChildProcess {
  const script = ['--input-type=module', '-e', ECHO_CLIENT, address, String(count), String(size)];
  const child = spawn('ip', inside.inside(process.execPath, ...script), { stdio: ['ignore', 'pipe', 'pipe'] });
  closing.push(() => child.exitCode ?? child.kill());
  return child;
}

describe('a TUN device', () => {
  it.for([
    ['IPv4', '10.77.1.1/24', '10.77.1.2', false],
    ['IPv6', 'fd77:1::1/64', 'fd77:1::2', false],
    ['IPv4 with offload', '10.77.1.1/24', '10.77.1.2', true],
    ['IPv6 with offload', 'fd77:1::1/64', 'fd77:1::2', true],
  ] as const)('carries packets both ways: %s', async ([_name, kernel, ours, offload], context) => {
    needsTun(context);
    const inside = await namespace();
    const link = tun({ name: 'path0', netns: inside.name, addresses: [kernel], offload });
    const port = new RecordingPort();
    link.attach(port);
    echo(link, port);
    expect(await output(echoClient(inside, ours, 500, 1400))).toBe('500');
    expect(port.errors).toEqual([]);
  });

  it('reads no more packets than its budget', async (context) => {
    needsTun(context);
    const inside = await namespace();
    // Else the kernel sends packets of its own when it likes.
    await inside.sysctl('net.ipv6.conf.default.disable_ipv6', 1);
    const link = tun({ name: 'path0', netns: inside.name, addresses: ['10.77.1.1/24'] });
    const port = new RecordingPort();
    link.attach(port);
    while (link.receive(64) > 0);
    port.packets.length = 0;
    const script =
      "import dgram from 'node:dgram'; const s = dgram.createSocket('udp4'); let n = 0; for (let i = 0; i < 5; i++) s.send('x', 9, '10.77.1.2', () => ++n === 5 && s.close());";
    await inside.exec(process.execPath, '--input-type=module', '-e', script);
    expect([link.receive(3), link.receive(3), link.receive(3)]).toEqual([3, 2, 0]);
    expect(port.packets.map((packet) => packet.length)).toEqual([29, 29, 29, 29, 29]);
  });

  it('sleeps while nothing comes', async (context) => {
    needsTun(context);
    const inside = await namespace();
    const link = tun({ name: 'path0', netns: inside.name, addresses: ['10.77.1.1/24'] });
    const port = new RecordingPort();
    port.onWake = () => link.receive(64);
    link.attach(port);
    await sleep(200);
    const before = process.cpuUsage();
    await sleep(500);
    const { user, system } = process.cpuUsage(before);
    expect(user + system).toBeLessThan(100_000);
  });

  it('comes back to the namespace of the process, and is gone when it is closed', async (context) => {
    needsTun(context);
    const home = readlinkSync('/proc/thread-self/ns/net');
    const inside = await namespace();
    const link = openTun({
      name: 'path%d',
      netns: inside.name,
      mtu: 9000,
      addresses: ['10.77.1.1/24', 'fd77:1::1/64'],
    });
    expect(readlinkSync('/proc/thread-self/ns/net')).toBe(home);
    expect(link).toMatchObject({ name: 'path0', mtu: 9000, netns: inside.name });
    const shown = await inside.ip('-o', 'addr', 'show', 'dev', 'path0');
    expect(shown).toMatch(/inet 10\.77\.1\.1\/24/);
    expect(shown).toMatch(/inet6 fd77:1::1\/64/);
    expect(await inside.ip('-o', 'link', 'show', 'path0')).toMatch(/UP.* mtu 9000/);
    link.close();
    link.close();
    await expect(inside.ip('link', 'show', 'path0')).rejects.toThrow(/does not exist/);
    expect(link.send(outgoing(new Uint8Array(20)))).toBe(false);
  });

  it('belongs to one stack only', async (context) => {
    needsTun(context);
    const inside = await namespace();
    const link = tun({ name: 'path0', netns: inside.name });
    link.attach(new RecordingPort());
    expect(() => link.attach(new RecordingPort())).toThrow(/already belongs to a stack/);
  });

  it('counts what the kernel refuses while the interface is down', async (context) => {
    needsTun(context);
    const inside = await namespace();
    const link = tun({ name: 'path0', netns: inside.name });
    link.attach(new RecordingPort());
    await inside.ip('link', 'set', 'path0', 'down');
    expect(link.send(outgoing(new Uint8Array(40).fill(0x45, 0, 1)))).toBe(false);
    expect(link.refused).toBe(1);
  });

  it('tells its stack when the device is removed', async (context) => {
    needsTun(context);
    const inside = await namespace();
    const link = tun({ name: 'path0', netns: inside.name });
    const port = new RecordingPort();
    port.onWake = () => link.receive(64);
    link.attach(port);
    await inside.ip('link', 'delete', 'path0');
    for (let turn = 0; turn < 100 && port.errors.length === 0; turn++) await sleep(10);
    expect(port.errors).toHaveLength(1);
    expect(port.errors[0]?.message).toMatch(/TUN link path0: .*removed while in use/);
  });
});

describe('a TUN device of several queues', () => {
  const first = { name: 'path0', addresses: ['10.77.1.1/24'], queue: 'first' } as const;

  it('spreads flows over its queues and lives until the last is closed', async (context) => {
    needsTun(context);
    const netns = (await namespace()).name;
    const inside = NetworkNamespace.existing(netns);
    const links = [tun({ ...first, netns }), tun({ ...first, netns, queue: 'further' })];
    const ports = links.map((link) => {
      const port = new RecordingPort();
      link.attach(port);
      return port;
    });
    const script =
      "import dgram from 'node:dgram'; for (let i = 0; i < 40; i++) { const s = dgram.createSocket('udp4'); s.send('x', 9, '10.77.1.2', () => s.close()); }";
    await inside.exec(process.execPath, '--input-type=module', '-e', script);
    for (const link of links) while (link.receive(64) > 0);
    const counts = ports.map((port) => port.packets.filter((packet) => packet[9] === 17).length);
    expect([counts.reduce((sum, each) => sum + each, 0), Math.min(...counts) > 0]).toEqual([40, true]);
    links[0]?.close();
    expect(await inside.ip('-o', 'addr', 'show', 'dev', 'path0')).toMatch(/10\.77\.1\.1\/24/);
    links[1]?.close();
    await expect(inside.ip('link', 'show', 'path0')).rejects.toThrow(/does not exist/);
  });

  it('is made once, and has further queues only when it is there', async (context) => {
    needsTun(context);
    const netns = (await namespace()).name;
    const refusal = (options: Parameters<typeof openTun>[0]): unknown => {
      try {
        return openTun({ ...options, netns }).close();
      } catch (error) {
        return error;
      }
    };
    expect(refusal({ ...first, queue: 'further' })).toMatchObject({ code: 'ENODEV', syscall: 'if_nametoindex' });
    tun({ ...first, netns });
    expect(refusal(first)).toMatchObject({ code: 'EBUSY', syscall: 'ioctl TUNSETIFF' });
    expect(refusal({ name: 'path0' })).toMatchObject({ code: 'EINVAL', syscall: 'ioctl TUNSETIFF' });
    expect(refusal({ ...first, name: 'path%d' })).toMatchObject({ code: 'EINVAL', syscall: undefined });
  });
});

describe('the kernel refuses', () => {
  function failure(options: Parameters<typeof openTun>[0]): TunError {
    const home = readlinkSync('/proc/thread-self/ns/net');
    try {
      openTun(options).close();
    } catch (error) {
      expect(readlinkSync('/proc/thread-self/ns/net')).toBe(home);
      if (error instanceof TunError) return error;
      throw error;
    }
    throw new Error('openTun was expected to fail');
  }

  it('a name in use', async (context) => {
    needsTun(context);
    const inside = await namespace();
    tun({ name: 'path0', netns: inside.name });
    const error = failure({ name: 'path0', netns: inside.name });
    expect(error).toMatchObject({ code: 'EBUSY', syscall: 'ioctl TUNSETIFF' });
    expect(error.message).toMatch(/path0 in network namespace .*in use/);
  });

  it('a name of a device of another kind', async (context) => {
    needsTun(context);
    const inside = await namespace();
    expect(failure({ name: 'lo', netns: inside.name })).toMatchObject({ code: 'EINVAL' });
  });

  it('a namespace that is not there', (context) => {
    needsTun(context);
    const error = failure({ name: 'path0', netns: 'mptcp-test-missing' });
    expect(error.code).toBe('ENOENT');
    expect(error.message).toMatch(/ip netns add mptcp-test-missing/);
  });

  it('the same address twice', async (context) => {
    needsTun(context);
    const inside = await namespace();
    const error = failure({ name: 'path0', netns: inside.name, addresses: ['10.77.1.1/24', '10.77.1.1/24'] });
    expect(error.code).toBe('EEXIST');
    expect(error.message).toMatch(/add address 10\.77\.1\.1\/24: the interface has it already/);
  });
});
