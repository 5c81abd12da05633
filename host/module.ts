import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { MptcpError } from './error.js';

const compiled = new Map<string, WebAssembly.Module>();

/**
 * The compiled core from the build directory beside this file: `mptcp.wasm`, or `mptcp-scalar.wasm` where the
 * runtime does not know SIMD or `simd` is false. Compiled once per process.
 * @throws MptcpError ENOENT when it has not been built.
 */
export function loadModule(options: { simd?: boolean } = {}): WebAssembly.Module {
  if (options.simd === true) return load('mptcp.wasm');
  if (options.simd === false) return load('mptcp-scalar.wasm');
  preferred ??= WebAssembly.validate(readBuild('mptcp.wasm')) ? 'mptcp.wasm' : 'mptcp-scalar.wasm';
  return load(preferred);
}

let preferred: string | undefined;

function load(name: string): WebAssembly.Module {
  let module = compiled.get(name);
  if (module === undefined) {
    module = new WebAssembly.Module(readBuild(name));
    compiled.set(name, module);
  }
  return module;
}

function readBuild(name: string): Uint8Array<ArrayBuffer> {
  // Compiled, this file is build/host/module.js; run from source by a test runner, host/module.ts.
  const candidates = ['../', '../build/'].map((folder) => fileURLToPath(new URL(folder + name, import.meta.url)));
  const path = candidates.find((candidate) => existsSync(candidate));
  if (path !== undefined) return new Uint8Array(readFileSync(path));
  const detail = `${name} is in none of ${candidates.join(', ')}; npm run build makes it`;
  throw new MptcpError('ENOENT', 'open', { detail });
}
