import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { contentHash } from '../../host/cli/content.js';
import { createHttpService, type ServedTransfer } from '../../host/cli/http-service.js';

const transfers: ServedTransfer[] = [];
const directory = mkdtempSync(join(tmpdir(), 'mptcp-test-'));
const service = createHttpService({ directory, onTransfer: (transfer) => transfers.push(transfer) });
let base: string;

beforeAll(async () => {
  writeFileSync(join(directory, 'a b.txt'), 'some text');
  writeFileSync(join(directory, 'empty'), '');
  service.listen(0, '127.0.0.1');
  await once(service, 'listening');
  base = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
});

afterAll(() => {
  service.closeAllConnections();
  service.close();
  rmSync(directory, { recursive: true });
});

/** The status of a path that is sent as it stands; fetch() would resolve ".." by itself. */
async function statusOf(path: string): Promise<number | undefined> {
  const sent = request(base, { path });
  sent.end();
  const [response] = await once(sent, 'response');
  response.resume();
  return response.statusCode;
}

it('gives known content of any size', async () => {
  for (const [name, size] of [
    ['0', 0],
    ['1', 1],
    ['300K', 307200],
  ] as const) {
    const body = Buffer.from(await (await fetch(`${base}/bytes/${name}`)).arrayBuffer());
    expect(body.length).toBe(size);
    expect(createHash('sha256').update(body).digest('hex')).toBe(contentHash(size));
  }
  expect(transfers.at(-1)).toMatchObject({ method: 'GET', url: '/bytes/300K', bytes: 307200, multipath: false });
});

it('gives files of its directory and no others', async () => {
  expect(await (await fetch(`${base}/a%20b.txt`)).text()).toBe('some text');
  expect(await (await fetch(`${base}/empty`)).text()).toBe('');
  expect((await fetch(`${base}/a%20b.txt`, { method: 'HEAD' })).headers.get('content-length')).toBe('9');
  for (const path of [
    '/',
    '/missing',
    '/../etc/passwd',
    '/..%2f..%2fetc/passwd',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/%00',
  ]) {
    expect([path, await statusOf(path)]).toEqual([path, 404]);
  }
  expect(await statusOf('/%')).toBe(400);
  expect(await statusOf('/bytes/many')).toBe(400);
  expect((await fetch(base, { method: 'DELETE' })).status).toBe(405);
});

it('answers an upload with its hash', async () => {
  const body = Buffer.alloc(1_000_000, 'upload');
  const answer = await (await fetch(`${base}/x`, { method: 'PUT', body })).json();
  expect(answer).toMatchObject({ bytes: body.length, sha256: createHash('sha256').update(body).digest('hex') });
});
