import {
  CONFIG_NAMES,
  CONGESTION_NAMES,
  type ConfigName,
  type CongestionName,
  SCHEDULER_NAMES,
  type SchedulerName,
} from './abi.js';
import { MptcpError } from './error.js';

const SWITCHES = [
  'mptcpEnabled',
  'checksumEnabled',
  'allowJoinInitialAddrPort',
  'noDelay',
  'keepalive',
  'timestamps',
  'sack',
  'dsn64',
  'pacing',
  'hystart',
  'tailLossProbe',
  'frto',
  'idleRestart',
] as const satisfies readonly ConfigName[];

type SwitchName = (typeof SWITCHES)[number];
type NumberName = Exclude<ConfigName, SwitchName | 'congestion' | 'scheduler'>;

/**
 * Settings of a stack or connection; docs/abi.md lists them with their units and defaults. Times are µs, sizes bytes.
 * What is left out keeps its default.
 */
export type Config = { [Name in SwitchName]?: boolean } & { [Name in NumberName]?: number } & {
  congestion?: CongestionName;
  scheduler?: SchedulerName;
};

/** The key and value the core takes for a setting. @throws MptcpError EINVAL for an unknown name or value. */
export function encodeSetting(name: string, value: unknown): { key: number; value: bigint } {
  const entry = Object.entries(CONFIG_NAMES).find(([, known]) => known === name);
  if (entry === undefined) {
    throw new MptcpError('EINVAL', 'set', {
      detail: `there is no setting ${JSON.stringify(name)}; there are ${Object.values(CONFIG_NAMES).join(', ')}`,
    });
  }
  return { key: Number(entry[0]), value: encodeValue(name, value) };
}

/** A value of the core as the setting's own kind. */
export function decodeSetting<Name extends ConfigName>(name: Name, value: number): NonNullable<Config[Name]> {
  const choices = choicesOf(name);
  const decoded = choices !== undefined ? choices[value] : isSwitch(name) ? value !== 0 : value;
  return decoded as NonNullable<Config[Name]>;
}

function encodeValue(name: string, value: unknown): bigint {
  const choices = choicesOf(name);
  if (choices !== undefined) {
    const choice = Object.entries(choices).find(([, known]) => known === value);
    if (choice !== undefined) return BigInt(choice[0]);
    throw invalid(name, value, `one of ${Object.values(choices).join(', ')}`);
  }
  if (isSwitch(name)) {
    if (typeof value === 'boolean') return value ? 1n : 0n;
    throw invalid(name, value, 'true or false');
  }
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  throw invalid(name, value, 'an integer');
}

function choicesOf(name: string): Readonly<Record<number, string>> | undefined {
  if (name === 'congestion') return CONGESTION_NAMES;
  return name === 'scheduler' ? SCHEDULER_NAMES : undefined;
}

function isSwitch(name: string): boolean {
  return (SWITCHES as readonly string[]).includes(name);
}

function invalid(name: string, value: unknown, expected: string): MptcpError {
  return new MptcpError('EINVAL', 'set', { detail: `${name} is ${String(value)} and must be ${expected}` });
}
