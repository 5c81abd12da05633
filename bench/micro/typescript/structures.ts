/* Scheduler, congestion control, mappings, reassembly and flow table in TypeScript, with objects of a fixed shape. */

/** What scheduler and congestion control look at. */
export class PeerSubflow {
  id = 0;
  state = 1;
  flags = 0;
  stale = 0;
  backoff = 0;
  finWanted = 0;
  rstDue = 0;
  join = 0;
  up = 1;
  mss = 1448;
  cwnd = 144_800;
  cwndAcked = 0;
  srtt = 0;
  outstanding = 0;
  sackedBytes = 0;
  lostBytes = 0;
  sndUna = 1000;
  sndNxt = 1000;
  seqEnd = 1000;
  sndWindow = 1 << 20;
}

function carries(subflow: PeerSubflow): boolean {
  return (
    (subflow.state === 1 || subflow.state === 8) &&
    subflow.finWanted === 0 &&
    subflow.rstDue === 0 &&
    (subflow.join === 0 || subflow.join === 3)
  );
}

/** The subflow with the smallest round-trip time that has room. */
export function schedule(subflows: readonly PeerSubflow[]): PeerSubflow | undefined {
  let best: PeerSubflow | undefined;
  let backup: PeerSubflow | undefined;
  let regular = false;
  for (const subflow of subflows) {
    if (!carries(subflow) || subflow.stale !== 0 || subflow.up === 0) continue;
    const isBackup = (subflow.flags & 12) !== 0;
    if (!isBackup && subflow.backoff === 0) regular = true;
    if (room(subflow) === 0) continue;
    if (isBackup) {
      if (backup === undefined || subflow.srtt < backup.srtt) backup = subflow;
    } else if (best === undefined || subflow.srtt < best.srtt) {
      best = subflow;
    }
  }
  return best ?? (regular ? undefined : backup);
}

function room(subflow: PeerSubflow): number {
  const flight = subflow.outstanding - subflow.sackedBytes + ((subflow.seqEnd - subflow.sndNxt) >>> 0);
  const free = flight === 0 ? Math.max(subflow.cwnd, subflow.mss) : Math.max(subflow.cwnd - flight, 0);
  const window = (subflow.sndUna + subflow.sndWindow - subflow.seqEnd) | 0;
  if (window <= 0) return 0;
  const both = Math.min(free, window);
  return flight !== 0 && both < subflow.mss ? 0 : both;
}

/** Linked Increases (RFC 6356). */
export function liaAvoid(subflows: readonly PeerSubflow[], subflow: PeerSubflow, acked: number): void {
  let best = 0;
  let rate = 0;
  for (const other of subflows) {
    if (!carries(other) || other.srtt === 0) continue;
    const frequency = 1 / other.srtt;
    const speed = other.cwnd * frequency;
    rate += speed;
    best = Math.max(best, speed * frequency);
  }
  const bytes = acked * subflow.mss;
  const square = rate * rate;
  const growth = best * subflow.cwnd < square ? (bytes * best) / square : bytes / subflow.cwnd;
  const scaled = subflow.cwndAcked + Math.min(Math.floor(growth * 256), 1e9);
  subflow.cwnd += scaled >> 8;
  subflow.cwndAcked = scaled & 255;
}

/** A mapping of a subflow's sequence numbers to data sequence numbers, in a list. */
export class PeerMap {
  next: PeerMap | undefined;
  constructor(
    readonly seq: number,
    readonly dsn: number,
    readonly length: number,
  ) {}
}

export function mapFor(head: PeerMap | undefined, seq: number): PeerMap | undefined {
  for (let map = head; map !== undefined; map = map.next) {
    if (((seq - map.seq) | 0) >= 0 && ((seq - map.seq - map.length) | 0) < 0) return map;
  }
  return undefined;
}

const LEVELS = 9;

/** A range of {@link PeerRanges}, in the lists of `next.length` levels. */
class PeerRange {
  readonly next: (PeerRange | undefined)[];
  constructor(
    public start: number,
    public end: number,
    height: number,
  ) {
    this.next = new Array<PeerRange | undefined>(height).fill(undefined);
  }
}

/** Ranges apart from each other, sorted, in a skip list as that of the core. */
export class PeerRanges {
  count = 0;
  #head = new PeerRange(-1, -1, LEVELS);
  #tail: PeerRange | undefined;
  readonly #path = new Array<PeerRange>(LEVELS).fill(this.#head);
  #coin = 0x9e3779b9;

  add(start: number, end: number): void {
    const tail = this.#tail;
    let at = tail === undefined || tail.start > start ? this.#floor(start) : tail;
    if (at !== this.#head && at.end >= start) {
      if (end > at.end) at.end = end;
    } else {
      const behind = at.next[0];
      if (behind !== undefined && behind.start <= end) {
        at = behind;
        at.start = start;
        if (end > at.end) at.end = end;
      } else {
        at = this.#insert(start, end);
      }
    }
    this.#swallow(at);
  }

  clear(): void {
    this.#head = new PeerRange(-1, -1, LEVELS);
    this.#path.fill(this.#head);
    this.#tail = undefined;
    this.count = 0;
  }

  /** The last range that begins at or before `start`, or the head; its neighbours on all levels are in the path. */
  #floor(start: number): PeerRange {
    let at = this.#head;
    for (let level = LEVELS - 1; level >= 0; level--) {
      for (let next = at.next[level]; next !== undefined && next.start <= start; next = at.next[level]) at = next;
      this.#path[level] = at;
    }
    return at;
  }

  #insert(start: number, end: number): PeerRange {
    this.#floor(start);
    const range = new PeerRange(start, end, this.#toss());
    for (let level = 0; level < range.next.length; level++) {
      const before = this.#path[level] as PeerRange;
      range.next[level] = before.next[level];
      before.next[level] = range;
    }
    if (range.next[0] === undefined) this.#tail = range;
    this.count++;
    return range;
  }

  #swallow(range: PeerRange): void {
    const behind = range.next[0];
    if (behind === undefined || behind.start > range.end) return;
    this.#floor(range.start);
    for (let at = range.next[0]; at !== undefined && at.start <= range.end; at = range.next[0]) {
      if (at.end > range.end) range.end = at.end;
      for (let level = 0; level < at.next.length; level++) {
        (this.#path[level] as PeerRange).next[level] = at.next[level];
      }
      if (this.#tail === at) this.#tail = range;
      this.count--;
    }
  }

  /** One in four stands in a further level. */
  #toss(): number {
    this.#coin ^= this.#coin << 13;
    this.#coin ^= this.#coin >>> 17;
    this.#coin ^= this.#coin << 5;
    let height = 1;
    for (let bits = this.#coin; (bits & 3) === 0 && height < LEVELS; bits >>>= 2) height++;
    return height;
  }
}

/** Ranges apart from each other, sorted in an array and found by bisection: the fastest while they are few. */
export class SortedRanges {
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];

  add(start: number, end: number): void {
    const starts = this.#starts;
    const ends = this.#ends;
    // The first range that ends at or behind `start`; most often there is none.
    let low = starts.length;
    if (low > 0 && (ends[low - 1] as number) >= start) {
      low = 0;
      for (let high = starts.length; low < high; ) {
        const middle = (low + high) >> 1;
        if ((ends[middle] as number) < start) low = middle + 1;
        else high = middle;
      }
    }
    let past = low;
    while (past < starts.length && (starts[past] as number) <= end) past++;
    if (low === starts.length) {
      starts.push(start);
      ends.push(end);
    } else if (past === low) {
      starts.splice(low, 0, start);
      ends.splice(low, 0, end);
    } else {
      starts[low] = Math.min(starts[low] as number, start);
      ends[low] = Math.max(ends[past - 1] as number, end);
      starts.splice(low + 1, past - low - 1);
      ends.splice(low + 1, past - low - 1);
    }
  }

  clear(): void {
    this.#starts.length = 0;
    this.#ends.length = 0;
  }

  get count(): number {
    return this.#starts.length;
  }
}

/** A flow of {@link PeerFlows}. */
export class PeerFlow {
  next: PeerFlow | undefined;
  constructor(
    readonly local: number,
    readonly localPort: number,
    readonly remote: number,
    readonly remotePort: number,
  ) {}
}

/** Flows in chains, found by HalfSipHash-2-4 with a secret key, the keyed hash for 32-bit arithmetic. */
export class PeerFlows {
  readonly #buckets: (PeerFlow | undefined)[];
  readonly #mask: number;

  /** @param size a power of two. */
  constructor(size: number) {
    this.#buckets = new Array<PeerFlow | undefined>(size).fill(undefined);
    this.#mask = size - 1;
  }

  add(flow: PeerFlow): void {
    const bucket = this.#bucket(flow.local, flow.localPort, flow.remote, flow.remotePort);
    flow.next = this.#buckets[bucket];
    this.#buckets[bucket] = flow;
  }

  find(local: number, localPort: number, remote: number, remotePort: number): PeerFlow | undefined {
    let flow = this.#buckets[this.#bucket(local, localPort, remote, remotePort)];
    while (
      flow !== undefined &&
      (flow.remotePort !== remotePort || flow.remote !== remote || flow.localPort !== localPort || flow.local !== local)
    ) {
      flow = flow.next;
    }
    return flow;
  }

  #bucket(local: number, localPort: number, remote: number, remotePort: number): number {
    let v0 = 0x3c6ef372;
    let v1 = 0x510e527f;
    let v2 = 0x6c796765 ^ 0x3c6ef372;
    let v3 = 0x74656462 ^ 0x510e527f;
    for (let word = 0; word < 8; word++) {
      const last = word >= 4;
      const value = word === 0 ? local : word === 1 ? remote : word === 2 ? (localPort << 16) | remotePort : 12 << 24;
      if (word === 4) v2 ^= 0xff;
      if (!last) v3 ^= value;
      for (let round = last ? 1 : 2; round > 0; round--) {
        v0 = (v0 + v1) | 0;
        v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
        v0 = (v0 << 16) | (v0 >>> 16);
        v2 = (v2 + v3) | 0;
        v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
        v0 = (v0 + v3) | 0;
        v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
        v2 = (v2 + v1) | 0;
        v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
        v2 = (v2 << 16) | (v2 >>> 16);
      }
      if (!last) v0 ^= value;
    }
    return (v1 ^ v3) & this.#mask;
  }
}
