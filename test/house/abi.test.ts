import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import asc from 'assemblyscript/asc';
import binaryen from 'assemblyscript/binaryen';
import { describe, expect, it } from 'vitest';
import { generate } from '../../assembly/abi/generate.mjs';
import { readSchema, SchemaError, screaming } from '../../assembly/abi/schema.mjs';
import * as host from '../../host/abi.js';
import { ROOT, readText } from './tree.js';
import { exportedSignatures } from './wasm-signatures.js';

const raw = JSON.parse(readText('assembly/abi/schema.json'));
const schema = readSchema(raw);

describe.each(['build/mptcp.wasm', 'build/mptcp-scalar.wasm'])('%s', (path) => {
  const bytes = () => readBuild(path);

  it('imports nothing', () => {
    expect(WebAssembly.Module.imports(new WebAssembly.Module(bytes()))).toEqual([]);
  });

  it('exports the calls of the ABI and its memory, and nothing else', () => {
    const exported = WebAssembly.Module.exports(new WebAssembly.Module(bytes()));
    const expected = [{ name: 'memory', kind: 'memory' }];
    expected.push(...schema.calls.map(({ name }) => ({ name, kind: 'function' })));
    const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
    expect(exported.map(({ name, kind }) => ({ name, kind })).sort(byName)).toEqual(expected.sort(byName));
  });

  it('has the signatures of the ABI', () => {
    const expected = schema.calls.map(
      ({ name, params, returns }) => [name, `(${params.map(({ type }) => type).join(', ')}) -> ${returns}`] as const,
    );
    expect(exportedSignatures(bytes())).toEqual(new Map(expected));
  });
});

it('only the SIMD build needs SIMD', () => {
  // The scalar build is for engines that refuse the other: v128 has no business in it.
  const text = (path: string) => {
    const module = binaryen.readBinary(readBuild(path));
    const written = module.emitText();
    module.dispose();
    expect(written).toContain('(export "mptcp_create"');
    return written;
  };
  expect(/\bv128\b/.test(text('build/mptcp.wasm'))).toBe(true);
  expect(/\bv128\b/.test(text('build/mptcp-scalar.wasm'))).toBe(false);
});

describe('what is made from the schema', () => {
  it.each([...generate(raw)])('%s is up to date', (path, text) => {
    expect(readText(path) === text, `${path} differs from the schema: run npm run abi and commit it`).toBe(true);
  });

  it('has every constant in TypeScript', () => {
    const values: Readonly<Record<string, unknown>> = host;
    for (const { name, value } of schema.groups.flatMap((group) => group.constants)) {
      expect(values[name], name).toBe(value);
    }
    expect(host.ABI_VERSION).toBe(schema.version);
    expect(host.CALL_NAMES).toEqual(schema.calls.map(({ name }) => name));
  });

  it('names errors and counters as users know them', () => {
    expect(host.ERROR_CODES[host.ERR_RESET]).toBe('ECONNRESET');
    expect(host.ERROR_CODES[host.ERR_DONE]).toBeUndefined();
    expect(host.ERROR_TEXTS[host.ERR_RESET]).toBe('the peer reset the connection');
    expect(host.COUNTER_NAMES[host.COUNTER_PACKETS_IN]).toBe('packetsIn');
    expect(host.COUNTER_NAMES[host.COUNTER_MPTCP_MPJoinSynRx]).toBe('MPTcpExtMPJoinSynRx');
    expect(host.COUNTER_NAMES[host.COUNTERS]).toBeUndefined();
    expect(host.TCP_NAMES[host.TCP_FIN_WAIT_1]).toBe('finWait1');
  });

  it('gives AssemblyScript the same layouts', async () => {
    const probes = schema.records.flatMap((record) => [
      `export const ${record.name}_size: u32 = <u32>abi.SIZEOF_${screaming(record.name)};`,
      ...record.fields.map((field) => {
        const offset =
          field.count === undefined
            ? `offsetof<abi.${record.name}>("${field.name}")`
            : `abi.${screaming(record.name)}_${screaming(field.name)}`;
        return `export const ${record.name}_${field.name}: u32 = <u32>${offset};`;
      }),
    ]);
    const module = await compile(`import * as abi from './abi';\n${probes.join('\n')}\n`);
    const { exports } = new WebAssembly.Instance(module);
    const read = (name: string) => {
      const value = exports[name];
      return value instanceof WebAssembly.Global ? value.value : undefined;
    };
    for (const record of schema.records) {
      expect(read(`${record.name}_size`), record.name).toBe(record.size);
      for (const field of record.fields) {
        expect(read(`${record.name}_${field.name}`), `${record.name}.${field.name}`).toBe(field.offset);
      }
    }
  });

  it('is a C header that compiles, in C and C++', ({ skip }) => {
    const languages = [
      ['cc', '-std=c11', 'c'],
      ['c++', '-std=c++11', 'c++'],
    ] as const;
    const there = languages.filter(([compiler]) => spawnSync(compiler, ['--version']).status === 0);
    skip(there.length === 0, 'no C compiler (cc or c++) on this machine');
    for (const [compiler, standard, language] of there) {
      const options = [standard, '-Wall', '-Wextra', '-pedantic', '-Werror', '-fsyntax-only', '-x', language, '-'];
      const result = spawnSync(compiler, options, { input: readText('include/mptcp.h'), encoding: 'utf8' });
      expect(result.stderr).toBe('');
      expect(result.status).toBe(0);
    }
  });
});

describe('a mistake in the schema', () => {
  const broken = (change: (copy: typeof raw) => void) => () => {
    const copy = structuredClone(raw);
    change(copy);
    return readSchema(copy);
  };

  it.each([
    [
      'a value used twice',
      (copy: typeof raw) => copy.constants[1].values.push(['ERR_X', -1, 'x (EX)']),
      /already ERR_DONE/,
    ],
    ['a name used twice', (copy: typeof raw) => copy.calls.push(copy.calls[0]), /already used by call mptcp_create/],
    ['an error without errno', (copy: typeof raw) => copy.constants[1].values.push(['ERR_X', -99, 'x']), /errno/],
    ['a constant too large', (copy: typeof raw) => copy.constants[0].values.push(['X', 2 ** 31, 'x']), /fits 32 bits/],
    ['a constant without doc', (copy: typeof raw) => copy.constants[0].values.push(['X', 1, '']), /has no doc/],
    ['an unknown type', (copy: typeof raw) => copy.records[0].fields.push(['x', 'f32', 'x']), /unknown type f32/],
    ['a scalar behind an array', (copy: typeof raw) => copy.records[2].fields.push(['x', 'u8', 'x']), /before arrays/],
    ['a field twice', (copy: typeof raw) => copy.records[0].fields.push(['length', 'u8', 'x']), /field of this name/],
    ['a float in a call', (copy: typeof raw) => copy.calls[0].params.push(['x', 'f64']), /only i32 and i64/],
    ['a doc that ends a comment', (copy: typeof raw) => copy.records[0].fields.push(['x', 'u8', 'x */']), /comment/],
    ['no version', (copy: typeof raw) => delete copy.version, /version/],
  ])('%s is refused with its place', (_, change, message) => {
    expect(broken(change)).toThrow(SchemaError);
    expect(broken(change)).toThrow(message);
  });
});

function readBuild(path: string): Uint8Array<ArrayBuffer> {
  try {
    return readFileSync(join(ROOT, path));
  } catch (error) {
    throw new Error(`${path} cannot be read: run npm run build`, { cause: error });
  }
}

/** Compiles AssemblyScript that stands beside `assembly/index.ts`. */
async function compile(source: string): Promise<WebAssembly.Module> {
  let binary: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    ['assembly/probe.ts', '--runtime', 'stub', '--use', 'abort=', '--outFile', 'probe.wasm', '--noColors'],
    {
      readFile: (name) => (name === 'assembly/probe.ts' ? source : name === 'assembly/abi.ts' ? readText(name) : null),
      writeFile: (_, contents) => {
        binary = typeof contents === 'string' ? undefined : contents;
      },
      listFiles: () => [],
    },
  );
  if (error !== null || binary === undefined) {
    throw new Error(`asc: ${error?.message ?? 'no output'}\n${stderr.toString()}`);
  }
  return new WebAssembly.Module(new Uint8Array(binary));
}
