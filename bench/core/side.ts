import { instantiateSync } from '@assemblyscript/loader';
import { IovecLayout, type MptcpExports, RX_SLOT_BYTES, TxDescriptorLayout } from '../../host/abi.js';
import type { Copy } from './bridge.js';

const DESCRIPTOR_WORDS = TxDescriptorLayout.size >> 2;
const IOVECS_WORD = TxDescriptorLayout.fields.iovecs.offset >> 2;
const IOVEC_WORDS = IovecLayout.size >> 2;

/**
 * One stack of a bench: the bare module, called without a host between, and views of its memory. Results below zero
 * that a bench does not expect end it.
 */
export class Side {
  readonly calls: MptcpExports;
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  readonly slot: number;
  readonly #txRing: number;
  readonly #result: number;

  /** @param seed different for every stack of a bench, so that keys and ports are. */
  constructor(module: WebAssembly.Module, budget: number, seed: number) {
    this.calls = instantiateSync(module).exports as unknown as MptcpExports;
    const part = BigInt(seed + 1);
    this.must('mptcp_create', this.calls.mptcp_create(budget, part, part * 3n, part * 5n, part * 7n));
    const buffer = this.calls.memory.buffer;
    this.bytes = new Uint8Array(buffer);
    this.words = new Uint32Array(buffer);
    this.slot = this.calls.mptcp_rx_slot(0) >>> 0;
    this.#txRing = (this.calls.mptcp_tx_ring() >>> 0) >> 2;
    this.#result = (this.calls.mptcp_result() >>> 0) >> 2;
  }

  /** The result of a call that must succeed. @throws Error naming the call. */
  must(call: string, result: number): number {
    if (result < 0) throw new Error(`${call} failed with ${result}: the bench set the stack up in a way it refuses`);
    return result;
  }

  set(key: number, value: number, handle = 0): void {
    this.must(`mptcp_set(${key}, ${value})`, this.calls.mptcp_set(handle, key, BigInt(value)));
  }

  time(now: number): void {
    this.must('mptcp_time', this.calls.mptcp_time(BigInt(now)));
  }

  /** Copies packet `index` of the last mptcp_transmit to `to`, by {@link bridge}; returns its length, bytes. */
  copyPacket(index: number, copy: Copy, to: number): number {
    const { words } = this;
    const at = this.#txRing + index * DESCRIPTOR_WORDS;
    const pieces = words[at + 1] as number;
    let end = to;
    for (let vector = at + IOVECS_WORD, last = vector + pieces * IOVEC_WORDS; vector < last; vector += IOVEC_WORDS) {
      const length = words[vector + 2] as number;
      // The memory has less than 4 GiB: the lower half of an address is all of it.
      copy(end, words[vector] as number, length);
      end += length;
    }
    return end - to;
  }

  /** Packet `index` of the last mptcp_transmit, in one piece. */
  packet(index: number): Uint8Array {
    const bytes = new Uint8Array(this.words[this.#txRing + index * DESCRIPTOR_WORDS] as number);
    const length = this.copyPacket(
      index,
      (to, from, count) => bytes.set(this.bytes.subarray(from, from + count), to),
      0,
    );
    return bytes.subarray(0, length);
  }

  /** Whether packet `index` of the last mptcp_transmit has a payload. */
  hasPayload(index: number): boolean {
    return (this.words[this.#txRing + index * DESCRIPTOR_WORDS + 1] as number) > 1;
  }

  /** Copies `source` from `from` on into the send buffer as far as there is room; returns how many bytes were taken. */
  write(connection: number, source: Uint8Array, from: number): number {
    const room = this.calls.mptcp_send_reserve(connection, source.length - from);
    if (room < 0) return 0;
    this.bytes.set(source.subarray(from, from + room), this.words[this.#result]);
    return this.must('mptcp_send_commit', this.calls.mptcp_send_commit(connection, room));
  }

  /** The bytes that can be read now, in one piece and in place; none before there are any. */
  peek(connection: number): Uint8Array | undefined {
    const length = this.calls.mptcp_recv_peek(connection);
    if (length <= 0) return undefined;
    const at = this.words[this.#result] as number;
    return this.bytes.subarray(at, at + length);
  }

  /** How many bytes {@link peek} would show, without a view of them. */
  readable(connection: number): number {
    return this.calls.mptcp_recv_peek(connection);
  }
}

/** Room that one receive slot has for a packet, bytes. */
export const SLOT_BYTES = RX_SLOT_BYTES;

/** The address of host `host` on path `path`: 10.0.path.host, as ::ffff:10.0.path.host. */
export function pathAddress(path: number, host: number): bigint {
  return 0xffff_0a00_0000n | (BigInt(path) << 8n) | BigInt(host);
}

/** Prefix length of {@link pathAddress}, /24 counted as for IPv6. */
export const PATH_PREFIX = 120;
