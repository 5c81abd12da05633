import { judge, MARKS } from '../marks.js';
import type { Measurement } from '../record.js';
import { PROFILES_TEXT, type ReportInput, verdictRow } from './markdown.js';
import { type BarGroup, barPlot, escapeText, linePlot } from './plot.js';
import type { Profile } from './profile.js';

const STYLE = `body{font-family:system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;line-height:1.5}
table{border-collapse:collapse;margin:1rem 0;font-size:.9rem}td,th{border:1px solid #9996;padding:.25rem .6rem;text-align:left}
svg{width:100%;height:auto;margin:1rem 0}.bad{font-weight:600;color:#c00}h2{margin-top:2.5rem}
@media(prefers-color-scheme:dark){body{background:#161616;color:#eee}.bad{color:#f66}}`;

/** A page that needs no other file: marks, plots, provenance. */
export function htmlReport(input: ReportInput): string {
  const { measurements, notes, provenance, profiles } = input;
  const verdicts = MARKS.map((mark) => judge(mark, measurements));
  const body = [
    '<h1>Performance</h1>',
    table(provenance),
    '<h2>Marks</h2>',
    table([['Mark', 'Kind', 'State', 'Furthest from it'], ...verdicts.map(verdictRow)]),
    ...notes.map((note) => `<p>${escapeText(note)}</p>`),
    ...plots(measurements),
    ...profilePlots(profiles),
  ];
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Performance of mptcp-wasm</title><style>${STYLE}</style><body>${body.join('\n')}</body></html>\n`;
}

function table(rows: readonly (readonly string[])[]): string {
  const cell = (content: string): string => {
    const bad = content.startsWith('**');
    return `<td${bad ? ' class="bad"' : ''}>${escapeText(content.replaceAll('**', ''))}</td>`;
  };
  return `<table>${rows.map((cells) => `<tr>${cells.map(cell).join('')}</tr>`).join('')}</table>`;
}

/** The plots of all benches that were measured, with their headings. */
function plots(measurements: readonly Measurement[]): string[] {
  const of = (bench: string): Measurement[] => measurements.filter(({ name }) => name.startsWith(`${bench}/`));
  const section = (title: string, drawn: readonly string[]): string[] =>
    drawn.length === 0 ? [] : [`<h2>${title}</h2>`, ...drawn];
  return [
    ...section('Core: two stacks joined by memory', corePlots(of('core'))),
    ...section('TUN: a stack and a kernel', tunPlots(of('tun'))),
    ...section('Latency', latencyPlots(of('latency'))),
    ...section('Scale', scalePlots(of('scale'))),
    ...section('Handshakes', plain(of('handshake'), 'Connections in a second, both ends in one thread', '1/s')),
    ...section('Inner functions', microPlots(of('micro'))),
  ];
}

function profilePlots(profiles: readonly Profile[]): string[] {
  if (profiles.length === 0) return [];
  return [
    '<h2>Where the time goes</h2>',
    `<p>${escapeText(PROFILES_TEXT.replaceAll('`', ''))}</p>`,
    ...profiles.map(({ name, functions }) =>
      barPlot({
        title: name,
        unit: '%',
        groups: functions.map((each) => ({
          label: each.name.replace('assembly/', ''),
          bars: [{ series: 'own time', value: each.part * 100 }],
        })),
      }),
    ),
  ];
}

function short(name: string): string {
  return name.slice(name.indexOf('/') + 1);
}

function withPeers(measurements: readonly Measurement[]): BarGroup[] {
  return measurements.map(({ name, value, peers }) => ({
    label: short(name),
    bars: [{ series: 'ours', value }, ...Object.entries(peers).map(([series, figure]) => ({ series, value: figure }))],
  }));
}

function plain(measurements: readonly Measurement[], title: string, unit: string): string[] {
  return measurements.length === 0 ? [] : [barPlot({ title, unit, groups: withPeers(measurements) })];
}

function corePlots(measurements: readonly Measurement[]): string[] {
  return ['1460', '8960', '65000'].flatMap((segment) =>
    plain(
      measurements.filter(({ name }) => name.split('-').includes(segment)),
      `Goodput with ${Number(segment).toLocaleString('en-US')}-byte segments`,
      'Gbit/s',
    ),
  );
}

function tunPlots(measurements: readonly Measurement[]): string[] {
  const cpu = measurements.map(({ name, details }) => ({
    label: short(name),
    bars: [
      { series: 'ours', value: Number(details.cpuSecondsPerGB) },
      { series: 'kernel over veth', value: Number(details.kernelCpuSecondsPerGB) },
    ],
  }));
  return measurements.length === 0
    ? []
    : [
        ...plain(measurements, 'Goodput', 'Gbit/s'),
        barPlot({ title: 'Processor time of the end measured', unit: 's/GB', groups: cpu }),
      ];
}

function latencyPlots(measurements: readonly Measurement[]): string[] {
  if (measurements.length === 0) return [];
  const groups = withPeers(measurements);
  return [barPlot({ title: 'Time from a request to its answer', unit: 'µs', groups, logarithmic: true })];
}

function microPlots(measurements: readonly Measurement[]): string[] {
  const groups = measurements.flatMap(({ name, ratio }) =>
    ratio === undefined ? [] : [{ label: short(name), bars: [{ series: 'ours over TypeScript', value: ratio }] }],
  );
  if (groups.length === 0) return [];
  const lines = [
    { value: 1, label: 'equal' },
    { value: 3, label: 'mark' },
  ];
  return [barPlot({ title: 'Speed over the same in TypeScript', unit: '×', groups, logarithmic: true, lines })];
}

/** Curves of cases whose names end in a number. */
function scalePlots(measurements: readonly Measurement[]): string[] {
  const curve = (prefix: string): (readonly [number, number])[] =>
    measurements.flatMap(({ name, value }) => {
      const match = new RegExp(`^scale/${prefix}-(\\d+)(?:sf)?$`).exec(name);
      return match === null ? [] : [[Number(match[1]), value] as const];
    });
  const drawn = (title: string, xLabel: string, unit: string, curves: Readonly<Record<string, string>>): string[] => {
    const series = Object.entries(curves)
      .map(([name, prefix]) => ({ name, points: curve(prefix) }))
      .filter(({ points }) => points.length > 0);
    return series.length === 0 ? [] : [linePlot({ title, xLabel, unit, series })];
  };
  const bySubflows = measurements.filter(({ name }) => /-\d+sf$/.test(name));
  const connections = measurements.filter(({ name }) => !/-\d+sf$/.test(name));
  return [
    ...(connections.length > 0
      ? drawn('Cost of a packet among connections', 'connections', 'ns', {
          'one connection busy': 'packet-cost',
          'every packet of another connection': 'packet-cost-all',
        })
      : []),
    ...drawn('Cost of a packet among ranges received out of order', 'ranges', 'ns', { packet: 'packet-cost-ranges' }),
    ...drawn('Cost of telling the time', 'connections with keep-alive', 'ns', { call: 'time-call' }),
    ...drawn('Memory of an idle connection', 'connections', 'bytes', { bytes: 'memory' }),
    ...plain(bySubflows, 'Cost of a segment over subflows', 'ns'),
  ];
}
