// A small writer of SVG plots, readable on a light and on a dark page.

const WIDTH = 760;
const MARGIN = { top: 48, right: 24, bottom: 56, left: 72 };
const LEGEND_ROW = 20;
const BAR = 13;
const BAR_GAP = 14;
const BAR_LABELS = 200;
/** Colours that are told apart on white and on black, also by those who see few of them. */
const COLOURS = ['#4c8dd6', '#e0802f', '#3fa66b', '#c65fa8', '#8a8f98', '#b59a1d'];

const STYLE = `
  .page { fill: #ffffff } .ink { fill: #1f2328 } .dim { fill: #59636e } .grid { stroke: #d1d9e0 }
  text { font: 13px system-ui, sans-serif } .title { font-weight: 600; font-size: 15px }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } .ink { fill: #e6edf3 } .dim { fill: #9198a1 } .grid { stroke: #3d444d }
  }`;

export interface Axis {
  readonly label: string;
  readonly log?: boolean;
  /** Where lines of the grid are. @default at powers of ten, or at five round numbers from 0 */
  readonly ticks?: readonly { readonly at: number; readonly label: string }[];
}

export interface Series {
  readonly label: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Marks each point; a curve of very many has none. */
  readonly dots?: boolean;
}

export interface LinePlot {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
}

export interface BarPlot {
  readonly title: string;
  readonly x: Axis;
  /** What the bars of a group are, in their order. */
  readonly legend: readonly string[];
  readonly groups: readonly { readonly label: string; readonly values: readonly (number | undefined)[] }[];
}

export function drawLines({ title, x, y, series }: LinePlot): string {
  const legendRows = Math.ceil(series.length / 3);
  const top = MARGIN.top + legendRows * LEGEND_ROW;
  const height = top + 320 + MARGIN.bottom;
  const points = series.flatMap((line) => line.points);
  const across = toScale(
    x,
    points.map(([value]) => value),
    [MARGIN.left, WIDTH - MARGIN.right],
  );
  const up = toScale(
    y,
    points.map(([, value]) => value),
    [height - MARGIN.bottom, top],
  );
  const lines = series.flatMap(({ points: own, dots }, index) => {
    const places = own.map(([px, py]) => [across.place(px), up.place(py)] as const);
    const path = places.map(([px, py]) => `${fix(px)},${fix(py)}`).join(' ');
    const colour = colourOf(index);
    return [
      `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      ...(dots
        ? places.map(([px, py]) => `<circle cx="${fix(px)}" cy="${fix(py)}" r="4" fill="${colour}"/>`)
        : []),
    ];
  });
  return toSvg(height, [
    text(MARGIN.left, 26, title, 'ink title'),
    ...drawLegend(
      series.map(({ label }) => label),
      MARGIN.top,
    ),
    ...drawVerticalGrid(across, top, height - MARGIN.bottom),
    ...drawHorizontalGrid(up),
    ...drawLabels(x, y, top, height),
    ...lines,
  ]);
}

export function drawBars({ title, x, legend, groups }: BarPlot): string {
  const top = MARGIN.top + LEGEND_ROW;
  const groupHeight = legend.length * BAR + BAR_GAP;
  const height = top + groups.length * groupHeight + MARGIN.bottom;
  const values = groups.flatMap((group) => group.values.filter((value) => value !== undefined));
  const across = toScale(x, values, [BAR_LABELS, WIDTH - MARGIN.right - 40]);
  const bars = groups.flatMap(({ label, values: own }, row) => {
    const from = top + row * groupHeight + BAR_GAP / 2;
    return [
      text(BAR_LABELS - 10, from + (legend.length * BAR) / 2 + 4, label, 'ink', 'text-anchor="end"'),
      ...own.flatMap((value, index) =>
        value === undefined ? [] : drawBar(across, value, from + index * BAR, index),
      ),
    ];
  });
  return toSvg(height, [
    text(BAR_LABELS, 26, title, 'ink title'),
    ...drawLegend(legend, MARGIN.top, BAR_LABELS),
    ...drawVerticalGrid(across, top, height - MARGIN.bottom),
    text((BAR_LABELS + WIDTH) / 2, height - 14, x.label, 'dim', 'text-anchor="middle"'),
    ...bars,
  ]);
}

function drawBar(across: Scale, value: number, y: number, index: number): string[] {
  const width = Math.max(1, across.place(value) - BAR_LABELS);
  const shown = value >= 100 ? value.toFixed(0) : value.toFixed(1);
  return [
    `<rect x="${BAR_LABELS}" y="${fix(y)}" width="${fix(width)}" height="${BAR - 1}" fill="${colourOf(index)}"/>`,
    text(BAR_LABELS + width + 5, y + BAR - 3, shown, 'dim', 'font-size="11"'),
  ];
}

interface Scale {
  place(value: number): number;
  readonly ticks: readonly { readonly at: number; readonly label: string }[];
}

function toScale(axis: Axis, values: readonly number[], [from, to]: [number, number]): Scale {
  const positive = values.filter((value) => value > 0);
  const ticks = axis.ticks ?? (axis.log ? powersOfTen(positive) : roundNumbers(values));
  const ends = [...ticks.map(({ at }) => at), ...values.filter((value) => !axis.log || value > 0)];
  const transform = axis.log ? Math.log10 : (value: number): number => value;
  const [low, high] = [transform(Math.min(...ends)), transform(Math.max(...ends))];
  const span = high - low || 1;
  return { place: (value) => from + ((transform(value) - low) / span) * (to - from), ticks };
}

function powersOfTen(values: readonly number[]): { at: number; label: string }[] {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.ceil(Math.log10(Math.max(...values)));
  return Array.from({ length: high - low + 1 }, (_, index) => toTick(10 ** (low + index)));
}

function roundNumbers(values: readonly number[]): { at: number; label: string }[] {
  const most = Math.max(...values, 1e-9);
  const rough = most / 5;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((factor) => factor * unit >= rough) ?? 10) * unit;
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, index) => toTick(index * step));
}

function toTick(at: number): { at: number; label: string } {
  return { at, label: Number(at.toPrecision(6)).toLocaleString('en') };
}

function drawVerticalGrid(across: Scale, top: number, bottom: number): string[] {
  return across.ticks.flatMap(({ at, label }) => {
    const x = fix(across.place(at));
    return [
      `<line class="grid" x1="${x}" x2="${x}" y1="${top}" y2="${bottom}"/>`,
      text(Number(x), bottom + 18, label, 'dim', 'text-anchor="middle"'),
    ];
  });
}

function drawHorizontalGrid(up: Scale): string[] {
  return up.ticks.flatMap(({ at, label }) => {
    const y = fix(up.place(at));
    return [
      `<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y}" y2="${y}"/>`,
      text(MARGIN.left - 8, Number(y) + 4, label, 'dim', 'text-anchor="end"'),
    ];
  });
}

function drawLabels(x: Axis, y: Axis, top: number, height: number): string[] {
  const middle = (top + height - MARGIN.bottom) / 2;
  return [
    text((MARGIN.left + WIDTH) / 2, height - 14, x.label, 'dim', 'text-anchor="middle"'),
    text(18, middle, y.label, 'dim', `text-anchor="middle" transform="rotate(-90 18 ${fix(middle)})"`),
  ];
}

function drawLegend(labels: readonly string[], top: number, left = MARGIN.left): string[] {
  const column = (WIDTH - left) / 3;
  return labels.flatMap((label, index) => {
    const x = left + (index % 3) * column;
    const y = top + Math.floor(index / 3) * LEGEND_ROW;
    return [
      `<rect x="${fix(x)}" y="${y - 9}" width="12" height="10" fill="${colourOf(index)}"/>`,
      text(x + 18, y, label, 'ink'),
    ];
  });
}

function toSvg(height: number, parts: readonly string[]): string {
  const size = `width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}"`;
  const page = `<rect class="page" width="${WIDTH}" height="${height}"/>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img">\n<style>${STYLE}\n</style>\n${[page, ...parts].join('\n')}\n</svg>\n`;
}

function text(x: number, y: number, content: string, look: string, more = ''): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text class="${look}" x="${fix(x)}" y="${fix(y)}"${more === '' ? '' : ` ${more}`}>${escaped}</text>`;
}

function colourOf(index: number): string {
  return COLOURS[index % COLOURS.length] as string;
}

function fix(value: number): string {
  return value.toFixed(1);
}
