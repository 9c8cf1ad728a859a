import Handlebars from 'handlebars';

export function execute() {
  const letter = Handlebars.compile('Dear {{name}},{{#each items}} {{@index}}: {{this}};{{/each}}');
  return letter({ name: 'Ada & Co', items: ['tea', 'cake'] });
}
