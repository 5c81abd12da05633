import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { contentHash } from '../../host/cli/content.js';
import { createHttpService, type ServedTransfer } from '../../host/cli/http-service.js';
import { megabits } from '../../host/cli/transfer-report.js';
import { endpoint } from '../../host/error.js';
import type { ConnectionInfo } from '../../host/info.js';
import { StackAgent, serveHttp } from '../../host/net/http.js';
import { Socket } from '../../host/net/socket.js';
import { contentFile, type Laboratory, labProgram } from './laboratory.js';
import type { Checks } from './scenario.js';

export const PORT = 8080;
export const BODY_BYTES = 256 << 20;

/** Chunks between two looks at the connection. */
const INFO_EVERY = 64;

/** What one transfer came to. */
export interface Transfer {
  bytes: number;
  sha256: string;
  seconds: number;
  goodputMbps: number;
  /** Longest time without progress at the receiver, ms. */
  stallMs: number;
}

/** The body came completely and unchanged. */
export function checkBody(
  checks: Checks,
  transfer: { bytes: number; sha256: string },
  size: number,
  what: string,
): void {
  checks.equal(transfer.bytes, size, `${what}: number of bytes`);
  checks.equal(transfer.sha256, contentHash(size), `${what}: SHA-256`);
}

/** An HTTP server on the stack of a laboratory. */
export interface Service {
  /** Transfers served to their end. */
  transfers: ServedTransfer[];
  errors: Error[];
}

/** Serves the known content on the stack. `onProgress` is told the bytes of the body that passed. */
export async function startService(lab: Laboratory, onProgress?: (bytes: number) => void): Promise<Service> {
  const service: Service = { transfers: [], errors: [] };
  const http = createHttpService({
    onTransfer: (transfer) => service.transfers.push(transfer),
    onError: (error) => service.errors.push(error),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  const server = serveHttp(lab.stack, http, { port: PORT });
  await once(server, 'listening');
  return service;
}

/** The kernel's curl downloads from the stack. */
export async function curlDownload(lab: Laboratory, size: number, mptcp = true): Promise<Transfer> {
  const url = `http://${endpoint(lab.path(0).ours, PORT)}/bytes/${size}`;
  const curl = `${mptcp ? 'mptcpize run ' : ''}curl --silent --show-error --fail --globoff "$1" | python3 "$2"`;
  const start = performance.now();
  const output = await lab.start('bash', '-o', 'pipefail', '-c', curl, 'curl', url, labProgram('receiver.py')).finish();
  const seconds = (performance.now() - start) / 1000;
  const { bytes, sha256, stallMs } = JSON.parse(output) as { bytes: number; sha256: string; stallMs: number };
  return { bytes, sha256, stallMs, seconds, goodputMbps: megabits(bytes, seconds) };
}

/** The kernel's curl uploads to the stack, which answers with what it got. */
export async function curlUpload(lab: Laboratory, size: number): Promise<Omit<Transfer, 'stallMs'>> {
  const file = await contentFile(size);
  const url = `http://${endpoint(lab.path(0).ours, PORT)}/upload`;
  const start = performance.now();
  const output = await lab
    .start('mptcpize', 'run', 'curl', '--silent', '--show-error', '--fail', '--globoff', '--upload-file', file, url)
    .finish();
  const seconds = (performance.now() - start) / 1000;
  const { bytes, sha256 } = JSON.parse(output) as { bytes: number; sha256: string };
  return { bytes, sha256, seconds, goodputMbps: megabits(bytes, seconds) };
}

/** Starts an HTTP server of the kernel in the namespace of a laboratory, on all its addresses. */
export async function startKernelServer(lab: Laboratory, protocol: 'mptcp' | 'tcp', size: number): Promise<void> {
  const file = await contentFile(size);
  const any = lab.path(0).kernel.includes(':') ? '::' : '0.0.0.0';
  const server = lab.start('python3', labProgram('kernel_server.py'), any, String(PORT), protocol, file);
  await server.says('listening');
}

/** Our client downloads from the kernel; `onProgress` is told the bytes that came. */
export async function fetchFromKernel(
  lab: Laboratory,
  onProgress: (bytes: number) => void = () => undefined,
): Promise<Transfer & { info: ConnectionInfo | undefined }> {
  const { ours, kernel } = lab.path(0);
  const agent = new StackAgent(lab.stack, { connect: { localAddress: ours } });
  const start = performance.now();
  const sent = request({ host: kernel, port: PORT, path: '/content', agent });
  sent.end();
  const [response]: IncomingMessage[] = await once(sent, 'response');
  if (response?.statusCode !== 200) throw new Error(`the kernel's server answered ${response?.statusCode}`);
  // node:http types every connection as net.Socket; over a stack it is one of the stack's.
  const socket: unknown = response.socket;
  let info: ConnectionInfo | undefined;
  const hash = createHash('sha256');
  let bytes = 0;
  let chunks = 0;
  let stallMs = 0;
  let last = performance.now();
  for await (const chunk of response as AsyncIterable<Buffer>) {
    const now = performance.now();
    stallMs = Math.max(stallMs, now - last);
    last = now;
    hash.update(chunk);
    bytes += chunk.length;
    onProgress(bytes);
    if (chunks++ % INFO_EVERY === 0 && socket instanceof Socket) info = socket.info() ?? info;
  }
  const seconds = (performance.now() - start) / 1000;
  return {
    bytes,
    sha256: hash.digest('hex'),
    seconds,
    goodputMbps: megabits(bytes, seconds),
    stallMs: Math.round(stallMs * 10) / 10,
    info,
  };
}
