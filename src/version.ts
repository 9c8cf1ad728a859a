import { readFileSync } from 'node:fs';

// One folder up from here, both from `src/` and from `dist/`.
const packageFile = new URL('../package.json', import.meta.url);

/** The version of lurkbox itself, as its `package.json` says. */
export const VERSION: string = JSON.parse(readFileSync(packageFile, 'utf8')).version;
