/** Path (from the root of the project) to text of every file made from the parsed schema; throws SchemaError. */
export function generate(schema: unknown): Map<string, string>;
/** Writes the files that differ and returns their paths; with `check` it only returns them. */
export function writeGenerated(options?: { check?: boolean }): string[];
