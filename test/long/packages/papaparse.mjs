import Papa from 'papaparse';

export function execute() {
  const { data } = Papa.parse('name,note\nAda,"a, ""b"""\nBob,\n', { header: true, skipEmptyLines: true });
  return { data, again: Papa.unparse(data, { newline: '\n' }) };
}
