/** Packets of a Linux kernel, right, wrong, cut and mixed, and plain rubbish. */
import { describe, expect, it } from 'vitest';
import {
  ERR_DROPPED,
  ERR_INVALID,
  ERR_MALFORMED,
  ERR_NO_MEMORY,
  LINK_VNET_HEADER,
  RX_SLOT_BYTES,
  VNET_HEADER_BYTES,
} from '../../host/abi.js';
import { captureNames, readCapture } from '../wire/capture-files.js';
import { checksum } from './packets.js';
import { Random, seeds } from './random.js';
import { Script, type ScriptOptions, VARIANTS } from './script.js';

const captures = captureNames().map((name) => readCapture(name).map(({ packet }) => packet));
const LINKS = [1, 2].map((path) => [`10.0.${path}.1`, `10.0.${path}.2`, `fd00:${path}::1`, `fd00:${path}::2`]);
const RESULTS = [0, ERR_DROPPED, ERR_MALFORMED, ERR_NO_MEMORY];

/** Makes the checksums of a packet right again, as far as it still has the parts they lie in. */
function mend(packet: Uint8Array): void {
  const v4 = (packet[0] ?? 0) >> 4 === 4;
  const header = v4 ? ((packet[0] ?? 0) & 15) * 4 : 40;
  if (packet.length < header + 20 || header < 20) return;
  const put = (at: number, value: number): void => packet.set([value >> 8, value & 255], at);
  if (v4) {
    put(2, packet.length);
    put(10, 0);
    put(10, checksum(packet.subarray(0, header)));
  } else {
    put(4, packet.length - 40);
  }
  const protocol = packet[v4 ? 9 : 6] ?? 0;
  if (protocol !== 6) return;
  const addresses = packet.subarray(v4 ? 12 : 8, v4 ? 20 : 40);
  const length = packet.length - header;
  const pseudo = checksum([...addresses, 0, protocol, length >> 8, length & 255]) ^ 0xffff;
  put(header + 16, 0);
  put(header + 16, checksum(packet.subarray(header), pseudo));
}

function mutate(random: Random, packet: Uint8Array): Uint8Array {
  const changed = Uint8Array.from(packet);
  switch (random.below(8)) {
    case 0:
      return changed.slice(0, random.below(changed.length + 1));
    case 1: {
      // Cut, with lengths that agree.
      const cut = changed.slice(0, Math.max(40, random.below(changed.length + 1)));
      mend(cut);
      return cut;
    }
    case 2:
      return Uint8Array.from([...changed, ...random.bytes(random.below(100))]);
    case 3:
    case 4:
    case 5: {
      for (let times = 1 + random.below(3); times > 0; times--) {
        changed[random.below(Math.min(changed.length, 100))] = random.below(256);
      }
      mend(changed);
      return changed;
    }
    case 6:
      for (let times = 1 + random.below(8); times > 0; times--)
        changed[random.below(changed.length)] = random.below(256);
      return changed;
    default:
      return changed;
  }
}

describe.each(VARIANTS)('packets of a kernel (%s)', (variant) => {
  const open = (seed: number, options: ScriptOptions = {}) => {
    const script = new Script({ variant, budget: 4 << 20, seed: BigInt(seed), links: LINKS, ...options });
    const listeners = [script.listen(8_000, 100), script.listen(8_001, 100)];
    return { script, listeners };
  };

  const windUp = (script: Script, handles: number[]): void => {
    for (const handle of handles) script.x.mptcp_close(handle);
    script.skip();
    script.advance(2 * 3_600_000_000);
    script.skip();
    script.expectEmpty();
  };

  it.each(seeds(variant === 'simd' ? 20 : 5))('changed at random do no harm: FUZZ_SEED=%i', (seed) => {
    const { script, listeners } = open(seed);
    const random = new Random(seed);
    const handles = [...listeners];
    for (let turn = 0; turn < 1_500; turn++) {
      const packet = mutate(random, random.pick(random.pick(captures)));
      const result = script.ingest(packet, random.below(2));
      expect(RESULTS, `mptcp_ingest returned ${result}`).toContain(result);
      if (random.chance(1, 10)) script.skip();
      if (random.chance(1, 30)) script.advance(random.pick([1_000, 1_000_000, 30_000_000]));
      const accepted = script.x.mptcp_accept(random.pick(listeners));
      if (accepted > 0) handles.push(accepted);
    }
    windUp(script, handles);
  });

  it.each(seeds(variant === 'simd' ? 6 : 2))('and rubbish do no harm: FUZZ_SEED=%i', (seed) => {
    const { script, listeners } = open(seed, { linkFlags: seed % 2 === 0 ? LINK_VNET_HEADER : 0 });
    const random = new Random(seed);
    for (let turn = 0; turn < 3_000; turn++) {
      const length = random.chance(1, 100) ? RX_SLOT_BYTES - random.below(3) : random.below(120);
      const packet = random.bytes(length);
      if (random.chance(3, 4)) packet[seed % 2 === 0 ? VNET_HEADER_BYTES : 0] = random.pick([0x45, 0x60, 0x4f]);
      expect(RESULTS).toContain(script.ingest(packet, random.below(2)));
    }
    expect(script.x.mptcp_ingest(0, 0, RX_SLOT_BYTES + 1)).toBe(ERR_INVALID);
    expect(script.x.mptcp_ingest(0, 0, -1)).toBe(ERR_INVALID);
    expect(script.x.mptcp_ingest(0, 8, 20)).toBe(ERR_INVALID);
    expect(script.x.mptcp_ingest(0, -1, 20)).toBe(ERR_INVALID);
    expect(script.x.mptcp_ingest(7, 0, 20)).toBe(ERR_INVALID);
    script.skip();
    windUp(script, listeners);
  });

  it('of every length up to the whole do no harm', () => {
    const { script, listeners } = open(1);
    for (const capture of captures) {
      for (const packet of capture.slice(0, 8)) {
        for (let length = 0; length <= Math.min(packet.length, 120); length++) {
          const result = script.ingest(packet.subarray(0, length), 0);
          expect(RESULTS).toContain(result);
          if (length < 40) expect(result).toBe(ERR_MALFORMED);
        }
        script.skip();
      }
    }
    windUp(script, listeners);
  });
});
