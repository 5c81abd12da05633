import { isIPv4, isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressOrAny, formatAddress, parseAddress, requireAddress, requirePrefix } from '../../host/address.js';

describe('addresses', () => {
  it.each([
    ['10.0.1.2', '10.0.1.2'],
    ['255.255.255.255', '255.255.255.255'],
    ['0.0.0.0', '0.0.0.0'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['fd00:0:0:1::2', 'fd00:0:0:1::2'],
    ['FD00::ABCD', 'fd00::abcd'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0db8::0001', '2001:db8::1'],
    ['::ffff:10.0.1.2', '10.0.1.2'],
    ['::ffff:a00:102', '10.0.1.2'],
    ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  ])('%s reads and prints as %s', (text, printed) => {
    const address = requireAddress(text, 'test');
    expect(formatAddress(address.hi, address.lo)).toBe(printed);
  });

  it.each([
    '',
    'example.org',
    '10.0.1',
    '10.0.1.2.3',
    '10.0.1.256',
    '10.0.01.2',
    '10.0.1.-2',
    ' 10.0.1.2',
    '10.0.1.2/24',
    ':',
    ':::',
    '1:::2',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '12345::',
    'g::',
    '1.2.3.4::',
    '::1.2.3',
    'fe80::1%eth0',
    '[::1]',
  ])('%j is refused', (text) => {
    expect(parseAddress(text)).toBeUndefined();
    expect(() => requireAddress(text, 'connect')).toThrow(/connect EINVAL: .*is not an IP address/);
  });

  it('agree with node about what an address is', () => {
    const piece = fc.constantFrom('0', '1', 'ab', 'ffff', '::', ':', '.', '10', '255', '256', '1.2.3.4', '00', 'x');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join('');
        expect(parseAddress(text) !== undefined).toBe(isIPv4(text) || isIPv6(text));
      }),
      { numRuns: 2000 },
    );
  });

  it('come back the same after printing', () => {
    const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
        const half = (from: number): bigint =>
          groups.slice(from, from + 4).reduce((value, each) => (value << 16n) | BigInt(each), 0n);
        const text = formatAddress(half(0), half(4));
        expect(parseAddress(text)).toEqual({ hi: half(0), lo: half(4) });
      }),
    );
  });

  it('have prefixes counted over 128 bits', () => {
    expect(requirePrefix('10.0.1.2/24', 'test').bits).toBe(120);
    expect(requirePrefix('0.0.0.0/0', 'test').bits).toBe(96);
    expect(requirePrefix('10.0.1.2', 'test').bits).toBe(128);
    expect(requirePrefix('fd00::2/64', 'test').bits).toBe(64);
    for (const text of ['10.0.1.2/33', '10.0.1.2/', '10.0.1.2/024', 'fd00::/129', 'fd00::/x']) {
      expect(() => requirePrefix(text, 'addAddress')).toThrow(/addAddress EINVAL: .*prefix length/);
    }
  });

  it('that are unspecified mean any', () => {
    for (const text of [undefined, '', '0.0.0.0', '::'])
      expect(addressOrAny(text, 'listen')).toEqual({ hi: 0n, lo: 0n });
    expect(addressOrAny('10.0.0.1', 'listen').lo).toBe(0xffff0a000001n);
  });
});
