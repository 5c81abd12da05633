import { describe, expect, it } from 'vitest';
import {
  CONFIG_ADD_ADDR_TIMEOUT,
  CONFIG_ALLOW_JOIN_INITIAL_ADDR_PORT,
  CONFIG_CHECKSUM_ENABLED,
  CONFIG_LIMIT_ADD_ADDR_ACCEPTED,
  CONFIG_LIMIT_SUBFLOWS,
  CONNECT_VERSION_0,
  ENDPOINT_SIGNAL,
  ENDPOINT_SUBFLOW,
  FALLBACK_CHECKSUM,
  FALLBACK_FIRST_ACK,
  FALLBACK_FIRST_DATA,
  FALLBACK_INFINITE_MAPPING,
  FALLBACK_NONE,
  FALLBACK_THIRD_ACK,
  SUBFLOW_BACKUP_REMOTE,
} from '../../host/abi.js';
import { joinPassive, MptcpPeer, mptcpActive, mptcpPassive, SYN } from './handshakes.js';
import { addAddrHmac, dssChecksum, idsn, joinHmac, token } from './keys.js';
import { type Peer, pattern, Script, type ScriptOptions, VARIANTS } from './script.js';

const V0 = { version: 0 } as const;
const SUBFLOWS: [number, number] = [CONFIG_LIMIT_SUBFLOWS, 8];

describe.each(VARIANTS)('Multipath TCP version 0 (%s)', (variant) => {
  const open = (options: ScriptOptions = {}) => new Script({ variant, ...options });

  /** A connection of version 0 from the peer, of which the peer has shown that its options arrive. */
  const passive = (script: Script) => {
    const opened = mptcpPassive(script, V0);
    opened.peer.send('A', { seq: 1, ack: 1, mptcp: [opened.peer.dss(0)] });
    script.skip();
    script.events();
    return opened;
  };

  /** Ends a connection by its peer's reset and sees that nothing is left. */
  const release = (script: Script, handle: number, ...peers: Peer[]): void => {
    script.abort(handle);
    script.advance(200_000_000);
    script.skip();
    for (const peer of peers) peer.send('R', { seq: 1, ack: 1 });
    script.advance(200_000_000);
    script.skip();
  };

  describe('MP_CAPABLE', () => {
    it('has the key in the SYN, and all else from SHA-1 (RFC 6824 section 3.1)', () => {
      const script = open();
      const { peer, handle, listener } = mptcpPassive(script, V0);
      expect(script.info(handle)).toMatchObject({
        version: 0,
        fallback: FALLBACK_NONE,
        localKey: peer.remoteKey,
        remoteKey: peer.key,
        localToken: token(peer.remoteKey, 0),
        remoteToken: token(peer.key, 0),
        sndUna: BigInt.asUintN(64, idsn(peer.remoteKey, 0) + 1n),
        rcvNxt: BigInt.asUintN(64, idsn(peer.key, 0) + 1n),
        checksum: 0,
      });
      expect(script.counter('MPTcpExtMPCapableSYNRX')).toBe(1);
      expect(script.counter('MPTcpExtMPCapableACKRX')).toBe(1);
      expect(script.counter('version0Passive')).toBe(1);
      script.close(listener);
      release(script, handle, peer);
      script.expectEmpty();
    });

    it('of our own tells the key at once and both in the third ACK (RFC 6824 section 3.1)', () => {
      const script = open();
      const peer = new MptcpPeer(script, {}, 0);
      const handle = script.connect(peer, CONNECT_VERSION_0);
      const { localKey } = script.info(handle);
      peer.expect('S', { mptcp: [{ capable: 'syn', version: 0, flags: 1, key: localKey }] });
      // A SYN that is sent again has the same key.
      script.advance(1_000_000);
      peer.expect('S', { mptcp: [{ capable: 'syn', version: 0, flags: 1, key: localKey }] });
      peer.send('SA', { ...SYN, ack: 1, mptcp: [{ capable: 'synack', version: 0, key: peer.key }] });
      const keys = { key: localKey, peerKey: peer.key };
      peer.expect('A', { seq: 1, ack: 1, mptcp: [{ capable: 'ack', version: 0, flags: 1, ...keys }] });
      script.expectNothing();
      expect(script.info(handle)).toMatchObject({ version: 0, remoteToken: token(peer.key, 0) });
      expect(script.counter('version0Active')).toBe(1);
      release(script, handle, peer);
      script.expectEmpty();
    });

    it('fills 36 of 40 bytes with all that a SYN has', () => {
      const script = open();
      const peer = new MptcpPeer(script, {}, 0);
      script.connect(peer, CONNECT_VERSION_0);
      const { options } = peer.expect('S');
      expect(options).toMatchObject({ mss: 1460, sackOk: true, wscale: 8 });
      expect(options.ts).toBeDefined();
      expect(options.mptcp).toHaveLength(1);
    });

    it('sends the third ACK in front of data, which goes with a mapping (RFC 6824 section 3.1)', () => {
      const script = open();
      const peer = new MptcpPeer(script, {}, 0);
      peer.version = 0;
      const handle = script.connect(peer, CONNECT_VERSION_0);
      script.write(handle, 'early');
      peer.expect('S');
      peer.send('SA', { ...SYN, ack: 1, mptcp: [{ capable: 'synack', version: 0, key: peer.key }] });
      peer.remoteKey = script.info(handle).localKey;
      peer.expect('A', { seq: 1, ack: 1, mptcp: [{ capable: 'ack', version: 0 }] });
      const first = { dss: true, ack: peer.dsn(0), dsn: peer.remoteDsn(0), ssn: 1, length: 5 } as const;
      peer.expect('A', { seq: 1, data: 'early', mptcp: [first] });
      // Sent again it is the same.
      script.advance(3_000_000);
      peer.expect('A', { seq: 1, data: 'early', mptcp: [first] });
      script.skip();
      peer.send('A', { seq: 1, ack: 6, mptcp: [peer.dss(5)] });
      expect(script.info(handle)).toMatchObject({ fallback: FALLBACK_NONE, bytesAcked: 5n });
      release(script, handle, peer);
      script.expectEmpty();
    });

    it('asks for the third ACK by the SYN/ACK again, and gets it again, data or not', () => {
      const script = open();
      const { peer, handle } = mptcpActive(script, { ...V0, confirm: false });
      const again = { ...SYN, ack: 1, mptcp: [{ capable: 'synack', version: 0, key: peer.key }] } as const;
      const third = { capable: 'ack', version: 0, key: peer.remoteKey, peerKey: peer.key } as const;
      peer.send('SA', { ...again, mptcp: [...again.mptcp] });
      peer.expect('A', { seq: 1, ack: 1, mptcp: [third] });
      script.write(handle, 'data');
      peer.expect('A', { seq: 1, data: 'data', mptcp: [{ dss: true, ssn: 1, length: 4 }] });
      script.advance(100_000);
      script.skip();
      script.advance(500_000);
      script.skip();
      peer.send('SA', { ...again, mptcp: [...again.mptcp] });
      peer.expect('A', { seq: 5, ack: 1, mptcp: [third] });
    });

    it('is complete with data and its mapping when the third ACK is lost (RFC 6824 section 3.1)', () => {
      const script = open();
      const listener = script.listen(80);
      const peer = new MptcpPeer(script);
      peer.version = 0;
      peer.send('S', { ...SYN, mptcp: [{ capable: 'syn', version: 0, key: peer.key }] });
      const answer = peer.expect('SA', { mptcp: [{ capable: 'synack', version: 0, flags: 1 }] }).options.mptcp?.[0];
      peer.remoteKey = answer !== undefined && 'key' in answer ? (answer.key ?? 0n) : 0n;
      peer.send('A', { seq: 1, ack: 1, data: 'first', mptcp: [peer.map(0, 1, 5)] });
      const handle = script.accept(listener);
      expect(script.info(handle).fallback).toBe(FALLBACK_NONE);
      expect(script.readText(handle)).toBe('first');
      peer.expect('A', { ack: 6, mptcp: [{ dss: true, ack: peer.dsn(5) }] });
      expect(script.counter('MPTcpExtMPCapableACKRX')).toBe(0);
      expect(script.counter('MPTcpExtMPCurrEstab')).toBe(1);
    });

    it('takes data that overtook the third ACK, too', () => {
      const script = open();
      const listener = script.listen(80);
      const peer = new MptcpPeer(script);
      peer.version = 0;
      peer.send('S', { ...SYN, mptcp: [{ capable: 'syn', version: 0, key: peer.key }] });
      const answer = peer.expect('SA').options.mptcp?.[0];
      peer.remoteKey = answer !== undefined && 'key' in answer ? (answer.key ?? 0n) : 0n;
      peer.send('A', { seq: 6, ack: 1, data: 'later', mptcp: [peer.map(5, 6, 5)] });
      peer.send('A', {
        seq: 1,
        ack: 1,
        mptcp: [{ capable: 'ack', version: 0, key: peer.key, peerKey: peer.remoteKey }],
      });
      peer.send('A', { seq: 1, ack: 1, data: 'first', mptcp: [peer.map(0, 1, 5)] });
      expect(script.readText(script.accept(listener))).toBe('firstlater');
    });

    it.each([
      ['no option at all', () => []],
      ['another key of its own', (peer: MptcpPeer) => [{ key: peer.key + 1n, peerKey: peer.remoteKey }]],
      ['another key of ours', (peer: MptcpPeer) => [{ key: peer.key, peerKey: peer.remoteKey + 1n }]],
      ['another version', (peer: MptcpPeer) => [{ key: peer.key, peerKey: peer.remoteKey, version: 1 }]],
    ])('goes on as plain TCP after a third ACK with %s (RFC 6824 section 3.6)', (_, keys) => {
      const script = open();
      const listener = script.listen(80);
      const peer = new MptcpPeer(script);
      peer.send('S', { ...SYN, mptcp: [{ capable: 'syn', version: 0, key: peer.key }] });
      const answer = peer.expect('SA').options.mptcp?.[0];
      peer.remoteKey = answer !== undefined && 'key' in answer ? (answer.key ?? 0n) : 0n;
      peer.send('A', {
        seq: 1,
        ack: 1,
        mptcp: keys(peer).map((fields) => ({ capable: 'ack' as const, version: 0, ...fields })),
      });
      const handle = script.accept(listener);
      expect(script.info(handle)).toMatchObject({ fallback: FALLBACK_THIRD_ACK, version: 0 });
      peer.send('A', { seq: 1, ack: 1, data: 'plain' });
      expect(script.readText(handle)).toBe('plain');
      peer.expect('A', { ack: 6, mptcp: [] });
    });

    it('goes on as plain TCP when the first data is acknowledged without DSS, on both sides (section 3.6)', () => {
      const script = open();
      const active = mptcpActive(script, { ...V0, confirm: false });
      script.write(active.handle, 'data');
      active.peer.expect('A', { data: 'data' });
      active.peer.send('A', { seq: 1, ack: 5 });
      expect(script.info(active.handle)).toMatchObject({ fallback: FALLBACK_FIRST_ACK, bytesAcked: 4n });

      const other = open();
      const { peer, handle } = mptcpPassive(other, V0);
      other.write(handle, 'data');
      peer.expect('A', { data: 'data', mptcp: [{ dss: true, dsn: peer.remoteDsn(0), ssn: 1, length: 4 }] });
      peer.send('A', { seq: 1, ack: 5 });
      expect(other.info(handle)).toMatchObject({ fallback: FALLBACK_FIRST_ACK, bytesAcked: 4n });
      other.write(handle, 'plain');
      peer.expect('A', { seq: 5, data: 'plain', mptcp: [] });
    });

    it('asks for checksums with flag A, and knows no flag C (RFC 6824 section 3.1)', () => {
      const config: [number, number][] = [
        [CONFIG_CHECKSUM_ENABLED, 1],
        [CONFIG_ALLOW_JOIN_INITIAL_ADDR_PORT, 0],
      ];
      const script = open({ config });
      const peer = new MptcpPeer(script, {}, 0);
      peer.version = 0;
      const handle = script.connect(peer, CONNECT_VERSION_0);
      peer.expect('S', { mptcp: [{ capable: 'syn', version: 0, flags: 0x81 }] });
      peer.send('SA', { ...SYN, ack: 1, mptcp: [{ capable: 'synack', version: 0, key: peer.key, flags: 0x21 }] });
      peer.expect('A', { mptcp: [{ capable: 'ack', flags: 0x81 }] });
      peer.remoteKey = script.info(handle).localKey;
      script.write(handle, 'odd');
      const checksum = dssChecksum(peer.remoteDsn(0), 1, Buffer.from('odd'));
      peer.expect('A', { data: 'odd', mptcp: [{ dss: true, length: 3, checksum }] });
      script.listen(80);
      const caller = new MptcpPeer(script);
      caller.send('S', { ...SYN, mptcp: [{ capable: 'syn', version: 0, key: caller.key }] });
      caller.expect('SA', { mptcp: [{ capable: 'synack', version: 0, flags: 0x81 }] });
    });

    it('never answers with the key it was told', () => {
      const script = open();
      const { peer, handle } = mptcpPassive(script, V0);
      // The same seed again, and in the SYN the very key the stack would have chosen.
      const again = open();
      again.listen(80);
      const copy = new MptcpPeer(again);
      copy.send('S', { ...SYN, mptcp: [{ capable: 'syn', version: 0, key: peer.remoteKey }] });
      const answer = copy.expect('SA').options.mptcp?.[0];
      expect(answer).toMatchObject({ capable: 'synack' });
      expect(answer).not.toMatchObject({ key: peer.remoteKey });
      expect(script.info(handle).localKey).toBe(peer.remoteKey);
    });
  });

  describe('data', () => {
    it('goes both ways in maps that span segments, and ends with DATA_FIN (RFC 6824 section 3.3)', () => {
      const script = open();
      const { peer, handle, listener } = passive(script);
      script.write(handle, pattern(3_000));
      const map = { dss: true, dsn: peer.remoteDsn(0), ssn: 1, length: 3000 } as const;
      peer.expect('A', { seq: 1, length: 1432, mptcp: [map] });
      peer.expect('A', { seq: 1433, length: 1432, mptcp: [map] });
      peer.expect('A', { seq: 2865, length: 136, mptcp: [map] });
      peer.send('A', { seq: 1, ack: 3001, mptcp: [peer.dss(3_000)] });
      peer.send('A', { seq: 1, ack: 3001, data: 'hello', mptcp: [peer.map(0, 1, 5, { ack: peer.remoteDsn(3_000) })] });
      expect(script.readText(handle)).toBe('hello');
      script.skip();
      script.shutdown(handle);
      peer.expect('A', { mptcp: [{ dss: true, fin: true, dsn: peer.remoteDsn(3_000), ssn: 0, length: 1 }] });
      peer.send('A', { seq: 6, ack: 3001, mptcp: [peer.map(5, 0, 1, { fin: true, ack: peer.remoteDsn(3_001) })] });
      expect(script.read(handle).error).toBe('');
      peer.expect('FA', { seq: 3001, mptcp: [{ dss: true, ack: peer.dsn(6) }] });
      peer.send('FA', { seq: 6, ack: 3002, mptcp: [peer.dss(3_001)] });
      script.advance(100_000_000);
      script.skip();
      script.close(handle);
      script.close(listener);
      script.advance(100_000_000);
      script.expectEmpty();
    });
  });

  describe('MP_JOIN', () => {
    it('is taken once a DSS option came, and proves itself with HMAC-SHA1 (RFC 6824 section 3.2)', () => {
      const script = open();
      const { peer, handle } = passive(script);
      const second = joinPassive(peer);
      expect(script.info(handle)).toMatchObject({ subflowsTotal: 2 });
      second.send('A', { seq: 1, ack: 1, data: 'second', mptcp: [second.map(0, 1, 6)] });
      expect(script.readText(handle)).toBe('second');
      expect(script.counter('MPTcpExtMPJoinAckRx')).toBe(1);
    });

    it('waits for a DSS option, and is refused without MP_TCPRST (RFC 6824 section 3.1)', () => {
      const script = open();
      const { peer } = mptcpPassive(script, V0);
      const early = new MptcpPeer(script, { local: '10.1.0.2', remote: '10.1.0.1', link: 1 });
      const join = { join: 'syn', token: token(peer.remoteKey, 0), nonce: 7, id: 2 } as const;
      early.send('S', { ...SYN, mptcp: [join] });
      script.expectNothing();
      peer.send('A', { seq: 1, ack: 1, mptcp: [peer.dss(0)] });
      script.set(CONFIG_LIMIT_SUBFLOWS, 0);
      early.send('S', { ...SYN, mptcp: [join] });
      early.expect('RA', { mptcp: [] });
      script.set(CONFIG_LIMIT_SUBFLOWS, 1);
      early.send('S', { ...SYN, mptcp: [join] });
      early.expect('SA', { mptcp: [{ join: 'synack' }] });
    });

    it('with a wrong HMAC ends the subflow, not the connection, without MP_TCPRST', () => {
      const script = open();
      const { peer, handle } = passive(script);
      const second = new MptcpPeer(script, { local: '10.1.0.2', remote: '10.1.0.1', link: 1 });
      const join = { join: 'syn', token: token(peer.remoteKey, 0), nonce: 7, id: 2 } as const;
      second.send('S', { ...SYN, mptcp: [join] });
      const answer = second.expect('SA').options.mptcp?.[0];
      const nonce = answer !== undefined && 'nonce' in answer ? answer.nonce : 0;
      // The HMAC of version 1.
      second.send('A', {
        seq: 1,
        ack: 1,
        mptcp: [{ join: 'ack', hmac: joinHmac(peer.key, peer.remoteKey, 7, nonce, 1) }],
      });
      second.expect('RA', { mptcp: [] });
      expect(script.counter('MPTcpExtMPJoinAckHMacFailure')).toBe(1);
      expect(script.counter('MPTcpExtMPRstTx')).toBe(0);
      expect(script.info(handle)).toMatchObject({ subflowsTotal: 1, fallback: FALLBACK_NONE });
    });

    it('of our own begins when the peer has sent a DSS option, and sends its third ACK until the fourth', () => {
      const script = open({ config: [SUBFLOWS] });
      script.endpoint('10.1.0.2', ENDPOINT_SUBFLOW, 9);
      const { peer, handle } = mptcpActive(script, { ...V0, confirm: false });
      const second = new MptcpPeer(script, { local: '10.1.0.2', link: 1 }, 0);
      script.expectNothing();
      peer.send('A', { seq: 1, ack: 1, mptcp: [peer.dss(0)] });
      const syn = second.expect('S', { mptcp: [{ join: 'syn', token: token(peer.key, 0), id: 9 }] });
      const asked = syn.options.mptcp?.[0];
      const theirs = asked !== undefined && 'nonce' in asked ? asked.nonce : 0;
      const proof = joinHmac(peer.key, peer.remoteKey, 5, theirs, 0);
      const hmac = BigInt(`0x${proof.slice(0, 16)}`);
      second.send('SA', { ...SYN, ack: 1, mptcp: [{ join: 'synack', hmac, nonce: 5, id: 0 }] });
      const answer = { join: 'ack', hmac: joinHmac(peer.remoteKey, peer.key, theirs, 5, 0) } as const;
      second.expect('A', { seq: 1, ack: 1, mptcp: [answer] });
      script.advance(1_000_000);
      second.expect('A', { seq: 1, ack: 1, mptcp: [answer] });
      second.send('A', { seq: 1, ack: 1, mptcp: [peer.dss(0)] });
      script.advance(5_000_000);
      expect(script.info(handle)).toMatchObject({ subflowsTotal: 2 });
    });

    it('of our own comes again when its subflow was lost, and the only one that is left is lost, too', () => {
      const script = open({ config: [SUBFLOWS] });
      script.endpoint('10.1.0.2', ENDPOINT_SUBFLOW, 9);
      const { peer, handle } = mptcpActive(script, V0);
      const second = new MptcpPeer(script, { local: '10.1.0.2', link: 1 }, 0);
      const joined = (): void => {
        second.localPort = 0;
        const asked = second.expect('S', { mptcp: [{ join: 'syn', token: token(peer.key, 0), id: 9 }] }).options
          .mptcp?.[0];
        const theirs = asked !== undefined && 'nonce' in asked ? asked.nonce : 0;
        const hmac = BigInt(`0x${joinHmac(peer.key, peer.remoteKey, 5, theirs, 0).slice(0, 16)}`);
        second.send('SA', { ...SYN, ack: 1, mptcp: [{ join: 'synack', hmac, nonce: 5, id: 0 }] });
        second.expect('A', {
          seq: 1,
          ack: 1,
          mptcp: [{ join: 'ack', hmac: joinHmac(peer.remoteKey, peer.key, theirs, 5, 0) }],
        });
        second.send('A', { seq: 1, ack: 1, mptcp: [peer.dss(0)] });
      };
      joined();
      expect(script.info(handle).subflows).toBe(2);
      second.send('R', { seq: 1 });
      expect(script.info(handle).subflows).toBe(1);
      script.advance(1_000_000);
      joined();
      // Both at once: what is written then waits for the next.
      peer.send('R', { seq: 1 });
      second.send('R', { seq: 1 });
      script.write(handle, 'waits');
      expect(script.info(handle)).toMatchObject({ subflows: 0, fallback: FALLBACK_NONE });
      script.advance(2_000_000);
      joined();
      second.expect('A', { seq: 1, data: 'waits', mptcp: [{ dss: true, dsn: peer.remoteDsn(0), ssn: 1, length: 5 }] });
      script.abort(handle);
      script.advance(200_000_000);
    });

    it('of our own ends when the SYN/ACK has the HMAC of version 1', () => {
      const script = open({ config: [SUBFLOWS] });
      script.endpoint('10.1.0.2', ENDPOINT_SUBFLOW, 9);
      const { peer, handle } = mptcpActive(script, V0);
      const second = new MptcpPeer(script, { local: '10.1.0.2', link: 1 }, 0);
      const asked = second.expect('S').options.mptcp?.[0];
      const theirs = asked !== undefined && 'nonce' in asked ? asked.nonce : 0;
      const hmac = BigInt(`0x${joinHmac(peer.key, peer.remoteKey, 5, theirs, 1).slice(0, 16)}`);
      second.send('SA', { ...SYN, ack: 1, mptcp: [{ join: 'synack', hmac, nonce: 5, id: 0 }] });
      second.expect('RA', { mptcp: [] });
      expect(script.counter('MPTcpExtMPJoinSynAckHMacFailure')).toBe(1);
      expect(script.info(handle)).toMatchObject({ subflowsTotal: 1 });
    });
  });

  describe('addresses', () => {
    it('are announced once, with their family and without an HMAC (RFC 6824 section 3.4.1)', () => {
      const script = open({ config: [[CONFIG_ADD_ADDR_TIMEOUT, 2_000_000], SUBFLOWS] });
      script.endpoint('10.1.0.2', ENDPOINT_SIGNAL, 5);
      script.endpoint('fd00::2', ENDPOINT_SIGNAL, 6, 8_080);
      const { peer } = mptcpPassive(script, V0);
      script.expectNothing();
      peer.send('A', { seq: 1, ack: 1, mptcp: [peer.dss(0)] });
      const wanted: Record<string, unknown>[] = [];
      for (let packet = script.take(peer); packet !== undefined; packet = script.take(peer)) {
        wanted.push(...(packet.options.mptcp ?? []).filter((option) => 'addAddr' in option));
      }
      expect(wanted).toEqual([
        { addAddr: '10.1.0.2', id: 5, echo: false, version: 0 },
        { addAddr: 'fd00:0:0:0:0:0:0:2', id: 6, echo: false, version: 0, port: 8_080 },
      ]);
      // Nobody echoes them: they are not sent for ever.
      script.advance(600_000_000);
      script.expectNothing();
      expect(script.counter('MPTcpExtAddAddrTx')).toBe(2);
    });

    it('of the peer are joined and not echoed (RFC 6824 section 3.4.1)', () => {
      const script = open({ config: [[CONFIG_LIMIT_ADD_ADDR_ACCEPTED, 2], SUBFLOWS] });
      const { peer } = mptcpActive(script, V0);
      peer.send('A', { seq: 1, ack: 1, mptcp: [{ addAddr: '10.1.0.1', id: 3, port: 99, version: 0 }] });
      const second = new MptcpPeer(script, { local: '10.1.0.2', remote: '10.1.0.1', port: 99, link: 1 }, 0);
      second.expect('S', { mptcp: [{ join: 'syn', token: token(peer.key, 0) }] });
      script.expectNothing();
      expect(script.events()).toContain('addressAnnounced 3');
      expect(script.counter('MPTcpExtAddAddr')).toBe(1);
      expect(script.counter('MPTcpExtEchoAddTx')).toBe(0);
    });

    it('in the form of the other version are ignored', () => {
      const script = open({ config: [[CONFIG_LIMIT_ADD_ADDR_ACCEPTED, 2], SUBFLOWS] });
      const { peer } = mptcpActive(script, V0);
      const hmac = addAddrHmac(peer.key, peer.remoteKey, 3, '10.1.0.1');
      peer.send('A', { seq: 1, ack: 1, mptcp: [{ addAddr: '10.1.0.1', id: 3, hmac }] });
      peer.send('A', { seq: 1, ack: 1, mptcp: [{ addAddr: '10.1.0.1', id: 3, echo: true }] });
      script.expectNothing();
      expect(script.counter('MPTcpExtAddAddrDrop')).toBe(2);
      const other = open({ config: [[CONFIG_LIMIT_ADD_ADDR_ACCEPTED, 2], SUBFLOWS] });
      const v1 = mptcpActive(other);
      v1.peer.send('A', { seq: 1, ack: 1, mptcp: [{ addAddr: '10.1.0.1', id: 3, version: 0 }] });
      other.expectNothing();
      expect(other.counter('MPTcpExtAddAddrDrop')).toBe(1);
    });

    it('are withdrawn as in version 1 (RFC 6824 section 3.4.2)', () => {
      const script = open({ config: [SUBFLOWS] });
      const { peer, handle } = passive(script);
      const second = joinPassive(peer, { id: 7 });
      peer.send('A', { seq: 1, ack: 1, mptcp: [{ removeAddr: [7] }] });
      second.expect('FA', { seq: 1, ack: 1 });
      second.send('FA', { seq: 1, ack: 2 });
      expect(script.info(handle)).toMatchObject({ subflows: 1 });
    });
  });

  describe('what goes wrong (RFC 6824 sections 3.5 to 3.7)', () => {
    /** Data of the peer, mapped with the checksum of `summed`. */
    const send = (peer: MptcpPeer, offset: number, data: string, summed = data): void => {
      const checksum = dssChecksum(peer.dsn(offset), 1 + offset, Buffer.from(summed));
      peer.send('A', {
        seq: 1 + offset,
        ack: 1,
        data,
        mptcp: [peer.map(offset, 1 + offset, data.length, { checksum })],
      });
    };

    it('a wrong checksum on the only subflow is told by MP_FAIL, and its answer leads to TCP', () => {
      const script = open();
      const { peer, handle } = mptcpPassive(script, { ...V0, checksum: true });
      send(peer, 0, 'good');
      script.skip();
      send(peer, 4, 'bad!', 'bad?');
      peer.expect('A', { ack: 9, mptcp: [{ fail: peer.dsn(4) }, { dss: true, ack: peer.dsn(4) }] });
      expect(script.readText(handle)).toBe('good');
      peer.send('A', { seq: 9, ack: 1, mptcp: [peer.dss(0), { fail: 0n }] });
      expect(script.readText(handle)).toBe('bad!');
      script.skip();
      // The peer begins with its infinite mapping.
      peer.send('A', { seq: 9, ack: 1, data: 'plain', mptcp: [peer.map(4, 5, 0, { checksum: 0 })] });
      expect(script.info(handle)).toMatchObject({ fallback: FALLBACK_CHECKSUM, version: 0 });
      expect(script.readText(handle)).toBe('plain');
    });

    it('a wrong checksum beside another subflow ends the subflow by MP_FAIL and RST, without MP_TCPRST', () => {
      const script = open();
      const { peer, handle } = mptcpPassive(script, { ...V0, checksum: true });
      send(peer, 0, 'good');
      script.skip();
      const second = joinPassive(peer);
      const checksum = dssChecksum(peer.dsn(4), 1, Buffer.from('bad?'));
      second.send('A', { seq: 1, ack: 1, data: 'bad!', mptcp: [second.map(4, 1, 4, { checksum })] });
      second.expect('RA', { mptcp: [{ fail: peer.dsn(4) }] });
      expect(script.counter('MPTcpExtMPRstTx')).toBe(0);
      send(peer, 4, 'bad?');
      expect(script.readText(handle)).toBe('goodbad?');
      expect(script.info(handle)).toMatchObject({ fallback: FALLBACK_NONE, subflows: 1 });
    });

    it('an infinite mapping of the peer leads to TCP', () => {
      const script = open();
      const { peer, handle } = passive(script);
      peer.send('A', { seq: 1, ack: 1, data: 'mapped', mptcp: [peer.map(0, 1, 6)] });
      peer.send('A', { seq: 7, ack: 1, data: 'no more', mptcp: [peer.map(6, 7, 0)] });
      expect(script.readText(handle)).toBe('mappedno more');
      expect(script.info(handle)).toMatchObject({ fallback: FALLBACK_INFINITE_MAPPING, version: 0 });
    });

    it('first data without a mapping leads to TCP', () => {
      const script = open();
      const { peer, handle } = mptcpPassive(script, V0);
      peer.send('A', { seq: 1, ack: 1, data: 'bare' });
      expect(script.readText(handle)).toBe('bare');
      expect(script.info(handle)).toMatchObject({ fallback: FALLBACK_FIRST_DATA });
      const other = open();
      const active = mptcpActive(other, { ...V0, confirm: false });
      active.peer.send('A', { seq: 1, ack: 1, data: 'bare' });
      expect(other.readText(active.handle)).toBe('bare');
      expect(other.info(active.handle)).toMatchObject({ fallback: FALLBACK_FIRST_DATA });
    });

    it('a reset of one subflow gives its bytes to another', () => {
      const script = open({ config: [SUBFLOWS] });
      const { peer, handle } = passive(script);
      const second = joinPassive(peer);
      script.write(handle, 'data');
      const first = peer.expect('A', { data: 'data' }).options.mptcp?.[0];
      peer.send('RA', { seq: 1, ack: 1 });
      const again = second.expect('A', { data: 'data' }).options.mptcp?.[0];
      expect(again).toMatchObject({ dss: true, dsn: peer.remoteDsn(0), ssn: 1, length: 4 });
      expect(first).toMatchObject({ dss: true, dsn: peer.remoteDsn(0) });
      expect(script.info(handle)).toMatchObject({ subflows: 1, fallback: FALLBACK_NONE });
    });
  });

  it('MP_PRIO with an address id is for the subflows from there (RFC 6824 section 3.3.8)', () => {
    const script = open({ config: [SUBFLOWS] });
    const { peer, handle } = passive(script);
    joinPassive(peer, { id: 7 });
    const backups = (): number[] => [0, 1].map((index) => script.subflow(handle, index).flags & SUBFLOW_BACKUP_REMOTE);
    peer.send('A', { seq: 1, ack: 1, mptcp: [{ prio: true, id: 7 }] });
    expect(backups()).toEqual([0, SUBFLOW_BACKUP_REMOTE]);
    peer.send('A', { seq: 1, ack: 1, mptcp: [{ prio: true }] });
    expect(backups()).toEqual([SUBFLOW_BACKUP_REMOTE, SUBFLOW_BACKUP_REMOTE]);
    peer.send('A', { seq: 1, ack: 1, mptcp: [{ prio: false, id: 7 }] });
    expect(backups()).toEqual([SUBFLOW_BACKUP_REMOTE, 0]);
  });
});
