import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import type { LayerEntry } from '../../src/image/layer.ts';
import { withProgramModes } from '../../src/image/program-modes.ts';

async function modesOf(contents: Readonly<Record<string, string>>, chunkBytes: number) {
  async function* entries(): AsyncGenerator<LayerEntry> {
    yield { path: 'folder', type: 'folder' };
    for (const [path, text] of Object.entries(contents)) {
      const bytes = Buffer.from(text, 'latin1');
      const stream = (async function* () {
        for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
      })();
      yield { path, type: 'file', content: { stream, sizeBytes: bytes.length } };
      yield { path: `${path}-in-memory`, type: 'file', content: bytes };
    }
  }
  const modes: Record<string, unknown> = {};
  for await (const entry of withProgramModes(entries())) {
    if (entry.type !== 'file') continue;
    modes[entry.path] = entry.mode;
    const { content } = entry;
    const text = Buffer.isBuffer(content)
      ? content
      : 'stream' in content
        ? await buffer(content.stream)
        : null;
    expect(text?.toString('latin1')).toBe(contents[entry.path.replace('-in-memory', '')]);
  }
  return modes;
}

test.each([1, 3, 4096])(
  'a file that begins as a program is executable, in pieces of %i bytes',
  async (chunkBytes) => {
    const contents = {
      elf: '\x7fELF\x02 and on',
      script: '#!/bin/sh\necho',
      text: 'x#!',
      short: '#',
      nothing: '',
    };
    expect(await modesOf(contents, chunkBytes)).toEqual({
      elf: 0o755,
      'elf-in-memory': 0o755,
      script: 0o755,
      'script-in-memory': 0o755,
      text: undefined,
      'text-in-memory': undefined,
      short: undefined,
      'short-in-memory': undefined,
      nothing: undefined,
      'nothing-in-memory': undefined,
    });
  },
);
