/** What the user typed cannot be run; `mptcp` prints the message and exits with 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/**
 * Reads a number of bytes: digits with an optional `K`, `M` or `G` (powers of 1,024).
 * @throws {UsageError}
 */
export function parseBytes(option: string, text: string): number {
  const match = /^(\d{1,15})([kmg]?)(?:i?b)?$/i.exec(text);
  const bytes = Number(match?.[1]) * (UNITS[(match?.[2] ?? '').toLowerCase()] ?? Number.NaN);
  if (!Number.isSafeInteger(bytes)) {
    throw new UsageError(`${option} ${text}: not a number of bytes; write it as 1048576, 64K, 256M or 1G`);
  }
  return bytes;
}

/** @throws {UsageError} unless `text` is a number of seconds above 0. */
export function parseSeconds(option: string, text: string): number {
  const seconds = /^\d{1,9}(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds > 0)) throw new UsageError(`${option} ${text}: not a number of seconds above 0, such as 5 or 0.5`);
  return seconds;
}

/** @throws {UsageError} unless `text` is a port, `least` to 65,535. */
export function parsePort(option: string, text: string, least = 1): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port >= least && port <= 65535)) throw new UsageError(`${option} ${text}: not a port of ${least} to 65535`);
  return port;
}
