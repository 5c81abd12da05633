import { extname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectFiles, readText } from './tree.js';

/** Captures, and the list of packages, whose addresses are the package manager's to write. */
const NOT_READ = ['.pcap', '.pcapng', '.wasm', '.gz', '.png'];
const LOCK = 'package-lock.json';

/** Joins the halves of a word that this file must not contain itself. */
const word = (...halves: string[]) => halves.join('');

interface Rule {
  readonly name: string;
  readonly pattern: RegExp;
  readonly files?: RegExp;
}

const SOURCES = /\.(ts|mts|mjs|js)$/;

const RULES: readonly Rule[] = [
  {
    name: 'paths of one machine',
    pattern: new RegExp(`(?<![\\w.$}])/(${word('wo', 'rk')}|${word('t', 'mp')}|${word('ho', 'me')}/\\w+|root)/`),
  },
  {
    name: 'marks of unfinished work',
    pattern: new RegExp(`\\b(${word('TO', 'DO')}|${word('FIX', 'ME')}|${word('HA', 'CK')})\\b`),
  },
  {
    name: 'words about how the repository came to be',
    pattern: new RegExp(
      `\\b(${word('lang', 'uage')} model|${word('L', 'LM')}s?|${word('cod', 'ing')} agent|${word('sub', 'agent')}s?|` +
        `(this|previous|earlier|next|another|last) ${word('ses', 'sion')} (of work|wrote|built|did)|${word('Chat', 'GPT')}|` +
        `${word('Co', 'pilot')}|${word('Cla', 'ude')}|(issue|ticket) #?\\d+)\\b`,
      'i',
    ),
  },
  {
    name: 'names of package registries',
    pattern: new RegExp(`\\b(${word('npm', 'js')}|registry\\.\\w+)\\.(com|org)\\b`),
  },
  {
    name: 'checks switched off',
    pattern: new RegExp(
      `${word('biome', '-ignore')}|@ts-${word('ig', 'nore')}|@ts-${word('no', 'check')}|@ts-${word('expect', '-error')}|` +
        `${word('eslint', '-disable')}|\\bas ${word('a', 'ny')}\\b`,
    ),
    files: SOURCES,
  },
  {
    name: 'tests left out or run alone',
    pattern: new RegExp(
      `\\b(it|test|describe|suite)(\\.\\w+)*\\.(${word('sk', 'ip')}|${word('on', 'ly')}|${word('to', 'do')})\\(`,
    ),
    files: SOURCES,
  },
];

const texts = projectFiles()
  .filter((path) => path !== LOCK && !NOT_READ.includes(extname(path)))
  .map((path) => ({ path, text: readText(path) }));

function offences(rule: Rule, files: readonly { path: string; text: string }[]): string[] {
  return files
    .filter(({ path }) => rule.files === undefined || rule.files.test(path))
    .flatMap(({ path, text }) =>
      text
        .split('\n')
        .flatMap((line, index) => (rule.pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
    );
}

describe('the text of the repository', () => {
  it.each(RULES)('has no $name', (rule) => {
    expect(texts.length).toBeGreaterThan(20);
    expect(offences(rule, texts)).toEqual([]);
  });
});

describe('the check of the text', () => {
  it.each([
    ['paths of one machine', `see /${word('wo', 'rk')}/main`],
    ['paths of one machine', `'/${word('t', 'mp')}/x'`],
    ['marks of unfinished work', `// ${word('TO', 'DO')}: later`],
    ['words about how the repository came to be', `as ${word('issue', ' 3')} says`],
    ['words about how the repository came to be', `a ${word('lang', 'uage')} model`],
    ['names of package registries', `https://registry.${word('npm', 'js')}.org`],
    ['checks switched off', `// ${word('biome', '-ignore')} lint: x`],
    ['checks switched off', `x as ${word('a', 'ny')}`],
    ['tests left out or run alone', `it.${word('on', 'ly')}('x')`],
    ['tests left out or run alone', `describe.concurrent.${word('sk', 'ip')}('x')`],
  ])('finds %s', (name, line) => {
    const rule = RULES.find((each) => each.name === name);
    expect(rule === undefined ? [] : offences(rule, [{ path: 'x.ts', text: line }])).toEqual([`x.ts:1: ${line}`]);
  });

  it('lets a multipath session, an HTTP agent and a relative path be', () => {
    const text = "this session's keys; keepAliveAgent; build/work/x; new http.Agent()";
    expect(RULES.flatMap((rule) => offences(rule, [{ path: 'x.ts', text }]))).toEqual([]);
  });
});
