import { type Address, formatAddress, type Prefix, requireAddress, requirePrefix } from '../address.js';
import { packetTooBig } from './icmp.js';
import type { WireDirection } from './wire.js';

interface Route extends Prefix {
  readonly out: WireDirection;
}

/** Options of a router. */
export interface RouterOptions {
  /**
   * Its own addresses, at most one of each family: from them it tells a sender that a packet is too large for the next
   * wire (RFC 1191, RFC 8201). Without one it is silent.
   */
  readonly addresses?: readonly string[];
}

/** Forwards IP packets between wires by the longest prefix of their destination. */
export class Router {
  readonly name: string;
  /** Packets with no route, and packets whose hop limit ran out. */
  dropped = 0;
  readonly #addresses: readonly Address[];
  readonly #routes: Route[] = [];
  readonly #known = new Map<string, WireDirection | undefined>();

  /** @throws MptcpError EINVAL for an address that is none. */
  constructor(name: string, options: RouterOptions = {}) {
    this.name = name;
    this.#addresses = (options.addresses ?? []).map((address) => requireAddress(address, 'router'));
  }

  /** Leads a prefix, `10.0.1.0/24`, by a wire. @throws MptcpError EINVAL. */
  addRoute(prefix: string, out: WireDirection): void {
    this.#routes.push({ ...requirePrefix(prefix, 'addRoute'), out });
    this.#routes.sort((one, other) => other.bits - one.bits);
    this.#known.clear();
  }

  /** Takes a packet and sends it on. */
  forward(bytes: Uint8Array): void {
    const out = this.#lookup(bytes);
    if (out === undefined || !passHop(bytes)) {
      this.dropped++;
      return;
    }
    if (bytes.length > out.characteristics.largest) this.#answerTooBig(bytes, out.characteristics.largest);
    out.send(bytes.length, (target) => target.set(bytes));
  }

  #answerTooBig(bytes: Uint8Array, mtu: number): void {
    const own = this.#addresses.find((address) => isV4(address) === ((bytes[0] ?? 0) >> 4 === 4));
    if (own !== undefined) this.forward(packetTooBig(bytes, own, mtu));
  }

  #lookup(bytes: Uint8Array): WireDirection | undefined {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const version = (bytes[0] ?? 0) >> 4;
    let hi = 0n;
    let lo = 0n;
    if (version === 4 && bytes.length >= 20) {
      lo = (0xffffn << 32n) | BigInt(view.getUint32(16));
    } else if (version === 6 && bytes.length >= 40) {
      hi = view.getBigUint64(24);
      lo = view.getBigUint64(32);
    } else {
      return undefined;
    }
    const key = formatAddress(hi, lo);
    if (!this.#known.has(key)) {
      this.#known.set(key, this.#routes.find((route) => matches(route, hi, lo))?.out);
    }
    return this.#known.get(key);
  }
}

function isV4({ hi, lo }: Address): boolean {
  return hi === 0n && lo >> 32n === 0xffffn;
}

function matches(route: Route, hi: bigint, lo: bigint): boolean {
  const shift = BigInt(128 - route.bits);
  return ((hi << 64n) | lo) >> shift === ((route.hi << 64n) | route.lo) >> shift;
}

/** Lowers TTL or hop limit; false when the packet may go no further. */
function passHop(bytes: Uint8Array): boolean {
  const place = (bytes[0] ?? 0) >> 4 === 4 ? 8 : 7;
  const hops = bytes[place] ?? 0;
  if (hops <= 1) return false;
  bytes[place] = hops - 1;
  if (place === 8) {
    // RFC 1624: the TTL is the upper half of its word, one less of it is 0x100 more in the checksum.
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const sum = view.getUint16(10) + 0x100;
    view.setUint16(10, (sum & 0xffff) + (sum >> 16));
  }
  return true;
}
