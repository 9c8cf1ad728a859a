import { describe, expect, test } from 'vitest';
import { formatBytes, formatMs, formatTable } from '../../src/cli/output.ts';

test.each([
  [null, '–'],
  [0, '0 ms'],
  [12.6, '13 ms'],
  [999.4, '999 ms'],
  [1000, '1.00 s'],
  [61_234, '61.23 s'],
])('formatMs(%s) is %s', (ms, text) => expect(formatMs(ms)).toBe(text));

test.each([
  [null, '–'],
  [0, '0 kB'],
  [1536, '2 kB'],
  [1024 * 1024, '1.0 MB'],
  [113_857_331, '108.6 MB'],
])('formatBytes(%s) is %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

describe('formatTable', () => {
  test('makes columns as wide as their widest cell and leaves no blanks at the end', () => {
    expect(
      formatTable(
        ['a', 'title'],
        [
          ['wide', 'x'],
          ['b', ''],
        ],
      ),
    ).toBe('a     title\nwide  x\nb');
  });

  test('does not count colour as width', () => {
    expect(formatTable(['name', 'next'], [['\u001b[32mok\u001b[39m', 'x']])).toBe(
      'name  next\n\u001b[32mok\u001b[39m    x',
    );
  });
});
