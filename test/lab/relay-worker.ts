/**
 * The thread of a relay: reads TUN devices, one in each namespace, and brings their packets to the other side by the
 * path that the port of the right side or the address of the left one names. It sleeps in ppoll(2), which wakes within some ten µs of the time
 * asked for; timers of the event loop know ms only.
 */
import { createRequire } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import { openTun } from '../../host/link/tun.js';
import { linuxSystem, type TunSystem } from '../../host/link/tun-libc.js';
import { runAhead } from './real-time.js';
import { CONTROL_STOP, MODES, type RelayPlan, type RelayReport } from './relay.js';
import { ipv4Addresses, RelayPath, tcpPorts, type Way } from './relay-path.js';
import { resetFor } from './relay-reset.js';

/** Packets read from one device before those of the other have their turn. */
const BATCH = 64;
/** The longest sleep, µs: orders of the main thread wait no longer. */
const SLEEP_MOST = 5000;
const POLLIN = 1;
/** Above that of the stack that is measured. */
const RELAY_PRIORITY = 20;
const PACKET_BYTES = 65536;

interface Device {
  readonly descriptor: number;
  readonly way: Way;
}

const plan = workerData as RelayPlan;
const system = linuxSystem();
const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')['default'];
const ppoll = koffi.load(null).func('ppoll', 'int', ['void *', 'ulong', 'void *', 'void *']);
const control = new Int32Array(plan.control);
const paths = plan.paths.map((shape) => new RelayPath(shape));
const buffer = new Uint8Array(PACKET_BYTES);
const left = plan.left.map(({ netns, address }) => open(netns, address, 'right'));
const right = open(plan.right.netns, plan.right.address, 'left');
const devices: readonly Device[] = [...left, right];
const pathOf = sorter();
const toRight = writer(right);
/** What writes to the left end of each path. */
const toLeft = paths.map((_, path) => writer(left['ends' in plan.sorted ? (plan.sorted.ends[path] ?? 0) : 0] ?? right));
let strangers = 0;

runAhead(RELAY_PRIORITY);
parentPort?.postMessage('ready');
run();
for (const { descriptor } of devices) system.close(descriptor);
parentPort?.postMessage({ paths: paths.map(({ statistics }) => statistics), strangers } satisfies RelayReport);

/** Makes a TUN device and keeps its descriptor, which this thread reads itself. */
function open(netns: string, address: string, way: Way): Device {
  let descriptor = -1;
  const watched: TunSystem = {
    ...system,
    createDevice(opened, name, flags) {
      descriptor = opened;
      return system.createDevice(opened, name, flags);
    },
  };
  openTun({ name: plan.device, netns, addresses: [address] }, watched);
  return { descriptor, way };
}

function run(): void {
  const polled = Buffer.alloc(devices.length * 8);
  const timeout = Buffer.alloc(16);
  for (const [index, { descriptor }] of devices.entries()) {
    polled.writeInt32LE(descriptor, index * 8);
    polled.writeInt16LE(POLLIN, index * 8 + 4);
  }
  while (Atomics.load(control, CONTROL_STOP) === 0) {
    for (const [index, path] of paths.entries()) {
      path.mode = MODES[Atomics.load(control, CONTROL_STOP + 1 + index)] ?? 'open';
    }
    let busy = false;
    for (const device of devices) busy = receive(device) || busy;
    const next = deliver();
    if (busy) continue;
    const sleep = Math.min(next - time(), SLEEP_MOST);
    if (sleep <= 0) continue;
    timeout.writeBigInt64LE(BigInt(Math.floor(sleep * 1000)), 8);
    ppoll(polled, devices.length, timeout, null);
  }
}

/** µs. */
function time(): number {
  return performance.now() * 1000;
}

/** True when there may be more than one batch. */
function receive({ descriptor, way }: Device): boolean {
  for (let count = 0; count < BATCH; count++) {
    const length = system.read(descriptor, buffer);
    if (length <= 0) return false;
    const packet = buffer.subarray(0, length);
    const path = paths[pathOf(packet, way)];
    if (path === undefined) strangers++;
    else if (path.mode === 'reset') answer(descriptor, packet);
    path?.take(way, packet, time());
  }
  return true;
}

/** Tells the sender of a packet that nobody knows its connection. */
function answer(descriptor: number, packet: Uint8Array): void {
  const reset = resetFor(packet);
  if (reset !== undefined) system.write(descriptor, reset, reset.length);
}

/** What finds the number of a packet's path; that of none is beyond all paths. */
function sorter(): (packet: Uint8Array, way: Way) => number {
  const { sorted } = plan;
  if ('ports' in sorted) {
    return (packet, way) => {
      const found = tcpPorts(packet);
      const port = way === 'right' ? found?.destination : found?.source;
      return port === undefined ? -1 : (sorted.ports[port - sorted.port] ?? -1);
    };
  }
  const known = new Map(sorted.addresses.map((address, path) => [ipv4Number(address), path]));
  return (packet, way) => {
    const found = ipv4Addresses(packet);
    const address = way === 'right' ? found?.source : found?.destination;
    return address === undefined ? -1 : (known.get(address) ?? -1);
  };
}

function ipv4Number(address: string): number {
  return address.split('.').reduce((number, part) => number * 256 + Number(part), 0);
}

/** Returns when the next packet is due, µs. */
function deliver(): number {
  let next = Number.POSITIVE_INFINITY;
  const now = time();
  for (const [index, path] of paths.entries()) {
    next = Math.min(next, path.deliver('right', now, toRight), path.deliver('left', now, toLeft[index] ?? toRight));
  }
  return next;
}

function writer({ descriptor }: Device): (bytes: Uint8Array) => void {
  return (bytes) => system.write(descriptor, bytes, bytes.length);
}
