/* Test-only entry: what test/core/ calls of memory/ and of the maps in state/. No part of the shipped module. */
import { pageLink, pageNext, pageRelease, pagesOpen, pageTake } from '../memory/pages';
import { Pool, poolDirectory, poolFree, poolOpen, poolTake } from '../memory/pool';
import {
  Range,
  RangeSet,
  rangeAdd,
  rangeClear,
  rangeFirst,
  rangeGapEnd,
  rangeGapStart,
  rangePool,
  rangesOpen,
  rangeTakeFront,
} from '../memory/ranges';
import { regionOpen, regionTake } from '../memory/region';
import { Timer, timerArm, timerCancel, wheelOpen } from '../memory/wheel';
import { DataMap, mapFree, mapPool, mapsOpen, mapTake, mapTrimFront } from '../state/datamap';

export { pageLink, pageNext, pageRelease, pageRetain, pagesFree, pagesTotal, pageTake } from '../memory/pages';
export { poolAt, poolFind } from '../memory/pool';
export { dsnExtend, dsnLe, dsnLt, seqLe, seqLt, seqMax, seqMin } from '../memory/sequence';
export { wheelArmed, wheelNext, wheelPop } from '../memory/wheel';
export { positionOffset, positionPage } from '../state/datamap';

const TIMER_STRIDE: usize = 24;

/** A pool of each kind; objects of 4,096 bytes, four to a page. */
const kind0: Pool = changetype<Pool>(memory.data(64, 8));
const kind1: Pool = changetype<Pool>(memory.data(64, 8));
const set: RangeSet = changetype<RangeSet>(memory.data(16, 8));
let timers: usize = 0;
let map: usize = 0;

/** Divides `budget` bytes: room for `timerCount` timers, two pools of at most two pages each, and buffer pages. */
export function open(budget: usize, timerCount: u32): void {
  regionOpen(budget);
  wheelOpen();
  rangesOpen();
  mapsOpen();
  poolOpen(kind0, 4096, 0);
  poolOpen(kind1, 3072, 1);
  poolDirectory(kind0, 2);
  poolDirectory(kind1, 2);
  timers = regionTake(<usize>timerCount * TIMER_STRIDE);
  pagesOpen();
}

export function pool(kind: u32): usize {
  return changetype<usize>(kind == 0 ? kind0 : kind1);
}

/** Takes an object and marks it live. Returns its address or 0. */
export function take(kind: u32): usize {
  const object = poolTake(kind == 0 ? kind0 : kind1);
  if (object != 0) store<u32>(object, 1, 8);
  return object;
}

export function free(kind: u32, object: usize): void {
  poolFree(kind == 0 ? kind0 : kind1, object);
}

export function handleOf(object: usize): i32 {
  return load<i32>(object, 4);
}

export function setAddress(): usize {
  return changetype<usize>(set);
}

export function setAdd(start: u64, end: u64): bool {
  return rangeAdd(set, start, end);
}

export function setGapStart(from: u64): u64 {
  return rangeGapStart(set, from);
}

export function setGapEnd(from: u64, limit: u64): u64 {
  return rangeGapEnd(set, from, limit);
}

export function setTakeFront(upTo: u64): u64 {
  return rangeTakeFront(set, upTo);
}

export function setClear(): void {
  rangeClear(set);
}

export function setCount(): u32 {
  return set.count;
}

export function setRecentStart(): u64 {
  return set.recent == 0 ? u64.MAX_VALUE : changetype<Range>(set.recent).start;
}

/** The first range, or 0; rangeNext() leads on. */
export function setHead(): usize {
  return rangeFirst(set);
}

export function rangeStart(range: usize): u64 {
  return changetype<Range>(range).start;
}

export function rangeEnd(range: usize): u64 {
  return changetype<Range>(range).end;
}

export function rangeNext(range: usize): usize {
  return changetype<Range>(range).next;
}

export function rangesLive(): u32 {
  return rangePool.live;
}

export function arm(index: u32, deadline: i64): void {
  timerArm(timerAt(index), deadline);
}

export function cancel(index: u32): void {
  timerCancel(timerAt(index));
}

/** The number of the timer at an address that wheelPop() returned. */
export function timerIndex(address: usize): u32 {
  return <u32>((address - timers) / TIMER_STRIDE);
}

/** A chain of `count` pages. Returns the first, or 0 when there are too few. */
export function chain(count: u32): usize {
  let first: usize = 0;
  for (let i: u32 = 0; i < count; i++) {
    const page = pageTake();
    if (page == 0) return 0;
    pageLink(page, first);
    first = page;
  }
  return first;
}

/** Gives up the owner's reference to the first `count` pages of a chain. */
export function chainRelease(first: usize, count: u32): void {
  let page = first;
  for (let i: u32 = 0; i < count; i++) {
    const next = pageNext(page);
    pageRelease(page);
    page = next;
  }
}

export function mapOpen(dsn: u64, length: u32, page: usize, offset: u32): bool {
  map = mapTake(dsn, length, page, offset);
  return map != 0;
}

export function mapTrim(count: u32): void {
  mapTrimFront(changetype<DataMap>(map), count);
}

export function mapDsn(): u64 {
  return changetype<DataMap>(map).dsn;
}

export function mapPage(): usize {
  return changetype<DataMap>(map).page;
}

export function mapOffset(): u32 {
  return changetype<DataMap>(map).offset;
}

export function mapClose(): void {
  mapFree(changetype<DataMap>(map));
}

export function mapsLive(): u32 {
  return mapPool.live;
}

function timerAt(index: u32): Timer {
  return changetype<Timer>(timers + <usize>index * TIMER_STRIDE);
}
