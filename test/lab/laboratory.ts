import { execFileSync } from 'node:child_process';
import { createWriteStream, existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { contentStream } from '../../host/cli/content.js';
import type { Config } from '../../host/config.js';
import { openTun, type TunLink } from '../../host/link/tun.js';
import { NetworkNamespace } from '../../host/netns.js';
import { Stack } from '../../host/node.js';
import { leftovers } from './leftovers.js';
import { Program } from './programs.js';
import { RelayLink } from './relay-link.js';

export type Family = 'ipv4' | 'ipv6';

/** One path: a TUN device between the kernel of the namespace and the stack. */
export interface Path {
  readonly device: string;
  /** Address of the kernel's end. */
  readonly kernel: string;
  /** Address of the stack's end. */
  readonly ours: string;
  readonly link: RelayLink;
  readonly tun: TunLink;
}

export interface LaboratoryOptions {
  /** Family of each path; two of IPv4 by default. */
  families?: readonly Family[];
  /** Kernel parameters of the namespace. */
  sysctl?: Readonly<Record<string, string | number>>;
  config?: Config;
  /** Rate of each path in each direction, bytes per second; as fast as it goes when left out. */
  rate?: number;
  offload?: boolean;
  /** Bytes of memory of the stack. */
  memory?: number;
}

const MEMORY = 256 << 20;
/** Longer than the TIME-WAIT of the laboratory's stacks and the last exchange of any connection, ms. */
const QUIET_MS = 10_000;
const POOLS = ['connections', 'subflows', 'maps', 'segments', 'ranges', 'receiveMaps', 'tables'] as const;
let count = 0;

/** A network namespace whose kernel and our stack share two paths, and nothing else. */
export class Laboratory {
  readonly #programs: Program[] = [];

  private constructor(
    readonly namespace: NetworkNamespace,
    readonly stack: Stack,
    readonly paths: readonly Path[],
  ) {}

  static async create(options: LaboratoryOptions = {}): Promise<Laboratory> {
    const { families = ['ipv4', 'ipv4'], memory = MEMORY, offload = false, rate } = options;
    const stack = new Stack({
      name: 'lab',
      memory,
      config: { limitSubflows: 4, limitAddAddrAccepted: 4, timeWait: 200_000, ...options.config },
    });
    const paths: Path[] = [];
    const namespace = await createNamespace('lab');
    try {
      for (const [key, value] of Object.entries(options.sysctl ?? {})) await namespace.sysctl(key, value);
      for (const [index, family] of families.entries()) {
        const { kernel, ours, prefix } = addresses(family, index + 1);
        const device = `path${index}`;
        const tun = openTun({ name: device, netns: namespace.name, addresses: [`${kernel}/${prefix}`], offload });
        const link = new RelayLink(tun, rate);
        stack.addLink(link, { addresses: [`${ours}/${prefix}`] });
        paths.push({ device, kernel, ours, link, tun });
        // A subflow the kernel opens from the address of this path leaves by it, whatever its destination.
        if (index > 0) await namespace.routeBySource(kernel, device, 100 + index);
      }
      await namespace.ip('mptcp', 'limits', 'set', 'subflows', '4', 'add_addr_accepted', '4');
      return new Laboratory(namespace, stack, paths);
    } catch (error) {
      stack.close();
      await removeNamespace(namespace);
      throw error;
    }
  }

  /** Path number `index`, from 0. */
  path(index: number): Path {
    const path = this.paths[index];
    if (path === undefined) throw new RangeError(`path ${index} of ${this.paths.length}`);
    return path;
  }

  /** Starts a program in the kernel's namespace; it ends with the laboratory at the latest. */
  start(...command: string[]): Program {
    const program = new Program(this.namespace, command);
    this.#programs.push(program);
    return program;
  }

  /** Counters of the namespace's kernel that are not 0: MPTcpExt, Fast Open and retransmissions. */
  counters(): Promise<Record<string, number>> {
    return kernelCounters(this.namespace);
  }

  /** What part of all bytes went by each path, both directions together. */
  shares(): number[] {
    const bytes = this.stack.links().map((link) => link.bytesIn + link.bytesOut);
    const total = bytes.reduce((sum, each) => sum + each, 0);
    return bytes.map((each) => (total === 0 ? 0 : Math.round((each / total) * 1000) / 1000));
  }

  /**
   * Waits until connections are over, and tells what is in use still: names and numbers of pools, nothing when all of
   * it is back.
   */
  leftInUse(): Promise<string> {
    return leftInUse(this.stack);
  }

  async close(): Promise<void> {
    this.stack.close();
    for (const program of this.#programs) await program.stop();
    await removeNamespace(this.namespace);
  }
}

/** {@link Laboratory.leftInUse} of any stack. */
export async function leftInUse(stack: Stack): Promise<string> {
  const end = performance.now() + QUIET_MS;
  for (;;) {
    const pools = stack.pools();
    const pages = pools.pages - pools.pagesFree - pools.pagesPools;
    const counts = [...POOLS.map((name) => ({ name, count: pools[name] })), { name: 'pages', count: pages }];
    const used = counts.filter(({ count }) => count !== 0);
    if (used.length === 0) return '';
    if (performance.now() > end) return used.map(({ name, count }) => `${count} ${name}`).join(', ');
    await sleep(50);
  }
}

function addresses(family: Family, number: number): { kernel: string; ours: string; prefix: number } {
  return family === 'ipv4'
    ? { kernel: `10.99.${number}.1`, ours: `10.99.${number}.2`, prefix: 24 }
    : { kernel: `fd99:${number}::1`, ours: `fd99:${number}::2`, prefix: 64 };
}

/** A namespace with a name that no other run has. */
export async function createNamespace(purpose: string): Promise<NetworkNamespace> {
  const name = `mptcp-${purpose}-${process.pid}-${++count}`;
  leftovers.namespaces.add(name);
  return NetworkNamespace.create(name);
}

export async function removeNamespace(namespace: NetworkNamespace): Promise<void> {
  await namespace.remove();
  leftovers.namespaces.delete(namespace.name);
}

/** `nstat` without its history file: absolute values, those that are 0 left out. */
export async function kernelCounters(namespace: NetworkNamespace): Promise<Record<string, number>> {
  const { kernel } = JSON.parse(await namespace.exec('nstat', '-asz', '-j')) as { kernel: Record<string, number> };
  const wanted = Object.entries(kernel).filter(
    ([name, value]) => value !== 0 && (/^(MPTcpExt|TcpExtTCPFastOpen)/.test(name) || name === 'TcpRetransSegs'),
  );
  return Object.fromEntries(wanted.sort(([a], [b]) => (a < b ? -1 : 1)));
}

let directory: string | undefined;

/** A file with the first `size` bytes of the known content, for programs of the kernel; made once. */
export async function contentFile(size: number): Promise<string> {
  if (directory === undefined) {
    directory = mkdtempSync(join(tmpdir(), 'mptcp-lab-'));
    leftovers.files.add(directory);
  }
  const path = join(directory, `content-${size}`);
  if (!existsSync(path)) await pipeline(contentStream(size), createWriteStream(path));
  return path;
}

let python: string | undefined;

/** The Python interpreter itself: what `python3` names may be a script that looks for it each time. */
export function pythonProgram(): string {
  python ??= execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim();
  return python;
}

/** A Python program of this directory; compiled TypeScript runs from `build/`, the programs stay where they are. */
export function labProgram(name: string): string {
  let root = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(root, 'package.json'))) root = dirname(root);
  return join(root, 'test', 'lab', name);
}
