/**
 * Writes what both sides of the border share from `schema.json`: `assembly/abi.ts`, `host/abi.ts`, `include/mptcp.h`
 * and `docs/abi.md`. A file is written only when its content changes, so that builds that depend on it stay fresh.
 * Run as `npm run abi`; `--check` writes nothing and fails when a file is out of date.
 */
import { mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { renderAssembly } from './render-assembly.mjs';
import { renderC } from './render-c.mjs';
import { renderDocs } from './render-docs.mjs';
import { renderHost } from './render-host.mjs';
import { readSchema, SchemaError } from './schema.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SCHEMA = 'assembly/abi/schema.json';
const BANNER = [`Made from ${SCHEMA} by assembly/abi/generate.mjs (npm run abi): edit the schema, not this file.`];

/**
 * Path (from the root of the project) to text of every file made from the schema; `schema` is the parsed JSON.
 * Throws SchemaError for a mistake in the schema.
 */
export function generate(schema) {
  const read = readSchema(schema);
  return new Map([
    ['assembly/abi.ts', renderAssembly(read, BANNER)],
    ['host/abi.ts', renderHost(read, BANNER)],
    ['include/mptcp.h', renderC(read, BANNER)],
    ['docs/abi.md', renderDocs(read, BANNER)],
  ]);
}

/** Writes the files that differ and returns their paths; with `check` it only returns them. */
export function writeGenerated({ check = false } = {}) {
  const changed = [];
  for (const [path, text] of generate(parseSchema())) {
    const target = join(ROOT, path);
    if (readIfThere(target) === text) {
      continue;
    }
    changed.push(path);
    if (!check) {
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, text);
    }
  }
  return changed;
}

function parseSchema() {
  const text = readFileSync(join(ROOT, SCHEMA), 'utf8');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SchemaError('the file', `is not JSON: ${error.message}`);
  }
}

function readIfThere(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') {
      return undefined;
    }
    throw error;
  }
}

function main(args) {
  const check = args.includes('--check');
  try {
    const changed = writeGenerated({ check });
    for (const path of changed) {
      console.error(check ? `${path} is out of date: run npm run abi` : `wrote ${path}`);
    }
    return check && changed.length > 0 ? 1 : 0;
  } catch (error) {
    if (error instanceof SchemaError) {
      console.error(error.message);
      return 1;
    }
    throw error;
  }
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = main(process.argv.slice(2));
}
