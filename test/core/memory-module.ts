/** The test-only module made from assembly/testing/memory.ts. */
import { readFileSync } from 'node:fs';

/** Its exports. u32 results arrive signed: use `>>> 0`; u64 ones: BigInt.asUintN(64). */
export interface MemoryExports {
  readonly memory: WebAssembly.Memory;
  open(budget: number, timerCount: number): void;

  pageTake(): number;
  pageRetain(page: number): void;
  pageRelease(page: number): void;
  pageNext(page: number): number;
  pageLink(page: number, next: number): void;
  pagesTotal(): number;
  pagesFree(): number;
  pool(kind: number): number;
  take(kind: number): number;
  free(kind: number, object: number): void;
  handleOf(object: number): number;
  poolFind(pool: number, handle: number): number;
  poolAt(pool: number, index: number): number;

  setAdd(start: bigint, end: bigint): number;
  setGapStart(from: bigint): bigint;
  setGapEnd(from: bigint, limit: bigint): bigint;
  setTakeFront(upTo: bigint): bigint;
  setClear(): void;
  setCount(): number;
  setRecentStart(): bigint;
  setHead(): number;
  rangeStart(range: number): bigint;
  rangeEnd(range: number): bigint;
  rangeNext(range: number): number;
  rangesLive(): number;

  seqLt(a: number, b: number): number;
  seqLe(a: number, b: number): number;
  seqMax(a: number, b: number): number;
  seqMin(a: number, b: number): number;
  dsnLt(a: bigint, b: bigint): number;
  dsnLe(a: bigint, b: bigint): number;
  dsnExtend(low: number, near: bigint): bigint;

  arm(timer: number, deadline: bigint): void;
  cancel(timer: number): void;
  timerIndex(address: number): number;
  wheelArmed(): number;
  wheelNext(): bigint;
  wheelPop(now: bigint): number;

  chain(count: number): number;
  chainRelease(first: number, count: number): void;
  mapOpen(dsn: bigint, length: number, page: number, offset: number): number;
  mapTrim(count: number): void;
  mapDsn(): bigint;
  mapPage(): number;
  mapOffset(): number;
  mapClose(): void;
  mapsLive(): number;
  positionPage(page: number, offset: number): number;
  positionOffset(offset: number): number;
}

const compiled = new WebAssembly.Module(readFileSync(new URL('../../build/testing-memory.wasm', import.meta.url)));

/** A fresh instance with `budget` bytes divided and `timerCount` timers. */
export function openMemory(budget: number, timerCount = 0): MemoryExports {
  const exports: unknown = new WebAssembly.Instance(compiled).exports;
  const memory = exports as MemoryExports;
  memory.open(budget, timerCount);
  return memory;
}
