import { closeSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import { endianness } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import { AF_INET6 } from './tun-netlink.js';

/** Flags and request numbers of `<linux/if_tun.h>` and `<sched.h>`, the same on every architecture Node runs on. */
export const IFF_TUN = 0x0001;
export const IFF_MULTI_QUEUE = 0x0100;
export const IFF_NO_PI = 0x1000;
export const IFF_VNET_HDR = 0x4000;
export const IFF_TUN_EXCL = 0x8000;
export const TUN_F_CSUM = 0x01;
export const TUN_F_TSO4 = 0x02;
export const TUN_F_TSO6 = 0x04;
const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_ROUTE = 0;
const NETLINK_REPLY_BYTES = 8192;
const CLONE_NEWNET = 0x40000000;

/** `struct ifreq` is 40 bytes on 64-bit and 32 bytes on 32-bit hosts; the larger does for both. */
const IFREQ_BYTES = 40;
const IFREQ_NAME_BYTES = 16;

/**
 * `_IOW('T', number, int)`. MIPS, PowerPC and SPARC number the direction bits otherwise, but koffi has no build for
 * those of them that Node supports.
 */
const iow = (number: number) => 0x40000000 | (4 << 16) | (0x54 << 8) | number;
const TUNSETIFF = iow(202);
const TUNSETOFFLOAD = iow(208);
const TUNSETVNETHDRSZ = iow(216);

/** A failed system call: `call` says which, `errno` why (positive). */
export class SystemCallError extends Error {
  override readonly name = 'SystemCallError';
  /** Symbolic error, such as `EBUSY`. */
  readonly code: string;
  constructor(
    readonly call: string,
    readonly errno: number,
  ) {
    const [code, text] = getSystemErrorMap().get(-errno) ?? [`errno ${errno}`, 'unknown error'];
    super(`${call}: ${code}: ${text}`);
    this.code = code;
  }
}

/** Sleeps until a descriptor is readable; holds no thread. */
export interface ReadablePoll {
  close(): void;
}

/** The few system calls a TUN link needs; a test can give its own. Failures throw with a `code` unless said otherwise. */
export interface TunSystem {
  readonly platform: string;
  /** Opens a file; `flags` are those of `fs.constants`. */
  open(path: string, flags: number): number;
  close(descriptor: number): void;
  /** TUNSETIFF: makes the descriptor a queue of a new or known device; returns the name the kernel chose. */
  createDevice(descriptor: number, name: string, flags: number): string;
  setVnetHeaderSize(descriptor: number, bytes: number): void;
  setOffload(descriptor: number, flags: number): void;
  /** Index of the interface in the namespace of this thread. */
  interfaceIndex(name: string): number;
  /** Sends one request to rtnetlink in the namespace of this thread and gives the kernel's reply. */
  netlink(request: Uint8Array): Uint8Array;
  /** inet_pton(3): the bytes of an IP address in network order. */
  addressBytes(family: number, address: string): Uint8Array;
  /** Moves this thread into the network namespace open as `descriptor`. */
  enterNamespace(descriptor: number): void;
  /** Bytes read or, on failure, the negative errno. Does not throw: it runs once a packet. */
  read(descriptor: number, target: Uint8Array): number;
  /** Bytes written or, on failure, the negative errno. */
  write(descriptor: number, source: Uint8Array, length: number): number;
  /** The same for `count` pieces, whose `struct iovec`s are `vectors`. */
  writev(descriptor: number, vectors: Uint8Array, count: number): number;
  /** The address of bytes in this process. */
  addressOf(bytes: Uint8Array): bigint;
  pollReadable(descriptor: number, readable: () => void): ReadablePoll;
}

type Koffi = typeof import('koffi')['default'];

let loaded: TunSystem | undefined;

/**
 * The system calls of this machine.
 * @throws {Error} when koffi has no build for this platform.
 */
export function linuxSystem(): TunSystem {
  loaded ??= load();
  return loaded;
}

function load(): TunSystem {
  // Loaded on first use, so that programs without TUN links run where koffi has no build.
  const koffi = createRequire(import.meta.url)('koffi') as Koffi;
  const libc = koffi.load(null);
  const ioctlPointer = libc.func('ioctl', 'int', ['int', 'ulong', 'void *']);
  const ioctlNumber = libc.func('ioctl', 'int', ['int', 'ulong', 'ulong']);
  const setns = libc.func('setns', 'int', ['int', 'int']);
  const read = libc.func('read', 'intptr_t', ['int', 'void *', 'size_t']);
  const write = libc.func('write', 'intptr_t', ['int', 'void *', 'size_t']);
  const writev = libc.func('writev', 'intptr_t', ['int', 'void *', 'int']);
  const ifNameToIndex = libc.func('if_nametoindex', 'uint', ['str']);
  const inetPton = libc.func('inet_pton', 'int', ['int', 'str', 'void *']);
  const socket = libc.func('socket', 'int', ['int', 'int', 'int']);
  const close = libc.func('close', 'int', ['int']);
  const check = (call: string, result: number) => {
    if (result < 0) throw new SystemCallError(call, koffi.errno());
  };
  return {
    platform: process.platform,
    open: (path, flags) => openSync(path, flags),
    close: (descriptor) => closeSync(descriptor),
    createDevice(descriptor, name, flags) {
      const request = Buffer.alloc(IFREQ_BYTES);
      request.write(name, 0, IFREQ_NAME_BYTES - 1, 'utf8');
      if (endianness() === 'LE') request.writeUInt16LE(flags, IFREQ_NAME_BYTES);
      else request.writeUInt16BE(flags, IFREQ_NAME_BYTES);
      check('ioctl TUNSETIFF', ioctlPointer(descriptor, TUNSETIFF, request));
      return request.toString('utf8', 0, request.indexOf(0));
    },
    setVnetHeaderSize(descriptor, bytes) {
      const value = new Int32Array([bytes]);
      check('ioctl TUNSETVNETHDRSZ', ioctlPointer(descriptor, TUNSETVNETHDRSZ, value));
    },
    setOffload: (descriptor, flags) => check('ioctl TUNSETOFFLOAD', ioctlNumber(descriptor, TUNSETOFFLOAD, flags)),
    interfaceIndex(name) {
      const index: number = ifNameToIndex(name);
      if (index === 0) throw new SystemCallError('if_nametoindex', koffi.errno());
      return index;
    },
    netlink(request) {
      const descriptor: number = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
      check('socket AF_NETLINK', descriptor);
      try {
        check('write to rtnetlink', write(descriptor, request, request.length));
        const reply = new Uint8Array(NETLINK_REPLY_BYTES);
        const length: number = read(descriptor, reply, reply.length);
        check('read from rtnetlink', length);
        return reply.subarray(0, length);
      } finally {
        // Not by closeSync(): a worker thread warns of descriptors that node:fs did not open.
        close(descriptor);
      }
    },
    addressBytes(family, address) {
      const bytes = new Uint8Array(family === AF_INET6 ? 16 : 4);
      if (inetPton(family, address, bytes) !== 1) throw new RangeError(`"${address}" is no IP address`);
      return bytes;
    },
    enterNamespace: (descriptor) => check('setns', setns(descriptor, CLONE_NEWNET)),
    read(descriptor, target) {
      const length: number = read(descriptor, target, target.length);
      return length < 0 ? -koffi.errno() : length;
    },
    write(descriptor, source, length) {
      const written: number = write(descriptor, source, length);
      return written < 0 ? -koffi.errno() : written;
    },
    writev(descriptor, vectors, count) {
      const written: number = writev(descriptor, vectors, count);
      return written < 0 ? -koffi.errno() : written;
    },
    addressOf: (bytes) => BigInt(koffi.address(bytes)),
    // koffi calls back outside of any Node callback scope, where promises and ticks would not run: setImmediate
    // brings the caller back into one within the same turn of the loop.
    pollReadable: (descriptor, readable) => {
      let waiting = false;
      let closed = false;
      const handle = koffi.node.poll(descriptor, { readable: true }, () => {
        if (waiting) return;
        waiting = true;
        setImmediate(() => {
          waiting = false;
          if (!closed) readable();
        });
      });
      handle.unref();
      return {
        close() {
          closed = true;
          handle.close();
        },
      };
    },
  };
}
