/**
 * What goes over a control socket: lines of JSON in UTF-8, one object each.
 *
 * ```
 * -> {"mptcp":1,"id":7,"method":"endpoint.add","params":{"address":"10.0.1.2","signal":true}}
 * <- {"mptcp":1,"id":7,"result":{"id":1}}
 * <- {"mptcp":1,"id":8,"error":{"code":"EINVAL","message":"..."}}
 * <- {"mptcp":1,"event":{...}}                  after the method `monitor`
 * <- {"mptcp":1,"lost":12}                      so many events were dropped because the client read too slowly
 * ```
 *
 * Requests of one client are answered in their order. A line that cannot be read is answered with an error and the `id`
 * null, and the next line counts again.
 */

import { MptcpError } from '../error.js';

/** Raised when a request or an answer changes its meaning. */
export const CONTROL_VERSION = 1;
/** The longest request, bytes; a host answers lines above it with EMSGSIZE. */
export const REQUEST_BYTES = 65_536;
/** The longest answer, bytes; a client gives up on lines above it. */
export const ANSWER_BYTES = 64 * 1024 * 1024;

/** What stands in an object of JSON. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json | undefined };
/** Parameters of a request, or an event. */
export type JsonObject = { readonly [name: string]: Json | undefined };

export interface ControlRequest {
  readonly id: number | string;
  readonly method: string;
  readonly params: JsonObject;
}

/** An error on its way over the socket. */
export interface ControlFailure {
  readonly code: string;
  readonly message: string;
}

/** What a client is sent. */
export type ControlAnswer =
  | { readonly mptcp: number; readonly id: number | string; readonly result: Json }
  | { readonly mptcp: number; readonly id: number | string | null; readonly error: ControlFailure }
  | { readonly mptcp: number; readonly event: JsonObject }
  | { readonly mptcp: number; readonly lost: number };

/** An error that says in `message` all there is to say; the code stands beside it. */
export class ControlError extends Error {
  override readonly name = 'ControlError';
  constructor(
    readonly code: string,
    message: string,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? {} : { cause });
  }
}

/** Cuts a stream of bytes into lines; of lines above `limit` bytes nothing is kept but that there was one. */
export class LineReader {
  readonly #limit: number;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  #parts: Buffer[] = [];
  #length = 0;
  #skipping = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The lines that `chunk` ends, each its text or why it has none. Empty lines are left out. */
  feed(chunk: Buffer): (string | ControlError)[] {
    const lines: (string | ControlError)[] = [];
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      this.#keep(chunk.subarray(start, end));
      start = end + 1;
      const line = this.#take();
      if (line !== '') lines.push(line);
    }
    this.#keep(chunk.subarray(start));
    return lines;
  }

  #keep(part: Buffer): void {
    this.#length += part.length;
    if (this.#length > this.#limit) {
      this.#skipping = true;
      this.#parts = [];
    }
    if (!this.#skipping && part.length > 0) this.#parts.push(part);
  }

  #take(): string | ControlError {
    const [parts, length, skipping] = [this.#parts, this.#length, this.#skipping];
    this.#parts = [];
    this.#length = 0;
    this.#skipping = false;
    if (skipping) {
      return new ControlError('EMSGSIZE', `the line has ${length} bytes and may have ${this.#limit} at most`);
    }
    try {
      return this.#decoder.decode(Buffer.concat(parts)).trim();
    } catch (cause) {
      return new ControlError('EILSEQ', 'the line is not UTF-8', cause);
    }
  }
}

/** Reads a request. @throws {ControlError} that says what is wrong with it. */
export function readRequest(line: string): ControlRequest {
  const value = parseObject(line);
  if (value.mptcp !== CONTROL_VERSION) {
    const given = value.mptcp === undefined ? 'has no version' : `has the version ${JSON.stringify(value.mptcp)}`;
    throw new ControlError('EPROTO', `the request ${given}; this host speaks "mptcp":${CONTROL_VERSION}`);
  }
  const { id, method, params = {} } = value;
  if (!(Number.isSafeInteger(id) || (typeof id === 'string' && id.length <= 64))) {
    throw new ControlError('EINVAL', 'the "id" of a request is a number, or a text of at most 64 characters');
  }
  if (typeof method !== 'string') throw new ControlError('EINVAL', 'the "method" of a request is a text');
  if (!isObject(params)) throw new ControlError('EINVAL', 'the "params" of a request are an object');
  return { id: id as number | string, method, params };
}

/** The id of a request that is otherwise wrong, where one can be made out. */
export function requestId(line: string): number | string | null {
  try {
    const { id } = parseObject(line);
    return Number.isSafeInteger(id) || (typeof id === 'string' && id.length <= 64) ? (id as number | string) : null;
  } catch (error) {
    if (error instanceof ControlError) return null;
    throw error;
  }
}

/** Reads what a host sent. @throws {ControlError} EPROTO. */
export function readAnswer(line: string): ControlAnswer {
  const value = parseObject(line);
  const known = 'result' in value || 'error' in value || 'event' in value || 'lost' in value;
  if (value.mptcp !== CONTROL_VERSION || !known) {
    throw new ControlError('EPROTO', `what answers there does not speak version ${CONTROL_VERSION} of this protocol`);
  }
  return value as unknown as ControlAnswer;
}

/** One line. Numbers of 64 bits are written as decimal text. */
export function writeLine(answer: unknown): string {
  return `${JSON.stringify(answer, (_key, value) => (typeof value === 'bigint' ? value.toString() : value))}\n`;
}

/** An error as it goes over the socket. */
export function failureOf(error: unknown): ControlFailure {
  if (error instanceof MptcpError) return { code: error.code, message: error.message };
  if (!(error instanceof Error)) return { code: 'EIO', message: String(error) };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : 'EIO';
  return { code, message: error.message };
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseObject(line: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new ControlError('EBADMSG', `the line is no JSON: ${cause instanceof Error ? cause.message : cause}`, cause);
  }
  if (!isObject(value)) throw new ControlError('EBADMSG', 'the line is no JSON object');
  return value;
}
