import type { MonitorEvent, Socket, Stack, SubflowInfo } from '../host/node.js';

/**
 * Path policies of an application, for connections with the path manager `userspace`, which does nothing by itself:
 * `stack.connect({ …, config: { pathManager: 'userspace' } })`.
 */

/** Prefers the path from `a`. The one from `b` is opened while there is none from `c`, and then used only as a backup. */
export function preferAOverBIfCIsDown(socket: Socket, a: string, b: string, c: string): void {
  const from = (address: string): SubflowInfo | undefined =>
    socket.subflows().find((subflow) => subflow.localAddress === address);
  const decide = (): void => {
    if (socket.info()?.confirmed !== true) return;
    if (from(a) === undefined) socket.openSubflow({ local: a });
    if (from(c) === undefined && from(b) === undefined) socket.openSubflow({ local: b, backup: true });
    const spare = from(c) === undefined ? undefined : from(b);
    if (spare !== undefined) socket.closeSubflow(spare.id);
  };
  socket.on('subflow', decide).on('subflowClosed', decide).on('drained', decide);
}

/** Only the connections of one application, told by its port, also use the path from `b`. */
export function useBOnlyForThisApplication(stack: Stack, sockets: ReadonlySet<Socket>, port: number, b: string): void {
  stack.on('monitor', (event: MonitorEvent) => {
    if (event.type !== 'ESTABLISHED' || event.remotePort !== port) return;
    for (const socket of sockets) {
      const info = socket.info();
      if (info?.localToken !== event.token) continue;
      if (info?.subflows.every((subflow) => subflow.localAddress !== b) === true) socket.openSubflow({ local: b });
    }
  });
}

/** Starts over the path the socket was connected by, and opens one from `a` when `bytes` went over it. */
export function openAWhenTheFlowIsLong(socket: Socket, a: string, bytes: number): void {
  const look = (): void => {
    const info = socket.info();
    if (info?.confirmed !== true || info.bytesSent + info.bytesReceived < bytes) return;
    socket.off('data', look).off('drained', look);
    socket.openSubflow({ local: a });
  };
  socket.on('data', look).on('drained', look);
}
