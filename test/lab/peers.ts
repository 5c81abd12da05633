import { createHash, type Hash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from '../../host/net/socket.js';
import type { NetworkNamespace } from '../../host/netns.js';
import type { Stack } from '../../host/node.js';
import { labProgram, pythonProgram } from './laboratory.js';
import { Program } from './programs.js';

/** What one end of a connection sent and received, and the code of the error that ended it. */
export interface Exchange {
  readonly sent: number;
  readonly sentHash: string;
  readonly received: number;
  readonly receivedHash: string;
  readonly error?: string;
}

/** Where a peer listens, or whereto it connects. */
export interface PeerPlan {
  readonly listen: boolean;
  readonly host: string;
  readonly port: number;
  /** Local address of the first subflow of a client; chosen when undefined. */
  readonly from: string | undefined;
  /** Bytes that each end sends at a time; default 4,096. */
  readonly piece?: number;
}

/** One end of a connection. From the moment it is open both ends send at a steady pace until they finish. */
export interface Peer {
  /** Listens, or begins to connect. */
  open(): Promise<void>;
  /** Resolves when the connection is there. */
  connected(): Promise<void>;
  /** Ends its sending side. */
  finish(): void;
  /** Ends the connection by a reset. */
  reset(): void;
  /** Resolves when the connection is over. */
  ended(): Promise<Exchange>;
  /** Bytes received so far; undefined when it is not known here. */
  received(): number | undefined;
}

/** Bytes that each end sends at a time when nothing else is said, and how often, ms: 16 Mbit/s. */
const PIECE = 4096;
const TICK_MS = 2;

/** A peer in a kernel: `kernel_peer.py`. */
export class KernelPeer implements Peer {
  readonly #program: Program;
  readonly #listen: boolean;

  constructor(namespace: NetworkNamespace, plan: PeerPlan & { readonly mptcp: boolean }) {
    this.#listen = plan.listen;
    const argument = JSON.stringify({ ...plan, from: plan.from ?? null, piece: plan.piece ?? PIECE });
    this.#program = new Program(namespace, [pythonProgram(), labProgram('kernel_peer.py'), argument], { input: true });
  }

  /** Its process. */
  get pid(): number | undefined {
    return this.#program.pid;
  }

  async open(): Promise<void> {
    this.#program.order('open');
    if (this.#listen) await this.#program.line('{"listening"');
  }

  async connected(): Promise<void> {
    const error = this.#program.line('{"error"').then((line) => {
      throw new Error(`the kernel's peer: ${line}`);
    });
    await Promise.race([this.#program.line('{"connected"'), error]);
  }

  finish(): void {
    this.#program.order('finish');
  }

  reset(): void {
    this.#program.order('reset');
  }

  async ended(): Promise<Exchange> {
    const failed = this.#program.line('{"error"').then((line) => {
      const { code, ...exchange } = JSON.parse(line).error;
      return { sent: 0, sentHash: '', received: 0, receivedHash: '', ...exchange, error: code } as Exchange;
    });
    const done = this.#program.line('{"done"').then((line) => JSON.parse(line).done as Exchange);
    return Promise.race([failed, done]);
  }

  received(): number | undefined {
    return undefined;
  }

  async stop(): Promise<void> {
    await this.#program.stop();
  }
}

/** A peer over our stack. */
export class OwnPeer implements Peer {
  readonly #stack: Stack;
  readonly #plan: PeerPlan;
  readonly #sentHash: Hash = createHash('sha256');
  readonly #receivedHash: Hash = createHash('sha256');
  readonly #pattern: Buffer;
  #socket: Socket | undefined;
  #sent = 0;
  #received = 0;
  /** All bytes of each way, where they are kept. */
  readonly kept: { readonly sent: Buffer[]; readonly received: Buffer[] } = { sent: [], received: [] };
  /** Bytes are kept, for a test that looks into them. */
  keep = false;
  #timer: NodeJS.Timeout | undefined;
  #error: string | undefined;
  readonly #connected: Promise<void>;
  #onConnected: () => void = () => undefined;
  readonly #ended: Promise<Exchange>;
  #onEnded: (exchange: Exchange) => void = () => undefined;

  constructor(stack: Stack, plan: PeerPlan) {
    this.#stack = stack;
    this.#plan = plan;
    this.#pattern = randomBytes(plan.piece ?? PIECE);
    this.#connected = new Promise((resolve) => {
      this.#onConnected = resolve;
    });
    this.#ended = new Promise((resolve) => {
      this.#onEnded = resolve;
    });
  }

  /** The socket of the connection. @throws Error before there is one. */
  get socket(): Socket {
    if (this.#socket === undefined) throw new Error('our peer has no connection yet');
    return this.#socket;
  }

  async open(): Promise<void> {
    const { listen, host, port, from } = this.#plan;
    if (!listen) {
      this.#take(this.#stack.connect({ host, port, localAddress: from, allowHalfOpen: true }));
      return;
    }
    const server = this.#stack.createServer({ allowHalfOpen: true }, (socket) => this.#take(socket));
    server.listen({ port });
    await once(server, 'listening');
  }

  #take(socket: Socket): void {
    this.#socket = socket;
    const begin = (): void => {
      this.#timer = setInterval(() => this.#send(), TICK_MS);
      this.#onConnected();
    };
    if (socket.pending) socket.once('connect', begin);
    else begin();
    socket.on('error', (error: Error & { code?: string }) => {
      this.#error = error.code ?? error.message;
    });
    socket.on('data', (chunk: Buffer) => {
      this.#receivedHash.update(chunk);
      this.#received += chunk.length;
      if (this.keep) this.kept.received.push(Buffer.from(chunk));
    });
    socket.once('close', () => {
      clearInterval(this.#timer);
      this.#onEnded({
        sent: this.#sent,
        sentHash: this.#sentHash.digest('hex'),
        received: this.#received,
        receivedHash: this.#receivedHash.digest('hex'),
        ...(this.#error === undefined ? {} : { error: this.#error }),
      });
    });
  }

  #send(): void {
    const { socket } = this;
    if (socket.writableNeedDrain || socket.writableEnded || socket.destroyed) return;
    const piece = Buffer.from(this.#pattern);
    piece.writeBigUInt64BE(BigInt(this.#sent));
    this.#sentHash.update(piece);
    this.#sent += piece.length;
    if (this.keep) this.kept.sent.push(piece);
    socket.write(piece);
  }

  connected(): Promise<void> {
    return this.#connected;
  }

  finish(): void {
    clearInterval(this.#timer);
    this.socket.end();
  }

  reset(): void {
    clearInterval(this.#timer);
    this.socket.resetAndDestroy();
  }

  ended(): Promise<Exchange> {
    return this.#ended;
  }

  received(): number | undefined {
    return this.#received;
  }
}
