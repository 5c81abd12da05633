import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import {
  ANSWER_BYTES,
  CONTROL_VERSION,
  ControlError,
  type Json,
  type JsonObject,
  LineReader,
  readAnswer,
  writeLine,
} from './protocol.js';

interface Asked {
  resolve(result: Json): void;
  reject(error: Error): void;
}

/** What a monitor is told. */
export type MonitorLine = { readonly event: JsonObject } | { readonly lost: number };

/** A client of a control socket. */
export class ControlClient {
  readonly path: string;
  readonly #socket: Socket;
  readonly #reader = new LineReader(ANSWER_BYTES);
  readonly #asked = new Map<number, Asked>();
  readonly #told: MonitorLine[] = [];
  #wake: (() => void) | undefined;
  #last = 0;
  #failure: Error | undefined;

  private constructor(path: string, socket: Socket) {
    this.path = path;
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      for (const line of this.#reader.feed(chunk)) this.#take(line);
    });
    const gone = (cause?: Error): void =>
      this.#fail(new ControlError('EPIPE', `control socket ${path}: the host closed it, or ended`, cause));
    socket.on('error', gone);
    socket.on('close', () => gone());
  }

  /** @throws {ControlError} when nobody answers at `path`, in words that say why. */
  static async connect(path: string): Promise<ControlClient> {
    const socket = connect(path);
    try {
      await once(socket, 'connect');
    } catch (cause) {
      const code = cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : 'EIO';
      throw new ControlError(code, `control socket ${path}: ${WHY[code] ?? String(cause)}`, cause);
    }
    return new ControlClient(path, socket);
  }

  /** Asks for something. @throws {ControlError} with the host's own code and words when it refuses. */
  request(method: string, params: JsonObject = {}): Promise<Json> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      this.#socket.write(writeLine({ mptcp: CONTROL_VERSION, id, method, params }));
    });
  }

  /** Events from now on, without end; leaving the loop, or {@link close}, ends it. */
  async *monitor(): AsyncGenerator<MonitorLine, void> {
    await this.request('monitor');
    for (;;) {
      const next = this.#told.shift();
      if (next !== undefined) {
        yield next;
        continue;
      }
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(line: string | ControlError): void {
    if (typeof line !== 'string') {
      this.#fail(line);
      return;
    }
    try {
      const answer = readAnswer(line);
      if ('event' in answer || 'lost' in answer) {
        this.#told.push('event' in answer ? { event: answer.event } : { lost: answer.lost });
        this.#wake?.();
        return;
      }
      if (answer.id === null) {
        if ('error' in answer) this.#fail(new ControlError(answer.error.code, answer.error.message));
        return;
      }
      const asked = this.#asked.get(Number(answer.id));
      this.#asked.delete(Number(answer.id));
      if ('error' in answer) asked?.reject(new ControlError(answer.error.code, answer.error.message));
      else asked?.resolve(answer.result);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#socket.destroy();
    for (const { reject } of this.#asked.values()) reject(error);
    this.#asked.clear();
    this.#wake?.();
  }
}

const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'there is none; see that the host runs, and with which --control',
  ECONNREFUSED: 'nobody answers; the host that made it has ended',
  EACCES: 'only the user who runs the host may open it',
  ENOTSOCK: 'it is no socket',
};
