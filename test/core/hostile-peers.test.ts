/** What peers may do on purpose to use up the memory of a stack with the smallest budget. */
import { describe, expect, it } from 'vitest';
import { BUDGET_MIN, CONFIG_NO_DELAY } from '../../host/abi.js';
import { MptcpPeer, mptcpPassive, plainPassive, SYN } from './handshakes.js';
import { addAddrHmac } from './keys.js';
import { pattern, Script, VARIANTS } from './script.js';

describe.each(VARIANTS)('a hostile peer (%s)', (variant) => {
  const open = () => new Script({ variant, budget: BUDGET_MIN });

  /** Half of the budget is free again, and another connection works. */
  const survives = (script: Script, listener: number): void => {
    script.skip();
    const { pages, pagesFree } = script.pools();
    expect(pagesFree).toBeGreaterThan(pages / 2);
    const peer = new MptcpPeer(script, { port: 50_000 });
    peer.send('S', SYN);
    peer.expect('SA');
    peer.send('A', { seq: 1, ack: 1 });
    const handle = script.accept(listener);
    let sent = 0;
    for (let read = ''; sent < 100_000; sent += 1_000) {
      peer.send('A', { seq: 1 + sent, ack: 1, data: pattern(1_000, sent) });
      read = script.readText(handle);
      expect(read).toHaveLength(1_000);
    }
    script.close(handle);
    script.close(listener);
    script.skip();
    script.advance(3_600_000_000);
    script.skip();
    script.expectEmpty();
  };

  it('that sends every other byte does not use up the budget (RFC 2018 section 8)', () => {
    const script = open();
    const { peer, handle, listener } = plainPassive(script);
    for (let at = 100_000; at > 1; at -= 2) {
      peer.send('A', { seq: at, ack: 1, data: 'x' });
      if (at % 100 === 0) script.skip();
    }
    script.abort(handle);
    survives(script, listener);
  });

  it('that maps single bytes does not use up the budget (RFC 8684 section 3.3.1)', () => {
    const script = open();
    const { peer, handle, listener } = mptcpPassive(script);
    for (let at = 3; at < 100_000; at += 2) {
      peer.send('A', { seq: at, ack: 1, mptcp: [peer.map(at - 1, at, 1)] });
      if (at % 100 === 1) script.skip();
    }
    script.abort(handle);
    survives(script, listener);
  });

  it('that announces and withdraws addresses of a connection nobody accepts does not use up the budget', () => {
    const script = open();
    const listener = script.listen(80);
    const peer = new MptcpPeer(script);
    peer.send('S', { ...SYN, mptcp: [{ capable: 'syn' }] });
    const answer = peer.expect('SA').options.mptcp?.[0];
    peer.remoteKey = answer !== undefined && 'key' in answer ? answer.key : 0n;
    peer.send('A', { seq: 1, ack: 1, mptcp: [{ capable: 'ack', key: peer.key, peerKey: peer.remoteKey }] });
    const hmacs = Array.from({ length: 200 }, (_, id) => addAddrHmac(peer.key, peer.remoteKey, id, '10.1.0.9'));
    for (let turn = 0; turn < 60_000; turn++) {
      const id = turn % hmacs.length;
      const hmac = hmacs[id] ?? 0n;
      peer.send('A', { seq: 1, ack: 1, mptcp: [{ addAddr: '10.1.0.9', id, hmac }] });
      peer.send('A', { seq: 1, ack: 1, mptcp: [{ removeAddr: [id] }] });
      if (turn % 50 === 0) script.skip();
    }
    script.abort(script.accept(listener));
    survives(script, listener);
  });

  it('that acknowledges nothing does not let small writes use up the budget', () => {
    const script = open();
    script.set(CONFIG_NO_DELAY, 1);
    const { peer, handle, listener } = plainPassive(script);
    for (let turn = 0; turn < 50_000; turn++) {
      if (script.x.mptcp_send(handle, script.x.mptcp_scratch(), 1) < 0) break;
      script.x.mptcp_transmit(0, 64);
    }
    peer.send('R', { seq: 1 });
    script.close(handle);
    survives(script, listener);
  });
});
