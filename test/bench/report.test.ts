import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compared } from '../../bench/against.js';
import { judge, MARKS, type Mark } from '../../bench/marks.js';
import { CELLS, type Cell, passed } from '../../bench/middleboxes/cells.js';
import type { Result } from '../../bench/middleboxes/transfer.js';
import { type Measurement, measurement, toJson } from '../../bench/record.js';
import { htmlReport } from '../../bench/report/html.js';
import { markdownReport } from '../../bench/report/markdown.js';
import { withMiddleboxTable } from '../../bench/report/middleboxes.js';
import { barPlot, formatFigure, linePlot, niceCeiling } from '../../bench/report/plot.js';
import { parts } from '../../bench/report/profile.js';

const goodput = (name: string, ours: number, peer: number): Measurement =>
  measurement({ name, unit: 'Gbit/s', better: 'larger', ours: [ours], peers: { smoltcp: [peer] } });

const INPUT = {
  measurements: [
    goodput('core/mptcp-2sf-1460', 20, 10),
    goodput('core/mptcp-2sf-65000', 40, 50),
    measurement({ name: 'scale/packet-cost-1', unit: 'ns', better: 'smaller', ours: [500], peers: { one: [500] } }),
    measurement({
      name: 'scale/packet-cost-100000',
      unit: 'ns',
      better: 'smaller',
      ours: [600],
      peers: { one: [500] },
    }),
    measurement({ name: 'micro/token', unit: 'ns', better: 'smaller', ours: [300], peers: { typescript: [1200] } }),
  ],
  notes: ['a peer is <missing> & left out'],
  profiles: [{ name: 'core/x', functions: parts(['a', 'b', 'a', 'a']) }],
  provenance: [['Command', 'npm run bench']] as const,
  benches: [
    { name: 'core', description: 'two stacks' },
    { name: 'tun', description: 'a kernel' },
  ],
};

function markOf(text: string): Mark {
  const mark = MARKS.find((each) => each.text.startsWith(text));
  if (mark === undefined) throw new Error(`no mark begins with ${text}`);
  return mark;
}

describe('marks', () => {
  it('are met when every case reaches them', () => {
    expect(judge(markOf('core: 10 Gbit/s'), INPUT.measurements)).toMatchObject({ state: 'met', reached: 1, cases: 1 });
  });

  it('are not met when one case falls short, which is named', () => {
    expect(judge(markOf('core: faster than'), INPUT.measurements)).toMatchObject({
      state: 'not met',
      reached: 1,
      cases: 2,
      worst: { name: 'core/mptcp-2sf-65000', figure: 0.8 },
    });
    expect(judge(markOf('scale:'), INPUT.measurements).state).toBe('not met');
  });

  it('say so when nothing was measured', () => {
    expect(judge(markOf('tun with offload: half'), INPUT.measurements)).toMatchObject({
      state: 'not measured',
      worst: undefined,
    });
  });
});

describe('the report', () => {
  it('is a table of marks and one of each bench that was measured', () => {
    const text = markdownReport(INPUT);
    expect(text).toContain('| core: 10 Gbit/s with 1,460-byte segments over two subflows | must | met |');
    expect(text).toContain('**not met**');
    expect(text).toContain('| `mptcp-2sf-1460` | 20 Gbit/s | 0 % | 2 | 0 % | smoltcp 10 |');
    expect(text).toContain('## core\n\nTwo stacks.');
    expect(text).not.toContain('## tun');
    expect(text).toContain('- `core/x`: 75 % `a`, 25 % `b`');
    expect(text).toContain('| Command | npm run bench |');
  });

  it('is a page that fetches nothing and escapes what it shows', () => {
    const page = htmlReport(INPUT);
    expect(page).toContain('a peer is &lt;missing&gt; &amp; left out');
    expect(page.match(/<svg /g)).toHaveLength(5);
    expect(page.replaceAll('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|<script|<link|src=/);
  });
});

describe('plots', () => {
  it('write every value, and bars in proportion', () => {
    const drawn = barPlot({
      title: 'x',
      unit: 'Gbit/s',
      groups: [
        {
          label: 'a',
          bars: [
            { series: 'ours', value: 50 },
            { series: 'theirs', value: 100 },
          ],
        },
      ],
    });
    const widths = [...drawn.matchAll(/width="([\d.]+)" height="13"/g)].map((match) => Number(match[1]));
    expect(widths).toHaveLength(2);
    expect((widths[1] ?? 0) / (widths[0] ?? 1)).toBeCloseTo(2, 1);
    expect(drawn).toContain('100 Gbit/s');
  });

  it('survive a value of zero and a single point', () => {
    expect(
      barPlot({ title: 'x', unit: '', logarithmic: true, groups: [{ label: 'a', bars: [{ series: 's', value: 0 }] }] }),
    ).not.toContain('NaN');
    expect(linePlot({ title: 'x', xLabel: 'n', unit: 'ns', series: [{ name: 's', points: [[1, 5]] }] })).not.toContain(
      'NaN',
    );
  });

  it('round for people', () => {
    expect([0, 0.12345, 12.345, 123456].map(formatFigure)).toEqual(['0', '0.123', '12.3', '123,456']);
    expect([0.7, 1, 1.5, 3, 45, 600].map(niceCeiling)).toEqual([1, 1, 2, 4, 50, 1000]);
  });
});

describe('the comparison of two trees', () => {
  const figures = (value: number) => toJson([goodput('core/x', value, 1)]);

  it('pairs the rounds', () => {
    const [made] = compared('core/x', 'v1', [figures(22), figures(24)], [figures(11), figures(8)]);
    expect(made).toMatchObject({ name: 'core/x', value: 23, ratio: 2.5, peers: { v1: 9.5 } });
  });

  it('leaves out what one of them did not measure', () => {
    expect(compared('core/x', 'v1', [figures(1), {}], [figures(1), figures(1)])).toEqual([]);
    expect(compared('core/y', 'v1', [figures(1)], [figures(1)])).toEqual([]);
  });
});

describe('the page on middleboxes', () => {
  const cell = (name: string, outcome: string, pass: boolean, details: Record<string, string>): Measurement => ({
    ...measurement({ name: `middleboxes/${name}`, unit: 's', better: 'smaller', ours: [1], details }),
    outcome,
    pass,
  });
  const page = readFileSync(new URL('../../docs/middleboxes.md', import.meta.url), 'utf8');

  it('has a row for each box, and marks what does not pass', () => {
    const measured = [
      cell('nat-ipv4-1sf', 'multipath', true, { plain: 'complete', bytes: 'right' }),
      cell('nat-ipv6-1sf', 'reset', false, { plain: 'complete', bytes: 'right' }),
      cell('nat-ipv4-1sf-checksum', 'fallback', true, { plain: 'complete', bytes: 'altered', reason: 'checksum' }),
    ];
    const text = withMiddleboxTable(page, measured);
    expect(text).toContain(
      '| `nat` | NAT of address and port | complete | ' +
        'multipath / **reset**; checksum: fallback (checksum), bytes altered |  |  |  |',
    );
    expect(text.startsWith(page.slice(0, 200))).toBe(true);
    // Made again it is the same.
    expect(withMiddleboxTable(text, measured)).toBe(text);
    expect(() => withMiddleboxTable('# Another page', measured)).toThrow('docs/middleboxes.md must have');
  });

  it('is of cells with names of their own', () => {
    const names = CELLS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toContain('middleboxes/nat-ipv4-2sf-checksum');
  });

  it('passes what got through, and errors where plain TCP has some', () => {
    const nat = CELLS.find(({ name }) => name === 'middleboxes/nat-ipv4-1sf') as Cell;
    const one = CELLS.find(({ name }) => name === 'middleboxes/corrupt-ipv4-2sf-initial-checksum') as Cell;
    const result: Result = {
      outcome: 'multipath',
      bytes: 'right',
      wrong: '',
      reason: '',
      time: 1,
      subflows: 1,
      interventions: 1,
      leaks: [],
    };
    const reset: Result = { ...result, outcome: 'reset' };
    expect(passed(nat, result, result)).toBe(true);
    expect(passed(nat, reset, result)).toBe(false);
    expect(passed(nat, reset, reset)).toBe(true);
    expect(passed(nat, { ...result, outcome: 'stuck' }, reset)).toBe(false);
    expect(passed(nat, { ...result, leaks: ['client subflows 1'] }, result)).toBe(false);
    expect(passed(nat, { ...result, bytes: 'altered' }, result)).toBe(false);
    expect(passed(one, reset, { ...result, bytes: 'altered' })).toBe(false);
    expect(passed(one, { ...result, outcome: 'fallback', bytes: 'altered' }, result)).toBe(true);
    expect(passed(one, { ...result, outcome: 'fallback', bytes: 'altered', wrong: 'client at 9' }, result)).toBe(false);
  });
});
