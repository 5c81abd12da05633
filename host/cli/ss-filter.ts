/** The filters of `ss`: states, and expressions over the two ends of a socket. */
import { type Address, parseAddress } from '../address.js';
import { UsageError } from './arguments.js';
import type { SocketEnd, SocketRow } from './ss-rows.js';

/** What a filter looks at. */
type Ends = Pick<SocketRow, 'local' | 'peer'>;
/** True for the sockets that are shown. */
export type EndFilter = (row: Ends) => boolean;
/** The number of a service by its name, as the system knows it. */
export type ServicePorts = (name: string) => number | undefined;

type Comparison = '=' | '!=' | '<' | '>' | '<=' | '>=';

/** Words and signs of the original for the same comparison. */
const COMPARISONS: Readonly<Record<string, Comparison>> = {
  '=': '=',
  '==': '=',
  eq: '=',
  '!=': '!=',
  ne: '!=',
  neq: '!=',
  '<': '<',
  lt: '<',
  '>': '>',
  gt: '>',
  '<=': '<=',
  le: '<=',
  '>=': '>=',
  ge: '>=',
};
const AND = ['and', '&', '&&'];
const OR = ['or', '|', '||'];
const NOT = ['not', '!'];
const CONDITIONS = ['src', 'dst', 'sport', 'dport'] as const;
/** What the original has beside them. */
const ELSEWHERE = ['dev', 'fwmark', 'cgroup', 'autobound'];

const COMPARE: Readonly<Record<Comparison, (a: number, b: number) => boolean>> = {
  '=': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '>': (a, b) => a > b,
  '<=': (a, b) => a <= b,
  '>=': (a, b) => a >= b,
};

/**
 * Reads an expression: conditions joined by `and`, `or`, `not` and parentheses; two in a row are joined by `and`. As in the
 * original neither of `and` and `or` binds tighter: what stands first is joined first.
 *
 *   expression   factor { ( or | [ and ] ) factor }
 *   factor       not factor | ( expression ) | condition
 *   condition    { src | dst } [ = | != ] ADDRESS[/LENGTH][:PORT]  |  { sport | dport } [ COMPARISON ] [:]PORT
 *
 * @throws {UsageError} that says what is wrong, and where.
 */
export function parseFilter(args: readonly string[], services: ServicePorts): EndFilter {
  const words = args.flatMap((arg) => arg.split(/\s+/)).filter((word) => word !== '');
  return new Parser(words, services).whole();
}

class Parser {
  #at = 0;

  constructor(
    readonly words: readonly string[],
    readonly services: ServicePorts,
  ) {}

  whole(): EndFilter {
    const filter = this.#expression();
    if (this.#word() === ')') throw new UsageError('ss: there is a ")" without a "(" before it');
    return filter;
  }

  #word(): string | undefined {
    return this.words[this.#at];
  }

  /** Takes the next word when it is one of these. */
  #takes(words: readonly string[]): boolean {
    const word = this.#word();
    if (word === undefined || !words.includes(word)) return false;
    this.#at++;
    return true;
  }

  #expression(): EndFilter {
    let filter = this.#factor();
    for (let word = this.#word(); word !== undefined && word !== ')'; word = this.#word()) {
      const first = filter;
      const either = this.#takes(OR);
      if (!either) this.#takes(AND);
      const second = this.#factor();
      filter = either ? (row) => first(row) || second(row) : (row) => first(row) && second(row);
    }
    return filter;
  }

  #factor(): EndFilter {
    if (this.#takes(NOT)) {
      const factor = this.#factor();
      return (row) => !factor(row);
    }
    if (this.#takes(['('])) {
      const inner = this.#expression();
      if (!this.#takes([')'])) throw new UsageError('ss: a ")" is missing');
      return inner;
    }
    return this.#condition();
  }

  #condition(): EndFilter {
    const word = this.#word();
    const name = CONDITIONS.find((known) => known === word);
    if (name === undefined) throw unknown(word, this.words[this.#at - 1]);
    this.#at++;
    const sign = COMPARISONS[this.#word() ?? ''];
    if (sign !== undefined) this.#at++;
    const value = this.#word();
    if (value === undefined) throw new UsageError(`ss: what "${name}" is compared with is missing`);
    this.#at++;
    const comparison = sign ?? '=';
    if (name === 'sport' || name === 'dport') return portFilter(name, comparison, value, this.services);
    return hostFilter(name, comparison, value, this.services);
  }
}

function unknown(word: string | undefined, before: string | undefined): UsageError {
  if (word === undefined) return new UsageError(`ss: a condition is missing${before ? ` behind "${before}"` : ''}`);
  if (word === 'state' || word === 'exclude') {
    return new UsageError(`ss: "${word}" stands in front of all other filters`);
  }
  if (ELSEWHERE.includes(word)) {
    return new UsageError(`ss: the filter "${word}" is not known here; there are ${CONDITIONS.join(', ')}`);
  }
  const glued = CONDITIONS.some((name) => word.startsWith(name)) || /^[(!]./.test(word) || /.\)$/.test(word);
  const hint = glued ? '; each word and sign stands by itself, as in "( sport = :80 )"' : '';
  return new UsageError(`ss: "${word}" is no condition; there are ${CONDITIONS.join(', ')}${hint}`);
}

/** `80`, `:80`, `http`, `:http`; `*` for any. */
function portFilter(name: 'sport' | 'dport', comparison: Comparison, text: string, services: ServicePorts): EndFilter {
  const wanted = portOf(text.replace(/^:/, ''), `${name} ${text}`, services);
  const end = name === 'sport' ? 'local' : 'peer';
  const compare = COMPARE[comparison];
  if (wanted === '*') return () => comparison !== '!=';
  return (row) => {
    const { port } = row[end];
    return compare(port === '*' ? 0 : port, wanted);
  };
}

function portOf(text: string, where: string, services: ServicePorts): number | '*' {
  if (text === '' || text === '*') return '*';
  if (/^\d+$/.test(text)) {
    const port = Number(text);
    if (port <= 65_535) return port;
  } else {
    const port = services(text);
    if (port !== undefined) return port;
  }
  throw new UsageError(`ss: ${where}: "${text}" is no port, 0 to 65535, and no service`);
}

/** `ADDRESS`, `ADDRESS/LENGTH`, either with `:PORT`, IPv6 in brackets then; `:PORT` and `*` for any address. */
function hostFilter(name: 'src' | 'dst', comparison: Comparison, text: string, services: ServicePorts): EndFilter {
  if (comparison !== '=' && comparison !== '!=') {
    throw new UsageError(`ss: ${name}: addresses are the same or not; "${comparison}" is for sport and dport`);
  }
  const { host, port: portText } = splitHost(text, name);
  const port = portOf(portText, `${name} ${text}`, services);
  const prefix = host === '' || host === '*' ? undefined : prefixOf(host, name);
  const end = name === 'src' ? 'local' : 'peer';
  return (row) => {
    const is = row[end];
    const same = (port === '*' || is.port === port) && (prefix === undefined || contains(prefix, is));
    return same === (comparison === '=');
  };
}

function splitHost(text: string, name: string): { host: string; port: string } {
  const plain = text.replace(/^inet6?:/, '');
  const bracketed = /^\[([^\]]*)\](\/\d+)?(?::(.*))?$/.exec(plain);
  if (bracketed !== null) {
    const [, inside = '', length = '', port = ''] = bracketed;
    return { host: inside + length, port };
  }
  const [host = '', port = '', more] = plain.split(':');
  if (more === undefined) return { host, port };
  // Nothing tells where an address of IPv6 ends and a port begins.
  throw new UsageError(`ss: ${name} ${text}: write IPv6 in brackets, as in [fd00::1] or [fd00::/16]:80`);
}

/** An address and how many of its bits count. */
interface Network extends Address {
  readonly bits: number;
  readonly family: 4 | 6;
}

function prefixOf(text: string, name: string): Network {
  const [literal = '', length, more] = text.split('/');
  const address = parseAddress(literal);
  const family = literal.includes(':') ? 6 : 4;
  const most = family === 4 ? 32 : 128;
  const bits = length === undefined ? most : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  if (address === undefined || more !== undefined || !(bits <= most)) {
    throw new UsageError(
      `ss: ${name} ${text}: not an address, such as 10.0.1.2, 10.0.0.0/8 or [fd00::/16]; names are not looked up`,
    );
  }
  return { ...address, bits, family };
}

function contains({ hi, lo, bits, family }: Network, { address }: SocketEnd): boolean {
  if (address === '*') return bits === 0;
  if (address.includes(':') !== (family === 6)) return false;
  const other = parseAddress(address);
  if (other === undefined) return false;
  const ignored = BigInt(family === 4 ? 32 - bits : 128 - bits);
  const whole = (each: Address): bigint => ((each.hi << 64n) | each.lo) >> ignored;
  return whole({ hi, lo }) === whole(other);
}
