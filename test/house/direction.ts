import type { Import } from './tree.js';

/**
 * The folders of `assembly/` from the top of the house to its bottom: each may import those behind it in this list.
 * `assembly/abi.ts` is below all of them.
 */
const ASSEMBLY_ORDER = [
  'index',
  'stack',
  'session',
  'paths',
  'scheduler',
  'congestion',
  'tcp',
  'wire',
  'crypto',
  'state',
  'memory',
  'abi',
];

interface Layer {
  readonly name: string;
  readonly files: RegExp;
  readonly mayImport: readonly string[];
}

const BASE = ['abi', 'base', 'link interface'];

/** The layers of `host/`; the first whose pattern fits a file is its layer. */
const HOST_LAYERS: readonly Layer[] = [
  { name: 'abi', files: /^host\/abi\.ts$/, mayImport: [] },
  { name: 'base', files: /^host\/(address|clock|config|error|module|reasons)\.ts$/, mayImport: ['abi', 'base'] },
  { name: 'link interface', files: /^host\/link\/link\.ts$/, mayImport: [] },
  { name: 'core', files: /^host\/(core|info)\.ts$/, mayImport: [...BASE, 'core'] },
  { name: 'stack', files: /^host\/stack\.ts$/, mayImport: [...BASE, 'core'] },
  { name: 'control', files: /^host\/control\//, mayImport: [...BASE, 'core', 'stack', 'control'] },
  { name: 'link', files: /^host\/link\//, mayImport: [...BASE, 'core', 'link'] },
  { name: 'net', files: /^host\/net\//, mayImport: [...BASE, 'core', 'stack', 'control', 'net'] },
  {
    name: 'workers',
    files: /^host\/workers\//,
    mayImport: [...BASE, 'core', 'stack', 'control', 'link', 'net', 'workers'],
  },
  { name: 'streams', files: /^host\/streams\//, mayImport: [...BASE, 'core', 'stack', 'streams'] },
  { name: 'sim', files: /^host\/sim\//, mayImport: [...BASE, 'core', 'stack', 'link', 'net', 'sim'] },
  {
    name: 'cli',
    files: /^host\/(cli\/.*|netns)\.ts$/,
    mayImport: [...BASE, 'core', 'stack', 'control', 'link', 'net', 'workers', 'streams', 'sim', 'entry', 'cli'],
  },
  {
    name: 'entry',
    files: /^host\/(node|deno|worker|browser)\.ts$/,
    mayImport: [...BASE, 'core', 'stack', 'control', 'link', 'net', 'workers', 'streams', 'sim'],
  },
];

/** What is wrong with an import inside `assembly/` or `host/`, in words, or undefined when nothing is. */
export function directionProblem(edge: Import): string | undefined {
  if (edge.from.startsWith('assembly/')) {
    return assemblyProblem(edge);
  }
  return edge.from.startsWith('host/') ? hostProblem(edge) : undefined;
}

function assemblyProblem({ from, to }: Import): string | undefined {
  if (!to.startsWith('assembly/')) {
    return `${from} imports ${to}: the core imports nothing from outside assembly/`;
  }
  const above = assemblyPart(from);
  const below = assemblyPart(to);
  if (above === 'testing') {
    return undefined;
  }
  if (below === 'testing') {
    return `${from} imports ${to}: what is there for tests stays out of the module`;
  }
  const upper = ASSEMBLY_ORDER.indexOf(above);
  const lower = ASSEMBLY_ORDER.indexOf(below);
  if (upper < 0 || lower < 0) {
    const unknown = upper < 0 ? from : to;
    return `${unknown} is in no known part of the core; give its folder a place in test/house/direction.ts`;
  }
  return lower >= upper ? undefined : `${from} imports ${to}: ${below} is above ${above}, and imports run down only`;
}

function assemblyPart(path: string): string {
  return (path.split('/')[1] ?? '').replace(/\.ts$/, '');
}

function hostProblem({ from, to }: Import): string | undefined {
  const layer = hostLayer(from);
  const target = hostLayer(to);
  if (layer === undefined || target === undefined) {
    const unknown = layer === undefined ? from : to;
    return `${unknown} is in no known layer of the hosts; give it a place in test/house/direction.ts`;
  }
  if (layer.mayImport.includes(target.name)) {
    return undefined;
  }
  return `${from} imports ${to}: ${layer.name} may import only ${layer.mayImport.join(', ') || 'nothing'}`;
}

function hostLayer(path: string): Layer | undefined {
  return HOST_LAYERS.find((layer) => layer.files.test(path));
}

/** The files of a cycle of imports in their order, the first one again at the end, or undefined when there is none. */
export function findCycle(edges: readonly Import[]): string[] | undefined {
  const targets = new Map<string, string[]>();
  for (const edge of edges) {
    if (!edge.typeOnly) {
      targets.set(edge.from, [...(targets.get(edge.from) ?? []), edge.to]);
    }
  }
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): string[] | undefined => {
    const start = path.indexOf(file);
    if (start >= 0) {
      return [...path.slice(start), file];
    }
    if (done.has(file)) {
      return undefined;
    }
    path.push(file);
    for (const target of targets.get(file) ?? []) {
      const cycle = visit(target);
      if (cycle !== undefined) {
        return cycle;
      }
    }
    path.pop();
    done.add(file);
    return undefined;
  };
  for (const file of targets.keys()) {
    const cycle = visit(file);
    if (cycle !== undefined) {
      return cycle;
    }
  }
  return undefined;
}
