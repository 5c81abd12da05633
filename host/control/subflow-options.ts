/** Options of one subflow (SUBFLOW_OPTION_), as requests give and show them. */
import { CONGESTION_NAMES, SUBFLOW_OPTION_NAMES, type SubflowOptionName } from '../abi.js';
import { ControlError } from './protocol.js';

export const SUBFLOW_OPTIONS = Object.values(SUBFLOW_OPTION_NAMES);
const SWITCHES: readonly SubflowOptionName[] = ['backup', 'reopen'];
/** As the controller of a subflow: that of its connection. */
const FOLLOW = 255;

/** @throws {ControlError} EINVAL naming the options there are. */
export function subflowOption(name: string): { key: number; option: SubflowOptionName } {
  const entry = Object.entries(SUBFLOW_OPTION_NAMES).find(([, known]) => known === name);
  if (entry !== undefined) return { key: Number(entry[0]), option: entry[1] };
  const known = SUBFLOW_OPTIONS.join(', ');
  throw new ControlError('EINVAL', `a subflow has no option ${JSON.stringify(name)}; it has ${known}`);
}

/** A value of the core as the option's own kind. */
export function shownOption(option: SubflowOptionName, value: number): string | number | boolean {
  if (option === 'congestion') return CONGESTION_NAMES[value] ?? value;
  return SWITCHES.includes(option) ? value !== 0 : value;
}

/** The value the core takes; switches may be 0 and 1 too, numbers text. @throws {ControlError} EINVAL. */
export function givenOption(option: SubflowOptionName, value: string | number | boolean): bigint {
  const text = String(value);
  if (option === 'congestion') {
    if (text === 'connection') return BigInt(FOLLOW);
    const found = Object.entries(CONGESTION_NAMES).find(([, known]) => known === text);
    if (found !== undefined) return BigInt(found[0]);
    const known = Object.values(CONGESTION_NAMES).join(', ');
    throw new ControlError('EINVAL', `congestion cannot be ${text}; choose connection, or one of ${known}`);
  }
  if (SWITCHES.includes(option)) {
    if (text === 'true' || text === '1') return 1n;
    if (text === 'false' || text === '0') return 0n;
    throw new ControlError('EINVAL', `${option} cannot be ${text}; choose true or false`);
  }
  if (/^\d{1,15}$/.test(text)) return BigInt(text);
  throw new ControlError('EINVAL', `${option} cannot be ${text}; it is a whole number`);
}
