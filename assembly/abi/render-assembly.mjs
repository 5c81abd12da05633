import { screaming } from './schema.mjs';

/** The AssemblyScript side: `assembly/abi.ts`. Takes the result of `readSchema`, returns the file's text. */
export function renderAssembly({ version, groups, records }, banner) {
  const out = [...banner.map((line) => `// ${line}`), ''];
  out.push('/** Raised when a call or record changes. */', `export const ABI_VERSION: i32 = ${version};`, '');
  for (const group of groups) {
    out.push(`// ${group.name}: ${group.doc}`, '');
    for (const constant of group.constants) {
      out.push(`/** ${constant.doc} */`, `export const ${constant.name}: i32 = ${constant.value};`);
    }
    out.push('');
  }
  for (const record of records) {
    const prefix = screaming(record.name);
    const arrays = record.fields.filter((field) => field.count !== undefined);
    const also = arrays.length > 0 ? ' Its arrays are the constants below: offsets from the start of the record.' : '';
    out.push(`/** ${record.doc}${also} */`, '@unmanaged', `export class ${record.name} {`);
    for (const field of record.fields.filter((each) => each.count === undefined)) {
      out.push(`  /** ${field.doc} */`, `  ${field.name}: ${field.type};`);
    }
    out.push('}');
    out.push(
      `/** Bytes from one ${record.name} to the next. */`,
      `export const SIZEOF_${prefix}: usize = ${record.size};`,
    );
    for (const field of arrays) {
      out.push(
        `/** Offset of ${field.count} × ${field.type}: ${field.doc}. */`,
        `export const ${prefix}_${screaming(field.name)}: usize = ${field.offset};`,
      );
    }
    out.push('');
  }
  return `${out.join('\n').trimEnd()}\n`;
}
