import { ERROR_CODES, ERROR_TEXTS } from './abi.js';

/** What to do about an error, by its `code`. Only where there is something the reader can do. */
const REMEDIES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'choose another port, or port 0 to have one chosen',
  EADDRNOTAVAIL: "use an address given to addLink(), such as addLink(link, { addresses: ['10.0.1.2/24'] })",
  ENETUNREACH: 'give a link an address in the same prefix, or a route: addLink(link, { addresses, routes })',
  ECONNREFUSED: 'see that something listens there',
  ETIMEDOUT: 'see that the address is right and that the path carries packets both ways',
  ENOBUFS: 'create the stack with more memory: new Stack({ memory })',
};

/** Where an error happened. */
export interface ErrorPlace {
  /** The remote or local address it is about. */
  readonly address?: string | undefined;
  /** The port it is about. */
  readonly port?: number | undefined;
  /** What went wrong in words, in place of the text that belongs to the code. */
  readonly detail?: string | undefined;
  readonly cause?: unknown;
}

/**
 * An error of the stack. Has what system errors of Node have, so that code written for `node:net` can read it:
 * `code` (such as `ECONNREFUSED`), `syscall`, `address`, `port`.
 */
export class MptcpError extends Error {
  override readonly name = 'MptcpError';
  /** Name of the errno, such as `ECONNRESET`; or a code beginning with `ERR_`. */
  readonly code: string;
  /** The operation that failed: `connect`, `listen`, `read`, `write`, `addLink`, … */
  readonly syscall: string;
  readonly address: string | undefined;
  readonly port: number | undefined;

  constructor(code: string, syscall: string, place: ErrorPlace = {}) {
    const where =
      place.address === undefined
        ? ''
        : ` ${place.port === undefined ? place.address : endpoint(place.address, place.port)}`;
    const remedy = REMEDIES[code];
    const text = [place.detail, remedy].filter((part) => part !== undefined && part !== '').join('; ');
    super(
      `${syscall} ${code}${where}${text === '' ? '' : `: ${text}`}`,
      place.cause === undefined ? {} : { cause: place.cause },
    );
    this.code = code;
    this.syscall = syscall;
    this.address = place.address;
    this.port = place.port;
  }

  /** The error for a result below zero of a call into the core. */
  static fromResult(result: number, syscall: string, place: ErrorPlace = {}): MptcpError {
    const code = ERROR_CODES[result] ?? `ERR_CORE_${-result}`;
    return new MptcpError(code, syscall, { ...place, detail: place.detail ?? ERROR_TEXTS[result] });
  }
}

/** `address:port`, with brackets around IPv6. */
export function endpoint(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
