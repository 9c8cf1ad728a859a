// The reference of the command line, made from its table of commands.

import { COMMANDS, COMMON_OPTIONS, type CommandRow, type OptionRow } from '../src/cli/command-table.ts';
import { table } from './tables.ts';

export function commandList(): string {
  return COMMANDS.flatMap((row) => describe(row, 'lurkbox')).join('\n\n');
}

export function commonOptions(): string {
  return optionTable(COMMON_OPTIONS);
}

/** A command that has commands below it is described by these. */
function describe(row: CommandRow, parent: string): string[] {
  const name = `${parent} ${row.name}`;
  if (row.commands !== undefined) return row.commands.flatMap((command) => describe(command, name));
  const given = row.arguments ?? [];
  const usage = [name, ...given.map(({ form }) => form)].join(' ');
  const notes = given.flatMap(({ form, about, choices }) => {
    const text = [about, choices && list(choices)].filter((part) => part !== undefined).join(': ');
    return text === '' ? [] : [`- \`${form}\`: ${text}`];
  });
  const options = (row.options ?? []).filter(({ about }) => about !== undefined);
  return [
    `### \`${usage}\``,
    `${upper(row.about)}.`,
    ...(notes.length === 0 ? [] : [notes.join('\n')]),
    ...(options.length === 0 ? [] : [optionTable(options)]),
  ];
}

function optionTable(options: readonly OptionRow[]): string {
  return table(
    ['Option', 'Default', 'Meaning'],
    options.map(({ form, about = '', choices, otherwise, not }) => [
      `\`${form}\``,
      otherwise === undefined ? '' : `\`${otherwise}\``,
      [about, choices && list(choices), not && `not with \`--${toFlag(not)}\``]
        .filter((part) => part !== undefined)
        .join('; '),
    ]),
  );
}

function list(choices: readonly string[]): string {
  return choices.map((choice) => `\`${choice}\``).join(', ');
}

function toFlag(option: string): string {
  return option.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function upper(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
