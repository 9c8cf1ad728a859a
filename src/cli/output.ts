import { styleText } from 'node:util';
import { escapeControls } from '../printable.ts';

/** Results go to stdout, everything else to stderr. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** One line of JSON. Steering characters are escaped, which leaves the meaning as it is and a terminal alone. */
export function printJson(value: unknown): void {
  print(escapeControls(JSON.stringify(value)));
}

type Style = Parameters<typeof styleText>[0];

export const COLOR_MODES = ['auto', 'always', 'never'] as const;
export type ColorMode = (typeof COLOR_MODES)[number];

let color: ColorMode = 'auto';

/** For everything that is printed from then on. */
export function setColor(mode: ColorMode): void {
  color = mode;
}

/** In `auto`, colour where stdout is a terminal that wants it; `styleText` knows NO_COLOR and FORCE_COLOR. */
export function paint(style: Style, text: string): string {
  if (color === 'never') return text;
  return styleText(style, text, { stream: process.stdout, validateStream: color === 'auto' });
}

/** A warning, which may quote a stranger, as a line. */
export function toWarning(text: string): string {
  return paint('yellow', `warning: ${escapeControls(text)}`);
}

/** Columns as wide as their widest cell, each row on one line and harmless; what is wider than the terminal wraps there, so that nothing is hidden. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const escapedRows = rows.map((row) => row.map(escapeCell));
  const widths = head.map((title, column) =>
    escapedRows.reduce((width, row) => Math.max(width, plain(row[column]).length), title.length),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - plain(cell).length)))
      .join('  ')
      .trimEnd();
  return [paint('dim', line(head)), ...escapedRows.map(line)].join('\n');
}

/** Colours of lurkbox in cells; everything else in a cell may be a stranger's text. */
const COLOURS = /(\u001b\[[0-9;]*m)/;

function escapeCell(cell: string): string {
  return cell
    .split(COLOURS)
    .map((part, index) => (index % 2 === 1 ? part : escapeControls(part)))
    .join('');
}

function plain(cell: string | undefined): string {
  return (cell ?? '').replace(/\u001b\[[0-9;]*m/g, '');
}

export function formatMs(ms: number | null): string {
  if (ms === null) return '–';
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

export function formatBytes(bytes: number | null): string {
  if (bytes === null) return '–';
  return bytes < 1024 * 1024 ? `${Math.round(bytes / 1024)} kB` : `${(bytes / (1024 * 1024)).toFixed(1)} MB`;
}

/** A stranger's text in lines; only the first may look like a line of lurkbox. */
export function quoteLines(text: string): string[] {
  const [first = '', ...more] = text.split('\n').map(escapeControls);
  return [first, ...more.map((line) => `| ${line}`)];
}

const MAX_SHOWN_LINES = 40;

/** What a person reads of something long. */
export function cutLines(lines: readonly string[]): string[] {
  if (lines.length <= MAX_SHOWN_LINES) return [...lines];
  const left = lines.length - MAX_SHOWN_LINES;
  return [...lines.slice(0, MAX_SHOWN_LINES), paint('dim', `… ${left} more lines; --json shows all`)];
}
