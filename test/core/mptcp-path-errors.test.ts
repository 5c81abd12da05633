/** Subflows and signals that cannot go out, and what counts them, by the names of the kernel's counters. */
import { describe, expect, it } from 'vitest';
import {
  CONFIG_LIMIT_SUBFLOWS,
  CONFIG_PATH_MANAGER,
  ENDPOINT_SIGNAL,
  ENDPOINT_SUBFLOW,
  ENDPOINTS_MAX,
  ERR_ADDRESS_IN_USE,
  ERR_LIMIT,
  ERR_NO_MEMORY,
  ERR_UNREACHABLE,
  PATH_MANAGER_USERSPACE,
  SUBFLOWS_MAX,
} from '../../host/abi.js';
import { MptcpPeer, mptcpActive } from './handshakes.js';
import { halves, Peer, Script, type ScriptOptions, VARIANTS } from './script.js';

const OWN = '10.1.0.2';
const ANY = [0n, 0n] as const;
const USERSPACE = [CONFIG_PATH_MANAGER, PATH_MANAGER_USERSPACE] as const;

describe.each(VARIANTS)('what cannot go out (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, config: [USERSPACE], ...options });
  const join = (script: Script, handle: number, port = 0): number =>
    script.x.mptcp_subflow_open(handle, ...halves(OWN), port, -1, ...ANY, 0, -1, 0);

  it('is a join from an address this host has no more', () => {
    const script = open({ config: [] });
    script.endpoint(OWN, ENDPOINT_SUBFLOW, 9);
    expect(script.x.mptcp_address_remove(1, ...halves(OWN))).toBe(0);
    mptcpActive(script);
    expect(script.counter('MPTcpExtMPJoinSynTxBindErr')).toBe(1);
    expect(script.counter('MPTcpExtMPJoinSynTx')).toBe(0);
  });

  it('is a join over a link that is down, or from a port that is taken', () => {
    const script = open();
    const { handle } = mptcpActive(script);
    script.x.mptcp_link_up(1, 0);
    expect(join(script, handle)).toBe(ERR_UNREACHABLE);
    expect(script.counter('MPTcpExtMPJoinSynTxConnectErr')).toBe(1);
    script.x.mptcp_link_up(1, 1);
    expect(join(script, handle, 5_555)).toBe(2);
    expect(join(script, handle, 5_555)).toBe(ERR_ADDRESS_IN_USE);
    expect(script.counter('MPTcpExtMPJoinSynTxConnectErr')).toBe(2);
    script.skip();
    expect(script.counter('MPTcpExtMPJoinSynTx')).toBe(1);
  });

  it('is a join there is no memory for', () => {
    const script = open({ budget: 4 << 20 });
    const handles = [1, 2, 3, 4].map((port) => mptcpActive(script, { port }).handle);
    const stranger = new Peer(script, { remote: '10.0.0.9' }, 0);
    const local = halves(stranger.local);
    for (let result = 1; result > 0; ) {
      result = script.x.mptcp_connect(...local, 0, ...halves(stranger.remote), 80, 0);
      script.skip();
      if (result < 0) expect(result).toBe(ERR_NO_MEMORY);
    }
    let result = 1;
    for (const handle of handles) {
      for (let times = 0; times < SUBFLOWS_MAX && result > 0; times++) result = join(script, handle);
      if (result === ERR_LIMIT) result = 1;
    }
    expect(result).toBe(ERR_NO_MEMORY);
    expect(script.counter('MPTcpExtMPJoinSynTxCreatSkErr')).toBe(1);
  });

  it('is one address more than can be announced', () => {
    const script = open();
    const { handle } = mptcpActive(script);
    const announce = (last: number): number =>
      script.x.mptcp_address_announce(handle, ...halves(`10.5.0.${last}`), 0, 0);
    for (let last = 1; last <= ENDPOINTS_MAX; last++) expect(announce(last)).toBeGreaterThan(0);
    expect(script.counter('MPTcpExtAddAddrTxDrop')).toBe(0);
    expect(announce(ENDPOINTS_MAX + 1)).toBe(ERR_LIMIT);
    expect(script.counter('MPTcpExtAddAddrTxDrop')).toBe(1);
  });

  it('is one address more than a REMOVE_ADDR can name at a time', () => {
    const script = open();
    const { peer, handle } = mptcpActive(script);
    const ids = Array.from({ length: 9 }, (_, index) =>
      script.x.mptcp_address_announce(handle, ...halves(`10.5.0.${index + 1}`), 0, 0),
    );
    const results = ids.map((id) => script.x.mptcp_address_withdraw(handle, id));
    expect(results).toEqual([...Array.from({ length: 8 }, () => 0), ERR_LIMIT]);
    expect(script.counter('MPTcpExtRmAddrTxDrop')).toBe(1);
    const told = script.flush().length;
    expect(told).toBeGreaterThan(0);
    const options = [];
    for (let packet = script.take(peer); packet !== undefined; packet = script.take(peer)) {
      options.push(...(packet.options.mptcp ?? []));
    }
    expect(options).toContainEqual({ removeAddr: ids.slice(0, 8) });
    // Then there is room for the last.
    expect(script.x.mptcp_address_withdraw(handle, ids[8] ?? 0)).toBe(0);
    script.skip();
    expect(script.counter('MPTcpExtRmAddrTx')).toBe(2);
  });
});

describe.each(VARIANTS)('an IPv4 address written as one of IPv6 (%s)', (variant) => {
  it('is an endpoint like the IPv4 address, joined from and announced as such', () => {
    const script = new Script({ variant, config: [[CONFIG_LIMIT_SUBFLOWS, 2]] });
    script.endpoint('::ffff:a01:2', ENDPOINT_SUBFLOW | ENDPOINT_SIGNAL, 9);
    const { peer } = mptcpActive(script);
    const options = [];
    for (let packet = script.take(peer); packet !== undefined; packet = script.take(peer)) {
      options.push(...(packet.options.mptcp ?? []));
    }
    expect(options).toContainEqual(expect.objectContaining({ addAddr: OWN, id: 9, echo: false }));
    const second = new MptcpPeer(script, { local: OWN, link: 1 }, 0);
    second.expect('S', { mptcp: [{ join: 'syn', id: 9 }] });
  });
});
