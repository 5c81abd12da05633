/* Plots as SVG that needs nothing else: colours that differ in lightness too, and every value written out. */

export interface Bar {
  readonly series: string;
  readonly value: number;
}

export interface BarGroup {
  readonly label: string;
  readonly bars: readonly Bar[];
}

export interface BarPlot {
  readonly title: string;
  readonly unit: string;
  readonly groups: readonly BarGroup[];
  /** Logarithmic axis, for values that differ by orders of magnitude. */
  readonly logarithmic?: boolean;
  /** Lines across the plot: what is to be reached. */
  readonly lines?: readonly { readonly value: number; readonly label: string }[];
}

export interface LinePlot {
  readonly title: string;
  readonly xLabel: string;
  readonly unit: string;
  readonly series: readonly { readonly name: string; readonly points: readonly (readonly [number, number])[] }[];
}

const COLORS = ['#0b5394', '#e69138', '#6aa84f', '#a64d79', '#45818e', '#999999'];
const WIDTH = 900;
const LABEL_WIDTH = 250;
const VALUE_WIDTH = 90;
const BAR = 15;
const GROUP_GAP = 10;
const TOP = 64;

/** Text as it may stand in HTML and SVG. */
export function escapeText(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}

/** A number for people: three or four digits, thousands apart. */
export function formatFigure(value: number): string {
  if (value === 0) return '0';
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escapeText(content)}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function legend(names: readonly string[], y: number): string {
  let x = LABEL_WIDTH;
  return names
    .map((name, index) => {
      const at = x;
      x += 30 + name.length * 7.5;
      return `<rect x="${round(at)}" y="${y - 10}" width="12" height="12" fill="${color(index)}"/>${text(at + 17, y, name)}`;
    })
    .join('');
}

function color(index: number): string {
  return COLORS[index % COLORS.length] as string;
}

function svg(height: number, title: string, body: string): string {
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${round(height)}" role="img" ` +
    `font-family="system-ui, sans-serif" font-size="12" fill="currentColor"><title>${escapeText(title)}</title>` +
    `${text(0, 18, title, 'font-size="15" font-weight="600"')}${body}</svg>`
  );
}

/** Horizontal bars in groups, each with its value. */
export function barPlot({ title, unit, groups, logarithmic = false, lines = [] }: BarPlot): string {
  const series = [...new Set(groups.flatMap(({ bars }) => bars.map((bar) => bar.series)))];
  const values = [...groups.flatMap(({ bars }) => bars.map(({ value }) => value)), ...lines.map(({ value }) => value)];
  const largest = Math.max(...values, Number.MIN_VALUE);
  const smallest = Math.min(...values.filter((value) => value > 0), largest);
  const room = WIDTH - LABEL_WIDTH - VALUE_WIDTH;
  const floor = Math.log10(smallest) - 0.3;
  const length = (value: number): number => {
    if (value <= 0) return 0;
    if (!logarithmic) return (value / largest) * room;
    return Math.max(1, ((Math.log10(value) - floor) / (Math.log10(largest) - floor)) * room);
  };
  let y = TOP;
  let body = legend(series, 42);
  for (const { label, bars } of groups) {
    body += text(LABEL_WIDTH - 8, y + (bars.length * BAR) / 2 + 4, label, 'text-anchor="end"');
    for (const { series: name, value } of bars) {
      const width = length(value);
      body += `<rect x="${LABEL_WIDTH}" y="${y}" width="${round(width)}" height="${BAR - 2}" fill="${color(series.indexOf(name))}"/>`;
      body += text(LABEL_WIDTH + width + 5, y + BAR - 4, `${formatFigure(value)} ${unit}`);
      y += BAR;
    }
    y += GROUP_GAP;
  }
  for (const { value, label } of lines) {
    const x = round(LABEL_WIDTH + length(value));
    body += `<line x1="${x}" y1="${TOP - 6}" x2="${x}" y2="${y}" stroke="#cc0000" stroke-dasharray="4 3"/>`;
    body += text(x, y + 12, label, 'text-anchor="middle" fill="#cc0000"');
  }
  return svg(y + 20, logarithmic ? `${title} (logarithmic)` : title, body);
}

/** Lines over a logarithmic x axis, from zero upwards. */
export function linePlot({ title, xLabel, unit, series }: LinePlot): string {
  const height = 360;
  const left = 80;
  const right = WIDTH - 40;
  const bottom = height - 46;
  const points = series.flatMap((each) => each.points);
  const xs = points.map(([x]) => Math.log10(x));
  const [lowest, highest] = [Math.min(...xs), Math.max(...xs)];
  const top = niceCeiling(Math.max(...points.map(([, y]) => y), Number.MIN_VALUE));
  const atX = (x: number): number =>
    highest === lowest ? (left + right) / 2 : left + ((Math.log10(x) - lowest) / (highest - lowest)) * (right - left);
  const atY = (y: number): number => bottom - (y / top) * (bottom - TOP);
  let body = legend(
    series.map(({ name }) => name),
    42,
  );
  for (let step = 0; step <= 4; step++) {
    const y = atY((top * step) / 4);
    body += `<line x1="${left}" y1="${round(y)}" x2="${right}" y2="${round(y)}" stroke="#999" stroke-opacity="0.4"/>`;
    body += text(left - 8, y + 4, formatFigure((top * step) / 4), 'text-anchor="end"');
  }
  for (const x of [...new Set(points.map(([each]) => each))]) {
    body += text(atX(x), bottom + 18, formatFigure(x), 'text-anchor="middle"');
  }
  body += text((left + right) / 2, height - 6, xLabel, 'text-anchor="middle"');
  body += text(left - 8, TOP - 12, unit, 'text-anchor="end"');
  for (const [index, { points: own }] of series.entries()) {
    const path = own.map(([x, y], at) => `${at === 0 ? 'M' : 'L'}${round(atX(x))} ${round(atY(y))}`).join('');
    body += `<path d="${path}" fill="none" stroke="${color(index)}" stroke-width="2"/>`;
    for (const [x, y] of own) {
      body += `<circle cx="${round(atX(x))}" cy="${round(atY(y))}" r="3.5" fill="${color(index)}"><title>${formatFigure(x)}: ${formatFigure(y)} ${escapeText(unit)}</title></circle>`;
    }
  }
  return svg(height, title, body);
}

/** The next of 1, 2, 4, 5, 10, 20, … at or above a value. */
export function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 4, 5, 10].find((each) => each * power >= value) ?? 10;
  return step * power;
}
