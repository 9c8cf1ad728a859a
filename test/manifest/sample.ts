/** The smallest manifest, as it would be written. */
export const MINIMAL = {
  name: 'word-count',
  version: '1.0.0',
  author: { name: 'Ada' },
  description: 'Counts the words of a text',
  plugin_type: 'tool',
  entry_point: 'index.js',
} as const;
