import {
  CONFIG_NAMES,
  CONGESTION_NAMES,
  type ConfigName,
  type CongestionName,
  PATH_MANAGER_NAMES,
  PATH_MODE_NAMES,
  type PathManagerName,
  type PathModeName,
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
  'opportunistic',
  'penalisation',
  'roundRobinCwndLimited',
  'monitor',
] as const satisfies readonly ConfigName[];

type SwitchName = (typeof SWITCHES)[number];
/** Sets of versions: in the core a sum of 1 for version 0 and 2 for version 1. */
const VERSION_SETS = ['connectVersions', 'listenVersions'] as const satisfies readonly ConfigName[];

type VersionsName = (typeof VERSION_SETS)[number];
type NumberName = Exclude<
  ConfigName,
  SwitchName | VersionsName | 'congestion' | 'scheduler' | 'pathManager' | 'pathMode'
>;

/** A version of Multipath TCP: 0 (RFC 6824) or 1 (RFC 8684). */
export type MptcpVersion = 0 | 1;

/**
 * Settings of a stack or connection; docs/abi.md lists them with their units and defaults. Times are µs, sizes bytes.
 * What is left out keeps its default.
 */
export type Config = { [Name in SwitchName]?: boolean } & { [Name in NumberName]?: number } & {
  [Name in VersionsName]?: readonly MptcpVersion[];
} & {
  congestion?: CongestionName;
  scheduler?: SchedulerName;
  pathManager?: PathManagerName;
  pathMode?: PathModeName;
};

const VERSIONS: readonly MptcpVersion[] = [0, 1];

/** Versions as the bits the core has for them: 1 for version 0, 2 for version 1. @throws MptcpError EINVAL for others, or none. */
export function versionBits(versions: unknown, name: string, call: string): number {
  const known = (version: unknown): version is MptcpVersion => version === 0 || version === 1;
  if (!Array.isArray(versions) || versions.length === 0 || !versions.every(known)) {
    throw new MptcpError('EINVAL', call, {
      detail: `${name} is ${JSON.stringify(versions)} and must be [0], [1] or [0, 1]: versions of Multipath TCP`,
    });
  }
  return versions.reduce((bits: number, version) => bits | (1 << version), 0);
}

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
  return decodeValue(name, value) as NonNullable<Config[Name]>;
}

function decodeValue(name: string, value: number): unknown {
  const choices = choicesOf(name);
  if (choices !== undefined) return choices[value];
  if (isVersions(name)) return VERSIONS.filter((version) => (value & (1 << version)) !== 0);
  return isSwitch(name) ? value !== 0 : value;
}

function encodeValue(name: string, value: unknown): bigint {
  const choices = choicesOf(name);
  if (choices !== undefined) {
    const choice = Object.entries(choices).find(([, known]) => known === value);
    if (choice !== undefined) return BigInt(choice[0]);
    throw invalid(name, value, `one of ${Object.values(choices).join(', ')}`);
  }
  if (isVersions(name)) return BigInt(versionBits(value, name, 'set'));
  if (isSwitch(name)) {
    if (typeof value === 'boolean') return value ? 1n : 0n;
    throw invalid(name, value, 'true or false');
  }
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  throw invalid(name, value, 'an integer');
}

function choicesOf(name: string): Readonly<Record<number, string>> | undefined {
  if (name === 'congestion') return CONGESTION_NAMES;
  if (name === 'pathManager') return PATH_MANAGER_NAMES;
  if (name === 'pathMode') return PATH_MODE_NAMES;
  return name === 'scheduler' ? SCHEDULER_NAMES : undefined;
}

function isVersions(name: string): boolean {
  return (VERSION_SETS as readonly string[]).includes(name);
}

function isSwitch(name: string): boolean {
  return (SWITCHES as readonly string[]).includes(name);
}

function invalid(name: string, value: unknown, expected: string): MptcpError {
  return new MptcpError('EINVAL', 'set', { detail: `${name} is ${String(value)} and must be ${expected}` });
}
