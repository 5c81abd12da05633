/** Segments that fit a state almost or not at all, into a stack with connections in many states. */
import { describe, expect, it } from 'vitest';
import {
  CONFIG_FASTOPEN,
  CONFIG_LIMIT_ADD_ADDR_ACCEPTED,
  CONNECT_FAST_OPEN,
  CONNECT_VERSION_0,
  CONNECT_VERSION_1,
  ENDPOINT_SIGNAL,
  ENDPOINT_SUBFLOW,
} from '../../host/abi.js';
import { joinPassive, MptcpPeer, mptcpActive, mptcpPassive, plainActive, SYN } from './handshakes.js';
import { addAddrHmac, dssChecksum, joinHmac, token } from './keys.js';
import type { Dss, MptcpOption } from './options.js';
import { writeTcp } from './packets.js';
import { Random, seeds } from './random.js';
import { type Peer, pattern, type Said, Script, VARIANTS } from './script.js';

const BUDGET = 4 << 20;

/** Numbers near those that matter. */
function near(random: Random, base: number): number {
  return (
    base + random.pick([0, 0, 0, 0, 1, -1, 2, 10, 100, 1_000, -1_000, 65_535, 0x7fff_ffff, -0x8000_0000, random.next()])
  );
}

function randomDss(random: Random, peer: MptcpPeer, seq: number, data: Uint8Array): Dss {
  const option: Dss = { dss: true };
  if (random.chance(7, 8)) option.ack = peer.remoteDsn(near(random, random.below(3_000)));
  if (random.chance(1, 4)) option.ack4 = true;
  if (random.chance(2, 3)) {
    const offset = random.chance(3, 4) ? seq - 1 : near(random, random.below(5_000));
    option.dsn = peer.dsn(offset);
    option.ssn = random.chance(7, 8) ? seq : near(random, seq);
    option.length = random.chance(3, 4) ? data.length : random.below(65_536);
    if (random.chance(1, 8)) option.length++;
    if (random.chance(1, 8)) option.fin = true;
    if (random.chance(1, 4)) option.dsn4 = true;
    if (random.chance(peer.checksum ? 7 : 1, 8)) {
      option.checksum = random.chance(7, 8)
        ? dssChecksum(option.dsn, option.ssn, data, option.length)
        : random.below(65_536);
    }
  }
  return option;
}

function randomMptcp(random: Random, peer: MptcpPeer, seq: number, data: Uint8Array): MptcpOption[] {
  const id = random.below(6);
  const address = random.pick(['10.1.0.1', '10.0.0.9', '10.9.9.9', 'fd00:0:0:0:0:0:0:1']);
  const nonce = random.next();
  const key = random.chance(7, 8) ? peer.remoteKey : random.wide();
  const version = random.chance(7, 8) ? peer.version : random.below(3);
  const flags = random.pick([1, 0x81, 0x41, 0x21, 0]);
  switch (random.below(16)) {
    case 0:
      return [{ capable: 'syn', version, flags, ...(version === 0 ? { key: peer.key } : {}) }];
    case 1:
      return [{ capable: 'synack', version, key: random.chance(7, 8) ? peer.key : peer.remoteKey }];
    case 2: {
      const length = random.chance(1, 2) ? { length: data.length } : {};
      return [{ capable: 'ack', version, key: peer.key, peerKey: key, ...length }];
    }
    case 3:
      return [{ join: 'syn', token: token(key, peer.version), nonce, id }];
    case 4:
      return [{ join: 'synack', hmac: random.wide(), nonce, id }];
    case 5:
      return [{ join: 'ack', hmac: joinHmac(peer.key, key, nonce, random.next(), peer.version) }];
    case 6:
      return [{ addAddr: address, id, ...(version === 0 ? { version } : { echo: true }) }];
    case 7:
      return [{ addAddr: address, id, hmac: addAddrHmac(peer.key, key, id, address) }];
    case 8:
      return [{ removeAddr: Array.from({ length: 1 + random.below(4) }, () => random.below(6)) }];
    case 9:
      return [
        { prio: random.chance(1, 2), ...(random.chance(1, 2) ? { id } : {}) },
        randomDss(random, peer, seq, data),
      ];
    case 10:
      return random.chance(1, 8) ? [{ fastclose: key }] : [{ fail: peer.remoteDsn(near(random, 0)) }];
    case 11:
      return [{ reset: random.below(8) }];
    default:
      return [randomDss(random, peer, seq, data)];
  }
}

function randomSegment(random: Random, script: Script, peer: Peer): Uint8Array {
  const flags = random.pick(['A', 'A', 'A', 'A', 'A', 'A', 'A', 'PA', 'FA', 'S', 'SA', 'R', 'RA', '.', 'FSRPAU', 'UA']);
  // A plain RST with the right number ends the fun early.
  const gentle = flags.includes('R') && random.chance(9, 10) ? 5 : 0;
  const seq = near(random, 1 + gentle + random.below(random.pick([1, 100, 3_000])));
  const data = random.chance(1, 2) ? pattern(random.pick([1, 7, 100, 1_000, 1_400, 5_000]), seq) : new Uint8Array(0);
  const said: Said = { seq, ack: near(random, 1 + random.below(random.pick([1, 100, 3_000]))), data };
  said.window = random.pick([0, 1, 100, 10_000, 65_535]);
  if (random.chance(1, 16)) Object.assign(said, SYN);
  if (random.chance(1, 16)) said.ts = [random.next(), random.next()];
  if (random.chance(1, 8)) {
    const left = peer.irs + near(random, random.below(3_000));
    said.sack = [[left, left + random.below(5_000)]];
  }
  if (peer instanceof MptcpPeer && random.chance(7, 8)) said.mptcp = randomMptcp(random, peer, seq, data);
  try {
    return writeTcp(peer.packet(flags, said));
  } catch {
    // More options than there is room for.
    const { sack: _, ts: __, mss: ___, ...rest } = said;
    return writeTcp({ ...peer.packet('A', { ...rest, mptcp: [] }) });
  } finally {
    script.events();
  }
}

/** Two connections whose SYNs brought bytes: one waits for the third ACK, of the other the peer has not shown the keys. */
function early(script: Script): { peers: MptcpPeer[]; handles: number[] } {
  script.set(CONFIG_FASTOPEN, 3);
  const syn = [{ capable: 'syn' as const }];
  const listener = script.listen(81, 10, CONNECT_FAST_OPEN);
  const asks = new MptcpPeer(script, { port: 5_008 }, 81);
  asks.send('S', { ...SYN, fastOpen: '', mptcp: syn });
  const { fastOpen = '' } = asks.expect('SA', { ack: 1 }).options;
  asks.send('R', { seq: 1 });
  const opens = new MptcpPeer(script, { port: 5_009 }, 81);
  opens.send('S', { ...SYN, fastOpen, data: pattern(500), mptcp: syn });
  const answer = opens.expect('SA', { ack: 501 }).options.mptcp?.[0];
  if (answer !== undefined && 'key' in answer) opens.remoteKey = answer.key;
  const accepted = script.accept(listener);
  const known = new MptcpPeer(script, { port: 5_010 }, 0);
  const learns = script.connect(known, CONNECT_FAST_OPEN);
  known.expect('S', { fastOpen: '' });
  known.send('SA', { ...SYN, ack: 1, fastOpen: '01234567', mptcp: [{ capable: 'synack', key: known.key }] });
  script.abort(learns);
  const called = new MptcpPeer(script, { port: 5_011 }, 0);
  const calls = script.connect(called, CONNECT_FAST_OPEN);
  script.write(calls, pattern(500));
  called.expect('S', { fastOpen: '01234567', length: 500 });
  called.send('SA', { ...SYN, ack: 301, mptcp: [{ capable: 'synack', key: called.key }] });
  called.remoteKey = script.info(calls).localKey;
  script.write(accepted, pattern(20_000));
  return { peers: [opens, called], handles: [accepted, calls, listener] };
}

/** A stack with connections in many states, and the peers at their other ends. */
function crowd(
  variant: (typeof VARIANTS)[number],
  seed: number,
): { script: Script; peers: Peer[]; handles: Set<number> } {
  const script = new Script({
    variant,
    budget: BUDGET,
    seed: BigInt(seed),
    config: [[CONFIG_LIMIT_ADD_ADDR_ACCEPTED, 2]],
  });
  const random = new Random(seed);
  const checksum = seed % 2 === 1;
  if (seed % 3 === 0) script.endpoint('10.1.0.2', ENDPOINT_SUBFLOW, 3);
  if (seed % 3 === 1) script.endpoint('10.1.0.2', ENDPOINT_SIGNAL, 3);
  // Both versions, in every combination with what else changes by seed.
  const version = seed % 5 < 2 ? 0 : 1;
  const passive = mptcpPassive(script, { checksum, version, ts: seed % 4 < 2 });
  // Version 0 takes joins after a DSS option only.
  passive.peer.send('A', { seq: 1, ack: 1, mptcp: [passive.peer.dss(0)] });
  const joined = joinPassive(passive.peer);
  const active = mptcpActive(script, { port: 5_001, iss: random.next(), checksum, version });
  const unconfirmed = mptcpActive(script, { port: 5_002, confirm: false, version: 1 - version });
  const plain = plainActive(script, { port: 5_003, iss: 0xffff_fff0 });
  const closing = plainActive(script, { port: 5_004 });
  script.shutdown(closing.handle);
  const waiting = new MptcpPeer(script, { port: 5_005 });
  waiting.version = version;
  waiting.send('S', { ...SYN, mptcp: [{ capable: 'syn', version, ...(version === 0 ? { key: waiting.key } : {}) }] });
  const calling = new MptcpPeer(script, { port: 5_006 }, 0);
  const handles = new Set([passive.handle, active.handle, unconfirmed.handle, plain.handle, closing.handle]);
  handles.add(script.connect(calling, CONNECT_VERSION_0 | CONNECT_VERSION_1));
  script.flush();
  calling.irs = script.take(calling)?.seq ?? 0;
  waiting.irs = script.take(waiting)?.seq ?? 0;
  for (const { handle } of [passive, active, unconfirmed, plain]) script.write(handle, pattern(20_000));
  const { peers, handles: opened } = early(script);
  for (const handle of opened) handles.add(handle);
  script.skip();
  handles.add(passive.listener);
  const stranger = new MptcpPeer(script, { port: 5_007 });
  stranger.remoteKey = passive.peer.remoteKey;
  return {
    script,
    peers: [
      ...[passive.peer, joined, active.peer, unconfirmed.peer, plain.peer, closing.peer, waiting, calling, stranger],
      ...peers,
    ],
    handles,
  };
}

/** Closes all there is and lets time pass: nothing may be left. */
function windUp(script: Script, handles: Iterable<number>): void {
  for (const handle of handles) script.x.mptcp_close(handle);
  script.skip();
  script.advance(2 * 3_600_000_000);
  script.skip();
  script.expectEmpty();
}

describe.each(VARIANTS)('random segments (%s)', (variant) => {
  it.each(seeds(variant === 'simd' ? 12 : 4))('do no harm and leave nothing behind: FUZZ_SEED=%i', (seed) => {
    const { script, peers, handles } = crowd(variant, seed);
    const random = new Random(seed);
    const memory = script.x.memory.buffer.byteLength;
    for (let turn = 0; turn < 2_500; turn++) {
      const peer = random.pick(peers);
      const result = script.ingest(randomSegment(random, script, peer), peer.link);
      expect([0, -4, -14, -18], `mptcp_ingest returned ${result} in turn ${turn}`).toContain(result);
      if (random.chance(1, 4)) script.skip();
      if (random.chance(1, 20)) script.advance(random.pick([100, 10_000, 300_000, 2_000_000]));
      if (random.chance(1, 20)) for (const handle of handles) script.read(handle);
      if (random.chance(1, 50)) {
        const accepted = script.x.mptcp_accept([...handles].at(-1) ?? 0);
        if (accepted > 0) handles.add(accepted);
      }
      if (random.chance(1, 100)) script.x.mptcp_shutdown(random.pick([...handles]));
      if (random.chance(1, 200)) script.x.mptcp_link_up(random.below(2), random.below(2));
    }
    for (const link of [0, 1]) script.x.mptcp_link_up(link, 1);
    script.skip();
    windUp(script, handles);
    expect(script.x.memory.buffer.byteLength).toBe(memory);
  });
});
