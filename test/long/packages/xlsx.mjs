import XLSX from 'xlsx';

export function execute() {
  const book = XLSX.utils.book_new();
  XLSX.utils.book_append_sheet(book, XLSX.utils.json_to_sheet([{ name: 'Ada', born: 1815 }]), 'People');
  const read = XLSX.read(XLSX.write(book, { type: 'buffer', bookType: 'xlsx' }), { type: 'buffer' });
  return { sheets: read.SheetNames, csv: XLSX.utils.sheet_to_csv(read.Sheets.People) };
}
