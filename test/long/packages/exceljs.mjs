import ExcelJS from 'exceljs';

export async function execute() {
  const made = new ExcelJS.Workbook();
  const sheet = made.addWorksheet('Sums');
  sheet.addRows([
    ['apples', 3],
    ['pears', 4],
  ]);
  sheet.getCell('B3').value = { formula: 'SUM(B1:B2)', result: 7 };
  const read = new ExcelJS.Workbook();
  await read.xlsx.load(await made.xlsx.writeBuffer());
  const { formula, result } = read.getWorksheet('Sums').getCell('B3').value;
  return { first: read.getWorksheet('Sums').getCell('A1').value, formula, result };
}
