import { XMLBuilder, XMLParser } from 'fast-xml-parser';

export function execute() {
  const read = new XMLParser({ ignoreAttributes: false }).parse('<a><b n="1">x</b><b n="2">y</b></a>');
  return { read, again: new XMLBuilder({ ignoreAttributes: false }).build(read) };
}
