/** TCP options as tests write and read them, byte by byte and independent of the core's codecs. */

export type MptcpOption =
  /** Version 0 has the key in the SYN. */
  | { capable: 'syn'; version?: number; flags?: number; key?: bigint }
  | { capable: 'synack'; key: bigint; version?: number; flags?: number }
  | {
      capable: 'ack';
      key: bigint;
      peerKey: bigint;
      version?: number;
      flags?: number;
      /** Data-level length: the form of the first data. */
      length?: number;
      checksum?: number;
    }
  | { join: 'syn'; token: number; nonce: number; id?: number; backup?: boolean }
  | { join: 'synack'; hmac: bigint; nonce: number; id?: number; backup?: boolean }
  | { join: 'ack'; hmac: string }
  | Dss
  /** Version 0 says the address family and has neither echo nor HMAC. */
  | { addAddr: string; id: number; port?: number; echo?: boolean; hmac?: bigint; version?: number }
  | { removeAddr: number[] }
  /** With an address id in version 0. */
  | { prio: boolean; id?: number }
  | { fail: bigint }
  | { fastclose: bigint }
  | { reset: number; flags?: number };

/** DSS: every field there is when it is given; `ack4` and `dsn4` choose the 4-byte forms. */
export interface Dss {
  dss: true;
  ack?: bigint;
  ack4?: boolean;
  dsn?: bigint;
  dsn4?: boolean;
  ssn?: number;
  length?: number;
  checksum?: number;
  fin?: boolean;
}

export interface TcpOptions {
  mss?: number;
  wscale?: number;
  sackOk?: boolean;
  ts?: [value: number, echo: number];
  sack?: [left: number, right: number][];
  mptcp?: MptcpOption[];
  /** The cookie of Fast Open as hexadecimal digits; '' asks for one. */
  fastOpen?: string;
  /** Bytes of further options, in front of all others; only written. */
  raw?: number[];
}

const u16 = (value: number): number[] => [(value >> 8) & 255, value & 255];
const u32 = (value: number): number[] => [...u16(value >>> 16), ...u16(value & 0xffff)];
const u64 = (value: bigint): number[] => {
  const number = BigInt.asUintN(64, value);
  return [...u32(Number(number >> 32n)), ...u32(Number(number & 0xffff_ffffn))];
};

/** The bytes of an address text: 4 or 16. */
export function addressBytes(text: string): number[] {
  if (!text.includes(':')) return text.split('.').map(Number);
  const [front = '', back] = text.split('::');
  const words = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const before = words(front);
  const after = back === undefined ? [] : words(back);
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return [...before, ...(back === undefined ? [] : zeros), ...after].flatMap((word) => u16(Number.parseInt(word, 16)));
}

/** The text of 4 or 16 bytes; of IPv6 without `::`. */
export function addressText(bytes: ArrayLike<number>): string {
  const list = Array.from(bytes);
  if (list.length === 4) return list.join('.');
  const words: string[] = [];
  for (let at = 0; at < 16; at += 2) words.push((((list[at] ?? 0) << 8) | (list[at + 1] ?? 0)).toString(16));
  return words.join(':');
}

/** The option area, padded with NOPs in front of what needs it. */
export function writeOptions(options: TcpOptions): number[] {
  const bytes: number[] = [...(options.raw ?? [])];
  if (options.mss !== undefined) bytes.push(2, 4, ...u16(options.mss));
  if (options.sackOk === true) bytes.push(4, 2);
  if (options.wscale !== undefined) bytes.push(3, 3, options.wscale);
  if (options.ts !== undefined) bytes.push(8, 10, ...u32(options.ts[0]), ...u32(options.ts[1]));
  if (options.sack !== undefined && options.sack.length > 0) {
    bytes.push(
      5,
      2 + 8 * options.sack.length,
      ...options.sack.flatMap(([left, right]) => [...u32(left), ...u32(right)]),
    );
  }
  if (options.fastOpen !== undefined) {
    const cookie = Buffer.from(options.fastOpen, 'hex');
    bytes.push(34, 2 + cookie.length, ...cookie);
  }
  for (const option of options.mptcp ?? []) {
    const body = writeMptcp(option);
    bytes.push(30, body.length + 2, ...body);
  }
  while (bytes.length % 4 !== 0) bytes.push(1);
  if (bytes.length > 40) throw new Error(`the options of this packet need ${bytes.length} bytes; 40 is all there are`);
  return bytes;
}

/** What stands behind kind and length. */
function writeMptcp(option: MptcpOption): number[] {
  if ('capable' in option) {
    const head = [option.version ?? 1, option.flags ?? 1];
    if (option.capable === 'syn') return [...head, ...(option.key === undefined ? [] : u64(option.key))];
    if (option.capable === 'synack') return [...head, ...u64(option.key)];
    const keys = [...head, ...u64(option.key), ...u64(option.peerKey)];
    if (option.length === undefined) return keys;
    return [...keys, ...u16(option.length), ...(option.checksum === undefined ? [] : u16(option.checksum))];
  }
  if ('join' in option) {
    if (option.join === 'ack') return [0x10, 0, ...Buffer.from(option.hmac, 'hex').subarray(0, 20)];
    const head = [0x10 | (option.backup === true ? 1 : 0), option.id ?? 0];
    if (option.join === 'syn') return [...head, ...u32(option.token), ...u32(option.nonce)];
    return [...head, ...u64(option.hmac), ...u32(option.nonce)];
  }
  if ('dss' in option) return writeDss(option);
  if ('addAddr' in option) {
    const family = option.addAddr.includes(':') ? 6 : 4;
    return [
      0x30 | (option.version === 0 ? family : option.echo === true ? 1 : 0),
      option.id,
      ...addressBytes(option.addAddr),
      ...(option.port === undefined ? [] : u16(option.port)),
      ...(option.hmac === undefined ? [] : u64(option.hmac)),
    ];
  }
  if ('removeAddr' in option) return [0x40, ...option.removeAddr];
  if ('prio' in option) return [0x50 | (option.prio ? 1 : 0), ...(option.id === undefined ? [] : [option.id])];
  if ('fail' in option) return [0x60, 0, ...u64(option.fail)];
  if ('fastclose' in option) return [0x70, 0, ...u64(option.fastclose)];
  return [0x80 | (option.flags ?? 0), option.reset];
}

function writeDss(option: Dss): number[] {
  let flags = 0;
  const fields: number[] = [];
  if (option.ack !== undefined) {
    flags |= option.ack4 === true ? 1 : 3;
    fields.push(...(option.ack4 === true ? u32(Number(option.ack & 0xffff_ffffn)) : u64(option.ack)));
  }
  if (option.dsn !== undefined) {
    flags |= option.dsn4 === true ? 4 : 12;
    fields.push(...(option.dsn4 === true ? u32(Number(option.dsn & 0xffff_ffffn)) : u64(option.dsn)));
    fields.push(...u32(option.ssn ?? 0), ...u16(option.length ?? 0));
    if (option.checksum !== undefined) fields.push(...u16(option.checksum));
  }
  if (option.fin === true) flags |= 16;
  return [0x20, flags, ...fields];
}

/** Reads an option area that the core wrote, of a SYN or not; throws when it is not well formed. */
export function readOptions(area: Uint8Array, syn: boolean): TcpOptions {
  const view = new DataView(area.buffer, area.byteOffset, area.length);
  const options: TcpOptions = {};
  for (let at = 0; at < area.length; ) {
    const kind = area[at];
    if (kind === 0) break;
    if (kind === 1) {
      at++;
      continue;
    }
    const length = area[at + 1] ?? 0;
    if (length < 2 || at + length > area.length) throw new Error(`option ${kind} at byte ${at} has length ${length}`);
    if (kind === 2) options.mss = view.getUint16(at + 2);
    else if (kind === 3) options.wscale = view.getUint8(at + 2);
    else if (kind === 4) options.sackOk = true;
    else if (kind === 5) {
      options.sack = [];
      for (let b = at + 2; b < at + length; b += 8) options.sack.push([view.getUint32(b), view.getUint32(b + 4)]);
    } else if (kind === 8) options.ts = [view.getUint32(at + 2), view.getUint32(at + 6)];
    else if (kind === 34) options.fastOpen = Buffer.from(area.subarray(at + 2, at + length)).toString('hex');
    else if (kind === 30) {
      options.mptcp ??= [];
      options.mptcp.push(readMptcp(new DataView(area.buffer, area.byteOffset + at, length), syn));
    } else throw new Error(`the core wrote an option of kind ${kind}`);
    at += length;
  }
  return options;
}

function readMptcp(view: DataView, syn: boolean): MptcpOption {
  const length = view.byteLength;
  const subtype = view.getUint8(2) >> 4;
  const low = view.getUint8(2) & 15;
  const last = length > 3 ? view.getUint8(3) : 0;
  const hex = (from: number, to: number): string =>
    Buffer.from(view.buffer, view.byteOffset + from, to - from).toString('hex');
  switch (subtype) {
    case 0: {
      const head = { version: low, flags: last };
      if (length === 4) return { capable: 'syn', ...head };
      const key = view.getBigUint64(4);
      if (length === 12) return { capable: syn ? 'syn' : 'synack', key, ...head };
      return {
        capable: 'ack',
        key,
        peerKey: view.getBigUint64(12),
        ...head,
        ...(length >= 22 ? { length: view.getUint16(20) } : {}),
        ...(length >= 24 ? { checksum: view.getUint16(22) } : {}),
      };
    }
    case 1: {
      if (length === 24) return { join: 'ack', hmac: hex(4, 24) };
      const head = { id: last, backup: (low & 1) !== 0 };
      if (length === 12) return { join: 'syn', token: view.getUint32(4), nonce: view.getUint32(8), ...head };
      return { join: 'synack', hmac: view.getBigUint64(4), nonce: view.getUint32(12), ...head };
    }
    case 2:
      return readDss(view, last);
    case 3: {
      const echo = (low & 1) !== 0;
      const v0 = !echo && (length <= 10 || length === 20 || length === 22);
      if (v0 && low !== (length <= 10 ? 4 : 6)) throw new Error(`${length} bytes of ADD_ADDR say family ${low}`);
      const plain = echo || v0 ? length : length - 8;
      const bytes = plain < 20 ? 4 : 16;
      const address = addressText(new Uint8Array(view.buffer, view.byteOffset + 4, bytes));
      return {
        addAddr: address,
        id: last,
        echo,
        ...(plain - 4 > bytes ? { port: view.getUint16(4 + bytes) } : {}),
        ...(v0 ? { version: 0 } : {}),
        ...(plain === length ? {} : { hmac: view.getBigUint64(plain) }),
      };
    }
    case 4:
      return { removeAddr: Array.from({ length: length - 3 }, (_, index) => view.getUint8(3 + index)) };
    case 5:
      return { prio: (low & 1) !== 0, ...(length === 4 ? { id: last } : {}) };
    case 6:
      return { fail: view.getBigUint64(4) };
    case 7:
      return { fastclose: view.getBigUint64(4) };
    case 8:
      return { reset: last, flags: low };
    default:
      throw new Error(`the core wrote a Multipath TCP option of subtype ${subtype}`);
  }
}

function readDss(view: DataView, flags: number): Dss {
  const option: Dss = { dss: true };
  let at = 4;
  if ((flags & 1) !== 0) {
    option.ack4 = (flags & 2) === 0;
    option.ack = option.ack4 ? BigInt(view.getUint32(at)) : view.getBigUint64(at);
    at += option.ack4 ? 4 : 8;
  }
  if ((flags & 4) !== 0) {
    option.dsn4 = (flags & 8) === 0;
    option.dsn = option.dsn4 ? BigInt(view.getUint32(at)) : view.getBigUint64(at);
    at += option.dsn4 ? 4 : 8;
    option.ssn = view.getUint32(at);
    option.length = view.getUint16(at + 4);
    at += 6;
    if (at + 2 <= view.byteLength) option.checksum = view.getUint16(at);
  }
  if ((flags & 16) !== 0) option.fin = true;
  return option;
}
