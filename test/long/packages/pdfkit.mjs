import { buffer } from 'node:stream/consumers';
import PDFDocument from 'pdfkit';

export async function execute() {
  // Its fonts are files of the package.
  const document = new PDFDocument({ compress: false, size: 'A4' });
  document.text('Hello');
  document.addPage().text('again');
  document.end();
  const bytes = (await buffer(document)).toString('latin1');
  return {
    begins: bytes.slice(0, 5),
    pages: bytes.match(/\/Type \/Page\b/g).length,
    font: bytes.includes('/Helvetica'),
  };
}
