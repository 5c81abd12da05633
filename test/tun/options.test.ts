import { describe, expect, it } from 'vitest';
import { openTun, TunError, type TunOptions } from '../../host/link/tun.js';
import { linuxSystem, SystemCallError, type TunSystem } from '../../host/link/tun-libc.js';

/** Numbers of <asm-generic/errno-base.h>. */
const EPERM = 1;
const EBUSY = 16;
const EINVAL = 22;

function failure(options: Partial<TunOptions>, system: Partial<TunSystem> = {}): TunError {
  const closed: number[] = [];
  const opened: number[] = [];
  const fake: TunSystem = {
    platform: 'linux',
    open() {
      opened.push(opened.length + 100);
      return opened.length + 99;
    },
    close: (descriptor) => void closed.push(descriptor),
    createDevice: (_descriptor, name) => name,
    setVnetHeaderSize: () => undefined,
    setOffload: () => undefined,
    interfaceIndex: () => 1,
    netlink: () => acknowledgement(0),
    addressBytes: (_family, address) => new Uint8Array(address.includes(':') ? 16 : 4),
    enterNamespace: () => undefined,
    read: () => 0,
    write: () => 0,
    writev: () => 0,
    addressOf: () => 0n,
    pollReadable: () => ({ close: () => undefined }),
    ...system,
  };
  try {
    openTun({ name: 'path0', ...options }, fake);
  } catch (error) {
    if (!(error instanceof TunError)) throw error;
    expect(closed.sort()).toEqual(opened);
    return error;
  }
  throw new Error('openTun was expected to fail');
}

function acknowledgement(error: number): Uint8Array {
  const reply = new Uint8Array(36);
  new Uint16Array(reply.buffer, 4, 1)[0] = 2;
  new Int32Array(reply.buffer, 16, 1)[0] = -error;
  return reply;
}

function errorOf(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: open`), { code });
}

describe('openTun says what is missing', () => {
  it('on another operating system', () => {
    const error = failure({}, { platform: 'darwin' });
    expect(error).toMatchObject({ code: 'ENOSYS' });
    expect(error.message).toMatch(/need Linux and this is darwin/);
  });

  it.each(['ENOENT', 'ENODEV'])('without the device file (%s)', (code) => {
    const error = failure(
      {},
      {
        open: () => {
          throw errorOf(code);
        },
      },
    );
    expect(error).toMatchObject({ code, syscall: 'open' });
    expect(error.message).toMatch(/modprobe tun.*--device \/dev\/net\/tun/);
  });

  it('without permission on the device file', () => {
    const error = failure(
      {},
      {
        open: () => {
          throw errorOf('EACCES');
        },
      },
    );
    expect(error.code).toBe('EACCES');
    expect(error.message).toMatch(/run as root/);
  });

  it('without CAP_NET_ADMIN', () => {
    const error = failure(
      {},
      {
        createDevice: () => {
          throw new SystemCallError('ioctl TUNSETIFF', EPERM);
        },
      },
    );
    expect(error).toMatchObject({ code: 'EPERM', syscall: 'ioctl TUNSETIFF' });
    expect(error.message).toMatch(/CAP_NET_ADMIN/);
  });

  it('without CAP_SYS_ADMIN for a namespace', () => {
    const error = failure(
      { netns: 'lab' },
      {
        enterNamespace: () => {
          throw new SystemCallError('setns', EPERM);
        },
      },
    );
    expect(error.code).toBe('EPERM');
    expect(error.message).toMatch(/namespace lab.*CAP_SYS_ADMIN/);
  });

  it('for a name another program uses', () => {
    const error = failure(
      {},
      {
        createDevice: () => {
          throw new SystemCallError('ioctl TUNSETIFF', EBUSY);
        },
      },
    );
    expect(error.code).toBe('EBUSY');
    expect(error.message).toMatch(/in use by another program/);
  });

  it('for a name of a device of another kind', () => {
    const error = failure(
      {},
      {
        createDevice: () => {
          throw new SystemCallError('ioctl TUNSETIFF', EINVAL);
        },
      },
    );
    expect(error.message).toMatch(/no TUN device/);
  });

  it('when the kernel refuses an address', () => {
    let requests = 0;
    const error = failure(
      { addresses: ['10.0.1.1/24'] },
      { netlink: () => acknowledgement(requests++ === 0 ? 0 : EINVAL) },
    );
    expect(error).toMatchObject({ code: 'EINVAL', syscall: 'rtnetlink' });
    expect(error.message).toMatch(/cannot add address 10\.0\.1\.1\/24/);
  });
});

describe('openTun refuses bad options', () => {
  it.each([
    ['', /1 to 15 bytes and this has 0/],
    ['interface-name-x', /1 to 15 bytes and this has 16/],
    ['ééééééèè', /1 to 15 bytes and this has 16/],
    ['a/b', /has no blank/],
    ['a b', /has no blank/],
    ['a:1', /has no blank/],
    ['..', /is not "\." or "\.\."/],
    ['a%s', /only in one "%d"/],
    ['%d%d', /only in one "%d"/],
  ])('name %j', (name, message) => {
    const error = failure({ name });
    expect(error.code).toBe('EINVAL');
    expect(error.message).toMatch(message);
  });

  it.each([
    ['10.0.1/24', /no IP address/],
    ['10.0.1.1', /prefix length of 0 to 32/],
    ['10.0.1.1/33', /prefix length of 0 to 32/],
    ['10.0.1.1/', /prefix length/],
    ['10.0.1.1/24/8', /prefix length/],
    ['fd00::1/129', /prefix length of 0 to 128/],
    ['fe80::1%eth0/64', /no IP address/],
    ['path.example/24', /no IP address/],
  ])('address %j', (address, message) => {
    const error = failure({ addresses: [address] });
    expect(error.code).toBe('EINVAL');
    expect(error.message).toMatch(message);
  });

  it.each([
    [575, ['10.0.1.1/24']],
    [1279, ['10.0.1.1/24', 'fd00::1/64']],
    [65536, []],
    [1500.5, []],
    [Number.NaN, []],
  ])('mtu %d', (mtu, addresses) => {
    expect(failure({ mtu, addresses }).message).toMatch(/mtu .* is not a whole number of/);
  });

  it.each(['', '..', 'a/b'])('namespace %j', (netns) => {
    expect(failure({ netns }).message).toMatch(/no network namespace name/);
  });
});

it('loads the system calls of this machine', () => {
  expect(linuxSystem().addressBytes(2, '10.0.1.1')).toEqual(new Uint8Array([10, 0, 1, 1]));
});
