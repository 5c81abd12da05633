import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { instantiateSync } from '@assemblyscript/loader';
import { ROOT } from '../peers/programs.js';

/** The exports of assembly/testing/micro.ts; see there. */
export interface MicroExports {
  readonly memory: WebAssembly.Memory;
  open(bytes: number): number;
  areaAddress(): number;
  copyLoop(length: number, window: number, times: number): number;
  parseLoop(length: number, times: number): number;
  dssLoop(times: number): number;
  checksumLoop(length: number, times: number): number;
  tokenLoop(times: number): number;
  hmacLoop(times: number): number;
  mappingSetUp(count: number): number;
  mappingLoop(count: number, times: number): number;
  reassemblyLoop(count: number, times: number): number;
  subflowsSetUp(count: number): number;
  scheduleLoop(times: number): number;
  liaLoop(times: number): number;
  flowsSetUp(count: number): number;
  flowLoop(times: number): number;
}

const BUDGET = 256 << 20;
let loaded: MicroExports | undefined;

/** The module of loops over inner functions, made once. @throws Error when it has not been built. */
export function microModule(): MicroExports {
  if (loaded !== undefined) return loaded;
  const path = join(ROOT, 'build', 'testing-micro.wasm');
  if (!existsSync(path)) throw new Error(`${path} is missing: "node host/build.mjs testing" makes it`);
  const exports = instantiateSync(readFileSync(path)).exports as unknown as MicroExports;
  const result = exports.open(BUDGET);
  if (result < 0) throw new Error(`the module of the micro benches could not be opened: ${result}`);
  loaded = exports;
  return exports;
}
