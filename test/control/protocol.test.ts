import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readParams } from '../../host/control/params.js';
import {
  ControlError,
  failureOf,
  LineReader,
  readAnswer,
  readRequest,
  requestId,
  writeLine,
} from '../../host/control/protocol.js';
import { readSk, skOf } from '../../host/control/view.js';
import { MptcpError } from '../../host/error.js';

/** The code and message of what `act` throws. */
function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof ControlError) return `${error.code} ${error.message}`;
    throw error;
  }
  throw new Error('it was taken');
}

describe('lines', () => {
  const shown = (lines: readonly (string | ControlError)[]): string[] =>
    lines.map((line) => (typeof line === 'string' ? line : line.code));

  it('come out the same however the bytes are cut', () => {
    const line = fc.string({ maxLength: 40 }).map((text) => text.replaceAll('\n', ' ').trim());
    fc.assert(
      fc.property(fc.array(line), fc.array(fc.nat(64)), (lines, cuts) => {
        const reader = new LineReader(1000);
        let rest = Buffer.from(lines.map((each) => `${each}\n`).join(''));
        const got: (string | ControlError)[] = [];
        for (const cut of cuts) {
          got.push(...reader.feed(rest.subarray(0, cut)));
          rest = rest.subarray(cut);
        }
        got.push(...reader.feed(rest));
        expect(got).toEqual(lines.filter((each) => each !== ''));
      }),
    );
  });

  it('above the limit are named and nothing of them is kept, and the next one counts again', () => {
    const reader = new LineReader(8);
    expect(shown(reader.feed(Buffer.from('12345678\n')))).toEqual(['12345678']);
    expect(shown(reader.feed(Buffer.from('123456789\nok\n')))).toEqual(['EMSGSIZE', 'ok']);
    for (let round = 0; round < 1000; round++) expect(reader.feed(Buffer.alloc(1000, 'x'))).toEqual([]);
    expect(shown(reader.feed(Buffer.from('\n\n  \nnext\n')))).toEqual(['EMSGSIZE', 'next']);
  });

  it('must be UTF-8', () => {
    const reader = new LineReader(100);
    const bytes = Buffer.concat([Buffer.from([0xff, 0xfe, 10]), Buffer.from('é\n')]);
    expect(shown(reader.feed(bytes))).toEqual(['EILSEQ', 'é']);
  });
});

describe('requests', () => {
  it('are read with and without parameters', () => {
    expect(readRequest('{"mptcp":1,"id":1,"method":"hello"}')).toEqual({ id: 1, method: 'hello', params: {} });
    const { params } = readRequest('{"mptcp":1,"id":"a","method":"x","params":{"a":[1]}}');
    expect(params).toEqual({ a: [1] });
  });

  it.each([
    ['{', /^EBADMSG the line is no JSON: /],
    ['null', /^EBADMSG the line is no JSON object/],
    ['[1]', /^EBADMSG the line is no JSON object/],
    ['"hello"', /^EBADMSG/],
    ['{}', /^EPROTO the request has no version; this host speaks "mptcp":1/],
    ['{"mptcp":2,"id":1,"method":"hello"}', /^EPROTO the request has the version 2/],
    ['{"mptcp":1,"method":"hello"}', /^EINVAL the "id"/],
    ['{"mptcp":1,"id":1.5,"method":"hello"}', /^EINVAL the "id"/],
    ['{"mptcp":1,"id":{},"method":"hello"}', /^EINVAL the "id"/],
    [`{"mptcp":1,"id":"${'x'.repeat(65)}","method":"hello"}`, /^EINVAL the "id"/],
    ['{"mptcp":1,"id":1}', /^EINVAL the "method"/],
    ['{"mptcp":1,"id":1,"method":7}', /^EINVAL the "method"/],
    ['{"mptcp":1,"id":1,"method":"x","params":[]}', /^EINVAL the "params"/],
    ['{"mptcp":1,"id":1,"method":"x","params":null}', /^EINVAL the "params"/],
  ])('that are wrong are refused in words: %s', (line, words) => {
    expect(refusal(() => readRequest(line))).toMatch(words);
  });

  it('that are wrong are answered under their id where there is one', () => {
    expect(requestId('{"id":7}')).toBe(7);
    expect(requestId('{"id":"a"}')).toBe('a');
    for (const line of ['{', '{}', '[]', '{"id":{}}', '{"id":1.5}']) expect(requestId(line)).toBe(null);
  });

  it('never end in anything but a request or a refusal', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.object().map((value) => JSON.stringify(value)),
        ),
        (line) => {
          try {
            readRequest(line);
          } catch (error) {
            expect(error).toBeInstanceOf(ControlError);
          }
          requestId(line);
        },
      ),
    );
  });
});

describe('parameters', () => {
  const shape = { name: 'text!', id: 'number', on: 'flag', names: 'texts', value: 'value' } as const;

  it('are read as they are', () => {
    const params = { name: 'a', id: 0, on: false, names: ['x'], value: 'v' };
    expect(readParams('m', params, shape)).toEqual(params);
    expect(readParams('m', { name: '' }, shape)).toEqual({ name: '' });
  });

  it.each([
    [{}, /^EINVAL m needs the parameter name, a text/],
    [{ name: 1 }, /^EINVAL m: name is 1 and must be a text/],
    [{ name: 'a', id: -1 }, /^EINVAL m: id is -1 and must be a whole number/],
    [{ name: 'a', id: 1.5 }, /^EINVAL m: id is 1.5/],
    [{ name: 'a', id: '1' }, /^EINVAL m: id is "1"/],
    [{ name: 'a', on: 1 }, /^EINVAL m: on is 1 and must be true or false/],
    [{ name: 'a', names: 'x' }, /^EINVAL m: names is "x" and must be a list/],
    [{ name: 'a', names: [1] }, /^EINVAL m: names is \[1\]/],
    [{ name: 'a', value: null }, /^EINVAL m: value is null/],
    [{ name: 'x'.repeat(257) }, /^EINVAL m: name is "x{79} and must/],
    [{ name: 'a', more: 1 }, /^EINVAL m has no parameter "more"; it takes name, id, on, names, value/],
    [{ name: 'a', toString: 1 }, /^EINVAL m has no parameter "toString"/],
  ])('that are wrong are named: %j', (params, words) => {
    expect(refusal(() => readParams('m', params, shape))).toMatch(words);
  });

  it('name a socket by worker and handle', () => {
    expect(readSk(skOf(3, 0x200001))).toEqual({ worker: 3, handle: 0x200001 });
    for (const text of ['', '1', ':1', '1:', 'a:1', '1:g', '100:1', '1:123456789']) {
      expect(refusal(() => readSk(text))).toMatch(/^EINVAL/);
    }
  });
});

describe('answers', () => {
  it('are read, and what does not speak this version is told', () => {
    expect(readAnswer('{"mptcp":1,"id":1,"result":{}}')).toEqual({ mptcp: 1, id: 1, result: {} });
    for (const line of ['hello', '{}', '{"mptcp":1}', '{"mptcp":2,"id":1,"result":1}', 'HTTP/1.1 400 Bad Request']) {
      expect(refusal(() => readAnswer(line))).toMatch(/^E(PROTO|BADMSG)/);
    }
  });

  it('have numbers of 64 bits as text', () => {
    expect(writeLine({ a: 0xffff_ffff_ffff_ffffn })).toBe('{"a":"18446744073709551615"}\n');
  });

  it('tell every error with a code', () => {
    expect(failureOf(new MptcpError('EINVAL', 'set', { detail: 'x' }))).toEqual({
      code: 'EINVAL',
      message: 'set EINVAL: x',
    });
    expect(failureOf(new TypeError('t'))).toEqual({ code: 'EIO', message: 't' });
    expect(failureOf('text')).toEqual({ code: 'EIO', message: 'text' });
  });
});
