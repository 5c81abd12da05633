/** Entry for Node: a stack with sockets like those of `node:net`, links, captures and simulated networks. */
export { type Address, formatAddress, parseAddress } from './address.js';
export { type Clock, RealClock } from './clock.js';
export type { Config, MptcpVersion } from './config.js';
export { ControlClient } from './control/client.js';
export { openControl } from './control/open.js';
export { ControlError } from './control/protocol.js';
export type { ControlServer } from './control/server.js';
export { MptcpError } from './error.js';
export type {
  ConnectionInfo,
  ListenerInfo,
  MonitorEvent,
  MonitorType,
  MptcpInfo,
  PathAddress,
  SubflowInfo,
} from './info.js';
export type { Link, LinkPort, OutgoingPacket } from './link/link.js';
export { type CaptureSink, type PcapngOptions, PcapngWriter, tap } from './link/pcapng.js';
export { createPipe, PipeLink, type PipeOptions } from './link/pipe.js';
export { openTun, TunError, TunLink, type TunOptions } from './link/tun.js';
export { duplexLink } from './link/tuntap2.js';
export type { ConnectOptions, Lookup } from './net/connect-options.js';
export { StackAgent, type StackAgentOptions, serveHttp } from './net/http.js';
export type { AnnounceOptions, ResetReason, SubflowOptions, SubflowTuple } from './net/path-socket.js';
export { type ListenOptions, Server, type ServerOptions } from './net/server.js';
export { type AddressInfo, Socket, type SocketOptions } from './net/socket.js';
export { Stack, type StackOptions } from './net/stack.js';
export type { SubflowReset } from './reasons.js';
export { SimClock } from './sim/clock.js';
export { megabits, milliseconds, Network, type NetworkOptions, seconds, type WireOptions } from './sim/network.js';
export { Random } from './sim/random.js';
export { Router, type RouterOptions } from './sim/router.js';
export { Wire, type WireCharacteristics, WireDirection } from './sim/wire.js';
export type { Endpoint, EndpointOptions, LinkOptions, LinkStatistics } from './stack.js';
export { startWorkers, WorkerError, WorkerGroup, type WorkersOptions } from './workers/group.js';
export type { WorkerCleanup, WorkerContext, WorkerLink, WorkerMain, WorkerReport } from './workers/protocol.js';
