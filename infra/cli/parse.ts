import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { z } from 'zod';
import { didYouMean, noSuchName } from '../../pipelines/kernel/names.ts';
import { inputSchema, issueText, shown } from '../../pipelines/kernel/parse-config.ts';
import { StageError } from '../../schemas/errors.ts';
import type { Command } from './command.ts';

/** Flags that every command takes. */
export const globalOptions = z.object({
  json: z.boolean().default(false).describe('print one JSON document on stdout, also for errors'),
  help: z.boolean().default(false).describe('show what a command does and its options (-h)'),
  version: z.boolean().default(false).describe('show the version of Understudy'),
});

/** What a command line asks for. */
export interface Request {
  command: Command | undefined;
  flags: z.output<typeof globalOptions>;
  /** Positionals and options as the command's `run` takes them; empty where help or version is asked. */
  input: Record<string, unknown>;
}

/** `checkpointEvery` → `checkpoint-every`. */
export const flagName = (key: string): string => key.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);

const usage = (message: string): StageError => new StageError('InvalidUsage', message);

interface Flag {
  key: string;
  type: 'string' | 'boolean';
  multiple: boolean;
  toValue(text: string): unknown;
}

const flagsOf = (schema: z.ZodObject): Map<string, Flag> => {
  const properties = Object.entries(inputSchema(schema).properties ?? {});
  return new Map(
    properties.map(([key, property]) => {
      const node = typeof property === 'object' ? property : {};
      const item = node.type === 'array' && !Array.isArray(node.items) ? Object(node.items) : node;
      const numeric = item.type === 'number' || item.type === 'integer';
      // What is not a number stays text, so that the schema's message names what it expected.
      const toNumber = (text: string) => (text.trim() === '' || Number.isNaN(+text) ? text : +text);
      const flag: Flag = {
        key,
        type: item.type === 'boolean' ? 'boolean' : 'string',
        multiple: node.type === 'array',
        toValue: numeric ? toNumber : (text) => text,
      };
      return [flagName(key), flag];
    }),
  );
};

const readFlags = (name: string, args: string[], flags: Map<string, Flag>) => {
  const options: ParseArgsOptionsConfig = { help: { type: 'boolean', short: 'h' } };
  for (const [flag, { type, multiple }] of flags)
    options[flag] = { ...options[flag], type, multiple: multiple && type === 'string' };
  const { tokens } = parseArgs({ args, options, tokens: true, strict: false, allowPositionals: true });
  const values: Record<string, unknown> = {};
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const flag = flags.get(token.name);
    const { rawName, value } = token;
    if (!flag) {
      const known = [...flags.keys()].map((key) => `--${key}`);
      throw usage(`${name} takes no option ${rawName}${didYouMean(rawName, known)}`);
    }
    if (flag.type === 'boolean') {
      if (value !== undefined) throw usage(`${rawName} takes no value, found ${shown(value)}`);
      values[flag.key] = true;
    } else if (value === undefined || (!token.inlineValue && /^-./.test(value))) {
      throw usage(`${rawName} needs a value after it`);
    } else if (flag.multiple) {
      const earlier = values[flag.key];
      values[flag.key] = [...(Array.isArray(earlier) ? earlier : []), flag.toValue(value)];
    } else {
      if (flag.key in values) throw usage(`${rawName} is given twice`);
      values[flag.key] = flag.toValue(value);
    }
  }
  return { values, positionals };
};

const check = (schema: z.ZodObject, given: Record<string, unknown>, named: (key: string) => string) => {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => {
    const [key = '', index] = issue.path.map(String);
    const value = given[key];
    const at = index !== undefined && Array.isArray(value) ? value[Number(index)] : value;
    return value === undefined ? `${named(key)} is missing` : `${named(key)}: ${issueText(issue, at)}`;
  });
  throw usage(problems.join('\n'));
};

const findCommand = (name: string, commands: readonly Command[]): Command => {
  const found = commands.find((command) => command.name === name);
  if (found) return found;
  const names = commands.map((command) => command.name);
  throw usage(noSuchName('command', name, names));
};

/** True when the command line asks for JSON; right even where the rest of it cannot be parsed. */
export const wantsJson = (argv: readonly string[]): boolean => {
  const end = argv.indexOf('--');
  return argv.slice(0, end === -1 ? argv.length : end).includes('--json');
};

/** Reads a command line by the schemas of its command. Throws InvalidUsage naming what was expected. */
export const parseCommandLine = (argv: readonly string[], commands: readonly Command[]): Request => {
  const at = argv.findIndex((arg) => !arg.startsWith('-'));
  const help = argv[at] === 'help';
  const args = argv.filter((_, i) => i !== at);
  if (help) return parseCommandLine([...args, '--help'], commands);
  const word = argv[at];
  const command = word === undefined ? undefined : findCommand(word, commands);
  const own = command?.options ?? z.object({});
  const flags = new Map([...flagsOf(own), ...flagsOf(globalOptions)]);
  const { values, positionals } = readFlags(command?.name ?? 'understudy', args, flags);
  const asked = globalOptions.parse(
    Object.fromEntries(Object.entries(values).filter(([key]) => key in globalOptions.shape)),
  );
  if (!command || asked.help || asked.version) return { command, flags: asked, input: {} };
  const names = Object.keys(command.positionals.shape);
  const extra = positionals[names.length];
  if (extra !== undefined) throw usage(`${command.name} takes no further argument, found ${shown(extra)}`);
  const placed = Object.fromEntries(positionals.map((value, i) => [names[i], value]));
  const chosen = Object.fromEntries(Object.entries(values).filter(([key]) => key in own.shape));
  const named = (key: string) => (key in own.shape ? `--${flagName(key)}` : key.toUpperCase());
  const input = check(
    z.object({ ...command.positionals.shape, ...own.shape }),
    { ...placed, ...chosen },
    named,
  );
  return { command, flags: asked, input };
};
