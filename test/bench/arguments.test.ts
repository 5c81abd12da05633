import { describe, expect, it } from 'vitest';
import { BenchUsageError, chooseCases, parseArguments } from '../../bench/arguments.js';

const CASES = ['core/tcp-1460', 'core/tcp-1460-checksum', 'core/mptcp-2sf-1460', 'micro/checksum-20', 'micro/token'];

describe('the command line of the benches', () => {
  it('asks for everything when it is empty', () => {
    expect(parseArguments([])).toMatchObject({ only: undefined, json: false, report: false, against: undefined });
  });

  it('takes names in one list or several', () => {
    expect(parseArguments(['--only', 'core, micro/token', '--only', 'tun']).only).toEqual([
      'core',
      'micro/token',
      'tun',
    ]);
  });

  it('counts pairs of runs', () => {
    expect(parseArguments(['--against', 'HEAD~1', '--rounds', '5'])).toMatchObject({ against: 'HEAD~1', rounds: 5 });
    expect(parseArguments(['--against', 'HEAD~1']).rounds).toBe(3);
  });

  it.each([
    [['--only', 'core,,micro'], 'empty name'],
    [['--only'], '--only'],
    [['--fast'], '--fast'],
    [['core'], 'core'],
    [['--rounds', '3'], '--against'],
    [['--against', 'x', '--rounds', '1'], 'from 2 to 20'],
    [['--against', 'x', '--rounds', 'many'], 'from 2 to 20'],
    [['--against', 'x', '--report'], 'without --against'],
    [['--against', ''], 'name a commit'],
    [['--against=--json'], 'name a commit'],
  ])('refuses %j and says how to mend it', (args, message) => {
    expect(() => parseArguments(args)).toThrow(BenchUsageError);
    expect(() => parseArguments(args)).toThrow(message);
  });
});

describe('the choice of cases', () => {
  const chosen = (...only: string[]): string[] => [...chooseCases(CASES, only)];

  it('is all of them without names', () => {
    expect([...chooseCases(CASES, undefined)]).toEqual(CASES);
  });

  it('takes a bench, one case, and the beginning of a name', () => {
    expect(chosen('micro')).toEqual(['micro/checksum-20', 'micro/token']);
    expect(chosen('micro/check')).toEqual(['micro/checksum-20']);
    expect(chosen('core/tcp')).toEqual(['core/tcp-1460', 'core/tcp-1460-checksum']);
  });

  it('takes a whole name alone where others begin with it', () => {
    expect(chosen('core/tcp-1460')).toEqual(['core/tcp-1460']);
  });

  it('does not take a bench by the beginning of its name', () => {
    expect(() => chosen('mic')).toThrow('nothing has this name; the benches are core, micro');
  });

  it('refuses a case that is not there', () => {
    expect(() => chosen('core', 'core/udp')).toThrow('--only core/udp');
  });
});
