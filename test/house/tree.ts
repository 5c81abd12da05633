import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** The folder of the project, with a slash at the end. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Names in `.gitignore`: folders end in a slash, `*.log` stands for every log. */
const IGNORED = readFileSync(join(ROOT, '.gitignore'), 'utf8')
  .split('\n')
  .map((line) => line.trim())
  .filter((line) => line !== '' && !line.startsWith('#'));

/** The path of every file of the project that belongs in its history, from {@link ROOT}, with forward slashes. */
export function projectFiles(): string[] {
  const found: string[] = [];
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.name === '.git' || isIgnored(path, entry.name, entry.isDirectory())) {
        continue;
      }
      if (entry.isDirectory()) {
        walk(path);
      } else if (entry.isFile()) {
        found.push(path);
      }
    }
  };
  walk('');
  return found.sort();
}

function isIgnored(path: string, name: string, folder: boolean): boolean {
  return IGNORED.some((pattern) => {
    if (pattern.endsWith('/')) {
      return folder && `${name}/` === pattern;
    }
    if (pattern.startsWith('*')) {
      return name.endsWith(pattern.slice(1));
    }
    return path === pattern || name === pattern;
  });
}

/** The text of a file of the project; throws when it is not there. */
export function readText(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** One file importing another of the project. */
export interface Import {
  /** The importing file, from {@link ROOT}. */
  readonly from: string;
  /** The imported file, from {@link ROOT}. */
  readonly to: string;
  /** Only types are imported: nothing of it is left at run time. */
  readonly typeOnly: boolean;
}

/** The relative imports, re-exports and dynamic imports with a literal name of a source file. */
export function importsOf(path: string, text: string, exists: (path: string) => boolean): Import[] {
  const found: Import[] = [];
  const add = (specifier: ts.Node | undefined, typeOnly: boolean): void => {
    if (specifier !== undefined && ts.isStringLiteralLike(specifier) && specifier.text.startsWith('.')) {
      found.push({ from: path, to: resolve(path, specifier.text, exists), typeOnly });
    }
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      add(node.moduleSpecifier, isTypeOnly(node));
    } else if (ts.isExportDeclaration(node)) {
      add(node.moduleSpecifier, node.isTypeOnly);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], false);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node.argument.literal, true);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest, false));
  return found;
}

function isTypeOnly(node: ts.ImportDeclaration): boolean {
  const clause = node.importClause;
  if (clause === undefined) {
    return false;
  }
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) {
    return true;
  }
  const bindings = clause.namedBindings;
  return (
    clause.name === undefined &&
    bindings !== undefined &&
    ts.isNamedImports(bindings) &&
    bindings.elements.length > 0 &&
    bindings.elements.every((element) => element.isTypeOnly)
  );
}

/** TypeScript names the file that will be there once compiled, AssemblyScript leaves the ending out. */
function resolve(from: string, specifier: string, exists: (path: string) => boolean): string {
  const target = posix.normalize(posix.join(dirname(from), specifier));
  const candidates = [target.replace(/\.js$/, '.ts'), `${target}.ts`, `${target}/index.ts`, target];
  return candidates.find((candidate) => exists(candidate)) ?? target;
}
