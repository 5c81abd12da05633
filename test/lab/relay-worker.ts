/**
 * The thread of a relay: reads two TUN devices, one in each namespace, and brings their packets to the other side by
 * the path that the port of the right side names. It sleeps in ppoll(2), which wakes within some ten µs of the time
 * asked for; timers of the event loop know ms only.
 */
import { createRequire } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import { openTun } from '../../host/link/tun.js';
import { linuxSystem, type TunSystem } from '../../host/link/tun-libc.js';
import { runAhead } from './real-time.js';
import { CONTROL_STOP, type RelayPlan, type RelayReport } from './relay.js';
import { RelayPath, tcpPorts, type Way } from './relay-path.js';

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
const left = open(plan.left.netns, plan.left.address, 'right');
const right = open(plan.right.netns, plan.right.address, 'left');
const devices: readonly Device[] = [left, right];
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
  const polled = Buffer.alloc(16);
  const timeout = Buffer.alloc(16);
  for (const [index, { descriptor }] of devices.entries()) {
    polled.writeInt32LE(descriptor, index * 8);
    polled.writeInt16LE(POLLIN, index * 8 + 4);
  }
  while (Atomics.load(control, CONTROL_STOP) === 0) {
    for (const [index, path] of paths.entries()) path.cut = Atomics.load(control, CONTROL_STOP + 1 + index) !== 0;
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
    const ports = tcpPorts(packet);
    const port = way === 'right' ? ports?.destination : ports?.source;
    const path = port === undefined ? undefined : paths[plan.ports[port - plan.port] ?? -1];
    if (path === undefined) strangers++;
    else path.take(way, packet, time());
  }
  return true;
}

/** Returns when the next packet is due, µs. */
function deliver(): number {
  let next = Number.POSITIVE_INFINITY;
  const now = time();
  for (const path of paths) {
    next = Math.min(next, path.deliver('right', now, toRight), path.deliver('left', now, toLeft));
  }
  return next;
}

function toRight(bytes: Uint8Array): void {
  system.write(right.descriptor, bytes, bytes.length);
}

function toLeft(bytes: Uint8Array): void {
  system.write(left.descriptor, bytes, bytes.length);
}
