import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { SubflowInfo } from '../info.js';
import type { PcapngWriter } from '../link/pcapng.js';
import { StackAgent, serveHttp } from '../net/http.js';
import type { Socket } from '../net/socket.js';
import { megabits, milliseconds, Network, seconds } from '../sim/network.js';
import type { Wire } from '../sim/wire.js';
import { contentChunks } from './content.js';

/** What the demo shall do. */
export interface DemoOptions {
  readonly seed: number;
  /** Bytes to download. */
  readonly size: number;
  readonly realtime: boolean;
  readonly capture: PcapngWriter;
}

/** A path of the demo's phone. */
export interface DemoPath {
  readonly name: 'wifi' | 'lte';
  /** Mbit/s, and ms one way. */
  readonly rate: number;
  readonly delay: number;
  /** Bytes its queues hold. */
  readonly queue: number;
  readonly address: string;
}

export const PATHS: readonly DemoPath[] = [
  { name: 'wifi', rate: 50, delay: 10, queue: 128 * 1024, address: '10.0.1.2' },
  { name: 'lte', rate: 30, delay: 40, queue: 256 * 1024, address: '10.0.2.2' },
];

/** How long wifi is away, ms. */
export const CUT_TIME = 2000;
const SERVER = '192.0.2.80';
const PORT = 80;
/** How often progress is looked at, ms of the network's time. */
const SAMPLE_TIME = 100;
/** Looks that a rate is taken over: holes that a retransmission fills make shorter ones jump. */
const RATE_SAMPLES = 5;
/** Bytes from one end to the other through no wire at all take longer than this only when something broke. */
const LIMIT = seconds(3600);
/** Time both ends have to close when all has arrived. */
const CLOSING_TIME = seconds(1);

/** How far a path has come. */
export interface PathProgress {
  readonly path: DemoPath;
  /** Payload that reached the phone by it, bytes. */
  readonly bytes: number;
  /** The same per second, over the last half second. */
  readonly rate: number;
  readonly cut: boolean;
}

/** How far the download has come. */
export interface Progress {
  /** s since the request. */
  readonly time: number;
  readonly received: number;
  readonly size: number;
  readonly paths: readonly PathProgress[];
}

/** What the demo tells while it runs. */
export interface DemoListener {
  progress(progress: Progress): void;
  /** Something happened to a path, at a time, s. */
  happened(time: number, text: string): void;
}

/** Figures of one subflow. */
export interface SubflowResult {
  readonly path: string;
  readonly bytes: number;
  readonly goodputMbps: number;
  /** Segments, and payload bytes, that the server sent again on it. */
  readonly retransmits: number;
  readonly bytesRetransmitted: number;
  /** At the end of the download, ms. */
  readonly rttMs: number;
}

/** The figures of a run; the same for the same seed and size. */
export interface DemoResult {
  /** Both hashes agree and the connection never broke. */
  readonly ok: boolean;
  readonly seed: number;
  readonly bytes: number;
  readonly sha256Sent: string;
  readonly sha256Received: string;
  /** Request to last byte, s. */
  readonly seconds: number;
  readonly goodputMbps: number;
  /** Longest time without a byte for the application, ms. */
  readonly longestStallMs: number;
  /** Bytes that were given to a second subflow. */
  readonly bytesReinjected: number;
  readonly connections: number;
  readonly multipath: boolean;
  readonly subflows: readonly SubflowResult[];
}

/**
 * A phone with wifi and lte downloads from a server over HTTP; wifi is cut a third of the way and comes back.
 * @throws MptcpError when the connection breaks.
 */
export async function runDemo(options: DemoOptions, listener: DemoListener): Promise<DemoResult> {
  const network = new Network({ seed: options.seed, realtime: options.realtime });
  try {
    const download = new Download(network, options, listener);
    const result = await network.run(() => download.run(), LIMIT);
    return result;
  } finally {
    network.close();
  }
}

class Download {
  readonly #network: Network;
  readonly #options: DemoOptions;
  readonly #listener: DemoListener;
  readonly #wires = new Map<string, Wire>();
  /** The last that was seen of every subflow, at the phone and at the server, by path. */
  readonly #phoneSide = new Map<string, SubflowInfo>();
  readonly #serverSide = new Map<string, SubflowInfo>();
  readonly #sent = createHash('sha256');
  readonly #arrived = createHash('sha256');
  #received = 0;
  #start = 0;
  #lastArrival = 0;
  #longestStall = 0;
  #cutDone = false;
  #done = false;
  /** What had arrived by each path at the last looks, oldest first. */
  readonly #samples: { time: number; bytes: Map<string, number> }[] = [];

  constructor(network: Network, options: DemoOptions, listener: DemoListener) {
    this.#network = network;
    this.#options = options;
    this.#listener = listener;
  }

  async run(): Promise<DemoResult> {
    const network = this.#network;
    const phone = network.host('phone');
    const server = network.host('server');
    this.#connect(phone, server);

    const accepted: Socket[] = [];
    const http = createServer((_request, response) => {
      // The time of day would make every capture differ.
      response.sendDate = false;
      response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': this.#options.size });
      Readable.from(this.#content(), { objectMode: false }).pipe(response);
    });
    const listening = serveHttp(server, http, { host: SERVER, port: PORT });
    listening.on('connection', (socket: Socket) => accepted.push(socket));
    await once(listening, 'listening');

    this.#start = network.now;
    this.#lastArrival = network.now;
    const agent = new StackAgent(phone);
    const response = await this.#request(agent);
    const client = response.socket as unknown as Socket;
    const serving = accepted[0] as Socket;
    this.#sample(client, serving);
    for await (const chunk of response) this.#onData(chunk as Buffer);
    const end = network.now;
    this.#done = true;
    this.#look(client, serving);

    const clientInfo = client.info();
    const servingInfo = serving.info();
    client.destroySoon();
    listening.close();
    await Promise.all([client, serving].map((socket) => (socket.closed ? undefined : once(socket, 'close'))));
    await network.sleep(CLOSING_TIME);

    const time = (end - this.#start) / 1e6;
    const sha256Sent = this.#sent.digest('hex');
    const sha256Received = this.#arrived.digest('hex');
    const multipath = clientInfo?.multipath === true && clientInfo.subflowsTotal >= PATHS.length;
    return {
      ok: sha256Sent === sha256Received && this.#received === this.#options.size && accepted.length === 1 && multipath,
      seed: network.seed,
      bytes: this.#received,
      sha256Sent,
      sha256Received,
      seconds: time,
      goodputMbps: toMbps(this.#received, time),
      longestStallMs: this.#longestStall / 1000,
      bytesReinjected: servingInfo?.bytesReinjected ?? 0,
      connections: accepted.length,
      multipath,
      subflows: PATHS.map(({ name }) => this.#subflowResult(name, time)),
    };
  }

  #connect(phone: ReturnType<Network['host']>, server: ReturnType<Network['host']>): void {
    const network = this.#network;
    const internet = network.router('internet');
    for (const path of PATHS) {
      const wire = network.wire({
        name: path.name,
        a: { at: phone, addresses: [`${path.address}/24`], routes: ['0.0.0.0/0'], capture: this.#options.capture },
        b: { at: internet, routes: [`${path.address}/32`] },
        rate: megabits(path.rate),
        delay: milliseconds(path.delay),
        queue: path.queue,
      });
      this.#wires.set(path.name, wire);
    }
    network.wire({
      name: 'server',
      a: { at: internet, routes: [`${SERVER}/32`] },
      b: { at: server, addresses: [`${SERVER}/24`], routes: ['0.0.0.0/0'] },
      rate: megabits(1000),
    });
    for (const path of PATHS.slice(1)) phone.addEndpoint({ address: path.address, subflow: true });
  }

  *#content(): Generator<Buffer> {
    for (const chunk of contentChunks(this.#options.size)) {
      this.#sent.update(chunk);
      yield chunk;
    }
  }

  #request(agent: StackAgent): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const localAddress = PATHS[0]?.address;
      get(
        { host: SERVER, port: PORT, path: '/', agent, ...(localAddress === undefined ? {} : { localAddress }) },
        resolve,
      ).once('error', reject);
    });
  }

  #onData(chunk: Buffer): void {
    const now = this.#network.now;
    this.#longestStall = Math.max(this.#longestStall, now - this.#lastArrival);
    this.#lastArrival = now;
    this.#arrived.update(chunk);
    this.#received += chunk.length;
    if (!this.#cutDone && this.#received >= this.#options.size / 3) this.#cutWifi();
  }

  #cutWifi(): void {
    this.#cutDone = true;
    const wire = this.#wires.get('wifi') as Wire;
    wire.cut();
    this.#tell('wifi is cut: its packets vanish');
    this.#network.at(this.#network.now + milliseconds(CUT_TIME), () => {
      wire.mend();
      if (!this.#done) this.#tell('wifi is back');
    });
  }

  #tell(text: string): void {
    this.#listener.happened((this.#network.now - this.#start) / 1e6, text);
  }

  #sample(client: Socket, serving: Socket): void {
    if (this.#done) return;
    this.#look(client, serving);
    this.#network.at(this.#network.now + milliseconds(SAMPLE_TIME), () => this.#sample(client, serving));
  }

  /** Remembers what every subflow did, for it may be gone at the end, and reports progress. */
  #look(client: Socket, serving: Socket): void {
    for (const info of client.subflows()) this.#remember(this.#phoneSide, info.localAddress, info);
    for (const info of serving.subflows()) this.#remember(this.#serverSide, info.remoteAddress, info);
    const now = this.#network.now;
    const bytes = new Map(PATHS.map(({ name }) => [name as string, this.#phoneSide.get(name)?.bytesReceived ?? 0]));
    this.#samples.push({ time: now, bytes });
    if (this.#samples.length > RATE_SAMPLES + 1) this.#samples.shift();
    const oldest = this.#samples[0];
    const rate = (path: string): number => {
      const passed = (now - (oldest?.time ?? now)) / 1e6;
      return passed > 0 ? ((bytes.get(path) ?? 0) - (oldest?.bytes.get(path) ?? 0)) / passed : 0;
    };
    this.#listener.progress({
      time: (now - this.#start) / 1e6,
      received: this.#received,
      size: this.#options.size,
      paths: PATHS.map((path) => ({
        path,
        bytes: bytes.get(path.name) ?? 0,
        rate: rate(path.name),
        cut: this.#wires.get(path.name)?.aToB.cut ?? false,
      })),
    });
  }

  #remember(side: Map<string, SubflowInfo>, address: string, info: SubflowInfo): void {
    const path = PATHS.find((candidate) => candidate.address === address);
    if (path !== undefined) side.set(path.name, info);
  }

  #subflowResult(path: string, time: number): SubflowResult {
    const phone = this.#phoneSide.get(path);
    const server = this.#serverSide.get(path);
    return {
      path,
      bytes: phone?.bytesReceived ?? 0,
      goodputMbps: toMbps(phone?.bytesReceived ?? 0, time),
      retransmits: server?.retransmits ?? 0,
      bytesRetransmitted: server?.bytesRetransmitted ?? 0,
      rttMs: (server?.srtt ?? 0) / 1000,
    };
  }
}

/** Mbit/s to two digits. */
function toMbps(bytes: number, time: number): number {
  return time > 0 ? Math.round((bytes * 8) / time / 1e4) / 100 : 0;
}
