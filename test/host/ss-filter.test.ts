import { describe, expect, it } from 'vitest';
import { parseFilter } from '../../host/cli/ss-filter.js';
import type { SocketEnd } from '../../host/cli/ss-rows.js';

const end = (address: string, port: number | '*'): SocketEnd => ({ address, port });
/** Sockets by a letter. */
const ROWS = {
  a: { local: end('10.0.1.2', 50_000), peer: end('10.0.1.1', 80) },
  b: { local: end('10.0.2.2', 50_001), peer: end('10.0.1.1', 443) },
  c: { local: end('192.168.7.9', 22), peer: end('10.200.0.1', 40_000) },
  d: { local: end('fd00:1::2', 50_002), peer: end('fd00:1::1', 80) },
  l: { local: end('*', 80), peer: end('*', '*') },
};
const services = (name: string): number | undefined => (({ http: 80, https: 443 }) as Record<string, number>)[name];

function shown(...args: string[]): string {
  const filter = parseFilter(args, services);
  return Object.entries(ROWS)
    .filter(([, row]) => filter(row))
    .map(([name]) => name)
    .join('');
}

describe('a filter of mptcp ss', () => {
  it.each([
    ['dport = :80', 'ad'],
    ['dport :80', 'ad'],
    ['dport 80', 'ad'],
    ['dport = http', 'ad'],
    ['dport eq :https', 'b'],
    ['sport = :80', 'l'],
    ['sport != :22', 'abdl'],
    ['sport gt :50000', 'bd'],
    ['sport >= 50000', 'abd'],
    ['sport < 50000', 'cl'],
    ['sport le :80', 'cl'],
    ['sport = *', 'abcdl'],
    ['sport = :*', 'abcdl'],
    ['dst 10.0.1.1', 'ab'],
    ['dst = 10.0.1.1:443', 'b'],
    ['dst != 10.0.1.1:443', 'acdl'],
    ['dst 10.0.0.0/8', 'abc'],
    ['dst 10.0.0.0/16', 'ab'],
    ['dst = 10.0.0.0/16:80', 'a'],
    ['dst 0.0.0.0/0', 'abcl'],
    ['dst [::]', ''],
    ['dst [::/0]', 'dl'],
    ['src [fd00:1::2]', 'd'],
    ['src [fd00::/16]', 'd'],
    ['src [fd00::]/16', 'd'],
    ['dst [fd00:1::1]:80', 'd'],
    ['dst [fd00:1::1]:81', ''],
    ['dst inet:10.0.1.1', 'ab'],
    ['dst inet6:[fd00:1::1]', 'd'],
    ['dst :80', 'ad'],
    ['dst *:80', 'ad'],
    ['src *', 'abcdl'],
    ['not dport = :80', 'bcl'],
    ['! dport = :80', 'bcl'],
    ['not not dport = :80', 'ad'],
    ['dport = :80 or dport = :443', 'abd'],
    ['dport = :80 | dport = :443', 'abd'],
    ['dport = :80 src 10.0.0.0/8', 'a'],
    ['dport = :80 and src 10.0.0.0/8', 'a'],
    ['dport = :80 && src 10.0.0.0/8', 'a'],
    // From left to right, as the original; "not" binds tightest.
    ['sport = :22 or dport = :80 and src 10.0.0.0/8', 'a'],
    ['sport = :22 or ( dport = :80 and src 10.0.0.0/8 )', 'ac'],
    ['dport = :80 src 10.0.0.0/8 or sport = :22', 'ac'],
    ['sport = :22 or dport = :80 dport = :80', 'ad'],
    ['not sport = :22 and dport = :80', 'ad'],
    ['not ( sport = :22 or dport = :80 )', 'bl'],
  ])('%s', (text, expected) => {
    // In one piece, as behind quotes, and word by word.
    expect([shown(text), shown(...text.split(' '))]).toEqual([expected, expected]);
  });

  it.each([
    ['bogus', /^ss: "bogus" is no condition; there are src, dst, sport, dport$/],
    ['dport=:80', /"dport=:80" is no condition; .*; each word and sign stands by itself, as in "\( sport = :80 \)"$/],
    ['(dport = :80)', /each word and sign stands by itself/],
    ['( dport = :80', /^ss: a "\)" is missing$/],
    ['dport = :80 )', /^ss: there is a "\)" without a "\(" before it$/],
    ['dport = :80 or', /^ss: a condition is missing behind "or"$/],
    ['not', /^ss: a condition is missing behind "not"$/],
    ['( )', /^ss: "\)" is no condition/],
    ['dport', /^ss: what "dport" is compared with is missing$/],
    ['dport =', /^ss: what "dport" is compared with is missing$/],
    ['dport = :65536', /^ss: dport :65536: "65536" is no port, 0 to 65535, and no service$/],
    ['sport = :gopher', /^ss: sport :gopher: "gopher" is no port/],
    ['sport = 10.0.0.1:80', /^ss: sport 10\.0\.0\.1:80: "10\.0\.0\.1:80" is no port/],
    ['dst 10.0.0.1:x', /^ss: dst 10\.0\.0\.1:x: "x" is no port/],
    ['dst 10.0.0.300', /^ss: dst 10\.0\.0\.300: not an address, .*; names are not looked up$/],
    ['dst localhost', /^ss: dst localhost: not an address/],
    ['dst 10.0.0.0/33', /^ss: dst 10\.0\.0\.0\/33: not an address/],
    ['dst 10.0.0.0/8/9', /not an address/],
    ['dst [fd00::/129]', /not an address/],
    ['dst fd00::1', /^ss: dst fd00::1: write IPv6 in brackets, as in \[fd00::1\]/],
    ['dst > 10.0.0.1', /^ss: dst: addresses are the same or not; ">" is for sport and dport$/],
    ['dport = :80 state established', /^ss: "state" stands in front of all other filters$/],
    ['dev = eth0', /^ss: the filter "dev" is not known here; there are src, dst, sport, dport$/],
    ['autobound', /^ss: the filter "autobound" is not known here/],
  ])('%s says what is wrong', (text, message) => {
    expect(() => shown(text)).toThrow(message);
  });
});
