/** A stack of the real module, driven packet by packet through the ABI, and the peers a test plays itself. */
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import {
  COUNTER_NAMES,
  ConnectionInfoLayout,
  type ConnectionInfoRecord,
  type CounterName,
  ERR_DONE,
  ERROR_NAMES,
  EVENT_NAMES,
  EventLayout,
  IovecLayout,
  LINK_CHECKSUM,
  LINK_SEGMENTATION,
  LINK_VNET_HEADER,
  type MptcpExports,
  PoolInfoLayout,
  type PoolInfoRecord,
  type RecordLayout,
  SubflowInfoLayout,
  type SubflowInfoRecord,
  TX_BATCH,
  TxDescriptorLayout,
  VNET_HEADER_BYTES,
} from '../../host/abi.js';
import { addressBytes, addressText, type MptcpOption, type TcpOptions } from './options.js';
import { checksum, readIp, readTcp, type TcpPacket, writeTcp } from './packets.js';

export const VARIANTS = ['simd', 'scalar'] as const;
export type Variant = (typeof VARIANTS)[number];

const FILES = { simd: 'mptcp.wasm', scalar: 'mptcp-scalar.wasm' } as const;
const compiled = new Map<Variant, WebAssembly.Module>();

/** A fresh instance of the module, before mptcp_create. */
export function instantiate(variant: Variant): MptcpExports {
  let module = compiled.get(variant);
  if (module === undefined) {
    module = new WebAssembly.Module(readFileSync(new URL(`../../build/${FILES[variant]}`, import.meta.url)));
    compiled.set(variant, module);
  }
  const exports: unknown = new WebAssembly.Instance(module).exports;
  return exports as MptcpExports;
}

/** Reads a record of the ABI. */
export function readRecord<T>(view: DataView, address: number, layout: RecordLayout): T {
  const record: Record<string, number | bigint> = {};
  for (const [name, { offset, type }] of Object.entries(layout.fields)) {
    const at = (address >>> 0) + offset;
    if (type === 'u8') record[name] = view.getUint8(at);
    else if (type === 'u16') record[name] = view.getUint16(at, true);
    else if (type === 'u32') record[name] = view.getUint32(at, true);
    else if (type === 'i32') record[name] = view.getInt32(at, true);
    else if (type === 'u64') record[name] = view.getBigUint64(at, true);
    else throw new Error(`no test reads a field of type ${type}`);
  }
  return record as T;
}

/** Addresses as the ABI wants them. */
export function halves(text: string): [hi: bigint, lo: bigint] {
  const bytes = addressBytes(text);
  const number = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  return bytes.length === 4 ? [0n, 0xffff_0000_0000n | number] : [number >> 64n, BigInt.asUintN(64, number)];
}

const sameAddress = (a: string, b: string): boolean => addressText(addressBytes(a)) === addressText(addressBytes(b));

/** What a test says of a segment; sequence numbers are relative to the initial ones, of both sides. */
export interface Said extends TcpOptions {
  seq?: number;
  ack?: number;
  window?: number;
  data?: string | Uint8Array;
  urgent?: number;
  /** The two ECN bits of the IP header. */
  ecn?: number;
}

type Part<T> = T extends unknown ? Partial<T> : never;

/** What a test expects: fields that are not named may be anything, but options of Multipath TCP are all or none. */
export interface Wanted extends Omit<Said, 'mptcp'> {
  mptcp?: Part<MptcpOption>[];
  /** Payload bytes; 0 unless `data` is given. */
  length?: number;
  /** When it must have left, µs since the beginning. */
  at?: number;
  /** Options that must not be there. */
  without?: (keyof TcpOptions)[];
}

interface Sent {
  readonly at: number;
  readonly link: number;
  readonly bytes: Uint8Array;
}

export interface ScriptOptions {
  readonly variant?: Variant;
  readonly budget?: number;
  readonly seed?: bigint;
  /** Values by CONFIG_ key. */
  readonly config?: readonly (readonly [key: number, value: number])[];
  /** Addresses by link, the first on link 0. */
  readonly links?: readonly (readonly string[])[];
  readonly mtu?: number;
  readonly linkFlags?: number;
  /** Links that cut segments and fill in checksums; the script does the latter, and hides their header. */
  readonly offload?: boolean;
}

/** Where the script's clock begins, µs. */
export const BEGIN = 1_000_000_000;

export class Script {
  readonly x: MptcpExports;
  readonly view: DataView;
  readonly bytes: Uint8Array;
  #now = BEGIN;
  #out: Sent[] = [];
  readonly #links: number;
  /** Bytes in front of each packet. */
  readonly #header: number;

  constructor(options: ScriptOptions = {}) {
    this.x = instantiate(options.variant ?? 'simd');
    const seed = options.seed ?? 42n;
    check(this.x.mptcp_create(options.budget ?? 16 << 20, seed, 2n, 3n, 4n), 'create');
    this.view = new DataView(this.x.memory.buffer);
    this.bytes = new Uint8Array(this.x.memory.buffer);
    this.#tick(0);
    const links = options.links ?? [['10.0.0.2', 'fd00::2'], ['10.1.0.2']];
    this.#links = links.length;
    this.#header = options.offload === true ? VNET_HEADER_BYTES : 0;
    const flags = options.offload === true ? LINK_VNET_HEADER | LINK_CHECKSUM | LINK_SEGMENTATION : 0;
    links.forEach((addresses, link) => {
      check(this.x.mptcp_link_add(options.mtu ?? 1500, options.linkFlags ?? flags), 'link_add');
      for (const address of addresses) {
        check(this.x.mptcp_address_add(link, ...halves(address), address.includes(':') ? 64 : 120), 'address_add');
      }
    });
    for (const [key, value] of options.config ?? []) this.set(key, value);
  }

  /** µs since the beginning. */
  get now(): number {
    return this.#now - BEGIN;
  }

  set(key: number, value: number, handle = 0): void {
    check(this.x.mptcp_set(handle, key, BigInt(value)), 'set');
  }

  endpoint(address: string, flags: number, id = 0, port = 0): number {
    return check(this.x.mptcp_endpoint_add(...halves(address), port, id, flags), 'endpoint_add');
  }

  listen(port: number, backlog = 10, flags = 0): number {
    return check(this.x.mptcp_listen(0n, 0n, port, backlog, flags), 'listen');
  }

  accept(listener: number): number {
    return check(this.x.mptcp_accept(listener), 'accept');
  }

  connect(peer: Peer, flags = 0, localPort = 0): number {
    const local = halves(peer.local);
    return check(this.x.mptcp_connect(...local, localPort, ...halves(peer.remote), peer.port, flags), 'connect');
  }

  /** Writes to a connection; all of it must find room. */
  write(handle: number, data: string | Uint8Array): void {
    const bytes = toBytes(data);
    const scratch = this.x.mptcp_scratch() >>> 0;
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + 60_000);
      this.bytes.set(part, scratch);
      at += check(this.x.mptcp_send(handle, scratch, part.length), 'send');
    }
  }

  /** Reads what there is; `error` is why there is no more: '' at the end of the stream. */
  read(handle: number): { data: Uint8Array; error: string } {
    const scratch = this.x.mptcp_scratch() >>> 0;
    const parts: Uint8Array[] = [];
    for (;;) {
      const got = this.x.mptcp_recv(handle, scratch, 60_000);
      if (got <= 0) return { data: join(parts), error: got === 0 ? '' : (ERROR_NAMES[got] ?? `${got}`) };
      parts.push(this.bytes.slice(scratch, scratch + got));
    }
  }

  /** Reads what there is and demands that nothing but waiting is left to do. */
  readText(handle: number): string {
    const { data, error } = this.read(handle);
    if (error !== 'ERR_DONE') throw new Error(`reading ended with ${error}`);
    return Buffer.from(data).toString('latin1');
  }

  shutdown(handle: number): void {
    check(this.x.mptcp_shutdown(handle), 'shutdown');
  }

  close(handle: number): void {
    check(this.x.mptcp_close(handle), 'close');
  }

  abort(handle: number): void {
    check(this.x.mptcp_abort(handle), 'abort');
  }

  /** Events so far, as `connected` or `closed ERR_RESET`. */
  events(): string[] {
    const ring = this.x.mptcp_event_ring() >>> 0;
    const found: string[] = [];
    for (let count = this.x.mptcp_events(256); count > 0; count = this.x.mptcp_events(256)) {
      for (let index = 0; index < count; index++) {
        const event = readRecord<{ type: number; detail: number }>(
          this.view,
          ring + index * EventLayout.size,
          EventLayout,
        );
        const name = EVENT_NAMES[event.type] ?? `${event.type}`;
        found.push(event.detail === 0 ? name : `${name} ${ERROR_NAMES[event.detail] ?? event.detail}`);
      }
    }
    return found;
  }

  info(handle: number): ConnectionInfoRecord {
    return readRecord(this.view, check(this.x.mptcp_connection_info(handle), 'info'), ConnectionInfoLayout);
  }

  subflow(handle: number, index = 0): SubflowInfoRecord {
    return readRecord(this.view, check(this.x.mptcp_subflow_info(handle, index), 'subflow_info'), SubflowInfoLayout);
  }

  pools(): PoolInfoRecord {
    return readRecord(this.view, check(this.x.mptcp_pool_info(), 'pool_info'), PoolInfoLayout);
  }

  counter(name: CounterName): number {
    const index = Object.entries(COUNTER_NAMES).find(([, known]) => known === name)?.[0];
    if (index === undefined) throw new Error(`there is no counter ${name}`);
    return Number(this.view.getBigInt64((this.x.mptcp_counters() >>> 0) + Number(index) * 8, true));
  }

  /** Gives the stack a packet; returns the result of mptcp_ingest. */
  ingest(packet: Uint8Array, link = 0): number {
    const slot = this.x.mptcp_rx_slot(0) >>> 0;
    this.bytes.fill(0, slot, slot + this.#header);
    this.bytes.set(packet, slot + this.#header);
    return this.x.mptcp_ingest(link, 0, this.#header + packet.length);
  }

  /** Lets time pass, from deadline to deadline. */
  advance(us: number): void {
    const until = this.#now + us;
    this.flush();
    for (let turns = 0; ; turns++) {
      if (turns > 100_000) throw new Error('the deadlines never end');
      const next = this.x.mptcp_deadline();
      if (next === BigInt(ERR_DONE) || next > BigInt(until)) break;
      this.#tick(Math.max(Number(next), this.#now) - this.#now);
      this.flush();
    }
    this.#tick(until - this.#now);
    this.flush();
  }

  /** Packets that left and no test has taken yet, oldest first. */
  flush(): Sent[] {
    const ring = this.x.mptcp_tx_ring() >>> 0;
    for (let link = 0; link < this.#links; link++) {
      for (let rounds = 0; ; rounds++) {
        if (rounds > 1_000) {
          const last = this.#out.slice(-3).map(({ bytes }) => `\n  ${show(readTcp(bytes))}`);
          throw new Error(`link ${link} never ends to send:${last.join('')}`);
        }
        const count = this.x.mptcp_transmit(link, TX_BATCH);
        if (count <= 0) break;
        for (let index = 0; index < count; index++) {
          this.#out.push({ at: this.now, link, bytes: this.#descriptor(ring + index * TxDescriptorLayout.size) });
        }
      }
    }
    if (this.#out.length > 200_000) throw new Error('more packets left than any test looks at');
    return this.#out;
  }

  /** Forgets what left and was not looked at. */
  skip(): void {
    this.flush();
    this.#out = [];
  }

  /** Takes the first packet that left for a peer, if there is one. */
  take(peer: Peer): (TcpPacket & { at: number }) | undefined {
    this.flush();
    for (let index = 0; index < this.#out.length; index++) {
      const sent = this.#out[index];
      if (sent === undefined || readIp(sent.bytes).protocol !== 6) continue;
      const packet = readTcp(sent.bytes);
      if (!peer.isFor(packet)) continue;
      this.#out.splice(index, 1);
      if (sent.link !== peer.link)
        throw new Error(`it left by link ${sent.link} instead of ${peer.link}: ${show(packet)}`);
      return { ...packet, at: sent.at };
    }
    return undefined;
  }

  /** Takes the first packet that left, whatever it is. */
  takeRaw(): Uint8Array | undefined {
    return this.flush().shift()?.bytes;
  }

  expectNothing(): void {
    const left = this.flush();
    if (left.length === 0) return;
    const lines = left.map(({ bytes, at }) =>
      readIp(bytes).protocol === 6 ? `${at} µs ${show(readTcp(bytes))}` : 'ICMP',
    );
    throw new Error(`expected nothing, but there left\n  ${lines.join('\n  ')}`);
  }

  /** All pools are empty, and every page is free or kept by a pool. */
  expectEmpty(): void {
    const { pages, pagesFree, pagesPools, ...live } = this.pools();
    const left = Object.entries(live).filter(([, count]) => count !== 0);
    if (left.length > 0) throw new Error(`not empty: ${left.map(([name, count]) => `${count} ${name}`).join(', ')}`);
    if (pagesFree + pagesPools !== pages) {
      throw new Error(`of ${pages} pages ${pagesFree} are free and ${pagesPools} kept: some are lost`);
    }
  }

  #tick(us: number): void {
    this.#now += us;
    check(this.x.mptcp_time(BigInt(this.#now)), 'time');
  }

  #descriptor(address: number): Uint8Array {
    const fields = TxDescriptorLayout.fields;
    const length = this.view.getUint32(address + fields.length.offset, true);
    const pieces = this.view.getUint32(address + fields.pieces.offset, true);
    const packet = new Uint8Array(length);
    let at = 0;
    for (let index = 0; index < pieces; index++) {
      const piece = address + fields.iovecs.offset + index * IovecLayout.size;
      const base = Number(this.view.getBigUint64(piece + IovecLayout.fields.base.offset, true));
      const size = Number(this.view.getBigUint64(piece + IovecLayout.fields.length.offset, true));
      packet.set(this.bytes.subarray(base, base + size), at);
      at += size;
    }
    if (at !== length) throw new Error(`the pieces of a packet have ${at} bytes, its length is ${length}`);
    return this.#header === 0 ? packet : completed(packet);
  }
}

export interface PeerOptions {
  /** The stack's address, by default that of link 0. */
  readonly local?: string;
  readonly remote?: string;
  readonly port?: number;
  readonly link?: number;
  readonly iss?: number;
  /** Writes timestamps of itself into what does not say otherwise. */
  readonly ts?: boolean;
}

/** One remote end of a TCP connection, played by the test. */
export class Peer {
  readonly script: Script;
  readonly local: string;
  readonly remote: string;
  readonly port: number;
  readonly link: number;
  readonly iss: number;
  ts: boolean;
  /** The stack's port and initial sequence number, learned from its SYN. */
  localPort: number;
  irs = 0;
  /** The stack's window scale. */
  shift = 0;
  /** Timestamp to echo. */
  tsEcho = 0;

  constructor(script: Script, options: PeerOptions = {}, localPort = 80) {
    this.script = script;
    this.local = options.local ?? '10.0.0.2';
    this.remote = options.remote ?? '10.0.0.1';
    this.port = options.port ?? 40_000;
    this.link = options.link ?? 0;
    this.iss = options.iss ?? 0x0100_0000;
    this.ts = options.ts ?? false;
    this.localPort = localPort;
  }

  isFor(packet: TcpPacket): boolean {
    return (
      sameAddress(packet.dst, this.remote) &&
      packet.dstPort === this.port &&
      sameAddress(packet.src, this.local) &&
      (this.localPort === 0 || packet.srcPort === this.localPort)
    );
  }

  /** The segment as it goes onto the wire. */
  packet(flags: string, said: Said = {}): TcpPacket {
    const { seq = 0, ack = 0, window = 65_535, data = '', urgent = 0, ecn = 0, ...options } = said;
    const echo = flags.includes('A') ? this.tsEcho : 0;
    if (this.ts && options.ts === undefined && !flags.includes('R')) options.ts = [this.tsNow(), echo];
    return {
      src: this.remote,
      dst: this.local,
      srcPort: this.port,
      dstPort: this.localPort,
      seq: (this.iss + seq) >>> 0,
      ack: flags.includes('A') ? (this.irs + ack) >>> 0 : 0,
      flags: flags.replace('.', ''),
      window,
      options,
      urgent,
      data: toBytes(data),
      ecn,
    };
  }

  /** The peer's timestamp clock, ms. */
  tsNow(): number {
    return 5_000 + Math.floor(this.script.now / 1_000);
  }

  /** Sends a segment to the stack: flags are letters of FSRPAUEC. Returns the result of mptcp_ingest. */
  send(flags: string, said: Said = {}): number {
    return this.script.ingest(writeTcp(this.packet(flags, said)), this.link);
  }

  /** The next segment to this peer must be so; returns it. PSH is not compared. */
  expect(flags: string, wanted: Wanted = {}): TcpPacket & { at: number } {
    const packet = this.script.take(this);
    if (packet === undefined) throw new Error(`expected ${flags} ${text(wanted)}, but nothing left`);
    if (packet.flags.includes('S')) {
      this.irs = packet.seq;
      this.localPort = packet.srcPort;
      this.shift = packet.options.wscale ?? 0;
    }
    if (packet.options.ts !== undefined) this.tsEcho = packet.options.ts[0];
    const problems = this.#differences(flags, wanted, packet);
    if (problems.length > 0) throw new Error(`${problems.join('; ')}; it was ${show(packet, this)}`);
    return packet;
  }

  #differences(flags: string, wanted: Wanted, packet: TcpPacket & { at: number }): string[] {
    const found: string[] = [];
    const demand = (name: string, is: unknown, should: unknown): void => {
      if (!isDeepStrictEqual(is, should)) found.push(`${name} is ${text(is)}, expected ${text(should)}`);
    };
    demand('flags', packet.flags.replace('P', ''), flags.replace('P', ''));
    if (wanted.seq !== undefined) demand('seq', (packet.seq - this.irs) >>> 0, wanted.seq >>> 0);
    if (wanted.ack !== undefined) demand('ack', (packet.ack - this.iss) >>> 0, wanted.ack >>> 0);
    if (wanted.window !== undefined) demand('window', packet.window, wanted.window);
    if (wanted.ecn !== undefined) demand('ecn', packet.ecn, wanted.ecn);
    if (wanted.at !== undefined) demand('time', packet.at, wanted.at);
    const data = wanted.data === undefined ? undefined : toBytes(wanted.data);
    demand('length', packet.data.length, data?.length ?? wanted.length ?? 0);
    if (data !== undefined && Buffer.compare(data, packet.data) !== 0) found.push('the data is another');
    for (const name of ['mss', 'wscale', 'sackOk', 'ts', 'fastOpen'] as const) {
      if (wanted[name] !== undefined) demand(name, packet.options[name], wanted[name]);
    }
    if (wanted.sack !== undefined) {
      const blocks = packet.options.sack?.map(([left, right]) => [(left - this.iss) >>> 0, (right - this.iss) >>> 0]);
      demand('sack', blocks ?? [], wanted.sack);
    }
    if (wanted.mptcp !== undefined) this.#compareMptcp(wanted.mptcp, packet.options.mptcp ?? [], demand);
    for (const name of wanted.without ?? []) demand(`option ${name}`, packet.options[name], undefined);
    return found;
  }

  #compareMptcp(
    wanted: Part<MptcpOption>[],
    is: MptcpOption[],
    demand: (name: string, is: unknown, should: unknown) => void,
  ): void {
    demand('number of Multipath TCP options', is.length, wanted.length);
    wanted.forEach((option, index) => {
      const found = (is[index] ?? {}) as Record<string, unknown>;
      for (const [name, value] of Object.entries(option)) demand(name, found[name], value);
    });
  }
}

/** The packet behind a virtio-net header, with the checksum that header asks for. */
function completed(packet: Uint8Array): Uint8Array {
  const header = new DataView(packet.buffer, packet.byteOffset, VNET_HEADER_BYTES);
  const bytes = packet.subarray(VNET_HEADER_BYTES);
  if (((packet[0] ?? 0) & 1) === 0) return bytes;
  const from = header.getUint16(6, true);
  const sum = checksum(bytes.subarray(from));
  new DataView(bytes.buffer, bytes.byteOffset).setUint16(from + header.getUint16(8, true), sum);
  return bytes;
}

function check(result: number, call: string): number {
  if (result < 0) throw new Error(`mptcp_${call}: ${ERROR_NAMES[result] ?? result}`);
  return result;
}

export function toBytes(data: string | Uint8Array): Uint8Array {
  return typeof data === 'string' ? new Uint8Array(Buffer.from(data, 'latin1')) : data;
}

/** Bytes that differ by position, so that a wrong place shows. */
export function pattern(length: number, from = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => ((from + index) * 131 + ((from + index) >> 8) * 17) & 255);
}

function join(parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

function text(value: unknown): string {
  const plain = (_: string, part: unknown): unknown => {
    if (part instanceof Uint8Array) return `${part.length} bytes`;
    return typeof part === 'bigint' ? `${part}` : part;
  };
  return JSON.stringify(value, plain) ?? 'not there';
}

function show(packet: TcpPacket, peer?: Peer): string {
  const seq = peer === undefined ? packet.seq : (packet.seq - peer.irs) >>> 0;
  const ack = peer === undefined ? packet.ack : (packet.ack - peer.iss) >>> 0;
  const to = `${packet.srcPort} > ${packet.dst}:${packet.dstPort}`;
  return `${to} ${packet.flags} seq ${seq} ack ${ack} window ${packet.window} length ${packet.data.length} ${text(packet.options)}`;
}
