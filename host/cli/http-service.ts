import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join, normalize } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Socket } from '../net/socket.js';
import { parseBytes } from './arguments.js';
import { contentStream } from './content.js';
import { megabits, subflowReports, type TransferReport } from './transfer-report.js';

/** One request that was served to its end. */
export interface ServedTransfer extends TransferReport {
  method: string;
  url: string;
}

export interface HttpServiceOptions {
  /** Directory whose files GET gives. */
  directory?: string | undefined;
  /** Bytes of content that `GET /` gives. */
  size?: number | undefined;
  /** Told of every body sent or received completely. */
  onTransfer?: (transfer: ServedTransfer) => void;
  /** Told of requests that broke off. */
  onError?: (error: Error) => void;
  /** Told how many bytes of the body passed so far. */
  onProgress?: (bytes: number) => void;
}

/**
 * An HTTP server for any stack: `GET /bytes/N` sends N bytes of known content, GET of other paths a file of the
 * directory, and PUT or POST answers with `{"bytes", "sha256", "seconds"}` of the body. Does not listen by itself.
 */
export function createHttpService(options: HttpServiceOptions): Server {
  return createServer((request, response) => {
    serve(request, response, options).catch((error: unknown) => {
      const problem = error instanceof Error ? error : new Error(String(error));
      options.onError?.(problem);
      response.destroy(problem);
    });
  });
}

async function serve(request: IncomingMessage, response: ServerResponse, options: HttpServiceOptions): Promise<void> {
  if (request.method === 'PUT' || request.method === 'POST') return receive(request, response, options);
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return refuse(response, 405, `${request.method} is not served; there are GET, HEAD, PUT and POST`);
  }
  const body = await findBody(request.url ?? '/', options);
  if ('status' in body) return refuse(response, body.status, body.reason);
  response.writeHead(200, { 'content-length': body.size, 'content-type': 'application/octet-stream' });
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  const start = performance.now();
  let passed = 0;
  const stream = body.open();
  stream.on('data', (chunk: Buffer) => {
    passed += chunk.length;
    options.onProgress?.(passed);
  });
  await pipeline(stream, response);
  report(request, body.size, start, undefined, options);
}

async function receive(request: IncomingMessage, response: ServerResponse, options: HttpServiceOptions): Promise<void> {
  const start = performance.now();
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
    options.onProgress?.(bytes);
  }
  const sha256 = hash.digest('hex');
  const seconds = (performance.now() - start) / 1000;
  const answer = `${JSON.stringify({ bytes, sha256, seconds })}\n`;
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(answer) });
  response.end(answer);
  report(request, bytes, start, sha256, options);
}

type Body = { size: number; open: () => Readable } | { status: number; reason: string };

async function findBody(url: string, options: HttpServiceOptions): Promise<Body> {
  const path = new URL(url, 'http://stack').pathname;
  const named = /^\/bytes\/(\w+)$/.exec(path)?.[1];
  if (named !== undefined || (path === '/' && options.size !== undefined)) {
    try {
      const size = named === undefined ? (options.size ?? 0) : parseBytes('/bytes/', named);
      return { size, open: () => contentStream(size) };
    } catch (error) {
      return { status: 400, reason: error instanceof Error ? error.message : String(error) };
    }
  }
  if (options.directory === undefined) return { status: 404, reason: `no ${path} here; there is /bytes/N` };
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    return { status: 400, reason: `${path} is badly encoded` };
  }
  // normalize() of an absolute path cannot climb out of it, so that the file is below the directory.
  const file = join(options.directory, normalize(`/${decoded}`));
  try {
    const found = await stat(file);
    if (!found.isFile()) return { status: 404, reason: `${path} is not a file` };
    return {
      size: found.size,
      open: () => createReadStream(file, { highWaterMark: 1 << 18, end: Math.max(0, found.size - 1) }),
    };
  } catch (error) {
    return { status: 404, reason: `${path}: ${error instanceof Error ? error.message : error}` };
  }
}

function refuse(response: ServerResponse, status: number, reason: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(`${reason}\n`);
}

function report(
  request: IncomingMessage,
  bytes: number,
  start: number,
  sha256: string | undefined,
  options: HttpServiceOptions,
): void {
  if (options.onTransfer === undefined) return;
  const seconds = (performance.now() - start) / 1000;
  // node:http types every connection as net.Socket; over a stack it is one of the stack's.
  const socket: unknown = request.socket;
  const info = socket instanceof Socket ? socket.info() : undefined;
  options.onTransfer({
    method: request.method ?? '',
    url: request.url ?? '',
    bytes,
    seconds,
    goodputMbps: megabits(bytes, seconds),
    ...(sha256 === undefined ? {} : { sha256 }),
    multipath: info?.multipath ?? false,
    checksum: info?.checksum ?? false,
    subflows: subflowReports(info?.subflows ?? []),
  });
}
