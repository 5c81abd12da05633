import { formatAddress, isIPv4, parseAddress, requirePrefix } from '../address.js';
import type { Config } from '../config.js';
import type { ControlServer } from '../control/server.js';
import { StackTarget } from '../control/stack-target.js';
import type { Link } from '../link/link.js';
import { openTun, type TunLink, type TunOptions } from '../link/tun.js';
import { NetworkNamespace } from '../netns.js';
import { type EndpointOptions, Stack } from '../node.js';
import { parseBytes, UsageError } from './arguments.js';
import { HOST_CONTROL_OPTION, HOST_CONTROL_USAGE, openHostControl } from './host-control.js';

/** The options for `util.parseArgs` of every command that works over TUN devices. */
export const TUN_OPTIONS = {
  tun: { type: 'string', multiple: true },
  netns: { type: 'string' },
  setup: { type: 'boolean', default: false },
  offload: { type: 'boolean', default: false },
  mtu: { type: 'string', default: '1500' },
  memory: { type: 'string', default: '256M' },
  ...HOST_CONTROL_OPTION,
} as const;

/** Their part of a command's usage text. */
export const TUN_USAGE = `  --tun NAME=ADDR/PREFIX[,...][@PEER[,...]]
                     one path: a TUN device NAME, the address of this stack on it, and the address of the
                     kernel's end (default: the first other address of the prefix); repeat it for more paths
  --netns NS         make the devices in the network namespace NS
  --setup            make the namespace first, let its kernel use every path, and remove it at the end
  --mtu BYTES        largest packet of the devices (default 1500)
  --offload          leave checksums and segmentation to the kernel
  --memory BYTES     memory budget of the stack (default 256M)
${HOST_CONTROL_USAGE}`;

/** The options as `util.parseArgs` gives them. */
export interface TunValues {
  tun?: string[] | undefined;
  netns?: string | undefined;
  setup: boolean;
  offload: boolean;
  mtu: string;
  memory: string;
  control?: string | undefined;
}

/** One `--tun`: `ADDRESS/PREFIX` of both ends of a device. */
export interface TunPath {
  name: string;
  /** The stack's addresses. */
  addresses: string[];
  /** The kernel's addresses. */
  peers: string[];
}

/**
 * Reads `NAME=ADDR/PREFIX[,...][@PEER[,...]]`.
 * @throws {UsageError}
 */
export function parseTun(text: string): TunPath {
  const match = /^([^=]+)=([^@]+)(?:@(.+))?$/.exec(text);
  const [, name, own, peer] = match ?? [];
  if (name === undefined || own === undefined) {
    throw new UsageError(`--tun ${text}: write NAME=ADDR/PREFIX, such as path0=10.0.1.2/24`);
  }
  const addresses = own.split(',');
  const peers = peer?.split(',') ?? addresses.map((address) => neighbour(text, address));
  for (const address of addresses) checked(text, address);
  const both = peers.map((address, index) => {
    if (address.includes('/')) return address;
    const prefix = (addresses[index] ?? addresses[0] ?? '').split('/')[1];
    return `${address}/${prefix}`;
  });
  for (const address of both) checked(text, address);
  return { name, addresses, peers: both };
}

/** @throws {UsageError} unless it is `ADDR/PREFIX`. */
function checked(option: string, address: string): { hi: bigint; lo: bigint; bits: number } {
  if (!address.includes('/')) {
    throw new UsageError(`--tun ${option}: "${address}" has no prefix length; write it as ${address}/24`);
  }
  try {
    return requirePrefix(address, 'tun');
  } catch (error) {
    throw new UsageError(`--tun ${option}: ${error instanceof Error ? error.message : error}`);
  }
}

/** The first address of the prefix that is not `address`: .1, or .2 where .1 is taken. */
function neighbour(option: string, address: string): string {
  const { hi, lo, bits } = checked(option, address);
  const free = 128 - bits;
  if (free < 2 || free > 64) {
    throw new UsageError(`--tun ${option}: name the kernel's address too, as ${option}@PEER`);
  }
  const network = (lo >> BigInt(free)) << BigInt(free);
  const first = network + 1n;
  return `${formatAddress(hi, first === lo ? first + 1n : first)}/${address.split('/')[1]}`;
}

/** The options of TUN devices, checked. */
export interface TunPlan {
  readonly paths: readonly TunPath[];
  readonly mtu: number;
  /** Memory budget of a stack, bytes. */
  readonly memory: number;
  readonly offload: boolean;
  readonly netns: string | undefined;
  readonly setup: boolean;
}

/** @throws {UsageError} */
export function planTun(values: TunValues): TunPlan {
  if (values.tun === undefined || values.tun.length === 0) {
    throw new UsageError('no --tun: name at least one path, such as --tun path0=10.0.1.2/24');
  }
  if (values.setup && values.netns === undefined) {
    throw new UsageError('--setup makes the namespace that --netns names; give both');
  }
  const { offload, netns, setup } = values;
  const paths = values.tun.map(parseTun);
  const mtu = parseBytes('--mtu', values.mtu);
  const memory = parseBytes('--memory', values.memory);
  return { paths, mtu, memory, offload, netns, setup };
}

/** Makes the namespace of `--setup`; undefined without it. */
export async function setUpNamespace({ setup, netns }: TunPlan): Promise<NetworkNamespace | undefined> {
  return setup && netns !== undefined ? NetworkNamespace.create(netns) : undefined;
}

/** How the device of a path is opened. */
export function deviceOptions({ mtu, offload, netns }: TunPlan, path: TunPath): TunOptions {
  return { name: path.name, addresses: path.peers, mtu, offload, ...(netns === undefined ? {} : { netns }) };
}

/** A path-manager endpoint for every address; a server announces its addresses, a client opens subflows from them. */
export function pathEndpoints({ paths }: TunPlan, role: 'signal' | 'subflow'): EndpointOptions[] {
  return paths.flatMap((path) => path.addresses.map((address) => ({ address: bare(address), [role]: true })));
}

/** Settings of stacks over TUN devices: as many subflows as the kernel allows. */
export const TUN_CONFIG: Config = { limitSubflows: 8, limitAddAddrAccepted: 8 };

/** A stack over TUN devices, and what was set up for it. */
export interface TunStack {
  stack: Stack;
  links: TunLink[];
  paths: readonly TunPath[];
  namespace: NetworkNamespace | undefined;
  /** Ends the stack and removes what `--setup` made. */
  close(): Promise<void>;
}

/**
 * Opens the devices and a stack over them, with a path-manager endpoint for every address.
 * @param role what endpoints are for: a server announces its addresses, a client opens subflows from them.
 * @throws {UsageError | TunError | CommandError}
 */
export async function openTunStack(name: string, role: 'signal' | 'subflow', values: TunValues): Promise<TunStack> {
  const plan = planTun(values);
  const { paths, memory } = plan;
  const namespace = await setUpNamespace(plan);
  const links: TunLink[] = [];
  let stack: Stack | undefined;
  let control: ControlServer | undefined;
  const close = async (): Promise<void> => {
    await control?.close();
    stack?.close();
    for (const link of links) link.close();
    await namespace?.remove();
  };
  try {
    stack = new Stack({ name, memory, config: TUN_CONFIG });
    stack.on('linkError', (link: Link, error: Error) => console.error(`path ${link.name} is lost: ${error.message}`));
    for (const path of paths) {
      const link = openTun(deviceOptions(plan, path));
      links.push(link);
      stack.addLink(link, { addresses: path.addresses });
    }
    if (namespace !== undefined) await prepareKernel(namespace, paths);
    for (const endpoint of pathEndpoints(plan, role)) stack.addEndpoint(endpoint);
    control = await openHostControl(new StackTarget(stack), values.control);
    return { stack, links, paths, namespace, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Lets the kernel of the namespace use every path: limits, an endpoint for each device, routes by source address. */
export async function prepareKernel(namespace: NetworkNamespace, paths: readonly TunPath[]): Promise<void> {
  await namespace.ip('mptcp', 'limits', 'set', 'subflow', '8', 'add_addr_accepted', '8');
  for (const [index, path] of paths.entries()) {
    for (const peer of path.peers) await namespace.routeBySource(bare(peer), path.name, TABLE_FIRST + index);
  }
}

const TABLE_FIRST = 100;

/** `ADDR/PREFIX` without the prefix, the address written the usual way. */
export function bare(prefixed: string): string {
  const literal = prefixed.split('/')[0] ?? '';
  const address = parseAddress(literal);
  if (address === undefined) throw new UsageError(`"${literal}" is no IP address`);
  return isIPv4(address) ? literal : formatAddress(address.hi, address.lo);
}
