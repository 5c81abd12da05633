import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseBytes, parsePort, parseSeconds, UsageError } from '../../host/cli/arguments.js';
import { contentChunks, contentHash } from '../../host/cli/content.js';
import { bare, openTunStack, parseTun } from '../../host/cli/tun-options.js';

const VALUES = { setup: false, offload: false, mtu: '1500', memory: '16M' };

describe('--tun', () => {
  it.each([
    ['path0=10.0.1.2/24', ['10.0.1.2/24'], ['10.0.1.1/24']],
    ['path0=10.0.1.1/24', ['10.0.1.1/24'], ['10.0.1.2/24']],
    ['path0=10.0.1.130/25', ['10.0.1.130/25'], ['10.0.1.129/25']],
    ['path0=10.0.1.2/24@10.0.1.9', ['10.0.1.2/24'], ['10.0.1.9/24']],
    ['path0=10.0.1.2/31@10.0.1.3/31', ['10.0.1.2/31'], ['10.0.1.3/31']],
    ['path0=fd00:1::2/64', ['fd00:1::2/64'], ['fd00:1::1/64']],
    ['path0=10.0.1.2/24,fd00:1::2/64', ['10.0.1.2/24', 'fd00:1::2/64'], ['10.0.1.1/24', 'fd00:1::1/64']],
    ['a=10.0.1.2/24,fd00:1::2/64@10.0.1.7,fd00:1::7', ['10.0.1.2/24', 'fd00:1::2/64'], ['10.0.1.7/24', 'fd00:1::7/64']],
  ])('%s', (text, addresses, peers) => {
    expect(parseTun(text)).toEqual({ name: text.split('=')[0], addresses, peers });
  });

  it.each([
    ['path0', /write NAME=ADDR\/PREFIX/],
    ['=10.0.1.2/24', /write NAME=ADDR\/PREFIX/],
    ['path0=10.0.1.2', /no prefix length/],
    ['path0=10.0.1/24', /not an IP address/],
    ['path0=10.0.1.2/33', /from 0 to 32/],
    ['path0=10.0.1.2/24@10.0.1', /not an IP address/],
    ['path0=10.0.1.2/32', /name the kernel's address too/],
    ['path0=fd00::1/32', /name the kernel's address too/],
  ])('%s is refused', (text, message) => {
    expect(() => parseTun(text)).toThrow(UsageError);
    expect(() => parseTun(text)).toThrow(message);
  });

  it('must be there', async () => {
    await expect(openTunStack('test', 'signal', VALUES)).rejects.toThrow(/no --tun/);
    await expect(openTunStack('test', 'signal', { ...VALUES, tun: ['a=10.0.1.2/24'], setup: true })).rejects.toThrow(
      /--setup makes the namespace that --netns names/,
    );
  });

  it('gives addresses without their prefix, written one way', () => {
    expect([bare('10.0.1.2/24'), bare('FD00:1:0:0::2/64')]).toEqual(['10.0.1.2', 'fd00:1::2']);
  });
});

describe('arguments', () => {
  it.each([
    ['0', 0],
    ['1500', 1500],
    ['64K', 65536],
    ['256M', 268435456],
    ['256MiB', 268435456],
    ['1g', 1073741824],
  ])('bytes %s', (text, bytes) => {
    expect(parseBytes('--size', text)).toBe(bytes);
  });

  it.each(['', '-1', '1.5M', '64T', 'many', '99999999999999G'])('bytes %j are refused', (text) => {
    expect(() => parseBytes('--size', text)).toThrow(/--size .*: not a number of bytes/);
  });

  it('seconds and ports', () => {
    expect([parseSeconds('--seconds', '0.5'), parsePort('--port', '8080'), parsePort('--port', '0', 0)]).toEqual([
      0.5, 8080, 0,
    ]);
    for (const text of ['0', '-1', 'x', ''])
      expect(() => parseSeconds('--seconds', text)).toThrow(/not a number of seconds/);
    for (const text of ['0', '65536', 'x', ''])
      expect(() => parsePort('--port', text)).toThrow(/not a port of 1 to 65535/);
  });
});

describe('the known content', () => {
  it('is the same each time, and told apart wherever bytes are exchanged', () => {
    const size = 1_000_003;
    const body = Buffer.concat([...contentChunks(size)]);
    expect(body.length).toBe(size);
    expect(createHash('sha256').update(body).digest('hex')).toBe(contentHash(size));
    const blocks = new Set<string>();
    for (let at = 0; at < size; at += 4096) blocks.add(body.toString('latin1', at, at + 4096));
    expect(blocks.size).toBe(Math.ceil(size / 4096));
    expect(contentHash(0)).toBe(createHash('sha256').digest('hex'));
  });
});
