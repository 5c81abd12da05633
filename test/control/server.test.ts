import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ControlClient } from '../../host/control/client.js';
import { ControlError, type Json, type JsonObject, REQUEST_BYTES } from '../../host/control/protocol.js';
import { ControlServer, type ControlTarget } from '../../host/control/server.js';
import { controlFolders, controlSockets } from '../../host/control/socket-path.js';

let folder = '';
const closing: (() => unknown)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'control-'));
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  rmSync(folder, { recursive: true });
});

/** A host that echoes, fails and waits as it is told. */
class Echo implements ControlTarget {
  readonly asked: string[] = [];
  readonly listeners = new Set<(event: JsonObject) => void>();

  request(method: string, params: JsonObject): Json | Promise<Json> {
    this.asked.push(method);
    if (method === 'fail') throw new TypeError('a mistake in the host');
    if (method === 'reject') return Promise.reject(new ControlError('EPERM', 'not today'));
    if (method === 'slow') return new Promise((resolve) => setTimeout(() => resolve(params), 30));
    if (method === 'large') return 'x'.repeat(4 << 20);
    return params;
  }

  monitor(listener: (event: JsonObject) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}

async function open(path = join(folder, 'host.sock'), target: ControlTarget = new Echo()): Promise<ControlServer> {
  const server = await ControlServer.open(target, path);
  closing.push(() => server.close());
  return server;
}

async function client(path: string): Promise<ControlClient> {
  const connected = await ControlClient.connect(path);
  closing.push(() => connected.close());
  return connected;
}

/** A connection that sends any bytes, and the lines that come back. */
class Raw {
  text = '';
  private constructor(readonly socket: Socket) {
    socket.setEncoding('utf8').on('data', (text: string) => {
      this.text += text;
    });
    closing.push(() => socket.destroy());
  }

  static async to(path: string): Promise<Raw> {
    const socket = connect(path);
    await once(socket, 'connect');
    return new Raw(socket);
  }

  async lines(count: number): Promise<JsonObject[]> {
    const complete = (): string[] => this.text.split('\n').slice(0, -1);
    while (complete().length < count) await once(this.socket, 'data');
    return complete().map((line) => JSON.parse(line) as JsonObject);
  }
}

describe('a control socket', () => {
  it('is its owner’s alone, and goes when it is closed', async () => {
    const path = join(folder, 'deep', 'er', 'host.sock');
    const server = await open(path);
    const stats = lstatSync(path);
    expect([stats.isSocket(), stats.mode & 0o777]).toEqual([true, 0o600]);
    expect(lstatSync(join(folder, 'deep')).mode & 0o777).toBe(0o700);
    await server.close();
    await server.close();
    expect(existsSync(path)).toBe(false);
  });

  it('answers in order, whatever takes its time, and tells errors without ending', async () => {
    const target = new Echo();
    const { path } = await open(undefined, target);
    const host = await client(path);
    const slow = host.request('slow', { n: 1 });
    const failed = host.request('fail');
    const refused = host.request('reject');
    await expect(slow).resolves.toEqual({ n: 1 });
    await expect(failed).rejects.toMatchObject({ code: 'EIO', message: 'a mistake in the host' });
    await expect(refused).rejects.toMatchObject({ code: 'EPERM', message: 'not today' });
    expect(await host.request('echo', { a: [1, 'b', null] })).toEqual({ a: [1, 'b', null] });
    expect(target.asked).toEqual(['slow', 'fail', 'reject', 'echo']);
  });

  it('answers what cannot be read with an error and goes on', async () => {
    const { path } = await open();
    const raw = await Raw.to(path);
    raw.socket.write('nonsense\n{"mptcp":1,"id":5}\n');
    raw.socket.write(Buffer.from([0xff, 10]));
    raw.socket.write(`${'x'.repeat(REQUEST_BYTES + 1)}\n`);
    raw.socket.write('{"mptcp":9,"id":6,"method":"echo"}\n{"mptcp":1,"id":7,"method":"echo"}\n');
    const lines = await raw.lines(6);
    expect(lines.map((line) => [line.id, (line.error as JsonObject | undefined)?.code])).toEqual([
      [null, 'EBADMSG'],
      [5, 'EINVAL'],
      [null, 'EILSEQ'],
      [null, 'EMSGSIZE'],
      [6, 'EPROTO'],
      [7, undefined],
    ]);
    expect(lines[5]).toEqual({ mptcp: 1, id: 7, result: {} });
  });

  it('answers with an error where the answer cannot be written', async () => {
    const { path } = await open(undefined, new Endless());
    const host = await client(path);
    for (let n = 0; n < 3; n++) await expect(host.request('x')).rejects.toMatchObject({ code: 'EIO' });
  });

  it('serves many clients at once, and says so when there are too many', async () => {
    const { path } = await open();
    const clients = await Promise.all(Array.from({ length: 64 }, () => client(path)));
    const answers = await Promise.all(clients.map((each, n) => each.request(n % 2 === 0 ? 'slow' : 'echo', { n })));
    expect(answers).toEqual(clients.map((_, n) => ({ n })));
    const raw = await Raw.to(path);
    expect(await raw.lines(1)).toMatchObject([{ id: null, error: { code: 'EMFILE' } }]);
    clients[0]?.close();
    await expect
      .poll(async () => {
        const late = await client(path);
        return late.request('echo').catch(() => undefined);
      })
      .toEqual({});
  });

  it('bears clients that end in the middle, and many requests without a pause', async () => {
    const target = new Echo();
    const { path } = await open(undefined, target);
    for (let n = 0; n < 20; n++) {
      const raw = await Raw.to(path);
      raw.socket.write('{"mptcp":1,"id":1,"method":"large"}\n{"mptcp":1,"id":');
      raw.socket.destroy();
    }
    const raw = await Raw.to(path);
    const count = 2000;
    raw.socket.write(Array.from({ length: count }, (_, id) => `{"mptcp":1,"id":${id},"method":"echo"}\n`).join(''));
    const lines = await raw.lines(count);
    expect(lines.map(({ id }) => id)).toEqual(Array.from({ length: count }, (_, id) => id));
  });

  it('gives large answers whole, to a client that reads late too', async () => {
    const { path } = await open();
    const host = await client(path);
    const large = await Promise.all([host.request('large'), host.request('large')]);
    expect(large.map((text) => String(text).length)).toEqual([4 << 20, 4 << 20]);
  });

  it('tells events to those who asked, and to nobody who left', async () => {
    const target = new Echo();
    const { path } = await open(undefined, target);
    const host = await client(path);
    const events = host.monitor();
    const first = events.next();
    await expect.poll(() => target.listeners.size).toBe(1);
    for (const listener of target.listeners) for (let n = 0; n < 3; n++) listener({ n });
    expect((await first).value).toEqual({ event: { n: 0 } });
    expect((await events.next()).value).toEqual({ event: { n: 1 } });
    await expect(host.request('monitor')).rejects.toMatchObject({ code: 'EALREADY' });
    expect((await events.next()).value).toEqual({ event: { n: 2 } });
    host.close();
    await expect.poll(() => target.listeners.size).toBe(0);
  });

  it('counts the events that a client is too slow for, and tells how many', async () => {
    const target = new Echo();
    const { path } = await open(undefined, target);
    const raw = await Raw.to(path);
    raw.socket.write('{"mptcp":1,"id":1,"method":"monitor"}\n');
    await raw.lines(1);
    raw.socket.pause();
    const text = 'x'.repeat(10_000);
    const told = 1000;
    for (const listener of target.listeners) for (let n = 0; n < told; n++) listener({ n, text });
    raw.socket.resume();
    const all = (): JsonObject[] =>
      raw.text
        .split('\n')
        .slice(1, -1)
        .map((line) => JSON.parse(line) as JsonObject);
    await expect.poll(() => all().some((line) => 'lost' in line)).toBe(true);
    const lost = all().find((line) => 'lost' in line)?.lost;
    const events = all().filter((line) => 'event' in line).length;
    expect(events).toBeGreaterThan(50);
    expect(events + Number(lost)).toBe(told);
    // Afterwards they are told again.
    for (const listener of target.listeners) listener({ n: 'again' });
    await expect.poll(() => all().at(-1)).toEqual({ mptcp: 1, event: { n: 'again' } });
  });

  it('tells its clients when it ends', async () => {
    const server = await open();
    const host = await client(server.path);
    const asked = host.request('slow');
    await server.close();
    await expect(asked).rejects.toMatchObject({ code: 'EPIPE', message: /the host closed it, or ended/ });
    await expect(host.request('echo')).rejects.toMatchObject({ code: 'EPIPE' });
    await expect(ControlClient.connect(server.path)).rejects.toMatchObject({
      code: 'ENOENT',
      message: /there is none; see that the host runs/,
    });
  });
});

describe('the path of a control socket', () => {
  it('is refused where others can write, or where it is too long', async () => {
    const shared = join(folder, 'shared');
    mkdirSync(shared);
    chmodSync(shared, 0o1777);
    await expect(open(join(shared, 'host.sock'))).rejects.toMatchObject({
      code: 'EACCES',
      message: /others can write to .*shared \(mode 1777\); choose a folder of your own/,
    });
    // A folder of one's own in one that others can write to may be renamed by them, unless it is sticky.
    mkdirSync(join(shared, 'own'), { mode: 0o700 });
    await (await open(join(shared, 'own', 'host.sock'))).close();
    chmodSync(shared, 0o777);
    await expect(open(join(shared, 'own', 'host.sock'))).rejects.toMatchObject({ code: 'EACCES' });
    // Nor does a link hide where it leads.
    symlinkSync(shared, join(folder, 'link'));
    await expect(open(join(folder, 'link', 'host.sock'))).rejects.toMatchObject({ code: 'EACCES' });
    await expect(open(join(folder, 'x'.repeat(108)))).rejects.toMatchObject({ code: 'ENAMETOOLONG' });
    await expect(open('')).rejects.toMatchObject({ code: 'ENAMETOOLONG' });
    writeFileSync(join(folder, 'file'), '');
    await expect(open(join(folder, 'file', 'host.sock'))).rejects.toMatchObject({ code: 'EACCES' });
  });

  it('is never taken from a host that answers, nor from a file', async () => {
    const { path } = await open();
    await expect(open(path)).rejects.toMatchObject({
      code: 'EADDRINUSE',
      message: /another host answers there; choose another path/,
    });
    const host = await client(path);
    expect(await host.request('echo', { still: true })).toEqual({ still: true });
    const file = join(folder, 'precious');
    writeFileSync(file, 'precious');
    await expect(open(file)).rejects.toMatchObject({ code: 'EEXIST', message: /there is a file that is no socket/ });
    expect(existsSync(file)).toBe(true);
  });

  it('is taken over from a host that was killed', async () => {
    const path = join(folder, 'host.sock');
    await leaveBehind(path);
    await expect(ControlClient.connect(path)).rejects.toMatchObject({
      code: 'ECONNREFUSED',
      message: /nobody answers; the host that made it has ended/,
    });
    await open(path);
    expect(await (await client(path)).request('echo', { n: 1 })).toEqual({ n: 1 });
    expect(readdirSync(folder)).toEqual(['host.sock']);
  });

  it('goes to one of two hosts that start at once', async () => {
    const path = join(folder, 'host.sock');
    await leaveBehind(path);
    const results = await Promise.allSettled([open(path), open(path)]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await (await client(path)).request('echo', { n: 1 })).toEqual({ n: 1 });
  });

  it('is by default in a folder of this user, where what was left behind is tidied up', async () => {
    const before = process.env.XDG_RUNTIME_DIR;
    process.env.XDG_RUNTIME_DIR = folder;
    closing.push(() => {
      if (before === undefined) delete process.env.XDG_RUNTIME_DIR;
      else process.env.XDG_RUNTIME_DIR = before;
    });
    const own = join(folder, 'mptcp-wasm');
    expect(controlFolders()[0]).toBe(own);
    mkdirSync(own, { mode: 0o700 });
    // No process has this number: it is above the largest there may be.
    await leaveBehind(join(own, '4999999.sock'));
    await leaveBehind(join(own, '4999999-2.sock'));
    writeFileSync(join(own, '4999999.sock.nstat'), '');
    await leaveBehind(join(own, 'named.sock'));
    const server = await ControlServer.open(new Echo());
    closing.push(() => server.close());
    expect(server.path).toBe(join(own, `${process.pid}.sock`));
    expect(readdirSync(own).sort()).toEqual([`${process.pid}.sock`, 'named.sock']);
    expect(controlSockets()).toEqual(expect.arrayContaining([server.path]));
    // A second host of the same process has a path of its own.
    const second = await ControlServer.open(new Echo());
    closing.push(() => second.close());
    expect(second.path).toBe(join(own, `${process.pid}-1.sock`));
    expect(lstatSync(second.path).mode & 0o777).toBe(0o600);
  });
});

/** A target whose answers cannot be written. */
class Endless extends Echo {
  override request(): Json {
    const loop: Record<string, unknown> = {};
    loop.self = loop;
    return loop as unknown as Json;
  }
}

/** A socket at which nobody answers any more. */
async function leaveBehind(path: string): Promise<void> {
  const other = createServer();
  const aside = `${path}.0`;
  other.listen(aside);
  await once(other, 'listening');
  // Closing takes away what was bound, not what it was renamed to.
  renameSync(aside, path);
  other.close();
  await once(other, 'close');
}
