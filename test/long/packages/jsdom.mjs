import { JSDOM } from 'jsdom';

export function execute() {
  const { window } = new JSDOM('<ul><li>one</li></ul>');
  const item = window.document.createElement('li');
  item.textContent = 'two';
  window.document.querySelector('ul').append(item);
  return window.document.querySelector('ul').outerHTML;
}
