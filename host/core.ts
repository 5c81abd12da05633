import { instantiateSync } from '@assemblyscript/loader';
import {
  AddressInfoLayout,
  type AddressInfoRecord,
  COUNTER_NAMES,
  COUNTERS,
  ConnectionInfoLayout,
  type ConnectionInfoRecord,
  type CounterName,
  ERR_DONE,
  EVENT_BATCH,
  EventLayout,
  IovecLayout,
  ListenerInfoLayout,
  type ListenerInfoRecord,
  MonitorEventLayout,
  type MonitorEventRecord,
  type MptcpExports,
  PoolInfoLayout,
  type PoolInfoRecord,
  type RecordLayout,
  ResultLayout,
  RX_SLOT_BYTES,
  RX_SLOTS,
  SubflowInfoLayout,
  type SubflowInfoRecord,
  TX_BATCH,
  TxDescriptorLayout,
} from './abi.js';
import type { Address, Prefix } from './address.js';
import { MptcpError } from './error.js';

/** What a core is made of. */
export interface CoreOptions {
  readonly module: WebAssembly.Module;
  /** The budget, bytes: BUDGET_MIN to BUDGET_MAX. Taken at once and never more. */
  readonly memory: number;
  /** 32 bytes that keys, ports and sequence numbers come from. Secret, and never the same twice, outside of tests. */
  readonly seed: Uint8Array;
}

/**
 * One instance of the WebAssembly module, the protocol core of one stack, and the only code that touches its memory.
 * Calls made for set-up throw {@link MptcpError}; calls on the way of a packet or of data return the core's result,
 * below zero an ERR_ value.
 */
export class Core {
  /** Receive slots, each RX_SLOT_BYTES long. */
  readonly slots: readonly Uint8Array[];

  readonly #exports: MptcpExports;
  /** Memory does not grow after mptcp_create, hence both views stay valid for ever. */
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView<ArrayBuffer>;
  readonly #packets: readonly CorePacket[];
  readonly #eventRing: number;
  readonly #result: number;
  readonly #counters: number;

  /** @throws MptcpError EINVAL for a seed or budget out of range, ENOBUFS when the runtime has not that much memory. */
  constructor(options: CoreOptions) {
    if (options.seed.length !== 32) {
      throw new MptcpError('EINVAL', 'create', {
        detail: `the seed has ${options.seed.length} bytes and must have 32`,
      });
    }
    const exports: unknown = instantiateSync(options.module).exports;
    this.#exports = exports as MptcpExports;
    const seed = new DataView(options.seed.buffer, options.seed.byteOffset, 32);
    const part = (index: number): bigint => seed.getBigInt64(index * 8, true);
    const result = this.#exports.mptcp_create(options.memory, part(0), part(1), part(2), part(3));
    if (result < 0) throw MptcpError.fromResult(result, 'create', { detail: `memory: ${options.memory} bytes` });

    const buffer = this.#exports.memory.buffer as ArrayBuffer;
    this.#bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
    this.slots = Array.from({ length: RX_SLOTS }, (_, slot) => {
      const address = this.#exports.mptcp_rx_slot(slot) >>> 0;
      return this.#bytes.subarray(address, address + RX_SLOT_BYTES);
    });
    const ring = this.#exports.mptcp_tx_ring() >>> 0;
    this.#packets = Array.from(
      { length: TX_BATCH },
      (_, index) => new CorePacket(this.#bytes, this.#view, ring + index * TxDescriptorLayout.size),
    );
    this.#eventRing = this.#exports.mptcp_event_ring() >>> 0;
    this.#result = this.#exports.mptcp_result() >>> 0;
    this.#counters = this.#exports.mptcp_counters() >>> 0;
  }

  /** Sets the clock, µs, and runs the timers that are due. */
  time(now: number): void {
    check(this.#exports.mptcp_time(BigInt(now)), 'time');
  }

  /** When {@link time} must be called next, µs; Infinity when nothing is due ever. */
  deadline(): number {
    const deadline = this.#exports.mptcp_deadline();
    return deadline === BigInt(ERR_DONE) ? Number.POSITIVE_INFINITY : Number(deadline);
  }

  /** Tells where the module's memory begins in this process, for {@link CorePacket.iovecs}. */
  memoryBase(base: bigint): void {
    check(this.#exports.mptcp_memory_base(base), 'memoryBase');
    for (const packet of this.#packets) packet.memoryBase = Number(BigInt.asUintN(32, base));
  }

  /** Sets a CONFIG_ value of the stack (handle 0) or of a connection. Returns 0 or an error. */
  set(handle: number, key: number, value: bigint): number {
    return this.#exports.mptcp_set(handle, key, value);
  }

  /** Reads a CONFIG_ value. Below zero it is an error. */
  get(handle: number, key: number): number {
    return Number(this.#exports.mptcp_get(handle, key));
  }

  /** Adds a link of LINK_ flags and returns its number. */
  linkAdd(mtu: number, flags: number): number {
    return check(this.#exports.mptcp_link_add(mtu, flags), 'addLink');
  }

  linkRemove(link: number): void {
    check(this.#exports.mptcp_link_remove(link), 'removeLink');
  }

  linkUp(link: number, up: boolean): void {
    check(this.#exports.mptcp_link_up(link, up ? 1 : 0), 'setLinkUp');
  }

  addressAdd(link: number, prefix: Prefix): number {
    return this.#exports.mptcp_address_add(link, prefix.hi, prefix.lo, prefix.bits);
  }

  addressRemove(link: number, address: Address): number {
    return this.#exports.mptcp_address_remove(link, address.hi, address.lo);
  }

  routeAdd(link: number, prefix: Prefix): number {
    return this.#exports.mptcp_route_add(link, prefix.hi, prefix.lo, prefix.bits);
  }

  routeRemove(link: number, prefix: Prefix): number {
    return this.#exports.mptcp_route_remove(link, prefix.hi, prefix.lo, prefix.bits);
  }

  /** Adds a path-manager endpoint with ENDPOINT_ flags. Returns its id, 1 to 255, or an error. */
  endpointAdd(address: Address, port: number, id: number, flags: number): number {
    return this.#exports.mptcp_endpoint_add(address.hi, address.lo, port, id, flags);
  }

  endpointRemove(id: number): number {
    return this.#exports.mptcp_endpoint_remove(id);
  }

  /**
   * Gives the core the packet in a receive slot. Below zero it was dropped and counted; above zero it is untouched in
   * its slot and for the shard of that number less 1.
   */
  ingest(link: number, slot: number, length: number): number {
    return this.#exports.mptcp_ingest(link, slot, length);
  }

  /** Makes up to `max` packets for a link; {@link packet} 0 to result - 1 hold until the next call into the core. */
  transmit(link: number, max: number): number {
    const count = check(this.#exports.mptcp_transmit(link, max), 'transmit');
    for (let index = 0; index < count; index++) this.packet(index).load();
    return count;
  }

  /** Packet `index` of the last {@link transmit}. */
  packet(index: number): CorePacket {
    return this.#packets[index] as CorePacket;
  }

  /** Takes up to EVENT_BATCH events; read them with {@link event}. Returns their number. */
  events(): number {
    return check(this.#exports.mptcp_events(EVENT_BATCH), 'events');
  }

  /** Event `index` of the last {@link events}, valid until the next call of it. */
  event(index: number): CoreEvent {
    const at = this.#eventRing + index * EventLayout.size;
    return {
      type: this.#view.getUint32(at + EventLayout.fields.type.offset, true),
      handle: this.#view.getUint32(at + EventLayout.fields.handle.offset, true) | 0,
      detail: this.#view.getInt32(at + EventLayout.fields.detail.offset, true),
      subflow: this.#view.getUint32(at + EventLayout.fields.subflow.offset, true),
      reason: this.#view.getUint32(at + EventLayout.fields.reason.offset, true),
    };
  }

  /** Listens; returns the listener's handle or an error. */
  listen(address: Address, port: number, backlog: number, flags: number): number {
    return this.#exports.mptcp_listen(address.hi, address.lo, port, backlog, flags);
  }

  listenerPort(listener: number): number {
    return this.#exports.mptcp_listener_port(listener);
  }

  /** The next established connection of a listener, ERR_DONE or an error. */
  accept(listener: number): number {
    return this.#exports.mptcp_accept(listener);
  }

  /** Begins a connection; returns its handle or an error. */
  connect(local: Address, localPort: number, remote: Address, remotePort: number, flags: number): number {
    return this.#exports.mptcp_connect(local.hi, local.lo, localPort, remote.hi, remote.lo, remotePort, flags);
  }

  /**
   * Copies `source` from `offset` on into the send buffer, as much as there is room for. Returns how many bytes were
   * taken; ERR_DONE when none (EVENT_WRITABLE follows), or an error.
   */
  write(connection: number, source: Uint8Array, offset: number): number {
    let position = offset;
    while (position < source.length) {
      const room = this.#exports.mptcp_send_reserve(connection, source.length - position);
      if (room < 0) return position > offset && room === ERR_DONE ? position - offset : room;
      const address = this.#view.getUint32(this.#result + ResultLayout.fields.address.offset, true);
      this.#bytes.set(source.subarray(position, position + room), address);
      const sent = this.#exports.mptcp_send_commit(connection, room);
      if (sent < 0) return sent;
      position += room;
    }
    return position - offset;
  }

  /** Room for up to `limit` bytes in the send buffer, in one piece, at {@link reserved}. Returns its bytes, or an error. */
  reserve(connection: number, limit: number): number {
    return this.#exports.mptcp_send_reserve(connection, limit);
  }

  /** The room {@link reserve} has just found; valid until the next call into the module. */
  reserved(length: number): Uint8Array {
    return this.peeked(length);
  }

  /** Sends what was written to the front of the room. Returns the bytes, or an error. */
  commit(connection: number, length: number): number {
    return this.#exports.mptcp_send_commit(connection, length);
  }

  /**
   * Shows the next bytes received. Returns their number, to be read with {@link copyPeeked}; 0 at the end of the
   * stream, ERR_DONE when there are none now, or the error that ended the connection.
   */
  peek(connection: number): number {
    return this.#exports.mptcp_recv_peek(connection);
  }

  /** The bytes {@link peek} has just shown, where they lie; valid until the next call into the module. */
  peeked(length: number): Uint8Array {
    const address = this.#view.getUint32(this.#result + ResultLayout.fields.address.offset, true);
    return this.#bytes.subarray(address, address + length);
  }

  /** Copies the first `target.length` bytes that {@link peek} has just shown. */
  copyPeeked(target: Uint8Array): void {
    const address = this.#view.getUint32(this.#result + ResultLayout.fields.address.offset, true);
    target.set(this.#bytes.subarray(address, address + target.length));
  }

  /** Frees bytes shown by {@link peek}, which opens the window. */
  consume(connection: number, length: number): number {
    return this.#exports.mptcp_recv_consume(connection, length);
  }

  /** Ends the sending side. Returns 0 or an error. */
  shutdown(connection: number): number {
    return this.#exports.mptcp_shutdown(connection);
  }

  /** Gives up the handle of a listener or connection. Returns 0 or an error. */
  close(handle: number): number {
    return this.#exports.mptcp_close(handle);
  }

  /** Resets a connection and gives up its handle. Returns 0 or an error. */
  abort(connection: number): number {
    return this.#exports.mptcp_abort(connection);
  }

  /** All about a connection; undefined for a stale handle. */
  connectionInfo(connection: number): ConnectionInfoRecord | undefined {
    const address = this.#exports.mptcp_connection_info(connection);
    return address < 0 ? undefined : this.#record<ConnectionInfoRecord>(address, ConnectionInfoLayout);
  }

  /** All about the subflow number `index` of a connection, from 0; undefined past the last one. */
  subflowInfo(connection: number, index: number): SubflowInfoRecord | undefined {
    const address = this.#exports.mptcp_subflow_info(connection, index);
    return address < 0 ? undefined : this.#record<SubflowInfoRecord>(address, SubflowInfoLayout);
  }

  /** The handle behind `after` of a KIND_ value, the first for 0; ERR_DONE behind the last one. */
  next(kind: number, after: number): number {
    return this.#exports.mptcp_next(kind, after);
  }

  /** All about a listener; undefined for a stale handle. */
  listenerInfo(listener: number): ListenerInfoRecord | undefined {
    const address = this.#exports.mptcp_listener_info(listener);
    return address < 0 ? undefined : this.#record<ListenerInfoRecord>(address, ListenerInfoLayout);
  }

  /** A subflow in TIME-WAIT whose connection is forgotten; undefined for a stale handle. */
  timeWaitInfo(subflow: number): SubflowInfoRecord | undefined {
    const address = this.#exports.mptcp_time_wait_info(subflow);
    return address < 0 ? undefined : this.#record<SubflowInfoRecord>(address, SubflowInfoLayout);
  }

  /** Changes the flags ENDPOINT_BACKUP and ENDPOINT_FULLMESH of an endpoint. Returns 0 or an error. */
  endpointChange(id: number, flags: number): number {
    return this.#exports.mptcp_endpoint_change(id, flags);
  }

  /** Opens a subflow with OPEN_ flags. Returns its id or an error. */
  subflowOpen(connection: number, ends: SubflowEnds, flags: number): number {
    return this.#exports.mptcp_subflow_open(
      connection,
      ends.local.hi,
      ends.local.lo,
      ends.localPort,
      ends.localId,
      ends.remote.hi,
      ends.remote.lo,
      ends.remotePort,
      ends.remoteId,
      flags,
    );
  }

  /** Resets a subflow with a reason of MP_TCPRST. Returns 0 or an error. */
  subflowClose(connection: number, subflow: number, reason: number): number {
    return this.#exports.mptcp_subflow_close(connection, subflow, reason);
  }

  /** Sets a SUBFLOW_OPTION_. Returns 0 or an error. */
  subflowSet(connection: number, subflow: number, key: number, value: bigint): number {
    return this.#exports.mptcp_subflow_set(connection, subflow, key, value);
  }

  /** Reads a SUBFLOW_OPTION_. Below zero it is an error. */
  subflowGet(connection: number, subflow: number, key: number): number {
    return Number(this.#exports.mptcp_subflow_get(connection, subflow, key));
  }

  /** Announces an address to the peer. Returns its id or an error. */
  addressAnnounce(connection: number, address: Address, port: number, id: number): number {
    return this.#exports.mptcp_address_announce(connection, address.hi, address.lo, port, id);
  }

  /** Withdraws an address id. Returns 0 or an error. */
  addressWithdraw(connection: number, id: number): number {
    return this.#exports.mptcp_address_withdraw(connection, id);
  }

  /** The address number `index`, from 0, that was announced to the peer; undefined past the last one. */
  localAddress(connection: number, index: number): AddressInfoRecord | undefined {
    const address = this.#exports.mptcp_local_address_info(connection, index);
    return address < 0 ? undefined : this.#record<AddressInfoRecord>(address, AddressInfoLayout);
  }

  /** The address number `index`, from 0, that the peer announced; undefined past the last one. */
  remoteAddress(connection: number, index: number): AddressInfoRecord | undefined {
    const address = this.#exports.mptcp_remote_address_info(connection, index);
    return address < 0 ? undefined : this.#record<AddressInfoRecord>(address, AddressInfoLayout);
  }

  /** Takes the events of the whole stack that were kept so far, up to EVENT_BATCH. */
  monitor(): MonitorEventRecord[] {
    const count = check(this.#exports.mptcp_monitor(EVENT_BATCH), 'monitor');
    const ring = this.#view.getUint32(this.#result + ResultLayout.fields.address.offset, true);
    return Array.from({ length: count }, (_, index) =>
      this.#record<MonitorEventRecord>(ring + index * MonitorEventLayout.size, MonitorEventLayout),
    );
  }

  /** What is in use of the memory budget. */
  poolInfo(): PoolInfoRecord {
    return this.#record<PoolInfoRecord>(check(this.#exports.mptcp_pool_info(), 'pools'), PoolInfoLayout);
  }

  /** All counters by name. */
  counters(): Record<CounterName, number> {
    const counters: Partial<Record<CounterName, number>> = {};
    for (let index = 0; index < COUNTERS; index++) {
      const name = COUNTER_NAMES[index];
      if (name !== undefined) counters[name] = Number(this.#view.getBigUint64(this.#counters + index * 8, true));
    }
    return counters as Record<CounterName, number>;
  }

  #record<T>(address: number, layout: RecordLayout): T {
    const record: Record<string, number | bigint> = {};
    for (const [name, field] of Object.entries(layout.fields)) {
      record[name] = readScalar(this.#view, (address >>> 0) + field.offset, field.type);
    }
    return record as T;
  }
}

/** Where a subflow is to run; what is undefined or zero is chosen, see mptcp_subflow_open. */
export interface SubflowEnds {
  readonly local: Address;
  readonly localPort: number;
  readonly localId: number;
  readonly remote: Address;
  readonly remotePort: number;
  readonly remoteId: number;
}

/** One event of the core; see the EVENT_ constants. */
export interface CoreEvent {
  readonly type: number;
  readonly handle: number;
  readonly detail: number;
  readonly subflow: number;
  readonly reason: number;
}

/** A transmit descriptor, read in place: the packet that `Link.send` is given. */
export class CorePacket {
  length = 0;
  pieces = 0;
  /** Payload bytes per segment when the link shall cut it, else 0. */
  segmentSize = 0;
  /** Low half of the address the module's memory begins at; the bases of iovecs are that much too large. */
  memoryBase = 0;

  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #address: number;
  readonly #vectors: number;
  readonly #vectorViews: Uint8Array[] = [];

  constructor(bytes: Uint8Array, view: DataView, address: number) {
    this.#bytes = bytes;
    this.#view = view;
    this.#address = address;
    this.#vectors = address + TxDescriptorLayout.fields.iovecs.offset;
    for (let count = 0; count <= TxDescriptorLayout.fields.iovecs.count; count++) {
      this.#vectorViews.push(bytes.subarray(this.#vectors, this.#vectors + count * IovecLayout.size));
    }
  }

  /** Reads the descriptor anew. */
  load(): void {
    const { length, pieces, segmentSize } = TxDescriptorLayout.fields;
    this.length = this.#view.getUint32(this.#address + length.offset, true);
    this.pieces = this.#view.getUint32(this.#address + pieces.offset, true);
    this.segmentSize = this.#view.getUint32(this.#address + segmentSize.offset, true);
  }

  piece(index: number): Uint8Array {
    const at = this.#vectors + index * IovecLayout.size;
    // The memory has less than 4 GiB, hence the low halves decide.
    const base = (this.#view.getUint32(at + IovecLayout.fields.base.offset, true) - this.memoryBase) >>> 0;
    return this.#bytes.subarray(base, base + this.#view.getUint32(at + IovecLayout.fields.length.offset, true));
  }

  copyTo(target: Uint8Array, offset: number): number {
    let position = offset;
    for (let index = 0; index < this.pieces; index++) {
      const piece = this.piece(index);
      target.set(piece, position);
      position += piece.length;
    }
    return position - offset;
  }

  get iovecs(): Uint8Array {
    return this.#vectorViews[this.pieces] as Uint8Array;
  }
}

function check(result: number, syscall: string): number {
  if (result < 0) throw MptcpError.fromResult(result, syscall);
  return result;
}

function readScalar(view: DataView, address: number, type: string): number | bigint {
  switch (type) {
    case 'u8':
      return view.getUint8(address);
    case 'u16':
      return view.getUint16(address, true);
    case 'u32':
      return view.getUint32(address, true);
    case 'i32':
      return view.getInt32(address, true);
    case 'u64':
      return view.getBigUint64(address, true);
    case 'i64':
      return view.getBigInt64(address, true);
    default:
      throw new MptcpError('EINVAL', 'readRecord', { detail: `no single value has the type ${type}` });
  }
}
