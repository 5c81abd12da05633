import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { StackBase } from '../stack.js';
import { createRing, RingConsumer, RingProducer } from './ring.js';

/** What one shard needs to exchange packets with one other. */
export interface Channel {
  /** Rings of packets for the other shard and from it. */
  readonly outgoing: SharedArrayBuffer;
  readonly incoming: SharedArrayBuffer;
  /** Carries nothing but the knock that wakes the other. */
  readonly port: MessagePort;
}

/** Packets exchanged with all other shards, in numbers of packets. */
export interface ExchangeStatistics {
  /** Given to other shards. */
  readonly handedOver: number;
  /** Lost because the ring to the other shard was full. */
  readonly ringFull: number;
  /** Taken from other shards. */
  readonly takenOver: number;
  /** Taken from another shard, but found to belong to a third; dropped, so that no packet goes around. */
  readonly misdirected: number;
}

/** Packets taken from one shard before the links and the application have their turn. */
const TAKE_BUDGET = 128;

/**
 * The channels between `count` shards: `[i][j]` is what shard i needs for shard j, undefined for itself.
 * @param ringBytes capacity of each ring, see {@link createRing}.
 */
export function createChannels(count: number, ringBytes: number): (Channel | undefined)[][] {
  const channels = Array.from({ length: count }, () => new Array<Channel | undefined>(count).fill(undefined));
  for (const [low, row] of channels.entries()) {
    for (let high = low + 1; high < count; high++) {
      const { port1, port2 } = new MessageChannel();
      const up = createRing(ringBytes);
      const down = createRing(ringBytes);
      row[high] = { outgoing: up, incoming: down, port: port1 };
      const other = channels[high];
      if (other !== undefined) other[low] = { outgoing: down, incoming: up, port: port2 };
    }
  }
  return channels;
}

/** A shard's end of the channels to all others. */
export class Exchange {
  #ringFull = 0;
  #handedOver = 0;
  #takenOver = 0;
  #misdirected = 0;
  #closed = false;
  readonly #channels: readonly Channel[];
  readonly #producers: readonly (RingProducer | undefined)[];

  /** @param channels by the number of the other shard. */
  constructor(channels: readonly (Channel | undefined)[]) {
    this.#channels = channels.filter((channel) => channel !== undefined);
    this.#producers = channels.map(
      (channel) => channel && new RingProducer(channel.outgoing, () => channel.port.postMessage(null)),
    );
  }

  /** Gives a packet to another shard; the `handOver` of its stack. */
  readonly handOver = (link: number, shard: number, packet: Uint8Array): boolean => {
    if (this.#producers[shard]?.put(link, packet) === true) {
      this.#handedOver++;
      return true;
    }
    this.#ringFull++;
    return false;
  };

  /** Gives `stack` what the others have for it, from now on. */
  deliverTo(stack: StackBase): void {
    const taker = (link: number, packet: Uint8Array): void => {
      this.#takenOver++;
      if (stack.takeOver(link, packet) > 0) this.#misdirected++;
    };
    for (const { incoming, port } of this.#channels) {
      const consumer = new RingConsumer(incoming);
      const drain = (): void => {
        if (this.#closed) return;
        if (consumer.take(TAKE_BUDGET, taker) === TAKE_BUDGET) setImmediate(drain);
      };
      port.on('message', drain);
      // Who waits for packets only keeps no thread alive.
      port.unref();
      drain();
    }
  }

  statistics(): ExchangeStatistics {
    return {
      handedOver: this.#handedOver,
      ringFull: this.#ringFull,
      takenOver: this.#takenOver,
      misdirected: this.#misdirected,
    };
  }

  close(): void {
    this.#closed = true;
    for (const { port } of this.#channels) port.close();
  }
}
