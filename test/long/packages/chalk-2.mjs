import chalk from 'chalk';

export const execute = () => new chalk.constructor({ level: 1, enabled: true }).red.bold('stop');
