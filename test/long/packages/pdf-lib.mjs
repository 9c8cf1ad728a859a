import { PDFDocument, StandardFonts } from 'pdf-lib';

export async function execute() {
  const made = await PDFDocument.create();
  made.setTitle('Minutes');
  const page = made.addPage([200, 100]);
  page.drawText('Hello', { x: 10, y: 50, font: await made.embedFont(StandardFonts.Helvetica) });
  made.addPage();
  const read = await PDFDocument.load(await made.save());
  return { title: read.getTitle(), pages: read.getPageCount(), size: read.getPage(0).getSize() };
}
