import { type Address, isIPv4, requireAddress } from '../../address.js';
import { MptcpError } from '../../error.js';
import { finishIcmp, quotedPacket } from '../icmp.js';
import { ACK, FIN, finishV4Header, isV4, RST, type Segment, SYN, seqAdd } from '../packet.js';
import { begins, SegmentBox, type Way } from './box.js';

/** Options of a {@link Nat}. */
export interface NatOptions {
  /** Its addresses on the outside, at most one of each family; a family without one does not get through. */
  readonly addresses: readonly string[];
  /** The ports it gives out, both included; it begins anywhere in between. Default 1,024 to 65,535. */
  readonly ports?: readonly [first: number, last: number];
  /** How long an established flow may be silent, µs. Default 7,440 s (RFC 5382 section 5, REQ-5). */
  readonly established?: number;
  /** The same for one that opens or closes. Default 240 s. */
  readonly transitory?: number;
  /** What a flow of the inside meets when its binding is gone: it gets another, or an RST, or nothing. Default `bind`. */
  readonly forgotten?: 'bind' | 'reset' | 'drop';
}

interface Binding {
  readonly inside: Uint8Array;
  readonly insidePort: number;
  readonly outside: Uint8Array;
  readonly outsidePort: number;
  readonly keys: readonly [inside: string, outside: string];
  /** SYNs seen both ways, and no FIN or RST. */
  readonly synced: Set<Way>;
  closing: boolean;
  /** When it was used last, µs. */
  used: number;
}

const ESTABLISHED = 7_440e6;
const TRANSITORY = 240e6;
const PORT_BYTES = 4;

/**
 * Gives the flows of the inside its own address and a port of its choice. Every flow has a binding of its own, which
 * nobody but its peer can use. Of other protocols only ICMP errors about its flows pass.
 */
export class Nat extends SegmentBox {
  readonly name = 'NAT';
  /** Packets without a binding, and of protocols it does not know. */
  dropped = 0;
  readonly #addresses: readonly { readonly v4: boolean; readonly bytes: Uint8Array }[];
  readonly #first: number;
  readonly #count: number;
  readonly #established: number;
  readonly #transitory: number;
  readonly #forgotten: 'bind' | 'reset' | 'drop';
  readonly #inside = new Map<string, Binding>();
  readonly #outside = new Map<string, Binding>();
  #next: number | undefined;

  /** @throws MptcpError EINVAL for an address that is none, two of one family, or ports that are none. */
  constructor(options: NatOptions) {
    super();
    const addresses = options.addresses.map((text) => requireAddress(text, 'Nat'));
    const [first, last] = options.ports ?? [1024, 65_535];
    const families = new Set(addresses.map(isIPv4));
    if (families.size !== addresses.length) {
      throw new MptcpError('EINVAL', 'Nat', { detail: 'it has at most one address of each family' });
    }
    if (!(first >= 1 && first <= last && last <= 65_535)) {
      throw new MptcpError('EINVAL', 'Nat', { detail: `ports ${first} to ${last}: write 1 to 65535, the lower first` });
    }
    this.#addresses = addresses.map((address) => ({ v4: isIPv4(address), bytes: addressBytes(address) }));
    this.#first = first;
    this.#count = last - first + 1;
    this.#established = options.established ?? ESTABLISHED;
    this.#transitory = options.transitory ?? TRANSITORY;
    this.#forgotten = options.forgotten ?? 'bind';
  }

  /** Forgets all bindings, as when it is started again. */
  restart(): void {
    this.#inside.clear();
    this.#outside.clear();
  }

  protected override segment(way: Way, segment: Segment): void {
    const binding = way === 'out' ? this.#bind(segment) : this.#alive(this.#outside.get(destination(segment)));
    if (binding === undefined) {
      this.dropped++;
      return;
    }
    binding.used = this.place.now();
    if (begins(segment)) {
      binding.closing = false;
      binding.synced.clear();
    }
    if (segment.has(SYN)) binding.synced.add(way);
    if (segment.has(FIN | RST)) binding.closing = true;
    if (way === 'out') {
      segment.src.set(binding.outside);
      segment.srcPort = binding.outsidePort;
    } else {
      segment.dst.set(binding.inside);
      segment.dstPort = binding.insidePort;
    }
    this.interventions++;
    this.emit(way, segment);
  }

  /** Errors of routers about packets of its flows go on to who sent these (RFC 5508 section 4). */
  protected override other(way: Way, packet: Uint8Array): void {
    const quoted = way === 'in' ? quotedPacket(packet) : undefined;
    const binding = quoted === undefined ? undefined : this.#quoted(quoted);
    if (quoted === undefined || binding === undefined) {
      this.dropped++;
      return;
    }
    const v4 = isV4(packet);
    const header = v4 ? ((quoted[0] ?? 0) & 15) * 4 : 40;
    quoted.set(binding.inside, v4 ? 12 : 8);
    new DataView(quoted.buffer, quoted.byteOffset).setUint16(header, binding.insidePort);
    packet.set(binding.inside, v4 ? 16 : 24);
    if (v4) {
      finishV4Header(quoted.subarray(0, header));
      finishV4Header(packet.subarray(0, ((packet[0] ?? 0) & 15) * 4));
    }
    finishIcmp(packet);
    this.interventions++;
    this.place.emit(way, packet);
  }

  /** The binding that a quoted packet, as it looks on the outside, belongs to. */
  #quoted(packet: Uint8Array): Binding | undefined {
    const v4 = isV4(packet);
    const header = v4 ? ((packet[0] ?? 0) & 15) * 4 : 40;
    if (packet.length < header + PORT_BYTES) return undefined;
    const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
    const dst = v4 ? packet.subarray(16, 20) : packet.subarray(24, 40);
    const key = outsideKey(view.getUint16(header), dst, view.getUint16(header + 2));
    return this.#alive(this.#outside.get(key));
  }

  #bind(segment: Segment): Binding | undefined {
    const key = `${segment.src.join('.')}:${segment.srcPort}>${segment.dst.join('.')}:${segment.dstPort}`;
    const known = this.#alive(this.#inside.get(key));
    if (known !== undefined) return known;
    const outside = this.#addresses.find(({ v4 }) => v4 === segment.v4)?.bytes;
    if (outside === undefined) return undefined;
    if (!segment.has(SYN) && this.#forgotten !== 'bind') {
      if (this.#forgotten === 'reset' && !segment.has(RST)) this.#reset(segment);
      return undefined;
    }
    const port = this.#freePort(segment);
    if (port === undefined) return undefined;
    const binding: Binding = {
      inside: segment.src.slice(),
      insidePort: segment.srcPort,
      outside,
      outsidePort: port,
      keys: [key, outsideKey(port, segment.dst, segment.dstPort)],
      synced: new Set(),
      closing: false,
      used: this.place.now(),
    };
    this.#inside.set(binding.keys[0], binding);
    this.#outside.set(binding.keys[1], binding);
    return binding;
  }

  #freePort(segment: Segment): number | undefined {
    let next = this.#next ?? this.place.random.between(0, this.#count - 1);
    for (let tried = 0; tried < this.#count; tried++) {
      const port = this.#first + next;
      next = (next + 1) % this.#count;
      if (this.#alive(this.#outside.get(outsideKey(port, segment.dst, segment.dstPort))) === undefined) {
        this.#next = next;
        return port;
      }
    }
    return undefined;
  }

  /** The binding, unless it was silent for too long: then it is forgotten. */
  #alive(binding: Binding | undefined): Binding | undefined {
    if (binding === undefined) return undefined;
    const established = binding.synced.size === 2 && !binding.closing;
    if (this.place.now() - binding.used <= (established ? this.#established : this.#transitory)) return binding;
    this.#inside.delete(binding.keys[0]);
    this.#outside.delete(binding.keys[1]);
    return undefined;
  }

  #reset(segment: Segment): void {
    const answer = segment.answer();
    answer.flags = segment.has(ACK) ? RST : RST | ACK;
    answer.seq = segment.has(ACK) ? segment.ack : 0;
    answer.ack = segment.has(ACK) ? 0 : seqAdd(segment.seq, segment.span);
    this.interventions++;
    this.emit('in', answer);
  }
}

function destination(segment: Segment): string {
  return outsideKey(segment.dstPort, segment.src, segment.srcPort);
}

function outsideKey(port: number, peer: Uint8Array, peerPort: number): string {
  return `${port}<${peer.join('.')}:${peerPort}`;
}

function addressBytes(address: Address): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, address.hi);
  view.setBigUint64(8, address.lo);
  return isIPv4(address) ? bytes.subarray(12) : bytes;
}
