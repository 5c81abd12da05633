/**
 * Builds what is out of date, and only that:
 *
 *   core      build/mptcp.wasm (SIMD) and build/mptcp-scalar.wasm from assembly/index.ts
 *   host      build/host from host/
 *   testing   build/testing-NAME.wasm and build/testing-NAME-scalar.wasm from each assembly/testing/NAME.ts
 *   programs  build/test/lab and build/bench, with build/host
 *
 * Usage: node host/build.mjs [--force] PART...   All messages go to stderr, so that a program run after it has
 * stdout to itself.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeGenerated } from '../assembly/abi/generate.mjs';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const SELF = 'host/build.mjs';
const INLINE = 'host/inline.mjs';
const TESTING = 'assembly/testing';
const VARIANTS = [
  { target: 'release', suffix: '' },
  { target: 'scalar', suffix: '-scalar' },
];

/** What stops a build and is the reader's to mend: shown without a stack trace. */
class BuildError extends Error {}

const PARTS = {
  core: () => {
    const entry = 'assembly/index.ts';
    if (!existsSync(join(ROOT, entry))) {
      throw new BuildError(`${entry} is missing: it is the entry of the module and must export every call of the ABI`);
    }
    const inputs = ['assembly', 'asconfig.json', SELF, INLINE];
    return VARIANTS.map(({ target, suffix }) => wasm(entry, `build/mptcp${suffix}.wasm`, target, inputs, [TESTING]));
  },
  testing: () =>
    testingEntries().flatMap((name) =>
      VARIANTS.map(({ target, suffix }) =>
        wasm(`${TESTING}/${name}.ts`, `build/testing-${name}${suffix}.wasm`, target, [
          'assembly',
          'asconfig.json',
          SELF,
          INLINE,
        ]),
      ),
    ),
  host: () => [tsc('tsconfig.build.json', ['host', 'tsconfig.json'], 'build/host')],
  programs: () => [tsc('tsconfig.programs.json', ['host', 'test/lab', 'bench', 'tsconfig.json'], 'build/bench')],
};

/** One run of the AssemblyScript compiler and of what inlines further, written elsewhere and then renamed: readers never see half a module. */
function wasm(entry, output, target, inputs, except = []) {
  return {
    title: `${entry} → ${output}`,
    inputs,
    except,
    stamp: output,
    run: async () => {
      const fresh = `${output}.${process.pid}`;
      const asc = join(fileURLToPath(import.meta.resolve('assemblyscript/asc')), '../../bin/asc.js');
      try {
        await run(asc, [entry, '--config', 'asconfig.json', '--target', target, '--outFile', fresh]);
        await run(join(ROOT, INLINE), target === 'release' ? ['--simd', fresh] : [fresh]);
        renameSync(join(ROOT, fresh), join(ROOT, output));
      } finally {
        rmSync(join(ROOT, fresh), { force: true });
      }
    },
  };
}

/** One run of the TypeScript compiler. It leaves files that did not change alone, hence a stamp of its own. */
function tsc(project, inputs, output) {
  const stamp = `build/.${project}.stamp`;
  return {
    title: `${project} → ${output}`,
    inputs: [...inputs, project, SELF],
    except: [],
    stamp,
    run: async () => {
      const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');
      await run(compiler, ['--project', project]);
      writeFileSync(join(ROOT, stamp), '');
    },
  };
}

function testingEntries() {
  if (!existsSync(join(ROOT, TESTING))) {
    return [];
  }
  const files = readdirSync(join(ROOT, TESTING)).filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'));
  return files.map((name) => name.slice(0, -'.ts'.length)).sort();
}

/** Runs a Node program to its end; what it prints appears on stderr. */
function run(program, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    const printed = [];
    child.stdout.on('data', (chunk) => printed.push(chunk));
    child.stderr.on('data', (chunk) => printed.push(chunk));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      process.stderr.write(Buffer.concat(printed));
      if (code === 0) {
        resolve();
      } else {
        reject(new BuildError(`${args[0]}: the compiler ended with ${signal ?? code}; its messages are above`));
      }
    });
  });
}

/** Newest change below a path, ms. Folders count: removing a file from one changes it. */
function newest(path, except) {
  const absolute = join(ROOT, path);
  if (except.includes(path) || !existsSync(absolute)) {
    return 0;
  }
  const status = statSync(absolute);
  let latest = status.mtimeMs;
  if (status.isDirectory()) {
    for (const name of readdirSync(absolute)) {
      latest = Math.max(latest, newest(`${path}/${name}`, except));
    }
  }
  return latest;
}

function isFresh(step) {
  const stamp = join(ROOT, step.stamp);
  if (!existsSync(stamp)) {
    return false;
  }
  const built = statSync(stamp).mtimeMs;
  return step.inputs.every((input) => newest(input, step.except) < built);
}

async function build(parts, force) {
  for (const path of writeGenerated()) {
    console.error(`build: wrote ${path}`);
  }
  mkdirSync(join(ROOT, 'build'), { recursive: true });
  const steps = parts.flatMap((part) => PARTS[part]()).filter((step) => force || !isFresh(step));
  const work = steps.values();
  const worker = async () => {
    for (const step of work) {
      const began = performance.now();
      await step.run();
      console.error(`build: ${step.title} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
    }
  };
  const workers = Array.from({ length: Math.min(steps.length, availableParallelism()) }, worker);
  const failed = (await Promise.allSettled(workers)).find((result) => result.status === 'rejected');
  if (failed !== undefined) {
    throw failed.reason;
  }
}

const args = process.argv.slice(2);
const parts = args.filter((arg) => arg !== '--force');
try {
  const unknown = parts.find((part) => !Object.hasOwn(PARTS, part));
  if (unknown !== undefined || parts.length === 0) {
    const problem = unknown === undefined ? 'nothing to build' : `unknown part ${unknown}`;
    throw new BuildError(`${problem}; the parts are ${Object.keys(PARTS).join(', ')}`);
  }
  await build(parts, args.includes('--force'));
} catch (error) {
  console.error(error instanceof Error && error.name !== 'Error' ? error : `build: ${error.message}`);
  process.exitCode = 1;
}
