import { strFromU8, strToU8, unzipSync, zipSync } from 'fflate';

export function execute() {
  const zip = zipSync({ 'notes/a.txt': strToU8('hello '.repeat(1000)) });
  return { small: zip.length < 1000, text: strFromU8(unzipSync(zip)['notes/a.txt']).length };
}
