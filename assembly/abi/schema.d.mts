/** A mistake in the schema: says what is wrong, at which place, and how to mend it. */
export class SchemaError extends Error {}

export interface SchemaConstant {
  readonly name: string;
  readonly value: number;
  readonly doc: string;
  /** Name in the tables of names; none for constants outside the prefix of their group. */
  readonly label: string | undefined;
  /** For errors, the errno hosts show. */
  readonly code?: string;
  /** For errors, the doc without the errno. */
  readonly text?: string;
}

export interface SchemaGroup {
  readonly name: string;
  readonly prefix: string;
  readonly doc: string;
  readonly constants: readonly SchemaConstant[];
}

export interface SchemaField {
  readonly name: string;
  readonly type: string;
  /** Elements of an array; undefined for a single value. */
  readonly count: number | undefined;
  /** Bytes from the start of the record. */
  readonly offset: number;
  /** Bytes of the whole field. */
  readonly bytes: number;
  readonly doc: string;
}

export interface SchemaRecord {
  readonly name: string;
  readonly doc: string;
  /** Bytes from one record to the next. */
  readonly size: number;
  readonly fields: readonly SchemaField[];
}

export interface SchemaCall {
  readonly name: string;
  readonly params: readonly { readonly name: string; readonly type: 'i32' | 'i64' }[];
  readonly returns: 'i32' | 'i64';
  readonly doc: string;
}

export interface Schema {
  readonly version: number;
  readonly groups: readonly SchemaGroup[];
  readonly records: readonly SchemaRecord[];
  readonly calls: readonly SchemaCall[];
}

/** Checks the parsed schema and lays out its records; throws SchemaError for the first mistake. */
export function readSchema(schema: unknown): Schema;
/** `TxDescriptor` → `tx_descriptor`. */
export function snake(name: string): string;
/** `TxDescriptor` → `TX_DESCRIPTOR`. */
export function screaming(name: string): string;
