/** WebAssembly binary format, version 1: the sections read here and the bytes of value types. */
const SECTION_TYPE = 1;
const SECTION_IMPORT = 2;
const SECTION_FUNCTION = 3;
const SECTION_EXPORT = 7;
const EXPORT_FUNCTION = 0;
const FUNCTION_TYPE = 0x60;
const VALUE_TYPES = new Map([
  [0x7f, 'i32'],
  [0x7e, 'i64'],
  [0x7d, 'f32'],
  [0x7c, 'f64'],
  [0x7b, 'v128'],
]);

/**
 * The signatures of the functions a module without imports exports, as `(i32, i64) -> i32`, by name.
 * Throws for a module that imports something or is no module.
 */
export function exportedSignatures(module: Uint8Array): Map<string, string> {
  const types: string[] = [];
  const functions: number[] = [];
  const exported = new Map<string, string>();
  const bytes = new Reader(module, 8);
  if (new TextDecoder().decode(module.subarray(0, 4)) !== '\0asm') {
    throw new Error('not a WebAssembly module: it does not begin with \\0asm');
  }
  while (!bytes.atEnd()) {
    const section = bytes.byte();
    const end = bytes.u32() + bytes.position;
    if (section === SECTION_IMPORT) {
      throw new Error('the module has an import section');
    }
    if (section === SECTION_TYPE) {
      bytes.repeat(() => types.push(readType(bytes)));
    } else if (section === SECTION_FUNCTION) {
      bytes.repeat(() => functions.push(bytes.u32()));
    } else if (section === SECTION_EXPORT) {
      bytes.repeat(() => {
        const name = bytes.name();
        const kind = bytes.byte();
        const index = bytes.u32();
        if (kind === EXPORT_FUNCTION) {
          exported.set(name, types[functions[index] ?? -1] ?? 'unknown');
        }
      });
    }
    bytes.position = end;
  }
  return exported;
}

function readType(bytes: Reader): string {
  const form = bytes.byte();
  if (form !== FUNCTION_TYPE) {
    throw new Error(`type form 0x${form.toString(16)} is not a function`);
  }
  const params: string[] = [];
  const results: string[] = [];
  bytes.repeat(() => params.push(VALUE_TYPES.get(bytes.byte()) ?? 'unknown'));
  bytes.repeat(() => results.push(VALUE_TYPES.get(bytes.byte()) ?? 'unknown'));
  return `(${params.join(', ')}) -> ${results.join(', ')}`;
}

class Reader {
  constructor(
    private readonly bytes: Uint8Array,
    public position: number,
  ) {}

  atEnd(): boolean {
    return this.position >= this.bytes.length;
  }

  byte(): number {
    const value = this.bytes[this.position++];
    if (value === undefined) {
      throw new Error(`the module ends in the middle, at byte ${this.position - 1}`);
    }
    return value;
  }

  /** LEB128 without sign. */
  u32(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const next = this.byte();
      value |= (next & 0x7f) << shift;
      if (next < 0x80) {
        return value >>> 0;
      }
    }
  }

  name(): string {
    const length = this.u32();
    this.position += length;
    return new TextDecoder().decode(this.bytes.subarray(this.position - length, this.position));
  }

  /** A vector: its length, then that many elements. */
  repeat(element: () => void): void {
    for (let left = this.u32(); left > 0; left--) {
      element();
    }
  }
}
