import { describe, expect, it } from 'vitest';
import { FALLBACK_NAMES, RESET_FLAG_OWN, RESET_FLAG_PEER, RESET_FLAG_TRANSIENT, RESET_NAMES } from '../../host/abi.js';
import { FALLBACK_WORDS, fallbackName, subflowReset } from '../../host/reasons.js';

describe('reasons', () => {
  it('of a fallback have words, each its own', () => {
    const words = Object.keys(FALLBACK_NAMES).map((value) => FALLBACK_WORDS[fallbackName(Number(value))]);
    expect(new Set(words).size).toBe(words.length);
    expect(words.filter((text) => text === '')).toHaveLength(1);
    expect(fallbackName(250)).toBe('none');
  });

  it('of a reset say who, why, and whether to try again', () => {
    expect(subflowReset(0)).toBeUndefined();
    for (const [code, name] of Object.entries(RESET_NAMES)) {
      expect(subflowReset(RESET_FLAG_PEER | Number(code))).toEqual({
        name,
        code: Number(code),
        by: 'peer',
        transient: false,
      });
    }
    expect(subflowReset(RESET_FLAG_OWN | RESET_FLAG_TRANSIENT | 2)).toMatchObject({ by: 'own', transient: true });
    expect(subflowReset(RESET_FLAG_PEER | 77)).toMatchObject({ name: 'unspecified', code: 77 });
  });
});
