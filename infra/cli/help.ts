import type { z } from 'zod';
import type { Command } from './command.ts';
import { type Field, fieldsOf } from './describe-schema.ts';
import { flagName, globalOptions } from './parse.ts';
import { columns } from './table.ts';

const flagRow = (field: Field): [string, string] => {
  const value = field.type === 'boolean' ? '' : ` ${field.type.includes('|') ? field.type : 'VALUE'}`;
  const repeated = field.type.startsWith('list of') ? ' (repeatable)' : '';
  const written = field.default?.replaceAll('"', '');
  const fallback =
    written === undefined || written === 'false' || written === '[]' ? '' : ` [default: ${written}]`;
  const needed = field.required ? ' (required)' : '';
  return [`--${flagName(field.path)}${value}`, `${field.about ?? ''}${repeated}${needed}${fallback}`];
};

const positionalText = (schema: z.ZodObject): string =>
  fieldsOf(schema)
    .map(({ path, required }) => (required ? path.toUpperCase() : `[${path.toUpperCase()}]`))
    .join(' ');

/** The line that shows how a command is written: `understudy status RUN [options]`. */
export const usageLine = (command: Command): string =>
  ['understudy', command.name, positionalText(command.positionals), '[options]'].filter(Boolean).join(' ');

/** `understudy <command> --help`, made from the command's schemas. */
export const commandHelp = (command: Command): string => {
  const positionals = fieldsOf(command.positionals).map(({ path, about }): [string, string] => [
    path.toUpperCase(),
    about ?? '',
  ]);
  const options = [...fieldsOf(command.options), ...fieldsOf(globalOptions)].map(flagRow);
  const sections = [`${command.summary}\n`, `Usage: ${usageLine(command)}\n`];
  if (positionals.length > 0) sections.push(`${columns(positionals)}\n`);
  sections.push('Options:', columns(options));
  return sections.join('\n');
};

/** `understudy --help`: every command in one line, and the flags that all take. */
export const globalHelp = (commands: readonly Command[]): string =>
  [
    'understudy: synthetic patients that stand in for real ones\n',
    'Usage: understudy COMMAND [options]\n',
    'Commands:',
    columns(commands.map(({ name, summary }): [string, string] => [name, summary])),
    '\nOptions of every command:',
    columns(fieldsOf(globalOptions).map(flagRow)),
    '\n`understudy COMMAND --help` shows the options of a command.',
  ].join('\n');
