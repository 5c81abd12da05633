import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../peers/programs.js';
import { htmlReport } from './html.js';
import { markdownReport, type ReportInput } from './markdown.js';
import { withMiddleboxTable } from './middleboxes.js';

const BOXES = 'middleboxes/';
const BOXES_PAGE = 'docs/middleboxes.md';

/**
 * Writes out/bench.html and docs/performance.md, and the table of docs/middleboxes.md, each when something of it was
 * measured; returns their paths from the folder of the project.
 */
export function writeReport(input: ReportInput): string[] {
  const boxes = input.measurements.filter(({ name }) => name.startsWith(BOXES));
  const others = input.measurements.filter(({ name }) => !name.startsWith(BOXES));
  const figures = { ...input, measurements: others };
  const files: Record<string, string> = {
    ...(others.length > 0
      ? { 'out/bench.html': htmlReport(figures), 'docs/performance.md': markdownReport(figures) }
      : {}),
    ...(boxes.length > 0
      ? { [BOXES_PAGE]: withMiddleboxTable(readFileSync(join(ROOT, BOXES_PAGE), 'utf8'), boxes) }
      : {}),
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(ROOT, path, '..'), { recursive: true });
    writeFileSync(join(ROOT, path), text);
  }
  return Object.keys(files);
}
