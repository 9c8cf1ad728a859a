import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What takes longest, in this order: begun last it would run alone. On a clean clone nothing else is known of the files. */
const LONGEST = [
  'container/abuse',
  'container/blame',
  'container/pool',
  'container/outcomes',
  'container/cli',
  'container/guard',
  'container/kill',
  'container/attack',
  'image/fetch-and-unpack',
  'versions/crash',
  'versions/hot-reload/hot-reload-manager',
  'sandboxes/container/execution-faults',
  'schemas/schema-checker',
  'versions/state-place',
  'image/lock-packages',
  'cli/bad-input',
].map((name) => `test/${name}.test.ts`);

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const placeOf = ({ moduleId }: TestSpecification): number => {
      const place = LONGEST.indexOf(relative(process.cwd(), moduleId));
      return place === -1 ? LONGEST.length : place;
    };
    return (await super.sort(files)).sort((a, b) => placeOf(a) - placeOf(b));
  }
}
