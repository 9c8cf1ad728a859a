import { parse, stringify } from 'yaml';

export function execute() {
  const settings = parse('name: a\nlist: [1, 2]\nbase: &b {x: 1}\nother: *b\n');
  return { settings, again: stringify({ list: settings.list }) };
}
