import { gunzipSync } from 'node:zlib';
import * as pako from 'pako';

export const execute = () => gunzipSync(pako.gzip('from pako to zlib')).toString();
