import { describe, expect, it } from 'vitest';
import { CONNECT_PLAIN_TCP } from '../../host/abi.js';
import { plainActive, SYN } from './handshakes.js';
import { Peer, Script, VARIANTS } from './script.js';
import { reach, type StateName, SYNCHRONIZED, waitForWrap } from './tcp-states.js';

/** The states that end by an RST; TIME-WAIT does not (RFC 1337). */
const MORTAL = SYNCHRONIZED.filter((state) => state !== 'TIME-WAIT');
const ALL: readonly StateName[] = ['SYN-RECEIVED', ...SYNCHRONIZED];

describe.each(VARIANTS)('every state (%s)', (variant) => {
  const open = () => new Script({ variant });

  it.each(MORTAL)('%s ends by an RST with the next sequence number (RFC 9293 section 3.10.7.4, RFC 5961)', (state) => {
    const script = open();
    const { peer, seq, handle } = reach(script, state);
    peer.send('R', { seq });
    expect(script.pools().subflows).toBe(0);
    // Where both ends were reached the connection is over already, and in order.
    const reached = state === 'CLOSING' || state === 'LAST-ACK';
    expect(script.events().some((event) => event.startsWith('closed'))).toBe(true);
    script.close(handle);
    script.expectNothing();
    expect(script.pools().connections).toBe(0);
    expect(reached || script.counter('rstIn') === 1).toBe(true);
  });

  it.each(MORTAL)('%s answers an RST elsewhere in the window with a challenge ACK (RFC 5961 section 3.2)', (state) => {
    const script = open();
    const { peer, seq, ack } = reach(script, state);
    peer.send('R', { seq: seq + 1 });
    peer.expect('A', { seq: ack, ack: seq });
    expect(script.counter('challengeAck')).toBe(1);
    expect(script.pools().subflows).toBe(1);
  });

  it.each(SYNCHRONIZED)('%s answers a SYN with a challenge ACK and nothing more (RFC 5961 section 4.2)', (state) => {
    const script = open();
    const { peer, seq, ack } = reach(script, state);
    // In TIME-WAIT a higher number would be a new connection.
    peer.send('S', { ...SYN, seq: state === 'TIME-WAIT' ? seq - 1 : seq + 10 });
    peer.expect('A', { seq: ack, ack: seq });
    expect(script.pools().subflows).toBe(1);
  });

  it.each(ALL)('%s acknowledges old data and stays (RFC 9293 section 3.10.7.4)', (state) => {
    const script = open();
    const { peer, seq, ack } = reach(script, state);
    // In LAST-ACK the ACK of the FIN would end it, which old data may carry as well.
    peer.send('A', { seq: seq - 1, ack: state === 'LAST-ACK' ? ack - 1 : ack, data: 'x' });
    peer.expect('A', { seq: ack, ack: seq });
    expect(script.pools().subflows).toBe(1);
  });

  it.each(MORTAL)('%s challenges an ACK of what was never sent (RFC 9293 section 3.10.7.4)', (state) => {
    const script = open();
    const { peer, seq, ack } = reach(script, state);
    peer.send('A', { seq, ack: ack + 1 });
    peer.expect('A', { seq: ack, ack: seq });
    expect(script.pools().subflows).toBe(1);
  });

  it.each(MORTAL)('%s drops a segment without ACK (RFC 9293 section 3.10.7.4)', (state) => {
    const script = open();
    const { peer, seq } = reach(script, state);
    peer.send('F', { seq });
    script.expectNothing();
    expect(script.pools().subflows).toBe(1);
  });

  it.each(['CLOSE-WAIT', 'CLOSING', 'LAST-ACK', 'TIME-WAIT'] as const)(
    '%s acknowledges the FIN again (RFC 9293 section 3.10.7.4)',
    (state) => {
      const script = open();
      const { peer, seq, ack } = reach(script, state);
      for (let count = 0; count < 3; count++) {
        peer.send('FA', { seq: seq - 1, ack: state === 'CLOSING' || state === 'LAST-ACK' ? ack - 1 : ack });
        peer.expect('A', { seq: ack, ack: seq });
      }
      expect(script.pools().subflows).toBe(1);
    },
  );

  it.each(['CLOSE-WAIT', 'CLOSING', 'LAST-ACK'] as const)(
    '%s takes no data behind the FIN (RFC 9293 section 3.10.7.4)',
    (state) => {
      const script = open();
      const { peer, seq, ack, handle } = reach(script, state);
      peer.send('A', { seq, ack: ack - (state === 'CLOSE-WAIT' ? 0 : 1), data: 'late' });
      expect(script.read(handle)).toMatchObject({ error: '' });
      expect(script.read(handle).data.length).toBe(0);
    },
  );

  it.each(['FIN-WAIT-1', 'FIN-WAIT-2'] as const)(
    '%s takes data and acknowledges it (RFC 9293 section 3.6)',
    (state) => {
      const script = open();
      const { peer, seq, handle } = reach(script, state);
      peer.send('A', { seq, ack: 2, data: 'still' });
      peer.expect('A', { seq: 2, ack: seq + 5 });
      expect(script.readText(handle)).toBe('still');
    },
  );

  it('sends its FIN again in FIN-WAIT-1, CLOSING and LAST-ACK until it is acknowledged (RFC 9293 section 3.8.1)', () => {
    for (const state of ['FIN-WAIT-1', 'CLOSING', 'LAST-ACK'] as const) {
      const script = open();
      const { peer, seq } = reach(script, state);
      script.advance(5_000_000);
      peer.expect('FA', { seq: 1, ack: seq });
      peer.expect('FA', { seq: 1, ack: seq });
      script.skip();
      peer.send('A', { seq, ack: 2 });
      script.advance(10_000_000);
      script.expectNothing();
    }
  });

  const ORDERS = ['the stack closes first', 'the peer closes first', 'both close at once'] as const;
  const OPENS = ['active', 'passive', 'simultaneous'] as const;

  it.each(OPENS.flatMap((how) => ORDERS.map((order) => [how, order] as const)))(
    'sequence numbers cross 2^32 in every state: %s open, %s (RFC 9293 section 3.4)',
    (how, order) => {
      for (let ours = 0; ours <= 6; ours++) {
        for (let theirs = 0; theirs <= 6; theirs++) {
          const script = open();
          const options = { iss: (2 ** 32 - theirs) % 2 ** 32 };
          waitForWrap(script, open(), ours, how !== 'passive', options);
          const { peer, handle, listener } = opened(script, how, options);
          expect(peer.irs).toBe((2 ** 32 - ours) % 2 ** 32);
          script.write(handle, 'abc');
          peer.expect('A', { seq: 1, ack: 1, data: 'abc' });
          peer.send('A', { seq: 1, ack: 3, data: 'de' });
          script.advance(100_000);
          expect(script.readText(handle)).toBe('de');
          script.advance(2_000_000);
          script.skip();
          peer.send('A', { seq: 3, ack: 4 });
          if (order === 'the stack closes first') {
            script.close(handle);
            peer.expect('FA', { seq: 4, ack: 3 });
            peer.send('A', { seq: 3, ack: 5 });
            peer.send('FA', { seq: 3, ack: 5 });
            peer.expect('A', { seq: 5, ack: 4 });
          } else if (order === 'the peer closes first') {
            peer.send('FA', { seq: 3, ack: 4 });
            peer.expect('A', { seq: 4, ack: 4 });
            script.close(handle);
            peer.expect('FA', { seq: 4, ack: 4 });
            peer.send('A', { seq: 4, ack: 5 });
          } else {
            script.close(handle);
            peer.expect('FA', { seq: 4, ack: 3 });
            peer.send('FA', { seq: 3, ack: 4 });
            peer.expect('A', { seq: 5, ack: 4 });
            peer.send('A', { seq: 4, ack: 5 });
          }
          script.expectNothing();
          if (listener !== 0) script.close(listener);
          script.advance(60_000_000);
          script.expectNothing();
          script.expectEmpty();
        }
      }
    },
  );

  function opened(script: Script, how: (typeof OPENS)[number], options: { iss: number }) {
    if (how === 'passive') {
      const listener = script.listen(80);
      const peer = new Peer(script, options);
      peer.send('S', SYN);
      peer.expect('SA', { seq: 0, ack: 1 });
      peer.send('A', { seq: 1, ack: 1 });
      return { peer, handle: script.accept(listener), listener };
    }
    const peer = new Peer(script, options, 0);
    const handle = script.connect(peer, CONNECT_PLAIN_TCP, 50_000);
    peer.expect('S', { seq: 0 });
    if (how === 'simultaneous') {
      peer.send('S', SYN);
      peer.expect('SA', { seq: 0, ack: 1 });
      peer.send('SA', { ...SYN, ack: 1 });
    } else {
      peer.send('SA', { ...SYN, ack: 1 });
    }
    peer.expect('A', { seq: 1, ack: 1 });
    return { peer, handle, listener: 0 };
  }

  it('keeps its half open for as long as it writes, and the other as long as it reads (RFC 9293 section 3.6)', () => {
    const script = open();
    const { peer, handle } = plainActive(script);
    script.shutdown(handle);
    peer.expect('FA', { seq: 1 });
    peer.send('A', { seq: 1, ack: 2 });
    for (let hour = 0; hour < 24; hour++) {
      script.advance(3_600_000_000);
      peer.send('A', { seq: 1 + hour, ack: 2, data: 'x' });
    }
    expect(script.readText(handle)).toBe('x'.repeat(24));
  });

  it('begins behind the last number of the connection whose place it takes in TIME-WAIT (RFC 9293 section 3.10.7.4)', () => {
    const script = open();
    const { peer, handle } = reach(script, 'ESTABLISHED');
    // Faster than the clock of initial sequence numbers runs.
    for (let sent = 0; sent < 200_000; sent += 10_000) {
      script.write(handle, 'x'.repeat(10_000));
      script.skip();
      peer.send('A', { seq: 1, ack: 1 + sent + 10_000 });
    }
    script.close(handle);
    peer.expect('FA', { seq: 200_001 });
    peer.send('FA', { seq: 1, ack: 200_002 });
    const last = (peer.irs + 200_002) >>> 0;
    peer.expect('A', { ack: 2 });
    const again = new Peer(script, { iss: peer.iss + 1_000 });
    again.send('S', SYN);
    const { seq } = again.expect('SA', { ack: 1 });
    expect((seq - last) | 0).toBeGreaterThan(0);
  });

  it.each([
    ['a later timestamp', [1, 0], true, true],
    ['the same timestamp and a later number', [0, 1_000], true, true],
    ['the same timestamp and an old number', [0, -10], true, false],
    ['an older timestamp', [-1, 1_000], true, false],
    ['no timestamp and a later number', [undefined, 1_000], true, true],
    ['no timestamp and an old number', [undefined, -10], true, false],
    ['a timestamp where there was none', [7, -10], false, true],
  ] as const)('TIME-WAIT makes way for a SYN or not: %s (RFC 6191 section 2)', (_, [ts, seq], before, taken) => {
    const script = open();
    const { peer, seq: next } = reach(script, 'TIME-WAIT', { ts: before });
    const again = new Peer(script, { iss: (peer.iss + next + seq) >>> 0 });
    const last = peer.tsNow();
    again.send('S', { ...SYN, ...(ts === undefined ? {} : { ts: [last + ts, 0] as [number, number] }) });
    const answer = script.take(again);
    expect(answer?.flags).toBe(taken ? 'SA' : 'A');
  });
});
