import { describe, expect, it } from 'vitest';
import {
  AddressInfoLayout,
  type AddressInfoRecord,
  CONFIG_ADD_ADDR_TIMEOUT,
  CONFIG_LIMIT_ADD_ADDR_ACCEPTED,
  CONFIG_LIMIT_SUBFLOWS,
  CONFIG_MONITOR,
  CONFIG_NDIFFPORTS,
  CONFIG_PATH_MANAGER,
  CONFIG_PATH_MODE,
  ENDPOINT_BACKUP,
  ENDPOINT_FULLMESH,
  ENDPOINT_SIGNAL,
  ENDPOINT_SUBFLOW,
  ERR_ADDRESS_IN_USE,
  ERR_DENIED,
  ERR_DONE,
  ERR_INVALID,
  ERR_NOT_FOUND,
  ERR_NOT_MULTIPATH,
  EVENT_NAMES,
  MonitorEventLayout,
  type MonitorEventRecord,
  OPEN_BACKUP,
  PATH_MANAGER_FULLMESH,
  PATH_MANAGER_NDIFFPORTS,
  PATH_MANAGER_USERSPACE,
  PATH_MODE_BACKUP,
  ResultLayout,
  SUBFLOW_BACKUP_LOCAL,
  SUBFLOW_OPTION_BACKUP,
  SUBFLOW_OPTION_CWND_CLAMP,
  SUBFLOW_OPTION_HOP_LIMIT,
  SUBFLOW_OPTION_TRAFFIC_CLASS,
} from '../../host/abi.js';
import { joinPassive, MptcpPeer, mptcpActive, mptcpPassive, plainActive, SYN } from './handshakes.js';
import { addAddrHmac, token } from './keys.js';
import type { MptcpOption } from './options.js';
import { halves, type Peer, pattern, readRecord, Script, type ScriptOptions, VARIANTS } from './script.js';

const OWN = '10.1.0.2';
const OTHER = '10.1.0.9';
const ANY = [0n, 0n] as const;
const USERSPACE = { config: [[CONFIG_PATH_MANAGER, PATH_MANAGER_USERSPACE]] } as const;

function optionsTo(script: Script, peer: Peer): MptcpOption[] {
  const found: MptcpOption[] = [];
  for (let packet = script.take(peer); packet !== undefined; packet = script.take(peer)) {
    found.push(...(packet.options.mptcp ?? []));
  }
  return found;
}

const announcement = (peer: MptcpPeer, id: number, address = OTHER, port?: number): MptcpOption => ({
  addAddr: address,
  id,
  ...(port === undefined ? {} : { port }),
  hmac: addAddrHmac(peer.key, peer.remoteKey, id, address, port),
});

/** Addresses by mptcp_local_address_info or mptcp_remote_address_info. */
function addresses(script: Script, handle: number, whose: 'local' | 'remote'): AddressInfoRecord[] {
  const found: AddressInfoRecord[] = [];
  for (let index = 0; ; index++) {
    const at =
      whose === 'local'
        ? script.x.mptcp_local_address_info(handle, index)
        : script.x.mptcp_remote_address_info(handle, index);
    if (at === ERR_DONE) return found;
    found.push(readRecord<AddressInfoRecord>(script.view, at, AddressInfoLayout));
  }
}

describe.each(VARIANTS)('calls of the path manager (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...USERSPACE, ...options });

  it('open a subflow from a chosen address, and tell its id', () => {
    const script = open();
    const { peer, handle } = mptcpActive(script);
    const second = new MptcpPeer(script, { local: OWN, link: 1 }, 0);
    const id = script.x.mptcp_subflow_open(handle, ...halves(OWN), 5_555, 7, ...ANY, 0, -1, OPEN_BACKUP);
    expect(id).toBe(2);
    const syn = second.expect('S', { mptcp: [{ join: 'syn', id: 7, backup: true, token: token(peer.key) }] });
    expect(syn.srcPort).toBe(5_555);
    second.send('RA', { seq: 0, ack: 1 });
    expect(script.events()).toEqual(['subflowClosed ERR_REFUSED']);
    // Nothing by itself.
    script.advance(100_000_000);
    expect(script.take(second)).toBeUndefined();
  });

  it('open one to an announced address, with its port and id', () => {
    const script = open();
    const { peer, handle } = mptcpActive(script);
    peer.send('A', { seq: 1, ack: 1, mptcp: [announcement(peer, 4, OTHER, 9_000)] });
    script.skip();
    expect(addresses(script, handle, 'remote')).toMatchObject([{ id: 4, port: 9_000, echoed: 1, joined: 0 }]);
    expect(script.x.mptcp_subflow_open(handle, ...ANY, 0, -1, ...halves(OTHER), 0, -1, 0)).toBe(2);
    const second = new MptcpPeer(script, { local: OWN, remote: OTHER, port: 9_000, link: 1 }, 0);
    second.expect('S', { mptcp: [{ join: 'syn', id: 128 }] });
    expect(script.subflow(handle, 1)).toMatchObject({ remoteId: 4, localId: 128 });
    expect(addresses(script, handle, 'remote')).toMatchObject([{ joined: 1 }]);
  });

  it('refuse what cannot be, each with its error', () => {
    const script = open();
    const plain = plainActive(script, { port: 40_001 });
    const at = (handle: number, local = OWN, port = 0, flags = 0): number =>
      script.x.mptcp_subflow_open(handle, ...halves(local), port, -1, ...ANY, 0, -1, flags);
    expect(at(plain.handle)).toBe(ERR_NOT_MULTIPATH);
    expect(script.x.mptcp_subflow_set(plain.handle, 1, SUBFLOW_OPTION_BACKUP, 1n)).toBe(ERR_NOT_MULTIPATH);
    const { handle } = mptcpActive(script);
    expect(at(handle, OWN, 65_536)).toBe(ERR_INVALID);
    expect(at(handle, OWN, 0, 2)).toBe(ERR_INVALID);
    expect(at(handle, 'fd00::2')).toBe(ERR_INVALID);
    expect(script.x.mptcp_subflow_close(handle, 9, 0)).toBe(ERR_NOT_FOUND);
    expect(script.x.mptcp_subflow_close(handle, 1, 7)).toBe(ERR_INVALID);
    expect(script.x.mptcp_subflow_get(handle, 1, 99)).toBe(BigInt(ERR_INVALID));
    expect(script.x.mptcp_subflow_set(handle, 1, SUBFLOW_OPTION_HOP_LIMIT, 256n)).toBe(ERR_INVALID);
    expect(script.x.mptcp_subflow_set(handle, 1, SUBFLOW_OPTION_TRAFFIC_CLASS, 3n)).toBe(ERR_INVALID);
    expect(script.x.mptcp_address_withdraw(handle, 77)).toBe(ERR_NOT_FOUND);
    expect(script.x.mptcp_address_announce(handle, ...ANY, 0, 0)).toBe(ERR_INVALID);
    expect(script.x.mptcp_endpoint_change(3, 0)).toBe(ERR_INVALID);
  });

  it('do not join the initial address of a peer that forbids it with flag C (RFC 8684 section 3.1)', () => {
    const script = open();
    const peer = new MptcpPeer(script, {}, 0);
    const handle = script.connect(peer);
    peer.expect('S');
    peer.send('SA', { ...SYN, ack: 1, mptcp: [{ capable: 'synack', key: peer.key, flags: 0x21 }] });
    peer.expect('A');
    peer.send('A', { seq: 1, ack: 1, mptcp: [{ dss: true, ack: script.info(handle).sndUna }] });
    expect(script.x.mptcp_subflow_open(handle, ...halves(OWN), 0, -1, ...ANY, 0, -1, 0)).toBe(ERR_DENIED);
  });

  it('close a subflow with a reason, and what it carried goes by another (RFC 8684 section 3.6)', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    script.write(handle, 'to be saved');
    script.skip();
    expect(script.x.mptcp_subflow_close(handle, 1, 5)).toBe(0);
    peer.expect('RA', { mptcp: [{ reset: 5 }] });
    second.expect('A', { data: 'to be saved' });
    expect(script.events()).toEqual(['subflowClosed']);
  });

  it('change the priority of a subflow, which the peer is told (RFC 8684 section 3.3.8)', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    expect(script.x.mptcp_subflow_set(handle, 2, SUBFLOW_OPTION_BACKUP, 1n)).toBe(0);
    second.expect('A', { mptcp: [{ prio: true }, { dss: true }] });
    expect(script.subflow(handle, 1).flags & SUBFLOW_BACKUP_LOCAL).not.toBe(0);
    script.write(handle, pattern(50_000));
    expect(script.take(second)).toBeUndefined();
    expect(script.take(peer)).toBeDefined();
    expect(script.x.mptcp_subflow_set(handle, 2, SUBFLOW_OPTION_BACKUP, 0n)).toBe(0);
    expect(optionsTo(script, second)).toContainEqual({ prio: false });
    expect(script.x.mptcp_subflow_get(handle, 2, SUBFLOW_OPTION_BACKUP)).toBe(0n);
    expect([script.counter('MPTcpExtMPPrioTx'), script.counter('MPTcpExtMPPrioRx')]).toEqual([2, 0]);
    second.send('A', { seq: 1, ack: 1, mptcp: [{ prio: true }, peer.dss(0)] });
    expect(script.events()).toEqual(['subflowPriority 4', 'subflowPriority', 'subflowPriority 8']);
    expect(script.counter('MPTcpExtMPPrioRx')).toBe(1);
  });

  it('tell MP_PRIO and the DATA_FIN one after the other', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    expect(script.x.mptcp_subflow_set(handle, 1, SUBFLOW_OPTION_BACKUP, 1n)).toBe(0);
    script.shutdown(handle);
    const options = optionsTo(script, peer);
    expect(options).toContainEqual({ prio: true });
    expect(options.some((option) => 'dss' in option && option.fin === true)).toBe(true);
  });

  it('set hop limit, traffic class and a bound of the congestion window', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    for (const [key, value] of [
      [SUBFLOW_OPTION_HOP_LIMIT, 9n],
      [SUBFLOW_OPTION_TRAFFIC_CLASS, 0xb8n],
      [SUBFLOW_OPTION_CWND_CLAMP, 3_000n],
    ] as const) {
      expect(script.x.mptcp_subflow_set(handle, 1, key, value)).toBe(0);
      expect(script.x.mptcp_subflow_get(handle, 1, key)).toBe(value);
    }
    script.write(handle, pattern(60_000));
    const packet = script.flush()[0]?.bytes;
    expect([packet?.[8], packet?.[1]]).toEqual([9, 0xb8]);
    expect(script.subflow(handle)).toMatchObject({ cwnd: 3_000, inFlight: 2_864 });
    for (let turn = 1; turn < 8; turn++) {
      const sent = Number(script.subflow(handle).bytesSent);
      peer.send('A', { seq: 1, ack: 1 + sent, mptcp: [peer.dss(sent)] });
      script.flush();
    }
    expect(script.subflow(handle).cwnd).toBe(3_000);
  });

  it('announce and withdraw addresses, also such as no link has (RFC 8684 section 3.4)', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const id = script.x.mptcp_address_announce(handle, ...halves('192.0.2.7'), 8_080, 0);
    expect(id).toBe(128);
    expect(script.x.mptcp_address_announce(handle, ...halves('192.0.2.7'), 8_080, 0)).toBe(ERR_ADDRESS_IN_USE);
    const hmac = addAddrHmac(peer.remoteKey, peer.key, id, '192.0.2.7', 8_080);
    expect(optionsTo(script, peer)).toContainEqual({ addAddr: '192.0.2.7', id, port: 8_080, echo: false, hmac });
    expect(addresses(script, handle, 'local')).toMatchObject([{ id, port: 8_080, echoed: 0 }]);
    peer.send('A', { seq: 1, ack: 1, mptcp: [{ addAddr: '192.0.2.7', id, port: 8_080, echo: true }] });
    expect(addresses(script, handle, 'local')).toMatchObject([{ echoed: 1 }]);
    expect(script.x.mptcp_address_withdraw(handle, id)).toBe(0);
    expect(optionsTo(script, peer)).toContainEqual({ removeAddr: [id] });
    expect(addresses(script, handle, 'local')).toEqual([]);
  });

  it.each([1_000_000, 0])(
    'withdraw an id before they give it to another address (RFC 8684 section 3.4.1): %i',
    (timeout) => {
      const script = open({ config: [...USERSPACE.config, [CONFIG_ADD_ADDR_TIMEOUT, timeout]] });
      const { peer, handle } = mptcpActive(script);
      expect(script.x.mptcp_address_announce(handle, ...halves(OTHER), 0, 7)).toBe(7);
      peer.expect('A', { mptcp: [{ addAddr: OTHER, id: 7 }] });
      peer.send('A', { seq: 1, ack: 1, mptcp: [{ addAddr: OTHER, id: 7, echo: true }] });
      script.skip();
      expect(script.x.mptcp_address_withdraw(handle, 7)).toBe(0);
      expect(script.x.mptcp_address_announce(handle, ...halves('10.1.0.8'), 0, 7)).toBe(7);
      expect(optionsTo(script, peer)).toMatchObject([{ removeAddr: [7] }]);
      script.advance(1_000_000);
      expect(optionsTo(script, peer)).toMatchObject([{ addAddr: '10.1.0.8', id: 7, echo: false }]);
    },
  );

  it('let the peer join an announced port, and no other (RFC 8684 section 3.4.1)', () => {
    const script = open();
    const { peer, handle } = mptcpPassive(script);
    const join = (port: number, from: number): MptcpPeer => {
      const other = new MptcpPeer(script, { local: OWN, remote: '10.1.0.1', port: from, link: 1 }, port);
      other.send('S', { ...SYN, mptcp: [{ join: 'syn', token: token(peer.remoteKey), nonce: 1, id: 3 }] });
      return other;
    };
    join(8_080, 41_000).expect('RA', { mptcp: [{ reset: 3 }] });
    expect(script.counter('MPTcpExtMismatchPortSynRx')).toBe(1);
    expect(script.x.mptcp_address_announce(handle, ...halves(OWN), 8_080, 5)).toBe(5);
    join(8_080, 41_001).expect('SA', { mptcp: [{ join: 'synack', id: 5 }] });
    expect(script.counter('MPTcpExtMPJoinPortSynRx')).toBe(1);
    expect(script.x.mptcp_address_withdraw(handle, 5)).toBe(0);
    const late = new MptcpPeer(script, { local: OWN, remote: '10.1.0.1', port: 41_001, link: 1 }, 8_080);
    late.irs = 0;
    script.endpoint(OWN, ENDPOINT_SIGNAL, 6, 9_090);
    const stranger = new MptcpPeer(script, { local: OWN, remote: '10.1.0.1', port: 41_002, link: 1 }, 9_090);
    stranger.send('S', { ...SYN, mptcp: [{ capable: 'syn' }] });
    stranger.expect('RA', { mptcp: [{ reset: 3 }] });
    expect(script.counter('MPTcpExtMPCapableEndpAttempt')).toBe(1);
  });
});

describe.each(VARIANTS)('endpoints while data flows (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });

  it('change their priority, which subflows follow', () => {
    const script = open();
    const id = script.endpoint(OWN, ENDPOINT_SIGNAL, 5);
    const { peer, handle } = mptcpPassive(script);
    const second = joinPassive(peer);
    script.skip();
    expect(script.x.mptcp_endpoint_change(id, ENDPOINT_BACKUP)).toBe(0);
    second.expect('A', { mptcp: [{ prio: true }, { dss: true }] });
    expect(script.x.mptcp_endpoint_change(id, ENDPOINT_SUBFLOW)).toBe(ERR_INVALID);
    expect(script.x.mptcp_endpoint_change(id, ENDPOINT_FULLMESH)).toBe(ERR_INVALID);
    expect(script.x.mptcp_endpoint_change(id, ENDPOINT_SIGNAL)).toBe(0);
    second.expect('A', { mptcp: [{ prio: false }, { dss: true }] });
    expect(script.subflow(handle, 1).flags & SUBFLOW_BACKUP_LOCAL).toBe(0);
  });

  it('that change the flags fullmesh and backup close their subflows without a word of their priority', () => {
    const script = open();
    const id = script.endpoint(OWN, ENDPOINT_SUBFLOW | ENDPOINT_FULLMESH, 5);
    const { peer } = mptcpPassive(script);
    const second = joinPassive(peer);
    script.skip();
    expect(script.x.mptcp_endpoint_change(id, ENDPOINT_SUBFLOW | ENDPOINT_BACKUP)).toBe(0);
    second.expect('FA', { mptcp: [{ dss: true }] });
    expect(optionsTo(script, second).filter((option) => 'prio' in option)).toEqual([]);
  });

  it('removed and added again are used again, the initial one with id 0', () => {
    const script = open();
    script.endpoint('10.0.0.2', ENDPOINT_SUBFLOW, 3);
    script.endpoint(OWN, ENDPOINT_SUBFLOW, 4);
    const { peer, handle } = mptcpActive(script);
    const second = new MptcpPeer(script, { local: OWN, link: 1 }, 0);
    second.expect('S', { mptcp: [{ join: 'syn', id: 4 }] });
    script.skip();
    expect(script.x.mptcp_endpoint_remove(3)).toBe(0);
    // The only other one is not open yet: that which closes tells of it, before its FIN.
    peer.expect('A', { seq: 1, ack: 1, mptcp: [{ removeAddr: [0] }] });
    peer.expect('FA', { seq: 1, ack: 1 });
    peer.send('FA', { seq: 1, ack: 2 });
    peer.expect('A', { seq: 2, ack: 2 });
    expect(script.info(handle).subflows).toBe(1);
    script.endpoint('10.0.0.2', ENDPOINT_SUBFLOW, 3);
    new MptcpPeer(script, {}, 0).expect('S', { mptcp: [{ join: 'syn', id: 0 }] });
    expect(script.x.mptcp_address_withdraw(handle, 0)).toBe(0);
  });

  it('wait for room, and get it when the limit is raised', () => {
    const script = open({ config: [[CONFIG_LIMIT_SUBFLOWS, 0]] });
    script.endpoint(OWN, ENDPOINT_SUBFLOW, 4);
    mptcpActive(script);
    script.expectNothing();
    script.set(CONFIG_LIMIT_SUBFLOWS, 1);
    new MptcpPeer(script, { local: OWN, link: 1 }, 0).expect('S', { mptcp: [{ join: 'syn', id: 4 }] });
  });

  it('make the first subflow a backup when that of its address is one', () => {
    const script = open();
    script.endpoint('10.0.0.2', ENDPOINT_SUBFLOW | ENDPOINT_BACKUP, 3);
    const { peer } = mptcpActive(script);
    expect(optionsTo(script, peer)).toContainEqual({ prio: true });
  });
});

describe.each(VARIANTS)('path managers (%s)', (variant) => {
  const LINKS = [['10.0.0.2'], ['10.1.0.2'], ['10.2.0.2']];

  it('of a full mesh announce every address and join each with each, without endpoints', () => {
    const script = new Script({ variant, links: LINKS, config: [[CONFIG_PATH_MANAGER, PATH_MANAGER_FULLMESH]] });
    const { peer, handle } = mptcpActive(script);
    peer.send('A', { seq: 1, ack: 1, mptcp: [announcement(peer, 4)] });
    for (const address of ['10.1.0.2', '10.2.0.2']) {
      script.advance(50_000);
      const announced = optionsTo(script, peer).filter((option) => 'addAddr' in option && option.echo !== true);
      expect(announced).toMatchObject([{ addAddr: address }]);
      const id = announced[0] !== undefined && 'addAddr' in announced[0] ? announced[0].id : 0;
      peer.send('A', { seq: 1, ack: 1, mptcp: [{ addAddr: address, id, echo: true }] });
    }
    const pairs = LINKS.flatMap(([local = ''], link) =>
      ['10.0.0.1', OTHER].map((remote) => ({ local, remote, link })),
    ).slice(1);
    for (const pair of pairs) new MptcpPeer(script, pair, 0).expect('S', { mptcp: [{ join: 'syn' }] });
    expect(script.info(handle)).toMatchObject({ extraSubflows: 5, accepted: 1 });
  });

  it('of different ports open as many subflows between the first addresses', () => {
    const script = new Script({
      variant,
      config: [
        [CONFIG_PATH_MANAGER, PATH_MANAGER_NDIFFPORTS],
        [CONFIG_NDIFFPORTS, 3],
      ],
    });
    const { peer, handle } = mptcpActive(script);
    const ports = new Set([peer.localPort]);
    for (let count = 0; count < 2; count++) {
      ports.add(new MptcpPeer(script, {}, 0).expect('S', { mptcp: [{ join: 'syn', id: 0 }] }).srcPort);
    }
    expect(ports.size).toBe(3);
    expect(script.info(handle).subflows).toBe(3);
  });

  it('open further subflows as backups in the mode backup', () => {
    const script = new Script({ variant, config: [[CONFIG_PATH_MODE, PATH_MODE_BACKUP]] });
    script.endpoint(OWN, ENDPOINT_SUBFLOW, 4);
    mptcpActive(script);
    new MptcpPeer(script, { local: OWN, link: 1 }, 0).expect('S', { mptcp: [{ join: 'syn', backup: true }] });
  });

  it('do not join an address that a subflow leads to already, and count what they join', () => {
    const script = new Script({ variant, config: [[CONFIG_LIMIT_ADD_ADDR_ACCEPTED, 2]] });
    const { peer, handle } = mptcpActive(script);
    peer.send('A', { seq: 1, ack: 1, mptcp: [announcement(peer, 4, '10.0.0.1')] });
    expect(script.info(handle)).toMatchObject({ subflows: 1, accepted: 0 });
    peer.send('A', { seq: 1, ack: 1, mptcp: [announcement(peer, 5)] });
    expect(script.info(handle)).toMatchObject({ subflows: 2, accepted: 1 });
    peer.send('A', { seq: 1, ack: 1, mptcp: [{ removeAddr: [5] }] });
    script.skip();
    expect(script.info(handle)).toMatchObject({ subflows: 1, accepted: 0 });
  });
});

describe.each(VARIANTS)('the monitor (%s)', (variant) => {
  it('tells of every connection and listener, accepted or not, while someone wants to know', () => {
    const script = new Script({ variant, config: [[CONFIG_MONITOR, 1]] });
    const take = (): MonitorEventRecord[] => {
      const count = script.x.mptcp_monitor(256);
      const result = script.x.mptcp_result() >>> 0;
      const ring = script.view.getUint32(result + ResultLayout.fields.address.offset, true);
      return Array.from({ length: count }, (_, index) =>
        readRecord<MonitorEventRecord>(script.view, ring + index * MonitorEventLayout.size, MonitorEventLayout),
      );
    };
    const names = (): (string | undefined)[] => take().map((event) => EVENT_NAMES[event.type]);
    const { peer, handle, listener } = mptcpPassive(script);
    const events = take();
    expect(events.map((event) => EVENT_NAMES[event.type])).toEqual(['listenerCreated', 'created', 'established']);
    expect(events[1]).toMatchObject({ token: script.info(handle).localToken, serverSide: 1, localPort: 80 });
    const second = joinPassive(peer, { id: 7 });
    const [joined] = take();
    expect(joined).toMatchObject({ subflow: 2, remoteId: 7, link: 1, remotePort: 41_000 });
    peer.send('A', { seq: 1, ack: 1, mptcp: [announcement(peer, 4, OTHER, 9_000)] });
    expect(take()).toMatchObject([{ remoteId: 4, remotePort: 9_000 }]);
    peer.send('A', { seq: 1, ack: 1, mptcp: [{ removeAddr: [4, 7] }] });
    expect(names()).toEqual(['addressRemoved', 'addressRemoved']);
    second.expect('FA', { seq: 1, ack: 1 });
    second.send('FA', { seq: 1, ack: 2 });
    expect(names()).toEqual(['subflowClosed']);
    script.abort(handle);
    script.close(listener);
    expect(names()).toEqual(['closed', 'listenerClosed']);
    script.listen(81);
    script.set(CONFIG_MONITOR, 0);
    script.listen(82);
    expect(names()).toEqual([]);
  });
});
