/** Reads the parameters of requests: what is not as it must be is refused by name. */
import { ControlError, type JsonObject } from './protocol.js';

type Kind = 'text' | 'number' | 'flag' | 'texts' | 'value';
type Reading<K extends Kind> = K extends 'text'
  ? string
  : K extends 'number'
    ? number
    : K extends 'flag'
      ? boolean
      : K extends 'texts'
        ? readonly string[]
        : string | number | boolean;

/** What a request takes: names and kinds; `!` behind a kind that must be given. */
type Shape = Readonly<Record<string, Kind | `${Kind}!`>>;
type Read<S extends Shape> = {
  readonly [Name in keyof S]: S[Name] extends `${infer K extends Kind}!`
    ? Reading<K>
    : S[Name] extends Kind
      ? Reading<S[Name]> | undefined
      : never;
};

const WORDS: Readonly<Record<Kind, string>> = {
  text: 'a text of at most 256 characters',
  number: 'a whole number from 0 to 4294967295',
  flag: 'true or false',
  texts: 'a list of at most 256 texts',
  value: 'a text, a number, true or false',
};

const isText = (value: unknown): boolean => typeof value === 'string' && value.length <= 256;

const FITS: Readonly<Record<Kind, (value: unknown) => boolean>> = {
  text: isText,
  number: (value) => Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= 0xffff_ffff,
  flag: (value) => typeof value === 'boolean',
  texts: (value) => Array.isArray(value) && value.length <= 256 && value.every(isText),
  value: (value) => isText(value) || typeof value === 'boolean' || Number.isSafeInteger(value),
};

/** @throws {ControlError} EINVAL naming the parameter that is unknown, missing, or of another kind. */
export function readParams<S extends Shape>(method: string, params: JsonObject, shape: S): Read<S> {
  for (const name of Object.keys(params)) {
    if (Object.hasOwn(shape, name)) continue;
    const known = Object.keys(shape).join(', ');
    const takes = known === '' ? 'takes no parameters' : `takes ${known}`;
    throw new ControlError('EINVAL', `${method} has no parameter ${JSON.stringify(name)}; it ${takes}`);
  }
  for (const [name, kind] of Object.entries(shape)) {
    const value = params[name];
    const bare = kind.replace('!', '') as Kind;
    if (value === undefined) {
      if (kind === bare) continue;
      throw new ControlError('EINVAL', `${method} needs the parameter ${name}, ${WORDS[bare]}`);
    }
    if (!FITS[bare](value)) {
      const given = JSON.stringify(value).slice(0, 80);
      throw new ControlError('EINVAL', `${method}: ${name} is ${given} and must be ${WORDS[bare]}`);
    }
  }
  return params as Read<S>;
}
