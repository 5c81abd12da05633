import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../peers/programs.js';
import { htmlReport } from './html.js';
import { markdownReport, type ReportInput } from './markdown.js';

/** Writes out/bench.html and docs/performance.md; returns their paths from the folder of the project. */
export function writeReport(input: ReportInput): string[] {
  const files = { 'out/bench.html': htmlReport(input), 'docs/performance.md': markdownReport(input) };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(ROOT, path, '..'), { recursive: true });
    writeFileSync(join(ROOT, path), text);
  }
  return Object.keys(files);
}
