import { constants } from 'node:fs';
import { constants as osConstants } from 'node:os';
import type { Link, LinkPort, OutgoingPacket } from './link.js';
import {
  IFF_MULTI_QUEUE,
  IFF_NO_PI,
  IFF_TUN,
  IFF_TUN_EXCL,
  IFF_VNET_HDR,
  linuxSystem,
  type ReadablePoll,
  SystemCallError,
  TUN_F_CSUM,
  TUN_F_TSO4,
  TUN_F_TSO6,
  type TunSystem,
} from './tun-libc.js';
import { acknowledgedError, addAddressRequest, linkUpRequest, parseInterfaceAddress } from './tun-netlink.js';

const TUN_DEVICE = '/dev/net/tun';
const NAMESPACE_DIRECTORY = '/run/netns';
/** IFNAMSIZ of `<net/if.h>`, less the zero byte. */
const NAME_BYTES_MAX = 15;
const MTU_DEFAULT = 1500;
const MTU_MIN = 576;
const MTU_MIN_IPV6 = 1280;
const MTU_MAX = 65535;
const VNET_HEADER_BYTES = 12;
const O_CLOEXEC = 0o2000000;
const { EAGAIN, EINTR } = osConstants.errno;
/** "File descriptor in bad state": what a TUN descriptor answers once its device is gone. */
const EBADFD = 77;

/** How to open a TUN device. */
export interface TunOptions {
  /** Name of the interface, 1 to 15 bytes; a `%d` in it is replaced by the first free number. */
  name: string;
  /** Largest IP packet, bytes, 576 (1,280 with an IPv6 address) to 65,535, default 1,500. */
  mtu?: number;
  /**
   * Addresses of the kernel's end, `ADDRESS/PREFIX`. The stack's end has others out of the same prefixes, given to
   * `Stack.addLink`.
   */
  addresses?: readonly string[];
  /** Name of the network namespace the device is made in, as `ip netns` lists it; default is that of this process. */
  netns?: string;
  /**
   * Leaves checksums and the cutting of large TCP segments to the kernel, in both directions: fewer and larger
   * packets cross the border. Default false.
   */
  offload?: boolean;
  /**
   * For a device of several queues, over which the kernel spreads flows: `first` makes the device, `further` opens one
   * more queue of a device made so, which has its addresses and mtu already. All queues need the same `offload`. The
   * device lives until its last queue is closed. Default: a device of one queue.
   */
  queue?: 'first' | 'further';
}

/** Why a TUN device could not be opened or failed. */
export class TunError extends Error {
  override readonly name = 'TunError';
  constructor(
    message: string,
    /** Symbolic error, such as `EPERM`; `EINVAL` for options out of range. */
    readonly code: string,
    /** The system call that failed, if one did. */
    readonly syscall?: string,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
  }
}

/**
 * Makes a TUN device, gives the kernel's end its addresses and brings it up. It lives until the link is closed.
 * @throws {TunError} saying what is missing: Linux, a privilege, the device file, a free name, a good option.
 */
export function openTun(options: TunOptions, system?: TunSystem): TunLink {
  const { name, mtu = MTU_DEFAULT, addresses = [], netns, offload = false, queue } = options;
  const platform = system?.platform ?? process.platform;
  if (platform !== 'linux') {
    throw new TunError(
      `TUN link ${name}: TUN devices need Linux and this is ${platform}; use another link here, such as a pipe or the simulator`,
      'ENOSYS',
    );
  }
  checkName(name);
  if (queue !== undefined && name.includes('%')) {
    throw new TunError(
      `TUN link ${name}: a device of several queues needs a name without "%d" to find it by`,
      'EINVAL',
    );
  }
  if (netns !== undefined) checkNamespaceName(name, netns);
  const calls = system ?? linuxSystem();
  const parsed = addresses.map((address) => {
    try {
      return { text: address, address: parseInterfaceAddress(address, calls.addressBytes) };
    } catch (error) {
      throw new TunError(`TUN link ${name}: ${messageOf(error)}`, 'EINVAL', undefined, error);
    }
  });
  const mtuMin = addresses.some((address) => address.includes(':')) ? MTU_MIN_IPV6 : MTU_MIN;
  if (!Number.isInteger(mtu) || mtu < mtuMin || mtu > MTU_MAX) {
    throw new TunError(`TUN link ${name}: mtu ${mtu} is not a whole number of ${mtuMin} to ${MTU_MAX} bytes`, 'EINVAL');
  }
  return inNamespace(calls, name, netns, () => {
    const descriptor = openDevice(calls, name);
    try {
      const flags = IFF_TUN | IFF_NO_PI | (offload ? IFF_VNET_HDR : 0) | queueFlags(queue);
      // TUNSETIFF would make the device that it does not find.
      if (queue === 'further') explained(name, netns, () => calls.interfaceIndex(name));
      const given = explained(name, netns, () => calls.createDevice(descriptor, name, flags));
      if (offload) {
        explained(name, netns, () => {
          calls.setVnetHeaderSize(descriptor, VNET_HEADER_BYTES);
          calls.setOffload(descriptor, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6);
        });
      }
      if (queue !== 'further') {
        const index = explained(name, netns, () => calls.interfaceIndex(given));
        request(calls, given, `set mtu ${mtu} and bring it up`, linkUpRequest(index, mtu));
        for (const { text, address } of parsed) {
          request(calls, given, `add address ${text}`, addAddressRequest(index, address));
        }
      }
      return new TunLink(calls, descriptor, given, mtu, offload, netns);
    } catch (error) {
      calls.close(descriptor);
      throw error;
    }
  });
}

/** One TUN device, or a queue of one: whole IP packets, read straight into the memory of the core. Made by {@link openTun}. */
export class TunLink implements Link {
  readonly vnetHeader: boolean;
  readonly checksumOffload: boolean;
  readonly segmentationOffload: boolean;
  /** Packets the kernel refused to take, such as while the interface was down. */
  refused = 0;

  readonly #system: TunSystem;
  readonly #descriptor: number;
  #port: LinkPort | undefined;
  #poll: ReadablePoll | undefined;
  #open = true;

  constructor(
    system: TunSystem,
    descriptor: number,
    readonly name: string,
    readonly mtu: number,
    offload: boolean,
    /** Network namespace of the device; undefined for that of the process. */
    readonly netns: string | undefined,
  ) {
    this.#system = system;
    this.#descriptor = descriptor;
    this.vnetHeader = offload;
    this.checksumOffload = offload;
    this.segmentationOffload = offload;
  }

  attach(port: LinkPort): void {
    if (this.#port !== undefined) {
      throw new TunError(`TUN link ${this.name} already belongs to a stack; open a device for each stack`, 'EALREADY');
    }
    const [slot] = port.slots;
    if (slot !== undefined) port.memoryBase(this.#system.addressOf(slot) - BigInt(slot.byteOffset));
    this.#port = port;
    this.#poll = this.#system.pollReadable(this.#descriptor, () => port.wake());
  }

  receive(budget: number): number {
    const slot = this.#port?.slots[0];
    if (slot === undefined || this.#port === undefined) return 0;
    let count = 0;
    while (this.#open && count < budget) {
      const length = this.#system.read(this.#descriptor, slot);
      if (length < 0) {
        if (-length === EAGAIN) break;
        if (-length !== EINTR) this.#fail('read', -length);
        continue;
      }
      count++;
      this.#port.ingest(0, length);
    }
    return count;
  }

  send(packet: OutgoingPacket): boolean {
    if (!this.#open) return false;
    for (;;) {
      const written =
        packet.pieces === 1
          ? this.#system.write(this.#descriptor, packet.piece(0), packet.length)
          : this.#system.writev(this.#descriptor, packet.iovecs, packet.pieces);
      if (written === packet.length) return true;
      if (-written === EINTR) continue;
      this.refused++;
      if (-written === EBADFD) this.#fail('write', EBADFD);
      return false;
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#poll?.close();
    this.#system.close(this.#descriptor);
  }

  #fail(call: string, errno: number): void {
    const cause = new SystemCallError(call, errno);
    this.close();
    this.#port?.fail(
      new TunError(
        `TUN link ${this.name}: ${cause.message}; the interface was removed while in use: open the link again`,
        cause.code,
        call,
        cause,
      ),
    );
  }
}

function checkName(name: string): void {
  const bytes = Buffer.byteLength(name);
  if (bytes < 1 || bytes > NAME_BYTES_MAX) {
    throw new TunError(
      `TUN link "${name}": an interface name has 1 to ${NAME_BYTES_MAX} bytes and this has ${bytes}`,
      'EINVAL',
    );
  }
  if (name === '.' || name === '..' || /[\s/:\0]|%(?!d)|%.*%/u.test(name)) {
    throw new TunError(
      `TUN link "${name}": an interface name has no blank, "/", ":" or zero byte, is not "." or "..", and has "%" only in one "%d"`,
      'EINVAL',
    );
  }
}

function queueFlags(queue: TunOptions['queue']): number {
  if (queue === undefined) return 0;
  return queue === 'first' ? IFF_MULTI_QUEUE | IFF_TUN_EXCL : IFF_MULTI_QUEUE;
}

function checkNamespaceName(link: string, netns: string): void {
  if (netns === '' || netns === '.' || netns === '..' || /[/\0]/.test(netns)) {
    throw new TunError(`TUN link ${link}: "${netns}" is no network namespace name; see "ip netns list"`, 'EINVAL');
  }
}

function openDevice(system: TunSystem, name: string): number {
  try {
    return system.open(TUN_DEVICE, constants.O_RDWR | constants.O_NONBLOCK | O_CLOEXEC);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENODEV' || code === 'ENXIO') {
      throw new TunError(
        `TUN link ${name}: there is no ${TUN_DEVICE}; load the driver with "modprobe tun", or start the container with "--device ${TUN_DEVICE}"`,
        code,
        'open',
        error,
      );
    }
    if (code === 'EACCES' || code === 'EPERM') {
      throw new TunError(
        `TUN link ${name}: ${TUN_DEVICE} may not be opened by this user; run as root, or let the user read and write it`,
        code,
        'open',
        error,
      );
    }
    throw new TunError(
      `TUN link ${name}: cannot open ${TUN_DEVICE}: ${messageOf(error)}`,
      code ?? 'EIO',
      'open',
      error,
    );
  }
}

/** Turns the errors of the TUN driver into words that help. */
function explained<T>(name: string, netns: string | undefined, call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (!(error instanceof SystemCallError)) throw error;
    const where = netns === undefined ? '' : ` in network namespace ${netns}`;
    const reasons: Record<string, string> = {
      EPERM: 'the capability CAP_NET_ADMIN is missing; run as root, or grant it with "setcap cap_net_admin+ep" to node',
      EBUSY: 'the name is in use by another program; close it or choose another name',
      EINVAL:
        'the name belongs to what is no TUN device, or to one opened with another number of queues; choose another name',
      ENODEV: 'there is no such device to open one more queue of; open its first queue first',
      E2BIG: 'the device has all the queues the kernel allows; use fewer',
      ENFILE: 'every number for "%d" is in use; remove a device or choose another name',
    };
    const reason = reasons[error.code] ?? 'unexpected';
    throw new TunError(`TUN link ${name}${where}: ${reason} (${error.message})`, error.code, error.call, error);
  }
}

function request(system: TunSystem, name: string, what: string, message: Uint8Array): void {
  const errno = acknowledgedError(system.netlink(message));
  if (errno === 0) return;
  const cause = new SystemCallError('rtnetlink', errno);
  const hint = cause.code === 'EEXIST' ? 'the interface has it already' : cause.message;
  throw new TunError(`TUN link ${name}: cannot ${what}: ${hint}`, cause.code, 'rtnetlink', cause);
}

/**
 * Runs `action` with this thread in another network namespace, then comes back. What `action` opens stays in that
 * namespace; it must not wait, for other work of this thread would run there too.
 */
function inNamespace<T>(system: TunSystem, name: string, netns: string | undefined, action: () => T): T {
  if (netns === undefined) return action();
  const flags = constants.O_RDONLY | O_CLOEXEC;
  const home = system.open('/proc/thread-self/ns/net', flags);
  try {
    const target = openNamespace(system, name, netns, flags);
    try {
      try {
        system.enterNamespace(target);
      } catch (error) {
        throw new TunError(
          `TUN link ${name}: cannot enter network namespace ${netns}: the capability CAP_SYS_ADMIN is missing or the file is no namespace (${messageOf(error)})`,
          codeOf(error) ?? 'EPERM',
          'setns',
          error,
        );
      }
      try {
        return action();
      } finally {
        system.enterNamespace(home);
      }
    } finally {
      system.close(target);
    }
  } finally {
    system.close(home);
  }
}

function openNamespace(system: TunSystem, name: string, netns: string, flags: number): number {
  const path = `${NAMESPACE_DIRECTORY}/${netns}`;
  try {
    return system.open(path, flags);
  } catch (error) {
    const code = codeOf(error) ?? 'EIO';
    const hint = code === 'ENOENT' ? `make it with "ip netns add ${netns}"` : messageOf(error);
    throw new TunError(
      `TUN link ${name}: cannot open network namespace ${netns} (${path}): ${hint}`,
      code,
      'open',
      error,
    );
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
