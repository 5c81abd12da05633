import { CELLS, type Cell } from '../middleboxes/cells.js';
import { VARIANTS } from '../middleboxes/variants.js';
import type { Measurement } from '../record.js';
import { table } from './markdown.js';

/** What stands around the table in docs/middleboxes.md. */
const BEGIN = '<!-- The table: npm run bench -- --only middleboxes --report -->';
const END = '<!-- The end of the table. -->';

/** Columns: where the box stands. */
const COLUMNS = [
  { title: 'one subflow', cells: (cell: Cell) => cell.paths === 1 },
  { title: 'two, box on both paths', cells: (cell: Cell) => cell.paths === 2 && cell.place === 'all' },
  { title: 'two, box on the first', cells: (cell: Cell) => cell.place === 'initial' },
  { title: 'two, box on the second', cells: (cell: Cell) => cell.place === 'joined' },
] as const;

/** The text of docs/middleboxes.md with its table made anew. @throws Error when the page has no place for one. */
export function withMiddleboxTable(page: string, measurements: readonly Measurement[]): string {
  const from = page.indexOf(BEGIN);
  const to = page.indexOf(END);
  if (from < 0 || to < from) throw new Error(`docs/middleboxes.md must have the lines ${BEGIN} and ${END}`);
  return `${page.slice(0, from + BEGIN.length)}\n\n${middleboxTable(measurements)}\n\n${page.slice(to)}`;
}

/** One row for each box; what differs between IPv4 and IPv6, with the checksum, or in version 0, stands apart. */
export function middleboxTable(measurements: readonly Measurement[]): string {
  const found = new Map(measurements.map((each) => [each.name, each]));
  const rows = VARIANTS.flatMap((variant) => {
    const own = CELLS.filter((cell) => cell.variant === variant && found.has(cell.name));
    const [first] = own;
    if (first === undefined) return [];
    const plain = String(found.get(first.name)?.details.plain ?? '');
    const columns = COLUMNS.map(({ cells }) => {
      const here = own.filter(cells);
      const text = (of: readonly Cell[]): string => {
        const texts = [false, true].map((checksum) =>
          joined(of.filter((cell) => cell.checksum === checksum).map((cell) => became(found.get(cell.name)))),
        );
        return texts[0] === texts[1] ? (texts[0] ?? '') : `${texts[0]}; checksum: ${texts[1]}`;
      };
      const one = here.filter(({ version }) => version !== 0);
      const zero = here.filter(({ version }) => version === 0);
      if (zero.length === 0 || text(zero) === text(one.filter(({ ipv6 }) => !ipv6))) return text(one);
      return `${text(one)}; version 0: ${text(zero)}`;
    });
    return [[`\`${variant.name}\``, variant.does, plain, ...columns]];
  });
  return table(['Box', 'It', 'Plain TCP', ...COLUMNS.map(({ title }) => title)], rows);
}

/** IPv4 and IPv6, in one when they are the same. */
function joined(texts: readonly string[]): string {
  return [...new Set(texts)].join(' / ');
}

function became(measurement: Measurement | undefined): string {
  if (measurement === undefined) return '–';
  const { outcome = '', pass, details } = measurement;
  const reason = outcome === 'fallback' && details.reason !== undefined ? ` (${details.reason})` : '';
  const bytes = details.bytes === 'right' ? '' : ', bytes altered';
  const text = `${outcome}${reason}${bytes}`;
  return pass === false ? `**${text}**` : text;
}
