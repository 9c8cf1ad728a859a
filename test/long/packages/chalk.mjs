import { Chalk } from 'chalk';

export const execute = () => new Chalk({ level: 1 }).red.bold('stop');
