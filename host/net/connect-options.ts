import { CONNECT_FAST_OPEN, CONNECT_PLAIN_TCP, CONNECT_VERSION_0 } from '../abi.js';
import { type Config, type MptcpVersion, versionBits } from '../config.js';
import { MptcpError } from '../error.js';

/** Resolves a name, as `dns.lookup` does. */
export type Lookup = (
  hostname: string,
  options: { family: number; all: false },
  callback: (error: Error | null | undefined, address: string, family?: number) => void,
) => void;

/** Options of a connection, named as those of `net.connect`. */
export interface ConnectOptions {
  readonly port: number;
  /** IP address of the peer, or a name when there is a `lookup`. */
  readonly host?: string | undefined;
  /** Local address and port of the first subflow; chosen when left out. */
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  /** 4, 6, or 0 for both: passed on to `lookup`. */
  readonly family?: number | undefined;
  readonly lookup?: Lookup | undefined;
  readonly noDelay?: boolean | undefined;
  readonly keepAlive?: boolean | undefined;
  /** ms. */
  readonly keepAliveInitialDelay?: number | undefined;
  /** Idle timeout, ms. */
  readonly timeout?: number | undefined;
  readonly allowHalfOpen?: boolean | undefined;
  readonly highWaterMark?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** False for plain TCP. */
  readonly mptcp?: boolean | undefined;
  /**
   * Versions of Multipath TCP, instead of the stack's setting `connectVersions`: `[1]`, `[0]`, or `[0, 1]` to offer version
   * 1 and use version 0 (RFC 6824) where the peer has only that. To find that out can take a second SYN, from another port.
   */
  readonly versions?: readonly MptcpVersion[] | undefined;
  /**
   * True for TCP Fast Open (RFC 7413), where the stack's setting `fastopen` has bit 1: bytes written in the same turn of
   * the event loop go with the SYN once the server is known. The network may repeat the SYN, and the server's application
   * see them twice, in two connections.
   */
  readonly fastOpen?: boolean | undefined;
  /** Settings of this connection. */
  readonly config?: Config | undefined;
}

export type ConnectArguments =
  | [options: ConnectOptions, listener?: () => void]
  | [port: number, listener?: () => void]
  | [port: number, host: string, listener?: () => void];

/** Brings the forms of `connect` into one. @throws RangeError for a port that is none, MptcpError EINVAL for no host. */
export function normalizeConnect(args: ConnectArguments): {
  options: ConnectOptions;
  listener: (() => void) | undefined;
} {
  const [first, second, third] = args;
  const listener = typeof second === 'function' ? second : third;
  const host = typeof second === 'string' ? second : undefined;
  const options: ConnectOptions = typeof first === 'object' ? first : { port: first, host };
  // The agents of node:http hand ports on as text.
  const port = requirePort(options.port, 1);
  if (options.host === undefined || options.host === '') {
    throw new MptcpError('EINVAL', 'connect', { detail: 'there is no host; give the IP address of the peer' });
  }
  if (options.localPort !== undefined) requirePort(options.localPort, 0);
  connectFlags(options, 'connect');
  return { options: { ...options, port }, listener };
}

/** CONNECT_ bits for what a connection or listener wants. @throws MptcpError EINVAL for versions that are none. */
export function connectFlags(
  options: {
    mptcp?: boolean | undefined;
    fastOpen?: boolean | undefined;
    versions?: readonly MptcpVersion[] | undefined;
  },
  call: string,
): number {
  const { mptcp, fastOpen, versions } = options;
  // CONNECT_VERSION_1 is twice CONNECT_VERSION_0, as the bits are of each other.
  const bits = versions === undefined ? 0 : versionBits(versions, 'versions', call) * CONNECT_VERSION_0;
  return (mptcp === false ? CONNECT_PLAIN_TCP : 0) | (fastOpen === true ? CONNECT_FAST_OPEN : 0) | bits;
}

/** A port as a number. @throws RangeError with code ERR_SOCKET_BAD_PORT. */
export function requirePort(port: unknown, least: number): number {
  const value = typeof port === 'string' && port.trim() !== '' ? Number(port) : port;
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= 65535) return value;
  throw Object.assign(new RangeError(`a port is a number from ${least} to 65535, not ${String(port)}`), {
    code: 'ERR_SOCKET_BAD_PORT',
  });
}
