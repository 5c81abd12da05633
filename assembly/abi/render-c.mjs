import { screaming, snake } from './schema.mjs';

const C_TYPES = {
  u8: 'uint8_t',
  u16: 'uint16_t',
  u32: 'uint32_t',
  i32: 'int32_t',
  u64: 'uint64_t',
  i64: 'int64_t',
};

/**
 * The C side: `include/mptcp.h`. Constants and structs carry the prefix `mptcp_wasm_`, because Linux's own
 * <linux/mptcp.h> has an MPTCP_EVENT_CLOSED and a struct mptcp_subflow_info. Takes the result of `readSchema`,
 * returns the file's text.
 */
export function renderC({ version, groups, records, calls }, banner) {
  const out = ['/*', ...banner.map((line) => ` * ${line}`), ' *'];
  out.push(
    ' * Constants, records and calls of the module, for hosts written in C or C++ (C11, C++11 or later).',
    ' * The prototypes give the signatures of the exported functions: a runtime that turns the module into native',
    ' * code can link against them, others look the functions up by name. Addresses are offsets into the memory',
    ' * of the module; all numbers in records are little-endian.',
    ' */',
    '#ifndef MPTCP_WASM_H',
    '#define MPTCP_WASM_H',
    '',
    '#include <stddef.h>',
    '#include <stdint.h>',
    '',
    '#ifdef __cplusplus',
    '#define MPTCP_WASM_ASSERT(condition) static_assert(condition, #condition)',
    'extern "C" {',
    '#else',
    '#define MPTCP_WASM_ASSERT(condition) _Static_assert(condition, #condition)',
    '#endif',
    '',
    '/* Raised when a call or record changes. */',
    `#define MPTCP_WASM_ABI_VERSION ${version}`,
    '',
  );
  for (const group of groups) {
    out.push(`/* ${group.doc} */`, `enum mptcp_wasm_${group.name.replaceAll(' ', '_')} {`);
    for (const constant of group.constants) {
      out.push(`  /* ${constant.doc} */`, `  MPTCP_WASM_${constant.name} = ${constant.value},`);
    }
    // C++ before C++11 and pedantic C89 refuse a comma behind the last enumerator; C11 takes it.
    out.push('};', '');
  }
  for (const record of records) {
    renderRecord(record, out);
  }
  for (const call of calls) {
    const params = call.params.map((param) => `${C_TYPES[param.type]} ${snake(param.name)}`).join(', ');
    out.push(`/* ${call.doc} */`, `${C_TYPES[call.returns]} ${call.name}(${params || 'void'});`, '');
  }
  out.push('#undef MPTCP_WASM_ASSERT', '', '#ifdef __cplusplus', '}', '#endif', '', '#endif');
  return `${out.join('\n')}\n`;
}

function renderRecord(record, out) {
  const struct = `struct mptcp_wasm_${snake(record.name)}`;
  out.push(`/* ${record.doc} */`, `${struct} {`);
  let end = 0;
  for (const field of record.fields) {
    const type = C_TYPES[field.type] ?? `struct mptcp_wasm_${snake(field.type)}`;
    const array = field.count === undefined ? '' : `[${field.count}]`;
    out.push(`  /* ${field.doc} */`, `  ${type} ${snake(field.name)}${array};`);
    end = field.offset + field.bytes;
  }
  if (end < record.size) {
    out.push(`  uint8_t reserved[${record.size - end}];`);
  }
  out.push('};', `MPTCP_WASM_ASSERT(sizeof(${struct}) == ${record.size});`);
  for (const field of record.fields) {
    out.push(`MPTCP_WASM_ASSERT(offsetof(${struct}, ${snake(field.name)}) == ${field.offset});`);
  }
  out.push(`#define MPTCP_WASM_SIZEOF_${screaming(record.name)} ${record.size}`, '');
}
