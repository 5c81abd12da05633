/**
 * Reads and checks `schema.json`, the one description of the border between the core and its hosts, and computes
 * where every field of every record lies. What the renderers write is derived from the result of {@link readSchema}.
 */

/** Size and alignment, in bytes, of the scalar types a record can hold. */
export const SCALAR_BYTES = { u8: 1, u16: 2, u32: 4, i32: 4, u64: 8, i64: 8 };

/** Types a call can take or return: WebAssembly's own integers. */
const CALL_TYPES = ['i32', 'i64'];

/** Records are padded to a multiple of this, so that an array of them keeps 64-bit fields aligned. */
const RECORD_ALIGN = 8;

const CONSTANT_NAME = /^[A-Z][A-Za-z0-9_]*$/;
const FIELD_NAME = /^[a-z][A-Za-z0-9]*$/;
const RECORD_NAME = /^[A-Z][A-Za-z0-9]*$/;
const CALL_NAME = /^mptcp_[a-z0-9_]+$/;
const ERROR_CODE = /^(.*) \((E[A-Z]+)\)$/;
const KERNEL_COUNTER = 'COUNTER_MPTCP_';

/** A mistake in the schema: says what is wrong, at which place, and how to mend it. */
export class SchemaError extends Error {
  constructor(where, message) {
    super(`assembly/abi/schema.json: ${where}: ${message}`);
    this.name = 'SchemaError';
  }
}

/**
 * Checks the parsed schema and lays out its records.
 *
 * Returns `{version, groups, records, calls}`: groups hold `{name, prefix, doc, constants: [{name, value, doc, label,
 * code}]}`, records `{name, doc, size, fields: [{name, type, count, offset, bytes, doc}]}` with sizes and offsets in
 * bytes, calls `{name, params: [{name, type}], returns, doc}`.
 * Throws {@link SchemaError} for the first mistake it finds.
 */
export function readSchema(schema) {
  if (!Number.isInteger(schema.version) || schema.version < 1) {
    throw new SchemaError('version', 'must be a whole number from 1; raise it when a call or record changes');
  }
  const taken = new Map();
  const claim = (name, where) => {
    const earlier = taken.get(name);
    if (earlier !== undefined) {
      throw new SchemaError(where, `the name ${name} is already used by ${earlier}; choose another`);
    }
    taken.set(name, where);
  };
  claim('ABI_VERSION', 'version');
  checkTexts(schema, 'schema');
  const groups = schema.constants.map((group) => readGroup(group, claim));
  const records = [];
  for (const record of schema.records) {
    records.push(readRecord(record, records, claim));
  }
  const calls = schema.calls.map((call) => readCall(call, claim));
  return { version: schema.version, groups, records, calls };
}

/** Docs become comments in three languages: none may end one early, or span lines. */
function checkTexts(value, where) {
  if (typeof value === 'string') {
    if (value.includes('*/') || value.includes('\n')) {
      throw new SchemaError(where, `"${value}" would break out of a comment; write it without "*/" and line breaks`);
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of Object.entries(value)) {
      checkTexts(inner, `${where}.${key}`);
    }
  }
}

function readGroup(group, claim) {
  const byValue = new Map();
  const constants = group.values.map((entry) => {
    const [name, value, doc] = entry;
    const where = `constants "${group.group}", ${name}`;
    if (entry.length !== 3 || typeof doc !== 'string') {
      throw new SchemaError(where, 'must be [name, value, doc]');
    }
    if (!CONSTANT_NAME.test(name)) {
      throw new SchemaError(where, 'a constant is named in capitals and underscores');
    }
    if (!Number.isInteger(value) || value !== (value | 0)) {
      throw new SchemaError(where, `the value ${value} must be a whole number that fits 32 bits with sign`);
    }
    claim(name, where);
    const labelled = group.prefix !== '' && name.startsWith(group.prefix);
    if (labelled) {
      const earlier = byValue.get(value);
      if (earlier !== undefined) {
        throw new SchemaError(where, `the value ${value} is already ${earlier}; values of a group differ`);
      }
      byValue.set(value, name);
    }
    const kernel = name.startsWith(KERNEL_COUNTER);
    const kernelName = kernel ? `MPTcpExt${name.slice(KERNEL_COUNTER.length)}` : '';
    if (doc === '' && !kernel) {
      throw new SchemaError(where, 'has no doc; only counters named after the kernel may leave it out');
    }
    return {
      name,
      value,
      doc: doc === '' ? `as the kernel's ${kernelName}` : doc,
      label: labelled ? kernelName || lowerCamel(name.slice(group.prefix.length)) : undefined,
      ...readErrorCode(group, name, value, doc, where),
    };
  });
  return { name: group.group, prefix: group.prefix, doc: group.doc, constants };
}

/** Errors name the errno that hosts show in parentheses at the end of their doc; ERR_DONE is no failure. */
function readErrorCode(group, name, value, doc, where) {
  if (group.prefix !== 'ERR_') {
    return {};
  }
  if (value >= 0) {
    throw new SchemaError(where, `an error is below zero, not ${value}`);
  }
  const match = ERROR_CODE.exec(doc);
  if (match === null) {
    if (name === 'ERR_DONE') {
      return { text: doc };
    }
    throw new SchemaError(where, 'the doc must end in the errno hosts show for it, as in "(ECONNRESET)"');
  }
  return { text: match[1], code: match[2] };
}

function readRecord(record, earlierRecords, claim) {
  const where = `record ${record.name}`;
  if (!RECORD_NAME.test(record.name)) {
    throw new SchemaError(where, 'a record is named in upper camel case');
  }
  claim(record.name, where);
  const names = new Set();
  const fields = [];
  let end = 0;
  let align = 1;
  let arrays = false;
  for (const [name, declared, doc] of record.fields) {
    const place = `${where}, field ${name}`;
    if (!FIELD_NAME.test(name)) {
      throw new SchemaError(place, 'a field is named in lower camel case');
    }
    if (names.has(name)) {
      throw new SchemaError(place, 'the record already has a field of this name');
    }
    if (typeof doc !== 'string' || doc === '') {
      throw new SchemaError(place, 'has no doc');
    }
    names.add(name);
    const { type, count } = splitType(declared);
    const element = elementLayout(type, earlierRecords, place);
    if (count === undefined && !(type in SCALAR_BYTES)) {
      throw new SchemaError(place, `a record inside a record is written as an array: ${type}[1]`);
    }
    // An @unmanaged class has no array fields: a scalar behind one would lie elsewhere than the layout says.
    if (arrays && count === undefined) {
      throw new SchemaError(place, 'single values come before arrays; move the field up');
    }
    arrays ||= count !== undefined;
    const offset = roundUp(end, element.align);
    const bytes = element.size * (count ?? 1);
    fields.push({ name, type, count, offset, bytes, doc });
    end = offset + bytes;
    align = Math.max(align, element.align);
  }
  if (fields.length === 0) {
    throw new SchemaError(where, 'has no fields');
  }
  return { name: record.name, doc: record.doc, align, size: roundUp(end, RECORD_ALIGN), fields };
}

function splitType(declared) {
  const match = /^([A-Za-z0-9]+)\[(\d+)\]$/.exec(declared);
  return match === null ? { type: declared, count: undefined } : { type: match[1], count: Number(match[2]) };
}

function elementLayout(type, earlierRecords, where) {
  if (Object.hasOwn(SCALAR_BYTES, type)) {
    return { size: SCALAR_BYTES[type], align: SCALAR_BYTES[type] };
  }
  const nested = earlierRecords.find((record) => record.name === type);
  if (nested === undefined) {
    const known = Object.keys(SCALAR_BYTES).join(', ');
    throw new SchemaError(where, `unknown type ${type}; use ${known}, or a record defined further up`);
  }
  return { size: nested.size, align: nested.align };
}

function readCall(call, claim) {
  const where = `call ${call.name}`;
  if (!CALL_NAME.test(call.name)) {
    throw new SchemaError(where, 'a call is named mptcp_ and lower-case words');
  }
  claim(call.name, where);
  if (!CALL_TYPES.includes(call.returns)) {
    throw new SchemaError(where, `returns ${call.returns}; only ${CALL_TYPES.join(' and ')} cross the border`);
  }
  if (typeof call.doc !== 'string' || call.doc === '') {
    throw new SchemaError(where, 'has no doc');
  }
  const names = new Set();
  const params = call.params.map(([name, type]) => {
    if (!FIELD_NAME.test(name) || names.has(name)) {
      throw new SchemaError(where, `the parameter ${name} is not in lower camel case or is there twice`);
    }
    if (!CALL_TYPES.includes(type)) {
      throw new SchemaError(where, `parameter ${name} is ${type}; only ${CALL_TYPES.join(' and ')} cross the border`);
    }
    names.add(name);
    return { name, type };
  });
  return { name: call.name, params, returns: call.returns, doc: call.doc };
}

/** `FIN_WAIT_1` → `finWait1`. */
function lowerCamel(name) {
  return name.toLowerCase().replace(/_(.)/g, (_, letter) => letter.toUpperCase());
}

/** `TxDescriptor` → `tx_descriptor`; `localHi` → `local_hi`. */
export function snake(name) {
  return name.replace(/(?<=[a-z0-9])[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
}

/** `TxDescriptor` → `TX_DESCRIPTOR`. */
export function screaming(name) {
  return snake(name).toUpperCase();
}

function roundUp(value, multiple) {
  return Math.ceil(value / multiple) * multiple;
}
