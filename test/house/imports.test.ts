import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { directionProblem, findCycle } from './direction.js';
import { importsOf, projectFiles, readText } from './tree.js';

const LINES_MAX = 700;
const GENERATED = ['assembly/abi.ts', 'host/abi.ts'];
const files = projectFiles();
const sources = [...files, ...GENERATED].filter((path) =>
  /^(assembly|host|test|bench|examples)\/.*\.(ts|mts|mjs|js)$/.test(path),
);
const known = new Set(sources);
const edges = sources.flatMap((path) => importsOf(path, readText(path), (candidate) => known.has(candidate)));
const edge = (from: string, to: string, typeOnly = false) => ({ from, to, typeOnly });

describe('imports', () => {
  it('name files that are there', () => {
    expect(edges.filter(({ to }) => !known.has(to) && !/\.(json|wasm)$/.test(to))).toEqual([]);
    expect(edges.length).toBeGreaterThan(20);
  });

  it('run down the house only', () => {
    const problems = edges
      .filter(({ from }) => /\.ts$/.test(from) && !from.includes('/abi/'))
      .map((each) => directionProblem(each))
      .filter((problem) => problem !== undefined);
    expect(problems).toEqual([]);
  });

  it('have no cycle', () => {
    expect(findCycle(edges)).toBeUndefined();
  });

  it('do not reach into tests from the core or the hosts', () => {
    expect(edges.filter(({ from, to }) => /^(assembly|host)\//.test(from) && /^(test|bench)\//.test(to))).toEqual([]);
  });
});

describe('the check of imports', () => {
  it.each([
    ['assembly/tcp/input.ts', 'assembly/session/dss.ts', 'session is above tcp'],
    ['assembly/state/link.ts', 'assembly/testing/wire.ts', 'for tests'],
    ['assembly/session/receive.ts', 'assembly/index.ts', 'index is above session'],
    ['assembly/tcp/input.ts', 'host/abi.ts', 'outside assembly/'],
    ['assembly/odds/ends.ts', 'assembly/abi.ts', 'no known part'],
    ['host/core.ts', 'host/stack.ts', 'core may import only'],
    ['host/link/pipe.ts', 'host/stack.ts', 'link may import only'],
    ['host/net/socket.ts', 'host/sim/network.ts', 'net may import only'],
    ['host/odds.ts', 'host/abi.ts', 'no known layer'],
  ])('refuses %s importing %s', (from, to, reason) => {
    expect(directionProblem(edge(from, to))).toContain(reason);
  });

  it.each([
    ['assembly/index.ts', 'assembly/stack/stack.ts'],
    ['assembly/tcp/output.ts', 'assembly/tcp/rtt.ts'],
    ['assembly/memory/pages.ts', 'assembly/abi.ts'],
    ['assembly/testing/tcp.ts', 'assembly/index.ts'],
    ['host/stack.ts', 'host/core.ts'],
    ['host/cli/main.ts', 'host/sim/network.ts'],
  ])('lets %s import %s', (from, to) => {
    expect(directionProblem(edge(from, to))).toBeUndefined();
  });

  it('finds a cycle, and none where only a type goes back', () => {
    expect(findCycle([edge('a', 'b'), edge('b', 'c'), edge('c', 'b')])).toEqual(['b', 'c', 'b']);
    expect(findCycle([edge('a', 'b'), edge('b', 'a', true)])).toBeUndefined();
  });

  it('reads every form of import', () => {
    const text = [
      "import './a.js';",
      "import b from '../b.js';",
      "import type { C } from './c.js';",
      "import { type D } from './d.js';",
      "export * from './e';",
      "const f = await import('./f.js');",
      "let g: import('./g.js').G;",
      "import fs from 'node:fs';",
    ].join('\n');
    const there = new Set(['x/a.ts', 'b.ts', 'x/c.ts', 'x/d.ts', 'x/e.ts', 'x/f.ts', 'x/g.ts']);
    const found = importsOf('x/main.ts', text, (path) => there.has(path));
    expect(found.map(({ to, typeOnly }) => `${to} ${typeOnly}`)).toEqual([
      'x/a.ts false',
      'b.ts false',
      'x/c.ts true',
      'x/d.ts true',
      'x/e.ts false',
      'x/f.ts false',
      'x/g.ts true',
    ]);
  });
});

describe('files', () => {
  it('are named by what they are about', () => {
    const grabBag = /^(utils?|helpers?|common|misc|shared|stuff)([.-]|$)/;
    expect(sources.filter((path) => path.split('/').some((part) => grabBag.test(part)))).toEqual([]);
  });

  it(`have at most ${LINES_MAX} lines`, () => {
    const long = sources
      .filter((path) => !GENERATED.includes(path))
      .map((path) => ({ path, lines: readText(path).split('\n').length - 1 }))
      .filter(({ lines }) => lines > LINES_MAX);
    expect(long).toEqual([]);
  });

  it('leave the memory of the core to host/core.ts', () => {
    const touching = sources
      .filter((path) => path.startsWith('host/') && path !== 'host/core.ts')
      .filter((path) => /\bmemory\s*[?!]?\.\s*buffer\b/.test(readText(path)));
    expect(touching).toEqual([]);
  });

  it('are found at all', () => {
    expect(files.map((path) => basename(path))).toContain('package.json');
    expect(sources).toContain('host/link/link.ts');
    expect(files.filter((path) => path.startsWith('node_modules/') || path.startsWith('build/'))).toEqual([]);
  });
});
