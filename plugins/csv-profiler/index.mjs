import Papa from 'papaparse';
import { createProfile } from './profile.mjs';

const MAX_ROWS = 50_000;
/** Columns that the summary names. */
const MAX_SUMMARIZED = 12;
const DELIMITERS = [',', ';', '\t', '|'];

/** Papa Parse trims what stands between a quote and a delimiter for every quote; this bounds what there is to trim. */
const MAX_BLANKS = 256;
const LONG_BLANKS = new RegExp(`[^\\S\\r\\n]{${MAX_BLANKS + 1},}`, 'g');

/** A fenced block such as people paste into a message. */
const FENCE = /^```csv[^\S\n]*\n(.*?)^```/ms;

/** Profiles `inputData.csv`, or else the first block fenced as csv in `inputData.user_message`. */
export function execute({ inputData }, host) {
  const csv = inputData.csv ?? FENCE.exec(inputData.user_message ?? '')?.[1];
  if (csv === undefined) return { summary: 'No CSV to profile.', rows: 0 };
  const { text, problems } = shortenBlanks(csv.replace(/^\ufeff/, ''));
  const delimiter = inputData.delimiter ?? guessDelimiter(text);
  const hasHeader = inputData.has_header ?? true;
  const profile = createProfile({ hasHeader, decimalComma: delimiter === ';' });
  const maxRows = (inputData.max_rows ?? MAX_ROWS) + (hasHeader ? 1 : 0);
  const reading = readRows(text, delimiter, maxRows, profile, host);
  const { rows, columns_total: width, columns, problems: found } = profile.describe();
  return {
    summary: summarize(rows, width, columns),
    rows,
    truncated: reading.truncated,
    delimiter,
    columns_total: width,
    columns,
    problems: [...problems, ...reading.problems, ...found],
  };
}

function shortenBlanks(csv) {
  const text = csv.replace(LONG_BLANKS, ' '.repeat(MAX_BLANKS));
  const problems = text === csv ? [] : [`runs of more than ${MAX_BLANKS} blanks were shortened`];
  return { text, problems };
}

function guessDelimiter(text) {
  const { meta } = Papa.parse(text, { delimitersToGuess: DELIMITERS, preview: 10, skipEmptyLines: true });
  return meta.delimiter;
}

function readRows(text, delimiter, maxRows, profile, host) {
  const faults = new Map();
  let rows = 0;
  let truncated = false;
  Papa.parse(text, {
    delimiter,
    skipEmptyLines: true,
    step: ({ data, errors }, parser) => {
      if (rows === maxRows) {
        truncated = true;
        parser.abort();
        return;
      }
      rows++;
      profile.addRow(data);
      for (const { message } of errors) if (!faults.has(message)) faults.set(message, rows);
      if (rows % 10_000 === 0) host.progress(Math.min(1, rows / maxRows), `${rows} rows`);
    },
  });
  const problems = [...faults].map(([message, row]) => `${message}, first in row ${row}`);
  return { truncated, problems };
}

function summarize(rows, width, columns) {
  if (width === 0) return 'The CSV is empty.';
  const shown = columns.slice(0, MAX_SUMMARIZED).map(({ name, type }) => `${name} (${type})`);
  const rest = width > shown.length ? ` and ${width - shown.length} more` : '';
  return `${plural(rows, 'row')} of ${plural(width, 'column')}: ${shown.join(', ')}${rest}.`;
}

const plural = (count, noun) => `${count} ${noun}${count === 1 ? '' : 's'}`;
