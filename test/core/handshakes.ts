/** Brings connections between a stack and a peer into being, for tests of what comes after. */
import { CONNECT_PLAIN_TCP, CONNECT_VERSION_0 } from '../../host/abi.js';
import { idsn, joinHmac, token } from './keys.js';
import type { Dss } from './options.js';
import { Peer, type PeerOptions, type Said, type Script } from './script.js';

/** A SYN as most stacks send it. */
export const SYN: Said = { mss: 1460, wscale: 7, sackOk: true };

/** Opens a plain TCP connection from the peer to port 80 of the stack and accepts it. */
export function plainPassive(script: Script, options: PeerOptions = {}, syn: Said = SYN) {
  const listener = script.listen(80);
  const peer = new Peer(script, options);
  peer.send('S', syn);
  peer.expect('SA', { seq: 0, ack: 1 });
  peer.send('A', { seq: 1, ack: 1 });
  const handle = script.accept(listener);
  script.events();
  script.expectNothing();
  return { peer, handle, listener };
}

/** Opens a plain TCP connection from the stack to the peer. */
export function plainActive(script: Script, options: PeerOptions = {}, synAck: Said = SYN) {
  const peer = new Peer(script, options, 0);
  const handle = script.connect(peer, CONNECT_PLAIN_TCP);
  peer.expect('S', { seq: 0 });
  peer.send('SA', { ack: 1, ...synAck });
  peer.expect('A', { seq: 1, ack: 1 });
  script.events();
  return { peer, handle };
}

/** A peer that speaks Multipath TCP, with its keys and counters of the data sequence. */
export class MptcpPeer extends Peer {
  key = 0x0123_4567_89ab_cdefn;
  /** The stack's key. */
  remoteKey = 0n;
  checksum = false;
  /** Of Multipath TCP. */
  version = 1;

  /** The data sequence number of byte `offset` of what the peer sends. */
  dsn(offset: number): bigint {
    return BigInt.asUintN(64, idsn(this.key, this.version) + 1n + BigInt(offset));
  }

  /** The data sequence number of byte `offset` of what the stack sends. */
  remoteDsn(offset: number): bigint {
    return BigInt.asUintN(64, idsn(this.remoteKey, this.version) + 1n + BigInt(offset));
  }

  /** A DSS that acknowledges `acked` bytes of the stack's data, and maps as told. */
  dss(acked: number, map: Partial<Dss> = {}): Dss {
    return { dss: true, ack: this.remoteDsn(acked), ...map };
  }

  /** A DSS that maps `length` bytes from `offset` of the peer's data to its subflow sequence number `ssn`. */
  map(offset: number, ssn: number, length: number, rest: Partial<Dss> = {}): Dss {
    return this.dss(0, { dsn: this.dsn(offset), ssn, length, ...rest });
  }
}

/** Flags H and, for a checksum, A. */
export const flagsOf = (checksum: boolean): number => (checksum ? 0x81 : 0x01);

/** Opens a Multipath TCP connection from the peer to port 80 of the stack and accepts it. */
export function mptcpPassive(
  script: Script,
  options: PeerOptions & { checksum?: boolean; syn?: Said; version?: number } = {},
) {
  const listener = script.listen(80);
  const peer = new MptcpPeer(script, options);
  peer.checksum = options.checksum ?? false;
  peer.version = options.version ?? 1;
  const flags = flagsOf(peer.checksum);
  const syn = options.syn ?? SYN;
  const { version, key } = peer;
  peer.send('S', { ...syn, mptcp: [{ capable: 'syn', flags, version, ...(version === 0 ? { key } : {}) }] });
  const answer = peer.expect('SA', { seq: 0, ack: 1 }).options.mptcp?.[0];
  if (answer === undefined || !('capable' in answer) || answer.capable !== 'synack') {
    throw new Error('the SYN/ACK has no MP_CAPABLE with a key');
  }
  peer.remoteKey = answer.key;
  peer.send('A', { seq: 1, ack: 1, mptcp: [{ capable: 'ack', key, peerKey: peer.remoteKey, flags, version }] });
  const handle = script.accept(listener);
  script.events();
  script.skip();
  return { peer, handle, listener };
}

/**
 * Opens a Multipath TCP connection from the stack to the peer; with `confirm`, the peer then shows by a DSS that it
 * has both keys.
 */
export function mptcpActive(
  script: Script,
  options: PeerOptions & { checksum?: boolean; confirm?: boolean; version?: number } = {},
) {
  const peer = new MptcpPeer(script, options, 0);
  peer.checksum = options.checksum ?? false;
  peer.version = options.version ?? 1;
  const { version, key } = peer;
  const flags = flagsOf(peer.checksum);
  const handle = script.connect(peer, version === 0 ? CONNECT_VERSION_0 : 0);
  peer.expect('S', { seq: 0, mptcp: [{ capable: 'syn', version, flags: 1 }] });
  peer.send('SA', { ...SYN, ack: 1, mptcp: [{ capable: 'synack', key, flags, version }] });
  const third = peer.expect('A', { seq: 1, ack: 1 }).options.mptcp?.[0];
  if (third === undefined || !('capable' in third) || third.capable !== 'ack') {
    throw new Error('the third ACK has no MP_CAPABLE with keys');
  }
  peer.remoteKey = third.key;
  if (options.confirm !== false) peer.send('A', { seq: 1, ack: 1, mptcp: [peer.dss(0)] });
  script.events();
  return { peer, handle };
}

/** Joins a subflow from another address of the peer to the stack's second link, as far as the fourth ACK. */
export function joinPassive(
  first: MptcpPeer,
  options: PeerOptions & { id?: number; backup?: boolean; unanswered?: boolean } = {},
): MptcpPeer {
  const peer = new MptcpPeer(
    first.script,
    { local: '10.1.0.2', remote: '10.1.0.1', port: 41_000, link: 1, iss: 0x0200_0000, ts: first.ts, ...options },
    80,
  );
  peer.key = first.key;
  peer.remoteKey = first.remoteKey;
  peer.checksum = first.checksum;
  peer.version = first.version;
  const { version } = peer;
  const nonce = 0x1111_2222;
  const { id = 2, backup = false } = options;
  peer.send('S', { ...SYN, mptcp: [{ join: 'syn', token: token(peer.remoteKey, version), nonce, id, backup }] });
  const answer = peer.expect('SA', { seq: 0, ack: 1 }).options.mptcp?.[0];
  if (answer === undefined || !('join' in answer) || answer.join !== 'synack') {
    throw new Error('the SYN/ACK has no MP_JOIN');
  }
  peer.send('A', {
    seq: 1,
    ack: 1,
    mptcp: [{ join: 'ack', hmac: joinHmac(peer.key, peer.remoteKey, nonce, answer.nonce, version) }],
  });
  // What waits to be sent may go instead of the fourth ACK.
  if (options.unanswered !== true) peer.expect('A', { seq: 1, ack: 1 });
  peer.script.events();
  return peer;
}

/** The infinite mapping that the stack sends: its checksum, where there is one, is 0. */
export const infinite = (peer: MptcpPeer, offset: number, checksum: boolean): Dss => ({
  dss: true,
  dsn: peer.remoteDsn(offset),
  ssn: offset + 1,
  length: 0,
  ...(checksum ? { checksum: 0 } : {}),
});
