import { crc32 as ofZlib } from 'node:zlib';
import { crc32 } from '@node-rs/crc32';

export const execute = () => ({ same: crc32('a text') === ofZlib('a text'), value: crc32('a text') });
