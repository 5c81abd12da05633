import { describe, expect, it } from 'vitest';
import { projectFiles, readText } from './tree.js';

const DOCUMENT = 'docs/mptcp.md';
const files = new Set(projectFiles());

interface Rule {
  readonly line: number;
  readonly rule: string;
  readonly where: string;
  readonly tests: string;
  readonly left: string;
}

/** The rows of all tables of a text, heads and rulers left out. */
function rulesOf(text: string): { rules: Rule[]; problems: string[] } {
  const rules: Rule[] = [];
  const problems: string[] = [];
  text.split('\n').forEach((line, index) => {
    if (!line.startsWith('|') || line.startsWith('| ---') || line.startsWith('| §')) return;
    const cells = line.slice(1, -1).split('|');
    if (cells.length !== 5) problems.push(`line ${index + 1} has ${cells.length} cells`);
    const [, rule = '', where = '', tests = '', left = ''] = cells.map((cell) => cell.trim());
    rules.push({ line: index + 1, rule, where, tests, left });
  });
  return { rules, problems };
}

/** Places in the code as `folder/file.ts` and the functions behind it that are not there. */
function missingCode(text: string): string[] {
  return [...text.matchAll(/`([\w./-]+\.ts)`([^`]*)/g)].flatMap(([, path = '', behind = '']) => {
    if (path.startsWith('test/')) return files.has(path) ? [] : [path];
    const file = `assembly/${path}`;
    if (!files.has(file)) return [file];
    const source = readText(file);
    const names = [...behind.matchAll(/(\w+)\(\)/g)].map(([, name = '']) => name);
    return names
      .filter((name) => !new RegExp(`function ${name}\\b`).test(source))
      .map((name) => `${name}() in ${file}`);
  });
}

/** Tests as `folder/file` and the titles behind it, or their beginnings, that are not there. */
function missingTests(text: string): string[] {
  return [...text.matchAll(/`((?:core|net|wire|sim|host|workers)\/[\w-]+)`([^`]*)/g)].flatMap(
    ([, path = '', behind = '']) => {
      const file = `test/${path}.test.ts`;
      if (!files.has(file)) return [file];
      const source = readText(file);
      const titles = [...behind.matchAll(/"([^"]+)"/g)].map(([, title = '']) => title);
      return titles
        .filter((title) => !source.includes(`'${title}`) && !source.includes(`\`${title}`))
        .map((title) => `"${title}" in ${file}`);
    },
  );
}

describe(DOCUMENT, () => {
  const { rules, problems } = rulesOf(readText(DOCUMENT));

  it('has rows of five cells', () => {
    expect(problems).toEqual([]);
    expect(rules.length).toBeGreaterThan(150);
  });

  it('names code and tests that are there', () => {
    const missing = rules.flatMap(({ line, where, tests, left }) =>
      [...missingCode(`${where} ${left}`), ...missingTests(`${tests} ${left}`)].map((what) => `line ${line}: ${what}`),
    );
    expect(missing).toEqual([]);
  });

  it('has a test for every MUST and SHOULD, or says what is done otherwise', () => {
    const bare = rules.filter(
      ({ rule, tests, left }) =>
        /\*\*[MS]\*\*/.test(rule) && tests === '' && !/\*\*Otherwise|left out|there is nobody/.test(left),
    );
    expect(bare.map(({ line, rule }) => `line ${line}: ${rule}`)).toEqual([]);
  });
});

describe('the check of rules', () => {
  it('finds cells, files, functions and titles that are missing', () => {
    const path = 'session/fail.ts';
    expect(rulesOf('| § | a |\n| --- | --- |\n| 3 | rule | where |').problems).toEqual(['line 3 has 3 cells']);
    expect(missingCode(`\`${path}\` checksumFailed() neverWritten()`)).toEqual([`neverWritten() in assembly/${path}`]);
    expect(missingCode('`session/gone.ts` any()')).toEqual(['assembly/session/gone.ts']);
    expect(missingTests('`core/mptcp-data` "of 8 and of 4 bytes are understood", "of 3 bytes"')).toEqual([
      '"of 3 bytes" in test/core/mptcp-data.test.ts',
    ]);
    expect(missingTests('`core/gone`')).toEqual(['test/core/gone.test.ts']);
  });
});
