/**
 * Network namespaces and the routes two paths need, by the `ip` program of iproute2. TUN devices themselves are made by
 * `link/tun.ts`.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A failed `ip` or other command, with what it said. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  constructor(
    readonly command: string,
    readonly stderr: string,
    /** Exit code of the program, or `ENOENT` when it is not installed. */
    readonly code: string | number | undefined,
    cause: unknown,
  ) {
    const missing =
      code === 'ENOENT' ? 'the program is not installed' : stderr.trim() || `exit code ${code ?? 'unknown'}`;
    super(`"${command}" failed: ${missing}`, { cause });
  }
}

/**
 * Runs a program to its end.
 * @returns what it wrote to standard output.
 * @throws {CommandError} when it is not there or its exit code is not 0.
 */
export async function command(program: string, ...args: string[]): Promise<string> {
  try {
    const { stdout } = await run(program, args, { maxBuffer: 1 << 26 });
    return stdout;
  } catch (error) {
    const { stderr, code } = error as { stderr?: string; code?: string | number };
    throw new CommandError([program, ...args].join(' '), stderr ?? '', code, error);
  }
}

/** One network namespace, named as `ip netns` lists it. */
export class NetworkNamespace {
  private constructor(readonly name: string) {}

  /**
   * Makes a namespace with its loopback up and its reverse-path filter loose, so that the kernel takes packets of
   * every path whichever route leads back (RFC 3704 section 2.4).
   * @throws {CommandError} without CAP_SYS_ADMIN or when the name is taken.
   */
  static async create(name: string): Promise<NetworkNamespace> {
    await command('ip', 'netns', 'add', name);
    const namespace = new NetworkNamespace(name);
    try {
      await namespace.ip('link', 'set', 'lo', 'up');
      await namespace.sysctl('net.ipv4.conf.all.rp_filter', 2);
      await namespace.sysctl('net.ipv4.conf.default.rp_filter', 2);
      return namespace;
    } catch (error) {
      await namespace.remove();
      throw error;
    }
  }

  /** A namespace that someone else made. */
  static existing(name: string): NetworkNamespace {
    return new NetworkNamespace(name);
  }

  /** `ip -n NAME ...`. */
  ip(...args: string[]): Promise<string> {
    return command('ip', '-n', this.name, ...args);
  }

  /** Sets a kernel parameter of the namespace, named as sysctl(8) does. */
  async sysctl(key: string, value: string | number): Promise<void> {
    const path = `/proc/sys/${key.replaceAll('.', '/')}`;
    await this.exec('sh', '-c', 'printf %s "$2" > "$1"', 'sh', path, String(value));
  }

  /** Runs a program inside and gives its standard output. */
  exec(program: string, ...args: string[]): Promise<string> {
    return command('ip', ...this.inside(program, ...args));
  }

  /** The arguments of `ip` that run a program inside, for `child_process.spawn`. */
  inside(program: string, ...args: string[]): string[] {
    return ['netns', 'exec', this.name, program, ...args];
  }

  /**
   * Sends what the kernel sends from `address` by `device`, whatever its destination: without such a rule a second
   * subflow to the same server would leave by the first path.
   */
  async routeBySource(address: string, device: string, table: number): Promise<void> {
    const family = address.includes(':') ? '-6' : '-4';
    await this.ip(family, 'rule', 'add', 'from', address, 'table', String(table));
    await this.ip(family, 'route', 'add', 'default', 'dev', device, 'table', String(table));
  }

  /** Removes the namespace with all that is in it. Programs still inside keep it alive, without a name. */
  async remove(): Promise<void> {
    await command('ip', 'netns', 'delete', this.name);
  }
}
