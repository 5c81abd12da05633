/** Many connections at a time between two stacks with the smallest budget, over paths that lose packets. */
import { describe, expect, it } from 'vitest';
import { BUDGET_MIN, CONNECT_PLAIN_TCP, ENDPOINT_SUBFLOW, ERR_DONE, ERR_NO_MEMORY } from '../../host/abi.js';
import { Random, seeds } from './random.js';
import { halves, pattern, Script, VARIANTS } from './script.js';

const CONNECTIONS = 100;
const BYTES = 48 * 1024;
const STEP = 2_000;
const DELAY = 4;

/** One end of a connection: sends a pattern, and checks the other's. */
class End {
  readonly #script: Script;
  readonly #handle: number;
  #sent = 0;
  #got = 0;
  #ended = false;
  /** How it ended: '' in order, else an error. */
  outcome: string | undefined;

  constructor(script: Script, handle: number) {
    this.#script = script;
    this.#handle = handle;
  }

  /** Writes and reads what can be. */
  work(): void {
    if (this.outcome !== undefined) return;
    const { x, bytes } = this.#script;
    const scratch = x.mptcp_scratch() >>> 0;
    while (this.#sent < BYTES) {
      const part = pattern(Math.min(8_192, BYTES - this.#sent), this.#sent);
      bytes.set(part, scratch);
      const taken = x.mptcp_send(this.#handle, scratch, part.length);
      if (taken <= 0) break;
      this.#sent += taken;
      if (this.#sent === BYTES) x.mptcp_shutdown(this.#handle);
    }
    for (;;) {
      const got = x.mptcp_recv(this.#handle, scratch, 60_000);
      if (got <= 0) {
        if (got === 0) this.#ended = true;
        else if (got !== ERR_DONE) this.#finish(`error ${got}`);
        break;
      }
      expect(Buffer.compare(bytes.subarray(scratch, scratch + got), pattern(got, this.#got)), 'bytes received').toBe(0);
      this.#got += got;
    }
    if (this.#ended && this.#sent === BYTES) this.#finish(this.#got === BYTES ? '' : `${this.#got} bytes`);
  }

  #finish(outcome: string): void {
    this.outcome = outcome;
    this.#script.x.mptcp_close(this.#handle);
  }
}

describe.each(VARIANTS)('a soak (%s)', (variant) => {
  it.each(seeds(1))('of a hundred connections under loss ends well: FUZZ_SEED=%i', (seed) => {
    const random = new Random(seed);
    const make = (host: number) =>
      new Script({
        variant,
        budget: BUDGET_MIN,
        seed: BigInt(seed * 10 + host),
        links: [[`10.0.0.${host}`], [`10.1.0.${host}`]],
      });
    const server = make(2);
    const client = make(3);
    client.endpoint('10.1.0.3', ENDPOINT_SUBFLOW);
    const listener = server.listen(80, CONNECTIONS);
    const ends: End[] = [];
    const flying: { due: number; to: Script; bytes: Uint8Array; link: number }[] = [];
    let opened = 0;
    let turn = 0;
    const carry = (from: Script, to: Script): void => {
      for (const { bytes, link } of from.flush()) {
        if (!random.chance(3, 100)) flying.push({ due: turn + DELAY + random.below(3), to, bytes, link });
      }
      from.skip();
    };
    for (; turn < 60_000; turn++) {
      if (opened < CONNECTIONS) {
        const flags = opened % 4 === 3 ? CONNECT_PLAIN_TCP : 0;
        const handle = client.x.mptcp_connect(0n, 0n, 0, ...halves('10.0.0.2'), 80, flags);
        if (handle !== ERR_NO_MEMORY) {
          expect(handle).toBeGreaterThan(0);
          ends.push(new End(client, handle));
          opened++;
        }
      }
      for (let handle = server.x.mptcp_accept(listener); handle > 0; handle = server.x.mptcp_accept(listener)) {
        ends.push(new End(server, handle));
      }
      for (const end of ends) end.work();
      carry(client, server);
      carry(server, client);
      for (let index = 0; index < flying.length; ) {
        const packet = flying[index];
        if (packet === undefined || packet.due > turn) {
          index++;
          continue;
        }
        flying.splice(index, 1);
        packet.to.ingest(packet.bytes, packet.link);
      }
      client.advance(STEP);
      server.advance(STEP);
      if (opened === CONNECTIONS && flying.length === 0 && ends.every(({ outcome }) => outcome !== undefined)) break;
    }
    expect(ends.filter(({ outcome }) => outcome !== '').map(({ outcome }) => outcome ?? 'never ended')).toEqual([]);
    expect(ends).toHaveLength(2 * CONNECTIONS);
    server.close(listener);
    for (const script of [client, server]) {
      script.advance(3_600_000_000);
      script.skip();
      script.expectEmpty();
    }
  });
});
