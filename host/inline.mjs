/**
 * Inlines functions of a WebAssembly module further than the AssemblyScript compiler does, and optimises it again. The
 * runtimes inline nothing in WebAssembly, a call costs 1 to 2 ns there, and a segment makes dozens: it gains 5 to 8 %.
 *
 * Usage: node host/inline.mjs [--simd] MODULE   The module is replaced; only with --simd it may have SIMD.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import binaryen from 'binaryen';

/** Sizes, in nodes of the syntax tree, up to which functions are inlined, whatever calls them; without calls inside; with one caller. */
const ALWAYS = 20;
const WITHOUT_CALLS = 120;
const ONE_CALLER = 2000;

const simd = process.argv[2] === '--simd';
const path = process.argv[simd ? 3 : 2];
if (path === undefined) {
  console.error('inline: name the module');
  process.exit(2);
}
const { BulkMemory, BulkMemoryOpt, MutableGlobals, NontrappingFPToInt, SignExt, SIMD128 } = binaryen.Features;
const plain = BulkMemory | BulkMemoryOpt | MutableGlobals | NontrappingFPToInt | SignExt;
const module = binaryen.readBinaryWithFeatures(readFileSync(path), simd ? plain | SIMD128 : plain);
binaryen.setOptimizeLevel(3);
binaryen.setShrinkLevel(0);
binaryen.setAlwaysInlineMaxSize(ALWAYS);
binaryen.setFlexibleInlineMaxSize(WITHOUT_CALLS);
binaryen.setOneCallerInlineMaxSize(ONE_CALLER);
module.runPasses(['inlining-optimizing']);
module.optimize();
if (!module.validate()) throw new Error(`inline: ${path} became invalid`);
writeFileSync(path, module.emitBinary());
module.dispose();
