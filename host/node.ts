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
export { AckProxy, type AckProxyOptions } from './sim/middlebox/ack-proxy.js';
export { Alg, type AlgEdit } from './sim/middlebox/alg.js';
export { type Middlebox, type Place, PlacedBox, SegmentBox, type Way } from './sim/middlebox/box.js';
export { Coalescer, type CoalescerOptions } from './sim/middlebox/coalescer.js';
export { Corrupter, type CorrupterOptions } from './sim/middlebox/corrupter.js';
export { Duplicator, type DuplicatorOptions } from './sim/middlebox/duplicator.js';
export { Holder, type HolderOptions } from './sim/middlebox/holder.js';
export { Nat, type NatOptions } from './sim/middlebox/nat.js';
export { Normaliser, type RetransmissionOptions } from './sim/middlebox/normaliser.js';
export { OptionStripper, type OptionStripperOptions } from './sim/middlebox/option-stripper.js';
export type { OptionSet, SegmentSet } from './sim/middlebox/options.js';
export { Replayer } from './sim/middlebox/replayer.js';
export { RstInjector, type RstInjectorOptions } from './sim/middlebox/rst-injector.js';
export { SequenceRandomiser, type SequenceRandomiserOptions } from './sim/middlebox/sequence-randomiser.js';
export { SplitProxy, type SplitProxyOptions } from './sim/middlebox/split-proxy.js';
export { Splitter, type SplitterOptions } from './sim/middlebox/splitter.js';
export { UnknownDropper, type UnknownDropperOptions } from './sim/middlebox/unknown-dropper.js';
export { WindowRewriter, type WindowRewriterOptions } from './sim/middlebox/window-rewriter.js';
export { megabits, milliseconds, Network, type NetworkOptions, seconds, type WireOptions } from './sim/network.js';
export { readSegment, Segment, type TcpOption, writeSegment } from './sim/packet.js';
export { Random } from './sim/random.js';
export { Router, type RouterOptions } from './sim/router.js';
export { type InsertOptions, Wire, type WireCharacteristics, WireDirection } from './sim/wire.js';
export type { Endpoint, EndpointOptions, LinkOptions, LinkStatistics } from './stack.js';
export { startWorkers, WorkerError, WorkerGroup, type WorkersOptions } from './workers/group.js';
export type { WorkerCleanup, WorkerContext, WorkerLink, WorkerMain, WorkerReport } from './workers/protocol.js';
