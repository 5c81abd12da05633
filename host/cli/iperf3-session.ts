import type { Server } from '../net/server.js';
import type { Socket } from '../net/socket.js';
import { contentChunks } from './content.js';

/** States of a test, one byte each on the control connection, as `iperf3` numbers them. */
const TEST_START = 1;
const TEST_RUNNING = 2;
const TEST_END = 4;
const PARAM_EXCHANGE = 9;
const CREATE_STREAMS = 10;
const CLIENT_TERMINATE = 12;
const EXCHANGE_RESULTS = 13;
const DISPLAY_RESULTS = 14;
const IPERF_DONE = 16;
/** A client that came while another test ran. */
const ACCESS_DENIED = 0xff;

/** Both connections of a test begin with the same cookie: 36 characters and a zero byte. */
const COOKIE_BYTES = 37;
const BULK_BYTES = 1 << 17;
const JSON_BYTES_MAX = 1 << 20;

/** What a client of `iperf3` asked for and what was carried. */
export interface Iperf3Result {
  /** This side sent (`iperf3 -R`), or received. */
  reverse: boolean;
  bytes: number;
  seconds: number;
  streams: number;
}

interface Parameters {
  parallel?: number;
  reverse?: boolean;
  bidirectional?: boolean;
  udp?: boolean;
}

/** Answers clients of `iperf3` (TCP tests, `-R`, `-P`), one test at a time. */
export class Iperf3Service {
  /** Tests that ended well. */
  readonly results: Iperf3Result[] = [];
  #session: Session | undefined;
  readonly #data = new WeakSet<Socket>();

  constructor(
    server: Server,
    private readonly onError: (error: Error) => void,
    private readonly onResult: (result: Iperf3Result) => void = () => undefined,
  ) {
    server.on('connection', (socket: Socket) => {
      this.#accept(socket).catch((error: unknown) => this.#fail(socket, error));
    });
  }

  async #accept(socket: Socket): Promise<void> {
    socket.once('error', (error) => this.#fail(socket, error));
    const reader = new ExactReader(socket);
    const cookie = (await reader.read(COOKIE_BYTES)).toString('latin1');
    if (this.#session === undefined) {
      const session = new Session(socket, reader, cookie);
      this.#session = session;
      try {
        const result = await session.run();
        this.results.push(result);
        this.onResult(result);
      } finally {
        this.#session = undefined;
        socket.destroySoon();
      }
      return;
    }
    if (this.#session.cookie !== cookie) {
      socket.end(Buffer.of(ACCESS_DENIED));
      return;
    }
    this.#data.add(socket);
    this.#session.addStream(socket, reader);
  }

  #fail(socket: Socket, error: unknown): void {
    socket.destroy();
    // The client cuts its data connections when it has seen enough; the control connection tells how the test went.
    if (this.#data.has(socket)) return;
    this.onError(error instanceof Error ? error : new Error(String(error)));
  }
}

/** One test: its control connection and its data connections. */
class Session {
  readonly #streams: Stream[] = [];
  #complete: () => void = () => undefined;
  #wanted = 1;

  constructor(
    private readonly control: Socket,
    private readonly reader: ExactReader,
    readonly cookie: string,
  ) {}

  addStream(socket: Socket, reader: ExactReader): void {
    this.#streams.push(new Stream(socket, reader));
    if (this.#streams.length === this.#wanted) this.#complete();
  }

  async run(): Promise<Iperf3Result> {
    this.#send(PARAM_EXCHANGE);
    const parameters = (await this.reader.readJson()) as Parameters;
    if (parameters.udp === true || parameters.bidirectional === true) {
      this.#send(ACCESS_DENIED);
      throw new Error('iperf3 asked for UDP or both ways at once; tests are TCP, one way at a time');
    }
    this.#wanted = parameters.parallel ?? 1;
    const reverse = parameters.reverse === true;
    const complete = new Promise<void>((resolve) => {
      this.#complete = resolve;
    });
    this.#send(CREATE_STREAMS);
    await complete;
    this.#send(TEST_START);
    this.#send(TEST_RUNNING);
    const start = performance.now();
    for (const stream of this.#streams) stream.start(reverse);
    await this.#expect(TEST_END);
    const seconds = (performance.now() - start) / 1000;
    for (const stream of this.#streams) stream.stop();
    this.#send(EXCHANGE_RESULTS);
    await this.reader.readJson();
    this.#sendJson(this.#results(seconds, reverse));
    this.#send(DISPLAY_RESULTS);
    await this.#expect(IPERF_DONE);
    for (const stream of this.#streams) stream.end();
    const bytes = this.#streams.reduce((sum, stream) => sum + stream.bytes, 0);
    return { reverse, bytes, seconds, streams: this.#streams.length };
  }

  #send(state: number): void {
    this.control.write(Buffer.of(state));
  }

  #sendJson(value: unknown): void {
    const text = Buffer.from(JSON.stringify(value));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(text.length);
    this.control.write(Buffer.concat([length, text]));
  }

  async #expect(state: number): Promise<void> {
    const [got] = await this.reader.read(1);
    if (got === state) return;
    throw new Error(got === CLIENT_TERMINATE ? 'the iperf3 client gave up' : `iperf3 sent state ${got} for ${state}`);
  }

  #results(seconds: number, reverse: boolean): unknown {
    return {
      cpu_util_total: 0,
      cpu_util_user: 0,
      cpu_util_system: 0,
      sender_has_retransmits: reverse ? 1 : 0,
      streams: this.#streams.map((stream, index) => ({
        // iperf3 numbers its streams 1, 3, 4, 5, …
        id: index === 0 ? 1 : index + 2,
        bytes: stream.bytes,
        retransmits: reverse ? stream.retransmits : -1,
        jitter: 0,
        errors: 0,
        packets: 0,
        start_time: 0,
        end_time: seconds,
      })),
    };
  }
}

/** One data connection: bytes as fast as they go, in one direction. */
class Stream {
  bytes = 0;
  retransmits = 0;
  #running = false;

  constructor(
    private readonly socket: Socket,
    private readonly reader: ExactReader,
  ) {}

  start(reverse: boolean): void {
    this.#running = true;
    const rest = this.reader.release();
    if (!reverse) this.#count(rest);
    // Sending or not, the socket is read: the end of the peer's stream must be seen.
    this.socket.readInPlace((bytes) => {
      if (!reverse) this.#count(bytes);
      return true;
    });
    if (!reverse) return;
    const [bulk = Buffer.alloc(BULK_BYTES)] = contentChunks(BULK_BYTES);
    const fill = (): void => {
      while (this.#running && this.socket.write(bulk)) this.bytes += bulk.length;
      if (this.#running) this.bytes += bulk.length;
    };
    // A peer that takes everything at once would keep this in the same turn of the loop for ever, and the end of the
    // test on the control connection would go unheard.
    this.socket.on('drain', () => setImmediate(fill));
    fill();
  }

  stop(): void {
    this.retransmits = this.socket.subflows().reduce((sum, subflow) => sum + subflow.retransmits, 0);
    this.#running = false;
    // A client that receives reads whole blocks and waits for the rest of one: the end of the stream wakes it.
    this.socket.end();
  }

  /** What was not taken by the end of the test counts for nothing: the connection is cut. */
  end(): void {
    this.socket.destroy();
  }

  #count(chunk: Uint8Array): void {
    if (this.#running) this.bytes += chunk.length;
  }
}

/** Reads exact numbers of bytes of a socket, one request at a time. */
class ExactReader {
  #pending: Buffer[] = [];
  #length = 0;
  #wanted = 0;
  #resolve: ((bytes: Buffer) => void) | undefined;
  #reject: ((error: Error) => void) | undefined;
  #ended: Error | undefined;

  constructor(private readonly socket: Socket) {
    socket.on('data', this.#receive);
    socket.once('close', this.#close);
  }

  read(length: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#wanted = length;
      this.#resolve = resolve;
      this.#reject = reject;
      this.#settle();
    });
  }

  /** Four bytes of length, then so many of JSON. */
  async readJson(): Promise<unknown> {
    const length = (await this.read(4)).readUInt32BE();
    if (length > JSON_BYTES_MAX) throw new Error(`iperf3 announced ${length} bytes of parameters`);
    return JSON.parse((await this.read(length)).toString('utf8'));
  }

  /** Stops reading and gives what came and was not asked for. */
  release(): Buffer {
    this.socket.off('data', this.#receive);
    this.socket.off('close', this.#close);
    const rest = Buffer.concat(this.#pending);
    this.#pending = [];
    return rest;
  }

  readonly #receive = (chunk: Buffer): void => {
    this.#pending.push(chunk);
    this.#length += chunk.length;
    this.#settle();
  };

  readonly #close = (): void => {
    this.#ended = new Error('the iperf3 client closed its connection in the middle of the test');
    this.#settle();
  };

  #settle(): void {
    if (this.#resolve === undefined) return;
    if (this.#length < this.#wanted) {
      if (this.#ended !== undefined) this.#reject?.(this.#ended);
      return;
    }
    const all = Buffer.concat(this.#pending);
    const rest = all.subarray(this.#wanted);
    this.#pending = rest.length > 0 ? [rest] : [];
    this.#length = rest.length;
    const resolve = this.#resolve;
    this.#resolve = undefined;
    resolve(all.subarray(0, this.#wanted));
  }
}
