import { transformSync } from 'esbuild';

export const execute = () =>
  transformSync('const twice = (n: number): number => n * 2;', { loader: 'ts', minify: true }).code;
