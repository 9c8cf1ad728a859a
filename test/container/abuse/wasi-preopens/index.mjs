import { WASI } from 'node:wasi';
import { attempt } from './attempt.mjs';

// A module with one page of memory and an empty `_start`.
const MODULE = Buffer.from(
  '0061736d01000000010401600000030201000503010001071302066d656d6f72790200065f737461727400000a040102000b',
  'hex',
);

export async function execute({ inputData: { lures } }) {
  const wasi = new WASI({
    version: 'preview1',
    preopens: { '/': '/' },
    env: process.env,
    returnOnExit: true,
  });
  const { instance } = await WebAssembly.instantiate(MODULE, wasi.getImportObject());
  wasi.start(instance);
  const open = (path) => () => {
    const bytes = Buffer.from(path);
    new Uint8Array(instance.exports.memory.buffer).set(bytes, 64);
    const error = wasi.wasiImport.path_open(3, 0, 64, bytes.length, 0, 2n, 0n, 0, 0);
    if (error !== 0) throw new Error(`errno ${error}`);
  };
  return {
    shadow: await attempt(open('etc/shadow')),
    above: await attempt(open('../../../etc/shadow')),
    canary: await attempt(open(lures.canaryFile.slice(1))),
    proc: await attempt(open('proc/1/root/etc/shadow')),
  };
}
