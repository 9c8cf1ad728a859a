import * as cheerio from 'cheerio';

export function execute() {
  const $ = cheerio.load(
    '<table><tr><td>a</td><td class="n">1</td></tr><tr><td>b</td><td class="n">2</td></tr></table>',
  );
  return {
    numbers: $('td.n')
      .map((_, cell) => Number($(cell).text()))
      .get(),
    names: $('tr td:first-child').text(),
  };
}
