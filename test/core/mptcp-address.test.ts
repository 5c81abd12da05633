import { describe, expect, it } from 'vitest';
import {
  CONFIG_ADD_ADDR_TIMEOUT,
  CONFIG_LIMIT_ADD_ADDR_ACCEPTED,
  CONFIG_LIMIT_SUBFLOWS,
  ENDPOINT_FULLMESH,
  ENDPOINT_SIGNAL,
  ENDPOINT_SUBFLOW,
} from '../../host/abi.js';
import { joinPassive, MptcpPeer, mptcpActive, mptcpPassive } from './handshakes.js';
import { addAddrHmac, token } from './keys.js';
import type { MptcpOption } from './options.js';
import { halves, Peer, Script, type ScriptOptions, VARIANTS } from './script.js';

const SIGNALLED = '10.1.0.2';

/** The options of Multipath TCP that left for a peer since the last look. */
function optionsTo(script: Script, peer: Peer): MptcpOption[] {
  const found: MptcpOption[] = [];
  for (let packet = script.take(peer); packet !== undefined; packet = script.take(peer)) {
    found.push(...(packet.options.mptcp ?? []));
  }
  return found;
}

describe.each(VARIANTS)('announcing addresses (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });
  const announcements = (script: Script, peer: Peer) => optionsTo(script, peer).filter((option) => 'addAddr' in option);

  it('sends ADD_ADDR with its HMAC once the connection is there (RFC 8684 section 3.4.1)', () => {
    const script = open();
    const { peer, handle } = mptcpActive(script);
    const id = script.endpoint(SIGNALLED, ENDPOINT_SIGNAL, 5);
    expect(id).toBe(5);
    const hmac = addAddrHmac(peer.remoteKey, peer.key, 5, SIGNALLED);
    expect(announcements(script, peer)).toEqual([{ addAddr: SIGNALLED, id: 5, echo: false, hmac }]);
    expect(script.info(handle).subflows).toBe(1);
  });

  it('sends it to connections that come later, with a port, and for IPv6', () => {
    const script = open({ links: [['10.0.0.2', 'fd00::2'], ['fd01::2']] });
    script.endpoint('fd01::2', ENDPOINT_SIGNAL, 6, 8_080);
    const listener = script.listen(80);
    const peer = new MptcpPeer(script);
    peer.send('S', { mss: 1460, mptcp: [{ capable: 'syn' }] });
    const answer = peer.expect('SA').options.mptcp?.[0];
    peer.remoteKey = answer !== undefined && 'key' in answer ? answer.key : 0n;
    peer.send('A', { seq: 1, ack: 1, mptcp: [{ capable: 'ack', key: peer.key, peerKey: peer.remoteKey }] });
    script.accept(listener);
    const hmac = addAddrHmac(peer.remoteKey, peer.key, 6, 'fd01:0:0:0:0:0:0:2', 8_080);
    expect(announcements(script, peer)).toEqual([
      { addAddr: 'fd01:0:0:0:0:0:0:2', id: 6, echo: false, port: 8_080, hmac },
    ]);
  });

  it('does not announce the address the peer knows already', () => {
    const script = open();
    script.endpoint('10.0.0.2', ENDPOINT_SIGNAL, 5);
    const { peer } = mptcpActive(script);
    expect(announcements(script, peer)).toEqual([]);
  });

  it('sends it again until the peer echoes it (RFC 8684 section 3.4.1)', () => {
    const script = open();
    const { peer } = mptcpActive(script);
    script.endpoint(SIGNALLED, ENDPOINT_SIGNAL, 5);
    expect(announcements(script, peer)).toHaveLength(1);
    script.advance(1_500_000);
    expect(announcements(script, peer)).toHaveLength(1);
    peer.send('A', { seq: 1, ack: 1, mptcp: [{ addAddr: SIGNALLED, id: 5, echo: true }] });
    expect(script.counter('MPTcpExtEchoAdd')).toBe(1);
    script.advance(600_000_000);
    expect(announcements(script, peer)).toHaveLength(0);
  });

  const SEVERAL: ScriptOptions = { links: [['10.0.0.2'], [SIGNALLED, '10.1.0.3', '10.1.0.4']] };

  it('sends the next when the one before was echoed: Linux forgets those that come while it deals with one', () => {
    const script = open(SEVERAL);
    const { peer } = mptcpActive(script);
    script.endpoint(SIGNALLED, ENDPOINT_SIGNAL, 5);
    script.endpoint('10.1.0.3', ENDPOINT_SIGNAL, 6);
    script.endpoint('10.1.0.4', ENDPOINT_SIGNAL, 7);
    expect(announcements(script, peer)).toMatchObject([{ id: 5 }]);
    peer.send('A', { seq: 1, ack: 1, mptcp: [{ addAddr: SIGNALLED, id: 5, echo: true }] });
    expect(announcements(script, peer)).toMatchObject([{ id: 6 }]);
    // One that is withdrawn is not waited for.
    script.advance(50_000);
    script.x.mptcp_endpoint_remove(6);
    expect(announcements(script, peer)).toMatchObject([{ id: 7 }]);
    peer.send('A', { seq: 1, ack: 1, mptcp: [{ addAddr: '10.1.0.4', id: 7, echo: true }] });
    script.advance(600_000_000);
    expect(announcements(script, peer)).toHaveLength(0);
  });

  it('sends all of them in the end when there is no echo', () => {
    const script = open(SEVERAL);
    const { peer } = mptcpActive(script);
    script.endpoint(SIGNALLED, ENDPOINT_SIGNAL, 5);
    script.endpoint('10.1.0.3', ENDPOINT_SIGNAL, 6);
    script.advance(1_500_000);
    const ids = announcements(script, peer).map((option) => ('id' in option ? option.id : 0));
    expect(ids.filter((id) => id === 5)).toHaveLength(2);
    expect(ids.filter((id) => id === 6)).toHaveLength(1);
    script.advance(3_600_000_000);
    script.skip();
  });

  it('gives up in the end, and at once when it is told so', () => {
    for (const timeout of [120_000_000, 0]) {
      const script = open({ config: [[CONFIG_ADD_ADDR_TIMEOUT, timeout]] });
      const { peer } = mptcpActive(script);
      script.endpoint(SIGNALLED, ENDPOINT_SIGNAL, 5);
      script.advance(3_600_000_000);
      const times = announcements(script, peer).length;
      expect(times).toBeGreaterThanOrEqual(1);
      expect(times).toBeLessThanOrEqual(timeout === 0 ? 1 : 6);
    }
  });

  it('withdraws it with REMOVE_ADDR and closes its subflows by FIN (RFC 8684 section 3.4.2)', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    script.endpoint(SIGNALLED, ENDPOINT_SIGNAL, 5);
    const second = joinPassive(peer);
    optionsTo(script, peer);
    expect(script.x.mptcp_endpoint_remove(5)).toBe(0);
    const options = optionsTo(script, peer);
    expect(options).toContainEqual({ removeAddr: [5] });
    second.expect('FA', { seq: 1, ack: 1 });
    expect(script.info(handle).extraSubflows).toBe(0);
    second.send('FA', { seq: 1, ack: 2 });
    second.expect('A', { seq: 2, ack: 2 });
    expect(script.info(handle).subflows).toBe(1);
  });

  it('tells of an address that the host took away', () => {
    const script = open();
    script.endpoint(SIGNALLED, ENDPOINT_SUBFLOW, 5);
    const { peer } = mptcpActive(script);
    script.skip();
    expect(script.x.mptcp_address_remove(1, ...halves(SIGNALLED))).toBe(0);
    expect(optionsTo(script, peer)).toContainEqual({ removeAddr: [5] });
  });
});

describe.each(VARIANTS)('addresses of the peer (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });
  const OTHER = '10.1.0.9';
  const add = (peer: MptcpPeer, id = 4, port?: number): MptcpOption => ({
    addAddr: OTHER,
    id,
    ...(port === undefined ? {} : { port }),
    hmac: addAddrHmac(peer.key, peer.remoteKey, id, OTHER, port),
  });

  it('are echoed and told when their HMAC is right (RFC 8684 section 3.4.1)', () => {
    const script = open();
    const { peer } = mptcpPassive(script);
    peer.send('A', { seq: 1, ack: 1, mptcp: [add(peer)] });
    expect(optionsTo(script, peer)).toContainEqual({ addAddr: OTHER, id: 4, echo: true });
    expect(script.events()).toEqual(['addressAnnounced 4']);
    // Again, because the echo was lost.
    peer.send('A', { seq: 1, ack: 1, mptcp: [add(peer)] });
    expect(optionsTo(script, peer)).toContainEqual({ addAddr: OTHER, id: 4, echo: true });
    expect(script.events()).toEqual([]);
  });

  it('that come twice before the echo leaves have one echo', () => {
    const script = open();
    const { peer } = mptcpPassive(script);
    peer.send('A', { seq: 1, ack: 1, mptcp: [add(peer)] });
    peer.send('A', { seq: 1, ack: 1, mptcp: [add(peer)] });
    const echoes = optionsTo(script, peer).filter((option) => 'addAddr' in option && option.echo === true);
    expect(echoes).toHaveLength(1);
    expect(script.counter('MPTcpExtEchoAddTxDrop')).toBe(1);
    expect(script.counter('MPTcpExtEchoAddTx')).toBe(1);
  });

  it('are taken when they are IPv4 in an option for IPv6, with an HMAC over 16 bytes, as Linux sends them', () => {
    const script = open();
    const { peer } = mptcpPassive(script);
    const mapped = '0:0:0:0:0:ffff:a01:9';
    const hmac = addAddrHmac(peer.key, peer.remoteKey, 4, mapped);
    peer.send('A', { seq: 1, ack: 1, mptcp: [{ addAddr: mapped, id: 4, hmac }] });
    expect(optionsTo(script, peer)).toContainEqual({ addAddr: OTHER, id: 4, echo: true });
    expect(script.events()).toEqual(['addressAnnounced 4']);
    peer.send('A', { seq: 1, ack: 1, mptcp: [{ addAddr: mapped, id: 5, hmac }] });
    expect(script.counter('MPTcpExtAddAddrDrop')).toBe(1);
  });

  it('are ignored when their HMAC is wrong (RFC 8684 section 3.4.1)', () => {
    const script = open();
    const { peer } = mptcpPassive(script);
    const bad = { addAddr: OTHER, id: 4, hmac: addAddrHmac(peer.key, peer.remoteKey, 5, OTHER) };
    peer.send('A', { seq: 1, ack: 1, mptcp: [bad] });
    expect(optionsTo(script, peer).some((option) => 'addAddr' in option)).toBe(false);
    expect(script.events()).toEqual([]);
    expect(script.counter('MPTcpExtAddAddrDrop')).toBe(1);
  });

  it('are joined up to the limit, with their port (RFC 8684 section 3.4.1)', () => {
    const script = open({ config: [[CONFIG_LIMIT_ADD_ADDR_ACCEPTED, 1]] });
    const { peer } = mptcpActive(script);
    peer.send('A', { seq: 1, ack: 1, mptcp: [add(peer, 4, 9_000)] });
    const second = new MptcpPeer(script, { local: '10.1.0.2', remote: OTHER, port: 9_000, link: 1 }, 0);
    second.expect('S', { mptcp: [{ join: 'syn', token: token(peer.key) }] });
    peer.send('A', { seq: 1, ack: 1, mptcp: [add(peer, 6, 9_001)] });
    const third = new MptcpPeer(script, { local: '10.1.0.2', remote: OTHER, port: 9_001, link: 1 }, 0);
    script.flush();
    expect(script.take(third)).toBeUndefined();
  });

  it('are not joined without leave', () => {
    const script = open();
    const { peer } = mptcpActive(script);
    peer.send('A', { seq: 1, ack: 1, mptcp: [add(peer)] });
    expect(
      script.take(new Peer(script, { local: '10.1.0.2', remote: OTHER, port: 40_000, link: 1 }, 0)),
    ).toBeUndefined();
  });

  it('are joined from every endpoint of a full mesh', () => {
    const script = open({
      links: [['10.0.0.2'], ['10.1.0.2'], ['10.2.0.2']],
      config: [
        [CONFIG_LIMIT_ADD_ADDR_ACCEPTED, 1],
        [CONFIG_LIMIT_SUBFLOWS, 4],
      ],
    });
    script.endpoint('10.1.0.2', ENDPOINT_FULLMESH | ENDPOINT_SUBFLOW, 1);
    script.endpoint('10.2.0.2', ENDPOINT_FULLMESH | ENDPOINT_SUBFLOW, 2);
    const { peer } = mptcpActive(script);
    peer.send('A', { seq: 1, ack: 1, mptcp: [add(peer)] });
    for (const [link, local] of ['10.1.0.2', '10.2.0.2'].entries()) {
      for (const remote of ['10.0.0.1', OTHER]) {
        const other = new MptcpPeer(script, { local, remote, link: link + 1 }, 0);
        other.expect('S', { mptcp: [{ join: 'syn', id: link + 1 }] });
      }
    }
  });

  it('that are withdrawn lose their subflows (RFC 8684 section 3.4.2)', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer, { id: 4 });
    peer.send('A', { seq: 1, ack: 1, mptcp: [{ removeAddr: [4] }] });
    second.expect('FA', { seq: 1, ack: 1 });
    expect(script.events()).toEqual(['addressRemoved 4']);
    second.send('FA', { seq: 1, ack: 2 });
    expect(script.events()).toEqual(['subflowClosed']);
    expect(script.info(handle).subflows).toBe(1);
    expect(script.counter('MPTcpExtRmAddr')).toBe(1);
  });

  it('that nobody knows are no news when they are withdrawn', () => {
    const script = open();
    const { peer } = mptcpPassive(script);
    const ids = Array.from({ length: 33 }, (_, index) => 100 + index);
    for (let times = 0; times < 100; times++) peer.send('A', { seq: 1, ack: 1, mptcp: [{ removeAddr: ids }] });
    expect(script.events()).toEqual([]);
  });

  it('can be announced again after they were withdrawn', () => {
    const script = open({ config: [[CONFIG_LIMIT_ADD_ADDR_ACCEPTED, 1]] });
    const { peer } = mptcpActive(script);
    const second = new MptcpPeer(script, { local: '10.1.0.2', remote: OTHER, link: 1 }, 0);
    for (let times = 0; times < 3; times++) {
      peer.send('A', { seq: 1, ack: 1, mptcp: [add(peer)] });
      second.localPort = 0;
      second.expect('S');
      second.send('RA', { seq: 0, ack: 1 });
      peer.send('A', { seq: 1, ack: 1, mptcp: [{ removeAddr: [4] }] });
      script.skip();
    }
  });
});
