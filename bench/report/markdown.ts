import type { Provenance } from '../machine.js';
import { judge, MARKS, type Verdict } from '../marks.js';
import type { Measurement } from '../record.js';
import { formatFigure } from './plot.js';
import type { Profile } from './profile.js';

/** What a report is made of. */
export interface ReportInput {
  readonly measurements: readonly Measurement[];
  readonly notes: readonly string[];
  readonly provenance: Provenance;
  readonly profiles: readonly Profile[];
  readonly benches: readonly { readonly name: string; readonly description: string }[];
}

/** The text of docs/performance.md. */
export function markdownReport({ measurements, notes, provenance, profiles, benches }: ReportInput): string {
  const parts = [
    '# Performance',
    'Made by `npm run bench -- --report`; do not edit. A ratio is ours over the first peer measured in the same run, ' +
      'turned so that larger is always better. ± is half the distance between the quartiles of the rounds ' +
      '(micro: the margin of error of the mean at 95 %).',
    table(['', ''], provenance),
    '## Marks',
    table(
      ['Mark', 'Kind', 'State', 'Furthest from it'],
      MARKS.map((mark) => verdictRow(judge(mark, measurements))),
    ),
    ...(notes.length > 0 ? ['## Notes', notes.map((note) => `- ${note}`).join('\n')] : []),
    ...benches.flatMap(({ name, description }) => {
      const own = measurements.filter((each) => each.name.startsWith(`${name}/`));
      if (own.length === 0) return [];
      return [
        `## ${name}`,
        `${capital(description)}.`,
        table(['Case', 'Value', '±', 'Ratio', '±', 'Peers', 'Details'], own.map(row)),
      ];
    }),
    ...(profiles.length > 0 ? ['## Where the time goes', PROFILES_TEXT, ...profiles.map(profileText)] : []),
  ];
  return `${parts.join('\n\n')}\n`;
}

/** What a profile shows, for the reader. */
export const PROFILES_TEXT =
  'Own time of functions by sampling. Names with a path are the core; the others are ' +
  'the bench, which plays application and link: `write` copies into the send buffer, `copyAcross` from stack to ' +
  'stack, and bufferPlace into the receive buffer.';

function profileText({ name, functions }: Profile): string {
  const listed = functions.map(({ name: each, part }) => `${percent(part)} \`${each}\``);
  return `- \`${name}\`: ${listed.join(', ')}`;
}

/** One mark as a row of a table. */
export function verdictRow({ mark, state, worst, reached, cases }: Verdict): string[] {
  const furthest =
    worst === undefined
      ? '–'
      : `${worst.name}: ${formatFigure(worst.figure)} of ${formatFigure(mark.least)}${cases > 1 ? `; ${reached} of ${cases} reach it` : ''}`;
  return [mark.text, mark.kind, state === 'not met' ? '**not met**' : state, furthest];
}

function row({ name, value, unit, spread, ratio, ratioSpread, peers, details }: Measurement): string[] {
  return [
    `\`${name.slice(name.indexOf('/') + 1)}\``,
    `${formatFigure(value)} ${unit}`,
    percent(spread),
    ratio === undefined ? '–' : formatFigure(ratio),
    ratioSpread === undefined ? '–' : percent(ratioSpread),
    Object.entries(peers)
      .map(([peer, figure]) => `${peer} ${formatFigure(figure)}`)
      .join(', '),
    Object.entries(details)
      .map(([key, figure]) => `${key} ${typeof figure === 'number' ? formatFigure(figure) : figure}`)
      .join(', '),
  ];
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}

function capital(sentence: string): string {
  return sentence.slice(0, 1).toUpperCase() + sentence.slice(1);
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cell = (text: string): string => text.replace(/\|/g, '\\|');
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.map(cell).join(' | ')} |`).join('\n');
}
