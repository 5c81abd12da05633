import { SCALAR_BYTES } from './schema.mjs';

const HOST_TYPES = { i32: 'number', i64: 'bigint' };

/** The TypeScript side: `host/abi.ts`. Takes the result of `readSchema`, returns the file's text. */
export function renderHost(schema, banner) {
  const out = [...banner.map((line) => `// ${line}`), ''];
  out.push('/** Raised when a call or record changes. */', `export const ABI_VERSION = ${schema.version};`, '');
  for (const group of schema.groups) {
    renderGroup(group, out);
  }
  renderLayouts(schema.records, out);
  renderExports(schema.calls, out);
  return `${out.join('\n').trimEnd()}\n`;
}

function renderGroup(group, out) {
  out.push(`// ${group.name}: ${group.doc}`, '');
  for (const constant of group.constants) {
    out.push(`/** ${constant.doc} */`, `export const ${constant.name} = ${constant.value};`);
  }
  out.push('');
  if (group.prefix === 'CONFIG_') {
    const own = group.constants.filter(({ doc }) => doc.endsWith('(connection)'));
    out.push(
      '/** Settings that a connection has of its own, which can be set while it runs. */',
      `export const CONNECTION_SETTINGS = [${own.map(({ label }) => `'${label}'`).join(', ')}] as const;`,
      '',
    );
  }
  const labelled = group.constants.filter((constant) => constant.label !== undefined);
  if (labelled.length === 0) {
    return;
  }
  const errors = group.prefix === 'ERR_';
  const stem = errors ? 'ERROR_' : group.prefix;
  const type = `${pascal(stem)}Name`;
  const name = (constant) => (errors ? constant.name : constant.label);
  out.push(`/** Names of the ${group.name}. */`, `export type ${type} =`);
  out.push(`${labelled.map((constant) => `  | '${name(constant)}'`).join('\n')};`, '');
  renderTable(`${stem}NAMES`, type, `Value to name: ${group.name}.`, labelled, name, out);
  if (errors) {
    const failures = labelled.filter((constant) => constant.code !== undefined);
    renderTable('ERROR_CODES', 'string', "Value to errno, the `code` of Node's errors.", failures, (c) => c.code, out);
    renderTable('ERROR_TEXTS', 'string', 'Value to what happened, in words.', labelled, (c) => c.text, out);
  }
}

function renderTable(table, type, doc, constants, value, out) {
  out.push(`/** ${doc} */`, `export const ${table}: Readonly<Record<number, ${type}>> = {`);
  for (const constant of constants) {
    const key = constant.value < 0 ? `[${constant.name}]` : `${constant.value}`;
    out.push(`  ${key}: ${JSON.stringify(value(constant))},`);
  }
  out.push('};', '');
}

function renderLayouts(records, out) {
  const scalars = Object.keys(SCALAR_BYTES);
  out.push(
    '/** A single value in a record; little-endian. */',
    `export type ScalarType = ${scalars.map((type) => `'${type}'`).join(' | ')};`,
    '',
    '/** Where a field lies: bytes from the start of its record; `count` elements when it is an array. */',
    'export interface FieldLayout {',
    '  readonly offset: number;',
    '  readonly type: string;',
    '  readonly count?: number;',
    '}',
    '',
    '/** A record: `size` is the distance in bytes from one to the next. */',
    'export interface RecordLayout {',
    '  readonly size: number;',
    '  readonly fields: Readonly<Record<string, FieldLayout>>;',
    '}',
    '',
  );
  for (const record of records) {
    out.push(`/** ${record.doc} */`, `export const ${record.name}Layout = {`, `  size: ${record.size},`, '  fields: {');
    for (const field of record.fields) {
      const count = field.count === undefined ? '' : `, count: ${field.count}`;
      out.push(`    /** ${field.doc} */`);
      out.push(`    ${field.name}: { offset: ${field.offset}, type: '${field.type}'${count} },`);
    }
    out.push('  },', '} as const satisfies RecordLayout;', '');
    out.push(`/** The single values of a ${record.name}, read out: 64-bit ones as bigint. */`);
    out.push(`export interface ${record.name}Record {`);
    for (const field of record.fields.filter((each) => each.count === undefined)) {
      const type = SCALAR_BYTES[field.type] === 8 ? 'bigint' : 'number';
      out.push(`  /** ${field.doc} */`, `  ${field.name}: ${type};`);
    }
    out.push('}', '');
  }
}

function renderExports(calls, out) {
  out.push('/** What the module exports, and all it exports. Addresses come as signed numbers: use `>>> 0`. */');
  out.push('export interface MptcpExports {', '  readonly memory: WebAssembly.Memory;');
  for (const call of calls) {
    const params = call.params.map((param) => `${param.name}: ${HOST_TYPES[param.type]}`).join(', ');
    out.push(`  /** ${call.doc} */`, `  ${call.name}(${params}): ${HOST_TYPES[call.returns]};`);
  }
  out.push('}', '');
  out.push('/** Names of all calls. */', 'export const CALL_NAMES = [');
  out.push(...calls.map((call) => `  '${call.name}',`), '] as const satisfies readonly (keyof MptcpExports)[];', '');
}

/** `PATH_MANAGER_` → `PathManager`. */
function pascal(stem) {
  return stem
    .split('_')
    .map((word) => word.slice(0, 1) + word.slice(1).toLowerCase())
    .join('');
}
