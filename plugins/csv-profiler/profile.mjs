import { createColumn, shorten } from './column.mjs';

const MAX_COLUMNS = 100;
/** Rows of one kind of problem that are named. */
const MAX_NAMED_ROWS = 5;

/**
 * Collects a table row by row. The first row is the header unless `hasHeader` is false. Problems name rows
 * by number, counted from 1 with the header.
 */
export function createProfile({ hasHeader, decimalComma }) {
  let columns = null;
  let width = 0;
  let [row, dataRows] = [0, 0];
  const headerProblems = [];
  const ragged = { short: [], long: [] };

  return {
    addRow(cells) {
      row++;
      if (columns === null) {
        width = cells.length;
        const header = cells
          .slice(0, MAX_COLUMNS)
          .map((cell) => (hasHeader ? shorten(cell.trim()).replace(/\s+/g, ' ') : ''));
        columns = toNames(header).map((name) => createColumn(name, decimalComma));
        if (hasHeader) {
          headerProblems.push(...problemsOfHeader(header));
          return;
        }
      }
      dataRows++;
      if (cells.length < width) ragged.short.push(row);
      if (cells.length > width) ragged.long.push(row);
      for (const [at, column] of columns.entries()) column.add(cells[at] ?? '', row);
    },
    describe: () => ({
      rows: dataRows,
      columns_total: width,
      columns: (columns ?? []).map((column) => column.describe()),
      problems: [
        ...headerProblems,
        ...raggedProblem(ragged.short, 'fewer', width),
        ...raggedProblem(ragged.long, 'more', width),
        ...(width > MAX_COLUMNS ? [`only the first ${MAX_COLUMNS} of ${width} columns are profiled`] : []),
      ],
    }),
  };
}

/** A name for each column: without one it is `column_3`, the second `id` is `id_2`. */
function toNames(header) {
  const uses = new Map();
  return header.map((cell, at) => {
    const base = cell || `column_${at + 1}`;
    const use = (uses.get(base) ?? 0) + 1;
    uses.set(base, use);
    return use === 1 ? base : `${base}_${use}`;
  });
}

function problemsOfHeader(header) {
  const named = Map.groupBy(header, (cell) => cell);
  const nameless = named.get('')?.length ?? 0;
  named.delete('');
  const repeated = [...named].filter(([, cells]) => cells.length > 1);
  return [
    ...(nameless > 0 ? [`${nameless} of ${header.length} columns have no name`] : []),
    ...repeated.map(([name, cells]) => `${cells.length} columns are named "${name}"`),
  ];
}

function raggedProblem(rows, comparison, width) {
  if (rows.length === 0) return [];
  const named = rows.slice(0, MAX_NAMED_ROWS).join(', ');
  const rest = rows.length > MAX_NAMED_ROWS ? ' and more' : '';
  return [`rows with ${comparison} than ${width} cells: ${rows.length}, row ${named}${rest}`];
}
