import { parse } from 'csv-parse/sync';

export const execute = () => parse('a;b\n1;"x;y"\n', { columns: true, delimiter: ';', cast: true });
