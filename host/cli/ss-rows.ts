/** The sockets `ss` would list, from what a host has. */
import type { ConnectionView, ListenerView, SubflowView, TimeWaitView } from '../control/view.js';
import { mptcpInfo, showsMptcp, tcpInfo } from './ss-info.js';

/** One line of `ss`. */
export interface SocketRow {
  readonly netid: 'tcp' | 'mptcp';
  readonly state: string;
  readonly recvQ: number;
  readonly sendQ: number;
  readonly local: SocketEnd;
  readonly peer: SocketEnd;
  /** What `-e` adds. */
  readonly extended: string;
  /** What `-i` adds. */
  readonly info: string;
  /** All there is, for JSON. */
  readonly detail: ConnectionView | SubflowView | ListenerView;
  readonly sk: string;
}

export interface SocketEnd {
  readonly address: string;
  readonly port: number | '*';
}

/** All that a host has. */
export interface HostSockets {
  readonly connections: readonly ConnectionView[];
  readonly listeners: readonly ListenerView[];
  readonly timeWaits: readonly TimeWaitView[];
}

const STATES: Readonly<Record<string, string>> = {
  established: 'ESTAB',
  synSent: 'SYN-SENT',
  synReceived: 'SYN-RECV',
  finWait1: 'FIN-WAIT-1',
  finWait2: 'FIN-WAIT-2',
  timeWait: 'TIME-WAIT',
  closed: 'UNCONN',
  closeWait: 'CLOSE-WAIT',
  lastAck: 'LAST-ACK',
  listen: 'LISTEN',
  closing: 'CLOSING',
};

/** The rows, those of TCP first; `extended` adds what `-e` does to `-i`. */
export function socketRows(sockets: HostSockets, extended: boolean): SocketRow[] {
  return [...tcpRows(sockets, extended), ...mptcpRows(sockets)];
}

function tcpRows({ connections, listeners, timeWaits }: HostSockets, extended: boolean): SocketRow[] {
  return [
    ...listeners.map((listener) => listenerRow('tcp', listener)),
    ...connections.flatMap((connection) =>
      connection.subflows.map((subflow): SocketRow => {
        const plain = !connection.multipath;
        return {
          netid: 'tcp',
          state: STATES[subflow.state] ?? subflow.state,
          recvQ: plain ? connection.readable : 0,
          sendQ: plain ? connection.unsent : subflow.outstanding + subflow.notSent,
          ...subflowEnds(subflow),
          extended: `sk:${connection.sk} subflow:${subflow.id} dev:${subflow.dev}`,
          info: tcpInfo(connection, subflow, extended),
          detail: subflow,
          sk: connection.sk,
        };
      }),
    ),
    ...timeWaits.map(
      (subflow): SocketRow => ({
        netid: 'tcp',
        state: 'TIME-WAIT',
        recvQ: 0,
        sendQ: 0,
        ...subflowEnds(subflow),
        extended: `sk:${subflow.sk} dev:${subflow.dev}`,
        info: '',
        detail: subflow,
        sk: subflow.sk,
      }),
    ),
  ];
}

function mptcpRows({ connections, listeners }: HostSockets): SocketRow[] {
  return [
    ...listeners.filter(({ mptcp }) => mptcp).map((listener) => listenerRow('mptcp', listener)),
    ...connections.filter(showsMptcp).map(
      (connection): SocketRow => ({
        netid: 'mptcp',
        state: connectionState(connection),
        recvQ: connection.readable,
        sendQ: connection.unsent,
        local: { address: connection.localAddress, port: connection.localPort },
        peer: { address: connection.remoteAddress, port: connection.remotePort },
        extended: `sk:${connection.sk} owner:${connection.owner}`,
        info: mptcpInfo(connection),
        detail: connection,
        sk: connection.sk,
      }),
    ),
  ];
}

function listenerRow(netid: 'tcp' | 'mptcp', listener: ListenerView): SocketRow {
  return {
    netid,
    state: 'LISTEN',
    recvQ: listener.waiting,
    sendQ: listener.backlog,
    local: { address: listener.any ? '*' : listener.localAddress, port: listener.localPort },
    peer: {
      address: listener.any ? '*' : listener.localAddress.includes(':') ? '::' : '0.0.0.0',
      port: '*',
    },
    extended: `sk:${listener.sk}`,
    info: '',
    detail: listener,
    sk: listener.sk,
  };
}

function subflowEnds(subflow: SubflowView): { local: SocketEnd; peer: SocketEnd } {
  return {
    local: { address: subflow.localAddress, port: subflow.localPort },
    peer: { address: subflow.remoteAddress, port: subflow.remotePort },
  };
}

/** The state that the kernel's socket would have, by which of the two streams have ended. */
function connectionState({ state, ownEnd, peerEnded }: ConnectionView): string {
  if (state === 'connecting') return 'SYN-SENT';
  if (ownEnd === 'open') return peerEnded ? 'CLOSE-WAIT' : 'ESTAB';
  if (ownEnd === 'acknowledged') return peerEnded ? 'TIME-WAIT' : 'FIN-WAIT-2';
  return peerEnded ? 'LAST-ACK' : 'FIN-WAIT-1';
}
