import { describe, expect, it } from 'vitest';
import { readIp, writeIcmp } from './packets.js';
import { pattern, Script, VARIANTS } from './script.js';

describe.each(VARIANTS)('ICMP (%s)', (variant) => {
  it.each([
    ['IPv4 (RFC 1122 section 3.2.2.6)', '10.0.0.1', '10.0.0.2', 8, 0],
    ['IPv6 (RFC 4443 section 4.2)', 'fd00:0:0:0:0:0:0:1', 'fd00:0:0:0:0:0:0:2', 128, 129],
  ])('answers an echo request over %s', (_, remote, local, request, reply) => {
    const script = new Script({ variant });
    const rest = [0x12, 0x34, 0, 7, ...pattern(1_000)];
    expect(script.ingest(writeIcmp(remote, local, request, rest))).toBe(0);
    const answer = readIp(script.takeRaw() ?? new Uint8Array());
    expect(answer).toMatchObject({ src: local, dst: remote });
    expect([...answer.payload.subarray(0, 2), ...answer.payload.subarray(4)]).toEqual([reply, 0, ...rest]);
    expect(script.counter('icmpEcho')).toBe(1);
    script.expectEmpty();
  });

  it('does not answer other messages, replies, bad checksums and requests to others', () => {
    const script = new Script({ variant });
    script.ingest(writeIcmp('10.0.0.1', '10.0.0.2', 0, [0, 0, 0, 0]));
    script.ingest(writeIcmp('10.0.0.1', '10.0.0.2', 3, [0, 0, 0, 0]));
    script.ingest(writeIcmp('10.0.0.1', '10.0.0.3', 8, [0, 0, 0, 0]));
    const bad = writeIcmp('10.0.0.1', '10.0.0.2', 8, [0, 0, 0, 0]);
    bad[27] = 1;
    expect(script.ingest(bad)).toBeLessThan(0);
    expect(script.counter('dropIcmp')).toBe(1);
    script.expectNothing();
    script.expectEmpty();
  });

  it('keeps no more than a few answers waiting', () => {
    const script = new Script({ variant });
    const request = writeIcmp('10.0.0.1', '10.0.0.2', 8, [0, 0, 0, 0]);
    for (let count = 0; count < 1_000; count++) script.ingest(request);
    expect(script.counter('dropReply')).toBeGreaterThan(900);
    script.skip();
    script.expectEmpty();
  });
});
