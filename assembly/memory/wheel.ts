/**
 * A hierarchical timer wheel: level k has 64 slots of 64^k µs, so a timer is armed, moved and cancelled in constant
 * time and fires at its exact microsecond. A slot of a higher level is dealt out to lower ones when its time begins.
 */
@unmanaged
export class Timer {
  prev: usize;
  next: usize;
  /** When it fires, µs. Meaningful while `slot` is not 0. */
  deadline: i64;
  /** level × 64 + slot + 1, or 0 when it is not armed. */
  slot: u32;
  /** What kind of object holds this timer. */
  kind: u32;
}

const LEVELS: u32 = 8;
const SLOT_BITS: u32 = 6;

const heads: usize = memory.data(8 * 64 * 4, 8);
const occupied: usize = memory.data(8 * 8, 8);
let time: i64 = 0;
let armed: u32 = 0;
let due: usize = 0;

export function wheelOpen(): void {
  memory.fill(heads, 0, 8 * 64 * 4);
  memory.fill(occupied, 0, 8 * 8);
  time = 0;
  armed = 0;
  due = 0;
}

export function wheelArmed(): u32 {
  return armed;
}

/** Arms or moves a timer. A deadline in the past fires with the next microsecond. */
export function timerArm(timer: Timer, deadline: i64): void {
  if (timer.slot != 0) timerCancel(timer);
  timer.deadline = deadline > time ? deadline : time + 1;
  place(timer);
  armed++;
}

export function timerCancel(timer: Timer): void {
  if (timer.slot == 0) return;
  const slot = timer.slot - 1;
  if (timer.prev != 0) changetype<Timer>(timer.prev).next = timer.next;
  else if (slot < LEVELS << SLOT_BITS) store<u32>(heads + ((<usize>slot) << 2), <u32>timer.next);
  else due = timer.next;
  if (timer.next != 0) changetype<Timer>(timer.next).prev = timer.prev;
  if (slot < LEVELS << SLOT_BITS && load<u32>(heads + ((<usize>slot) << 2)) == 0) {
    const level = occupied + ((<usize>(slot >> SLOT_BITS)) << 3);
    store<u64>(level, load<u64>(level) & ~((<u64>1) << (slot & 63)));
  }
  timer.slot = 0;
  timer.next = 0;
  timer.prev = 0;
  armed--;
}

/** The next timer due at `now`, disarmed, or 0 when none is left. Call it until it returns 0. */
export function wheelPop(now: i64): usize {
  while (due == 0) {
    const slot = nextSlot();
    if (slot < 0) break;
    const start = slotStart(<u32>slot);
    if (start > now) break;
    if (start > time) time = start;
    deal(<u32>slot);
  }
  if (due != 0) {
    const timer = due;
    timerCancel(changetype<Timer>(timer));
    return timer;
  }
  if (now > time) time = now;
  return 0;
}

/** When the wheel must turn next, µs, or -1 when nothing is armed. Never later than the first deadline. */
export function wheelNext(): i64 {
  if (due != 0) return time;
  const slot = nextSlot();
  return slot < 0 ? -1 : slotStart(<u32>slot);
}

/** The occupied slot that begins first; at equal times the lower level. */
function nextSlot(): i32 {
  for (let level: u32 = 0; level < LEVELS; level++) {
    const bits = load<u64>(occupied + ((<usize>level) << 3));
    if (bits == 0) continue;
    const current = <u32>((<u64>time >> (level * SLOT_BITS)) & 63);
    const ahead = <u32>ctz<u64>(rotr<u64>(bits, <u64>current));
    return <i32>((level << SLOT_BITS) + ((current + ahead) & 63));
  }
  return -1;
}

function slotStart(slot: u32): i64 {
  const level = slot >> SLOT_BITS;
  const shift = level * SLOT_BITS;
  const current = (<u64>time >> shift) & 63;
  const turn = (<u64>time >> (shift + SLOT_BITS)) << (shift + SLOT_BITS);
  const number = <u64>(slot & 63);
  const start = turn + (number << shift);
  return <i64>(number < current ? start + ((<u64>1) << (shift + SLOT_BITS)) : start);
}

/** Moves the timers of a slot to where they belong now: a lower level, or the due list. */
function deal(slot: u32): void {
  let timer = <usize>load<u32>(heads + ((<usize>slot) << 2));
  store<u32>(heads + ((<usize>slot) << 2), 0);
  const level = occupied + ((<usize>(slot >> SLOT_BITS)) << 3);
  store<u64>(level, load<u64>(level) & ~((<u64>1) << (slot & 63)));
  while (timer != 0) {
    const at = changetype<Timer>(timer);
    const next = at.next;
    if (at.deadline <= time) {
      at.slot = (LEVELS << SLOT_BITS) + 1;
      at.prev = 0;
      at.next = due;
      if (due != 0) changetype<Timer>(due).prev = timer;
      due = timer;
    } else {
      place(at);
    }
    timer = next;
  }
}

function place(timer: Timer): void {
  // The level is that of the highest bit in which the deadline differs from the present.
  const differs = (<u64>timer.deadline ^ <u64>time) | 63;
  let level = <u32>(63 - clz<u64>(differs)) / SLOT_BITS;
  if (level >= LEVELS) level = LEVELS - 1;
  const slot = (level << SLOT_BITS) + <u32>((<u64>timer.deadline >> (level * SLOT_BITS)) & 63);
  const head = heads + ((<usize>slot) << 2);
  timer.slot = slot + 1;
  timer.prev = 0;
  timer.next = <usize>load<u32>(head);
  if (timer.next != 0) changetype<Timer>(timer.next).prev = changetype<usize>(timer);
  store<u32>(head, <u32>changetype<usize>(timer));
  const bits = occupied + ((<usize>level) << 3);
  store<u64>(bits, load<u64>(bits) | ((<u64>1) << (slot & 63)));
}
