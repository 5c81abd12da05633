import { TX_BATCH } from '../../host/abi.js';
import { loadModule } from '../../host/module.js';
import { shuffle } from '../micro/orders.js';
import { Population } from './population.js';

/** Payload of each segment, bytes: small, so that 100,000 holes fit into a window. */
const PIECE = 64;
const VNET_AND_IP = 12 + 20;
const SEQ_OFFSET = VNET_AND_IP + 4;
/** As much as the largest window of TCP without a gap for the alignment of holes. */
const WINDOW = 16 << 20;
const MEMORY = 256 << 20;
/** Acknowledgments are fetched so often. */
const FETCH_EVERY = 16;

/**
 * A stack that receives a stream of which every second piece comes first, in random order, and then the others: the
 * cost of a packet beside so many ranges out of order. Packets are made from a real one with another sequence number.
 */
export class Reordered {
  readonly #population = new Population({
    module: loadModule(),
    memory: MEMORY,
    multipath: false,
    window: WINDOW,
  });
  readonly #packet: Uint8Array;
  readonly #view: DataView;
  readonly #handle: number;
  #seq: number;

  constructor() {
    const { client, server } = this.#population;
    this.#population.grow(1);
    this.#handle = this.#population.servers[0] as number;
    client.write(this.#population.clients[0] as number, new Uint8Array(PIECE), 0);
    if (client.calls.mptcp_transmit(0, TX_BATCH) !== 1) throw new Error('the bench expects one packet');
    this.#packet = client.packet(0);
    this.#view = new DataView(this.#packet.buffer);
    this.#seq = this.#view.getUint32(SEQ_OFFSET);
    server.bytes.set(this.#packet, server.slot);
  }

  /** One time through with `count` ranges. Returns ns of one packet. @throws Error when bytes were lost. */
  run(count: number): number {
    const order = Array.from({ length: count }, (_, index) => index);
    shuffle(order, count);
    const start = performance.now();
    for (const [index, piece] of order.entries()) this.#arrive(2 * piece + 1, index);
    for (let piece = 0; piece < count; piece++) this.#arrive(2 * piece, piece);
    const passed = performance.now() - start;
    const read = this.#population.consume(this.#handle);
    if (read !== 2 * count * PIECE) throw new Error(`${read} bytes of ${2 * count * PIECE} arrived`);
    this.#seq = (this.#seq + read) >>> 0;
    // The window that was read free is announced.
    this.#fetch();
    return (passed * 1e6) / (2 * count);
  }

  #arrive(piece: number, index: number): void {
    const { server } = this.#population;
    this.#view.setUint32(SEQ_OFFSET, this.#seq + piece * PIECE);
    server.bytes.set(this.#packet, server.slot);
    server.calls.mptcp_ingest(0, 0, this.#packet.length);
    if (index % FETCH_EVERY === 0) this.#fetch();
  }

  #fetch(): void {
    const { server } = this.#population;
    this.#population.now += 10;
    server.time(this.#population.now);
    while (server.calls.mptcp_transmit(0, TX_BATCH) === TX_BATCH);
    server.calls.mptcp_events(256);
  }
}
