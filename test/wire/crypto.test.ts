import { createHash, createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { VARIANTS, Wire } from './module.js';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const fromHex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replace(/\s/g, ''), 'hex'));
const ascii = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'ascii'));
/** Bytes 0, 1, 2, ... */
const counting = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => index & 255);

describe.each(VARIANTS)('crypto (%s)', (variant) => {
  const wire = new Wire(variant);
  const out = wire.base + 100_000;

  const sha1 = (data: Uint8Array): string => {
    wire.x.sha1(wire.putAtEnd(data), data.length, out);
    return hex(wire.get(out, 20));
  };
  const hmacSha1 = (key: Uint8Array, message: Uint8Array): string => {
    wire.x.hmacSha1(wire.put(key), key.length, wire.putAtEnd(message), message.length, out);
    return hex(wire.get(out, 20));
  };
  const sha256 = (data: Uint8Array): string => {
    wire.x.sha256(wire.putAtEnd(data), data.length, out);
    return hex(wire.get(out, 32));
  };
  const hmac = (key: Uint8Array, message: Uint8Array): string => {
    wire.x.hmacSha256(wire.put(key), key.length, wire.putAtEnd(message), message.length, out);
    return hex(wire.get(out, 32));
  };

  it.each([
    ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    [
      'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
      '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
    ],
  ])('SHA-256 of the FIPS 180-4 example %j', (message, digest) => {
    expect(sha256(ascii(message))).toBe(digest);
  });

  it('SHA-256 of every length around the block boundaries', () => {
    for (let length = 0; length <= 260; length++) {
      const data = counting(length);
      expect(sha256(data), `${length} bytes`).toBe(createHash('sha256').update(data).digest('hex'));
    }
  });

  // RFC 4231 section 4; case 5 truncates its output and is left to the comparison below.
  it.each([
    ['0b'.repeat(20), hex(ascii('Hi There')), 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'],
    [
      hex(ascii('Jefe')),
      hex(ascii('what do ya want for nothing?')),
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    ],
    ['aa'.repeat(20), 'dd'.repeat(50), '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe'],
    [
      '0102030405060708090a0b0c0d0e0f10111213141516171819',
      'cd'.repeat(50),
      '82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b',
    ],
    [
      'aa'.repeat(131),
      hex(ascii('Test Using Larger Than Block-Size Key - Hash Key First')),
      '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
    ],
  ])('HMAC-SHA256 of the RFC 4231 case with key %s', (key, message, digest) => {
    expect(hmac(fromHex(key), fromHex(message))).toBe(digest);
  });

  it('HMAC-SHA256 with keys of every length up to two blocks', () => {
    for (let length = 0; length <= 130; length++) {
      const key = counting(length);
      const message = counting(length + 3);
      expect(hmac(key, message), `${length} bytes`).toBe(createHmac('sha256', key).update(message).digest('hex'));
    }
  });

  it.each([
    ['', 'da39a3ee5e6b4b0d3255bfef95601890afd80709'],
    ['abc', 'a9993e364706816aba3e25717850c26c9cd0d89d'],
    ['abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq', '84983e441c3bd26ebaae4aa1f95129e5e54670f1'],
  ])('SHA-1 of the FIPS 180-4 example %j', (message, digest) => {
    expect(sha1(ascii(message))).toBe(digest);
  });

  it('SHA-1 of every length around the block boundaries', () => {
    for (let length = 0; length <= 260; length++) {
      const data = counting(length);
      expect(sha1(data), `${length} bytes`).toBe(createHash('sha1').update(data).digest('hex'));
    }
  });

  // RFC 2202 section 3.
  it.each([
    ['0b'.repeat(20), hex(ascii('Hi There')), 'b617318655057264e28bc0b6fb378c8ef146be00'],
    [hex(ascii('Jefe')), hex(ascii('what do ya want for nothing?')), 'effcdf6ae5eb2fa2d27416d5f184df9c259a7c79'],
    ['aa'.repeat(20), 'dd'.repeat(50), '125d7342b9ac11cd91a39af48aa17b4f63f175d3'],
    [
      'aa'.repeat(80),
      hex(ascii('Test Using Larger Than Block-Size Key - Hash Key First')),
      'aa4ae5e15272d00e95705637ce8a3b55ed402112',
    ],
  ])('HMAC-SHA1 of the RFC 2202 case with key %s', (key, message, digest) => {
    expect(hmacSha1(fromHex(key), fromHex(message))).toBe(digest);
  });

  it('HMAC-SHA1 with keys of every length up to two blocks', () => {
    for (let length = 0; length <= 130; length++) {
      const key = counting(length);
      const message = counting(length + 3);
      expect(hmacSha1(key, message), `${length} bytes`).toBe(createHmac('sha1', key).update(message).digest('hex'));
    }
  });

  // The vectors of the SipHash reference implementation: key 00..0f, message 00..(length - 1).
  it.each([
    [0, 0x726fdb47dd0e0e31n],
    [1, 0x74f839c593dc67fdn],
    [7, 0xab0200f58b01d137n],
    [8, 0x93f5f5799a932462n],
    [15, 0xa129ca6149be45e5n],
    [63, 0x958a324ceb064572n],
  ])('SipHash-2-4 of %i bytes', (length, hash) => {
    const k0 = 0x0706050403020100n;
    const k1 = 0x0f0e0d0c0b0a0908n;
    expect(BigInt.asUintN(64, wire.x.sipHash(k0, k1, wire.putAtEnd(counting(length)), length))).toBe(hash);
  });

  it('ChaCha20 block of RFC 8439 section 2.3.2', () => {
    const key = wire.put(counting(32));
    const nonce = wire.put(fromHex('000000090000004a00000000'), wire.base + 64);
    wire.x.chacha20Block(key, 1, nonce, out);
    expect(hex(wire.get(out, 64))).toBe(
      '10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e' +
        'd2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e',
    );
  });

  it('random numbers are ChaCha20 with the key replaced at each refill', () => {
    const words = [0x0706050403020100n, 0x0f0e0d0c0b0a0908n, 0x1716151413121110n, 0x1f1e1d1c1b1a1918n] as const;
    wire.x.randomSeed(...words);
    const drawn = Array.from({ length: 100 }, () => wire.x.randomU32() >>> 0);

    let key = counting(32);
    const expected: number[] = [];
    while (expected.length < drawn.length) {
      const keyAt = wire.put(key);
      const nonceAt = wire.put(new Uint8Array(12), wire.base + 64);
      wire.x.chacha20Block(keyAt, 0, nonceAt, out);
      wire.x.chacha20Block(keyAt, 1, nonceAt, out + 64);
      const stream = wire.get(out, 128);
      key = stream.slice(0, 32);
      const view = new DataView(stream.buffer);
      for (let at = 32; at < 128; at += 4) {
        expected.push(view.getUint32(at, true));
      }
    }
    expect(drawn).toEqual(expected.slice(0, drawn.length));

    wire.x.randomSeed(...words);
    const [low = 0, high = 0] = drawn;
    expect(BigInt.asUintN(64, wire.x.randomU64())).toBe((BigInt(high) << 32n) | BigInt(low));
  });
});
