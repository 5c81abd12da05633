/** Brings a plain TCP connection into each of the states of RFC 9293 section 3.3.2. */
import { CONNECT_PLAIN_TCP } from '../../host/abi.js';
import { plainPassive, SYN } from './handshakes.js';
import { Peer, type PeerOptions, type Script } from './script.js';

export const SYNCHRONIZED = [
  'ESTABLISHED',
  'FIN-WAIT-1',
  'FIN-WAIT-2',
  'CLOSE-WAIT',
  'CLOSING',
  'LAST-ACK',
  'TIME-WAIT',
] as const;

export type StateName = (typeof SYNCHRONIZED)[number] | 'SYN-RECEIVED';

export interface Reached {
  readonly peer: Peer;
  /** The peer's next sequence number, and that of the stack, relative to the initial ones. */
  readonly seq: number;
  readonly ack: number;
  readonly handle: number;
}

export function reach(script: Script, state: StateName, options: PeerOptions = {}): Reached {
  if (state === 'SYN-RECEIVED') {
    script.listen(80);
    const peer = new Peer(script, options);
    peer.send('S', SYN);
    peer.expect('SA', { seq: 0, ack: 1 });
    return { peer, seq: 1, ack: 1, handle: 0 };
  }
  const { peer, handle } = plainPassive(script, options);
  const at = (seq: number, ack: number): Reached => ({ peer, seq, ack, handle });
  if (state === 'ESTABLISHED') return at(1, 1);
  if (state === 'CLOSE-WAIT' || state === 'LAST-ACK') {
    peer.send('FA', { seq: 1, ack: 1 });
    peer.expect('A', { seq: 1, ack: 2 });
    if (state === 'CLOSE-WAIT') return at(2, 1);
    script.shutdown(handle);
    peer.expect('FA', { seq: 1, ack: 2 });
    return at(2, 2);
  }
  script.shutdown(handle);
  peer.expect('FA', { seq: 1, ack: 1 });
  if (state === 'FIN-WAIT-1') return at(1, 2);
  if (state === 'CLOSING') {
    peer.send('FA', { seq: 1, ack: 1 });
    peer.expect('A', { seq: 2, ack: 2 });
    return at(2, 2);
  }
  peer.send('A', { seq: 1, ack: 2 });
  if (state === 'FIN-WAIT-2') return at(1, 2);
  peer.send('FA', { seq: 1, ack: 2 });
  peer.expect('A', { seq: 2, ack: 2 });
  return at(2, 2);
}

/**
 * Lets time pass until the next connection of the stack, with the seed of `probe`, begins `before` 2^32: its initial
 * sequence number is a clock (RFC 6528). `probe` is a script like this one, for the port that will be used.
 */
export function waitForWrap(
  script: Script,
  probe: Script,
  before: number,
  active: boolean,
  options: PeerOptions,
): void {
  const peer = new Peer(probe, options, active ? 0 : 80);
  if (active) {
    probe.connect(peer, CONNECT_PLAIN_TCP, 50_000);
    peer.expect('S');
  } else {
    probe.listen(80);
    peer.send('S', SYN);
    peer.expect('SA');
  }
  script.advance(((2 ** 32 - before - peer.irs + 2 ** 32) % 2 ** 32) * 4);
}
